package pcscd

import (
	"os"
	"strings"
	"testing"
)

// The state of the process travels in its environment: it must survive the
// second execution, and programs started by a test see it too.
const (
	envInside = "AUTHBRIDGE_PCSCD_INSIDE" // set in the namespaces
	envReason = "AUTHBRIDGE_PCSCD_REASON" // why there are none
)

// Option changes how the namespaces are made.
type Option func(*options)

type options struct {
	quickAck bool
}

// QuickAck makes the loopback acknowledge every segment at once. Without it an
// APDU through vpcd takes 44 ms, unless the card sets TCP_QUICKACK itself as
// it should; so the default is without, and a card's fault shows.
func QuickAck() Option { return func(o *options) { o.quickAck = true } }

// Main is a whole TestMain: [Enter], the tests, exit.
func Main(m *testing.M, opts ...Option) {
	Enter(opts...)
	os.Exit(m.Run())
}

// Enter must be the first call of TestMain. It executes the test binary again
// in its own namespaces, and there returns; outside it waits for that process
// and exits with its status. Where namespaces cannot be made it returns too,
// and [Start] says why.
func Enter(opts ...Option) {
	if os.Getenv(envInside) != "" || skipsEnter(os.Args[1:]) {
		return
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if reason := missing(); reason != "" {
		os.Setenv(envReason, reason)
		return
	}
	code, err := enter(o)
	if err != nil {
		os.Setenv(envReason, err.Error())
		return
	}
	os.Exit(code)
}

// skipsEnter reports whether the binary was asked for something that needs no
// pcscd and loses by a second execution: a fuzz worker has pipes at fixed
// descriptors.
func skipsEnter(args []string) bool {
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name == "test.fuzzworker" || name == "test.list" {
			return true
		}
	}
	return false
}

// MustNotSkip reports whether a missing tool is a failure (CI=true or
// AUTHBRIDGE_NO_SKIP=1) rather than a skip.
func MustNotSkip() bool {
	return os.Getenv("CI") == "true" || os.Getenv("AUTHBRIDGE_NO_SKIP") == "1"
}

// Need ends the test, as skipped or as failed, where no private pcscd can run.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(envInside) != "" {
		return
	}
	reason := os.Getenv(envReason)
	if reason == "" {
		t.Fatal("pcscd: TestMain of this package does not call pcscd.Main or pcscd.Enter")
	}
	Lacks(t, reason)
}

// Lacks ends the test, as skipped or as failed, for a reason that lies in the
// machine.
func Lacks(t testing.TB, reason string) {
	t.Helper()
	if MustNotSkip() {
		t.Fatalf("pcscd: %s (and skipping is forbidden here)", reason)
	}
	t.Skipf("pcscd: %s", reason)
}
