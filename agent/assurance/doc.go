// Package assurance answers whether a sign-in of a level can be done at a
// target with what a snapshot holds: ready, not ready or unproven, with the
// checks it rests on.
//
// It is pure: the same snapshot and question give the same verdict. What
// applies where is a table ([Rules]), each row with the clause it comes from:
// a section of NIST SP 800-63B (revision 3) or a page of NHS CIS2
// Authentication.
//
// A virtual authenticator never counts for any target but the mock, nor does
// one whose origin is not known to be physical.
package assurance
