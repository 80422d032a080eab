package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/pcsc"
	"authbridge/pcsc/piv"
	"authbridge/pcsc/vcard"
)

var elliptic = tableConfig{profile: vcard.Profile{Keys: vcard.ECCP256}}

// The whole of a ceremony, on the wire.
func TestASignatureIsOneTransactionOfFiveCommands(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	d.signs(d.request(rightPIN))
	var sent []string
	for _, e := range d.card.Log() {
		sent = append(sent, fmt.Sprintf("%X %04X", e.Command[1:4], e.SW))
	}
	if want := []string{"A40400 9000", "CB3FFF 9000", "200080 63C3", "200080 9000", "87119A 9000"}; !slices.Equal(sent, want) {
		t.Errorf("\n got %s\nwant %s", sent, want)
	}
}

func TestAPINOpensACardForTheWholeLease(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	d.signs(d.request(rightPIN))
	d.signs(d.request(wrongPIN)) // which nobody looks at
	d.signs(d.request(""))
	d.holdsPINs(1)

	signature := d.request(rightPIN)
	signature.Slot = "9C"
	d.signs(signature)
	signature.PIN.Value = []byte(rightPIN)
	d.signs(signature)
	d.holdsPINs(3) // one for each
	if n := len(d.kept.traces); n != 1 {
		t.Errorf("%d traces", n)
	}

	must(t, d.bench.PowerCycle("R0")) // the card forgets; nobody told us
	d.signs(d.request(rightPIN))
	d.holdsPINs(4)
}

func TestThatAPINIsSentIsWrittenDownFirst(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	full := errors.New("the disk is full")
	var wrote []string
	d.kept.wrote = func(what string) error {
		if what == "block" || what == "trace" {
			wrote = append(wrote, what)
			if d.card.PINTries() > 0 {
				t.Errorf("a %s is written after the PIN was sent", what)
			}
		}
		if what == "trace" {
			return full
		}
		return nil
	}
	d.refuses(d.request(rightPIN), failure.Internal)
	d.holdsPINs(0)
	if !slices.Equal(wrote, []string{"block", "trace"}) || len(d.c.Blocks()) != 0 {
		t.Errorf("written: %q, blocks %v", wrote, d.c.Blocks())
	}
	d.kept.mu.Lock()
	d.kept.wrote = nil
	d.kept.mu.Unlock()
	d.signs(d.request(rightPIN))
	if len(d.kept.traces) != 1 || !d.kept.traces[0].Verified || d.kept.traces[0].Authenticator != card1 || d.kept.traces[0].Lease != "lease-1" {
		t.Errorf("traces: %+v", d.kept.traces)
	}
}

// Who left a card verified may be anybody: it is no leave to sign, and no count
// of tries.
func TestACardThatOthersLeftVerifiedGetsNoPINAndSignsNothing(t *testing.T) {
	t.Parallel()
	for _, pin := range []string{rightPIN, ""} {
		d := newTable(t, elliptic)
		d.verifyElsewhere()
		d.refuses(d.request(pin), failure.PINTriesUnknown)
		d.holdsPINs(1) // the other program's
		if !d.card.Verified() {
			t.Error("what another program opened was closed")
		}
	}
}

func TestAWrongPINIsSentOnceAndItsSourceBlocked(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	with := func(secret, pin string) contract.CeremonyRequest {
		r := d.request(pin)
		r.PIN.Secret, r.Slot = secret, "9C" // which wants its PIN each time
		return r
	}
	d.signs(with("blue", rightPIN))
	if detail := d.refuses(with("", wrongPIN), failure.PINRefused); detail != "SW 63C2, 2 tries left" {
		t.Errorf("it says %q", detail)
	}
	d.refuses(with("", wrongPIN), failure.PINRefusedBefore)
	d.refuses(with("", rightPIN), failure.PINSourceBlocked)
	d.refuses(with("green", rightPIN), failure.PINSourceBlocked)
	if detail := d.refuses(with("blue", rightPIN), failure.PINTooFewTries); detail != "2 tries left, and 2 are kept" {
		t.Errorf("it says %q", detail)
	}
	d.holdsPINs(2)
	other := with("blue", rightPIN)
	other.Override = true
	d.signs(other)
	d.holdsPINs(3)
	if d.told.of(t, contract.PINBlocked) != 1 || d.told.of(t, contract.PINOverridden) != 1 || len(d.c.Blocks()) != 0 {
		t.Errorf("blocks: %v", d.c.Blocks())
	}
	if d.card.PINTriesLeft() != 3 {
		t.Errorf("the card has %d tries left", d.card.PINTriesLeft())
	}
}

