package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// PutLease writes a lease, and its fence number if that is the highest there
// was. Written again, what callers see of it is replaced and nothing else. It
// outlives a killed daemon, not a power cut.
func (s *Store) PutLease(ctx context.Context, record Lease) error {
	text, err := json.Marshal(&record.Lease)
	if err != nil {
		return s.fail("write lease in", err)
	}
	// The fence number is a trigger's, so that one statement is the whole
	// transaction.
	err = s.commit(ctx, `INSERT INTO leases (id, fence, json, token_id, name, user_id, expires_at, ttl, keep, sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET json = excluded.json`,
		record.ID, record.Fence, text, record.Owner.TokenID, record.Owner.Name, record.Owner.UserID, toMicros(record.Expires), int64(record.TTL), record.Keep, record.Token[:])
	return s.fail("write lease in", err)
}

// DeleteLease forgets a lease; one that is not there is forgotten already.
func (s *Store) DeleteLease(ctx context.Context, id string) error {
	return s.fail("forget lease in", s.commit(ctx, `DELETE FROM leases WHERE id = ?`, id))
}

// Leases reads all leases that are kept, in the order of their fence numbers,
// and the highest fence number there ever was.
func (s *Store) Leases(ctx context.Context) (records []Lease, fence uint64, err error) {
	err = inTransaction(ctx, s.reads, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT number FROM fence`).Scan(&fence); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT json, token_id, name, user_id, expires_at, ttl, keep, sha256 FROM leases ORDER BY fence`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			record, err := scanLease(rows)
			if err != nil {
				return err
			}
			records = append(records, record)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, 0, s.fail("read leases in", err)
	}
	return records, fence, nil
}

func scanLease(rows *sql.Rows) (Lease, error) {
	var record Lease
	var text, sum []byte
	var expires, ttl int64
	if err := rows.Scan(&text, &record.Owner.TokenID, &record.Owner.Name, &record.Owner.UserID, &expires, &ttl, &record.Keep, &sum); err != nil {
		return Lease{}, err
	}
	if err := json.Unmarshal(text, &record.Lease); err != nil {
		return Lease{}, fmt.Errorf("%w: a lease is no JSON: %w", ErrCorrupt, err)
	}
	record.Owner.Lease = record.ID
	record.Expires, record.TTL, record.Token = fromMicros(expires), time.Duration(ttl), [sha256.Size]byte(sum)
	return record, nil
}
