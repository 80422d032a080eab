package inventory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/store"
)

// toggle shows a reader that is filled and emptied n times.
func toggle(source *scripted, n int) {
	for i := range n {
		r := reader("A", contract.Empty)
		e := removed(r)
		if i%2 == 0 {
			r = reader("A", contract.Present)
			e = inserted(r)
		}
		source.shows <- Observation{Readers: []contract.Reader{r}, Events: []contract.Event{e}}
	}
}

func awaitSeq(t *testing.T, inv *Inventory, seq uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := inv.Await(ctx, func(s *contract.Snapshot) bool {
		id, err := contract.ParseEventID(s.ID)
		return err == nil && id.Seq >= seq
	}); err != nil {
		t.Fatalf("waiting for event %d: %v, at %v", seq, err, inv.Snapshot().ID)
	}
}

// drain reads what is left once the inventory has ended.
func drain(t *testing.T, sub *Subscription) (ids []string, views int) {
	t.Helper()
	for {
		d, err := sub.Next(t.Context())
		if errors.Is(err, ErrEnded) {
			return ids, views
		}
		if err != nil {
			t.Fatal(err)
		}
		if d.View != nil {
			views++
		}
		for _, e := range d.Events {
			ids = append(ids, e.ID().String())
		}
	}
}

func wantSequence(t *testing.T, ids []string, epoch, from, to uint64) {
	t.Helper()
	if len(ids) != int(to-from+1) {
		t.Fatalf("%d events, want %d", len(ids), to-from+1)
	}
	for n, id := range ids {
		if want := (contract.EventID{Epoch: epoch, Seq: from + uint64(n)}).String(); id != want {
			t.Fatalf("event %d is %s, want %s", n, id, want)
		}
	}
}

func TestAResumeOverARestartMissesNothingAndTellsNothingTwice(t *testing.T) {
	dir := t.TempDir()
	// Three daemons, one after the other, each with more events than memory
	// holds of the stream.
	const events = 3*streamKeeps + 7
	var epochs []uint64
	var resume []string
	for range 3 {
		journal := openStore(t, dir)
		source := newScripted("pcsc")
		inv, stop := start(t, Config{Sources: []Source{source}, Journal: journal})
		epochs = append(epochs, inv.epoch)
		resume = append(resume, inv.Snapshot().ID)
		toggle(source, events-2) // and source.changed, reader.added
		awaitSeq(t, inv, events-2)
		stop()
		if err := journal.Close(); err != nil {
			t.Fatal(err)
		}
	}
	journal := openStore(t, dir)
	defer journal.Close()
	inv, stop := start(t, Config{Journal: journal})
	last := inv.Stats().Events
	stop()

	_ = last
	for _, from := range []struct {
		id     string
		events [][3]uint64
	}{
		{resume[0], [][3]uint64{{epochs[0], 1, 0}, {epochs[1], 1, 0}, {epochs[2], 1, 0}}},
		{contract.EventID{Epoch: epochs[0], Seq: 100}.String(), [][3]uint64{{epochs[0], 101, 0}, {epochs[1], 1, 0}, {epochs[2], 1, 0}}},
		{resume[2], [][3]uint64{{epochs[2], 1, 0}}},
	} {
		ids, views := drain(t, subscribe(t, inv, from.id))
		if views != 1 {
			t.Errorf("after %s came %d snapshots, want one at the end", from.id, views)
		}
		for _, want := range from.events {
			n := 0
			for n < len(ids) && mustID(t, ids[n]).Epoch == want[0] {
				n++
			}
			if n == 0 {
				t.Fatalf("after %s nothing of epoch %d", from.id, want[0])
			}
			wantSequence(t, ids[:n], want[0], want[1], want[1]+uint64(n)-1)
			if end := mustID(t, ids[n-1]).Seq; end < events-2 {
				t.Errorf("after %s epoch %d ended at %d", from.id, want[0], end)
			}
			ids = ids[n:]
		}
		if len(ids) != 0 {
			t.Errorf("after %s also %v", from.id, ids)
		}
	}
}

