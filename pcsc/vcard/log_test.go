package vcard_test

import (
	"bytes"
	"testing"
)

func TestTheLogHoldsNoPIN(t *testing.T) {
	const canary = "39 38 37 36 35 34 33 32"
	c := newChip(t, amy)
	c.send(selectPIV)
	tries := 0
	for _, command := range []string{
		"00200080 08" + canary, "00240080 10" + canary + canary, "002C0080 10" + canary + canary, "00240081 10" + canary + canary,
		"10200080 08" + canary,      // a class that no VERIFY has
		"80200080 08" + canary,      // nor this
		"00200080 00 0008" + canary, // extended
		"00200080 07" + canary,      // Lc is wrong
		"0020FF80 08" + canary, "002000 81 08" + canary,
	} {
		c.send(command)
		tries++
		if got := c.PINTries(); got != uint64(tries) {
			t.Errorf("%s: %d tries counted, want %d", command, got, tries)
		}
	}
	for _, command := range []string{verifyEmpty, verifyEmpty + "00", verifyEmpty + "000000", logout, chuid} {
		c.send(command)
	}
	if got := c.PINTries(); got != uint64(tries) {
		t.Errorf("%d tries counted, want %d", got, tries)
	}
	for _, e := range c.Log() {
		if bytes.Contains(e.Command, unhex(t, canary)[:3]) {
			t.Errorf("the log holds the PIN: %+v", e)
		}
	}
	log := c.Log()
	if first := log[1]; !bytes.Equal(first.Command, []byte{0x00, 0x20, 0x00, 0x80}) || first.Withheld != 9 || !first.PINTry || first.SW != 0x63C2 || !first.Answered {
		t.Errorf("%+v", first)
	}
}

func TestTheLogIsBounded(t *testing.T) {
	c := newChip(t, amy)
	for range 1100 {
		c.send("00000000")
	}
	log := c.Log()
	if len(log) != 1024 || log[0].N != 77 || log[1023].N != 1100 || c.APDUs() != 1100 {
		t.Errorf("%d entries, from %d", len(log), log[0].N)
	}
}

// Whatever a card gets, it answers with a status word of ISO 7816-4.
func FuzzCard(f *testing.F) {
	for _, seed := range []string{
		selectPIV, verifyEmpty, verifyRight, verifyWrong, logout, chuid, manager, "00CB3FFF0000055C035FC1050000", "00C0000000",
		"1087119A027C03", "0087119A077C0582008101AA00", "0024008010313233343536FFFF363534333231FFFF", "002C0080103132333435363738363534333231FFFF",
		"00", "", "00A40400", "00CB3FFF055C04", "0087119A0A7C80820081810000",
	} {
		f.Add(unhex(f, seed), unhex(f, verifyEmpty))
	}
	card := newCard(f, amy)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		card.PowerOn()
		for _, command := range [][]byte{unhex(t, selectPIV), first, second, first} {
			if len(command) == 0 {
				continue
			}
			answer, err := card.Transmit(t.Context(), command)
			if err != nil {
				t.Fatal(err)
			}
			if len(answer) < 2 {
				t.Fatalf("% X: % X", command, answer)
			}
			if sw1 := answer[len(answer)-2]; sw1>>4 != 6 && sw1 != 0x90 {
				t.Errorf("% X: % X", command, answer)
			}
		}
		for _, e := range card.Log() {
			if e.PINTry && len(e.Command) != 4 {
				t.Errorf("% X is in the log", e.Command)
			}
		}
	})
}
