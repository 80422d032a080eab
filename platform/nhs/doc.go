// Package nhs collects what a workstation has for a sign-in with NHS CIS2, as
// plain facts: NHS smartcard software, drivers, rules of browsers, the security
// chip and power. It judges nothing, opens no device and changes nothing.
//
// What could not be told is unknown, with the reason, which is not no. How sure
// each fact is, and what was never seen on a real machine, is in
// docs/workstation.md.
package nhs
