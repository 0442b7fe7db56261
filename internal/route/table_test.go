package route_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/route"
)

func compile(t testing.TB, matches ...string) *route.Table {
	t.Helper()
	rules := make([]route.Rule, 0, len(matches))
	for _, m := range matches {
		rules = append(rules, route.Rule{Match: m})
	}
	table, err := route.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestARuleMatchesWhatItsTextSays(t *testing.T) {
	for _, c := range []struct {
		match, path string
		want        bool
		params      string
	}{
		{"", "/", true, ""},
		{"", "/any/thing", true, ""},
		{"/", "/", true, ""},
		{"/", "/x", false, ""},
		{"/status", "/status", true, ""},
		{"/status", "/status/", false, ""},
		{"/status", "/Status", false, ""},
		{"/api/", "/api/", true, ""},
		{"/api/", "/api/x/y", true, ""},
		{"/api/", "/api", false, ""},
		{"/api/", "/v1/api/", false, ""},
		{"/user/{id}", "/user/7", true, "id=7"},
		{"/user/{id}", "/user/", false, ""},
		{"/user/{id}", "/user/7/", false, ""},
		{"/user/{id}", "/user/7/mail", false, ""},
		{"/user/{id}", "/user/a b\nc\xff", true, "id=a b\nc\xff"},
		{"/user/{id}/", "/user/7/mail", true, "id=7"},
		{"/user/{id}/", "/user/7", false, ""},
		{"/{a}/{b}", "/x/y", true, "a=x b=y"},
		{"/f/{name}.txt", "/f/a.b.txt", true, "name=a.b"},
		{"/f/{name}.txt", "/f/axtxt", false, ""},
		{"/{_9Z}", "/v", true, "_9Z=v"},
		{"^/websock/{controller}$", "/websock/chat", true, "controller=chat"},
		{"^/websock/{controller}$", "/websock/chat/x", false, ""},
		{"^/(img|css)/", "/css/a.css", true, ""},
		{"^/(img|css)/", "/js/a.js", false, ""},
		{"^/v[0-9]{1,2}/{what}", "/v12/x/y", true, "what=x"},
		{`^/\p{Greek}+$`, "/αβ", true, ""},
		{`^/\x{61}$`, "/a", true, ""},
		{`^/\Q{name}\E$`, "/{name}", true, ""},
		{`^/[{name}]$`, "/{", true, ""},
		{`^/[]{a}]{b}$`, "/]z", true, "b=z"},
		{`^/[[:alpha:]{x}]/{y}$`, "/q/z", true, "y=z"},
		{`^/\{name\}$`, "/{name}", true, ""},
		{"^/(?P<year>[0-9]+)/{month}$", "/2026/05", true, "year=2026 month=05"},
	} {
		_, params, ok := compile(t, c.match).Find(c.path)
		var got []string
		for name, value := range params.All() {
			got = append(got, name+"="+value)
		}
		if ok != c.want || ok && strings.Join(got, " ") != c.params {
			t.Errorf("%q with %q: %t %q, want %t %q", c.match, c.path, ok, got, c.want, c.params)
		}
	}
}

func TestTheFirstRuleInTheListWins(t *testing.T) {
	table := compile(t, "/api/status", "/api/", "/{any}", "^/x", "")
	for path, want := range map[string]int{"/api/status": 0, "/api/x": 1, "/api": 2, "/x": 2, "/x/y": 3, "/y/z": 4, "/": 4} {
		if got, _, ok := table.Find(path); !ok || got != want {
			t.Errorf("%s: rule %d, want %d", path, got, want)
		}
	}
	if _, _, ok := compile(t).Find("/"); ok {
		t.Error("an empty table matches")
	}
}

func TestCompileNamesEveryRuleThatIsWrong(t *testing.T) {
	_, err := route.Compile([]route.Rule{{"ok/not"}, {"/fine"}, {"^/(x"}, {"/a//b"}, {"/{a}/{a}"}, {"/{}"}, {"/x}"}, {"/{9}"}, {"/../x"}})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("not a joined error: %v", err)
	}
	want := map[int]string{
		0: `write "/ok/not"`, 2: "missing closing )", 3: `write "/a/b"`, 4: "duplicate", 5: "no {name}",
		6: "no {name}", 7: "no {name}", 8: "below the root",
	}
	for _, e := range joined.Unwrap() {
		var re *route.Error
		if !errors.As(e, &re) {
			t.Fatalf("not an *Error: %v", e)
		}
		if w := want[re.Index]; w == "" || !strings.Contains(e.Error(), w) || !strings.HasPrefix(e.Error(), fmt.Sprintf("rule %d: ", re.Index)) {
			t.Errorf("%v: want %q in it", e, w)
		}
		delete(want, re.Index)
	}
	for index := range maps.Keys(want) {
		t.Errorf("rule %d is not named", index)
	}
}

func TestTemplatesAreFilled(t *testing.T) {
	_, params, ok := compile(t, "^/ws/{controller}/([^/]+)$").Find("/ws/chat/a b?#")
	if !ok {
		t.Fatal("no match")
	}
	for template, want := range map[string]string{
		"{controller}":        "chat",
		"${controller}-$2":    "chat-a b?#",
		"$1$2":                "chata b?#",
		"${1}0":               "chat0",
		"$$1 $ {} ${} {0} $x": "$1 $ {} ${} {0} $x",
		"{none}$9":            "",
		"plain":               "plain",
		"$":                   "$",
		"${":                  "${",
		"${+1}":               "${+1}",
	} {
		if got := route.Expand(template, params); got != want {
			t.Errorf("%q: %q, want %q", template, got, want)
		}
	}
	if got, want := route.ExpandURL("/new/$2/{controller}", params), "/new/a%20b%3F%23/chat"; got != want {
		t.Errorf("ExpandURL: %q, want %q", got, want)
	}
	if got := route.Expand("{x}$1", route.Params{}); got != "" {
		t.Errorf("zero Params: %q", got)
	}
}

func TestATemplateWithAnUnknownTokenIsFoundAtTheStart(t *testing.T) {
	table := compile(t, "/{a}/{b}", "/plain")
	for _, c := range []struct {
		index    int
		template string
		ok       bool
	}{
		{0, "{a}-$2", true},
		{0, "{c}", false},
		{0, "$3", false},
		{1, "name", true},
		{1, "{a}", false},
	} {
		if err := table.CheckTemplate(c.index, c.template); (err == nil) != c.ok {
			t.Errorf("rule %d, %q: %v", c.index, c.template, err)
		}
	}
}

func TestExactAndPrefixRulesDoNotAllocate(t *testing.T) {
	table := compile(t, "/a", "/b/", "/c", "")
	for _, path := range []string{"/a", "/b/x", "/other"} {
		if n := testing.AllocsPerRun(100, func() {
			clean, _ := route.Clean(path)
			table.Find(clean)
		}); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	table := compile(b, "/status", "/api/", "/user/{id}", "")
	for _, path := range []string{"/api/machine", "/user/7"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Find(path)
			}
		})
	}
}

func ExampleTable_Find() {
	table, err := route.Compile([]route.Rule{{Match: "/status"}, {Match: "^/websock/{controller}$"}, {Match: ""}})
	if err != nil {
		panic(err)
	}
	index, params, _ := table.Find("/websock/chat")
	fmt.Println(index, route.Expand("action {controller}", params))
	// Output: 1 action chat
}
