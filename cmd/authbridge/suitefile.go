package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"authbridge/agent/contract"
)

// suiteFile is a scenario file: many login runs, as matrices. docs/logins.md is
// its reference.
type suiteFile struct {
	path string
	text []byte

	Purpose, Target string
	Parallel        int // 0: as many as there are authenticators
	Timeout, Queue  string
	Matrices        []matrix
}

// matrix is one cross product. An empty list stands for one value that is left
// to the daemon.
type matrix struct {
	Users, Authenticators, ACR, Scenarios []string
	Origin                                string
}

// plannedRun is one run of a file, and the matrix that it comes from.
type plannedRun struct {
	matrix  int
	request contract.LoginRequest
}

// The bounds of a file.
const (
	longestFile  = 1 << 20
	mostSuite    = 10_000
	mostParallel = 64
	// suiteQueue is the wait for an authenticator where the file says none: runs
	// of the same file are what they wait for.
	suiteQueue = "10m"
)

// rawSuite is the file as it is written, before its values are looked at.
type rawSuite struct {
	Purpose  any `toml:"purpose"`
	Target   any `toml:"target"`
	Parallel any `toml:"parallel"`
	Timeout  any `toml:"timeout"`
	Queue    any `toml:"queue"`
	Matrix   []struct {
		Users          any `toml:"users"`
		Authenticators any `toml:"authenticators"`
		ACR            any `toml:"acr"`
		Scenarios      any `toml:"scenarios"`
		Origin         any `toml:"origin"`
	} `toml:"matrix"`
}

var suiteKeys = []string{
	"purpose", "target", "parallel", "timeout", "queue",
	"matrix.users", "matrix.authenticators", "matrix.acr", "matrix.scenarios", "matrix.origin",
}

const asSuitesShow = "write it as docs/logins.md shows"

// readSuite reads a scenario file; "-" is standard input.
func readSuite(path string, in io.Reader) (*suiteFile, error) {
	if path != "-" {
		opened, err := os.Open(path)
		if err != nil {
			return nil, usage("%w\n  → name a scenario file, as docs/logins.md shows one", err)
		}
		defer opened.Close()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, longestFile+1))
	switch {
	case err != nil:
		return nil, usage("%w\n  → name a scenario file, as docs/logins.md shows one", err)
	case len(text) > longestFile:
		return nil, usage("%s has more than %d KiB\n  → name a scenario file, as docs/logins.md shows one", path, longestFile>>10)
	}
	return parseSuite(path, text)
}

// parseSuite decodes strictly: every unknown key and every bad value at once, in
// the order of the file.
func parseSuite(path string, text []byte) (*suiteFile, error) {
	f := &suiteFile{path: path, text: text, Target: "mock"}
	var raw rawSuite
	var bad []Finding
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&raw)
	var strict *toml.StrictMissingError
	var decode *toml.DecodeError
	switch {
	case errors.As(err, &strict):
		for _, e := range strict.Errors {
			line, column := e.Position()
			key := strings.Join(e.Key(), ".")
			bad = append(bad, Finding{path, line, column, "unknown key " + key, nearestKey(suiteKeys, key)})
		}
	case errors.As(err, &decode):
		line, column := decode.Position()
		return nil, &exit{exitUsage, &ConfigError{[]Finding{{path, line, column, strings.TrimPrefix(decode.Error(), "toml: "), asSuitesShow}}}}
	case err != nil:
		return nil, &exit{exitUsage, &ConfigError{[]Finding{{Where: path, What: err.Error(), Remedy: asSuitesShow}}}}
	}
	for _, found := range f.take(raw) {
		bad = append(bad, f.at(found, ""))
	}
	bad = append(bad, f.findings()...)
	if len(bad) > 0 {
		slices.SortStableFunc(bad, func(a, b Finding) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
		return nil, &exit{exitUsage, &ConfigError{bad}}
	}
	return f, nil
}

