package platform

import (
	"os/user"
	"slices"

	"golang.org/x/sys/windows"
)

// look asks the machine's database of accounts, and who is at its screen. Groups
// of groups count (NetUserGetLocalGroups).
func look(uid string) Standing {
	s := Standing{Admin: uid == localSystem, Present: uid == presentUser()}
	of, err := user.LookupId(uid)
	if err != nil {
		return s
	}
	groups, err := of.GroupIds()
	if err != nil {
		return s
	}
	s.Admin = s.Admin || slices.Contains(groups, administrators)
	if group, err := user.LookupGroup(serviceGroup); err == nil {
		s.Member = slices.Contains(groups, group.Gid)
	}
	return s
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
