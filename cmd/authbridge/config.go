package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"authbridge/platform"
	"authbridge/platform/nhs"
)

// Config is the configuration file; docs/configuration.md is its reference.
// Its zero value is not useful: start from defaults.
type Config struct {
	Listen   string `json:"listen"`
	StateDir string `json:"state_dir"`
	LogLevel string `json:"log_level"`
	Virtual  string `json:"virtual"`
	Physical string `json:"physical"`
	// ProbeDelay is how long a card lies in its reader before it is read:
	// "auto" or a Go duration (DESIGN rule 3).
	ProbeDelay string      `json:"probe_delay"`
	Trace      TraceConfig `json:"trace"`
	Mock       MockConfig  `json:"mock"`
	Lists
}

// TraceConfig switches the traces of what goes over the wire; PIN bodies are
// never in them.
type TraceConfig struct {
	APDU bool `json:"apdu"`
	CTAP bool `json:"ctap"`
}

// Where the API and the mock are unless somebody says otherwise.
const (
	defaultListen = "127.0.0.1:17823"
	defaultMock   = "localhost:17824"
)

// defaults is the embedded default: virtual authenticators and whatever
// hardware there is.
func defaults() Config {
	return Config{
		Listen: defaultListen, LogLevel: "info", Virtual: "auto", Physical: "on", ProbeDelay: "auto",
		Mock: MockConfig{Listen: "auto"},
	}
}

// ConfigError is everything that is wrong with a configuration, each with its
// place and remedy.
type ConfigError struct{ Findings []Finding }

// Finding is one thing wrong with a configuration. Line and Column are 0 for a
// flag or environment variable.
type Finding struct {
	Where        string
	Line, Column int
	What         string
	Remedy       string
}

func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		place := f.Where
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", f.Where, f.Line, f.Column)
		}
		lines[i] = fmt.Sprintf("%s: %s\n  → %s", place, f.What, f.Remedy)
	}
	return strings.Join(lines, "\n")
}

// longestConfig is far above what anybody writes.
const longestConfig = 1 << 20

// loadConfig reads a file strictly over the defaults. places has the place of
// each key that the file sets. found is false, and the defaults hold, where
// there is no such file.
func loadConfig(path string) (c Config, places map[string]string, found bool, err error) {
	text, err := platform.ReadOwn(path, longestConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return defaults(), nil, false, nil
	}
	if err != nil {
		return defaults(), nil, false, &ConfigError{[]Finding{{Where: path, What: err.Error(), Remedy: "make it a file that you can read and only you can write to, or name another with --config"}}}
	}
	c, places, err = parseConfig(path, text)
	return c, places, true, err
}

// file is the configuration as it is written, before its values are looked at:
// the decoder would stop at the first value of a wrong type.
type file struct {
	Listen     any `toml:"listen"`
	StateDir   any `toml:"state_dir"`
	LogLevel   any `toml:"log_level"`
	Virtual    any `toml:"virtual"`
	Physical   any `toml:"physical"`
	ProbeDelay any `toml:"probe_delay"`
	Trace      struct {
		APDU any `toml:"apdu"`
		CTAP any `toml:"ctap"`
	} `toml:"trace"`
	Mock rawMock `toml:"mock"`
	rawLists
}

