package login

import (
	"fmt"
	"html"
	"strings"
	"time"

	"authbridge/agent/contract"
)

// node is a piece of HTML. Text becomes one by [text] alone, which escapes it.
type node string

func text(s string) node { return node(html.EscapeString(s)) }

// el is an element; attrs are name="value" pairs, their values escaped here.
func el(name string, attrs []string, parts ...node) node {
	var b strings.Builder
	b.WriteString("<" + name)
	for ; len(attrs) >= 2; attrs = attrs[2:] {
		b.WriteString(" " + attrs[0] + `="` + html.EscapeString(attrs[1]) + `"`)
	}
	b.WriteString(">")
	for _, p := range parts {
		b.WriteString(string(p))
	}
	if name != "meta" {
		b.WriteString("</" + name + ">")
	}
	return node(b.String())
}

func attrs(pairs ...string) []string { return pairs }

// style is the whole of what the page looks like: nothing is loaded.
const style node = `:root{color-scheme:light dark;--line:#8886;--good:#0a6b2d;--bad:#a8121a;--dim:#5b6168}
@media(prefers-color-scheme:dark){:root{--good:#6fd693;--bad:#ff8f8f;--dim:#a9b0b8}}
*{box-sizing:border-box}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:70rem}
h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.15rem;margin:2.5rem 0 .5rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.75rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{color:var(--dim);font-weight:600}td:last-child,th:last-child{text-align:right}td:first-child,td:last-child,th,.pass,.fail,.skipped{white-space:nowrap}
.pass,.passed{color:var(--good);font-weight:600}.fail,.failed,.aborted{color:var(--bad);font-weight:600}.skipped{color:var(--dim)}
.note{color:var(--dim)}.virtual{border:1px solid var(--line);border-left-width:.4rem;padding:.4rem .8rem}
@media(max-width:40rem){thead{position:absolute;clip-path:inset(50%)}tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
td{display:block;border:0;padding:.1rem 0}td:last-child{text-align:left}td[data-of]:not(:empty)::before{content:attr(data-of) ": ";color:var(--dim)}
dl{grid-template-columns:minmax(6rem,30%) 1fr}}
@media print{body{max-width:none;padding:0;font-size:10pt}tr,dl{break-inside:avoid}h2{break-after:avoid}thead{display:table-header-group}}`

// asHTML is a page that stands alone: no script, nothing loaded.
func asHTML(runs []contract.Login) []byte {
	heading := "Login test report"
	if len(runs) == 1 {
		heading = "Login test: " + nameOf(&runs[0])
	}
	body := []node{el("h1", nil, text(heading))}
	if len(runs) != 1 {
		body = append(body, overview(runs))
	}
	for i := range runs {
		body = append(body, section(&runs[i], len(runs) > 1))
	}
	page := "<!DOCTYPE html>\n" + string(el("html", attrs("lang", "en-GB"),
		el("head", nil,
			el("meta", attrs("charset", "utf-8")),
			el("meta", attrs("name", "viewport", "content", "width=device-width, initial-scale=1")),
			el("meta", attrs("http-equiv", "Content-Security-Policy", "content", "default-src 'none'; style-src 'unsafe-inline'")),
			el("title", nil, text(heading)), el("style", nil, style)),
		el("body", nil, el("main", nil, body...)))) + "\n"
	return []byte(page)
}

// overview is a line for each run of a matrix.
func overview(runs []contract.Login) node {
	counts := map[contract.LoginState]int{}
	var rows []node
	for i := range runs {
		l := &runs[i]
		counts[l.State]++
		rows = append(rows, el("tr", nil,
			cell("Run", el("a", attrs("href", "#"+l.ID), text(nameOf(l)))), cell("Result", outcome(string(l.State))),
			cell("Authenticator", text(join(l.Name, string(l.Origin)))), cell("Time", text(took(l)))))
	}
	var sum []string
	for _, s := range []contract.LoginState{contract.LoginPassed, contract.LoginFailed, contract.LoginAborted, contract.LoginRunning, contract.LoginQueued} {
		if counts[s] > 0 {
			sum = append(sum, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return el("div", nil, el("p", nil, text(strings.Join(sum, ", "))), table([]string{"Run", "Result", "Authenticator", "Time"}, rows))
}

func table(heads []string, rows []node) node {
	var head []node
	for _, h := range heads {
		head = append(head, el("th", attrs("scope", "col"), text(h)))
	}
	return el("table", nil, el("thead", nil, el("tr", nil, head...)), el("tbody", nil, rows...))
}

// cell says on narrow screens, where there are no heads, what it is of.
func cell(of string, what node) node { return el("td", attrs("data-of", of), what) }

func outcome(state string) node { return el("span", attrs("class", state), text(state)) }

func took(l *contract.Login) string {
	if l.EndedAt.IsZero() {
		return "under way"
	}
	return l.EndedAt.Sub(l.StartedAt).Round(time.Millisecond).String()
}

func section(l *contract.Login, headed bool) node {
	var parts []node
	if headed {
		parts = append(parts, el("h2", nil, text(nameOf(l))))
	}
	parts = append(parts, el("p", nil, outcome(string(l.State)), text(". "+l.Summary)))
	if l.Origin == contract.Virtual {
		parts = append(parts, el("p", attrs("class", "virtual"), text("This run rests on a virtual authenticator. It proves nothing of a physical one, nor of a real target.")))
	}
	parts = append(parts, facts(l))
	var rows []node
	for i := range l.Steps {
		s := &l.Steps[i]
		rows = append(rows, el("tr", nil,
			cell("Step", text(s.Name)), cell("Result", outcome(string(s.State))), cell("Expected", text(s.Expected)), cell("Got", text(s.Got)),
			cell("Evidence", evidence(s)), cell("Time", text(fmt.Sprintf("%.1f ms", s.TookMS)))))
	}
	parts = append(parts, table([]string{"Step", "Result", "Expected", "Got", "Evidence", "Time"}, rows))
	return el("section", attrs("id", l.ID), parts...)
}

func evidence(s *contract.LoginStep) node {
	parts := []node{text(s.Evidence)}
	if s.Code != "" {
		parts = append(parts, el("div", nil, el("strong", nil, text(s.Code)), text(" "+title(s.Code))))
	}
	if s.Remedy != "" {
		parts = append(parts, el("div", attrs("class", "note"), text(s.Remedy)))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return el("div", nil, parts...)
}

func facts(l *contract.Login) node {
	var parts []node
	for _, f := range [][2]string{
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
	} {
		if f[1] != "" {
			parts = append(parts, el("dt", nil, text(f[0])), el("dd", nil, text(f[1])))
		}
	}
	return el("dl", nil, parts...)
}
