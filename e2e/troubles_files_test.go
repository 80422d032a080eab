//go:build linux && cgo

package e2e

import (
	"bytes"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	_ "modernc.org/sqlite" // to make databases that are not ours
)

// What can be wrong with a file or folder of the state folder, by its name there.

func rubbish(name string) func(*troubled) {
	return func(x *troubled) { x.write(name, bytes.Repeat([]byte("rubbish "), 1024)) }
}

func zeros(name string) func(*troubled) {
	return func(x *troubled) { x.write(name, make([]byte, 64<<10)) }
}

func cut(name string) func(*troubled) {
	return func(x *troubled) {
		info, err := os.Stat(x.in(name))
		must(x.t, err)
		must(x.t, os.Truncate(x.in(name), info.Size()/2))
	}
}

func mode(name string, to fs.FileMode) func(*troubled) {
	return func(x *troubled) { must(x.t, os.Chmod(x.in(name), to)) }
}

func folder(name string) func(*troubled) {
	return func(x *troubled) {
		must(x.t, os.Remove(x.in(name)))
		must(x.t, os.Mkdir(x.in(name), 0o700))
	}
}

func linkToNowhere(name string) func(*troubled) {
	return func(x *troubled) { must(x.t, os.Symlink("/nowhere/at/all", x.in(name))) }
}

// away is what the remedy of STATE_DAMAGED says.
func away(name string) func(*troubled) {
	return func(x *troubled) {
		to := x.t.TempDir()
		must(x.t, os.Rename(x.in(name), filepath.Join(to, filepath.Base(name))))
		for _, beside := range []string{"-wal", "-shm"} {
			if err := os.Remove(x.in(name + beside)); err != nil && !os.IsNotExist(err) {
				x.t.Error(err)
			}
		}
	}
}

// elsewhere is another state folder.
func elsewhere(x *troubled) { x.state = filepath.Join(x.t.TempDir(), "state") }

func sqlite(statement string) func(*troubled) {
	return func(x *troubled) {
		db, err := sql.Open("sqlite", x.in("authbridge.db"))
		must(x.t, err)
		_, err = db.Exec(statement)
		must(x.t, err)
		must(x.t, db.Close())
	}
}

func (x *troubled) write(name string, text []byte) {
	x.t.Helper()
	must(x.t, os.WriteFile(x.in(name), text, 0o600))
}

func (x *troubled) read(name string) string {
	x.t.Helper()
	text, err := os.ReadFile(x.in(name))
	must(x.t, err)
	return string(text)
}

// Rows.

func empty(name string) func(*troubled) seen {
	return func(x *troubled) seen {
		x.write(name, nil)
		s := x.start()
		x.must("ready", "--aal", "3", "--target", "mock", "--wait", "30s")
		x.stop()
		if len(x.read(name)) > 0 {
			s.left = "is made anew"
		}
		return s
	}
}

// newToken: the file is kept aside, and neither it nor the secret that was in it
// before opens anything.
func newToken(wrong func(*troubled)) func(*troubled) seen {
	return func(x *troubled) seen {
		old := x.read("token")
		wrong(x)
		before := x.tree()[x.in("token")]
		s := x.start()
		if !strings.Contains(x.logged(), "token.aside-1") {
			x.t.Errorf("the log does not say where it is kept:\n%s", x.logged())
		}
		now := x.read("token")
		info, err := os.Stat(x.in("token"))
		must(x.t, err)
		if now == old || info.Mode().Perm() != 0o600 || x.byTCP(now) != 200 || x.byTCP(old) != 401 {
			x.t.Errorf("the new token has mode %v and opens: %d; the old one: %d", info.Mode(), x.byTCP(now), x.byTCP(old))
		}
		x.stop()
		if x.tree()[x.in("token.aside-1")] == before {
			s.left = "is kept as `token.aside-1`; there is a new token, the old one is revoked"
		}
		x.start() // and nothing more is kept aside
		if _, err := os.Stat(x.in("token.aside-2")); err == nil || x.read("token") != now {
			x.t.Error("the next start has another token again")
		}
		x.stop()
		return s
	}
}

