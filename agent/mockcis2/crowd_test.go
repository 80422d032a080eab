package mockcis2_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"

	"authbridge/agent/mockcis2"
)

// TestManySignInAtOnce is the crowd of a test run, under the race detector.
func TestManySignInAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			b := r.browser()
			user := []string{aal3User, otherUser, manyRoles, appUser}[i%4]
			state := fmt.Sprint("run ", i)
			code := b.signIn(user, "state", state, "nonce", state)
			got := r.claimsOf(code)
			if got.Subject != user || got.Nonce != state {
				t.Errorf("%s got %+v", state, got)
			}
		})
	}
	group.Wait()
}

// TestLogsHoldNoSecret has everything happen and looks for what must not be
// there.
func TestLogsHoldNoSecret(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var out bytes.Buffer
	log := logrus.New()
	log.SetLevel(logrus.TraceLevel)
	log.SetOutput(writer(func(p []byte) {
		mu.Lock()
		defer mu.Unlock()
		out.Write(p)
	}))
	r := newRig(t, func(c *mockcis2.Config) { c.Log = log })
	b := r.browser()
	secrets := []string{"s3cret", "the state", "the-nonce", appSecret, aal3User, appUser}
	s := b.waiting(aal3User)
	secrets = append(secrets, s.Reference, s.CSRF)
	b.prove(s.Reference, r.ca.card(t, otherUser))
	code := b.signIn(aal3User)
	first := r.exchange(code)
	secrets = append(secrets, code, first.AccessToken, first.IDToken)
	r.exchange(code)
	r.exchange(code, "client_secret", "wr0ng")
	b.authorize("acr_values", "x")
	k := newSoftKey(t, r.base)
	b.register(appUser, "security-key", k)
	s = b.choose(b.authorize("prompt", "login").step(t), appUser, "security-key")
	k.flags = flagUP
	b.answerStep(s, "webauthn", "response", k.get(t, s.Options))
	mu.Lock()
	defer mu.Unlock()
	for _, secret := range append(secrets, "wr0ng") {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, out.String())
		}
	}
	if n := strings.Count(out.String(), "\n"); n < 5 {
		t.Errorf("the log has %d lines only", n)
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}
