package store

import (
	"context"
	"database/sql"
	"errors"
)

// Setting reads a value; ErrNotFound if there is none.
func (s *Store) Setting(ctx context.Context, bucket, key string) ([]byte, error) {
	var value []byte
	err := s.reads.QueryRowContext(ctx, `SELECT value FROM settings WHERE bucket = ? AND key = ?`, bucket, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return value, s.fail("read "+quoted(bucket+"/"+key)+" in", err)
}

// Settings reads all values of a bucket, by key.
func (s *Store) Settings(ctx context.Context, bucket string) (map[string][]byte, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT key, value FROM settings WHERE bucket = ?`, bucket)
	if err != nil {
		return nil, s.fail("read", err)
	}
	defer rows.Close()
	values := make(map[string][]byte)
	for rows.Next() {
		var key string
		var value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return nil, s.fail("read", err)
		}
		values[key] = value
	}
	return values, s.fail("read", rows.Err())
}

// SetSetting writes a value; nil deletes it. It outlives a killed daemon, not
// a power cut.
func (s *Store) SetSetting(ctx context.Context, bucket, key string, value []byte) error {
	query, args := `INSERT INTO settings (bucket, key, value) VALUES (?, ?, ?)
		ON CONFLICT (bucket, key) DO UPDATE SET value = excluded.value`, []any{bucket, key, value}
	if value == nil {
		query, args = `DELETE FROM settings WHERE bucket = ? AND key = ?`, args[:2]
	}
	_, err := s.fast.ExecContext(ctx, query, args...)
	return s.fail("write "+quoted(bucket+"/"+key)+" in", err)
}
