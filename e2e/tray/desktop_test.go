//go:build linux && e2e

package tray_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// desktop is a display with a session bus, a panel that has one icon at its right
// edge, and notifications.
type desktop struct {
	t     *testing.T
	dir   string
	env   []string
	bus   *dbus.Conn
	panel *exec.Cmd
}

// The middle of the icon, by the settings below.
const iconX, iconY = 1007, 16

// panelSettings put the tray at the right edge of a panel at the top.
const panelSettings = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="%t"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="32"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/><property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/><property name="menu-is-primary" type="bool" value="true"/>
    </property>
  </property>
</channel>
`

// newDesktop starts one. All that its programs keep is in a folder of the test's.
func newDesktop(t *testing.T, dark bool) *desktop {
	t.Helper()
	dir, err := os.MkdirTemp("", "abt") // short: a socket's path has 108 octets
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	settings := filepath.Join(dir, "config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml")
	for _, folder := range []string{filepath.Dir(settings), dir + "/run", dir + "/bin"} {
		must(t, os.MkdirAll(folder, 0o700))
	}
	must(t, os.WriteFile(settings, fmt.Appendf(nil, panelSettings, dark), 0o600))
	must(t, os.WriteFile(dir+"/dunstrc", []byte("[global]\nmonitor=0\norigin=bottom-right\noffset=10x10\nwidth=420\nidle_threshold=0\n"), 0o600))
	address := "unix:path=" + dir + "/run/bus"
	d := &desktop{t: t, dir: dir, env: []string{
		"PATH=" + dir + "/bin:" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + dir + "/config", "XDG_RUNTIME_DIR=" + dir + "/run",
		"XDG_CACHE_HOME=" + dir + "/cache", "XDG_DATA_HOME=" + dir + "/data", "XDG_STATE_HOME=" + dir + "/state",
		"GDK_BACKEND=x11", "NO_AT_BRIDGE=1", "LC_ALL=C.UTF-8", "TZ=UTC", "DBUS_SESSION_BUS_ADDRESS=" + address,
	}}
	number := d.display()
	d.env = append(d.env, "DISPLAY=:"+number)
	d.start("dbus-daemon", "--session", "--nofork", "--nopidfile", "--address="+address)
	d.until("a bus", func() bool {
		d.bus, err = dbus.Connect(address)
		return err == nil
	})
	t.Cleanup(func() { _ = d.bus.Close() })
	d.start("openbox", "--sm-disable")
	d.start("dunst", "-conf", dir+"/dunstrc")
	d.startPanel()
	return d
}

func (d *desktop) startPanel() {
	d.panel = d.start("xfce4-panel", "--disable-wm-check", "--sm-client-disable")
	d.until("a panel", d.showsTrays)
}

func (d *desktop) stopPanel() {
	must(d.t, d.panel.Process.Signal(syscall.SIGTERM)) // its plugins, which show the icons, end with it
	_ = d.panel.Wait()
	d.until("no panel", func() bool { return !d.showsTrays() })
}

func (d *desktop) showsTrays() (has bool) {
	return d.bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.kde.StatusNotifierWatcher").Store(&has) == nil && has
}

// display starts an X server, which chooses a free number and says which.
func (d *desktop) display() string {
	d.t.Helper()
	read, write, err := os.Pipe()
	must(d.t, err)
	defer func() { _ = read.Close() }()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1024x640x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{write}
	must(d.t, cmd.Start())
	_ = write.Close()
	d.endWith(cmd)
	must(d.t, read.SetReadDeadline(time.Now().Add(time.Minute)))
	number, err := bufio.NewReader(read).ReadString('\n') // it comes in pieces
	must(d.t, err)
	return strings.TrimSpace(number)
}

// start starts a program of the desktop until the test ends.
func (d *desktop) start(name string, args ...string) *exec.Cmd {
	d.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = d.env
	said, err := os.Create(filepath.Join(d.dir, filepath.Base(name)+".log"))
	must(d.t, err)
	defer func() { _ = said.Close() }()
	cmd.Stdout, cmd.Stderr = said, said
	must(d.t, cmd.Start())
	d.endWith(cmd)
	return cmd
}

func (d *desktop) endWith(cmd *exec.Cmd) {
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// until waits for a condition that nothing announces.
func (d *desktop) until(what string, is func() bool) {
	d.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for end := time.After(time.Minute); !is(); {
		select {
		case <-look.C:
		case <-end:
			logs, _ := filepath.Glob(filepath.Join(d.dir, "*.log"))
			for _, log := range logs {
				text, _ := os.ReadFile(log)
				d.t.Logf("%s:\n%s", filepath.Base(log), text)
			}
			d.t.Fatalf("there never was %s", what)
		}
	}
}

// run runs a program of the desktop to its end.
func (d *desktop) run(name string, args ...string) string {
	d.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = d.env
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}

// click clicks with the mouse.
func (d *desktop) click(x, y int) {
	d.t.Helper()
	d.run("xdotool", "mousemove", strconv.Itoa(x), strconv.Itoa(y), "click", "1")
}

// shot takes a picture of the open menu and what is above it.
func (d *desktop) shot(file string) {
	d.t.Helper()
	m := d.menu()
	d.run("import", "-window", "root", "-crop", fmt.Sprintf("%dx%d+%d+0", m.width, m.y+m.height, m.x), "+repage", "-strip", file)
}

// colours are those of the icon, each once, as #RRGGBB.
func (d *desktop) colours() string {
	d.t.Helper()
	return d.run("convert", "x:root", "-crop", fmt.Sprintf("24x24+%d+%d", iconX-12, iconY-12), "-depth", "8", "-unique-colors", "txt:-")
}

// Of xdotool: WINDOW=, X=, Y=, WIDTH=, HEIGHT=.
var geometry = regexp.MustCompile(`X=(-?\d+)\nY=(-?\d+)\nWIDTH=(\d+)\nHEIGHT=(\d+)`)

// box is where a window is; zero where there is none.
type box struct{ x, y, width, height int }

// menu is the open menu.
func (d *desktop) menu() (open box) {
	cmd := exec.Command("xdotool", "search", "--onlyvisible", "--classname", "wrapper-2.0", "getwindowgeometry", "--shell", "%@")
	cmd.Env = d.env
	out, _ := cmd.Output() // it fails where there is none, too
	for _, found := range geometry.FindAllStringSubmatch(string(out), -1) {
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(found[i+1])
		}
		if n[3] > 60 { // no icon in the panel
			open = box{n[0], n[1], n[2], n[3]}
		}
	}
	return open
}

// item is the icon's name on the bus.
func (d *desktop) item() string {
	var names []string
	_ = d.bus.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names)
	for _, name := range names {
		if strings.HasPrefix(name, "org.kde.StatusNotifierItem-") {
			return name
		}
	}
	return ""
}

// tip is what the icon says of itself.
func (d *desktop) tip() string {
	v, err := d.bus.Object(d.item(), "/StatusNotifierItem").GetProperty("org.kde.StatusNotifierItem.ToolTip")
	if err != nil {
		return ""
	}
	return v.Value().([]any)[2].(string)
}

// row is the number of the row that begins so, if it is there.
func (d *desktop) row(begins string) (number any, shown bool) {
	menu := d.bus.Object(d.item(), "/StatusNotifierItem/menu")
	var revision uint32
	var layout struct {
		ID         int32
		Properties map[string]dbus.Variant
		Children   []dbus.Variant
	}
	if menu.Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &layout) != nil {
		return nil, false
	}
	for _, child := range layout.Children {
		fields := child.Value().([]any)
		label, _ := fields[1].(map[string]dbus.Variant)["label"].Value().(string)
		if strings.HasPrefix(label, begins) {
			return fields[0], true
		}
	}
	return nil, false
}

// clickRow clicks the row that begins so, by the bus as any program can, if it is
// there.
func (d *desktop) clickRow(begins string) bool {
	number, shown := d.row(begins)
	menu := d.bus.Object(d.item(), "/StatusNotifierItem/menu")
	return shown && menu.Call("com.canonical.dbusmenu.Event", 0, number, "clicked", dbus.MakeVariant(""), uint32(0)).Err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
