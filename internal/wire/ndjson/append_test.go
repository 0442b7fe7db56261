package ndjson_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/leat-dev/leat/internal/wire/ndjson"
)

func TestAppendAllocatesNothingWhenThereIsRoom(t *testing.T) {
	plain := []byte(`{"time":1700000000000,"load":[0.5,0.25]}`)
	indented := []byte("{\n  \"time\": 1700000000000,\n  \"load\": [0.5, 0.25]\n}")
	dst := make([]byte, 0, 256)
	n := testing.AllocsPerRun(100, func() {
		dst = ndjson.Append(dst[:0], plain)
		dst = ndjson.Append(dst, indented)
		dst = ndjson.AppendHeartbeat(dst)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHeartbeatIsAnEmptyLine(t *testing.T) {
	if got := ndjson.AppendHeartbeat([]byte("1\n")); string(got) != "1\n\n" {
		t.Errorf("%q", got)
	}
}

func FuzzAppendMakesOneLineOfTheSameValue(f *testing.F) {
	for _, c := range readGolden(f).Append {
		f.Add([]byte(c.Value))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		line := ndjson.Append(nil, text)
		if bytes.IndexByte(line, '\n') != len(line)-1 || bytes.IndexByte(line, '\r') >= 0 {
			t.Fatalf("not one line: %q", line)
		}
		line = line[:len(line)-1]
		if len(bytes.TrimSpace(line)) == 0 {
			if len(bytes.Trim(text, " \t\r\n")) != len(bytes.TrimSpace(line)) && json.Valid(text) {
				t.Fatalf("%q was lost", text)
			}
			return
		}
		if json.Valid(line) != json.Valid(text) {
			t.Fatalf("%q became %q: valid %v became %v", text, line, json.Valid(text), json.Valid(line))
		}
		if !json.Valid(text) {
			return
		}
		if got, want := compacted(t, line), compacted(t, text); !bytes.Equal(got, want) {
			t.Fatalf("%q became %q", want, got)
		}
		got, err := ndjson.NewReader(bytes.NewReader(append(line, '\n')), 0).Next()
		if err != nil || !bytes.Equal(compacted(t, got), compacted(t, text)) {
			t.Fatalf("read back %q, %v", got, err)
		}
	})
}

func compacted(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func BenchmarkAppend(b *testing.B) {
	for name, text := range map[string][]byte{
		"64B":      bytes.Repeat([]byte("7"), 64),
		"4KiB":     bytes.Repeat([]byte("7"), 4096),
		"indented": []byte("{\n  \"time\": 1700000000000,\n  \"load\": [0.5, 0.25]\n}"),
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 8192)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				dst = ndjson.Append(dst[:0], text)
			}
		})
	}
}
