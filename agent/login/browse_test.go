package login_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/login"
	"authbridge/agent/mockcis2"
)

// native makes the client one that handles its own callback.
func native(w *world) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	address := "http://" + l.Addr().String() + "/callback"
	must(w.t, l.Close())
	must(w.t, w.mock.SetClient(mockcis2.Client{Registration: cis2.Registration{
		ClientID: "native", Redirects: []string{address}, Pattern: cis2.ClientSecret, Native: true,
	}, Secret: secret}))
	target := &w.config.Targets[0]
	target.ClientID, target.Redirect, target.Native = "native", address, true
}

// opened waits until a run wants an address opened.
func (w *world) opened(id string) string {
	w.t.Helper()
	ctx := soon(w.t)
	for {
		more := w.next()
		if l, _, err := w.runner.Login(ctx, id); err != nil || l.Open != "" || l.State.Over() {
			must(w.t, err)
			return l.Open
		}
		select {
		case <-more:
		case <-ctx.Done():
			w.t.Fatal("it wants nothing opened")
		}
	}
}

// TestABrowserDrives is what the CLI and Playwright do: they open the address,
// and bring the proof of the card that the run's lease reserves.
func TestABrowserDrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, native)
	id := w.begin(contract.LoginRequest{Mode: contract.DriveBrowser, Kind: contract.Smartcard}).ID
	address := w.opened(id)
	running, _, err := w.runner.Login(soon(t), id)
	must(t, err)
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Transport: w.config.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	call := func(client *http.Client, method, to, kind string, body io.Reader) (*http.Response, []byte) {
		t.Helper()
		r, err := http.NewRequest(method, to, body)
		must(t, err)
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Content-Type", kind)
		response, err := client.Do(r)
		must(t, err)
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		must(t, err)
		return response, got
	}
	var step mockcis2.Step
	_, body := call(browser, http.MethodGet, address, "", nil)
	must(t, json.Unmarshal(body, &step))
	_, body = call(browser, http.MethodPost, w.base+step.Action, "application/x-www-form-urlencoded", strings.NewReader(url.Values{
		"csrf": {step.CSRF}, "do": {"choose"}, "user": {cardUser}, "authenticator": {"smartcard"},
	}.Encode()))
	must(t, json.Unmarshal(body, &step))
	var c mockcis2.Challenge
	_, body = call(browser, http.MethodGet, w.base+"/proof/"+step.Reference, "", nil)
	must(t, json.Unmarshal(body, &c))
	begun, err := w.use.Begin(soon(t), ci, contract.CeremonyRequest{
		Lease: running.Lease, Fence: contract.FenceIn(running.Lease), Type: contract.CeremonySign, Data: c.Data, PIN: &contract.PINSource{Value: []byte("123456")},
	})
	must(t, err)
	signed, err := w.use.Await(soon(t), begun.ID)
	must(t, err)
	proof, err := json.Marshal(mockcis2.Proof{
		Reference: step.Reference, Certificate: signed.Result.Certificate, Signature: signed.Result.Signature, Hash: signed.Result.Hash, Signed: signed.Result.Signed,
	})
	must(t, err)
	call(browser, http.MethodPost, w.base+"/proof", "application/json", bytes.NewReader(proof))
	response, _ := call(browser, http.MethodGet, w.base+step.Action+"/continue", "", nil)
	back := response.Header.Get("Location")

	own := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, other := range []string{strings.Replace(back, "state=", "state=x", 1), strings.Replace(back, "/callback", "/", 1)} {
		if response, _ := call(own, http.MethodGet, other, "", nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", other, response.StatusCode)
		}
	}
	if response, text := call(own, http.MethodGet, back, "", nil); response.StatusCode != http.StatusOK || !strings.Contains(string(text), "close it") {
		t.Errorf("%d %s", response.StatusCode, text)
	}
	l := w.await(id)
	if l.State != contract.LoginPassed || l.DrivenBy != "browser" || l.Open != "" {
		t.Errorf("%s\n%s", l.Summary, story(l))
	}
}

func TestABrowserThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, native)
	w.fails(contract.LoginRequest{Mode: contract.DriveBrowser, Kind: contract.Smartcard, Timeout: "1s"}, "browser", "LOGIN_TIMEOUT")
	id := w.begin(contract.LoginRequest{Mode: contract.DriveBrowser, Kind: contract.Smartcard}).ID
	w.opened(id)
	if l, err := w.runner.Cancel(soon(t), id); err != nil || l.State != contract.LoginAborted {
		t.Errorf("%+v, %v", l, err)
	}
	taken, err := net.Listen("tcp", strings.TrimSuffix(strings.TrimPrefix(w.config.Targets[0].Redirect, "http://"), "/callback"))
	must(t, err)
	defer taken.Close()
	w.fails(contract.LoginRequest{Mode: contract.DriveBrowser, Kind: contract.Smartcard}, "browser", "PORT_TAKEN")
}

// TestBrowsersShareARedirectAddress: the second run waits its turn, and has taken
// no authenticator until then; who will not wait is told why.
func TestBrowsersShareARedirectAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, native)
	first := w.begin(contract.LoginRequest{Mode: contract.DriveBrowser, Kind: contract.Smartcard}).ID
	if w.opened(first) == "" {
		t.Fatal("the first wants nothing opened")
	}
	second := w.begin(contract.LoginRequest{Mode: contract.DriveBrowser, Kind: contract.SecurityKey}).ID
	l := w.fails(contract.LoginRequest{Mode: contract.DriveBrowser, Kind: contract.SecurityKey, Queue: "1ms"}, "redirect", "LOGIN_TIMEOUT")
	if l.Lease != "" || !strings.Contains(l.Problem.Detail, "another login run") {
		t.Errorf("%+v", l.Problem)
	}
	if l, _, err := w.runner.Login(soon(t), second); err != nil || l.State != contract.LoginQueued || l.Lease != "" || l.Open != "" {
		t.Errorf("the second does not wait: %+v, %v", l, err)
	}
	// One that is cancelled while it waits ends at once.
	third := w.begin(contract.LoginRequest{Mode: contract.DriveBrowser, Kind: contract.SecurityKey}).ID
	if l, err := w.runner.Cancel(soon(t), third); err != nil || l.State != contract.LoginAborted || l.Problem.Code != "LOGIN_CANCELLED" {
		t.Errorf("%+v, %v", l, err)
	}
	for _, id := range []string{first, second} {
		if w.opened(id) == "" {
			t.Errorf("%s wants nothing opened", id)
		}
		if l, err := w.runner.Cancel(soon(t), id); err != nil || l.State != contract.LoginAborted || stepOf(l, "redirect").State != contract.StepPass {
			t.Errorf("%s, %v\n%s", l.Summary, err, story(l))
		}
	}
}

// TestWhoseRedirectIsNotTheirsToListenOn are refused before a browser opens.
func TestWhoseRedirectIsNotTheirsToListenOn(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*login.Target){
		func(*login.Target) {},
		func(target *login.Target) { target.Native, target.Redirect = true, "https://app.example/callback" },
		func(target *login.Target) { target.Native, target.Redirect = true, "http://app.example:80/callback" },
		func(target *login.Target) { target.Native, target.Redirect = true, "http://localhost/callback" },
	} {
		w := newWorld(t, func(w *world) { change(&w.config.Targets[0]) })
		_, err := w.runner.Begin(soon(t), ci, contract.LoginRequest{Target: "mock", Mode: contract.DriveBrowser})
		if err == nil || !strings.Contains(err.Error(), "native") {
			t.Error(err)
		}
	}
}