func mustID(t *testing.T, text string) contract.EventID {
	t.Helper()
	id, err := contract.ParseEventID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Subscribers that come, go and resume at any moment see every event once.
func TestSubscribersThatComeAndGoSeeEveryEventOnce(t *testing.T) {
	journal := openStore(t, t.TempDir())
	defer journal.Close()
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}, Journal: journal})
	first := inv.Snapshot().ID
	const events = 4 * streamKeeps
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			at, seen := first, 0
			for seen < events {
				sub, err := inv.Subscribe(t.Context(), at)
				if err != nil {
					t.Error(err)
					return
				}
				for range n + 1 { // then it is cut off and resumes
					d, err := sub.Next(t.Context())
					if err != nil || d.Truncated {
						t.Errorf("after %d events: %+v %v", seen, d, err)
						return
					}
					for _, e := range d.Events {
						seen++
						if e.ID().Seq != uint64(seen) {
							t.Errorf("event %s came as number %d", e.ID(), seen)
							return
						}
						at = e.ID().String()
					}
					if seen >= events {
						return
					}
				}
			}
		})
	}
	toggle(source, events)
	all.Wait()
	stop()
}

func TestTheStreamIsFlushedWhenTheInventoryEnds(t *testing.T) {
	dir := t.TempDir()
	journal := openStore(t, dir)
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}, Journal: journal})
	sub := subscribe(t, inv, inv.Snapshot().ID)
	toggle(source, 50)
	stop() // at once
	last := inv.View().ID()
	ids, _ := drain(t, sub)
	wantSequence(t, ids, last.Epoch, 1, last.Seq)
	stored, complete, err := journal.EventsAfter(t.Context(), contract.EventID{Epoch: last.Epoch}, 1000)
	if err != nil || !complete || len(stored) != len(ids) {
		t.Errorf("%d events are in the journal, complete %v, %v; published %d", len(stored), complete, err, len(ids))
	}
	if err := journal.Close(); err != nil {
		t.Error(err)
	}
}

// A subscriber that sleeps holds nobody up; when it wakes it is told that it
// missed something, and gets a snapshot.
func TestASubscriberThatFallsBehindIsTruncated(t *testing.T) {
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}}) // no journal to fall back on
	slow := subscribe(t, inv, "")
	if _, err := slow.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	toggle(source, 3*streamKeeps)
	awaitSeq(t, inv, 3*streamKeeps)
	stop()
	d, err := slow.Next(t.Context())
	if err != nil || !d.Truncated || d.View == nil || len(d.Events) != 0 {
		t.Fatalf("it got %+v, %v", d, err)
	}
	if d.View.ID() != inv.View().ID() {
		t.Errorf("the snapshot is %v, newest %v", d.View.ID(), inv.View().ID())
	}
	if d, err := slow.Next(t.Context()); !errors.Is(err, ErrEnded) {
		t.Errorf("then it got %+v, %v", d, err)
	}
}

func TestWithAJournalASleeperMissesNothing(t *testing.T) {
	journal := openStore(t, t.TempDir())
	defer journal.Close()
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}, Journal: journal})
	slow := subscribe(t, inv, "")
	toggle(source, 3*streamKeeps)
	awaitSeq(t, inv, 3*streamKeeps)
	stop()
	ids, views := drain(t, slow)
	wantSequence(t, ids, inv.epoch, 1, inv.View().ID().Seq)
	if views != 1 {
		t.Errorf("%d snapshots", views)
	}
}

func TestAnUnknownIDIsTruncatedAndABadOneRefused(t *testing.T) {
	journal := openStore(t, t.TempDir())
	defer journal.Close()
	inv, _ := start(t, Config{Journal: journal})
	for _, unknown := range []contract.EventID{
		{Epoch: inv.epoch, Seq: 5}, {Epoch: inv.epoch + 1, Seq: 1}, {Epoch: 77, Seq: 1},
	} {
		d, err := subscribe(t, inv, unknown.String()).Next(t.Context())
		if err != nil || !d.Truncated || d.View == nil {
			t.Errorf("%v: got %+v, %v", unknown, d, err)
		}
	}
	if _, err := inv.Subscribe(t.Context(), "yesterday"); !errors.Is(err, ErrEventID) {
		t.Errorf("a bad id: %v", err)
	}
}

