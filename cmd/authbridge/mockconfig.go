package main

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"authbridge/platform/nhs"
)

// MockConfig is the mock of CIS2: where the daemon runs it, and which
// applications it knows beside the demo (demoClient).
type MockConfig struct {
	// Listen is "auto", "off", or an address on loopback of which the port
	// counts: a page with WebAuthn is on localhost, on both addresses (DESIGN 5.2).
	Listen  string       `json:"listen"`
	TLS     bool         `json:"tls"` // with the local authority
	Clients []MockClient `json:"client"`
}

// MockClient is an application that sends users to the mock.
type MockClient struct {
	Registered
	Secret          string   `json:"-"`
	Basic           bool     `json:"basic,omitempty"`
	LevelsAsNumbers bool     `json:"levels_as_numbers,omitempty"`
	Faults          []string `json:"faults,omitempty"`
}

// User is one identity, per environment, and the authenticators bound to it.
type User struct {
	Name           string            `json:"name"`
	UUID           map[string]string `json:"uuid"` // by target
	Authenticators []string          `json:"authenticators"`
	// TOTPFile is a file with the secret of the user's authenticator
	// application, base32.
	TOTPFile string `json:"totp_file,omitempty"`
	// AAL and Roles are what the mock makes of the user.
	AAL      int      `json:"aal"`
	givenAAL bool     // else it is that of the public mock's user, where it is one
	Roles    []string `json:"roles,omitempty"`
}

// usualAAL is what users reach at the mock where nobody says otherwise.
const usualAAL = 3

// rawMock and rawUser are the tables as they are written; see file.
type rawMock struct {
	Listen any `toml:"listen"`
	TLS    any `toml:"tls"`
	Client []struct {
		rawRegistered
		Secret          any `toml:"secret"`
		Basic           any `toml:"basic"`
		LevelsAsNumbers any `toml:"levels_as_numbers"`
		Faults          any `toml:"faults"`
	} `toml:"client"`
}

type rawUser struct {
	Name           any `toml:"name"`
	UUID           any `toml:"uuid"`
	Authenticators any `toml:"authenticators"`
	TOTPFile       any `toml:"totp_file"`
	AAL            any `toml:"aal"`
	Roles          any `toml:"roles"`
}

const (
	clientTable = "mock.client"
	userTable   = "user"
)

// takeClients takes the applications of the mock, and says which values are of
// a wrong type.
func (m *MockConfig) takeClients(raw rawMock) []Finding {
	var t taker
	for i, r := range raw.Client {
		const key = clientTable
		c := MockClient{
			Registered: t.registered(key, i, r.rawRegistered), Basic: t.toggle(key, i, "basic", r.Basic),
			LevelsAsNumbers: t.toggle(key, i, "levels_as_numbers", r.LevelsAsNumbers), Faults: t.texts(key, i, "faults", r.Faults),
		}
		var isText bool
		if c.Secret, isText = r.Secret.(string); !isText && r.Secret != nil {
			t.wrong(key, i, "secret", "secret is no text", "put it in quotes") // and is not repeated here
		}
		m.Clients = append(m.Clients, c)
	}
	return t.bad
}

// takeUsers takes the users.
func takeUsers(raw []rawUser) ([]User, []Finding) {
	var t taker
	var all []User
	for i, r := range raw {
		const key = userTable
		u := User{
			Name: t.text(key, i, "name", r.Name), UUID: map[string]string{}, Authenticators: t.texts(key, i, "authenticators", r.Authenticators),
			TOTPFile: t.text(key, i, "totp_file", r.TOTPFile), AAL: usualAAL, Roles: t.texts(key, i, "roles", r.Roles),
		}
		byTarget, isTable := r.UUID.(map[string]any)
		for target, given := range byTarget {
			uuid, isText := given.(string)
			isTable = isTable && isText
			u.UUID[target] = uuid
		}
		if !isTable && r.UUID != nil {
			t.wrong(key, i, "uuid", "uuid is no table of texts", `write { mock = "656005750108" }`)
		}
		switch aal, isNumber := r.AAL.(int64); {
		case isNumber:
			u.AAL, u.givenAAL = int(aal), true
		case r.AAL != nil:
			t.wrong(key, i, "aal", fmt.Sprintf("aal is %v", r.AAL), "write 1, 2 or 3, without quotes")
		}
		all = append(all, u)
	}
	return all, t.bad
}

