package failure

import (
	"errors"
	"syscall"
)

// Error is a failure with its code, made for the eyes of a caller: Detail and
// Field must hold no secret and no personal data.
type Error struct {
	Code Code
	// Field is the part of a request that is at fault: query.aal, body.name,
	// path.id, header.Origin.
	Field string
	// Detail says what was given or seen, and what is allowed.
	Detail string
	// Err is the cause. It stays in this process: no answer repeats it.
	Err error
}

// Error says it with the title of the registry.
func (e *Error) Error() string {
	text := string(e.Code)
	if entry, ok := Lookup(e.Code); ok {
		text = entry.Title
	}
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// OfState is why a file of the state folder cannot be used: the operating system
// does not give it, or what is in it is not what was written.
func OfState(detail string, err error) *Error {
	e := &Error{Code: StateDamaged, Detail: detail, Err: err}
	if errors.As(err, new(syscall.Errno)) {
		e.Code = StateUnusable
	}
	return e
}

// Is reports whether the target is an Error of the same code that says nothing
// more: errors.Is(err, &failure.Error{Code: failure.NotFound}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && *t == Error{Code: e.Code}
}

// CodeOf finds the code in an error's chain; empty where there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
