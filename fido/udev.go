package fido

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// uevent is a message about a device, of the kernel or of udev.
type uevent struct {
	action    string
	devpath   string // below the root of sysfs: /devices/...
	subsystem string
	// props are the others, ID_FIDO_TOKEN among them.
	props map[string]string
}

var errNoUevent = errors.New("fido: not a uevent")

const (
	udevPrefix = "libudev\x00"
	udevMagic  = 0xfeedcafe
	// udevHeader is the size of struct monitor_netlink_header: the prefix,
	// then eight words; the size and place of the properties in the machine's
	// byte order, magic and hashes in network order.
	udevHeader = 40
	// maxUevent is what fits into a netlink message of udev.
	maxUevent = 8192
)

// parseUdev reads a message of udev's monitor (netlink group 2).
func parseUdev(msg []byte) (uevent, error) {
	if len(msg) < udevHeader || len(msg) > maxUevent || string(msg[:8]) != udevPrefix ||
		binary.BigEndian.Uint32(msg[8:]) != udevMagic {
		return uevent{}, errNoUevent
	}
	off, n := binary.NativeEndian.Uint32(msg[16:]), binary.NativeEndian.Uint32(msg[20:])
	if off < udevHeader || uint64(off)+uint64(n) > uint64(len(msg)) {
		return uevent{}, errNoUevent
	}
	return parseProps(msg[off : off+n])
}

// parseKernel reads a message of the kernel (netlink group 1): a line
// ACTION@DEVPATH, then the properties.
func parseKernel(msg []byte) (uevent, error) {
	line, props, ok := bytes.Cut(msg, []byte{0})
	if !ok || len(msg) > maxUevent || !bytes.Contains(line, []byte("@/")) {
		return uevent{}, errNoUevent
	}
	return parseProps(props)
}

func parseProps(b []byte) (uevent, error) {
	e := uevent{props: map[string]string{}}
	for line := range strings.SplitSeq(string(b), "\x00") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "ACTION":
			e.action = value
		case "DEVPATH":
			e.devpath = value
		case "SUBSYSTEM":
			e.subsystem = value
		case "":
		default:
			e.props[key] = value
		}
	}
	// A path with .. in it would lead out of sysfs.
	if e.action == "" || e.subsystem == "" || !strings.HasPrefix(e.devpath, "/devices/") || strings.Contains(e.devpath+"/", "/../") {
		return uevent{}, errNoUevent
	}
	return e, nil
}

// subsystemHash is the hash by which udev lets listeners filter messages in
// the kernel: MurmurHash2 of the name.
func subsystemHash(name string) uint32 {
	const m = 0x5bd1e995
	h := uint32(len(name))
	for ; len(name) >= 4; name = name[4:] {
		k := uint32(name[0]) | uint32(name[1])<<8 | uint32(name[2])<<16 | uint32(name[3])<<24
		k *= m
		k ^= k >> 24
		k *= m
		h = h*m ^ k
	}
	if len(name) > 0 {
		for i := len(name) - 1; i >= 0; i-- {
			h ^= uint32(name[i]) << (8 * i)
		}
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
