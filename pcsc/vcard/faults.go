package vcard

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// FaultName names a fault as the API does.
type FaultName string

// The faults of a card.
const (
	FaultMute         FaultName = "mute"          // answers no APDU, ever; an exchange begun before it is cleared is answered then
	FaultSlow         FaultName = "slow"          // answers after Delay
	FaultEmpty        FaultName = "empty"         // answers with 0 octets
	FaultTruncated    FaultName = "truncated"     // loses the second half of each answer
	FaultGarbage      FaultName = "garbage"       // answers of the right length with the wrong octets
	FaultSW           FaultName = "sw"            // answers every APDU with SW
	FaultPINBlocked   FaultName = "pin-blocked"   // no tries left, while it is set
	FaultCertExpired  FaultName = "cert-expired"  // certificates that ended yesterday
	FaultCertExpiring FaultName = "cert-expiring" // certificates that end in 30 days
	FaultOneCert      FaultName = "one-cert"      // the authentication certificate only
	FaultNoCert       FaultName = "no-cert"       // a blank card
	FaultLiveIssuer   FaultName = "live-issuer"   // certificates of an issuer named like the one of live cards
	FaultRetiredATR   FaultName = "retired-atr"   // the ATR of NHS series 5 and 6, from the next reset on
	FaultNoATR        FaultName = "no-atr"        // answers no reset: SCARD_STATE_MUTE; in process only
	FaultNoLogout     FaultName = "no-logout"     // refuses VERIFY with P1 = FF, as cards older than SP 800-73-4 do
	FaultPINKept      FaultName = "pin-kept"      // a verified PIN outlives the selection of another application
	FaultPulled       FaultName = "pulled"        // is pulled while it makes a signature: it gets GENERAL AUTHENTICATE whole, nobody gets the answer
)

// FaultNames lists every fault there is.
func FaultNames() []FaultName {
	return []FaultName{
		FaultMute, FaultSlow, FaultEmpty, FaultTruncated, FaultGarbage, FaultSW, FaultPINBlocked,
		FaultCertExpired, FaultCertExpiring, FaultOneCert, FaultNoCert, FaultLiveIssuer, FaultRetiredATR, FaultNoATR,
		FaultNoLogout, FaultPINKept, FaultPulled,
	}
}

// Fault is a scripted failure.
type Fault struct {
	Name  FaultName
	Delay time.Duration // slow
	SW    uint16        // sw
}

// FaultError says which fault was refused and why.
type FaultError struct {
	Name FaultName
	Why  string
}

func (e *FaultError) Error() string { return fmt.Sprintf("fault %q: %s", e.Name, e.Why) }

// alike are faults of which a card can have only one at a time.
var alike = [][]FaultName{
	{FaultMute, FaultEmpty, FaultTruncated, FaultGarbage, FaultSW},
	{FaultCertExpired, FaultCertExpiring},
	{FaultOneCert, FaultNoCert},
}

func checkFaults(faults []Fault) error {
	for i, f := range faults {
		switch {
		case !slices.Contains(FaultNames(), f.Name):
			return &FaultError{f.Name, "no card has it"}
		case f.Name == FaultSlow && f.Delay <= 0:
			return &FaultError{f.Name, "needs a delay above 0"}
		case f.Name != FaultSlow && f.Delay != 0:
			return &FaultError{f.Name, "has no delay"}
		case f.Name == FaultSW && f.SW>>12 != 6 && f.SW>>12 != 9:
			return &FaultError{f.Name, "needs a status word 6xxx or 9xxx"}
		case f.Name != FaultSW && f.SW != 0:
			return &FaultError{f.Name, "has no status word"}
		}
		for _, other := range faults[:i] {
			if other.Name == f.Name {
				return &FaultError{f.Name, "is there twice"}
			}
			for _, group := range alike {
				if slices.Contains(group, f.Name) && slices.Contains(group, other.Name) {
					return &FaultError{f.Name, fmt.Sprintf("does not go with %q", other.Name)}
				}
			}
		}
	}
	return nil
}

// SetFaults replaces the faults of the card; none clears them. They take
// effect at once, also on an exchange that waits for a mute or slow card. What
// a fault spoils is whole again when it is cleared.
func (c *Card) SetFaults(faults ...Fault) error {
	if err := checkFaults(faults); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.faults
	c.faults = slices.Clone(faults)
	certs, err := c.faultyCerts()
	if err != nil {
		c.faults = before
		return err
	}
	c.show(certs)
	close(c.refault)
	c.refault = make(chan struct{})
	return nil
}

// ClearFaults makes the card whole.
func (c *Card) ClearFaults() {
	// Without faults there is nothing that could be refused.
	_ = c.SetFaults()
}

// Faults lists the faults that are set.
func (c *Card) Faults() []Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.faults)
}

func find(faults []Fault, name FaultName) (Fault, bool) {
	i := slices.IndexFunc(faults, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return Fault{}, false
	}
	return faults[i], true
}

// pulledIn is whether a command is the one during which the card is pulled. Who
// has the card in a reader does that.
func (c *Card) pulledIn(command []byte) bool {
	if len(command) < headerLength || command[0]&claChain != 0 || command[1] != insGeneralAuthenticate {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hasFault(FaultPulled)
}

// hasFault is for callers that hold the card.
func (c *Card) hasFault(name FaultName) bool {
	_, ok := find(c.faults, name)
	return ok
}

// withstand waits as a slow or mute card does, and returns the faults that
// hold afterwards.
func (c *Card) withstand(ctx context.Context) ([]Fault, error) {
	began := time.Now()
	for {
		c.mu.Lock()
		faults, changed, powered := c.faults, c.refault, c.powered
		c.mu.Unlock()
		if !powered {
			return nil, ErrUnpowered
		}
		var ready <-chan time.Time
		_, mute := find(faults, FaultMute)
		if slow, ok := find(faults, FaultSlow); ok && !mute {
			timer := time.NewTimer(slow.Delay - time.Since(began))
			defer timer.Stop()
			ready = timer.C
		} else if !mute {
			return faults, context.Cause(ctx)
		}
		select {
		case <-ready:
			return faults, context.Cause(ctx)
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// spoil does to an answer what the faults want.
func spoil(answer []byte, faults []Fault) []byte {
	for _, f := range faults {
		switch f.Name {
		case FaultEmpty:
			return nil
		case FaultTruncated:
			return answer[:len(answer)/2]
		case FaultGarbage:
			// Neither SW1 is one of ISO 7816-4 afterwards.
			for i := range answer {
				answer[i] ^= byte(0xA5 + 2*(len(answer)-i))
			}
			return answer
		}
	}
	return answer
}

// faultyCerts are the certificates as the faults of the card want them.
func (c *Card) faultyCerts() (map[Slot]*x509.Certificate, error) {
	var o order
	o.live = c.hasFault(FaultLiveIssuer)
	switch {
	case c.hasFault(FaultCertExpired):
		o.notAfter = c.ca.now().Add(-24 * time.Hour)
	case c.hasFault(FaultCertExpiring):
		o.notAfter = c.ca.now().Add(30 * 24 * time.Hour)
	}
	certs := make(map[Slot]*x509.Certificate)
	for _, slot := range c.profile.Slots {
		if c.hasFault(FaultNoCert) || c.hasFault(FaultOneCert) && slot != SlotAuthentication {
			continue
		}
		certs[slot] = c.certs[slot]
		if o != (order{}) {
			spoiled, err := c.ca.certify(c.profile, slot, c.keys[slot].Public(), o)
			if err != nil {
				return nil, err
			}
			certs[slot] = spoiled
		}
	}
	return certs, nil
}
