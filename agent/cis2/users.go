package cis2

import (
	"fmt"
	"strings"
)

// Role is a user's role at an organisation, as nationalrbacaccess has it.
type Role struct {
	OrgID         string   `json:"person_orgid"`  // 12 digits
	RoleID        string   `json:"person_roleid"` // 12 digits
	OrgCode       string   `json:"org_code"`      // ODS code
	Name          string   `json:"role_name"`     // three quoted parts joined by colons
	Code          string   `json:"role_code"`     // S:G:R
	Activities    []string `json:"activities,omitempty"`
	ActivityCodes []string `json:"activity_codes,omitempty"` // B codes
}

// Job is the last part of the role's code: R8000.
func (r Role) Job() string { return r.Code[strings.LastIndexByte(r.Code, ':')+1:] }

// Organisation is one that a user belongs to, as associatedorgs has it.
type Organisation struct {
	Code string `json:"org_code"`
	Name string `json:"org_name"`
}

// User is somebody who can sign in.
type User struct {
	UUID                 string
	Given, Family, Title string
	Email                string
	AAL                  int // the highest that the user's authenticators reach
	IAL                  int // of the user's identity: 0 to 3
	Roles                []Role
	Orgs                 []Organisation
	Sure                 Sure // of UUID, level and roles; names are made up
	Source               Source
}

// DefaultOrg and DefaultRole are what a new user of a path-to-live environment
// gets (TEST).
const (
	DefaultOrg     = "A9A5A"
	DefaultOrgName = "NHSID DEV"
	DefaultRole    = "R8015" // system support
)

// roles are those that the users below have. Of those that are not verified the
// first two parts of the code are made up.
var roles = map[string]struct{ code, name string }{
	"R8015": {"S8001:G8005:R8015", `"Admin & Clerical":"Management - A & C":"System Support Access Role"`},
	"R0260": {"S8000:G8000:R0260", `"Clinical":"Clinical Provision":"General Medical Practitioner"`},
	"R8000": {"S8000:G8000:R8000", `"Clinical":"Clinical Provision":"Clinical Practitioner Access Role"`},
	"R8001": {"S8000:G8000:R8001", `"Clinical":"Clinical Provision":"Nurse Access Role"`},
	"R8008": {"S8002:G8003:R8008", `"Admin & Clerical":"Admin/Clinical Support":"Admin/Clinical Support Access Role"`},
}

// NewRole is a role of a user at [DefaultOrg], which nobody else has: ids are
// made of the UUID's end and n, from 1. An unknown job is taken as it is.
func NewRole(uuid, job string, n int) Role {
	known, ok := roles[job]
	if !ok {
		known.code, known.name = "S8000:G8000:"+job, `"Clinical":"Clinical Provision":"`+job+`"`
	}
	tail := uuid[max(0, len(uuid)-6):]
	return Role{
		OrgID: fmt.Sprintf("5%04d0%06s", n, tail), RoleID: fmt.Sprintf("6%04d0%06s", n, tail),
		OrgCode: DefaultOrg, Name: known.name, Code: known.code,
	}
}

// MockUsers are those of the NHS mock authorisation service, with the level and
// the role that they have there. A level of 2 means that the user signs in at
// AAL2 at most.
func MockUsers() []User {
	rows := []struct {
		uuid, family string
		aal, ial     int
		jobs         []string
		sure         Sure
		source       Source
	}{
		{"656005750104", "Support", 3, 3, []string{"R8008", "R8000"}, Verified, srcMock},
		{"656005750105", "Five", 3, 3, []string{DefaultRole}, Verified, srcPYT},
		{"656005750106", "Six", 3, 3, []string{DefaultRole}, Verified, srcPYT},
		{"656005750107", "Clinician", 3, 3, []string{"R8000"}, Verified, srcMock},
		{"656005750108", "Doctor", 3, 3, []string{"R0260"}, Verified, srcMock},
		{"656005750109", "Clinician", 2, 3, []string{"R8000"}, Verified, srcMock},
		{"656005750110", "Ten", 1, 3, []string{DefaultRole}, Verified, srcPYT},
		{"656005750111", "Doctor", 2, 3, []string{"R0260"}, Verified, srcMock},
		{"656005750112", "Support", 2, 3, []string{"R8008"}, Inferred, srcMock},
		// The user for whom an application must refuse: the identity is not proven.
		{"555031999105", "Unproven", 3, 2, []string{"R8000"}, Verified, srcPublic},
	}
	all := make([]User, len(rows))
	for i, r := range rows {
		all[i] = User{
			UUID: r.uuid, Given: "Mock", Family: r.family, Title: "Mx", Email: "mock." + r.uuid + "@example.org",
			AAL: r.aal, IAL: r.ial, Orgs: []Organisation{{DefaultOrg, DefaultOrgName}}, Sure: r.sure, Source: r.source,
		}
		for n, job := range r.jobs {
			all[i].Roles = append(all[i].Roles, NewRole(r.uuid, job, n+1))
		}
	}
	return all
}
