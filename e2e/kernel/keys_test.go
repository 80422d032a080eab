//go:build linux && e2e

package kernel_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

// The watching program is this test's own binary, run as a user who may open
// what udev's rule gives to a group.
const (
	watchEnv  = "AUTHBRIDGE_TEST_WATCH"
	watchUser = 65534
)

// seen is one line of what the watching program saw.
type seen struct {
	Kind      fido.EventKind // empty: the first listing is over
	Serial    string
	Condition fido.Condition
	Err       string
	Node      fido.Node
	PIN       *int
	// Mode is that of the node when the event came.
	Mode string
}

// init turns the binary into the watching program where it is asked to.
func init() {
	if os.Getenv(watchEnv) == "" {
		return
	}
	if err := watchKeys(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// watchKeys prints what happens to keys, and reads those anew whose serial
// numbers come on standard input, until that ends.
func watchKeys() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	monitor := fido.NewMonitor(fido.Native())
	out := json.NewEncoder(os.Stdout)
	settled := false
	go func() {
		defer cancel()
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			monitor.Reread(lines.Text())
		}
	}()
	return monitor.Run(ctx, func(r fido.Report) {
		if r.Err != nil {
			fmt.Fprintln(os.Stderr, r.Err)
		}
		for _, e := range r.Events {
			s := seen{Kind: e.Kind, Serial: e.Key.Node.Serial, Condition: e.Key.Condition, Node: e.Key.Node}
			if e.Key.Err != nil {
				s.Err = e.Key.Err.Error()
			}
			if e.Key.Retries != nil {
				s.PIN = e.Key.Retries.PIN
			}
			if info, err := os.Stat(device(e.Key.Node)); err == nil {
				s.Mode = info.Mode().Perm().String()
			}
			_ = out.Encode(s)
		}
		if r.Settled && !settled {
			settled = true
			_ = out.Encode(seen{})
		}
	})
}

func device(n fido.Node) string {
	name, _, _ := strings.Cut(n.Path, "@")
	return name
}

// watchingUser runs the watching program.
type watchingUser struct {
	t     *testing.T
	stdin io.WriteCloser
	lines chan seen
}

func newWatchingUser(t *testing.T, group uint32) *watchingUser {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(os.TempDir(), fmt.Sprintf("watch-%d.test", os.Getpid()))
	if err := errors.Join(os.WriteFile(binary, self, 0o700), os.Chmod(binary, 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(binary) })
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), watchEnv+"=1")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: watchUser, Gid: watchUser, Groups: []uint32{group}}}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	w := &watchingUser{t: t, lines: make(chan seen, 10_000)}
	if w.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(w.lines)
		in := json.NewDecoder(stdout)
		for {
			var s seen
			if in.Decode(&s) != nil {
				return
			}
			w.lines <- s
		}
	}()
	t.Cleanup(func() {
		_ = w.stdin.Close()
		<-done
		if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("the watching program: %v\n%s", err, stderr.String())
		}
	})
	return w
}

// next is the next event of a key; none of it is skipped, those of others are.
func (w *watchingUser) next(serial string) seen {
	w.t.Helper()
	late := time.After(patience)
	for {
		select {
		case s, ok := <-w.lines:
			switch {
			case !ok:
				w.t.Fatal("the watching program ended")
			case s.Serial == serial:
				return s
			}
		case <-late:
			w.t.Fatalf("nothing happened to %q", serial)
		}
	}
}

func (w *watchingUser) want(serial string, kind fido.EventKind, c fido.Condition) seen {
	w.t.Helper()
	s := w.next(serial)
	if s.Kind != kind || s.Condition != c {
		w.t.Fatalf("%s: %s %s (%s), want %s %s", serial, s.Kind, s.Condition, s.Err, kind, c)
	}
	return s
}

func (w *watchingUser) reread(n fido.Node) {
	w.t.Helper()
	if _, err := fmt.Fprintln(w.stdin, n.Path); err != nil {
		w.t.Fatal(err)
	}
}

func guestKey(t *testing.T, serial string, faults ...vkey.FaultName) *vkey.Key {
	t.Helper()
	cfg := vkey.Config{Name: serial, Serial: serial, PIN: []byte("1234")}
	for _, f := range faults {
		cfg.Faults = append(cfg.Faults, vkey.Fault{Name: f})
	}
	k, err := vkey.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func plugUHID(t *testing.T, k *vkey.Key) *vkey.UHID {
	t.Helper()
	u, err := vkey.PlugUHID(context.Background(), k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Unplug() })
	return u
}

func TestEachPlugOfAKernelsKeyIsToldOnceAfterUdev(t *testing.T) {
	mute, forbidden, k := guestKey(t, "guest-mute", vkey.Mute), guestKey(t, forbiddenKey), guestKey(t, "guest-key")
	group := keyRules(t)
	plugUHID(t, mute)
	plugMouse(t)
	plugUHID(t, forbidden)
	udevAtRest(t)
	w := newWatchingUser(t, group)
	for left := map[string]bool{"guest-mute": true, forbiddenKey: true}; len(left) > 0; {
		s := w.unreadable(left)
		delete(left, s.Serial)
	}
	for round := range 50 {
		u := plugUHID(t, k)
		s := w.want("guest-key", fido.Plugged, fido.Present)
		if s.Mode != "-rw-rw----" {
			t.Errorf("round %d: told of while the node's mode was %s", round, s.Mode)
		}
		if !s.Node.Virtual || s.Node.VendorID != vkey.VendorID || s.Node.Product != k.Product() {
			t.Errorf("%+v", s.Node)
		}
		read := round%2 == 0 // else it is pulled as soon as it was told of
		if read {
			s = w.want("guest-key", fido.Read, fido.Ready)
			if s.PIN == nil || *s.PIN != 8 {
				t.Errorf("round %d: %+v", round, s)
			}
		}
		if err := u.Unplug(); err != nil {
			t.Error(err)
		}
		for s = w.next("guest-key"); s.Kind == fido.Read && !read; s = w.next("guest-key") {
			t.Logf("round %d: %s %s", round, s.Condition, s.Err)
		}
		if s.Kind != fido.Unplugged {
			t.Fatalf("round %d: %+v", round, s)
		}
	}
	if n := k.Stats().PINTries + mute.Stats().PINTries; n != 0 {
		t.Errorf("%d PIN tries", n)
	}
	if n := forbidden.Stats().Messages; n != 0 {
		t.Errorf("%d messages to the key that may not be opened", n)
	}
}

