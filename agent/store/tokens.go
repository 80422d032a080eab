package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"authbridge/agent/contract"
)

const (
	// secretOctets of randomness need no slow hash: nobody guesses 256 bits.
	secretOctets = 32
	// SecretPrefix makes a token known to people and to secret scanners.
	SecretPrefix = "authbridge_"
	// usedEvery bounds how often the last use of a token is written.
	usedEvery = time.Minute
)

// tokenCache answers every request's question without touching the disk. It is
// the truth because the database has one writer.
type tokenCache struct {
	mu     sync.RWMutex
	bySum  map[[sha256.Size]byte]*contract.Token
	usedAt map[string]time.Time // last use written, by id
}

func (s *Store) loadTokens(ctx context.Context) error {
	s.tokens.bySum = make(map[[sha256.Size]byte]*contract.Token)
	s.tokens.usedAt = make(map[string]time.Time)
	rows, err := s.reads.QueryContext(ctx,
		`SELECT id, name, user_id, sha256, rights, created_at, expires_at, last_used_at FROM tokens`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var token contract.Token
		var sum []byte
		var rights string
		var created, expires, used int64
		if err := rows.Scan(&token.ID, &token.Name, &token.User, &sum, &rights, &created, &expires, &used); err != nil {
			return err
		}
		token.Rights = splitRights(rights)
		token.CreatedAt, token.ExpiresAt, token.LastUsedAt = fromMicros(created), fromMicros(expires), fromMicros(used)
		s.tokens.bySum[[sha256.Size]byte(sum)] = &token
	}
	return rows.Err()
}

// CreateToken makes a token of a user (empty: of nobody in particular) that
// expires after ttl (0: never). The answer is
// the only place where its secret ever is. A name that a living token has is
// refused with ErrExists; an expired one gives its name up.
func (s *Store) CreateToken(ctx context.Context, user, name string, rights []contract.Right, ttl time.Duration) (contract.NewToken, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	token := contract.Token{ID: newTokenID(), Name: name, User: user, Rights: slices.Clone(rights), CreatedAt: now}
	if ttl > 0 {
		token.ExpiresAt = now.Add(ttl)
	}
	random := make([]byte, secretOctets)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	secret := SecretPrefix + base64.RawURLEncoding.EncodeToString(random)
	sum := sha256.Sum256([]byte(secret))

	err := s.safe.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE name = ? AND expires_at > 0 AND expires_at <= ?`, name, toMicros(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx,
			`INSERT INTO tokens (id, name, user_id, sha256, rights, created_at, expires_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0)`,
			token.ID, name, user, sum[:], joinRights(rights), toMicros(now), toMicros(token.ExpiresAt))
		return err
	})
	if err != nil {
		return contract.NewToken{}, s.fail("make token "+quoted(name)+" in", err)
	}
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	for old, t := range s.tokens.bySum {
		if t.Name == name {
			delete(s.tokens.bySum, old)
		}
	}
	s.tokens.bySum[sum] = &token
	return contract.NewToken{Token: copyToken(&token), Secret: secret}, nil
}

// Token finds the living token with that secret. It reads no disk. The look-up
// is by hash, so its time tells nothing about a secret.
func (s *Store) Token(secret []byte) (contract.Token, bool) {
	sum := sha256.Sum256(secret)
	s.tokens.mu.RLock()
	defer s.tokens.mu.RUnlock()
	token, ok := s.tokens.bySum[sum]
	if !ok || expired(token, s.now()) {
		return contract.Token{}, false
	}
	return copyToken(token), true
}

// TouchToken notes that a token was used now; it writes at most once a minute
// for each, and does not wait for the disk.
func (s *Store) TouchToken(ctx context.Context, id string) error {
	now := s.now()
	s.tokens.mu.Lock()
	if now.Sub(s.tokens.usedAt[id]) < usedEvery {
		s.tokens.mu.Unlock()
		return nil
	}
	known := false
	for _, token := range s.tokens.bySum {
		if token.ID == id {
			known, token.LastUsedAt = true, now.UTC().Truncate(time.Microsecond)
		}
	}
	if known {
		s.tokens.usedAt[id] = now
	}
	s.tokens.mu.Unlock()
	if !known {
		return s.fail("touch token in", ErrNotFound)
	}
	_, err := s.fast.ExecContext(ctx, `UPDATE tokens SET last_used_at = ? WHERE id = ?`, toMicros(now), id)
	return s.fail("touch token in", err)
}

// Tokens lists all tokens, expired ones too, oldest first.
func (s *Store) Tokens() []contract.Token {
	s.tokens.mu.RLock()
	defer s.tokens.mu.RUnlock()
	list := make([]contract.Token, 0, len(s.tokens.bySum))
	for _, token := range s.tokens.bySum {
		list = append(list, copyToken(token))
	}
	slices.SortFunc(list, func(a, b contract.Token) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// RevokeToken ends the token with that id or name, at once and for good. The
// leases that it took expire with it, so that a daemon that is killed before it
// has ended them does not go on with them.
func (s *Store) RevokeToken(ctx context.Context, idOrName string) error {
	// The memory first: a token revoked while the disk is full is revoked
	// until the next start, and the error says that it is not for good.
	s.tokens.mu.Lock()
	found := false
	for sum, token := range s.tokens.bySum {
		if token.ID == idOrName || token.Name == idOrName {
			found = true
			delete(s.tokens.bySum, sum)
			delete(s.tokens.usedAt, token.ID)
		}
	}
	s.tokens.mu.Unlock()
	err := s.safe.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE leases SET expires_at = ?2
			WHERE token_id IN (SELECT id FROM tokens WHERE id = ?1 OR name = ?1)`, idOrName, toMicros(s.now())); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE id = ?1 OR name = ?1`, idOrName)
		if err != nil {
			return err
		}
		if rows, err := result.RowsAffected(); err == nil && rows == 0 && !found {
			return ErrNotFound
		}
		return nil
	})
	return s.fail("revoke token in", err)
}

func expired(token *contract.Token, now time.Time) bool {
	return !token.ExpiresAt.IsZero() && !now.Before(token.ExpiresAt)
}

func copyToken(token *contract.Token) contract.Token {
	t := *token
	t.Rights = slices.Clone(token.Rights)
	return t
}

func newTokenID() string {
	id := make([]byte, 6)
	_, _ = rand.Read(id)
	return "token-" + hex.EncodeToString(id)
}

func joinRights(rights []contract.Right) string {
	words := make([]string, len(rights))
	for i, r := range rights {
		words[i] = string(r)
	}
	return strings.Join(words, ",")
}

func splitRights(text string) []contract.Right {
	rights := []contract.Right{}
	for word := range strings.SplitSeq(text, ",") {
		if word != "" {
			rights = append(rights, contract.Right(word))
		}
	}
	return rights
}
