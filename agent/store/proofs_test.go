package store

import (
	"reflect"
	"testing"
	"time"

	"authbridge/agent/contract"
)

func proof(key, user string, outcome contract.ProofOutcome, at time.Time) *contract.Proof {
	return &contract.Proof{
		Authenticator: key, Kind: contract.SecurityKey, Target: "int", User: user, Outcome: outcome, At: at, Login: "login-1",
		ACR: "AAL3_ANY", AMR: []string{"FIDO2"}, AAL: 3,
	}
}

func proved(n int, p *contract.Proof) Login {
	record := loginRecord(n, contract.LoginPassed)
	record.Proof = p
	return record
}

func TestTheLastProofOfEachUserOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	const ada, ben = "555250000001", "555250000002"
	old, refused := proof("key-1", ada, contract.Proven, noon), proof("key-1", ada, contract.Refused, noon.Add(time.Hour))
	late, other := proof("key-1", ada, contract.Proven, noon.Add(time.Minute)), proof("key-1", ben, contract.Proven, noon.Add(2*time.Hour))
	putLogin(t, first, proved(1, old), proved(2, refused), proved(3, late), proved(4, other), proved(5, nil))
	// Without Close: what was written is there all the same.
	s := open(t, Options{Dir: dir})
	got, err := s.Proofs(t.Context())
	if err != nil || !reflect.DeepEqual(got, []contract.Proof{*refused, *other}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAProofIsWrittenWithItsRunOrNotAtAll(t *testing.T) {
	s := open(t, Options{})
	putLogin(t, s, loginRecord(1, contract.LoginRunning))
	if _, err := s.safe.Exec(`DROP TABLE proofs`); err != nil {
		t.Fatal(err)
	}
	if err := s.PutLogin(t.Context(), proved(1, proof("key-1", "555250000001", contract.Proven, noon))); err == nil {
		t.Fatal("it was written without its proof")
	}
	if got, err := s.Login(t.Context(), "login-1"); err != nil || got.State != contract.LoginRunning {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheOldestProofsAreForgotten(t *testing.T) {
	s := open(t, Options{})
	if _, err := s.safe.Exec(`WITH RECURSIVE some(n) AS (SELECT 0 UNION ALL SELECT n+1 FROM some WHERE n < ?)
		INSERT INTO proofs SELECT 'key-' || n, 'int', '555250000001', n+1, CAST(json_object('authenticator', 'key-' || n) AS BLOB) FROM some`, keepProofs+1); err != nil {
		t.Fatal(err)
	}
	putLogin(t, s, proved(1, proof("key-new", "555250000001", contract.Proven, noon)))
	got, err := s.Proofs(t.Context())
	if err != nil || len(got) != keepProofs || got[0].Authenticator != "key-3" {
		t.Errorf("%d, %v", len(got), err)
	}
}
