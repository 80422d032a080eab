// Package pcsc talks to smartcard readers and cards: which are there, in what
// state, and one exchange of APDUs at a time with a deadline. It never sends
// a PIN by itself, never resets a card, and knows nothing of the daemon.
package pcsc
