//go:build linux && cgo

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"authbridge/agent/api"
	"authbridge/agent/api/apitest"
	"authbridge/agent/assurance"
	"authbridge/agent/ceremony"
	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/lease"
	"authbridge/agent/store"
	"authbridge/e2e/pcscd"
	"authbridge/fido/vkey"
	"authbridge/fido/webauthn"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
	"authbridge/platform"

	"github.com/sirupsen/logrus"
)

// lender is a daemon that has two virtual cards and two virtual keys to lend.
// The cards are this process's, so that they can be asked what was done with
// them.
type lender struct {
	t     testing.TB
	admin *apiclient.Client
	url   string
	users [2]string
	cards map[string]*cardRecord // by authenticator
	keys  map[string]string      // by authenticator: a credential that is in it
}

const (
	firstCard  = "555200123450"
	secondCard = "555200123451"
	page       = "http://localhost:3000"
	furnishing = "makes a credential in "
)

func lendingCard(t testing.TB, user string) *vcard.Card {
	t.Helper()
	ca, err := testCA()
	must(t, err)
	card, err := vcard.NewCard(vcard.Profile{User: user, Surname: "Fotherington", Forename: "Araminta", Keys: vcard.ECCP256}, ca)
	must(t, err)
	return card
}

// programLends starts the program with two cards in a real pcscd and two keys
// of its own.
func programLends(t *testing.T) (*program, *lender) {
	t.Helper()
	d := pcscd.Start(t, 2)
	t.Setenv("AUTHBRIDGE_LOG_LEVEL", "warn")
	p := buildProgram(t)
	p.start()
	l := &lender{t: t, admin: p.client(), url: "unix://" + platform.SocketIn(p.state), users: [2]string{firstCard, secondCard}}
	t.Cleanup(l.admin.Close)
	must(t, l.admin.DeleteDevice(t.Context(), "virtual-reader-1"))
	_, err := l.admin.PlugKey(t.Context(), contract.VirtualPlug{Name: "virtual-key-2"})
	must(t, err)
	cards := []*vcard.Card{lendingCard(t, firstCard), lendingCard(t, secondCard)}
	for i, card := range cards {
		plug(t, d, i, card)
	}
	l.furnish(cards)
	return p, l
}

// daemonLends composes a daemon in this process, as the program does, on cards
// and keys that are in this process too.
func daemonLends(t *testing.T) (l *lender, end func()) {
	t.Helper()
	log := logrus.New()
	log.SetLevel(logrus.ErrorLevel)
	bench, bus := vcard.NewBench(), vkey.NewBus()
	cards := []*vcard.Card{lendingCard(t, firstCard), lendingCard(t, secondCard)}
	for i, card := range cards {
		must(t, bench.AddReader(fmt.Sprint("reader ", i)))
		must(t, bench.Insert(fmt.Sprint("reader ", i), card))
	}
	for i := range 2 {
		key, err := vkey.New(vkey.Config{Name: fmt.Sprint("key ", i), PIN: []byte(vcard.DefaultPIN)})
		must(t, err)
		must(t, bus.Plug(key))
	}
	kept, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	must(t, err)
	connector := pcsc.NewConnector(bench, pcsc.ConnectorOptions{})
	inv, err := inventory.New(t.Context(), inventory.Config{
		Sources: []inventory.Source{
			inventory.NewCards(inventory.CardsConfig{Name: "virtual-pcsc", System: bench, Connector: connector, Virtual: true}),
			inventory.NewKeys(inventory.KeysConfig{Name: "virtual-fido", Bus: bus, Virtual: true}),
		},
		Journal: kept, Judge: health.Steady(), Version: "test", OS: runtime.GOOS, Log: log,
	})
	must(t, err)
	conductor, err := ceremony.New(t.Context(), ceremony.Config{
		Hardware: inv, Store: kept, Tell: inv.Tell, Log: log,
		Policy: ceremony.Policy{Parties: []webauthn.Party{{ID: "localhost", Origins: []string{"http://localhost:*"}, Targets: []string{"mock"}}}},
	})
	must(t, err)
	judge := func(q contract.Question, s *contract.Snapshot) contract.Verdict { return assurance.Judge(s, q) }
	desk, err := lease.New(t.Context(), lease.Config{
		Inventory: inv, Use: conductor, Store: kept, Judge: judge, Show: inv.ShowLeases, Targets: []string{"mock"}, Log: log,
	})
	must(t, err)
	server, err := api.New(api.Config{
		Inventory: inv, Judge: judge, Tokens: kept, Leases: desk, Ceremonies: conductor, Logins: noLogins{},
		RelyingParties: noRelyingParties{}, Users: apitest.NewUsers("1000", map[string][]contract.Right{"": contract.Rights}), Version: "test", Log: logrus.NewEntry(log),
	})
	must(t, err)
	token, err := kept.CreateToken(t.Context(), "", "admin", contract.Rights, 0)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)

	life, stop := context.WithCancel(context.Background())
	seeing, blind := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { report(t, "the inventory", inv.Run(seeing)) })
	running.Go(func() {
		defer blind()
		report(t, "the desk", desk.Run(life))
		report(t, "the conductor", conductor.Shutdown(seeing))
	})
	running.Go(func() { report(t, "the server", server.Serve(life, listener)) })
	end = sync.OnceFunc(func() {
		stop()
		running.Wait()
		report(t, "the connector", connector.Close())
		bus.Close()
		report(t, "the bench", bench.Close())
		report(t, "the store", kept.Close())
	})
	t.Cleanup(end)
	url := "http://" + listener.Addr().String()
	l = &lender{t: t, admin: &apiclient.Client{URL: url, Token: token.Secret}, url: url, users: [2]string{firstCard, secondCard}}
	t.Cleanup(l.admin.Close)
	l.furnish(cards)
	return l, end
}

