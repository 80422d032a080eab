// Package webauthn is the client side of WebAuthn Level 3 without the browser:
// options in JSON in, responses in JSON out, and in between what a security key
// is to be asked. It decides which relying party an origin may speak for. It
// knows no transport and talks to no key.
package webauthn
