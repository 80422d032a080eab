package lease

import (
	"testing"
	"time"

	"authbridge/agent/assurance"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func judged(q contract.Question, s *contract.Snapshot) contract.Verdict { return assurance.Judge(s, q) }

func lookAt(want contract.Requirement, here ...contract.Authenticator) survey {
	return look(&contract.Snapshot{Authenticators: here}, judged, want)
}

func TestWhichAuthenticator(t *testing.T) {
	const alice, bob = "555000000001", "555000000002"
	mock := contract.Requirement{AAL: 3, Target: "mock", Origin: contract.Virtual}
	change := func(f func(*contract.Requirement)) contract.Requirement {
		r := mock
		f(&r)
		return r
	}
	unproven := virtualKey(1)
	unproven.Checks = unproven.Checks[:3] // nobody made the last
	foreign := virtualKey(3)
	foreign.Kind = contract.Platform
	strange := virtualKey(5)
	strange.Origin = ""
	for _, test := range []struct {
		name   string
		here   []contract.Authenticator
		want   contract.Requirement
		taken  string
		memory map[string]past
		choice string
	}{
		{"the first of equals", []contract.Authenticator{virtualKey(2), virtualKey(1)}, mock, "", nil, "key-1"},
		{"one that is free", []contract.Authenticator{virtualKey(1), virtualKey(2)}, mock, "key-1", nil, "key-2"},
		{"none", []contract.Authenticator{virtualKey(1)}, mock, "key-1", nil, ""},
		{"the least recently used", []contract.Authenticator{virtualKey(1), virtualKey(2)}, mock, "", map[string]past{"key-1": {used: 7}, "key-2": {used: 3}}, "key-2"},
		{"one never used", []contract.Authenticator{virtualKey(1), virtualKey(2)}, mock, "", map[string]past{"key-1": {used: 1}}, "key-2"},
		{"not the one that failed lately", []contract.Authenticator{virtualKey(1), virtualKey(2)}, mock, "", map[string]past{"key-1": {used: 1, failed: noon.Add(-time.Minute)}, "key-2": {used: 9}}, "key-2"},
		{"the one that failed long ago", []contract.Authenticator{virtualKey(1), virtualKey(2)}, mock, "", map[string]past{"key-1": {used: 1, failed: noon.Add(-failedLately)}, "key-2": {used: 9}}, "key-1"},
		{"the one that failed, if it is the only one", []contract.Authenticator{virtualKey(1)}, mock, "", map[string]past{"key-1": {failed: noon}}, "key-1"},
		{"one that is proven", []contract.Authenticator{unproven, virtualKey(2)}, mock, "", map[string]past{"key-2": {used: 9, failed: noon}}, "key-2"},
		{"one that is not proven", []contract.Authenticator{unproven}, mock, "", nil, "key-1"},
		{"none that is not ready", []contract.Authenticator{but(virtualKey(1), failure.KeyPINSet, "none")}, mock, "", nil, ""},
		{"a virtual one for the mock", []contract.Authenticator{physicalKey(1), virtualKey(2)}, mock, "", map[string]past{"key-2": {used: 9, failed: noon}}, "key-2"},
		{"no physical one for the mock", []contract.Authenticator{physicalKey(1)}, mock, "", nil, ""},
		{"a physical one when asked for", []contract.Authenticator{virtualKey(2), physicalKey(1)}, change(func(r *contract.Requirement) { r.Origin = contract.Physical }), "", nil, "key-1"},
		{"one of no known origin is virtual", []contract.Authenticator{strange}, change(func(r *contract.Requirement) { r.Origin = contract.Physical }), "", nil, ""},
		{"the kind asked for", []contract.Authenticator{virtualKey(1), card(2, alice)}, change(func(r *contract.Requirement) { r.Kind = contract.Smartcard }), "", nil, "card-2"},
		{"the transport asked for", []contract.Authenticator{virtualKey(1), card(2, alice)}, change(func(r *contract.Requirement) { r.Transport = "pcsc" }), "", nil, "card-2"},
		{"the user asked for", []contract.Authenticator{card(1, alice), card(2, bob)}, change(func(r *contract.Requirement) { r.User = bob }), "", nil, "card-2"},
		{"the user's card before a key of nobody's", []contract.Authenticator{virtualKey(1), card(2, bob)}, change(func(r *contract.Requirement) { r.User = bob }), "", map[string]past{"card-2": {used: 9}}, "card-2"},
		{"the id asked for", []contract.Authenticator{virtualKey(1), virtualKey(2)}, change(func(r *contract.Requirement) { r.Authenticator, r.AAL = "key-2", 0 }), "", nil, "key-2"},
		{"not the id of another kind", []contract.Authenticator{virtualKey(1)}, change(func(r *contract.Requirement) { r.Authenticator, r.Kind = "key-1", contract.Smartcard }), "", nil, ""},
		{"nothing that cannot be lent", []contract.Authenticator{foreign}, mock, "", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := lookAt(test.want, test.here...)
			got, ok := choose(s.fits, func(a *contract.Authenticator) bool { return a.ID != test.taken }, test.memory, noon)
			if ok != (test.choice != "") || ok && got.ID != test.choice {
				t.Errorf("chose %+v, want %q; of %+v", got, test.choice, s.fits)
			}
		})
	}
}

