package fido

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fxamacker/cbor/v2"
)

// userKey is a key that a test writes, with a PIN, a sensor for a finger and the
// key's end of the PIN/UV auth protocol.
type userKey struct {
	t        *testing.T
	protocol uint
	private  *ecdh.PrivateKey
	secret   []byte // its pinUvAuthToken
	// fate is what becomes of a message that costs a try; nil: it gets its
	// token. costs counts them, asked is the last.
	fate  func(s *script, cid uint32)
	costs int
	asked map[int]any
}

func (u *userKey) answer(s *script, cid uint32, m message) {
	if m.cmd == CTAPHID_INIT {
		s.hello(cid, m.data, CAPABILITY_CBOR|CAPABILITY_NMSG)
		return
	}
	if m.cmd != CTAPHID_CBOR {
		return
	}
	say := func(v any) { s.reply(cid, CTAPHID_CBOR, append([]byte{0}, encoded(u.t, v)...)...) }
	if m.data[0] == authenticatorGetInfo {
		info := plainInfo()
		info[4] = map[string]bool{"clientPin": true, "uv": true, "pinUvAuthToken": true}
		info[6] = []uint{u.protocol}
		say(info)
		return
	}
	var request struct {
		Sub int `cbor:"2,keyasint"`
		Key struct {
			X []byte `cbor:"-2,keyasint"`
			Y []byte `cbor:"-3,keyasint"`
		} `cbor:"3,keyasint"`
	}
	if err := cbor.Unmarshal(m.data[1:], &request); err != nil {
		u.t.Error(err)
	}
	if request.Sub == 2 {
		point := u.private.PublicKey().Bytes()
		say(map[int]any{1: map[int]any{1: 2, 3: -25, -1: 1, -2: point[1:33], -3: point[33:]}})
		return
	}
	u.costs++
	u.asked = nil
	if err := cbor.Unmarshal(m.data[1:], &u.asked); err != nil {
		u.t.Error(err)
	}
	if u.fate != nil {
		u.fate(s, cid)
		return
	}
	peer, err := ecdh.P256().NewPublicKey(bytes.Join([][]byte{{4}, request.Key.X, request.Key.Y}, nil))
	if err != nil {
		u.t.Error(err)
		return
	}
	a, err := derive(u.protocol, u.private, peer)
	if err != nil {
		u.t.Error(err)
		return
	}
	token, err := a.encrypt(u.secret)
	if err != nil {
		u.t.Error(err)
	}
	s.reply(cid, CTAPHID_KEEPALIVE, byte(STATUS_UPNEEDED))
	say(map[int]any{2: token})
}

// scriptBus is a bus of one written key.
type scriptBus struct{ *script }

func (b scriptBus) Watch(context.Context, func(Change)) error { return nil }

func (b scriptBus) Open(context.Context, Node) (Link, error) { return b.script, nil }

func newUserKey(t *testing.T, protocol uint) (*userKey, *script, *Key) {
	t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	u := &userKey{t: t, protocol: protocol, private: private, secret: bytes.Repeat([]byte{0x5e}, 32)}
	s := newScript(t, u.answer)
	k, err := OpenKey(t.Context(), scriptBus{s}, Node{})
	if err != nil {
		t.Fatal(err)
	}
	return u, s, k
}

func TestAFingerGivesAToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		protocol uint
		size     int
	}{{1, 16}, {1, 32}, {2, 32}} {
		synctest.Test(t, func(t *testing.T) {
			u, _, k := newUserKey(t, c.protocol)
			defer func() { _ = k.Close() }()
			u.secret = u.secret[:c.size]
			var waited bool
			token, err := k.UVToken(t.Context(), PermitMakeCredential|PermitGetAssertion, "login.example", func(s Keepalive) { waited = s == STATUS_UPNEEDED })
			if err != nil || !waited {
				t.Fatalf("%v, waited: %v", err, waited)
			}
			if !bytes.Equal(token.secret, u.secret) || token.protocol != c.protocol || token.permits != PermitMakeCredential|PermitGetAssertion {
				t.Errorf("protocol %d: %x, %d, %x", c.protocol, token.secret, token.protocol, token.permits)
			}
			if fmt.Sprintf("%v %v %v %v", u.asked[2], u.asked[9], u.asked[10], u.asked[6]) != "6 3 login.example <nil>" {
				t.Errorf("asked %v", u.asked)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
				if said := fmt.Sprintf(verb, token); strings.Contains(said, "5e") || strings.Contains(said, "94") || strings.Contains(said, "^") {
					t.Errorf("%s prints %q", verb, said)
				}
			}
			secret := token.secret
			token.Forget()
			token.Forget()
			if !bytes.Equal(secret, make([]byte, len(secret))) {
				t.Error("the token was left behind")
			}
		})
	}
	(*Token)(nil).Forget()
}

