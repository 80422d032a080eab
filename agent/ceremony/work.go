package ceremony

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/lease"
	"authbridge/fido/webauthn"
)

// Policy is what the configuration allows.
type Policy struct {
	// Parties is the allow-list of relying parties (DESIGN rule 9).
	Parties []webauthn.Party
	// Signing names the certificates of physical cards that may sign (DESIGN
	// 5.4).
	Signing []SigningCertificate
	// PINs are files of the daemon's, each for one authenticator and target.
	PINs []BoundPIN
}

// SigningCertificate is one that may sign for a target.
type SigningCertificate struct {
	SHA256 string // fingerprint of the DER, hex, lower case
	Target string
}

// BoundPIN is a file with a PIN, for one authenticator and target.
type BoundPIN struct {
	Authenticator string // id
	Target        string
	// Name is what the file is called in blocks and events; File is its path.
	Name, File string
}

// work is one ceremony in the hands of the goroutine that carries it out.
type work struct {
	request contract.CeremonyRequest
	grant   lease.Grant
	by      contract.Owner
	// step enters a state, with what a person is asked, if anything; the
	// conductor sets the deadline and tells it to the world.
	step func(contract.CeremonyState, *contract.Prompt)
	// pin gets a PIN from where the request, the configuration or a person
	// gives one. It enters the state pin where a person is asked. The caller
	// wipes it. again says that one was just refused.
	pin func(ctx context.Context, ask pinAsk) (pin []byte, from Source, err error)
	// asks is whether a person will be asked for the next PIN.
	asks func() bool
	// live is whether the card's certificates are of a live issuer.
	live bool
}

// pinAsk is what a person who is asked for a PIN is told.
type pinAsk struct {
	tries *int // left, where the authenticator tells
	again bool
}
