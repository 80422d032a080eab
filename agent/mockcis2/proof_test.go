package mockcis2_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/mockcis2"
)

// waiting is a sign-in that waits for a user's card.
func (b *browser) waiting(user string, pairs ...string) mockcis2.Step {
	b.t.Helper()
	return b.choose(b.authorize(pairs...).step(b.t), user, "smartcard")
}

// TestTheOctetsOfAChallenge holds what is documented: others implement it.
func TestTheOctetsOfAChallenge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(aal3User)
	c, _ := b.challenge(s.Reference)
	want := strings.Join([]string{"authbridge proof v1", r.server.Issuer(), "secretive", "the-nonce", s.Reference, "2026-11-26T09:00:00Z"}, "\x00")
	if string(c.Data) != want || c.ClientID != "secretive" || c.Issuer != r.server.Issuer() || c.Reference != s.Reference || !c.Expires.Equal(r.clock.now().Add(5*time.Minute)) {
		t.Errorf("%+v", c)
	}
	if len(s.Reference) != 8 || strings.Trim(s.Reference, "23456789BCDFGHJKMNPQRSTVWXZ") != "" {
		t.Errorf("reference %q", s.Reference)
	}
	if typed, status := b.challenge(strings.ToLower(s.Reference[:4]) + "-" + s.Reference[4:]); status != http.StatusOK || !bytes.Equal(typed.Data, c.Data) {
		t.Error("a reference as a person types it is not found")
	}
}

