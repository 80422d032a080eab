package platform

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// TestInstalledAgainItRunsTheProgramOfNow: the service is changed, and not taken away
// and made anew. What starts it when it ended is there both times.
func TestInstalledAgainItRunsTheProgramOfNow(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var made *Service
	for _, args := range [][]string{{"run"}, {"run", "--config", `C:\a folder\config.toml`}} {
		if made, err = NewSystemService(program, args...); err != nil {
			t.Fatal(err)
		}
		now, err := made.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if now.Installed != (len(args) > 1) {
			t.Skipf("a service of that name is here, of somebody else: %+v", now)
		}
		if !now.Installed {
			t.Cleanup(func() {
				if err := made.remove(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
		}
		if err := made.install(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if runs, err := windows.DecomposeCommandLine(commandOf(t)); err != nil || !slices.Equal(runs, append([]string{program}, args...)) {
			t.Errorf("it runs %q (%v)", runs, err)
		}
		s, done, err := opened(windows.SERVICE_QUERY_CONFIG)
		if err != nil {
			t.Fatal(err)
		}
		actions, err := s.RecoveryActions()
		also, err2 := s.RecoveryActionsOnNonCrashFailures()
		done()
		switch {
		case errors.Is(err, windows.ERROR_INVALID_LEVEL):
			t.Log("this manager, as Wine's, does not tell what it does when a service ends")
		case err != nil, err2 != nil, !also, !slices.Equal(actions, recovery):
			t.Errorf("when it ends: %v (%v), by itself too: %v (%v)", actions, err, also, err2)
		}
	}
}

// commandOf is what the manager runs.
func commandOf(t *testing.T) string {
	t.Helper()
	s, done, err := opened(windows.SERVICE_QUERY_CONFIG)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	size := uint32(8192)
	buffer := make([]byte, size)
	config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0]))
	if err := windows.QueryServiceConfig(s.Handle, config, size, &size); err != nil {
		t.Fatal(err)
	}
	return windows.UTF16PtrToString(config.BinaryPathName)
}
