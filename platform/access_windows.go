package platform

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// ownerOf is the SID of an object's owner; empty where it has none.
func ownerOf(about *windows.SECURITY_DESCRIPTOR) string {
	owner, _, err := about.Owner()
	if err != nil || owner == nil {
		return ""
	}
	return owner.String()
}

// grantsOf are the entries of an access list that allow something to the object
// itself. An object without a list is everybody's.
func grantsOf(about *windows.SECURITY_DESCRIPTOR) ([]grant, error) {
	list, _, err := about.DACL()
	if err != nil {
		return nil, err
	}
	if list == nil {
		return []grant{{everybody, windows.GENERIC_ALL}}, nil
	}
	var grants []grant
	for n := range uint32(list.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, n, &entry); err != nil {
			return nil, err
		}
		if entry.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || entry.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 {
			continue
		}
		sid := (*windows.SID)(unsafe.Pointer(&entry.SidStart)) //nolint:gosec // the entry ends in it (winnt.h)
		grants = append(grants, grant{sid.String(), uint32(entry.Mask)})
	}
	return grants, nil
}

// nameOf is an account as people know it, or its SID.
func nameOf(sid string) string {
	parsed, err := windows.StringToSid(sid)
	if err != nil {
		return sid
	}
	account, domain, _, err := parsed.LookupAccount("")
	switch {
	case err != nil:
		return sid
	case domain == "":
		return account
	}
	return domain + `\` + account
}
