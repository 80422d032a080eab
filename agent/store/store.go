package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// FileName is the database's name in the state folder.
const FileName = "authbridge.db"

// Options say where the database is.
type Options struct {
	// Dir is the state folder; it is made, for this user alone, if missing.
	Dir string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Keep is how many events the journal keeps at least; 0 is 10,000.
	Keep int
}

// Store is the open database. Its methods may be called concurrently.
//
// SQLite's synchronous pragma belongs to a connection, so there are two
// writing ones: fast (NORMAL) does not wait for the disk at a commit, which
// survives a killed daemon but not a power cut; safe (FULL) survives both.
// Each is a pool of one, and both take turns, so our own writers queue in Go and
// not in SQLite.
type Store struct {
	path string
	now  func() time.Time

	fast  writer
	safe  writer
	reads *sql.DB

	journal  journal
	tokens   tokenCache
	putLogin *sql.Stmt // on fast: a run is written at each step
}

// Open opens the database, makes it where there is none, and brings an older
// one up to date.
func Open(ctx context.Context, options Options) (*Store, error) {
	s := &Store{
		path: filepath.Join(options.Dir, FileName),
		now:  options.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.journal.keep = options.Keep
	if s.journal.keep == 0 {
		s.journal.keep = defaultKeep
	}
	if err := s.prepareFile(options.Dir); err != nil {
		return nil, s.fail("open", err)
	}
	turn := make(chan struct{}, 1)
	s.safe = writer{s.pool("FULL", "IMMEDIATE", 1), turn}
	s.fast = writer{s.pool("NORMAL", "IMMEDIATE", 1), turn}
	s.reads = s.pool("NORMAL", "DEFERRED", 4)
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if err := migrate(ctx, s.safe.DB); err != nil {
		return s.fail("open", err)
	}
	if err := s.startJournal(ctx); err != nil {
		return s.fail("read", err)
	}
	if err := s.loadTokens(ctx); err != nil {
		return s.fail("read", err)
	}
	var err error
	s.putLogin, err = s.fast.PrepareContext(ctx, writeLogin)
	return s.fail("read", err)
}

// prepareFile makes the file before SQLite does, with the rights it shall
// have; SQLite gives the -wal and -shm files the rights of the main file.
func (s *Store) prepareFile(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Chmod(0o600), file.Close())
}

func (s *Store) pool(synchronous, lock string, size int) *sql.DB {
	// SQLITE_BUSY is answered after 2 s: only another process can cause it.
	query := url.Values{
		"_txlock": {strings.ToLower(lock)},
		"_pragma": {
			"busy_timeout(2000)", "journal_mode(WAL)", "foreign_keys(1)",
			"synchronous(" + synchronous + ")",
		},
	}
	path := filepath.ToSlash(s.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/...
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		panic("store: the sqlite driver is linked but not registered: " + err.Error())
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

// Close ends all use of the database and folds its log back into the file.
func (s *Store) Close() error {
	s.closeStatements()
	return errors.Join(s.reads.Close(), s.fast.Close(), s.safe.Close())
}

// Path is where the database is.
func (s *Store) Path() string { return s.path }

func (s *Store) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	kind := kindOf(err)
	for _, own := range []error{ErrForeign, ErrNewer, ErrNotFound, ErrExists} {
		if errors.Is(err, own) {
			return &Error{Op: op, Path: s.path, Err: err, Kind: own}
		}
	}
	return &Error{Op: op, Path: s.path, Kind: kind, Err: err}
}

// commit writes with one statement, without waiting for the disk. It is not cut short by ctx: a commit takes
// microseconds, and one that carries a context costs a goroutine.
func (s *Store) commit(ctx context.Context, statement string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := s.fast.ExecContext(context.WithoutCancel(ctx), statement, args...)
	return err
}

// inTransaction runs do in one transaction of db.
func inTransaction(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Times are kept as microseconds; the zero time is 0.
func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func quoted(name string) string { return fmt.Sprintf("%q", name) }
