package ceremony

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/fido"
	"authbridge/fido/webauthn"
)

// finger is a key with a sensor, as far as tokens go: no virtual key has one.
type finger struct {
	fido.Session
	ownFails  fido.Status
	pinFails  fido.Status
	asked     []fido.Permissions // of UVToken
	pins      [][]byte
	permitted []fido.Permissions // of PINToken
	tries     fido.Retries
	used      bool // the token that may manage credentials
}

func (f *finger) Close() error { return nil }

func (f *finger) Retries(context.Context) (*fido.Retries, error) { return &f.tries, nil }

func (f *finger) Stored(context.Context, *fido.Token, string) ([]fido.Stored, error) {
	f.used = true
	return nil, nil
}

func (f *finger) UVToken(_ context.Context, want fido.Permissions, _ string, keepalive func(fido.Keepalive)) (*fido.Token, error) {
	keepalive(fido.STATUS_UPNEEDED)
	keepalive(fido.STATUS_PROCESSING)
	f.asked = append(f.asked, want)
	if f.ownFails != 0 {
		return nil, &fido.StatusError{Command: 6, Status: f.ownFails}
	}
	return &fido.Token{}, nil
}

func (f *finger) PINToken(_ context.Context, pin []byte, want fido.Permissions, _ string) (*fido.Token, error) {
	f.pins = append(f.pins, bytes.Clone(pin))
	f.permitted = append(f.permitted, want)
	clear(pin)
	if f.pinFails != 0 {
		return nil, &fido.StatusError{Command: 6, Status: f.pinFails}
	}
	return &fido.Token{}, nil
}

// nothingStored is a store that keeps nothing.
type nothingStored struct {
	Store
	mu     sync.Mutex
	blocks []contract.PINBlock
}

func (s *nothingStored) Blocks(context.Context) ([]contract.PINBlock, error) { return nil, nil }

func (s *nothingStored) PutBlock(_ context.Context, b contract.PINBlock) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks = append(s.blocks, b)
	return nil
}

func (s *nothingStored) DeleteBlocks(context.Context, string) error { return nil }

// using is a ceremony in the middle, with that key open.
func using(t *testing.T, key *finger, options string, request contract.CeremonyRequest) (*keyUse, *[]contract.CeremonyState) {
	t.Helper()
	tell := func(...contract.Event) {}
	p, err := newPINs(t.Context(), &nothingStored{}, time.Now, tell)
	if err != nil {
		t.Fatal(err)
	}
	g := lease.Grant{Lease: "l1", Authenticator: contract.Authenticator{ID: "key-1", Name: "key 1", Kind: contract.SecurityKey}}
	s := &station{c: &Conductor{pins: p, config: Config{Tell: tell}, now: time.Now}, grant: g, timer: time.NewTimer(time.Hour), counted: true}
	t.Cleanup(func() { s.timer.Stop() })
	var states []contract.CeremonyState
	a := &act{c: s.c, station: s, grant: g, ctx: t.Context(), request: request, get: &webauthn.Request{RPID: "localhost"}, by: contract.Owner{Name: "user 1000"}}
	w := &work{
		request: request, grant: g, asks: func() bool { return request.PIN == nil },
		step: func(state contract.CeremonyState, _ *contract.Prompt) { states = append(states, state) },
		pin: func(context.Context, pinAsk) ([]byte, Source, error) {
			return bytes.Clone(request.PIN.Value), "requests of user 1000", nil
		},
	}
	tries := 8
	key.tries.PIN = &tries
	return &keyUse{s: s, a: a, w: w, key: key, info: getInfo(options)}, &states
}

func TestAFingerBeforeAPIN(t *testing.T) {
	t.Parallel()
	key := &finger{}
	u, states := using(t, key, "clientPin uv pinUvAuthToken", contract.CeremonyRequest{})
	token, uv, err := u.permit(uvAsk{requirement: webauthn.Required}, fido.PermitGetAssertion, "localhost")
	if err != nil || token == nil || uv {
		t.Errorf("%v, %v, %v", token, uv, err)
	}
	if !slices.Equal(*states, []contract.CeremonyState{contract.CeremonyTouch, contract.CeremonyRunning}) {
		t.Errorf("states %v", *states)
	}
	if len(key.asked) != 1 || len(key.pins) != 0 {
		t.Errorf("asked %v, %d PINs", key.asked, len(key.pins))
	}
}

