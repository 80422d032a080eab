//go:build linux && cgo

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"authbridge/e2e/pcscd"
)

// nobody is another user.
const nobody = 65534

// root ends the row where the test may not be another user.
func root(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 || os.Chown(t.TempDir(), nobody, nobody) != nil {
		pcscd.Lacks(t, "another user takes root")
	}
}

// mount mounts something for the tests alone, until the end of the row.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	pcscd.Need(t)
	must(t, unix.Mount(source, target, kind, flags, data))
	t.Cleanup(func() { must(t, unix.Unmount(target, unix.MNT_DETACH)) })
}

func another(x *troubled) {
	root(x.t)
	must(x.t, os.Chown(x.state, nobody, nobody))
}

func linked(x *troubled) {
	must(x.t, os.Rename(x.state, x.state+".real"))
	must(x.t, os.Symlink(x.state+".real", x.state))
}

func isFile(x *troubled) {
	must(x.t, os.RemoveAll(x.state))
	must(x.t, os.WriteFile(x.state, []byte("mine"), 0o600))
}

func readOnly(x *troubled) { makeReadOnly(x, x.state) }

func makeReadOnly(x *troubled, folder string) {
	mount(x.t, folder, folder, "", unix.MS_BIND, "")
	must(x.t, unix.Mount("", folder, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
}

// readOnlyHome: the usual places are there.
func readOnlyHome(x *troubled) seen {
	must(x.t, os.RemoveAll(x.state))
	x.state = ""
	return refuses(func(x *troubled) { makeReadOnly(x, x.home) }, elsewhere)(x)
}

func readOnlyConfig(x *troubled) seen {
	makeReadOnly(x, x.home)
	before := x.tree()
	s := x.refused("config", "user", "add", "ada", "--uuid", "mock=656005750108")
	s.left = x.changes(before)
	x.must("config", "user", "add", "ada", "--uuid", "mock=656005750108", "--config", filepath.Join(x.t.TempDir(), "config.toml"))
	return s
}

// noHome: it is that of the system's list of users, and where a user is not on it
// there is one below the folder for what is temporary.
func noHome(x *troubled) seen {
	root(x.t)
	me, err := user.Current()
	must(x.t, err)
	mount(x.t, "tmpfs", me.HomeDir, "tmpfs", 0, "mode=700")
	without := func(temporary string) { x.env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + temporary} }
	without(os.TempDir())
	x.state = ""
	s := x.start()
	x.must("ready", "--aal", "3", "--target", "mock", "--wait", "30s")
	x.stop()
	if _, err := os.Stat(filepath.Join(me.HomeDir, ".local/state/authbridge/authbridge.db")); err != nil {
		x.t.Error(err)
	}

	const unknown = 54321
	temporary := x.forOthers()
	without(temporary)
	x.who = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unknown, Gid: unknown}}
	x.start()
	x.must("ready", "--aal", "3", "--target", "mock", "--wait", "30s")
	x.stop()
	if _, err := os.Stat(filepath.Join(temporary, fmt.Sprintf("authbridge-%d/.local/state/authbridge/authbridge.db", unknown))); err != nil {
		x.t.Error(err)
	}
	s.left = none
	return s
}

// forOthers is a folder in which every user may make files, and the program one
// that every user may run.
func (x *troubled) forOthers() string {
	x.t.Helper()
	dir, err := os.MkdirTemp("", "authbridge-others-")
	must(x.t, err)
	x.t.Cleanup(func() { must(x.t, os.RemoveAll(dir)) })
	must(x.t, os.Chmod(dir, 0o777|os.ModeSticky))
	must(x.t, os.Chmod(filepath.Dir(x.binary), 0o755))
	return dir
}

// longPath: the socket has a short stand-in, which who knows the folder finds.
func longPath(x *troubled) seen {
	x.state = filepath.Join(x.home, strings.Repeat("long", 30))
	s := x.start()
	x.must("ready", "--aal", "3", "--target", "mock", "--wait", "30s")
	x.stop()
	s.left = none
	return s
}

