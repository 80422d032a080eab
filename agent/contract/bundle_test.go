package contract

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestABundleSaysWhatIsInItAndWhatIsNot(t *testing.T) {
	var b Bundle
	b.AddJSON(BundleMachine, map[string]string{"home": "/home/ann", "data": "/srv/ann", "user": "555200123456"}, "ann")
	b.AddLines(BundleLog, [][]byte{[]byte("first"), bytes.Repeat([]byte("x"), maxBundleFile-5), []byte("last")}, nil)
	b.Add(BundleSnapshot, make([]byte, maxBundleFile+1), nil)
	b.Add(BundleEvents, nil, errors.New("the disk of /home/ann is full"))
	b.AddJSON(BundleVersions, make(chan int))
	var packed bytes.Buffer
	if err := b.Write(&packed); err != nil {
		t.Fatal(err)
	}
	read, err := ReadBundle(packed.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range read.Files() {
		names = append(names, f.Name)
	}
	if want := []string{BundleReadme, BundleLog, BundleMachine, bundleMissing}; !slices.Equal(names, want) {
		t.Errorf("in it are %v, want %v", names, want)
	}
	if got := string(read.files[BundleMachine]); strings.Contains(got, "ann") || strings.Contains(got, "555200") || !strings.Contains(got, "*********456") {
		t.Errorf("not masked: %s", got)
	}
	if got := string(read.files[BundleLog]); got != strings.Repeat("x", maxBundleFile-5)+"\n" && got != "last\n" {
		t.Errorf("the last lines are %d octets", len(got))
	}
	text := string(read.readme())
	for _, want := range []string{"daemon/machine.json        the operating", "- daemon/snapshot.json: it is too long", "- daemon/events.jsonl: the disk of /home/*** is full", "- daemon/versions.json: "} {
		if !strings.Contains(text, want) {
			t.Errorf("the README does not say %q:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 81 && !strings.HasPrefix(line, "- ") {
			t.Errorf("too long for a terminal: %s", line)
		}
	}
}

func TestWhatIsNoBundleIsRefused(t *testing.T) {
	var b Bundle
	b.Add(BundleLog, []byte("x"), nil)
	var packed bytes.Buffer
	if err := b.Write(&packed); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, []byte("PK"), packed.Bytes()[:packed.Len()/2]} {
		if _, err := ReadBundle(bad); err == nil {
			t.Errorf("%d octets were taken for a bundle", len(bad))
		}
	}
}

// FuzzReadBundle holds that nothing a daemon answers ends in more than an error.
func FuzzReadBundle(f *testing.F) {
	var b Bundle
	b.Add(BundleLog, []byte("x"), nil)
	b.Miss("daemon", "gone")
	var packed bytes.Buffer
	_ = b.Write(&packed)
	f.Add(packed.Bytes())
	f.Fuzz(func(t *testing.T, octets []byte) {
		if b, err := ReadBundle(octets); err == nil {
			_ = b.readme()
		}
	})
}
