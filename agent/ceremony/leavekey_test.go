package ceremony_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido/vkey"
)

// TestAPhysicalKeyIsLeftBeforeItForgetsUs holds rule 8 for a lease that lasts
// longer than the key keeps the permission to delete.
func TestAPhysicalKeyIsLeftBeforeItForgetsUs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, vkey.Config{})
		d.origin = contract.Physical
		g := d.lend("l1", ci)
		d.does(ci, withPIN(creation(g, residentKey), pin))
		time.Sleep(9 * time.Minute) //nolint:forbidigo // the clock of the bubble
		d.does(ci, withPIN(request(g), pin))
		time.Sleep(9 * time.Minute) //nolint:forbidigo // the clock of the bubble
		if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 1 {
			t.Errorf("traces %+v", traces)
		}
		tries := d.key.Stats().PINTries
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of the bubble
		synctest.Wait()
		if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 0 {
			t.Errorf("traces %+v", traces)
		}
		if n := d.key.Stats().PINTries; n != tries {
			t.Errorf("%d PINs were sent", n-tries)
		}
		none := d.fails(ci, withPIN(request(g), pin), contract.CeremonyFailed, failure.WebAuthnNone)
		if !strings.Contains(none.Problem.Detail, "after the last PIN") {
			t.Errorf("detail %q", none.Problem.Detail)
		}
		if remarks := d.close(g); len(remarks) != 1 || !strings.Contains(remarks[0], "deleted") || !strings.Contains(remarks[0], "after the last PIN") {
			t.Errorf("remarks %q", remarks)
		}
	})
}

// TestAVirtualKeyKeepsUntilTheEnd: of one that forgot us it is told.
func TestAVirtualKeyKeepsUntilTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, vkey.Config{})
		g := d.lend("l1", ci)
		d.does(ci, withPIN(creation(g, residentKey), pin))
		time.Sleep(11 * time.Minute) //nolint:forbidigo // the clock of the bubble
		if remarks := d.close(g); len(remarks) != 1 || !strings.Contains(remarks[0], "may still hold") || !strings.Contains(remarks[0], "0x33") {
			t.Errorf("remarks %q", remarks)
		}
	})
}

// TestWhatWasThereBeforeStays: of the same relying party, too.
func TestWhatWasThereBeforeStays(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	kept := d.grant("l0", ci)
	kept.Keep = true
	d.open(kept)
	r := registration(t, d.does(ci, withPIN(creation(kept, residentKey), pin)))
	d.close(kept)
	g := d.lend("l1", ci)
	other := withPIN(creation(g, residentKey), pin)
	other.Options = bytes.Replace(other.Options, []byte(`"id":"dXNlcg"`), []byte(`"id":"b3RoZXI"`), 1)
	d.does(ci, other)
	if remarks := d.close(g); len(remarks) != 1 || !strings.HasSuffix(remarks[0], ": 1") {
		t.Errorf("remarks %q", remarks)
	}
	r.verify(t, d.does(ci, withPIN(request(d.lend("l2", ci)), pin)))
}

// TestNoTouchEndsThePermissionToDelete: a physical key that holds something to
// be deleted wants its PIN also where the options do without.
func TestNoTouchEndsThePermissionToDelete(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	d.origin = contract.Physical
	g := d.lend("l1", user)
	d.does(user, withPIN(creation(g, residentKey), pin))
	c := d.begin(user, request(g, noUVOnGet))
	d.reaches(c.ID, contract.CeremonyPIN)
	if err := d.c.Answer(soon(t), user, c.ID, []byte(pin)); err != nil {
		t.Fatal(err)
	}
	d.await(c.ID)
	if remarks := d.close(g); len(remarks) != 1 || !strings.HasSuffix(remarks[0], ": 1") {
		t.Errorf("remarks %q", remarks)
	}
}

// TestAPINAfterARestartDeletesWhatWasMadeBefore: the lease outlived a kill -9,
// and the trace did.
func TestAPINAfterARestartDeletesWhatWasMadeBefore(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	d.close(g)
	kept := g
	kept.Lease, kept.Keep = "l0", true // as if the daemon were killed
	d.open(kept)
	r := registration(t, d.does(ci, withPIN(creation(kept, residentKey), pin)))
	d.close(kept)
	d.store.traces = append(d.store.traces, traceOf("l1"))
	d.open(g)
	r.verify(t, d.does(ci, withPIN(request(g), pin)))
	if remarks := d.close(g); len(remarks) != 1 || !strings.HasSuffix(remarks[0], ": 1") {
		t.Errorf("remarks %q", remarks)
	}
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 0 {
		t.Errorf("traces %+v", traces)
	}
}
