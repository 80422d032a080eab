package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file as ours ("autb", PRAGMA application_id).
const applicationID = 0x61757462

// migrate brings the schema to the newest version, forward only. The version
// is the number of migrations applied, kept in PRAGMA user_version; a database
// that is further than this program is refused and left as it is.
func migrate(ctx context.Context, db *sql.DB) error {
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted by number
	if err != nil {
		return err
	}
	return inTransaction(ctx, db, func(tx *sql.Tx) error {
		version, err := identify(ctx, tx)
		if err != nil {
			return err
		}
		if version > len(names) {
			return fmt.Errorf("%w: schema %d, this program knows %d", ErrNewer, version, len(names))
		}
		for i := version; i < len(names); i++ {
			script, err := migrations.ReadFile(names[i])
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, string(script)); err != nil {
				return fmt.Errorf("%s: %w", names[i], err)
			}
		}
		if version == len(names) {
			return nil
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(names)))
		return err
	})
}

// identify reads the schema version, and refuses a database with content that
// another program made.
func identify(ctx context.Context, tx *sql.Tx) (version int, err error) {
	var app, objects int
	for _, q := range []struct {
		query string
		into  *int
	}{
		{"PRAGMA user_version", &version},
		{"PRAGMA application_id", &app},
		{"SELECT count(*) FROM sqlite_schema", &objects},
	} {
		if err := tx.QueryRowContext(ctx, q.query).Scan(q.into); err != nil {
			return 0, err
		}
	}
	if app != applicationID && (objects > 0 || app != 0 || version != 0) {
		return 0, fmt.Errorf("%w: application id %#x", ErrForeign, app)
	}
	return version, nil
}
