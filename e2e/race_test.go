//go:build race && linux && cgo

package e2e

func init() { raced = true }
