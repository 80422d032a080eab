package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuantilesAreOfTheSamplesInOrder(t *testing.T) {
	var s samples
	for i := 100; i > 0; i-- {
		s = append(s, time.Duration(i)*time.Millisecond)
	}
	if s.at(0) != time.Millisecond || s.p50() != 51*time.Millisecond || s.p99() != 100*time.Millisecond || s.at(1) != 100*time.Millisecond {
		t.Errorf("least %v, p50 %v, p99 %v, most %v", s.at(0), s.p50(), s.p99(), s.at(1))
	}
	if s[0] != 100*time.Millisecond {
		t.Error("the samples were put in order")
	}
	if (samples{}).p99() != 0 {
		t.Error("no samples have a quantile")
	}
}

func TestMillisecondsHaveTheDigitsThatMeanSomething(t *testing.T) {
	for d, want := range map[time.Duration]string{
		123456 * time.Nanosecond: "0.123", 1234567 * time.Nanosecond: "1.23", 12345678 * time.Nanosecond: "12.3",
		1234 * time.Millisecond: "1234", -1500 * time.Microsecond: "-1.50", 0: "0.000",
	} {
		if got := ms(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestFiguresReplaceThoseBeforeAndNothingElse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "performance.md")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("head\n" + figuresBegin + "old\n" + figuresEnd + "\ntail\n")
	for range 2 { // what it wrote it can replace
		if err := writeMarkdown(file, machine{cpu: "a CPU"}, []row{{What: "a thing", Measured: "1 ms", Met: "yes", Note: "a note"}}); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := os.ReadFile(file)
	got := string(text)
	if !strings.HasPrefix(got, "head\n") || !strings.HasSuffix(got, figuresEnd+"\ntail\n") || strings.Contains(got, "old") ||
		strings.Count(got, "| a thing | - | 1 ms (a note) | - | - | yes |\n") != 1 {
		t.Errorf("the file is\n%s", got)
	}
	write("no place\n" + figuresBegin)
	if err := writeMarkdown(file, machine{}, nil); err == nil {
		t.Error("a file without a place for figures was written")
	}
	if text, _ := os.ReadFile(file); string(text) != "no place\n"+figuresBegin {
		t.Error("it was changed all the same")
	}
}

func TestAPartThatFailsIsCleanedUpAndSaysWhy(t *testing.T) {
	var order []string
	why := inHarness(&strings.Builder{}, func(h *harness) {
		h.Cleanup(func() { order = append(order, "first") })
		h.Cleanup(func() { order = append(order, "second"); h.Errorf("late") })
		h.Fatalf("because of %d", 7)
	})
	if why != "because of 7" || strings.Join(order, " ") != "second first" {
		t.Errorf("%q, cleaned up %v", why, order)
	}
	if why := inHarness(&strings.Builder{}, func(h *harness) { h.Cleanup(func() { h.Errorf("late") }) }); why == "" {
		t.Error("what failed while it was cleaned up passed for a success")
	}
}

// What a crowd of clients got is compared with what happened.
func TestLostAndDisorderedEventsAreCounted(t *testing.T) {
	heardAll := func(seqs ...uint64) *listener {
		l := &listener{}
		for _, seq := range seqs {
			l.events = append(l.events, heard{seq, time.Unix(int64(seq), 0)})
		}
		return l
	}
	for name, c := range map[string]struct {
		seqs []uint64
		lost bool
	}{
		"all": {[]uint64{4, 5, 6, 7, 8}, false}, "one missing": {[]uint64{5, 7}, true}, "the last missing": {[]uint64{5, 6}, true},
		"none": {nil, true}, "out of order": {[]uint64{6, 5, 7}, true}, "twice": {[]uint64{5, 5, 6, 7}, true},
	} {
		var o outcome
		o.account([]*listener{heardAll(4, 5, 6, 7), heardAll(c.seqs...)}, 4, 7)
		if (o.lost > 0) != c.lost {
			t.Errorf("%s: %d lost", name, o.lost)
		}
	}
}

func TestTheGuestsFiguresAreFoundInWhatItPrints(t *testing.T) {
	p, err := plugFigures("=== RUN\n  figures_test.go:9: figures of a plug: {\"added\":[3000000,4],\"ours\":[2000000,5000000],\"reader\":[1000000,2],\"rounds\":40}\nPASS\n")
	if err != nil || p.Rounds != 40 || p.Ours.String() != "2.00 / 5.00 ms" || p.Reader[0] != time.Millisecond || p.Added[0] != 3*time.Millisecond {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"", "figures of a plug: {}", "figures of a plug: [", "PASS"} {
		if _, err := plugFigures(bad); err == nil {
			t.Errorf("%q has figures", bad)
		}
	}
}
