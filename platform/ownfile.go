package platform

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// WriteOwn writes a new file, 0600, into a folder that is this user's alone, and
// gives its path. The pattern is that of os.CreateTemp.
func WriteOwn(dir, pattern string, text []byte) (path string, err error) {
	if err := ownDir(dir); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// ReadOwn reads a file of at most limit octets that nobody but this user and
// the administrator can have written: the daemon obeys what is in it.
func ReadOwn(path string, limit int64) ([]byte, error) {
	refuse := func(format string, args ...any) error {
		return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf(format, args...)}
	}
	// Looked at before it is opened too: opening a FIFO waits for its writer.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, refuse("not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, refuse("not a file")
	case info.Size() > limit:
		return nil, refuse("longer than %d octets", limit)
	}
	if err := onlyOurs(f, info); err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = refuse("longer than %d octets", limit)
	}
	return text, err
}
