package virtual_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/virtual"
	"authbridge/fido/vkey"
	"authbridge/pcsc/vcard"
)

const amy, rory = "555212345678", "555387654321"

func TestTheEmbeddedDefaultIsACardAndAKey(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	list := d.List()
	if len(list) != 2 || list[0].Kind != contract.Smartcard || list[0].Name != virtual.DefaultReader || list[1].Name != virtual.DefaultKey {
		t.Fatalf("%+v", list)
	}
	for _, v := range list {
		if !v.Plugged || v.Where != "in-process" || v.Faults == nil || v.PINTries != 0 {
			t.Errorf("%+v", v)
		}
	}
	if there, card := cardIn(t, d, virtual.DefaultReader); !there || !card {
		t.Errorf("PC/SC sees reader %v, card %v", there, card)
	}
	if got := onBus(t, d); len(got) != 1 || !strings.Contains(got[0], virtual.DefaultKey) {
		t.Errorf("on the bus: %q", got)
	}
}

func TestNothingIsThereWhereNothingIsWanted(t *testing.T) {
	t.Parallel()
	if list := begin(t, virtual.Config{Empty: true}).List(); len(list) != 0 || list == nil {
		t.Errorf("%+v", list)
	}
}

// TestTheReadersAreThereBeforeTheCardsAreMade: the daemon answers at once, and
// its first card takes as long as its keys do.
func TestTheReadersAreThereBeforeTheCardsAreMade(t *testing.T) {
	t.Parallel()
	d, err := virtual.New(t.Context(), virtual.Config{Dir: t.TempDir()}) // with RSA keys
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if there, _ := cardIn(t, d, virtual.DefaultReader); !there {
		t.Error("no reader")
	}
	if len(d.List()) != 2 {
		t.Errorf("%+v", d.List())
	}
	if err := d.Restored(soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, card := cardIn(t, d, virtual.DefaultReader); !card {
		t.Error("no card")
	}
}

func TestACardGoesInAndOut(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{Empty: true})
	v := must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: "left", User: amy}))
	if !v.Plugged || v.User != amy || v.Name != "left" || v.Kind != contract.Smartcard {
		t.Errorf("%+v", v)
	}
	if _, card := cardIn(t, d, "left"); !card {
		t.Error("PC/SC sees no card")
	}
	_, err := d.Insert(soon(t), contract.VirtualInsert{Name: "left", User: rory})
	wantCode(t, err, failure.VirtualExists, "body.name")
	_, err = d.Insert(soon(t), contract.VirtualInsert{Name: "right", User: amy})
	wantCode(t, err, failure.VirtualExists, "body.user")
	if len(d.List()) != 1 {
		t.Errorf("a refused order left a device behind: %+v", d.List())
	}
	if there, _ := cardIn(t, d, "right"); there {
		t.Error("a refused order left a reader behind")
	}
	if v := must(t)(d.Remove(soon(t), "left")); v.Plugged {
		t.Errorf("%+v", v)
	}
	if there, card := cardIn(t, d, "left"); !there || card {
		t.Errorf("after removal: reader %v, card %v", there, card)
	}
	_, err = d.Remove(soon(t), "left")
	wantCode(t, err, failure.VirtualState, "path.name")
	_, err = d.Remove(soon(t), "nowhere")
	wantCode(t, err, failure.NotFound, "path.name")
	must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: "right", User: amy})) // it is free now
	if v := must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: "left"})); v.User == amy {
		t.Error("the card is in two readers")
	}
}