// brittle is a journal that fails, or stands still, when told to.
type brittle struct {
	Journal
	mu   sync.Mutex
	fail error
}

func (b *brittle) Append(events []contract.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	return b.Journal.Append(events)
}

func (b *brittle) set(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

func TestAJournalThatFailsStopsNoEventAndIsNotResumedOver(t *testing.T) {
	dir := t.TempDir()
	kept := openStore(t, dir)
	journal := &brittle{Journal: kept}
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}, Journal: journal})
	sub := subscribe(t, inv, inv.Snapshot().ID)
	source.shows <- Observation{Readers: []contract.Reader{reader("A", contract.Empty)}}
	told(t, sub, 2)
	before := inv.Snapshot().ID
	journal.set(errors.New("the disk is full"))
	toggle(source, 3)
	told(t, sub, 3)
	after := inv.Snapshot().ID
	journal.set(nil)
	toggle(source, 2)
	told(t, sub, 2)
	if n := inv.Stats().JournalFailures; n == 0 {
		t.Error("no failure was counted")
	}
	stop()

	next, _ := start(t, Config{Journal: journal})
	if d, err := subscribe(t, next, before).Next(t.Context()); err != nil || !d.Truncated {
		t.Errorf("resumed over the hole: %+v %v", d, err)
	}
	d, err := subscribe(t, next, after).Next(t.Context())
	if err != nil || d.Truncated || len(d.Events) != 2 {
		t.Errorf("behind the hole: %+v %v", d, err)
	}
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
}

// A disk that stands still holds events back, for that they are not safe; it
// does not hold up the state.
func TestAJournalThatStandsStillHoldsNoSnapshotUp(t *testing.T) {
	kept := openStore(t, t.TempDir())
	defer kept.Close()
	journal := &brittle{Journal: kept}
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}, Journal: journal})
	sub := subscribe(t, inv, inv.Snapshot().ID)

	journal.mu.Lock()
	toggle(source, 100)
	awaitSeq(t, inv, 100)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	if d, err := sub.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("published before it was written: %+v %v", d, err)
	}
	cancel()
	journal.mu.Unlock()
	stop()
	ids, _ := drain(t, sub)
	wantSequence(t, ids, inv.epoch, 1, inv.View().ID().Seq)
}

// An event that is in the snapshot and not yet written is told to who resumes
// from an earlier epoch in that moment, too.
func TestAResumeWhileTheJournalStandsStillMissesNothing(t *testing.T) {
	kept := openStore(t, t.TempDir())
	defer kept.Close()
	journal := &brittle{Journal: kept}
	before, err := New(t.Context(), Config{Journal: journal})
	if err != nil {
		t.Fatal(err)
	}
	source := newScripted("pcsc")
	inv, stop := start(t, Config{Sources: []Source{source}, Journal: journal})
	journal.mu.Lock()
	toggle(source, 100)
	awaitSeq(t, inv, 100)
	sub := subscribe(t, inv, before.Snapshot().ID)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	if d, err := sub.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("published before it was written: %+v %v", d, err)
	}
	cancel()
	journal.mu.Unlock()
	stop()
	ids, views := drain(t, sub)
	wantSequence(t, ids, inv.epoch, 1, inv.View().ID().Seq)
	if views != 1 {
		t.Errorf("%d snapshots", views)
	}
}

