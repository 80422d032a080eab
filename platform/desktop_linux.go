package platform

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// Desktop is the session bus: the way to the notifications of a desktop, and to
// who shows tray icons there.
type Desktop struct {
	bus     *dbus.Conn
	signals chan *dbus.Signal
	clicked chan uint32
}

const (
	notifications = "org.freedesktop.Notifications"
	notifyPath    = "/org/freedesktop/Notifications"
	trayWatcher   = "org.kde.StatusNotifierWatcher"
	ofTheBus      = "org.freedesktop.DBus"
	ourName       = "authbridge.Tray"
	forTheUser    = -1 // the desktop decides how long
	signalsInFlow = 16
	actionInvoked = notifications + ".ActionInvoked"
	defaultAction = "default"
)

// OpenDesktop finds the session bus; ErrNoDesktop where there is none. It starts
// none.
func OpenDesktop(ctx context.Context) (*Desktop, error) {
	if !keyringReachable() {
		return nil, fmt.Errorf("%w: no session bus", ErrNoDesktop)
	}
	bus, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDesktop, err)
	}
	d := &Desktop{bus: bus, signals: make(chan *dbus.Signal, signalsInFlow), clicked: make(chan uint32)}
	if err := bus.AddMatchSignalContext(ctx, dbus.WithMatchInterface(notifications), dbus.WithMatchMember("ActionInvoked")); err != nil {
		_ = bus.Close()
		return nil, fmt.Errorf("%w: %w", ErrNoDesktop, err)
	}
	bus.Signal(d.signals)
	go d.listen()
	return d, nil
}

// listen hands clicks on until the bus is closed. One that nobody takes is lost:
// it can be made again.
func (d *Desktop) listen() {
	for s := range d.signals {
		if s.Name != actionInvoked || len(s.Body) == 0 {
			continue
		}
		if number, ok := s.Body[0].(uint32); ok {
			select {
			case d.clicked <- number:
			default:
			}
		}
	}
}

// Gone is closed when the bus is, as at the end of the session.
func (d *Desktop) Gone() <-chan struct{} { return d.bus.Context().Done() }

// Leave ends it.
func (d *Desktop) Leave() { _ = d.bus.Close() }

// Claim takes the place of the one tray of a session, by a name on its bus; *Held
// if another has it. It ends with Leave or with the process.
func (d *Desktop) Claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, desktopTime)
	defer cancel()
	var reply uint32
	err := d.bus.BusObject().CallWithContext(ctx, ofTheBus+".RequestName", 0, ourName, uint32(dbus.NameFlagDoNotQueue)).Store(&reply)
	if err != nil || dbus.RequestNameReply(reply) != dbus.RequestNameReplyExists {
		return err
	}
	held, pid := &Held{What: tray}, uint32(0)
	if d.bus.BusObject().CallWithContext(ctx, ofTheBus+".GetConnectionUnixProcessID", 0, ourName).Store(&pid) == nil {
		held.PID = int(pid)
	}
	return held
}

// ShowsTrays is whether something here shows tray icons now.
func (d *Desktop) ShowsTrays(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, desktopTime)
	defer cancel()
	var has bool
	err := d.bus.BusObject().CallWithContext(ctx, ofTheBus+".NameHasOwner", 0, trayWatcher).Store(&has)
	return has, err
}

// Clicked are the notifications that were clicked.
func (d *Desktop) Clicked() <-chan uint32 { return d.clicked }

// Show shows a notification (Desktop Notifications 1.2, Notify). The library for
// it has no deadlines.
func (d *Desktop) Show(ctx context.Context, title, text string) (number uint32, err error) {
	ctx, cancel := context.WithTimeout(ctx, desktopTime)
	defer cancel()
	err = d.bus.Object(notifications, notifyPath).CallWithContext(ctx, notifications+".Notify", 0,
		"authbridge", uint32(0), "", plain(title), plain(text), []string{defaultAction, "Open"}, map[string]dbus.Variant{}, int32(forTheUser)).Store(&number)
	return number, err
}

// Close takes a notification away.
func (d *Desktop) Close(ctx context.Context, number uint32) error {
	ctx, cancel := context.WithTimeout(ctx, desktopTime)
	defer cancel()
	return d.bus.Object(notifications, notifyPath).CallWithContext(ctx, notifications+".CloseNotification", 0, number).Err
}
