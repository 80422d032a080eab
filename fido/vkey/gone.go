package vkey

import "errors"

// errGone says that the key was unplugged.
var errGone = errors.New("vkey: the key went")
