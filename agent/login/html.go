package login

import (
	"fmt"
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
	parts = append(parts, facts(l))
	var rows []report.Node
	for i := range l.Steps {
		s := &l.Steps[i]
		rows = append(rows, report.El("tr", nil,
			report.Cell("Step", report.Text(s.Name)), report.Cell("Result", report.Outcome(string(s.State))), report.Cell("Expected", report.Text(s.Expected)), report.Cell("Got", report.Text(s.Got)),
			report.Cell("Evidence", evidence(s)), report.Cell("Time", report.Text(fmt.Sprintf("%.1f ms", s.TookMS)))))
	}
	return append(parts, report.Table([]string{"Step", "Result", "Expected", "Got", "Evidence", "Time"}, rows))
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
		report.El("p", report.Attrs("class", "note"), report.Text(p.Remedy)))
}

func evidence(s *contract.LoginStep) report.Node {
	parts := []report.Node{report.Text(s.Evidence)}
	if s.Code != "" {
		parts = append(parts, report.El("div", nil, report.El("strong", nil, report.Text(s.Code)), report.Text(" "+title(s.Code))))
	}
	if s.Remedy != "" {
		parts = append(parts, report.El("div", report.Attrs("class", "note"), report.Text(s.Remedy)))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return report.El("div", nil, parts...)
}

func facts(l *contract.Login) report.Node {
	return report.Facts([][2]string{
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
