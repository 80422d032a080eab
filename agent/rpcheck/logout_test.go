package rpcheck_test

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/mockcis2"
)

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func isList(token string) bool {
	claims, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	return strings.Contains(string(claims), `"aud":[`)
}

// TestEachThingThatARelyingPartyLeavesOutIsRedOnItsRow holds that a check finds
// what it is for, and blames nothing else.
func TestEachThingThatARelyingPartyLeavesOutIsRedOnItsRow(t *testing.T) {
	t.Parallel()
	mock := newMock(t)
	for careless, want := range map[string][]string{
		"":          {},
		"signature": {"logout-forged"},
		"iss":       {"logout-wrong-iss", "logout-iss-no-port"},
		"port":      {"logout-iss-no-port"},
		"aud":       {"logout-wrong-aud"},
		"list":      {"logout-aud-list"},
		"nonce":     {"logout-nonce"},
		"sid":       {"logout-no-sid"},
		"events":    {"logout-no-events"},
		"replay":    {"logout-replayed"},
		"iat":       {"logout-old-iat"},
		"exp":       {"logout-old-iat", "logout-expired"},
		"get":       {"logout-get"},
		"json":      {"logout-content-type"},
		"breaks":    {"logout-no-token", "logout-get", "logout-content-type"},
		"down":      {"logout-valid"},
	} {
		t.Run(careless, func(t *testing.T) {
			t.Parallel()
			done := checked(t, registered(newParty(t, mock.Issuer(), careless), mock, mock.Issuer()))
			if got := inState(done, contract.Fail); !slices.Equal(got, want) {
				t.Errorf("red: %q, want %q", got, want)
			}
			if got := inState(done, contract.Warn); len(got) > 0 {
				t.Errorf("warned of: %q", got)
			}
			for _, r := range done.Checks {
				if bad := r.State == contract.Fail; r.Clause == "" || r.Code == "" || bad && r.Remedy == "" || r.State == contract.Pass && r.Remedy != "" {
					t.Errorf("%s is not fit for a conversation: %+v", r.Name, r)
				}
			}
			if got := inState(done, contract.Unknown); careless == "" && !slices.Equal(got, []string{"discovery-cache"}) {
				t.Errorf("of a good one is not known: %q", got)
			}
			if state := done.State; (state == contract.Pass) != (len(want) == 0) {
				t.Errorf("all in all it is %s: %s", state, done.Summary)
			}
		})
	}
}

// TestAnswersThatTheSpecificationDoesNotWantAreRemarked holds what is no hole, and
// still not as it is written.
func TestAnswersThatTheSpecificationDoesNotWantAreRemarked(t *testing.T) {
	t.Parallel()
	mock := newMock(t)
	for careless, want := range map[string]int{
		"204":    2, // the two good ones; the new key's too
		"401":    9,
		"cached": 1,
	} {
		done := checked(t, registered(newParty(t, mock.Issuer(), careless), mock, mock.Issuer()))
		if got := inState(done, contract.Warn); len(got) < want || done.State != contract.Warn {
			t.Errorf("%s: %q, %s", careless, got, done.State)
		}
		if got := inState(done, contract.Fail); len(got) > 0 {
			t.Errorf("%s: red: %q", careless, got)
		}
	}
	done := checked(t, registered(newParty(t, mock.Issuer(), "away"), mock, mock.Issuer()))
	if r := rowOf(t, done, "logout-forged"); r.State != contract.Fail || !strings.Contains(r.Evidence, "https://login.example/sign-in,") || strings.Contains(r.Evidence, "secret") {
		t.Errorf("%+v", r)
	}
}

// TestARelyingPartyThatTakesNothingProvesNothing: that it refuses bad tokens says
// nothing where it refuses good ones.
func TestARelyingPartyThatTakesNothingProvesNothing(t *testing.T) {
	t.Parallel()
	mock, other := newMock(t), newMock(t)
	done := checked(t, registered(newParty(t, other.Issuer(), ""), mock, mock.Issuer()))
	if got := inState(done, contract.Fail); !slices.Equal(got, []string{"logout-valid"}) {
		t.Errorf("red: %q", got)
	}
	if r := rowOf(t, done, "logout-forged"); r.State != contract.Unknown || !strings.Contains(r.Evidence, "says nothing") {
		t.Errorf("%+v", r)
	}
	gone := newParty(t, mock.Issuer(), "")
	p := registered(gone, mock, mock.Issuer())
	gone.Close()
	done = checked(t, p)
	if r := rowOf(t, done, "logout-valid"); r.State != contract.Fail || r.Got != "nothing can be connected to there" {
		t.Errorf("%+v", r)
	}
	if r := rowOf(t, done, "redirect-reached"); r.State != contract.Unknown || !strings.Contains(r.Evidence, "not reached") {
		t.Errorf("%+v", r)
	}
	if r := rowOf(t, done, "logout-forged"); r.State != contract.Unknown {
		t.Errorf("%+v", r)
	}
}

// TestAtARealEnvironmentEveryTokenOfOursMustBeRefused: nobody here has its key.
func TestAtARealEnvironmentEveryTokenOfOursMustBeRefused(t *testing.T) {
	t.Parallel()
	genuine, _ := cis2.FindEnvironment(cis2.INT)
	impostor, err := mockcis2.New(mockcis2.Config{Base: strings.TrimSuffix(genuine.Issuer, cis2.RealmPath), Key: signingKey()})
	if err != nil || impostor.Issuer() != genuine.Issuer {
		t.Fatal(err, impostor.Issuer())
	}
	mock := newMock(t) // in the place of the one whose keys the application trusts
	for careless, state := range map[string]contract.CheckState{"": contract.Pass, "down": contract.Fail} {
		p := registered(newParty(t, mock.Issuer(), careless), impostor, genuine.Issuer)
		p.Environment = cis2.INT
		done := checked(t, p)
		for _, name := range []string{"logout-forged", "logout-wrong-iss", "logout-nonce", "logout-old-iat", "logout-expired"} {
			if r := rowOf(t, done, name); r.State != state {
				t.Errorf("%s: %s is %s: %+v", careless, name, r.State, r)
			}
		}
		for _, name := range []string{"logout-valid", "logout-aud-list", "logout-replayed", "logout-new-key"} {
			if r := rowOf(t, done, name); r.State != contract.Unknown || !strings.Contains(r.Evidence, "only int itself can sign") {
				t.Errorf("%s is %s: %+v", name, r.State, r)
			}
		}
		if r := rowOf(t, done, "registration"); r.State != contract.Fail || !strings.Contains(r.Got, "back_channel_logout: it must be HTTPS") {
			t.Errorf("%+v", r)
		}
	}
}
