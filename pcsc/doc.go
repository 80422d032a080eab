// Package pcsc talks to smartcard readers and cards: which are there, in what
// state, and one exchange of APDUs at a time with a deadline. It never sends
// a PIN or resets a card by itself, and knows nothing of the daemon.
package pcsc
