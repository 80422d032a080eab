package health

import (
	"fmt"
	"slices"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Target is what a sign-in is aimed at, and what was seen of it.
type Target struct {
	Name string
	// Issuer is the one that it must have, octet by octet; empty: nobody has
	// said which.
	Issuer string
	// HSCN is a host:port that only the NHS network has; empty: nobody has said
	// which.
	HSCN string
	// Look is the newest; nil while there was none.
	Look *Look
}

// Look is what one look at a target has found: plain facts.
type Look struct {
	// At is when it was over, Took what it took to be answered.
	At   time.Time
	Took time.Duration
	// Trouble is why no discovery document came; empty: one came. Detail says
	// more, in a few words that nobody else has written.
	Trouble Trouble
	Detail  string
	// Issuer and ACRs are what the document says. ACRs is nil where it has no
	// list of them (OpenID Connect Discovery 1.0, 3: acr_values_supported).
	Issuer string
	ACRs   []string
	// Ahead is by how much the clock of the target is ahead of ours, at least;
	// nil: it did not tell the time.
	Ahead *time.Duration
	// NoHSCN is why the host in the NHS network could not be reached; empty: it
	// was, or nobody tried.
	NoHSCN string
}

// Trouble is a sort of failure to fetch a discovery document.
type Trouble string

// The sorts, in the order in which an exchange can fail.
const (
	TroubleName        Trouble = "name" // DNS
	TroubleProxy       Trouble = "proxy"
	TroubleConnection  Trouble = "connection"
	TroubleTLS         Trouble = "tls" // below 1.2
	TroubleCertificate Trouble = "certificate"
	TroubleTime        Trouble = "time" // was up
	TroubleStatus      Trouble = "status"
	TroubleElsewhere   Trouble = "elsewhere" // a redirect
	TroublePage        Trouble = "page"      // HTML
	TroubleDocument    Trouble = "document"  // no discovery document
)

// words say a trouble for a person, before the detail.
func (t Trouble) words() string {
	switch t {
	case TroubleName:
		return "its name is not found in the DNS"
	case TroubleProxy:
		return "the proxy of this machine does not let it through"
	case TroubleTLS:
		return "it speaks no TLS 1.2 or newer"
	case TroubleCertificate:
		return "its certificate is not to be trusted"
	case TroubleTime:
		return "it does not answer in time"
	case TroubleStatus:
		return "it answers with an error"
	case TroubleElsewhere:
		return "it sends elsewhere"
	case TroublePage:
		return "a page came in the place of data, perhaps of a proxy"
	case TroubleDocument:
		return "what came is no discovery document"
	}
	return "no connection to it could be made"
}

const (
	// fresh is how long a look holds. CIS2 has discovery cached for an hour at
	// most (NHS: discovery); the source looks again then, which takes a moment.
	fresh = time.Hour + time.Minute
	// slow is an answer that a person would remark on.
	slow = 3 * time.Second
	// Clocks (domain 7.2): client assertions last 5 minutes, and auth_time is
	// held to about as much.
	skewRemarked = 5 * time.Second
	skewTooMuch  = time.Minute
)

// What logins ask for, by their level (NHS: ACR values).
const (
	acrAAL3 = "AAL3_ANY"
	acrAAL2 = "AAL2_OR_AAL3_ANY"
)

func targetRules() []Rule {
	return []Rule{
		{Code: failure.NetIssuer, Scope: OfMachine, PerTarget: true, judge: netIssuer},
		{Code: failure.NetACR, Scope: OfMachine, PerTarget: true, DependsOn: []failure.Code{failure.NetIssuer}, judge: netACR},
		{Code: failure.NetHSCN, Scope: OfMachine, PerTarget: true, judge: netHSCN},
		{Code: failure.ClockSkew, Scope: OfMachine, PerTarget: true, DependsOn: []failure.Code{failure.NetIssuer}, judge: clockSkew},
	}
}

// JudgeTarget makes the checks of one target alone: NET_ISSUER, NET_ACR,
// NET_HSCN and CLOCK_SKEW.
func JudgeTarget(t Target, now time.Time) []contract.Check {
	r := Report{targets: 1}
	return r.run(targetRules(), subject{facts: &Facts{Targets: []Target{t}}, now: now}, now)
}

// looked is whether there is a look that says something of the present. Where
// there is none the finding says so.
func (s subject) looked() (found finding, yes bool) {
	look := s.target.Look
	if look == nil {
		return unknown("nobody has looked yet: it is looked at once readiness or a login is asked for " + s.target.Name), false
	}
	found.at = look.At
	if stale := look.At.Add(fresh); s.now.Before(stale) {
		found.again = stale
	}
	return found, true
}

// old is whether a look holds no longer.
func (f finding) old() bool { return f.again.IsZero() }

// failed is a failure while the look that found it is fresh. What failed long
// ago says nothing of now.
func (f finding) failed(evidence string) finding {
	f.state, f.evidence = contract.Fail, evidence
	if f.old() {
		f.state, f.evidence = contract.Unknown, "more than an hour ago: "+evidence
	}
	return f
}

func netIssuer(s subject) finding {
	t := s.target
	if t.Issuer == "" {
		return unknown("the issuer of " + t.Name + " is not public: write it as `issuer` of a [[target]] in the configuration")
	}
	f, ok := s.looked()
	if !ok {
		return f
	}
	if t.Look.Trouble != "" {
		return f.failed(because(t.Look.Trouble.words(), t.Look.Detail))
	}
	if diff := cis2.IssuerDifference(t.Issuer, t.Look.Issuer); diff != "" {
		return f.failed("its discovery document has another issuer: " + diff)
	}
	switch {
	case f.old():
		f.state, f.evidence = contract.Warn, "it answered as it must, more than an hour ago"
	case t.Look.Took > slow:
		f.state, f.evidence = contract.Warn, fmt.Sprintf("it answers as it must, but takes more than %d s", slow/time.Second)
	default:
		f.state, f.evidence = contract.Pass, "it answers with the issuer that it must have"
	}
	return f
}

func netACR(s subject) finding {
	f, ok := s.looked()
	offered := []string(nil)
	if ok {
		offered = s.target.Look.ACRs
	}
	has := func(acr string) bool { return slices.Contains(offered, acr) }
	switch {
	case !ok:
		return f
	case offered == nil:
		f.state, f.evidence = contract.Warn, "its discovery document has no acr_values_supported"
	case !has(acrAAL3):
		return f.failed("it does not offer " + acrAAL3)
	case !has(acrAAL2):
		f.state, f.evidence = contract.Warn, "it offers "+acrAAL3+", and no "+acrAAL2+" for AAL2"
	default:
		f.state, f.evidence = contract.Pass, "it offers "+acrAAL3+" and "+acrAAL2
	}
	return f
}

func netHSCN(s subject) finding {
	t := s.target
	if t.HSCN == "" {
		return unknown("no `hscn` is configured for " + t.Name + "; it matters to smartcards with NHS Identity Agent alone")
	}
	f, ok := s.looked()
	switch {
	case !ok:
		return f
	case t.Look.NoHSCN != "":
		return f.failed(t.HSCN + " cannot be reached: " + t.Look.NoHSCN)
	}
	f.state, f.evidence = contract.Pass, t.HSCN+" takes connections"
	return f
}

func clockSkew(s subject) finding {
	f, ok := s.looked()
	switch {
	case !ok:
		return f
	case s.target.Look.Ahead == nil:
		f.state, f.evidence = contract.Unknown, "the sign-in service does not tell the time"
		return f
	}
	ahead := s.target.Look.Ahead.Round(time.Second)
	skew, side := ahead.Abs(), " behind "
	if ahead < 0 {
		side = " ahead of "
	}
	evidence := fmt.Sprintf("the clock of this machine is %d s%sthat of the sign-in service", skew/time.Second, side)
	switch {
	case skew < skewRemarked:
		f.state, f.evidence = contract.Pass, "the clock goes with that of the sign-in service"
	case skew <= skewTooMuch:
		f.state, f.evidence = contract.Warn, evidence
	default:
		return f.failed(evidence)
	}
	return f
}
