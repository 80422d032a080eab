//nolint:gosec // Windows takes what it is asked, and gives its answers, through pointers
package fido

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// cfgmgr is the part of cfgmgr32.dll that x/sys lacks.
type cfgmgr struct {
	interfaceProperty, devNodeProperty *windows.LazyProc
	locate, parent, deviceID           *windows.LazyProc
	register, unregister               *windows.LazyProc
}

var loadCfgmgr = sync.OnceValue(func() *cfgmgr {
	dll := windows.NewLazySystemDLL("cfgmgr32.dll")
	return &cfgmgr{
		interfaceProperty: dll.NewProc("CM_Get_Device_Interface_PropertyW"),
		devNodeProperty:   dll.NewProc("CM_Get_DevNode_PropertyW"),
		locate:            dll.NewProc("CM_Locate_DevNodeW"),
		parent:            dll.NewProc("CM_Get_Parent"),
		deviceID:          dll.NewProc("CM_Get_Device_IDW"),
		register:          dll.NewProc("CM_Register_Notification"),
		unregister:        dll.NewProc("CM_Unregister_Notification"),
	}
})

// hidInterface is GUID_DEVINTERFACE_HID.
func hidInterface() windows.GUID {
	return windows.GUID{Data1: 0x4d1e55b2, Data2: 0xf16f, Data3: 0x11cf, Data4: [8]byte{0x88, 0xcb, 0x00, 0x11, 0x11, 0x00, 0x00, 0x30}}
}

func propertyKey(a uint32, b, c uint16, d [8]byte, id uint32) *windows.DEVPROPKEY {
	return &windows.DEVPROPKEY{FmtID: windows.DEVPROPGUID{Data1: a, Data2: b, Data3: c, Data4: d}, PID: windows.DEVPROPID(id)}
}

// The device properties that are asked for (devpkey.h).
func keyInstanceID() *windows.DEVPROPKEY { // DEVPKEY_Device_InstanceId
	return propertyKey(0x78c34fc8, 0x104a, 0x4aca, [8]byte{0x9e, 0xa4, 0x52, 0x4d, 0x52, 0x99, 0x6e, 0x57}, 256)
}

func keyHardwareIDs() *windows.DEVPROPKEY { // DEVPKEY_Device_HardwareIds
	return propertyKey(0xa45c254e, 0xdf1c, 0x4efd, [8]byte{0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0}, 3)
}

func keyBusReportedDeviceDesc() *windows.DEVPROPKEY { // DEVPKEY_Device_BusReportedDeviceDesc
	return propertyKey(0x540b947e, 0x8b40, 0x45bc, [8]byte{0xa8, 0xa2, 0x6a, 0x0b, 0x89, 0x4c, 0xbd, 0xa2}, 4)
}

// maxProperty bounds a property, in UTF-16 units.
const maxProperty = 4096

func configError(what string, ret uintptr) error {
	if windows.CONFIGRET(ret) == windows.CR_SUCCESS {
		return nil
	}
	return fmt.Errorf("fido: %s: CONFIGRET 0x%02X", what, ret)
}

// interfaceString is a text property of a device interface.
func (c *cfgmgr) interfaceString(path string, key *windows.DEVPROPKEY) (string, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return "", err
	}
	var kind uint32
	var buf [maxProperty]uint16
	size := uint32(2 * len(buf))
	ret, _, _ := c.interfaceProperty.Call(uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(key)),
		uintptr(unsafe.Pointer(&kind)), uintptr(unsafe.Pointer(&buf)), uintptr(unsafe.Pointer(&size)), 0)
	return windows.UTF16ToString(buf[:]), configError("CM_Get_Device_Interface_Property", ret)
}

// devNodeStrings is a text property of a device, of one or many texts.
func (c *cfgmgr) devNodeStrings(dev windows.DEVINST, key *windows.DEVPROPKEY) []string {
	var kind uint32
	var buf [maxProperty]uint16
	size := uint32(2 * len(buf))
	ret, _, _ := c.devNodeProperty.Call(uintptr(dev), uintptr(unsafe.Pointer(key)),
		uintptr(unsafe.Pointer(&kind)), uintptr(unsafe.Pointer(&buf)), uintptr(unsafe.Pointer(&size)), 0)
	if windows.CONFIGRET(ret) != windows.CR_SUCCESS {
		return nil
	}
	return splitUTF16(buf[:min(len(buf), int(size/2))])
}

