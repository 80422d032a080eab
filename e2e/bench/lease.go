package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/fido"
	"authbridge/fido/vkey"
)

// leases takes and releases one after the other, beside one page synced to the
// same disk: a lease is written down before anybody is told of it.
func (b *bench) leases(h *harness) {
	state := b.newState(h)
	daemon := b.startDaemon(h, state, "--virtual", "on", "--physical", "off")
	cl := daemon.client()
	defer cl.Close()
	keyReady(b, h, cl)
	page, err := os.Create(filepath.Join(state, "page"))
	h.must(err)
	defer func() { _ = page.Close() }()
	octets := make([]byte, 4096)

	var lent, synced samples
	for range b.times(300) {
		began := time.Now()
		l, err := cl.TakeLease(b.ctx, forKey())
		h.must(err)
		_, err = cl.ReleaseLease(b.ctx, l.ID)
		h.must(err)
		lent = append(lent, time.Since(began))

		began = time.Now()
		_, err = page.WriteAt(octets, 0)
		h.must(err)
		h.must(page.Sync())
		synced = append(synced, time.Since(began))
	}
	b.add(row{
		What: "lease taken and released over the API, durable against a killed daemon (p50 / p99)", Measured: fmt.Sprintf("%s, n = %d", lent, len(lent)),
		Peers: "one page written and synced to the same disk, in turn: " + synced.String(), Ratio: ratio(lent.p50(), synced.p50()),
	})
}

// ceremonies signs in with a virtual key over the API, beside the same exchange
// with such a key and nothing around it.
func (b *bench) ceremonies(h *harness) {
	daemon := b.startDaemon(h, b.newState(h), "--virtual", "on", "--physical", "off")
	cl := daemon.client()
	defer cl.Close()
	keyReady(b, h, cl)
	l, err := cl.TakeLease(b.ctx, forKey())
	h.must(err)
	made := b.ceremony(h, cl, l, contract.CeremonyCreate, `{"rp":{"id":"localhost","name":"bench"},"user":{"id":"dXNlcg","name":"u","displayName":"u"},`+
		`"challenge":"Y2hhbGxlbmdlLWNoYWxsZW5nZQ","pubKeyCredParams":[{"type":"public-key","alg":-7}],"authenticatorSelection":{"userVerification":"required"}}`)
	get := `{"challenge":"Y2hhbGxlbmdlLWNoYWxsZW5nZQ","rpId":"localhost","userVerification":"required","allowCredentials":[{"type":"public-key","id":"` + made + `"}]}`
	raw := newRawKey(b, h)

	var ours, least samples
	for range b.times(300) {
		began := time.Now()
		b.ceremony(h, cl, l, contract.CeremonyGet, get)
		ours = append(ours, time.Since(began))
		began = time.Now()
		raw.assert(h)
		least = append(least, time.Since(began))
	}
	_, err = cl.ReleaseLease(b.ctx, l.ID)
	h.must(err)
	b.add(row{
		What: "WebAuthn get with a PIN over the API, virtual key (p50 / p99)", Measured: fmt.Sprintf("%s, n = %d", ours, len(ours)),
		Peers: "the same CTAP exchange with such a key and nothing around it, in turn: " + least.String(),
		Ratio: fmt.Sprintf("%s, or + %s ms", ratio(ours.p50(), least.p50()), ms(ours.p50()-least.p50())),
		Note:  "two syncs of the disk are for the PIN's block, before it is sent and after",
	})
}

func (d *daemon) client() *client.Client {
	return &client.Client{URL: "http://" + d.address, Token: d.token}
}

func forKey() contract.LeaseRequest {
	return contract.LeaseRequest{Requirement: contract.Requirement{AAL: 3, Target: "mock", Kind: contract.SecurityKey}}
}

func keyReady(b *bench, h *harness, cl *client.Client) {
	v, err := cl.Ready(b.ctx, contract.Question{AAL: 3, Target: "mock", Kind: contract.SecurityKey}, 30*time.Second)
	h.must(err)
	if v.Outcome != contract.VerdictReady {
		h.Fatalf("the virtual key is %s", v.Outcome)
	}
}

// ceremony carries one out and gives the id of the credential.
func (b *bench) ceremony(h *harness, cl *client.Client, l *contract.NewLease, kind contract.CeremonyType, options string) string {
	c, err := cl.Begin(b.ctx, contract.CeremonyRequest{
		Lease: l.ID, Type: kind, Origin: "http://localhost:3000", Options: json.RawMessage(options),
		PIN: &contract.PINSource{Value: []byte(virtualPIN)}, Wait: true,
	})
	h.must(err)
	if c.State != contract.CeremonyDone {
		h.Fatalf("the ceremony is %s: %v", c.State, c.Problem)
	}
	var credential struct{ ID string }
	h.must(json.Unmarshal(c.Result.Credential, &credential))
	return credential.ID
}

// virtualPIN is that of every virtual authenticator; it protects nothing.
const virtualPIN = "123456"

// rawKey is a virtual key in this process.
type rawKey struct {
	b          *bench
	bus        *vkey.Bus
	node       fido.Node
	credential []byte
}

func newRawKey(b *bench, h *harness) *rawKey {
	key, err := vkey.New(vkey.Config{Name: "bench", PIN: []byte(virtualPIN), File: filepath.Join(b.newState(h), "key")})
	h.must(err)
	r := &rawKey{b: b, bus: vkey.NewBus()}
	h.must(r.bus.Plug(key))
	ctx, found := context.WithCancel(b.ctx)
	h.must(r.bus.Watch(ctx, func(c fido.Change) {
		if !c.Settled {
			r.node = c.Node
		}
		found()
	}))
	r.open(h, func(k *fido.Key) {
		token, err := k.PINToken(b.ctx, []byte(virtualPIN), fido.PermitMakeCredential, "localhost")
		h.must(err)
		made, err := k.Make(b.ctx, fido.MakeCredential{
			ClientDataHash: sha256.Sum256([]byte("bench")), RP: fido.RelyingParty{ID: "localhost", Name: "bench"},
			User: fido.User{ID: []byte("user"), Name: "u", DisplayName: "u"}, Algorithms: []int64{-7},
		}, token, nil)
		h.must(err)
		r.credential = made.ID
	})
	return r
}

func (r *rawKey) open(h *harness, do func(*fido.Key)) {
	k, err := fido.OpenKey(r.b.ctx, r.bus, r.node)
	h.must(err)
	do(k)
	h.must(k.Close())
}

// assert is what a ceremony does with the key, and nothing else.
func (r *rawKey) assert(h *harness) {
	r.open(h, func(k *fido.Key) {
		_, err := k.Info(r.b.ctx)
		h.must(err)
		_, err = k.Retries(r.b.ctx)
		h.must(err)
		token, err := k.PINToken(r.b.ctx, []byte(virtualPIN), fido.PermitGetAssertion, "localhost")
		h.must(err)
		_, err = k.Assert(r.b.ctx, fido.GetAssertion{ClientDataHash: sha256.Sum256([]byte("bench")), RPID: "localhost", Allow: [][]byte{r.credential}}, token, nil)
		h.must(err)
	})
}