func TestWithoutANameTheFirstFreeReaderIsTaken(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	second := must(t)(d.Insert(soon(t), contract.VirtualInsert{}))
	third := must(t)(d.Insert(soon(t), contract.VirtualInsert{}))
	if second.Name != "virtual-reader-2" || third.Name != "virtual-reader-3" || second.User == third.User {
		t.Errorf("%+v, %+v", second, third)
	}
	must(t)(d.Remove(soon(t), second.Name))
	if again := must(t)(d.Insert(soon(t), contract.VirtualInsert{})); again.Name != second.Name || again.User != second.User {
		t.Errorf("%+v, want the same card back in %s", again, second.Name)
	}
	if k := must(t)(d.Plug(soon(t), contract.VirtualPlug{})); k.Name != "virtual-key-2" {
		t.Errorf("%+v", k)
	}
	// One that was told to fail is for who asks for it by name.
	must(t)(d.Remove(soon(t), second.Name))
	must(t)(d.SetFaults(soon(t), contract.Smartcard, second.Name, []contract.Fault{{Name: "mute"}}))
	if fresh := must(t)(d.Insert(soon(t), contract.VirtualInsert{})); fresh.Name != "virtual-reader-4" || len(fresh.Faults) != 0 {
		t.Errorf("%+v, want a reader without faults", fresh)
	}
	if broken := must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: second.Name})); len(broken.Faults) != 1 {
		t.Errorf("%+v, want its faults", broken)
	}
}

func TestReadersAndKeysShareTheirNames(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	_, err := d.Insert(soon(t), contract.VirtualInsert{Name: virtual.DefaultKey})
	wantCode(t, err, failure.VirtualExists, "body.name")
	_, err = d.Plug(soon(t), contract.VirtualPlug{Name: strings.ToUpper(virtual.DefaultReader)})
	wantCode(t, err, failure.VirtualExists, "body.name")
	// A generated name makes room too.
	must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: "virtual-key-2"}))
	if k := must(t)(d.Plug(soon(t), contract.VirtualPlug{})); k.Name != "virtual-key-3" {
		t.Errorf("%+v", k)
	}
}

func TestADeletedDeviceDoesNotComeBack(t *testing.T) {
	t.Parallel()
	keep, dir := &memory{}, t.TempDir()
	first := begin(t, virtual.Config{Dir: dir, Memory: keep})
	for _, name := range []string{virtual.DefaultReader, virtual.DefaultKey} {
		if err := first.Delete(soon(t), name); err != nil {
			t.Fatal(err)
		}
		wantCode(t, first.Delete(soon(t), name), failure.NotFound, "path.name")
	}
	if there, _ := cardIn(t, first, virtual.DefaultReader); there || len(onBus(t, first)) != 0 {
		t.Error("it is there still")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if list := begin(t, virtual.Config{Dir: dir, Memory: keep}).List(); len(list) != 0 {
		t.Errorf("after a restart %+v", list)
	}
}

func TestACardKeepsItsTriesOutsideTheReader(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	selectPIV := []byte{0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00}
	wrong := []byte{0x00, 0x20, 0x00, 0x80, 0x08, '9', '9', '9', '9', '9', '9', 0xFF, 0xFF}
	transmit(t, d, virtual.DefaultReader, selectPIV)
	if got := transmit(t, d, virtual.DefaultReader, wrong); got[0] != 0x63 || got[1] != 0xC2 {
		t.Fatalf("% X", got)
	}
	before := listed(t, d, virtual.DefaultReader)
	if before.PINTries != 1 || before.APDUs != 2 {
		t.Errorf("the card counts %d tries and %d APDUs", before.PINTries, before.APDUs)
	}
	must(t)(d.Remove(soon(t), virtual.DefaultReader))
	must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: virtual.DefaultReader}))
	transmit(t, d, virtual.DefaultReader, selectPIV)
	if got := transmit(t, d, virtual.DefaultReader, []byte{0x00, 0x20, 0x00, 0x80}); got[0] != 0x63 || got[1] != 0xC2 {
		t.Errorf("% X, want two tries left", got)
	}
}

