// Package kernel holds the tests that need a Linux kernel with uhid, USB
// gadgets and udev, and root in it. They never touch the kernel of the machine
// that they are started on: run there, with the build tag e2e, the test binary
// starts the guest (package guest), runs itself and the key's own conformance
// suite in it, and passes on what they say. There libfido2 is the judge of the
// virtual key, and keys are read by package fido and by the real daemon, as a
// user who may open what udev's rule says and nothing else. The deb lives there from
// install to purge, as a person's own service and as the machine's, over a reboot.
// It has no code but tests.
package kernel
