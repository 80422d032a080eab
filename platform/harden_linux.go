package platform

import "golang.org/x/sys/unix"

// undumpable also keeps other processes of this user from attaching a
// debugger (prctl(2), PR_SET_DUMPABLE).
func undumpable() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
