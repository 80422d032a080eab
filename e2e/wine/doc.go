// Package wine runs the programs for Windows under Wine, in a Debian of their own
// with no network but its loopback, and says row by row what works there and what
// Wine cannot do: the table of docs/platforms.md. It has no code but tests.
//
//	go test -tags e2e -v ./e2e/wine
//	go test -tags e2e -run TheDocumentation ./e2e/wine -update
//
// A row that Wine cannot pass is tried all the same: one that begins to pass, or
// fails for another reason, is an error.
package wine
