//go:build unix

package platform

import (
	"os/user"
	"slices"
)

// serviceUser is who the system service runs as (units/sysusers.conf).
const serviceUser = ServiceName

// inGroup asks the system's database: with cgo all that it is made of (NSS, Open
// Directory), without only the files of users and groups.
func inGroup(uid, name string) bool {
	group, err := user.LookupGroup(name)
	if err != nil {
		return false
	}
	of, err := user.LookupId(uid)
	if err != nil {
		return false
	}
	groups, err := of.GroupIds()
	return err == nil && slices.Contains(groups, group.Gid)
}