func TestAPINOfALiveCardComesFromAPersonOnly(t *testing.T) {
	t.Parallel()
	config := elliptic
	config.faults = []vcard.Fault{{Name: vcard.FaultLiveIssuer}}
	d := newTable(t, config)
	// The inventory calls a card unknown of which one certificate is live.
	d.shown.Environment = "unknown"
	d.environment = map[string]string{"9A": "test"}
	d.refuses(d.request(rightPIN), failure.PINPersonOnly)
	if d.card.PINTries() != 0 || d.card.APDUs() != 0 {
		t.Errorf("the card counts %d APDUs", d.card.APDUs())
	}
	begun, err := d.c.Begin(soon(t), person, d.request(""))
	must(t, err)
	d.asked(begun.ID, 1)
	must(t, d.c.Answer(soon(t), person, begun.ID, []byte(rightPIN)))
	if over, err := d.c.Await(soon(t), begun.ID); err != nil || over.State != contract.CeremonyDone {
		t.Errorf("from a person: %v, %+v", err, over.Problem)
	}
}

func TestAPersonIsToldTheTriesAndAskedAgainWhileThereAreEnough(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	begun, err := d.c.Begin(soon(t), person, d.request(""))
	must(t, err)
	if p := d.asked(begun.ID, 1); p.TriesLeft == nil || *p.TriesLeft != 3 || p.Again {
		t.Errorf("asked by %+v", p)
	}
	if d.card.APDUs() != 3 { // and no transaction is open meanwhile:
		t.Errorf("%d APDUs before the PIN", d.card.APDUs())
	}
	d.emptyVerify()
	must(t, d.c.Answer(soon(t), person, begun.ID, []byte(wrongPIN)))
	over, err := d.c.Await(soon(t), begun.ID)
	if err != nil || over.Problem == nil || over.Problem.Code != string(failure.PINRefused) {
		t.Fatalf("%v, %+v", err, over.Problem)
	}
	d.holdsPINs(1)
	// Who would not be heard is not asked.
	d.refuses(d.request(""), failure.PINTooFewTries)
	if len(d.c.Blocks()) != 0 {
		t.Errorf("blocks: %v", d.c.Blocks())
	}

	overridden := d.request("")
	overridden.Override = true
	begun, err = d.c.Begin(soon(t), person, overridden)
	must(t, err)
	d.asked(begun.ID, 1)
	must(t, d.c.Answer(soon(t), person, begun.ID, []byte(wrongPIN))) // again, which costs nothing
	if p := d.asked(begun.ID, 2); !p.Again || p.TriesLeft == nil || *p.TriesLeft != 2 {
		t.Errorf("asked again by %+v", p)
	}
	must(t, d.c.Answer(soon(t), person, begun.ID, []byte(rightPIN)))
	if over, err := d.c.Await(soon(t), begun.ID); err != nil || over.State != contract.CeremonyDone {
		t.Errorf("%v, %+v", err, over.Problem)
	}
	d.holdsPINs(2)
}

