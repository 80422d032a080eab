package nhs

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

const onWindows = true

func look() Facts {
	return Facts{
		Windows:   known(windowsVersion()),
		Programs:  installed(),
		Gateway:   gateway(),
		PIVDriver: hasDriver(func(lower string) bool { return strings.Contains(lower, "[piv]") }),
		Oberthur:  hasDriver(isOberthur),
		Power:     power(),
		Chip:      chip(),
		Policies:  windowsPolicies(),
	}
}

// windowsVersion is that of the kernel, whatever version a program says it is
// made for.
func windowsVersion() string {
	v := windows.RtlGetVersion()
	return fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)
}

// procs are of DLLs that are there on Windows and may be absent under Wine.
var (
	procPower = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetSystemPowerStatus")
	procTBS   = windows.NewLazySystemDLL("tbs.dll").NewProc("Tbsi_GetDeviceInfo")
)

// power asks what the machine runs on (winbase.h: SYSTEM_POWER_STATUS).
func power() Seen[Power] {
	var s struct {
		ACLine, Battery, Percent, Saver uint8
		LifeTime, FullLifeTime          uint32
	}
	if err := procPower.Find(); err != nil {
		return unknown[Power](errorText(err))
	}
	if ok, _, err := procPower.Call(uintptr(unsafe.Pointer(&s))); ok == 0 { //nolint:gosec // its own memory, as the call wants it
		return unknown[Power](errorText(os.NewSyscallError("GetSystemPowerStatus", err)))
	}
	return powerOf(s.ACLine, s.Battery, s.Percent, s.Saver)
}

// chip asks TPM Base Services, which takes no administrator (tbs.h:
// TPM_DEVICE_INFO).
func chip() Seen[Chip] {
	var info struct{ struct_, version, interface_, revision uint32 }
	if err := procTBS.Find(); err != nil {
		return unknown[Chip](errorText(err))
	}
	result, _, _ := procTBS.Call(unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info))) //nolint:gosec // its own memory, as the call wants it
	c := chipOf(uint32(result), info.version, info.interface_)
	if c.Unknown == "" && c.Is.Version > 0 && isVirtualMachine(machineName()) {
		c.Is.Emulated = true
	}
	return c
}

// alone is whether this process is in the session of services, which belongs to
// no person.
func alone() bool {
	var session uint32
	return windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session) == nil && session == 0
}
