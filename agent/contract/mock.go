package contract

// Mock is the daemon's mock of CIS2 as it stands.
type Mock struct {
	Issuer string `json:"issuer"`
	// Authority is the file with the certificate that its TLS is checked with.
	Authority string `json:"authority,omitempty" doc:"file with the certificate of the authority that its TLS certificate is of; absent without TLS"`
	// Keys are the ids (kid) of the published keys.
	Keys     []string     `json:"keys" doc:"ids of the published signing keys; the first one signs"`
	Sessions int          `json:"sessions" doc:"how many are signed in"`
	Clients  []MockClient `json:"clients"`
	Users    []MockUser   `json:"users"`
	Faults   []MockFaults `json:"faults" doc:"in force"`
	// Known are the names of all faults.
	Known []string `json:"known_faults" doc:"what it can do wrong"`
}

// MockClient is an application that sends users to the mock, without its
// secret.
type MockClient struct {
	ID                string   `json:"id"`
	Name              string   `json:"name,omitempty"`
	Pattern           string   `json:"pattern" enum:"client_secret_post,private_key_jwt"`
	Redirects         []string `json:"redirects"`
	AfterLogout       []string `json:"after_logout,omitempty"`
	BackChannelLogout string   `json:"back_channel_logout,omitempty"`
	JWKSURI           string   `json:"jwks_uri,omitempty"`
	SigningAlgorithm  string   `json:"signing_algorithm,omitempty"`
	SignedUserinfo    string   `json:"signed_userinfo,omitempty"`
	Scopes            []string `json:"scopes,omitempty"`
	Basic             bool     `json:"basic,omitempty"`
	LevelsAsNumbers   bool     `json:"levels_as_numbers,omitempty"`
}

// MockUser is somebody who can sign in at the mock.
type MockUser struct {
	UUID  string   `json:"uuid" doc:"its last digits without the right identity"`
	Name  string   `json:"name,omitempty" doc:"left out without the right identity"`
	AAL   int      `json:"aal" doc:"the highest level that the user reaches"`
	IAL   int      `json:"ial" doc:"the level of the user's identity"`
	Roles []string `json:"roles" doc:"role codes"`
}

// Masked is the user without what tells who it is.
func (u MockUser) Masked() MockUser {
	u.UUID, u.Name = MaskUser(u.UUID), ""
	return u
}

// MockUserRequest makes or changes a user of the mock, for as long as the daemon
// runs. What is absent is as for a user of the configuration.
type MockUserRequest struct {
	Name  string   `json:"name,omitempty" maxLength:"100" doc:"given and family name"`
	AAL   int      `json:"aal,omitempty" enum:"1,2,3" doc:"the highest level that the user reaches; absent: 3"`
	IAL   int      `json:"ial,omitempty" enum:"1,2,3" doc:"the level of the user's identity; absent: 3"`
	Roles []string `json:"roles,omitempty" maxItems:"20" pattern:"^R[0-9]{4}$" doc:"role codes; absent: R8015"`
}

// MockFaults says whose logins at the mock go wrong, and how: those of a client,
// of one login, told by the state of its request, or without both all.
type MockFaults struct {
	Client string `json:"client,omitempty" maxLength:"128"`
	State  string `json:"state,omitempty" maxLength:"2048" doc:"of one login's request; its faults are forgotten after an hour"`
	// Faults are written name, or name:duration.
	Faults []string `json:"faults" maxItems:"18" doc:"name, or name:duration where it takes one, such as slow:5s; an empty list ends them"`
}

// MockLogout is what came of ending sessions.
type MockLogout struct {
	Sessions   int            `json:"sessions" doc:"how many have ended"`
	Deliveries []MockDelivery `json:"deliveries" doc:"of logout tokens, to applications that have an endpoint for them"`
}

// MockDelivery is what became of one logout token.
type MockDelivery struct {
	Client   string  `json:"client"`
	Endpoint string  `json:"endpoint"`
	Status   int     `json:"status,omitempty" doc:"of the application's answer; absent: none came"`
	TookMS   float64 `json:"took_ms" doc:"milliseconds"`
	Error    string  `json:"error,omitempty"`
}

// MockKeys are the ids of the published keys.
type MockKeys struct {
	Keys []string `json:"keys" doc:"the first one signs"`
}
