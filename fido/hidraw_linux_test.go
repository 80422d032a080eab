package fido

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the tests wait for what must come.
const patience = 30 * time.Second

// machine is a made-up root directory with sysfs, device nodes and udev's.
type machine struct {
	t      *testing.T
	root   string
	events chan any // uevent or error
	groups []ueventGroup
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, root: t.TempDir(), events: make(chan any, 100)}
	m.file("run/udev/control", "")
	return m
}

func (m *machine) file(name, content string) {
	m.t.Helper()
	name = filepath.Join(m.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) bus() *hidraw {
	h := newHidraw(m.root)
	h.listen = func(g ueventGroup) (uevents, error) {
		m.groups = append(m.groups, g)
		return &scripted{m.events, make(chan struct{})}, nil
	}
	return h
}

// scripted is a socket that a test feeds.
type scripted struct {
	events chan any
	closed chan struct{}
}

func (s *scripted) next() (uevent, error) {
	select {
	case e := <-s.events:
		if err, bad := e.(error); bad {
			return uevent{}, err
		}
		return e.(uevent), nil
	case <-s.closed:
		return uevent{}, os.ErrClosed
	}
}

func (s *scripted) Close() error { close(s.closed); return nil }

// plug makes the hidraw device number n. The node is a plain file.
func (m *machine) plug(n int, parent, instance, descriptor string) (devpath string) {
	m.t.Helper()
	hid := path.Join("/devices", parent, instance)
	devpath = path.Join(hid, fmt.Sprintf("hidraw/hidraw%d", n))
	d, err := hex.DecodeString(descriptor)
	if err != nil {
		m.t.Fatal(err)
	}
	bus, ids, _ := strings.Cut(instance, ":")
	ids, _, _ = strings.Cut(ids, ".")
	ids = "0000" + strings.Replace(ids, ":", ":0000", 1)
	m.file("sys"+hid+"/report_descriptor", string(d))
	m.file("sys"+hid+"/uevent", "HID_ID="+bus+":"+ids+"\nHID_NAME=Key of "+instance+"\nHID_PHYS=port\nHID_UNIQ=s"+instance+"\n")
	m.file("sys"+devpath+"/dev", fmt.Sprintf("240:%d\n", n))
	m.file(fmt.Sprintf("run/udev/data/c240:%d", n), "")
	m.file(fmt.Sprintf("dev/hidraw%d", n), "")
	link := filepath.Join(m.root, fmt.Sprintf("sys/class/hidraw/hidraw%d", n))
	if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink("../.."+devpath, link)); err != nil {
		m.t.Fatal(err)
	}
	return devpath
}

func (m *machine) unplug(n int, devpath string) {
	m.t.Helper()
	for _, p := range []string{
		fmt.Sprintf("sys/class/hidraw/hidraw%d", n), fmt.Sprintf("dev/hidraw%d", n),
		fmt.Sprintf("run/udev/data/c240:%d", n), "sys" + path.Dir(path.Dir(devpath)),
	} {
		if err := os.RemoveAll(filepath.Join(m.root, p)); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *machine) say(action, devpath string, props ...string) {
	e := uevent{action: action, devpath: devpath, subsystem: "hidraw", props: map[string]string{}}
	for _, p := range props {
		k, v, _ := strings.Cut(p, "=")
		e.props[k] = v
	}
	m.events <- e
}

// watching runs Watch and tells what it found, one line a change.
func watching(t *testing.T, b Bus) (next func() string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	lines, done := make(chan string, 100), make(chan error, 1)
	go func() {
		done <- b.Watch(ctx, func(c Change) {
			word := "came"
			switch {
			case c.Settled:
				lines <- "settled"
				return
			case c.Gone:
				word = "gone"
			case c.Changed:
				word = "changed"
			}
			lines <- word + " " + c.Node.Path
		})
	}()
	t.Cleanup(cancel)
	next = func() string {
		t.Helper()
		select {
		case l := <-lines:
			return l
		case err := <-done:
			done <- err
			return fmt.Sprint("ended: ", err)
		case <-time.After(patience):
			t.Fatal("nothing came")
			return ""
		}
	}
	return next, func() error { cancel(); return <-done }
}

func want(t *testing.T, next func() string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if got := next(); got != l {
			t.Fatalf("%s, want %s", got, l)
		}
	}
}

const (
	uhid = "virtual/misc/uhid"
	usb  = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0"
)

