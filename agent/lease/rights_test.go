package lease

import (
	"sync"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// people are the users of a machine, whose rights come and go.
type people struct {
	mu      sync.Mutex
	rights  map[string][]contract.Right
	changed chan struct{}
}

func (p *people) Allowed(userID string) []contract.Right {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rights[userID]
}

func (p *people) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *people) set(userID string, rights ...contract.Right) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rights[userID] = rights
	close(p.changed)
	p.changed = make(chan struct{})
}

func newPeople() *people {
	return &people{rights: map[string][]contract.Right{}, changed: make(chan struct{})}
}

// of is a caller of a user: by a token of theirs if it has a name.
func of(userID, token string) Caller {
	c := Caller{Owner: contract.Owner{Name: "user " + userID, UserID: userID}, Rights: contract.Rights}
	if token != "" {
		c.Name, c.TokenID = "token "+token, "token-"+token
	}
	return c
}

// TestWhoLosesTheRightToALeaseLosesIt: a lease, a place in the queue, and what a
// token of theirs took; what needs less stays, and so does what is others'.
func TestWhoLosesTheRightToALeaseLosesIt(t *testing.T) {
	w, p := newWorld(t, virtualKey(1), virtualKey(2), physicalKey(3)), newPeople()
	w.users = p
	p.set("ada", contract.RightLease, contract.RightPhysical)
	p.set("bob", contract.RightLease, contract.RightPhysical)
	d, _ := begin(t, w, openStore(t, t.TempDir()))
	virtual := mustTake(t, d, of("ada", ""), forMock(""))
	physical := mustTake(t, d, of("ada", "ci"), physically(""))
	bobs := mustTake(t, d, of("bob", ""), forMock(""))
	queued := takeLater(t, d, of("ada", ""), physically("10m"))

	p.set("ada", contract.RightLease) // leaves the screen
	<-d.Ended(physical.ID)
	_, err := queued.wait(t)
	wantCode(t, err, failure.Forbidden, "has lost the right")
	wantCode(t, d.Check(of("ada", "ci"), physical.ID, physical.Fence), failure.LeaseOver)
	if err := d.Check(of("ada", ""), virtual.ID, virtual.Fence); err != nil {
		t.Errorf("the virtual one: %v", err)
	}
	_, err = d.Take(t.Context(), of("ada", ""), physically(""), nil) // as with rights from before
	wantCode(t, err, failure.Forbidden, "has lost the right")

	p.set("ada", contract.RightRead) // leaves the group
	<-d.Ended(virtual.ID)
	if over, _ := d.Lease(virtual.ID); over.End != contract.EndRevoked {
		t.Errorf("it ended: %s", over.End)
	}
	if _, ok := d.Token([]byte(virtual.Token)); ok {
		t.Error("its own token lives")
	}
	if err := d.Check(of("bob", ""), bobs.ID, bobs.Fence); err != nil {
		t.Errorf("another's: %v", err)
	}
}

// TestARightThatIsLostWhileTheDaemonIsDown is seen when it starts.
func TestARightThatIsLostWhileTheDaemonIsDown(t *testing.T) {
	w, p, kept := newWorld(t, virtualKey(1), virtualKey(2)), newPeople(), openStore(t, t.TempDir())
	w.users = p
	p.set("ada", contract.RightLease)
	p.set("bob", contract.RightLease)
	d, end := begin(t, w, kept)
	hers, his := mustTake(t, d, of("ada", ""), forMock("")), mustTake(t, d, of("bob", ""), forMock(""))
	end()
	p.set("ada", contract.RightRead)
	w = newWorld(t, virtualKey(1), virtualKey(2))
	w.users = p
	d, _ = begin(t, w, kept)
	<-d.Ended(hers.ID)
	if err := d.Check(of("bob", ""), his.ID, his.Fence); err != nil {
		t.Errorf("another's: %v", err)
	}
}
