package vcard_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	pcscd.Enter()
	goleak.VerifyTestMain(m)
}

// patience is for what must happen; nothing is asserted about how soon.
const patience = 30 * time.Second

// amy is quick to make. What needs RSA says so.
var amy = vcard.Profile{User: "555212345678", Surname: "Pond", Forename: "Amy", Keys: vcard.ECCP256}

var testCA = sync.OnceValues(func() (*vcard.CA, error) { return vcard.NewCA() })

func newCA(t testing.TB) *vcard.CA {
	t.Helper()
	ca, err := testCA()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newCard(t testing.TB, profile vcard.Profile) *vcard.Card {
	t.Helper()
	card, err := vcard.NewCard(profile, newCA(t))
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// chip is a card with power, spoken to without a reader.
type chip struct {
	t testing.TB
	*vcard.Card
}

func newChip(t testing.TB, profile vcard.Profile) chip {
	t.Helper()
	card := newCard(t, profile)
	card.PowerOn()
	return chip{t, card}
}

// send gives the card a command in hex and returns data and status word in
// hex.
func (c chip) send(command string) (data, sw string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	answer, err := c.Transmit(ctx, unhex(c.t, command))
	if err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	if len(answer) < 2 {
		c.t.Fatalf("%s: answer % X", command, answer)
	}
	text := strings.ToUpper(hex.EncodeToString(answer))
	return text[:len(text)-4], text[len(text)-4:]
}

// want sends a command and compares the status word.
func (c chip) want(sw, command string) string {
	c.t.Helper()
	data, got := c.send(command)
	if got != sw {
		c.t.Fatalf("%s: got %s, want %s", command, got, sw)
	}
	return data
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const selectPIV = "00A4040009A0000003080000100000"

func TestACardInAReaderAnswers(t *testing.T) {
	bench := vcard.NewBench()
	defer bench.Close()
	const reader = "Virtual reader 0"
	card := newCard(t, amy)
	if err := bench.AddReader(reader); err != nil {
		t.Fatal(err)
	}
	ctx, err := bench.Establish()
	if err != nil {
		t.Fatal(err)
	}
	states := []pcsc.ReaderState{{Reader: reader}}
	if err := ctx.GetStatusChange(states, 0); err != nil || !states[0].Event.Has(pcsc.StateEmpty) {
		t.Fatalf("%v %+v", err, states)
	}
	if err := bench.Insert(reader, card); err != nil {
		t.Fatal(err)
	}
	states[0].Current = states[0].Event
	if err := ctx.GetStatusChange(states, patience); err != nil || !states[0].Event.Has(pcsc.StatePresent) || states[0].Event.Counter() != 1 {
		t.Fatalf("%v %+v", err, states)
	}
	if !bytes.Equal(states[0].ATR, card.ATR()) {
		t.Errorf("the ATR is % X", states[0].ATR)
	}
	h, err := ctx.Connect(reader, pcsc.ShareShared, pcsc.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.Transmit(unhex(t, selectPIV))
	if err != nil || !bytes.HasSuffix(answer, []byte{0x90, 0x00}) {
		t.Fatalf("% X, %v", answer, err)
	}
	answer, err = h.Transmit(unhex(t, "00200080"))
	if err != nil || !bytes.Equal(answer, []byte{0x63, 0xC3}) {
		t.Fatalf("% X, %v", answer, err)
	}
	if card.APDUs() != 2 || card.PINTries() != 0 {
		t.Errorf("the card counts %d APDUs and %d PIN tries", card.APDUs(), card.PINTries())
	}
	if err := h.Disconnect(pcsc.LeaveCard); err != nil {
		t.Error(err)
	}
	if err := ctx.Release(); err != nil {
		t.Error(err)
	}
}
