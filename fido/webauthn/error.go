package webauthn

import "fmt"

// Error is why a call may not be made of a key, or why what the key answered
// cannot be given to the page. It holds nothing that a page did not say itself.
type Error struct {
	// Name is what a browser would throw.
	Name ErrorName
	Kind Kind
	// Field is the member of the options, of a Party or of the answer that is
	// to blame, such as user.id; empty where it is none.
	Field  string
	Detail string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("webauthn: %s (%s): %s", e.Kind, e.Name, e.Detail)
	}
	return fmt.Sprintf("webauthn: %s (%s): %s: %s", e.Kind, e.Name, e.Field, e.Detail)
}

// Kind is what went wrong, more finely than the browser's name for it.
type Kind string

// The kinds.
const (
	// Malformed says that the options, or a Party, are not what they should be.
	Malformed Kind = "malformed"
	// Unsupported says that the options ask for what nobody here can do.
	Unsupported Kind = "unsupported"
	// OriginRefused says that no page of that origin may use WebAuthn.
	OriginRefused Kind = "origin refused"
	// RPIDRefused says that the page's origin may not speak for the RP ID.
	RPIDRefused Kind = "RP ID refused"
	// NotListed says that the allow-list has no such line (DESIGN rule 9).
	NotListed Kind = "not on the list"
	// Unverified says that the key did not verify the user where it had to.
	Unverified Kind = "user not verified"
	// Unprotected says that the key cannot protect the credential as it must.
	Unprotected Kind = "credential not protected"
	// BadAnswer says that the key's answer is malformed or answers something
	// else.
	BadAnswer Kind = "bad answer"
)

func malformed(name ErrorName, field, detail string) *Error {
	return &Error{Name: name, Kind: Malformed, Field: field, Detail: detail}
}

func originRefused(field, detail string) *Error {
	return &Error{Name: SecurityError, Kind: OriginRefused, Field: field, Detail: detail}
}

func rpIDRefused(detail string) *Error {
	return &Error{Name: SecurityError, Kind: RPIDRefused, Detail: detail}
}

// badAnswer is NotAllowedError: of a key that fails, a page is told no more.
func badAnswer(field, detail string) *Error {
	return &Error{Name: NotAllowedError, Kind: BadAnswer, Field: field, Detail: detail}
}