// take takes the values, and says which are of a wrong type.
func (f *suiteFile) take(raw rawSuite) (bad []Finding) {
	for _, v := range []struct {
		key   string
		to    *string
		given any
	}{{"purpose", &f.Purpose, raw.Purpose}, {"target", &f.Target, raw.Target}, {"timeout", &f.Timeout, raw.Timeout}, {"queue", &f.Queue, raw.Queue}} {
		text, ok := v.given.(string)
		switch {
		case ok:
			*v.to = text
		case v.given != nil:
			bad = append(bad, Finding{Where: v.key, What: fmt.Sprintf("%s is %v, which is no text", v.key, v.given), Remedy: "put it in quotes, " + asSuitesShow})
		}
	}
	if given, ok := raw.Parallel.(int64); raw.Parallel != nil && (!ok || given < 1 || given > mostParallel) {
		bad = append(bad, Finding{Where: "parallel", What: fmt.Sprintf("parallel is %v", raw.Parallel), Remedy: fmt.Sprintf("write a number from 1 to %d, or leave it out for as many as there are authenticators", mostParallel)})
	} else {
		f.Parallel = int(given)
	}
	var t taker
	for i, m := range raw.Matrix {
		const key = "matrix"
		f.Matrices = append(f.Matrices, matrix{
			Users: t.texts(key, i, "users", m.Users), Authenticators: t.texts(key, i, "authenticators", m.Authenticators),
			ACR: t.texts(key, i, "acr", m.ACR), Scenarios: t.texts(key, i, "scenarios", m.Scenarios), Origin: t.text(key, i, "origin", m.Origin),
		})
	}
	return append(bad, t.bad...)
}

var (
	uuidForm          = regexp.MustCompile(`^[0-9]{12}$`)
	purposeForm       = regexp.MustCompile(`^[A-Za-z0-9 ._:/#-]{0,64}$`)
	authenticatorForm = regexp.MustCompile(`^(smartcard|security-key|(card|key)-[A-Za-z0-9._:-]{1,59})$`)
)

// findings say what is wrong with the values. Which acr there are is the
// daemon's to say.
func (f *suiteFile) findings() (bad []Finding) {
	add := func(key, value, what, remedy string) {
		bad = append(bad, f.at(Finding{Where: key, What: what, Remedy: remedy}, value))
	}
	if !purposeForm.MatchString(f.Purpose) {
		add("purpose", "", "purpose has other characters than letters, digits, blanks and ._:/#-, or more than 64", "shorten it to such")
	}
	for _, span := range [][2]string{{"timeout", f.Timeout}, {"queue", f.Queue}} {
		if d, err := time.ParseDuration(span[1]); span[1] != "" && (err != nil || d < time.Second || d > 10*time.Minute) {
			add(span[0], "", fmt.Sprintf("%s is %q", span[0], span[1]), `write a time from "1s" to "10m"`)
		}
	}
	if len(f.Matrices) == 0 {
		add("", "", "there is no [[matrix]]", asSuitesShow)
	}
	scenarios := make([]string, len(contract.LoginScenarios))
	for i, s := range contract.LoginScenarios {
		scenarios[i] = string(s)
	}
	sum := 0
	for i, m := range f.Matrices {
		each := func(name, noun string, values []string, good func(string) bool, remedy string) {
			for j, v := range values {
				switch {
				case !good(v):
					add(member("matrix", i, name), v, fmt.Sprintf("%q is no %s", v, noun), remedy)
				case slices.Contains(values[:j], v):
					add(member("matrix", i, name), v, fmt.Sprintf("%q is there twice", v), "take one of them out: each run would be made twice")
				}
			}
		}
		each("users", "UUID", m.Users, uuidForm.MatchString, "write a UUID of 12 digits")
		each("authenticators", "authenticator", m.Authenticators, authenticatorForm.MatchString, "write smartcard, security-key, or the id of an authenticator, as `authbridge authenticators` shows it")
		each("acr", "acr_values", m.ACR, func(v string) bool { return strings.TrimSpace(v) != "" && len(v) <= 128 }, "write acr_values, for example AAL3_ANY")
		each("scenarios", "scenario", m.Scenarios, func(v string) bool { return slices.Contains(scenarios, v) }, "choose from "+strings.Join(scenarios, ", "))
		if m.Origin != "" && m.Origin != string(contract.Physical) && m.Origin != string(contract.Virtual) {
			add(member("matrix", i, "origin"), m.Origin, fmt.Sprintf("origin is %q", m.Origin), "choose one of physical, virtual")
		}
		before := sum
		if sum = min(sum+m.size(), mostSuite+1); before <= mostSuite && sum > mostSuite {
			add(member("matrix", i, ""), "", fmt.Sprintf("there are more than %d runs", mostSuite), "make several files of it")
		}
	}
	return bad
}

