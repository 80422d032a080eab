package mockcis2_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

// TestASessionEndsWithWhatItsUserMay changes users who are signed in.
func TestASessionEndsWithWhatItsUserMay(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rig){
		"a lower level": func(r *rig) {
			if err := r.server.SetUser(mockcis2.User{User: cis2.User{UUID: aal3User, AAL: 2, IAL: 3}}); err != nil {
				t.Error(err)
			}
		},
		"taken away": func(r *rig) {
			if !r.server.DeleteUser(aal3User) || r.server.DeleteUser(aal3User) {
				t.Error("a user is taken away once")
			}
		},
	} {
		r := newRig(t)
		b := r.browser()
		got := r.exchange(b.signIn(aal3User))
		if r.server.Sessions() != 1 {
			t.Errorf("%s: %d sessions", name, r.server.Sessions())
		}
		change(r)
		if a := b.authorize("prompt", "none"); a.location.Query().Get("error") != "login_required" {
			t.Errorf("%s: %v", name, a.location)
		}
		want := http.StatusOK
		if name == "taken away" {
			want = http.StatusUnauthorized
		}
		if a := r.userinfo(got.AccessToken); a.status != want {
			t.Errorf("%s: userinfo %d", name, a.status)
		}
	}
}

func TestUsersAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 6000 {
		user := mockcis2.User{User: cis2.User{UUID: fmt.Sprintf("9%011d", i), AAL: 3, IAL: 3}}
		if err := r.server.SetUser(user); err != nil {
			if n := len(r.server.Users()); n != 5000 {
				t.Errorf("%d users", n)
			}
			if err := r.server.SetUser(mockcis2.User{User: cis2.User{UUID: aal3User, AAL: 2, IAL: 3}}); err != nil {
				t.Errorf("one who is there: %v", err)
			}
			return
		}
	}
	t.Error("anybody can fill the memory")
}

func TestFaultsInForce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	set := func(client, state string, words ...string) {
		f := mockcis2.Faulting{Client: client, State: state}
		for _, w := range words {
			one, err := mockcis2.ParseFault(w)
			if err != nil {
				t.Fatal(err)
			}
			f.Faults = append(f.Faults, one)
		}
		r.server.SetFaults(f)
	}
	want := func(want string) {
		t.Helper()
		got := ""
		for _, f := range r.server.Faulted() {
			got += fmt.Sprintf("%s/%s%v ", f.Client, f.State, f.Faults)
		}
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	set("second", "", "no-acr")
	set("", "", "slow")
	set("second", "a state", "clock-skew:-90s", "expired")
	want("/[slow:15s] second/[no-acr] second/a state[clock-skew:-1m30s expired] ")
	set("", "")
	want("second/[no-acr] second/a state[clock-skew:-1m30s expired] ")
	r.clock.pass(time.Hour)
	want("second/[no-acr] ")
}
