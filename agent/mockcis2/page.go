package mockcis2

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// policy is the content security policy of pages: our own style and script, by
// their digests, and nothing else. Forms go to this server; the way back to the
// application is no form's, since browsers hold form-action over redirects.
var policy = "default-src 'none'; style-src " + hashed(style) + "; script-src " + hashed(script) +
	"; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func hashed(a asset) string {
	sum := sha256.Sum256([]byte(a))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// view is a page: its heading, which is its title too, and what is below. Its
// stage tells programs which page it is, whatever it looks like.
type view struct {
	stage   string
	heading string
	head    nodes
	body    nodes
}

func (s *Server) showPage(w http.ResponseWriter, status int, v view) {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n")
	el("html", attr("lang", "en-GB"),
		el("head",
			el("meta", attr("charset", "utf-8")),
			el("meta", attr("name", "viewport"), attr("content", "width=device-width, initial-scale=1")),
			el("title", text(v.heading+" - CIS2 mock")),
			el("link", attr("rel", "icon"), attr("href", "data:,")),
			el("style", style),
			v.head,
		),
		el("body",
			el("header", el("p", el("strong", text("CIS2 mock")), text(" for tests. This is not the NHS."))),
			el("main", when(v.stage != "", attr("data-stage", v.stage)), el("h1", text(v.heading)), v.body),
			el("script", script),
		),
	).write(&b)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String()))
}

// sorry says what did not go, to a person or a program.
func (s *Server) sorry(w http.ResponseWriter, r *http.Request, status int, sentence string) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		code := invalidRequest
		if status == http.StatusNotFound {
			code = "not_found"
		}
		writeJSON(w, status, refuse(code, sentence))
		return
	}
	s.showPage(w, status, view{stage: "sorry", heading: "This did not work", body: nodes{
		el("p", text(sentence)), el("p", el("a", attr("href", "/"), text("Start page of the mock"))),
	}})
}

// problem is what was wrong with the last answer, where a screen reader says it
// first.
func problem(sentence string) node {
	if sentence == "" {
		return nodes(nil)
	}
	return el("p", attr("class", "problem"), attr("role", "alert"), attr("id", "problem"), text(sentence))
}

// button sends its form with do=what.
func button(what, label string, more ...node) node {
	return el("button", append([]node{attr("type", "submit"), attr("name", "do"), attr("value", what), text(label)}, more...)...)
}

// asForm is a form of a step.
func asForm(action, csrf string, parts ...node) node {
	return el("form", append([]node{
		attr("method", "post"), attr("action", action),
		el("input", attr("type", "hidden"), attr("name", "csrf"), attr("value", csrf)),
	}, parts...)...)
}

// field is a labelled line of text.
func field(name, label, hint string, more ...node) node {
	input := append([]node{attr("id", name), attr("name", name), attr("type", "text"), attr("spellcheck", "false")}, more...)
	n := nodes{el("label", attr("for", name), text(label))}
	if hint != "" {
		n = append(n, el("p", attr("class", "hint"), attr("id", name+"-hint"), text(hint)))
		input = append(input, attr("aria-describedby", name+"-hint"))
	}
	return append(n, el("input", input...))
}

// choice is one of a group of radio buttons. Its hint is beside it; with the
// class "choice long" below.
func choice(class, name, value, label, hint string, chosen bool) node {
	id := name + "-" + value
	return el("div", attr("class", class),
		el("input", attr("type", "radio"), attr("id", id), attr("name", name), attr("value", value), flag("required"),
			when(chosen, flag("checked")), attr("aria-describedby", id+"-hint")),
		el("label", attr("for", id), text(label)),
		el("p", attr("class", "hint"), attr("id", id+"-hint"), text(hint)))
}

func group(legend string, choices nodes) node {
	return el("fieldset", el("legend", text(legend)), choices)
}
