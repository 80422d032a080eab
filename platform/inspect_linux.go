package platform

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func inspect() Machine {
	m := inspectIn("/")
	m.PhysicalHolder = holderOf(physicalLock)
	m.NoTray = noTray()
	return m
}

// noTray asks the desktop, if there is one.
func noTray() bool {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), desktopTime)
	defer cancel()
	desktop, err := OpenDesktop(ctx)
	if err != nil {
		return false
	}
	defer desktop.Leave()
	shows, err := desktop.ShowsTrays(ctx)
	return err == nil && !shows
}

// inspectIn looks below another root than /, for tests.
func inspectIn(root string) Machine {
	in := func(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }
	m := Machine{OS: "linux", PCSCInstalled: exists(in("usr/sbin/pcscd")) || exists(in("usr/bin/pcscd")), PCSCRunning: exists(in("run/pcscd/pcscd.comm"))}
	m.USBReaders = usbReaders(in("sys/bus/usb/devices"))
	m.Hidraw = hidrawKeys(in("sys/class/hidraw"), in("dev"))
	owners := socketOwners(in("proc"))
	for _, file := range []string{"tcp", "tcp6"} {
		m.Listeners = append(m.Listeners, listeners(in("proc/net", file), owners)...)
	}
	m.MissingRules = missingRules(in)
	m.PCSCUsers = usersOf(in("proc"), "libpcsclite.so")
	return m
}

// missingRules looks in the folders that udev(7) and polkit(8) read. In one that is
// closed to this user the rule may well be.
func missingRules(in func(...string) string) []string {
	if !exists(in("etc/systemd/system/authbridge.service")) {
		return nil
	}
	var missing []string
	for rule, folder := range map[string]string{"71-authbridge.rules": "udev", "authbridge.rules": "polkit-1"} {
		there := func(top string) bool {
			_, err := os.Lstat(in(top, folder, "rules.d", rule))
			return err == nil || errors.Is(err, os.ErrPermission)
		}
		if !slices.ContainsFunc([]string{"etc", "run", "usr/lib", "usr/share", "usr/local/share"}, there) {
			missing = append(missing, "/etc/"+folder+"/rules.d/"+rule)
		}
	}
	slices.Sort(missing)
	return missing
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func line(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// usbReaders finds interfaces of class 0x0B (USB CCID 1.1, section 4.3).
func usbReaders(dir string) []USBDevice {
	interfaces, _ := filepath.Glob(filepath.Join(dir, "*", "bInterfaceClass"))
	var found []USBDevice
	for _, class := range interfaces {
		if line(class) != "0b" {
			continue
		}
		device, _, _ := strings.Cut(filepath.Base(filepath.Dir(class)), ":")
		at := filepath.Join(dir, device)
		d := USBDevice{Path: device, VendorID: line(filepath.Join(at, "idVendor")), Product: line(filepath.Join(at, "idProduct")), Name: line(filepath.Join(at, "product"))}
		if !slices.Contains(found, d) {
			found = append(found, d)
		}
	}
	return found
}

// fidoUsagePage is the start of a FIDO report descriptor: usage page F1D0
// (CTAP 2.1, 11.2.8.2).
var fidoUsagePage = []byte{0x06, 0xd0, 0xf1}

func hidrawKeys(class, dev string) []HidrawNode {
	descriptors, _ := filepath.Glob(filepath.Join(class, "hidraw*", "device", "report_descriptor"))
	var found []HidrawNode
	for _, d := range descriptors {
		b, err := os.ReadFile(d)
		if err != nil || !bytes.HasPrefix(b, fidoUsagePage) {
			continue
		}
		node := filepath.Base(filepath.Dir(filepath.Dir(d)))
		n := HidrawNode{Path: filepath.Join(dev, node)}
		n.Openable = unix.Access(n.Path, unix.R_OK|unix.W_OK) == nil
		n.Mode = modeOf(n.Path)
		for l := range strings.SplitSeq(line(filepath.Join(filepath.Dir(d), "uevent")), "\n") {
			if name, ok := strings.CutPrefix(l, "HID_NAME="); ok {
				n.Name = name
			}
		}
		found = append(found, n)
	}
	return found
}

// modeOf is a file's mode and group; an ACL, by which udev lets the person at the
// seat in, is not in it.
func modeOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	group := ""
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		group = groupName(strconv.FormatUint(uint64(stat.Gid), 10))
	}
	return strings.TrimSpace(info.Mode().String() + " " + group)
}

