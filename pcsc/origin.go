package pcsc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Origin says whether a reader is hardware. What cannot be decided is virtual.
type Origin struct {
	Virtual bool
	Why     string // one line for a person
}

func virtual(format string, args ...any) Origin {
	return Origin{Virtual: true, Why: fmt.Sprintf(format, args...)}
}

func physical(format string, args ...any) Origin {
	return Origin{Why: fmt.Sprintf(format, args...)}
}

// devices is a System that knows a reader's device: its instance id and those
// of the devices above it, up to the machine.
type devices interface {
	DeviceChain(reader string) ([]string, error)
}

// Origin decides where a reader comes from, by its transport and not by its
// name: on Windows by its device, elsewhere by SCARD_ATTR_CHANNEL_ID, which
// the reader's driver answers, looked up among the USB devices of sysfs. It
// talks to the driver, not to the card; for that it is connected to the reader
// (SCARD_SHARE_DIRECT) for a moment. An error means that it could not be asked
// now, and the origin with it is virtual.
func (c *Connector) Origin(ctx context.Context, reader string) (Origin, error) {
	if strings.HasPrefix(reader, "Windows Hello for Business") {
		return virtual("the reader of Windows Hello for Business"), nil
	}
	if d, ok := c.system.(devices); ok {
		chain, err := d.DeviceChain(reader)
		if err != nil {
			return virtual("its device is not known: %v", err), err
		}
		return originOfDevice(chain), nil
	}
	conn, err := c.open(ctx, reader, ShareDirect, ProtocolUndefined)
	if err != nil {
		return virtual("the reader could not be asked: %v", err), err
	}
	value, _, err := conn.do(ctx, opAttribute, func(h Handle) ([]byte, error) { return h.Attribute(AttributeChannelID) })
	if closed := conn.Close(); err == nil && closed != nil {
		err = closed
	}
	// A driver that does not know says so in one way or another: vpcd by
	// SCARD_E_UNSUPPORTED_FEATURE.
	if code, ok := CodeOf(err); ok && !goneCode(code) {
		return virtual("its driver names no channel (%s)", code.Name()), nil
	}
	if err != nil {
		return virtual("the reader could not be asked: %v", err), err
	}
	return originOfChannel(c.opts.Sysfs, value), nil
}

// goneCode is an answer about the reader or the service, not about the
// attribute.
func goneCode(code Code) bool {
	switch code {
	case SCARD_E_READER_UNAVAILABLE, SCARD_E_UNKNOWN_READER, SCARD_E_NO_SERVICE, SCARD_E_SERVICE_STOPPED,
		SCARD_F_COMM_ERROR, SCARD_E_INVALID_HANDLE, SCARD_E_SHARING_VIOLATION, SCARD_W_REMOVED_CARD, SCARD_W_RESET_CARD:
		return true
	default:
		return false
	}
}

// channelUSB is the type of channel in the high word of SCARD_ATTR_CHANNEL_ID
// (PC/SC part 3, appendix A): 0x0020BBAA is bus BB, address AA.
const channelUSB = 0x0020

// originOfChannel looks a reader's channel up in sysfs.
func originOfChannel(sysfs string, value []byte) Origin {
	// A DWORD in the machine's order: 4 octets, or 8 in drivers that take
	// pcsc-lite's DWORD for one.
	if len(value) != 4 && len(value) != 8 {
		return virtual("its driver names a channel of %d octets", len(value))
	}
	channel := binary.NativeEndian.Uint32(value)
	if len(value) == 8 {
		channel = uint32(binary.NativeEndian.Uint64(value))
	}
	if channel>>16 != channelUSB {
		return virtual("its channel 0x%08X is not USB", channel)
	}
	bus, address := int(channel>>8&0xFF), int(channel&0xFF)
	path, err := usbDevice(sysfs, bus, address)
	if err != nil {
		return virtual("%v", err)
	}
	for part := range strings.SplitSeq(path, "/") {
		switch name, _, _ := strings.Cut(part, "."); name {
		case "vhci_hcd", "dummy_hcd", "virtual":
			return virtual("its USB bus %d is made by software (%s)", bus, part)
		default:
		}
	}
	return physical("USB bus %d, address %d", bus, address)
}

// usbDevice finds the place of a USB device among all devices, as a path below
// sysfs.
func usbDevice(sysfs string, bus, address int) (string, error) {
	root, err := filepath.EvalSymlinks(sysfs)
	if err != nil {
		return "", fmt.Errorf("sysfs cannot be read: %w", err)
	}
	folder := filepath.Join(root, "bus/usb/devices")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", fmt.Errorf("the USB devices cannot be listed: %w", err)
	}
	for _, e := range entries {
		device := filepath.Join(folder, e.Name())
		if number(device, "busnum") != bus || number(device, "devnum") != address {
			continue
		}
		path, err := filepath.EvalSymlinks(device)
		if err != nil {
			return "", fmt.Errorf("the USB device cannot be found: %w", err)
		}
		path, err = filepath.Rel(root, path)
		if err != nil || !strings.HasPrefix(path, "devices/") {
			return "", errors.New("the USB device is not among the devices of sysfs")
		}
		return path, nil
	}
	return "", fmt.Errorf("no USB device has bus %d, address %d", bus, address)
}

// number reads a decimal file of sysfs, -1 if that is none.
func number(device, file string) int {
	text, err := os.ReadFile(filepath.Join(device, file))
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return -1
	}
	return n
}

// originOfDevice decides by a Windows device and the devices above it: a
// reader is hardware if a controller that the machine itself found (PCI, ACPI)
// is what carries it. Software enumerates its own below ROOT or SWD, as the
// TPM's virtual smart cards, vpcd and USB/IP do.
func originOfDevice(chain []string) Origin {
	for i, id := range chain {
		enumerator, _, _ := strings.Cut(strings.ToUpper(id), `\`)
		switch enumerator {
		case "PCI", "ACPI", "PCMCIA":
			return physical("%s below %s", chain[0], id)
		case "ROOT", "SWD", "HTREE", "UMB", "TERMINPUT_BUS":
			return virtual("%s is made by software (%s)", chain[0], id)
		case "USB", "BTH", "BTHENUM", "BTHLE", "BTHLEDEVICE", "NFC":
			// carried by what is above it
		default:
			if i == 0 {
				continue
			}
			return virtual("%s is carried by %s, which is not known", chain[0], id)
		}
	}
	return virtual("nothing is known to carry it (%s)", strings.Join(chain, " "))
}
