// Package e2e proves what the bridge promises on a real pcscd: its sources,
// inventory and journal as the daemon composes them, and virtual cards that are
// plugged into pcscd from outside, as any program could. What was sent to a
// card is asked of the card.
//
// All runs in a minute. With AUTHBRIDGE_SOAK=full (and -timeout 60m) it is as
// long as the project promises: 500 insertions, 50 crashes of pcscd, 1,000
// starts, 200 killed daemons.
package e2e

import (
	"testing"

	"authbridge/e2e/pcscd"
)

func TestMain(m *testing.M) { pcscd.Main(m) }
