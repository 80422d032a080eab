package report

import (
	"fmt"
	"strings"
)

// Step is one thing that was done or looked at.
type Step struct {
	Name, State             string
	Expected, Got, Evidence string
	// Code and Title are those of a failure, Notes what there is to say to it.
	Code, Title string
	Notes       []string
	TookMS      float64
}

// Steps is a table of them; what is one called. Those that failed stand out.
func Steps(what string, steps []Step) Node {
	rows := make([]Node, len(steps))
	for i := range steps {
		s := &steps[i]
		var class []string
		if s.State == "fail" {
			class = Attrs("class", "bad")
		}
		rows[i] = El("tr", class,
			Cell(what, Text(s.Name)), Cell("Result", Outcome(s.State)), Cell("Expected", Text(s.Expected)), Cell("Got", Text(s.Got)),
			Cell("Evidence", s.evidence()), Cell("Time", Text(s.took())))
	}
	return Table([]string{what, "Result", "Expected", "Got", "Evidence", "Time"}, rows)
}

func (s *Step) evidence() Node {
	parts := []Node{Text(s.Evidence)}
	if s.Code != "" {
		parts = append(parts, El("div", nil, El("strong", nil, Text(s.Code)), Text(" "+s.Title)))
	}
	for _, note := range s.Notes {
		if note != "" {
			parts = append(parts, El("div", Attrs("class", "note"), Prose(note)))
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return El("div", nil, parts...)
}

// took is empty for what took no time worth telling.
func (s *Step) took() string {
	const told = 0.05
	if s.TookMS < told {
		return ""
	}
	return fmt.Sprintf("%.1f ms", s.TookMS)
}

// Prose is text in which words to be typed stand between backquotes.
func Prose(s string) Node {
	var all strings.Builder
	for i, part := range strings.Split(s, "`") {
		node := Text(part)
		if i%2 == 1 {
			node = El("code", nil, node)
		}
		all.WriteString(string(node))
	}
	return Node(all.String())
}
