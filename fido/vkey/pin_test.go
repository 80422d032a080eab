package vkey

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"
	"time"
)

// platform is the other side of a PIN/UV auth protocol.
type platform struct {
	b       *bench
	version int
	private *ecdh.PrivateKey
}

func (b *bench) platform(version int) *platform {
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	return &platform{b, version, private}
}

// agree fetches the key's part and derives the shared secret.
func (p *platform) agree() (proto *pinProtocol, ours coseKey, secret []byte) {
	p.b.t.Helper()
	var answer struct {
		KeyAgreement coseKey `cbor:"1,keyasint"`
	}
	p.b.want(CTAP2_OK, authenticatorClientPIN, map[int]any{1: p.version, 2: getKeyAgreement}, &answer)
	proto = &pinProtocol{version: p.version, private: p.private}
	secret, err := proto.decapsulate(&answer.KeyAgreement)
	if err != nil {
		p.b.t.Fatal(err)
	}
	return proto, proto.publicKey(), secret
}

func (p *platform) mac(secret, message []byte) []byte {
	h := hmac.New(sha256.New, secret[:32])
	h.Write(message)
	if p.version == 1 {
		return h.Sum(nil)[:16]
	}
	return h.Sum(nil)
}

func pad(pin string) []byte { return append([]byte(pin), make([]byte, 64-len(pin))...) }

// setPIN sets the first PIN.
func (p *platform) setPIN(padded []byte, want status) {
	p.b.t.Helper()
	proto, ours, secret := p.agree()
	enc := proto.encrypt(secret, padded)
	p.b.want(want, authenticatorClientPIN, map[int]any{1: p.version, 2: setPIN, 3: ours, 4: p.mac(secret, enc), 5: enc}, nil)
}

// changePIN changes it.
func (p *platform) changePIN(from, to string, want status) {
	p.b.t.Helper()
	proto, ours, secret := p.agree()
	enc, hash := proto.encrypt(secret, pad(to)), proto.encrypt(secret, hashPIN([]byte(from)))
	mac := p.mac(secret, append(bytes.Clone(enc), hash...))
	p.b.want(want, authenticatorClientPIN, map[int]any{1: p.version, 2: changePIN, 3: ours, 4: mac, 5: enc, 6: hash}, nil)
}

// token gets a pinUvAuthToken; permissions 0 is the way of CTAP 2.0.
func (p *platform) token(pin string, permissions int, rpID string, want status) []byte {
	p.b.t.Helper()
	proto, ours, secret := p.agree()
	params := map[int]any{1: p.version, 2: getPinToken, 3: ours, 6: proto.encrypt(secret, hashPIN([]byte(pin)))}
	if permissions != 0 {
		params[2], params[9] = getPinUvAuthTokenUsingPinWithPermissions, permissions
	}
	if rpID != "" {
		params[10] = rpID
	}
	var answer struct {
		Token []byte `cbor:"2,keyasint"`
	}
	if want != CTAP2_OK {
		p.b.want(want, authenticatorClientPIN, params, nil)
		return nil
	}
	p.b.want(CTAP2_OK, authenticatorClientPIN, params, &answer)
	token, err := proto.decrypt(secret, answer.Token)
	if err != nil || len(token) != 32 {
		p.b.t.Fatalf("a token of %d octets: %v", len(token), err)
	}
	return token
}

type retries struct {
	PIN        int   `cbor:"3,keyasint"`
	PowerCycle *bool `cbor:"4,keyasint"`
}

func (b *bench) retries() int {
	b.t.Helper()
	var r retries
	b.want(CTAP2_OK, authenticatorClientPIN, map[int]any{2: getPINRetries}, &r)
	return r.PIN
}

func (b *bench) needsPowerCycle() bool {
	b.t.Helper()
	var r retries
	b.want(CTAP2_OK, authenticatorClientPIN, map[int]any{2: getPINRetries}, &r)
	return r.PowerCycle != nil && *r.PowerCycle
}

