// Package api answers over HTTP: on loopback, on the local socket or pipe. A
// guard stands before the routes and decides who may knock; the route table
// says which right each route asks; the handlers that read answer from the
// inventory's snapshot and do no device I/O, those that change something hand
// the order on: to the leases, the ceremonies, the virtual devices. It never
// opens a device, keeps no state but its streams, and writes no secret anywhere
// but into the one answer that hands out a new token or a new lease's own.
package api
