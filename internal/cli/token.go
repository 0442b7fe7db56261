package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/leat-dev/leat/internal/access"
	"github.com/leat-dev/leat/internal/conf"
	"github.com/leat-dev/leat/internal/pattern"
)

func tokenVerb() verb {
	return verb{
		name:    "token",
		summary: "make a token that lets in to topics, for development",
		help: `
    export LEAT_SECRET=$(leat token --new-secret)
    leat token --subscribe 'room.*' --publish room.kitchen --for 8h
    curl -N -H "Authorization: Bearer $(leat token --subscribe '>')" localhost:4000/live/room.kitchen

The token goes to stdout. On a terminal stderr says what it allows, and until
when. In a pattern * stands for one token of a name, and a last > for one or
more; the shell wants both in quotes.

It is signed with the secret in $LEAT_SECRET (HS256), with the first secret that
a web.json5 names, or with the private key in a file of PEM (RS256, ES256 or
EdDSA, as the key is). Who has that can make any token: what is in use belongs to
who logs people in, not into a shell.`,
		setup: newToken,
	}
}

type tokenOptions struct {
	subscribe, publish listFlag
	life               durationFlag
	subject            string
	source             access.Source
	issuer, audience   string
	config             string
	newSecret          bool
	flags              *flag.FlagSet
}

// secretVariable has the secret where no other is named.
const secretVariable = "LEAT_SECRET"

func newToken(fs *flag.FlagSet) run {
	o := &tokenOptions{life: durationFlag(time.Hour), flags: fs}
	fs.Var(&o.subscribe, "subscribe", "a `PATTERN` of topics that it may read; may be given again")
	fs.Var(&o.publish, "publish", "a `PATTERN` of topics that it may publish to; may be given again")
	fs.Var(&o.life, "for", "the `TIME` that it is good for, as 10m or 8h (1h)")
	fs.StringVar(&o.subject, "subject", "", "the `NAME` of who has it (sub)")
	fs.StringVar(&o.config, "config", "", "the web.json5 `FILE` whose key, issuer and audience it is to have")
	fs.StringVar(&o.issuer, "issuer", "", "the `NAME` of who makes it (iss), where the server asks for one")
	fs.StringVar(&o.audience, "audience", "", "the `NAME` of whom it is for (aud), where the server asks for one")
	fs.StringVar(&o.source.Env, "env", "", "the environment variable `NAME` that has the secret or key ("+secretVariable+")")
	fs.StringVar(&o.source.File, "key", "", "the `FILE` that has the private key or secret")
	fs.StringVar(&o.source.Algorithm, "algorithm", "", "the algorithm `NAME`, where the key is no PEM: HS256")
	fs.StringVar(&o.source.ID, "id", "", "the key's `ID` (kid), where the server has several")
	fs.BoolVar(&o.newSecret, "new-secret", false, "print a fresh secret for HS256, and nothing else")
	return o.run
}

func (o *tokenOptions) run(_ context.Context, std stdio, args []string) error {
	switch {
	case len(args) > 0:
		return usageError{fmt.Errorf("%q is one argument too many; patterns stand behind --subscribe or --publish, in quotes", args[0])}
	case o.newSecret && o.flags.NFlag() > 1:
		return usageError{errors.New("--new-secret stands alone")}
	case o.newSecret:
		_, err := fmt.Fprintln(std.out, freshSecret())
		return err
	case len(o.subscribe)+len(o.publish) == 0:
		return usageError{errors.New("say what it allows, as in: leat token --subscribe 'room.*'")}
	case time.Duration(o.life) < time.Second:
		return usageError{fmt.Errorf("--for %s is no time to use it in; write one as 10m or 8h", time.Duration(o.life))}
	}
	for _, list := range []struct {
		flag     string
		patterns listFlag
	}{{"--subscribe", o.subscribe}, {"--publish", o.publish}} {
		for _, p := range list.patterns {
			if err := pattern.Check(p); err != nil {
				return usageError{fmt.Errorf("%s: %w", list.flag, err)}
			}
		}
	}
	signer, err := o.signer()
	if err != nil {
		return err
	}
	now := time.Now()
	grant := &access.Grant{Subject: o.subject, Subscribe: o.subscribe, Publish: o.publish, Expires: now.Add(time.Duration(o.life))}
	token, err := signer.Sign(grant, now)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(std.out, token); err != nil {
		return err
	}
	if isTerminal(std.err) {
		fmt.Fprintln(std.err, told(signer.Algorithm, grant))
	}
	return nil
}

// signer reads the key that was named, or else the secret of development.
func (o *tokenOptions) signer() (*access.Signer, error) {
	if o.config != "" {
		if err := o.configure(); err != nil {
			return nil, err
		}
	}
	source := o.source
	if source.File == "" && source.Env == "" {
		source.Env = secretVariable
		if os.Getenv(secretVariable) == "" {
			return nil, fmt.Errorf("there is no secret in $%s; make one, and start the server with it, too: export %[1]s=$(leat token --new-secret)", secretVariable)
		}
	}
	if source.Algorithm == "" && source.Env != "" && !strings.Contains(os.Getenv(source.Env), "-----BEGIN ") {
		source.Algorithm = access.HS256
	}
	signer, err := access.LoadSigner(source)
	if err != nil {
		return nil, err
	}
	signer.Issuer, signer.Audience = o.issuer, o.audience
	return signer, nil
}

// configure takes from a web.json5 what no flag says.
func (o *tokenOptions) configure() error {
	c, _, err := conf.Load(o.config)
	if err != nil {
		return err
	}
	if o.issuer == "" {
		o.issuer = c.Tokens.Issuer
	}
	if o.audience == "" {
		o.audience = c.Tokens.Audience
	}
	if o.source.File != "" || o.source.Env != "" {
		return nil
	}
	if a := o.source.Algorithm; a != "" && a != access.HS256 {
		return fmt.Errorf("%s signs with a private key, which no configuration has; name it with --key", a)
	}
	for _, k := range c.Tokens.Keys {
		if k.Algorithm == access.HS256 && (o.source.ID == "" || o.source.ID == k.ID) {
			o.source = access.Source{Algorithm: k.Algorithm, ID: k.ID, File: k.File, Env: k.Env}
			return nil
		}
	}
	which := ""
	if o.source.ID != "" {
		which = fmt.Sprintf(" with the id %q", o.source.ID)
	}
	return fmt.Errorf("tokens.keys of %s has no secret%s, and a public key makes no token; name the private one with --key", o.config, which)
}

// told says what a token allows.
func told(algorithm string, g *access.Grant) string {
	var may []string
	for _, act := range []struct {
		verb     string
		patterns []string
	}{{"subscribe to", g.Subscribe}, {"publish to", g.Publish}} {
		if len(act.patterns) > 0 {
			may = append(may, act.verb+" "+strings.Join(act.patterns, ", "))
		}
	}
	who := "who has it"
	if g.Subject != "" {
		who = g.Subject
	}
	return visible(fmt.Sprintf("%s: %s may %s, until %s", algorithm, who, strings.Join(may, " and "), g.Expires.Format(time.DateTime+" MST")))
}

// freshSecret returns 256 bits that nobody can guess, as text that no shell
// changes.
func freshSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
