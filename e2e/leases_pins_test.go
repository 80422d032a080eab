//go:build linux && cgo

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// Fifty ceremonies with the same wrong PIN, begun at once by five programs that
// take their leases in turn, on a card and on a key; then the daemon is killed,
// and the same fifty come again. By their own counters it is one try each.
func TestAWrongPINCostsOneTryWhoeverSendsIt(t *testing.T) {
	for _, programs := range []int{1, 5} {
		t.Run(fmt.Sprint(programs, " programs"), func(t *testing.T) {
			p, l := programLends(t)
			f := &fifty{lender: l, t: t}
			for n := range programs {
				f.programs = append(f.programs, l.client(fmt.Sprint("program-", n)))
			}
			card, key := f.one(l, contract.Smartcard), f.one(l, contract.SecurityKey)
			file := keyFileOf(t, p, l, key)
			for round, refused := range []int{1, 0} {
				got := f.attack(card, key)
				for _, id := range []string{card, key} {
					if got[id][failure.PINRefused] != refused {
						t.Errorf("round %d: %s answered a PIN %d times, want %d: %v", round, id, got[id][failure.PINRefused], refused, got[id])
					}
				}
				record := l.cards[card].card
				if record.PINTries() != 1 || record.PINTriesLeft() != 2 {
					t.Errorf("round %d: the card counts %d tries, and %d are left", round, record.PINTries(), record.PINTriesLeft())
				}
				if left := triesIn(t, file); left != 7 {
					t.Errorf("round %d: the key has %d tries left", round, left)
				}
				t.Logf("round %d: the card's %v, the key's %v", round, got[card], got[key])
				p.kill()
				p.start()
				l.await("four authenticators", func(s *contract.Snapshot) bool { return len(l.ready(s)) == 4 })
			}
			// And it is told.
			for id, want := range map[string]int{card: 2, key: 7} {
				a, err := l.admin.Authenticator(t.Context(), id)
				must(t, err)
				if a.PIN.TriesLeft == nil || *a.PIN.TriesLeft != want {
					t.Errorf("of %s it is told %+v", id, a.PIN)
				}
			}
		})
	}
}

// fifty are ceremonies with the same wrong PIN.
type fifty struct {
	*lender
	t        *testing.T
	programs []*apiclient.Client
}

func (f *fifty) one(l *lender, kind contract.Kind) string {
	for _, id := range l.authenticators() {
		if (l.cards[id] != nil) == (kind == contract.Smartcard) {
			return id
		}
	}
	f.t.Fatalf("no %s", kind)
	return ""
}

// attack begins them all on each authenticator, and counts how they ended.
func (f *fifty) attack(authenticators ...string) map[string]map[failure.Code]int {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	var mu sync.Mutex
	got := make(map[string]map[failure.Code]int)
	var all sync.WaitGroup
	for _, id := range authenticators {
		got[id] = make(map[failure.Code]int)
		for _, program := range f.programs {
			all.Go(func() {
				held, err := program.TakeLease(ctx, contract.LeaseRequest{
					Requirement: contract.Requirement{Authenticator: id, Target: "mock"}, Wait: "1m",
				})
				if err != nil {
					f.t.Error(err)
					return
				}
				var ceremonies sync.WaitGroup
				for range 50 / len(f.programs) {
					ceremonies.Go(func() {
						code := f.send(ctx, program, held.Lease)
						mu.Lock()
						defer mu.Unlock()
						got[id][code]++
					})
				}
				ceremonies.Wait()
				_, err = program.ReleaseLease(ctx, held.ID)
				report(f.t, "the end of a lease", err)
			})
		}
	}
	all.Wait()
	for id, codes := range got {
		ended := 0
		for code, n := range codes {
			ended += n
			if !slices.Contains([]failure.Code{failure.PINRefused, failure.PINRefusedBefore, failure.PINSourceBlocked, failure.PINTooFewTries}, code) {
				f.t.Errorf("%d ceremonies on %s ended with %s", n, id, code)
			}
		}
		if ended != 50 {
			f.t.Errorf("%d ceremonies on %s", ended, id)
		}
	}
	return got
}

// send carries one ceremony out to its end: while another is under way on the
// authenticator it is refused, and comes again.
func (f *fifty) send(ctx context.Context, program *apiclient.Client, l contract.Lease) failure.Code {
	const wrong = "654321"
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		request := signature(l.ID, "9A", mark(l.Fence))
		if credential := f.keys[l.Authenticator]; credential != "" {
			request = assertion(l.ID, credential, "required")
		}
		done, err := program.Begin(ctx, withPIN(request, "", wrong))
		var problem *contract.Problem
		switch code := problemIn(done, err); {
		case err != nil && !errors.As(err, &problem):
			f.t.Error(err)
			return ""
		case code != failure.CeremonyBusy:
			return code
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return failure.CeremonyBusy
		}
	}
}

