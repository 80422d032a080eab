package ceremony_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido/vkey"
)

// registered is what a relying party keeps of a RegistrationResponseJSON.
type registered struct {
	ID       string `json:"id"`
	Response struct {
		PublicKey  string   `json:"publicKey"`
		AuthData   string   `json:"authenticatorData"`
		Transports []string `json:"transports"`
	} `json:"response"`
	Results struct {
		CredProps *struct {
			RK bool `json:"rk"`
		} `json:"credProps"`
	} `json:"clientExtensionResults"`
}

func decoded(t testing.TB, text string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func registration(t testing.TB, c contract.Ceremony) registered {
	t.Helper()
	var r registered
	if err := json.Unmarshal(c.Result.Credential, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// verify checks an AuthenticationResponseJSON as a relying party does, and
// tells the flags and the user handle.
func (r registered) verify(t *testing.T, c contract.Ceremony) (flags byte, user string) {
	t.Helper()
	var a struct {
		ID       string `json:"id"`
		Response struct {
			ClientData string `json:"clientDataJSON"`
			AuthData   string `json:"authenticatorData"`
			Signature  string `json:"signature"`
			UserHandle string `json:"userHandle"`
		} `json:"response"`
	}
	if err := json.Unmarshal(c.Result.Credential, &a); err != nil {
		t.Fatal(err)
	}
	if a.ID != r.ID {
		t.Errorf("the credential is %s, want %s", a.ID, r.ID)
	}
	public, err := x509.ParsePKIXPublicKey(decoded(t, r.Response.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	authData := decoded(t, a.Response.AuthData)
	client := sha256.Sum256(decoded(t, a.Response.ClientData))
	digest := sha256.Sum256(append(bytes.Clone(authData), client[:]...))
	if !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], decoded(t, a.Response.Signature)) {
		t.Error("the signature does not verify")
	}
	return authData[32], a.Response.UserHandle
}

const (
	flagUP = 0x01
	flagUV = 0x04
)

func allow(r registered) string {
	return `"allowCredentials":[{"type":"public-key","id":"` + r.ID + `"}]`
}

func TestAKeyRegistersAndSignsIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	r := registration(t, d.does(ci, withPIN(creation(g), pin)))
	flags, _ := r.verify(t, d.does(ci, withPIN(request(g, allow(r)), pin)))
	if flags&(flagUP|flagUV) != flagUP|flagUV {
		t.Errorf("flags %02X", flags)
	}
	if remarks := d.close(g); remarks != nil {
		t.Errorf("remarks %q", remarks)
	}
	if d.rereads != 1 {
		t.Errorf("%d rereads", d.rereads)
	}
	if left, _ := d.store.Ceremonies(t.Context()); len(left) != 0 {
		t.Errorf("not over by the store: %+v", left)
	}
}

func TestNoPINIsAskedForWhereNoneIsNeeded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	r := registration(t, d.does(ci, creation(g, noUV)))
	flags, _ := r.verify(t, d.does(ci, request(g, allow(r), noUVOnGet)))
	if flags&flagUV != 0 {
		t.Errorf("flags %02X", flags)
	}
	if n := d.key.Stats().PINTries; n != 0 {
		t.Errorf("%d PINs were sent", n)
	}
}

func TestOnlyTheStatesThatAreNeededAreGoneThrough(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	c := d.does(ci, creation(d.lend("l1", ci), noUV))
	var states []contract.CeremonyState
	for _, s := range c.Steps {
		states = append(states, s.State)
	}
	if want := []contract.CeremonyState{"queued", "running", "done"}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.events) != 3 {
		t.Errorf("%d events", len(d.events))
	}
	for _, e := range d.events {
		if e.Owner == nil || e.Owner.TokenID != "t1" || e.Owner.Lease != "l1" || e.Ceremony.Result != nil || e.Text == "" {
			t.Errorf("event %+v", e)
		}
	}
}

func TestAPersonIsToldToTouchTheKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchCommand})
	c := d.begin(ci, creation(d.lend("l1", ci), noUV))
	at := d.reaches(c.ID, contract.CeremonyTouch)
	if at.Prompt == nil || at.Prompt.Kind != "touch" || at.Prompt.Text != "Touch virtual key blue, which blinks, for run 17" || at.Prompt.RPID != "localhost" || at.Prompt.Asker != "token ci" {
		t.Errorf("prompt %+v", at.Prompt)
	}
	if at.Deadline.Sub(at.StartedAt) != time.Minute {
		t.Errorf("deadline %v after %v", at.Deadline, at.StartedAt)
	}
	d.key.Touch()
	if c = d.await(c.ID); c.State != contract.CeremonyDone {
		t.Errorf("%s: %+v", c.State, c.Problem)
	}
}

func TestAPersonEntersThePIN(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	by := user
	by.Program = "node"
	c := d.begin(by, creation(d.lend("l1", user)))
	at := d.reaches(c.ID, contract.CeremonyPIN)
	if at.Prompt.RPID != "localhost" || at.Prompt.Asker != `program "node" of user 1000` {
		t.Errorf("prompt %+v", at.Prompt)
	}
	if at.Prompt == nil || at.Prompt.Text != "Enter the PIN of virtual key blue, for run 17" || at.Prompt.Again || at.Prompt.TriesLeft == nil || *at.Prompt.TriesLeft != 8 {
		t.Errorf("prompt %+v", at.Prompt)
	}
	wrong := []byte("000000")
	if err := d.c.Answer(soon(t), user, c.ID, wrong); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(wrong, make([]byte, 6)) {
		t.Error("the PIN that was answered is not wiped")
	}
	again := d.until("a second prompt", func(e contract.Event) bool {
		return e.Ceremony != nil && e.Ceremony.Prompt != nil && e.Ceremony.Prompt.Again
	})
	if n := again.Ceremony.Prompt.TriesLeft; n == nil || *n != 7 {
		t.Errorf("%v tries left", n)
	}
	// The same wrong one again costs nothing.
	seen := d.seenEvents()
	if err := d.c.Answer(soon(t), user, c.ID, []byte("000000")); err != nil {
		t.Fatal(err)
	}
	d.untilAfter(seen, "a third prompt", func(e contract.Event) bool { return e.Ceremony != nil && e.Ceremony.Prompt != nil })
	if err := d.c.Answer(soon(t), user, c.ID, []byte(pin)); err != nil {
		t.Fatal(err)
	}
	if c = d.await(c.ID); c.State != contract.CeremonyDone {
		t.Errorf("%s: %+v", c.State, c.Problem)
	}
	if n := d.key.Stats().PINTries; n != 2 {
		t.Errorf("%d PINs were sent", n)
	}
	if blocks := d.c.Blocks(); len(blocks) != 0 {
		t.Errorf("blocks %v", blocks)
	}
}

func TestOnlyTheOwnerAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", user)
	c := d.begin(user, creation(g))
	d.reaches(c.ID, contract.CeremonyPIN)
	other := user
	other.Name = "user 1001"
	own := ci
	own.Lease = "l2"
	for _, who := range []callerOf{ci, other, own} {
		if err := d.c.Answer(soon(t), who, c.ID, []byte(pin)); failure.CodeOf(err) != failure.LeaseNotYours {
			t.Errorf("%+v: %v", who, err)
		}
	}
	if err := d.c.Answer(soon(t), user, "ceremony-0", []byte(pin)); failure.CodeOf(err) != failure.CeremonyUnknown {
		t.Error(err)
	}
	if err := d.c.Answer(soon(t), user, c.ID, []byte("1")); failure.CodeOf(err) != failure.PINFormat {
		t.Error(err)
	}
	// The lease's own token is its owner's, and no person.
	token := callerOf{}
	token.Owner = contract.Owner{Lease: "l1", Name: "lease l1"}
	if err := d.c.Answer(soon(t), token, c.ID, []byte("000000")); err != nil {
		t.Fatal(err)
	}
	d.isFailed(d.await(c.ID), contract.CeremonyFailed, failure.PINRefused)
	if blocks := d.c.Blocks(); len(blocks) != 1 || blocks[0].Source != "requests of user 1000" {
		t.Errorf("blocks %v", blocks)
	}
	if err := d.c.Answer(soon(t), user, c.ID, []byte(pin)); failure.CodeOf(err) != failure.CeremonyOver {
		t.Error(err)
	}
}

func TestAWrongPINOfARequestIsSentOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	c := d.fails(ci, withPIN(creation(g), "000000"), contract.CeremonyFailed, failure.PINRefused)
	if !strings.Contains(c.Problem.Detail, "CTAP2_ERR_PIN_INVALID") {
		t.Errorf("detail %q", c.Problem.Detail)
	}
	d.fails(ci, withPIN(creation(g), "000000"), contract.CeremonyFailed, failure.PINRefusedBefore)
	d.fails(ci, withPIN(creation(g), pin), contract.CeremonyFailed, failure.PINSourceBlocked)
	if blocks := d.c.Blocks(); len(blocks) != 1 || blocks[0].Source != "requests of token ci" {
		t.Errorf("blocks %v", blocks)
	}
	if n := d.key.Stats().PINTries; n != 1 {
		t.Errorf("%d PINs were sent", n)
	}
	if err := d.c.Unblock(soon(t), "key-blue"); err != nil {
		t.Fatal(err)
	}
	d.does(ci, withPIN(creation(g), pin))
}

func TestALeasesOwnTokenIsNoNewSource(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	token := callerOf{}
	token.Owner = contract.Owner{Lease: "l1", Name: "lease l1"}
	d.fails(token, withPIN(creation(g), "000000"), contract.CeremonyFailed, failure.PINRefused)
	if blocks := d.c.Blocks(); len(blocks) != 1 || blocks[0].Source != "requests of token ci" {
		t.Errorf("blocks %v", blocks)
	}
	named := withPIN(creation(g), pin)
	named.PIN.Secret = "blue-pin" // which anybody could think of
	d.fails(token, named, contract.CeremonyFailed, failure.PINSourceBlocked)
	if err := d.c.Unblock(soon(t), "key-blue"); err != nil {
		t.Fatal(err)
	}
	named = withPIN(creation(g), pin)
	named.PIN.Secret = "blue-pin"
	d.does(token, named)
}

func TestAFewTriesAreNeverSpent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", user)
	for i := range 5 {
		if i == 3 { // after three in a row the key wants to be unplugged
			c := d.fails(user, withPIN(creation(g), "700000"), contract.CeremonyFailed, failure.PINTooFewTries)
			if !strings.Contains(c.Problem.Detail, "unplugged") {
				t.Errorf("detail %q", c.Problem.Detail)
			}
			d.unplug()
			d.plug()
		}
		d.fails(user, withPIN(creation(g), "60000"+string(rune('0'+i))), contract.CeremonyFailed, failure.PINRefused)
		if err := d.c.Unblock(soon(t), "key-blue"); err != nil {
			t.Fatal(err)
		}
	}
	d.unplug()
	d.plug()
	d.fails(user, withPIN(creation(g), pin), contract.CeremonyFailed, failure.PINTooFewTries)
	d.fails(user, creation(g), contract.CeremonyFailed, failure.PINTooFewTries) // nobody is asked in vain
	if n := d.key.Stats().PINTries; n != 5 {
		t.Errorf("%d PINs were sent", n)
	}
	override := withPIN(creation(g), pin)
	override.Override = true
	d.refuses(withoutRights(user), override, failure.PhysicalRight)
	override.PIN.Value = []byte(pin) // the other is wiped
	d.does(user, override)
}

func TestThePINOfAFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	d.stop()
	d.policy.PINs = boundTo("key-blue", "mock")
	held := []byte(pin)
	var failing error
	d.readPIN = func(file string) ([]byte, error) {
		if file != "/etc/blue.pin" {
			t.Errorf("file %s", file)
		}
		return bytes.Clone(held), failing
	}
	d.start()
	g := d.lend("l1", ci)
	d.does(ci, creation(g))
	held = []byte("000000")
	d.fails(ci, creation(g), contract.CeremonyFailed, failure.PINRefused)
	if blocks := d.c.Blocks(); len(blocks) != 1 || blocks[0].Source != "file blue.pin" {
		t.Errorf("blocks %v", blocks)
	}
	for _, c := range []struct {
		err    error
		detail string
	}{
		{&fs.PathError{Op: "lstat", Path: "/etc/blue.pin", Err: fs.ErrNotExist}, "blue.pin is not there"},
		{&fs.PathError{Op: "read", Path: "/etc/blue.pin", Err: errors.New("mode 0644")}, "blue.pin: mode 0644"},
		{context.DeadlineExceeded, "blue.pin"},
	} {
		failing = c.err
		if over := d.fails(ci, creation(g), contract.CeremonyFailed, failure.PINFile); over.Problem.Detail != c.detail {
			t.Errorf("detail %q, want %q", over.Problem.Detail, c.detail)
		}
	}
	failing, held = nil, []byte("1")
	d.fails(ci, creation(g), contract.CeremonyFailed, failure.PINFile)
	// A person is asked who wants to be.
	ask := creation(g)
	ask.PIN = &contract.PINSource{Ask: true}
	c := d.begin(ci, ask)
	d.reaches(c.ID, contract.CeremonyPIN)
	if err := d.c.Answer(soon(t), ci, c.ID, []byte(pin)); err == nil {
		d.await(c.ID)
	} else {
		t.Error(err)
	}
}

func TestADiscoverableCredentialIsDeletedAtTheEnd(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	r := registration(t, d.does(ci, withPIN(creation(g, residentKey, `"extensions":{"credProps":true}`), pin)))
	if r.Results.CredProps == nil || !r.Results.CredProps.RK {
		t.Error("credProps does not say that it is discoverable")
	}
	_, handle := r.verify(t, d.does(ci, withPIN(request(g), pin)))
	if handle != "dXNlcg" {
		t.Errorf("user handle %q", handle)
	}
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 1 || traces[0].RPID != "localhost" || string(traces[0].User) != "user" {
		t.Errorf("traces %+v", traces)
	}
	tries := d.key.Stats().PINTries
	if remarks := d.close(g); len(remarks) != 1 || !strings.Contains(remarks[0], "deleted") {
		t.Errorf("remarks %q", remarks)
	}
	if n := d.key.Stats().PINTries; n != tries {
		t.Errorf("%d PINs were sent to leave the key", n-tries)
	}
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 0 {
		t.Errorf("traces %+v", traces)
	}
	g = d.lend("l2", ci)
	d.fails(ci, withPIN(request(g), pin), contract.CeremonyFailed, failure.WebAuthnNone)
}

func TestKeepKeeps(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	d.close(g)
	g.Keep = true
	d.open(g)
	r := registration(t, d.does(ci, withPIN(creation(g, residentKey), pin)))
	if remarks := d.close(g); remarks != nil {
		t.Errorf("remarks %q", remarks)
	}
	r.verify(t, d.does(ci, withPIN(request(d.lend("l2", ci)), pin)))
}

func TestWhatCannotBeDeletedAfterARestartIsTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	d.does(ci, withPIN(creation(g, residentKey), pin))
	before, _ := d.store.Traces(t.Context(), "l1")
	d.stop() // leaves the key
	d.store.traces = before
	d.start()
	d.open(g)
	d.stop() // has nobody to tell
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 1 {
		t.Errorf("traces %+v", traces)
	}
	d.start()
	d.open(g)
	remarks := d.close(g)
	if len(remarks) != 1 || !strings.Contains(remarks[0], "may still hold") || !strings.Contains(remarks[0], "localhost") {
		t.Errorf("remarks %q", remarks)
	}
	// And it is told once.
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 0 {
		t.Errorf("traces %+v", traces)
	}
}

func TestAPhysicalKeyKeepsNothingUnlessAskedTo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	d.origin = contract.Physical
	g := d.lend("l1", ci)
	r := registration(t, d.does(ci, withPIN(creation(g, `"authenticatorSelection":{"residentKey":"preferred"}`, `"extensions":{"credProps":true}`), pin)))
	if r.Results.CredProps == nil || r.Results.CredProps.RK {
		t.Error("the credential is discoverable")
	}
	d.does(ci, withPIN(creation(g, residentKey), pin))
	// The same account again would overwrite the first.
	d.fails(ci, withPIN(creation(g, residentKey), pin), contract.CeremonyFailed, failure.KeyKnowsAccount)
	if remarks := d.close(g); len(remarks) != 1 || !strings.HasSuffix(remarks[0], ": 1") {
		t.Errorf("remarks %q", remarks)
	}
}

