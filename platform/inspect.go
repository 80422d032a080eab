package platform

// Machine is what can be seen of this machine without opening any device.
// What cannot be told on this system stays empty.
type Machine struct {
	OS string `json:"os"` // GOOS
	// PCSCInstalled and PCSCRunning are about the smartcard service.
	PCSCInstalled bool `json:"pcsc_installed"`
	PCSCRunning   bool `json:"pcsc_running"`
	// USBReaders are USB devices with a smartcard interface (class 0x0B).
	USBReaders []USBDevice `json:"usb_readers"`
	// Listeners are the TCP ports somebody listens on.
	Listeners []Listener `json:"listeners"`
	// PCSCUsers are programs that have the PC/SC library loaded, as far as
	// this user may look.
	PCSCUsers []Process `json:"pcsc_users"`
	// Hidraw are the kernel's raw HID nodes of FIDO keys.
	Hidraw []HidrawNode `json:"hidraw"`
	// PhysicalHolder has the lock of the physical hardware; PID 0 if nobody.
	PhysicalHolder Process `json:"physical_holder"`
	// MissingRules are the files of udev and polkit without which a system service
	// that no package brought gets no keys and no smartcards.
	MissingRules []string `json:"missing_rules,omitempty"`
	// NoTray is whether there is a desktop, and it shows no tray icons.
	NoTray bool `json:"no_tray"`
}

// USBDevice is a device on the USB.
type USBDevice struct {
	Path     string `json:"path"` // below /sys/bus/usb/devices
	VendorID string `json:"vendor"`
	Product  string `json:"product"`
	Name     string `json:"name"`
}

// Listener is a listening TCP socket.
type Listener struct {
	Address string  `json:"address"` // host:port
	Process Process `json:"process"`
}

// Process is a running program; PID 0 where it could not be told.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

// HidrawNode is a FIDO key's node below /dev.
type HidrawNode struct {
	Path     string `json:"path"`
	Name     string `json:"name"`
	Mode     string `json:"mode"` // as ls shows it, with the group
	Openable bool   `json:"openable"`
}

// Inspect looks at this machine. It opens no device and changes nothing.
func Inspect() Machine { return inspect() }
