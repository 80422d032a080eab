//go:build !linux

package platform

import (
	"context"
	"runtime"
)

func survey(context.Context) Survey {
	return Survey{System: runtime.GOOS + " " + runtime.GOARCH, Session: map[string]string{}, Rules: []string{}}
}

// ServiceLog is empty: it is not known how to read it here.
func ServiceLog(context.Context, int) string { return "" }
