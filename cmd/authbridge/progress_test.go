package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"authbridge/agent/contract"
)

func failedLogin() contract.Login {
	return contract.Login{
		ID: "login-0123456789abcdef", State: contract.LoginFailed, Scenario: contract.ScenarioSignIn, ACR: "AAL3_ANY", User: "656005750105", Name: "virtual card 1234",
		Problem: &contract.Problem{Code: "TOK_AAL", Title: "Authentication level of the login", Detail: "authentication-level: 2", Remedy: "Ask for the level in acr_values."},
	}
}

// TestOneLineTellsHowFarItIs: it is written over itself and never reaches the
// edge, where a terminal would break it.
func TestOneLineTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 80} {
		var out bytes.Buffer
		now := time.Unix(0, 0)
		p := newProgress(&screen{w: &out, width: width, cuts: true}, 1000, func() time.Time { return now })
		for n := range 1000 {
			p.begun()
			now = now.Add(time.Second)
			l := contract.Login{State: contract.LoginPassed}
			if n == 499 {
				l = failedLogin()
			}
			p.over(l)
		}
		p.end()
		text := out.String()
		for _, line := range regexp.MustCompile("[\r\n]").Split(text, -1) {
			if line = strings.ReplaceAll(line, "\x1b[K", ""); utf8.RuneCountInString(line) > width {
				t.Errorf("%d columns: %q", width, line)
			}
		}
		for _, want := range []string{"499 of 1000 done", ", about 17 min left", "done, 1 failed", "\r\x1b[K✗ failed  sign-in AAL3_ANY virtual card 1234", "    TOK_AAL: ", "    → Ask for the level", "✗ 999 logins passed, 1 did not (16m40s)"} {
			if width == 80 && !strings.Contains(text, want) {
				t.Errorf("it does not say %q:\n%q", want, text[max(0, len(text)-2000):])
			}
		}
		if strings.Contains(text, "656005750105") {
			t.Error("it says whose it is")
		}
		if lines := strings.Count(text, "\n"); width == 80 && lines != 4 {
			t.Errorf("%d lines stay on the terminal", lines)
		}
	}
}

// TestAScriptReadsLines: one at each tenth of the way, and nothing that a
// terminal would obey.
func TestAScriptReadsLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(newScreen(&out), 50, time.Now)
	for range 50 {
		p.begun()
		p.over(contract.Login{State: contract.LoginPassed})
	}
	p.end()
	if text := out.String(); strings.ContainsAny(text, "\r\x1b") || strings.Count(text, "\n") != 10 || !strings.Contains(text, "\n  10 of 50 done\n") || !strings.Contains(text, "✓ 50 logins passed") {
		t.Errorf("%q", text)
	}
}
