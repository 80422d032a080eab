package rpcheck

import (
	"fmt"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/report"
)

// render makes the reports for people and for pipelines.
func render(p contract.RelyingParty) (*contract.RelyingPartyReports, error) {
	xml, err := report.JUnit(suite(p))
	if err != nil {
		return nil, err
	}
	return &contract.RelyingPartyReports{HTML: string(page(p)), JUnit: string(xml)}, nil
}

func page(p contract.RelyingParty) []byte {
	parts := []report.Node{
		report.El("p", nil, report.Outcome(string(p.State)), report.Text(". "+p.Summary)),
		report.Facts([][2]string{
			{"Client", p.Client},
			{"Name", p.Name},
			{"Target", p.Target},
			{"Issuer", p.Issuer},
			{"Began", p.StartedAt.UTC().Format(time.RFC3339)},
			{"Took", p.EndedAt.Sub(p.StartedAt).Round(time.Millisecond).String()},
		}),
	}
	for rows := p.Checks; len(rows) > 0; {
		subject, n := rows[0].Subject, 1
		for n < len(rows) && rows[n].Subject == subject {
			n++
		}
		if subject == "" {
			subject = "The application"
		}
		parts = append(parts, report.El("h2", nil, report.Text(subject)), table(rows[:n]))
		rows = rows[n:]
	}
	return report.Page("Relying party check: "+title(p), parts...)
}

// table is what was looked at at one address.
func table(rows []row) report.Node {
	steps := make([]report.Step, len(rows))
	for i, r := range rows {
		steps[i] = report.Step{
			Name: r.Name, State: string(r.State), Expected: r.Expected, Got: r.Got, Evidence: r.Evidence, Notes: []string{r.Remedy, r.Clause}, TookMS: r.TookMS,
		}
		if r.State == contract.Fail || r.State == contract.Warn {
			entry, _ := failure.Lookup(failure.Code(r.Code))
			steps[i].Code, steps[i].Title = r.Code, entry.Title
		}
	}
	return report.Steps("Check", steps)
}

func title(p contract.RelyingParty) string {
	if p.Name != "" {
		return p.Name + " at " + p.Target
	}
	return p.Client + " at " + p.Target
}

// suite has what could not be looked at as skipped, and what is only to be looked
// at as passed.
func suite(p contract.RelyingParty) report.Suite {
	s := report.Suite{
		Name: "relying party " + title(p), Package: "authbridge.check." + p.Target, Timestamp: report.Timestamp(p.StartedAt), Hostname: "localhost",
		Tests: len(p.Checks), Time: report.Seconds(p.EndedAt.Sub(p.StartedAt)),
		Properties: report.Properties([][2]string{{"client_id", p.Client}, {"issuer", p.Issuer}, {"state", string(p.State)}}),
	}
	for _, r := range p.Checks {
		c := report.Case{Name: strings.TrimSpace(r.Name + " " + r.Subject), Class: s.Package + ".relying-party", Time: fmt.Sprintf("%.6f", r.TookMS/1000)}
		switch r.State {
		case contract.Fail:
			entry, _ := failure.Lookup(failure.Code(r.Code))
			c.Failure = &report.Failure{Message: entry.Title, Type: r.Code, Text: lines(r)}
			s.Failures++
		case contract.Unknown:
			c.Skipped = &report.Skipped{Message: r.Evidence}
			s.Skipped++
		case contract.Pass, contract.Warn:
		}
		s.Cases = append(s.Cases, c)
		s.Out += r.Name + ": " + string(r.State) + "\n" + lines(r) + "\n"
	}
	return s
}

func lines(r row) string {
	var all []string
	for _, l := range [][2]string{{"subject", r.Subject}, {"expected", r.Expected}, {"got", r.Got}, {"evidence", r.Evidence}, {"clause", r.Clause}, {"remedy", r.Remedy}} {
		if l[1] != "" {
			all = append(all, l[0]+": "+l[1])
		}
	}
	return strings.Join(all, "\n")
}