// noHosts: small containers have no file of hosts, and their name servers know
// nothing of the machine itself.
func noHosts(x *troubled) seen {
	for _, file := range []string{"/etc/hosts", "/etc/resolv.conf"} {
		mount(x.t, "/dev/null", file, "", unix.MS_BIND, "")
	}
	if found, err := net.DefaultResolver.LookupHost(x.t.Context(), "localhost"); err == nil {
		pcscd.Lacks(x.t, fmt.Sprintf("something else knows that localhost is %v", found))
	}
	s := x.start()
	for _, kind := range []string{"smartcard", "security-key"} {
		x.must("login", "--target", "mock", "--acr", "AAL3_ANY", "--kind", kind)
	}
	x.stop()
	s.does, s.left = "starts; logins at the mock pass", none
	return s
}

func deadSocket(x *troubled) seen {
	x.start()
	must(x.t, x.daemon.Process.Kill())
	_ = x.daemon.Wait()
	if _, err := os.Lstat(x.in("authbridge.sock")); err != nil {
		x.t.Error(err)
	}
	s := x.start()
	x.must("status")
	x.stop()
	s.left = "is made anew"
	return s
}

func secondDaemon(x *troubled) seen {
	x.start()
	first := x.daemon
	s := x.start()
	if !strings.Contains(x.logged(), strconv.Itoa(first.Process.Pid)) {
		x.t.Errorf("it is not said who has it:\n%s", x.logged())
	}
	x.daemon = first
	x.must("status")
	s.left = "goes on"
	x.stop()
	x.startsNow()
	return s
}

// takenPort: who has it is named, and not even the socket is opened.
func takenPort(x *troubled) seen {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(x.t, err)
	x.args = []string{"--listen", l.Addr().String(), "--physical", "off"}
	return refuses(func(*troubled) {}, func(x *troubled) {
		if who := fmt.Sprintf("process %d) listens on %s", os.Getpid(), l.Addr()); !strings.Contains(x.logged(), who) {
			x.t.Errorf("it is not said that %s:\n%s", who, x.logged())
		}
		must(x.t, l.Close())
	})(x)
}

func lowPort(x *troubled) seen {
	root(x.t)
	dir := x.forOthers()
	x.who = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	x.home, x.state = dir, filepath.Join(dir, "state")
	x.env = append(x.env, "HOME="+dir)
	must(x.t, os.Mkdir(x.state, 0o700))
	must(x.t, os.Chown(x.state, nobody, nobody))
	x.startsNow()
	x.args = []string{"--listen", "127.0.0.1:99", "--physical", "off"}
	return refuses(func(*troubled) {}, func(x *troubled) { x.args = []string{"--listen", "127.0.0.1:0", "--physical", "off"} })(x)
}

// small puts the state folder on a disk of its own, so large.
func (x *troubled) small(size string) {
	from := x.state
	x.state = filepath.Join(x.t.TempDir(), "state")
	must(x.t, os.Mkdir(x.state, 0o700))
	mount(x.t, "tmpfs", x.state, "tmpfs", 0, "mode=700,size="+size)
	if out, err := exec.Command("cp", "-a", from+"/.", x.state).CombinedOutput(); err != nil {
		x.t.Fatalf("cp: %v: %s", err, out)
	}
}

// fill takes all the space that is left, and gives it back.
func (x *troubled) fill() (empty func()) {
	x.t.Helper()
	f, err := os.Create(x.in("somebody-elses"))
	must(x.t, err)
	for chunk := make([]byte, 512); err == nil; {
		_, err = f.Write(chunk)
	}
	_ = f.Close()
	return func() { must(x.t, os.Remove(x.in("somebody-elses"))) }
}

func fullAtStart(x *troubled) seen {
	x.small("1m")
	var empty func()
	return refuses(func(x *troubled) { empty = x.fill() }, func(*troubled) { empty() })(x)
}

