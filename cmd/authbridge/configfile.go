package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"authbridge/agent/failure"
	"authbridge/platform"
)

// freshConfig is what a configuration file begins with that is made here: with a
// file virtual authenticators would be off, which nobody has asked for.
const freshConfig = "# See docs/configuration.md. Where there is no such file, virtual authenticators are on.\nvirtual = \"on\"\n"

// configFile is a configuration file that is to be changed.
type configFile struct {
	path  string
	fresh bool // there is none yet
	text  []byte
	Config
}

// openConfig reads a file that is in order; empty is the user's.
func openConfig(path string) (*configFile, error) {
	if path == "" {
		path = platform.UserPaths().Config
	}
	// What is written replaces the file, and must not replace a link to it.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f := configFile{path: path}
	text, err := platform.ReadOwn(path, longestConfig)
	if errors.Is(err, fs.ErrNotExist) {
		f.fresh, text, err = true, []byte(freshConfig), nil
	}
	if err != nil {
		return nil, &exit{exitRefused, err}
	}
	f.text = text
	if f.Config, _, err = parseConfig(path, text); err != nil {
		return nil, &exit{exitUsage, configInvalid(err)}
	}
	return &f, nil
}

// write puts a text in the place of the file, if it says what it is meant to say
// and is in order. Who reads it meanwhile gets the one or the other.
func (f *configFile) write(text []byte, want Config) error {
	got, _, err := parseConfig(f.path, text)
	if err != nil {
		return &exit{exitUsage, fmt.Errorf("nothing was written, since it would not be in order:\n%w", err)}
	}
	if !reflect.DeepEqual(got, want) {
		return &exit{exitRefused, fmt.Errorf("CONFIG_NOT_WRITTEN: %s is written in a way that cannot be changed here\n  → change it by hand, as docs/configuration.md shows", f.path)}
	}
	if bytes.Equal(text, f.text) && !f.fresh {
		return nil
	}
	return f.replace(text)
}

func (f *configFile) replace(text []byte) error {
	refuse := func(err error) error {
		entry, _ := failure.Lookup(failure.ConfigNotWritten)
		return &exit{exitRefused, fmt.Errorf("%s: %s: %w\n  → %s", entry.Code, f.path, err, advice(entry))}
	}
	mode := fs.FileMode(0o600)
	if f.fresh {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
			return refuse(err)
		}
	} else {
		info, err := os.Stat(f.path)
		if err != nil {
			return refuse(err)
		}
		if mode = info.Mode().Perm(); mode&0o200 == 0 {
			return refuse(errors.New("it is read-only"))
		}
	}
	now, err := os.ReadFile(f.path)
	if f.fresh != errors.Is(err, fs.ErrNotExist) || !f.fresh && !bytes.Equal(now, f.text) {
		return refuse(errors.New("somebody else has changed it meanwhile"))
	}
	part, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".new-") // 0600
	if err != nil {
		return refuse(err)
	}
	_, err = part.Write(text)
	err = errors.Join(err, part.Chmod(mode), part.Sync(), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), f.path)
	}
	if err != nil {
		return refuse(errors.Join(err, os.Remove(part.Name())))
	}
	return nil
}
