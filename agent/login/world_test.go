package login_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"authbridge/agent/assurance"
	"authbridge/agent/ceremony"
	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/lease"
	"authbridge/agent/login"
	"authbridge/agent/mockcis2"
	"authbridge/agent/store"
	"authbridge/agent/virtual"
	"authbridge/fido/webauthn"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(desk().dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

const (
	redirect = "http://127.0.0.1:1/callback?of=authbridge" // nothing listens there, and nobody asks
	clientID = "authbridge"
	secret   = "canary-client-secret"
	// keyUser signs in with keys.
	keyUser  = "656005750108"
	cardUser = "555200000001" // of the default virtual card
	secondly = "555200000002"
)

// workshop is what takes long to make, made once: cards, and a signing key.
type workshop struct {
	dir  string
	key  *rsa.PrivateKey
	pool [2]*x509.CertPool
	err  error
}

var desk = sync.OnceValue(func() (w workshop) {
	if w.dir, w.err = os.MkdirTemp("", "login"); w.err != nil {
		return w
	}
	w.key, w.err = rsa.GenerateKey(rand.Reader, 2048)
	var ca *vcard.CA
	if ca, w.err = vcard.OpenCA(w.dir); w.err != nil {
		return w
	}
	w.pool[0], w.pool[1] = ca.Pools()
	for _, user := range []string{cardUser, secondly, "555299990001", "555299990002", "555299990003"} {
		profile := vcard.Profile{User: user, Surname: "Okonkwo", Forename: "Adaeze", Keys: vcard.ECCP256}
		if _, w.err = vcard.OpenCard(filepath.Join(w.dir, "card-"+user+".json"), profile, ca); w.err != nil {
			return w
		}
	}
	return w
})

// world is a daemon without its API: a mock, virtual devices and all between.
type world struct {
	t       testing.TB
	dir     string // of the state
	mock    *mockcis2.Server
	devices *virtual.Devices
	inv     *inventory.Inventory
	known   *inventory.Logins
	leases  *lease.Desk
	use     *ceremony.Conductor
	kept    *store.Store
	runner  *login.Runner
	config  login.Config
	base    string

	mu     sync.Mutex
	events []contract.Event
	more   chan struct{} // closed at the next event
}

// knows is the mock as the daemon's composition has it.
type knows struct{ *mockcis2.Server }

func (k knows) Know(user string) error {
	if slices.ContainsFunc(k.Users(), func(u cis2.User) bool { return u.UUID == user }) {
		return nil
	}
	return k.SetUser(mockcis2.User{User: cis2.User{UUID: user, Given: "Test", Family: "Person", AAL: 3, IAL: 3, Roles: []cis2.Role{cis2.NewRole(user, cis2.DefaultRole, 1)}}})
}

func (k knows) Fault(client, state string, faults ...string) error {
	f := mockcis2.Faulting{Client: client, State: state}
	for _, name := range faults {
		one, err := mockcis2.ParseFault(name)
		if err != nil {
			return err
		}
		f.Faults = append(f.Faults, one)
	}
	k.SetFaults(f)
	return nil
}

var ci = lease.Caller{Owner: contract.Owner{TokenID: "t1", Name: "token ci"}, Rights: []contract.Right{contract.RightRead, contract.RightLease, contract.RightVirtual}}

func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	shop := desk()
	if shop.err != nil {
		t.Fatal(shop.err)
	}
	w := &world{t: t}
	dir := t.TempDir()
	w.dir = dir
	if err := os.CopyFS(dir, os.DirFS(shop.dir)); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	w.base = "http://localhost:" + port
	dial := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	}}
	t.Cleanup(dial.CloseIdleConnections)
	w.mock, err = mockcis2.New(mockcis2.Config{
		Base: w.base, CardRoots: shop.pool[0], CardIntermediates: shop.pool[1], Key: shop.key,
		Clients: []mockcis2.Client{{Registration: cis2.Registration{ClientID: clientID, Redirects: []string{redirect}, Pattern: cis2.ClientSecret}, Secret: secret}},
	})
	must(t, err)

	w.kept, err = store.Open(t.Context(), store.Options{Dir: dir})
	must(t, err)
	w.devices, err = virtual.New(t.Context(), virtual.Config{
		Dir: dir, Memory: w.kept, Snapshot: func() *contract.Snapshot { return w.inv.Snapshot() }, Reread: func(id string) error { return w.inv.Reread(id) },
	})
	must(t, err)
	if w.known == nil {
		w.known = inventory.NewLogins(inventory.LoginsConfig{})
	}
	w.inv, err = inventory.New(t.Context(), inventory.Config{
		Sources: []inventory.Source{
			inventory.NewCards(inventory.CardsConfig{Name: "virtual-pcsc", System: w.devices.System(), Connector: pcsc.NewConnector(w.devices.System(), pcsc.ConnectorOptions{}), Virtual: true}),
			inventory.NewKeys(inventory.KeysConfig{Name: "virtual-fido", Bus: w.devices.Bus(), Virtual: true}),
			w.known,
		}, Journal: w.kept, Judge: health.Steady(), Version: "test", OS: runtime.GOOS,
	})
	must(t, err)
	w.use, err = ceremony.New(t.Context(), ceremony.Config{Hardware: w.inv, Store: w.kept, Tell: w.inv.Tell, Policy: ceremony.Policy{
		Parties: []webauthn.Party{{ID: "localhost", Origins: []string{"http://localhost:*"}, Targets: []string{"mock"}}},
	}})
	must(t, err)
	judge := func(q contract.Question, s *contract.Snapshot) contract.Verdict { return assurance.Judge(s, q) }
	w.leases, err = lease.New(t.Context(), lease.Config{
		Inventory: w.inv, Use: w.use, Store: w.kept, Judge: judge, Show: w.inv.ShowLeases, Targets: []string{"mock", "int", "dep", "prod"},
	})
	must(t, err)
	w.config = login.Config{
		Targets: []login.Target{{
			Name: "mock", Issuer: w.mock.Issuer(), ClientID: clientID, Client: login.ClientAuth{Secret: []byte(secret)}, Redirect: redirect,
			Scopes:   []string{"openid", "profile", "nhsperson", "nationalrbacaccess", "associatedorgs", "selectedrole"},
			Headless: true, User: keyUser,
		}, {Name: "int", Issuer: "https://am.invalid:443" + cis2.RealmPath, ClientID: "1.apps.national"}},
		Leases: w.leases, Ceremonies: w.use, Inventory: w.inv, Judge: judge, Store: w.kept, Virtual: w.devices, Mock: knows{w.mock},
		VirtualPIN: virtual.DefaultPIN, Transport: dial, CallTime: 30 * time.Second, Tell: w.tell, Learn: w.known.Learn,
	}
	for _, c := range change {
		c(w)
	}
	w.runner, err = login.New(t.Context(), w.config)
	must(t, err)

	serving, stop := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return w.mock.Serve(serving, listener) })
	group.Go(func() error { return w.inv.Run(serving) })
	lending, enough := context.WithCancel(context.Background())
	group.Go(func() error {
		err := w.leases.Run(lending)
		if end := w.use.Shutdown(context.Background()); err == nil {
			err = end
		}
		stop()
		return err
	})
	t.Cleanup(func() {
		if err := w.runner.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		for _, l := range w.leases.Leases() {
			if l.State != contract.LeaseEnded {
				t.Errorf("a lease is left: %+v", l)
			}
		}
		dial.CloseIdleConnections()
		enough()
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
		must(t, w.devices.Close())
		must(t, w.kept.Close())
	})
	must(t, w.devices.Restored(soon(t)))
	w.ready(virtual.DefaultReader, virtual.DefaultKey)
	return w
}