const tcpListen = "0A" // TCP_LISTEN, include/net/tcp_states.h

// listeners reads /proc/net/tcp or tcp6 (proc(5)).
func listeners(file string, owners map[string]Process) []Listener {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var found []Listener
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 10 || fields[3] != tcpListen {
			continue
		}
		if address, err := procAddress(fields[1]); err == nil {
			found = append(found, Listener{Address: address, Process: owners[fields[9]]})
		}
	}
	return found
}

// procAddress decodes an address of /proc/net/tcp: 32-bit words in the host's
// byte order (little endian on all we build for), and a port.
func procAddress(s string) (string, error) {
	host, port, ok := strings.Cut(s, ":")
	ip, err := hex.DecodeString(host)
	if !ok || err != nil || len(ip)%4 != 0 || len(ip) == 0 {
		return "", errors.New("not an address: " + s)
	}
	for i := 0; i < len(ip); i += 4 {
		slices.Reverse(ip[i : i+4])
	}
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(net.IP(ip).String(), strconv.FormatUint(n, 10)), nil
}

// socketOwners maps the inode of each socket to the process that has it open,
// as far as this user may look. Of several it is the one that started first: a
// child has its parent's sockets too, be it only until it executes.
func socketOwners(proc string) map[string]Process {
	owners := map[string]Process{}
	for _, p := range processes(proc) {
		fds, _ := os.ReadDir(filepath.Join(proc, strconv.Itoa(p.PID), "fd"))
		for _, fd := range fds {
			target, _ := os.Readlink(filepath.Join(proc, strconv.Itoa(p.PID), "fd", fd.Name()))
			inode, ok := strings.CutPrefix(target, "socket:[")
			inode = strings.TrimSuffix(inode, "]")
			if first, taken := owners[inode]; ok && (!taken || startedBefore(proc, p.PID, first.PID)) {
				owners[inode] = p
			}
		}
	}
	return owners
}

// startedBefore goes by the id where two started within one tick of the clock.
func startedBefore(proc string, a, b int) bool {
	return cmp.Or(cmp.Compare(startOf(proc, a), startOf(proc, b)), cmp.Compare(a, b)) < 0
}

// startOf is when a process started, in clock ticks since boot; the end of time
// for one that is gone (proc_pid_stat(5), starttime, the 20th after the name,
// which may hold anything).
func startOf(proc string, pid int) uint64 {
	stat := line(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return math.MaxUint64
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return math.MaxUint64
	}
	return start
}

// usersOf names the processes that have a library loaded.
func usersOf(proc, library string) []Process {
	var found []Process
	for _, p := range processes(proc) {
		maps, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(p.PID), "maps"))
		if err == nil && bytes.Contains(maps, []byte(library)) {
			found = append(found, p)
		}
	}
	return found
}

func processes(proc string) []Process {
	entries, _ := os.ReadDir(proc)
	var all []Process
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, Process{PID: pid, Name: line(filepath.Join(proc, e.Name(), "comm"))})
		}
	}
	return all
}

// holderOf asks the kernel who bound the machine-wide lock.
func holderOf(lock string) Process {
	conn, err := net.Dial("unix", "@"+lock)
	if err != nil {
		return Process{}
	}
	defer func() { _ = conn.Close() }()
	peer, err := peerOf(conn)
	if err != nil {
		return Process{}
	}
	return Process{PID: peer.PID, Name: line(filepath.Join("/proc", strconv.Itoa(peer.PID), "comm"))}
}
