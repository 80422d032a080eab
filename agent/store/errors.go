package store

import (
	"errors"
	"fmt"
	"io/fs"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"authbridge/agent/failure"
)

// The kinds of failure, for errors.Is.
var (
	// ErrCorrupt: the file is no SQLite database, or a damaged one.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrForeign: the file is a sound database of another program.
	ErrForeign = errors.New("the database belongs to another program")
	// ErrLocked: another process writes to it.
	ErrLocked = errors.New("the database is locked by another process")
	// ErrNewer: it was written by a newer version of this program.
	ErrNewer = errors.New("the database was written by a newer version")
	// ErrFull: the disk is full.
	ErrFull = errors.New("the disk is full")
	// ErrForbidden: the file or its folder may not be written.
	ErrForbidden = errors.New("the database may not be written")
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: there is such a row already.
	ErrExists = errors.New("exists already")
)

// codes are what the kinds are to a person.
var codes = map[error]failure.Code{
	ErrCorrupt: failure.StateDamaged, ErrLocked: failure.StateLocked, ErrNewer: failure.StateNewer, ErrFull: failure.DiskFull,
}

// Error is a failure of the database.
type Error struct {
	Op   string // what was tried
	Path string
	Kind error // one of the sentinels, nil where none fits
	Err  error // what SQLite or the system said
}

// Error says what was tried and what came of it.
func (e *Error) Error() string {
	if e.Kind == nil || errors.Is(e.Err, e.Kind) { // then it says so itself
		return fmt.Sprintf("%s %s: %v", e.Op, e.Path, e.Err)
	}
	return fmt.Sprintf("%s %s: %v: %v", e.Op, e.Path, e.Kind, e.Err)
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// Code is that of the registry, which has the remedy.
func (e *Error) Code() failure.Code {
	if code, ok := codes[e.Kind]; ok {
		return code
	}
	return failure.StateUnusable
}

// kindOf tells a failure by SQLite's primary result code (the low byte of the
// extended code, https://www.sqlite.org/rescode.html) or the system's error.
func kindOf(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return ErrForbidden
	}
	var sqliteErr *sqlite.Error
	if !errors.As(err, &sqliteErr) {
		return nil
	}
	if sqliteErr.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
		return ErrFull // the -shm file could not be made as large as it must be
	}
	switch sqliteErr.Code() & 0xFF {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrCorrupt
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrLocked
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return ErrForbidden
	case sqlite3.SQLITE_CONSTRAINT:
		return ErrExists
	}
	return nil
}
