package main

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// TargetConfig is what a person says of a target beside the mock: where it is,
// and as which client login runs come to it.
type TargetConfig struct {
	Name   string `json:"name"`
	Issuer string `json:"issuer,omitempty"`
	HSCN   string `json:"hscn,omitempty"`
	// ClientID and what follows are those of the registration.
	ClientID         string   `json:"client_id,omitempty"`
	Redirect         string   `json:"redirect,omitempty"`
	Native           bool     `json:"native,omitempty"`
	Pattern          string   `json:"pattern,omitempty"`
	SecretFile       string   `json:"secret_file,omitempty"`
	KeyFile          string   `json:"key_file,omitempty"`
	KeyID            string   `json:"key_id,omitempty"`
	SigningAlgorithm string   `json:"signing_algorithm,omitempty"`
	Scopes           []string `json:"scopes,omitempty"`
	MaxAge           string   `json:"max_age,omitempty"`
	// Automation is whether PINs that are kept in files may sign in there
	// (DESIGN 7).
	Automation bool `json:"automation,omitempty"`
}

// rawTarget is the table as it is written; see file.
type rawTarget struct {
	Name             any `toml:"name"`
	Issuer           any `toml:"issuer"`
	HSCN             any `toml:"hscn"`
	ClientID         any `toml:"client_id"`
	Redirect         any `toml:"redirect"`
	Native           any `toml:"native"`
	Pattern          any `toml:"pattern"`
	SecretFile       any `toml:"secret_file"`
	KeyFile          any `toml:"key_file"`
	KeyID            any `toml:"key_id"`
	SigningAlgorithm any `toml:"signing_algorithm"`
	Scopes           any `toml:"scopes"`
	MaxAge           any `toml:"max_age"`
	Automation       any `toml:"automation"`
}

const targetTable = "target"

// takeTargets takes the tables, and says which values are of a wrong type.
func takeTargets(raw []rawTarget) (all []TargetConfig, bad []Finding) {
	var t taker
	for i, r := range raw {
		const key = targetTable
		all = append(all, TargetConfig{
			Name: t.text(key, i, "name", r.Name), Issuer: t.text(key, i, "issuer", r.Issuer), HSCN: t.text(key, i, "hscn", r.HSCN),
			ClientID: t.text(key, i, "client_id", r.ClientID), Redirect: t.text(key, i, "redirect", r.Redirect),
			Native: t.toggle(key, i, "native", r.Native), Pattern: t.text(key, i, "pattern", r.Pattern),
			SecretFile: t.text(key, i, "secret_file", r.SecretFile), KeyFile: t.text(key, i, "key_file", r.KeyFile),
			KeyID: t.text(key, i, "key_id", r.KeyID), SigningAlgorithm: t.text(key, i, "signing_algorithm", r.SigningAlgorithm),
			Scopes: t.texts(key, i, "scopes", r.Scopes), MaxAge: t.text(key, i, "max_age", r.MaxAge),
			Automation: t.toggle(key, i, "automation", r.Automation),
		})
	}
	return all, t.bad
}

// shippedTargets are there without a configuration (DESIGN 3).
var shippedTargets = []string{"mock", "int", "dep", "prod"}

// live is the target at which nobody's sign-in is driven.
const live = "prod"

// targets are what readiness may be asked for.
func (l Lists) targets() []string {
	all := slices.Clone(shippedTargets)
	for _, t := range l.Targets {
		if !slices.Contains(all, t.Name) {
			all = append(all, t.Name)
		}
	}
	return all
}

// driveable are those at which authenticators may be used by ceremonies: PROD has
// none, ever (DESIGN rule 9).
func (l Lists) driveable() []string {
	return slices.DeleteFunc(l.targets(), func(t string) bool { return t == live })
}

// automated is whether PINs may be kept for a target.
func (l Lists) automated(target string) bool {
	return target == shippedTargets[0] || slices.ContainsFunc(l.Targets, func(t TargetConfig) bool { return t.Name == target && t.Automation })
}

var isTarget = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// targetFindings say what is wrong with the values; badTarget knows those of CIS2.
func targetFindings(all []TargetConfig) (bad []Finding) {
	for i, t := range all {
		before := len(bad)
		add := func(field, what, remedy string) {
			where := member(targetTable, i, field)
			if what != "" && !slices.ContainsFunc(bad, func(f Finding) bool { return f.Where == where }) {
				bad = append(bad, Finding{Where: where, What: what, Remedy: remedy})
			}
		}
		add(t.wrong())
		add(t.wrongClient())
		if slices.ContainsFunc(all[:i], func(o TargetConfig) bool { return o.Name == t.Name }) {
			add("name", fmt.Sprintf("name is %q, as that of another target", t.Name), "write each target once")
		}
		if len(bad) == before {
			add(badTarget(t))
		}
	}
	return bad
}

