package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
)

// programVersions is which program this is.
type programVersions struct {
	Version string    `json:"version"`
	Go      string    `json:"go"`
	OS      string    `json:"os"`
	Arch    string    `json:"arch"`
	Started time.Time `json:"started_at,omitzero"` // of a daemon
	Written time.Time `json:"written_at"`
}

func versions(started time.Time) programVersions {
	return programVersions{version, runtime.Version(), runtime.GOOS, runtime.GOARCH, started, time.Now()}
}

// shown are the settings for the eyes of others. Values of secrets are in none
// of their encodings; who somebody is, is hidden here, and in paths as they are
// written.
func (s settings) shown() settings {
	s.Users = slices.Clone(s.Users)
	for i, u := range s.Users {
		u.Name = fmt.Sprintf("user %d", i+1)
		uuids := make(map[string]string, len(u.UUID))
		for target, uuid := range u.UUID {
			uuids[target] = contract.MaskUser(uuid)
		}
		s.Users[i].Name, s.Users[i].UUID = u.Name, uuids
	}
	return s
}

// configFinding is what is wrong with a configuration, without what is written
// there: somebody may have put a secret in a wrong place.
type configFinding struct {
	Where  string `json:"where"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

func configFindings(err error) []configFinding {
	var bad *ConfigError
	if !errors.As(err, &bad) {
		return []configFinding{{What: withoutValues(err.Error())}}
	}
	all := make([]configFinding, len(bad.Findings))
	for i, f := range bad.Findings {
		all[i] = configFinding{f.Where, f.Line, f.Column, withoutValues(f.What), f.Remedy}
	}
	return all
}

// withoutValues is a finding up to the value that it repeats.
func withoutValues(what string) string {
	at := strings.IndexAny(what, "\"'[0123456789")
	for _, verb := range [...]string{" is ", " has ", ": "} {
		if v := strings.Index(what, verb); at >= 0 && v >= 0 && v < at {
			at = v
		}
	}
	if at < 0 {
		return what
	}
	return strings.TrimSpace(what[:at]) + " ***"
}
