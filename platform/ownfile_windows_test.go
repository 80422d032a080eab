package platform

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/windows"
)

// TestAFolderOfOnesOwnIsForNobodyElse, also one that was for others before, with
// what is in it.
func TestAFolderOfOnesOwnIsForNobodyElse(t *testing.T) {
	me, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "a", "b")
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(open, "kept"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	everybodys, err := windows.SecurityDescriptorFromString("D:P(A;OICI;FA;;;WD)")
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := everybodys.DACL()
	if err != nil {
		t.Fatal(err)
	}
	if err := windows.SetNamedSecurityInfo(open, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{fresh, open} {
		for range 2 { // it is there the second time
			if err := ownDir(dir); err != nil {
				t.Fatal(err)
			}
		}
		about, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		grants, err := grantsOf(about)
		if err != nil {
			t.Fatal(err)
		}
		if who := stranger(grants, mayWrite|mayChange, me.UID); who != "" || len(grants) == 0 {
			t.Errorf("%s: %s may change it: %+v", dir, who, grants)
		}
	}
	if text, err := os.ReadFile(filepath.Join(open, "kept")); err != nil || string(text) != "x" {
		t.Errorf("what was in it: %q, %v", text, err)
	}
}

func TestALinkIsNoFolderOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if _, err := os.Lstat(link); err != nil {
		t.Skipf("a link was made, and none is there: %v", err)
	}
	if err := ownDir(link); err == nil {
		t.Error("a link is followed")
	}
}

func TestAFileIsNoFolderOfOnesOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ownDir(file); err == nil {
		t.Error("a file is taken for a folder")
	}
}
