package main

import (
	"context"
	"os"
)

// passedOn are the signals that a command under a lease gets from us: Windows
// tells every program of a console itself.
var passedOn = []os.Signal{os.Interrupt}

// reloads never tells: Windows has no signal for it, and starts a service anew.
func reloads(context.Context) <-chan os.Signal { return nil }