// noLogins and noRelyingParties are asked for by nobody here.
type (
	noLogins         struct{ allLogins }
	noRelyingParties struct{ allRelyingParties }

	allLogins         = api.Logins
	allRelyingParties = api.RelyingParties
)

func report(t testing.TB, what string, err error) {
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// furnish waits until all four are ready, and makes a credential in each key.
func (l *lender) furnish(cards []*vcard.Card) {
	t := l.t
	t.Helper()
	s := l.await("four authenticators", func(s *contract.Snapshot) bool { return len(l.ready(s)) == 4 })
	l.cards, l.keys = make(map[string]*cardRecord), make(map[string]string)
	for _, a := range l.ready(s) {
		if a.Kind == contract.Smartcard {
			l.cards[a.ID] = &cardRecord{card: cards[slices.Index(l.users[:], a.User)]}
			continue
		}
		held, err := l.admin.TakeLease(t.Context(), contract.LeaseRequest{
			Requirement: contract.Requirement{Authenticator: a.ID, Target: "mock"}, Purpose: furnishing + a.ID,
		})
		must(t, err)
		made, err := l.admin.Begin(t.Context(), creation(held.ID))
		must(t, err)
		l.keys[a.ID] = credentialIn(t, made).ID
		_, err = l.admin.ReleaseLease(t.Context(), held.ID)
		must(t, err)
	}
	l.await("four authenticators", func(s *contract.Snapshot) bool { return len(l.ready(s)) == 4 })
}

// ready are the authenticators that can be lent.
func (l *lender) ready(s *contract.Snapshot) (ready []contract.Authenticator) {
	for _, a := range s.Authenticators {
		if a.Condition == contract.Ready && (a.Kind == contract.SecurityKey || slices.Contains(l.users[:], a.User)) {
			ready = append(ready, a)
		}
	}
	return ready
}

func (l *lender) await(what string, wanted func(*contract.Snapshot) bool) *contract.Snapshot {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	var s *contract.Snapshot
	found := errors.New("found")
	err := l.admin.Events(ctx, "", func(apiclient.Event) (err error) {
		if s, err = l.admin.Status(ctx); err == nil && wanted(s) {
			err = found
		}
		return err
	})
	if !errors.Is(err, found) {
		text, _ := json.Marshal(s)
		l.t.Fatalf("waiting for %s: %v; there is %s", what, err, text)
	}
	return s
}

func (l *lender) authenticators() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for id := range maps.Keys(l.cards) {
			if !yield(id) {
				return
			}
		}
		for id := range maps.Keys(l.keys) {
			if !yield(id) {
				return
			}
		}
	})
}

