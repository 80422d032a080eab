package inventory

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// These tests go through all of pcsc, apdu and piv to a card that speaks the
// wire, and ask the card what it was sent.

func checkIn(checks []contract.Check, code failure.Code) *contract.Check {
	return find(checks, func(c *contract.Check) bool { return c.Code == string(code) })
}

func TestACardIsReadOverTheWireOnceWithItsChecksAndCostsNoTry(t *testing.T) {
	inv, bench, stop := startCards(t, 1, nil, nil)
	defer stop()
	card := newCard(t, "555200123456")
	must(t, bench.Insert("R0", card))
	s := await(t, inv, "ready", readerIs("R0", contract.Ready))
	a := s.Authenticators[0]
	if a.User != "555200123456" || a.Holder != "Araminta Fotherington" || a.Environment != "test" || a.Origin != contract.Virtual ||
		a.PIN.State != "ok" || a.PIN.TriesLeft == nil || *a.PIN.TriesLeft != 3 || a.Transport != "pcsc" || a.ReadAt.IsZero() || a.InsertedAt.IsZero() {
		t.Errorf("the card is %+v", a)
	}
	if !strings.HasPrefix(a.ID, "card-") || !strings.HasPrefix(a.Name, "virtual card ") || strings.Contains(a.Name+a.ID, "Foth") {
		t.Errorf("its id is %s, its name %s", a.ID, a.Name)
	}
	if r := readerIn(s, "R0"); r.Card != a.ID || a.Reader != r.ID {
		t.Errorf("reader %+v, card in %s", r, a.Reader)
	}
	for _, code := range []failure.Code{failure.CardPresent, failure.CardSeries, failure.CardBlank, failure.CertValid, failure.CertIssuerEnv, failure.EnvUUID, failure.PINRetries} {
		if c := checkIn(a.Checks, code); c == nil || c.State != contract.Pass || c.Evidence == "" {
			t.Errorf("check %s is %+v", code, c)
		}
	}
	certificates, ok := inv.Certificates(a.ID, true)
	if !ok || len(certificates) != 2 || certificates[0].Slot != "9A" || certificates[1].Slot != "9C" ||
		!strings.Contains(certificates[0].Subject, "555200123456") || certificates[0].Key != "EC-P256" || len(certificates[0].DER) == 0 {
		t.Errorf("the certificates are %+v, %v", certificates, ok)
	}
	if text := string(inv.Encoded(false)); strings.Contains(text, "Fotherington") || strings.Contains(text, "555200123") {
		t.Errorf("personal data without the right identity: %s", text)
	}

	// Reading the state costs nothing, however often.
	apdus := card.APDUs()
	for range 100 {
		_, _ = inv.Encoded(true), inv.Snapshot()
		inv.Certificates(a.ID, false)
	}
	if n := card.APDUs(); n != apdus {
		t.Errorf("100 reads of the state cost %d APDUs", n-apdus)
	}
	if apdus > 8 {
		t.Errorf("one insertion costs %d APDUs", apdus)
	}
	t.Logf("one insertion costs %d APDUs", apdus)

	// Every insertion costs the same, and the card has the same id again.
	for range 3 {
		must(t, bench.Remove("R0"))
		await(t, inv, "empty", readerIs("R0", contract.Empty))
		before := card.APDUs()
		must(t, bench.Insert("R0", card))
		s = await(t, inv, "ready again", readerIs("R0", contract.Ready))
		if n := card.APDUs() - before; n != apdus {
			t.Errorf("an insertion cost %d APDUs, the first %d", n, apdus)
		}
		if s.Authenticators[0].ID != a.ID {
			t.Errorf("the card was %s and is %s", a.ID, s.Authenticators[0].ID)
		}
	}
	if n := card.PINTries(); n != 0 {
		t.Errorf("it cost %d PIN tries", n)
	}
	for _, e := range card.Log() {
		if len(e.Command) > 1 && e.Command[1] == 0x20 && (e.Withheld > 0 || len(e.Command) > 5) {
			t.Errorf("a VERIFY with data was sent: %X", e.Command)
		}
	}
}

