package ceremony_test

import (
	"fmt"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido/vkey"
)

func withSecret(r contract.CeremonyRequest, secret, pin string) contract.CeremonyRequest {
	r.PIN = &contract.PINSource{Value: []byte(pin), Secret: secret}
	return r
}

// DESIGN rule 1, for who makes up names of secrets: one try in all, also after a
// restart, and no more rows than that.
func TestANewNameIsNoNewSource(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	for n := range 20 {
		want := failure.PINSourceBlocked
		if n == 0 {
			want = failure.PINRefused
		}
		d.fails(ci, withSecret(creation(g), fmt.Sprint("name ", n), fmt.Sprint(700000+n)), contract.CeremonyFailed, want)
	}
	d.fails(ci, withPIN(creation(g), pin), contract.CeremonyFailed, failure.PINSourceBlocked)
	if n := d.key.Stats().PINTries; n != 1 || len(d.c.Blocks()) != 2 {
		t.Errorf("%d PINs were sent, blocks %v", n, d.c.Blocks())
	}
	d.stop()
	d.start()
	d.open(g)
	d.fails(ci, withSecret(creation(g), "another", "800000"), contract.CeremonyFailed, failure.PINSourceBlocked)
	if n := d.key.Stats().PINTries; n != 1 || len(d.c.Blocks()) != 2 {
		t.Errorf("after a restart: %d PINs were sent, blocks %v", n, d.c.Blocks())
	}
}

func TestARefusedPINUnderManyNamesIsWrittenDownOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	d.fails(user, withPIN(creation(d.lend("l1", user)), "000000"), contract.CeremonyFailed, failure.PINRefused)
	d.close(d.grant("l1", user))
	g := d.lend("l2", ci)
	for n := range 50 {
		want := failure.PINSourceBlocked
		if n == 0 {
			want = failure.PINRefusedBefore
		}
		d.fails(ci, withSecret(creation(g), fmt.Sprint("name ", n), "000000"), contract.CeremonyFailed, want)
	}
	if n := len(d.c.Blocks()); n != 3 || len(d.store.blocks) != 3 {
		t.Errorf("%d blocks, %d written", n, len(d.store.blocks))
	}
}

// TestANameThatWorkedStaysOfUse: a person has one secret for each of two
// programs, and one of them is wrong.
func TestANameThatWorkedStaysOfUse(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", user)
	d.does(user, withSecret(creation(g), "a", pin))
	d.does(user, withSecret(creation(g), "b", pin))
	d.fails(user, withSecret(creation(g), "a", "000000"), contract.CeremonyFailed, failure.PINRefused)
	for _, name := range []string{"a", "", "c"} {
		d.fails(user, withSecret(creation(g), name, pin), contract.CeremonyFailed, failure.PINSourceBlocked)
	}
	d.does(user, withSecret(creation(g), "b", pin))
	if blocks := d.c.Blocks(); len(blocks) != 0 {
		t.Errorf("blocks %v", blocks)
	}
	// Of a name whose last PIN was wrong nothing is known.
	d.fails(user, withSecret(creation(g), "a", "000001"), contract.CeremonyFailed, failure.PINRefused)
	if err := d.c.Unblock(soon(t), "key-blue"); err != nil {
		t.Fatal(err)
	}
	d.fails(user, withSecret(creation(g), "b", "000002"), contract.CeremonyFailed, failure.PINRefused)
	d.fails(user, withSecret(creation(g), "a", pin), contract.CeremonyFailed, failure.PINSourceBlocked)
}
