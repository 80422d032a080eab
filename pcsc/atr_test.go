package pcsc_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"authbridge/pcsc"
)

func octets(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestATRsOfRealCardsAreTakenApart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw        string
		protocols  []int
		historical string
		extended   bool
		said       bool
	}{
		"JCOP41, T=1":      {"3B F9 18 00 00 81 31 FE 45 4A 43 4F 50 34 31 56 32 32 AF", []int{1}, "4A 43 4F 50 34 31 56 32 32", false, false},
		"JCOP41, T=0":      {"3B 6A 00 FF 4A 43 4F 50 34 31 56 32 32 31", []int{0}, "4A 43 4F 50 34 31 56 32 32 31", false, false},
		"a key with PIV":   {"3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40", []int{1}, "80 73 C0 21 C0 57 59 75 62 69 4B 65 79", true, true},
		"a CAC, T=0":       {"3B 7A 18 00 00 73 66 74 65 20 63 64 31 34 34", []int{0}, "73 66 74 65 20 63 64 31 34 34", false, false},
		"contactless":      {"3B 8F 80 01 80 4F 0C A0 00 00 03 06 03 00 01 00 00 00 00 6A", []int{0, 1}, "80 4F 0C A0 00 00 03 06 03 00 01 00 00 00 00", false, false},
		"T=0, and for all": {"3B 80 1F 00 9F", []int{0}, "", false, false},
		"nothing but T0":   {"3B 00", []int{0}, "", false, false},
		"inverse":          {"3F 00", []int{0}, "", false, false},
	} {
		atr, err := pcsc.ParseATR(octets(c.raw))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		extended, said := atr.ExtendedLength()
		if !slices.Equal(atr.Protocols(), c.protocols) || !bytes.Equal(atr.Historical, octets(c.historical)) ||
			extended != c.extended || said != c.said || atr.Inverse != strings.HasPrefix(c.raw, "3F") {
			t.Errorf("%s: protocols %v, historical % X, extended %v %v", name, atr.Protocols(), atr.Historical, extended, said)
		}
		if atr.String() != strings.ReplaceAll(c.raw, " ", "") {
			t.Errorf("%s: %s", name, atr)
		}
	}
}

func TestInterfaceBytesStandWhereTheyBelong(t *testing.T) {
	t.Parallel()
	atr, err := pcsc.ParseATR(octets("3B F9 18 00 00 81 31 FE 45 4A 43 4F 50 34 31 56 32 32 AF"))
	if err != nil || len(atr.Interface) != 3 {
		t.Fatalf("%d steps, %v", len(atr.Interface), err)
	}
	first, second, third := atr.Interface[0], atr.Interface[1], atr.Interface[2]
	if *first.TA != 0x18 || *first.TB != 0 || *first.TC != 0 || *first.TD != 0x81 ||
		second.TA != nil || *second.TD != 0x31 || second.T != 1 ||
		*third.TA != 0xFE || *third.TB != 0x45 || third.TD != nil || third.T != 1 {
		t.Errorf("%+v", atr.Interface)
	}
}

func TestWhatIsNoATRIsToldAndStillShown(t *testing.T) {
	t.Parallel()
	good := "3B F9 18 00 00 81 31 FE 45 4A 43 4F 50 34 31 56 32 32 AF"
	for name, c := range map[string]struct{ raw, says string }{
		"nothing":                        {"", "0 octets"},
		"TS alone":                       {"3B", "1 octets"},
		"another TS":                     {"03 00", "begins with 03"},
		"cut among the interface bytes":  {good[:9*2-1], "interface bytes"},
		"cut among the historical bytes": {good[:3*12-1], "3 historical bytes are there, 9 were announced"},
		"without its check byte":         {good[:len(good)-3], "check byte is missing"},
		"with a wrong check byte":        {good[:len(good)-2] + "AE", "check byte is wrong"},
		"longer than it says":            {good + " 00", "1 octets follow"},
		"T=0 with a check byte":          {"3B 00 00", "1 octets follow"},
		"too long":                       {"3B 0F" + strings.Repeat(" AA", 32), "34 octets"},
		"interface bytes without end":    {"3B 80" + strings.Repeat(" 80", 31), "interface bytes"},
	} {
		atr, err := pcsc.ParseATR(octets(c.raw))
		if !errors.Is(err, pcsc.ErrATR) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if atr.String() != strings.ReplaceAll(c.raw, " ", "") || len(atr.Protocols()) != 0 {
			t.Errorf("%s: shown as %s, protocols %v", name, atr, atr.Protocols())
		}
	}
}

func TestCapabilitiesAreReadFromCompactTLVOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		historical     string
		extended, said bool
	}{
		"behind another object":         {"80 31 C0 73 C0 01 40", true, true},
		"with a status indicator":       {"00 73 C0 01 40 07 90 00", true, true},
		"no extended lengths":           {"80 73 C0 01 80", false, true},
		"one software function only":    {"80 71 C0", false, false},
		"cut off":                       {"80 73 C0 01", false, false},
		"the text of a proprietary one": {"73 C0 01 40", false, false},
		"a status indicator alone":      {"00 07 90", false, false},
	} {
		h := octets(c.historical)
		atr, err := pcsc.ParseATR(append([]byte{0x3B, byte(len(h))}, h...))
		if err != nil {
			t.Fatal(err)
		}
		if extended, said := atr.ExtendedLength(); extended != c.extended || said != c.said {
			t.Errorf("%s: %v, said %v", name, extended, said)
		}
	}
}

func FuzzATR(f *testing.F) {
	for _, seed := range []string{
		"3B 00", "3F 00", "3B 80 80", "3B F9 18 00 00 81 31 FE 45 4A 43 4F 50 34 31 56 32 32 AF",
		"3B 6A 00 FF 4A 43 4F 50 34 31 56 32 32 31", "3B 8F 80 01 80 4F 0C A0 00 00 03 06 03 00 01 00 00 00 00 6A",
		"3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40",
	} {
		f.Add(octets(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		atr, err := pcsc.ParseATR(raw)
		if !bytes.Equal(atr.Raw, raw) {
			t.Fatalf("% X is kept as % X", raw, atr.Raw)
		}
		atr.ExtendedLength()
		if err != nil {
			if !errors.Is(err, pcsc.ErrATR) {
				t.Fatal(err)
			}
			return
		}
		// Written again from its parts it is the same.
		again := []byte{raw[0], raw[1]}
		for _, step := range atr.Interface {
			for _, b := range []*byte{step.TA, step.TB, step.TC, step.TD} {
				if b != nil {
					again = append(again, *b)
				}
			}
		}
		again = append(again, atr.Historical...)
		if len(raw) > len(again) {
			var sum byte
			for _, b := range again[1:] {
				sum ^= b
			}
			again = append(again, sum)
		}
		if !bytes.Equal(again, raw) {
			t.Fatalf("% X became % X", raw, again)
		}
		if p := atr.Protocols(); len(p) == 0 || slices.Contains(p, 15) {
			t.Fatalf("% X offers %v", raw, p)
		}
	})
}