// ready waits until devices are seen and read.
func (w *world) ready(names ...string) {
	w.t.Helper()
	_, err := w.inv.Await(soon(w.t), func(s *contract.Snapshot) bool {
		for _, name := range names {
			if w.authenticator(name) == "" || !slices.ContainsFunc(s.Authenticators, func(a contract.Authenticator) bool {
				return a.ID == w.authenticator(name) && a.Condition == contract.Ready
			}) {
				return false
			}
		}
		return true
	})
	must(w.t, err)
}

func (w *world) authenticator(device string) string {
	for _, v := range w.devices.List() {
		if v.Name == device {
			return v.Authenticator
		}
	}
	return ""
}

func (w *world) tell(events ...contract.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, events...)
	if w.more != nil {
		close(w.more)
		w.more = nil
	}
}

// next is closed at the next event.
func (w *world) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.more == nil {
		w.more = make(chan struct{})
	}
	return w.more
}

// soon is a context for what should happen at once, on a machine that is busy.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) begin(request contract.LoginRequest) contract.Login {
	w.t.Helper()
	if request.Target == "" {
		request.Target = "mock"
	}
	begun, err := w.runner.Begin(soon(w.t), ci, request)
	must(w.t, err)
	return begun
}

func (w *world) await(id string) contract.Login {
	w.t.Helper()
	over, err := w.runner.Await(soon(w.t), id)
	must(w.t, err)
	if !over.State.Over() || over.EndedAt.IsZero() || over.Summary == "" {
		w.t.Errorf("it is not over: %+v", over)
	}
	kept, err := w.kept.Login(soon(w.t), id)
	must(w.t, err)
	if kept.State != over.State || len(kept.Steps) != len(over.Steps) || kept.Owner.TokenID != ci.TokenID {
		w.t.Errorf("kept is %+v, told %+v", kept, over)
	}
	if over.Lease != "" {
		if l, ok := w.leases.Lease(over.Lease); ok && l.State != contract.LeaseEnded {
			w.t.Errorf("its lease is %s", l.State)
		}
	}
	return over
}

func (w *world) run(request contract.LoginRequest) contract.Login {
	w.t.Helper()
	return w.await(w.begin(request).ID)
}

// passes runs a login that must pass.
func (w *world) passes(request contract.LoginRequest) contract.Login {
	w.t.Helper()
	l := w.run(request)
	if l.State != contract.LoginPassed {
		w.t.Fatalf("%s\n%s", l.Summary, story(l))
	}
	return l
}

// fails runs a login that must fail at a step, with a code.
func (w *world) fails(request contract.LoginRequest, step, code string) contract.Login {
	w.t.Helper()
	l := w.run(request)
	s := stepOf(l, step)
	if l.State != contract.LoginFailed || s.State != contract.StepFail || s.Code != code || s.Remedy == "" || l.Problem == nil {
		w.t.Fatalf("want %s at %s; %s\n%s", code, step, l.Summary, story(l))
	}
	return l
}

func stepOf(l contract.Login, name string) contract.LoginStep {
	for _, s := range l.Steps {
		if s.Name == name {
			return s
		}
	}
	return contract.LoginStep{}
}

func story(l contract.Login) string {
	var b strings.Builder
	for _, s := range l.Steps {
		b.WriteString("  " + s.Name + ": " + string(s.State) + " " + s.Code + " | want " + s.Expected + " | got " + s.Got + " | " + s.Evidence + "\n")
	}
	return b.String()
}
