package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/mockcis2"
)

// ward is an application with an endpoint for logout tokens.
type ward struct {
	*running
	logouts chan string
}

const (
	wardID       = "ward"
	wardCallback = "http://localhost:3000/cb"
)

func startWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{logouts: make(chan string, 4)}
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { w.logouts <- r.FormValue("logout_token") }))
	t.Cleanup(endpoint.Close)
	w.running = runDaemon(t, filepath.Join(t.TempDir(), "state"), func(s *settings) {
		s.Mock.Clients = []MockClient{{
			Registered: Registered{ID: wardID, Redirects: []string{wardCallback}, BackChannelLogout: endpoint.URL + "/logout", Pattern: "client_secret_post"}, Secret: "s3cret",
		}}
	})
	t.Cleanup(w.stop)
	return w
}

// token is the header and the claims of the ID token for somebody who says a
// user number, or who is signed in; nil where the mock asks for something else.
func (w *ward) token(user string) (header, claims map[string]any) {
	w.t.Helper()
	q := url.Values{
		"response_type": {"code"}, "client_id": {wardID}, "redirect_uri": {wardCallback}, "scope": {"openid"}, "state": {"s"}, "acr_values": {"AAL1_USERPASS"},
	}
	back := w.json(nil, http.MethodGet, w.mock.Issuer+"/authorize?"+q.Encode(), nil, "")
	if back == nil {
		var step mockcis2.Step
		w.json(&step, http.MethodGet, w.mock.Issuer+"/authorize?"+q.Encode(), nil, "")
		w.form(&step, step.Action, "csrf", step.CSRF, "do", "choose", "user", user, "authenticator", "user-name")
		if step.Continue == "" {
			return nil, nil
		}
		back = w.json(nil, http.MethodGet, step.Continue, nil, "")
	}
	var got struct {
		IDToken string `json:"id_token"`
	}
	w.form(&got, w.mock.Issuer[len(w.mock.URL):]+"/access_token", "grant_type", "authorization_code", "code", back.Query().Get("code"),
		"redirect_uri", wardCallback, "client_id", wardID, "client_secret", "s3cret")
	parts := strings.Split(got.IDToken, ".")
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return header, claims
}

// TestTheDaemonsMockTakesOrders is a tester who makes a user, has logins go
// wrong, rotates the key, signs everybody out and takes the user away.
func TestTheDaemonsMockTakesOrders(t *testing.T) {
	t.Parallel()
	w := startWard(t)
	ctx := t.Context()
	const user = "555250000777"

	if _, claims := w.token(user); claims != nil {
		t.Fatalf("a user that nobody has made: %v", claims)
	}
	made, err := w.api.SetMockUser(ctx, user, contract.MockUserRequest{Name: "Jo Bloggs", AAL: 1, IAL: 2, Roles: []string{"R8000", "R8001"}})
	if err != nil || made.Name != "Jo Bloggs" || made.AAL != 1 || made.IAL != 2 || !slices.Equal(made.Roles, []string{"R8000", "R8001"}) {
		t.Fatalf("%+v, %v", made, err)
	}
	first, claims := w.token(user)
	if claims["sub"] != user || claims["id_assurance_level"] != "2" || claims["acr"] != "AAL1_USERPASS" {
		t.Errorf("%v", claims)
	}

	inForce, err := w.api.SetMockFaults(ctx, contract.MockFaults{Client: wardID, Faults: []string{"no-acr", "slow:1ms"}})
	if err != nil || len(inForce) != 1 || !slices.Equal(inForce[0].Faults, []string{"no-acr", "slow:1ms"}) {
		t.Errorf("%+v, %v", inForce, err)
	}
	if _, claims := w.token(user); claims["acr"] != nil || claims["sub"] != user {
		t.Errorf("with the fault: %v", claims)
	}
	if inForce, err = w.api.SetMockFaults(ctx, contract.MockFaults{Client: wardID}); err != nil || len(inForce) != 0 {
		t.Errorf("%+v, %v", inForce, err)
	}
	for _, bad := range []contract.MockFaults{{Client: "stranger", Faults: []string{"no-acr"}}, {Faults: []string{"bananas"}}, {Faults: []string{"no-acr:5s"}}} {
		var problem *contract.Problem
		if _, err := w.api.SetMockFaults(ctx, bad); !errors.As(err, &problem) || problem.Code != string(failure.BadRequest) {
			t.Errorf("%+v: %v", bad, err)
		}
	}

	keys, err := w.api.RotateMockKeys(ctx)
	if err != nil || len(keys.Keys) != 2 || keys.Keys[1] != first["kid"] {
		t.Errorf("%+v, %v, of %v", keys, err, first)
	}
	header, claims := w.token(user)
	if claims["acr"] != "AAL1_USERPASS" || header["kid"] != keys.Keys[0] {
		t.Errorf("after it: %v, %v", header, claims)
	}

	state, err := w.api.Mock(ctx)
	if err != nil || state.Issuer != w.mock.Issuer || state.Sessions != 1 || !slices.Equal(state.Keys, keys.Keys) || len(state.Faults) > 0 || len(state.Known) < 15 {
		t.Errorf("%+v, %v", state, err)
	}
	if !slices.ContainsFunc(state.Clients, func(c contract.MockClient) bool { return c.ID == wardID && c.Pattern == "client_secret_post" }) {
		t.Errorf("%+v", state.Clients)
	}
	if text, _ := json.Marshal(state); strings.Contains(string(text), "s3cret") || !strings.Contains(string(text), user) {
		t.Errorf("%s", text)
	}
	if i := slices.IndexFunc(state.Users, func(u contract.MockUser) bool { return u.UUID == user }); i < 0 || state.Users[i].Name != "Jo Bloggs" {
		t.Errorf("%+v", state.Users)
	}

	ended, err := w.api.EndMockSessions(ctx, "656005750108")
	if err != nil || ended.Sessions != 0 || len(ended.Deliveries) > 0 {
		t.Errorf("of somebody else: %+v, %v", ended, err)
	}
	ended, err = w.api.EndMockSessions(ctx, "")
	if err != nil || ended.Sessions != 1 || len(ended.Deliveries) != 1 || ended.Deliveries[0].Client != wardID || ended.Deliveries[0].Status != http.StatusOK {
		t.Errorf("%+v, %v", ended, err)
	}
	if token := <-w.logouts; strings.Count(token, ".") != 2 {
		t.Errorf("the logout token: %q", token)
	}

	w.token(user)
	if ended, err = w.api.DeleteMockUser(ctx, user); err != nil || ended.Sessions != 1 || len(ended.Deliveries) != 1 {
		t.Errorf("%+v, %v", ended, err)
	}
	if _, claims := w.token(user); claims != nil {
		t.Errorf("who was taken away: %v", claims)
	}
	var problem *contract.Problem
	if _, err := w.api.DeleteMockUser(ctx, user); !errors.As(err, &problem) || problem.Code != string(failure.NotFound) {
		t.Errorf("again: %v", err)
	}
}

// TestEveryFaultIsDocumented: what can be asked for can be looked up.
func TestEveryFaultIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/logins.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range mockcis2.Faults() {
		if !strings.Contains(string(text), "`"+name+"`") && !strings.Contains(string(text), "`"+name+":") {
			t.Errorf("docs/logins.md does not say what %s does", name)
		}
	}
}
