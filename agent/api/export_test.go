package api

import (
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/lease"
)

// RouteTable is the table, for the tests that walk it: pattern to right.
func RouteTable() map[string]contract.Right {
	table := make(map[string]contract.Right)
	for _, r := range routes() {
		table[r.pattern()] = r.right
	}
	return table
}

// Asks is the caller as leases know it.
func (c Caller) Asks() lease.Caller { return c.asks() }

// Owns is whether what is that owner's is the caller's.
func (c Caller) Owns(owner contract.Owner) bool { return c.owner().Owns(owner) }

// SetPageClock replaces the clock by which codes and sessions of pages end.
func (s *Server) SetPageClock(now func() time.Time) { s.pages.now = now }
