package platform

import "slices"

// Whom an access list of Windows names (well-known SIDs, [MS-DTYP] 2.4.2.4).
const (
	everybody      = "S-1-1-0"
	localSystem    = "S-1-5-18"
	administrators = "S-1-5-32-544"
	installer      = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464" // NT SERVICE\TrustedInstaller
)

// pipeUse is what a client of a pipe needs, and what everybody has on the pipe of
// the system service: to read, to write, and to see and wait for it (winnt.h:
// FILE_GENERIC_READ and FILE_GENERIC_WRITE without FILE_APPEND_DATA). On a pipe
// that bit is FILE_CREATE_PIPE_INSTANCE: who has it could answer in the daemon's
// place, behind an owner that is still the daemon's.
const pipeUse = 0x0012019b

// pipeAccess is the security descriptor of a pipe (SDDL): for its owner and
// SYSTEM, nobody by the network; where it is for all, administrators have all
// rights and every user of this machine those of a client.
func pipeAccess(owner string, all bool) string {
	access := "O:" + owner + "D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;" + owner + ")"
	if all {
		access += "(A;;GA;;;BA)(A;;0x12019b;;;AU)"
	}
	return access
}

// folderAccess is that of a folder with state: for its owner, SYSTEM and
// administrators, and so for whatever is made in it.
func folderAccess(owner string) string {
	return "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;" + owner + ")"
}

// ownerIsTrusted is whether what belongs to somebody is as good as one's own: it
// is, or nobody else can make anything belong to them.
func ownerIsTrusted(owner, me string) bool {
	return slices.Contains([]string{me, localSystem, administrators, installer}, owner)
}

// grant is one entry of an access list that allows something.
type grant struct {
	sid  string
	mask uint32
}

// Rights by which a file, or a folder and what lies in it, becomes another
// (winnt.h).
const (
	mayAdd    = 0x2                                             // FILE_ADD_FILE
	mayWrite  = 0x2 | 0x4                                       // FILE_WRITE_DATA, FILE_APPEND_DATA
	mayChange = 0x10000 | 0x40 | 0x40000 | 0x80000 | 0x50000000 // DELETE, FILE_DELETE_CHILD, WRITE_DAC, WRITE_OWNER, GENERIC_ALL, GENERIC_WRITE
)

// stranger is somebody who has one of these rights and is not one of those named,
// SYSTEM, administrators or Windows itself; empty: nobody.
func stranger(grants []grant, rights uint32, but ...string) string {
	for _, g := range grants {
		if g.mask&rights != 0 && !ownerIsTrusted(g.sid, localSystem) && !slices.Contains(but, g.sid) {
			return g.sid
		}
	}
	return ""
}