func TestKeysAreFoundWithoutOpeningAnything(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.plug(0, usb, "0003:046D:C31C.0002", keyboardDescriptor)
	m.plug(1, usb, "0003:1050:0407.0010", fidoDescriptor)
	m.plug(2, uhid, "0003:F1D0:A17B.0009", fidoDescriptor)
	if err := os.RemoveAll(filepath.Join(m.root, "dev")); err != nil { // so that opening would fail
		t.Fatal(err)
	}
	var nodes []Node
	ctx, cancel := context.WithCancel(t.Context())
	err := m.bus().Watch(ctx, func(c Change) {
		if c.Settled {
			cancel()
			return
		}
		nodes = append(nodes, c.Node)
	})
	wanted := []Node{
		{"/dev/hidraw2@0003:F1D0:A17B.0009", "phys:port", "Key of 0003:F1D0:A17B.0009", "s0003:F1D0:A17B.0009", 0xf1d0, 0xa17b, true},
		{"/dev/hidraw1@0003:1050:0407.0010", "0000:00:14.0/2:1.0", "Key of 0003:1050:0407.0010", "s0003:1050:0407.0010", 0x1050, 0x0407, false},
	}
	if err != nil || !slices.Equal(nodes, wanted) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, nodes, wanted)
	}
}

func TestEachPlugAndUnplugIsToldOnceAndInOrder(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	early := m.plug(0, uhid, "0003:F1D0:A17B.0001", fidoDescriptor)
	next, end := watching(t, m.bus())
	want(t, next, "came /dev/hidraw0@0003:F1D0:A17B.0001", "settled")
	m.say("add", early) // it was queued while we listed
	m.unplug(0, early)
	m.say("remove", early)
	again := m.plug(0, uhid, "0003:F1D0:A17B.0002", fidoDescriptor)
	decoy := m.plug(1, uhid, "0003:046D:C31C.0003", keyboardDescriptor)
	m.say("add", again)
	m.say("add", decoy)
	m.say("change", again)
	m.say("remove", decoy)
	m.say("remove", again)
	m.say("remove", again)
	m.say("add", "/devices/"+uhid+"/0003:F1D0:A17B.0004/hidraw/hidraw0", "ID_FIDO_TOKEN=1") // gone before we looked
	m.say("remove", "/devices/"+uhid+"/0003:F1D0:A17B.0004/hidraw/hidraw0")
	m.say("add", "/devices/"+uhid+"/0003:F1D0:A17B.0005/hidraw/hidraw0") // no key
	m.say("add", "/devices/"+uhid+"/garbage", "ID_FIDO_TOKEN=1")
	want(t, next,
		"gone /dev/hidraw0@0003:F1D0:A17B.0001",
		"came /dev/hidraw0@0003:F1D0:A17B.0002", "changed /dev/hidraw0@0003:F1D0:A17B.0002", "gone /dev/hidraw0@0003:F1D0:A17B.0002",
		"came /dev/hidraw0@0003:F1D0:A17B.0004", "gone /dev/hidraw0@0003:F1D0:A17B.0004")
	m.events <- errors.New("the socket broke")
	want(t, next, "ended: the socket broke")
	if err := end(); err == nil || !slices.Equal(m.groups, []ueventGroup{groupUdev}) {
		t.Errorf("%v, listened to %v", err, m.groups)
	}
}

