package inventory

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// appID is what the id of an authenticator application begins with.
const appID = "totp-"

// LoginsConfig is what the source of login proofs knows when it starts.
type LoginsConfig struct {
	// Users are those of the configuration.
	Users []LoginUser
	// Proofs are what the login runs of earlier daemons have shown.
	Proofs []contract.Proof
	// Look says why the secret in a file cannot be read, from what the file
	// system tells of it.
	Look func(file string) error
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// LoginUser is a user of the configuration.
type LoginUser struct {
	Name string
	health.User
	// TOTPFile has the secret of the user's authenticator application; empty:
	// there is none.
	TOTPFile string
}

// Logins is the source of what the configuration says of users and login runs
// have shown of authenticators. It is told, and asks nobody.
type Logins struct {
	config LoginsConfig
	wake   chan struct{}

	mu     sync.Mutex // guards what follows
	proofs []contract.Proof
}

// NewLogins makes the source.
func NewLogins(config LoginsConfig) *Logins {
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Logins{config: config, proofs: slices.Clone(config.Proofs), wake: make(chan struct{}, 1)}
}

// Name is the source's name.
func (l *Logins) Name() string { return "logins" }

// Learn takes what a login run has shown; it does not wait.
func (l *Logins) Learn(proof contract.Proof) {
	l.mu.Lock()
	l.proofs = slices.DeleteFunc(l.proofs, func(p contract.Proof) bool {
		return p.Authenticator == proof.Authenticator && p.Target == proof.Target && p.User == proof.User
	})
	l.proofs = append(l.proofs, proof)
	l.mu.Unlock()
	l.look()
}

// Reread looks at the file of an authenticator application anew.
func (l *Logins) Reread(id string) bool {
	is := slices.ContainsFunc(l.config.Users, func(u LoginUser) bool { return u.TOTPFile != "" && u.app() == id })
	if is {
		l.look()
	}
	return is
}

func (l *Logins) look() {
	select {
	case l.wake <- struct{}{}:
	default: // somebody has asked already
	}
}

// lookAgain is how soon a file that could not be read is looked at again, so that
// who has put it right need not ask for that. Where all is well nothing wakes.
const lookAgain = 2 * time.Second

// Run publishes all that is known each time something is learned.
func (l *Logins) Run(ctx context.Context, publish func(Observation)) error {
	since := l.config.Now()
	var told []health.App
	learned := true
	for {
		o := l.observe(since)
		if learned || !slices.EqualFunc(told, o.Apps, func(a, b health.App) bool { return a.Trouble == b.Trouble }) {
			publish(o)
			told = o.Apps
		}
		var again <-chan time.Time
		if slices.ContainsFunc(o.Apps, func(a health.App) bool { return a.Trouble != "" }) {
			again = time.After(lookAgain)
		}
		select {
		case <-l.wake:
			learned = true
		case <-again:
			learned = false
		case <-ctx.Done():
			return nil
		}
	}
}

func (l *Logins) observe(since time.Time) Observation {
	now := l.config.Now()
	o := Observation{Source: contract.Source{Name: l.Name(), State: "up", ObservedAt: now}}
	for _, u := range l.config.Users {
		known := u.User
		if u.TOTPFile != "" {
			known.Authenticators = append(slices.Clone(known.Authenticators), u.app())
			o.Apps = append(o.Apps, l.app(u, since, now))
		}
		o.Users = append(o.Users, known)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	o.Proofs = slices.Clone(l.proofs)
	return o
}

// app is a user's authenticator application as one of the authenticators. A
// secret in a file can be copied, and so it never counts as a device of its own
// (DESIGN rule 4; ADR 7).
func (l *Logins) app(u LoginUser, since, now time.Time) health.App {
	a := health.App{Authenticator: contract.Authenticator{
		ID: u.app(), Name: friendlyName("app", u.app(), contract.Virtual), Kind: contract.TOTP, Origin: contract.Virtual, Source: l.Name(),
		Transport: "file", Condition: contract.Ready, PIN: contract.PIN{State: "not_set"}, InsertedAt: since, ReadAt: now, ObservedAt: now,
	}}
	if err := l.config.Look(u.TOTPFile); err != nil {
		var named *fs.PathError
		if errors.As(err, &named) {
			err = named.Err // without the path, which is nobody else's business
		}
		a.Condition, a.Trouble = contract.Unreadable, err.Error()
	}
	return a
}

func (u LoginUser) app() string { return opaqueID(appID, u.Name) }
