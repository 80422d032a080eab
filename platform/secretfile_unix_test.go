//go:build unix

package platform

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestASecretIsReadFromAFileThatNobodyElseCanRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file("good", "123456\n", 0o600), link); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file("plain", "123456", 0o400):                            "123456",
		file("line", "12 34\r\n", 0o600):                          "12 34",
		file("group", "123456", 0o640):                            "",
		file("others", "123456", 0o604):                           "",
		file("empty", "\n", 0o600):                                "",
		file("two", "123456\n654321", 0o600):                      "",
		file("long", strings.Repeat("1", longestSecret+1), 0o600): "",
		link:                       "",
		fifo:                       "",
		dir:                        "",
		filepath.Join(dir, "none"): "",
	} {
		got, err := ReadSecret(path)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", filepath.Base(path), got, err)
		}
		if err != nil && (strings.Contains(err.Error(), "1234") || strings.Contains(err.Error(), "1111")) {
			t.Errorf("%s: the error tells the secret: %v", filepath.Base(path), err)
		}
	}
}

func TestACredentialMayBeTheAdministrators(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	path, ok := Credential("pin")
	if !ok || path != filepath.Join(dir, "pin") {
		t.Fatalf("%s, %v", path, ok)
	}
	if err := os.WriteFile(path, []byte("123456"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o440: true, 0o400: true, 0o444: false, 0o460: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecret(path); (err == nil) != ok {
			t.Errorf("%o: %v", mode, err)
		}
	}
}
