package api

import "authbridge/agent/contract"

// RouteTable is the table, for the tests that walk it: pattern to right.
func RouteTable() map[string]contract.Right {
	table := make(map[string]contract.Right)
	for _, r := range routes() {
		table[r.pattern()] = r.right
	}
	return table
}