func TestTheNearestMissIsTheOneWithTheLeastAmiss(t *testing.T) {
	locked := but(virtualKey(9), failure.KeyPINRetries, "0 of 8 tries are left")
	want := contract.Requirement{AAL: 3, Target: "mock", Origin: contract.Virtual, Kind: contract.SecurityKey, Transport: "hid"}
	overPCSC := virtualKey(4)
	overPCSC.Transport = "pcsc"
	all := []contract.Authenticator{card(1, ""), physicalKey(2), overPCSC, locked}
	for _, says := range []string{
		"key 9 comes nearest: PIN tries left on the security key: 0 of 8 tries are left",
		"key 4 comes nearest: it is reached by pcsc",
		"key 2 comes nearest: it is physical, and for the mock a virtual one is taken unless the request says origin physical",
		"no security-key is here, and card 1 will not do: it is a smartcard",
		"no security-key is here",
	} {
		s := lookAt(want, all...)
		if got := s.nearest(); got != says {
			t.Errorf("it says %q, want %q", got, says)
		}
		all = all[:max(len(all)-1, 0)]
	}
}

// Nobody makes a virtual key physical, nor a card a key: what is missing is named, and
// what is here instead. By its id it is named itself.
func TestWhatCanNeverDoDoesNotComeNearest(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]contract.Requirement{
		"no physical security-key is here, and key 1 will not do: it is virtual":  {AAL: 3, Target: "mock", Origin: contract.Physical, Kind: contract.SecurityKey},
		"no physical authenticator is here, and key 1 will not do: it is virtual": {AAL: 3, Target: "mock", Origin: contract.Physical},
		"no smartcard is here, and key 1 will not do: it is a security-key":       {AAL: 3, Target: "mock", Origin: contract.Virtual, Kind: contract.Smartcard},
		"key 1 comes nearest: it is virtual":                                      {Authenticator: "key-1", Target: "mock", Origin: contract.Physical},
	} {
		s := lookAt(want, virtualKey(1))
		if got := s.nearest(); got != says {
			t.Errorf("it says %q, want %q", got, says)
		}
	}
}

// A real target is judged with the machine: what fails there is named.
func TestWhatTheMachineLacksIsAMissToo(t *testing.T) {
	snapshot := &contract.Snapshot{
		Authenticators: []contract.Authenticator{physicalKey(1)},
		Checks:         []contract.Check{{Code: string(failure.NetIssuer), State: contract.Fail, Title: "Issuer", Evidence: "cannot be reached"}},
	}
	want := contract.Requirement{AAL: 3, Target: "int", Origin: contract.Physical}
	s := look(snapshot, judged, want)
	if got := s.nearest(); got != "key 1 comes nearest: Issuer: cannot be reached" {
		t.Errorf("it says %q", got)
	}
	want.Authenticator, want.AAL = "key-1", 0
	if s := look(snapshot, judged, want); s.fits[0].miss != "" {
		t.Errorf("by id it says %q", s.fits[0].miss)
	}
}

