package inventory

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/health"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
)

// What a person is asked, and what came of it, is the owner's alone; the user
// that a lease asks for is for those with the right identity: in the stream, in
// the journal, in the log.
func TestWhoSeesWhatOfACeremonyAndALease(t *testing.T) {
	const user = "555200123456"
	owner := contract.Owner{TokenID: "1", Name: "token ci", Lease: "lease-7"}
	ceremony := contract.Ceremony{
		ID: "ceremony-1", Lease: "lease-7", Authenticator: "key-4f2a", Name: "key 4f2a", Type: contract.CeremonyCreate,
		State: contract.CeremonyTouch, Steps: []contract.CeremonyStep{{State: contract.CeremonyTouch}},
		Prompt:  &contract.Prompt{Kind: "touch", Text: "Touch what blinks, for " + user},
		Problem: &contract.Problem{Title: "Nobody touched it", Detail: "of " + user},
		Result:  &contract.CeremonyResult{Signature: []byte("resultresult")},
	}
	over := ceremony
	over.State = contract.CeremonyTimedOut
	queued := contract.Lease{
		ID: "lease-7", State: contract.LeaseQueued, Holder: "token ci", Waiting: "for the card of " + user,
		Requirement: contract.Requirement{Target: "mock", User: user}, Remarks: []string{"none of " + user},
	}
	events := []contract.Event{
		{Type: contract.CeremonyChanged, Subject: ceremony.ID, Text: "Touch what blinks now", Ceremony: &ceremony, Owner: &owner},
		{Type: contract.CeremonyChanged, Subject: ceremony.ID, Ceremony: &over, Owner: &owner},
		{Type: contract.CeremonyChanged, Subject: ceremony.ID, Text: "Touch what blinks now", Ceremony: &ceremony}, // nobody's
		{Type: contract.LeaseChanged, Subject: queued.ID, Text: "token ci waits for " + user, Lease: &queued, Owner: &owner},
	}
	const asked, personal = "Touch what blinks", user
	problem, result := "Nobody touched", "cmVzdWx0cmVzdWx0" // base64

	dir, log := t.TempDir(), logrus.New()
	hook := logtest.NewLocal(log)
	log.SetOutput(t.Output())
	journal := openStore(t, dir)
	defer journal.Close()
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}, Journal: journal, Log: log})
	// A card of that user is there, so that it is known what texts must not hold.
	source.shows <- Observation{Cards: []health.Card{card("card-1", "Fotherington", user)}}
	awaitSeq(t, inv, 2)
	after := inv.Snapshot().ID
	inv.ShowLeases([]contract.Lease{queued}, events...)
	sub := subscribe(t, inv, after)
	entries := entriesOf(t, sub, len(events))
	whole, masked := string(inv.Encoded(true)), string(inv.Encoded(false))
	if !strings.Contains(whole, user) || strings.Contains(masked, user) || !strings.Contains(masked, `"user":"*********456"`) {
		t.Errorf("the lease is shown as\n%s\n%s", whole, masked)
	}

	const inUse, noLonger = "key 4f2a is in use (create)", "key 4f2a is no longer in use (create: timed_out)"
	for _, viewer := range []struct {
		Viewer
		owns bool
	}{
		{Viewer{}, false},
		{Viewer{Identity: true}, false},
		{Viewer{Owner: contract.Owner{TokenID: "2", Name: "token ci"}}, false},
		{Viewer{Owner: contract.Owner{TokenID: "1"}}, true},
		{Viewer{Identity: true, Owner: contract.Owner{Lease: "lease-7"}}, true},
	} {
		for n, e := range entries {
			text := string(e.Encoded(viewer.Viewer))
			var decoded contract.Event
			must(t, json.Unmarshal([]byte(text), &decoded))
			event := e.Event(viewer.Viewer)
			if same := string(encode(&event)); same != text {
				t.Errorf("to %+v the event is\n%s\nencoded\n%s", viewer, same, text)
			}
			if strings.Contains(text, result) || strings.Contains(text, `"result"`) {
				t.Errorf("%+v is told the result: %s", viewer, text)
			}
			if strings.Contains(text, personal) && !viewer.Identity {
				t.Errorf("%+v is told the user: %s", viewer, text)
			}
			owns := viewer.owns && e.owner != nil
			if n < 3 && (strings.Contains(text, asked) != owns || strings.Contains(text, problem) != owns) {
				t.Errorf("%+v is told of event %d: %s", viewer, n, text)
			}
			want := [...]string{inUse, noLonger, inUse, ""}[n]
			if n == 0 && owns {
				want = "Touch what blinks now"
			}
			if want != "" && decoded.Text != want {
				t.Errorf("%+v reads %q, want %q", viewer, decoded.Text, want)
			}
			if n == 3 && strings.Contains(text, personal) != viewer.Identity {
				t.Errorf("%+v is told of the lease: %s", viewer, text)
			}
			if once, twice := e.Encoded(viewer.Viewer), e.Encoded(viewer.Viewer); &once[0] != &twice[0] {
				t.Error("one event is encoded twice")
			}
		}
	}
	if entries[3].public != entries[3].whole {
		t.Error("what is nobody's alone is kept twice")
	}

	// After a restart, and in the log, it is nobody's any more.
	stop()
	for _, line := range hook.AllEntries() {
		if strings.Contains(line.Message, asked) || strings.Contains(line.Message, personal) {
			t.Errorf("the log says %s", line.Message)
		}
	}
	again, stop := start(t, Config{Journal: journal})
	defer stop()
	replayed := entriesOf(t, subscribe(t, again, after), len(events))
	for n, e := range replayed {
		text := string(e.Encoded(Viewer{Identity: true, Owner: owner}))
		for _, secret := range []string{asked, problem, personal, result} {
			if strings.Contains(text, secret) {
				t.Errorf("the journal tells %q: %s", secret, text)
			}
		}
		if want, got := entries[n].kept(), e.Event(Viewer{}); got.Text != want.Text || got.ID != want.ID {
			t.Errorf("the journal says %q, the stream said %q", got.Text, want.Text)
		}
	}
}