func (b *bench) clientPINOption() bool {
	b.t.Helper()
	var info struct {
		Options map[string]bool `cbor:"4,keyasint"`
	}
	b.want(CTAP2_OK, authenticatorGetInfo, nil, &info)
	return info.Options["clientPin"]
}

func bothProtocols(t *testing.T, test func(t *testing.T, version int)) {
	for name, version := range map[string]int{"protocol one": 1, "protocol two": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

func TestThePINIsSetThenChanged(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, version int) {
		b := newBench(t, Config{})
		p := b.platform(version)
		if b.clientPINOption() {
			t.Fatal("a new key has a PIN")
		}
		p.token("1234", permissionMC, "localhost", CTAP2_ERR_PIN_NOT_SET)
		p.setPIN(pad("1234"), CTAP2_OK)
		if !b.clientPINOption() {
			t.Error("clientPin is still false")
		}
		p.setPIN(pad("5678"), CTAP2_ERR_PIN_AUTH_INVALID)
		p.changePIN("1234", "56789", CTAP2_OK)
		p.token("1234", permissionMC, "localhost", CTAP2_ERR_PIN_INVALID)
		p.token("56789", permissionMC, "localhost", CTAP2_OK)
		if b.retries() != 8 {
			t.Errorf("%d tries left after the right PIN", b.retries())
		}
	})
}

func TestPINPolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		padded []byte
		want   status
	}{
		"three characters":           {pad("123"), CTAP2_ERR_PIN_POLICY_VIOLATION},
		"two characters of 2 octets": {pad("éé"), CTAP2_ERR_PIN_POLICY_VIOLATION},
		"four characters":            {pad("éé12"), CTAP2_OK},
		"63 octets":                  {pad(strings.Repeat("1", 63)), CTAP2_OK},
		"64 octets":                  {[]byte(strings.Repeat("1", 64)), CTAP2_ERR_PIN_POLICY_VIOLATION},
		"no UTF-8":                   {pad("\xff\xff\xff\xff"), CTAP2_ERR_PIN_POLICY_VIOLATION},
		"padded to 80":               {append(pad("1234"), make([]byte, 16)...), CTAP1_ERR_INVALID_PARAMETER},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newBench(t, Config{}).platform(2).setPIN(tt.padded, tt.want)
		})
	}
}

func TestWrongPINsRunOut(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, version int) {
		b := newBench(t, Config{PIN: []byte("1234")})
		p := b.platform(version)
		left := 8
		for left > 0 {
			for try := 1; try <= 3 && left > 0; try++ {
				left--
				want := CTAP2_ERR_PIN_INVALID
				if left == 0 {
					want = CTAP2_ERR_PIN_BLOCKED
				} else if try == 3 {
					want = CTAP2_ERR_PIN_AUTH_BLOCKED
				}
				p.token("0000", permissionGA, "localhost", want)
				if b.retries() != left {
					t.Fatalf("%d tries left, want %d", b.retries(), left)
				}
			}
			if left > 0 {
				if !b.needsPowerCycle() {
					t.Error("powerCycleState is not true")
				}
				p.token("1234", permissionGA, "localhost", CTAP2_ERR_PIN_AUTH_BLOCKED)
				p.changePIN("1234", "5678", CTAP2_ERR_PIN_AUTH_BLOCKED)
				if b.retries() != left {
					t.Error("a refused message cost a try")
				}
			}
			b.powerCycle()
			if b.needsPowerCycle() {
				t.Error("powerCycleState is true after the power cycle")
			}
		}
		p.token("1234", permissionGA, "localhost", CTAP2_ERR_PIN_BLOCKED)
		p.changePIN("1234", "5678", CTAP2_ERR_PIN_BLOCKED)
		if got := b.key.Stats().PINTries; got != 8+2*2+2 {
			t.Errorf("%d PIN tries were counted, want 14", got)
		}
	})
}

