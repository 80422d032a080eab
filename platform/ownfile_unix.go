//go:build unix

package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

func ownDir(dir string) error { return privateDir(dir) }

func onlyOurs(_ *os.File, info fs.FileInfo) error {
	if owner, ok := ownerOf(info); ok && owner != os.Getuid() && owner != 0 {
		return fmt.Errorf("belongs to user %d, not to you", owner)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others may write to it: chmod go-w it")
	}
	return nil
}
