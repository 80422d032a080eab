package apdu_test

import (
	"slices"
	"strings"
	"testing"

	"authbridge/pcsc/apdu"
)

func TestATraceShowsWhatIsReadAndNotWhatIsSecret(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"00 20 00 80":                                  "00 20 00 80",
		"00 20 00 80 08 31*6 FF*2":                     "00 20 00 80 [9 octets]",
		"00 20 00 80 00 00 08 31*6 FF*2":               "00 20 00 80 [11 octets]",
		"00 20 00 80 31*6":                             "00 20 00 80 [6 octets]",
		"00 24 00 80 10 31*16":                         "00 24 00 80 [17 octets]",
		"00 2C 00 80 10 31*16":                         "00 2C 00 80 [17 octets]",
		"10 2C 00 80 10 31*16":                         "10 2C 00 80 [17 octets]",
		"10 87 07 9A FF DD*255":                        "10 87 07 9A [256 octets]",
		"00 87 07 9A 01 DD 00":                         "00 87 07 9A [3 octets]",
		"0C CB 3F FF 03 5C 01 7E":                      "0C CB 3F FF [4 octets]",
		"00 DB 3F FF 03 5C 01 7E":                      "00 DB 3F FF [4 octets]",
		"00 CB 3F FF 05 5C 03 5F C1 05 00":             "00 CB 3F FF 05 5C 03 5F C1 05 00",
		"00 A4 04 00 09 A0 00 00 03 08 00 00 10 00 00": "00 A4 04 00 09 A0 00 00 03 08 00 00 10 00 00",
		"00 C0 00 00 00":                               "00 C0 00 00 00",
		"00 A4 04 00 09 31*6":                          "00 A4 04 00 [7 octets]",
		"00 A4 04 00 28 31*40":                         "00 A4 04 00 [41 octets]",
		"00 20 00":                                     "[3 octets, no command]",
		"":                                             "[0 octets, no command]",
	} {
		if got := apdu.Redact(octets(raw)); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	for raw, want := range map[string]string{
		"90 00": "9000", "AA*300 61 00": "[300 octets] 6100", "": "[0 octets, no answer]", "31 32 33": "[3 octets, no answer]",
	} {
		if got := apdu.RedactAnswer(octets(raw)); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

// FuzzRedact: what is shown of a command with a secret does not depend on the
// secret, however the command is made, so it cannot hold any of it.
func FuzzRedact(f *testing.F) {
	f.Add(byte(0x00), octets("08 31*6 FF*2"))
	f.Add(byte(0x10), octets("00 00 08 31*8"))
	f.Add(byte(0x0C), octets("31*6"))
	secret := []byte{0x20, 0x21, 0x24, 0x2C, 0x86, 0x87, 0x2A, 0x82, 0x88, 0xDB, 0xFF, 0xF9}
	f.Fuzz(func(t *testing.T, cla byte, body []byte) {
		for _, ins := range secret {
			command := slices.Concat([]byte{cla, ins, 0x00, 0x80}, body)
			shown := apdu.Redact(command)
			for i := range body {
				command[4+i] ^= 0xA5
			}
			if other := apdu.Redact(command); other != shown {
				t.Fatalf("%q and %q tell bodies apart", shown, other)
			}
			if len(shown) > 40 || strings.ContainsAny(shown, "\n") {
				t.Fatalf("%q", shown)
			}
		}
	})
}