// entriesOf collects the entries of a subscription until it has n.
func entriesOf(t *testing.T, sub *Subscription, n int) []*Entry {
	t.Helper()
	var entries []*Entry
	for len(entries) < n {
		d, err := sub.Next(t.Context())
		must(t, err)
		entries = append(entries, d.Events...)
	}
	return entries
}

// What a login run did is told to who asked for it; others are told that it is,
// and the journal keeps no more.
func TestALoginRunIsToldToWhoAskedForIt(t *testing.T) {
	owner := contract.Owner{TokenID: "1", Name: "token ci"}
	l := contract.Login{
		ID: "login-1", State: contract.LoginFailed, ClientID: "somebodys.apps", Summary: "secret summary",
		Steps: []contract.LoginStep{{Name: "roles", Got: "secret got"}}, Problem: &contract.Problem{Title: "secret title"},
	}
	e := newEntry(contract.EventID{Epoch: 1, Seq: 1}, contract.Event{Type: contract.LoginChanged, Subject: l.ID, Text: "secret text", Login: &l, Owner: &owner}, nil)
	kept := e.kept()
	for who, text := range map[string]string{
		"others": string(e.Encoded(Viewer{Identity: true, Owner: contract.Owner{TokenID: "2"}})), "the journal": string(encode(&kept)),
	} {
		if strings.Contains(text, "secret") || strings.Contains(text, "somebodys") || !strings.Contains(text, "login-1 is failed") {
			t.Errorf("%s see %s", who, text)
		}
	}
	if text := string(e.Encoded(Viewer{Owner: owner})); !strings.Contains(text, "secret got") || !strings.Contains(text, "secret text") {
		t.Errorf("the owner sees %s", text)
	}
}

// TestTheLogTellsOnceOfEachStateOfALoginRun: a step of it is told to its owner, and
// says nothing new to the log.
func TestTheLogTellsOnceOfEachStateOfALoginRun(t *testing.T) {
	log := logrus.New()
	hook := logtest.NewLocal(log)
	log.SetOutput(t.Output())
	inv, stop := start(t, Config{Log: log})
	owner := contract.Owner{TokenID: "1"}
	var events []contract.Event
	for _, state := range []contract.LoginState{contract.LoginQueued, contract.LoginQueued, contract.LoginRunning, contract.LoginRunning, contract.LoginRunning, contract.LoginPassed} {
		for _, id := range []string{"login-1", "login-2"} {
			events = append(events, contract.Event{Type: contract.LoginChanged, Subject: id, Text: "a step", Login: &contract.Login{ID: id, State: state}, Owner: &owner})
		}
	}
	inv.Tell(events...)
	stop()
	var said []string
	for _, e := range hook.AllEntries() {
		if e.Data["type"] == string(contract.LoginChanged) {
			said = append(said, e.Message)
		}
	}
	want := []string{
		"login-1 is queued", "login-2 is queued", "login-1 is running", "login-2 is running", "login-1 is passed", "login-2 is passed",
	}
	if !slices.Equal(said, want) {
		t.Errorf("it says %q", said)
	}
	if n := len(inv.output.logins); n > 0 {
		t.Errorf("%d runs that are over are remembered", n)
	}
}
