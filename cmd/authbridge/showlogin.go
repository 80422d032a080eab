package main

import (
	"fmt"
	"strings"
	"time"

	"authbridge/agent/contract"
)

// notReached is said of a step that an earlier one kept from being done, or that
// a run of this mode has not.
const notReached = "not reached"

// stepNames is how wide the names of steps are.
const stepNames = 20

// stepView writes the steps of a run as they come.
type stepView struct {
	*screen
	failed bool
	left   int // steps that came to nothing after one had failed
}

// begin says what is run.
func (s *stepView) begin(l contract.Login) {
	s.line("%s", s.cut(fmt.Sprintf("%s at %s: %s", l.ACR, l.Target, s.paint(bold, string(l.Scenario)))))
	if len(l.Refusers) > 0 {
		who := make([]string, len(l.Refusers))
		for i, r := range l.Refusers {
			who[i] = string(r)
		}
		s.text("  ", "  ", "must be refused by: "+strings.Join(who, ", "))
	}
}

// show writes each step on a line, and below it what is wrong and what to do.
func (s *stepView) show(steps []contract.LoginStep) {
	for _, step := range steps {
		m := markOf(contract.Pass)
		switch {
		case step.State == contract.StepFail:
			s.failed = true
			m = markOf(contract.Fail)
		case step.State == contract.StepSkipped && (s.failed || step.Got == notReached):
			s.left++
			continue
		case step.State == contract.StepSkipped:
			m = mark{"-", faint, "skipped"}
		}
		const more = "      "
		name := step.Name + strings.Repeat(" ", max(0, stepNames-len(step.Name)))
		if step.State != contract.StepFail {
			s.line("%s", s.cut(strings.TrimRight("  "+s.paint(m.colour, m.shape)+" "+name+"  "+step.Got, " ")))
			continue
		}
		s.text("  "+s.paint(m.colour, m.shape)+" "+name+"  ", more, step.Code)
		for _, row := range [][2]string{{"expected  ", step.Expected}, {"got       ", step.Got}, {"", step.Evidence}} {
			if row[1] != "" {
				s.text(more+row[0], more+strings.Repeat(" ", len(row[0])), row[1])
			}
		}
		if step.Remedy != "" {
			s.text(more+"→ ", more+"  ", step.Remedy)
		}
	}
}

// end says what came of a run, and how long it took.
func (s *stepView) end(l contract.Login) {
	if s.failed && s.left > 0 {
		s.line("  %s", s.paint(faint, fmt.Sprintf("- %d more steps were not reached", s.left)))
	}
	m := markOfLogin(l.State)
	took := l.EndedAt.Sub(l.StartedAt).Round(10 * time.Millisecond)
	s.text(s.paint(m.colour, m.shape)+" "+s.paint(bold, m.word)+"  ", "  ", fmt.Sprintf("%s (%s, %s)", l.Summary, l.ID, took))
	if l.State == contract.LoginAborted && l.Problem != nil {
		s.text("  → ", "    ", l.Problem.Remedy)
	}
}

func markOfLogin(state contract.LoginState) mark {
	m := mark{"…", "", string(state)}
	switch state {
	case contract.LoginPassed:
		m.shape, m.colour = "✓", green
	case contract.LoginFailed, contract.LoginAborted:
		m.shape, m.colour = "✗", red
	}
	return m
}

func (s *screen) showLogins(all []contract.Login, now time.Time) {
	if len(all) == 0 {
		s.line("no login runs")
	}
	rows := make([][]string, 0, len(all))
	for _, l := range all {
		m := markOfLogin(l.State)
		with := strings.TrimSpace(string(l.Origin) + " " + string(l.Kind))
		rows = append(rows, []string{m.shape + " " + m.word, l.ID, ago(now, l.StartedAt), string(l.Scenario), l.ACR + " at " + l.Target, with, l.Holder, l.Purpose})
	}
	s.table("", rows)
}