// Whatever becomes of a message that costs a try, there is one of them.
func TestWhatCostsATryIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fate func(s *script, cid uint32)
		want error
	}{
		"busy":          {func(s *script, cid uint32) { s.reply(cid, CTAPHID_ERROR, ERR_CHANNEL_BUSY) }, ErrInUse},
		"channels lost": {func(s *script, cid uint32) { s.reply(cid, CTAPHID_ERROR, ERR_INVALID_CHANNEL) }, ErrMalformed},
		"no answer":     {func(*script, uint32) {}, ErrMute},
		"crowded out":   {func(s *script, cid uint32) { s.reply(cid+1, CTAPHID_CBOR, 0) }, ErrMute},
		"noise":         {func(s *script, cid uint32) { s.reply(cid, CTAPHID_CBOR, 0, 0xff) }, ErrMalformed},
		"no token":      {func(s *script, cid uint32) { s.reply(cid, CTAPHID_CBOR, 0, 0xa0) }, ErrMalformed},
		"a token too big": {func(s *script, cid uint32) {
			s.reply(cid, CTAPHID_CBOR, append([]byte{0, 0xa1, 2, 0x58, 80}, make([]byte, 80)...)...)
		}, ErrMalformed},
		"pulled out": {func(s *script, _ uint32) { s.pull(ErrGone) }, ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, ask := range []func(context.Context, *Key) (*Token, error){
				func(ctx context.Context, k *Key) (*Token, error) {
					return k.PINToken(ctx, []byte("1234"), PermitGetAssertion, "x")
				},
				func(ctx context.Context, k *Key) (*Token, error) {
					return k.UVToken(ctx, PermitGetAssertion, "x", nil)
				},
			} {
				synctest.Test(t, func(t *testing.T) {
					u, _, k := newUserKey(t, 2)
					defer func() { _ = k.Close() }()
					u.fate = c.fate
					if token, err := ask(t.Context(), k); !errors.Is(err, c.want) || token != nil {
						t.Errorf("%v, %v, want %v", token, err, c.want)
					}
					if u.costs != 1 {
						t.Errorf("%d messages that cost a try", u.costs)
					}
					if u.fate = nil; errors.Is(c.want, ErrGone) {
						return
					}
					if _, err := ask(t.Context(), k); err != nil || u.costs != 2 {
						t.Errorf("the next: %v, %d messages", err, u.costs)
					}
				})
			}
		})
	}
}

// A refusal that came when nobody waited any more is still one: who does not
// hear of it might send the PIN again.
func TestARefusalIsToldThoughTheContextEnded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status Status
		want   error
	}{
		{CTAP2_ERR_PIN_INVALID, nil},
		{CTAP2_ERR_PIN_BLOCKED, nil},
		{CTAP2_ERR_KEEPALIVE_CANCEL, context.Canceled},
	} {
		synctest.Test(t, func(t *testing.T) {
			u, _, k := newUserKey(t, 2)
			defer func() { _ = k.Close() }()
			ctx, cancel := context.WithCancel(t.Context())
			u.fate = func(s *script, cid uint32) {
				cancel()
				s.reply(cid, CTAPHID_CBOR, byte(c.status))
			}
			_, err := k.PINToken(ctx, []byte("1234"), PermitGetAssertion, "x")
			var refused *StatusError
			if told := errors.As(err, &refused) && refused.Status == c.status; told != (c.want == nil) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v: %v", c.status, err)
			}
		})
	}
}

func TestAKeyAgreementWithWhatIsNoKey(t *testing.T) {
	t.Parallel()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point := private.PublicKey().Bytes()
	with := func(member int, v any) []byte {
		m := map[int]any{1: 2, 3: -25, -1: 1, -2: point[1:33], -3: point[33:]}
		if m[member] = v; v == nil {
			delete(m, member)
		}
		return encoded(t, map[int]any{1: m})
	}
	if _, err := parseKeyAgreement(with(1, 2)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"nothing":            nil,
		"no map":             {1},
		"no key":             encoded(t, map[int]any{2: 1}),
		"another type":       with(1, 1),
		"another algorithm":  with(3, -7),
		"another curve":      with(-1, 2),
		"a short coordinate": with(-2, point[1:32]),
		"no coordinate":      with(-3, nil),
		"no point":           with(-3, make([]byte, 32)),
		"text":               with(-2, "x"),
	} {
		if p, err := parseKeyAgreement(data); !errors.Is(err, ErrMalformed) || p != nil {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}
