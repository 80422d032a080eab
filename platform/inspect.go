package platform

// Machine is what can be seen of this machine without opening any device.
// What cannot be told on this system stays empty.
type Machine struct {
	OS string // GOOS
	// PCSCInstalled and PCSCRunning are about the smartcard service.
	PCSCInstalled, PCSCRunning bool
	// USBReaders are USB devices with a smartcard interface (class 0x0B).
	USBReaders []USBDevice
	// Listeners are the TCP ports somebody listens on.
	Listeners []Listener
	// PCSCUsers are programs that have the PC/SC library loaded, as far as
	// this user may look.
	PCSCUsers []Process
	// Hidraw are the kernel's raw HID nodes of FIDO keys.
	Hidraw []HidrawNode
	// PhysicalHolder has the lock of the physical hardware; PID 0 if nobody.
	PhysicalHolder Process
	// NoTray is whether there is a desktop, and it shows no tray icons.
	NoTray bool
}

// USBDevice is a device on the USB.
type USBDevice struct {
	Path              string // below /sys/bus/usb/devices
	VendorID, Product string
	Name              string
}

// Listener is a listening TCP socket.
type Listener struct {
	Address string // host:port
	Process Process
}

// Process is a running program; PID 0 where it could not be told.
type Process struct {
	PID  int
	Name string
}

// HidrawNode is a FIDO key's node below /dev.
type HidrawNode struct {
	Path     string
	Name     string
	Openable bool
}

// Inspect looks at this machine. It opens no device and changes nothing.
func Inspect() Machine { return inspect() }
