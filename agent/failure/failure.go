// Package failure is the registry of everything that can be wrong: stable
// codes with title, remedy, and the NHS code where one exists. It holds words
// and numbers only; deciding what is wrong is the business of others.
package failure

// Code is stable: it is never reused for another meaning.
type Code string

// Entry is what the registry knows of a code.
type Entry struct {
	Code Code
	// Title names the check or failure in a few words.
	Title string
	// Remedy is one sentence: what to do now.
	Remedy string
	// Mend are the commands that do it.
	Mend Mend
	// NHSCode is the code NHS users know, for example ERR1002; often empty.
	NHSCode string
	// Status is the HTTP status of a problem; 0 for a check.
	Status int
	// Spec says where the rule comes from, for example "SP 800-73-4 part 2, 3.2.1".
	Spec string
	// DOMException is what a browser would throw (WebAuthn L3, 5.1.3, 5.1.4);
	// empty outside WebAuthn, where it is NotAllowedError.
	DOMException string
}
