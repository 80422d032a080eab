package inventory

import (
	"encoding/json"
	"sync"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// View is one snapshot with what belongs to it. It is immutable; all forms of
// it are made when first asked for and once only, so that a burst of
// observations which nobody reads costs no encoding, and a thousand readers of
// one snapshot cost one.
type View struct {
	id       contract.EventID
	snapshot *contract.Snapshot
	facts    health.Facts
	answered map[string]uint64 // wishes for reads, see Observation
	masked   func() *contract.Snapshot
	plainly  func() []byte
	maskedly func() []byte
}

func newView(id contract.EventID, snapshot *contract.Snapshot, facts health.Facts, answered map[string]uint64) *View {
	v := &View{id: id, snapshot: snapshot, facts: facts, answered: answered}
	v.masked = sync.OnceValue(func() *contract.Snapshot { return maskSnapshot(snapshot) })
	v.plainly = sync.OnceValue(func() []byte { return encode(snapshot) })
	v.maskedly = sync.OnceValue(func() []byte { return encode(v.masked()) })
	return v
}

// ID is the EPOCH-SEQ of the last event that the snapshot holds. Observations
// that change nothing but their time make a new snapshot with the same id.
func (v *View) ID() contract.EventID { return v.id }

// Snapshot is the snapshot with all personal data. It must not be changed.
func (v *View) Snapshot() *contract.Snapshot { return v.snapshot }

// Masked is the snapshot without personal data. It must not be changed.
func (v *View) Masked() *contract.Snapshot { return v.masked() }

// Facts are what was judged. They must not be changed.
func (v *View) Facts() health.Facts { return v.facts }

// Encoded is the snapshot as JSON, with personal data only if identity. It
// must not be changed.
func (v *View) Encoded(identity bool) []byte {
	if identity {
		return v.plainly()
	}
	return v.maskedly()
}

// Authenticator finds an authenticator by id.
func (v *View) Authenticator(id string, identity bool) (contract.Authenticator, bool) {
	snapshot := v.snapshot
	if !identity {
		snapshot = v.masked()
	}
	for _, a := range snapshot.Authenticators {
		if a.ID == id {
			return a, true
		}
	}
	return contract.Authenticator{}, false
}

// Certificates are those of the card with that id; false if there is no such
// authenticator. A key has none.
func (v *View) Certificates(id string, identity bool) ([]contract.Certificate, bool) {
	certificates := []contract.Certificate{}
	for i := range v.facts.Cards {
		if v.facts.Cards[i].ID != id {
			continue
		}
		for _, c := range v.facts.Cards[i].Certificates {
			if !identity {
				c = maskCertificate(c)
			}
			certificates = append(certificates, c)
		}
		return certificates, true
	}
	_, ok := v.Authenticator(id, true)
	return certificates, ok
}

// encode cannot fail: the contract's types hold only what JSON can say, which
// a test holds.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic("inventory: a contract type does not encode: " + err.Error())
	}
	return text
}