func TestTheRightPINEndsTheRowOfWrongOnes(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	p := b.platform(2)
	for range 3 {
		p.token("0000", permissionGA, "localhost", CTAP2_ERR_PIN_INVALID)
		p.token("0000", permissionGA, "localhost", CTAP2_ERR_PIN_INVALID)
		p.token("1234", permissionGA, "localhost", CTAP2_OK)
	}
	if b.retries() != 8 {
		t.Errorf("%d tries left", b.retries())
	}
}

func TestReadingTheCounterCostsNoTry(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	for range 1000 {
		if b.retries() != 8 {
			t.Fatal("a try was lost")
		}
	}
	if s := b.key.Stats(); s.PINTries != 0 || s.Messages != 2000 {
		t.Errorf("counted %+v, want 1000 INIT and 1000 CBOR messages, no PIN try", s)
	}
}

func TestClientPINWantsItsParameters(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	_, ours, _ := b.platform(2).agree()
	off := ours
	off.X = make([]byte, 32) // not on the curve
	hash := make([]byte, 32)
	for name, tt := range map[string]struct {
		params map[int]any
		want   status
	}{
		"no subcommand":             {map[int]any{1: 2}, CTAP2_ERR_MISSING_PARAMETER},
		"unknown subcommand":        {map[int]any{2: 99}, CTAP2_ERR_INVALID_SUBCOMMAND},
		"UV subcommand":             {map[int]any{1: 2, 2: 6}, CTAP2_ERR_INVALID_SUBCOMMAND},
		"key agreement of nothing":  {map[int]any{2: getKeyAgreement}, CTAP2_ERR_MISSING_PARAMETER},
		"protocol three":            {map[int]any{1: 3, 2: getKeyAgreement}, CTAP1_ERR_INVALID_PARAMETER},
		"a text as subcommand":      {map[int]any{2: "1"}, CTAP2_ERR_CBOR_UNEXPECTED_TYPE},
		"set without a key":         {map[int]any{1: 2, 2: setPIN, 4: hash, 5: hash}, CTAP2_ERR_MISSING_PARAMETER},
		"change without the old":    {map[int]any{1: 2, 2: changePIN, 3: ours, 4: hash, 5: hash}, CTAP2_ERR_MISSING_PARAMETER},
		"token without a PIN":       {map[int]any{1: 2, 2: getPinToken, 3: ours}, CTAP2_ERR_MISSING_PARAMETER},
		"2.0 token, permissions":    {map[int]any{1: 2, 2: getPinToken, 3: ours, 6: hash, 9: 1}, CTAP1_ERR_INVALID_PARAMETER},
		"token without permissions": {map[int]any{1: 2, 2: 9, 3: ours, 6: hash}, CTAP2_ERR_MISSING_PARAMETER},
		"token for nothing":         {map[int]any{1: 2, 2: 9, 3: ours, 6: hash, 9: 0, 10: "localhost"}, CTAP1_ERR_INVALID_PARAMETER},
		"token for bio enrolment":   {map[int]any{1: 2, 2: 9, 3: ours, 6: hash, 9: permissionBE}, CTAP2_ERR_UNAUTHORIZED_PERMISSION},
		"token without an RP ID":    {map[int]any{1: 2, 2: 9, 3: ours, 6: hash, 9: permissionGA}, CTAP1_ERR_INVALID_PARAMETER},
		"a point off the curve":     {map[int]any{1: 2, 2: 9, 3: off, 6: hash, 9: permissionGA, 10: "localhost"}, CTAP1_ERR_INVALID_PARAMETER},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.want(tt.want, authenticatorClientPIN, tt.params, nil)
		})
	}
	b.t = t
	if b.retries() != 8 {
		t.Errorf("%d tries left: a malformed message cost one", b.retries())
	}
}

func TestPINMessagesWithoutTheirProofCostNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	proto, ours, secret := b.platform(2).agree()
	enc, hash := proto.encrypt(secret, pad("5678")), proto.encrypt(secret, hashPIN([]byte("1234")))
	b.want(CTAP2_ERR_PIN_AUTH_INVALID, authenticatorClientPIN, map[int]any{1: 2, 2: changePIN, 3: ours, 4: make([]byte, 32), 5: enc, 6: hash}, nil)
	if b.retries() != 8 {
		t.Errorf("%d tries left", b.retries())
	}
}

func TestAWrongPINEndsTheKeyAgreement(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, version int) {
		b := newBench(t, Config{PIN: []byte("1234")})
		p := b.platform(version)
		_, _, before := p.agree()
		p.token("1234", permissionGA, "localhost", CTAP2_OK)
		if _, _, after := p.agree(); !bytes.Equal(before, after) {
			t.Error("the right PIN ended it")
		}
		p.token("0000", permissionGA, "localhost", CTAP2_ERR_PIN_INVALID)
		if _, _, after := p.agree(); bytes.Equal(before, after) {
			t.Error("the wrong PIN did not")
		}
	})
}

func TestTriesOutliveThePowerAndTheProcess(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/key.json"
	b := newBench(t, Config{PIN: []byte("1234"), File: file})
	b.platform(2).token("0000", permissionGA, "localhost", CTAP2_ERR_PIN_INVALID)
	again := newBench(t, Config{PIN: []byte("9999"), File: file})
	if again.retries() != 7 {
		t.Errorf("%d tries left, want 7", again.retries())
	}
	again.platform(2).token("1234", permissionGA, "localhost", CTAP2_OK)
}

func TestNoPINReachesTheLog(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{PIN: []byte("1234")})
	b.platform(2).token("0000", permissionGA, "localhost", CTAP2_ERR_PIN_INVALID)
	log := b.key.Log()
	last := log[len(log)-1]
	want := Entry{At: b.now, Command: CTAPHID_CBOR, Size: last.Size, CTAP: authenticatorClientPIN, SubCommand: getPinUvAuthTokenUsingPinWithPermissions, Answered: true, Status: byte(CTAP2_ERR_PIN_INVALID)}
	if last != want {
		t.Errorf("logged %+v, want %+v", last, want)
	}
	for range 2 * maxLog {
		b.channel()
	}
	if n := len(b.key.Log()); n != maxLog {
		t.Errorf("the log has %d entries", n)
	}
}

func TestATokenIsForgotten(t *testing.T) {
	t.Parallel()
	hash := make([]byte, 32)
	use := func(b *bench, token []byte, want status) {
		b.t.Helper()
		b.want(want, authenticatorGetAssertion, map[int]any{
			1: "localhost", 2: hash, 5: map[string]bool{"up": false}, 6: b.platform(2).mac(token, hash), 7: 2,
		}, nil)
	}
	begin := func() (*bench, []byte) {
		b := newBench(t, Config{PIN: []byte("1234")})
		return b, b.platform(2).token("1234", permissionGA, "localhost", CTAP2_OK)
	}
	b, token := begin()
	use(b, token, CTAP2_ERR_NO_CREDENTIALS) // good, as far as it goes
	b.after(599 * time.Second)
	use(b, token, CTAP2_ERR_NO_CREDENTIALS)
	b.after(2 * time.Second)
	use(b, token, CTAP2_ERR_PIN_AUTH_INVALID) // after its longest life

	b, token = begin()
	b.after(31 * time.Second)
	use(b, token, CTAP2_ERR_PIN_AUTH_INVALID) // not used in time

	b, token = begin()
	b.platform(1).token("1234", permissionGA, "localhost", CTAP2_OK)
	use(b, token, CTAP2_ERR_PIN_AUTH_INVALID) // a newer one was given

	b, token = begin()
	b.platform(2).changePIN("1234", "5678", CTAP2_OK)
	use(b, token, CTAP2_ERR_PIN_AUTH_INVALID)

	b, token = begin()
	b.powerCycle()
	use(b, token, CTAP2_ERR_PIN_AUTH_INVALID)
}
