//go:build unix

package platform

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOnlyAFileOfOnesOwnIsObeyed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := file("foreign", "x", 0o600)
	if os.Getuid() == 0 {
		if err := os.Chown(foreign, 65534, -1); err != nil {
			t.Fatal(err)
		}
	} else {
		foreign = file("group", "x", 0o620)
	}
	for path, want := range map[string]string{
		file("good", "listen", 0o644):                  "",
		file("group-writable", "x", 0o664):             "chmod go-w",
		file("long", strings.Repeat("x", 1001), 0o600): "longer than 1000",
		foreign:     "",
		fifo:        "not a file",
		"/dev/zero": "not a file",
		dir:         "not a file",
	} {
		text, err := ReadOwn(path, 1000)
		switch {
		case path == foreign:
			if err == nil {
				t.Errorf("%s was read", path)
			}
		case want == "":
			if err != nil || string(text) != "listen" {
				t.Errorf("%s: %q, %v", path, text, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := ReadOwn(filepath.Join(dir, "none"), 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
