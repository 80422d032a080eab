//go:build unix

package platform

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func mayManageSystem() bool { return os.Geteuid() == 0 }

// rootsAlone refuses a program that somebody else than root could change, or that
// its service, which runs as another user, could not run: what it is and all
// folders above it.
func rootsAlone(program string) error {
	path, err := filepath.EvalSymlinks(program)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProgramPlace, err)
	}
	for first := true; ; first = false {
		info, err := os.Lstat(path)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrProgramPlace, err)
		}
		owner, ok := ownerOf(info)
		mode := info.Mode()
		switch {
		case ok && owner != 0:
			return fmt.Errorf("%w: %s belongs to user %d", ErrProgramPlace, path, owner)
		case mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0:
			return fmt.Errorf("%w: others may write to %s", ErrProgramPlace, path)
		case mode.Perm()&0o001 == 0 || first && mode.Perm()&0o004 == 0:
			return fmt.Errorf("%w: %s is for its owner only", ErrProgramPlace, path)
		case path == filepath.Dir(path):
			return nil
		}
		path = filepath.Dir(path)
	}
}
