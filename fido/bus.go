package fido

import (
	"context"
	"errors"
	"time"
)

// What a bus and a link fail with, whatever they are made of.
var (
	// ErrGone says that the key was unplugged.
	ErrGone = errors.New("fido: the key was unplugged")
	// ErrForbidden says that this process may not open the key.
	ErrForbidden = errors.New("fido: this process may not open the key")
)

// ReportSize is the size in octets of a CTAPHID report on a full-speed USB
// link, without the report number that hidraw wants in front (CTAP 2.1,
// 11.2.4).
const ReportSize = 64

// Bus is a place where keys are found: the operating system's HID ([Native]),
// or one of virtual keys (package vkey). It is the seam below which tests
// inject keys.
type Bus interface {
	// Watch calls found for each key that is there, then with Settled true
	// once, then for each that comes or goes, in the order in which that
	// happened, until ctx ends (nil) or the bus fails. It opens no key.
	// found is never called concurrently.
	Watch(ctx context.Context, found func(Change)) error
	// Open opens a key for reports. It fails with ErrForbidden where this
	// process may not, with ErrGone where the key went, and with ErrInUse, at
	// once, where another program asked for it to be left alone.
	Open(ctx context.Context, node Node) (Link, error)
}

// Change says that a key came, went or changed.
type Change struct {
	Settled bool // the end of the first listing; Node is empty
	Gone    bool // else: came
	// Changed says that a key that is there may have become openable, or not:
	// its permissions were set anew.
	Changed bool
	Node    Node
}

// Node is a key as its bus sees it, without opening it.
type Node struct {
	// Path is unique on its bus while the key is plugged; opaque outside it.
	Path string
	// Port names the place the key is plugged into, where the bus knows one:
	// it tells two keys without a serial number apart over a replug.
	Port      string
	Product   string
	Serial    string
	VendorID  uint16
	ProductID uint16
	// Virtual is decided by the transport alone (a node below
	// /sys/devices/virtual, dummy_hcd, USB/IP; a bus of virtual keys), and
	// true where it cannot be decided.
	Virtual bool
}

// Link carries 64-byte reports to and from one open key. One goroutine uses
// it; Close may come from any and ends a blocked ReadReport.
type Link interface {
	// ReadReport reads one report into p (ReportSize octets). After the
	// deadline it fails with os.ErrDeadlineExceeded, on a key that went
	// with ErrGone.
	ReadReport(p []byte, deadline time.Time) error
	// WriteReport writes one report of ReportSize octets.
	WriteReport(p []byte) error
	Close() error
}