// unreadable waits for the first read of one of some keys that cannot be read.
func (w *watchingUser) unreadable(serials map[string]bool) seen {
	w.t.Helper()
	late := time.After(patience)
	for {
		select {
		case s, ok := <-w.lines:
			if !ok {
				w.t.Fatal("the watching program ended")
			}
			if s.Serial == "guest-decoy" {
				w.t.Error("a mouse was taken for a key")
			}
			if !serials[s.Serial] || s.Kind != fido.Read {
				continue
			}
			want := fido.Mute
			if s.Serial == forbiddenKey {
				want = fido.Forbidden
			}
			if s.Condition != want {
				w.t.Errorf("%s: %s (%s), want %s", s.Serial, s.Condition, s.Err, want)
			}
			return s
		case <-late:
			w.t.Fatalf("no word of %v", serials)
		}
	}
}

func TestLibfido2AndWeShareAKey(t *testing.T) {
	group := keyRules(t)
	k := guestKey(t, "guest-shared")
	plugUHID(t, k)
	w := newWatchingUser(t, group)
	node := w.want("guest-shared", fido.Plugged, fido.Present).Node
	w.want("guest-shared", fido.Read, fido.Ready)
	tools := make(chan error, 1)
	go func() { tools <- infoRounds(t.Context(), device(node), 50) }()
	for range 50 {
		w.reread(node)
		s := w.next("guest-shared")
		// On a slow machine the other program has the key for longer than we
		// wait for it. Then that is said, and we come back to it.
		for s.Kind == fido.Read && s.Condition == fido.InUse {
			s = w.next("guest-shared")
		}
		if s.Kind != fido.Read || s.Condition != fido.Ready {
			t.Fatalf("%s %s (%s)", s.Kind, s.Condition, s.Err)
		}
	}
	if err := <-tools; err != nil {
		t.Error(err)
	}
	if n := k.Stats().PINTries; n != 0 {
		t.Errorf("%d PIN tries", n)
	}
}

// nativeKey finds a key on the operating system's bus.
func nativeKey(t *testing.T, serial string) fido.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var node fido.Node
	if err := fido.Native().Watch(ctx, func(c fido.Change) {
		if !c.Gone && c.Node.Serial == serial {
			node = c.Node
			cancel()
		}
	}); err != nil {
		t.Fatal(err)
	}
	if node.Path == "" {
		t.Fatalf("%s was not found", serial)
	}
	return node
}

// useNative is what a program does with a key, through the kernel.
func useNative(t *testing.T, v *vkey.Key, node fido.Node) {
	t.Helper()
	k, err := fido.OpenKey(t.Context(), fido.Native(), node)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := k.Info(t.Context()); err != nil || info.AAGUID != fido.AAGUID([]byte(vkey.AAGUID)) {
		t.Errorf("%+v, %v", info, err)
	}
	if r, err := k.Retries(t.Context()); err != nil || r.PIN == nil || *r.PIN != 8 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := k.Ping(t.Context(), bytes.Repeat([]byte{7}, 1000)); err != nil {
		t.Error(err)
	}
	if l, err := fido.Native().Open(t.Context(), node); !errors.Is(err, fido.ErrInUse) {
		t.Errorf("opened twice: %v, %v", l, err)
	}
	if err := v.SetTouch(vkey.TouchCommand); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := k.Select(ctx, func(s fido.Keepalive) {
		if s == fido.STATUS_UPNEEDED {
			cancel()
		}
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
	if v.Touch() {
		t.Error("the key was not told")
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

func TestOurOwnUseOfAKernelsKey(t *testing.T) {
	v := guestKey(t, "guest-own")
	u := plugUHID(t, v)
	node := nativeKey(t, "guest-own")
	useNative(t, v, node)
	k, err := fido.OpenKey(t.Context(), fido.Native(), node)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		_ = v.AwaitTouch(ctx)
		_ = u.Unplug()
	}()
	if err := k.Select(ctx, nil); !errors.Is(err, fido.ErrGone) {
		t.Errorf("pulled out: %v, want %v", err, fido.ErrGone)
	}
	_ = k.Close()
	if _, err := fido.OpenKey(t.Context(), fido.Native(), node); !errors.Is(err, fido.ErrGone) {
		t.Errorf("opened again: %v, want %v", err, fido.ErrGone)
	}
}

func TestOurOwnUseOfAUSBKey(t *testing.T) {
	v := guestKey(t, "guest-usb")
	gadget(t, v, own(v))
	node := nativeKey(t, "guest-usb")
	if !node.Virtual || !strings.HasPrefix(node.Port, "dummy_hcd") || node.VendorID != vkey.VendorID {
		t.Errorf("%+v", node)
	}
	useNative(t, v, node)
}
