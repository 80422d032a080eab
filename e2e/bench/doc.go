// Command bench measures the figures of docs/performance.md: what authbridge
// costs, beside the tools of the distribution, in one run on one machine, so
// that the ratios mean something where the figures do not.
//
// It runs the built authbridge as a user does, on a real pcscd of its own
// (package pcscd) with a virtual card plugged in, and it asks the card how many
// APDUs it got. It asserts nothing about time: it fails only where something
// could not be run.
package main
