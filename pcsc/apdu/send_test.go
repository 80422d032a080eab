package apdu_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"authbridge/pcsc/apdu"
)

var read = apdu.Command{INS: 0xCB, P1: 0x3F, P2: 0xFF, Data: octets("5C 01 7E"), Le: 256}

const readRaw = "00 CB 3F FF 03 5C 01 7E 00"

func TestAnAnswerInPartsIsPutTogether(t *testing.T) {
	t.Parallel()
	c := card(t,
		readRaw, "AA*256 61 00",
		"00 C0 00 00 00", "BB*256 61 03",
		"00 C0 00 00 03", "CC*3 90 00")
	r, err := apdu.Send(t.Context(), c, read)
	if err != nil || !bytes.Equal(r.Data, octets("AA*256 BB*256 CC*3")) || r.SW != apdu.SWSuccess {
		t.Errorf("%d octets, %v, %v", len(r.Data), r.SW, err)
	}
}

func TestTheRestIsAskedForOnTheChannelOfTheCommand(t *testing.T) {
	t.Parallel()
	for cla, want := range map[byte]string{0x00: "00", 0x02: "02", 0x0C: "00", 0x43: "43", 0x63: "43", 0x80: "00"} {
		c := card(t, string([]byte{hexDigit(cla >> 4), hexDigit(cla)})+" CA 00 00 00", "61 01", want+" C0 00 00 01", "AA 90 00")
		if _, err := apdu.Send(t.Context(), c, apdu.Command{CLA: cla, INS: 0xCA, Le: 256}); err != nil {
			t.Errorf("CLA %02X: %v", cla, err)
		}
	}
}

func hexDigit(b byte) byte { return "0123456789ABCDEF"[b&0x0F] }

func TestAWrongLeIsCorrectedOnce(t *testing.T) {
	t.Parallel()
	c := card(t, readRaw, "6C 02", "00 CB 3F FF 03 5C 01 7E 02", "AA BB 90 00")
	if r, err := apdu.Send(t.Context(), c, read); err != nil || !bytes.Equal(r.Data, octets("AA BB")) {
		t.Errorf("% X, %v", r.Data, err)
	}
	again := card(t, readRaw, "6C 02", "00 CB 3F FF 03 5C 01 7E 02", "6C 03")
	if _, err := apdu.Send(t.Context(), again, read); !errors.Is(err, apdu.SWWrongLe) {
		t.Errorf("twice: %v", err)
	}
	rest := card(t, readRaw, "61 05", "00 C0 00 00 05", "6C 04", "00 C0 00 00 04", "AA*4 90 00")
	if r, err := apdu.Send(t.Context(), rest, read); err != nil || len(r.Data) != 4 {
		t.Errorf("of the rest: % X, %v", r.Data, err)
	}
}

// Whatever the card says, a PIN is sent once (ground rule 1).
func TestACommandWithAPINIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	for _, ins := range []byte{0x20, 0x24, 0x2C} {
		for _, le := range []int{0, 256} {
			for _, sw := range []string{"6C 08", "67 00", "69 85", "6F 00"} {
				t.Run("", func(t *testing.T) {
					sent := 0
					c := transmitter(func(context.Context, []byte) ([]byte, error) {
						sent++
						return octets(sw), nil
					})
					_, err := apdu.Send(t.Context(), c, apdu.Command{INS: ins, P2: 0x80, Data: octets("31*8"), Le: le})
					if err == nil || sent != 1 {
						t.Errorf("instruction %02X, Le %d, answer %s: sent %d times, %v", ins, le, sw, sent, err)
					}
				})
			}
		}
	}
}

type transmitter func(context.Context, []byte) ([]byte, error)

func (f transmitter) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return f(ctx, command)
}

func TestAChainEndsWhereTheCardEndsIt(t *testing.T) {
	t.Parallel()
	long := apdu.Command{INS: 0x87, P1: 7, P2: 0x9A, Data: octets("DD*300"), Le: 256}
	whole := card(t, "10 87 07 9A FF DD*255", "90 00", "00 87 07 9A 2D DD*45 00", "AA 90 00")
	if r, err := apdu.Send(t.Context(), whole, long); err != nil || !bytes.Equal(r.Data, octets("AA")) {
		t.Errorf("% X, %v", r.Data, err)
	}
	refused := card(t, "10 87 07 9A FF DD*255", "68 84")
	if _, err := apdu.Send(t.Context(), refused, long); !errors.Is(err, apdu.SWNoChaining) {
		t.Errorf("refused: %v", err)
	}
	wrongLe := card(t, "10 87 07 9A FF DD*255", "90 00", "00 87 07 9A 2D DD*45 00", "6C 10")
	if _, err := apdu.Send(t.Context(), wrongLe, long); !errors.Is(err, apdu.SWWrongLe) {
		t.Errorf("wrong Le: %v", err)
	}
}

func TestAnAnswerThatIsNoneHasATypeOfItsOwn(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{
		"":                apdu.ErrTruncated,
		"90":              apdu.ErrTruncated,
		"00 00":           apdu.ErrNoStatus,
		"AA 60 00":        apdu.ErrNoStatus,
		"DE AD BE EF":     apdu.ErrNoStatus,
		"AA*65537 90 00":  apdu.ErrTooLong,
		"AA*100000 90 00": apdu.ErrTooLong,
	} {
		_, err := apdu.Send(t.Context(), card(t, readRaw, answer), read)
		var wrong *apdu.AnswerError
		if !errors.Is(err, want) || !errors.As(err, &wrong) || wrong.INS != 0xCB || wrong.Length != len(octets(answer)) {
			t.Errorf("%.20q: %v", answer, err)
		}
	}
}

