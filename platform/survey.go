package platform

import (
	"context"
	"os/user"
	"strconv"
	"strings"
)

// Survey is what a support bundle tells of the operating system around this
// process. What cannot be told on this system stays empty.
type Survey struct {
	System string `json:"system"` // of os-release
	Kernel string `json:"kernel"`
	// Container is the kind of container or virtual machine that this is.
	Container string `json:"container,omitempty"`
	// PCSC is the version of the smartcard service.
	PCSC string `json:"pcsc"`
	UID  string `json:"uid"`
	// Groups are those of this process; ones that may be called after a person
	// are ***.
	Groups []string `json:"groups"`
	// Session is the person's session at this machine (loginctl(1),
	// show-session); empty where there is none.
	Session map[string]string `json:"session"`
	// Rules are the files that let somebody have cards and keys.
	Rules []string `json:"rules"`
	Machine
}

// LookAround looks at this machine. It opens no device and changes nothing; it
// asks other programs, and waits a few seconds for them at most.
func LookAround(ctx context.Context) Survey {
	s := survey(ctx)
	s.Machine = Inspect()
	if u, err := user.Current(); err == nil {
		s.UID = u.Uid
		ids, _ := u.GroupIds()
		for _, id := range ids {
			s.Groups = append(s.Groups, groupName(id))
		}
	}
	return s
}

// PersonName is the name by which this user logs in, where it may be a person's;
// paths have it.
func PersonName() string {
	u, err := user.Current()
	if err != nil || u.Uid == "0" {
		return ""
	}
	return u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
}

// firstPerson is the first id of users and groups of people (login.defs(5),
// UID_MIN).
const firstPerson = 1000

// groupName is a group's name; of one that is no part of the system, ***.
func groupName(gid string) string {
	n, err := strconv.Atoi(gid)
	g, unknown := user.LookupGroupId(gid)
	switch {
	case unknown != nil:
		return gid
	case err == nil && n >= firstPerson && g.Name != ServiceName && g.Name != "nogroup":
		return "***"
	}
	return g.Name
}