// client is somebody with a token of their own.
func (l *lender) client(name string) *apiclient.Client {
	l.t.Helper()
	token, err := l.admin.CreateToken(l.t.Context(), contract.TokenRequest{Name: name, Rights: []contract.Right{contract.RightRead, contract.RightLease}})
	must(l.t, err)
	c := &apiclient.Client{URL: l.url, Token: token.Secret}
	l.t.Cleanup(c.Close)
	return c
}

// creation asks for a credential that the key does not keep.
func creation(leased string) contract.CeremonyRequest {
	return contract.CeremonyRequest{
		Lease: leased, Type: contract.CeremonyCreate, Origin: page, Wait: true,
		Options: json.RawMessage(`{"rp":{"id":"localhost","name":"Mock"},"user":{"id":"dXNlcg","name":"ann","displayName":"Ann"},
			"challenge":"AAECAwQFBgcICQoLDA0ODw","pubKeyCredParams":[{"type":"public-key","alg":-7}],
			"authenticatorSelection":{"userVerification":"discouraged"}}`),
	}
}

// assertion asks for a signature of a key, by a credential that is in it.
func assertion(leased, credential, uv string) contract.CeremonyRequest {
	return contract.CeremonyRequest{
		Lease: leased, Type: contract.CeremonyGet, Origin: page, Wait: true,
		Options: json.RawMessage(fmt.Sprintf(`{"rpId":"localhost","challenge":"AAECAwQFBgcICQoLDA0ODw","userVerification":%q,
			"allowCredentials":[{"type":"public-key","id":%q}]}`, uv, credential)),
	}
}

// signature asks for a signature of a card, of a digest that says whose it is.
func signature(leased, slot string, digest []byte) contract.CeremonyRequest {
	return contract.CeremonyRequest{Lease: leased, Type: contract.CeremonySign, Slot: slot, Digest: digest, Wait: true}
}

func withPIN(request contract.CeremonyRequest, secret, pin string) contract.CeremonyRequest {
	request.PIN = &contract.PINSource{Value: []byte(pin), Secret: secret}
	return request
}

// problemIn is the code of a ceremony that failed, or of the refusal of a call.
func problemIn(c contract.Ceremony, err error) failure.Code {
	var problem *contract.Problem
	switch {
	case errors.As(err, &problem):
		return failure.Code(problem.Code)
	case c.Problem != nil:
		return failure.Code(c.Problem.Code)
	}
	return ""
}

// credential is what a page gets.
type credential struct {
	ID       string `json:"id"`
	Response struct {
		AuthenticatorData string `json:"authenticatorData"`
	} `json:"response"`
}

func credentialIn(t testing.TB, c contract.Ceremony) (got credential) {
	t.Helper()
	if c.State != contract.CeremonyDone || c.Result == nil {
		t.Fatalf("the ceremony is %s: %+v", c.State, c.Problem)
	}
	must(t, json.Unmarshal(c.Result.Credential, &got))
	return got
}

// signCount is the number that a key gave to a signature (WebAuthn L3, 6.1): it
// counts all that it makes, for whomever.
func signCount(t testing.TB, c contract.Ceremony) uint32 {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(credentialIn(t, c).Response.AuthenticatorData)
	if err != nil || len(data) < 37 {
		t.Fatalf("authenticator data: %v, %d octets", err, len(data))
	}
	return binary.BigEndian.Uint32(data[33:])
}

// mark is a digest that says under which lease it was signed: a card's journal
// holds the digests that it was given.
func mark(fence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(markMagic), fence) // 32 octets
}

const markMagic = "digest of fence number: "

// cardRecord is what a card remembers of the marks it signed, in their order.
type cardRecord struct {
	card *vcard.Card

	mu    sync.Mutex
	seen  uint64 // exchanges
	lost  uint64
	marks []uint64 // fence numbers
}

// read takes over what the card remembers, before it forgets.
func (r *cardRecord) read() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.card.Log() {
		if e.N <= r.seen {
			continue
		}
		r.lost += e.N - r.seen - 1
		r.seen = e.N
		if at := bytes.Index(e.Command, []byte(markMagic)); at >= 0 {
			r.marks = append(r.marks, binary.BigEndian.Uint64(e.Command[at+len(markMagic):]))
		}
	}
}

// keyFile is where the program keeps a virtual key.
func (p *program) keyFile(name string) string {
	return filepath.Join(p.state, "virtual", "key-"+name+".json")
}