// fullMeanwhile: what is known is still told, and nothing is promised that is not
// written down.
func fullMeanwhile(x *troubled) seen {
	x.small("2m")
	x.start()
	x.must("ready", "--aal", "3", "--target", "mock", "--wait", "30s")
	lease := []string{"lease", "--aal", "3", "--target", "mock", "--", "true"}
	x.must(lease...)

	empty := x.fill()
	var s seen
	for range 3 {
		x.must("ready", "--aal", "3", "--target", "mock")
		x.must("status")
		s = x.refused(lease...)
		for _, other := range [][]string{{"token", "create", "ci"}, {"login", "--target", "mock", "--acr", "AAL3_ANY"}} {
			if o := x.refused(other...); o.code != s.code || o.exit != "4" {
				x.t.Errorf("%v: %v", other, o)
			}
		}
	}
	if out := x.must("token"); strings.Contains(out, "ci") {
		x.t.Errorf("a token that was refused is there:\n%s", out)
	}
	empty()
	x.must(lease...) // the same daemon
	x.must("token", "create", "ci")
	s.does, s.left = "goes on; leases, tokens and logins are refused until there is space", stays
	x.stop()
	return s
}

// fullAtEnd: what could not be kept is said, and it is not taken for wrong usage.
func fullAtEnd(x *troubled) seen {
	x.small("2m")
	x.start()
	x.must("ready", "--aal", "3", "--target", "mock", "--kind", "smartcard", "--wait", "30s") // it counts what it is sent
	empty := x.fill()
	must(x.t, x.daemon.Process.Signal(syscall.SIGTERM))
	_ = x.daemon.Wait()
	s := x.refusal(x.logged(), x.daemon.ProcessState.ExitCode())
	x.daemon = nil
	s.does, s.left = "ends, and says what it could not keep", "is as it was last written"
	empty()
	x.startsNow()
	return s
}

func noManager(x *troubled) seen {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		pcscd.Lacks(x.t, "systemd runs here")
	}
	before := x.tree()
	s := x.refused("service", "install")
	s.left = x.changes(before)
	return s
}

// noBus: the library for keyrings would start a bus of its own and leave it.
func noBus(x *troubled) seen {
	x.start()
	challenge := filepath.Join(x.t.TempDir(), "challenge")
	must(x.t, os.WriteFile(challenge, []byte("challenge"), 0o600))
	before := buses(x.t)
	s := x.refused("ceremony", "sign", "--data", challenge, "--pin-keyring", "blue")
	if after := buses(x.t); after != before {
		x.t.Errorf("there was %q and is %q", before, after)
	}
	s.left = none
	x.stop()
	return s
}

// buses are the message buses of this machine.
func buses(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("pgrep", "-a", "dbus-(daemon|launch)").Output()
	if err != nil && len(out) > 0 {
		t.Fatal(err)
	}
	return string(out)
}

func noDaemon(x *troubled) seen {
	s := x.refused("ready")
	if out, _ := x.run("ready"); !strings.Contains(out, "authbridge run") {
		x.t.Errorf("it is not said how to start one:\n%s", out)
	}
	s.left = none
	return s
}

// foreignSocket: another user bound it, perhaps before the daemon could.
func foreignSocket(x *troubled) seen {
	root(x.t)
	l, err := net.Listen("unix", x.in("authbridge.sock"))
	must(x.t, err)
	defer func() { _ = l.Close() }()
	must(x.t, os.Chown(x.in("authbridge.sock"), nobody, nobody))
	asked := make(chan struct{}, 1)
	go func() {
		if _, err := l.Accept(); err == nil {
			asked <- struct{}{}
		}
	}()
	s := x.refused("ready")
	select {
	case <-asked:
		x.t.Error("it was asked")
	default:
	}
	s.left = none
	return s
}

func foreignAnswer(x *troubled) seen {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer other.Close()
	x.state = ""
	x.env = append(x.env, "AUTHBRIDGE_URL="+other.URL)
	out, exit := x.run("ready")
	s := x.refusal(out, exit)
	s.does, s.left = "is refused", none
	if who := fmt.Sprintf("(process %d) listens on %s", os.Getpid(), strings.TrimPrefix(other.URL, "http://")); !strings.Contains(out, who) {
		x.t.Errorf("it does not say who:\n%s", out)
	}
	return s
}

func unknownToken(x *troubled) seen {
	x.start()
	state := x.state
	x.state = ""
	x.env = append(x.env, "AUTHBRIDGE_URL=http://"+x.address, "AUTHBRIDGE_TOKEN=authbridge_nobody-has-it")
	s := x.refused("ready")
	x.state = state
	s.left = none
	x.stop()
	return s
}
