// Package pcscd gives any Go test a real pcscd whose readers are vsmartcard's
// vpcd, so that a card written in Go can be plugged into it over TCP.
//
// Everything is private to the test binary: [Enter] runs it again in mount and
// network namespaces of its own, with its own /run/pcscd and its own loopback.
// The machine's pcscd is never seen nor disturbed, and test binaries can run
// in parallel. Programs that a test starts (opensc-tool, pcsc_scan) inherit
// the namespaces and so talk to the same pcscd.
//
//	func TestMain(m *testing.M) { pcscd.Main(m) }
//
//	func TestCard(t *testing.T) {
//		daemon := pcscd.Start(t, 2)
//		card, err := net.Dial("tcp", daemon.Addr(0)) // the insertion
//		...
//	}
//
// Where the machine cannot do it (another OS, no pcscd, no vpcd, no right to
// make namespaces) the tests that call [Start] are skipped with the reason;
// with CI=true or AUTHBRIDGE_NO_SKIP=1 they fail instead.
//
// The package is for tests only and knows nothing of the product.
package pcscd
