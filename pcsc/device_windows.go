package pcsc

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	procDeviceInstanceID = windows.NewLazySystemDLL("winscard.dll").NewProc("SCardGetReaderDeviceInstanceIdW")
	cfgmgr32             = windows.NewLazySystemDLL("cfgmgr32.dll")
	procLocateDevNode    = cfgmgr32.NewProc("CM_Locate_DevNodeW")
	procGetParent        = cfgmgr32.NewProc("CM_Get_Parent")
	procGetDeviceID      = cfgmgr32.NewProc("CM_Get_Device_IDW")
)

const (
	maxDeviceID = 200 // MAX_DEVICE_ID_LEN of cfgmgr32.h
	maxDepth    = 16
)

// DeviceChain is the instance id of a reader's device and of those above it.
func (s *nativeSystem) DeviceChain(reader string) ([]string, error) {
	if err := procDeviceInstanceID.Find(); err != nil {
		return nil, fmt.Errorf("SCardGetReaderDeviceInstanceIdW: %w", err)
	}
	pc, err := s.Establish()
	if err != nil {
		return nil, err
	}
	defer func() { _ = pc.Release() }()
	name, err := windows.UTF16PtrFromString(reader)
	if err != nil {
		return nil, &Error{Op: "SCardGetReaderDeviceInstanceId", Code: SCARD_E_INVALID_VALUE}
	}
	var id [maxDeviceID + 1]uint16
	length := uint32(len(id))
	//nolint:gosec // C calls
	r, _, _ := procDeviceInstanceID.Call(pc.(*nativeContext).handle(), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&id[0])), uintptr(unsafe.Pointer(&length)))
	if r != 0 {
		return nil, &Error{Op: "SCardGetReaderDeviceInstanceId", Code: Code(r)}
	}
	chain := []string{windows.UTF16ToString(id[:])}
	var node uint32
	//nolint:gosec // C calls
	if r, _, _ := procLocateDevNode.Call(uintptr(unsafe.Pointer(&node)), uintptr(unsafe.Pointer(&id[0])), 0); r != 0 {
		return chain, nil
	}
	for range maxDepth {
		var parent uint32
		//nolint:gosec // C calls
		if r, _, _ := procGetParent.Call(uintptr(unsafe.Pointer(&parent)), uintptr(node), 0); r != 0 {
			break
		}
		//nolint:gosec // C calls
		if r, _, _ := procGetDeviceID.Call(uintptr(parent), uintptr(unsafe.Pointer(&id[0])), uintptr(len(id)), 0); r != 0 {
			break
		}
		chain = append(chain, windows.UTF16ToString(id[:]))
		node = parent
	}
	return chain, nil
}
