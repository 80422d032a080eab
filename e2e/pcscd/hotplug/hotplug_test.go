package hotplug_test

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"authbridge/e2e/pcscd"
	"authbridge/e2e/pcscd/hotplug"
)

func TestMain(m *testing.M) { pcscd.Main(m) }

// awaitList asks a program that is not ours until it lists those readers and
// not those.
func awaitList(t *testing.T, with, without []string) {
	t.Helper()
	path, err := exec.LookPath("opensc-tool")
	if err != nil {
		t.Skip("opensc-tool is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for last := ""; ; {
		out, _ := exec.CommandContext(ctx, path, "-l").CombinedOutput()
		lists := func(name string) bool { return strings.Contains(string(out), name) }
		wrong := ""
		for _, name := range with {
			if !lists(name) {
				wrong += " no " + name
			}
		}
		for _, name := range without {
			if lists(name) {
				wrong += " still " + name
			}
		}
		if wrong == "" {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s; before that there were\n%s", wrong, last)
		}
		last = string(out)
	}
}

func TestReadersComeAndGo(t *testing.T) {
	t.Run("on the bus", func(t *testing.T) {
		m := hotplug.Start(t)
		one, two := m.Reader(1), m.Reader(2)
		awaitList(t, nil, []string{one, two})
		m.Plug(1)
		m.Plug(2)
		awaitList(t, []string{one, two}, nil)
		m.Unplug(1)
		awaitList(t, []string{two}, []string{one})

		// A connection is a card: pcscd powers it on.
		card, err := net.Dial("tcp", m.Addr(2))
		if err != nil {
			t.Fatal(err)
		}
		defer card.Close()
		_ = card.SetDeadline(time.Now().Add(time.Minute))
		message := make([]byte, 3)
		if _, err := card.Read(message); err != nil || message[1] != 1 || message[2] != 1 {
			t.Fatalf("got % x, %v, want ON", message, err)
		}
		m.Unplug(2) // while it waits for the ATR
		awaitList(t, nil, []string{two})
		m.Plug(1)
		awaitList(t, []string{one}, nil)
		m.Restart()
		awaitList(t, []string{one}, nil)
	})
	// The folder of drivers is as it was.
	d := pcscd.Start(t, 2)
	awaitList(t, []string{d.Reader(1)}, nil)
}
