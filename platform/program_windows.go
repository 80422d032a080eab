package platform

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// programName asks the system for the file of a process.
func programName(pid int) string {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return ""
	}
	defer func() { _ = windows.CloseHandle(process) }()
	file := make([]uint16, windows.MAX_LONG_PATH)
	size := uint32(len(file))
	if err := windows.QueryFullProcessImageName(process, 0, &file[0], &size); err != nil {
		return ""
	}
	return filepath.Base(windows.UTF16ToString(file[:size]))
}
