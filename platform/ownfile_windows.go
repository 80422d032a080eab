package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// ownDir makes a folder for this user, SYSTEM and administrators alone, or sees to
// it that one is. Below ProgramData everybody may make folders: one that somebody
// else made first is refused.
func ownDir(dir string) error {
	me, err := self()
	if err != nil {
		return err
	}
	access, err := windows.SecurityDescriptorFromString(folderAccess(me.UID))
	if err != nil {
		return err
	}
	list, _, err := access.DACL()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder (a link is not followed here)")}
	}
	about, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("whose folder %s is: %w", dir, err)
	}
	if owner := ownerOf(about); !ownerIsTrusted(owner, me.UID) {
		return &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("belongs to %s, not to you", owner)}
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
}

func onlyOurs(f *os.File, _ fs.FileInfo) error {
	me, err := self()
	if err != nil {
		return err
	}
	about, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("who may write to it: %w", err)
	}
	if owner := ownerOf(about); !ownerIsTrusted(owner, me.UID) {
		return fmt.Errorf("belongs to %s, not to you", owner)
	}
	grants, err := grantsOf(about)
	if err != nil {
		return fmt.Errorf("who may write to it: %w", err)
	}
	if who := stranger(grants, mayWrite|mayChange, me.UID); who != "" {
		return fmt.Errorf("%s may write to it: take that away in its properties, Security", nameOf(who))
	}
	return nil
}
