package login

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/report"
)

// suiteStyle is what a suite's page looks like besides.
const suiteStyle report.Node = `
:root{--goodfill:#d7f0df;--badfill:#fadcdc;--dimfill:#8882}
@media(prefers-color-scheme:dark){:root{--goodfill:#123d22;--badfill:#541b1e}}
.counts{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0;padding:0;list-style:none}
.counts li{padding:.3rem .8rem;border-radius:.4rem}
.P{background:var(--goodfill);color:var(--good)}.F,.A{background:var(--badfill);color:var(--bad)}.U{background:var(--dimfill);color:var(--dim)}
.matrices{display:flex;flex-wrap:wrap;gap:1.5rem 2.5rem;margin:1.5rem 0}.wide{overflow-x:auto;max-width:100%}
.matrix{border-collapse:separate;border-spacing:2px;font-size:.85rem}
.matrix th{font-weight:400;text-align:left;padding:.15rem .4rem}
.matrix caption{text-align:left;font-weight:600;padding:.2rem .4rem}
.matrix thead th{vertical-align:bottom;padding:.3rem 0}.matrix thead span{writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap}
.matrix tbody th{position:sticky;left:0;background:var(--page);white-space:nowrap;color:inherit}
.matrix td{min-width:2rem;height:2rem;padding:0 .3rem;text-align:center;font-weight:700;border-radius:.25rem}
.matrix td a{display:block;color:inherit;text-decoration:none;line-height:2rem}.matrix a:is(:hover,:focus-visible){text-decoration:underline}
.matrix small{font-weight:400}
details{border-bottom:1px solid var(--line)}summary{padding:.4rem 0;cursor:pointer;display:flex;flex-wrap:wrap;gap:.1rem .8rem;align-items:baseline}
summary b{width:1.6rem;text-align:center;border-radius:.25rem}summary .note{margin-left:auto}
summary .why{flex-basis:100%;padding-left:2.4rem;overflow-wrap:anywhere}
details>div{padding:.2rem 0 1.5rem 2.4rem;scroll-margin-top:4.5rem}
@media(max-width:40rem){details>div,summary .why{padding-left:0}}
@media print{*{print-color-adjust:exact}.wide{overflow:visible}.matrix{font-size:8pt}.matrix td a{line-height:1.6rem}.matrix td{height:1.6rem;min-width:1.6rem}.matrix thead{display:table-header-group}summary{break-inside:avoid}}`

// mostOpen is up to how many runs that did not pass are shown unfolded, so that
// a print of the page has what went wrong.
const mostOpen = 20

// letters are what a cell of the matrix says besides its colour, the worst
// first.
var letters = []struct {
	state  contract.LoginState
	letter string
}{
	{contract.LoginFailed, "F"}, {contract.LoginAborted, "A"}, {contract.LoginRunning, "U"}, {contract.LoginQueued, "U"}, {contract.LoginPassed, "P"},
}

func letterOf(state contract.LoginState) string {
	for _, l := range letters {
		if l.state == state {
			return l.letter
		}
	}
	return ""
}

