package inventory

import (
	"encoding/hex"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
)

// cardFacts puts what a card said into the inventory's words. Its id is by the
// card's own identifier, else by a certificate; a card with neither gets one
// by its reader and ATR, from the slot.
func cardFacts(source string, card *piv.Card) *health.Card {
	facts := &health.Card{PIV: true}
	facts.PIN = pinOfCard(card.PIN)
	for _, slot := range card.Missing {
		facts.Missing = append(facts.Missing, slot.String())
	}
	for _, object := range card.Malformed {
		if object.Slot != 0 {
			facts.Malformed = append(facts.Malformed, object.Slot.String())
		}
	}
	environments := make(map[string]bool)
	for i := range card.Certificates {
		c := certificateFacts(&card.Certificates[i])
		facts.Certificates = append(facts.Certificates, c)
		environments[c.Environment] = true
		// The first that names a user: authentication comes before signature.
		if user, holder, ok := health.Identity(card.Certificates[i].Subject.CommonName); ok && facts.User == "" {
			facts.User, facts.Holder = user, holder
		}
	}
	switch {
	case card.CHUID != nil && !card.CHUID.GUID.IsZero():
		facts.ID = opaqueID(cardID, source, "guid", string(card.CHUID.GUID[:]))
	case len(card.Certificates) > 0:
		facts.ID = opaqueID(cardID, source, "certificate", string(card.Certificates[0].SHA256[:]))
	}
	if len(card.Certificates) > 0 {
		facts.Environment = facts.Certificates[0].Environment
		if len(environments) > 1 { // a card of two environments is of none that is known
			facts.Environment = health.EnvironmentUnknown
		}
	}
	return facts
}

func certificateFacts(c *piv.Certificate) contract.Certificate {
	issuer := c.Issuer.String()
	facts := contract.Certificate{
		Slot:        c.Slot.String(),
		Subject:     c.Subject.String(),
		Issuer:      issuer,
		Environment: health.IssuerEnvironment(issuer),
		NotBefore:   c.NotBefore.UTC(),
		NotAfter:    c.NotAfter.UTC(),
		Key:         c.Key,
		SHA256:      hex.EncodeToString(c.SHA256[:]),
		DER:         c.DER,
	}
	if c.Serial != nil {
		facts.Serial = strings.ToLower(c.Serial.Text(16))
	}
	return facts
}

// pinOfCard is the state of the PIN by what the empty VERIFY said.
func pinOfCard(s piv.PINState) contract.PIN {
	switch {
	case s.Verified():
		return contract.PIN{State: "verified"}
	case s.Blocked():
		return contract.PIN{State: "blocked", TriesLeft: new(0)}
	case s.SW == apdu.SWReferenceNotFound: // the card has no such PIN
		return contract.PIN{State: "not_set"}
	case s.Tries() < 0:
		return contract.PIN{State: "unknown"}
	}
	return contract.PIN{State: "ok", TriesLeft: new(int(s.Tries()))}
}
