package vkey

import (
	"bytes"
	"testing"
	"time"
)

func TestDiscoverableCredentialsComeLatestFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	p := b.platform(2)
	make1 := func(id string) {
		b.create(wish(option("rk", true), user(id), p.authorized(p.token("1234", permissionMC, "localhost", CTAP2_OK))))
	}
	make1("a")
	one := b.assertion(ask(p.proof(p.token("1234", permissionGA, "localhost", CTAP2_OK))))
	if one.Number != 0 || len(one.User) != 1 {
		t.Errorf("of a single account came %d and %v, want its id only", one.Number, one.User)
	}
	make1("b")
	make1("c")
	make1("a") // again: in place of the first
	next := func() answered {
		var a answered
		b.want(CTAP2_OK, authenticatorGetNextAssertion, nil, &a)
		return a
	}
	first := b.assertion(ask(p.proof(p.token("1234", permissionGA, "localhost", CTAP2_OK))))
	if first.Number != 3 {
		t.Errorf("%d credentials, want 3", first.Number)
	}
	for i, a := range []answered{first, next(), next()} {
		id := string([]byte{"acb"[i]})
		if string(a.User["id"].([]byte)) != id || a.User["name"] != "name of "+id {
			t.Errorf("number %d is %v, want %s", i, a.User, id)
		}
		if d := parseAuthData(t, a.AuthData); d.flags != flagUP|flagUV {
			t.Errorf("number %d has flags %02x", i, d.flags)
		}
	}
	b.want(CTAP2_ERR_NOT_ALLOWED, authenticatorGetNextAssertion, nil, nil)

	// Without verification there are no names; what comes between, or too
	// late, ends it.
	anonymous := b.assertion(ask())
	if len(anonymous.User) != 1 || anonymous.Number != 3 {
		t.Errorf("an unverified user is told %v", anonymous.User)
	}
	next()
	b.retries()
	b.want(CTAP2_ERR_NOT_ALLOWED, authenticatorGetNextAssertion, nil, nil)
	b.assertion(ask())
	b.after(31 * time.Second)
	b.want(CTAP2_ERR_NOT_ALLOWED, authenticatorGetNextAssertion, nil, nil)
	b.want(CTAP2_ERR_UNSUPPORTED_OPTION, authenticatorGetAssertion, ask(func(m map[int]any) { m[5] = map[string]any{"rk": true} }), nil)
}

func TestCredentialProtection(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	p := b.platform(2)
	for level, want := range map[int][3]status{
		// discovered, named, discovered by a verified user
		userVerificationOptional:                     {CTAP2_OK, CTAP2_OK, CTAP2_OK},
		userVerificationOptionalWithCredentialIDList: {CTAP2_ERR_NO_CREDENTIALS, CTAP2_OK, CTAP2_OK},
		userVerificationRequired:                     {CTAP2_ERR_NO_CREDENTIALS, CTAP2_ERR_NO_CREDENTIALS, CTAP2_OK},
	} {
		made := b.create(wish(option("rk", true), extension("credProtect", level), p.authorized(p.token("1234", permissionMC, "localhost", CTAP2_OK))))
		if got := made.extensions["credProtect"]; got != uint64(level) {
			t.Errorf("credProtect %d came back as %v", level, got)
		}
		b.want(want[0], authenticatorGetAssertion, ask(), nil)
		b.want(want[1], authenticatorGetAssertion, ask(allow(made.id)), nil)
		b.want(want[2], authenticatorGetAssertion, ask(p.proof(p.token("1234", permissionGA, "localhost", CTAP2_OK))), nil)
	}
}

func TestHMACSecret(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, version int) {
		b := newBench(t, Config{PIN: []byte("1234")})
		p := b.platform(version)
		made := b.create(wish(extension("hmac-secret", true)))
		if made.extensions["hmac-secret"] != true {
			t.Errorf("extensions %v", made.extensions)
		}
		secret := func(salts []byte, edit ...func(m map[int]any)) []byte {
			token := p.token("1234", permissionGA, "localhost", CTAP2_OK)
			proto, ours, shared := p.agree()
			enc := proto.encrypt(shared, salts)
			in := map[int]any{1: ours, 2: enc, 3: p.mac(shared, enc)}
			if version == 2 {
				in[4] = 2
			}
			m := ask(allow(made.id), func(m map[int]any) { m[4] = map[string]any{"hmac-secret": in} })
			for _, e := range edit {
				e(m)
			}
			if m[6] != nil {
				p.proof(token)(m)
			}
			d := parseAuthData(t, b.assertion(m).AuthData)
			out, err := proto.decrypt(shared, d.extensions["hmac-secret"].([]byte))
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		verified := func(m map[int]any) { m[6] = true }
		salt := bytes.Repeat([]byte{1}, 32)
		first := secret(salt)
		if len(first) != 32 || !bytes.Equal(first, secret(salt)) {
			t.Error("the secret of a salt changes")
		}
		if both := secret(append(bytes.Clone(salt), bytes.Repeat([]byte{2}, 32)...)); len(both) != 64 || !bytes.Equal(both[:32], first) || bytes.Equal(both[32:], first) {
			t.Error("two salts do not give two secrets")
		}
		if bytes.Equal(first, secret(salt, verified)) {
			t.Error("a verified user has the same secret")
		}
		b.want(CTAP2_ERR_UNSUPPORTED_OPTION, authenticatorGetAssertion, ask(allow(made.id), noTouch, func(m map[int]any) { m[4] = map[string]any{"hmac-secret": map[int]any{}} }), nil)
		b.want(CTAP2_ERR_MISSING_PARAMETER, authenticatorGetAssertion, ask(allow(made.id), func(m map[int]any) { m[4] = map[string]any{"hmac-secret": map[int]any{}} }), nil)
	})
}