func TestAKeyThatUdevHasNotSeenWaitsForUdev(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	devpath := m.plug(0, uhid, "0003:F1D0:A17B.0001", fidoDescriptor)
	if err := os.Remove(filepath.Join(m.root, "run/udev/data/c240:0")); err != nil {
		t.Fatal(err)
	}
	next, end := watching(t, m.bus())
	want(t, next, "settled")
	m.say("add", devpath)
	want(t, next, "came /dev/hidraw0@0003:F1D0:A17B.0001")
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestLostMessagesAreMadeUpForByLooking(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	stays := m.plug(0, usb, "0003:1050:0407.0001", fidoDescriptor)
	goes := m.plug(1, uhid, "0003:F1D0:A17B.0002", fidoDescriptor)
	next, end := watching(t, m.bus())
	want(t, next, "came /dev/hidraw0@0003:1050:0407.0001", "came /dev/hidraw1@0003:F1D0:A17B.0002", "settled")
	m.unplug(1, goes)
	swapped := m.plug(1, uhid, "0003:F1D0:A17B.0003", fidoDescriptor)
	m.events <- errOverflow
	want(t, next, "gone /dev/hidraw1@0003:F1D0:A17B.0002", "came /dev/hidraw1@0003:F1D0:A17B.0003")
	m.say("add", swapped)
	m.unplug(0, stays)
	m.say("remove", stays)
	want(t, next, "gone /dev/hidraw0@0003:1050:0407.0001")
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestWithoutUdevTheKernelIsListenedTo(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	if err := os.RemoveAll(filepath.Join(m.root, "run")); err != nil {
		t.Fatal(err)
	}
	next, end := watching(t, m.bus())
	want(t, next, "settled")
	m.say("add", m.plug(0, uhid, "0003:F1D0:A17B.0001", fidoDescriptor))
	want(t, next, "came /dev/hidraw0@0003:F1D0:A17B.0001")
	if err := end(); err != nil || !slices.Equal(m.groups, []ueventGroup{groupKernel}) {
		t.Errorf("%v, listened to %v", err, m.groups)
	}
}

func TestANodeThatAnotherDeviceHasNowIsNotOpened(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.plug(0, uhid, "0003:F1D0:A17B.0002", fidoDescriptor)
	for _, p := range []string{"/dev/hidraw0@0003:F1D0:A17B.0001", "/dev/hidraw1@0003:F1D0:A17B.0001"} {
		if l, err := m.bus().Open(t.Context(), Node{Path: p}); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v, %v", p, l, err)
		}
	}
	for _, p := range []string{"", "/dev/hidraw0", "/dev/null@x", "vkey:1", "/dev/hidraw0/../null@0003:F1D0:A17B.0002"} {
		if l, err := m.bus().Open(t.Context(), Node{Path: p}); err == nil || errors.Is(err, ErrGone) {
			t.Errorf("%s: %v, %v", p, l, err)
		}
	}
}

func TestAKeyThatAnotherProgramHasLockedIsInUse(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.plug(0, uhid, "0003:F1D0:A17B.0001", fidoDescriptor)
	node := Node{Path: "/dev/hidraw0@0003:F1D0:A17B.0001"}
	f, err := os.Open(filepath.Join(m.root, "dev/hidraw0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil { // as libfido2 does
		t.Fatal(err)
	}
	if l, err := m.bus().Open(t.Context(), node); !errors.Is(err, ErrInUse) {
		t.Errorf("%v, %v", l, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := m.bus().Open(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := m.bus().Open(t.Context(), node); !errors.Is(err, ErrInUse) {
		t.Errorf("while we have it: %v, %v", l, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfHidrawKeepTheirNumber(t *testing.T) {
	t.Parallel()
	for errno, want := range map[unix.Errno]error{
		unix.EACCES: ErrForbidden, unix.EPERM: ErrForbidden, unix.ENOENT: ErrGone, unix.ENODEV: ErrGone, unix.EIO: ErrGone, unix.EMFILE: unix.EMFILE,
	} {
		err := hidrawError(&os.PathError{Op: "open", Path: "/dev/hidraw0", Err: errno})
		if !errors.Is(err, want) || !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if hidrawError(nil) != nil || !errors.Is(hidrawError(os.ErrClosed), ErrClosed) {
		t.Error("no error, or a closed file, became another error")
	}
}

// What is sent here comes from us and not from udevd or the kernel, so nothing
// of it may be believed.
func TestUeventsThatAnybodySentAreNotBelieved(t *testing.T) {
	t.Parallel()
	s, err := openUevents(groupUdev)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = s.Close() }()
	var to unix.Sockaddr
	if err := s.raw.Control(func(fd uintptr) { to, err = unix.Getsockname(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	forged := udevMessage("ACTION=add", "DEVPATH="+uhidPlace, "SUBSYSTEM=hidraw", "ID_FIDO_TOKEN=1")
	if err := unix.Sendto(fd, forged, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: to.(*unix.SockaddrNetlink).Pid}); err != nil {
		t.Skip("nobody can send here: ", err)
	}
	n, trusted, err := s.receive(true)
	if err != nil || n != len(forged) || trusted {
		t.Errorf("%d octets, trusted: %v, %v", n, trusted, err)
	}
	if err := unix.Sendto(fd, udevMessage("ACTION=add", "SUBSYSTEM=usb")[:24], 0, to); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.receive(false); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("a message about something else woke us: %v", err)
	}
	if err := s.file.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Error(err)
	}
	if e, err := s.next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestOnlyRootAndTheKernelAreBelieved(t *testing.T) {
	t.Parallel()
	udev, kernel := &ueventSocket{group: groupUdev}, &ueventSocket{group: groupKernel}
	cred := func(uid uint32) []byte { return unix.UnixCredentials(&unix.Ucred{Pid: 7, Uid: uid}) }
	for name, c := range map[string]struct {
		socket *ueventSocket
		from   unix.Sockaddr
		oob    []byte
		want   bool
	}{
		"udev":                         {udev, &unix.SockaddrNetlink{Pid: 7, Groups: 2}, cred(0), true},
		"the kernel":                   {kernel, &unix.SockaddrNetlink{Groups: 1}, cred(0), true},
		"a user":                       {udev, &unix.SockaddrNetlink{Pid: 7, Groups: 2}, cred(1000), false},
		"to us alone":                  {udev, &unix.SockaddrNetlink{Pid: 7}, cred(0), false},
		"a program, as the kernel":     {kernel, &unix.SockaddrNetlink{Pid: 7, Groups: 1}, cred(0), false},
		"nobody knows whom":            {udev, &unix.SockaddrNetlink{Pid: 7, Groups: 2}, nil, false},
		"with credentials cut short":   {udev, &unix.SockaddrNetlink{Pid: 7, Groups: 2}, cred(0)[:20], false},
		"something that is no netlink": {udev, &unix.SockaddrUnix{}, cred(0), false},
	} {
		if got := c.socket.trusts(c.from, c.oob); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
