package pcsc

import "time"

// System is a PC/SC service: the operating system's own ([Native]), or one
// made of virtual readers (package vcard). It is the seam below which tests
// inject readers.
type System interface {
	// Establish opens a context (SCardEstablishContext). While the service
	// is down it fails at once with SCARD_E_NO_SERVICE.
	Establish() (Context, error)
}

// Context is one SCARDCONTEXT. It belongs to one goroutine; only Cancel may
// be called from another. A context whose card hangs must never be touched
// again: see [Conn].
type Context interface {
	// ListReaders names the readers; none is an empty list and no error.
	ListReaders() ([]string, error)
	// GetStatusChange blocks until a reader's state differs from Current,
	// then fills Event and ATR. A timeout < 0 waits for ever. It fails with
	// SCARD_E_TIMEOUT, SCARD_E_CANCELLED, SCARD_E_UNKNOWN_READER or a
	// service error.
	GetStatusChange(states []ReaderState, timeout time.Duration) error
	// Cancel ends a blocked GetStatusChange of this context.
	Cancel() error
	Connect(reader string, share ShareMode, protocols Protocol) (Handle, error)
	Release() error
}

// Handle is one SCARDHANDLE. It belongs to the goroutine that owns its
// context.
type Handle interface {
	Protocol() Protocol
	// Transmit sends one command APDU and returns the answer as it came,
	// which a card pulled in mid-APDU makes shorter than two bytes.
	Transmit(command []byte) ([]byte, error)
	BeginTransaction() error
	EndTransaction(Disposition) error
	// Attribute reads a reader attribute (SCardGetAttrib) without any I/O
	// to the card.
	Attribute(id Attribute) ([]byte, error)
	Disconnect(Disposition) error
}

// ReaderState is SCARD_READERSTATE: what the caller believes, and what is.
type ReaderState struct {
	Reader  string // reader name, or PnPNotification
	Current StateFlags
	Event   StateFlags
	ATR     []byte
}

// PnPNotification is the pseudo reader whose state changes when a reader
// comes or goes (PC/SC part 5; pcsc-lite and Windows, not macOS).
const PnPNotification = `\\?PnP?\Notification`

// StateFlags is dwCurrentState or dwEventState. The high 16 bits count the
// insertions and removals in that reader (pcsc-lite and Windows; 0 on macOS).
type StateFlags uint32

// SCARD_STATE_*, PC/SC part 5.
const (
	StateUnaware     StateFlags = 0x0000
	StateIgnore      StateFlags = 0x0001
	StateChanged     StateFlags = 0x0002
	StateUnknown     StateFlags = 0x0004
	StateUnavailable StateFlags = 0x0008
	StateEmpty       StateFlags = 0x0010
	StatePresent     StateFlags = 0x0020
	StateAtrMatch    StateFlags = 0x0040
	StateExclusive   StateFlags = 0x0080
	StateInUse       StateFlags = 0x0100
	StateMute        StateFlags = 0x0200
	StateUnpowered   StateFlags = 0x0400
)

// Counter is the event counter of the high word.
func (f StateFlags) Counter() uint16 { return uint16(f >> 16) }

// Has reports whether all given flags are set.
func (f StateFlags) Has(flags StateFlags) bool { return f&flags == flags }

// ShareMode is SCARD_SHARE_*.
type ShareMode uint32

// SCARD_SHARE_*, PC/SC part 5.
const (
	ShareExclusive ShareMode = 1
	ShareShared    ShareMode = 2
	ShareDirect    ShareMode = 3
)

// Protocol is a set of SCARD_PROTOCOL_*.
type Protocol uint32

// SCARD_PROTOCOL_*, PC/SC part 5.
const (
	ProtocolUndefined Protocol = 0
	ProtocolT0        Protocol = 1
	ProtocolT1        Protocol = 2
	ProtocolAny                = ProtocolT0 | ProtocolT1
)

// Disposition is what becomes of the card at the end of a transaction or
// connection.
type Disposition uint32

// SCARD_*_CARD, PC/SC part 5.
const (
	LeaveCard   Disposition = 0
	ResetCard   Disposition = 1
	UnpowerCard Disposition = 2
	EjectCard   Disposition = 3
)

// Attribute is a SCARD_ATTR_* tag.
type Attribute uint32

// SCARD_ATTR_*, PC/SC part 3 appendix A.
const (
	AttributeVendorName Attribute = 0x00010100
	AttributeChannelID  Attribute = 0x00020110
	AttributeATR        Attribute = 0x00090303
)
