package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

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
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return err
	}
	// Made with its list: there is no moment at which others may put anything in.
	made := &windows.SecurityAttributes{Length: uint32(unsafe.Sizeof(windows.SecurityAttributes{})), SecurityDescriptor: access}
	if err := windows.CreateDirectory(name, made); err != nil && !errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	refuse := func(err error) error { return &fs.PathError{Op: "open", Path: dir, Err: err} }
	// One handle for all, since another folder may have the name at any time, and one
	// that follows no link.
	folder, err := windows.CreateFile(name, windows.READ_CONTROL|windows.WRITE_DAC|windows.FILE_LIST_DIRECTORY|windows.FILE_READ_ATTRIBUTES,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return refuse(err)
	}
	defer func() { _ = windows.CloseHandle(folder) }()
	about, err := windows.GetSecurityInfo(folder, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("whose folder %s is: %w", dir, err)
	}
	if owner := ownerOf(about); !ownerIsTrusted(owner, me.UID) {
		return refuse(fmt.Errorf("belongs to %s, not to you", nameOf(owner)))
	}
	before, err := grantsOf(about)
	if err != nil {
		return fmt.Errorf("who may write to %s: %w", dir, err)
	}
	if err := windows.SetSecurityInfo(folder, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil); err != nil {
		return refuse(err)
	}
	// Only now: who may write to an empty folder may make a link of it.
	if is, err := isFolder(folder); err != nil || !is {
		return refuse(errors.Join(errors.New("not a folder (a link is not followed here)"), err))
	}
	if stranger(before, mayAdd|mayChange, me.UID) == "" {
		return nil
	}
	return onlyOursWithin(dir, me.UID)
}

// isFolder is whether it is one, and no name for another place.
func isFolder(h windows.Handle) (bool, error) {
	var is struct{ attributes, tag uint32 }                                                                                               // FILE_ATTRIBUTE_TAG_INFO
	err := windows.GetFileInformationByHandleEx(h, windows.FileAttributeTagInfo, (*byte)(unsafe.Pointer(&is)), uint32(unsafe.Sizeof(is))) //nolint:gosec // as the call wants it
	const nameSurrogate = 0x20000000                                                                                                      // of a reparse tag ([MS-FSCC] 2.1.2.1)
	link := is.attributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 && is.tag&nameSurrogate != 0
	return is.attributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0 && !link, err
}

// onlyOursWithin looks at a folder that others could write to until now: whoever
// made a file stays its owner, and may do with it as they like.
func onlyOursWithin(dir, me string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		if !entry.IsDir() && !entry.Type().IsRegular() {
			return &fs.PathError{Op: "open", Path: path, Err: errors.New("a link, which others could have made")}
		}
		about, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
		if err != nil {
			return fmt.Errorf("whose file %s is: %w", path, err)
		}
		if owner := ownerOf(about); !ownerIsTrusted(owner, me) {
			return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("belongs to %s, not to you", nameOf(owner))}
		}
		return nil
	})
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
