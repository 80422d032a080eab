// Package mockcis2 is a mock of NHS CIS2 Authentication: an OpenID provider
// with CIS2's paths, claims and habits, whose users sign in for real.
//
// It has no handle on any authenticator and no button that claims a level.
// Security keys, built-in authenticators and passkeys sign in by WebAuthn in
// its page, user verification demanded; a smartcard by a proof, a signature
// that a server brings to it ([Proof]); an authenticator application by its
// code. A user name alone is AAL1. The level in a token follows from what
// authenticated.
//
// # The sign-in, for programs
//
// The authorization endpoint answers with the page of the first step, or sends
// the browser back at once. With "Accept: application/json" each step is a
// [Step]; the form fields of an answer to it are csrf and do, and with do:
//
//	choose    user, authenticator
//	totp      code
//	webauthn  response: an AuthenticationResponseJSON
//	role      role: a person_roleid
//	back      to choose again
//	cancel    to send the browser back with access_denied
//
// After the last step [Step.Continue] is where the browser is sent back from,
// with a code. GET of a step's action and "/wait" waits, up to 20 s, for the
// step to change: so a smartcard's proof is heard of.
//
// Who walks the pages in a browser finds the stage as data-stage of main: beside
// those of a [Step] these are register, enrol and registered, and sorry where
// the page says what did not work.
//
// # The proof of a smartcard
//
// The page shows a reference: 8 characters, good once and for 5 minutes. Who
// holds the card asks GET /proof/REFERENCE for a [Challenge], has its octets
// signed by the key of PIV slot 9A, and posts a [Proof] to /proof. The octets of
// a challenge are these, joined by single 0x00 octets, in this order and nothing
// before or after:
//
//	authbridge proof v1
//	the issuer
//	the client_id
//	the nonce of the request; empty where it has none
//	the reference, upper case
//	the time it was made, RFC 3339, UTC, whole seconds: 2026-01-31T08:30:00Z
//
// None of them can hold 0x00. The signature is RSA PKCS #1 v1.5 or ECDSA in
// ASN.1, with SHA-256, SHA-384 or SHA-512, over these octets; or, as a physical
// card signs them, over "authbridge sign v1", 0x00, the target's name, 0x00 and
// these octets.
package mockcis2
