package inventory

import (
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// TestAWordAloneMakesNothingPhysical (DESIGN rule 4): only what the daemon itself
// has seen does, and what it has not seen is virtual.
func TestAWordAloneMakesNothingPhysical(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	word := health.Session{Who: "user S-1-5-21-1-2-3-1001", Since: at, At: at.Add(time.Minute), API: 4, Available: true}
	remote, unset, old := word, word, word
	remote.Remote, unset.Available, old.API = true, false, 0
	chip := func(c health.Chip) health.Seen[health.Chip] { return health.Seen[health.Chip]{Is: c} }
	for name, tt := range map[string]struct {
		chip health.Seen[health.Chip]
		word health.Session
		want contract.Origin // empty: none is there
	}{
		"a TPM that the daemon has seen": {chip(health.Chip{Version: 2}), word, contract.Physical},
		"a TPM in software":              {chip(health.Chip{Version: 2, Emulated: true}), word, contract.Virtual},
		"an old TPM":                     {chip(health.Chip{Version: 1}), word, contract.Virtual},
		"no TPM":                         {chip(health.Chip{}), word, contract.Virtual},
		"a TPM that nobody has seen":     {health.Seen[health.Chip]{Is: health.Chip{Version: 2}, Unknown: "access is denied"}, word, contract.Virtual},
		"over remote desktop":            {chip(health.Chip{Version: 2}), remote, contract.Virtual},
		"not set up":                     {chip(health.Chip{Version: 2}), unset, ""},
		"without webauthn.dll":           {chip(health.Chip{Version: 2}), old, ""},
	} {
		all := platforms(&health.Workstation{At: at, Chip: tt.chip, Sessions: []health.Session{tt.word}})
		switch {
		case tt.want == "" && len(all) == 0:
		case len(all) != 1 || all[0].Origin != tt.want || all[0].Kind != contract.Platform:
			t.Errorf("%s: %+v, want %q", name, all, tt.want)
		case all[0].Detail != "by the word of "+word.Who || !all[0].ReadAt.Equal(word.At) || !all[0].ObservedAt.Equal(word.At):
			t.Errorf("%s: it does not say whose word it is, and of when: %+v", name, all[0])
		}
	}
	if all := platforms(nil); all != nil {
		t.Errorf("%+v", all)
	}
}

// TestEachUserHasAHelloOfTheirOwn, with an id that shows nobody.
func TestEachUserHasAHelloOfTheirOwn(t *testing.T) {
	t.Parallel()
	a, b := health.Session{Who: "user 1", API: 4, Available: true}, health.Session{Who: "user 2", API: 4, Available: true}
	both := platforms(&health.Workstation{Sessions: []health.Session{a, b}})
	again := platforms(&health.Workstation{Sessions: []health.Session{b, a}})
	if len(both) != 2 || both[0].ID == both[1].ID || both[0].ID != again[0].ID {
		t.Errorf("%+v, %+v", both, again)
	}
}
