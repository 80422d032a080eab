package login

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"authbridge/agent/contract"
)

// The elements of JUnit's XML, with all that the strictest of its schemas in
// use wants: id, package, hostname and the empty streams at the end.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Package    string          `xml:"package,attr"`
	ID         int             `xml:"id,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Hostname   string          `xml:"hostname,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        string          `xml:"system-out"`
	Err        string          `xml:"system-err"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitSkipped `xml:"skipped"`
	Error   *junitFailure `xml:"error"`
	Failure *junitFailure `xml:"failure"`
}

type junitSkipped struct {
	Message string `xml:"message,attr,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// asJUnit is one suite a run, one case a step.
func asJUnit(runs []contract.Login) ([]byte, error) {
	suites := junitSuites{Suites: make([]junitSuite, len(runs))}
	for i := range runs {
		suites.Suites[i] = suiteOf(&runs[i], i)
	}
	body, err := xml.MarshalIndent(&suites, "", " ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), body...), nil
}

func suiteOf(l *contract.Login, id int) junitSuite {
	ended := l.EndedAt
	if ended.IsZero() {
		ended = l.StartedAt
	}
	s := junitSuite{
		Name: nameOf(l), Package: "authbridge.login." + l.Target, ID: id, Timestamp: l.StartedAt.UTC().Format("2006-01-02T15:04:05"),
		Hostname: "localhost", Tests: len(l.Steps), Time: seconds(ended.Sub(l.StartedAt)),
		Properties: []junitProperty{{"id", l.ID}, {"acr", l.ACR}, {"driven_by", l.DrivenBy}},
	}
	for _, p := range []junitProperty{
		{"issuer", l.Issuer},
		{"client_id", l.ClientID},
		{"user", l.User},
		{"authenticator", l.Name},
		{"kind", string(l.Kind)},
		{"origin", string(l.Origin)},
		{"purpose", l.Purpose},
		{"refusers", words(l.Refusers)},
	} {
		if p.Value != "" {
			s.Properties = append(s.Properties, p)
		}
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
		c := junitCase{Name: "run", Class: s.Package + "." + string(l.Scenario), Time: seconds(0), Error: &junitFailure{Type: "aborted"}}
		if l.Problem != nil {
			c.Error = &junitFailure{Message: l.Problem.Title, Type: l.Problem.Code, Text: join(l.Problem.Detail, l.Problem.Remedy)}
		}
		s.Cases = append(s.Cases, c)
		s.Tests++
		s.Errors++
	}
	return s
}

func caseOf(step *contract.LoginStep, class string) junitCase {
	c := junitCase{Name: step.Name, Class: class, Time: fmt.Sprintf("%.6f", step.TookMS/1000)}
	switch step.State {
	case contract.StepFail:
		c.Failure = &junitFailure{Message: title(step.Code), Type: step.Code, Text: lines(step)}
	case contract.StepSkipped:
		c.Skipped = &junitSkipped{Message: step.Got}
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

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
