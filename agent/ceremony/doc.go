// Package ceremony carries out what is done with a leased authenticator:
// WebAuthn create and get on a security key, signatures by a smartcard. It is
// the one place that sends a PIN (DESIGN rule 1), it tells people what to do
// and by when, and it leaves an authenticator as it was found when its lease
// ends. It never decides who may use what: that is package lease's.
package ceremony
