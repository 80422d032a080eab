package vkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

var clientDataHash = bytes.Repeat([]byte{0xcd}, 32)

// wish is an authenticatorMakeCredential request as a map, to be spoilt.
func wish(edit ...func(m map[int]any)) map[int]any {
	m := map[int]any{
		1: clientDataHash,
		2: map[string]any{"id": "localhost", "name": "Local"},
		3: map[string]any{"id": []byte("user 1"), "name": "jo", "displayName": "Jo"},
		4: []any{map[string]any{"alg": -7, "type": "public-key"}},
	}
	for _, e := range edit {
		e(m)
	}
	return m
}

func option(name string, value bool) func(m map[int]any) {
	return func(m map[int]any) {
		o, _ := m[7].(map[string]any)
		if o == nil {
			o = map[string]any{}
		}
		o[name] = value
		m[7] = o
	}
}

func extension(name string, value any) func(m map[int]any) {
	return func(m map[int]any) { m[6] = map[string]any{name: value} }
}

func user(id string) func(m map[int]any) {
	return func(m map[int]any) { m[3] = map[string]any{"id": []byte(id), "name": "name of " + id} }
}

// authorized adds the proof of a token.
func (p *platform) authorized(token []byte) func(m map[int]any) {
	return func(m map[int]any) { m[8], m[9] = p.mac(token, clientDataHash), p.version }
}

// authData is authenticator data, taken apart.
type authData struct {
	raw        []byte
	rpIDHash   []byte
	flags      byte
	count      uint32
	aaguid     []byte
	id         []byte
	public     *ecdsa.PublicKey
	extensions map[string]any
}

func parseAuthData(t *testing.T, raw []byte) authData {
	t.Helper()
	d := authData{raw: raw, rpIDHash: raw[:32], flags: raw[32], count: binary.BigEndian.Uint32(raw[33:])}
	rest := raw[37:]
	var err error
	if d.flags&flagAT != 0 {
		n := int(binary.BigEndian.Uint16(rest[16:]))
		d.aaguid, d.id = rest[:16], rest[18:18+n]
		var key coseKey
		if rest, err = cbor.UnmarshalFirst(rest[18+n:], &key); err != nil {
			t.Fatal(err)
		}
		if key.Kty != ktyEC2 || key.Alg != algES256 || key.Crv != crvP256 {
			t.Errorf("the public key is %+v", key)
		}
		if d.public, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, key.X, key.Y)); err != nil {
			t.Fatal(err)
		}
	}
	if d.flags&flagED != 0 {
		if rest, err = cbor.UnmarshalFirst(rest, &d.extensions); err != nil {
			t.Fatal(err)
		}
	}
	if len(rest) != 0 {
		t.Errorf("%x follows the authenticator data", rest)
	}
	if sum := sha256.Sum256([]byte("localhost")); !bytes.Equal(d.rpIDHash, sum[:]) {
		t.Error("the RP ID hash is not that of localhost")
	}
	return d
}

func verify(t *testing.T, public *ecdsa.PublicKey, d authData, sig []byte) {
	t.Helper()
	digest := sha256.Sum256(append(bytes.Clone(d.raw), clientDataHash...))
	if !ecdsa.VerifyASN1(public, digest[:], sig) {
		t.Error("the signature is not over authData || clientDataHash")
	}
}

// create makes a credential and checks its attestation.
func (b *bench) create(m map[int]any) authData {
	b.t.Helper()
	var answer struct {
		Fmt      string `cbor:"1,keyasint"`
		AuthData []byte `cbor:"2,keyasint"`
		AttStmt  struct {
			Alg int    `cbor:"alg"`
			Sig []byte `cbor:"sig"`
		} `cbor:"3,keyasint"`
	}
	b.want(CTAP2_OK, authenticatorMakeCredential, m, &answer)
	d := parseAuthData(b.t, answer.AuthData)
	if answer.Fmt != "packed" || answer.AttStmt.Alg != algES256 || string(d.aaguid) != AAGUID {
		b.t.Errorf("attestation %q %d of %q", answer.Fmt, answer.AttStmt.Alg, d.aaguid)
	}
	verify(b.t, d.public, d, answer.AttStmt.Sig)
	return d
}

// ask is an authenticatorGetAssertion request.
func ask(edit ...func(m map[int]any)) map[int]any {
	m := map[int]any{1: "localhost", 2: clientDataHash}
	for _, e := range edit {
		e(m)
	}
	return m
}

func allow(ids ...[]byte) func(m map[int]any) {
	return func(m map[int]any) {
		var list []any
		for _, id := range ids {
			list = append(list, map[string]any{"id": id, "type": "public-key"})
		}
		m[3] = list
	}
}

