// Package login runs whole OpenID Connect logins and judges what comes of them
// (DESIGN 7): an authorization code flow with PKCE, each thing that was done and
// each claim of the tokens a named step with what was expected and what was got.
//
// A run holds a lease and uses ceremonies like any client of the daemon, as the
// caller who asked for it: it has no other way to an authenticator. It always
// ends, gives its lease back, and is kept step by step. Negative scenarios try
// what must not go through, and pass when the refusal comes from the one who
// must refuse.
//
// What judges tokens ([Assert]) is pure and its own: libraries hide the claims'
// types and normalise what CIS2 wants compared octet by octet.
package login
