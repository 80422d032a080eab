//go:build linux

package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"authbridge/e2e/debian"
)

// machine is QEMU's command line. A state can only be gone on from with the
// devices it was taken with. The processor is always emulated: where the host is
// virtual itself, KVM may start and then not get on.
func machine(drive, share, console string) []string {
	return []string{
		"-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "768",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "file:" + console,
		"-kernel", "vmlinux", "-initrd", "initrd",
		"-append", "console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off nokaslr random.trust_cpu=on systemd.show_status=no",
		"-drive", "if=none,id=disk,format=qcow2,file=" + drive, "-device", "virtio-blk-pci,drive=disk",
		"-device", "virtio-rng-pci", "-device", "virtio-serial-pci", "-device", "piix3-usb-uhci,id=usb",
		"-chardev", "socket,id=host,fd=3", "-device", "virtserialport,chardev=host,name=host",
		"-chardev", "socket,id=qmp,fd=4", "-mon", "chardev=qmp,mode=control",
		"-virtfs", "local,mount_tag=host,security_model=none,multidevs=remap,path=" + share,
	}
}

// running is a machine that runs.
type running struct {
	cmd  *exec.Cmd
	line net.Conn // to the agent in it
	qmp  *qmp
	err  strings.Builder
}

// start starts the machine in the image's folder. When ctx ends it is killed.
func (i Image) start(ctx context.Context, drive, share, console string, more ...string) (*running, error) {
	line, theirLine, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirLine.Close() }()
	control, theirControl, err := socketPair()
	if err != nil {
		_ = line.Close()
		return nil, err
	}
	defer func() { _ = theirControl.Close() }()
	r := &running{line: line, qmp: &qmp{conn: control, lines: bufio.NewReader(control)}}
	r.cmd = exec.CommandContext(ctx, "qemu-system-x86_64", append(machine(drive, share, console), more...)...)
	r.cmd.Dir = i.dir
	r.cmd.ExtraFiles = []*os.File{theirLine, theirControl}
	r.cmd.Stdout, r.cmd.Stderr = &r.err, &r.err
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r.cmd.Cancel = func() error { return syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) }
	r.cmd.WaitDelay = 10 * time.Second
	if err := r.cmd.Start(); err != nil {
		_ = errors.Join(line.Close(), control.Close())
		return nil, err
	}
	return r, nil
}

// wait waits until the machine has ended.
func (r *running) wait() error {
	err := r.cmd.Wait()
	_ = errors.Join(r.line.Close(), r.qmp.conn.Close())
	if err != nil {
		return fmt.Errorf("the guest: %w %s", err, r.err.String())
	}
	return nil
}

// stop ends the machine.
func (r *running) stop() {
	_ = r.cmd.Cancel()
	_ = r.wait()
}

// snapshot starts the guest for the first time, waits until it waits, and keeps
// that state.
func (i Image) snapshot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
		"-b", diskFile, filepath.Join(i.dir, bootFile)).CombinedOutput(); err != nil {
		return fmt.Errorf("qemu-img: %w %s", err, out)
	}
	share, err := os.MkdirTemp("", "guest-share-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(share) }()
	console := filepath.Join(i.dir, "console.txt")
	r, err := i.start(ctx, bootFile, share, console)
	if err != nil {
		return err
	}
	defer r.stop()
	if err := r.ready(); err != nil {
		text, _ := os.ReadFile(console)
		return fmt.Errorf("the guest did not start: %w %s\n%s", err, r.err.String(), debian.Tail(text))
	}
	return r.qmp.save(ctx, i.dir)
}

// qmp is QEMU's control connection.
type qmp struct {
	conn  net.Conn
	lines *bufio.Reader
}

// plug adds devices to the running machine, once it takes commands.
func (q *qmp) plug(devices []Device) error {
	if err := q.do("qmp_capabilities", map[string]any{}); err != nil {
		return err
	}
	for _, d := range devices {
		if err := q.do("device_add", d); err != nil {
			return err
		}
	}
	return nil
}

type message struct {
	Return json.RawMessage
	Event  string
	Data   struct{ Status string }
	Error  *struct{ Desc string }
}

func (q *qmp) read() (message, error) {
	line, err := q.lines.ReadBytes('\n')
	if err != nil {
		return message{}, err
	}
	var m message
	return m, json.Unmarshal(line, &m)
}

// do gives a command and waits until it is done.
func (q *qmp) do(command string, arguments map[string]any) error {
	raw, err := json.Marshal(map[string]any{"execute": command, "arguments": arguments})
	if err != nil {
		return err
	}
	if _, err := q.conn.Write(raw); err != nil {
		return err
	}
	for {
		m, err := q.read()
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", command, err)
		case m.Error != nil:
			return fmt.Errorf("%s: %s", command, m.Error.Desc)
		case m.Return != nil:
			return nil
		}
	}
}

// save writes the machine's state to a file beside its disk, in dir.
func (q *qmp) save(ctx context.Context, dir string) error {
	const part, failed = stateFile + ".part", stateFile + ".failed"
	for _, c := range []struct {
		command   string
		arguments map[string]any
	}{
		{"qmp_capabilities", map[string]any{}},
		{"migrate-set-capabilities", map[string]any{"capabilities": []map[string]any{{"capability": "events", "state": true}}}},
		{"migrate-set-parameters", map[string]any{"max-bandwidth": 1 << 40}},
		{"migrate", map[string]any{"uri": "exec:{ cat >" + part + " && mv " + part + " " + stateFile + "; } || touch " + failed}},
	} {
		if err := q.do(c.command, c.arguments); err != nil {
			return err
		}
	}
	for {
		m, err := q.read()
		switch {
		case err != nil:
			return err
		case m.Event == "MIGRATION" && m.Data.Status == "failed":
			return errors.New("the guest's state could not be kept")
		case m.Event == "MIGRATION" && m.Data.Status == "completed":
			// What QEMU is done with, the shell that writes it need not be.
			if err := awaitState(ctx, filepath.Join(dir, stateFile), filepath.Join(dir, failed)); err != nil {
				return err
			}
			return q.do("quit", map[string]any{})
		}
	}
}

// awaitState waits for the file that says how the state was kept.
func awaitState(ctx context.Context, kept, failed string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(kept); err == nil {
			return nil
		}
		if _, err := os.Stat(failed); err == nil {
			return errors.New("the guest's state could not be written: is the disk full?")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// socketPair is two ends of a connection, one of them to be given away.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}
