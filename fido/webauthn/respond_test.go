package webauthn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"
)

func creation(t testing.TB, options fields) *Creation {
	t.Helper()
	c, err := ParseCreation(options.json(t), org, orgs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(t testing.TB, options fields) *Request {
	t.Helper()
	r, err := ParseRequest(options.json(t), org, orgs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRegistrationResponse(t *testing.T) {
	t.Parallel()
	c := creation(t, create.with("extensions", fields{"credProps": true}))
	key := newSoftKey(t, ES256)
	answer := key.make(t, c, UserPresent)
	answer.Transports = []string{"usb", "smoke", "nfc", "usb"}
	answer.Discoverable = true
	response, err := c.Respond(answer)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAuthData(answer.AuthData)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(response, &got); err != nil {
		t.Fatal(err)
	}
	object := append([]byte("\xa3\x63fmt\x66packed\x67attStmt"), answer.Statement...)
	object = append(append(object, "\x68authData"...), cborOf(t, answer.AuthData)...)
	want := map[string]any{
		"id": raw64(key.id), "rawId": raw64(key.id), "type": "public-key", "authenticatorAttachment": "cross-platform",
		"clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": true}},
		"response": map[string]any{
			"clientDataJSON": raw64(c.ClientData), "authenticatorData": raw64(answer.AuthData),
			"transports": []any{"nfc", "usb"}, "publicKey": raw64(a.PublicKey.SPKI()), "publicKeyAlgorithm": float64(-7),
			"attestationObject": raw64(object),
		},
	}
	if g, w := fields(got.(map[string]any)).json(t), fields(want).json(t); !bytes.Equal(g, w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func TestAttestationConveyance(t *testing.T) {
	t.Parallel()
	certified := map[string]any{"alg": -7, "sig": []byte{1}, "x5c": [][]byte{{1}}}
	self := map[string]any{"alg": -7, "sig": []byte{1}}
	for _, row := range []struct {
		what, attestation, format string
		aaguid                    byte
		statement                 map[string]any
		want                      string
		kept                      bool // the statement
	}{
		{"none of a certified key", "none", "packed", 1, certified, "none", false},
		{"none of a certified key without a model", "none", "packed", 0, certified, "none", false},
		{"none of self attestation", "none", "packed", 1, self, "none", false},
		{"none of self attestation without a model", "none", "packed", 0, self, "packed", true},
		{"none of U2F", "none", "fido-u2f", 0, map[string]any{"sig": []byte{1}}, "none", false},
		{"none of none", "none", "none", 1, map[string]any{}, "none", true},
		{"indirect", "indirect", "packed", 1, certified, "packed", true},
		{"direct", "direct", "packed", 1, certified, "packed", true},
		{"direct, another format", "direct", "fido-u2f", 0, map[string]any{"sig": []byte{1}}, "fido-u2f", true},
		{"enterprise", "enterprise", "packed", 1, certified, "packed", true},
	} {
		c := creation(t, create.with("attestation", row.attestation))
		key := newSoftKey(t, ES256)
		key.aaguid[0] = row.aaguid
		answer := key.make(t, c, UserPresent)
		answer.Format, answer.Statement = row.format, cborOf(t, row.statement)
		response, err := c.Respond(answer)
		if err != nil {
			t.Errorf("%s: %v", row.what, err)
			continue
		}
		var got struct {
			Response struct{ AttestationObject octets64 }
		}
		if err := json.Unmarshal(response, &got); err != nil {
			t.Fatal(err)
		}
		back := made(t, got.Response.AttestationObject)
		if back.Format != row.want || bytes.Equal(back.Statement, answer.Statement) != row.kept || !bytes.Equal(back.AuthData, answer.AuthData) {
			t.Errorf("%s: %s %x", row.what, back.Format, back.Statement)
		}
	}
}

// octets64 are octets that JSON has in base64url.
type octets64 []byte

func (o *octets64) UnmarshalText(text []byte) (err error) {
	*o, err = base64.RawURLEncoding.Strict().DecodeString(string(text))
	return err
}

func TestKeysAnswersAreChecked(t *testing.T) {
	t.Parallel()
	required := fields{"userVerification": "required"}
	enforced := fields{"credentialProtectionPolicy": "userVerificationRequired", "enforceCredentialProtectionPolicy": true}
	const up, uv, at, ed = UserPresent, UserVerified, AttestedCredentialData, ExtensionData
	for _, row := range []struct {
		what    string
		options fields
		alg     int64
		data    func(*authData)
		made    func(*Made)
		name    ErrorName
		kind    Kind
		field   string
	}{
		{what: "good", options: create},
		{what: "verified though nobody asked", options: create, data: func(a *authData) { a.flags |= uv }},
		{what: "of another RP ID", options: create, data: func(a *authData) { a.rpID = "example.com" }, name: NotAllowedError, kind: BadAnswer, field: "rpIdHash"},
		{what: "nobody present", options: create, data: func(a *authData) { a.flags = at | uv }, name: NotAllowedError, kind: BadAnswer, field: "flags"},
		{what: "not verified", options: create.with("authenticatorSelection", required), name: NotAllowedError, kind: Unverified, field: "flags"},
		{what: "verified", options: create.with("authenticatorSelection", required), data: func(a *authData) { a.flags |= uv }},
		{what: "without a credential", options: create, data: func(a *authData) { a.flags = up }, name: NotAllowedError, kind: BadAnswer, field: "authenticatorData"},
		{what: "of another algorithm", options: create, alg: EdDSA, name: NotAllowedError, kind: BadAnswer, field: "credentialPublicKey"},
		{what: "cut off", options: create, made: func(m *Made) { m.AuthData = m.AuthData[:40] }, name: NotAllowedError, kind: BadAnswer, field: "attestedCredentialData"},
		{what: "no format", options: create, made: func(m *Made) { m.Format = "" }, name: NotAllowedError, kind: BadAnswer, field: "fmt"},
		{what: "no statement", options: create, made: func(m *Made) { m.Format, m.Statement = "packed", nil }, name: NotAllowedError, kind: BadAnswer, field: "attStmt"},
		{what: "no statement where there is none", options: create, made: func(m *Made) { m.Format, m.Statement = "none", nil }},
		{what: "a statement that is no map", options: create, made: func(m *Made) { m.Statement = []byte{0x80} }, name: NotAllowedError, kind: BadAnswer, field: "attStmt"},
		{what: "two statements", options: create, made: func(m *Made) { m.Statement = []byte{0xa0, 0xa0} }, name: NotAllowedError, kind: BadAnswer, field: "attStmt"},
		{what: "not protected", options: create.with("extensions", enforced), name: NotAllowedError, kind: Unprotected, field: "credProtect"},
		{what: "protected less", options: create.with("extensions", enforced), data: func(a *authData) {
			a.flags |= ed
			a.extensions = []byte("\xa1\x6bcredProtect\x02")
		}, name: NotAllowedError, kind: Unprotected, field: "credProtect"},
		{what: "protected", options: create.with("extensions", enforced), data: func(a *authData) {
			a.flags |= ed
			a.extensions = []byte("\xa1\x6bcredProtect\x03")
		}},
		{what: "protection not enforced", options: create.with("extensions", fields{"credentialProtectionPolicy": "userVerificationRequired"})},
		{what: "the least protection enforced", options: create.with("extensions", enforced.with("credentialProtectionPolicy", "userVerificationOptional"))},
	} {
		t.Run(row.what, func(t *testing.T) {
			t.Parallel()
			c := creation(t, row.options)
			alg := row.alg
			if alg == 0 {
				alg = ES256
			}
			key := newSoftKey(t, alg)
			data := key.authData(t, c.RPID, up|at)
			if row.data != nil {
				row.data(&data)
			}
			answer := Made{Format: "none", Statement: none, AuthData: data.bytes()}
			if row.made != nil {
				row.made(&answer)
			}
			response, err := c.Respond(answer)
			wantError(t, err, row.name, row.kind, row.field)
			if (err == nil) != json.Valid(response) {
				t.Errorf("%s with %v", response, err)
			}
		})
	}
}

func TestAssertionsAreChecked(t *testing.T) {
	t.Parallel()
	allow := func(ids ...string) fields {
		var list []any
		for _, id := range ids {
			list = append(list, fields{"type": "public-key", "id": raw64([]byte(id))})
		}
		return get.with("allowCredentials", list)
	}
	for _, row := range []struct {
		what    string
		options fields
		spoil   func(*authData, *Asserted)
		id      string // in the response
		name    ErrorName
		kind    Kind
		field   string
	}{
		{what: "allowed", options: allow("other", "mine"), id: "mine"},
		{what: "any", options: get, spoil: func(_ *authData, a *Asserted) { a.UserHandle = []byte("me") }, id: "mine"},
		{what: "the one that was allowed", options: allow("one"), spoil: func(_ *authData, a *Asserted) { a.CredentialID = nil }, id: "one"},
		{what: "one of two", options: allow("one", "two"), spoil: func(_ *authData, a *Asserted) { a.CredentialID = nil }, name: NotAllowedError, kind: BadAnswer, field: "credential"},
		{what: "not allowed", options: allow("one", "two"), name: NotAllowedError, kind: BadAnswer, field: "credential"},
		{what: "any, of nobody", options: get, name: NotAllowedError, kind: BadAnswer, field: "userHandle"},
		{what: "a long handle", options: allow("mine"), spoil: func(_ *authData, a *Asserted) { a.UserHandle = make([]byte, 65) }, name: NotAllowedError, kind: BadAnswer, field: "userHandle"},
		{what: "no signature", options: allow("mine"), spoil: func(_ *authData, a *Asserted) { a.Signature = nil }, name: NotAllowedError, kind: BadAnswer, field: "signature"},
		{what: "of another RP ID", options: allow("mine"), spoil: func(d *authData, _ *Asserted) { d.rpID = "localhost" }, name: NotAllowedError, kind: BadAnswer, field: "rpIdHash"},
		{what: "nobody present", options: allow("mine"), spoil: func(d *authData, _ *Asserted) { d.flags = UserVerified }, name: NotAllowedError, kind: BadAnswer, field: "flags"},
		{what: "not verified", options: allow("mine").with("userVerification", "required"), name: NotAllowedError, kind: Unverified, field: "flags"},
		{what: "a credential in it", options: allow("mine"), spoil: func(d *authData, _ *Asserted) {
			d.flags, d.id, d.cose = UserPresent|AttestedCredentialData, []byte{1}, cborOf(t, p256(t))
		}, name: NotAllowedError, kind: BadAnswer, field: "authenticatorData"},
		{what: "extensions", options: allow("mine"), spoil: func(d *authData, _ *Asserted) { d.flags, d.extensions = UserPresent|ExtensionData, []byte{0xa0} }, id: "mine"},
	} {
		t.Run(row.what, func(t *testing.T) {
			t.Parallel()
			r := request(t, row.options)
			data := authData{rpID: r.RPID, flags: UserPresent}
			answer := Asserted{CredentialID: []byte("mine"), Signature: []byte{1}}
			if row.spoil != nil {
				row.spoil(&data, &answer)
			}
			answer.AuthData = data.bytes()
			response, err := r.Respond(answer)
			wantError(t, err, row.name, row.kind, row.field)
			if err != nil {
				return
			}
			want := fields{
				"id": raw64([]byte(row.id)), "rawId": raw64([]byte(row.id)), "type": "public-key",
				"authenticatorAttachment": "cross-platform", "clientExtensionResults": fields{},
			}
			inner := fields{"clientDataJSON": raw64(r.ClientData), "authenticatorData": raw64(answer.AuthData), "signature": "AQ"}
			if answer.UserHandle != nil {
				inner["userHandle"] = raw64(answer.UserHandle)
			}
			var got fields
			if err := json.Unmarshal(response, &got); err != nil {
				t.Fatal(err)
			}
			if g, w := got.json(t), want.with("response", inner).json(t); !bytes.Equal(g, w) {
				t.Errorf("got  %s\nwant %s", g, w)
			}
		})
	}
}

func BenchmarkCreation(b *testing.B) {
	options := create.json(b)
	answer := newSoftKey(b, ES256).make(b, creation(b, create), UserPresent)
	b.ReportAllocs()
	for b.Loop() {
		c, err := ParseCreation(options, org, orgs)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Respond(answer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	options := get.with("allowCredentials", []any{fields{"type": "public-key", "id": raw64(make([]byte, 64))}}).json(b)
	answer := Asserted{AuthData: authData{rpID: "example.org", flags: UserPresent}.bytes(), Signature: []byte{1}}
	b.ReportAllocs()
	for b.Loop() {
		r, err := ParseRequest(options, org, orgs)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Respond(answer); err != nil {
			b.Fatal(err)
		}
	}
}
