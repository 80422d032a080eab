package pcsc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// story writes events down in one line.
func story(events []Event) string {
	var lines []string
	for _, e := range events {
		switch e.Type {
		case ServiceUp:
			lines = append(lines, "up")
		case ServiceDown:
			code, _ := CodeOf(e.Service.Err)
			lines = append(lines, "down "+code.Name())
		case ReaderAdded:
			lines = append(lines, "+"+e.Reader.Name)
		case ReaderRemoved:
			lines = append(lines, "-"+e.Reader.Name)
		case CardInserted:
			lines = append(lines, fmt.Sprintf("in %s %x %s", e.Reader.Name, e.Reader.ATR, e.Reader.Condition))
		case CardRemoved:
			lines = append(lines, "out "+e.Reader.Name)
		case ReaderChanged:
			lines = append(lines, e.Reader.Name+" is "+string(e.Reader.Condition))
		}
	}
	return strings.Join(lines, ", ")
}

func TestDiffTellsWhatHappened(t *testing.T) {
	t.Parallel()
	up := func(readers ...Reader) Snapshot { return Snapshot{Service: Service{Up: true}, Readers: readers} }
	down := func(c Code, readers ...Reader) Snapshot {
		return Snapshot{Service: Service{Err: &Error{Op: "x", Code: c}}, Readers: readers}
	}
	reader := func(name string, c Condition, counter uint16, atr ...byte) Reader {
		return Reader{Name: name, Condition: c, Counter: counter, ATR: atr}
	}
	for _, c := range []struct {
		name       string
		prev, next Snapshot
		want       string
	}{
		{"nothing", up(reader("A", Empty, 0)), up(reader("A", Empty, 0)), ""},
		{"the beginning", Snapshot{}, up(reader("A", Present, 1, 0x3B), reader("B", Empty, 0)), "up, +A, in A 3b present, +B"},
		{"a service that was never there", Snapshot{}, down(SCARD_E_NO_SERVICE), "down SCARD_E_NO_SERVICE"},
		{"inserted", up(reader("A", Empty, 4)), up(reader("A", Present, 5, 0x3B)), "in A 3b present"},
		{"inserted, mute", up(reader("A", Empty, 4)), up(reader("A", Mute, 5)), "in A  mute"},
		{"removed", up(reader("A", Present, 5, 0x3B)), up(reader("A", Empty, 6)), "out A"},
		{"equal cards swapped", up(reader("A", Present, 5, 0x3B)), up(reader("A", Present, 7, 0x3B)), "out A, in A 3b present"},
		{"swapped twice", up(reader("A", Present, 5, 0x3B)), up(reader("A", Present, 9, 0x3F)), "out A, in A  present, out A, in A 3f present"},
		{"the counter wraps", up(reader("A", Present, 0xFFFF, 0x3B)), up(reader("A", Present, 1, 0x3B)), "out A, in A 3b present"},
		{"in and out between two looks", up(reader("A", Empty, 2)), up(reader("A", Empty, 4)), "in A  present, out A"},
		{"out, in and out", up(reader("A", Present, 3, 0x3B)), up(reader("A", Empty, 6)), "out A, in A  present, out A"},
		{"in, out and in", up(reader("A", Empty, 3)), up(reader("A", Present, 6, 0x3B)), "in A  present, out A, in A 3b present"},
		{"the counter started anew", up(reader("A", Present, 9, 0x3B)), up(reader("A", Present, 0, 0x3B)), "out A, in A 3b present"},
		{"no counter, other ATR", up(reader("A", Present, 0, 0x3B)), up(reader("A", Present, 0, 0x3F)), "out A, in A 3f present"},
		{"no counter, same ATR", up(reader("A", Present, 0, 0x3B)), up(reader("A", Present, 0, 0x3B)), ""},
		{"another program connects", up(reader("A", Present, 1, 0x3B)), up(reader("A", InUse, 1, 0x3B)), "A is in_use"},
		{"and lets go", up(reader("A", Exclusive, 1, 0x3B)), up(reader("A", Present, 1, 0x3B)), "A is present"},
		{"mute, then answering", up(reader("A", Mute, 1)), up(reader("A", Present, 1, 0x3B)), "A is present"},
		{"reader came", up(), up(reader("A", Empty, 0)), "+A"},
		{"reader with a card went", up(reader("A", InUse, 1, 0x3B), reader("B", Empty, 0)), up(reader("B", Empty, 0)), "out A, -A"},
		{"driver fails with a card in", up(reader("A", Present, 3, 0x3B)), up(reader("A", Unavailable, 0)), "out A, A is unavailable"},
		{"and recovers with one in", up(reader("A", Unavailable, 0)), up(reader("A", Present, 4, 0x3B)), "in A 3b present"},
		{"and recovers empty", up(reader("A", Unavailable, 0)), up(reader("A", Empty, 4)), "A is empty"},
		{"the service stops", up(reader("A", Present, 3, 0x3B)), down(SCARD_E_NO_SERVICE, reader("A", Unavailable, 0)), "down SCARD_E_NO_SERVICE, out A, A is unavailable"},
		{"for another reason", down(SCARD_E_NO_SERVICE), down(SCARD_W_SECURITY_VIOLATION), "down SCARD_W_SECURITY_VIOLATION"},
		{"for the same reason", down(SCARD_E_NO_SERVICE), down(SCARD_E_NO_SERVICE), ""},
		{"and comes back, the card in it", down(SCARD_E_NO_SERVICE, reader("A", Unavailable, 0)), up(reader("A", Present, 0, 0x3B)), "up, in A 3b present"},
		{"readers change order", up(reader("A", Empty, 0), reader("B", Empty, 0)), up(reader("B", Empty, 0), reader("A", Empty, 0)), ""},
	} {
		if got := story(Diff(c.prev, c.next)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// Whatever the counter does, a card is inserted before it is removed and
// removed before another is inserted.
func FuzzDiffKeepsInsertionsAndRemovalsApart(f *testing.F) {
	f.Add(uint8(2), uint16(3), uint8(2), uint16(5))
	f.Add(uint8(0), uint16(0xFFFF), uint8(5), uint16(0))
	f.Add(uint8(1), uint16(8), uint8(1), uint16(9))
	conditions := []Condition{Unavailable, Empty, Present, Mute, InUse, Exclusive}
	f.Fuzz(func(t *testing.T, from uint8, before uint16, to uint8, after uint16) {
		p := Reader{Name: "A", Condition: conditions[int(from)%len(conditions)], Counter: before}
		n := Reader{Name: "A", Condition: conditions[int(to)%len(conditions)], Counter: after}
		events := Diff(Snapshot{Readers: []Reader{p}}, Snapshot{Readers: []Reader{n}})
		if len(events) > 2*mostPairs+2 {
			t.Fatalf("%d events", len(events))
		}
		has := p.HasCard()
		for _, e := range events {
			switch e.Type {
			case CardInserted, CardRemoved:
				if has == (e.Type == CardInserted) {
					t.Fatalf("%v to %v: %s", p, n, story(events))
				}
				has = !has
			default:
			}
		}
		if has != n.HasCard() {
			t.Fatalf("%v to %v ends wrongly: %s", p, n, story(events))
		}
	})
}

func TestConditionReadsTheFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags StateFlags
		want  Condition
	}{
		{StateEmpty, Empty},
		{StateUnaware, Empty}, // a reader that pcscd has not asked yet
		{StateEmpty | StateExclusive, Empty},
		{StatePresent | 3<<16, Present},
		{StatePresent | StateUnpowered, Present},
		{StatePresent | StateMute, Mute},
		{StatePresent | StateInUse, InUse},
		{StatePresent | StateExclusive | StateInUse, Exclusive},
		{StateUnavailable, Unavailable},
		{StateUnknown | StateUnavailable, Unavailable},
	} {
		if got := condition(c.flags); got != c.want {
			t.Errorf("0x%X is %s, want %s", uint32(c.flags), got, c.want)
		}
	}
}

func TestPolicyOfMacOSKnowsNoPnPEntry(t *testing.T) {
	t.Parallel()
	w := &watchSet{policy: policyFor("darwin")}
	w.list([]string{"A"})
	if w.told() || len(w.states) != 1 {
		t.Errorf("it watches %v", w.states)
	}
	for _, goos := range []string{"linux", "windows"} {
		w := &watchSet{policy: policyFor(goos)}
		w.list([]string{"A"})
		if !w.told() || !slices.ContainsFunc(w.states, func(s ReaderState) bool { return s.Reader == PnPNotification }) {
			t.Errorf("%s watches %v", goos, w.states)
		}
	}
}