// parseConfig decodes strictly: every unknown key and every bad value at once,
// in the order of the file.
func parseConfig(path string, text []byte) (c Config, places map[string]string, err error) {
	c, places = defaults(), map[string]string{}
	var raw file
	var bad ConfigError
	err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&raw)
	var strict *toml.StrictMissingError
	var decode *toml.DecodeError
	switch {
	case errors.As(err, &strict):
		for _, e := range strict.Errors {
			line, column := e.Position()
			key := strings.Join(e.Key(), ".")
			bad.Findings = append(bad.Findings, Finding{path, line, column, "unknown key " + key, nearestKey(configKeys, key)})
		}
	case errors.As(err, &decode):
		line, column := decode.Position()
		// What stands behind it was not read: nothing is known of the values.
		return c, places, &ConfigError{[]Finding{{path, line, column, strings.TrimPrefix(decode.Error(), "toml: "), "write it as docs/configuration.md shows"}}}
	case err != nil:
		return c, places, &ConfigError{[]Finding{{Where: path, What: err.Error(), Remedy: "write it as docs/configuration.md shows"}}}
	}
	values := []Finding{}
	setText := func(key string, to *string, given any) {
		switch v := given.(type) {
		case nil:
			return
		case string:
			*to = v
		default:
			values = append(values, Finding{Where: key, What: fmt.Sprintf("%s is %v, which is no text", key, v), Remedy: "put it in quotes, as docs/configuration.md shows"})
		}
		places[key] = place(path, text, key)
	}
	setSwitch := func(key string, to *bool, given any) {
		switch v := given.(type) {
		case nil:
			return
		case bool:
			*to = v
		default:
			values = append(values, Finding{Where: key, What: fmt.Sprintf("%s is %v", key, v), Remedy: "write true or false, without quotes"})
		}
		places[key] = place(path, text, key)
	}
	setText("listen", &c.Listen, raw.Listen)
	setText("state_dir", &c.StateDir, raw.StateDir)
	setText("log_level", &c.LogLevel, raw.LogLevel)
	setText("virtual", &c.Virtual, raw.Virtual)
	setText("physical", &c.Physical, raw.Physical)
	setText("probe_delay", &c.ProbeDelay, raw.ProbeDelay)
	setSwitch("trace.apdu", &c.Trace.APDU, raw.Trace.APDU)
	setSwitch("trace.ctap", &c.Trace.CTAP, raw.Trace.CTAP)
	setText("mock.listen", &c.Mock.Listen, raw.Mock.Listen)
	setSwitch("mock.tls", &c.Mock.TLS, raw.Mock.TLS)
	values = append(values, c.Mock.takeClients(raw.Mock)...)
	values = append(values, c.take(raw.rawLists)...)

	for _, f := range validate(c) {
		if !slices.ContainsFunc(values, func(v Finding) bool { return v.Where == f.Where }) {
			values = append(values, f)
		}
	}
	for _, f := range values {
		f.Line, f.Column = placeOf(text, f.Where)
		f.Where = path
		bad.Findings = append(bad.Findings, f)
	}
	if len(bad.Findings) > 0 {
		slices.SortStableFunc(bad.Findings, func(a, b Finding) int { return a.Line - b.Line })
		return c, places, &bad
	}
	return c, places, nil
}

var configKeys = []string{
	"listen", "state_dir", "log_level", "virtual", "physical", "probe_delay", "trace.apdu", "trace.ctap",
	"relying_party.id", "relying_party.origins", "relying_party.targets", "signing.certificate", "signing.target",
	"pin.authenticator", "pin.target", "pin.file", "pin.credential",
	"user.name", "user.uuid", "user.authenticators", "user.totp_file", "user.aal", "user.roles",
	"target.name", "target.issuer", "target.hscn", "target.client_id", "target.redirect", "target.native", "target.pattern", "target.secret_file",
	"target.key_file", "target.key_id", "target.signing_algorithm", "target.scopes", "target.max_age", "target.automation",
	"mock.listen", "mock.tls", "mock.client.id", "mock.client.name", "mock.client.redirects", "mock.client.after_logout", "mock.client.back_channel_logout",
	"mock.client.pattern", "mock.client.secret", "mock.client.jwks_uri", "mock.client.signing_algorithm", "mock.client.signed_userinfo",
	"mock.client.scopes", "mock.client.basic", "mock.client.levels_as_numbers", "mock.client.faults",
	"registration.target", "registration.id", "registration.name", "registration.redirects", "registration.after_logout", "registration.back_channel_logout",
	"registration.pattern", "registration.jwks_uri", "registration.signing_algorithm", "registration.signed_userinfo", "registration.scopes", "registration.native",
}

// nearestKey is the remedy for a key that does not exist.
func nearestKey(keys []string, key string) string {
	for _, k := range keys {
		if strings.EqualFold(strings.ReplaceAll(k, "_", ""), strings.NewReplacer("_", "", "-", "").Replace(key)) {
			return "write " + k
		}
	}
	if dot := strings.LastIndex(key, "."); dot > 0 {
		if in := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, key[:dot+1]) }); len(in) > 0 {
			keys = in
		}
	}
	if meant := misspelt(keys, key); len(meant) > 0 {
		return "write " + strings.Join(meant, " or ")
	}
	if !strings.Contains(key, ".") { // of tables the names will do
		short := make([]string, len(keys))
		for i, k := range keys {
			short[i], _, _ = strings.Cut(k, ".")
		}
		keys = slices.Compact(short)
	}
	return "take it out; the keys are " + strings.Join(keys, ", ")
}