// pages makes a book in which entries wait in the order given.
func pages(queue ...*entry) *book {
	b := newBook()
	b.queue = queue
	return b
}

func waiter(name string, want contract.Requirement) *entry {
	return &entry{name: name, want: want, lease: contract.Lease{Holder: name}}
}

func TestWhoIsNext(t *testing.T) {
	key := contract.Requirement{AAL: 3, Target: "mock", Origin: contract.Virtual, Kind: contract.SecurityKey}
	smart := key
	smart.Kind = contract.Smartcard
	surveys := func(here ...contract.Authenticator) looking {
		return func(want contract.Requirement) *survey { s := lookAt(want, here...); return &s }
	}
	claims := func(e *entry, id string) *entry { e.claim = id; return e }
	for _, test := range []struct {
		name  string
		queue []*entry
		held  []string
		here  []contract.Authenticator
		want  map[string]string // who gets what
	}{
		{"the oldest", []*entry{waiter("a", key), waiter("b", key)}, nil, []contract.Authenticator{virtualKey(1)}, map[string]string{"a": "key-1"}},
		{"each", []*entry{waiter("a", key), waiter("b", key)}, nil, []contract.Authenticator{virtualKey(1), virtualKey(2)}, map[string]string{"a": "key-1", "b": "key-2"}},
		{"the oldest it suits", []*entry{waiter("a", key), waiter("b", smart)}, nil, []contract.Authenticator{card(1, "")}, map[string]string{"b": "card-1"}},
		{"nobody", []*entry{waiter("a", key)}, []string{"key-1"}, []contract.Authenticator{virtualKey(1)}, nil},
		{"whom it was taken over for", []*entry{waiter("a", key), claims(waiter("b", key), "key-1")}, nil, []contract.Authenticator{virtualKey(1)}, map[string]string{"b": "key-1"}},
		{"the first of two take-overs", []*entry{claims(waiter("a", key), "key-1"), claims(waiter("b", key), "key-1")}, nil, []contract.Authenticator{virtualKey(1)}, map[string]string{"a": "key-1"}},
		{"nobody before it is left", []*entry{waiter("a", key), claims(waiter("b", key), "key-1")}, []string{"key-1"}, []contract.Authenticator{virtualKey(1)}, nil},
		{"another, if what was taken over went", []*entry{claims(waiter("a", key), "key-1")}, nil, []contract.Authenticator{virtualKey(2)}, map[string]string{"a": "key-2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := pages(test.queue...)
			for _, id := range test.held {
				b.held[id] = &entry{stage: active}
			}
			got := map[string]string{}
			for _, e := range b.assign(surveys(test.here...), noon) {
				got[e.name] = e.authenticator.ID
				if e.stage != taking || b.held[e.authenticator.ID] != e {
					t.Errorf("%s has no reservation", e.name)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			for name, id := range test.want {
				if got[name] != id {
					t.Errorf("%s got %q, want %q", name, got[name], id)
				}
			}
		})
	}
}

func TestWhichLeaseATakeOverEnds(t *testing.T) {
	with := func(stage stage, fence uint64) *entry {
		return &entry{stage: stage, lease: contract.Lease{Fence: fence}}
	}
	for _, test := range []struct {
		name   string
		others []*entry
		want   int
	}{
		{"the oldest", []*entry{with(active, 7), with(active, 3)}, 1},
		{"none, if one ends by itself", []*entry{with(active, 3), with(ending, 7)}, 1},
		{"one that is given before one that is not yet", []*entry{with(taking, 0), with(active, 7)}, 1},
	} {
		if got := prey(test.others); got != test.others[test.want] {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestIDs(t *testing.T) {
	for id, name := range map[string]string{
		"lease-0a1b-12": "lease-0a1b", "lease-0a1b": "lease-0a1b", "lease-": "lease-", "lease-a-1-2": "lease-a", "x-1": "x-1", "": "",
	} {
		if got := nameIn(id); got != name {
			t.Errorf("the name in %q is %q", id, got)
		}
	}
	if got := nameIn(idOf(newName(), 17)); got+"-17" != idOf(got, 17) {
		t.Errorf("got %q", got)
	}
}
