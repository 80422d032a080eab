// Package e2e proves what the bridge promises on a real pcscd: its sources,
// inventory and journal as the daemon composes them, and virtual cards that are
// plugged into pcscd from outside, as any program could. What was sent to a
// card is asked of the card.
package e2e

import (
	"testing"

	"authbridge/e2e/pcscd"
)

func TestMain(m *testing.M) { pcscd.Main(m) }
