package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"authbridge/agent/contract"
)

// keepProofs is far more authenticators and users than a machine has; virtual
// keys that come and go would fill the table otherwise.
const keepProofs = 1000

const writeProof = `INSERT INTO proofs (authenticator, target, user, at, json) VALUES (?, ?, ?, ?, ?)
	ON CONFLICT (authenticator, target, user) DO UPDATE SET at = excluded.at, json = excluded.json WHERE excluded.at >= proofs.at`

const pruneProofs = `DELETE FROM proofs WHERE at < (SELECT at FROM proofs ORDER BY at DESC LIMIT 1 OFFSET ?)`

// putEnd writes a login run that is over, with what it has shown of its
// authenticator: both or neither.
func (s *Store) putEnd(ctx context.Context, run []any, proof *contract.Proof) error {
	return s.safe.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, writeLogin, run...); err != nil {
			return err
		}
		if proof == nil {
			return nil
		}
		text, err := json.Marshal(proof)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, writeProof, proof.Authenticator, proof.Target, proof.User, toMicros(proof.At), text); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, pruneProofs, keepProofs-1)
		return err
	})
}

// Proofs reads what login runs have shown, the oldest first.
func (s *Store) Proofs(ctx context.Context) ([]contract.Proof, error) {
	return query(ctx, s, func(rows *sql.Rows) (proof contract.Proof, err error) {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return proof, err
		}
		if err := json.Unmarshal(text, &proof); err != nil {
			return proof, fmt.Errorf("%w: a proof is no JSON: %w", ErrCorrupt, err)
		}
		return proof, nil
	}, `SELECT json FROM proofs ORDER BY at, authenticator, target, user`)
}