// TestAPhysicalKeyThatDoesNotTellKeepsNothing: it might overwrite a credential.
func TestAPhysicalKeyThatDoesNotTellKeepsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.NoPIN}}})
	discoverable := `"authenticatorSelection":{"residentKey":"required","userVerification":"discouraged"}`
	g := d.grant("l1", ci)
	g.Keep = true
	d.open(g)
	d.does(ci, creation(g, discoverable)) // a virtual one is nobody's
	d.close(g)
	d.origin = contract.Physical
	g = d.grant("l2", ci)
	g.Keep = true
	d.open(g)
	d.fails(ci, creation(g, discoverable), contract.CeremonyFailed, failure.WebAuthnUnable)
	d.does(ci, creation(g, noUV))
}

func TestAVirtualKeyKeepsWhatIsPreferred(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	d.does(ci, withPIN(creation(g, `"authenticatorSelection":{"residentKey":"preferred"}`), pin))
	d.does(ci, withPIN(request(g), pin))
}

func TestAKeyThatCannotDeleteMakesNothingDiscoverable(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.NoPIN}}})
	g := d.lend("l1", ci)
	d.fails(ci, creation(g, `"authenticatorSelection":{"residentKey":"required","userVerification":"discouraged"}`), contract.CeremonyFailed, failure.KeyCannotDelete)
	d.does(ci, creation(g, `"authenticatorSelection":{"residentKey":"preferred"}`))
	d.fails(ci, creation(g, uvOnCreation), contract.CeremonyFailed, failure.WebAuthnUnable)
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 0 {
		t.Errorf("traces %+v", traces)
	}
}

func TestSeveralAccounts(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	d.does(ci, withPIN(creation(g, residentKey), pin))
	second := withPIN(creation(g, residentKey), pin)
	second.Options = bytes.Replace(second.Options, []byte(`"id":"dXNlcg","name":"ann"`), []byte(`"id":"b3RoZXI","name":"bob"`), 1)
	d.does(ci, second)
	handle := func(account string) string {
		r := withPIN(request(g), pin)
		r.Account = account
		c := d.does(ci, r)
		if len(c.Result.Accounts) != 2 {
			t.Errorf("accounts %+v", c.Result.Accounts)
		}
		var a struct {
			Response struct {
				UserHandle string `json:"userHandle"`
			} `json:"response"`
		}
		if err := json.Unmarshal(c.Result.Credential, &a); err != nil {
			t.Fatal(err)
		}
		return a.Response.UserHandle
	}
	for account, want := range map[string]string{"": "b3RoZXI", "ann": "dXNlcg", "bob": "b3RoZXI", "dXNlcg": "dXNlcg"} {
		if got := handle(account); got != want {
			t.Errorf("account %q: %q, want %q", account, got, want)
		}
	}
	r := withPIN(request(g), pin)
	r.Account = "eve"
	d.fails(ci, r, contract.CeremonyFailed, failure.WebAuthnNone)
	if remarks := d.close(g); len(remarks) != 1 || !strings.HasSuffix(remarks[0], ": 2") {
		t.Errorf("remarks %q", remarks)
	}
}

func TestAnExcludedCredential(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	r := registration(t, d.does(ci, creation(g, noUV)))
	c := d.fails(ci, creation(g, noUV, `"excludeCredentials":[{"type":"public-key","id":"`+r.ID+`"}]`), contract.CeremonyFailed, failure.WebAuthnExcluded)
	if c.Problem.DOMException != "InvalidStateError" || !strings.Contains(c.Problem.Detail, "0x19") {
		t.Errorf("problem %+v", c.Problem)
	}
	d.fails(ci, request(g, `"allowCredentials":[{"type":"public-key","id":"AAEC"}]`, noUVOnGet), contract.CeremonyFailed, failure.WebAuthnNone)
	// What the key refused to make needs no deletion.
	d.fails(ci, withPIN(creation(g, residentKey, `"excludeCredentials":[{"type":"public-key","id":"`+r.ID+`"}]`), pin), contract.CeremonyFailed, failure.WebAuthnExcluded)
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 0 {
		t.Errorf("traces %+v", traces)
	}
}
