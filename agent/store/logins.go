package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// PutLogin writes a login run as far as it has come. One that is under way
// outlives a killed daemon; one that is over is evidence, and outlives a power
// cut.
func (s *Store) PutLogin(ctx context.Context, record Login) error {
	text, err := json.Marshal(&record.Login)
	if err != nil {
		return s.fail("write login run in", err)
	}
	args := []any{record.ID, toMicros(record.StartedAt), toMicros(record.EndedAt), record.Owner.TokenID, record.Owner.Name, record.Suite, text}
	if record.State.Over() {
		err = s.putEnd(ctx, args, record.Proof)
	} else if err = ctx.Err(); err == nil {
		err = s.fast.inTurn(ctx, func() error {
			_, err := s.putLogin.ExecContext(context.WithoutCancel(ctx), args...) // as commit does
			return err
		})
	}
	return s.fail("write login run in", err)
}

const writeLogin = `INSERT INTO logins (id, started_at, ended_at, token_id, name, suite, json) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, json = excluded.json`

const selectLogins = `SELECT json, token_id, name FROM logins `

// Login reads a login run; ErrNotFound where there is none of that id.
func (s *Store) Login(ctx context.Context, id string) (Login, error) {
	all, err := query(ctx, s, scanLogin, selectLogins+`WHERE id = ?`, id)
	if err == nil && len(all) == 0 {
		return Login{}, s.fail("read login run in", ErrNotFound)
	}
	if err != nil {
		return Login{}, err
	}
	return all[0], nil
}

// Logins reads the newest login runs, the newest first.
func (s *Store) Logins(ctx context.Context, most int) ([]Login, error) {
	return query(ctx, s, scanLogin, selectLogins+`ORDER BY started_at DESC, id DESC LIMIT ?`, most)
}

// LoginSuite reads the runs that were asked for together, in the order in which
// they were, without their steps.
func (s *Store) LoginSuite(ctx context.Context, suite string) ([]Login, error) {
	return query(ctx, s, scanHead, selectLogins+`WHERE suite = ? AND suite <> '' ORDER BY rowid`, suite)
}

// UnfinishedLogins reads those that are not over, the oldest first.
func (s *Store) UnfinishedLogins(ctx context.Context) ([]Login, error) {
	return query(ctx, s, scanLogin, selectLogins+`WHERE ended_at = 0 ORDER BY started_at, id`)
}

// PruneLogins forgets runs that are over: all but the newest so many, and those
// that began before a time. It says how many it forgot.
func (s *Store) PruneLogins(ctx context.Context, keep int, before time.Time) (forgotten int64, err error) {
	result, err := s.fast.ExecContext(ctx, `DELETE FROM logins WHERE ended_at > 0 AND (started_at < ?
		OR id NOT IN (SELECT id FROM logins ORDER BY started_at DESC, id DESC LIMIT ?))`, toMicros(before), keep)
	if err == nil {
		forgotten, err = result.RowsAffected()
	}
	return forgotten, s.fail("forget login runs in", err)
}

func scanLogin(rows *sql.Rows) (Login, error) {
	var record Login
	var text sql.RawBytes
	if err := rows.Scan(&text, &record.Owner.TokenID, &record.Owner.Name); err != nil {
		return Login{}, err
	}
	if err := json.Unmarshal(text, &record.Login); err != nil {
		return Login{}, fmt.Errorf("%w: a login run is no JSON: %w", ErrCorrupt, err)
	}
	return record, nil
}

// scanHead leaves the steps out: those of a suite are megabytes.
func scanHead(rows *sql.Rows) (Login, error) {
	record, err := scanLogin(rows)
	record.Steps = nil
	return record, err
}
