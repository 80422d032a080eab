package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"authbridge/agent/contract"
)

const (
	// defaultKeep is how many events a client can be behind and still resume
	// (DESIGN 5.2).
	defaultKeep = 10_000
	// pruneEvery spreads the cost of deleting: the journal holds up to that
	// many events more than it must.
	pruneEvery = 256
)

// journal is what the writer of events remembers. mu is held for one append:
// the fast pool has one connection anyhow.
type journal struct {
	keep int

	mu     sync.Mutex
	n      int64 // last row
	pruned int64 // n at the last pruning
	last   contract.EventID
	insert *sql.Stmt
}

func (s *Store) startJournal(ctx context.Context) error {
	j := &s.journal
	err := s.fast.QueryRowContext(ctx, `SELECT n, epoch, seq FROM events ORDER BY n DESC LIMIT 1`).
		Scan(&j.n, &j.last.Epoch, &j.last.Seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	j.pruned = j.n
	j.insert, err = s.fast.PrepareContext(ctx, `INSERT INTO events (n, epoch, seq, type, at, json) VALUES (?, ?, ?, ?, ?, ?)`)
	return err
}

func (s *Store) closeStatements() {
	for _, statement := range []*sql.Stmt{s.journal.insert, s.putLogin} {
		if statement != nil {
			_ = statement.Close() // its connection is closed next
		}
	}
}

// BeginEpoch starts a new epoch, greater than every one before. It is the
// clock in milliseconds where that is greater, so that ids stay unique and
// ordered even if the database was lost in between.
func (s *Store) BeginEpoch(ctx context.Context) (uint64, error) {
	started := s.now()
	epoch := uint64(max(started.UnixMilli(), 1))
	err := s.safe.transaction(ctx, func(tx *sql.Tx) error {
		var last uint64
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(epoch), 0) FROM epochs`).Scan(&last); err != nil {
			return err
		}
		epoch = max(epoch, last+1)
		_, err := tx.ExecContext(ctx, `INSERT INTO epochs (epoch, started_at) VALUES (?, ?)`, epoch, toMicros(started))
		return err
	})
	return epoch, s.fail("write", err)
}

// Append writes events in one transaction, in their order. When it returns
// nil they outlive a killed daemon (not a power cut: synchronous=NORMAL).
// Where a former append failed, the hole is remembered, so that nobody resumes
// over it unawares.
func (s *Store) Append(events []contract.Event) error {
	if len(events) == 0 {
		return nil
	}
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	j := &s.journal
	n, pruned, last := j.n, j.pruned, j.last
	// No context: a commit takes microseconds, and one that carries a context
	// costs a goroutine.
	ctx := context.Background()
	err := s.fast.transaction(ctx, func(tx *sql.Tx) error {
		insert := tx.StmtContext(ctx, j.insert)
		for i := range events {
			id, err := contract.ParseEventID(events[i].ID)
			if err != nil {
				return err
			}
			if missing(last, id) {
				if err := setLost(ctx, tx, contract.EventID{Epoch: id.Epoch, Seq: id.Seq - 1}); err != nil {
					return err
				}
			}
			text, err := json.Marshal(&events[i])
			if err != nil {
				return fmt.Errorf("event %s: %w", id, err)
			}
			n++
			if _, err := insert.ExecContext(ctx, n, id.Epoch, id.Seq, string(events[i].Type), toMicros(events[i].At), text); err != nil {
				return err
			}
			last = id
		}
		if n-pruned < pruneEvery && n-pruned < int64(j.keep) {
			return nil
		}
		pruned = n
		return prune(ctx, tx, n-int64(j.keep))
	})
	if err != nil {
		return s.fail("write", err)
	}
	j.n, j.pruned, j.last = n, pruned, last
	return nil
}

// missing reports whether events between last and id were never written.
func missing(last, id contract.EventID) bool {
	if last.Epoch == id.Epoch {
		return id.Seq > last.Seq+1
	}
	return id.Seq > 1
}

// prune deletes the rows up to n. It is cheap: a range of the primary key.
func prune(ctx context.Context, tx *sql.Tx, n int64) error {
	if n <= 0 {
		return nil
	}
	var id contract.EventID
	err := tx.QueryRowContext(ctx, `SELECT epoch, seq FROM events WHERE n <= ? ORDER BY n DESC LIMIT 1`, n).Scan(&id.Epoch, &id.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := setLost(ctx, tx, id); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM events WHERE n <= ?`, n); err != nil {
		return err
	}
	// Nobody can resume from an epoch that ended before what is kept.
	_, err = tx.ExecContext(ctx, `DELETE FROM epochs WHERE epoch < ?`, id.Epoch)
	return err
}

func setLost(ctx context.Context, tx *sql.Tx, id contract.EventID) error {
	_, err := tx.ExecContext(ctx, `UPDATE lost_through SET epoch = ?1, seq = ?2 WHERE (epoch, seq) < (?1, ?2)`, id.Epoch, id.Seq)
	return err
}

// EventsAfter reads up to limit events that came after id, in order. complete
// is false if some that came after id are no longer known, or id is of an
// epoch this database has never seen; then there are no events, and the reader
// must start from a snapshot.
func (s *Store) EventsAfter(ctx context.Context, id contract.EventID, limit int) (events []contract.Event, complete bool, err error) {
	err = inTransaction(ctx, s.reads, func(tx *sql.Tx) error {
		const known = `SELECT EXISTS (SELECT 1 FROM epochs WHERE epoch = ?1)
			AND (?1, ?2) >= (SELECT epoch, seq FROM lost_through)`
		if err := tx.QueryRowContext(ctx, known, id.Epoch, id.Seq).Scan(&complete); err != nil || !complete {
			return err
		}
		rows, err := tx.QueryContext(ctx,
			`SELECT json FROM events WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?`, id.Epoch, id.Seq, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		events, err = scanEvents(rows)
		return err
	})
	if err != nil {
		return nil, false, s.fail("read", err)
	}
	return events, complete, nil
}

// LastEvents reads the newest events, at most so many, in order: of former epochs
// too.
func (s *Store) LastEvents(ctx context.Context, most int) (events []contract.Event, err error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT json FROM (SELECT n, json FROM events ORDER BY n DESC LIMIT ?) ORDER BY n`, most)
	if err != nil {
		return nil, s.fail("read", err)
	}
	defer rows.Close()
	events, err = scanEvents(rows)
	return events, s.fail("read", err)
}

func scanEvents(rows *sql.Rows) (events []contract.Event, err error) {
	var text sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		var event contract.Event
		if err := json.Unmarshal(text, &event); err != nil {
			return nil, fmt.Errorf("%w: an event is no JSON: %w", ErrCorrupt, err)
		}
		events = append(events, event)
	}
	return events, rows.Err()
}