// findings say what is wrong with the values, but for those of clients:
// badClient knows them.
func (m MockConfig) findings(api string) (bad []Finding) {
	if m.Listen != "auto" && m.Listen != "off" {
		what, remedy := badListen(m.Listen)
		_, port, err := net.SplitHostPort(m.Listen)
		_, apiPort, _ := net.SplitHostPort(api)
		switch {
		case err != nil:
			remedy = `write "auto", "off", or "localhost:17824" with a port of your own`
		case what == "" && port != "0" && port == apiPort:
			what, remedy = "mock.listen has the port of the API", "choose another one, or 0 for any free one"
		}
		if what != "" {
			bad = append(bad, Finding{Where: "mock.listen", What: what, Remedy: remedy})
		}
	}
	for i, c := range m.Clients {
		wrong := badClient(c)
		if c.ID != "" && slices.ContainsFunc(m.Clients[:i], func(o MockClient) bool { return o.ID == c.ID }) {
			wrong = append(wrong, Finding{Where: "id", What: "id is that of another client", Remedy: "write each client once"})
		}
		for _, f := range wrong {
			f.Where = member(clientTable, i, f.Where)
			bad = append(bad, f)
		}
	}
	return bad
}

func userFindings(all []User, targets []string) (bad []Finding) {
	for i, u := range all {
		add := func(name, what, remedy string) {
			bad = append(bad, Finding{Where: member(userTable, i, name), What: what, Remedy: remedy})
		}
		switch {
		case u.Name == "":
			add("name", "a user has no name", "write one that you tell the user by")
		case slices.ContainsFunc(all[:i], func(o User) bool { return o.Name == u.Name }):
			add("name", fmt.Sprintf("name is %q, as that of another user", u.Name), "write each user once, with all authenticators")
		}
		if len(u.UUID) == 0 {
			add("uuid", "a user has no uuid", `write the UUID in each environment: uuid = { mock = "656005750108" }`)
		}
		for _, target := range slices.Sorted(maps.Keys(u.UUID)) {
			uuid := u.UUID[target]
			if !slices.Contains(targets, target) {
				add("uuid", fmt.Sprintf("uuid has %q, which is no target", target), "choose of "+strings.Join(targets, ", "))
			}
			if !isUser.MatchString(uuid) {
				add("uuid", fmt.Sprintf("uuid of %s is %q", target, uuid), "write the 12 digits, as on the card, in quotes")
			}
			if slices.ContainsFunc(all[:i], func(o User) bool { return o.UUID[target] == uuid }) {
				add("uuid", fmt.Sprintf("uuid of %s is that of another user", target), "write each user once, with all authenticators")
			}
		}
		if u.AAL < 1 || u.AAL > 3 {
			add("aal", fmt.Sprintf("aal is %d", u.AAL), "write 1, 2 or 3: the highest level that the user reaches at the mock")
		}
		for n, id := range u.Authenticators {
			switch {
			case id == "" || strings.ContainsAny(id, " \t\r\n"):
				add("authenticators", fmt.Sprintf("authenticators has %q", id), "write ids as `authbridge authenticators` shows them")
			case slices.Contains(u.Authenticators[:n], id):
				add("authenticators", fmt.Sprintf("authenticators has %q twice", id), "write each id once")
			}
		}
		if u.TOTPFile != "" && !filepath.IsAbs(u.TOTPFile) {
			add("totp_file", fmt.Sprintf("totp_file is %q", u.TOTPFile), "write its whole path, from the root; ~ is not expanded")
		}
		for _, role := range u.Roles {
			if !isRole(role) {
				add("roles", fmt.Sprintf("roles has %q", role), `write role codes: ["R8000"]`)
			}
		}
	}
	return bad
}

// isRole is whether a text has the form of a role's code: R8000.
func isRole(code string) bool {
	digits, ok := strings.CutPrefix(code, "R")
	return ok && len(digits) == 4 && strings.Trim(digits, "0123456789") == ""
}

// mockPort is where the daemon runs its mock. Where nobody says so it is next to
// the API, and there where virtual authenticators are: without them few could
// sign in at it.
func (s settings) mockPort() (port string, on bool) {
	switch s.Mock.Listen {
	case "off":
		return "", false
	case "auto":
		return portAfter(s.Listen), s.virtualOn()
	}
	_, port, _ = net.SplitHostPort(s.Mock.Listen) // validated
	return port, true
}

// portAfter is the next port that is free to have, and 0, for any, after 0.
func portAfter(address string) string {
	_, port, _ := net.SplitHostPort(address) // validated
	n, _ := strconv.Atoi(port)
	if n == 0 {
		return "0"
	}
	n++
	for nhs.IsPort(strconv.Itoa(n)) {
		n++
	}
	if n > 65535 {
		return "0"
	}
	return strconv.Itoa(n)
}
