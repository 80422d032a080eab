//go:build !linux

package pcscd

import (
	"errors"
	"syscall"
)

func missing() string { return "a private pcscd needs Linux namespaces" }

func enter(options) (int, error) { return 0, errors.New(missing()) }

func daemonAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
