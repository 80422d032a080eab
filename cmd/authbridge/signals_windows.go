package main

import "os"

// passedOn are the signals that a command under a lease gets from us: Windows
// tells every program of a console itself.
var passedOn = []os.Signal{os.Interrupt}
