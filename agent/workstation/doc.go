// Package workstation is the source of what the software of this machine has
// for a sign-in: the facts behind NHS_*, MW_*, PORT_CLASH, BROWSER_LNA and, of
// Windows Hello, WH_*.
//
// None of it is told by the system, so it is looked for: once at the start, and
// then while somebody is interested in a real target. Nobody waits for a look.
package workstation