func splitUTF16(units []uint16) []string {
	var all []string
	for begin, i := 0, 0; i <= len(units); i++ {
		if i < len(units) && units[i] != 0 {
			continue
		}
		if i > begin {
			all = append(all, windows.UTF16ToString(units[begin:i]))
		}
		begin = i + 1
	}
	return all
}

// inspect asks the device tree about a device interface.
func (c *cfgmgr) inspect(path string) (instance, error) {
	d := instance{path: path}
	id, err := c.interfaceString(path, keyInstanceID())
	if err != nil {
		return d, err
	}
	name, err := windows.UTF16PtrFromString(id)
	if err != nil {
		return d, err
	}
	var dev windows.DEVINST
	ret, _, _ := c.locate.Call(uintptr(unsafe.Pointer(&dev)), uintptr(unsafe.Pointer(name)), 0)
	if err := configError("CM_Locate_DevNode", ret); err != nil {
		return d, err
	}
	d.hardware = c.devNodeStrings(dev, keyHardwareIDs())
	const deepest = 32
	for range deepest {
		var id [maxProperty]uint16
		if ret, _, _ := c.deviceID.Call(uintptr(dev), uintptr(unsafe.Pointer(&id)), uintptr(len(id)), 0); windows.CONFIGRET(ret) != windows.CR_SUCCESS {
			break
		}
		d.chain = append(d.chain, windows.UTF16ToString(id[:]))
		enumerator, device, _ := splitInstance(d.chain[len(d.chain)-1])
		if _, _, ok := vidPID(device); ok && enumerator == "USB" {
			if names := c.devNodeStrings(dev, keyBusReportedDeviceDesc()); len(names) > 0 {
				d.product = names[0] // the device's own name stands above its functions'
			}
		}
		var up windows.DEVINST
		if ret, _, _ := c.parent.Call(uintptr(unsafe.Pointer(&up)), uintptr(dev), 0); windows.CONFIGRET(ret) != windows.CR_SUCCESS {
			break
		}
		dev = up
	}
	return d, nil
}

// notifyFilter is CM_NOTIFY_FILTER for a device interface class.
type notifyFilter struct {
	size, flags, kind, reserved uint32
	class                       windows.GUID
	_                           [400 - 16]byte // the union's largest member: WCHAR[MAX_DEVICE_ID_LEN]
}

// signal is called by Windows whenever a HID device comes or goes; its context
// is an event to be set. Callbacks are never freed, so there is one.
var signal = sync.OnceValue(func() uintptr {
	return windows.NewCallback(func(_, event, _, _, _ uintptr) uintptr {
		_ = windows.SetEvent(windows.Handle(event))
		return 0 // ERROR_SUCCESS
	})
})

// notify has an event set whenever a HID device comes or goes. Once stop has
// returned the event is not touched any more.
func (c *cfgmgr) notify(event windows.Handle) (stop func() error, err error) {
	filter := notifyFilter{class: hidInterface()}
	filter.size = uint32(unsafe.Sizeof(filter))
	var registration uintptr
	ret, _, _ := c.register.Call(uintptr(unsafe.Pointer(&filter)), uintptr(event), signal(), uintptr(unsafe.Pointer(&registration)))
	if err := configError("CM_Register_Notification", ret); err != nil {
		return nil, err
	}
	return func() error {
		ret, _, _ := c.unregister.Call(registration)
		return configError("CM_Unregister_Notification", ret)
	}, nil
}

// hidInterfaces lists the device interfaces of all HID devices.
func hidInterfaces() ([]string, error) {
	class := hidInterface()
	paths, err := windows.CM_Get_Device_Interface_List("", &class, windows.CM_GET_DEVICE_INTERFACE_LIST_PRESENT)
	if errors.Is(err, windows.ERROR_NOT_FOUND) {
		return nil, nil
	}
	return paths, err
}
