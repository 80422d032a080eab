package inventory

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

const ada, ben = "555250000001", "555250000002"

// TestWhatLoginsShowIsKnownAtOnce: nobody asks for it again and again.
func TestWhatLoginsShowIsKnownAtOnce(t *testing.T) {
	proof := func(user string, outcome contract.ProofOutcome) contract.Proof {
		return contract.Proof{Authenticator: "card-1", Kind: contract.Smartcard, Target: "mock", User: user, Outcome: outcome}
	}
	logins := NewLogins(LoginsConfig{
		Users:  []LoginUser{{Name: "ada", User: health.User{UUID: map[string]string{"int": ada}, Authenticators: []string{"card-1"}}}},
		Proofs: []contract.Proof{proof(ada, contract.Proven)},
	})
	devices := newScripted("pcsc")
	inv, _ := start(t, Config{Sources: []Source{devices, logins}})
	devices.shows <- Observation{Cards: []health.Card{card("card-1", "", ada)}}
	until := func(want ...contract.Binding) {
		t.Helper()
		_, err := inv.Await(t.Context(), func(s *contract.Snapshot) bool {
			return len(s.Authenticators) == 1 && slices.Equal(s.Authenticators[0].Users, want)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	configured := contract.Binding{Target: "int", User: ada, By: contract.ByConfiguration}
	until(configured, contract.Binding{Target: "mock", User: ada, By: contract.ByLogin, Login: contract.Proven})
	logins.Learn(proof(ben, contract.Proven))
	logins.Learn(proof(ada, contract.Refused))
	until(configured, contract.Binding{Target: "mock", User: ada, By: contract.ByLogin, Login: contract.Refused},
		contract.Binding{Target: "mock", User: ben, By: contract.ByLogin, Login: contract.Proven})
	for _, identity := range []bool{false, true} {
		if text := string(inv.Encoded(identity)); strings.Contains(text, ben) != identity || !strings.Contains(text, "*********002") == !identity {
			t.Errorf("identity %v: %s", identity, text)
		}
	}
	d, err := subscribe(t, inv, contract.EventID{Epoch: inv.epoch}.String()).Next(t.Context())
	if err != nil || len(d.Events) == 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, e := range d.Events {
		if text := string(e.Encoded(Viewer{})); strings.Contains(text, ben) {
			t.Errorf("told to everybody: %s", text)
		}
	}
}

func TestAnAuthenticatorAppIsThereWhereItsSecretIs(t *testing.T) {
	synctest.Test(t, anAuthenticatorAppIsThere)
}

func anAuthenticatorAppIsThere(t *testing.T) {
	var mode atomic.Value
	mode.Store("")
	logins := NewLogins(LoginsConfig{
		Users: []LoginUser{
			{Name: "ada", User: health.User{UUID: map[string]string{"mock": ada, "int": ben}}, TOTPFile: "/home/ada/totp"},
			{Name: "ben", User: health.User{UUID: map[string]string{"mock": ben}}},
		},
		Look: func(file string) error {
			if why := mode.Load().(string); why != "" {
				return &fs.PathError{Op: "read", Path: file, Err: errors.New(why)}
			}
			return nil
		},
	})
	inv, stop := start(t, Config{Sources: []Source{logins}, Judge: health.Judge})
	defer stop()
	s, err := inv.Await(t.Context(), func(s *contract.Snapshot) bool { return len(s.Authenticators) == 1 })
	if err != nil {
		t.Fatal(err)
	}
	a := s.Authenticators[0]
	if a.Kind != contract.TOTP || a.Origin != contract.Virtual || a.Belongs(ada, "mock") != contract.Pass || a.Belongs(ben, "int") != contract.Pass ||
		len(a.Checks) != 1 || a.Checks[0].State != contract.Pass || strings.Contains(a.Name+a.ID, "ada") {
		t.Errorf("%+v", a)
	}
	mode.Store("its mode is 0644: chmod 600 it")
	if err := inv.Reread(a.ID); err != nil {
		t.Fatal(err)
	}
	s, err = inv.Await(t.Context(), func(s *contract.Snapshot) bool { return s.Authenticators[0].Checks[0].State == contract.Fail })
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(s)
	if !strings.Contains(string(text), "0644") || strings.Contains(string(text), "/home/ada") {
		t.Errorf("%s", text)
	}
	// Put right, it is so without anybody's asking.
	mode.Store("")
	if _, err = inv.Await(t.Context(), func(s *contract.Snapshot) bool { return s.Authenticators[0].Checks[0].State == contract.Pass }); err != nil {
		t.Fatal(err)
	}
	observed := inv.Stats().Observations
	<-time.After(time.Hour)
	if now := inv.Stats().Observations; now != observed {
		t.Errorf("%d observations while nothing was the matter", now-observed)
	}
	if err := inv.Reread("totp-000000000000"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}