func TestASwapIsTwoEventsAndNoTimeInBetween(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	before := events(t, d, virtual.DefaultReader)
	same := must(t)(d.Swap(soon(t), virtual.DefaultReader, contract.VirtualInsert{}))
	if !same.Plugged || events(t, d, virtual.DefaultReader) != before+2 {
		t.Errorf("%+v, %d events", same, events(t, d, virtual.DefaultReader)-before)
	}
	other := must(t)(d.Swap(soon(t), virtual.DefaultReader, contract.VirtualInsert{User: rory, Faults: []contract.Fault{{Name: "no-cert"}}}))
	if other.User != rory || len(other.Faults) != 1 {
		t.Errorf("%+v", other)
	}
	_, err := d.Swap(soon(t), "nowhere", contract.VirtualInsert{})
	wantCode(t, err, failure.NotFound, "path.name")
	must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: "left", User: amy}))
	_, err = d.Swap(soon(t), virtual.DefaultReader, contract.VirtualInsert{User: amy})
	wantCode(t, err, failure.VirtualExists, "body.user")
	if v := listed(t, d, virtual.DefaultReader); !v.Plugged || v.User != rory {
		t.Errorf("a refused swap changed %+v", v)
	}
	if _, card := cardIn(t, d, virtual.DefaultReader); !card {
		t.Error("a refused swap pulled the card")
	}
	must(t)(d.Remove(soon(t), "left"))
	_, err = d.Swap(soon(t), "left", contract.VirtualInsert{})
	wantCode(t, err, failure.VirtualState, "path.name")
	_, err = d.Swap(soon(t), "left", contract.VirtualInsert{PCSCD: true})
	wantCode(t, err, failure.BadRequest, "body.pcscd")
	_, err = d.Swap(soon(t), "left", contract.VirtualInsert{Name: "right"})
	wantCode(t, err, failure.BadRequest, "body.name")
}

func TestAKeyGoesInAndOut(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	_, err := d.Plug(soon(t), contract.VirtualPlug{Name: virtual.DefaultKey})
	wantCode(t, err, failure.VirtualExists, "body.name")
	if v := must(t)(d.Unplug(soon(t), virtual.DefaultKey)); v.Plugged {
		t.Errorf("%+v", v)
	}
	if got := onBus(t, d); len(got) != 0 {
		t.Errorf("on the bus: %q", got)
	}
	_, err = d.Unplug(soon(t), virtual.DefaultKey)
	wantCode(t, err, failure.VirtualState, "path.name")
	_, err = d.Unplug(soon(t), "nothing")
	wantCode(t, err, failure.NotFound, "path.name")
	v := must(t)(d.Plug(soon(t), contract.VirtualPlug{Name: virtual.DefaultKey, Touch: "never"}))
	if !v.Plugged || v.Touch != "never" || len(onBus(t, d)) != 1 {
		t.Errorf("%+v", v)
	}
}

func TestFaultsReachTheDevices(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	v := must(t)(d.SetFaults(soon(t), contract.Smartcard, virtual.DefaultReader, []contract.Fault{{Name: "sw", SW: "6f00"}}))
	if len(v.Faults) != 1 {
		t.Errorf("%+v", v)
	}
	anything := []byte{0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00}
	if got := transmit(t, d, virtual.DefaultReader, anything); len(got) != 2 || got[0] != 0x6F {
		t.Errorf("% X", got)
	}
	must(t)(d.SetFaults(soon(t), contract.Smartcard, virtual.DefaultReader, nil))
	if got := transmit(t, d, virtual.DefaultReader, anything); len(got) < 2 || got[len(got)-2] != 0x90 {
		t.Errorf("% X", got)
	}
	if v := must(t)(d.SetFaults(soon(t), contract.SecurityKey, virtual.DefaultKey, []contract.Fault{{Name: "slow", Delay: "2s"}})); v.Faults[0].Delay != "2s" {
		t.Errorf("%+v", v)
	}
}

