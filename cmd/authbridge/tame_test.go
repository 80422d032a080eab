package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
)

// TestNoNameOfADeviceCommandsTheTerminal: a card, key or reader may be called
// anything.
func TestNoNameOfADeviceCommandsTheTerminal(t *testing.T) {
	t.Parallel()
	const hostile = "Mal\x1b]0;title\x07lory \x1b[2J\x1b[8m\u202e\x9b31m\xff\r\x08"
	a := contract.Authenticator{ID: "card-1", Name: hostile, Kind: contract.Smartcard, Product: hostile, Holder: hostile, Detail: hostile}
	snapshot := contract.Snapshot{
		Readers:        []contract.Reader{{ID: "reader-1", Name: hostile, Detail: hostile, Condition: contract.Mute, Code: "CARD_MUTE"}},
		Authenticators: []contract.Authenticator{a},
	}
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		s := newScreen(&out)
		s.colour = colour
		s.showStatus(snapshot, time.Now())
		s.showAuthenticator(a, time.Now())
		s.showCertificates([]contract.Certificate{{Subject: hostile, Issuer: hostile}})
		s.showEvent(contract.Event{Text: hostile})
		text := out.String()
		for _, colour := range []string{red, green, yellow, faint, bold, "0"} {
			text = strings.ReplaceAll(text, "\x1b["+colour+"m", "")
		}
		if strings.ContainsAny(text, "\x1b\x07\u009b\u202e\r\x08\ufffd") {
			t.Errorf("the terminal is told %q", text)
		}
		if !strings.Contains(text, "lory") {
			t.Error("the name is not shown: the test proves nothing")
		}
		if colour && !strings.Contains(out.String(), "\x1b[") {
			t.Error("our own colours are gone")
		}
	}
}
