package login

import (
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/report"
)

// asHTML is the page of a run.
func asHTML(l *contract.Login) []byte {
	return report.Page("Login test: "+nameOf(l), report.El("section", report.Attrs("id", l.ID), section(l)...))
}

func took(l *contract.Login) string {
	if l.EndedAt.IsZero() {
		return "under way"
	}
	return l.EndedAt.Sub(l.StartedAt).Round(time.Millisecond).String()
}

// section is all there is to say of a run.
func section(l *contract.Login) []report.Node {
	parts := []report.Node{report.El("p", nil, report.Outcome(string(l.State)), report.Text(". "+l.Summary))}
	if l.Problem != nil {
		parts = append(parts, problem(l.Problem))
	}
	if l.Origin == contract.Virtual {
		parts = append(parts, report.El("p", report.Attrs("class", "virtual"), report.Text("This run rests on a virtual authenticator. It proves nothing of a physical one, nor of a real target.")))
	}
	parts = append(parts, facts(l), report.Steps("Step", reached(l)))
	if names := notReached(l); len(names) > 0 {
		parts = append(parts, report.El("p", report.Attrs("class", "note"), report.Text("Not reached: "+strings.Join(names, ", ")+".")))
	}
	return parts
}

// reached are the steps of which there is more to say than that they were not
// reached.
func reached(l *contract.Login) (steps []report.Step) {
	for i := range l.Steps {
		s := &l.Steps[i]
		if s.State == contract.StepSkipped && s.Got == unreached {
			continue
		}
		steps = append(steps, report.Step{
			Name: s.Name, State: string(s.State), Expected: s.Expected, Got: s.Got, Evidence: s.Evidence,
			Code: s.Code, Title: title(s.Code), Notes: []string{s.Remedy}, TookMS: s.TookMS,
		})
	}
	return steps
}

func notReached(l *contract.Login) []string {
	return namesOf(l, func(s *contract.LoginStep) bool { return s.State == contract.StepSkipped && s.Got == unreached })
}

func failedAt(l *contract.Login) []string {
	return namesOf(l, func(s *contract.LoginStep) bool { return s.State == contract.StepFail })
}

func namesOf(l *contract.Login, which func(*contract.LoginStep) bool) (names []string) {
	for i := range l.Steps {
		if which(&l.Steps[i]) {
			names = append(names, l.Steps[i].Name)
		}
	}
	return names
}

// problem is the first failure, or why the run was aborted, which no step may
// say.
func problem(p *contract.Problem) report.Node {
	what := p.Code
	if p.Detail != "" {
		what += ": "
	}
	return report.El("div", nil,
		report.El("p", nil, report.El("strong", nil, report.Text(what)), report.Text(p.Detail)),
		report.El("p", report.Attrs("class", "note"), report.Prose(p.Remedy)))
}

func facts(l *contract.Login) report.Node {
	return report.Facts([][2]string{
		{"Failed at", strings.Join(failedAt(l), ", ")},
		{"Run", l.ID},
		{"Purpose", l.Purpose},
		{"Target", l.Target},
		{"Issuer", l.Issuer},
		{"Client", l.ClientID},
		{"Asked for", l.ACR},
		{"Must be refused by", words(l.Refusers)},
		{"User", l.User},
		{"Authenticator", join(l.Name, string(l.Kind), string(l.Origin))},
		{"Driven by", l.DrivenBy},
		{"Asked by", l.Holder},
		{"Began", l.StartedAt.UTC().Format(time.RFC3339)},
		{"Took", took(l)},
	})
}
