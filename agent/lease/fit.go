package lease

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// judge answers how ready authenticators are; it is package assurance's.
type judge func(contract.Question, *contract.Snapshot) contract.Verdict

// lowestAAL is asked about where no level is wanted: what then fails fails at
// every level.
const lowestAAL = 2

// failedLately is how long an authenticator that was not ready when it was
// read anew comes after its equals.
const failedLately = 10 * time.Minute

// fit is an authenticator in the light of what is wanted.
type fit struct {
	authenticator *contract.Authenticator
	// miss is why it will not do; empty: it will.
	miss string
	// far is how much would have to be different, 1 the least; from never on it
	// would have to be another one.
	far int
	// class tells better ones from worse; those of one class are equals.
	class int
}

const never = 4

// survey is all authenticators in the light of what is wanted.
type survey struct {
	fits []fit // those that will do, in the order of the verdict, then the nearest misses
	// pending: nobody knows yet what is here, because a source has not looked
	// or a card was not read.
	pending bool
	// why there is none, where there is none that ever could.
	why string
}

// look finds out which authenticators will do.
func look(s *contract.Snapshot, judge judge, want contract.Requirement) survey {
	question := contract.Question{AAL: cmp.Or(want.AAL, lowestAAL), Target: want.Target, Kind: want.Kind, User: want.User}
	if i := slices.IndexFunc(s.Authenticators, func(a contract.Authenticator) bool { return a.ID == want.Authenticator }); i >= 0 && want.Kind == "" {
		// One kind, so that the machine's checks are apart from its own.
		question.Kind = s.Authenticators[i].Kind
	}
	verdict := judge(question, s)
	found := survey{pending: unseen(s, want) || verdict.Outcome == contract.VerdictUnproven && verdict.Authenticator == ""}
	order := make(map[string]int, len(verdict.Candidates))
	for i := range verdict.Candidates {
		order[verdict.Candidates[i].Authenticator] = i
	}
	for i := range s.Authenticators {
		a := &s.Authenticators[i]
		leasable := a.Kind == contract.Smartcard || a.Kind == contract.SecurityKey
		if !leasable || want.Authenticator != "" && a.ID != want.Authenticator {
			continue
		}
		var candidate *contract.Candidate
		if n, ok := order[a.ID]; ok {
			candidate = &verdict.Candidates[n]
		}
		found.fits = append(found.fits, measure(a, candidate, &verdict, want))
	}
	slices.SortStableFunc(found.fits, func(a, b fit) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(order[a.authenticator.ID], order[b.authenticator.ID]))
	})
	switch {
	case len(found.fits) == 0:
		found.why = absence(want, &verdict)
	case found.fits[0].far >= never && want.Authenticator == "":
		found.why = absence(want, &verdict) + ", and " + found.fits[0].authenticator.Name + " will not do: " + found.fits[0].miss
	}
	return found
}

// unseen is whether there may be an authenticator of the kind that is wanted of
// which nothing is known yet, whatever else is here.
func unseen(s *contract.Snapshot, want contract.Requirement) bool {
	for i := range s.Sources {
		if s.Sources[i].State == "starting" && s.Sources[i].Name != "workstation" { // which brings none that can be lent
			return true
		}
	}
	return want.Kind != contract.SecurityKey && slices.ContainsFunc(s.Readers, func(r contract.Reader) bool {
		return r.Condition == contract.Present && r.Card == ""
	})
}

// measure sees whether one authenticator will do.
func measure(a *contract.Authenticator, c *contract.Candidate, v *contract.Verdict, want contract.Requirement) fit {
	f := fit{authenticator: a}
	switch is := originOf(a); {
	case want.Kind != "" && a.Kind != want.Kind:
		f.far, f.miss = never+1, "it is a "+string(a.Kind)
	case is != want.Origin && want.Target == mock && is == contract.Physical:
		f.far, f.miss = 3, "it is physical, and for the mock a virtual one is taken unless the request says origin physical"
	case is != want.Origin:
		f.far, f.miss = never, "it is "+string(is)
	case want.Transport != "" && a.Transport != want.Transport:
		f.far, f.miss = 2, "it is reached by "+a.Transport
	case c == nil:
		f.far, f.miss = 1, "it has not been judged"
	case want.AAL == 0:
		// A test may want an expired card or a key without a PIN, and names it.
		if why := unusable(a, want, c); why != "" {
			f.far, f.miss = 1, why
		}
	case c.Outcome != contract.VerdictReady && c.Outcome != contract.VerdictUnproven:
		f.far, f.miss = 1, firstFailure(c, v)
	}
	f.miss = scrub(f.miss, a, want)
	if want.User != "" && a.Belongs(want.User, want.Target) != contract.Pass {
		f.class += 2
	}
	if c != nil && c.Outcome == contract.VerdictUnproven {
		f.class++
	}
	return f
}

