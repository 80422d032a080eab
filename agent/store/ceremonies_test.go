package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"authbridge/agent/contract"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestBlocksOutliveARestartUntilTheyAreCleared(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	blocks := []contract.PINBlock{
		{Authenticator: "card-1", Source: "secret blue-pin", At: noon},
		{Authenticator: "card-1", Source: "requests of token ci", At: noon.Add(time.Second)},
		{Authenticator: "key-1", Source: "secret blue-pin", At: noon.Add(2 * time.Second)},
	}
	for _, b := range append(blocks, blocks[0]) {
		if err := first.PutBlock(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	s := open(t, Options{Dir: dir})
	want := func(want ...contract.PINBlock) {
		t.Helper()
		if got, err := s.Blocks(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("blocked are %v, %v", got, err)
		}
	}
	want(blocks...)
	if err := s.DeleteBlock(t.Context(), "card-1", "requests of token ci"); err != nil {
		t.Fatal(err)
	}
	want(blocks[0], blocks[2])
	if err := s.DeleteBlocks(t.Context(), "card-1"); err != nil {
		t.Fatal(err)
	}
	want(blocks[2])
}

func TestTracesOutliveARestartUntilTheyAreUndone(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	traces := []Trace{
		{Lease: "lease-a-1", Authenticator: "key-1", RPID: "localhost", User: []byte{0, 1}, At: noon},
		{Lease: "lease-a-1", Authenticator: "card-1", Verified: true, At: noon},
	}
	for _, trace := range append(traces, Trace{Lease: "lease-b-2"}) {
		if err := first.PutTrace(t.Context(), trace); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	s := open(t, Options{Dir: dir})
	if got, err := s.Traces(t.Context(), "lease-a-1"); err != nil || !reflect.DeepEqual(got, traces) {
		t.Errorf("left are %+v, %v", got, err)
	}
	if err := s.DeleteTraces(t.Context(), "lease-a-1"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Traces(t.Context(), "lease-a-1"); err != nil || len(got) != 0 {
		t.Errorf("after they were undone: %+v, %v", got, err)
	}
	if got, err := s.Traces(t.Context(), "lease-b-2"); err != nil || len(got) != 1 {
		t.Errorf("another lease's: %+v, %v", got, err)
	}
}

func TestACeremonyIsKeptUntilItIsOverAndWithoutItsSecrets(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ceremony := contract.Ceremony{
		ID: "ceremony-1", Lease: "lease-a-1", State: contract.CeremonyTouch, StartedAt: noon,
		Steps: []contract.CeremonyStep{{State: contract.CeremonyQueued, At: noon}},
	}
	whole := ceremony
	whole.Prompt = &contract.Prompt{Text: "canary-prompt"}
	whole.Problem = &contract.Problem{Detail: "canary-problem"}
	whole.Result = &contract.CeremonyResult{Hash: "canary-result"}
	other := contract.Ceremony{ID: "ceremony-0", State: contract.CeremonyQueued}
	for _, c := range []contract.Ceremony{whole, other, whole} {
		if err := first.PutCeremony(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(first.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte("canary")) {
			t.Errorf("what is the owner's alone is in %s", first.Path()+suffix)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	s := open(t, Options{Dir: dir})
	got, err := s.Ceremonies(t.Context())
	if err != nil || len(got) != 2 || !reflect.DeepEqual(got[0], ceremony) {
		t.Errorf("kept are %+v, %v", got, err)
	}
	ceremony.State = contract.CeremonyDone
	if err := s.PutCeremony(t.Context(), ceremony); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Ceremonies(t.Context()); err != nil || len(got) != 1 || got[0].ID != "ceremony-0" {
		t.Errorf("after it was over: %+v, %v", got, err)
	}
}

// Blocks and traces keep a PIN from being spent and a credential from being
// forgotten: they go through the connection that syncs.
func TestBlocksAndTracesAreSynced(t *testing.T) {
	s := open(t, Options{})
	if err := s.PutTrace(t.Context(), Trace{Lease: "lease-1", RPID: "localhost"}); err != nil {
		t.Fatal(err)
	}
	tx, err := s.safe.Begin() // it is the only connection of its pool
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(context.Context) error{
		"PutBlock":     func(ctx context.Context) error { return s.PutBlock(ctx, contract.PINBlock{}) },
		"DeleteBlock":  func(ctx context.Context) error { return s.DeleteBlock(ctx, "card-1", "") },
		"DeleteBlocks": func(ctx context.Context) error { return s.DeleteBlocks(ctx, "card-1") },
		"PutTrace":     func(ctx context.Context) error { return s.PutTrace(ctx, Trace{}) },
		"DeleteTraces": func(ctx context.Context) error { return s.DeleteTraces(ctx, "lease-1") },
	} {
		before := s.safe.Stats().WaitCount
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		err := write(ctx)
		cancel()
		if err == nil || s.safe.Stats().WaitCount == before {
			t.Errorf("%s does not go through the connection that syncs (%v)", name, err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// TestWritersTakeTurns: nobody finds the database locked, or sleeps for a chance
// to write, while another of our writers has it; who is not wanted any more does
// not wait.
func TestWritersTakeTurns(t *testing.T) {
	s := open(t, Options{})
	begun, end := make(chan struct{}), make(chan struct{})
	var held sync.WaitGroup
	held.Go(func() {
		err := s.safe.transaction(context.Background(), func(*sql.Tx) error {
			close(begun)
			<-end
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.PutLogin(ctx, loginRecord(1, contract.LoginRunning)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who waits for a turn does not give up: %v", err)
	}
	for range 3 {
		held.Go(func() {
			if err := s.PutLogin(context.Background(), loginRecord(1, contract.LoginRunning)); err != nil {
				t.Error(err)
			}
		})
	}
	close(end)
	held.Wait()
	if err := s.DeleteTraces(t.Context(), "lease-of-a-card"); err != nil {
		t.Error(err)
	}
}