// More events than may wait for the disk are let go, and that is said.
func TestABacklogThatIsTooLongIsAHole(t *testing.T) {
	kept, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Keep: 3 * backlogLimit})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	s := newStream(streamKeeps)
	p := newPublisher(kept, s, nil)
	epoch, err := kept.BeginEpoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	inv := &Inventory{epoch: epoch, stream: s, config: Config{Journal: kept}}
	seq := uint64(0)
	next := func(n int) (batch []*Entry) {
		for range n {
			seq++
			id := contract.EventID{Epoch: epoch, Seq: seq}
			batch = append(batch, newEntry(id, contract.Event{ID: id.String()}, nil))
		}
		return batch
	}
	p.publish(next(3))
	inv.current.Store(newView(contract.EventID{Epoch: epoch, Seq: seq}, &contract.Snapshot{}, health.Facts{}, nil))
	sub := subscribe(t, inv, contract.EventID{Epoch: epoch, Seq: 2}.String())
	told(t, sub, 1)
	p.add(next(backlogLimit)) // waits for a disk that stands still
	p.add(next(5))
	inv.current.Store(newView(contract.EventID{Epoch: epoch, Seq: seq}, &contract.Snapshot{}, health.Facts{}, nil))
	p.end()
	p.run()
	d, err := sub.Next(t.Context())
	if err != nil || !d.Truncated || d.View.ID().Seq != seq {
		t.Errorf("over the hole: %+v %v", d, err)
	}
	sub = subscribe(t, inv, contract.EventID{Epoch: epoch, Seq: seq - 4}.String())
	told(t, sub, 4)
}

// What a source sees while it ends is seen.
func TestTheInventoryEndsAfterItsSources(t *testing.T) {
	ending := make(chan struct{})
	inv, stop := start(t, Config{Sources: []Source{lastWords{ending}}})
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	select {
	case <-stopped:
		t.Fatal("it ended before its source")
	case ending <- struct{}{}:
	}
	<-stopped
	if r := inv.Snapshot().Readers; len(r) != 1 {
		t.Errorf("the readers are %v", r)
	}
}

// lastWords is a source that takes its time to end.
type lastWords struct{ ending chan struct{} }

func (lastWords) Name() string { return "slow" }

func (l lastWords) Run(ctx context.Context, publish func(Observation)) error {
	<-ctx.Done()
	<-l.ending
	publish(Observation{Readers: []contract.Reader{reader("A", contract.Empty)}})
	return nil
}

// Waiting costs a subscriber nothing but its place: 500 are woken once for
// each batch of events, and share its encoding.
func TestFiveHundredSubscribersShareOneEncoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newScripted("pcsc")
		inv, stop := start(t, Config{Sources: []Source{source}})
		defer stop()
		const subscribers, events = 500, 40
		firsts := make(chan *byte, subscribers)
		var all sync.WaitGroup
		for range subscribers {
			sub := subscribe(t, inv, inv.Snapshot().ID)
			all.Go(func() {
				for n := uint64(0); n < events; {
					d, err := sub.Next(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					for _, e := range d.Events {
						if n++; e.ID().Seq != n {
							t.Errorf("event %v as number %d", e.ID(), n)
							return
						}
						if n == 1 {
							firsts <- &e.Encoded(Viewer{})[0]
						}
					}
				}
			})
		}
		toggle(source, events)
		all.Wait()
		close(firsts)
		one := <-firsts
		for p := range firsts {
			if p != one {
				t.Fatal("an event was encoded twice")
			}
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 10, 100, 500} {
		b.Run(fmt.Sprint(n, " subscribers"), func(b *testing.B) {
			s := newStream(streamKeeps)
			inv := &Inventory{epoch: 1, stream: s}
			var all sync.WaitGroup
			for range n {
				sub := &Subscription{inventory: inv, at: contract.EventID{Epoch: 1}}
				all.Go(func() {
					for {
						if _, err := sub.Next(context.Background()); err != nil {
							return
						}
					}
				})
			}
			seq := uint64(0)
			for b.Loop() {
				seq++
				id := contract.EventID{Epoch: 1, Seq: seq}
				s.append([]*Entry{newEntry(id, contract.Event{ID: id.String()}, nil)})
			}
			s.close()
			all.Wait()
		})
	}
}
