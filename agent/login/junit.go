package login

import (
	"fmt"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/report"
)

// junitPackage is what a run's cases are in, with the target.
const junitPackage = "authbridge.login."

// suiteOf is a run as a suite, each step a case of it.
func suiteOf(l *contract.Login) report.Suite {
	ended := l.EndedAt
	if ended.IsZero() {
		ended = l.StartedAt
	}
	s := report.Suite{
		Name: nameOf(l), Package: junitPackage + l.Target, Timestamp: report.Timestamp(l.StartedAt),
		Hostname: "localhost", Tests: len(l.Steps), Time: report.Seconds(ended.Sub(l.StartedAt)),
		Properties: report.Properties([][2]string{
			{"id", l.ID},
			{"acr", l.ACR},
			{"driven_by", l.DrivenBy},
			{"issuer", l.Issuer},
			{"client_id", l.ClientID},
			{"user", l.User},
			{"authenticator", l.Name},
			{"kind", string(l.Kind)},
			{"origin", string(l.Origin)},
			{"purpose", l.Purpose},
			{"refusers", words(l.Refusers)},
		}),
	}
	for i := range l.Steps {
		c := caseOf(&l.Steps[i], s.Package+"."+string(l.Scenario))
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Skipped != nil:
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
		// The schema has no text in a case that passes.
		s.Out += l.Steps[i].Name + ": " + string(l.Steps[i].State) + "\n" + lines(&l.Steps[i]) + "\n"
	}
	if l.State == contract.LoginAborted || l.State == contract.LoginFailed && s.Failures == 0 {
		c := report.Case{Name: "run", Class: s.Package + "." + string(l.Scenario), Time: report.Seconds(0), Error: &report.Failure{Type: "aborted"}}
		if l.Problem != nil {
			c.Error = &report.Failure{Message: l.Problem.Title, Type: l.Problem.Code, Text: join(l.Problem.Detail, l.Problem.Remedy)}
		}
		s.Cases = append(s.Cases, c)
		s.Tests++
		s.Errors++
	}
	return s
}

func caseOf(step *contract.LoginStep, class string) report.Case {
	c := report.Case{Name: step.Name, Class: class, Time: fmt.Sprintf("%.6f", step.TookMS/1000)}
	switch step.State {
	case contract.StepFail:
		c.Failure = &report.Failure{Message: title(step.Code), Type: step.Code, Text: lines(step)}
	case contract.StepSkipped:
		c.Skipped = &report.Skipped{Message: step.Got}
	case contract.StepPass:
	}
	return c
}

// lines are what was expected, got and seen.
func lines(step *contract.LoginStep) string {
	var all []string
	for _, line := range [][2]string{{"expected", step.Expected}, {"got", step.Got}, {"evidence", step.Evidence}, {"remedy", step.Remedy}} {
		if line[1] != "" {
			all = append(all, line[0]+": "+line[1])
		}
	}
	return strings.Join(all, "\n")
}

// nameOf tells the runs of a matrix apart.
func nameOf(l *contract.Login) string {
	parts := []string{string(l.Scenario), l.ACR, string(l.Kind), l.User}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

func words[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, w := range all {
		texts[i] = string(w)
	}
	return strings.Join(texts, " and ")
}
