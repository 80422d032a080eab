// Package e2e proves what the bridge promises on a real pcscd: its sources,
// inventory and journal as the daemon composes them, and virtual cards that are
// plugged into pcscd from outside, as any program could. What was sent to a
// card is asked of the card.
//
// All runs in a few minutes. With AUTHBRIDGE_SOAK=full (and -timeout 60m) it is
// as long as the project promises: 500 insertions, 50 crashes of pcscd, 1,000
// starts, 200 killed daemons, 100 more while clients hold leases, of which a crowd
// takes 10,000, and 100 in the middle of login runs. With -race the program under test has the race detector
// too.
package e2e

import (
	"os"
	"testing"

	"authbridge/e2e/pcscd"
)

// builds is the folder of the program under test, made on first use.
var builds string

func TestMain(m *testing.M) {
	pcscd.Enter()
	code := m.Run()
	if builds != "" {
		_ = os.RemoveAll(builds)
	}
	os.Exit(code)
}
