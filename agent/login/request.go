package login

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// The bounds of what can be asked for.
const (
	usualQueue   = time.Minute
	longestQueue = 10 * time.Minute
	shortestTime = time.Second
	usualTime    = 2 * time.Minute
	longestTime  = 10 * time.Minute
	longestAge   = 24 * time.Hour
)

// asked is a request that is in order, with all settled that it left open.
type asked struct {
	contract.LoginRequest
	target  Target
	acrs    cis2.ACRs
	aal     int
	queue   time.Duration
	timeout time.Duration
	maxAge  time.Duration
}

// examine settles what a request asks for, or refuses it for what it says by
// itself.
func examine(request contract.LoginRequest, targets []Target) (asked, error) {
	a := asked{LoginRequest: request}
	a.Mode, a.Scenario = cmp.Or(a.Mode, contract.DriveHeadless), cmp.Or(a.Scenario, contract.ScenarioSignIn)
	i := slices.IndexFunc(targets, func(t Target) bool { return t.Name == request.Target })
	if i < 0 {
		return a, &failure.Error{Code: failure.LoginTarget, Field: "body.target", Detail: "configured are: " + targetNames(targets)}
	}
	a.target = targets[i]
	var unknown []string
	if a.acrs, unknown = a.target.ACRs.Parse(a.ACR); len(unknown) > 0 {
		return a, bad("body.acr", "allowed: "+strings.Join(a.target.ACRs.Values(), ", "))
	}
	a.ACR = strings.Join(a.acrs.Values(), " ")
	a.aal = 3
	for _, acr := range a.acrs {
		a.aal = min(a.aal, acr.Lowest)
	}
	if a.User != "" && !cis2.ValidUser(a.User) {
		return a, bad("body.user", "a UUID has 12 digits")
	}
	if a.Kind != "" && a.Kind != contract.Smartcard && a.Kind != contract.SecurityKey {
		return a, bad("body.kind", "allowed: smartcard, security-key")
	}
	if a.Suite != "" && !suiteID.MatchString(a.Suite) {
		return a, bad("body.suite", "suite- and 16 hex digits")
	}
	if !slices.Contains(contract.LoginScenarios, a.Scenario) {
		return a, bad("body.scenario", "there is no such scenario")
	}
	if err := a.examineTimes(); err != nil {
		return a, err
	}
	return a, a.examineMode()
}

func (a *asked) examineTimes() (err error) {
	if a.queue, err = span("body.queue", a.Queue, usualQueue, 0, longestQueue); err != nil {
		return err
	}
	if a.timeout, err = span("body.timeout", a.Timeout, usualTime, shortestTime, longestTime); err != nil {
		return err
	}
	a.maxAge = a.target.MaxAge
	if a.Tokens != nil {
		a.maxAge, err = span("body.tokens.max_age", a.Tokens.MaxAge, a.target.MaxAge, time.Second, longestAge)
	}
	return err
}

func span(field, text string, absent, least, most time.Duration) (time.Duration, error) {
	if text == "" {
		return absent, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, bad(field, "allowed: a Go duration from "+least.String()+" to "+most.String())
	}
	return d, nil
}

func (a *asked) examineMode() error {
	switch a.Mode {
	case contract.DriveTokens:
		switch {
		case a.Tokens == nil || len(a.Tokens.IDToken) == 0:
			return bad("body.tokens.id_token", "it is needed for mode tokens")
		case a.Scenario != contract.ScenarioSignIn:
			return bad("body.scenario", "allowed for mode tokens: sign-in")
		}
		return nil
	case contract.DriveHeadless:
	case contract.DriveBrowser:
		switch {
		case a.Scenario != contract.ScenarioSignIn:
			return bad("body.scenario", "allowed for mode browser: sign-in")
		case a.Target == cis2.PROD:
			return &failure.Error{Code: failure.LoginMode, Field: "body.mode", Detail: "in live use nobody's sign-in is driven; allowed: tokens"}
		case a.target.ClientID == "" || a.target.Redirect == "":
			return &failure.Error{Code: failure.LoginTarget, Field: "body.target", Detail: "no client is configured for " + a.Target}
		case !a.target.Native || callback(a.target.Redirect) == nil:
			return &failure.Error{Code: failure.LoginMode, Field: "body.mode", Detail: "a loopback redirect is for clients registered as native; allowed: tokens"}
		}
	default:
		return bad("body.mode", "allowed: headless, browser, tokens")
	}
	switch {
	case a.Tokens != nil:
		return bad("body.tokens", "allowed for mode tokens only")
	case a.undrivable():
		return nil // the run says so, once it has looked at the target
	case a.target.ClientID == "" || a.target.Redirect == "":
		return &failure.Error{Code: failure.LoginTarget, Field: "body.target", Detail: "no client is configured for " + a.Target}
	}
	return nil
}

// undrivable is whether the bridge would have to walk a sign-in page that it does
// not know: CIS2's own is not public.
func (a *asked) undrivable() bool {
	return a.Mode == contract.DriveHeadless && !a.target.Headless
}

func targetNames(targets []Target) string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}

func bad(field, detail string) error {
	return &failure.Error{Code: failure.BadRequest, Field: field, Detail: detail}
}

// kinds are the authenticators that can be leased, satisfy the request, and are
// those asked for.
func (a *asked) kinds() []contract.Kind {
	var all []contract.Kind
	for _, kind := range []contract.Kind{contract.Smartcard, contract.SecurityKey} {
		if _, ok := a.acrs.Satisfied(cis2.Authenticator(kind)); ok && (a.Kind == "" || a.Kind == kind) {
			all = append(all, kind)
		}
	}
	return all
}
