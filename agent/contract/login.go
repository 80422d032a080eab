package contract

import (
	"encoding/json"
	"time"
)

// LoginMode is who drives a login run (DESIGN 7).
type LoginMode string

// The ways to drive a login.
const (
	DriveHeadless LoginMode = "headless" // the bridge, with a leased authenticator; the mock only
	DriveBrowser  LoginMode = "browser"  // a browser of the user's; the lease reserves the authenticator
	DriveTokens   LoginMode = "tokens"   // it was done elsewhere: its tokens are judged
)

// LoginScenario is what a login run tries.
type LoginScenario string

// The scenarios. Those below the empty line are negative: they pass when the
// refusal comes from the one who must refuse.
const (
	ScenarioSignIn           LoginScenario = "sign-in"
	ScenarioSSO              LoginScenario = "sso"              // a second request is answered from the session
	ScenarioStepUp           LoginScenario = "step-up"          // a session of a lower level does not answer
	ScenarioReauthentication LoginScenario = "reauthentication" // prompt=login makes the user sign in again
	ScenarioLogout           LoginScenario = "logout"           // after it nobody is signed in

	ScenarioAAL2ForAAL3        LoginScenario = "aal2-for-aal3"
	ScenarioWrongUser          LoginScenario = "wrong-user"
	ScenarioCardPulled         LoginScenario = "card-pulled"
	ScenarioPINBlocked         LoginScenario = "pin-blocked"
	ScenarioExpiredCertificate LoginScenario = "expired-certificate"
	ScenarioTouchTimeout       LoginScenario = "touch-timeout"
	ScenarioTamperedToken      LoginScenario = "tampered-token"
	ScenarioStaleAuthTime      LoginScenario = "stale-auth-time"
	ScenarioVirtualForINT      LoginScenario = "virtual-for-int"
)

// LoginScenarios lists all, the positive ones first.
var LoginScenarios = []LoginScenario{
	ScenarioSignIn, ScenarioSSO, ScenarioStepUp, ScenarioReauthentication, ScenarioLogout, ScenarioAAL2ForAAL3, ScenarioWrongUser, ScenarioCardPulled, ScenarioPINBlocked, ScenarioExpiredCertificate,
	ScenarioTouchTimeout, ScenarioTamperedToken, ScenarioStaleAuthTime, ScenarioVirtualForINT,
}

// Refuser is who must refuse in a negative scenario.
type Refuser string

// Who can refuse.
const (
	RefusedByBridge       Refuser = "bridge"
	RefusedByMock         Refuser = "mock"
	RefusedByRelyingParty Refuser = "relying-party"
)

// LoginRequest asks for a login run.
type LoginRequest struct {
	Target   string        `json:"target" maxLength:"64" doc:"mock, int, dep, prod, or one from the configuration"`
	Mode     LoginMode     `json:"mode,omitempty" enum:"headless,browser,tokens" doc:"absent: headless"`
	Scenario LoginScenario `json:"scenario,omitempty" enum:"sign-in,sso,step-up,reauthentication,logout,aal2-for-aal3,wrong-user,card-pulled,pin-blocked,expired-certificate,touch-timeout,tampered-token,stale-auth-time,virtual-for-int" doc:"absent: sign-in"`
	ACR      string        `json:"acr,omitempty" maxLength:"128" doc:"acr_values, most wanted first; absent: AAL3_ANY"`
	User     string        `json:"user,omitempty" pattern:"^[0-9]{12}$" doc:"12-digit UUID of who signs in; absent: the card's own; with a key whose the key is, or else the target's usual one"`
	Kind     Kind          `json:"kind,omitempty" enum:"smartcard,security-key" doc:"absent: what satisfies acr and is free"`
	// Authenticator is an id; absent: the lease desk chooses.
	Authenticator string `json:"authenticator,omitempty" maxLength:"64"`
	Origin        Origin `json:"origin,omitempty" enum:"physical,virtual" doc:"as with leases: absent is virtual for the mock, physical elsewhere"`
	// PIN is where that of the authenticator comes from. The run takes it over
	// and wipes it.
	PIN *PINSource `json:"pin,omitempty" doc:"absent: the PIN that the configuration binds; a virtual authenticator's is known; else a person is asked"`
	// Queue is how long to wait for an authenticator.
	Queue string `json:"queue,omitempty" doc:"Go duration up to 10m to wait for an authenticator; absent: 1m"`
	// Timeout is for all that follows once the authenticator is there.
	Timeout string `json:"timeout,omitempty" doc:"Go duration from 1s to 10m; absent: 2m"`
	Purpose string `json:"purpose,omitempty" maxLength:"64" pattern:"^[A-Za-z0-9 ._:/#-]*$" doc:"what for, shown to people and in the report: run 17"`
	// Suite is made by the client that asks for many runs, and joins their reports.
	Suite string `json:"suite,omitempty" pattern:"^suite-[0-9a-f]{16}$" doc:"what runs that are asked for together have in common; their reports come as one"`
	// Wait keeps the call open: who goes away meanwhile cancels the run.
	Wait bool `json:"wait,omitempty" doc:"answer once the run is over; to go away before cancels it"`
	// Tokens are for mode tokens, and only there.
	Tokens *LoginTokens `json:"tokens,omitempty" doc:"what the application under test obtained; needed for mode tokens"`
}

