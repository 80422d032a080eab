package report

import (
	"html"
	"strings"
)

// Node is a piece of HTML. Text becomes one by [Text] alone, which escapes it.
type Node string

// Text is what it says, and no markup.
func Text(s string) Node { return Node(html.EscapeString(s)) }

// El is an element; attrs are name and value pairs, the values escaped here.
func El(name string, attrs []string, parts ...Node) Node {
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
	return Node(b.String())
}

// Attrs are the attributes of an element.
func Attrs(pairs ...string) []string { return pairs }

// style is the whole of what the page looks like: nothing is loaded.
const style Node = `:root{color-scheme:light dark;--line:#8886;--good:#0a6b2d;--bad:#a8121a;--warn:#7a5200;--dim:#5b6168;--page:#fff;--tint:#a8121a12}
@media(prefers-color-scheme:dark){:root{--good:#6fd693;--bad:#ff8f8f;--warn:#e6b450;--dim:#a9b0b8;--page:#121212;--tint:#ff8f8f1c}}
*{box-sizing:border-box}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:70rem;background:var(--page);overflow-wrap:break-word}
h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.15rem;margin:2.5rem 0 .5rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.75rem 0}
dt{color:var(--dim);overflow-wrap:normal}dd{margin:0;overflow-wrap:anywhere}
.list{border-collapse:collapse;width:100%;font-size:.9rem}
.list :is(th,td){text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{color:var(--dim);font-weight:600}.list :is(td,th):last-child{text-align:right}.list :is(td:last-child,th),.pass,.fail,.warn,.unknown,.skipped{white-space:nowrap}
.pass,.passed{color:var(--good);font-weight:600}.fail,.failed,.aborted{color:var(--bad);font-weight:600}.skipped,.unknown{color:var(--dim)}.warn{color:var(--warn);font-weight:600}
.list .bad{background:var(--tint)}.list .bad td:first-child{box-shadow:inset .25rem 0 var(--bad)}.list :is(td,th):first-child{padding-left:.6rem}.list td:first-child{overflow-wrap:normal}code{font-size:.95em}
.note{color:var(--dim)}.virtual{border:1px solid var(--line);border-left-width:.4rem;padding:.4rem .8rem}
@media(max-width:40rem){.list thead{position:absolute;clip-path:inset(50%)}.list tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
.list td{display:block;border:0;padding:.1rem .6rem}.list td:empty{display:none}.list td:last-child{text-align:left}.list td[data-of]:not(:empty)::before{content:attr(data-of) ": ";color:var(--dim)}
.list td:nth-child(-n+2){display:inline;font-weight:600}.list td[data-of]:nth-child(-n+2)::before{content:none}
.list .bad{box-shadow:inset .25rem 0 var(--bad)}.list .bad td:first-child{box-shadow:none}dl{grid-template-columns:minmax(min-content,30%) 1fr}}
@media print{body{max-width:none;padding:0;font-size:10pt}tr,dl{break-inside:avoid}.list .bad{print-color-adjust:exact}h2{break-after:avoid}.list thead{display:table-header-group}}`

// Page is a page that stands alone: no script, nothing loaded.
func Page(heading string, parts ...Node) []byte {
	begin, end := Frame(heading, "")
	for _, p := range parts {
		begin += p
	}
	return []byte(begin + end)
}

// Frame is what stands before and behind the parts of a page that is too long
// to be made at once; look is the style that it has besides.
func Frame(heading string, look Node) (begin, end Node) {
	return "<!DOCTYPE html>\n<html lang=\"en-GB\">" + El("head", nil,
		El("meta", Attrs("charset", "utf-8")),
		El("meta", Attrs("name", "viewport", "content", "width=device-width, initial-scale=1")),
		El("meta", Attrs("http-equiv", "Content-Security-Policy", "content", "default-src 'none'; style-src 'unsafe-inline'")),
		El("title", nil, Text(heading)), El("style", nil, style, look)) + "<body><main>" + El("h1", nil, Text(heading)), "</main></body></html>\n"
}

// Table has its heads hidden on narrow screens, where each [Cell] says what it
// is of.
func Table(heads []string, rows []Node) Node {
	var head []Node
	for _, h := range heads {
		head = append(head, El("th", Attrs("scope", "col"), Text(h)))
	}
	return El("table", Attrs("class", "list"), El("thead", nil, El("tr", nil, head...)), El("tbody", nil, rows...))
}

// Cell is one of a row in a [Table].
func Cell(of string, what Node) Node { return El("td", Attrs("data-of", of), what) }

// Outcome is a state in its colour.
func Outcome(state string) Node { return El("span", Attrs("class", state), Text(state)) }

// Facts lists names and values, but for those that are empty.
func Facts(all [][2]string) Node {
	var parts []Node
	for _, f := range all {
		if f[1] != "" {
			parts = append(parts, El("dt", nil, Text(f[0])), El("dd", nil, Text(f[1])))
		}
	}
	return El("dl", nil, parts...)
}
