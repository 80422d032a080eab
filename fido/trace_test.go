package fido_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

// paper is a link that takes what is written and answers one report.
type paper struct{ answer [fido.ReportSize]byte }

func (p *paper) Watch(context.Context, func(fido.Change)) error     { return nil }
func (p *paper) Open(context.Context, fido.Node) (fido.Link, error) { return p, nil }
func (p *paper) ReadReport(b []byte, _ time.Time) error             { copy(b, p.answer[:]); return nil }
func (p *paper) WriteReport([]byte) error                           { return nil }
func (p *paper) Close() error                                       { return nil }

func TestATraceShowsCommandsAndNeverBodies(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var lines []string
	bus := fido.Traced(&paper{answer: [64]byte{1, 2, 3, 4, 0x90, 0, 1, 0x31}}, func(_ fido.Node, l string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, l)
	})
	link, err := bus.Open(t.Context(), fido.Node{})
	if err != nil {
		t.Fatal(err)
	}
	clientPIN := make([]byte, fido.ReportSize)
	copy(clientPIN, "\x01\x02\x03\x04\x90\x00\x40\x06CANARY-PIN")
	continuation := make([]byte, fido.ReportSize)
	copy(continuation, "\x01\x02\x03\x04\x00CANARY-PIN")
	for _, report := range [][]byte{clientPIN, continuation} {
		if err := link.WriteReport(report); err != nil {
			t.Fatal(err)
		}
	}
	if err := link.ReadReport(make([]byte, fido.ReportSize), time.Time{}); err != nil {
		t.Fatal(err)
	}
	want := "to 01020304 CTAPHID_CBOR, 64 octets, 06\nfrom 01020304 CTAPHID_CBOR, 1 octets, 31"
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A whole ceremony with a PIN: of each message there are the command, its
// length and one octet, and the PIN's hash, the token and what it signed were
// in none of these, encrypted or not.
func TestATraceOfACeremonyHoldsNoSecret(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var lines []string
	var bodies [][]byte // of clientPIN, both ways, and of what a token vouched for
	spy := &doctored{
		Bus: busOf(t, newKey(t, vkey.Config{PIN: []byte("1234")})),
		sent: func(_ byte, m []byte) {
			mu.Lock()
			defer mu.Unlock()
			bodies = append(bodies, m)
		},
		change: func(_ byte, m []byte) []byte {
			mu.Lock()
			defer mu.Unlock()
			bodies = append(bodies, append([]byte{}, m...))
			return m
		},
	}
	k := openKey(t, fido.Traced(spy, func(_ fido.Node, l string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, l)
	}))
	request := creation("alice")
	request.ResidentKey = true
	create(t, k, request, token(t, k, fido.PermitMakeCredential))
	if _, err := k.Assert(t.Context(), fido.GetAssertion{ClientDataHash: hash, RPID: rp}, token(t, k, fido.PermitGetAssertion), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := k.PINToken(t.Context(), []byte("0000"), fido.PermitGetAssertion, rp); err == nil {
		t.Fatal("the wrong PIN was right")
	}
	mu.Lock()
	defer mu.Unlock()
	shape := regexp.MustCompile(`^(to|from) [0-9a-f]{8} (CTAPHID_INIT, (8|17) octets|CTAPHID_CBOR, [0-9]+ octets, (01|02|04|06|00|31))$`)
	for _, l := range lines {
		if !shape.MatchString(l) {
			t.Errorf("%q", l)
		}
	}
	all := strings.Join(lines, "\n")
	for _, b := range bodies {
		for i := 1; i+4 <= len(b); i++ {
			if hex := fmt.Sprintf("%x", b[i:i+4]); strings.Contains(all, hex) && hex != "00000001" {
				t.Errorf("%s of a body of %d octets is in the trace", hex, len(b))
			}
		}
	}
	if len(bodies) < 14 || len(lines) < len(bodies) {
		t.Errorf("%d bodies, %d lines", len(bodies), len(lines))
	}
}
