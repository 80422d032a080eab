//go:build linux

// Command run runs Go tests, or a program of one's own, in the guest:
//
//	go run ./e2e/guest/run PACKAGE [TEST FLAG...]
//	go run ./e2e/guest/run FOLDER       with an executable FOLDER/payload
//
// It builds the guest if it must, and exits with the payload's code.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"authbridge/e2e/guest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
		return 2, fmt.Errorf("usage: run PACKAGE [TEST FLAG...], or run FOLDER with an executable FOLDER/%s", guest.Payload)
	}
	share := args[0]
	if _, err := os.Stat(filepath.Join(share, guest.Payload)); err != nil {
		if share, err = os.MkdirTemp("", "guest-"); err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(share) }()
		if err := (guest.Tests{Packages: args[:1], Flags: args[1:]}).Prepare(ctx, share); err != nil {
			return 0, err
		}
	}
	image, err := guest.Ensure(ctx, os.Stderr)
	if err != nil {
		return 0, err
	}
	return image.Run(ctx, share, os.Stdout)
}
