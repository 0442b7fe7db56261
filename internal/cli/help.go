package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

func helpVerb() verb {
	return verb{
		name:    "help",
		args:    "[VERB]",
		summary: "say what leat or one of its verbs does",
		setup:   newHelp,
	}
}

type helpOptions struct{}

func newHelp(*flag.FlagSet) run { return helpOptions{}.run }

func (helpOptions) run(_ context.Context, std stdio, args []string) error {
	switch len(args) {
	case 0:
		return overview(std.out)
	case 1:
		v, err := find(args[0])
		if err != nil {
			return err
		}
		return v.usage(std.out)
	default:
		return usageError{errors.New("help takes one verb")}
	}
}

func overview(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Leat is a web server for live data.\n\nUsage: leat [VERB] [FLAGS] [ARGUMENTS]\n\n")
	for i, v := range verbs() {
		note := ""
		if i == 0 {
			note = " (what leat does without a verb)"
		}
		fmt.Fprintf(&b, "  %-8s %s%s\n", v.name, v.summary, note)
	}
	b.WriteString("\nleat help VERB lists the verb's flags.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// usage writes the help of one verb.
func (v verb) usage(w io.Writer) error {
	fs := flag.NewFlagSet(v.name, flag.ContinueOnError)
	v.setup(fs)
	var names, texts []string
	width := 0
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		name := strings.TrimSpace(dashed(f.Name) + " " + value)
		names, texts = append(names, name), append(texts, text)
		width = max(width, len(name))
	})
	var flags strings.Builder
	for i, name := range names {
		fmt.Fprintf(&flags, "  %-*s  %s\n", width, name, texts[i])
	}
	usage := "leat " + v.name
	if flags.Len() > 0 {
		usage += " [FLAGS]"
	}
	if v.args != "" {
		usage += " " + v.args
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n\n%s.\n", usage, capital(v.summary))
	if v.help != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.Trim(v.help, "\n"))
	}
	if flags.Len() > 0 {
		fmt.Fprintf(&b, "\n%s", flags.String())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
