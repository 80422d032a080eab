package store

import (
	"context"
	"database/sql"
)

// writer is a connection that writes. All writers of a store take turns here:
// where two meet in SQLite, one of them sleeps for whole milliseconds before it
// looks again (sqlite3_busy_timeout).
type writer struct {
	*sql.DB
	turn chan struct{} // of one place, for all of them
}

// ExecContext writes with one statement.
func (w writer) ExecContext(ctx context.Context, statement string, args ...any) (result sql.Result, err error) {
	err = w.inTurn(ctx, func() error {
		result, err = w.DB.ExecContext(ctx, statement, args...)
		return err
	})
	return result, err
}

// transaction runs do in one transaction.
func (w writer) transaction(ctx context.Context, do func(*sql.Tx) error) error {
	return w.inTurn(ctx, func() error { return inTransaction(ctx, w.DB, do) })
}

func (w writer) inTurn(ctx context.Context, do func() error) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	return do()
}