// TestProofs is the table of what a card's proof can be.
func TestProofs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	foreign := newAuthority("Foreign authority")
	type facts struct {
		b    *browser
		s    mockcis2.Step
		card card
		data []byte
	}
	good := func(f facts) mockcis2.Proof {
		return mockcis2.Proof{Reference: f.s.Reference, Certificate: f.card.der, Signature: f.card.sign(t, f.data), Hash: "SHA-256", Signed: f.data}
	}
	by := func(f facts, with card) mockcis2.Proof {
		f.card = with
		return good(f)
	}
	change := func(what func(*x509.Certificate)) func(facts) mockcis2.Proof {
		return func(f facts) mockcis2.Proof { return by(f, r.ca.card(t, aal3User, what)) }
	}
	signing := func(data []byte) func(facts) mockcis2.Proof {
		return func(f facts) mockcis2.Proof {
			f.data = data
			return good(f)
		}
	}
	labelled := func(target string, data []byte) []byte {
		return slices.Concat([]byte("authbridge sign v1"), []byte{0}, []byte(target), []byte{0}, data)
	}
	for _, row := range []struct {
		name  string
		proof func(facts) mockcis2.Proof
		code  string // empty: taken
	}{
		{"a virtual card", good, ""},
		{"without what was signed", func(f facts) mockcis2.Proof {
			p := good(f)
			p.Signed, p.Hash = nil, ""
			return p
		}, ""},
		{"a physical card", func(f facts) mockcis2.Proof {
			f.data = labelled("mock", f.data)
			return good(f)
		}, ""},
		{"an RSA card", func(f facts) mockcis2.Proof { return by(f, r.ca.certify(t, clientKeyOne(), aal3User)) }, ""},
		{"another target", func(f facts) mockcis2.Proof {
			f.data = labelled("int", f.data)
			return good(f)
		}, "wrong_challenge"},
		{"another reference", func(f facts) mockcis2.Proof {
			other := f.b.waiting(aal3User)
			c, _ := f.b.challenge(other.Reference)
			f.data = c.Data
			return good(f)
		}, "wrong_challenge"},
		{"another client", func(f facts) mockcis2.Proof {
			f.data = bytes.Replace(f.data, []byte("secretive"), []byte("second"), 1)
			return good(f)
		}, "wrong_challenge"},
		{"another nonce", func(f facts) mockcis2.Proof {
			f.data = bytes.Replace(f.data, []byte("the-nonce"), []byte("the-other"), 1)
			return good(f)
		}, "wrong_challenge"},
		{"another issuer", func(f facts) mockcis2.Proof {
			f.data = bytes.Replace(f.data, []byte("localhost"), []byte("elsewhere"), 1)
			return good(f)
		}, "wrong_challenge"},
		{"another time", func(f facts) mockcis2.Proof {
			f.data = bytes.Replace(f.data, []byte("2026"), []byte("2027"), 1)
			return good(f)
		}, "wrong_challenge"},
		{"nothing of it", signing([]byte("x")), "wrong_challenge"},
		{"what was not signed", func(f facts) mockcis2.Proof {
			p := good(f)
			p.Signature = f.card.sign(t, []byte("x"))
			return p
		}, "bad_signature"},
		{"another card's signature", func(f facts) mockcis2.Proof {
			p := good(f)
			p.Signature = r.ca.card(t, aal3User).sign(t, f.data)
			return p
		}, "bad_signature"},
		{"no signature", func(f facts) mockcis2.Proof {
			p := good(f)
			p.Signature = nil
			return p
		}, "bad_signature"},
		{"another hash", func(f facts) mockcis2.Proof {
			p := good(f)
			p.Hash = "SHA-1"
			return p
		}, "bad_signature"},
		{"another user's card", func(f facts) mockcis2.Proof { return by(f, r.ca.card(t, otherUser)) }, "wrong_user"},
		{"a card of nobody", change(func(c *x509.Certificate) { c.Subject.CommonName = aal3User }), "wrong_user"},
		{"an expired certificate", change(func(c *x509.Certificate) { c.NotAfter = r.clock.now().Add(-time.Hour) }), "expired_certificate"},
		{"a certificate to come", change(func(c *x509.Certificate) { c.NotBefore = r.clock.now().Add(time.Hour) }), "expired_certificate"},
		{"a foreign authority", func(f facts) mockcis2.Proof { return by(f, foreign.card(t, aal3User)) }, "untrusted_certificate"},
		{"a certificate for signing documents", change(func(c *x509.Certificate) {
			c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageContentCommitment, nil
		}), "untrusted_certificate"},
		{"a server's certificate", change(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "untrusted_certificate"},
		{"the authority itself", func(f facts) mockcis2.Proof { return by(f, card{r.ca.key, r.ca.cert.Raw}) }, "untrusted_certificate"},
		{"no certificate", func(f facts) mockcis2.Proof {
			p := good(f)
			p.Certificate = nil
			return p
		}, "bad_certificate"},
		{"a certificate that is none", func(f facts) mockcis2.Proof {
			p := good(f)
			p.Certificate = []byte("x")
			return p
		}, "bad_certificate"},
		{"late", func(f facts) mockcis2.Proof {
			p := good(f)
			r.clock.pass(5 * time.Minute)
			return p
		}, "unknown_reference"},
		{"a reference that is none", func(f facts) mockcis2.Proof {
			p := good(f)
			p.Reference = "22222222"
			return p
		}, "unknown_reference"},
		{"after going back", func(f facts) mockcis2.Proof {
			p := good(f)
			f.b.answerStep(f.s, "back")
			return p
		}, "unknown_reference"},
	} {
		b := r.browser()
		f := facts{b: b, s: b.waiting(aal3User), card: r.ca.card(t, aal3User)}
		c, _ := b.challenge(f.s.Reference)
		f.data = c.Data
		proof := row.proof(f)
		a := b.postProof(proof)
		var got struct{ Error string }
		_ = json.Unmarshal(a.body, &got)
		if got.Error != row.code || (a.status == http.StatusOK) != (row.code == "") {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
		after := b.get(f.s.Action)
		if row.name == "late" {
			continue
		}
		s := after.step(t)
		if (s.Stage == "done") != (row.code == "") {
			t.Errorf("%s: the sign-in stands at %s", row.name, s.Stage)
		}
		if row.code != "" && b.get(f.s.Action+"/continue").status != http.StatusNotFound {
			t.Errorf("%s: the browser gets back", row.name)
		}
		// What has been brought once is not taken again, be it good or bad.
		if a := b.postProof(proof); a.status != http.StatusNotFound {
			t.Errorf("%s, again: %d %s", row.name, a.status, a.body)
		}
	}
}

// TestARefusedCardMayTryAgain holds that the page says why, and gives a new
// reference.
func TestARefusedCardMayTryAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(aal3User)
	b.prove(s.Reference, r.ca.card(t, otherUser))
	again := b.get(s.Action).step(t)
	if again.Stage != "choose" || !strings.Contains(again.Problem, "another user") || again.User != aal3User {
		t.Errorf("%+v", again)
	}
	next := b.choose(again, aal3User, "smartcard")
	if next.Reference == s.Reference || next.Problem != "" {
		t.Errorf("%+v", next)
	}
	b.prove(next.Reference, r.ca.card(t, aal3User))
	b.finish(b.get(s.Action).step(t))
}

func TestProofBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(aal3User)
	for name, row := range map[string]struct{ kind, body string }{
		"a form":            {formType, "reference=" + s.Reference},
		"plain text":        {"text/plain", `{"reference":"` + s.Reference + `"}`},
		"another field":     {asJSON, `{"reference":"` + s.Reference + `","level":3}`},
		"two":               {asJSON, `{"reference":"` + s.Reference + `"}{}`},
		"not JSON":          {asJSON, `x`},
		"more than allowed": {asJSON, `{"reference":"` + strings.Repeat("x", 70<<10) + `"}`},
	} {
		if a := b.do(http.MethodPost, "/proof", strings.NewReader(row.body), "Content-Type", row.kind); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if got := b.get(s.Action).step(t); got.Stage != "smartcard" || got.Reference != s.Reference {
		t.Errorf("a body that is none uses a reference up: %+v", got)
	}
}

// TestReferencesAreNotGuessed holds that who tries many is slowed down, and not
// for ever.
func TestReferencesAreNotGuessed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(aal3User)
	for range 600 {
		if got := serve(r.server, http.MethodGet, "/proof/22222222", "Host", strings.TrimPrefix(r.base, "http://")).Code; got != http.StatusNotFound {
			t.Fatal(got)
		}
	}
	if _, status := b.challenge(s.Reference); status != http.StatusTooManyRequests {
		t.Errorf("after 600 guesses: %d", status)
	}
	r.clock.pass(time.Minute)
	if _, status := b.challenge(s.Reference); status != http.StatusOK {
		t.Errorf("a minute later: %d", status)
	}
}

// TestAPageDoesNotWaitForWhatCannotCome goes back to the choice once the
// reference has expired.
func TestAPageDoesNotWaitForWhatCannotCome(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(aal3User)
	r.clock.pass(5*time.Minute - time.Second)
	if got := b.get(s.Action).step(t); got.Stage != "smartcard" {
		t.Errorf("a second too early: %+v", got)
	}
	r.clock.pass(time.Second)
	got := b.get(s.Action + "/wait").step(t)
	if got.Stage != "choose" || !strings.Contains(got.Problem, "in time") || got.User != aal3User || got.Authenticator != "smartcard" {
		t.Errorf("%+v", got)
	}
	again := b.choose(got, aal3User, "smartcard")
	if again.Reference == s.Reference || again.Stage != "smartcard" {
		t.Errorf("%+v", again)
	}
	b.prove(again.Reference, r.ca.card(t, aal3User))
	b.finish(b.get(s.Action).step(t))
}

// TestThePageHearsOfTheProof holds the waiting: nobody asks again and again.
func TestThePageHearsOfTheProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.browser()
	s := b.waiting(aal3User)
	heard := make(chan answer, 1)
	go func() { heard <- b.get(s.Action + "/wait") }()
	<-r.timers // it waits
	b.prove(s.Reference, r.ca.card(t, aal3User))
	if got := (<-heard).step(t); got.Stage != "done" {
		t.Errorf("%+v", got)
	}
	other := r.browser()
	s = other.waiting(aal3User)
	go func() { heard <- other.get(s.Action + "/wait") }()
	(<-r.timers) <- r.clock.now() // 20 s are over
	if got := (<-heard).step(t); got.Stage != "smartcard" {
		t.Errorf("%+v", got)
	}
}

// TestAcceptAnyProof is the mock that does not refuse, for tests of tests.
func TestAcceptAnyProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.server.SetFaults(mockcis2.Faulting{Client: "secretive", Faults: []mockcis2.Fault{{Name: mockcis2.AcceptAnyProof}}})
	b := r.browser()
	s := b.waiting(aal3User)
	if a := b.postProof(mockcis2.Proof{Reference: s.Reference, Certificate: []byte("x"), Signature: []byte("y")}); a.status != http.StatusOK {
		t.Fatalf("%s", a.body)
	}
	b.finish(b.get(s.Action).step(t))
	if a := b.postProof(mockcis2.Proof{Reference: s.Reference}); a.status != http.StatusNotFound {
		t.Error("even so a reference is good once")
	}
}