// TestEveryFaultOfTheDevicesCanBeSet: the words of the API are theirs.
func TestEveryFaultOfTheDevicesCanBeSet(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	complete := func(name string) contract.Fault {
		f := contract.Fault{Name: name}
		switch name {
		case "slow":
			f.Delay = "1ms"
		case "sw":
			f.SW = "6A82"
		}
		return f
	}
	told := map[contract.Kind]int{contract.Smartcard: len(vcard.FaultNames()), contract.SecurityKey: len(vkey.FaultNames)}
	for _, device := range d.List() {
		if len(device.CanFail) != told[device.Kind] {
			t.Errorf("%s tells of the faults %v", device.Name, device.CanFail)
		}
		for _, name := range device.CanFail {
			must(t)(d.SetFaults(soon(t), device.Kind, device.Name, []contract.Fault{complete(name)}))
		}
	}
}

func TestBadInputNamesItsField(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	insert := func(in contract.VirtualInsert) error { _, err := d.Insert(soon(t), in); return err }
	plug := func(in contract.VirtualPlug) error { _, err := d.Plug(soon(t), in); return err }
	faults := func(kind contract.Kind, name string, f contract.Fault) error {
		_, err := d.SetFaults(soon(t), kind, name, []contract.Fault{{Name: "mute"}, f})
		return err
	}
	card := func(f contract.Fault) error { return faults(contract.Smartcard, virtual.DefaultReader, f) }
	key := func(f contract.Fault) error { return faults(contract.SecurityKey, virtual.DefaultKey, f) }
	before, _ := json.Marshal(d.List())
	for _, tt := range []struct {
		name  string
		err   error
		field string
	}{
		{"path in a name", insert(contract.VirtualInsert{Name: "../x"}), "body.name"},
		{"space in a name", insert(contract.VirtualInsert{Name: "a b"}), "body.name"},
		{"long name", insert(contract.VirtualInsert{Name: strings.Repeat("a", 41)}), "body.name"},
		{"hidden name", insert(contract.VirtualInsert{Name: ".x"}), "body.name"},
		{"user of 11 digits", insert(contract.VirtualInsert{User: "12345678901"}), "body.user"},
		{"user with letters", insert(contract.VirtualInsert{User: "12345678901x"}), "body.user"},
		{"vpcd without pcscd", insert(contract.VirtualInsert{VPCD: "127.0.0.1:35963"}), "body.vpcd"},
		{"vpcd elsewhere", insert(contract.VirtualInsert{PCSCD: true, VPCD: "192.0.2.1:35963"}), "body.vpcd"},
		{"vpcd by name", insert(contract.VirtualInsert{PCSCD: true, VPCD: "example.org:35963"}), "body.vpcd"},
		{"vpcd without port", insert(contract.VirtualInsert{PCSCD: true, VPCD: "127.0.0.1"}), "body.vpcd"},
		{"vpcd on port 0", insert(contract.VirtualInsert{PCSCD: true, VPCD: "127.0.0.1:0"}), "body.vpcd"},
		{"fault on insertion", insert(contract.VirtualInsert{Faults: []contract.Fault{{Name: "u2f-only"}}}), "body.faults[0].name"},
		{"key name", plug(contract.VirtualPlug{Name: "a/b"}), "body.name"},
		{"touch", plug(contract.VirtualPlug{Touch: "hard"}), "body.touch"},
		{"fault on plugging", plug(contract.VirtualPlug{Faults: []contract.Fault{{Name: "slow"}}}), "body.faults[0].delay"},
		{"no such fault", card(contract.Fault{Name: "melt"}), "body[1].name"},
		{"slow without delay", card(contract.Fault{Name: "slow"}), "body[1].delay"},
		{"slow by a word", card(contract.Fault{Name: "slow", Delay: "soon"}), "body[1].delay"},
		{"slow backwards", card(contract.Fault{Name: "slow", Delay: "-1s"}), "body[1].delay"},
		{"slow for a day", card(contract.Fault{Name: "slow", Delay: "24h"}), "body[1].delay"},
		{"delay of a mute card", card(contract.Fault{Name: "no-cert", Delay: "1s"}), "body[1].delay"},
		{"sw without", card(contract.Fault{Name: "sw"}), "body[1].sw"},
		{"sw of letters", card(contract.Fault{Name: "sw", SW: "wxyz"}), "body[1].sw"},
		{"sw that is none", card(contract.Fault{Name: "sw", SW: "1234"}), "body[1].sw"},
		{"sw of another fault", card(contract.Fault{Name: "no-cert", SW: "6F00"}), "body[1].sw"},
		{"two faults of which a card has one", card(contract.Fault{Name: "empty"}), "body"},
		{"fault of a card", key(contract.Fault{Name: "no-cert"}), "body[1].name"},
		{"sw of a key", key(contract.Fault{Name: "busy", SW: "6F00"}), "body[1].sw"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantCode(t, tt.err, failure.BadRequest, tt.field) })
	}
	if after, _ := json.Marshal(d.List()); string(after) != string(before) {
		t.Errorf("bad input changed something:\n%s\n%s", before, after)
	}
	wantCode(t, insert(contract.VirtualInsert{Name: "Virtual-Reader-1"}), failure.VirtualExists, "body.name")
}

