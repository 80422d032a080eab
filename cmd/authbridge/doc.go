// Command authbridge is the daemon, its command line and its control of the
// operating system's service, in one binary. Only the files wire*.go compose the
// server; every other file is a client of the API.
package main
