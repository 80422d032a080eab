package platform

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// longestSecret is the most that a secret in a file may have: a PIN has up to
// 63 octets (CTAP 2.1, 6.5.1).
const longestSecret = 128

// ReadSecret reads the one line of a file that nobody but this user can read or
// write, 0400 or 0600. A systemd credential, which the administrator owns and
// its service may read, will do too. The caller wipes what it gets.
func ReadSecret(path string) ([]byte, error) {
	text, err := ReadPrivate(path, longestSecret)
	if err != nil {
		return nil, err
	}
	secret := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(secret) == 0 || bytes.ContainsAny(secret, "\r\n") {
		clear(text)
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not one line with a secret")}
	}
	return secret, nil
}

// ReadPrivate reads a file of at most so many octets that [ReadSecret] would
// read, whatever is in it. The caller wipes what it gets.
func ReadPrivate(path string, most int) ([]byte, error) {
	refuse := func(why string) error { return &fs.PathError{Op: "read", Path: path, Err: errors.New(why)} }
	info, err := lookAtSecret(path, most)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	opened, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !os.SameFile(info, opened):
		return nil, refuse("it was replaced while it was read")
	}
	if err := secretOnlyOurs(opened, isCredential(path)); err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	text := make([]byte, most+1)
	n, err := io.ReadFull(f, text)
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		clear(text)
		return nil, err
	case n > most:
		clear(text)
		return nil, refuse("too long for a secret")
	}
	return text[:n], nil
}

// CheckSecret says why [ReadSecret] would not read a file, as far as that can be
// told without reading it.
func CheckSecret(path string) error {
	info, err := lookAtSecret(path, longestSecret)
	if err != nil {
		return err
	}
	if err := secretOnlyOurs(info, isCredential(path)); err != nil {
		return &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return nil
}

func lookAtSecret(path string, most int) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a file")}
	case info.Size() > int64(most):
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("too long for a secret")}
	}
	return info, nil
}

// Credential is the path of a systemd credential; false where this process has
// none (systemd.exec(5), CREDENTIALS_DIRECTORY).
func Credential(name string) (string, bool) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	return filepath.Join(dir, name), dir != ""
}

func isCredential(path string) bool {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	return dir != "" && strings.HasPrefix(path, filepath.Clean(dir)+string(filepath.Separator))
}
