package vcard_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/pcsc/vcard"
)

func (c chip) fault(f ...vcard.Fault) {
	c.t.Helper()
	must(c.t, c.SetFaults(f...))
}

// Every fault spoils what it says, and clearing it makes the card whole.
func TestFaults(t *testing.T) {
	const discovery, auth, sign = "00CB3FFF035C017E00", "00CB3FFF0000055C035FC1050000", "00CB3FFF0000055C035FC10A0000"
	raw := func(c chip, command string) []byte {
		c.t.Helper()
		answer, err := c.Transmit(c.t.Context(), unhex(c.t, command))
		must(c.t, err)
		return answer
	}
	rows := map[vcard.FaultName]struct {
		fault vcard.Fault
		check func(t *testing.T, c chip, whole []byte)
	}{
		vcard.FaultEmpty: {check: func(t *testing.T, c chip, _ []byte) {
			if got := raw(c, discovery); len(got) != 0 {
				t.Errorf("% X", got)
			}
		}},
		vcard.FaultTruncated: {check: func(t *testing.T, c chip, whole []byte) {
			if got := raw(c, discovery); !bytes.Equal(got, whole[:len(whole)/2]) {
				t.Errorf("% X", got)
			}
			if got := raw(c, verifyEmpty); len(got) != 1 {
				t.Errorf("a bare status word: % X", got)
			}
		}},
		vcard.FaultGarbage: {check: func(t *testing.T, c chip, whole []byte) {
			got := raw(c, discovery)
			if sw1 := got[len(got)-2]; len(got) != len(whole) || sw1>>4 == 6 || sw1>>4 == 9 {
				t.Errorf("% X", got)
			}
		}},
		vcard.FaultSW: {fault: vcard.Fault{SW: 0x6F00}, check: func(t *testing.T, c chip, _ []byte) {
			c.want("6F00", discovery)
			c.want("6F00", selectPIV)
		}},
		vcard.FaultPINBlocked: {check: func(t *testing.T, c chip, _ []byte) {
			c.want("6983", verifyEmpty)
			c.want("6983", verifyRight)
			if c.PINTriesLeft() != 0 || c.Verified() {
				t.Error("the card does not say that it is blocked")
			}
		}},
		vcard.FaultCertExpired: {check: func(t *testing.T, c chip, _ []byte) {
			if cert := c.Certificate(vcard.SlotAuthentication); !cert.NotAfter.Before(time.Now()) || !bytes.Contains(raw(c, auth), cert.Raw) {
				t.Errorf("ends %v", cert.NotAfter)
			}
		}},
		vcard.FaultCertExpiring: {check: func(t *testing.T, c chip, _ []byte) {
			if left := time.Until(c.Certificate(vcard.SlotSignature).NotAfter); left < 29*24*time.Hour || left > 31*24*time.Hour {
				t.Errorf("%v are left", left)
			}
		}},
		vcard.FaultOneCert: {check: func(t *testing.T, c chip, _ []byte) {
			c.want("9000", auth)
			c.want("6A82", sign)
		}},
		vcard.FaultNoCert: {check: func(t *testing.T, c chip, _ []byte) {
			c.want("6A82", auth)
			c.want("6A82", sign)
		}},
		vcard.FaultLiveIssuer: {check: func(t *testing.T, c chip, _ []byte) {
			if got := c.Certificate(vcard.SlotAuthentication).Issuer.CommonName; got != "NHS Authentication G2" {
				t.Error(got)
			}
		}},
		vcard.FaultRetiredATR: {check: func(t *testing.T, c chip, _ []byte) {
			if got := c.Reset(); !bytes.Equal(got, unhex(t, "3BF91800008131FE454A434F503431563232AF")) {
				t.Errorf("% X", got)
			}
		}},
		vcard.FaultNoATR: {check: func(t *testing.T, c chip, _ []byte) {
			if got := c.PowerOn(); got != nil {
				t.Errorf("% X", got)
			}
		}},
		vcard.FaultNoLogout: {check: func(t *testing.T, c chip, _ []byte) {
			c.play(script{{verifyRight, "9000"}, {logout, "6A86"}, {verifyEmpty, "9000"}})
			c.send(manager)
			c.play(script{{selectPIV, "9000"}, {verifyEmpty, "63C3"}})
		}},
		vcard.FaultPINKept: {check: func(t *testing.T, c chip, _ []byte) {
			c.want("9000", verifyRight)
			c.send(manager)
			c.play(script{{selectPIV, "9000"}, {verifyEmpty, "9000"}, {logout, "9000"}, {verifyEmpty, "63C3"}})
			c.want("9000", verifyRight)
			c.Reset()
			c.play(script{{selectPIV, "9000"}, {verifyEmpty, "63C3"}})
		}},
		// The card itself answers; who has it in a reader pulls it (TestConformance).
		vcard.FaultPulled: {check: func(_ *testing.T, c chip, _ []byte) { c.want("9000", verifyRight) }},
		vcard.FaultMute: {check: func(t *testing.T, c chip, _ []byte) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if answer, err := c.Transmit(ctx, unhex(t, discovery)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("% X, %v", answer, err)
			}
		}},
		vcard.FaultSlow: {fault: vcard.Fault{Delay: time.Millisecond}, check: func(t *testing.T, c chip, whole []byte) {
			began := time.Now()
			if got := raw(c, discovery); !bytes.Equal(got, whole) || time.Since(began) < time.Millisecond {
				t.Errorf("% X after %v", got, time.Since(began))
			}
		}},
	}
	for _, name := range vcard.FaultNames() {
		row, tested := rows[name]
		if !tested {
			t.Errorf("%s is not tested", name)
			continue
		}
		t.Run(string(name), func(t *testing.T) {
			c := newChip(t, amy)
			c.want("9000", selectPIV)
			whole := raw(c, discovery)
			row.fault.Name = name
			c.fault(row.fault)
			if got := c.Faults(); len(got) != 1 || got[0] != row.fault {
				t.Errorf("the faults are %+v", got)
			}
			row.check(t, c, whole)

			c.ClearFaults()
			c.PowerOn()
			c.play(script{{selectPIV, "9000"}, {auth, "9000"}, {sign, "9000"}, {verifyEmpty, "63C3"}, {verifyRight, "9000"}})
			if got := raw(c, discovery); !bytes.Equal(got, whole) || len(c.Faults()) != 0 {
				t.Errorf("afterwards: % X", got)
			}
			if c.Certificate(vcard.SlotAuthentication).Issuer.CommonName != "NHS INT Level 1D" {
				t.Error("afterwards the certificate is another")
			}
		})
	}
}

