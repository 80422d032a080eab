package ceremony

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
)

// pinHash is a PIN under a key that dies with the process. A PIN of 6 digits is
// guessed from any hash whose key is known.
type pinHash [sha256.Size]byte

func (p *pins) hash(authenticator string, pin []byte) (h pinHash) {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(authenticator))
	mac.Write([]byte{0})
	mac.Write(pin)
	mac.Sum(h[:0])
	return h
}

// fate is what became of a PIN.
type fate int

const (
	notSent fate = iota
	wasUnanswered
	wasRefused
)

// refusals are the last PINs that an authenticator did not accept.
type refusals []refusal

type refusal struct {
	hash pinHash
	fate fate
	from Source // who sent it
}

// keepRefusals is how many are kept. An authenticator has 15 tries at most
// before it wants the right PIN, which makes them all forgotten.
const keepRefusals = 32

// find says what became of a PIN, and where that one had come from, in the same
// time for each.
func (r refusals) find(hash pinHash) (fate, Source) {
	at := -1
	for i := range r {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(r[i].hash[:], hash[:]), i, at)
	}
	if at < 0 {
		return notSent, ""
	}
	return r[at].fate, r[at].from
}

func (r *refusals) add(hash pinHash, f fate, from Source) {
	*r = slices.DeleteFunc(*r, func(old refusal) bool { return hmac.Equal(old.hash[:], hash[:]) })
	if len(*r) == keepRefusals {
		*r = slices.Delete(*r, 0, 1)
	}
	*r = append(*r, refusal{hash, f, from})
}

func (r *refusals) forget() { *r = nil }

func (r *refusals) forgetUnanswered() {
	*r = slices.DeleteFunc(*r, func(old refusal) bool { return old.fate == wasUnanswered })
}

func (r refusals) none() bool { return len(r) == 0 }
