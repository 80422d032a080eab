//go:build !linux && !darwin && !windows

package platform

func programName(int) string { return "" }
