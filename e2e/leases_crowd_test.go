//go:build linux && cgo

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/pcsc/vcard"
)

// 200 clients (80 in the short run) want four authenticators: they wait, are refused, go away in the
// queue, in the middle of a ceremony and without a word, renew, and are thrown
// out by an administrator. The authenticators say that no two ever had one at
// once; the journal, that each was served in turn and none was lost.
func TestACrowdOfLeases(t *testing.T) {
	t.Run("of the program", func(t *testing.T) {
		p, l := programLends(t)
		aCrowd(t, l, scaled(80, 200), scaled(100, 10_000))
		p.stop() // which tells of a race
	})
	t.Run("of a daemon in this process", func(t *testing.T) {
		l, end := daemonLends(t)
		aCrowd(t, l, scaled(80, 200), scaled(100, 10_000))
		end()
	})
}

func aCrowd(t *testing.T, l *lender, clients, leases int) {
	c := &crowd{lender: l, t: t, outcomes: make(map[string]*outcome), togo: int64(leases), codes: make(map[failure.Code]int)}
	journal := follow(t, l)
	everybody := make([]*apiclient.Client, clients)
	for n := range everybody {
		everybody[n] = l.client(fmt.Sprint("client-", n))
	}
	began := time.Now()
	var all sync.WaitGroup
	for n, client := range everybody {
		all.Go(func() { c.visit(n, client) })
	}
	all.Wait()
	took := time.Since(began)

	l.await("all leases to end", func(s *contract.Snapshot) bool { return len(s.Leases) == 0 })
	events := journal.until(l)
	c.askTheCards()
	c.askTheKeys()
	told := replay(t, events)
	c.reconcile(told)
	s, err := l.admin.Status(t.Context())
	must(t, err)
	if n := len(l.ready(s)); n != 4 {
		t.Errorf("%d authenticators are ready after it", n)
	}
	t.Logf("%d clients, %d requests, %d leases in %v, %.0f a second: %v; %d ceremonies, %d renewed; refusals %v; %d events, %d places in the queue, %d marks in the cards",
		clients, len(c.outcomes), c.granted.Load(), took.Round(time.Second/10), float64(c.granted.Load())/took.Seconds(), c.ways(),
		c.ceremonies.Load(), c.renewed.Load(), c.codes, len(events), told.queued, c.marks)
}

// crowd is what its clients saw.
type crowd struct {
	*lender
	t *testing.T

	togo                         int64
	granted, ceremonies, renewed atomic.Int64
	marks                        int

	mu       sync.Mutex
	outcomes map[string]*outcome // by purpose, of which each request has its own
	codes    map[failure.Code]int
}

// outcome is what became of one request, as its client knows.
type outcome struct {
	way    string // granted, refused, left
	lease  contract.Lease
	counts []uint32 // a key's, in their order
	end    string
}

// visit asks for one lease after another, until enough were given.
func (c *crowd) visit(n int, client *apiclient.Client) {
	random := rand.New(rand.NewPCG(3, uint64(n)))
	for round := 0; c.granted.Load() < c.togo && !c.t.Failed(); round++ {
		c.once(random, client, fmt.Sprintf("client %d round %d", n, round))
	}
}

