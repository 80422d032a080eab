package fido

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Native is the operating system's HID.
//
// On Linux that is hidraw. Keys are found in sysfs, which needs no right, and
// by udev's messages. Where no udev runs, such as in a container, the kernel's
// own messages must do; they do not reach another network namespace, so that
// there only the keys of the first listing are seen.
func Native() Bus { return newHidraw("/") }

// hidraw is the bus of the keys that Linux has.
type hidraw struct {
	sys, dev string
	// udevControl exists while udev runs; udevData holds what it knows of a
	// device whose rules are done.
	udevControl, udevData string
	listen                func(ueventGroup) (uevents, error)
}

func newHidraw(root string) *hidraw {
	return &hidraw{
		sys: path.Join(root, "sys"), dev: path.Join(root, "dev"),
		udevControl: path.Join(root, "run/udev/control"), udevData: path.Join(root, "run/udev/data"),
		listen: listenUevents,
	}
}

// Watch implements Bus.
func (h *hidraw) Watch(ctx context.Context, found func(Change)) error {
	group := groupKernel
	if h.hasUdev() {
		group = groupUdev
	}
	events, err := h.listen(group) // before the listing, so that nothing is missed
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = events.Close() })
	defer func() {
		if stop() {
			_ = events.Close()
		}
	}()
	w := &hidrawWatch{bus: h, found: found, known: map[string]Node{}}
	if err := w.rescan(group == groupUdev); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	found(Change{Settled: true})
	for {
		e, err := events.next()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errOverflow):
			err = w.rescan(false)
		case err == nil:
			w.take(e)
		}
		if err != nil {
			return err
		}
	}
}

func (h *hidraw) hasUdev() bool {
	_, err := os.Stat(h.udevControl)
	return err == nil
}

// hidrawWatch is one call of Watch.
type hidrawWatch struct {
	bus   *hidraw
	found func(Change)
	known map[string]Node // by device path, which is never used twice
}

// take turns a uevent into a change.
func (w *hidrawWatch) take(e uevent) {
	if e.subsystem != "hidraw" {
		return
	}
	node, known := w.known[e.devpath]
	switch e.action {
	case "remove":
		if known {
			delete(w.known, e.devpath)
			w.found(Change{Gone: true, Node: node})
		}
	case "add", "change":
		if known {
			if e.action == "change" {
				w.found(Change{Changed: true, Node: node})
			}
			return
		}
		node, ok := w.bus.node(e.devpath)
		if !ok && e.props["ID_FIDO_TOKEN"] == "1" {
			// It is gone again already; that it was there is told all the same.
			node, ok = vanished(e)
		}
		if ok {
			w.known[e.devpath] = node
			w.found(Change{Node: node})
		}
	}
}

// rescan compares sysfs with what is known.
func (w *hidrawWatch) rescan(udev bool) error {
	paths, err := w.bus.list()
	if err != nil {
		return err
	}
	for _, devpath := range slices.Sorted(maps.Keys(w.known)) {
		if !slices.Contains(paths, devpath) {
			node := w.known[devpath]
			delete(w.known, devpath)
			w.found(Change{Gone: true, Node: node})
		}
	}
	for _, devpath := range paths {
		if _, known := w.known[devpath]; known || (udev && !w.bus.initialized(devpath)) {
			continue // in the latter case udev's message is still to come
		}
		if node, ok := w.bus.node(devpath); ok {
			w.known[devpath] = node
			w.found(Change{Node: node})
		}
	}
	return nil
}

// list names the hidraw devices by their path below sysfs, oldest first.
func (h *hidraw) list() ([]string, error) {
	const class = "/class/hidraw"
	entries, err := os.ReadDir(h.sys + class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no HID device was ever there
	} else if err != nil {
		return nil, fmt.Errorf("fido: list the HID devices: %w", err)
	}
	var all []string
	for _, e := range entries {
		link, err := os.Readlink(path.Join(h.sys, class, e.Name()))
		if err == nil {
			all = append(all, path.Join(class, link))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(age(a), age(b)) })
	return all, nil
}

