package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

// logins runs logins by card at the daemon's mock, beside a client that makes
// the same HTTP exchanges at the same mock and judges and keeps nothing. Each is
// measured without the signature of its card.
func (b *bench) logins(h *harness) {
	state := b.newState(h)
	daemon := b.startDaemon(h, state, "--virtual", "on", "--physical", "off")
	cl := daemon.client()
	defer cl.Close()
	_, err := cl.Ready(b.ctx, contract.Question{AAL: 3, Target: "mock", Kind: contract.Smartcard}, 30*time.Second)
	h.must(err)
	var bare *bareLogin
	var ours, theirs, whole samples
	for n := range b.times(300) + 5 {
		l, err := cl.BeginLogin(b.ctx, contract.LoginRequest{Target: "mock", Kind: contract.Smartcard, Wait: true})
		ended := time.Now()
		h.must(err)
		if l.State != contract.LoginPassed {
			h.Fatalf("%s", l.Summary)
		}
		if bare == nil {
			bare = newBareLogin(b, h, filepath.Join(state, "virtual"), l)
		}
		signing := b.ceremonyOf(h, cl.Ceremonies, l.Lease)
		took := bare.signIn(h)
		if n >= 5 { // the first ones warm up
			ours = append(ours, ended.Sub(l.GrantedAt)-signing)
			whole = append(whole, ended.Sub(l.StartedAt))
			theirs = append(theirs, took)
		}
	}
	b.add(row{
		What: "login by virtual card, from its lease to the end of the run at a client, without the ceremony (p50 / p99)", Goal: "≤ 3 × the same HTTP exchanges by a bare client",
		Measured: fmt.Sprintf("%s, n = %d", ours, len(ours)), Peers: fmt.Sprintf("net/http, the same %d exchanges with the same mock, in turn: %s", bareExchanges, theirs),
		Ratio: ratio(ours.p50(), theirs.p50()), Met: met(ours.p50() <= 3*theirs.p50()),
		Note: "the whole run, with discovery, keys, lease and ceremony, " + whole.String() + "; it is judged, and on the disk for good",
	})
}

// ceremonyOf is how long the ceremony of a lease took.
func (b *bench) ceremonyOf(h *harness, list func(context.Context) ([]contract.Ceremony, error), lease string) time.Duration {
	all, err := list(b.ctx)
	h.must(err)
	for _, c := range all {
		if c.Lease == lease {
			return c.EndedAt.Sub(c.StartedAt)
		}
	}
	h.Fatalf("no ceremony of %s", lease)
	return 0
}

// bareExchanges are what a login by card consists of from the request of
// authorization on.
const bareExchanges = 8

// bareLogin signs in by a card of the same user and the same authority, as the
// mock's demo application.
type bareLogin struct {
	b         *bench
	transport *http.Transport
	issuer    *url.URL
	user      string
	card      *vcard.Card
	scope     string
}

func newBareLogin(b *bench, h *harness, authority string, like contract.Login) *bareLogin {
	ca, err := vcard.OpenCA(authority)
	h.must(err)
	l := &bareLogin{b: b, transport: &http.Transport{}, user: like.User, scope: "openid profile nhsperson nationalrbacaccess associatedorgs selectedrole"}
	h.Cleanup(l.transport.CloseIdleConnections)
	l.card, err = vcard.NewCard(vcard.Profile{User: like.User, Surname: "Bench", Forename: "Bare", Keys: vcard.ECCP256}, ca)
	h.must(err)
	l.issuer, err = url.Parse(like.Issuer)
	h.must(err)
	l.card.PowerOn()
	_, err = piv.Select(b.ctx, l.card)
	h.must(err)
	tries, err := piv.ReadPINState(b.ctx, l.card)
	h.must(err)
	h.must(piv.Verify(b.ctx, l.card, []byte(virtualPIN), tries, 0))
	return l
}

// signIn is one login; it gives the time without the card's signature.
func (l *bareLogin) signIn(h *harness) time.Duration {
	jar, err := cookiejar.New(nil)
	h.must(err)
	client := &http.Client{Transport: l.transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	verifier := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	const id, secret, redirect = "000000000001.apps.national", "demo", "http://localhost:17825/callback"
	var page struct{ Action, CSRF, Reference, Continue string }
	// ask gives where the answer leads, if it does.
	ask := func(method, address string, body io.Reader, kind string, into any) (leads string) {
		to, err := l.issuer.Parse(address)
		h.must(err)
		request, err := http.NewRequestWithContext(l.b.ctx, method, to.String(), body)
		h.must(err)
		request.Header.Set("Accept", "application/json")
		if kind != "" {
			request.Header.Set("Content-Type", kind)
		}
		if bearer, ok := into.(string); ok {
			request.Header.Set("Authorization", "Bearer "+bearer)
		}
		response, err := client.Do(request)
		h.must(err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		h.must(err)
		if response.StatusCode >= 400 {
			h.Fatalf("%s %s: %d %s", method, to.Path, response.StatusCode, text)
		}
		if _, bearer := into.(string); into != nil && !bearer {
			h.must(json.Unmarshal(text, into))
		}
		return response.Header.Get("Location")
	}
	form := func(values url.Values) io.Reader { return strings.NewReader(values.Encode()) }
	const isForm, isJSON = "application/x-www-form-urlencoded", "application/json"

	began := time.Now()
	ask(http.MethodGet, l.issuer.Path+"/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "scope": {l.scope}, "state": {rand.Text()}, "nonce": {rand.Text()},
		"acr_values": {"AAL3_ANY"}, "prompt": {"login"}, "max_age": {"300"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil, "", &page)
	ask(http.MethodPost, page.Action, form(url.Values{"csrf": {page.CSRF}, "do": {"choose"}, "user": {l.user}, "authenticator": {"smartcard"}}), isForm, &page)
	var challenge struct{ Data []byte }
	ask(http.MethodGet, "/proof/"+page.Reference, nil, "", &challenge)
	signing := time.Now()
	digest := sha256.Sum256(challenge.Data)
	certificate := l.card.Certificate(vcard.SlotAuthentication)
	signature, err := piv.Sign(l.b.ctx, apdu.Transmitter(l.card), piv.SlotAuthentication, certificate.PublicKey, digest[:], crypto.SHA256)
	h.must(err)
	signed := time.Since(signing)
	proof, err := json.Marshal(map[string]any{"reference": page.Reference, "certificate": certificate.Raw, "signature": signature, "hash": "SHA-256"})
	h.must(err)
	ask(http.MethodPost, "/proof", bytes.NewReader(proof), isJSON, nil)
	ask(http.MethodGet, page.Action, nil, "", &page)
	back, err := url.Parse(ask(http.MethodGet, page.Continue, nil, "", nil))
	h.must(err)
	var tokens struct {
		Access string `json:"access_token"`
	}
	ask(http.MethodPost, l.issuer.Path+"/access_token", form(url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {redirect}, "client_id": {id}, "client_secret": {secret}, "code_verifier": {verifier},
	}), isForm, &tokens)
	ask(http.MethodGet, l.issuer.Path+"/userinfo", nil, "", tokens.Access)
	return time.Since(began) - signed
}
