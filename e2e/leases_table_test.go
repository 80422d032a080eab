//go:build linux && cgo

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/contract"
	"authbridge/e2e/pcscd"
)

// became is what became of things in a row of the table, in its words.
type became struct{ lease, ceremony, client string }

// rowKey is a row's: what state things are in, and the fault that comes then.
type rowKey struct{ state, fault string }

func (p rowKey) String() string { return p.state + ", " + p.fault }

// trials are the rows of the table in docs/leases.md, and who tries them with
// which authenticator. What became of things is said in the words of the row;
// each trial ends with a ceremony that succeeds, and with an authenticator that
// is as it was.
var trials = map[rowKey][]trialOf{
	{"queued", pulled}:          onBoth(queuedAndTaken),
	{"queued", "pcscd killed"}:  onCard(queuedAndTaken),
	{"queued", "daemon killed"}: onBoth(queuedAndKilled),
	{"queued", "client gone"}:   onBoth(queuedAndGone),
	{"queued", "wait over"}:     onBoth(queuedAndOver),

	{"leased", pulled}:          onBoth(leasedAndTaken),
	{"leased", "pcscd killed"}:  onCard(leasedAndTaken),
	{"leased", "daemon killed"}: onBoth(leasedAndKilled),
	{"leased", "client gone"}:   onBoth(leasedAndGone),
	{"leased", "time over"}:     onBoth(leasedAndOver),

	{"insert", "put back"}:      onBoth(insertAndBack),
	{"insert", "pcscd killed"}:  onCard(insertAndCrash),
	{"insert", "daemon killed"}: onBoth(ceremonyAndKilled),
	{"insert", "client gone"}:   onBoth(ceremonyAndGone),
	{"insert", "time over"}:     onBoth(ceremonyAndOver),

	{"pin", pulled}:          onBoth(pinAndTaken),
	{"pin", "pcscd killed"}:  onCard(pinAndTaken),
	{"pin", "daemon killed"}: onBoth(ceremonyAndKilled),
	{"pin", "client gone"}:   onBoth(ceremonyAndGone),
	{"pin", "time over"}:     onBoth(ceremonyAndOver),

	{"touch", "key unplugged"}: onKey(ceremonyAndTaken),
	{"touch", "daemon killed"}: onKey(ceremonyAndKilled),
	{"touch", "client gone"}:   onKey(ceremonyAndGone),
	{"touch", "time over"}:     onKey(ceremonyAndOver),

	{"running", "card pulled"}:   onCard(ceremonyAndTaken),
	{"running", "key unplugged"}: onKey(ceremonyAndTaken),
	{"running", "pcscd killed"}:  onCard(ceremonyAndTaken),
	{"running", "daemon killed"}: onBoth(ceremonyAndKilled),
	{"running", "client gone"}:   onBoth(ceremonyAndGone),
	{"running", "time over"}:     onBoth(ceremonyAndOver),
}

const pulled = "card pulled, key unplugged"

// trialOf tries a row with one kind of authenticator.
type trialOf struct {
	kind contract.Kind
	do   func(*trial) became
}

func onCard(do func(*trial) became) []trialOf { return []trialOf{{contract.Smartcard, do}} }
func onKey(do func(*trial) became) []trialOf  { return []trialOf{{contract.SecurityKey, do}} }

func onBoth(do func(*trial) became) []trialOf { return slices.Concat(onCard(do), onKey(do)) }

// What docs/leases.md says of leases and ceremonies that something happens to
// is what happens: with a card in a real pcscd, with a key of the program's, and
// with the program itself killed.
func TestTheTableOfLeases(t *testing.T) {
	rows := readTable(t)
	for at := range trials {
		if _, ok := rows[at]; !ok {
			t.Errorf("no row says what becomes of things in %s", at)
		}
	}
	for at := range rows {
		if len(trials[at]) == 0 {
			t.Errorf("nobody tries the row %s", at)
		}
	}
	binary := buildProgram(t).binary
	order := slices.SortedFunc(func(yield func(rowKey) bool) {
		for at := range rows {
			if !yield(at) {
				return
			}
		}
	}, func(a, b rowKey) int { return strings.Compare(a.String(), b.String()) })
	each := func(t *testing.T, kind contract.Kind, start func(*testing.T, rowKey) *trial, prepare func(*testing.T)) {
		t.Parallel()
		for _, at := range order {
			for _, try := range trials[at] {
				if try.kind != kind {
					continue
				}
				t.Run(at.String(), func(t *testing.T) {
					prepare(t)
					x := start(t, at)
					got := try.do(x)
					x.end()
					if want := rows[at]; got != want {
						t.Errorf("the row says\n\t%s\nand there was\n\t%s", want, got)
					}
				})
			}
		}
	}
	// Cards share a pcscd, and are tried one after the other. Keys have nothing
	// in common.
	t.Run("card", func(t *testing.T) {
		d := pcscd.Start(t, 2)
		each(t, contract.Smartcard, func(t *testing.T, at rowKey) *trial { return tryCard(t, at, binary, d) }, func(*testing.T) {})
	})
	t.Run("key", func(t *testing.T) {
		each(t, contract.SecurityKey, func(t *testing.T, at rowKey) *trial { return tryKey(t, at, binary) }, func(t *testing.T) { t.Parallel() })
	})
}

func (b became) String() string {
	return fmt.Sprintf("| %s | %s | %s |", b.lease, b.ceremony, b.client)
}

// readTable reads the table of docs/leases.md. Where a row says that a lease is
// as leased, it is as the row of that fault for a lease without a ceremony.
func readTable(t *testing.T) map[rowKey]became {
	t.Helper()
	text, err := os.ReadFile("../docs/leases.md")
	must(t, err)
	rows := make(map[rowKey]became)
	in := false
	for line := range strings.Lines(string(text)) {
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		switch {
		case slices.Equal(cells, []string{"state", "fault", "lease", "ceremony", "the client is told"}):
			in = true
		case !in || strings.HasPrefix(cells[0], "---"):
		case len(cells) != 5:
			in = false
		default:
			at := rowKey{cells[0], cells[1]}
			if _, twice := rows[at]; twice {
				t.Errorf("two rows for %s", at)
			}
			rows[at] = became{cells[2], cells[3], cells[4]}
		}
	}
	if len(rows) == 0 {
		t.Fatal("docs/leases.md has no such table")
	}
	for at, row := range rows {
		if row.lease == "as leased" {
			row.lease = rows[rowKey{"leased", at.fault}].lease
			rows[at] = row
		}
	}
	return rows
}
