//go:build !windows

package nhs

import "runtime"

// elsewhere are the facts of a system that NHS software does not exist for.
func elsewhere() Facts {
	const not = notHere
	return Facts{
		Windows: unknown[string](not), Programs: unknown[[]Program](not), Gateway: unknown[string](not),
		PIVDriver: unknown[bool](not), Oberthur: unknown[bool](not), Power: unknown[Power](not), Chip: unknown[Chip](not),
		Policies: unknown[[]Policy]("where browsers of " + runtime.GOOS + " have their rules is not looked at"),
	}
}

func alone() bool { return false }
