package vkey

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// manage sends a credential management command with its proof.
func (p *platform) manage(token []byte, sub byte, params map[int]any, want status, v any) {
	p.b.t.Helper()
	m := map[int]any{1: sub}
	message := []byte{sub}
	if params != nil {
		m[2] = params
		message = append(message, encode(params)...)
	}
	m[3], m[4] = p.version, p.mac(token, message)
	p.b.want(want, authenticatorCredentialManagement, m, v)
}

func TestCredentialsAreManaged(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	p := b.platform(2)
	token := func() []byte { return p.token("1234", permissionCM, "", CTAP2_OK) }
	p.manage(token(), enumerateRPsBegin, nil, CTAP2_ERR_NO_CREDENTIALS, nil)
	create := func(rp, id string) authData {
		t := p.token("1234", permissionMC, rp, CTAP2_OK)
		m := wish(option("rk", true), user(id), p.authorized(t))
		m[2] = map[string]any{"id": rp}
		_, data := b.ctap(authenticatorMakeCredential, m)
		var answer struct {
			AuthData []byte `cbor:"2,keyasint"`
		}
		if err := cbor.Unmarshal(data, &answer); err != nil {
			b.t.Fatal(err)
		}
		n := binary.BigEndian.Uint16(answer.AuthData[53:])
		return authData{id: answer.AuthData[55 : 55+n]}
	}
	a := create("localhost", "a")
	create("localhost", "b")
	create("example.com", "c")

	tok := token()
	var meta map[int]int
	p.manage(tok, getCredsMetadata, nil, CTAP2_OK, &meta)
	if meta[1] != 3 || meta[2] != maxDiscoverable-3 {
		t.Errorf("metadata %v", meta)
	}
	type rp struct {
		RP    map[string]string `cbor:"3,keyasint"`
		Hash  []byte            `cbor:"4,keyasint"`
		Total int               `cbor:"5,keyasint"`
	}
	var one, two rp
	p.manage(tok, enumerateRPsBegin, nil, CTAP2_OK, &one)
	b.want(CTAP2_OK, authenticatorCredentialManagement, map[int]any{1: enumerateRPsGetNextRP}, &two)
	b.want(CTAP2_ERR_NOT_ALLOWED, authenticatorCredentialManagement, map[int]any{1: enumerateRPsGetNextRP}, nil)
	if one.Total != 2 || two.Total != 0 || one.RP["id"] == two.RP["id"] || !hashes(two.RP["id"], two.Hash) {
		t.Errorf("relying parties %+v %+v", one, two)
	}
	type cred struct {
		User    map[string]any `cbor:"6,keyasint"`
		ID      map[string]any `cbor:"7,keyasint"`
		Key     coseKey        `cbor:"8,keyasint"`
		Total   int            `cbor:"9,keyasint"`
		Protect int            `cbor:"10,keyasint"`
	}
	hash := sha256.Sum256([]byte("localhost"))
	var first, second cred
	p.manage(tok, enumerateCredentialsBegin, map[int]any{1: hash[:]}, CTAP2_OK, &first)
	b.want(CTAP2_OK, authenticatorCredentialManagement, map[int]any{1: enumerateCredentialsGetNextCredential}, &second)
	b.want(CTAP2_ERR_NOT_ALLOWED, authenticatorCredentialManagement, map[int]any{1: enumerateCredentialsGetNextCredential}, nil)
	if first.Total != 2 || first.User["name"] != "name of b" || second.User["name"] != "name of a" || first.Protect != 1 {
		t.Errorf("credentials %+v %+v", first, second)
	}
	desc := map[string]any{"id": a.id, "type": "public-key"}
	rename := func(id, name string) map[int]any {
		return map[int]any{2: desc, 3: map[string]any{"id": []byte(id), "name": name}}
	}
	p.manage(tok, updateUserInformation, rename("x", "other"), CTAP1_ERR_INVALID_PARAMETER, nil)
	p.manage(tok, updateUserInformation, rename("a", "new name"), CTAP2_OK, nil)
	p.manage(tok, enumerateCredentialsBegin, map[int]any{1: hash[:]}, CTAP2_OK, nil)
	b.want(CTAP2_OK, authenticatorCredentialManagement, map[int]any{1: enumerateCredentialsGetNextCredential}, &second)
	if second.User["name"] != "new name" {
		t.Errorf("renamed to %v", second.User)
	}
	p.manage(p.token("1234", permissionCM, "example.com", CTAP2_OK), deleteCredential, map[int]any{2: desc}, CTAP2_ERR_PIN_AUTH_INVALID, nil)
	p.manage(p.token("1234", permissionCM, "localhost", CTAP2_OK), deleteCredential, map[int]any{2: desc}, CTAP2_OK, nil)
	tok = token()
	p.manage(tok, deleteCredential, map[int]any{2: desc}, CTAP2_ERR_NO_CREDENTIALS, nil)
	b.want(CTAP2_ERR_NO_CREDENTIALS, authenticatorGetAssertion, ask(allow(a.id)), nil) // gone, though its ID is good

	for name, tt := range map[string]struct {
		params map[int]any
		want   status
	}{
		"no subcommand": {map[int]any{3: 2}, CTAP2_ERR_MISSING_PARAMETER},
		"no proof":      {map[int]any{1: getCredsMetadata}, CTAP2_ERR_PUAT_REQUIRED},
		"no protocol":   {map[int]any{1: getCredsMetadata, 4: make([]byte, 32)}, CTAP2_ERR_MISSING_PARAMETER},
		"bad proof":     {map[int]any{1: getCredsMetadata, 3: 2, 4: make([]byte, 32)}, CTAP2_ERR_PIN_AUTH_INVALID},
		"unknown":       {map[int]any{1: 99}, CTAP2_ERR_INVALID_SUBCOMMAND},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.want(tt.want, authenticatorCredentialManagement, tt.params, nil)
		})
	}
	b.t = t
	p.manage(p.token("1234", permissionGA, "localhost", CTAP2_OK), getCredsMetadata, nil, CTAP2_ERR_PIN_AUTH_INVALID, nil)
	p.manage(p.token("1234", 0, "", CTAP2_OK), getCredsMetadata, nil, CTAP2_ERR_PIN_AUTH_INVALID, nil) // of CTAP 2.0: to create and assert
}
