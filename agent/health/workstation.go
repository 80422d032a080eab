package health

import "time"

// Seen is a fact, or why it is not known: unknown is not no.
type Seen[T any] struct {
	Is      T
	Unknown string // why; empty: Is holds
}

// Workstation is what one look at the software of this machine has found: plain
// facts.
type Workstation struct {
	At time.Time
	// Windows is the version of its kernel, for example 10.0.22631.
	Windows  Seen[string]
	Service  Seen[PortService]
	Programs Seen[[]Program]
	// Gateway is the host at which NHS Identity Agent signs in; empty: it is set
	// to none.
	Gateway Seen[string]
	// PIVDriver and Oberthur are whether Windows has a smartcard driver for cards
	// with PIV, and for series 8.
	PIVDriver, Oberthur Seen[bool]
	Power               Seen[Power]
	Chip                Seen[Chip]
	Policies            Seen[[]Policy]
	Port                Port
	// Sessions are what programs in users' Windows sessions have said of Windows
	// Hello, whose word still holds.
	Sessions []Session
}

// Session is somebody's word on Windows Hello.
type Session struct {
	Who string // who says so: "user S-1-5-21-…"
	// Since is when they first said something, At when they said this.
	Since, At time.Time
	API       int // version of webauthn.dll; 0: there is none
	Available bool
	Remote    bool
}

// PortService is what answers on the five ports of NHS Port Service.
type PortService struct {
	Port        string // empty: the service does not answer
	HTTP, HTTPS bool
	Strangers   []string // ports on which something else answers
	Manager     Manager
}

// Manager is NHS Credential Management by the word of the Port Service.
type Manager struct {
	Port    int  // 0: it named none
	Accepts bool // the port takes connections
	Fault   string
	Unknown string // why neither port nor fault came
}

// Product is what an installed program is to a sign-in.
type Product string

// The products, by the names of the NHS.
const (
	IdentityAgent        Product = "NHS Identity Agent"
	CredentialManagement Product = "NHS Credential Management" //nolint:gosec // the name of a program
	SmartcardConnect     Product = "NHS Smartcard Connect"
	OberthurMiddleware   Product = "Oberthur middleware"
)

// Program is an installed program.
type Program struct {
	Is            Product
	Name, Version string
}

// Power is what the machine runs on.
type Power struct {
	Mains   bool
	Percent int // of the battery; -1: it has none, or does not say
	Saver   bool
}

// Chip is the TPM. Version 0: there is none.
type Chip struct {
	Version  int // 1 is TPM 1.2, 2 is TPM 2.0
	Emulated bool
}

// Policy is a rule that an administrator gave a browser, on pages that use this
// machine.
type Policy struct{ Browser, Name, Effect string }

// The effects of policies.
const (
	BlocksCookies = "blocks cookies" // of localhost
	BlocksAll     = "blocks all pages"
	BlocksSome    = "blocks some pages"
	Lets          = "lets pages"
)

// Port is the daemon's own.
type Port struct {
	Own       string
	NHS       bool
	Neighbour Seen[bool]
}
