//go:build linux && e2e

package tray_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/virtual"
)

// TestTheTrayInAPanel walks the four states with the real daemon, has a PIN
// entered, restarts daemon and panel, and quits. With SHOTS=FOLDER it leaves pictures of docs/tray.md there.
func TestTheTrayInAPanel(t *testing.T) {
	programs := t.TempDir()
	for _, name := range []string{"authbridge", "authbridge-tray"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(programs, name), "../../cmd/"+name).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for theme, dark := range map[string]bool{"light": false, "dark": true} {
		t.Run(theme, func(t *testing.T) { walk(t, programs, theme, dark) })
	}
}

func walk(t *testing.T, programs, theme string, dark bool) {
	d := newDesktop(t, dark)
	playPinentry(d)
	state := d.dir + "/state"
	tray := d.start(filepath.Join(programs, "authbridge-tray"), "--state-dir", state)
	cl := &client.Client{StateDir: state}
	defer cl.Close()
	seen := func(name, tip, colour string) {
		t.Helper()
		d.until(name, func() bool {
			return strings.HasPrefix(d.tip(), "authbridge: "+tip) && strings.Contains(d.colours(), colour)
		})
		d.click(iconX, iconY)
		d.until("a menu", func() bool { return d.menu() != box{} })
		if shots := os.Getenv("SHOTS"); shots != "" {
			d.run("xdotool", "sleep", "0.5") // it fades in
			d.shot(filepath.Join(shots, "tray-"+name+"-"+theme+".png"))
		}
	}
	away := func() {
		t.Helper()
		d.click(300, 500)
		d.until("no menu", func() bool { return d.menu() == box{} })
	}
	daemon := startDaemon(d, filepath.Join(programs, "authbridge"), state)
	seen("ready", "Ready for AAL3", "#1A7F4B")
	away()
	_, err := cl.SetCardFaults(t.Context(), "virtual-reader-1", contract.Fault{Name: "pin-blocked"})
	must(t, err)
	seen("attention", "Ready for AAL3", "#8A5A00")
	away()

	enterPIN(t, d, cl, func() {
		seen("prompt", "Ready for AAL3", "#8A5A00")
		away()
	})
	d.until("a row for the report", func() bool { return d.clickRow("Copy the report") })
	d.until("the report", func() bool {
		cmd := exec.Command("xclip", "-o", "-selection", "clipboard")
		cmd.Env = d.env
		out, err := cmd.Output()
		return err == nil && strings.Contains(string(out), "AAL3 at mock: ready.")
	})

	d.until("a row for the bundle", func() bool { return d.clickRow("Save the support bundle") })
	d.until("the bundle", func() bool {
		saved, _ := filepath.Glob(d.dir + "/authbridge-bundle-*.zip")
		return len(saved) == 1
	})

	// Both are there anew, as after an update, and so is the icon.
	d.stopPanel()
	must(t, daemon.Process.Kill())
	_ = daemon.Wait()
	d.startPanel()
	daemon = startDaemon(d, filepath.Join(programs, "authbridge"), state)
	d.until("the icon again", func() bool {
		return strings.HasPrefix(d.tip(), "authbridge: Ready for AAL3") && strings.Contains(d.colours(), "#8A5A00")
	})

	devices, err := cl.Virtual(t.Context())
	must(t, err)
	for _, device := range devices {
		must(t, cl.DeleteDevice(t.Context(), device.Name))
	}
	seen("not_ready", "Not ready", "#B3261E")
	away()
	must(t, daemon.Process.Kill())
	_ = daemon.Wait()
	seen("not_running", "Not running", "#7A8492")
	m := d.menu()
	ended := make(chan error, 1)
	go func() { ended <- tray.Wait() }()
	d.click(m.x+m.width/2, m.y+m.height-16) // Quit
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it does not quit")
	}
}

// startDaemon starts it with virtual authenticators alone.
func startDaemon(d *desktop, binary, state string) *exec.Cmd {
	d.t.Helper()
	cmd := exec.Command(binary, "run", "--state-dir", state, "--listen", "127.0.0.1:0", "--virtual", "on", "--physical", "off")
	cmd.Env = append(slices.Clone(d.env), "HTTPS_PROXY=http://127.0.0.1:1") // no test ever calls a real service
	out, err := cmd.StdoutPipe()
	must(d.t, err)
	must(d.t, cmd.Start())
	d.endWith(cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening on") {
		d.t.Fatalf("it said %q, %v", line, err)
	}
	return cmd
}

// playPinentry answers in a person's place, and writes down what it shows.
func playPinentry(d *desktop) {
	d.t.Helper()
	must(d.t, os.WriteFile(d.dir+"/bin/pinentry", []byte(`#!/bin/sh
echo "OK Pleased to meet you"
while read -r line; do
  printf '%s\n' "$line" >> "$HOME/shown"
  case "$line" in
    GETPIN) echo "D `+virtual.DefaultPIN+`"; echo OK ;;
    *) echo OK ;;
  esac
done
`), 0o700))
}

// enterPIN has the PIN of a key entered, from the menu. asked is called while it is
// waited for.
func enterPIN(t *testing.T, d *desktop, cl *client.Client, asked func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lease, err := cl.TakeLease(ctx, contract.LeaseRequest{Requirement: contract.Requirement{AAL: 3, Target: "mock", Kind: contract.SecurityKey}, Purpose: "run 17"})
	must(t, err)
	options, err := json.Marshal(map[string]any{
		"challenge": "AAAAAAAAAAAAAAAAAAAAAA", "rp": map[string]string{"id": "localhost", "name": "x"},
		"user":                   map[string]string{"id": "AAAA", "name": "n", "displayName": "n"},
		"pubKeyCredParams":       []map[string]any{{"type": "public-key", "alg": -7}},
		"authenticatorSelection": map[string]string{"userVerification": "required"},
	})
	must(t, err)
	ceremony, err := cl.Begin(ctx, contract.CeremonyRequest{Lease: lease.ID, Type: contract.CeremonyCreate, Origin: "http://localhost", Options: options, PIN: &contract.PINSource{Ask: true}})
	must(t, err)
	d.until("a row for the PIN", func() bool { _, shown := d.row("Enter the PIN of"); return shown })
	asked()
	d.until("a dialog for the PIN", func() bool { // the first clicks come too soon after the row
		d.clickRow("Enter the PIN of")
		_, err := os.Stat(d.dir + "/shown")
		return err == nil
	})
	done, err := cl.Ceremony(ctx, ceremony.ID, time.Minute)
	must(t, err)
	if done.State != contract.CeremonyDone {
		t.Errorf("the ceremony is %s: %v", done.State, done.Problem)
	}
	shown, err := os.ReadFile(d.dir + "/shown")
	must(t, err)
	for _, want := range []string{`Program "tray.test" of user `, "(run 17) asks for the PIN of virtual key", "makes a credential for localhost at mock", "do not enter the PIN of a real one", "8 tries are left"} {
		if !strings.Contains(string(shown), want) {
			t.Errorf("%q is not in what pinentry shows:\n%s", want, shown)
		}
	}
	_, err = cl.ReleaseLease(ctx, lease.ID)
	must(t, err)
}