// Rules 1 and 3, asked of the card: starts, stops and re-reads cost no try.
func TestManyStartsAndRereadsCostNoTry(t *testing.T) {
	bench, card := vcard.NewBench(), newCard(t, "555200123456")
	defer bench.Close()
	must(t, bench.AddReader("R0"))
	must(t, bench.Insert("R0", card))
	for range 30 {
		inv, stop := start(t, Config{Sources: []Source{NewCards(CardsConfig{Name: "virtual-pcsc", System: bench, Virtual: true})}})
		s := await(t, inv, "ready", readerIs("R0", contract.Ready))
		readAt := s.Authenticators[0].ReadAt
		must(t, inv.Reread(s.Authenticators[0].ID))
		await(t, inv, "read again", func(s *contract.Snapshot) bool {
			return len(s.Authenticators) == 1 && s.Authenticators[0].ReadAt.After(readAt)
		})
		stop()
	}
	if n := card.PINTries(); n != 0 {
		t.Errorf("it cost %d PIN tries", n)
	}
	for _, e := range card.Log() {
		if e.SW&0xFFF0 == 0x63C0 && e.SW != 0x63C3 {
			t.Errorf("the card says %04X", e.SW)
		}
	}
}

// While another program has the card not one APDU of ours reaches it, and the
// PIN which that program verified stays so.
func TestAnotherProgramIsNotDisturbed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		must(t, bench.Insert("R0", card))
		wantCondition(t, inv, "R0", contract.Ready)
		id := inv.Snapshot().Authenticators[0].ID

		other, err := bench.Establish()
		must(t, err)
		defer func() { must(t, other.Release()) }()
		handle, err := other.Connect("R0", pcsc.ShareShared, pcsc.ProtocolAny)
		must(t, err)
		say := func(command string) string {
			t.Helper()
			answer, err := handle.Transmit([]byte(command))
			must(t, err)
			return fmt.Sprintf("%X", answer[len(answer)-2:])
		}
		if sw := say("\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x00"); sw != "9000" {
			t.Fatal(sw)
		}
		if sw := say("\x00\x20\x00\x80\x08123456\xFF\xFF"); sw != "9000" {
			t.Fatal(sw)
		}
		before := card.APDUs()
		for range 20 {
			must(t, inv.Reread(id))
			pass(10 * time.Second)
		}
		if r := wantCondition(t, inv, "R0", contract.InUse); r.Card != id {
			t.Errorf("in use, the reader is %+v", r)
		}
		if n := card.APDUs() - before; n != 0 {
			t.Errorf("%d APDUs of ours came in between", n)
		}
		if sw := say("\x00\x20\x00\x80"); sw != "9000" {
			t.Errorf("the PIN is no longer verified: %s", sw)
		}
		must(t, handle.Disconnect(pcsc.LeaveCard))
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready)
		// It was left verified: how many tries are left is unknown, not many.
		if pin := inv.Snapshot().Authenticators[0].PIN; pin.State != "verified" || pin.TriesLeft != nil {
			t.Errorf("the PIN is %+v", pin)
		}
		if n := card.PINTries(); n != 1 {
			t.Errorf("%d PIN tries, the other program's was one", n)
		}
	})
}

func TestAMuteCardDelaysNoOtherAndIsHungUntilItGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 2, nil, nil)
		defer stop()
		mute := newCard(t, "555200000001")
		must(t, mute.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
		must(t, bench.Insert("R0", mute))
		wantCondition(t, inv, "R0", contract.Present)
		began := time.Now()
		must(t, bench.Insert("R1", newCard(t, "555200000002")))
		wantCondition(t, inv, "R1", contract.Ready)
		if took := time.Since(began); took != 0 {
			t.Errorf("the other card waited %v", took)
		}
		pass(pcsc.DefaultDeadline)
		if r := wantCondition(t, inv, "R0", contract.Hung); r.Code != string(failure.CardHung) || r.Card == "" {
			t.Errorf("the reader is %+v", r)
		}
		apdus := mute.APDUs()
		must(t, inv.Reread(readerIn(inv.Snapshot(), "R0").ID))
		pass(time.Hour)
		wantCondition(t, inv, "R0", contract.Hung)
		if n := mute.APDUs(); n != apdus {
			t.Errorf("a hung card was sent %d more APDUs", n-apdus)
		}
		must(t, bench.Swap("R0", newCard(t, "555200000003")))
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready)
	})
}

