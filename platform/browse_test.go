package platform

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestABrowserIsOpenedByTheHabitsOfEachSystem(t *testing.T) {
	t.Parallel()
	const file = "/run/user/1000/authbridge/page.html"
	for name, c := range map[string]struct {
		goos string
		env  map[string]string
		has  []string
		want []string // nil: no browser can be opened
	}{
		"a desktop":                     {goos: "linux", env: map[string]string{"DISPLAY": ":0"}, has: []string{"xdg-open"}, want: []string{"/bin/xdg-open", file}},
		"Wayland":                       {goos: "linux", env: map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, has: []string{"xdg-open"}, want: []string{"/bin/xdg-open", file}},
		"a terminal with a browser":     {goos: "linux", env: map[string]string{"BROWSER": "w3m"}, has: []string{"xdg-open"}, want: []string{"/bin/xdg-open", file}},
		"WSL":                           {goos: "linux", env: map[string]string{"WSL_DISTRO_NAME": "Debian"}, has: []string{"wslview"}, want: []string{"/bin/wslview", file}},
		"over ssh":                      {goos: "linux", has: []string{"xdg-open"}},
		"a desktop without any opener":  {goos: "linux", env: map[string]string{"DISPLAY": ":0"}},
		"macOS":                         {goos: "darwin", want: []string{"/usr/bin/open", file}},
		"Windows, by the whole program": {goos: "windows", env: map[string]string{"SystemRoot": "/Windows"}, want: []string{filepath.Join("/Windows", "System32", "rundll32.exe"), "url.dll,FileProtocolHandler", file}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := browseCommand(c.goos, func(k string) string { return c.env[k] }, func(name string) (string, error) {
				if slices.Contains(c.has, name) {
					return "/bin/" + name, nil
				}
				return "", exec.ErrNotFound
			}, file)
			if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) || err != nil && !errors.Is(err, ErrNoBrowser) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// TestABrowserThatStaysIsLeftAlone: some openers end only with the browser.
func TestABrowserThatStaysIsLeftAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the opener is a script on Linux")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	t.Setenv("DISPLAY", ":0")
	fifo := filepath.Join(dir, "stay")
	script(t, filepath.Join(dir, "xdg-open"), `mkfifo "`+fifo+`"; read -r line < "`+fifo+`"; echo gone > "`+dir+`/gone"`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := Browse(ctx, "/page.html"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it returned %v", err)
	}
	waitFor(t, fifo)
	if err := exec.Command("sh", "-c", "echo x > "+fifo).Run(); err != nil {
		t.Error(err)
	}
	waitFor(t, filepath.Join(dir, "gone")) // so it was not killed

	script(t, filepath.Join(dir, "xdg-open"), "exit 3")
	if err := Browse(t.Context(), "/page.html"); !errors.Is(err, ErrNoBrowser) {
		t.Errorf("an opener that finds no browser: %v", err)
	}
}

func script(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	for end := time.After(time.Minute); ; {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-end:
			t.Fatal(path + " never came")
		case <-time.After(5 * time.Millisecond):
		}
	}
}
