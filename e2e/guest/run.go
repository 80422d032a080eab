//go:build linux

package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"authbridge/e2e/debian"
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
// and returns its exit code. What it prints goes to output as it is printed. The
// system's journal is in the folder afterwards, as journal.txt, and what the
// kernel said as console.txt. When ctx ends the guest is killed.
//
// A payload may leave another one as /host/reboot: where the first ends well the
// guest is shut down as its service manager does it, starts anew, and runs that one.
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
	disks, err := os.MkdirTemp("", "guest-disk-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(disks) }()
	disk, err := overlay(ctx, filepath.Join(i.dir, bootFile), disks)
	if err != nil {
		return 0, err
	}
	boot := boot{share: share, console: filepath.Join(share, "console.txt"), output: output, devices: devices}
	if err := i.boot(ctx, disk, boot, "-incoming", "exec:cat "+stateFile); err != nil {
		return 0, err
	}
	for os.Rename(filepath.Join(share, again), payload) == nil {
		err := os.Remove(result)
		if err == nil {
			disk, err = i.bootAgain(ctx, disk, disks, boot)
		}
		if err != nil {
			return 0, fmt.Errorf("after a reboot: %w", err)
		}
	}
	text, err := os.ReadFile(result)
	if err != nil {
		said, _ := os.ReadFile(boot.console)
		return 0, fmt.Errorf("%w\n%s", ErrNoResult, debian.Tail(said))
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// again is the payload that a payload leaves for the next boot.
const again = "reboot"

// boot is what is the same at each boot of a run.
type boot struct {
	share, console string
	output         io.Writer
	devices        []Device
}

// boot starts the guest from a disk and lets its payload run, until it is off.
func (i Image) boot(ctx context.Context, disk string, b boot, more ...string) error {
	r, err := i.start(ctx, disk, b.share, b.console, more...)
	if err != nil {
		return err
	}
	if len(more) == 0 { // not from a state in which it was ready
		err = errors.Join(r.line.SetDeadline(time.Now().Add(wakeUp)), r.ready())
	}
	var lines io.Reader
	if err == nil {
		lines, err = r.wake(wakeUp)
	}
	if err != nil {
		r.stop()
		said, _ := os.ReadFile(b.console)
		return errors.Join(context.Cause(ctx), fmt.Errorf("%w: %w %s\n%s", errAsleep, err, r.err.String(), debian.Tail(said)))
	}
	if err := r.qmp.plug(b.devices); err != nil {
		r.stop()
		return err
	}
	_, _ = io.Copy(b.output, lines)
	if err := r.wait(); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return nil
}

var errAsleep = errors.New("the guest did not wake up")

// bootAgain starts the guest from what an earlier boot left on its disk. QEMU
// before 8.1 may crash while two processors start (tcg_commit): that is tried again, from the same disk.
func (i Image) bootAgain(ctx context.Context, disk, disks string, b boot) (next string, err error) {
	const tries = 3
	for range tries {
		if next, err = overlay(ctx, disk, disks); err != nil {
			return "", err
		}
		if err = i.boot(ctx, next, b); !errors.Is(err, errAsleep) || ctx.Err() != nil {
			break
		}
	}
	return next, err
}

// overlay is a new disk that holds what is written from now on, in dir.
func overlay(ctx context.Context, disk, dir string) (string, error) {
	f, err := os.CreateTemp(dir, "*.qcow2")
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", disk, f.Name()).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("qemu-img: %w %s", err, out)
	}
	return f.Name(), nil
}

// ready waits until the guest has started and waits for its first word.
func (r *running) ready() error {
	word, err := bufio.NewReader(r.line).ReadString('\n')
	if err != nil || word != "ready\n" {
		return fmt.Errorf("it said %q, %w", word, err)
	}
	return nil
}

// wake gives the guest its first word, the time, and waits for its answer, behind
// which the payload's output comes.
func (r *running) wake(within time.Duration) (io.Reader, error) {
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
