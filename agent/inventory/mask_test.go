package inventory

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// Rule 7: without the right identity nobody learns whose card it is, wherever
// the name and the number may have got to.
func TestWithoutTheRightIdentityNothingPersonalIsTold(t *testing.T) {
	const user, holder = "555200123456", "Fotherington_Araminta"
	secrets := []string{user, user[:9], "Fotherington", "Araminta"}
	judge := func(health.Facts, time.Time) health.Report {
		careless := []contract.Check{{Code: "CERT_UUID", State: contract.Fail, Evidence: "card of " + user + "_" + holder}}
		return health.Report{
			Machine:        careless,
			Readers:        map[string][]contract.Check{"reader-A": careless},
			Authenticators: map[string][]contract.Check{"card-1": careless},
		}
	}
	source := newScripted("pcsc")
	dir := t.TempDir()
	journal := openStore(t, dir)
	defer journal.Close()
	inv, _ := start(t, Config{Sources: []Source{source}, Judge: judge, Journal: journal})
	sub := subscribe(t, inv, inv.Snapshot().ID)
	r, c := reader("A", contract.Ready), card("card-1", holder, user)
	r.Detail, c.Detail = "holds "+holder, "for Araminta"
	source.shows <- Observation{Readers: []contract.Reader{r}, Cards: []health.Card{c}}
	source.shows <- Observation{}
	var texts, plain []string
	const events = 5 // source up, reader added, card changed; reader removed, card gone
	for n := 0; n < events; {
		d, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range d.Events {
			n++
			texts = append(texts, string(e.Encoded(Viewer{})))
			plain = append(plain, string(e.Encoded(Viewer{Identity: true})))
		}
	}
	stored, _, err := journal.EventsAfter(t.Context(), contract.EventID{Epoch: inv.epoch}, 100)
	if err != nil || len(stored) < events {
		t.Fatal(len(stored), err)
	}
	onDisk, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, string(onDisk))
	v := newView(contract.EventID{}, compose(contract.EventID{}, "", health.Facts{Readers: []contract.Reader{r}, Cards: []health.Card{c}}, judge(health.Facts{}, time.Time{}), nil, time.Time{}), health.Facts{Cards: []health.Card{c}}, nil)
	texts = append(texts, string(v.Encoded(false)))
	masked, ok := v.Certificates("card-1", false)
	if !ok || len(masked) != 1 || masked[0].SHA256 == "" || masked[0].DER != nil {
		t.Fatalf("certificates %+v %v", masked, ok)
	}
	text, err := json.Marshal(masked)
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, string(text))

	for _, text := range texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%q is told: %s", secret, text)
			}
		}
	}
	if !strings.Contains(v.masked().Authenticators[0].User, "456") {
		t.Errorf("the masked user is %q", v.masked().Authenticators[0].User)
	}
	for _, identity := range []bool{false, true} {
		once, twice := v.Encoded(identity), v.Encoded(identity)
		if &once[0] != &twice[0] {
			t.Error("one snapshot is encoded twice")
		}
	}
	whole := strings.Join(plain, "") + string(v.Encoded(true))
	if !strings.Contains(whole, user) || !strings.Contains(whole, holder) {
		t.Error("with the right identity it is not told either")
	}
}
