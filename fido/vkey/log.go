package vkey

import (
	"slices"
	"time"
)

// maxLog is how many messages a key remembers.
const maxLog = 256

// Entry is a message that the key received, without its content: no PIN, no
// token and no user's name can be in it.
type Entry struct {
	At time.Time
	// Command is the CTAPHID command.
	Command byte
	// Size is the message's length in octets.
	Size int
	// CTAP is the CTAP2 command of a CTAPHID_CBOR message.
	CTAP byte
	// SubCommand is that of authenticatorClientPIN, else 0.
	SubCommand uint64
	// Answered and Status are set once a CTAPHID_CBOR message was answered.
	Answered bool
	Status   byte
}

// Log lists the last messages, oldest first.
func (k *Key) Log() []Entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.log)
}

// received counts a whole message.
func (k *Key) received(now time.Time, cmd byte, data []byte) {
	e := Entry{At: now, Command: cmd, Size: len(data)}
	if cmd == CTAPHID_CBOR && len(data) > 0 {
		e.CTAP = data[0]
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stats.Messages++
	if len(k.log) == maxLog {
		k.log = append(k.log[:0], k.log[1:]...)
	}
	k.log = append(k.log, e)
}

// receivedPIN says more of the clientPIN message being worked on.
func (k *Key) receivedPIN(subCommand uint64, try bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if try {
		k.stats.PINTries++
	}
	if e := k.working(); e != nil {
		e.SubCommand = subCommand
	}
}

// answered notes the status of the message being worked on.
func (k *Key) answered(s status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.working(); e != nil {
		e.Answered, e.Status = true, byte(s)
	}
}

// working is the last CTAPHID_CBOR message that was not answered. There is
// one at a time; CTAPHID_INIT messages may come after it.
func (k *Key) working() *Entry {
	for i := len(k.log) - 1; i >= 0; i-- {
		if e := &k.log[i]; e.Command == CTAPHID_CBOR {
			if e.Answered {
				return nil
			}
			return e
		}
	}
	return nil
}