// misspelt are the names that somebody may have meant, as cobra suggests commands.
func misspelt(names []string, given string) []string {
	known := cobra.Command{SuggestionsMinimumDistance: 2}
	for _, name := range names {
		known.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	return known.SuggestionsFor(given)
}

// placeOf finds where a key is set, or, where it is not, the table that it
// misses in: pin[1].file is that of the second [[pin]]. Values are checked after
// decoding, when the decoder's positions are gone.
func placeOf(text []byte, key string) (line, column int) {
	dot := strings.LastIndex(key, ".")
	table, name := key[:max(dot, 0)], key[dot+1:]
	in := ""
	seen := map[string]int{}
	for i, l := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(l)
		if strings.HasPrefix(trimmed, "[") {
			in = strings.Trim(strings.SplitN(trimmed, "#", 2)[0], "[] \t")
			if strings.HasPrefix(trimmed, "[[") {
				in, seen[in] = fmt.Sprintf("%s[%d]", in, seen[in]), seen[in]+1
			} else if i := strings.LastIndex(in, "."); i > 0 && seen[in[:i]] > 0 {
				in = member(in[:i], seen[in[:i]]-1, in[i+1:]) // a table of the last one
			}
			if in == table || in == key {
				line, column = i+1, strings.Index(l, "[")+1
			}
			continue
		}
		set, _, found := strings.Cut(trimmed, "=")
		if set = strings.TrimSpace(set); found && (in == table && set == name || in == "" && set == key) {
			return i + 1, strings.Index(l, set) + 1
		}
	}
	return line, column
}

// place is where a key is set, for people.
func place(path string, text []byte, key string) string {
	if line, _ := placeOf(text, key); line > 0 {
		return fmt.Sprintf("%s:%d", path, line)
	}
	return path
}

// validate checks values, wherever they came from. Finding.Where is the key.
func validate(c Config) []Finding {
	var bad []Finding
	add := func(key, what, remedy string) { bad = append(bad, Finding{Where: key, What: what, Remedy: remedy}) }
	if what, remedy := badListen(c.Listen); what != "" {
		add("listen", what, remedy)
	}
	if c.StateDir != "" && !filepath.IsAbs(c.StateDir) {
		add("state_dir", fmt.Sprintf("state_dir is %q", c.StateDir), "write the whole path of the folder, from the root; ~ is not expanded")
	}
	oneOf := func(key, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		add(key, fmt.Sprintf("%s is %q", key, value), "choose one of "+strings.Join(allowed, ", "))
	}
	oneOf("log_level", c.LogLevel, "error", "warn", "info", "debug")
	oneOf("virtual", c.Virtual, "auto", "on", "off")
	oneOf("physical", c.Physical, "on", "off", "group")
	if d, err := time.ParseDuration(c.ProbeDelay); c.ProbeDelay != "auto" && (err != nil || d < 0 || d > time.Minute) {
		add("probe_delay", fmt.Sprintf("probe_delay is %q", c.ProbeDelay), `write "auto" or a time from "0s" to "60s"`)
	}
	bad = append(bad, c.Mock.findings(c.Listen)...)
	return append(bad, c.findings()...)
}

// badListen refuses every address that is not loopback (DESIGN rule 6).
func badListen(address string) (what, remedy string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Sprintf("listen is %q, which is no host:port", address), "write " + defaultListen + ", or 127.0.0.1:0 for any free port"
	}
	if host != "localhost" && host != "127.0.0.1" && host != "::1" {
		return fmt.Sprintf("listen is %q, which is not loopback as browsers and tools know it", address),
			"authbridge answers on 127.0.0.1, [::1] and localhost alone: use 127.0.0.1, and in a container mount its socket instead of opening a port"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Sprintf("listen has port %q", port), "use a number up to 65535, or 0 for any free port"
	}
	if nhs.IsPort(port) {
		return fmt.Sprintf("port %s belongs to NHS software", port), "use another port; " + defaultListen + " is ours"
	}
	return "", ""
}
