package platform

import (
	"os/user"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// look asks the machine's database of accounts, and who is at its screen. The list
// of a group says who is in it by themselves, also of a directory in the cloud, whose
// users the rest does not know (golang/go#26041); then groups of groups count
// (NetUserGetLocalGroups).
func look(uid string) Standing {
	s := Standing{Admin: uid == localSystem || listed(administratorsName(), uid), Member: listed(serviceGroup, uid), Present: uid == presentUser()}
	if s.Admin && s.Member {
		return s
	}
	of, err := user.LookupId(uid)
	if err != nil {
		return s
	}
	groups, err := of.GroupIds()
	if err != nil {
		return s
	}
	s.Admin = s.Admin || slices.Contains(groups, administrators)
	if group, err := user.LookupGroup(serviceGroup); err == nil && !s.Member {
		s.Member = slices.Contains(groups, group.Gid)
	}
	return s
}

// administratorsName is that of the group in the language of this Windows.
func administratorsName() string {
	sid, err := windows.StringToSid(administrators)
	if err != nil {
		return ""
	}
	name, _, _, err := sid.LookupAccount("")
	if err != nil {
		return ""
	}
	return name
}

var netLocalGroupGetMembers = windows.NewLazySystemDLL("netapi32.dll").NewProc("NetLocalGroupGetMembers")

// listed is whether a user is in the list of a local group; not where that cannot
// be read (lmaccess.h, LOCALGROUP_MEMBERS_INFO_0).
func listed(group, uid string) bool {
	name, err := windows.UTF16PtrFromString(group)
	if err != nil || group == "" || netLocalGroupGetMembers.Find() != nil {
		return false
	}
	const all = 0xffffffff
	var list *byte
	var read, total uint32
	failed, _, _ := netLocalGroupGetMembers.Call(0, uintptr(unsafe.Pointer(name)), 0, //nolint:gosec // its arguments
		uintptr(unsafe.Pointer(&list)), all, uintptr(unsafe.Pointer(&read)), uintptr(unsafe.Pointer(&total)), 0) //nolint:gosec // its arguments
	if list != nil {
		defer func() { _ = windows.NetApiBufferFree(list) }()
	}
	if failed != 0 || list == nil {
		return false
	}
	members := unsafe.Slice((**windows.SID)(unsafe.Pointer(list)), read) //nolint:gosec // as many as it says
	return slices.ContainsFunc(members, func(sid *windows.SID) bool { return sid != nil && sid.String() == uid })
}

// presentUser is whose session has the screen and keyboard of this machine, and
// not one over the network; empty: nobody's. The system service alone may ask.
func presentUser() string {
	session := windows.WTSGetActiveConsoleSessionId()
	if session == 0xffffffff { // none is attached just now
		return ""
	}
	var token windows.Token
	if windows.WTSQueryUserToken(session, &token) != nil {
		return ""
	}
	defer func() { _ = token.Close() }()
	peer, err := whose(token)
	if err != nil {
		return ""
	}
	return peer.UID
}
