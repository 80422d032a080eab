package platform

import (
	"strings"
	"testing"
)

const (
	ann       = "S-1-5-21-1-2-3-1001"
	anybodyIn = "S-1-5-11" // Authenticated Users
)

// TestAPipeIsForThoseItIsMeantFor: nobody comes by the network, and no user may
// answer in the daemon's place.
func TestAPipeIsForThoseItIsMeantFor(t *testing.T) {
	t.Parallel()
	own, all := pipeAccess(ann, false), pipeAccess(localSystem, true)
	if want := "O:" + ann + "D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;" + ann + ")"; own != want {
		t.Errorf("one's own: %s, want %s", own, want)
	}
	if !strings.HasPrefix(all, "O:S-1-5-18D:P(D;;GA;;;NU)") || !strings.HasSuffix(all, "(A;;0x12019b;;;AU)") {
		t.Errorf("the system's: %s", all)
	}
	const createInstance, read, write = 0x4, 0x1, 0x2
	if pipeUse != 0x12019b || pipeUse&createInstance != 0 || pipeUse&read == 0 || pipeUse&write == 0 {
		t.Errorf("a client asks for %#x", pipeUse)
	}
}

func TestWhoseThingsAreTakenForOnesOwn(t *testing.T) {
	t.Parallel()
	for owner, want := range map[string]bool{
		ann: true, localSystem: true, administrators: true, installer: true,
		"S-1-5-21-1-2-3-1002": false, anybodyIn: false, everybody: false, "": false,
	} {
		if ownerIsTrusted(owner, ann) != want {
			t.Errorf("%q: want %t", owner, want)
		}
	}
	// A service is nobody's but the machine's.
	if ownerIsTrusted(ann, localSystem) {
		t.Error("a user's program runs as SYSTEM")
	}
}

// TestWhoMayChangeWhatAServiceRuns: the lists are those of a fresh Windows 11, as
// icacls prints them.
func TestWhoMayChangeWhatAServiceRuns(t *testing.T) {
	t.Parallel()
	const full, modify, readAndRun, writeData, appendData = 0x1f01ff, 0x1301bf, 0x1200a9, 0x2, 0x4
	programFiles := []grant{{installer, full}, {localSystem, modify}, {administrators, modify}, {"S-1-5-32-545", readAndRun}, {"S-1-15-2-1", readAndRun}}
	profile := []grant{{localSystem, full}, {administrators, full}, {ann, full}}
	root := []grant{{administrators, full}, {localSystem, full}, {"S-1-5-32-545", readAndRun}, {anybodyIn, appendData}}
	data := []grant{{localSystem, full}, {administrators, full}, {"S-1-5-32-545", readAndRun}, {"S-1-5-32-545", writeData}}
	for _, test := range []struct {
		name   string
		grants []grant
		rights uint32
		but    []string
		want   string
	}{
		{"Program Files", programFiles, mayWrite | mayChange, nil, ""},
		{"a profile", profile, mayWrite | mayChange, nil, ann},
		{"a profile, of whose it is", profile, mayWrite | mayChange, []string{ann}, ""},
		{"the root, above it", root, mayChange, nil, ""},
		{"the root, beside it", root, mayAdd | mayChange, nil, ""},
		{"the root, itself", root, mayWrite | mayChange, nil, anybodyIn},
		{"ProgramData, beside it", data, mayAdd | mayChange, nil, "S-1-5-32-545"},
		{"one that may be deleted", []grant{{anybodyIn, 0x10000}}, mayChange, nil, anybodyIn},
		{"one whose list may be changed", []grant{{anybodyIn, 0x40000}}, mayChange, nil, anybodyIn},
		{"one whose owner may be changed", []grant{{anybodyIn, 0x80000}}, mayChange, nil, anybodyIn},
		{"one of which all may be deleted", []grant{{anybodyIn, 0x40}}, mayChange, nil, anybodyIn},
		{"everybody's", []grant{{everybody, 0x10000000}}, mayChange, nil, everybody},
		{"everybody may write", []grant{{everybody, 0x40000000}}, mayWrite | mayChange, nil, everybody},
		{"nobody's", nil, mayWrite | mayChange, nil, ""},
	} {
		if got := stranger(test.grants, test.rights, test.but...); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAFolderWithStateIsForItsOwnerAndAdministrators(t *testing.T) {
	t.Parallel()
	want := "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;" + ann + ")"
	if got := folderAccess(ann); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