// wrong is the first thing that is wrong with a target by itself, but for its client.
func (t TargetConfig) wrong() (field, what, remedy string) {
	_, port, err := net.SplitHostPort(t.HSCN)
	age, ageErr := time.ParseDuration(t.MaxAge)
	switch {
	case !isTarget.MatchString(t.Name):
		return "name", fmt.Sprintf("name is %q", t.Name), "write int, dep, prod, or a word of your own in small letters"
	case t.Name == shippedTargets[0]:
		return "name", "name is \"mock\"", "write what is to be said of the mock in [mock]"
	case t.HSCN != "" && (err != nil || port == ""):
		return "hscn", fmt.Sprintf("hscn is %q", t.HSCN), `write a host of the NHS network and its port, such as "gas.national.ncrs.nhs.uk:443"`
	case t.MaxAge != "" && (ageErr != nil || age < time.Second || age > 24*time.Hour):
		return "max_age", fmt.Sprintf("max_age is %q", t.MaxAge), `write a time from "1s" to "24h"`
	case t.Name == live && (t.Redirect != "" || t.Pattern != ""):
		return "redirect", "nobody's sign-in is driven in live use", "take out redirect, pattern and what belongs to them; discovery and tokens are judged without"
	case t.Name == live && t.Automation:
		return "automation", "nobody's sign-in is automated in live use", "take it out"
	case t.Redirect == "" && t.Native:
		return "redirect", "a native client has no redirect", `write the one that is registered, such as redirect = "http://127.0.0.1:17830/callback"`
	}
	return "", "", ""
}

// wrongClient is the first thing that is wrong with the client.
func (t TargetConfig) wrongClient() (field, what, remedy string) {
	file, name := t.SecretFile, "secret_file"
	if t.Pattern == "private_key_jwt" {
		file, name = t.KeyFile, "key_file"
	}
	switch {
	case t.Native && !isCallback(t.Redirect):
		return "redirect", fmt.Sprintf("redirect is %q, on which a native client cannot listen", t.Redirect), `write http, a loopback address and a port: "http://127.0.0.1:17830/callback"`
	case t.Redirect != "" && t.Pattern == "":
		return "pattern", "it is not said how the client proves who it is", `write pattern = "client_secret_post" and secret_file, or "private_key_jwt", key_file and key_id`
	case t.Pattern != "" && file == "":
		return name, t.Pattern + " has no " + name, "write the path of a file that only you can read"
	case t.SecretFile != "" && (t.KeyFile != "" || t.Pattern != "client_secret_post"), t.KeyFile != "" && t.Pattern != "private_key_jwt":
		return "pattern", "pattern and file do not go together", "secret_file belongs to client_secret_post, key_file to private_key_jwt"
	case file != "" && !filepath.IsAbs(file):
		return name, fmt.Sprintf("%s is %q", name, file), "write its whole path, from the root; ~ is not expanded"
	case (t.KeyID != "") != (t.Pattern == "private_key_jwt"):
		return "key_id", "a key_id belongs to private_key_jwt, and that needs one", "write the `kid` under which the key is published"
	}
	return "", "", ""
}

// isCallback is whether a redirect address is one on which this machine can
// listen for a browser (RFC 8252, 7.3).
func isCallback(redirect string) bool {
	u, err := url.Parse(redirect)
	return err == nil && u.Scheme == "http" && u.Port() != "" && slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, strings.ToLower(u.Hostname()))
}

// inWords is a target for a person. Its files are named, their content is nobody's
// to see.
func (t TargetConfig) inWords() string {
	parts := []string{t.Name}
	add := func(word, value string) {
		if value != "" {
			parts = append(parts, word+value)
		}
	}
	add("at ", t.Issuer)
	add("as ", t.ClientID)
	add("by ", t.Pattern)
	add("with ", t.SecretFile+t.KeyFile)
	add("back to ", t.Redirect)
	add("NHS network at ", t.HSCN)
	if t.Automation {
		parts = append(parts, "automated")
	}
	return strings.Join(parts, ", ")
}