// Wipe clears the PIN and the tokens: whoever has the request last calls it.
func (r *LoginRequest) Wipe() {
	if r.PIN != nil {
		clear(r.PIN.Value)
	}
	if r.Tokens != nil {
		clear(r.Tokens.IDToken)
		clear(r.Tokens.AccessToken)
	}
}

// LoginTokens are what somebody else's login brought. The tokens are wiped once
// they were judged, and are in no answer, report or log.
type LoginTokens struct {
	IDToken     Secret `json:"id_token" maxLength:"32768" doc:"as the token endpoint gave it"`
	AccessToken Secret `json:"access_token,omitempty" maxLength:"32768" doc:"for at_hash; without userinfo it also fetches that"`
	// Userinfo is the answer of the userinfo endpoint: JSON, or a signed one as
	// JSON text.
	Userinfo json.RawMessage `json:"userinfo,omitempty"`
	ClientID string          `json:"client_id,omitempty" maxLength:"256" doc:"the application's; absent: the one configured for the target"`
	Nonce    string          `json:"nonce,omitempty" maxLength:"256" doc:"absent: the nonce is not judged"`
	// MaxAge is how old the sign-in may be.
	MaxAge string `json:"max_age,omitempty" doc:"Go duration; absent: 5m"`
	// Ceremony is the id of the one that signed in; it says which authenticator
	// was really used.
	Ceremony string `json:"ceremony,omitempty" maxLength:"64"`
}

// LoginState is how far a login run has come.
type LoginState string

// The states of a login run.
const (
	LoginQueued  LoginState = "queued" // waits for an authenticator
	LoginRunning LoginState = "running"
	LoginPassed  LoginState = "passed"
	LoginFailed  LoginState = "failed"
	LoginAborted LoginState = "aborted" // cancelled, or the daemon ended in the middle
)

// Over is whether it is one of the last states.
func (s LoginState) Over() bool {
	switch s {
	case LoginPassed, LoginFailed, LoginAborted:
		return true
	}
	return false
}

