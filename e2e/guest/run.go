//go:build linux

package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Payload is the program in a shared folder that the guest runs.
const Payload = "payload"

// Share is where the shared folder is in the guest.
const Share = "/host"

// ErrNoResult is a guest that ended without the payload's exit code.
var ErrNoResult = errors.New("the guest ended before its payload did")

// wakeUp is how long the guest may take to go on from its snapshot, which takes
// it 2 s. QEMU waits for ever on a state that it cannot read.
const wakeUp = 3 * time.Minute

// Device is a device that is plugged in once the guest is awake, by the properties
// that QEMU knows it by. There is a USB 1 controller, with the bus usb.0.
type Device map[string]any

// Run shares a folder with the guest as /host, runs /host/payload there as root
// and returns its exit code. Its output goes on line by line. The system's journal
// is in the folder afterwards, as journal.txt, and what the kernel said as
// console.txt. When ctx ends the guest is killed.
//
// A payload may leave another one as /host/reboot: where the first ends well the
// guest reboots, as its service manager does it, and runs that one.
func (i Image) Run(ctx context.Context, share string, output io.Writer, devices ...Device) (code int, err error) {
	share, err = filepath.Abs(share)
	if err != nil {
		return 0, err
	}
	if strings.Contains(share, ",") {
		return 0, fmt.Errorf("QEMU takes no folder with a comma in its name: %s", share)
	}
	payload := filepath.Join(share, Payload)
	if err := os.Chmod(payload, 0o755); err != nil { //nolint:gosec // it is run
		return 0, err
	}
	result := filepath.Join(share, "exit")
	if err := os.Remove(result); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	console := filepath.Join(share, "console.txt")
	r, err := i.start(ctx, bootFile+",snapshot=on", share, console, "-incoming", "exec:cat "+stateFile)
	if err != nil {
		return 0, err
	}
	lines, err := r.wake(wakeUp)
	if err != nil {
		r.stop()
		said, _ := os.ReadFile(console)
		return 0, errors.Join(context.Cause(ctx), fmt.Errorf("the guest did not wake up: %w %s\n%s", err, r.err.String(), tail(said)))
	}
	if err := r.qmp.plug(devices); err != nil {
		r.stop()
		return 0, err
	}
	for errors.Is(pass(lines, output), errReboot) {
		if lines, err = r.rise(); err != nil {
			r.stop()
			said, _ := os.ReadFile(console)
			return 0, errors.Join(context.Cause(ctx), fmt.Errorf("after a reboot: %w\n%s", err, tail(said)))
		}
	}
	if err := r.wait(); err != nil {
		return 0, errors.Join(context.Cause(ctx), err)
	}
	text, err := os.ReadFile(result)
	if err != nil {
		said, _ := os.ReadFile(console)
		return 0, fmt.Errorf("%w\n%s", ErrNoResult, tail(said))
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// errReboot: the guest has said that it reboots now.
var errReboot = errors.New("the guest reboots")

// pass hands on what the payload prints, until the guest reboots or ends.
func pass(lines *bufio.Reader, output io.Writer) error {
	for {
		line, err := lines.ReadString('\n')
		if line == "reboot\n" {
			return errReboot
		}
		_, _ = io.WriteString(output, line)
		if err != nil {
			return err
		}
	}
}

// rise lets the guest reboot, and wakes it. At any other time QEMU ends where a
// reboot would begin: a kernel that panics is to be the end.
func (r *running) rise() (*bufio.Reader, error) {
	if err := r.qmp.do("set-action", map[string]any{"reboot": "reset"}); err != nil {
		return nil, err
	}
	if err := errors.Join(r.line.SetDeadline(time.Now().Add(wakeUp)), r.ready()); err != nil {
		return nil, err
	}
	if err := r.qmp.do("set-action", map[string]any{"reboot": "shutdown"}); err != nil {
		return nil, err
	}
	return r.wake(wakeUp)
}

// ready waits until the guest has started and waits for its first word.
func (r *running) ready() error {
	word, err := bufio.NewReader(r.line).ReadString('\n')
	if err != nil || word != "ready\n" {
		return fmt.Errorf("the guest did not start: it said %q, %w", word, err)
	}
	return nil
}

// wake gives the guest its first word, the time, and waits for its answer, behind
// which the payload's output comes.
func (r *running) wake(within time.Duration) (*bufio.Reader, error) {
	if err := r.line.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(r.line, "%d\n", time.Now().Unix()); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(r.line)
	word, err := lines.ReadString('\n')
	if word = strings.TrimSpace(word); err == nil && word != "awake" {
		err = errors.New(word) // what went wrong in there
	}
	return lines, errors.Join(err, r.line.SetDeadline(time.Time{}))
}
