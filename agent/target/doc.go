// Package target looks whether the sign-in services that logins are aimed at can
// be reached from here, and what they offer: the source of the facts behind
// NET_ISSUER, NET_ACR, NET_HSCN and CLOCK_SKEW.
//
// It looks at a target while somebody is interested in it, and at no other: a
// developer machine calls no NHS host that nobody has asked about, and wakes for
// none (docs/adr/0006-targets.md). Nobody waits for a look but a login run, which
// orders one.
package target
