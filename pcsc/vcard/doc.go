// Package vcard makes virtual smartcards and readers that implement the wire:
// the APDUs of a PIV card (SP 800-73-4), and the PC/SC service above it.
//
// A [Card] takes command APDUs and gives response APDUs, with PIN counters,
// security status, chaining and reset as a real card has them. It goes into a
// reader of a [Bench], which is a whole PC/SC service in process
// ([pcsc.System]), or into a real pcscd through [PlugVPCD]:
//
//	ca, err := vcard.OpenCA(dir)                       // made on first use
//	card, err := vcard.OpenCard(file, vcard.Profile{   // so is the card
//		User: "555212345678", Surname: "Pond", Forename: "Amy",
//	}, ca)
//	bench := vcard.NewBench()
//	bench.AddReader("Virtual reader 0")
//	bench.Insert("Virtual reader 0", card)
//	context, err := bench.Establish()
//
// A card counts and logs every APDU that reaches it, PIN tries apart
// ([Card.APDUs], [Card.PINTries], [Card.Log]): what was sent is asked of the
// card. It fails on request ([Card.SetFaults]).
//
// The certificates look like those of NHS test cards and come from a test
// authority of our own, whose root says so in its name, as each certificate
// does in its policy. The package never puts that root in a trust store, never
// talks to a physical card, and never logs a PIN.
package vcard
