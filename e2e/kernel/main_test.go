//go:build linux && e2e

package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbridge/e2e/guest"
)

// packages run in the guest, with the flags that this one was run with.
var packages = []string{"authbridge/fido/vkey", "authbridge/e2e/kernel"}

// passedOn are the flags that mean something in there. The others, such as those
// for profiles, are about files on this side.
var passedOn = []string{"test.v", "test.run", "test.skip", "test.count", "test.short", "test.failfast", "test.timeout"}

// keyRule is the rule that the packages bring, in the shared folder.
const keyRule = "71-authbridge.rules"

// hardening is the page on the system service's unit, in the shared folder.
const hardening = "hardening.md"

// deb is the package that `make dist` made, in the shared folder.
const deb = "authbridge.deb"

// TestMain runs the tests where they belong.
func TestMain(m *testing.M) {
	if os.Getenv(guest.Require) == "require" {
		os.Exit(m.Run())
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := runInGuest(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, "FAIL:", err)
		os.Exit(1)
	}
}

func runInGuest(ctx context.Context) error {
	// Nobody else watches over the time before m.Run. The guest's tests get to
	// say which of them is late before all is cut off.
	if limit := flagValue("test.timeout").(time.Duration); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit+30*time.Second, fmt.Errorf("not done within %s", limit))
		defer cancel()
	}
	share, err := os.MkdirTemp("", "authbridge-guest-")
	if err != nil {
		return err
	}
	tests := guest.Tests{Packages: packages, Tags: "e2e", Programs: []string{"authbridge/cmd/authbridge"}}
	flag.Visit(func(f *flag.Flag) {
		for _, name := range passedOn {
			if f.Name == name {
				tests.Flags = append(tests.Flags, "-"+name+"="+f.Value.String())
			}
		}
	})
	if err := tests.Prepare(ctx, share); err != nil {
		return errors.Join(err, os.RemoveAll(share))
	}
	err = errors.Join(bring(share, filepath.Join("../../installer/linux", keyRule), keyRule),
		bring(share, filepath.Join("../../docs", hardening), hardening))
	if err != nil {
		return errors.Join(err, os.RemoveAll(share))
	}
	if err := bringPackage(ctx, share); err != nil {
		return errors.Join(err, os.RemoveAll(share))
	}
	reader, err := cardReader(ctx, share)
	if err != nil {
		return errors.Join(err, os.RemoveAll(share))
	}
	image, err := guest.Ensure(ctx, os.Stdout)
	if err != nil {
		return errors.Join(err, os.RemoveAll(share))
	}
	// A run of some tests only may find none in one of the packages.
	watched := &watched{to: os.Stdout, some: flagValue("test.run") != "" || flagValue("test.skip") != ""}
	code, err := image.Run(ctx, share, watched, reader...)
	if err == nil && code != 0 {
		err = fmt.Errorf("tests failed in the guest, exit code %d", code)
	}
	if err = errors.Join(err, watched.err()); err != nil {
		return fmt.Errorf("%w\nthe guest's journal and console are in %s", err, share)
	}
	return os.RemoveAll(share)
}

// bring copies a file into the shared folder.
func bring(share, file, name string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(share, name), content, 0o644)
}

// bringPackage makes the packages, and brings the deb.
func bringPackage(ctx context.Context, share string) error {
	if err := does(ctx, "make", "-C", "../..", "dist"); err != nil {
		return err
	}
	debs, err := filepath.Glob("../../dist/*.deb")
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("make dist made the debs %v, %w", debs, err)
	}
	return bring(share, debs[0], deb)
}

// cardReader is a reader of smartcards at the guest's USB, with QEMU's own card in
// it: a Common Access Card with certificates from a database of NSS.
func cardReader(ctx context.Context, share string) ([]guest.Device, error) {
	db := filepath.Join(share, "nss")
	noise := filepath.Join(share, deb) // no secret hangs on it
	if err := os.Mkdir(db, 0o700); err != nil {
		return nil, err
	}
	card := guest.Device{"driver": "ccid-card-emulated", "id": "card", "bus": "reader.0", "backend": "certificates", "db": "sql:" + db}
	err := does(ctx, "certutil", "-N", "-d", "sql:"+db, "--empty-password")
	for i, name := range []string{"id", "signing", "encryption"} {
		err = errors.Join(err, does(ctx, "certutil", "-S", "-x", "-d", "sql:"+db, "-z", noise, "-t", "u,u,u",
			"-n", name, "-s", "CN="+name, "-m", strconv.Itoa(i+1)))
		card["cert"+strconv.Itoa(i+1)] = name
	}
	return []guest.Device{{"driver": "usb-ccid", "id": "reader", "bus": "usb.0"}, card}, err
}

func does(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func flagValue(name string) any { return flag.Lookup(name).Value.(flag.Getter).Get() }

// watched passes on what the guest's tests say, and finds in it what makes a run
// worth nothing though it ends well.
type watched struct {
	to      io.Writer
	some    bool
	part    []byte
	ended   int // packages
	skipped []string
	nothing bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.part = append(w.part, p...)
	for {
		line, rest, whole := bytes.Cut(w.part, []byte("\n"))
		if !whole {
			break
		}
		w.line(string(line))
		w.part = rest
	}
	return w.to.Write(p)
}

func (w *watched) line(line string) {
	line = strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(line, "--- SKIP"):
		w.skipped = append(w.skipped, line)
	case line == "testing: warning: no tests to run":
		w.nothing = true
	case line == "PASS":
		w.ended++
	}
}

func (w *watched) err() error {
	switch {
	case len(w.skipped) > 0:
		return fmt.Errorf("a guest has all that the tests need, and yet: %s", strings.Join(w.skipped, ", "))
	case w.nothing && !w.some:
		return errors.New("there were no tests to run in the guest")
	case w.ended < len(packages):
		return fmt.Errorf("%d of %d packages passed in the guest", w.ended, len(packages))
	}
	return nil
}