func TestACardThatNeverEndsIsLeft(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		want   error
		most   int
	}{
		"nothing comes":      {"61 10", apdu.ErrStalled, 2},
		"one octet at once":  {"AA 61 01", apdu.ErrTooLong, 513},
		"256 octets at once": {"AA*256 61 00", apdu.ErrTooLong, 257},
	} {
		sent := 0
		endless := transmitter(func(context.Context, []byte) ([]byte, error) {
			sent++
			return octets(c.answer), nil
		})
		if _, err := apdu.Send(t.Context(), endless, read); !errors.Is(err, c.want) || sent > c.most {
			t.Errorf("%s: %v after %d commands", name, err, sent)
		}
	}
}

func TestAStatusWordIsFoundInTheError(t *testing.T) {
	t.Parallel()
	r, err := apdu.Send(t.Context(), card(t, readRaw, "AA 62 82"), read)
	var status *apdu.StatusError
	if !errors.As(err, &status) || status.SW != 0x6282 || status.INS != 0xCB || len(r.Data) != 1 || r.SW != 0x6282 {
		t.Errorf("a warning: %+v, %v", r, err)
	}
	_, err = apdu.Send(t.Context(), card(t, "00 20 00 80", "63 C2"), apdu.Command{INS: 0x20, P2: 0x80})
	if !errors.Is(err, apdu.SWTries) || errors.Is(err, apdu.SWWrongLe) || err.Error() != "VERIFY: 63C2 (wrong, tries left: 2)" {
		t.Errorf("tries: %v", err)
	}
	_, err = apdu.Send(t.Context(), card(t, readRaw, "6A 82"), read)
	if !errors.Is(err, apdu.SWNotFound) || errors.Is(err, apdu.SWTries) {
		t.Errorf("not found: %v", err)
	}
}

func TestATransmitterThatFailsIsBelieved(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	_, err := apdu.Send(t.Context(), transmitter(func(context.Context, []byte) ([]byte, error) { return octets("90 00"), gone }), read)
	if !errors.Is(err, gone) {
		t.Error(err)
	}
}

func TestNothingIsSentOnceTheContextHasEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	sent := 0
	c := transmitter(func(context.Context, []byte) ([]byte, error) {
		sent++
		cancel() // in the middle of an answer in parts
		return octets("AA 61 10"), nil
	})
	for want := range 2 {
		if _, err := apdu.Send(ctx, c, read); !errors.Is(err, context.Canceled) || sent != 1 {
			t.Errorf("call %d: %v, sent %d", want, err, sent)
		}
	}
}

func TestACommandIsClearedAfterItWasSent(t *testing.T) {
	t.Parallel()
	var kept [][]byte
	c := transmitter(func(_ context.Context, command []byte) ([]byte, error) {
		kept = append(kept, command)
		return octets("90 00"), nil
	})
	data := octets("31*300")
	if _, err := apdu.Send(t.Context(), c, apdu.Command{INS: 0x24, Data: data}); err != nil || len(kept) != 2 {
		t.Fatalf("%d parts, %v", len(kept), err)
	}
	for _, part := range kept {
		if bytes.ContainsFunc(part, func(r rune) bool { return r != 0 }) {
			t.Errorf("left: % X", part)
		}
	}
	if !bytes.Equal(data, octets("31*300")) {
		t.Error("the caller's data is the caller's to clear")
	}
}

// FuzzSend lets a card say anything: Send ends within its bounds, and what it
// returns without error is whole.
func FuzzSend(f *testing.F) {
	for _, seed := range []string{"90 00", "AA 61 01", "6C 02", "", "61 00", "AA*256 61 00", "63 C1"} {
		f.Add(octets(seed), octets("BB 61 02"), octets("CC CC 90 00"))
	}
	f.Fuzz(func(t *testing.T, first, second, third []byte) {
		answers := [][]byte{first, second, third}
		sent := 0
		c := transmitter(func(context.Context, []byte) ([]byte, error) {
			sent++
			return answers[min(sent, len(answers))-1], nil
		})
		r, err := apdu.Send(t.Context(), c, read)
		if sent > 2+2*513 || len(r.Data) > apdu.MaxExtendedLe {
			t.Fatalf("%d commands, %d octets", sent, len(r.Data))
		}
		if err == nil && r.SW != apdu.SWSuccess {
			t.Fatalf("%s without an error", r.SW)
		}
		verify := apdu.Command{INS: 0x20, P2: 0x80, Data: octets("31*8")}
		bodies := 0
		_, _ = apdu.Send(t.Context(), transmitter(func(_ context.Context, command []byte) ([]byte, error) {
			if len(command) > 5 {
				bodies++
			}
			return first, nil
		}), verify)
		if bodies != 1 {
			t.Fatalf("%d tries for one VERIFY when the card says % X", bodies, first)
		}
	})
}

func FuzzResponse(f *testing.F) {
	for _, seed := range []string{"", "90", "90 00", "AA BB 61 00", "60 00"} {
		f.Add(octets(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := apdu.ParseResponse(raw)
		if err == nil && !bytes.Equal(r.Encode(), raw) {
			t.Fatalf("% X became % X", raw, r.Encode())
		}
		_ = apdu.RedactAnswer(raw)
		_ = (&apdu.StatusError{SW: r.SW}).Error()
	})
}
