package ceremony

import (
	"strings"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/lease"
)

func TestAPersonIsToldWhoAsks(t *testing.T) {
	t.Parallel()
	user := contract.Owner{Name: "user 1000", UserID: "1000"}
	token := contract.Owner{Name: "token ci", TokenID: "t1", UserID: "1000"}
	of := func(o contract.Owner, program string) lease.Caller { return lease.Caller{Owner: o, Program: program} }
	for _, c := range []struct {
		by     lease.Caller
		holder contract.Owner
		want   string
	}{
		{of(user, "node"), user, `program "node" of user 1000`},
		{of(user, ""), user, "user 1000"},
		{of(token, "node"), token, `program "node", with token ci of user 1000`},
		{of(token, ""), token, "token ci of user 1000"},
		{of(contract.Owner{Name: "token old", TokenID: "t2"}, ""), token, "token old"},
		{of(contract.Owner{Name: "lease of user 1000", Lease: "lease-1"}, "node"), user, `program "node", for user 1000`},
		{of(contract.Owner{Name: "lease of token ci", Lease: "lease-1"}, ""), token, "token ci of user 1000"},
		{of(user, "x\" of user 0\n\x1b\u202e"), user, `program "x\" of user 0\n\x1b\u202e" of user 1000`},
		{of(user, strings.Repeat("é", 300)), user, `program "` + strings.Repeat("é", longestProgram-1) + `…" of user 1000`},
	} {
		if got := asker(c.by, c.holder); got != c.want {
			t.Errorf("it says %s, want %s", got, c.want)
		}
	}
}
