package nhs

import (
	"fmt"
	"strings"
)

// powerOf reads the numbers of GetSystemPowerStatus.
func powerOf(line, battery, percent, saver uint8) Seen[Power] {
	const none, unsaid = 128, 255
	if line == unsaid && (battery == unsaid || battery&none == 0 && percent == unsaid) {
		return unknown[Power]("Windows does not say what the machine runs on")
	}
	p := Power{Mains: line == 1, Percent: -1, Saver: saver == 1}
	if battery&none == 0 && percent <= 100 {
		p.Percent = int(percent)
	}
	if battery != unsaid && battery&none != 0 {
		p.Mains = true // without a battery nothing else is left
	}
	return known(p)
}

// Results of TPM Base Services, and what they say of the chip (tbs.h,
// winerror.h).
const (
	tbsNoChip   = 0x8028400F // TBS_E_TPM_NOT_FOUND
	tbsEmulator = 4          // TPM_IFTYPE_EMULATOR
)

// chipOf reads the answer of Tbsi_GetDeviceInfo. An interface that is not named
// counts as an emulator's: what cannot be decided is virtual.
func chipOf(result, version, interface_ uint32) Seen[Chip] {
	switch {
	case result == tbsNoChip:
		return known(Chip{})
	case result != 0:
		return unknown[Chip](fmt.Sprintf("TPM Base Services say 0x%08X", result))
	case version != 1 && version != 2:
		return unknown[Chip]("the version of the TPM is not told")
	}
	return known(Chip{Version: int(version), Emulated: interface_ == 0 || interface_ == tbsEmulator})
}

// machines are what makers of virtual machines call themselves in the firmware's
// tables.
var machines = []string{"virtual", "vmware", "qemu", "kvm", "bochs", "xen", "parallels", "bhyve", "amazon ec2", "google compute", "openstack"}

// isVirtualMachine is whether maker and product of a machine are those of a
// virtual one. One that says nothing counts as one.
func isVirtualMachine(maker, product string) bool {
	name := strings.ToLower(strings.TrimSpace(maker + " " + product))
	for _, m := range machines {
		if strings.Contains(name, m) {
			return true
		}
	}
	return name == ""
}