// Login is one whole OIDC login: what was asked, each step, and what came of
// it. It holds no secret. Its steps hold no personal data: a user is shown by
// the last digits.
type Login struct {
	ID       string        `json:"id"`
	State    LoginState    `json:"state" enum:"queued,running,passed,failed,aborted"`
	Target   string        `json:"target"`
	Issuer   string        `json:"issuer,omitempty"`
	ClientID string        `json:"client_id,omitempty"`
	Mode     LoginMode     `json:"mode" enum:"headless,browser,tokens"`
	Scenario LoginScenario `json:"scenario"`
	// Refusers are those who must refuse in the scenario.
	Refusers []Refuser `json:"refusers,omitempty" doc:"who must refuse: bridge, mock, relying-party"`
	ACR      string    `json:"acr"`
	AAL      int       `json:"aal" doc:"the least level that acr admits"`
	User     string    `json:"user,omitempty" doc:"who signs in; masked without the right identity"`
	// Authenticator is absent until there is a lease.
	Authenticator string `json:"authenticator,omitempty"`
	Name          string `json:"name,omitempty" doc:"of the authenticator"`
	Kind          Kind   `json:"kind,omitempty"`
	Only          string `json:"only,omitempty" doc:"id of the authenticator, where the request named it"`
	Origin        Origin `json:"origin,omitempty" enum:"physical,virtual" doc:"of the authenticator: what rests on a virtual one proves nothing of a real target"`
	DrivenBy      string `json:"driven_by" enum:"bridge,browser,application"`
	Lease         string `json:"lease,omitempty"`
	// Open is the owner's alone, and not in events.
	Open      string    `json:"open,omitempty" doc:"the address that the client opens in the user's browser, while the run waits for it; the owner of the run alone sees it"`
	Holder    string    `json:"holder" doc:"who asked for it: token ci, user 1000"`
	Purpose   string    `json:"purpose,omitempty"`
	Suite     string    `json:"suite,omitempty" doc:"of runs that were asked for together"`
	StartedAt time.Time `json:"started_at"`
	// GrantedAt is when the lease was there.
	GrantedAt time.Time `json:"granted_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// Summary is what came of it in one sentence.
	Summary string      `json:"summary,omitempty"`
	Steps   []LoginStep `json:"steps"`
	// Problem is the first failure, or why it was aborted.
	Problem *Problem     `json:"problem,omitempty"`
	Reports LoginReports `json:"reports"`
}

// Public is what of a run is everybody's matter: that it is, for whom the
// authenticator is in use, and how it ended. What was done and what came of it
// is for who asked for the run; Open is the way into somebody's sign-in.
func (l Login) Public() Login {
	l.Issuer, l.ClientID, l.User, l.Open, l.Summary, l.Suite, l.Only = "", "", "", "", "", "", ""
	l.Steps, l.Problem = []LoginStep{}, nil
	return l
}

// LoginReports are the paths of the reports.
type LoginReports struct {
	JSON  string `json:"json"`
	JUnit string `json:"junit"`
	HTML  string `json:"html"`
}

// LoginSuite is what came of runs that were asked for together.
type LoginSuite struct {
	Suite     string    `json:"suite"`
	Purpose   string    `json:"purpose,omitempty" doc:"of the first run"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero" doc:"absent while one is under way"`
	Passed    int       `json:"passed"`
	Failed    int       `json:"failed"`
	Aborted   int       `json:"aborted"`
	UnderWay  int       `json:"under_way"`
	Logins    []Login   `json:"logins" doc:"in the order in which they were asked for, with their steps"`
}

// LoginStepState is the outcome of a step.
type LoginStepState string

// The outcomes of a step.
const (
	StepPass    LoginStepState = "pass"
	StepFail    LoginStepState = "fail"
	StepSkipped LoginStepState = "skipped"
)

// LoginStep is one thing that was done or judged. Its texts hold no secret and
// no personal data.
type LoginStep struct {
	Name     string         `json:"name" doc:"stable, for example authentication-level"`
	State    LoginStepState `json:"state" enum:"pass,fail,skipped"`
	Expected string         `json:"expected,omitempty"`
	Got      string         `json:"got,omitempty"`
	Evidence string         `json:"evidence,omitempty" doc:"what was seen besides; a remark where nothing is wrong"`
	Code     string         `json:"code,omitempty" doc:"failure code, for example TOK_AAL"`
	Remedy   string         `json:"remedy,omitempty" doc:"what to do; only on fail"`
	At       time.Time      `json:"at" doc:"when it began"`
	TookMS   float64        `json:"took_ms" doc:"milliseconds"`
}

// LoginReportForm is the form of a report.
type LoginReportForm string

// The forms.
const (
	LoginReportJSON  LoginReportForm = "json"
	LoginReportJUnit LoginReportForm = "junit"
	LoginReportHTML  LoginReportForm = "html"
)
