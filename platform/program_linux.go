package platform

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// programName reads the link to the file of a process (proc(5)), for a process
// chooses its comm itself. Of another user's process only root may.
func programName(pid int) string {
	file, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	if err != nil {
		return ""
	}
	return filepath.Base(strings.TrimSuffix(file, " (deleted)"))
}
