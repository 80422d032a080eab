package login

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/report"
	"authbridge/agent/store"
)

// suiteID is what a client calls the runs that it asks for together.
var suiteID = regexp.MustCompile(`^suite-[0-9a-f]{16}$`)

// Check is whether a login can ever be as a request asks, whatever is here
// now: an error that is failure.LoginMismatch says that no authenticator can do
// it, another what is wrong with the request. It wipes the request's secrets.
func (r *Runner) Check(request contract.LoginRequest) error {
	defer request.Wipe()
	a, err := examine(request, r.config.Targets)
	if err == nil {
		err = r.castable(&a)
	}
	if err != nil || a.Mode == contract.DriveTokens {
		return err
	}
	kinds := a.kinds()
	if len(kinds) == 0 {
		return a.unreachable()
	}
	known := find(r.config.Inventory.Snapshot(), a.Authenticator)
	if known != nil && !slices.Contains(kinds, known.Kind) {
		return mismatch("body.authenticator", "a "+string(known.Kind)+" does not do for "+string(a.Scenario)+" with "+a.ACR)
	}
	return nil
}

// unreachable: no authenticator that the bridge can use and that was asked for
// satisfies the request.
func (a *asked) unreachable() error {
	return mismatch("body.acr", "no authenticator that was asked for and that the bridge can use reaches "+a.ACR)
}

func mismatch(field, detail string) error {
	return &failure.Error{Code: failure.LoginMismatch, Field: field, Detail: detail}
}

// Suite is what a report of many runs is made of.
type Suite struct {
	ID string
	// Runs are all of them in their order. Their steps are not needed.
	Runs []contract.Login
	// Load gives a run with its steps, when its turn has come.
	Load func(id string) (contract.Login, error)
}

// SuiteReport finds the runs of somebody that were asked for together. write
// makes their report piece by piece, and may be called once ctx's caller has
// been answered that there is one.
func (r *Runner) SuiteReport(ctx context.Context, by contract.Owner, suite string, form contract.LoginReportForm) (write func(context.Context, io.Writer) error, mediaType string, err error) {
	mediaType, known := map[contract.LoginReportForm]string{
		contract.LoginReportJSON: typeJSON, "": typeJSON, contract.LoginReportJUnit: typeXML, contract.LoginReportHTML: typeHTML,
	}[form]
	if !known {
		return nil, "", noForm()
	}
	records, err := r.config.Store.LoginSuite(ctx, suite)
	if err != nil {
		return nil, "", err
	}
	s := Suite{ID: suite}
	for i := range records {
		if by.Owns(records[i].Owner) {
			s.Runs = append(s.Runs, records[i].Login)
		}
	}
	if len(s.Runs) == 0 {
		return nil, "", &failure.Error{Code: failure.LoginUnknown, Field: "query.suite", Detail: "there is no run of yours in it"}
	}
	return func(ctx context.Context, w io.Writer) error {
		s.Load = func(id string) (contract.Login, error) {
			record, err := r.config.Store.Login(ctx, id)
			return record.Login, err
		}
		return s.Write(w, form)
	}, mediaType, nil
}

// Write writes the report of a suite in a form, one run at a time.
func (s Suite) Write(w io.Writer, form contract.LoginReportForm) error {
	switch form {
	case contract.LoginReportJSON, "":
		return s.writeJSON(w)
	case contract.LoginReportJUnit:
		return s.writeJUnit(w)
	case contract.LoginReportHTML:
		return s.writeHTML(w)
	}
	return noForm()
}

// run is one with its steps, as a report shows it. One that was forgotten
// meanwhile is shown without.
func (s Suite) run(i int) (contract.Login, error) {
	l, err := s.Load(s.Runs[i].ID)
	if errors.Is(err, store.ErrNotFound) {
		l, err = s.Runs[i], nil
	}
	if l.Steps == nil {
		l.Steps = []contract.LoginStep{}
	}
	return shown(l), err
}

// sum is what came of all runs, without them.
func (s Suite) sum() contract.LoginSuite {
	sum := contract.LoginSuite{Suite: s.ID, Logins: []contract.Login{}}
	for i := range s.Runs {
		l := &s.Runs[i]
		switch l.State {
		case contract.LoginPassed:
			sum.Passed++
		case contract.LoginFailed:
			sum.Failed++
		case contract.LoginAborted:
			sum.Aborted++
		default:
			sum.UnderWay++
		}
		if i == 0 || l.StartedAt.Before(sum.StartedAt) {
			sum.StartedAt = l.StartedAt
		}
		if l.EndedAt.After(sum.EndedAt) {
			sum.EndedAt = l.EndedAt
		}
		if i == 0 {
			sum.Purpose = l.Purpose
		}
	}
	if sum.UnderWay > 0 {
		sum.EndedAt = time.Time{}
	}
	return sum
}

// writeJSON writes a contract.LoginSuite, one run a line.
func (s Suite) writeJSON(w io.Writer) error {
	head, err := json.Marshal(s.sum())
	if err != nil {
		return err
	}
	if _, err := w.Write(head[:len(head)-len(`]}`)]); err != nil {
		return err
	}
	for i := range s.Runs {
		l, err := s.run(i)
		if err != nil {
			return err
		}
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		separator := ",\n"
		if i == 0 {
			separator = "\n"
		}
		if _, err := w.Write(append([]byte(separator), text...)); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}

// writeJUnit writes one suite, each run a case of it.
func (s Suite) writeJUnit(w io.Writer) error {
	sum := s.sum()
	last := sum.EndedAt
	if last.IsZero() {
		last = sum.StartedAt
	}
	target := s.Runs[0].Target
	suite := report.Suite{
		Name: s.ID, Package: junitPackage + target, Timestamp: report.Timestamp(sum.StartedAt), Hostname: "localhost",
		Tests: len(s.Runs), Failures: sum.Failed, Errors: sum.Aborted, Skipped: sum.UnderWay, Time: report.Seconds(last.Sub(sum.StartedAt)),
		Properties: report.Properties([][2]string{{"suite", s.ID}, {"target", target}, {"purpose", sum.Purpose}}),
	}
	for i := range s.Runs {
		l := shown(s.Runs[i])
		c := report.Case{Name: nameOf(&l), Class: junitPackage + l.Target + "." + string(l.Scenario), Time: report.Seconds(max(l.EndedAt.Sub(l.StartedAt), 0))}
		why := &report.Failure{}
		if l.Problem != nil {
			why = &report.Failure{Message: l.Problem.Title, Type: l.Problem.Code, Text: join(l.ID, l.Problem.Detail, l.Problem.Remedy)}
		}
		switch l.State {
		case contract.LoginPassed:
		case contract.LoginFailed:
			c.Failure = why
		case contract.LoginAborted:
			c.Error = why
		default:
			c.Skipped = &report.Skipped{Message: "under way"}
		}
		suite.Cases = append(suite.Cases, c)
		suite.Out += l.ID + ": " + string(l.State) + ", " + join(l.Name, string(l.Origin)) + "\n"
	}
	text, err := report.JUnit(suite)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}
