package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

func leaseRecord(id string, fence uint64) Lease {
	at := time.Date(2026, 11, 25, 9, 0, 0, 123000, time.UTC)
	r := Lease{
		Lease: contract.Lease{
			ID: id, Fence: fence, State: contract.LeaseActive, Authenticator: "key-1", Name: "key 1",
			Kind: contract.SecurityKey, Origin: contract.Physical, Holder: "token ci", Purpose: "run 17", Hold: contract.HoldTTL,
			Requirement: contract.Requirement{AAL: 3, Target: "int"}, QueuedAt: at, TakenAt: at, EndsAt: at.Add(time.Minute),
		},
		Owner:   contract.Owner{TokenID: "token-1", Name: "token ci", Lease: id},
		Expires: at.Add(time.Hour), TTL: time.Minute, Keep: true,
	}
	r.Token[0], r.Token[31] = 1, 2
	return r
}

func putLease(t testing.TB, s *Store, r Lease) {
	t.Helper()
	if err := s.PutLease(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func kept(t testing.TB, s *Store) ([]Lease, uint64) {
	t.Helper()
	records, fence, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return records, fence
}

func TestALeaseOutlivesARestartAsItWas(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	putLease(t, first, leaseRecord("lease-b-9", 9))
	putLease(t, first, leaseRecord("lease-a-7", 7))
	renewed := leaseRecord("lease-b-9", 9)
	renewed.EndsAt = renewed.EndsAt.Add(time.Hour)
	putLease(t, first, renewed)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	records, fence := kept(t, open(t, Options{Dir: dir}))
	if fence != 9 || len(records) != 2 {
		t.Fatalf("fence %d, %d leases", fence, len(records))
	}
	for i, want := range []Lease{leaseRecord("lease-a-7", 7), renewed} {
		if !reflect.DeepEqual(records[i], want) {
			t.Errorf("kept %+v\nput  %+v", records[i], want)
		}
	}
}

// Not by a clean end: what a killed daemon leaves is the file as it is while
// the store is open.
func TestALeaseIsOnDiskWhenTheWriteReturns(t *testing.T) {
	s := open(t, Options{})
	putLease(t, s, leaseRecord("lease-a-7", 7))
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, FileName+suffix), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if records, fence := kept(t, open(t, Options{Dir: dir})); len(records) != 1 || fence != 7 {
		t.Errorf("after a kill there are %d leases and the fence is %d", len(records), fence)
	}
}

func TestTheFenceOutlivesItsLeasesAndNeverFalls(t *testing.T) {
	s := open(t, Options{})
	if records, fence := kept(t, s); len(records) != 0 || fence != 0 {
		t.Errorf("at first there are %d leases and the fence is %d", len(records), fence)
	}
	putLease(t, s, leaseRecord("lease-a-7", 7))
	putLease(t, s, leaseRecord("lease-b-3", 3))
	for _, id := range []string{"lease-a-7", "lease-b-3", "lease-b-3"} {
		if err := s.DeleteLease(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if records, fence := kept(t, s); len(records) != 0 || fence != 7 {
		t.Errorf("in the end there are %d leases and the fence is %d", len(records), fence)
	}
}

// Killed between the end of a token and the end of its leases, a daemon would
// go on with them.
func TestTheLeasesOfARevokedTokenExpireWithIt(t *testing.T) {
	clock := newClock()
	s := open(t, Options{Now: clock.now})
	made, err := s.CreateToken(t.Context(), "", "ci", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs, other := leaseRecord("lease-a-7", 7), leaseRecord("lease-b-8", 8)
	theirs.Owner.TokenID, theirs.Expires = made.ID, time.Time{}
	putLease(t, s, theirs)
	putLease(t, s, other)
	if err := s.RevokeToken(t.Context(), "ci"); err != nil {
		t.Fatal(err)
	}
	putLease(t, s, theirs) // a renewal that was under way
	records, _ := kept(t, s)
	if !records[0].Expires.Equal(clock.t) || !records[1].Expires.Equal(other.Expires) {
		t.Errorf("they expire at %s and %s", records[0].Expires, records[1].Expires)
	}
}

func TestADatabaseFromBeforeLeasesIsBroughtUpToDate(t *testing.T) {
	dir := t.TempDir()
	script, err := migrations.ReadFile("migrations/0001_journal_tokens.sql")
	if err != nil {
		t.Fatal(err)
	}
	raw(t, filepath.Join(dir, FileName), string(script), "PRAGMA user_version = 1",
		"INSERT INTO settings VALUES ('virtual', 'a', x'31')")
	s := open(t, Options{Dir: dir})
	if value, err := s.Setting(t.Context(), "virtual", "a"); err != nil || string(value) != "1" {
		t.Errorf("what was there before is %q, %v", value, err)
	}
	putLease(t, s, leaseRecord("lease-a-7", 7))
	if records, fence := kept(t, s); len(records) != 1 || fence != 7 {
		t.Errorf("there are %d leases and the fence is %d", len(records), fence)
	}
}

// A full disk is one page that SQLite may not add.
func TestAFullDiskIsTold(t *testing.T) {
	s := open(t, Options{})
	for _, db := range []struct {
		name string
		fill func() error
		set  func(string) error
	}{
		{"lease", func() error {
			r := leaseRecord("lease-a-7", 7)
			r.Remarks = []string{string(bytes.Repeat([]byte("x"), 1<<16))}
			return s.PutLease(t.Context(), r)
		}, func(q string) error { _, err := s.fast.Exec(q); return err }},
		{"trace", func() error {
			return s.PutTrace(t.Context(), Trace{Lease: "lease-a-7", User: bytes.Repeat([]byte("x"), 1<<16)})
		}, func(q string) error { _, err := s.safe.Exec(q); return err }},
	} {
		t.Run(db.name, func(t *testing.T) {
			if err := db.set("PRAGMA max_page_count = 1"); err != nil { // the present size is the least there is
				t.Fatal(err)
			}
			var failed *Error
			if err := db.fill(); !errors.Is(err, ErrFull) || !errors.As(err, &failed) || failed.Code() != failure.DiskFull {
				t.Fatalf("the failure is %v", err)
			}
			if err := db.set("PRAGMA max_page_count = 100000"); err != nil {
				t.Fatal(err)
			}
			if err := db.fill(); err != nil {
				t.Errorf("with room again: %v", err)
			}
		})
	}
}
