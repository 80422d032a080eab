package apdu_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"authbridge/pcsc/apdu"
)

func TestTagsAndLengthsOfEverySize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw    string
		tag    apdu.Tag
		length int
	}{
		{"53 00", 0x53, 0},
		{"7E 02 AA AA", 0x7E, 2},
		{"5F 2F 02 AA AA", 0x5F2F, 2},
		{"7F 49 01 AA", 0x7F49, 1},
		{"5F C1 05 01 AA", 0x5FC105, 1},
		{"53 7F AA*127", 0x53, 127},
		{"53 81 80 AA*128", 0x53, 128},
		{"53 82 01 00 AA*256", 0x53, 256},
		{"53 83 01 00 00 AA*65536", 0x53, 65536},
		{"53 82 00 01 AA", 0x53, 1}, // longer than it need be, as real cards write it
	} {
		object, rest, err := apdu.ReadTLV(append(octets(c.raw), 0x99))
		if err != nil || object.Tag != c.tag || len(object.Value) != c.length || !bytes.Equal(rest, []byte{0x99}) {
			t.Errorf("%.20s: %s, %d octets, rest % X, %v", c.raw, object.Tag, len(object.Value), rest, err)
		}
	}
}

func TestWhatIsNoTLVIsRefused(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"nothing":                  "",
		"no length":                "53",
		"tag 00":                   "00 01 AA",
		"half a tag":               "5F",
		"a third of a tag":         "5F C1",
		"a tag of four octets":     "5F C1 85 01 00",
		"a tag that begins with 0": "5F 80 01 00",
		"indefinite length":        "7E 80 AA 00 00",
		"length of four octets":    "53 84 00 00 00 01 AA",
		"half a length":            "53 82 01",
		"shorter than it says":     "53 03 AA AA",
		"far shorter":              "53 83 FF FF FF AA",
	} {
		if object, _, err := apdu.ReadTLV(octets(raw)); !errors.Is(err, apdu.ErrTLV) {
			t.Errorf("%s: %+v, %v", name, object, err)
		}
	}
}

func TestObjectsAreFoundByTheirPath(t *testing.T) {
	t.Parallel()
	property := octets("61 11 4F 06 00 00 10 00 01 00 79 07 4F 05 A0 00 00 03 08")
	if v, err := apdu.Find(property, 0x61, 0x79, 0x4F); err != nil || !bytes.Equal(v, octets("A0 00 00 03 08")) {
		t.Errorf("% X, %v", v, err)
	}
	if _, err := apdu.Find(property, 0x61, 0x50); !errors.Is(err, apdu.ErrNoTag) {
		t.Errorf("not there: %v", err)
	}
	if _, err := apdu.Find(octets("61 03 4F 05 00"), 0x61, 0x4F); !errors.Is(err, apdu.ErrTLV) {
		t.Errorf("broken: %v", err)
	}
	if v, err := apdu.Find(octets("00 00 53 01 AA 00 00 54 01 BB 00"), 0x54); err != nil || !bytes.Equal(v, []byte{0xBB}) {
		t.Errorf("between zeros: % X, %v", v, err)
	}
	if _, err := apdu.Find(property, slices.Repeat([]apdu.Tag{0x61}, apdu.MaxDepth+1)...); !errors.Is(err, apdu.ErrTLV) {
		t.Errorf("too deep: %v", err)
	}
}

func TestNestingHasABottom(t *testing.T) {
	t.Parallel()
	var nested []byte
	for range apdu.MaxDepth {
		nested = apdu.EncodeTLV(0x61, nested)
	}
	depths := 0
	if err := apdu.Walk(nested, func(depth int, _ apdu.TLV) error { depths = max(depths, depth); return nil }); err != nil || depths != apdu.MaxDepth-1 {
		t.Errorf("deepest %d, %v", depths, err)
	}
	if err := apdu.Walk(apdu.EncodeTLV(0x61, nested), func(int, apdu.TLV) error { return nil }); !errors.Is(err, apdu.ErrTLV) {
		t.Errorf("one deeper: %v", err)
	}
	enough := errors.New("enough")
	if err := apdu.Walk(nested, func(int, apdu.TLV) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("visit's own error: %v", err)
	}
}

func TestConstructedIsToldByTheFirstOctet(t *testing.T) {
	t.Parallel()
	for tag, want := range map[apdu.Tag]bool{0x7E: true, 0x61: true, 0x53: false, 0x5F2F: false, 0x7F49: true, 0x5FC105: false} {
		if tag.Constructed() != want {
			t.Errorf("%s: %v", tag, !want)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536} {
		for _, tag := range []apdu.Tag{0x53, 0x5F2F, 0x5FC105} {
			value := bytes.Repeat([]byte{0xAB}, n)
			raw := apdu.EncodeTLV(tag, value[:n/2], value[n/2:])
			if o, rest, err := apdu.ReadTLV(raw); err != nil || o.Tag != tag || !bytes.Equal(o.Value, value) || len(rest) > 0 {
				t.Errorf("%s, %d octets: %s, %d, %v", tag, n, o.Tag, len(o.Value), err)
			}
		}
	}
}

func FuzzTLV(f *testing.F) {
	for _, seed := range []string{
		"", "53 00", "7E 12 4F 0B A0 00 00 03 08 00 00 10 00 01 00 5F 2F 02 40 00", "53 82 01 00", "5F C1 05 01 AA",
		"7E 80 AA 00 00", "00 00 53 01 AA", "61 61 61 61", strings.Repeat("61 7F ", 20),
	} {
		f.Add(octets(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		visited := 0
		err := apdu.Walk(raw, func(depth int, o apdu.TLV) error {
			visited++
			if depth >= apdu.MaxDepth || len(o.Value) > len(raw) {
				t.Fatalf("depth %d, %d octets", depth, len(o.Value))
			}
			again, rest, err := apdu.ReadTLV(apdu.EncodeTLV(o.Tag, o.Value))
			if err != nil || again.Tag != o.Tag || !bytes.Equal(again.Value, o.Value) || len(rest) > 0 {
				t.Fatalf("%s % X is not read as it was written: %v", o.Tag, o.Value, err)
			}
			return nil
		})
		if err != nil && !errors.Is(err, apdu.ErrTLV) {
			t.Fatal(err)
		}
		if visited > len(raw)*apdu.MaxDepth {
			t.Fatalf("%d visits of %d octets", visited, len(raw))
		}
	})
}
