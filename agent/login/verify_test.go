package login_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"

	"authbridge/agent/contract"
)

// tap hears what a run's application gets.
type tap struct {
	http.RoundTripper
	mu       sync.Mutex
	tokens   struct{ IDToken, AccessToken string }
	userinfo []byte
	nonce    string
}

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if nonce := r.URL.Query().Get("nonce"); nonce != "" {
		t.nonce = nonce
	}
	switch path := r.URL.Path; {
	case len(path) > 13 && path[len(path)-13:] == "/access_token":
		body, _ := io.ReadAll(response.Body)
		var got struct {
			ID     string `json:"id_token"`
			Access string `json:"access_token"`
		}
		_ = json.Unmarshal(body, &got)
		t.tokens.IDToken, t.tokens.AccessToken = got.ID, got.Access
		response.Body = io.NopCloser(reader(body))
	case len(path) > 9 && path[len(path)-9:] == "/userinfo":
		t.userinfo, _ = io.ReadAll(response.Body)
		response.Body = io.NopCloser(reader(t.userinfo))
	}
	return response, nil
}

// TestVerifyJudgesTokensOfOthers is how an application is tested whose redirect
// is its own: it hands over what it got.
func TestVerifyJudgesTokensOfOthers(t *testing.T) {
	t.Parallel()
	heard := &tap{}
	w := newWorld(t, func(w *world) {
		heard.RoundTripper = w.config.Transport
		w.config.Transport = heard
	})
	w.passes(contract.LoginRequest{Kind: contract.Smartcard})
	ceremony := w.use.Ceremonies()[0].ID
	tokens := func() *contract.LoginTokens {
		return &contract.LoginTokens{IDToken: []byte(heard.tokens.IDToken)}
	}
	ask := func(change func(*contract.LoginRequest)) contract.LoginRequest {
		r := contract.LoginRequest{Mode: contract.DriveTokens, Tokens: tokens()}
		if change != nil {
			change(&r)
		}
		return r
	}
	l := w.passes(ask(nil))
	if l.DrivenBy != "application" || stepOf(l, "subject-userinfo").State != contract.StepSkipped || stepOf(l, "nonce").State != contract.StepSkipped ||
		stepOf(l, "lease").State != contract.StepSkipped {
		t.Errorf("%s", story(l))
	}
	if s := stepOf(l, "audience"); s.State != contract.StepSkipped {
		t.Errorf("nobody said whose the token is, and yet: %+v", s)
	}
	l = w.passes(ask(func(r *contract.LoginRequest) {
		r.Tokens.Userinfo, r.Tokens.Nonce, r.Tokens.Ceremony, r.User = heard.userinfo, heard.nonce, ceremony, cardUser
		r.Tokens.AccessToken = []byte(heard.tokens.AccessToken)
	}))
	for _, name := range []string{"ceremony", "nonce", "at-hash", "amr", "subject-card", "subject-userinfo", "roles"} {
		if stepOf(l, name).State != contract.StepPass {
			t.Errorf("%s is not judged\n%s", name, story(l))
		}
	}
	if l.Origin != contract.Virtual || l.Kind != contract.Smartcard {
		t.Errorf("%+v", l)
	}
	// With the access token alone userinfo is asked for.
	l = w.passes(ask(func(r *contract.LoginRequest) { r.Tokens.AccessToken = []byte(heard.tokens.AccessToken) }))
	if stepOf(l, "subject-userinfo").State != contract.StepPass {
		t.Errorf("%s", story(l))
	}
	for _, row := range []struct {
		step, code string
		change     func(*contract.LoginRequest)
	}{
		{"audience", "TOK_AUD", func(r *contract.LoginRequest) { r.Tokens.ClientID = "another" }},
		{"nonce", "LOGIN_STATE", func(r *contract.LoginRequest) { r.Tokens.Nonce = "another" }},
		{"subject", "TOK_SUB", func(r *contract.LoginRequest) { r.User = keyUser }},
		{"amr", "TOK_ACR_AMR", func(r *contract.LoginRequest) { r.Kind = contract.SecurityKey }},
		{"subject-userinfo", "TOK_SUB", func(r *contract.LoginRequest) { r.Tokens.Userinfo = []byte(`{"sub":"656005750108"}`) }},
		{"subject-userinfo", "TOK_SUB", func(r *contract.LoginRequest) { r.Tokens.Userinfo = []byte(`"a.b.c"`) }},
		{"at-hash", "TOK_SIG", func(r *contract.LoginRequest) {
			r.Tokens.AccessToken, r.Tokens.Userinfo = []byte("another"), heard.userinfo
		}},
		{"signature", "TOK_SIG", func(r *contract.LoginRequest) { r.Tokens.IDToken = []byte("no token") }},
		{"ceremony", "CEREMONY_UNKNOWN", func(r *contract.LoginRequest) { r.Tokens.Ceremony = "ceremony-0" }},
		{"userinfo", "LOGIN_ANSWER", func(r *contract.LoginRequest) { r.Tokens.AccessToken = []byte("another") }},
	} {
		w.fails(ask(row.change), row.step, row.code)
	}
}

// TestTokensAreWipedBeforeARunIsOver: who hears of the end may look at once.
func TestTokensAreWipedBeforeARunIsOver(t *testing.T) {
	t.Parallel()
	given, over := []byte("e30.e30.e30"), 0
	w := newWorld(t, func(w *world) {
		tell := w.config.Tell
		w.config.Tell = func(events ...contract.Event) {
			for _, e := range events {
				if e.Login != nil && e.Login.State.Over() {
					if over++; bytes.ContainsFunc(given, func(r rune) bool { return r != 0 }) {
						t.Error("the token is not wiped")
					}
				}
			}
			tell(events...)
		}
	})
	w.run(contract.LoginRequest{Mode: contract.DriveTokens, Tokens: &contract.LoginTokens{IDToken: given}})
	if over != 1 {
		t.Errorf("its end was told %d times", over)
	}
}
