package apdu_test

import (
	"bytes"
	"errors"
	"testing"

	"authbridge/pcsc/apdu"
)

func TestCommandsAreEncodedAsShortAsTheyCanBe(t *testing.T) {
	t.Parallel()
	data := func(n int) []byte { return bytes.Repeat([]byte{0xDD}, n) }
	for name, c := range map[string]struct {
		command apdu.Command
		want    []string
	}{
		"case 1":                  {apdu.Command{INS: 0x20, P2: 0x80}, []string{"00 20 00 80"}},
		"case 2, short":           {apdu.Command{INS: 0xC0, Le: 5}, []string{"00 C0 00 00 05"}},
		"case 2, 256":             {apdu.Command{INS: 0xC0, Le: 256}, []string{"00 C0 00 00 00"}},
		"case 2, extended":        {apdu.Command{INS: 0xC0, Le: 257}, []string{"00 C0 00 00 00 01 01"}},
		"case 2, all":             {apdu.Command{INS: 0xC0, Le: 65536}, []string{"00 C0 00 00 00 00 00"}},
		"case 3, short":           {apdu.Command{INS: 0x20, P2: 0x80, Data: data(8)}, []string{"00 20 00 80 08 DD*8"}},
		"case 4, short":           {apdu.Command{INS: 0xA4, P1: 4, Data: data(9), Le: 256}, []string{"00 A4 04 00 09 DD*9 00"}},
		"case 4, extended":        {apdu.Command{INS: 0xCB, P1: 0x3F, P2: 0xFF, Data: data(5), Le: 65536}, []string{"00 CB 3F FF 00 00 05 DD*5 00 00"}},
		"case 4, extended, long":  {apdu.Command{INS: 0x87, Data: data(266), Le: 512}, []string{"00 87 00 00 00 01 0A DD*266 02 00"}},
		"255 octets are one part": {apdu.Command{INS: 0x87, Data: data(255), Le: 256}, []string{"00 87 00 00 FF DD*255 00"}},
		"256 octets are chained":  {apdu.Command{INS: 0x87, Data: data(256), Le: 256}, []string{"10 87 00 00 FF DD*255", "00 87 00 00 01 DD 00"}},
		"three parts":             {apdu.Command{INS: 0xDB, Data: data(511)}, []string{"10 DB 00 00 FF DD*255", "10 DB 00 00 FF DD*255", "00 DB 00 00 01 DD"}},
	} {
		parts, err := c.command.Encode()
		if err != nil || len(parts) != len(c.want) {
			t.Errorf("%s: %d parts, %v", name, len(parts), err)
			continue
		}
		for i, part := range parts {
			if !bytes.Equal(part, octets(c.want[i])) {
				t.Errorf("%s, part %d: % X", name, i, part)
			}
		}
	}
}

func TestCommandsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]apdu.Command{
		"Le too great":         {Le: 65537},
		"Le negative":          {Le: -1},
		"too much data":        {Data: make([]byte, 65536)},
		"a chain within chain": {CLA: 0x10, Data: make([]byte, 256)},
	} {
		if parts, err := c.Encode(); !errors.Is(err, apdu.ErrCommand) {
			t.Errorf("%s: %d parts, %v", name, len(parts), err)
		}
	}
}

func TestACardReadsEveryCase(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]apdu.Command{
		"00 20 00 80":                      {INS: 0x20, P2: 0x80},
		"00 C0 00 00 00":                   {INS: 0xC0, Le: 256},
		"00 C0 00 00 10":                   {INS: 0xC0, Le: 16},
		"00 C0 00 00 00 00 00":             {INS: 0xC0, Le: 65536},
		"00 C0 00 00 00 02 01":             {INS: 0xC0, Le: 513},
		"10 87 07 9A 02 01 02":             {CLA: 0x10, INS: 0x87, P1: 7, P2: 0x9A, Data: []byte{1, 2}},
		"00 A4 04 00 02 01 02 00":          {INS: 0xA4, P1: 4, Data: []byte{1, 2}, Le: 256},
		"00 A4 04 00 00 00 02 01 02":       {INS: 0xA4, P1: 4, Data: []byte{1, 2}},
		"00 A4 04 00 00 00 02 01 02 01 00": {INS: 0xA4, P1: 4, Data: []byte{1, 2}, Le: 256},
	} {
		c, err := apdu.ParseCommand(octets(raw))
		if err != nil || c.CLA != want.CLA || c.INS != want.INS || c.P1 != want.P1 || c.P2 != want.P2 ||
			!bytes.Equal(c.Data, want.Data) || c.Le != want.Le {
			t.Errorf("%s: %+v, %v", raw, c, err)
		}
	}
	for _, raw := range []string{
		"", "00 20 00", "00 20 00 80 00 00", "00 20 00 80 08 01", "00 20 00 80 01 02 00 00",
		"00 20 00 80 00 00 00 01", "00 20 00 80 00 00 02 01", "00 20 00 80 00 00 01 01 00",
	} {
		if c, err := apdu.ParseCommand(octets(raw)); !errors.Is(err, apdu.ErrCommand) {
			t.Errorf("%q: %+v, %v", raw, c, err)
		}
	}
}

func TestT0CarriesNoLeAfterData(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"00 A4 04 00 02 01 02 00":          "00 A4 04 00 02 01 02",
		"00 A4 04 00 02 01 02":             "00 A4 04 00 02 01 02",
		"00 C0 00 00 10":                   "00 C0 00 00 10",
		"00 20 00 80":                      "00 20 00 80",
		"00 A4 04 00 00 00 02 01 02 01 00": "00 A4 04 00 00 00 02 01 02 01 00",
		"00 A4":                            "00 A4",
	} {
		if got := apdu.ForT0(octets(raw)); !bytes.Equal(got, octets(want)) {
			t.Errorf("%s: % X", raw, got)
		}
	}
}

func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		"00 20 00 80", "00 C0 00 00 00", "00 C0 00 00 00 02 01", "00 A4 04 00 02 01 02 00",
		"00 A4 04 00 00 00 02 01 02 01 00", "10 87 07 9A 02 01 02", "00 20 00 80 00 00",
	} {
		f.Add(octets(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := apdu.ParseCommand(raw)
		if err != nil {
			return
		}
		parts, err := c.Encode()
		if err != nil {
			if c.CLA&0x10 == 0 {
				t.Fatalf("%+v was read, and cannot be written: %v", c, err)
			}
			return
		}
		var data []byte
		var last apdu.Command
		for _, part := range parts {
			if last, err = apdu.ParseCommand(part); err != nil {
				t.Fatalf("% X: %v", part, err)
			}
			data = append(data, last.Data...)
		}
		if last.INS != c.INS || last.Le != c.Le || !bytes.Equal(data, c.Data) {
			t.Fatalf("% X became %+v", raw, last)
		}
		if t0 := apdu.ForT0(raw); len(t0) < len(raw)-1 {
			t.Fatalf("% X lost more than its Le", raw)
		}
	})
}
