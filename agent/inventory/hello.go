package inventory

import (
	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// helloID is what the id of a Windows Hello begins with.
const helloID = "hello-"

// platforms are the Windows Hellos of this machine: one of each user who said
// that it is set up, as long as that word holds.
//
// A word alone makes nothing physical (DESIGN rule 4): it is that where the
// daemon itself has seen a TPM 2.0 that is no software, and the session is at the
// machine. What was not seen is virtual.
func platforms(w *health.Workstation) []contract.Authenticator {
	if w == nil {
		return nil
	}
	chip := w.Chip.Unknown == "" && w.Chip.Is.Version == 2 && !w.Chip.Is.Emulated
	var all []contract.Authenticator
	for _, s := range w.Sessions {
		if !s.Available || s.API == 0 {
			continue
		}
		id := opaqueID(helloID, s.Who)
		origin := originOf(!chip || s.Remote)
		all = append(all, contract.Authenticator{
			ID: id, Name: friendlyName("Windows Hello", id, origin), Kind: contract.Platform, Origin: origin, Source: "workstation",
			Transport: "webauthn", Condition: contract.Ready, Detail: "by the word of " + s.Who, PIN: contract.PIN{State: "unknown"},
			InsertedAt: s.Since, ReadAt: s.At, ObservedAt: s.At,
		})
	}
	return sorted(all, func(a contract.Authenticator) string { return a.ID })
}
