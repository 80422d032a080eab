//go:build linux && e2e

package wine_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

var theTray = []row{
	{what: "`authbridge-tray` shows that all is ready", try: steps(startTray, shows("#1A7F4B"))},
	{what: "a second one ends", try: says(tray(), "is held by another process")},
	{what: "it shows that no daemon runs", try: steps(killDaemon, shows("#7A8492"))},
	{what: "and finds the next one", try: steps(startOwn, shows("#1A7F4B"), endTray, killDaemon)},
}

func tray() []string { return []string{`Z:\mnt\authbridge-tray.exe`, "--state-dir", `C:\state`} }

func startTray(m *machine) (err error) {
	m.tray, err = m.start(tray()...)
	return err
}

// endTray leaves the session to the next one.
func endTray(m *machine) error {
	m.tray.kill()
	return nil
}

func killDaemon(m *machine) error {
	m.daemon.kill()
	return nil
}

// shows waits until a colour of the tray's icon is on the display. Where no panel
// takes icons Wine shows them in a window.
func shows(colour string) func(*machine) error {
	return func(m *machine) error {
		look := time.NewTicker(200 * time.Millisecond)
		defer look.Stop()
		for late := time.After(2 * patience); ; {
			cmd := exec.Command("convert", "x:root", "-depth", "8", "-unique-colors", "txt:-")
			cmd.Env = append(os.Environ(), m.display)
			out, err := cmd.Output()
			if strings.Contains(string(out), colour) {
				return nil
			}
			select {
			case <-look.C:
			case <-late:
				return errors.Join(fmt.Errorf("no %s in %s after %s", colour, out, 2*patience), err)
			}
		}
	}
}