// Rule 10, and "SIGTERM ends the daemon within 5 s": a card that does not answer
// keeps nobody.
func TestASourceEndsAtOnceWhateverACardIsDoing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bench, card := vcard.NewBench(), newCard(t, "555200000001")
		must(t, bench.AddReader("R0"))
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
		must(t, bench.Insert("R0", card))
		inv, stop := start(t, Config{Sources: []Source{NewCards(CardsConfig{Name: "virtual-pcsc", System: bench, Virtual: true})}})
		wantCondition(t, inv, "R0", contract.Present)
		if card.APDUs() == 0 {
			t.Fatal("the card is not being read")
		}
		began := time.Now()
		stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v to end", took)
		}
		must(t, bench.Close())
	})
}

func TestWhateverACardAnswersIsAStateWithCodeAndRemedy(t *testing.T) {
	type is struct {
		condition contract.Condition
		code      failure.Code
		check     failure.Code // of the card
		state     contract.CheckState
	}
	unreadable := is{contract.Unreadable, failure.CardUnreadable, failure.CardUnreadable, contract.Fail}
	for fault, want := range map[vcard.FaultName]is{
		vcard.FaultEmpty:        unreadable,
		vcard.FaultTruncated:    unreadable,
		vcard.FaultGarbage:      unreadable,
		vcard.FaultSW:           unreadable,
		vcard.FaultNoATR:        {contract.Mute, failure.CardMute, failure.CardMute, contract.Fail},
		vcard.FaultPINBlocked:   {contract.Ready, "", failure.PINRetries, contract.Fail},
		vcard.FaultCertExpired:  {contract.Ready, "", failure.CertValid, contract.Fail},
		vcard.FaultCertExpiring: {contract.Ready, "", failure.CertValid, contract.Warn},
		vcard.FaultOneCert:      {contract.Ready, "", failure.CardBlank, contract.Warn},
		vcard.FaultNoCert:       {contract.Ready, "", failure.CardBlank, contract.Fail},
		vcard.FaultRetiredATR:   {contract.Ready, "", failure.CardSeries, contract.Fail},
		vcard.FaultSlow:         {contract.Ready, "", failure.CardPresent, contract.Pass},
	} {
		t.Run(string(fault), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inv, bench, stop := startCards(t, 1, nil, nil)
				defer stop()
				card := newCard(t, "555200123456")
				f := vcard.Fault{Name: fault}
				switch fault {
				case vcard.FaultSlow:
					f.Delay = 2 * time.Second
				case vcard.FaultSW:
					f.SW = 0x6F00
				default:
				}
				must(t, card.SetFaults(f))
				must(t, bench.Insert("R0", card))
				synctest.Wait()
				pass(5 * time.Minute)
				r := wantCondition(t, inv, "R0", want.condition)
				if r.Code != string(want.code) || (r.Detail == "") != (want.code == "") {
					t.Errorf("the reader is %+v", r)
				}
				a := inv.Snapshot().Authenticators
				if len(a) != 1 {
					t.Fatalf("the authenticators are %+v", a)
				}
				c := checkIn(a[0].Checks, want.check)
				if c == nil || c.State != want.state || c.Evidence == "" || c.State != contract.Pass && c.Remedy == "" {
					t.Errorf("check %s is %+v, want %s; all are %+v", want.check, c, want.state, a[0].Checks)
				}
				if n := card.PINTries(); n != 0 {
					t.Errorf("it cost %d PIN tries", n)
				}
			})
		})
	}
}

func TestACardPulledDuringAnyAPDUIsGoneAndTheNextIsRead(t *testing.T) {
	for n := 1; n <= 6; n++ {
		t.Run(fmt.Sprint("APDU ", n), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inv, bench, stop := startCards(t, 1, nil, func(c *CardsConfig) { c.ProbeDelay = time.Second })
				defer stop()
				must(t, bench.Insert("R0", newCard(t, "555200123456")))
				must(t, bench.PullDuring("R0", n))
				pass(2 * time.Second)
				wantCondition(t, inv, "R0", contract.Empty)
				if a := inv.Snapshot().Authenticators; len(a) != 0 {
					t.Errorf("left: %+v", a)
				}
				must(t, bench.Insert("R0", newCard(t, "555200123457")))
				pass(2 * time.Second)
				wantCondition(t, inv, "R0", contract.Ready)
				if user := inv.Snapshot().Authenticators[0].User; user != "555200123457" {
					t.Errorf("the card is %s's", user)
				}
			})
		})
	}
}

// physical is a bench whose readers say that they are on a USB bus. Only tests
// can make one: it is put in below the System seam.
type physical struct{ *vcard.Bench }

func (p physical) Establish() (pcsc.Context, error) {
	c, err := p.Bench.Establish()
	return physicalContext{c}, err
}