func TestATouchByCommand(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	wantCode(t, d.Touch(soon(t), "nothing"), failure.NotFound, "path.name")
	wantCode(t, d.Touch(soon(t), virtual.DefaultKey), failure.VirtualState, "path.name") // it touches itself
	must(t)(d.Unplug(soon(t), virtual.DefaultKey))
	wantCode(t, d.Touch(soon(t), virtual.DefaultKey), failure.VirtualState, "path.name")
	must(t)(d.Plug(soon(t), contract.VirtualPlug{Name: virtual.DefaultKey, Touch: "command"}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, d.Touch(ctx, virtual.DefaultKey), failure.VirtualState, "path.name") // nobody waits for it
}

func TestNobodyListensForACard(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d := begin(t, virtual.Config{})
	_, err = d.Insert(soon(t), contract.VirtualInsert{Name: "real", PCSCD: true, VPCD: nobody})
	wantCode(t, err, failure.VPCDUnavailable, "body.vpcd")
	if len(d.List()) != 2 {
		t.Errorf("a refused card is listed: %+v", d.List())
	}
	must(t)(d.Remove(soon(t), virtual.DefaultReader))
	_, err = d.Insert(soon(t), contract.VirtualInsert{Name: virtual.DefaultReader, PCSCD: true, VPCD: nobody})
	wantCode(t, err, failure.VPCDUnavailable, "body.vpcd")
	must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: virtual.DefaultReader})) // it is as it was
	if _, card := cardIn(t, d, virtual.DefaultReader); !card {
		t.Error("the card is not in its reader")
	}
}

