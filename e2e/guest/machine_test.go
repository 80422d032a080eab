//go:build linux

package guest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wakeWith wakes a guest that gives this answer and then hangs up.
func wakeWith(t *testing.T, answer string, within time.Duration) (string, error) {
	t.Helper()
	ours, file, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(ours.Close(), theirs.Close()) })
	go func() {
		_, _ = theirs.Read(make([]byte, 100))
		if answer != "" {
			_, _ = io.WriteString(theirs, answer)
			_ = theirs.Close()
		}
	}()
	lines, err := (&running{line: ours}).wake(within)
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(lines)
	return string(out), err
}

func TestWhatComesAfterTheGuestWokeUpIsThePayloads(t *testing.T) {
	if out, err := wakeWith(t, "awake\nok 1\nok 2", time.Minute); out != "ok 1\nok 2" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAGuestThatDoesNotWakeUpIsAnError(t *testing.T) {
	if _, err := wakeWith(t, "", time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it said nothing: %v", err)
	}
	if _, err := wakeWith(t, "no folder here\n", time.Minute); err == nil || !strings.Contains(err.Error(), "no folder here") {
		t.Errorf("it said what is wrong: %v", err)
	}
	if _, err := wakeWith(t, "awa", time.Minute); !errors.Is(err, io.EOF) {
		t.Errorf("it ended: %v", err)
	}
}

func TestTheStateIsWaitedForUntilItIsWrittenOrCannotBe(t *testing.T) {
	dir := t.TempDir()
	kept, failed := filepath.Join(dir, "kept"), filepath.Join(dir, "failed")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := awaitState(ctx, kept, failed); !errors.Is(err, context.Canceled) {
		t.Errorf("neither: %v", err)
	}
	if err := os.WriteFile(failed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := awaitState(t.Context(), kept, failed); err == nil || !strings.Contains(err.Error(), "disk") {
		t.Errorf("failed: %v", err)
	}
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := awaitState(t.Context(), kept, failed); err != nil {
		t.Errorf("kept: %v", err)
	}
}
