package main

import (
	"fmt"
	"io"
	"os"
	"testing"
)

// harness stands in for a test where package pcscd wants one. Its Fatal ends
// the part of the run that called it.
type harness struct {
	testing.TB // unused; it has the unexported method that the interface wants
	out        io.Writer
	cleanups   []func()
	failed     bool
}

// fatal is what Fatal panics with, so that only inHarness takes it.
type fatal string

// inHarness runs do and its cleanups, and says why it failed, or "".
func inHarness(out io.Writer, do func(*harness)) (why string) {
	h := &harness{out: out}
	defer func() {
		h.cleanUp()
		if why == "" && h.failed {
			why = "failed, see above"
		}
	}()
	defer func() {
		switch v := recover().(type) {
		case nil:
		case fatal:
			why, h.failed = string(v), true
		default:
			panic(v)
		}
	}()
	do(h)
	return ""
}

// cleanUp runs the cleanups, last first.
func (h *harness) cleanUp() {
	for len(h.cleanups) > 0 {
		last := len(h.cleanups) - 1
		cleanup := h.cleanups[last]
		h.cleanups = h.cleanups[:last]
		cleanup()
	}
}

func (h *harness) Helper()                        {}
func (h *harness) Cleanup(f func())               { h.cleanups = append(h.cleanups, f) }
func (h *harness) Failed() bool                   { return h.failed }
func (h *harness) Fatal(args ...any)              { panic(fatal(fmt.Sprint(args...))) }
func (h *harness) Fatalf(format string, a ...any) { panic(fatal(fmt.Sprintf(format, a...))) }
func (h *harness) Skipf(format string, a ...any)  { h.Fatalf(format, a...) }
func (h *harness) Logf(format string, a ...any)   { _, _ = fmt.Fprintf(h.out, format+"\n", a...) }
func (h *harness) Errorf(format string, a ...any) { h.failed = true; h.Logf(format, a...) }

func (h *harness) TempDir() string {
	dir, err := os.MkdirTemp("", "bench")
	h.must(err)
	h.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (h *harness) must(err error) {
	if err != nil {
		h.Fatal(err)
	}
}
