package health

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

func cardRules() []Rule {
	present := []failure.Code{failure.CardPresent}
	certs := []failure.Code{failure.CardPresent, failure.CardBlank}
	return []Rule{
		{Code: failure.CardPresent, Scope: OfCard, TimeToVisible: busy, judge: cardAnswers},
		{Code: failure.CardSeries, Scope: OfCard, DependsOn: present, judge: cardSeries},
		{Code: failure.CardBlank, Scope: OfCard, DependsOn: present, judge: cardBlank},
		{Code: failure.CertValid, Scope: OfCard, DependsOn: certs, judge: certValid},
		{Code: failure.CertIssuerEnv, Scope: OfCard, DependsOn: certs, judge: certIssuer},
		{Code: failure.EnvUUID, Scope: OfCard, DependsOn: certs, judge: envUUID},
		{Code: failure.PINRetries, Scope: OfCard, DependsOn: present, judge: pinRetries},
	}
}

func cardAnswers(s subject) finding {
	if f, down := whileDown(s.facts, s.card.Source); down {
		return f
	}
	c := s.card
	if c.Condition == contract.InUse && c.ReadAt.IsZero() {
		// It cannot be told from a card that would fail every other check.
		f := cardCondition(c.Condition, c.Code, c.Detail)
		f.state = contract.Unknown
		return f
	}
	return cardCondition(c.Condition, c.Code, c.Detail)
}

// retiredATRs are those of NHS cards that are blocked since spring 2026
// (series 5 and 6: JCOP41). No ATR of series 4 is published.
var retiredATRs = [...]string{
	"\x3B\xF9\x18\x00\x00\x81\x31\xFE\x45\x4A\x43\x4F\x50\x34\x31\x56\x32\x32\xAF",
	"\x3B\x6A\x00\xFF\x4A\x43\x4F\x50\x34\x31\x56\x32\x32\x31",
}

// Retired reports whether the ATR is that of a blocked NHS series.
func Retired(atr []byte) bool {
	for _, r := range retiredATRs {
		if bytes.Equal(atr, []byte(r)) {
			return true
		}
	}
	return false
}

func cardSeries(s subject) finding {
	c := s.card
	switch {
	case Retired(c.ATR):
		return fail("the card says that it is of series 5 or 6, which are blocked")
	case !c.PIV:
		return unknown("no PIV card: series 8 and cards that are not the NHS's cannot be told apart here")
	case c.Environment == EnvironmentTest, c.Environment == EnvironmentLive:
		return pass("a PIV card with an NHS issuer, as of series 9 and 10")
	case len(c.Certificates) == 0:
		return unknown("a PIV card without a certificate that says who issued it")
	}
	return warn("a PIV card whose issuer is not known as the NHS's")
}

// Slots of a PIV card (SP 800-73-4 part 1, table 4b).
const (
	slotAuthentication = "9A"
	slotSignature      = "9C"
)

func (c *Card) certificate(slot string) *contract.Certificate {
	for i := range c.Certificates {
		if strings.EqualFold(c.Certificates[i].Slot, slot) {
			return &c.Certificates[i]
		}
	}
	return nil
}

func cardBlank(s subject) finding {
	c := s.card
	broken := ""
	if len(c.Malformed) > 0 {
		broken = "; what is in " + strings.Join(c.Malformed, " and ") + " is no certificate"
	}
	auth, sign := c.certificate(slotAuthentication), c.certificate(slotSignature)
	switch {
	case auth != nil && sign != nil:
		return pass("the certificates for authentication (9A) and signature (9C) can be read" + broken)
	case auth != nil:
		return warn("of the two certificates only the one for authentication (9A) can be read" + broken)
	case !c.PIV && !Retired(c.ATR):
		return unknown("no PIV card: its certificates are read with software that this version does not use")
	case sign != nil:
		return fail("the certificate for authentication (9A) cannot be read, only that for signature (9C)" + broken)
	}
	return fail("no certificate can be read" + broken)
}

// renewal is when NHS self-service begins to renew a card.
const renewal = 90 * 24 * time.Hour

func certValid(s subject) finding {
	f := pass("")
	for i := range s.card.Certificates {
		if one := validity(&s.card.Certificates[i], s.now); i == 0 || worse(one.state, f.state) {
			one.again = earlier(one.again, f.again)
			f = one
		} else {
			f.again = earlier(one.again, f.again)
		}
	}
	if f.evidence == "" {
		return unknown("no certificate was read")
	}
	return f
}

func validity(c *contract.Certificate, now time.Time) finding {
	until := c.NotAfter.UTC().Format("2 January 2006")
	switch renew := c.NotAfter.Add(-renewal); {
	case now.Before(c.NotBefore):
		f := fail(fmt.Sprintf("the certificate in %s is valid from %s only", c.Slot, c.NotBefore.UTC().Format("2 January 2006 15:04 UTC")))
		f.again = c.NotBefore
		return f
	case now.After(c.NotAfter):
		return fail(fmt.Sprintf("the certificate in %s expired on %s", c.Slot, until))
	case !now.Before(renew):
		f := warn(fmt.Sprintf("the certificate in %s expires on %s, in %s", c.Slot, until, count(int(c.NotAfter.Sub(now)/(24*time.Hour)), "day")))
		// Its last moment is still valid; the days left change at each.
		days := c.NotAfter.Sub(now) / (24 * time.Hour)
		f.again = c.NotAfter.Add(-days*24*time.Hour + 1)
		return f
	default:
		f := pass("the first to expire is that in " + c.Slot + ", on " + until)
		f.again = renew
		return f
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func certIssuer(s subject) finding {
	switch s.card.Environment {
	case EnvironmentTest:
		return pass("a test card, by its issuer" + issuer(s.card))
	case EnvironmentLive:
		return pass("a live card, by its issuer" + issuer(s.card))
	}
	return warn("neither a test nor a live card of the NHS, by its issuer" + issuer(s.card))
}

func issuer(c *Card) string {
	if auth := c.certificate(slotAuthentication); auth != nil && auth.Issuer != "" {
		return " " + auth.Issuer
	}
	return ""
}

func envUUID(s subject) finding {
	if !validUser(s.card.User) {
		return fail("the name on the certificate does not begin with the 12 digits of a user")
	}
	return pass("the user's UUID has 12 digits")
}

// pinRetries judges what the empty VERIFY said, which costs no try.
func pinRetries(s subject) finding {
	pin := s.card.PIN
	switch pin.State {
	case "blocked":
		return fail("no tries are left: the passcode is blocked")
	case "not_set":
		return fail("the card has no passcode")
	case "verified":
		return unknown("the card is unlocked, and does not tell the tries left while it is").as(failure.PINTriesUnknown)
	}
	switch {
	case pin.TriesLeft == nil:
		return unknown("the card does not tell how many tries are left").as(failure.PINTriesUnknown)
	case *pin.TriesLeft <= 0:
		return fail("no tries are left: the passcode is blocked")
	case *pin.TriesLeft < 3:
		return warn(tries(*pin.TriesLeft) + " left; authbridge sends no passcode with so few")
	}
	return pass(tries(*pin.TriesLeft) + " left")
}