// once is one request and what follows.
func (c *crowd) once(random *rand.Rand, client *apiclient.Client, purpose string) {
	o := &outcome{}
	request := contract.LeaseRequest{Requirement: contract.Requirement{Target: "mock", AAL: 3}, Wait: "10m", TTL: "5m", Purpose: purpose}
	switch random.IntN(10) {
	case 0, 1:
		request.Kind = contract.Smartcard
	case 2, 3:
		request.Kind = contract.SecurityKey
	case 4, 5:
		all := c.authenticators()
		request.Authenticator = all[random.IntN(len(all))]
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*patience)
	defer cancel()
	asking := ctx
	switch random.IntN(40) {
	case 0, 1:
		request.Wait = ""
	case 2:
		request.Wait = fmt.Sprint(1+random.IntN(100), "ms")
	case 3, 4, 5:
		// Goes away, most of the time from the queue; who does so while the
		// answer is on its way has a lease and does not know it.
		request.TTL = "1s"
		var leave context.CancelFunc
		asking, leave = context.WithTimeout(ctx, time.Duration(random.IntN(200))*time.Millisecond)
		defer leave()
	case 6: // an administrator, who does not wait
		request.Takeover, request.Purpose = true, takesOver+purpose
		client = c.admin
	}
	if random.IntN(2) == 0 {
		held, err := client.HoldLease(asking, request, nil)
		if c.settled(asking, o, request.Purpose, err) {
			o.lease = held.Lease
			c.use(ctx, random, client, held.NewLease, o)
			c.letGo(ctx, random, held, o)
		}
	} else {
		if random.IntN(100) == 0 {
			request.TTL = "1s"
		}
		held, err := client.TakeLease(asking, request)
		if c.settled(asking, o, request.Purpose, err) {
			o.lease = held.Lease
			c.use(ctx, random, client, *held, o)
			c.release(ctx, client, o, request.TTL == "1s")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcomes[request.Purpose] != nil {
		c.t.Errorf("%s twice", request.Purpose)
	}
	c.outcomes[request.Purpose] = o
}

const takesOver = "takes over: "

// settled notes how asking for a lease came out.
func (c *crowd) settled(asking context.Context, o *outcome, purpose string, err error) bool {
	var problem *contract.Problem
	switch {
	case err == nil:
		o.way = "granted"
		c.granted.Add(1)
		return true
	case errors.As(err, &problem):
		o.way = "refused"
		c.mu.Lock()
		c.codes[failure.Code(problem.Code)]++
		c.mu.Unlock()
		switch failure.Code(problem.Code) {
		case failure.LeaseTaken, failure.LeaseTimeout:
		default:
			c.t.Errorf("%s was refused: %s, %s", purpose, problem.Code, problem.Detail)
		}
	case asking.Err() != nil:
		o.way = "left"
	default:
		o.way = "failed"
		c.t.Errorf("%s failed: %v", purpose, err)
	}
	return false
}

// use does something that the authenticator itself can tell of later, two or
// three times.
func (c *crowd) use(ctx context.Context, random *rand.Rand, client *apiclient.Client, l contract.NewLease, o *outcome) {
	if record := c.cards[l.Authenticator]; record != nil {
		defer record.read()
	}
	slot, uv := "9A", "discouraged" // 9A wants the PIN once, 9C each time
	if random.IntN(3) == 0 {
		slot, uv = "9C", "required"
	}
	for n := range 2 + random.IntN(2) {
		var request contract.CeremonyRequest
		if c.cards[l.Authenticator] != nil {
			request = signature(l.ID, slot, mark(l.Fence))
		} else {
			request = assertion(l.ID, c.keys[l.Authenticator], uv)
		}
		if uv == "required" || request.Slot != "" {
			request = withPIN(request, "", vcard.DefaultPIN)
		}
		if random.IntN(50) == 0 { // goes away in the middle of it
			leaving, leave := context.WithTimeout(ctx, time.Duration(random.IntN(20))*time.Millisecond)
			_, err := client.Begin(leaving, request)
			leave()
			if err != nil {
				return
			}
			o.counts = append(o.counts, 0) // one that is not known
			continue
		}
		done, err := client.Begin(ctx, request)
		c.ceremonies.Add(1)
		switch code := problemIn(done, err); code {
		case "":
			if err != nil {
				c.t.Errorf("%s: %v", l.Purpose, err)
				return
			}
			if c.keys[l.Authenticator] != "" {
				o.counts = append(o.counts, signCount(c.t, done))
			}
		case failure.LeaseOver, failure.CeremonyCancelled: // an administrator took it, or it was for 1 s
			return
		case failure.LeaseUnknown:
			// It ended between two looks of the daemon; asked again it says so.
			if again, err := client.Begin(ctx, signature(l.ID, slot, mark(l.Fence))); problemIn(again, err) != failure.LeaseOver {
				c.t.Errorf("%s is not known any more: %v", l.Purpose, err)
			}
			return
		case failure.PINSourceBlocked, failure.PINRefusedBefore:
			// Somebody went away while their PIN was sent, so nobody knows
			// whether it was right: a person looks, and clears that.
			must(c.t, c.admin.Unblock(ctx, l.Authenticator))
		default:
			c.t.Errorf("%s, ceremony %d at %s: %s, %+v", l.Purpose, n, l.Name, code, done.Problem)
			return
		}
		if random.IntN(10) == 0 {
			ttl := time.Duration(1+random.IntN(5)) * time.Minute
			if l.EndsAt.Sub(l.TakenAt) < time.Minute { // it will not be released
				ttl = 0 // as long again
			}
			renewed, err := client.RenewLease(ctx, l.ID, ttl)
			if code := problemIn(contract.Ceremony{}, err); err != nil && code != failure.LeaseOver {
				c.t.Errorf("%s is not renewed: %v", l.Purpose, err)
			} else if err == nil {
				c.renewed.Add(1)
				if !renewed.EndsAt.After(l.EndsAt) && ttl == 0 {
					c.t.Errorf("%s is renewed until %s", l.Purpose, renewed.EndsAt)
				}
			}
		}
	}
}

// letGo ends a lease that a connection holds.
func (c *crowd) letGo(ctx context.Context, random *rand.Rand, held *apiclient.HeldLease, o *outcome) {
	if random.IntN(5) == 0 { // the program has crashed
		o.end = "dropped"
		held.Close()
		return
	}
	o.end = "released"
	if _, err := held.Release(ctx); err != nil && problemIn(contract.Ceremony{}, err) != failure.LeaseOver {
		c.t.Errorf("%s is not released: %v", held.Purpose, err)
	}
}

func (c *crowd) release(ctx context.Context, client *apiclient.Client, o *outcome, forget bool) {
	if forget { // and its time ends it
		o.end = "forgotten"
		return
	}
	o.end = "released"
	if _, err := client.ReleaseLease(ctx, o.lease.ID); err != nil && problemIn(contract.Ceremony{}, err) != failure.LeaseOver {
		c.t.Errorf("%s is not released: %v", o.lease.Purpose, err)
	}
}

func (c *crowd) ways() map[string]int {
	ways := make(map[string]int)
	for purpose, o := range c.outcomes {
		ways[strings.TrimSpace(o.way+" "+o.end)]++
		if strings.HasPrefix(purpose, takesOver) {
			ways["take-overs"]++
		}
	}
	return ways
}

// askTheCards asks each card for what it signed: all of one lease together, and
// of a later lease after that of an earlier one.
func (c *crowd) askTheCards() {
	for id, record := range c.cards {
		record.read()
		if record.lost > 0 {
			c.t.Errorf("card %s has forgotten %d exchanges before it was asked", id, record.lost)
		}
		for i := 1; i < len(record.marks); i++ {
			if record.marks[i] < record.marks[i-1] {
				c.t.Errorf("card %s: something was signed under lease %d after something under lease %d", id, record.marks[i], record.marks[i-1])
			}
		}
		if c.marks += len(record.marks); len(record.marks) == 0 {
			c.t.Errorf("card %s signed nothing", id)
		}
		if n := record.card.PINTriesLeft(); n != 3 || record.card.Verified() {
			c.t.Errorf("card %s has %d tries left; open: %v", id, n, record.card.Verified())
		}
	}
}

// askTheKeys looks at the numbers that each key gave to its signatures: no
// other's is between those of one lease, and a later lease has greater ones.
func (c *crowd) askTheKeys() {
	of := make(map[string][]*outcome)
	for _, o := range c.outcomes {
		if slices.Contains(o.counts, 0) {
			o.counts = nil // it went away, and does not know all of them
		}
		if len(o.counts) > 0 {
			of[o.lease.Authenticator] = append(of[o.lease.Authenticator], o)
		}
	}
	for id := range c.keys {
		all := of[id]
		if len(all) == 0 {
			c.t.Errorf("key %s signed nothing", id)
			continue
		}
		slices.SortFunc(all, func(x, y *outcome) int { return int(x.lease.Fence) - int(y.lease.Fence) })
		last := uint32(0)
		for _, o := range all {
			for i, count := range o.counts {
				if count <= last || i > 0 && count != last+1 {
					c.t.Errorf("key %s: under lease %d it made signatures %v, and %d before that", id, o.lease.Fence, o.counts, last)
				}
				last = count
			}
		}
	}
}

// reconcile holds what the clients saw against the journal: each request ended
// in one way, and so does the journal say.
func (c *crowd) reconcile(j *told) {
	if n := c.granted.Load(); n < c.togo {
		c.t.Errorf("%d leases were given, want %d", n, c.togo)
	}
	for purpose, o := range c.outcomes {
		s, known := j.leases[purpose]
		switch {
		case o.way == "granted" && (!known || !s.active || s.id != o.lease.ID || !s.ended):
			c.t.Errorf("%s was given %s, the journal says %+v", purpose, o.lease.ID, s)
		case o.way == "refused" && known && (s.active || s.end != contract.EndGaveUp && s.end != contract.EndRefused && s.end != contract.EndTakeover):
			c.t.Errorf("%s was refused, the journal says %+v", purpose, s)
		case o.way == "left" && known && !s.active && s.end != contract.EndGaveUp:
			c.t.Errorf("%s gave up, the journal says %+v", purpose, s)
		case o.end == "forgotten" && s.end != contract.EndExpired && s.end != contract.EndTakeover:
			c.t.Errorf("%s was left to its time, and ended %s", purpose, s.end)
		case o.end == "dropped" && s.end != contract.EndConnection && s.end != contract.EndTakeover:
			c.t.Errorf("%s lost its connection, and ended %s", purpose, s.end)
		}
	}
	for purpose := range j.leases {
		if c.outcomes[purpose] == nil && !strings.HasPrefix(purpose, furnishing) {
			c.t.Errorf("the journal has %s, which nobody asked for", purpose)
		}
	}
}