// age orders device paths: the last number of 0003:1050:0407.0004 counts up.
func age(devpath string) string {
	p, _ := parsePlace(devpath)
	return fmt.Sprintf("%20s", p.instance[strings.LastIndexByte(p.instance, '.')+1:])
}

// initialized says whether udev's rules are done with a device.
func (h *hidraw) initialized(devpath string) bool {
	number, err := readSmall(path.Join(h.sys, devpath, "dev"))
	if err != nil {
		return false
	}
	_, err = os.Stat(path.Join(h.udevData, "c"+strings.TrimSpace(string(number))))
	return err == nil
}

// node reads what sysfs says of a device; false if it is no security key.
func (h *hidraw) node(devpath string) (Node, bool) {
	p, ok := parsePlace(devpath)
	if !ok {
		return Node{}, false
	}
	descriptor, err := readSmall(path.Join(h.sys, p.hid, "report_descriptor"))
	if err != nil || !isFIDO(descriptor) {
		return Node{}, false
	}
	text, err := readSmall(path.Join(h.sys, p.hid, "uevent"))
	if err != nil {
		return Node{}, false
	}
	name := parseHIDUevent(string(text))
	node := p.node()
	node.Product, node.Serial, node.VendorID, node.ProductID = name.name, name.uniq, name.vendor, name.product
	if node.Port == "" && name.phys != "" {
		node.Port = "phys:" + name.phys
	}
	return node, true
}

// vanished makes a node of udev's message alone.
func vanished(e uevent) (Node, bool) {
	p, ok := parsePlace(e.devpath)
	if !ok {
		return Node{}, false
	}
	node := p.node()
	ids := strings.FieldsFunc(p.instance, func(r rune) bool { return r == ':' || r == '.' })
	if len(ids) == 4 {
		node.VendorID, node.ProductID = hex16(ids[1]), hex16(ids[2])
	}
	node.Product = printable(e.props["ID_MODEL"])
	return node, true
}

// node begins a Node. The path names the instance too, because the kernel
// gives the name hidraw0 again as soon as it is free.
func (p place) node() Node {
	return Node{Path: "/dev/" + p.name + "@" + p.instance, Port: p.port, Virtual: p.virtual}
}

// Open implements Bus.
func (h *hidraw) Open(ctx context.Context, node Node) (Link, error) {
	device, instance, ok := strings.Cut(node.Path, "@")
	name, local := strings.CutPrefix(device, "/dev/")
	if !ok || !local || !isHidraw(name) {
		return nil, fmt.Errorf("fido: %q is no key of this bus", node.Path)
	}
	if !h.is(name, instance) {
		return nil, fmt.Errorf("%w: %s is another device now, or none", ErrGone, device)
	}
	link, err := h.open(ctx, name)
	if err != nil {
		return nil, err
	}
	if !h.is(name, instance) { // it was replaced in between
		return nil, errors.Join(fmt.Errorf("%w: %s is another device now", ErrGone, device), link.Close())
	}
	return link, nil
}

// is says whether a node still belongs to the device that was listed.
func (h *hidraw) is(name, instance string) bool {
	link, err := os.Readlink(path.Join(h.sys, "class/hidraw", name))
	p, ok := parsePlace(path.Join("/class/hidraw", link))
	return err == nil && ok && p.instance == instance
}

// open opens a node. Without udev, whoever makes nodes and sets their modes
// does so some time after the kernel's message.
func (h *hidraw) open(ctx context.Context, name string) (Link, error) {
	const step, most = 50 * time.Millisecond, time.Second
	for waited := time.Duration(0); ; waited += step {
		link, err := openHidraw(path.Join(h.dev, name))
		settling := errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist)
		if !settling || waited >= most || h.hasUdev() {
			return link, err
		}
		timer := time.NewTimer(step)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// readSmall reads a file of sysfs, none of which is large.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxDescriptor+1))
}
