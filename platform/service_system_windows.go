package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// mayManageSystem: the manager itself says who may.
func mayManageSystem() bool { return true }

// mayInstall is whether the manager would let this process make services, before it
// is told anything else of them.
func mayInstall() bool {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_CREATE_SERVICE)
	if err != nil {
		return !errors.Is(err, windows.ERROR_ACCESS_DENIED)
	}
	_ = windows.CloseServiceHandle(manager)
	return true
}

var netLocalGroupAdd = windows.NewLazySystemDLL("netapi32.dll").NewProc("NetLocalGroupAdd")

// makeGroup makes the group whose members may use the service, empty, where there is
// none (lmaccess.h, LOCALGROUP_INFO_0).
func makeGroup() error {
	name, err := windows.UTF16PtrFromString(serviceGroup)
	if err != nil {
		return err
	}
	info := struct{ name *uint16 }{name}
	failed, _, _ := netLocalGroupAdd.Call(0, 0, uintptr(unsafe.Pointer(&info)), 0) //nolint:gosec // its arguments
	const exists = 2223                                                            // lmerr.h, NERR_GroupExists
	if failed != 0 && failed != exists && failed != uintptr(windows.ERROR_ALIAS_EXISTS) {
		return fmt.Errorf("%w: the group %s: %w", ErrNoServiceUser, serviceGroup, windows.Errno(failed))
	}
	return nil
}

// prepareSystem makes the service's group, and refuses a program that a user could change, or put a library
// beside: the service would run that as SYSTEM.
func prepareSystem(_ context.Context, program string) error {
	if !mayInstall() {
		return ErrNotPermitted
	}
	rights := uint32(mayWrite | mayChange)
	for path := program; ; path = filepath.Dir(path) {
		// What is asked about a link is answered for where it leads to, and it can be
		// made to lead elsewhere.
		if info, err := os.Lstat(path); err != nil || info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
			return errors.Join(fmt.Errorf("%w: %s is a link", ErrProgramPlace, path), err)
		}
		about, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrProgramPlace, path, err)
		}
		grants, err := grantsOf(about)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrProgramPlace, path, err)
		}
		if owner := ownerOf(about); !ownerIsTrusted(owner, localSystem) {
			return fmt.Errorf("%w: %s belongs to %s", ErrProgramPlace, path, nameOf(owner))
		}
		if who := stranger(grants, rights); who != "" {
			return fmt.Errorf("%w: %s may change %s", ErrProgramPlace, nameOf(who), path)
		}
		switch parent := filepath.Dir(path); {
		case parent == path:
			return makeGroup()
		case path == program:
			rights = mayAdd | mayChange
		default:
			rights = mayChange // others may make folders beside it
		}
	}
}