type physicalContext struct{ pcsc.Context }

func (c physicalContext) Connect(reader string, share pcsc.ShareMode, protocols pcsc.Protocol) (pcsc.Handle, error) {
	h, err := c.Context.Connect(reader, share, protocols)
	if err != nil {
		return nil, err
	}
	return physicalHandle{h}, nil
}

type physicalHandle struct{ pcsc.Handle }

func (h physicalHandle) Attribute(id pcsc.Attribute) ([]byte, error) {
	if id != pcsc.AttributeChannelID {
		return h.Handle.Attribute(id)
	}
	return binary.NativeEndian.AppendUint32(nil, 0x0020<<16|1<<8|5), nil
}

func usbSysfs(t *testing.T) string {
	t.Helper()
	sys := t.TempDir()
	device := filepath.Join(sys, "devices/pci0000:00/usb1/1-2")
	must(t, os.MkdirAll(device, 0o700))
	must(t, os.WriteFile(filepath.Join(device, "busnum"), []byte("1\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(device, "devnum"), []byte("5\n"), 0o600))
	must(t, os.MkdirAll(filepath.Join(sys, "bus/usb/devices"), 0o700))
	must(t, os.Symlink("../../../devices/pci0000:00/usb1/1-2", filepath.Join(sys, "bus/usb/devices/1-2")))
	return sys
}

func TestAPhysicalReaderIsAskedOnceAndNotTakenForAProgramThatHasTheCard(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("readers are looked up in sysfs, which is Linux")
	}
	bench := vcard.NewBench()
	must(t, bench.AddReader("USB Reader 00 00"))
	card := newCard(t, "555200123456")
	must(t, bench.Insert("USB Reader 00 00", card)) // from the beginning
	connector := pcsc.NewConnector(physical{bench}, pcsc.ConnectorOptions{Sysfs: usbSysfs(t)})
	inv, stop := start(t, Config{
		Sources: []Source{NewCards(CardsConfig{Name: "pcsc", System: physical{bench}, Connector: connector})},
		Judge:   health.Judge,
	})
	sub := subscribe(t, inv, contract.EventID{Epoch: inv.epoch}.String())
	s := await(t, inv, "ready", readerIs("USB Reader 00 00", contract.Ready))
	if r := s.Readers[0]; r.Origin != contract.Physical || s.Authenticators[0].Origin != contract.Physical || strings.HasPrefix(s.Authenticators[0].Name, "virtual") {
		t.Errorf("the reader is %s, the card %s", r.Origin, s.Authenticators[0].Origin)
	}
	if c := checkIn(s.Checks, failure.ReaderPresent); c == nil || c.State != contract.Pass {
		t.Errorf("check READER_PRESENT is %+v", c)
	}
	stop()
	var conditions []contract.Condition
	for {
		d, err := sub.Next(t.Context())
		if err != nil {
			break
		}
		for _, entry := range d.Events {
			e := entry.Event(Viewer{Identity: true})
			if e.Reader != nil {
				conditions = append(conditions, e.Reader.Condition)
			}
			if e.Authenticator != nil && e.Authenticator.Origin != contract.Physical {
				t.Errorf("the card was told as %s", e.Authenticator.Origin)
			}
		}
	}
	if slices.Contains(conditions, contract.InUse) {
		t.Errorf("we took ourselves for another program: %v", conditions)
	}
	must(t, connector.Close())
	must(t, bench.Close())
}

// The same bench as the daemon would see it, without the test's USB bus: its
// readers are virtual although nobody says so to the source (rule 4).
func TestAReaderThatDoesNotSayWhereItIsIsVirtual(t *testing.T) {
	bench := vcard.NewBench()
	must(t, bench.AddReader("Gemalto PC Twin Reader 00 00"))
	must(t, bench.Insert("Gemalto PC Twin Reader 00 00", newCard(t, "555200123456")))
	inv, stop := start(t, Config{Sources: []Source{NewCards(CardsConfig{Name: "pcsc", System: bench})}})
	s := await(t, inv, "ready", readerIs("Gemalto PC Twin Reader 00 00", contract.Ready))
	if s.Readers[0].Origin != contract.Virtual || s.Authenticators[0].Origin != contract.Virtual {
		t.Errorf("the reader is %s, the card %s", s.Readers[0].Origin, s.Authenticators[0].Origin)
	}
	stop()
	must(t, bench.Close())
}
