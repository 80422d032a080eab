package ceremony_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido/vkey"
)

func TestWhatIsRefusedBeforeItBegins(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	messages := d.key.Stats().Messages
	base := func(change func(*contract.CeremonyRequest)) contract.CeremonyRequest {
		r := creation(g)
		change(&r)
		return r
	}
	other := ci
	other.TokenID = "t2"
	for name, row := range map[string]struct {
		by      callerOf
		request contract.CeremonyRequest
		code    failure.Code
	}{
		"no such lease":   {ci, base(func(r *contract.CeremonyRequest) { r.Lease = "l2" }), failure.LeaseUnknown},
		"another's lease": {other, creation(g), failure.LeaseNotYours},
		"a user's":        {user, creation(g), failure.LeaseNotYours},
		"an older fence":  {ci, base(func(r *contract.CeremonyRequest) { r.Fence = 6 }), failure.LeaseFenced},
		"a fence to come": {ci, base(func(r *contract.CeremonyRequest) { r.Fence = 8 }), failure.LeaseFenced},
		"no type":         {ci, base(func(r *contract.CeremonyRequest) { r.Type = "" }), failure.BadRequest},
		"a card's":        {ci, base(func(r *contract.CeremonyRequest) { r.Type = contract.CeremonySign }), failure.CeremonyKind},
		"no options":      {ci, base(func(r *contract.CeremonyRequest) { r.Options = nil }), failure.WebAuthnOptions},
		"no challenge":    {ci, base(func(r *contract.CeremonyRequest) { r.Options = []byte(`{"rp":{"name":"x"}}`) }), failure.WebAuthnOptions},
		"an IP address":   {ci, base(func(r *contract.CeremonyRequest) { r.Origin = "http://127.0.0.1:3000" }), failure.WebAuthnOrigin},
		"another's RP ID": {ci, base(func(r *contract.CeremonyRequest) {
			r.Options = bytes.Replace(r.Options, []byte("localhost"), []byte("nhs.uk"), 1)
		}), failure.WebAuthnRPID},
		"not on the list":    {ci, base(func(r *contract.CeremonyRequest) { r.Origin = "https://localhost:3000" }), failure.WebAuthnNotListed},
		"no PIN in it":       {ci, base(func(r *contract.CeremonyRequest) { r.PIN = &contract.PINSource{} }), failure.BadRequest},
		"a name for no PIN":  {ci, base(func(r *contract.CeremonyRequest) { r.PIN = &contract.PINSource{Ask: true, Secret: "x"} }), failure.BadRequest},
		"two places":         {ci, base(func(r *contract.CeremonyRequest) { r.PIN = &contract.PINSource{Ask: true, Value: []byte(pin)} }), failure.BadRequest},
		"a short PIN":        {ci, withPIN(creation(g), "123"), failure.PINFormat},
		"a long PIN":         {ci, withPIN(creation(g), strings.Repeat("1", 64)), failure.PINFormat},
		"override":           {ci, base(func(r *contract.CeremonyRequest) { r.Override = true }), failure.PhysicalRight},
		"no time":            {ci, base(func(r *contract.CeremonyRequest) { r.Timeout = "999ms" }), failure.BadRequest},
		"too much time":      {ci, base(func(r *contract.CeremonyRequest) { r.Timeout = "10m1s" }), failure.BadRequest},
		"no duration":        {ci, base(func(r *contract.CeremonyRequest) { r.Timeout = "soon" }), failure.BadRequest},
		"malformed requests": {ci, base(func(r *contract.CeremonyRequest) { r.Type, r.Options = contract.CeremonyGet, []byte(`{`) }), failure.WebAuthnOptions},
	} {
		t.Run(name, func(t *testing.T) {
			d.refuses(row.by, row.request, row.code)
		})
	}
	if n := d.key.Stats().Messages; n != messages {
		t.Errorf("the key got %d messages", n-messages)
	}
	if len(d.events) != 0 || len(d.store.ceremonies) != 0 {
		t.Errorf("%d events, %d ceremonies", len(d.events), len(d.store.ceremonies))
	}
}

// TestALivePINComesFromAPerson: neither from a request nor from a file.
func TestALivePINComesFromAPerson(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	d.stop()
	d.environment, d.policy.PINs = "live", boundTo("key-blue", "mock")
	d.readPIN = func(string) ([]byte, error) {
		t.Error("a file was read")
		return nil, nil
	}
	d.start()
	g := d.lend("l1", user)
	d.refuses(user, withPIN(creation(g), pin), failure.PINPersonOnly)
	c := d.begin(user, creation(g))
	d.reaches(c.ID, contract.CeremonyPIN)
	if err := d.c.Answer(soon(t), user, c.ID, []byte(pin)); err != nil {
		t.Fatal(err)
	}
	d.await(c.ID)
}

func TestThePINOfARefusedRequestIsWiped(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	refused := withPIN(creation(g), pin)
	refused.Fence++
	value := refused.PIN.Value
	d.refuses(ci, refused, failure.LeaseFenced)
	done := withPIN(creation(g), pin)
	kept := done.PIN.Value
	d.does(ci, done)
	for _, v := range [][]byte{value, kept} {
		if !bytes.Equal(v, make([]byte, len(pin))) {
			t.Error("a PIN is not wiped")
		}
	}
}

func TestNoCeremonyWaitsForAnAnswerTwice(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchCommand})
	g := d.lend("l1", user)
	c := d.begin(user, creation(g))
	d.reaches(c.ID, contract.CeremonyPIN)
	if err := d.c.Answer(soon(t), user, c.ID, []byte(pin)); err != nil {
		t.Fatal(err)
	}
	d.reaches(c.ID, contract.CeremonyTouch)
	if err := d.c.Answer(soon(t), user, c.ID, []byte(pin)); failure.CodeOf(err) != failure.CeremonyNoPrompt {
		t.Error(err)
	}
	d.key.Touch()
	d.await(c.ID)
}

func TestUnknownCeremonies(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	if _, _, ok := d.c.Ceremony("ceremony-0"); ok {
		t.Error("there is one")
	}
	if _, err := d.c.Await(soon(t), "ceremony-0"); failure.CodeOf(err) != failure.CeremonyUnknown {
		t.Error(err)
	}
	if _, err := d.c.Cancel(soon(t), "ceremony-0"); failure.CodeOf(err) != failure.CeremonyUnknown {
		t.Error(err)
	}
	if remarks := d.c.Close(soon(t), "l9", contract.EndReleased); remarks != nil {
		t.Errorf("remarks %q", remarks)
	}
}

func TestCeremoniesAreForgottenAfterAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, vkey.Config{})
		g := d.lend("l1", ci)
		first := d.does(ci, creation(g, noUV))
		for range 256 {
			d.fails(ci, creation(g, `"authenticatorSelection":{"authenticatorAttachment":"platform"}`), contract.CeremonyFailed, failure.WebAuthnUnable)
		}
		if n := len(d.c.Ceremonies()); n != 256 {
			t.Errorf("%d are kept", n)
		}
		if _, _, ok := d.c.Ceremony(first.ID); ok {
			t.Error("the first is kept")
		}
		last := d.does(ci, creation(g, noUV))
		time.Sleep(9 * time.Minute) //nolint:forbidigo // the clock of the bubble
		if _, _, ok := d.c.Ceremony(last.ID); !ok {
			t.Error("the last is forgotten")
		}
		time.Sleep(2 * time.Minute) //nolint:forbidigo // the clock of the bubble
		if n := len(d.c.Ceremonies()); n != 0 {
			t.Errorf("%d are kept", n)
		}
	})
}