// vpcd accepts cards as the driver of pcscd does, and never asks for more than
// the ATR.
func vpcd(t *testing.T) (addr string, cards chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cards = make(chan []byte, 8)
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			all.Go(func() {
				if _, err := c.Write([]byte{0, 1, 4}); err != nil {
					return
				}
				answer := make([]byte, 64)
				n, err := c.Read(answer)
				if err == nil {
					cards <- answer[:n]
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String(), cards
}

func TestACardGoesIntoARealService(t *testing.T) {
	t.Parallel()
	addr, cards := vpcd(t)
	keep := &memory{}
	dir := t.TempDir()
	d := begin(t, virtual.Config{Dir: dir, Memory: keep, Empty: true})
	v := must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: "real", PCSCD: true, VPCD: addr}))
	if !v.Plugged || v.Where != "pcscd" {
		t.Errorf("%+v", v)
	}
	if answer := <-cards; len(answer) < 4 || answer[2] != 0x3B {
		t.Errorf("the service was given % X, no ATR", answer)
	}
	if there, _ := cardIn(t, d, "real"); there {
		t.Error("the reader is in the process too")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again := begin(t, virtual.Config{Dir: dir, Memory: keep})
	<-cards
	if v := listed(t, again, "real"); !v.Plugged || v.Where != "pcscd" {
		t.Errorf("after a restart: %+v", v)
	}
	if v := must(t)(again.Remove(soon(t), "real")); v.Plugged {
		t.Errorf("%+v", v)
	}
	if v := must(t)(again.Insert(soon(t), contract.VirtualInsert{Name: "real"})); v.Where != "in-process" || !v.Plugged {
		t.Errorf("%+v", v)
	}
	if _, card := cardIn(t, again, "real"); !card {
		t.Error("the card is not in the reader of the process")
	}
}

func TestARequestThatEndedTakesNoCardOutLater(t *testing.T) {
	t.Parallel()
	addr, cards := vpcd(t)
	d := begin(t, virtual.Config{Empty: true})
	ctx, cancel := context.WithCancel(t.Context())
	must(t)(d.Insert(ctx, contract.VirtualInsert{Name: "real", PCSCD: true, VPCD: addr}))
	<-cards
	cancel()
	// Nothing tells when a card that wrongly goes is gone: look for a while.
	for range 2000 {
		if v := listed(t, d, "real"); !v.Plugged {
			t.Fatalf("%+v: the card went with the request", v)
		}
		runtime.Gosched()
	}
}

func TestAKeyInTheKernel(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{Empty: true})
	v, err := d.Plug(soon(t), contract.VirtualPlug{Name: "kernel", UHID: true})
	if failure.CodeOf(err) == failure.UHIDUnavailable {
		wantCode(t, err, failure.UHIDUnavailable, "body.uhid")
		if len(d.List()) != 0 {
			t.Errorf("a refused key is listed: %+v", d.List())
		}
		return // there is no uhid here: that was the story
	}
	must(t)(v, err)
	if v.Where != "uhid" || !v.Plugged {
		t.Errorf("%+v", v)
	}
	if len(onBus(t, d)) != 0 {
		t.Error("the key is on the bus of the process too")
	}
	if v := must(t)(d.Unplug(soon(t), "kernel")); v.Plugged {
		t.Errorf("%+v", v)
	}
}

func TestARestartBringsBackWhatWasThere(t *testing.T) {
	t.Parallel()
	keep, dir := &memory{}, t.TempDir()
	first := begin(t, virtual.Config{Dir: dir, Memory: keep})
	must(t)(first.Remove(soon(t), virtual.DefaultReader))
	must(t)(first.Insert(soon(t), contract.VirtualInsert{Name: "left", User: amy, Faults: []contract.Fault{{Name: "cert-expired"}}}))
	must(t)(first.Plug(soon(t), contract.VirtualPlug{Name: "spare", Touch: "command"}))
	must(t)(first.SetFaults(soon(t), contract.SecurityKey, "spare", []contract.Fault{{Name: "busy"}}))
	if err := first.Delete(soon(t), virtual.DefaultKey); err != nil {
		t.Fatal(err)
	}
	transmit(t, first, "left", []byte{0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00})
	want := first.List()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := begin(t, virtual.Config{Dir: dir, Memory: keep})
	if got := second.List(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart\n%+v, before\n%+v", got, want)
	}
	if _, card := cardIn(t, second, "left"); !card {
		t.Error("the card is not in its reader")
	}
	if there, card := cardIn(t, second, virtual.DefaultReader); !there || card {
		t.Errorf("the empty reader: %v, with a card: %v", there, card)
	}
	if got := onBus(t, second); len(got) != 1 || !strings.HasSuffix(got[0], "spare") {
		t.Errorf("on the bus: %q", got)
	}
	if v := must(t)(second.Insert(soon(t), contract.VirtualInsert{Name: virtual.DefaultReader})); v.User != "555200000001" {
		t.Errorf("another card is back: %+v", v)
	}
}

