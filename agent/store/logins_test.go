package store

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"authbridge/agent/contract"
)

func loginRecord(n int, state contract.LoginState) Login {
	l := Login{
		Login: contract.Login{
			ID: fmt.Sprintf("login-%d", n), State: state, Target: "mock", Mode: contract.DriveHeadless, Scenario: contract.ScenarioSignIn,
			StartedAt: noon.Add(time.Duration(n) * time.Minute), Steps: []contract.LoginStep{{Name: "discovery", State: contract.StepPass, At: noon}},
		},
		Owner: contract.Owner{TokenID: "t1", Name: "token ci"},
	}
	if state.Over() {
		l.EndedAt = l.StartedAt.Add(time.Second)
	}
	return l
}

func putLogin(t *testing.T, s *Store, records ...Login) {
	t.Helper()
	for _, r := range records {
		if err := s.PutLogin(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoginRunsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	over, running := loginRecord(1, contract.LoginPassed), loginRecord(2, contract.LoginRunning)
	putLogin(t, first, loginRecord(1, contract.LoginRunning), over, running)
	// Without Close: what was written is there all the same.
	s := open(t, Options{Dir: dir})
	defer first.Close()
	if got, err := s.Login(t.Context(), "login-1"); err != nil || !reflect.DeepEqual(got, over) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.UnfinishedLogins(t.Context()); err != nil || !reflect.DeepEqual(got, []Login{running}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.Logins(t.Context(), 10); err != nil || !reflect.DeepEqual(got, []Login{running, over}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.Login(t.Context(), "login-3"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestOldLoginRunsAreForgotten(t *testing.T) {
	s := open(t, Options{})
	putLogin(t, s, loginRecord(0, contract.LoginRunning))
	for n := 1; n <= 6; n++ {
		putLogin(t, s, loginRecord(n, contract.LoginFailed))
	}
	prune := func(keep int, before time.Time, want ...string) {
		t.Helper()
		if _, err := s.PruneLogins(t.Context(), keep, before); err != nil {
			t.Fatal(err)
		}
		all, err := s.Logins(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, l := range all {
			ids = append(ids, l.ID)
		}
		if !reflect.DeepEqual(ids, want) {
			t.Errorf("kept are %v, want %v", ids, want)
		}
	}
	prune(4, time.Time{}, "login-6", "login-5", "login-4", "login-3", "login-0") // one under way is not forgotten
	prune(4, noon.Add(5*time.Minute), "login-6", "login-5", "login-0")
}

func TestALoginRunThatIsNoJSONIsTold(t *testing.T) {
	s := open(t, Options{})
	putLogin(t, s, loginRecord(1, contract.LoginPassed))
	if _, err := s.fast.Exec(`UPDATE logins SET json = x'7b'`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(t.Context(), "login-1"); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

func TestAnOlderDatabaseIsBroughtUpToDate(t *testing.T) {
	scripts := []string{"0001_journal_tokens.sql", "0002_leases_ceremonies.sql", "0003_logins.sql"}
	for version := 1; version <= len(scripts); version++ {
		dir := t.TempDir()
		var made []string
		for _, name := range scripts[:version] {
			script, err := os.ReadFile("migrations/" + name)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, string(script))
		}
		raw(t, dir+"/"+FileName, append(made, fmt.Sprintf("PRAGMA user_version = %d", version))...)
		s := open(t, Options{Dir: dir})
		putLogin(t, s, proved(1, proof("key-1", "555250000001", contract.Proven, noon)))
		if got, err := s.Proofs(t.Context()); err != nil || len(got) != 1 {
			t.Errorf("from %d: %v, %v", version, got, err)
		}
	}
}

// TestASuiteIsReadInItsOrder: that in which its runs were asked for, whatever
// their times say and however often they are written.
func TestASuiteIsReadInItsOrder(t *testing.T) {
	s := open(t, Options{})
	var want []string
	for _, n := range []int{3, 1, 2} {
		one := loginRecord(n, contract.LoginRunning)
		one.Suite = "suite-0123456789abcdef"
		putLogin(t, s, one)
		want = append(want, one.ID)
	}
	over := loginRecord(3, contract.LoginPassed)
	over.Suite = "suite-0123456789abcdef"
	putLogin(t, s, loginRecord(4, contract.LoginPassed), over)
	all, err := s.LoginSuite(t.Context(), over.Suite)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range all {
		got = append(got, l.ID)
		if l.Steps != nil || l.Owner != over.Owner {
			t.Errorf("%+v", l)
		}
	}
	if !reflect.DeepEqual(got, want) || all[0].State != contract.LoginPassed {
		t.Errorf("%v, want %v", got, want)
	}
	if none, err := s.LoginSuite(t.Context(), ""); err != nil || len(none) != 0 {
		t.Errorf("runs that were asked for alone are a suite: %+v, %v", none, err)
	}
}

func TestADatabaseFromBeforeSuitesIsBroughtUpToDate(t *testing.T) {
	dir := t.TempDir()
	var scripts []string
	for _, name := range []string{"0001_journal_tokens.sql", "0002_leases_ceremonies.sql", "0003_logins.sql"} {
		script, err := os.ReadFile("migrations/" + name)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, string(script))
	}
	raw(t, dir+"/"+FileName, append(scripts, `INSERT INTO logins VALUES ('login-1', 1, 2, '', 'user 1000', CAST('{"id":"login-1"}' AS BLOB))`, "PRAGMA user_version = 3")...)
	s := open(t, Options{Dir: dir})
	if got, err := s.Login(t.Context(), "login-1"); err != nil || got.ID != "login-1" || got.Suite != "" {
		t.Errorf("%+v, %v", got, err)
	}
	one := loginRecord(2, contract.LoginPassed)
	one.Suite = "suite-0123456789abcdef"
	putLogin(t, s, one)
	if all, err := s.LoginSuite(t.Context(), one.Suite); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}