func noTouch(m map[int]any) { m[5] = map[string]any{"up": false} }

func (p *platform) proof(token []byte) func(m map[int]any) {
	return func(m map[int]any) { m[6], m[7] = p.mac(token, clientDataHash), p.version }
}

type answered struct {
	Credential struct {
		ID []byte `cbor:"id"`
	} `cbor:"1,keyasint"`
	AuthData  []byte         `cbor:"2,keyasint"`
	Signature []byte         `cbor:"3,keyasint"`
	User      map[string]any `cbor:"4,keyasint"`
	Number    int            `cbor:"5,keyasint"`
}

func (b *bench) assertion(m map[int]any) answered {
	b.t.Helper()
	var a answered
	b.want(CTAP2_OK, authenticatorGetAssertion, m, &a)
	return a
}

func TestACredentialSigns(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	made := b.create(wish())
	if made.flags != flagUP|flagAT || len(made.id) > maxCredentialIDLength {
		t.Errorf("flags %02x, %d octets of ID", made.flags, len(made.id))
	}
	last := made.count
	for range 3 {
		a := b.assertion(ask(allow(made.id)))
		d := parseAuthData(t, a.AuthData)
		if d.flags != flagUP || d.count <= last || !bytes.Equal(a.Credential.ID, made.id) || a.User != nil || a.Number != 0 {
			t.Errorf("flags %02x count %d after %d user %v", d.flags, d.count, last, a.User)
		}
		last = d.count
		verify(t, made.public, d, a.Signature)
	}
	if d := parseAuthData(t, b.assertion(ask(allow(made.id), noTouch)).AuthData); d.flags != 0 {
		t.Errorf("flags %02x without a touch", d.flags)
	}
	// It is nobody else's, and not to be discovered.
	b.want(CTAP2_ERR_NO_CREDENTIALS, authenticatorGetAssertion, map[int]any{1: "example.com", 2: clientDataHash, 3: ask(allow(made.id))[3]}, nil)
	b.want(CTAP2_ERR_NO_CREDENTIALS, authenticatorGetAssertion, ask(), nil)
	forged := bytes.Clone(made.id)
	forged[20] ^= 1
	b.want(CTAP2_ERR_NO_CREDENTIALS, authenticatorGetAssertion, ask(allow(forged, nil, []byte("?"))), nil)
	newBench(t, Config{}).want(CTAP2_ERR_NO_CREDENTIALS, authenticatorGetAssertion, ask(allow(made.id)), nil)
}

func TestThePINMakesTheUserVerified(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, version int) {
		b := newBench(t, Config{PIN: []byte("1234")})
		p := b.platform(version)
		for _, permissions := range []int{0, permissionMC} { // as of CTAP 2.0, and 2.1
			rp := map[int]string{permissionMC: "localhost"}[permissions]
			token := p.token("1234", permissions, rp, CTAP2_OK)
			made := b.create(wish(option("rk", true), p.authorized(token)))
			if made.flags != flagUP|flagUV|flagAT {
				t.Errorf("flags %02x", made.flags)
			}
			// A token with a touch behind it is used up.
			b.want(CTAP2_ERR_PIN_AUTH_INVALID, authenticatorMakeCredential, wish(p.authorized(token)), nil)
		}
		token := p.token("1234", permissionGA, "localhost", CTAP2_OK)
		for range 2 {
			if d := parseAuthData(t, b.assertion(ask(p.proof(token), noTouch)).AuthData); d.flags != flagUV {
				t.Errorf("flags %02x", d.flags)
			}
		}
		if d := parseAuthData(t, b.assertion(ask(p.proof(token))).AuthData); d.flags != flagUP|flagUV {
			t.Errorf("flags %02x", d.flags)
		}
		b.want(CTAP2_ERR_PIN_AUTH_INVALID, authenticatorGetAssertion, ask(p.proof(token)), nil)
	})
}

func TestATokenIsGoodForWhatItWasGivenFor(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	p := b.platform(2)
	b.create(wish()) // makeCredUvNotRqd
	for name, tt := range map[string]struct {
		permissions int
		rpID        string
		cmd         byte
		params      func(token []byte) map[int]any
	}{
		"made for assertions, used to create": {permissionGA, "localhost", authenticatorMakeCredential, func(token []byte) map[int]any { return wish(p.authorized(token)) }},
		"made to create, used for assertions": {permissionMC, "localhost", authenticatorGetAssertion, func(token []byte) map[int]any { return ask(p.proof(token)) }},
		"of another relying party":            {permissionMC | permissionGA, "example.com", authenticatorMakeCredential, func(token []byte) map[int]any { return wish(p.authorized(token)) }},
		"over another request":                {permissionMC, "localhost", authenticatorMakeCredential, func(token []byte) map[int]any { return wish(func(m map[int]any) { m[8], m[9] = p.mac(token, nil), 2 }) }},
		"by the other protocol": {permissionMC, "localhost", authenticatorMakeCredential, func(token []byte) map[int]any {
			return wish(func(m map[int]any) { m[8], m[9] = p.mac(token, clientDataHash)[:16], 1 })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.want(CTAP2_ERR_PIN_AUTH_INVALID, tt.cmd, tt.params(p.token("1234", tt.permissions, tt.rpID, CTAP2_OK)), nil)
		})
	}
	b.t = t
}

