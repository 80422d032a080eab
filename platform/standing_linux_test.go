package platform

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"
)

// screens plays logind with one seat, whose active session is that of user 1000.
type screens struct {
	mu      sync.Mutex
	session map[string]any
}

// ListSeats is org.freedesktop.login1.Manager's.
func (*screens) ListSeats() ([]struct {
	ID   string
	Path dbus.ObjectPath
}, *dbus.Error,
) {
	return []struct {
		ID   string
		Path dbus.ObjectPath
	}{{"seat0", logindPath + "/seat/seat0"}}, nil
}

// Get is org.freedesktop.DBus.Properties', of seat and session.
func (s *screens) Get(_, name string) (dbus.Variant, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.session[name]
	if !ok {
		return dbus.Variant{}, dbus.MakeFailedError(errors.New("no such property"))
	}
	return dbus.MakeVariant(value), nil
}

type named struct {
	ID   string
	Path dbus.ObjectPath
}

type ownedBy struct {
	UID  uint32
	Path dbus.ObjectPath
}

// TestOnlyWhoHasTheActiveScreenIsPresent: logind says so, and when it changes.
func TestOnlyWhoHasTheActiveScreenIsPresent(t *testing.T) {
	bus, address := startBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
	s := &screens{session: map[string]any{}}
	for path, kind := range map[dbus.ObjectPath]string{
		logindPath: logind + ".Manager", logindPath + "/seat/seat0": ofTheBus + ".Properties", logindPath + "/session/2": ofTheBus + ".Properties",
	} {
		if err := bus.Export(s, path, kind); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bus.RequestName(logind, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := newStandingWatch()
	told := make(chan bool)
	over := make(chan error, 1)
	go func() {
		over <- w.seats(ctx, func() {
			select {
			case told <- w.look("1000").Present:
			case <-ctx.Done():
			}
		})
	}()
	if <-told {
		t.Error("present without an active session")
	}
	session := func(uid uint32, class, state string, remote bool) map[string]any {
		return map[string]any{
			"ActiveSession": named{"2", logindPath + "/session/2"}, "User": ownedBy{uid, "/"}, "Class": class, "State": state, "Remote": remote,
		}
	}
	for _, row := range []struct {
		name    string
		session map[string]any
		want    bool
	}{
		{"theirs", session(1000, "user", "active", false), true},
		{"somebody else's", session(1001, "user", "active", false), false},
		{"theirs, of a newer kind", session(1000, "user-light", "active", false), true},
		{"the login screen's", session(1000, "greeter", "active", false), false},
		{"one that ends", session(1000, "user", "closing", false), false},
		{"a remote one", session(1000, "user", "active", true), false},
		{"none", map[string]any{"ActiveSession": named{"", "/"}}, false},
		{"one of which something is not told", map[string]any{"ActiveSession": named{"2", logindPath + "/session/2"}, "User": ownedBy{1000, "/"}}, false},
		{"theirs again", session(1000, "user", "active", false), true},
	} {
		s.mu.Lock()
		s.session = row.session
		s.mu.Unlock()
		if err := bus.Emit(logindPath+"/seat/seat0", ofTheBus+".Properties.PropertiesChanged", logind+".Seat", map[string]dbus.Variant{}, []string{"ActiveSession"}); err != nil {
			t.Fatal(err)
		}
		if got := <-told; got != row.want {
			t.Errorf("%s: present %v", row.name, got)
		}
	}
	// logind ends, as in an upgrade.
	if _, err := bus.ReleaseName(logind); err != nil {
		t.Fatal(err)
	}
	if <-told {
		t.Error("present though nobody says so")
	}
	cancel()
	<-over
}

// inOwnEtc starts a test of this program again with an /etc of its own, and is
// true in there.
func inOwnEtc(t *testing.T) bool {
	t.Helper()
	const mark = "AUTHBRIDGE_TEST_OWN_ETC"
	if os.Getenv(mark) == "" {
		if os.Getuid() != 0 {
			t.Skip("only root has an /etc of its own")
		}
		dir := filepath.Join(t.TempDir(), "etc")
		if out, err := exec.Command("cp", "-a", "/etc", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		child := exec.Command("sh", "-c", `mount --bind "$1" /etc && exec "$2" -test.run "^$3\$" -test.v`, "sh", dir, os.Args[0], t.Name())
		child.Env = append(os.Environ(), mark+"=1")
		child.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		out, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return false
	}
	return true
}

// TestWhoLeavesTheGroupIsNoMemberAtOnce, with the system's own tools, whatever
// the processes of theirs were given when they began.
func TestWhoLeavesTheGroupIsNoMemberAtOnce(t *testing.T) {
	if !inOwnEtc(t) {
		return
	}
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
	run("groupadd", "--system", "--force", serviceGroup)
	run("useradd", "--no-create-home", "--uid", "4001", "ada")
	ctx, cancel := context.WithCancel(t.Context())
	s, wait := OpenStandings(ctx)
	defer wait()
	defer cancel()
	becomes := func(want bool) {
		t.Helper()
		for {
			changed := s.Changed()
			if s.Of("4001").Member == want {
				return
			}
			<-changed
		}
	}
	if s.Of("4001") != (Standing{}) || s.Of("9999") != (Standing{}) || !s.Of("0").Admin {
		t.Errorf("%+v, %+v, %+v", s.Of("4001"), s.Of("9999"), s.Of("0"))
	}
	run("gpasswd", "--add", "ada", serviceGroup)
	becomes(true)
	run("gpasswd", "--delete", "ada", serviceGroup)
	becomes(false)
	run("usermod", "--append", "--groups", serviceGroup, "ada")
	becomes(true)
	run("userdel", "ada")
	becomes(false)
}

// TestTheSystemsSocketIsTrusted as root or the service's user made it, in a
// folder that nobody else can put anything into.
func TestTheSystemsSocketIsTrusted(t *testing.T) {
	if !inOwnEtc(t) {
		return
	}
	if out, err := exec.Command("useradd", "--system", "--uid", "4002", serviceUser).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const root, service, stranger, me = 0, 4002, 4003, 4004
	for _, row := range []struct {
		socket, folder int
		mode           os.FileMode
		want           string
	}{
		{service, service, 0o755, ""},
		{service, root, 0o755, ""},
		{root, root, 0o755, ""},
		{root, root, 0o777, "lets others write"},
		{service, service, 0o775, "lets others write"},
		{service, stranger, 0o755, "belongs to user 4003"},
		{root, stranger, 0o755, "belongs to user 4003"},
		{stranger, root, 0o755, "belongs to user 4003"},
		{me, stranger, 0o777, ""},
	} {
		err := trusted(laid(t, row.socket, row.folder, row.mode), me)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%+v: %v", row, err)
		}
	}
}
