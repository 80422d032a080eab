package vcard

import (
	"bytes"
	"slices"
	"time"
)

// logLimit is how many exchanges a card remembers.
const logLimit = 1024

// Exchange is one APDU that a card got.
type Exchange struct {
	N  uint64 // counts from 1 since the card was made
	At time.Time
	// Command is the command APDU. Of one that may hold a PIN only the
	// header is kept, and Withheld counts the octets left out.
	Command  []byte
	Withheld int
	// PINTry is whether it could spend a try of the PIN or PUK.
	PINTry bool
	// Answered is whether an answer left the card; Length is that of the
	// whole answer, SW its last two octets.
	Answered bool
	Length   int
	SW       uint16
}

// journal is what a card remembers of the APDUs it got.
type journal struct {
	apdus, pinTries uint64
	last            []*Exchange
}

func (j *journal) add(command []byte, now time.Time) *Exchange {
	j.apdus++
	e := &Exchange{N: j.apdus, At: now, PINTry: isPINTry(command)}
	kept := command
	if holdsPIN(command) {
		kept = command[:headerLength]
	}
	e.Command, e.Withheld = bytes.Clone(kept), len(command)-len(kept)
	if e.PINTry {
		j.pinTries++
	}
	if len(j.last) == logLimit {
		j.last = slices.Delete(j.last, 0, 1)
	}
	j.last = append(j.last, e)
	return e
}

func (e *Exchange) answered(answer []byte) {
	e.Answered, e.Length = true, len(answer)
	if n := len(answer); n >= 2 {
		e.SW = uint16(answer[n-2])<<8 | uint16(answer[n-1])
	}
}

// holdsPIN reports whether a command is one of those whose data is a PIN, in
// whatever class, complete or not.
func holdsPIN(command []byte) bool {
	if len(command) <= headerLength {
		return false
	}
	switch command[1] {
	case insVerify, insChangeReferenceData, insResetRetryCounter:
		return true
	}
	return false
}

// isPINTry reports whether a command has a PIN in it. What is not well formed
// counts if it is long enough for one.
func isPINTry(command []byte) bool {
	if !holdsPIN(command) {
		return false
	}
	cmd, ok := parse(command)
	if !ok {
		return len(command) > headerLength+1
	}
	return len(cmd.Data) > 0
}

// Log lists the last exchanges, oldest first, at most 1024.
func (c *Card) Log() []Exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Exchange, len(c.log.last))
	for i, e := range c.log.last {
		list[i] = *e
	}
	return list
}

// APDUs counts the command APDUs that the card got since it was made.
func (c *Card) APDUs() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.apdus
}

// PINTries counts those among them that had a PIN or PUK in them: VERIFY,
// CHANGE REFERENCE DATA and RESET RETRY COUNTER with data.
func (c *Card) PINTries() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.pinTries
}
