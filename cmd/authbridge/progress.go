package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"authbridge/agent/contract"
)

// progress tells how far a suite has come: on a terminal by one line that is
// written again and again, elsewhere by a line at each tenth of the way. What
// failed is told in full as it comes.
type progress struct {
	screen                *screen
	now                   func() time.Time
	started, drawn        time.Time
	total, running        int
	passed, failed, tenth int
	line                  bool // stands on the terminal
}

// redraw is how often the line is written again at most.
const redraw = 100 * time.Millisecond

func newProgress(s *screen, total int, now func() time.Time) *progress {
	return &progress{screen: s, total: total, now: now, started: now()}
}

func (p *progress) begun() {
	p.running++
	p.draw()
}

func (p *progress) over(l contract.Login) {
	p.running--
	if l.State == contract.LoginPassed {
		p.passed++
	} else {
		p.failed++
		p.close()
		p.tell(l)
	}
	p.draw()
	if done := p.done() * 10 / p.total; !p.screen.cuts && done > p.tenth && p.done() < p.total {
		p.tenth = done
		p.screen.line("  %s", p)
	}
}

func (p *progress) cancelled() {
	p.running--
	p.draw()
}

func (p *progress) done() int { return p.passed + p.failed }

// tell says what is wrong with a run, and what to do.
func (p *progress) tell(l contract.Login) {
	m := markOfLogin(l.State)
	who := strings.TrimLeft(l.User, "*")
	if len(who) > 3 {
		who = who[len(who)-3:]
	}
	if who != "" {
		who = " …" + who
	}
	name := l.Name
	if name == "" {
		name = string(l.Kind)
	}
	s := p.screen
	s.text(s.paint(m.colour, m.shape)+" "+s.paint(bold, m.word)+"  ", "  ", fmt.Sprintf("%s %s %s%s (%s)", l.Scenario, l.ACR, name, who, l.ID))
	if l.Problem != nil {
		s.text("    ", "    ", l.Problem.Code+": "+l.Problem.Error())
		s.text("    → ", "      ", l.Problem.Remedy)
	}
}

// draw writes the line, where somebody looks at it.
func (p *progress) draw() {
	if now := p.now(); p.screen.cuts && (!p.line || now.Sub(p.drawn) >= redraw || p.done() == p.total) {
		_, _ = io.WriteString(p.screen.w, "\r"+p.screen.cut("  "+p.String())+"\x1b[K")
		p.line, p.drawn = true, now
	}
}

// close takes the line away, for what is written in its place.
func (p *progress) close() {
	if p.line {
		_, _ = io.WriteString(p.screen.w, "\r\x1b[K")
		p.line = false
	}
}

// String is how far it has come.
func (p *progress) String() string {
	text := fmt.Sprintf("%d of %d done", p.done(), p.total)
	if p.running > 0 {
		text += fmt.Sprintf(", %d running", p.running)
	}
	if p.failed > 0 {
		text += fmt.Sprintf(", %d failed", p.failed)
	}
	if done, passed := p.done(), p.now().Sub(p.started); done > 0 && done < p.total && passed >= time.Second {
		text += ", about " + round(passed/time.Duration(done)*time.Duration(p.total-done)) + " left"
	}
	return text
}

// round is a time as people say it.
func round(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int(d.Round(time.Second).Seconds()), 1))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// end says what came of all.
func (p *progress) end() {
	p.close()
	m := markOfLogin(contract.LoginPassed)
	if p.failed > 0 || p.done() < p.total {
		m = markOfLogin(contract.LoginFailed)
	}
	text := plural(p.passed, "login") + " passed"
	if p.failed > 0 {
		text += fmt.Sprintf(", %d did not", p.failed)
	}
	if left := p.total - p.done(); left > 0 {
		text += fmt.Sprintf(", %d not run", left)
	}
	p.screen.text(p.screen.paint(m.colour, m.shape)+" "+p.screen.paint(bold, text)+" ", "  ", "("+p.now().Sub(p.started).Round(10*time.Millisecond).String()+")")
}