func TestAPINWhereTheFingerFails(t *testing.T) {
	t.Parallel()
	for _, status := range []fido.Status{fido.CTAP2_ERR_UV_BLOCKED, fido.CTAP2_ERR_UV_INVALID} {
		key := &finger{ownFails: status}
		u, _ := using(t, key, "clientPin uv pinUvAuthToken", contract.CeremonyRequest{PIN: &contract.PINSource{Value: []byte("123456")}})
		token, _, err := u.permit(uvAsk{requirement: webauthn.Required}, fido.PermitGetAssertion, "localhost")
		if err != nil || token == nil || len(key.pins) != 1 || string(key.pins[0]) != "123456" {
			t.Errorf("%s: %v, %v, %d PINs", status, token, err, len(key.pins))
		}
	}
	for _, options := range []string{"", "clientPin noMcGaPermissionsWithClientPin", "clientPin forcePINChange"} {
		key := &finger{ownFails: fido.CTAP2_ERR_UV_BLOCKED}
		u, _ := using(t, key, "uv pinUvAuthToken "+options, contract.CeremonyRequest{PIN: &contract.PINSource{Value: []byte("123456")}})
		_, _, err := u.permit(uvAsk{requirement: webauthn.Required}, fido.PermitGetAssertion, "localhost")
		if failure.CodeOf(err) != failure.KeyRefused || len(key.pins) != 0 {
			t.Errorf("%q: %v, %d PINs", options, err, len(key.pins))
		}
	}
}

func TestTheOptionUVOfOlderKeys(t *testing.T) {
	t.Parallel()
	key := &finger{}
	u, _ := using(t, key, "uv", contract.CeremonyRequest{})
	token, uv, err := u.permit(uvAsk{requirement: webauthn.Preferred}, fido.PermitGetAssertion, "localhost")
	if err != nil || token != nil || !uv || len(key.asked) != 0 {
		t.Errorf("%v, %v, %v, asked %v", token, uv, err, key.asked)
	}
}

// TestTheRightPINIsSentOnceMoreToDelete holds that the second token asks for
// nothing but to manage credentials, and that the first PIN is wiped with the
// ceremony.
func TestTheRightPINIsSentOnceMoreToDelete(t *testing.T) {
	t.Parallel()
	key := &finger{}
	u, _ := using(t, key, "clientPin pinUvAuthToken credMgmt", contract.CeremonyRequest{PIN: &contract.PINSource{Value: []byte("123456")}})
	if _, _, err := u.permit(uvAsk{requirement: webauthn.Required, create: true}, fido.PermitMakeCredential, "localhost"); err != nil {
		t.Fatal(err)
	}
	held := u.pin
	u.s.made = 1
	u.end()
	if !slices.Equal(key.permitted, []fido.Permissions{fido.PermitMakeCredential, fido.PermitCredentialManagement}) {
		t.Errorf("permissions %v", key.permitted)
	}
	if u.s.token == nil || !key.used {
		t.Error("the station has no token, or one that ends in 30 s")
	}
	if !bytes.Equal(held, make([]byte, 6)) || u.pin != nil {
		t.Error("the PIN is not wiped")
	}
}

func TestAPINWithoutAnAnswerSaysSo(t *testing.T) {
	t.Parallel()
	key := &finger{}
	u, _ := using(t, key, "clientPin pinUvAuthToken", contract.CeremonyRequest{PIN: &contract.PINSource{Value: []byte("123456")}})
	u.key = gone{key}
	_, _, err := u.permit(uvAsk{requirement: webauthn.Required}, fido.PermitGetAssertion, "localhost")
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.KeyGone || e.Detail != errUnanswered.Error() {
		t.Errorf("%#v", err)
	}
}

func TestTheOverrideIsForOneAttempt(t *testing.T) {
	t.Parallel()
	key := &finger{pinFails: fido.CTAP2_ERR_PIN_INVALID}
	u, _ := using(t, key, "clientPin pinUvAuthToken", contract.CeremonyRequest{Override: true})
	entered := 0
	u.w.asks = func() bool { return false } // the key stays open
	u.w.pin = func(context.Context, pinAsk) ([]byte, Source, error) {
		entered++
		return []byte{'1', '2', '3', byte('0' + entered)}, Person, nil
	}
	*key.tries.PIN = 3
	_, _, err := u.permit(uvAsk{requirement: webauthn.Required}, fido.PermitGetAssertion, "localhost")
	if failure.CodeOf(err) != failure.PINTooFewTries || len(key.pins) != 1 {
		t.Errorf("%v, %d PINs", err, len(key.pins))
	}
}

func TestAPromptTakesOneAnswer(t *testing.T) {
	t.Parallel()
	a := &act{answers: make(chan answer, 1)}
	if err := a.take(answer{pin: []byte("1234")}); err != nil {
		t.Fatal(err)
	}
	second := []byte("1234")
	if err := a.take(answer{pin: second}); failure.CodeOf(err) != failure.CeremonyNoPrompt || !bytes.Equal(second, make([]byte, 4)) {
		t.Errorf("%v, %q", err, second)
	}
}

// gone is a key that goes while it compares a PIN.
type gone struct{ *finger }

func (gone) PINToken(context.Context, []byte, fido.Permissions, string) (*fido.Token, error) {
	return nil, fido.ErrGone
}
