package lease

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// book is who has what and who waits for what. It does no I/O and knows no
// clock: the owner hands it the time and what can be seen.
type book struct {
	queue  []*entry          // in the order of arrival; those being taken included
	held   map[string]*entry // by authenticator: reserved, leased, or being left
	fence  uint64
	uses   uint64 // counts
	memory map[string]past
}

func newBook() *book {
	return &book{held: make(map[string]*entry), memory: make(map[string]past)}
}

// looking answers what is here in the light of a requirement.
type looking func(contract.Requirement) *survey

// assign reserves authenticators that are free: one that was taken over for
// whom it was, then each for the oldest waiter whom it suits. It returns those
// that got one.
func (b *book) assign(look looking, now time.Time) []*entry {
	var got []*entry
	reserve := func(e *entry, a *contract.Authenticator) {
		e.stage, e.authenticator, e.claim = taking, a, ""
		b.held[a.ID] = e
		got = append(got, e)
	}
	for _, e := range b.queue {
		if e.stage != waiting || e.claim == "" || b.held[e.claim] != nil {
			continue
		}
		mine := func(a *contract.Authenticator) bool { return a.ID == e.claim && !e.tried(a) }
		if a, ok := choose(look(e.want).fits, mine, b.memory, now); ok {
			reserve(e, a)
		} else {
			e.claim, e.decided = "", false // it is free, and will not do any more
		}
	}
	// What was taken over and is not left yet is still held, so it is nobody
	// else's.
	hopeless := make(map[contract.Requirement]bool) // nothing is free for those who want that
	for _, e := range b.queue {
		if e.stage != waiting || e.claim != "" || hopeless[e.want] {
			continue
		}
		free := func(a *contract.Authenticator) bool { return b.held[a.ID] == nil && !e.tried(a) }
		if a, ok := choose(look(e.want).fits, free, b.memory, now); ok {
			reserve(e, a)
		} else if len(e.refused) == 0 {
			hopeless[e.want] = true
		}
	}
	return got
}

// tried is whether an authenticator was not ready when it was read anew for
// this entry, and was not read since.
func (e *entry) tried(a *contract.Authenticator) bool {
	at, ok := e.refused[a.ID]
	return ok && at.Equal(a.ReadAt)
}

// inTheWay are the entries that have what a waiter could have, the one that
// comes free first at the head.
func (b *book) inTheWay(e *entry, s *survey) []*entry {
	var others []*entry
	for i := range s.fits {
		f := &s.fits[i]
		if other := b.held[f.authenticator.ID]; f.miss == "" && other != nil && other != e && !e.tried(f.authenticator) {
			others = append(others, other)
		}
	}
	slices.SortStableFunc(others, func(x, y *entry) int {
		return cmp.Or(cmp.Compare(y.stage, x.stage), x.lease.EndsAt.Compare(y.lease.EndsAt))
	})
	return others
}

// refusal says what becomes of a waiter for whom nothing is free: it
// waits (nil), or is refused.
func (b *book) refusal(e *entry, s *survey) error {
	others := b.inTheWay(e, s)
	switch {
	case len(others) > 0 && !e.until.IsZero():
		return nil
	case len(e.refused) > 0:
		return refuse(failure.LeaseNotReady, "", e.amiss)
	case len(others) > 0:
		return refuse(failure.LeaseTaken, "", occupied(others[0])+andMore(len(others)-1))
	case s.pending && !e.until.IsZero():
		return nil
	}
	return refuse(failure.LeaseUnmet, "", s.nearest())
}

// waits says for a person what an entry of the queue waits for.
func (b *book) waits(e *entry, s *survey) string {
	switch {
	case e.stage == taking && originOf(e.authenticator) == contract.Physical:
		return e.authenticator.Name + " is being read anew"
	case e.stage == taking:
		return e.authenticator.Name + " is being made ready"
	}
	if others := b.inTheWay(e, s); len(others) > 0 {
		return occupied(others[0]) + andMore(len(others)-1)
	}
	return "nothing here will do now: " + s.nearest()
}

// prey is the entry whose lease a take-over ends: the oldest of those in the
// way, one that is ending by itself before all.
func prey(others []*entry) *entry {
	return slices.MinFunc(others, func(x, y *entry) int {
		return cmp.Or(cmp.Compare(y.stage, x.stage), cmp.Compare(x.lease.Fence, y.lease.Fence))
	})
}

// due is when something in the book ends by itself next.
func (b *book) due() (at time.Time, ok bool) {
	consider := func(t time.Time) {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	for _, e := range b.held {
		if e.stage == active {
			consider(e.endsAt())
		}
	}
	for _, e := range b.queue {
		consider(e.expires)
		if e.stage == waiting && e.claim == "" {
			consider(e.until)
		}
	}
	return at, ok
}

// list is what the world sees: the leases by their fence numbers, then the
// queue in its order.
func (b *book) list() []contract.Lease {
	list := make([]contract.Lease, 0, len(b.held)+len(b.queue))
	for _, e := range b.held {
		if e.lease.State == contract.LeaseActive || e.lease.State == contract.LeaseEnding {
			list = append(list, e.lease)
		}
	}
	slices.SortFunc(list, func(x, y contract.Lease) int { return cmp.Compare(x.Fence, y.Fence) })
	for _, e := range b.queue {
		if e.public {
			list = append(list, e.lease)
		}
	}
	return list
}

// entries are all that are in the book, in a fixed order.
func (b *book) entries() []*entry {
	all := slices.Clone(b.queue)
	for _, id := range slices.Sorted(maps.Keys(b.held)) {
		if e := b.held[id]; !slices.Contains(b.queue, e) {
			all = append(all, e)
		}
	}
	return all
}

// remove takes an entry out of the queue.
func (b *book) remove(e *entry) {
	if i := slices.Index(b.queue, e); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
	}
}

// free gives an entry's authenticator up.
func (b *book) free(e *entry) {
	if e.authenticator != nil && b.held[e.authenticator.ID] == e {
		delete(b.held, e.authenticator.ID)
	}
}

// use remembers that an authenticator was used.
func (b *book) use(id string) {
	b.uses++
	p := b.memory[id]
	p.used = b.uses
	b.memory[id] = p
}

// fail remembers that an authenticator was not ready when it was read anew.
func (b *book) fail(id string, now time.Time) {
	p := b.memory[id]
	p.failed = now
	b.memory[id] = p
}