// writeHTML writes a page that stands alone: counts, the matrix, then the runs,
// those first that did not pass.
func (s Suite) writeHTML(w io.Writer) error {
	heading := "Login tests"
	sum := s.sum()
	if sum.Purpose != "" {
		heading += ": " + sum.Purpose
	}
	begin, end := report.Frame(heading, suiteStyle)
	write := func(parts ...report.Node) (err error) {
		for _, part := range parts {
			if _, err = io.WriteString(w, string(part)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := write(begin, counts(&sum), s.note(), s.about(&sum), s.matrix()); err != nil {
		return err
	}
	for _, part := range []struct {
		title  string
		passed bool
		count  int
	}{{"Did not pass", false, len(s.Runs) - sum.Passed}, {"Passed", true, sum.Passed}} {
		if part.count == 0 {
			continue
		}
		if err := write(report.El("h2", nil, report.Text(part.title))); err != nil {
			return err
		}
		for i := range s.Runs {
			if (s.Runs[i].State == contract.LoginPassed) != part.passed {
				continue
			}
			l, err := s.run(i)
			if err != nil {
				return err
			}
			if err := write(folded(&l, !part.passed && part.count <= mostOpen), "\n"); err != nil {
				return err
			}
		}
	}
	return write(end)
}

func counts(sum *contract.LoginSuite) report.Node {
	var all []report.Node
	for _, c := range []struct {
		letter, word string
		count        int
	}{{"P", "passed", sum.Passed}, {"F", "failed", sum.Failed}, {"A", "aborted", sum.Aborted}, {"U", "under way", sum.UnderWay}} {
		if c.count > 0 {
			all = append(all, report.El("li", report.Attrs("class", c.letter), report.El("b", nil, report.Text(c.letter)), report.Text(fmt.Sprintf(" %d %s", c.count, c.word))))
		}
	}
	return report.El("ul", report.Attrs("class", "counts"), all...)
}

// note says what the runs rest on.
func (s Suite) note() report.Node {
	virtual := 0
	for i := range s.Runs {
		if s.Runs[i].Origin == contract.Virtual {
			virtual++
		}
	}
	if virtual == 0 {
		return ""
	}
	return report.El("p", report.Attrs("class", "virtual"), report.Text(fmt.Sprintf(
		"%d of %d runs rest on a virtual authenticator. They prove nothing of a physical one, nor of a real target.", virtual, len(s.Runs))))
}

func (s Suite) about(sum *contract.LoginSuite) report.Node {
	first := &s.Runs[0]
	took := "under way"
	if !sum.EndedAt.IsZero() {
		took = sum.EndedAt.Sub(sum.StartedAt).Round(time.Millisecond).String()
	}
	return report.Facts([][2]string{
		{"Suite", s.ID},
		{"Runs", strconv.Itoa(len(s.Runs))},
		{"Target", first.Target},
		{"Issuer", first.Issuer},
		{"Client", first.ClientID},
		{"Asked by", first.Holder},
		{"Began", sum.StartedAt.UTC().Format(time.RFC3339)},
		{"Took", took},
	})
}

// row is where a run stands in the picture of its acr, at its scenario.
type row struct{ user, with string }

// grid is the picture of the runs that asked for one acr.
type grid struct {
	acr       string
	rows      []row
	scenarios []contract.LoginScenario
	cells     map[row]map[contract.LoginScenario][]*contract.Login
}

// matrix is a picture of all runs, a table for each acr, so that they find their
// place on any width: users by authenticators down, scenarios across. All is in
// the order of the runs.
func (s Suite) matrix() report.Node {
	var grids []*grid
	for i := range s.Runs {
		l := &s.Runs[i]
		at := slices.IndexFunc(grids, func(g *grid) bool { return g.acr == l.ACR })
		if at < 0 {
			at = len(grids)
			grids = append(grids, &grid{acr: l.ACR, cells: make(map[row]map[contract.LoginScenario][]*contract.Login)})
		}
		grids[at].add(l)
	}
	tables := make([]report.Node, len(grids))
	for i, g := range grids {
		tables[i] = g.table()
	}
	return report.El("div", report.Attrs("class", "matrices"), tables...)
}

func (g *grid) add(l *contract.Login) {
	at := row{l.User, cmp.Or(string(l.Kind), "any authenticator")}
	switch {
	case plots[l.Scenario].virtual: // and a user besides
		at = row{with: "the scenario's own"}
	case l.Only != "":
		at.with = cmp.Or(l.Name, l.Only)
	}
	if g.cells[at] == nil {
		g.cells[at] = make(map[contract.LoginScenario][]*contract.Login)
		g.rows = append(g.rows, at)
	}
	if !slices.Contains(g.scenarios, l.Scenario) {
		g.scenarios = append(g.scenarios, l.Scenario)
	}
	g.cells[at][l.Scenario] = append(g.cells[at][l.Scenario], l)
}

func (g *grid) table() report.Node {
	heads := []report.Node{report.El("td", nil)}
	for _, s := range g.scenarios {
		heads = append(heads, report.El("th", report.Attrs("scope", "col"), report.El("span", nil, report.Text(string(s)))))
	}
	body := make([]report.Node, len(g.rows))
	for i, r := range g.rows {
		line := []report.Node{report.El("th", report.Attrs("scope", "row"), report.Text(r.String()))}
		for _, s := range g.scenarios {
			line = append(line, square(g.cells[r][s]))
		}
		body[i] = report.El("tr", nil, line...)
	}
	return report.El("div", report.Attrs("class", "wide", "tabindex", "0", "role", "region", "aria-label", g.acr),
		report.El("table", report.Attrs("class", "matrix"), report.El("caption", nil, report.Text(g.acr)),
			report.El("thead", nil, report.El("tr", nil, heads...)), report.El("tbody", nil, body...)))
}

func (r row) String() string {
	if shown := strings.TrimLeft(contract.MaskUser(r.user), "*"); shown != "" {
		return "…" + shown + " " + r.with
	}
	return r.with
}

// square is a cell: the worst of its runs, how many there are of it, and the way
// to the first.
func square(runs []*contract.Login) report.Node {
	for _, l := range letters {
		var first *contract.Login
		count := 0
		for _, run := range runs {
			if run.State == l.state {
				if count++; first == nil {
					first = run
				}
			}
		}
		if first == nil {
			continue
		}
		says := []report.Node{report.Text(l.letter)}
		if len(runs) > 1 {
			says = append(says, report.El("small", nil, report.Text(fmt.Sprintf(" %d/%d", count, len(runs)))))
		}
		it := shown(*first)
		return report.El("td", report.Attrs("class", l.letter), report.El("a", report.Attrs("href", "#"+it.ID, "title", nameOf(&it)+": "+string(it.State)), says...))
	}
	return report.El("td", report.Attrs("class", "note"), report.Text("–"))
}

// folded is one run, unfolded by who wants to see its steps. The id is inside,
// because going there is what unfolds it.
func folded(l *contract.Login, open bool) report.Node {
	head := []report.Node{
		report.El("b", report.Attrs("class", letterOf(l.State)), report.Text(letterOf(l.State))),
		report.El("span", nil, report.Text(nameOf(l))),
		report.El("span", report.Attrs("class", "note"), report.Text(took(l))),
	}
	if l.Problem != nil {
		head = append(head, report.El("span", report.Attrs("class", "why"), report.El("strong", nil, report.Text(l.Problem.Code)), report.Text(" "+l.Problem.Detail)))
	}
	var unfolded []string
	if open {
		unfolded = report.Attrs("open", "")
	}
	return report.El("details", unfolded, report.El("summary", nil, head...), report.El("div", report.Attrs("id", l.ID), section(l)...))
}
