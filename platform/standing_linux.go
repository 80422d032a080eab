package platform

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// standingWatch knows who is at the machine from logind, and hears from the
// kernel when the databases of users and groups change.
type standingWatch struct {
	present atomic.Pointer[map[string]bool] // by uid; nil: nobody
}

// newStandingWatch knows at once who is present: what outlived a restart is judged
// by it.
func newStandingWatch(ctx context.Context) *standingWatch {
	ctx, cancel := context.WithTimeout(ctx, logindTime)
	defer cancel()
	w := &standingWatch{}
	if bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx)); err == nil {
		defer func() { _ = bus.Close() }()
		now := presentUsers(ctx, bus)
		w.present.Store(&now)
	}
	return w
}

func (w *standingWatch) look(uid string) Standing {
	present := w.present.Load()
	return Standing{Admin: uid == "0", Member: inGroup(uid, serviceGroup), Present: present != nil && (*present)[uid]}
}

func (w *standingWatch) run(ctx context.Context, changed func()) {
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() { watchFolder(ctx, "/etc", changed) })
	for {
		// Without logind nobody is known to be at the machine.
		_ = w.seats(ctx, changed)
		w.present.Store(nil)
		changed()
		select {
		case <-ctx.Done():
			return
		case <-time.After(logindAgain):
		}
	}
}

// watchFolder says when a file of a folder was written or replaced (inotify(7)),
// as long as that can be had. The files of users and groups are replaced.
func watchFolder(ctx context.Context, dir string, changed func()) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return // what is known grows old
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer func() { _ = events.Close() }()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE|unix.IN_DELETE); err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = events.Close() })
	defer stop()
	changed() // what was, was seen before anybody listened
	for buffer := make([]byte, 4096); ; {
		if _, err := events.Read(buffer); err != nil {
			return
		}
		changed()
	}
}

// org.freedesktop.login1(5).
const (
	logind      = "org.freedesktop.login1"
	logindPath  = "/org/freedesktop/login1"
	logindAgain = 30 * time.Second
	logindTime  = 2 * time.Second // bounds a question
)

var errBusGone = errors.New("the system bus is gone")

// seats listens to logind until ctx or the bus ends.
func (w *standingWatch) seats(ctx context.Context, changed func()) error {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer func() { _ = bus.Close() }()
	signals := make(chan *dbus.Signal, signalsInFlow)
	bus.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(logind), dbus.WithMatchPathNamespace(logindPath)},
		{dbus.WithMatchSender(ofTheBus), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, logind)},
	} {
		if err := bus.AddMatchSignalContext(ctx, match...); err != nil {
			return err
		}
	}
	for {
		now := presentUsers(ctx, bus)
		w.present.Store(&now)
		changed()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, ok := <-signals:
			if !ok {
				return errBusGone
			}
		}
	}
}

// presentUsers are whose sessions are the active ones of seats: a session over
// the network has none. Whatever logind does not answer is nobody.
func presentUsers(ctx context.Context, bus *dbus.Conn) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, logindTime)
	defer cancel()
	var seats []struct {
		ID   string
		Path dbus.ObjectPath
	}
	if bus.Object(logind, logindPath).CallWithContext(ctx, logind+".Manager.ListSeats", 0).Store(&seats) != nil {
		return nil
	}
	present := make(map[string]bool)
	for _, seat := range seats {
		var active struct {
			ID   string
			Path dbus.ObjectPath
		}
		if property(ctx, bus, seat.Path, "Seat", "ActiveSession", &active) != nil || active.ID == "" {
			continue
		}
		var owner struct {
			UID  uint32
			Path dbus.ObjectPath
		}
		var class, state string
		var remote bool
		if errors.Join(
			property(ctx, bus, active.Path, "Session", "User", &owner),
			property(ctx, bus, active.Path, "Session", "Class", &class),
			property(ctx, bus, active.Path, "Session", "State", &state),
			property(ctx, bus, active.Path, "Session", "Remote", &remote),
		) != nil {
			continue
		}
		// The login screen is a session of the class greeter.
		if strings.HasPrefix(class, "user") && state == "active" && !remote {
			present[strconv.FormatUint(uint64(owner.UID), 10)] = true
		}
	}
	return present
}

func property(ctx context.Context, bus *dbus.Conn, path dbus.ObjectPath, kind, name string, into any) error {
	var value dbus.Variant
	if err := bus.Object(logind, path).CallWithContext(ctx, ofTheBus+".Properties.Get", 0, logind+"."+kind, name).Store(&value); err != nil {
		return err
	}
	return value.Store(into)
}