// unusable says why nothing can be done with an authenticator; empty where
// something can.
func unusable(a *contract.Authenticator, want contract.Requirement, c *contract.Candidate) string {
	switch a.Condition {
	case contract.Present, contract.Ready, contract.InUse:
	default:
		return join(firstOf(c.Checks), "it is "+string(a.Condition), a.Detail)
	}
	switch {
	case a.PIN.State == "blocked" || a.PIN.State == "power_cycle":
		return join(firstOf(c.Checks), "its PIN is "+a.PIN.State)
	case want.User != "" && a.Belongs(want.User, want.Target) == contract.Fail:
		return "it is that of another user than the one asked for"
	}
	return ""
}

// firstFailure is the check that decided, the authenticator's own before those
// of the machine.
func firstFailure(c *contract.Candidate, v *contract.Verdict) string {
	return join(cmp.Or(firstOf(c.Checks), firstOf(v.Checks)), "it is "+string(c.Outcome))
}

func firstOf(checks []contract.Check) string {
	for _, c := range checks {
		if c.State == contract.Fail {
			return c.Title + ": " + c.Evidence
		}
	}
	return ""
}

// join says what was found, or else what is known without it.
func join(found string, otherwise ...string) string {
	if found != "" {
		return found
	}
	return strings.Join(slices.DeleteFunc(otherwise, func(s string) bool { return s == "" }), ": ")
}

func absence(want contract.Requirement, v *contract.Verdict) string {
	what := cmp.Or(string(want.Kind), "authenticator")
	if want.Origin == contract.Physical {
		what = "physical " + what
	}
	if want.Authenticator != "" {
		what = "authenticator with that id"
	}
	text := "no " + what + " is here"
	// What keeps it away, if that is known: the service of the cards is down.
	causes := slices.DeleteFunc(slices.Clone(v.Checks), func(c contract.Check) bool {
		return c.Code == string(failure.NoAuthenticator) || c.Code == string(failure.VirtualNotCounted)
	})
	if first := firstOf(causes); first != "" {
		text += ": " + scrub(first, nil, want)
	}
	return text
}

// scrub takes personal data out of evidence, which should hold none.
func scrub(text string, a *contract.Authenticator, want contract.Requirement) string {
	hide := []string{want.User}
	if a != nil {
		hide = append(hide, a.User, a.Holder)
		for _, b := range a.Users {
			hide = append(hide, b.User)
		}
	}
	for _, word := range hide {
		if word != "" {
			text = strings.ReplaceAll(text, word, "***")
		}
	}
	return text
}

// originOf is virtual unless it is known to be physical (rule 4).
func originOf(a *contract.Authenticator) contract.Origin {
	if a.Origin == contract.Physical {
		return contract.Physical
	}
	return contract.Virtual
}

// past is what is remembered of an authenticator.
type past struct {
	used   uint64 // the greater the later; 0 never
	failed time.Time
}

// choose picks the best of the authenticators that will do and are free: among
// equals one that did not fail lately, then the one least recently used.
func choose(fits []fit, free func(*contract.Authenticator) bool, memory map[string]past, now time.Time) (*contract.Authenticator, bool) {
	var best *fit
	compare := func(a, b *fit) int {
		x, y := memory[a.authenticator.ID], memory[b.authenticator.ID]
		return cmp.Or(
			cmp.Compare(a.class, b.class),
			cmp.Compare(lately(x, now), lately(y, now)),
			cmp.Compare(x.used, y.used),
		)
	}
	for i := range fits {
		f := &fits[i]
		if f.miss == "" && free(f.authenticator) && (best == nil || compare(f, best) < 0) {
			best = f
		}
	}
	if best == nil {
		return nil, false
	}
	return best.authenticator, true
}

func lately(p past, now time.Time) int {
	if !p.failed.IsZero() && now.Sub(p.failed) < failedLately {
		return 1
	}
	return 0
}

// nearest says what is amiss, for a person, where nothing will do.
func (s *survey) nearest() string {
	if s.why != "" {
		return s.why
	}
	return s.fits[0].authenticator.Name + " comes nearest: " + s.fits[0].miss
}
