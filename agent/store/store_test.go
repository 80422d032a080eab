package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store that the end of the test closes.
func open(t testing.TB, options Options) *Store {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	s, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestTheDatabaseIsForItsUserAlone(t *testing.T) {
	name := "a folder?#%41"
	if runtime.GOOS == "windows" { // where no file has a question mark
		name = "a folder#%41"
	}
	dir := filepath.Join(t.TempDir(), name)
	s := open(t, Options{Dir: dir})
	if err := s.Append([]contract.Event{event(1, 1)}); err != nil { // makes the -wal
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 2 || entries[0].Name() != FileName {
		t.Fatalf("the state folder holds %v", entries)
	}
	if runtime.GOOS == "windows" {
		t.Skip("the rights of the folder are an ACL there")
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", entry.Name(), mode)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Errorf("the folder has mode %o", mode)
	}
}

func TestADatabaseWithOpenRightsIsClosedToOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: dir})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode %o", mode)
	}
}

// raw runs statements on a database file below the store.
func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(statement, err)
		}
	}
}

func TestADatabaseThatCannotBeUsedSaysWhatToDo(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    error
		code    failure.Code
	}{
		{"no database at all", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("rubbish "), 1024), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrCorrupt, failure.StateDamaged},
		{"damaged pages", func(t *testing.T, path string) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 200; i < len(content); i++ { // the header stays
				content[i] = 0xA5
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrCorrupt, failure.StateDamaged},
		{"a newer schema", func(t *testing.T, path string) {
			raw(t, path, "PRAGMA user_version = 9999")
		}, ErrNewer, failure.StateNewer},
		{"another program's", func(t *testing.T, path string) {
			raw(t, path, "PRAGMA application_id = 77")
		}, ErrForeign, failure.StateUnusable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			first, err := Open(t.Context(), Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			path := first.Path()
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			test.prepare(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}

			s, err := Open(t.Context(), Options{Dir: dir})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			var failed *Error
			if !errors.Is(err, test.want) || !errors.As(err, &failed) {
				t.Fatalf("the failure is %v, want %v", err, test.want)
			}
			if failed.Code() != test.code || failed.Path != path {
				t.Errorf("code %s, path %q", failed.Code(), failed.Path)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, after) {
				t.Error("the refused database was changed")
			}
		})
	}
}

func TestADatabaseThatAnotherProcessWritesToIsLocked(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	other, err := sql.Open("sqlite", s.Path()+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }() // if the test ended early

	err = s.Append([]contract.Event{event(1, 1)})
	var failed *Error
	if !errors.Is(err, ErrLocked) || !errors.As(err, &failed) || failed.Code() != failure.StateLocked {
		t.Fatalf("the failure is %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append([]contract.Event{event(1, 1)}); err != nil {
		t.Errorf("after the lock went: %v", err)
	}
}

func TestAFolderThatMayNotBeWrittenIsForbidden(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var failed *Error
	_, err := Open(t.Context(), Options{Dir: filepath.Join(file, "below")})
	if !errors.As(err, &failed) || failed.Code() != failure.StateUnusable {
		t.Errorf("the failure is %v", err)
	}
}

func TestSettingsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range [][2]string{{"a", "1"}, {"b", "2"}, {"a", "3"}} {
		if err := first.SetSetting(t.Context(), "virtual", kv[0], []byte(kv[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.SetSetting(t.Context(), "virtual", "b", nil); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	s := open(t, Options{Dir: dir})
	if value, err := s.Setting(t.Context(), "virtual", "a"); err != nil || string(value) != "3" {
		t.Errorf("a is %q, %v", value, err)
	}
	if _, err := s.Setting(t.Context(), "virtual", "b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the deleted value: %v", err)
	}
	if all, err := s.Settings(t.Context(), "virtual"); err != nil || len(all) != 1 {
		t.Errorf("all are %q, %v", all, err)
	}
}

// clock is a time that tests set.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock {
	return &clock{time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
}

var background = context.Background()
