package contract

import "testing"

func TestWhatIsWhose(t *testing.T) {
	token, user := Owner{TokenID: "t1", Name: "token ci", Lease: "l1"}, Owner{Name: "user 1000", Lease: "l2"}
	for _, c := range []struct {
		name  string
		asker Owner
		of    Owner
		want  bool
	}{
		{"the token that took it", Owner{TokenID: "t1", Name: "token ci"}, token, true},
		{"another token of that name", Owner{TokenID: "t2", Name: "token ci"}, token, false},
		{"a user with the name of a token", Owner{Name: "token ci"}, token, false},
		{"the lease's own token", Owner{Lease: "l1", Name: "lease of token ci"}, token, true},
		{"that of another lease", Owner{Lease: "l2", Name: "lease of token ci"}, token, false},
		{"that of another lease, of the same name", Owner{Lease: "l1", Name: "user 1000"}, user, false},
		{"the user who took it", Owner{Name: "user 1000"}, user, true},
		{"another user", Owner{Name: "user 1001"}, user, false},
		{"a token with the name of a user", Owner{TokenID: "t1", Name: "user 1000"}, user, false},
		{"nobody", Owner{}, user, false},
		{"nobody of nobody", Owner{}, Owner{}, false},
	} {
		if got := c.asker.Owns(c.of); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
