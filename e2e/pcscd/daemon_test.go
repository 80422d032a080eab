package pcscd_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"authbridge/e2e/pcscd"
)

func TestMain(m *testing.M) { pcscd.Main(m) }

// listReaders asks a program that is not ours, where it is installed.
func listReaders(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("opensc-tool")
	if err != nil {
		t.Skip("opensc-tool is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, path, "-l").CombinedOutput()
	return string(out)
}

func TestServesTheReadersItNames(t *testing.T) {
	d := pcscd.Start(t, 3)
	if d.Slots() != 4 {
		t.Fatalf("3 readers are made of %d slots, want 4", d.Slots())
	}
	listed := listReaders(t)
	for i := range d.Slots() {
		if !strings.Contains(listed, d.Reader(i)) {
			t.Errorf("%q is not among\n%s", d.Reader(i), listed)
		}
	}
}

// A connection to Addr is an insertion: pcscd powers the card on and asks its
// ATR.
func TestTellsACardThatItIsInserted(t *testing.T) {
	d := pcscd.Start(t, 2)
	card, err := net.Dial("tcp", d.Addr(1))
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	_ = card.SetDeadline(time.Now().Add(30 * time.Second))
	head := make([]byte, 3)
	if _, err := bufio.NewReader(card).Read(head); err != nil || head[0] != 0 || head[1] != 1 {
		t.Fatalf("got % x, %v, want a message of one byte", head, err)
	}
}

func TestComesBackAfterACrash(t *testing.T) {
	d := pcscd.Start(t, 16)
	crashed := d.PID()
	d.Kill()
	if got := listReaders(t); strings.Contains(got, d.Reader(0)) {
		t.Fatalf("a killed pcscd still answers:\n%s", got)
	}
	d.Restart()
	if d.PID() == crashed {
		t.Fatal("the same process")
	}
	if got := listReaders(t); !strings.Contains(got, d.Reader(15)) {
		t.Errorf("%q is not among\n%s", d.Reader(15), got)
	}
	if _, err := os.Stat(d.Log()); err != nil {
		t.Error(err)
	}
}
