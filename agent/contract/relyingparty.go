package contract

import "time"

// RelyingPartyRequest asks for the checks of a running application against its
// registration. What is called stands in the registration alone: no request names
// an address.
type RelyingPartyRequest struct {
	Client string `json:"client,omitempty" maxLength:"128" doc:"client id; absent: the only application that is registered besides the demo, else the demo"`
	Target string `json:"target,omitempty" maxLength:"64" doc:"where it is registered: mock, int, dep, prod; absent: wherever the client id is registered"`
	// Reports asks for the reports too: nothing of the checks is kept.
	Reports bool `json:"reports,omitempty" doc:"answer with the reports for people and pipelines too"`
}

// RelyingParty is an application in the light of its registration. It holds no
// secret and no personal data.
type RelyingParty struct {
	Client string `json:"client"`
	Name   string `json:"name,omitempty"`
	Target string `json:"target" doc:"where it is registered"`
	Issuer string `json:"issuer,omitempty" doc:"whose logout tokens were sent"`
	// State is the worst of the checks; one that could not be made counts as none.
	State     CheckState           `json:"state" enum:"pass,warn,fail"`
	Summary   string               `json:"summary" doc:"the answer in one sentence for a person"`
	StartedAt time.Time            `json:"started_at"`
	EndedAt   time.Time            `json:"ended_at"`
	Checks    []RelyingPartyCheck  `json:"checks"`
	Reports   *RelyingPartyReports `json:"reports,omitempty"`
}

// RelyingPartyCheck is one thing that was looked at.
type RelyingPartyCheck struct {
	Name     string     `json:"name" doc:"stable, for example logout-wrong-iss"`
	State    CheckState `json:"state" enum:"pass,warn,fail,unknown" doc:"unknown: it could not be looked at, and evidence says why"`
	Subject  string     `json:"subject,omitempty" doc:"what was looked at: an address of the registration"`
	Expected string     `json:"expected,omitempty"`
	Got      string     `json:"got,omitempty"`
	Evidence string     `json:"evidence,omitempty" doc:"what was seen besides; a remark where nothing is wrong"`
	Clause   string     `json:"clause,omitempty" doc:"where the rule stands"`
	Code     string     `json:"code" doc:"failure code, for example BCL_SIM"`
	Remedy   string     `json:"remedy,omitempty" doc:"what to do; absent on pass"`
	At       time.Time  `json:"at" doc:"when it began"`
	TookMS   float64    `json:"took_ms" doc:"milliseconds"`
}

// RelyingPartyReports are the reports, as text.
type RelyingPartyReports struct {
	HTML  string `json:"html"`
	JUnit string `json:"junit"`
}