func (m *matrix) size() int {
	n := 1
	for _, list := range [][]string{m.Users, m.Authenticators, m.ACR, m.Scenarios} {
		n = min(n*max(len(list), 1), mostSuite+1)
	}
	return n
}

// at puts a finding where its key is, or a value of it.
func (f *suiteFile) at(found Finding, value string) Finding {
	found.Line, found.Column = placeOfValue(f.text, found.Where, value)
	found.Where = f.path
	return found
}

// placeOfValue finds a value behind its key, or the key.
func placeOfValue(text []byte, key, value string) (line, column int) {
	line, column = placeOf(text, key)
	if value == "" || line == 0 {
		return line, column
	}
	for i, l := range strings.Split(string(text), "\n")[line-1:] {
		if i > 0 && strings.HasPrefix(strings.TrimSpace(l), "[[") {
			break
		}
		for _, quote := range []string{`"`, `'`} {
			if at := strings.Index(l, quote+value+quote); at >= 0 {
				return line + i, at + 1
			}
		}
	}
	return line, column
}

// runs are all runs of the file in its order, each with all that it asks for.
func (f *suiteFile) runs(suite string) []plannedRun {
	var all []plannedRun
	for i, m := range f.Matrices {
		for _, user := range orAny(m.Users) {
			for _, authenticator := range orAny(m.Authenticators) {
				for _, acr := range orAny(m.ACR) {
					for _, scenario := range orAny(m.Scenarios) {
						r := contract.LoginRequest{
							Target: f.Target, User: user, ACR: acr, Scenario: contract.LoginScenario(scenario), Origin: contract.Origin(m.Origin),
							Purpose: f.Purpose, Timeout: f.Timeout, Queue: cmp.Or(f.Queue, suiteQueue), Suite: suite,
						}
						switch kind := contract.Kind(authenticator); kind {
						case contract.Smartcard, contract.SecurityKey, contract.Platform, contract.TOTP:
							r.Kind = kind // whether it can be driven is the daemon's to say
						default:
							r.Authenticator = authenticator
						}
						all = append(all, plannedRun{i, r})
					}
				}
			}
		}
	}
	return all
}

func orAny(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}

// fault is what the daemon has against a run, where the file says it.
func (f *suiteFile) fault(of plannedRun, p *contract.Problem) error {
	field := ""
	if len(p.Fields) > 0 {
		field = strings.TrimPrefix(p.Fields[0].Location, "body.")
	}
	r := of.request
	keys := map[string][2]string{ // and the value that is meant
		"acr": {"acr", r.ACR}, "scenario": {"scenarios", string(r.Scenario)}, "user": {"users", r.User}, "kind": {"authenticators", string(r.Kind)},
		"authenticator": {"authenticators", r.Authenticator}, "origin": {"origin", ""},
	}
	where, value := field, ""
	if key, is := keys[field]; is {
		where, value = member("matrix", of.matrix, key[0]), key[1]
	}
	found := f.at(Finding{Where: where, What: p.Code + ": " + p.Error(), Remedy: p.Remedy}, value)
	return &exit{exitUsage, &ConfigError{[]Finding{found}}}
}