func TestMakeCredentialWantsItsParameters(t *testing.T) {
	t.Parallel()
	without := func(key int) func(m map[int]any) { return func(m map[int]any) { delete(m, key) } }
	with := func(key int, v any) func(m map[int]any) { return func(m map[int]any) { m[key] = v } }
	long := make([]any, maxCredentialCountInList+1)
	for i := range long {
		long[i] = map[string]any{"id": []byte{byte(i)}, "type": "public-key"}
	}
	for name, tt := range map[string]struct {
		edit func(m map[int]any)
		want status
	}{
		"no clientDataHash":         {without(1), CTAP2_ERR_MISSING_PARAMETER},
		"no rp":                     {without(2), CTAP2_ERR_MISSING_PARAMETER},
		"no rp.id":                  {with(2, map[string]any{"name": "x"}), CTAP2_ERR_MISSING_PARAMETER},
		"no user":                   {without(3), CTAP2_ERR_MISSING_PARAMETER},
		"no user.id":                {with(3, map[string]any{"name": "x"}), CTAP2_ERR_MISSING_PARAMETER},
		"user.id of 65 octets":      {with(3, map[string]any{"id": make([]byte, 65)}), CTAP1_ERR_INVALID_LENGTH},
		"no pubKeyCredParams":       {without(4), CTAP2_ERR_MISSING_PARAMETER},
		"clientDataHash as text":    {with(1, "text"), CTAP2_ERR_CBOR_UNEXPECTED_TYPE},
		"clientDataHash too short":  {with(1, []byte{1}), CTAP1_ERR_INVALID_LENGTH},
		"user.name as a number":     {with(3, map[string]any{"id": []byte{1}, "name": 1}), CTAP2_ERR_CBOR_UNEXPECTED_TYPE},
		"no algorithm of ours":      {with(4, []any{map[string]any{"alg": -8, "type": "public-key"}}), CTAP2_ERR_UNSUPPORTED_ALGORITHM},
		"ours, of another type":     {with(4, []any{map[string]any{"alg": -7, "type": "secret"}}), CTAP2_ERR_UNSUPPORTED_ALGORITHM},
		"a bad one after ours":      {with(4, []any{map[string]any{"alg": -7, "type": "public-key"}, map[string]any{"type": "public-key"}}), CTAP2_ERR_INVALID_CBOR},
		"uv without a PIN token":    {option("uv", true), CTAP2_ERR_INVALID_OPTION},
		"up false":                  {option("up", false), CTAP2_ERR_INVALID_OPTION},
		"an option nobody knows":    {option("tea", true), CTAP2_OK},
		"an extension nobody knows": {extension("tea", 1), CTAP2_OK},
		"a parameter nobody knows":  {with(99, 1), CTAP2_OK},
		"enterprise attestation":    {with(10, 1), CTAP1_ERR_INVALID_PARAMETER},
		"a proof, no protocol":      {with(8, make([]byte, 32)), CTAP2_ERR_MISSING_PARAMETER},
		"a proof of protocol three": {func(m map[int]any) { m[8], m[9] = make([]byte, 32), 3 }, CTAP1_ERR_INVALID_PARAMETER},
		"an empty proof":            {with(8, []byte{}), CTAP2_ERR_PIN_NOT_SET},
		"too long an excludeList":   {with(5, long), CTAP2_ERR_LIMIT_EXCEEDED},
		"more than maxMsgSize":      {with(99, make([]byte, maxMsgSize)), CTAP2_ERR_REQUEST_TOO_LARGE},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newBench(t, Config{}).want(tt.want, authenticatorMakeCredential, wish(tt.edit), nil)
		})
	}
}

func TestWithAPINADiscoverableCredentialNeedsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	b.want(CTAP2_ERR_PUAT_REQUIRED, authenticatorMakeCredential, wish(option("rk", true)), nil)
	b.want(CTAP2_ERR_PIN_INVALID, authenticatorMakeCredential, wish(func(m map[int]any) { m[8] = []byte{} }), nil)
	if made := b.create(wish()); made.flags&flagUV != 0 {
		t.Error("verified without a PIN")
	}
}

