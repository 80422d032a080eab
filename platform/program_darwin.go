package platform

import "golang.org/x/sys/unix"

// programName is the kernel's name of a process, the first 16 octets of its file's.
func programName(pid int) string {
	process, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(process.Proc.P_comm[:])
}
