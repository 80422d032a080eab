package health

import (
	"authbridge/agent/contract"
)

// Facts is what the sources have seen, as plain values.
type Facts struct {
	// OS is a GOOS value.
	OS      string
	Sources []contract.Source
	Readers []contract.Reader // without Checks
	Cards   []Card
	Keys    []Key
	// Targets are those that checks are made for, each with a name of its own.
	// The mock is none of them: nothing of it has to be reached or set up.
	Targets []Target
	// Workstation is the newest look at the software of this machine; nil while
	// there was none.
	Workstation *Workstation
	// Apps are authenticator applications whose secret the daemon can read.
	Apps []App
	// Users are those that the configuration knows, Proofs what login runs have
	// shown: the last of each authenticator, target and user.
	Users  []User
	Proofs []contract.Proof
}

// User is one person: a UUID at each target, and the authenticators that are
// that person's there.
type User struct {
	UUID           map[string]string // by target
	Authenticators []string          // ids
}

// App is an authenticator application.
type App struct {
	contract.Authenticator // without Checks
	// Trouble is why its secret cannot be read; empty where it can.
	Trouble string
}

// Card is a smartcard that was read, or tried to be.
type Card struct {
	contract.Authenticator // without Checks
	ATR                    []byte
	// PIV is whether SELECT of the PIV application succeeded.
	PIV bool
	// Certificates are those that could be read; Missing and Malformed name
	// the slots (9A, 9C) that hold none, or something that is none.
	Certificates []contract.Certificate
	Missing      []string
	Malformed    []string
}

// Key is a security key that is plugged, opened or not.
type Key struct {
	contract.Authenticator // without Checks
	// Info is nil until getInfo was answered.
	Info *KeyInfo
}

// KeyInfo is what authenticatorGetInfo says that health needs (CTAP 2.1, 6.4).
type KeyInfo struct {
	FIDO2          bool  // a FIDO_2_x version is listed
	ClientPIN      *bool // option clientPin: nil not supported, false not set
	UV             *bool // option uv: nil not supported, false not configured
	ForcePINChange bool
	CCID           bool // the same device also has a smartcard interface
}
