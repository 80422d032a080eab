// Package api answers over HTTP: on loopback, on the local socket or pipe. A
// guard stands before the routes and decides who may knock; the route table
// says which right each route asks; the handlers read the inventory's
// snapshot and do no device I/O. It never opens a device, keeps no state but
// its streams, and writes no secret anywhere but into the one answer that
// hands out a new token.
package api