func TestWhoeverEmptiedTheDeskFindsItEmpty(t *testing.T) {
	t.Parallel()
	keep, dir := &memory{}, t.TempDir()
	first := begin(t, virtual.Config{Dir: dir, Memory: keep})
	must(t)(first.Remove(soon(t), virtual.DefaultReader))
	must(t)(first.Unplug(soon(t), virtual.DefaultKey))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, v := range begin(t, virtual.Config{Dir: dir, Memory: keep}).List() {
		if v.Plugged {
			t.Errorf("%+v", v)
		}
	}
}

func TestWhatLiesInTheFolderIsForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "virtual")
	d := begin(t, virtual.Config{Dir: dir})
	must(t)(d.Insert(soon(t), contract.VirtualInsert{}))
	files := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if os.PathSeparator == '/' && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		if !e.IsDir() {
			files++
		}
		return nil
	})
	if err != nil || files < 3 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestADamagedFolderIsAStateWithACode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key-spare.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := begin(t, virtual.Config{Dir: dir, Empty: true})
	_, err := d.Plug(soon(t), contract.VirtualPlug{Name: "spare"})
	wantCode(t, err, failure.StateDamaged, "")
	if len(d.List()) != 0 {
		t.Errorf("%+v", d.List())
	}
	if _, err := virtual.New(t.Context(), virtual.Config{Dir: dir, Memory: &memory{broken: errors.New("disk I/O error")}}); failure.CodeOf(err) != failure.StateUnusable {
		t.Errorf("%v", err)
	}
}

func TestRecordsOfALaterVersionAreLeftAlone(t *testing.T) {
	t.Parallel()
	keep := &memory{values: map[string][]byte{
		"smartcard/../../x": []byte(`{"plugged":true}`), "phone/mine": []byte(`{}`), "security-key/odd": []byte(`[`),
		"smartcard/left": []byte(`{"plugged":true,"where":"in-process","user":"555212345678","later":1}`),
	}}
	d := begin(t, virtual.Config{Memory: keep})
	if list := d.List(); len(list) != 1 || list[0].Name != "left" || !list[0].Plugged {
		t.Errorf("%+v", list)
	}
	if len(keep.values) != 4 {
		t.Errorf("records are gone: %q", keep.values)
	}
}

func TestTheAuthenticatorOfADeviceIsNamed(t *testing.T) {
	t.Parallel()
	snapshot := &contract.Snapshot{
		Readers: []contract.Reader{
			{Name: virtual.DefaultReader, Origin: contract.Physical, Card: "a stranger"},
			{Name: virtual.DefaultReader, Origin: contract.Virtual, Card: "card-7"},
		},
		Authenticators: []contract.Authenticator{{ID: "key-9", Origin: contract.Virtual, Product: "authbridge virtual key " + virtual.DefaultKey}},
	}
	d := begin(t, virtual.Config{Snapshot: func() *contract.Snapshot { return snapshot }})
	if v := listed(t, d, virtual.DefaultReader); v.Authenticator != "card-7" {
		t.Errorf("%+v", v)
	}
	if v := listed(t, d, virtual.DefaultKey); v.Authenticator != "key-9" {
		t.Errorf("%+v", v)
	}
	if got := onBus(t, d); got[0] != snapshot.Authenticators[0].Product {
		t.Errorf("the key calls itself %q", got[0])
	}
}

