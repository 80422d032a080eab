package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// fittingUsage has cobra's own text fit the terminal: it breaks no lines, and its
// template that would takes 3 MB of reflection with it.
func fittingUsage(usual func(*cobra.Command) error) func(*cobra.Command) error {
	return func(c *cobra.Command) error {
		out := c.OutOrStderr()
		var text strings.Builder
		c.SetOut(&text)
		err := usual(c)
		c.SetOut(out)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, fitted(text.String()))
		return err
	}
}

// fitted breaks long lines, below what stands behind the last gap in them.
func fitted(text string) string {
	var fits strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if columns(line) > defaultWidth {
			const gap = "   "
			behind := 0
			if i := strings.LastIndex(line, gap); i >= 0 {
				behind = i + len(gap)
			}
			line = strings.Join(wrap(line[:behind], strings.Repeat(" ", behind), line[behind:], defaultWidth), "\n")
		}
		fits.WriteString(line + "\n")
	}
	return fits.String()
}
