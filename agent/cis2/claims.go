package cis2

import (
	"errors"
	"slices"
	"strings"

	// Claims are what their names say to the letter, and each comes once (RFC 7519,
	// 4). The standard library takes Iss for iss, and the last of two.
	"github.com/go-jose/go-jose/v4/json"
)

// Scope is a scope and the claims that it brings.
type Scope struct {
	Name string
	// IDToken and Userinfo are the claims' names.
	IDToken, Userinfo []string
	Sure              Sure
	Source            Source
}

// Scopes is the table of scopes. Professional and organisational memberships
// are known by the names of their scopes only.
func Scopes() []Scope {
	return []Scope{
		{"openid", []string{"sub"}, []string{"sub"}, Verified, srcScope},
		{"profile", nil, []string{"name", "family_name", "given_name", "uid"}, Verified, srcPublic},
		{"email", nil, []string{"email"}, Verified, srcPublic},
		{"nhsperson", nil, []string{"nhsid_useruid", "title", "idassurancelevel", "initials", "middle_names", "display_name"}, Verified, srcPublic},
		{"nationalrbacaccess", nil, []string{"nhsid_nrbac_roles"}, Verified, srcPublic},
		{"associatedorgs", nil, []string{"nhsid_user_orgs"}, Verified, srcPublic},
		{"selectedrole", []string{"selected_roleid"}, []string{"selected_roleid"}, Verified, srcNDR},
		{"professionalmemberships", nil, nil, Verified, srcScope},
		{"organisationalmemberships", nil, nil, Verified, srcScope},
		{"changedrole", nil, nil, Verified, srcMAVIS},
	}
}

// ParseScopes reads a scope parameter, each once, in the order asked for.
func ParseScopes(scope string) (known, unknown []string) {
	for _, name := range strings.Fields(scope) {
		switch {
		case slices.Contains(known, name) || slices.Contains(unknown, name):
		case slices.ContainsFunc(Scopes(), func(s Scope) bool { return s.Name == name }):
			known = append(known, name)
		default:
			unknown = append(unknown, name)
		}
	}
	return known, unknown
}

// Audience is one name or several (RFC 7519, 4.1.3).
type Audience []string

// UnmarshalJSON reads text or a list of it.
func (a *Audience) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*a = Audience{one}
		return nil
	}
	var all []string
	if err := json.Unmarshal(data, &all); err != nil {
		return errors.New("an audience is text or a list of it")
	}
	*a = all
	return nil
}

// IDToken is the claims of an ID token that are judged (IDS, NDR). Times are
// seconds since 1970. Levels are nil where the token has none: nothing is
// assumed in their place.
type IDToken struct {
	Issuer          string   `json:"iss"`
	Subject         string   `json:"sub"` // the user's UUID
	Audience        Audience `json:"aud"`
	AuthorisedParty string   `json:"azp,omitempty"`
	Expiry          int64    `json:"exp"`
	IssuedAt        int64    `json:"iat"`
	AuthTime        int64    `json:"auth_time"`
	Nonce           string   `json:"nonce,omitempty"`
	ACR             string   `json:"acr,omitempty"`
	AMR             []string `json:"amr,omitempty"`
	SessionID       string   `json:"sid,omitempty"`
	AccessTokenHash string   `json:"at_hash,omitempty"`
	CodeHash        string   `json:"c_hash,omitempty"`
	StateHash       string   `json:"s_hash,omitempty"`
	SelectedRole    string   `json:"selected_roleid,omitempty"`
	IdentityLevel   *Level   `json:"id_assurance_level,omitempty"`
	AuthLevel       *Level   `json:"authentication_assurance_level,omitempty"`
}

// ParseIDToken reads the claims of an ID token whose signature was verified
// elsewhere.
func ParseIDToken(claims []byte) (IDToken, error) {
	var t IDToken
	err := json.Unmarshal(claims, &t)
	return t, err
}

// Userinfo is what the userinfo endpoint says of a user, per scope.
type Userinfo struct {
	Subject string `json:"sub"`
	// Issuer and Audience are there where the answer is signed, if at all (OpenID
	// Connect Core 1.0, 5.3.2).
	Issuer   string   `json:"iss,omitempty"`
	Audience Audience `json:"aud,omitempty"`
	// profile
	Name       string `json:"name,omitempty"`
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	UID        string `json:"uid,omitempty"`
	// email
	Email string `json:"email,omitempty"`
	// nhsperson
	UserUID     string `json:"nhsid_useruid,omitempty"`
	Title       string `json:"title,omitempty"`
	Initials    string `json:"initials,omitempty"`
	MiddleNames string `json:"middle_names,omitempty"`
	DisplayName string `json:"display_name,omitempty"`
	Identity    *Level `json:"idassurancelevel,omitempty"`
	// nationalrbacaccess, associatedorgs, selectedrole
	Roles        []Role         `json:"nhsid_nrbac_roles,omitempty"`
	Orgs         []Organisation `json:"nhsid_user_orgs,omitempty"`
	SelectedRole string         `json:"selected_roleid,omitempty"`
}

// ParseUserinfo reads an answer of the userinfo endpoint.
func ParseUserinfo(answer []byte) (Userinfo, error) {
	var u Userinfo
	err := json.Unmarshal(answer, &u)
	return u, err
}
