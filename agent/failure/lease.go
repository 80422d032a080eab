package failure

// Problems of leases.
const (
	LeaseUnmet    Code = "LEASE_UNMET"
	LeaseTaken    Code = "LEASE_TAKEN"
	LeaseTimeout  Code = "LEASE_TIMEOUT"
	LeaseUnknown  Code = "LEASE_UNKNOWN"
	LeaseNotYours Code = "LEASE_NOT_YOURS"
	LeaseOver     Code = "LEASE_OVER"
	LeaseFenced   Code = "LEASE_FENCED"
	LeaseNotReady Code = "LEASE_NOT_READY"
	PhysicalRight Code = "PHYSICAL_RIGHT"
)

func leaseEntries() []Entry {
	return []Entry{
		{
			Code: LeaseUnmet, Title: "No authenticator here can meet what the lease asks for", Status: 409,
			Remedy: "Put in what the detail says is not here, or put right what it says of the authenticator that comes nearest, or ask for less.",
		},
		{
			Code: LeaseTaken, Title: "Another lease has the authenticator", Status: 409,
			Remedy: "Wait in the queue with `--wait`, or ask the holder that the detail names to release it.",
		},
		{
			Code: LeaseTimeout, Title: "The authenticator did not come free in time", Status: 409,
			Remedy: "Wait longer, or ask the holder that the detail names to release it.",
		},
		{
			Code: LeaseUnknown, Title: "There is no such lease", Status: 404,
			Remedy: "Take a lease with `authbridge lease`; `GET /v1/leases` lists those there are.",
		},
		{
			Code: LeaseNotYours, Title: "The lease is somebody else's", Status: 403,
			Remedy: "Use the lease's own token, or the token or user that took it.",
		},
		{
			Code: LeaseOver, Title: "The lease has ended", Status: 410,
			Remedy: "Take a new lease; renew it before its time is over if the work takes longer.",
		},
		{
			Code: LeaseFenced, Title: "The fence number is that of an older lease", Status: 409,
			Remedy: "Use the fence number that came with the lease, because another lease was taken since this one was.",
		},
		{
			Code: LeaseNotReady, Title: "The authenticator was not ready any more when it was read anew", Status: 409,
			Remedy: "Put right what the detail names, then take the lease again.",
		},
		{
			Code: PhysicalRight, Title: "A physical authenticator needs the right physical", Status: 403,
			Remedy: "Ask for a virtual authenticator, or use a token that was made with `--rights lease,physical`; at the system service that takes being at the screen of the machine, unless its configuration says `physical = \"group\"`.",
		},
	}
}
