// Package hotplug gives any Go test a real pcscd whose readers come and go as
// USB readers do: [Machine.Plug] and [Machine.Unplug] are udev events, pcscd's
// own USB code sees them, and loads a driver for each reader.
//
// The USB bus is umockdev's: pcscd runs with its preloaded library, and sees
// its sysfs and its events instead of the machine's. The driver is
// machine/reader.c, which the test compiles; the folder of drivers is replaced
// in the test's own mount namespace, so that the machine's is not touched. A
// card is plugged in over TCP, as into vsmartcard's vpcd.
//
//	func TestMain(m *testing.M) { pcscd.Main(m) }
//
//	func TestReader(t *testing.T) {
//		machine := hotplug.Start(t)
//		machine.Plug(1)
//		...
//		machine.Unplug(1)
//	}
//
// Where the machine lacks gcc, libpcsclite-dev or umockdev the tests are
// skipped, or fail, as package pcscd says.
//
// The package is for tests only and knows nothing of the product.
package hotplug
