package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
	"authbridge/agent/lease"
)

// lateLease is there when its taker has gone.
type lateLease struct {
	lendsNothing
	leave    func()
	released []string
}

func (l *lateLease) Take(context.Context, lease.Caller, contract.LeaseRequest, func(contract.Lease)) (contract.NewLease, error) {
	l.leave()
	return contract.NewLease{Lease: contract.Lease{ID: "l-1"}}, nil
}

func (l *lateLease) Release(ctx context.Context, by lease.Caller, id string) (contract.Lease, error) {
	if ctx.Err() == nil && by.TokenID == "t" {
		l.released = append(l.released, id)
	}
	return contract.Lease{}, nil
}

// TestALeaseThatComesTooLateIsGivenBack: its taker has gone.
func TestALeaseThatComesTooLateIsGivenBack(t *testing.T) {
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), callerKey{}, Caller{TokenID: "t", Rights: contract.Rights}))
	l := &lateLease{leave: cancel}
	s := &Server{config: Config{Tokens: allRights{}, Users: everybody{}, Leases: l}, holds: newHolds(1)}
	if out, err := s.takeLease(ctx, &takeLeaseInput{}); out != nil || err == nil {
		t.Errorf("%v, %v", out, err)
	}
	if !slices.Equal(l.released, []string{"l-1"}) {
		t.Errorf("released %q", l.released)
	}
	if n := s.holds.count(); n != 0 {
		t.Errorf("%d calls are still held", n)
	}
}

type playing = Ceremonies

type playsNothing struct{ playing }

type running = Logins

type runsNothing struct{ running }

type checking = RelyingParties

type checksNothing struct{ checking }

// everybody may everything.
type everybody struct{ Users }

func (everybody) Rights(User) []contract.Right { return contract.Rights }

type allRights struct{ TokenStore }

func (allRights) Token([]byte) (contract.Token, bool) {
	return contract.Token{ID: "t", Rights: contract.Rights}, true
}

func (allRights) Tokens() []contract.Token { return []contract.Token{{ID: "t"}} }

// TestTheBufferOfABodyIsWipedWithItsRequest, wherever that ends.
func TestTheBufferOfABodyIsWipedWithItsRequest(t *testing.T) {
	i, err := inventory.New(t.Context(), inventory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Inventory: i, Judge: func(contract.Question, *contract.Snapshot) contract.Verdict { return contract.Verdict{} },
		Tokens: allRights{}, Users: everybody{}, Leases: lendsNothing{}, Ceremonies: playsNothing{}, Logins: runsNothing{}, RelyingParties: checksNothing{}, Log: logrus.NewEntry(logrus.New()),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.config.Log.Logger.SetLevel(logrus.PanicLevel)
	for _, path := range []string{"/v1/nowhere", "/v1/leases", "/v1/ceremonies/x/pin"} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"canary":"canary"}`)).
			WithContext(context.WithValue(t.Context(), doorKey{}, &door{hosts: []string{"127.0.0.1:1"}}))
		r.Host = "127.0.0.1:1"
		r.Header.Set("Authorization", "Bearer x")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		body, ok := r.Body.(*sentBody)
		if !ok || len(body.text) == 0 {
			t.Fatalf("%s: %d %s: the body was not read", path, w.Code, w.Body)
		}
		if strings.Contains(string(body.text), "c") {
			t.Errorf("%s: left %q", path, body.text)
		}
	}
}
