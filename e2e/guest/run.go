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
// and returns its exit code. What it prints goes to output as it is printed. The
// system's journal is in the folder afterwards, as journal.txt, and what the
// kernel said as console.txt. When ctx ends the guest is killed.
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
	_, _ = io.Copy(output, lines)
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
