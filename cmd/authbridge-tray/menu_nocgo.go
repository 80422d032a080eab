//go:build darwin && !cgo

package main

import "errors"

// On macOS menus are made by Objective-C.
func runMenu(func(face), func()) error {
	return errors.New("this build has no tray\n  → build it on a Mac, with cgo")
}

func leaveMenu() {}
