package store

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
)

func TestATokenOutlivesARestartAndItsSecretIsNowhere(t *testing.T) {
	dir := t.TempDir()
	clock := newClock()
	first, err := Open(t.Context(), Options{Dir: dir, Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	made, err := first.CreateToken(t.Context(), "1000", "ci", []contract.Right{contract.RightRead, contract.RightLease}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.TouchToken(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{first.Path(), first.Path() + "-wal"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(made.Secret)) || bytes.Contains(content, []byte(strings.TrimPrefix(made.Secret, SecretPrefix))) {
			t.Errorf("the secret is in %s", file)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	s := open(t, Options{Dir: dir, Now: clock.now})
	got, ok := s.Token([]byte(made.Secret))
	if !ok || got.ID != made.ID || got.Name != "ci" || got.User != "1000" || len(got.Rights) != 2 || got.Rights[1] != contract.RightLease ||
		!got.ExpiresAt.Equal(made.ExpiresAt) || !got.LastUsedAt.Equal(clock.t) {
		t.Errorf("found %v %+v, made %+v", ok, got, made.Token)
	}
	for _, wrong := range []string{"", made.Secret[1:], made.Secret + "x", made.ID} {
		if _, ok := s.Token([]byte(wrong)); ok {
			t.Errorf("%q is taken for a secret", wrong)
		}
	}
}

func TestAnExpiredTokenIsNoneAndGivesItsNameUp(t *testing.T) {
	clock := newClock()
	s := open(t, Options{Now: clock.now})
	old, err := s.CreateToken(t.Context(), "", "ci", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateToken(t.Context(), "", "ci", nil, time.Hour); !errors.Is(err, ErrExists) {
		t.Fatalf("a name used twice: %v", err)
	}
	clock.t = clock.t.Add(time.Hour)
	if _, ok := s.Token([]byte(old.Secret)); ok {
		t.Error("it is still good when its time is up")
	}
	fresh, err := s.CreateToken(t.Context(), "", "ci", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	clock.t = clock.t.AddDate(50, 0, 0)
	if _, ok := s.Token([]byte(fresh.Secret)); !ok {
		t.Error("a token without expiry expired")
	}
	if list := s.Tokens(); len(list) != 1 || list[0].ID != fresh.ID {
		t.Errorf("listed %v", list)
	}
}

func TestARevokedTokenIsGoneForGood(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	byName, err := s.CreateToken(t.Context(), "", "one", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	byID, err := s.CreateToken(t.Context(), "", "two", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, which := range []string{"one", byID.ID} {
		if err := s.RevokeToken(t.Context(), which); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RevokeToken(t.Context(), "one"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
	again := open(t, Options{Dir: dir})
	for _, made := range []contract.NewToken{byName, byID} {
		for _, store := range []*Store{s, again} {
			if _, ok := store.Token([]byte(made.Secret)); ok {
				t.Errorf("%s is still good", made.Name)
			}
		}
	}
	if err := s.TouchToken(t.Context(), byID.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("touched a revoked token: %v", err)
	}
}

func TestTheCallerCannotChangeATokenInTheStore(t *testing.T) {
	s := open(t, Options{})
	made, err := s.CreateToken(t.Context(), "", "ci", []contract.Right{contract.RightRead}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := s.Token([]byte(made.Secret))
	got.Rights[0] = contract.RightAdmin
	s.Tokens()[0].Rights[0] = contract.RightAdmin
	made.Rights[0] = contract.RightAdmin
	if got, _ := s.Token([]byte(made.Secret)); got.Rights[0] != contract.RightRead {
		t.Errorf("its rights are now %v", got.Rights)
	}
}

// Safe and fast commits are told apart by the pragma of their connection.
func TestTokensAreSyncedAndEventsAreNot(t *testing.T) {
	s := open(t, Options{})
	const normal, full = 1, 2
	var fast, safe int
	if err := s.fast.QueryRow("PRAGMA synchronous").Scan(&fast); err != nil || fast != normal {
		t.Errorf("events: synchronous %d, %v", fast, err)
	}
	if err := s.safe.QueryRow("PRAGMA synchronous").Scan(&safe); err != nil || safe != full {
		t.Errorf("tokens: synchronous %d, %v", safe, err)
	}
}