func TestExcludedCredentials(t *testing.T) {
	t.Parallel()
	exclude := func(id []byte) func(m map[int]any) {
		return func(m map[int]any) { m[5] = ask(allow([]byte("not ours"), id))[3] }
	}
	b := newBench(t, Config{PIN: []byte("1234"), Touch: TouchCommand})
	touch := func(cmd byte, params map[int]any) status {
		cid := b.channel()
		b.send(cid, CTAPHID_CBOR, append([]byte{cmd}, encode(params)...))
		if m := b.one(); m.cmd != CTAPHID_KEEPALIVE {
			t.Fatalf("it does not wait for a touch: %x", m)
		}
		b.m.touched(b.now)
		return status(b.one().data[0])
	}
	auto := func(mode Touch) {
		if err := b.key.SetTouch(mode); err != nil {
			t.Fatal(err)
		}
	}
	auto(TouchAuto)
	plain := b.create(wish())
	shy := b.create(wish(extension("credProtect", userVerificationRequired)))
	auto(TouchCommand)
	if s := touch(authenticatorMakeCredential, wish(exclude(plain.id))); s != CTAP2_ERR_CREDENTIAL_EXCLUDED {
		t.Errorf("excluded: %v", s)
	}
	// Who is not verified is not told of a credential that needs it.
	if s := touch(authenticatorMakeCredential, wish(exclude(shy.id))); s != CTAP2_OK {
		t.Errorf("excluded but protected: %v", s)
	}
	p := b.platform(2)
	token := p.token("1234", permissionMC, "localhost", CTAP2_OK)
	if s := touch(authenticatorMakeCredential, wish(exclude(shy.id), p.authorized(token))); s != CTAP2_ERR_CREDENTIAL_EXCLUDED {
		t.Errorf("excluded, to a verified user: %v", s)
	}
}

func TestATouchThatDoesNotCome(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cmd    byte
		params map[int]any
		want   status
	}{
		"makeCredential":  {authenticatorMakeCredential, wish(), CTAP2_ERR_OPERATION_DENIED},
		"getAssertion":    {authenticatorGetAssertion, ask(), CTAP2_ERR_OPERATION_DENIED},
		"to choose a key": {authenticatorMakeCredential, wish(func(m map[int]any) { m[8] = []byte{} }), CTAP2_ERR_OPERATION_DENIED},
		"selection":       {authenticatorSelection, nil, CTAP2_ERR_USER_ACTION_TIMEOUT},
		"reset":           {authenticatorReset, nil, CTAP2_ERR_USER_ACTION_TIMEOUT},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{TouchTimeout: time.Second})
			b.create(wish(option("rk", true)))
			if err := b.key.SetTouch(TouchNever); err != nil {
				t.Fatal(err)
			}
			message := []byte{tt.cmd}
			if tt.params != nil {
				message = append(message, encode(tt.params)...)
			}
			b.send(b.channel(), CTAPHID_CBOR, message)
			b.after(time.Second)
			all := b.read()
			if last := all[len(all)-1]; last.cmd != CTAPHID_CBOR || status(last.data[0]) != tt.want {
				t.Errorf("it ends with %x, want %v", last, tt.want)
			}
		})
	}
}

func TestTheStoreIsFull(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	for i := range maxDiscoverable {
		b.create(wish(option("rk", true), user(fmt.Sprint(i))))
	}
	b.want(CTAP2_ERR_KEY_STORE_FULL, authenticatorMakeCredential, wish(option("rk", true), user("more")), nil)
	b.create(wish(option("rk", true), user("7"))) // in place of another
	b.create(wish(user("more")))                  // needs no room
}

func TestReset(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	made := b.create(wish())
	b.after(11 * time.Second)
	b.want(CTAP2_ERR_NOT_ALLOWED, authenticatorReset, nil, nil)
	b.powerCycle()
	b.after(9 * time.Second)
	b.want(CTAP2_OK, authenticatorReset, nil, nil)
	if b.clientPINOption() {
		t.Error("the PIN is still set")
	}
	b.want(CTAP2_ERR_NO_CREDENTIALS, authenticatorGetAssertion, ask(allow(made.id)), nil)
}

func TestCredentialsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/key.json"
	b := newBench(t, Config{File: file})
	made, kept := b.create(wish()), b.create(wish(option("rk", true)))
	again := newBench(t, Config{File: file})
	a := again.assertion(ask(allow(made.id)))
	verify(t, made.public, parseAuthData(t, a.AuthData), a.Signature)
	a = again.assertion(ask())
	d := parseAuthData(t, a.AuthData)
	verify(t, kept.public, d, a.Signature)
	if d.count != 4 {
		t.Errorf("the signature counter is %d, want 4", d.count)
	}
}