// TestOrdersFromAllSides: each device ends in a state that its list entry
// tells, and no card is in two readers.
func TestOrdersFromAllSides(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{Memory: &memory{}})
	ctx := soon(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			reader, key := fmt.Sprintf("r%d", n%3), fmt.Sprintf("k%d", n%3)
			user := []string{"", amy, rory}[n%3]
			for range 25 {
				// What is refused is refused because another was faster.
				_, errInsert := d.Insert(ctx, contract.VirtualInsert{Name: reader, User: user})
				_, errFaults := d.SetFaults(ctx, contract.Smartcard, reader, []contract.Fault{{Name: "no-cert"}})
				_, errSwap := d.Swap(ctx, reader, contract.VirtualInsert{})
				_, errRemove := d.Remove(ctx, reader)
				_, errPlug := d.Plug(ctx, contract.VirtualPlug{Name: key})
				_, errUnplug := d.Unplug(ctx, key)
				errDelete := d.Delete(ctx, key)
				for _, err := range []error{errInsert, errFaults, errSwap, errRemove, errPlug, errUnplug, errDelete} {
					if code := failure.CodeOf(err); err != nil && !slices.Contains([]failure.Code{failure.VirtualExists, failure.VirtualState, failure.NotFound}, code) {
						t.Errorf("%v", err)
					}
				}
				d.List()
			}
		})
	}
	all.Wait()
	users := map[string]string{}
	for _, v := range d.List() {
		if v.Kind != contract.Smartcard {
			continue
		}
		if _, card := cardIn(t, d, v.Name); card != v.Plugged {
			t.Errorf("%s: card %v, listed %v", v.Name, card, v.Plugged)
		}
		if v.Plugged && users[v.User] != "" {
			t.Errorf("the card of %s is in %s and %s", v.User, users[v.User], v.Name)
		}
		users[v.User] = v.Name
	}
}

func TestManyAtOnceGetAReaderEach(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{Empty: true})
	ctx := soon(t)
	names := make(chan string, 12)
	var all sync.WaitGroup
	for range cap(names) {
		all.Go(func() {
			v, err := d.Insert(ctx, contract.VirtualInsert{})
			if err != nil {
				t.Errorf("%v", err)
			}
			names <- v.Name + " " + v.User
		})
	}
	all.Wait()
	close(names)
	seen := map[string]bool{}
	for name := range names {
		seen[name] = true
	}
	if len(seen) != cap(names) || len(d.List()) != cap(names) {
		t.Errorf("%v", seen)
	}
}

func TestAfterTheEndNothingIsTaken(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{})
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := d.Insert(soon(t), contract.VirtualInsert{})
	if failure.CodeOf(err) != failure.ShuttingDown {
		t.Errorf("%v", err)
	}
	if err := d.Delete(soon(t), virtual.DefaultKey); failure.CodeOf(err) != failure.ShuttingDown {
		t.Errorf("%v", err)
	}
}

// TestADiscardedDeviceIsAnotherNextTime: a card is its user's for good, but for
// one that is thrown away.
func TestADiscardedDeviceIsAnotherNextTime(t *testing.T) {
	t.Parallel()
	const user, reader, key = "555299990001", "thrown-reader", "thrown-key"
	dir := t.TempDir()
	d := begin(t, virtual.Config{Dir: dir})
	make := func() (files [2]string) {
		must(t)(d.Insert(soon(t), contract.VirtualInsert{Name: reader, User: user}))
		must(t)(d.Plug(soon(t), contract.VirtualPlug{Name: key}))
		for i, name := range []string{"card-" + user, "key-" + key} {
			text, err := os.ReadFile(filepath.Join(dir, name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			files[i] = string(text)
		}
		return files
	}
	first := make()
	for name, kind := range map[string]contract.Kind{reader: contract.Smartcard, key: contract.SecurityKey} {
		if err := d.Discard(soon(t), kind, name); err != nil {
			t.Fatal(err)
		}
		wantCode(t, d.Discard(soon(t), kind, name), failure.NotFound, "path.name")
	}
	if second := make(); second[0] == first[0] || second[1] == first[1] {
		t.Error("the same comes again")
	}
	must(t)(d.Remove(soon(t), reader))
	wantCode(t, d.Discard(soon(t), contract.Smartcard, reader), failure.VirtualState, "path.name")
}
