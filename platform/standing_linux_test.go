package platform

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"authbridge/platform/platformtest"
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
	w := newStandingWatch(t.Context())
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
	if err := <-over; err == nil {
		t.Error("it ends without a reason")
	}
}

// TestWhoLeavesTheGroupIsNoMemberAtOnce, with the system's own tools, whatever
// the processes of theirs were given when they began.
func TestWhoLeavesTheGroupIsNoMemberAtOnce(t *testing.T) {
	if !platformtest.OwnEtc(t) {
		return
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
	platformtest.Run(t, "groupadd", "--system", "--force", serviceGroup)
	platformtest.Run(t, "useradd", "--no-create-home", "--uid", "4001", "ada")
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
	platformtest.Run(t, "gpasswd", "--add", "ada", serviceGroup)
	becomes(true)
	platformtest.Run(t, "gpasswd", "--delete", "ada", serviceGroup)
	becomes(false)
	platformtest.Run(t, "usermod", "--append", "--groups", serviceGroup, "ada")
	becomes(true)
	platformtest.Run(t, "userdel", "ada")
	becomes(false)
}

// TestTheSystemsSocketIsTrusted as root or the service's user made it, in a
// folder that nobody else can put anything into.
func TestTheSystemsSocketIsTrusted(t *testing.T) {
	if !platformtest.OwnEtc(t) {
		return
	}
	platformtest.Run(t, "useradd", "--system", "--uid", "4002", serviceUser)
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