func TestFaultsThatAreRefused(t *testing.T) {
	c := newChip(t, amy)
	c.fault(vcard.Fault{Name: vcard.FaultOneCert})
	for _, bad := range [][]vcard.Fault{
		{{Name: "sparks"}},
		{{Name: vcard.FaultSlow}},
		{{Name: vcard.FaultSlow, Delay: -1}},
		{{Name: vcard.FaultMute, Delay: 1}},
		{{Name: vcard.FaultSW}},
		{{Name: vcard.FaultSW, SW: 0x1234}},
		{{Name: vcard.FaultEmpty, SW: 0x6F00}},
		{{Name: vcard.FaultEmpty}, {Name: vcard.FaultEmpty}},
		{{Name: vcard.FaultEmpty}, {Name: vcard.FaultMute}},
		{{Name: vcard.FaultCertExpired}, {Name: vcard.FaultCertExpiring}},
		{{Name: vcard.FaultNoCert}, {Name: vcard.FaultOneCert}},
	} {
		var refused *vcard.FaultError
		if err := c.SetFaults(bad...); !errors.As(err, &refused) || refused.Name != bad[len(bad)-1].Name {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if got := c.Faults(); len(got) != 1 || got[0].Name != vcard.FaultOneCert {
		t.Errorf("a refused fault changed them to %+v", got)
	}
	c.fault(vcard.Fault{Name: vcard.FaultSlow, Delay: 1}, vcard.Fault{Name: vcard.FaultTruncated}, vcard.Fault{Name: vcard.FaultCertExpired}, vcard.Fault{Name: vcard.FaultLiveIssuer})
	if cert := c.Certificate(vcard.SlotSignature); !cert.NotAfter.Before(time.Now()) || !strings.HasPrefix(cert.Issuer.CommonName, "NHS Auth") {
		t.Errorf("two faults of the certificates: %v, %v", cert.NotAfter, cert.Issuer)
	}
}

// A fault is set or cleared at any time: an exchange that waits notices.
func TestAMuteCardAnswersOnceItIsCleared(t *testing.T) {
	card := newCard(t, amy)
	synctest.Test(t, func(t *testing.T) {
		card.PowerOn()
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
		done := make(chan []byte, 1)
		go func() {
			answer, err := card.Transmit(t.Context(), unhex(t, selectPIV))
			if err != nil {
				t.Error(err)
			}
			done <- answer
		}()
		synctest.Wait()
		select {
		case answer := <-done:
			t.Fatalf("a mute card answers % X", answer)
		default:
		}
		began := time.Now()
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultSlow, Delay: 2 * time.Second}))
		if answer := <-done; !bytes.HasSuffix(answer, []byte{0x90, 0x00}) || time.Since(began) < time.Second {
			t.Errorf("% X after %v", answer, time.Since(began))
		}
	})
}
