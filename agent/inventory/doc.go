// Package inventory is the single owner of what the daemon knows. Sources
// bring observations in; one goroutine merges them, has them judged and
// publishes immutable snapshots and the events that led to them.
//
// Reading never causes device I/O: snapshots, certificates and events are
// answered from memory, older events from the journal, whatever a slow card is
// doing. The package decides nothing about health or readiness, and never
// speaks to an authenticator except through its sources, whose probes cost no
// PIN try. Who uses an authenticator claims it, so that no probe comes in
// between, and gets the connection from here. What others do with authenticators
// they tell here too, so that one stream of events has it all, in one order.
package inventory