func rubbishMockFile(x *troubled) seen {
	rubbish("mock.json")(x)
	s := x.start()
	if out := x.must("mock", "status"); strings.Contains(out, "http") && strings.Contains(x.read("mock.json"), "http") {
		s.left = "is made anew"
	}
	x.stop()
	return s
}

// noCard: the daemon is there without the card, which comes once its file is
// out of the way.
func noCard(wrong func(*troubled)) func(*troubled) seen {
	return damagedDevice(wrong, cardFile, "smartcard", "insert", "virtual-reader-1")
}

func noKey(wrong func(*troubled)) func(*troubled) seen {
	return damagedDevice(wrong, virtualKeyFile, "security-key", "plug", "virtual-key-1")
}

func damagedDevice(wrong func(*troubled), file, kind, verb, name string) func(*troubled) seen {
	return func(x *troubled) seen {
		wrong(x)
		before := x.tree()[x.in(file)]
		x.start()
		x.awaitLog(filepath.Base(file)) // which one it is
		// What it has not looked for yet is unproven.
		out, exit := "", 5
		for exit == 5 {
			out, exit = x.run("ready", "--aal", "3", "--target", "mock", "--kind", kind)
		}
		if exit != 1 {
			x.t.Errorf("ready for a %s: exit code %d\n%s", kind, exit, out)
		}
		s := x.refused("virtual", verb, name)
		s.does = "starts without it; `virtual " + verb + "` is refused"
		if x.tree()[x.in(file)] == before {
			s.left = stays
		}
		away(file)(x)
		x.must("virtual", verb, name)
		x.must("ready", "--aal", "3", "--target", "mock", "--kind", kind, "--wait", "30s")
		x.stop()
		return s
	}
}

func withTLS(wrong func(*troubled)) func(*troubled) seen {
	return func(x *troubled) seen {
		x.configure("virtual = \"on\"\n[mock]\ntls = true\nlisten = \"localhost:0\"\n")
		return refuses(wrong, away(tlsCA))(x)
	}
}

func (x *troubled) configure(text string) {
	x.t.Helper()
	must(x.t, os.MkdirAll(filepath.Dir(x.config), 0o700))
	must(x.t, os.WriteFile(x.config, []byte(text), 0o600))
}

// badConfig: its place is told, and a manager of services does not try again.
func badConfig(text, place string) func(*troubled) seen {
	return func(x *troubled) seen {
		x.configure(text)
		s := refuses(func(*troubled) {}, func(x *troubled) {
			if !strings.Contains(x.logged(), place) {
				x.t.Errorf("it is not said to be at %s:\n%s", place, x.logged())
			}
			x.configure("virtual = \"on\"\n")
		})(x)
		return s
	}
}

func openConfig(x *troubled) seen {
	x.configure("virtual = \"on\"\n")
	return refuses(func(x *troubled) { must(x.t, os.Chmod(x.config, 0o666)) }, func(x *troubled) { must(x.t, os.Chmod(x.config, 0o644)) })(x)
}

// badReload: the one before stays in force.
func badReload(x *troubled) seen {
	x.configure("virtual = \"on\"\n")
	x.start()
	x.configure("virtual = \"perhaps\"\n")
	before := x.tree()[x.config]
	must(x.t, x.daemon.Process.Signal(syscall.SIGHUP))
	x.awaitLog("CONFIG_INVALID: ")
	x.must("ready", "--aal", "3", "--target", "mock", "--wait", "30s")
	s := seen{does: "goes on with the one before", code: "CONFIG_INVALID", exit: none}
	if x.tree()[x.config] == before {
		s.left = stays
	}
	x.stop()
	return s
}
