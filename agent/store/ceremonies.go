package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"authbridge/agent/contract"
)

// PutBlock writes that a source's PIN is not to be sent to an authenticator any
// more. It outlives a power cut, as all that keeps a PIN from being tried twice
// must.
func (s *Store) PutBlock(ctx context.Context, block contract.PINBlock) error {
	_, err := s.safe.ExecContext(ctx, `INSERT INTO pin_blocks (authenticator, source, at) VALUES (?, ?, ?)
		ON CONFLICT (authenticator, source) DO UPDATE SET at = excluded.at`,
		block.Authenticator, block.Source, toMicros(block.At))
	return s.fail("write PIN block in", err)
}

// DeleteBlock clears one source at an authenticator.
func (s *Store) DeleteBlock(ctx context.Context, authenticator, source string) error {
	_, err := s.safe.ExecContext(ctx, `DELETE FROM pin_blocks WHERE authenticator = ? AND source = ?`, authenticator, source)
	return s.fail("clear PIN block in", err)
}

// DeleteBlocks clears all sources at an authenticator.
func (s *Store) DeleteBlocks(ctx context.Context, authenticator string) error {
	_, err := s.safe.ExecContext(ctx, `DELETE FROM pin_blocks WHERE authenticator = ?`, authenticator)
	return s.fail("clear PIN blocks in", err)
}

// Blocks lists all that are blocked, oldest first.
func (s *Store) Blocks(ctx context.Context) ([]contract.PINBlock, error) {
	return query(ctx, s, func(rows *sql.Rows) (contract.PINBlock, error) {
		var block contract.PINBlock
		var at int64
		err := rows.Scan(&block.Authenticator, &block.Source, &at)
		block.At = fromMicros(at)
		return block, err
	}, `SELECT authenticator, source, at FROM pin_blocks ORDER BY at, authenticator, source`)
}

// PutTrace adds what a lease is about to leave in an authenticator. It outlives
// a power cut, because what it tells of does too.
func (s *Store) PutTrace(ctx context.Context, trace Trace) error {
	user := trace.User
	if user == nil {
		user = []byte{} // nil is NULL
	}
	_, err := s.safe.ExecContext(ctx, `INSERT INTO traces (lease, authenticator, verified, rp_id, user, at) VALUES (?, ?, ?, ?, ?, ?)`,
		trace.Lease, trace.Authenticator, trace.Verified, trace.RPID, user, toMicros(trace.At))
	return s.fail("write trace in", err)
}

// DeleteTraces forgets what a lease left. That of a credential stays forgotten
// after a power cut: the same one may be somebody's by then. That of a PIN does
// not wait for the disk: to close a card once more harms nobody.
func (s *Store) DeleteTraces(ctx context.Context, lease string) error {
	var credentials bool
	err := s.reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM traces WHERE lease = ? AND rp_id <> '')`, lease).Scan(&credentials)
	const statement = `DELETE FROM traces WHERE lease = ?`
	switch {
	case err != nil:
	case credentials:
		_, err = s.safe.ExecContext(ctx, statement, lease)
	default:
		err = s.commit(ctx, statement, lease)
	}
	return s.fail("forget traces in", err)
}

// Traces lists what a lease left, in the order in which it was written.
func (s *Store) Traces(ctx context.Context, lease string) ([]Trace, error) {
	return query(ctx, s, func(rows *sql.Rows) (Trace, error) {
		trace := Trace{Lease: lease}
		var at int64
		err := rows.Scan(&trace.Authenticator, &trace.Verified, &trace.RPID, &trace.User, &at)
		trace.At = fromMicros(at)
		return trace, err
	}, `SELECT authenticator, verified, rp_id, user, at FROM traces WHERE lease = ? ORDER BY n`, lease)
}

// PutCeremony writes the state of a ceremony, without what is its owner's
// alone, and forgets it once it is over. It outlives a killed daemon, not a
// power cut.
func (s *Store) PutCeremony(ctx context.Context, ceremony contract.Ceremony) error {
	if ceremony.State.Over() {
		return s.fail("forget ceremony in", s.commit(ctx, `DELETE FROM ceremonies WHERE id = ?`, ceremony.ID))
	}
	ceremony.Prompt, ceremony.Problem, ceremony.Result = nil, nil, nil
	text, err := json.Marshal(&ceremony)
	if err == nil {
		err = s.commit(ctx, `INSERT INTO ceremonies (id, json) VALUES (?, ?)
			ON CONFLICT (id) DO UPDATE SET json = excluded.json`, ceremony.ID, text)
	}
	return s.fail("write ceremony in", err)
}

// Ceremonies lists those that are not over, in the order in which they began.
func (s *Store) Ceremonies(ctx context.Context) ([]contract.Ceremony, error) {
	return query(ctx, s, func(rows *sql.Rows) (ceremony contract.Ceremony, err error) {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return ceremony, err
		}
		if err := json.Unmarshal(text, &ceremony); err != nil {
			return ceremony, fmt.Errorf("%w: a ceremony is no JSON: %w", ErrCorrupt, err)
		}
		return ceremony, nil
	}, `SELECT json FROM ceremonies ORDER BY rowid`)
}

// query reads all rows of a statement.
func query[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), statement string, args ...any) ([]T, error) {
	rows, err := s.reads.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, s.fail("read", err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, s.fail("read", err)
		}
		all = append(all, one)
	}
	return all, s.fail("read", rows.Err())
}
