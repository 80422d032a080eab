package mockcis2

import (
	"sync"
	"time"

	"authbridge/agent/cis2"
)

// book is the one owner of what changes. Nothing is done under its mutex but
// reading and writing it.
type book struct {
	mu sync.Mutex

	clients map[string]*Client // which nobody changes
	users   map[string]*User   // nor these

	logins     shelf[*login]     // by id
	references shelf[string]     // login's id by reference
	sessions   shelf[*session]   // by the digest of the cookie
	codes      shelf[*grant]     // by digest
	tokens     shelf[*access]    // by digest
	assertions shelf[struct{}]   // client and jti
	enrolments shelf[*enrolment] // by id
	steps      map[string]uint64 // the last TOTP step that a user has used
	lent       map[string][]*lentApp
	tries      shelf[*tries]
	usage      map[string]cis2.Usage // by client

	lasting map[string][]Fault // by client and empty state
	faults  shelf[[]Fault]     // by client and state
}

// How much is kept. Each is some hundred octets to a few KB.
const (
	mostUsers      = 5000
	mostLogins     = 2000
	mostSessions   = 2000
	mostCodes      = 5000
	mostTokens     = 10000
	mostAssertions = 20000
	mostTries      = 2000
)

// How long it is kept.
const (
	loginFor     = 10 * time.Minute
	referenceFor = 5 * time.Minute
	codeFor      = time.Minute
	tokenFor     = time.Hour
	sessionFor   = 8 * time.Hour // CIS2's own is not published
)

func newBook() *book {
	return &book{
		clients: make(map[string]*Client), users: make(map[string]*User),
		logins: newShelf[*login](mostLogins), references: newShelf[string](mostLogins), sessions: newShelf[*session](mostSessions),
		codes: newShelf[*grant](mostCodes), tokens: newShelf[*access](mostTokens), assertions: newShelf[struct{}](mostAssertions),
		enrolments: newShelf[*enrolment](mostLogins), steps: make(map[string]uint64), lent: make(map[string][]*lentApp), tries: newShelf[*tries](mostTries),
		usage: make(map[string]cis2.Usage), lasting: make(map[string][]Fault), faults: newShelf[[]Fault](mostFaultings),
	}
}

// tries counts what failed since it was first kept.
type tries struct{ failed int }

// mayTry is whether less than most have failed, of what key names, within the
// time given; failed counts one. The mutex is held.
func (b *book) mayTry(key string, most int, now time.Time) bool {
	t, ok := b.tries.get(key, now)
	return !ok || t.failed < most
}

func (b *book) failed(key string, within time.Duration, now time.Time) {
	t, ok := b.tries.get(key, now)
	if !ok {
		t = &tries{}
		b.tries.put(key, t, now, now.Add(within))
	}
	t.failed++
}

// client looks a client up; it is not to be changed.
func (b *book) client(id string) (*Client, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.clients[id]
	return c, ok
}

func (b *book) user(uuid string) (*User, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u, ok := b.users[uuid]
	return u, ok
}
