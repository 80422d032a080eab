package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the table. Empty fields are not applicable.
type row struct {
	What     string
	Goal     string
	Measured string
	Peers    string // beside it, in the same run
	Ratio    string
	Met      string // yes, no
	Note     string
}

func met(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f ×", quotient(a, b)) }

func quotient(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

func printTable(w io.Writer, rows []row) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "\nwhat\tgoal\tmeasured\tratio\tmet\n")
	for _, r := range rows {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.What, dash(r.Goal), r.Measured, dash(r.Ratio), dash(r.Met))
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w)
	for _, r := range rows {
		for _, line := range []string{r.Peers, r.Note} {
			if line != "" {
				_, _ = fmt.Fprintf(w, "%s: %s\n", r.What, line)
			}
		}
	}
	_, _ = fmt.Fprintln(w)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// The figures stand between these two in a markdown file.
const (
	figuresBegin = "<!-- figures: written by make bench -->\n"
	figuresEnd   = "<!-- end of figures -->"
)

// writeMarkdown replaces the figures in a file.
func writeMarkdown(file string, m machine, rows []row) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(figuresBegin))
	_, after, closed := bytes.Cut(rest, []byte(figuresEnd))
	if !ok || !closed {
		return fmt.Errorf("%s has no place for figures", file)
	}
	var out bytes.Buffer
	out.Write(before)
	out.WriteString(figuresBegin)
	fmt.Fprintf(&out, "\n%s\n\n", m)
	out.WriteString("| what | goal | measured | beside it, same run | ratio | met |\n|---|---|---|---|---|---|\n")
	for _, r := range rows {
		cells := []string{r.What, dash(r.Goal), r.Measured, dash(r.Peers), dash(r.Ratio), dash(r.Met)}
		if r.Note != "" {
			cells[2] += " (" + r.Note + ")"
		}
		fmt.Fprintf(&out, "| %s |\n", strings.Join(cells, " | "))
	}
	out.WriteString("\n" + figuresEnd)
	out.Write(after)
	return os.WriteFile(file, out.Bytes(), 0o644) //nolint:gosec // a document
}

// samples are durations of the same thing.
type samples []time.Duration

// at is the quantile q, 0 to 1.
func (s samples) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (s samples) p50() time.Duration { return s.at(0.50) }
func (s samples) p99() time.Duration { return s.at(0.99) }

func (s samples) String() string { return ms(s.p50()) + " / " + ms(s.p99()) + " ms" }

// ms writes milliseconds with three digits that mean something.
func ms(d time.Duration) string {
	v := float64(d) / float64(time.Millisecond)
	switch abs := max(v, -v); {
	case abs < 1:
		return fmt.Sprintf("%.3f", v)
	case abs < 10:
		return fmt.Sprintf("%.2f", v)
	case abs < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}
