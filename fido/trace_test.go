package fido_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/fido"
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
