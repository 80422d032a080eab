package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
)

const (
	// Prefixes make secrets known to people and to secret scanners.
	codePrefix    = "authbridge_code_"
	sessionPrefix = "authbridge_page_"

	codeTime = time.Minute
	// codeKept is how long it is told what became of a code.
	codeKept = 5 * time.Minute
	// sessionIdle ends a session that nobody uses. An open stream is a use.
	sessionIdle = 12 * time.Hour
	// maxPages bounds codes and sessions, each, of one opener: the oldest goes.
	maxPages = 16
	// maxOpeners bounds them in all, as openers may be many users.
	maxOpeners = 64
)

// pageBook is who may enter the diagnostics page, and who is in. It is in
// memory alone and holds no secret: only what secrets hash to.
type pageBook struct {
	now func() time.Time

	mu       sync.Mutex
	codes    []*pageCode // the oldest first
	sessions []*pageSession
}

type hash = [sha256.Size]byte

// pageCode is a code that was handed out. It opens nothing but a session.
type pageCode struct {
	id     string
	sum    hash
	opener Caller
	ends   time.Time
	opened chan struct{} // closed once it was swapped
}

// pageSession is an open page.
type pageSession struct {
	sum    hash
	caller Caller
	used   time.Time
}

func newPageBook() *pageBook { return &pageBook{now: time.Now} }

// open hands out a code; false: there are too many already.
func (b *pageBook) open(opener Caller) (page contract.NewPage, ok bool) {
	secret, sum := newSecret(codePrefix)
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	b.codes, ok = enter(b.codes, func(c *pageCode) Caller { return c.opener }, &pageCode{
		id: "page-" + hex.EncodeToString(id), sum: sum, opener: opener, ends: b.now().Add(codeTime), opened: make(chan struct{}),
	})
	if !ok {
		return contract.NewPage{}, false
	}
	made := b.codes[len(b.codes)-1]
	return contract.NewPage{Page: made.page(b.now()), Code: secret}, true
}

// page is what is told of a code.
func (c *pageCode) page(now time.Time) contract.Page {
	state := contract.PageWaiting
	select {
	case <-c.opened:
		state = contract.PageOpened
	default:
		if !now.Before(c.ends) {
			state = contract.PageExpired
		}
	}
	return contract.Page{ID: c.id, State: state, ExpiresAt: c.ends}
}

// find finds a code by its id, for who has handed it out.
func (b *pageBook) find(id string, by Caller) (page contract.Page, opened <-chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.codes {
		if c.id == id && by.owner().Owns(c.opener.owner()) {
			return c.page(b.now()), c.opened, true
		}
	}
	return contract.Page{}, nil, false
}

// caller finds who asks by a secret of the book: an open page, which is used by
// that, or somebody who has a code and may swap it.
func (b *pageBook) caller(secret []byte) (Caller, bool) {
	sum := sha256.Sum256(secret)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for _, s := range b.sessions {
		if s.sum == sum && s.lives(now) {
			s.used = now
			return s.caller, true
		}
	}
	for _, c := range b.codes {
		if c.sum == sum && c.page(now).State == contract.PageWaiting {
			return Caller{Name: "a page of " + c.opener.Name, code: c}, true
		}
	}
	return Caller{}, false
}

// swap uses a code up and gives who had handed it out; false: somebody was
// faster, or its time is up.
func (b *pageBook) swap(code *pageCode) (opener Caller, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if code.page(b.now()).State != contract.PageWaiting || !slices.Contains(b.codes, code) {
		return Caller{}, false
	}
	close(code.opened)
	return code.opener, true
}

// begin opens a page with its opener's rights, less what no page has; false:
// there are too many already.
func (b *pageBook) begin(opener Caller) (secret string, page Caller, ok bool) {
	secret, sum := newSecret(sessionPrefix)
	s := &pageSession{sum: sum, caller: opener}
	s.caller.page, s.caller.Rights = s, pageRights(opener.Rights)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	s.used = b.now()
	b.sessions, ok = enter(b.sessions, func(s *pageSession) Caller { return s.caller }, s)
	return secret, s.caller, ok
}

// pageRights are what a page may do of what its opener may: a page handles no
// tokens, sees no names, and uses nobody's own key.
func pageRights(of []contract.Right) []contract.Right {
	return slices.DeleteFunc(slices.Clone(of), func(r contract.Right) bool {
		return r == contract.RightAdmin || r == contract.RightIdentity || r == contract.RightPhysical
	})
}

// reads notes that a page reads its stream; false: it is not open any more. Of
// who is no page it is always true.
func (b *pageBook) reads(caller Caller) bool {
	if caller.page == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.sessions, caller.page) || !caller.page.lives(b.now()) {
		return false
	}
	caller.page.used = b.now()
	return true
}

// revoke ends all that a token opened.
func (b *pageBook) revoke(tokenID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.codes = slices.DeleteFunc(b.codes, func(c *pageCode) bool { return c.opener.TokenID == tokenID })
	b.sessions = slices.DeleteFunc(b.sessions, func(s *pageSession) bool { return s.caller.TokenID == tokenID })
}

// sweep forgets what is over. Who calls it holds b.mu.
func (b *pageBook) sweep() {
	now := b.now()
	b.codes = slices.DeleteFunc(b.codes, func(c *pageCode) bool { return now.Sub(c.ends) > codeKept })
	b.sessions = slices.DeleteFunc(b.sessions, func(s *pageSession) bool { return !s.lives(now) })
}

func (s *pageSession) lives(now time.Time) bool {
	return now.Sub(s.used) < sessionIdle && (s.caller.Expires.IsZero() || now.Before(s.caller.Expires))
}

// enter puts one more at the end of a list, where its opener's oldest makes
// room; false: there is none.
func enter[T any](list []T, opener func(T) Caller, one T) ([]T, bool) {
	own, oldest := 0, -1
	for i, other := range list {
		if opener(one).owner() == opener(other).owner() {
			if own++; oldest < 0 {
				oldest = i
			}
		}
	}
	switch {
	case own >= maxPages:
		list = slices.Delete(list, oldest, oldest+1)
	case len(list) >= maxPages*maxOpeners:
		return list, false
	}
	return append(list, one), true
}

// newSecret makes a secret that nobody guesses: 256 bits need no slow hash.
func newSecret(prefix string) (secret string, sum hash) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	secret = prefix + base64.RawURLEncoding.EncodeToString(random)
	clear(random)
	return secret, sha256.Sum256([]byte(secret))
}
