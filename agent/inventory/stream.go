package inventory

import (
	"slices"
	"sync"

	"authbridge/agent/contract"
)

// Entry is one published event. It is immutable; its encodings are made once,
// for all subscribers.
type Entry struct {
	id    contract.EventID
	owner *contract.Owner // who sees the whole
	whole *form
	// public is the same as whole unless a part of it is the owner's alone.
	public *form
}

// form is one form of an event, with and without personal data.
type form struct {
	event    contract.Event
	masked   func() contract.Event
	plainly  func() []byte
	maskedly func() []byte
}

// newEntry makes an entry; known are the authenticators whose personal data
// its texts might hold.
func newEntry(id contract.EventID, event contract.Event, known []contract.Authenticator) *Entry {
	e := &Entry{id: id, owner: event.Owner, whole: newForm(event, known)}
	e.public = e.whole
	if event.Ceremony != nil || event.Login != nil {
		e.public = newForm(publicEvent(event), known)
	}
	return e
}

func newForm(event contract.Event, known []contract.Authenticator) *form {
	f := &form{event: event}
	f.masked = sync.OnceValue(func() contract.Event { return maskEvent(event, known) })
	f.plainly = sync.OnceValue(func() []byte { return encode(&event) })
	f.maskedly = sync.OnceValue(func() []byte { masked := f.masked(); return encode(&masked) })
	return f
}

// ID is the event's id.
func (e *Entry) ID() contract.EventID { return e.id }

// Event is the event as that viewer may see it.
func (e *Entry) Event(v Viewer) contract.Event {
	f := e.form(v)
	if v.Identity {
		return f.event
	}
	return f.masked()
}

// Encoded is the event as JSON, as that viewer may see it. It must not be
// changed.
func (e *Entry) Encoded(v Viewer) []byte {
	f := e.form(v)
	if v.Identity {
		return f.plainly()
	}
	return f.maskedly()
}

func (e *Entry) form(v Viewer) *form {
	if e.owner != nil && v.Owner.Owns(*e.owner) {
		return e.whole
	}
	return e.public
}

// kept is the event as it is written to the journal and the log: what everybody
// may see.
func (e *Entry) kept() contract.Event { return e.public.masked() }

// streamKeeps is how many of the newest events stay in memory, at least. Who
// is further behind reads the journal.
const streamKeeps = 512

// stream is the newest events, in memory, for any number of subscribers. Each
// subscriber has only a place in it, so one that sleeps costs nothing and
// holds nobody up.
type stream struct {
	keeps int

	mu      sync.Mutex
	entries []*Entry // without holes; never changed in place, so parts can be lent
	changed chan struct{}
	closed  bool
}

func newStream(keeps int) *stream {
	return &stream{keeps: keeps, changed: make(chan struct{})}
}

func (s *stream) append(batch []*Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.entries); n > 0 && batch[0].id.Seq != s.entries[n-1].id.Seq+1 {
		s.entries = nil
	}
	s.entries = append(s.entries, batch...)
	if len(s.entries) > 2*s.keeps {
		s.entries = slices.Clone(s.entries[len(s.entries)-s.keeps:])
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	close(s.changed)
}

// reading is what the stream has for one place in it.
type reading struct {
	entries []*Entry        // what comes next
	behind  bool            // the next ones are no longer in memory
	changed <-chan struct{} // closed when there may be more
	closed  bool            // there will be no more
}

// after reads up to limit entries behind id.
func (s *stream) after(id contract.EventID, limit int) reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := reading{changed: s.changed, closed: s.closed}
	if len(s.entries) == 0 {
		return r
	}
	first := s.entries[0].id
	if id.Epoch < first.Epoch || id.Seq+1 < first.Seq {
		r.behind = true
		return r
	}
	from := min(id.Seq+1-first.Seq, uint64(len(s.entries)))
	to := min(from+uint64(limit), uint64(len(s.entries)))
	r.entries = s.entries[from:to:to]
	return r
}
