package vkey

import (
	"fmt"
	"slices"
	"time"
)

// FaultName names a scripted failure, as the API does.
type FaultName string

// The faults of a key. They can be set and cleared at any time.
const (
	// Mute: it answers nothing.
	Mute FaultName = "mute"
	// Slow: each answer comes after Fault.Delay; a CTAPHID_CBOR command is
	// kept alive meanwhile, as by a real key that computes.
	Slow FaultName = "slow"
	// Garbage: a channel is given, then each answer is malformed, by turns: no
	// octets at all, a continuation packet without a message, more octets
	// than a message can have, a well-framed message of noise, noise.
	Garbage FaultName = "garbage"
	// ForeignChannel: before the answer to CTAPHID_INIT comes one to another
	// nonce; all else is answered on a channel that is not the asker's.
	ForeignChannel FaultName = "foreign-channel"
	// Busy: a channel is given, then each command is refused with
	// ERR_CHANNEL_BUSY, as by a key that another program keeps waiting for a
	// touch.
	Busy FaultName = "busy"
	// PINBlocked: no PIN tries are left.
	PINBlocked FaultName = "pin-blocked"
	// U2FOnly: a key from before CTAP2, without CTAPHID_CBOR. It tells its
	// U2F version; nobody ever touches it.
	U2FOnly FaultName = "u2f-only"
	// NoPIN: as if no PIN were set. It ends when one is set.
	NoPIN FaultName = "no-pin"
)

// FaultNames lists every fault there is.
var FaultNames = [...]FaultName{Mute, Slow, Garbage, ForeignChannel, Busy, PINBlocked, U2FOnly, NoPIN}

// Fault is a scripted failure.
type Fault struct {
	Name FaultName
	// Delay is for Slow.
	Delay time.Duration
}

func (f Fault) check() error {
	switch {
	case !slices.Contains(FaultNames[:], f.Name):
		return fmt.Errorf("vkey: no fault %q", f.Name)
	case f.Name == Slow && f.Delay <= 0:
		return fmt.Errorf("vkey: fault %s needs a delay", f.Name)
	case f.Name != Slow && f.Delay != 0:
		return fmt.Errorf("vkey: fault %s takes no delay", f.Name)
	}
	return nil
}

// Touch is how the key comes by a touch when it needs one.
type Touch string

// The ways.
const (
	// TouchAuto: as if a finger lay on it.
	TouchAuto Touch = "auto"
	// TouchCommand: when Key.Touch is called.
	TouchCommand Touch = "command"
	// TouchNever: nobody touches it; it waits until its time is up.
	TouchNever Touch = "never"
)
