package nhs

import (
	"context"
	"slices"
	"time"
)

// Seen is a fact, or why it is not known: unknown is not no.
type Seen[T any] struct {
	Is      T
	Unknown string // why; empty: Is holds
}

func known[T any](is T) Seen[T]            { return Seen[T]{Is: is} }
func unknown[T any](reason string) Seen[T] { return Seen[T]{Unknown: reason} }

// notHere is the reason of what has no meaning on this system.
const notHere = "it is looked for on Windows alone"

// errorText is an error in one short line without control characters.
func errorText(err error) string { return plain(err.Error(), 160) }

// Facts are what one look has found.
type Facts struct {
	At time.Time
	// Windows is the version of the kernel, for example 10.0.22631.
	Windows Seen[string]
	// Service is NHS Port Service, and what it says of Credential Management.
	Service Seen[PortService]
	// Programs are NHS software and middleware among the installed programs.
	Programs Seen[[]Program]
	// Gateway is the host at which NHS Identity Agent signs in; empty: it is set
	// to none.
	Gateway Seen[string]
	// PIVDriver and Oberthur are whether Windows has a smartcard driver for cards
	// with PIV, and for series 8.
	PIVDriver, Oberthur Seen[bool]
	Power               Seen[Power]
	Chip                Seen[Chip]
	// Policies are the rules that an administrator gave browsers.
	Policies Seen[[]Policy]
	Port     Port
}

// Power is what the machine runs on.
type Power struct {
	Mains   bool
	Percent int // of the battery; -1: it has none, or does not say
	Saver   bool
}

// Chip is the TPM. Version 0: there is none.
type Chip struct {
	Version int // 1 is TPM 1.2, 2 is TPM 2.0
	// Emulated is a chip, or a whole machine, that is software.
	Emulated bool
}

// Port is the daemon's own.
type Port struct {
	Own string
	NHS bool // it is one that NHS software uses
	// Neighbour is whether another program listens on the same port of the other
	// loopback address, where `localhost` may lead.
	Neighbour Seen[bool]
}

// Ports are those that NHS software uses on a workstation.
var Ports = []string{"43485", "43487", "44213", "45031", "46478", "48853", "55000"}

// IsPort is whether NHS software uses a port.
func IsPort(port string) bool { return slices.Contains(Ports, port) }

// Looker looks at this machine.
type Looker struct {
	// Service asks the Port Service; nil is the machine's, on Windows.
	Service *Asker
	// Listen is the address of the daemon, host:port.
	Listen string
}

// Look takes no longer than a few seconds.
func (l Looker) Look(ctx context.Context) Facts {
	f := look()
	f.Service = unknown[PortService](notHere)
	asker := l.Service
	if asker == nil && onWindows {
		asker = &Asker{Alone: alone()}
	}
	if asker != nil {
		f.Service = known(asker.Ask(ctx))
	}
	f.Port = ownPort(ctx, l.Listen)
	f.At = time.Now()
	return f
}
