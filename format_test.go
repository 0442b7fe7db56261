package leat

import "testing"

func TestAcceptAsksForTheTypeWithTheMostWeight(t *testing.T) {
	const ndjson, sse, json, none = typeNDJSON, typeSSE, typeJSON, ""
	for _, row := range []struct {
		accept        []string
		record, topic string // of what Records has, and of what a topic has
	}{
		{nil, ndjson, ndjson},
		{[]string{""}, ndjson, ndjson},
		{[]string{" , ,\t"}, ndjson, ndjson},
		{[]string{"*/*"}, ndjson, ndjson},
		{[]string{"application/*"}, ndjson, ndjson},
		{[]string{"application/ndjson, text/event-stream;q=0.9"}, ndjson, ndjson},
		{[]string{"APPLICATION/X-NDJSON"}, ndjson, ndjson},
		{[]string{"application/json"}, none, json},
		{[]string{"text/event-stream"}, sse, sse},
		{[]string{"text/*"}, sse, sse},
		{[]string{"TEXT/*"}, sse, sse},
		{[]string{"text/html"}, none, none},
		{[]string{"text"}, none, none},
		{[]string{"text/event"}, none, none},

		// What is named more closely goes first.
		{[]string{"*/*, text/*"}, sse, sse},
		{[]string{"*/*, text/event-stream"}, sse, sse},
		{[]string{"text/*, application/x-ndjson"}, ndjson, ndjson},
		{[]string{"application/*, text/*"}, ndjson, ndjson},
		{[]string{"text/event-stream, application/x-ndjson"}, ndjson, ndjson},
		{[]string{"application/json, */*"}, ndjson, json},

		// The weight is that of the closest range, wherever it stands.
		{[]string{"text/event-stream;q=0.5, */*"}, ndjson, ndjson},
		{[]string{"*/*;q=0.5, text/event-stream;q=0.4"}, ndjson, ndjson},
		{[]string{"*/*;q=0.4, text/event-stream;q=0.5"}, sse, sse},
		{[]string{"application/x-ndjson;q=0, */*"}, sse, sse},
		{[]string{"*/*, application/*;q=0"}, sse, sse},
		{[]string{"application/*;q=0.1, application/x-ndjson;q=0.7, text/*;q=0.6"}, ndjson, ndjson},
		{[]string{"*/*, application/x-ndjson;q=0, text/*;q=0"}, none, json},
		{[]string{"*/*;q=0"}, none, none},
		{[]string{"text/event-stream;q=0, application/x-ndjson;q=0.0"}, none, none},
		{[]string{"text/event-stream;q=0.001"}, sse, sse},
		{[]string{"text/event-stream;q=0.2, application/x-ndjson;q=0.3"}, ndjson, ndjson},
		{[]string{"text/event-stream;q=0.3, application/x-ndjson;q=0.2"}, sse, sse},

		// Forms of the header.
		{[]string{"text/event-stream;q=0.3", "application/x-ndjson;q=0.2"}, sse, sse},
		{[]string{"application/x-ndjson ; Q=0.2,text/event-stream\t;\tq=0.3"}, sse, sse},
		{[]string{"text/event-stream;charset=utf-8;q=0.1, application/x-ndjson;q=0.2"}, ndjson, ndjson},
		{[]string{"application/ndjson;q=0, application/x-ndjson, text/event-stream;q=0.9"}, ndjson, ndjson},

		// A weight that is none is that of a range without one.
		{[]string{"text/event-stream;q=, application/x-ndjson;q=0.9"}, sse, sse},
		{[]string{"text/event-stream;q=2, application/x-ndjson"}, ndjson, ndjson},
		{[]string{"text/event-stream;q=-1"}, sse, sse},
		{[]string{"text/event-stream;q=NaN"}, sse, sse},
		{[]string{"text/event-stream;q=Inf, application/x-ndjson"}, ndjson, ndjson},
	} {
		record := accepted(row.accept, []string{typeNDJSON, typeSSE})
		if topic := accepted(row.accept, offered); record != row.record || topic != row.topic {
			t.Errorf("%q: %q, and of a topic %q; want %q and %q", row.accept, record, topic, row.record, row.topic)
		}
		want := &ndjsonFormat // if nothing will do
		if row.record == sse {
			want = &sseFormat
		}
		if preferred(row.accept) != want {
			t.Errorf("%q: not %s", row.accept, want.contentType)
		}
	}
}
