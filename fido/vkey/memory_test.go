package vkey

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestTheFileIsItsOwnersOnly(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key.json")
	k := newKey(t, Config{File: file})
	if err := k.SetPIN([]byte("1234")); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "copy.json")
	if err := k.Save(other); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{file, other} {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
		left, err := filepath.Glob(f + ".*")
		if err != nil || left != nil {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
	if !newBench(t, Config{File: other}).clientPINOption() {
		t.Error("the copy has no PIN")
	}
}

func TestAFileThatIsNoKeyIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":           "",
		"not JSON":        "hunter2",
		"another format":  `{"format":2,"secret":"aHVudGVyMg=="}`,
		"a short secret":  `{"format":1,"secret":"aHVudGVyMg==","pin_retries":8}`,
		"an unknown word": `{"format":1,"hunter2":1}`,
		"too many tries":  `{"format":1,"secret":"` + strings.Repeat("A", 43) + `=","pin_retries":9}`,
	} {
		file := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := New(Config{Name: "k", File: file})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if kept, _ := os.ReadFile(file); string(kept) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestATryThatCannotBeWrittenDownIsNotGiven(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "key")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Config{PIN: []byte("1234"), File: filepath.Join(folder, "key.json")})
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	b.platform(2).token("1234", permissionGA, "localhost", CTAP1_ERR_OTHER)
	b.want(CTAP1_ERR_OTHER, authenticatorMakeCredential, wish(), nil)
}

func TestAKeyNeedsAFileItCanWrite(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Name: "k", File: filepath.Join(t.TempDir(), "no", "key.json")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestNamesAndPINsAreChecked(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		{},
		{Name: "two\nlines"},
		{Name: "k", Serial: "HID_UNIQ=\n"},
		{Name: strings.Repeat("n", 64)},
		{Name: "k", PIN: []byte("123")},
		{Name: "k", PIN: []byte("1234\x00")},
		{Name: "k", PIN: []byte(strings.Repeat("1", 64))},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Config{Name: "k", PIN: []byte("1234")}); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzState reads a key's file.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"format":1,"secret":"` + strings.Repeat("A", 43) + `=","pin_retries":8,"sign_count":0,"created":0,"credentials":[{"id":"AA==","rp_id":"localhost"}]}`))
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parseState(data); err == nil && (len(s.Secret) != 32 || s.PINRetries > maxPINRetries) {
			t.Errorf("%q was taken for a key", data)
		}
	})
}
