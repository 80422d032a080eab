//go:build unix

package platform

import "golang.org/x/sys/unix"

func noCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return err
	}
	return undumpable()
}
