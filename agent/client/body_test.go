package client

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"unicode/utf8"

	"authbridge/agent/contract"
)

// TestNoBodyIsLeftBehind: what net/http read from is wiped when it is closed,
// each copy for itself, and not before.
func TestNoBodyIsLeftBehind(t *testing.T) {
	text := []byte(`{"pin":"123456"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", nil)
	if err != nil {
		t.Fatal(err)
	}
	attach(r, text)
	if r.ContentLength != int64(len(text)) {
		t.Errorf("length %d", r.ContentLength)
	}
	again, err := r.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []io.ReadCloser{r.Body, again} {
		sent := body.(*sentBody)
		buffer := sent.text
		got, err := io.ReadAll(body)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q, %v", got, err)
		}
		if err := body.Close(); err != nil || bytes.Contains(buffer, []byte("1")) {
			t.Errorf("%v, left %q", err, buffer)
		}
		if n, err := body.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("read on: %d, %v", n, err)
		}
	}
}

// FuzzEncode: a PIN that is put in by hand is read as it was meant, and the
// rest is as encoding/json has it.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("123456"), "blue", `{"challenge":"AA"}`)
	f.Add([]byte{}, "", "1")
	f.Add([]byte("\"\\\x00\x1f\x7f<>&\u2028ä"), "", `{"pin":""}`)
	f.Fuzz(func(t *testing.T, pin []byte, name, options string) {
		if len(pin) == 0 {
			pin = nil
		}
		if !utf8.Valid(pin) || !utf8.ValidString(name) || !json.Valid([]byte(options)) {
			return
		}
		given := bytes.Clone(pin)
		request := contract.CeremonyRequest{Lease: name, Options: json.RawMessage(options), PIN: &contract.PINSource{Value: pin, Secret: name}}
		text, err := encode(request)
		if err != nil {
			t.Fatal(err)
		}
		var got contract.CeremonyRequest
		if err := json.Unmarshal(text, &got); err != nil || got.PIN == nil || !bytes.Equal(got.PIN.Value, given) && len(given) > 0 {
			t.Fatalf("%q became %s, %v", given, text, err)
		}
		if got.PIN.Secret != name || got.Lease != name {
			t.Errorf("%q became %q", name, got.PIN.Secret)
		}
		if !bytes.Equal(request.PIN.Value, given) {
			t.Errorf("the caller's PIN became %q", request.PIN.Value)
		}
		text, err = encode(contract.PINAnswer{PIN: pin})
		var answer contract.PINAnswer
		if err != nil || json.Unmarshal(text, &answer) != nil || !bytes.Equal(answer.PIN, given) {
			t.Errorf("%q became %s, %v", given, text, err)
		}
		text, err = encode(contract.LoginRequest{PIN: &contract.PINSource{Value: pin}, Tokens: &contract.LoginTokens{IDToken: pin, AccessToken: contract.Secret(name), Userinfo: json.RawMessage(options)}})
		var login contract.LoginRequest
		if err != nil || json.Unmarshal(text, &login) != nil || !bytes.Equal(login.PIN.Value, given) || !bytes.Equal(login.Tokens.IDToken, given) || string(login.Tokens.AccessToken) != name {
			t.Errorf("%q and %q became %s, %v", given, name, text, err)
		}
	})
}
