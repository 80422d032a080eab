package contract

// Owner is whose a lease and its ceremonies are: the token or the identity of
// the operating system that took it, and the lease's own token.
type Owner struct {
	// TokenID is empty for an identity of the operating system, and for a
	// lease's own token.
	TokenID string
	// Name tells identities of the operating system apart, and is for people:
	// token ci, user 1000.
	Name string
	// UserID is the user of the operating system, by uid or SID, whose rights bound
	// those of the token or identity; empty: not known.
	UserID string
	// Lease is the lease's id. Of one who asks it is set for a lease's own token
	// alone.
	Lease string
}

// Owns is whether what belongs to that owner is the asker's: by the lease's own
// token, which has that lease and nothing else; by the token that took it; or by
// the identity of the operating system that did.
func (o Owner) Owns(of Owner) bool {
	switch {
	case o.Lease != "":
		return o.Lease == of.Lease
	case o.TokenID != "":
		return o.TokenID == of.TokenID
	}
	return of.TokenID == "" && o.Name != "" && o.Name == of.Name
}
