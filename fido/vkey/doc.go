// Package vkey is a virtual security key that speaks the wire: 64-byte CTAPHID
// reports and CTAP 2.1 in them. It is plugged into a bus within the process
// ([Bus], a fido.Bus) or, on Linux, into the kernel through uhid ([PlugUHID]),
// where any program can use it.
//
// It fails on request ([Key.SetFaults]) and counts what it was asked, PIN
// tries apart, so that a test asks the key and not the program under test.
//
// It is a test instrument: its keys lie in memory and in a file, and it never
// claims to be hardware. It never talks to a physical key, and never writes
// down what a clientPIN message holds.
package vkey
