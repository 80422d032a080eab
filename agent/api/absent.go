package api

import "authbridge/agent/contract"

type lending = Leases

// lendsNothing is for a daemon that lends nothing: no token is a lease's.
type lendsNothing struct{ lending }

func (lendsNothing) Token([]byte) (contract.Lease, bool) { return contract.Lease{}, false }

func (lendsNothing) Revoked(string) {}

func (lendsNothing) Leases() []contract.Lease { return nil }
