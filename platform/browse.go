package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// ErrNoBrowser says that there is no desktop here that could show a file.
var ErrNoBrowser = errors.New("no browser can be opened here")

// Browse has the user's browser show a file. It takes no address: what a
// command line holds can be read by every user of the machine. It returns once
// the browser was told, which some only are when they end, or when ctx ends;
// the browser stays.
func Browse(ctx context.Context, file string) error {
	argv, err := browseCommand(runtime.GOOS, os.Getenv, exec.LookPath, file)
	if err != nil {
		return err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: %w", ErrNoBrowser, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrNoBrowser, filepath.Base(argv[0]), err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// browseCommand is what opens a file in the user's browser.
func browseCommand(goos string, env func(string) string, look func(string) (string, error), file string) ([]string, error) {
	switch goos {
	case "windows":
		// By its whole path: the working folder is searched first.
		return []string{filepath.Join(env("SystemRoot"), "System32", "rundll32.exe"), "url.dll,FileProtocolHandler", file}, nil
	case "darwin":
		return []string{"/usr/bin/open", file}, nil
	}
	if env("DISPLAY") == "" && env("WAYLAND_DISPLAY") == "" && env("BROWSER") == "" && env("WSL_DISTRO_NAME") == "" {
		return nil, fmt.Errorf("%w: no display", ErrNoBrowser)
	}
	for _, name := range []string{"xdg-open", "wslview"} {
		if program, err := look(name); err == nil {
			return []string{program, file}, nil
		}
	}
	return nil, fmt.Errorf("%w: neither xdg-open nor wslview is there", ErrNoBrowser)
}