// A card that looks the same to its reader is another if its certificate is.
func TestACardThatWasChangedSignsNothing(t *testing.T) {
	t.Parallel()
	other := newCard(t, vcard.Profile{Keys: vcard.ECCP256})
	blank := newCard(t, vcard.Profile{Keys: vcard.ECCP256})
	must(t, blank.SetFaults(vcard.Fault{Name: vcard.FaultNoCert}))
	for name, card := range map[string]*vcard.Card{"another": other, "a blank one": blank} {
		t.Run(name, func(t *testing.T) {
			d := newTable(t, elliptic)
			d.onCard = func() {
				d.onCard = nil
				must(t, d.bench.Swap("R0", card))
			}
			d.refuses(d.request(rightPIN), failure.CardGone)
			if card.PINTries() != 0 || d.card.PINTries() != 0 {
				t.Errorf("the cards count %d and %d tries", card.PINTries(), d.card.PINTries())
			}
			must(t, d.bench.Swap("R0", d.card))
			d.signs(d.request(rightPIN))
		})
	}
}

// A card that is plugged in where it counts as another sort than was leased is
// not the one.
func TestACardThatChangedItsOriginIsNotTheOneThatWasLeased(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	d.change(func() { d.shown.Origin = contract.Physical })
	request := d.request(rightPIN)
	request.Timeout = "1s"
	d.refuses(request, failure.InsertTimeout)
	if d.card.APDUs() != 0 {
		t.Errorf("the card counts %d APDUs", d.card.APDUs())
	}
}

// The card is pulled during each command in turn. The next ceremony, with the
// card back, succeeds; where the PIN may have been sent, a person clears first.
func TestACardThatIsPulledInMidCommandIsGone(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 5; n++ {
		t.Run(fmt.Sprint("command ", n), func(t *testing.T) {
			t.Parallel()
			d := newTable(t, elliptic)
			must(t, d.bench.PullDuring("R0", n))
			detail := d.refuses(d.request(rightPIN), failure.CardGone)
			unanswered := n == 4
			if told := strings.Contains(detail, errUnanswered.Error()); told != unanswered {
				t.Errorf("it says %q", detail)
			}
			d.pull()
			d.insert()
			if unanswered {
				d.refuses(d.request(rightPIN), failure.PINRefusedBefore)
				d.holdsPINs(1)
				must(t, d.c.Unblock(soon(t), card1))
			}
			d.signs(d.request(rightPIN))
		})
	}
}

func TestACardThatIsNotThereIsWaitedFor(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	d.pull()
	begun, err := d.c.Begin(soon(t), person, d.request(rightPIN))
	must(t, err)
	if p := d.reaches(begun.ID, contract.CeremonyInsert, 1).Prompt; p == nil || p.Kind != "insert" {
		t.Errorf("asked by %+v", p)
	}
	d.insert()
	if over, err := d.c.Await(soon(t), begun.ID); err != nil || over.State != contract.CeremonyDone {
		t.Errorf("%v, %+v", err, over.Problem)
	}
}

// A service that looks from time to time has not seen yet that the card is out.
func TestACardThatWasJustPulledIsWaitedFor(t *testing.T) {
	t.Parallel()
	d := newTable(t, elliptic)
	d.onOpen = func() {
		d.onOpen = nil
		must(t, d.bench.Remove("R0"))
		go d.change(func() { d.there = false })
	}
	begun, err := d.c.Begin(soon(t), person, d.request(rightPIN))
	must(t, err)
	d.reaches(begun.ID, contract.CeremonyInsert, 1)
	d.insert()
	if over, err := d.c.Await(soon(t), begun.ID); err != nil || over.State != contract.CeremonyDone {
		t.Errorf("%v, %+v", err, over.Problem)
	}
	d.holdsPINs(1)
}

// And what the service never sees is no card that was pulled.
func TestACardThatIsOnlySaidToBeGoneIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newTable(t, elliptic)
		d.onOpen = func() {
			d.onOpen = nil
			must(t, d.bench.Swap("R0", d.card))
		}
		began := time.Now()
		d.refuses(d.request(rightPIN), failure.CardGone)
		if took := time.Since(began); took != noticing {
			t.Errorf("it took %v", took)
		}
		d.signs(d.request(rightPIN))
	})
}

func TestACardThatHangsIsSaidToHang(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		config := elliptic
		config.deadline = pcsc.DefaultDeadline
		d := newTable(t, config)
		must(t, d.card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
		d.refuses(d.request(rightPIN), failure.CardHung)
		d.holdsPINs(0)
		d.card.ClearFaults()
		synctest.Wait()
		d.signs(d.request(rightPIN))
	})
}

