package ceremony_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido/vkey"
)

// TestACredentialAtTheEndOfALongListIsExcluded: a key takes 8 ids at once, and
// shows a credential that wants a verified user to none but such a one.
func TestACredentialAtTheEndOfALongListIsExcluded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	r := registration(t, d.does(ci, withPIN(creation(g, uvOnCreation,
		`"extensions":{"credentialProtectionPolicy":"userVerificationRequired"}`), pin)))
	var list []string
	for n := range 60 {
		id := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(string(rune('0'+n)), 60)))
		list = append(list, `{"type":"public-key","id":"`+id+`"}`)
	}
	list = append(list, `{"type":"public-key","id":"`+r.ID+`"}`)
	d.fails(ci, withPIN(creation(g, uvOnCreation, `"excludeCredentials":[`+strings.Join(list, ",")+`]`), pin),
		contract.CeremonyFailed, failure.WebAuthnExcluded)
}
