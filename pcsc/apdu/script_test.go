package apdu_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"testing"
)

// script is a card that expects commands in order, in hex.
type script struct {
	t     *testing.T
	lines []string // command, answer, command, answer...
	sent  int
}

func card(t *testing.T, lines ...string) *script {
	s := &script{t: t, lines: lines}
	t.Cleanup(func() {
		if len(s.lines) > 0 {
			t.Errorf("never sent: %s", s.lines[0])
		}
	})
	return s
}

func (s *script) Transmit(_ context.Context, command []byte) ([]byte, error) {
	s.sent++
	if len(s.lines) == 0 {
		s.t.Fatalf("unexpected % X", command)
	}
	want, answer := s.lines[0], s.lines[1]
	s.lines = s.lines[2:]
	if !bytes.Equal(command, octets(want)) {
		s.t.Fatalf("sent % X, want %s", command, want)
	}
	return octets(answer), nil
}

// octets reads hex; "AB*3" is AB AB AB.
func octets(text string) []byte {
	var out []byte
	for _, word := range strings.Fields(text) {
		word, times, repeated := strings.Cut(word, "*")
		b, err := hex.DecodeString(word)
		if err != nil {
			panic(err)
		}
		n := 1
		if repeated {
			n = 0
			for _, digit := range times {
				n = n*10 + int(digit-'0')
			}
		}
		out = append(out, bytes.Repeat(b, n)...)
	}
	return out
}
