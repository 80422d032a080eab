package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"authbridge/agent/contract"
)

func event(epoch, seq uint64) contract.Event {
	return contract.Event{
		ID:      contract.EventID{Epoch: epoch, Seq: seq}.String(),
		Type:    contract.CardInserted,
		At:      time.Date(2026, 11, 24, 9, 0, 0, int(seq)*1000, time.UTC),
		Subject: "reader-1",
		Text:    fmt.Sprint("event ", seq),
		Reader:  &contract.Reader{ID: "reader-1", Condition: contract.Present},
	}
}

func run(epoch, from, to uint64) []contract.Event {
	var events []contract.Event
	for seq := from; seq <= to; seq++ {
		events = append(events, event(epoch, seq))
	}
	return events
}

func begin(t testing.TB, s *Store) uint64 {
	t.Helper()
	epoch, err := s.BeginEpoch(background)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func add(t testing.TB, s *Store, events []contract.Event) {
	t.Helper()
	if err := s.Append(events); err != nil {
		t.Fatal(err)
	}
}

// after reads all after an id, in small pages.
func after(t *testing.T, s *Store, epoch, seq uint64) (ids []string, complete bool) {
	t.Helper()
	at := contract.EventID{Epoch: epoch, Seq: seq}
	for {
		events, complete, err := s.EventsAfter(t.Context(), at, 7)
		if err != nil {
			t.Fatal(err)
		}
		if !complete || len(events) == 0 {
			return ids, complete
		}
		for i := range events {
			ids = append(ids, events[i].ID)
		}
		if at, err = contract.ParseEventID(events[len(events)-1].ID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheJournalIsReadInOrderOverARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	one := begin(t, first)
	add(t, first, run(one, 1, 20))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, Options{Dir: dir})
	two := begin(t, second)
	if two <= one {
		t.Fatalf("epoch %d after %d", two, one)
	}
	add(t, second, run(two, 1, 3))

	ids, complete := after(t, second, one, 15)
	want := ids[:0:0]
	for _, e := range append(run(one, 16, 20), run(two, 1, 3)...) {
		want = append(want, e.ID)
	}
	if !complete || fmt.Sprint(ids) != fmt.Sprint(want) {
		t.Errorf("read %v complete %v, want %v", ids, complete, want)
	}
	events, _, err := second.EventsAfter(t.Context(), contract.EventID{Epoch: two, Seq: 2}, 9)
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	if got, want := events[0], event(two, 3); got.Text != want.Text || !got.At.Equal(want.At) || got.Reader.Condition != want.Reader.Condition {
		t.Errorf("read %+v, written %+v", got, want)
	}
}

// A snapshot is visible before its events are written; a daemon killed in
// between leaves clients with an id that the journal never saw.
func TestAnIDBeyondTheEndOfItsEpochMissesNothing(t *testing.T) {
	s := open(t, Options{})
	one := begin(t, s)
	add(t, s, run(one, 1, 3))
	two := begin(t, s)
	add(t, s, run(two, 1, 1))
	ids, complete := after(t, s, one, 5)
	if !complete || fmt.Sprint(ids) != fmt.Sprint([]string{event(two, 1).ID}) {
		t.Errorf("read %v complete %v", ids, complete)
	}
}

func TestEpochsRiseEvenIfTheClockFallsBack(t *testing.T) {
	clock := newClock()
	s := open(t, Options{Now: clock.now})
	last := begin(t, s)
	for _, step := range []time.Duration{0, time.Millisecond, -time.Hour, 0, -30 * 365 * 24 * time.Hour} {
		clock.t = clock.t.Add(step)
		epoch := begin(t, s)
		if epoch <= last {
			t.Errorf("epoch %d after %d at %v", epoch, last, clock.t)
		}
		last = epoch
	}
}

func TestTheLastEventsAreKeptAndOlderOnesAreSaidToBeGone(t *testing.T) {
	const keep = 600
	s := open(t, Options{Keep: keep})
	one := begin(t, s)
	add(t, s, run(one, 1, 10))
	two := begin(t, s)
	for seq := uint64(1); seq <= 2000; seq += 20 {
		add(t, s, run(two, seq, seq+19))
	}
	for _, gone := range []contract.EventID{{Epoch: one, Seq: 9}, {Epoch: one, Seq: 10}, {Epoch: two, Seq: 1}, {Epoch: two, Seq: 2000 - keep - pruneEvery - 1}} {
		if ids, complete := after(t, s, gone.Epoch, gone.Seq); complete || ids != nil {
			t.Errorf("%v is gone, but read %d events", gone, len(ids))
		}
	}
	if ids, complete := after(t, s, two, 2000-keep); !complete || len(ids) != keep {
		t.Errorf("of the last %d events %d were kept, complete %v", keep, len(ids), complete)
	}
	if ids, complete := after(t, s, two, 2000); !complete || len(ids) != 0 {
		t.Errorf("at the end: %v, complete %v", ids, complete)
	}
	var rows int
	if err := s.reads.QueryRow("SELECT count(*) FROM events").Scan(&rows); err != nil || rows > keep+pruneEvery {
		t.Errorf("%d rows are kept (%v)", rows, err)
	}
}

func TestAnEpochNeverSeenIsNotResumed(t *testing.T) {
	s := open(t, Options{})
	epoch := begin(t, s)
	add(t, s, run(epoch, 1, 3))
	for _, id := range []contract.EventID{{Epoch: epoch + 1}, {Epoch: epoch - 1, Seq: 2}, {}} {
		if ids, complete := after(t, s, id.Epoch, id.Seq); complete || ids != nil {
			t.Errorf("%v: read %v", id, ids)
		}
	}
}

// Events that could not be written are a hole that nobody resumes over.
func TestAHoleIsSaidToBeGone(t *testing.T) {
	s := open(t, Options{})
	epoch := begin(t, s)
	add(t, s, run(epoch, 1, 3))
	add(t, s, run(epoch, 6, 8)) // 4 and 5 failed
	if ids, complete := after(t, s, epoch, 3); complete {
		t.Errorf("resumed over the hole: %v", ids)
	}
	if ids, complete := after(t, s, epoch, 5); !complete || len(ids) != 3 {
		t.Errorf("behind the hole: %v, complete %v", ids, complete)
	}
	next := begin(t, s)
	add(t, s, run(next, 3, 3))
	if ids, complete := after(t, s, epoch, 8); complete {
		t.Errorf("resumed over the hole at the start: %v", ids)
	}
}

func TestAFailedAppendWritesNothing(t *testing.T) {
	s := open(t, Options{})
	epoch := begin(t, s)
	add(t, s, run(epoch, 1, 2))
	twice := append(run(epoch, 3, 4), event(epoch, 2))
	if err := s.Append(twice); !errors.Is(err, ErrExists) {
		t.Fatalf("an id used twice: %v", err)
	}
	add(t, s, run(epoch, 3, 4))
	if ids, complete := after(t, s, epoch, 0); !complete || len(ids) != 4 {
		t.Errorf("read %v, complete %v", ids, complete)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := open(b, Options{})
			epoch := begin(b, s)
			seq := uint64(1)
			for b.Loop() {
				add(b, s, run(epoch, seq, seq+uint64(size)-1))
				seq += uint64(size)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/event")
		})
	}
}
