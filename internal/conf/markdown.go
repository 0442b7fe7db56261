package conf

import (
	"bytes"
	_ "embed" // for the frame of the page
	"strings"
	"text/template"
)

//go:embed page.md.tmpl
var pageFrame string

// What the page is made of; the template names these fields.
type (
	page struct {
		Sections    []pageSection
		Differences []pageRow
		Directives  []pageDirective
	}
	pageSection struct {
		Title, Intro string
		Rows         []pageRow
	}
	pageRow struct {
		Path, Value, Default, Text, Ioto, Why string
		Shared                                bool // a route may set it for itself
	}
	pageDirective struct{ Name, Text string }
)

// Markdown is the reference page of web.json5, docs/web-json5.md.
func Markdown() []byte {
	var p page
	for _, s := range sections() {
		part := pageSection{Title: s.title, Intro: s.intro}
		for i := range s.rows {
			r := s.rows[i].page()
			part.Rows = append(part.Rows, r)
			if r.Ioto != "" {
				p.Differences = append(p.Differences, r)
			}
		}
		p.Sections = append(p.Sections, part)
	}
	for _, d := range directiveTable {
		p.Directives = append(p.Directives, pageDirective{d.name, cell(d.doc)})
	}
	frame := template.Must(template.New("page").Funcs(template.FuncMap{"anchor": anchor}).Parse(pageFrame))
	var out bytes.Buffer
	if err := frame.Execute(&out, p); err != nil {
		panic(err) // a mistake in the frame, which a test finds
	}
	return out.Bytes()
}

func (w *row) page() pageRow {
	r := pageRow{Path: w.path, Value: cell(w.kind.name), Text: cell(w.doc), Ioto: cell(w.ioto), Why: cell(w.why)}
	r.Shared = w.in&inRoute != 0 && w.in&inServer != 0
	switch {
	case w.def == "":
	case w.keep:
		r.Default = w.def
	default:
		r.Default = "`" + w.def + "`"
	}
	switch w.state {
	case later:
		r.Text = "*Not yet in effect.* " + r.Text
	case unneeded:
		r.Text += " *Not needed: " + cell(w.why) + ".*"
	case protects, inEffect:
	}
	return r
}

// cell is a text that does not end its cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// anchor is the link to a heading.
func anchor(title string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(title), " ", "-"), ",", "")
}
