package contract

// VirtualDevice is a virtual reader with or without its card, or a virtual key.
type VirtualDevice struct {
	Name string `json:"name"`
	// Kind is smartcard or security-key.
	Kind Kind `json:"kind" enum:"smartcard,security-key"`
	// Plugged is whether the card is in its reader, or the key on its bus.
	Plugged bool `json:"plugged"`
	// Where is in-process, pcscd (through vpcd) or uhid.
	Where  string  `json:"where" enum:"in-process,pcscd,uhid"`
	Touch  string  `json:"touch,omitempty" enum:"auto,command,never" doc:"keys only"`
	Faults []Fault `json:"faults"`
	// CanFail are the names of the faults that there are for it.
	CanFail []string `json:"can_fail" doc:"names of the faults that it can be given"`
	Profile string   `json:"profile,omitempty" doc:"card profile"`
	User    string   `json:"user,omitempty"`
	// APDUs and PINTries count what a card received since it was made;
	// Messages what a key received.
	APDUs    uint64 `json:"apdus,omitempty"`
	Messages uint64 `json:"messages,omitempty"`
	PINTries uint64 `json:"pin_tries"`
	// Authenticator is its id in the inventory, once it was read.
	Authenticator string `json:"authenticator,omitempty"`
	// Reinsert is in the answer to new faults.
	Reinsert bool `json:"reinsert,omitempty" doc:"the faults just set or cleared show only once the device is taken out and put in again"`
}

// Fault is a scripted failure of a virtual authenticator.
type Fault struct {
	// Name: mute, slow, empty, truncated, garbage, sw, pin-blocked,
	// cert-expired, cert-expiring, one-cert, no-cert, live-issuer,
	// retired-atr, no-atr, no-logout, pin-kept, pulled (cards); mute, slow,
	// garbage, foreign-channel, busy, pin-blocked, u2f-only, no-pin (keys).
	Name string `json:"name"`
	// Delay is for slow: a Go duration.
	Delay string `json:"delay,omitempty"`
	// SW is for sw: four hex digits.
	SW string `json:"sw,omitempty"`
}

// VirtualInsert makes a virtual card and puts it into a reader, or puts an
// existing one (same name) back in.
type VirtualInsert struct {
	Name string `json:"name,omitempty" doc:"of the virtual reader; absent or empty: the first that is empty and has no faults, or a new one"`
	User string `json:"user,omitempty" pattern:"^[0-9]{12}$"`
	// PCSCD plugs it into the real pcscd through vpcd.
	PCSCD bool `json:"pcscd,omitempty"`
	// VPCD is the address of vpcd; absent 127.0.0.1:35963.
	VPCD   string  `json:"vpcd,omitempty"`
	Faults []Fault `json:"faults,omitempty"`
}

// VirtualPlug makes a virtual key and plugs it in, or plugs an existing one.
type VirtualPlug struct {
	Name string `json:"name,omitempty" doc:"of the key; absent or empty: the first that is unplugged and has no faults, or a new one"`
	// UHID plugs it into the kernel.
	UHID   bool    `json:"uhid,omitempty"`
	Touch  string  `json:"touch,omitempty" enum:"auto,command,never"`
	Faults []Fault `json:"faults,omitempty"`
}