// keyFileOf is where the program keeps what a key of its own keeps without
// power.
func keyFileOf(t *testing.T, p *program, l *lender, id string) string {
	t.Helper()
	devices, err := l.admin.Virtual(t.Context())
	must(t, err)
	i := slices.IndexFunc(devices, func(d contract.VirtualDevice) bool { return d.Authenticator == id })
	if i < 0 {
		t.Fatalf("%s is none of %+v", id, devices)
	}
	return p.keyFile(devices[i].Name)
}

// triesIn is the counter of a key, as it keeps it without power.
func triesIn(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	var kept struct {
		Retries *int `json:"pin_retries"`
	}
	must(t, json.Unmarshal(text, &kept))
	if kept.Retries == nil {
		t.Fatalf("%s holds no counter", file)
	}
	return *kept.Retries
}

// After a lease in which the PIN was sent, another program that asks the card is
// told that it is not verified, whatever the card takes to close it; while the
// lease lasts, that it is.
func TestAnotherProgramFindsNoPINAfterALease(t *testing.T) {
	for name, c := range map[string]struct {
		faults []vcard.Fault
		older  bool
		reset  bool
	}{
		"a card of SP 800-73-4":             {},
		"an older one":                      {older: true},
		"one without P1 = FF":               {faults: []vcard.Fault{{Name: vcard.FaultNoLogout}}},
		"one that nothing but power closes": {faults: []vcard.Fault{{Name: vcard.FaultNoLogout}, {Name: vcard.FaultPINKept}}, reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := pcscd.Start(t, 2)
			t.Setenv("AUTHBRIDGE_LOG_LEVEL", "warn")
			ca, err := testCA()
			must(t, err)
			card, err := vcard.NewCard(vcard.Profile{User: firstCard, Surname: "Fotherington", Forename: "Araminta", Keys: vcard.ECCP256, Older: c.older}, ca)
			must(t, err)
			must(t, card.SetFaults(c.faults...))
			p := buildProgram(t)
			p.start()
			plug(t, d, 0, card)
			l := &lender{t: t, admin: p.client()}
			t.Cleanup(l.admin.Close)
			var id string
			l.await("the card", func(s *contract.Snapshot) bool {
				for _, a := range s.Authenticators {
					if a.User == firstCard && a.Condition == contract.Ready {
						id = a.ID
					}
				}
				return id != ""
			})
			for round, end := range []string{"released", "killed"} {
				held, err := l.admin.TakeLease(t.Context(), contract.LeaseRequest{Requirement: contract.Requirement{Authenticator: id, Target: "mock"}, Wait: "30s"})
				must(t, err)
				done, err := l.admin.Begin(t.Context(), withPIN(signature(held.ID, "9A", mark(held.Fence)), "", vcard.DefaultPIN))
				if err != nil || done.State != contract.CeremonyDone {
					t.Fatalf("%v, %+v", err, done.Problem)
				}
				if sw := emptyVerify(t, d.Reader(0)); sw != 0x9000 {
					t.Errorf("in the lease another program is told %04X", sw)
				}
				if end == "killed" { // and the lease goes on
					p.kill()
					p.start()
				}
				over, err := l.admin.ReleaseLease(t.Context(), held.ID)
				must(t, err)
				if sw := emptyVerify(t, d.Reader(0)); sw != 0x63C3 || card.Verified() {
					t.Errorf("%s: after the lease another program is told %04X; the card is open: %v", end, sw, card.Verified())
				}
				if reset := strings.Contains(strings.Join(over.Remarks, "\n"), "reset"); reset != c.reset || len(over.Remarks) > 1 {
					t.Errorf("%s: the remarks are %q", end, over.Remarks)
				}
				if n := card.PINTries(); n != uint64(round)+1 || card.PINTriesLeft() != 3 {
					t.Errorf("%d PINs were sent, and %d tries are left", n, card.PINTriesLeft())
				}
			}
			p.stop()
		})
	}
}

// emptyVerify asks a card whether its PIN is verified, as any other program can.
func emptyVerify(t *testing.T, reader string) uint16 {
	t.Helper()
	pc, err := pcsc.Native().Establish()
	must(t, err)
	defer func() { must(t, pc.Release()) }()
	h, err := pc.Connect(reader, pcsc.ShareShared, pcsc.ProtocolAny)
	must(t, err)
	defer func() { must(t, h.Disconnect(pcsc.LeaveCard)) }()
	must(t, h.BeginTransaction())
	defer func() { must(t, h.EndTransaction(pcsc.LeaveCard)) }()
	var sw uint16
	// Selecting PIV again does not clear the PIN (SP 800-73-4 part 2, 3.1.1).
	for _, command := range []string{"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x00", "\x00\x20\x00\x80"} {
		answer, err := h.Transmit([]byte(command))
		if err != nil || len(answer) < 2 {
			t.Fatalf("%d octets, %v", len(answer), err)
		}
		sw = uint16(answer[len(answer)-2])<<8 | uint16(answer[len(answer)-1])
	}
	return sw
}