func TestACeremonyThatIsCancelledInMidCommandEndsAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newTable(t, elliptic)
		must(t, d.card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
		begun, err := d.c.Begin(soon(t), person, d.request(rightPIN))
		must(t, err)
		synctest.Wait()
		if d.card.APDUs() != 1 {
			t.Fatalf("%d APDUs are out", d.card.APDUs())
		}
		began := time.Now()
		over, err := d.c.Cancel(soon(t), begun.ID)
		if err != nil || over.State != contract.CeremonyCancelled || time.Since(began) != 0 {
			t.Fatalf("%v, %s after %v", err, over.State, time.Since(began))
		}
		d.card.ClearFaults()
		d.signs(d.request(rightPIN))
		d.holdsPINs(1)
	})
}

func TestWhatACardFailsWithHasACode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault vcard.Fault
		code  failure.Code
	}{
		"no application":  {vcard.Fault{Name: vcard.FaultSW, SW: 0x6A82}, failure.CardUnreadable},
		"a memory fault":  {vcard.Fault{Name: vcard.FaultSW, SW: 0x6581}, failure.SignRefused},
		"garbage":         {vcard.Fault{Name: vcard.FaultGarbage}, failure.CardUnreadable},
		"nothing":         {vcard.Fault{Name: vcard.FaultEmpty}, failure.CardGone},
		"a blocked PIN":   {vcard.Fault{Name: vcard.FaultPINBlocked}, failure.PINTooFewTries},
		"half an answer":  {vcard.Fault{Name: vcard.FaultTruncated}, failure.CardUnreadable},
		"a blank card":    {vcard.Fault{Name: vcard.FaultNoCert}, failure.SignNoCertificate},
		"an expired card": {vcard.Fault{Name: vcard.FaultCertExpired}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newTable(t, elliptic)
			must(t, d.card.SetFaults(c.fault))
			if c.code == "" {
				d.signs(d.request(rightPIN))
				return
			}
			d.refuses(d.request(rightPIN), c.code)
			d.holdsPINs(0)
		})
	}
	for err, code := range map[error]failure.Code{
		&pcsc.Error{Op: "SCardBeginTransaction", Code: pcsc.SCARD_E_SHARING_VIOLATION}: failure.CardInUse,
		&pcsc.Error{Op: "SCardTransmit", Code: pcsc.SCARD_W_RESET_CARD}:                failure.CardInUse,
		&pcsc.Error{Op: "SCardConnect", Code: pcsc.SCARD_W_UNRESPONSIVE_CARD}:          failure.CardMute,
		&pcsc.Error{Op: "SCardConnect", Code: pcsc.SCARD_W_SECURITY_VIOLATION}:         failure.PCSCDenied,
		&pcsc.Error{Op: "SCardTransmit", Code: pcsc.SCARD_W_REMOVED_CARD}:              failure.CardGone,
		&pcsc.Error{Op: "SCardTransmit", Code: pcsc.SCARD_F_COMM_ERROR}:                failure.PCSCService,
		&pcsc.Error{Op: "SCardTransmit", Code: pcsc.SCARD_E_SERVICE_STOPPED}:           failure.PCSCService,
		&pcsc.Error{Op: "SCardTransmit", Code: pcsc.SCARD_E_INVALID_PARAMETER}:         failure.CardUnreadable,
		pcsc.ErrTooManyHung: failure.CardHung,
		pcsc.ErrClosed:      failure.ShuttingDown,
		piv.ErrSignature:    failure.SignRefused,
		piv.ErrPINFormat:    failure.PINFormat,
		context.Canceled:    "",
		errors.New("other"): "",
		nil:                 "",
	} {
		if got := cardFailure(err); failure.CodeOf(got) != code || !errors.Is(got, err) {
			t.Errorf("%v is told as %v, want %s", err, got, code)
		}
	}
}
