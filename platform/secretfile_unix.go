//go:build unix

package platform

import (
	"fmt"
	"io/fs"
	"os"
)

func secretOnlyOurs(info fs.FileInfo, credential bool) error {
	owner, ok := ownerOf(info)
	if ok && owner != os.Getuid() && (owner != 0 || !credential) {
		return fmt.Errorf("belongs to user %d, not to the daemon's", owner)
	}
	allowed := fs.FileMode(0o600)
	if credential {
		allowed = 0o440 // shown so where an access list names the service's user
	}
	if mode := info.Mode().Perm(); mode&^allowed != 0 {
		return fmt.Errorf("its mode is %04o: chmod 600 it", mode)
	}
	return nil
}
