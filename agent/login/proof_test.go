package login_test

import (
	"reflect"
	"slices"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/virtual"
)

// proofs are what is kept.
func (w *world) proofs() []contract.Proof {
	w.t.Helper()
	all, err := w.kept.Proofs(soon(w.t))
	must(w.t, err)
	return all
}

// belongs waits until an authenticator is, or is not, known to be a user's.
func (w *world) belongs(id, user string, is contract.CheckState) {
	w.t.Helper()
	_, err := w.inv.Await(soon(w.t), func(s *contract.Snapshot) bool {
		i := slices.IndexFunc(s.Authenticators, func(a contract.Authenticator) bool { return a.ID == id })
		return i >= 0 && s.Authenticators[i].Belongs(user, "mock") == is
	})
	must(w.t, err)
}

func TestALoginProvesWhoseAKeyIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.authenticator(virtual.DefaultKey)
	w.belongs(key, keyUser, contract.Unknown)
	l := w.passes(contract.LoginRequest{Kind: contract.SecurityKey, ACR: "AAL3_ANY"})
	want := contract.Proof{
		Authenticator: key, Kind: contract.SecurityKey, Target: "mock", User: keyUser, Outcome: contract.Proven, At: l.EndedAt, Login: l.ID,
		ACR: "AAL3_ANY", AMR: []string{"FIDO2"}, AAL: 3,
	}
	if got := w.proofs(); !reflect.DeepEqual(got, []contract.Proof{want}) {
		t.Errorf("%+v", got)
	}
	w.belongs(key, keyUser, contract.Pass)
	w.belongs(key, "656005750105", contract.Unknown)

	// As another user too, who from then on is one of two.
	w.passes(contract.LoginRequest{Kind: contract.SecurityKey, User: "656005750105"})
	w.belongs(key, "656005750105", contract.Pass)
	w.belongs(key, keyUser, contract.Pass)
}

// TestNothingElseIsAProof: neither a refusal that had to come, nor what the
// tokens alone say.
func TestNothingElseIsAProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.passes(contract.LoginRequest{Scenario: contract.ScenarioTamperedToken, Kind: contract.SecurityKey})
	w.passes(contract.LoginRequest{Scenario: contract.ScenarioExpiredCertificate})
	w.fails(contract.LoginRequest{Kind: contract.SecurityKey, User: "656005750109"}, "enrolment", "LOGIN_REFUSED") // a user of AAL2
	w.fails(contract.LoginRequest{Kind: contract.SecurityKey, PIN: &contract.PINSource{Value: []byte("000000")}}, "ceremony", "PIN_REFUSED")
	if got := w.proofs(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestARefusalStandsUntilTheSameKeyIsTriedByItsID: nothing else takes a key that
// the target did not take the last time.
func TestARefusalStandsUntilTheSameKeyIsTriedByItsID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.authenticator(virtual.DefaultKey)
	ask := contract.LoginRequest{Kind: contract.SecurityKey, User: keyUser}
	w.passes(ask)
	w.belongs(key, keyUser, contract.Pass)
	w.known.Learn(contract.Proof{Authenticator: key, Kind: contract.SecurityKey, Target: "mock", User: keyUser, Outcome: contract.Refused})
	w.belongs(key, keyUser, contract.Fail)
	w.fails(ask, "preflight", "LOGIN_NOT_READY")
	ask.Authenticator = key
	w.passes(ask)
	w.belongs(key, keyUser, contract.Pass)
}

// TestACardsLoginProvesItsOwnUser, and tokens do if a ceremony of this daemon is
// named.
func TestACardsLoginProvesItsOwnUser(t *testing.T) {
	t.Parallel()
	heard := &tap{}
	w := newWorld(t, func(w *world) {
		heard.RoundTripper = w.config.Transport
		w.config.Transport = heard
	})
	first := w.passes(contract.LoginRequest{Kind: contract.Smartcard})
	proved := func(by contract.Login) {
		t.Helper()
		if got := w.proofs(); len(got) != 1 || got[0].Outcome != contract.Proven || got[0].User != cardUser || got[0].Kind != contract.Smartcard || got[0].Login != by.ID {
			t.Errorf("%+v", got)
		}
	}
	proved(first)
	ask := contract.LoginRequest{Mode: contract.DriveTokens, Tokens: &contract.LoginTokens{IDToken: []byte(heard.tokens.IDToken)}}
	w.passes(ask)
	proved(first) // these tokens could be anybody's
	ask.Tokens = &contract.LoginTokens{IDToken: []byte(heard.tokens.IDToken), Ceremony: w.use.Ceremonies()[0].ID}
	proved(w.passes(ask))
}

func TestNobodyNamedSignsInAsWhoseTheKeyIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.authenticator(virtual.DefaultKey)
	w.known.Learn(contract.Proof{Authenticator: key, Kind: contract.SecurityKey, Target: "mock", User: "656005750105", Outcome: contract.Proven})
	w.belongs(key, "656005750105", contract.Pass)
	if l := w.passes(contract.LoginRequest{Kind: contract.SecurityKey}); l.User != "656005750105" {
		t.Errorf("%s signed in", l.User)
	}
	w.passes(contract.LoginRequest{Kind: contract.SecurityKey, User: "656005750106"})
	w.belongs(key, "656005750106", contract.Pass)
	if l := w.passes(contract.LoginRequest{Kind: contract.SecurityKey}); l.User != keyUser {
		t.Errorf("of two users %s signed in, and not the usual one", l.User)
	}
}
