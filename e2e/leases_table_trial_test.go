//go:build linux && cgo

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
	"authbridge/platform"

	apiclient "authbridge/agent/client"
)

// trial is a row of the table on its way: a daemon of its own with one
// authenticator.
type trial struct {
	t  *testing.T
	at rowKey
	p  *program
	// settings are the daemon's flags, said what it said.
	settings []string
	said     *transcript
	// client is who takes leases: the user of this machine, over the socket.
	client *apiclient.Client

	kind contract.Kind
	id   string // of the authenticator
	// Of a card.
	pcscd *pcscd.Daemon
	card  *vcard.Card
	plug  *vcard.Plug // nil while it is out
	down  bool        // pcscd is
	// Of a key.
	key     string
	out     bool
	touched bool // by command: somebody must do it

	tries  uint64 // that the authenticator had counted before
	sent   uint64 // right PINs since
	nexts  int    // ceremonies that succeeded after something had happened
	leases int    // taken
}

// bound is for the next ceremony. It takes 2 s at most on a machine that does
// nothing else.
const bound = 20 * time.Second

func newTrial(t *testing.T, at rowKey, binary string, settings ...string) *trial {
	t.Helper()
	x := &trial{
		t: t, at: at, settings: settings, said: &transcript{},
		p: &program{t: t, binary: binary, state: filepath.Join(t.TempDir(), "state")},
	}
	t.Cleanup(func() {
		if x.p.daemon != nil {
			_ = x.p.daemon.Process.Kill()
			_ = x.p.daemon.Wait()
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", x.said)
		}
	})
	x.start()
	x.client = x.p.client()
	t.Cleanup(x.client.Close)
	return x
}

// tryCard has a card in a pcscd, where another trial has left it running.
func tryCard(t *testing.T, at rowKey, binary string, d *pcscd.Daemon) *trial {
	t.Helper()
	x := newTrial(t, at, binary, "--virtual", "off")
	x.kind, x.pcscd, x.card = contract.Smartcard, d, lendingCard(t, firstCard)
	// pcscd looks for cards at intervals, so that it may still tell of the last trial's.
	x.await("an empty reader", func() bool {
		s := x.status()
		return sourceIs("pcsc", "up")(s) && len(s.Authenticators) == 0 &&
			slices.ContainsFunc(s.Readers, func(r contract.Reader) bool {
				return r.Name == d.Reader(0) && r.Condition == contract.Empty
			})
	})
	x.putBack()
	x.await("the card", func() bool {
		all := x.status().Authenticators
		if len(all) != 1 || all[0].Condition != contract.Ready {
			return false
		}
		x.id = all[0].ID
		return true
	})
	t.Cleanup(func() {
		if x.plug != nil {
			_ = x.plug.Close()
		}
	})
	return x
}

// tryKey has a key in its daemon. It is touched by command where the row is of
// that.
func tryKey(t *testing.T, at rowKey, binary string) *trial {
	t.Helper()
	x := newTrial(t, at, binary, "--virtual", "on", "--physical", "off")
	x.kind, x.key, x.touched = contract.SecurityKey, "virtual-key-1", at.state == string(contract.CeremonyTouch)
	// Each is seen before the next: what is told later is no news of what is done now.
	there := func() bool {
		x.id = x.device().Authenticator
		return x.id != "" && x.there()
	}
	x.await("the key of its start", there)
	x.takeAway()
	x.await("its way out", func() bool { return !x.there() })
	x.putBack()
	x.await("the key", there)
	return x
}

// start starts the daemon and waits until it listens.
func (x *trial) start() {
	x.t.Helper()
	p := x.p
	p.daemon = exec.Command(p.binary, append([]string{"run", "--state-dir", p.state, "--listen", "127.0.0.1:0"}, x.settings...)...)
	p.daemon.Stderr = x.said
	out, err := p.daemon.StdoutPipe()
	must(x.t, err)
	must(x.t, p.daemon.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening on http://127.0.0.1:") {
		x.t.Fatalf("it said %q, %v", line, err)
	}
	if x.key != "" {
		x.tries = 0 // it counts from its start
	}
}

// transcript is what a program says.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// end holds that something was tried, and ends the daemon in order.
func (x *trial) end() {
	x.t.Helper()
	if x.nexts == 0 {
		x.t.Error("no ceremony followed")
	}
	x.p.stop()
}

// await waits until something holds.
func (x *trial) await(what string, holds func() bool) {
	x.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			s, _ := json.Marshal(x.status())
			ceremonies, _ := x.client.Ceremonies(x.t.Context())
			x.t.Fatalf("%s: waiting for %s; there is %s and %+v", x.at, what, s, ceremonies)
		}
	}
}

func (x *trial) status() *contract.Snapshot {
	x.t.Helper()
	s, err := x.client.Status(x.t.Context())
	must(x.t, err)
	return s
}

// there is whether the daemon has the authenticator.
func (x *trial) there() bool {
	x.t.Helper()
	a := authenticatorIn(x.status(), x.id)
	return a != nil && (a.Condition == contract.Present || a.Condition == contract.Ready || a.Condition == contract.InUse)
}

func (x *trial) device() contract.VirtualDevice {
	x.t.Helper()
	all, err := x.client.Virtual(x.t.Context())
	must(x.t, err)
	for _, d := range all {
		if d.Name == x.key {
			return d
		}
	}
	x.t.Fatalf("there is no key %s", x.key)
	return contract.VirtualDevice{}
}

// fault does what the fault of the row is, where it is something that happens
// to the authenticator.
func (x *trial) fault() {
	x.t.Helper()
	if x.at.fault == "pcscd killed" {
		x.crash()
	} else {
		x.takeAway()
	}
}

// takeAway pulls the card or unplugs the key.
func (x *trial) takeAway() {
	x.t.Helper()
	if x.kind == contract.Smartcard {
		must(x.t, x.plug.Close())
		x.plug = nil
		return
	}
	_, err := x.client.UnplugKey(x.t.Context(), x.key)
	must(x.t, err)
	x.out = true
}

// putBack undoes takeAway.
func (x *trial) putBack() {
	x.t.Helper()
	if x.kind == contract.Smartcard {
		p, err := vcard.PlugVPCD(context.WithoutCancel(x.t.Context()), x.pcscd.Addr(0), x.card)
		must(x.t, err)
		x.plug = p
		return
	}
	touch := "auto"
	if x.touched {
		touch = "command"
	}
	_, err := x.client.PlugKey(x.t.Context(), contract.VirtualPlug{Name: x.key, Touch: touch})
	must(x.t, err)
	x.out = false
}

func (x *trial) crash() {
	x.t.Helper()
	x.pcscd.Kill()
	x.down = true
}

// restore undoes whatever the row did to the authenticator, and nothing else.
func (x *trial) restore() {
	x.t.Helper()
	if x.down {
		x.pcscd.Restart()
		x.down = false
	}
	if x.kind == contract.Smartcard {
		x.card.ClearFaults()
		if x.plug == nil {
			x.await("the removal to be seen", func() bool { return !x.there() })
			x.putBack()
		}
		must(x.t, x.plug.Seen(x.t.Context()))
		return
	}
	_, err := x.client.SetKeyFaults(x.t.Context(), x.key)
	must(x.t, err)
	if x.out {
		x.putBack()
	}
}

// settle is the end of what happened: what the row took away comes back, the
// next ceremony succeeds, and when nobody has the authenticator any more it is
// as it was.
func (x *trial) settle(l contract.Lease) {
	x.t.Helper()
	x.restore()
	x.counts()
	began := time.Now()
	x.await("the authenticator", x.there)
	took := time.Since(began)
	if l.State != contract.LeaseActive {
		x.leftAsFound(l.Remarks)
	}
	began = time.Now()
	if l.State != contract.LeaseActive {
		l = x.take(contract.LeaseRequest{}).Lease
	}
	done := x.finish(x.begin(x.client, x.plain(l.ID), true))
	took += time.Since(began)
	if done.State != contract.CeremonyDone {
		x.t.Errorf("the next ceremony is %s: %+v", done.State, done.Problem)
	}
	if took > bound {
		x.t.Errorf("the next ceremony took %s", took)
	}
	x.t.Logf("%s: the next ceremony took %s", x.kind, took.Round(time.Millisecond))
	x.nexts++
	ended, err := x.client.ReleaseLease(x.t.Context(), l.ID)
	if err != nil || len(ended.Remarks) > 0 && x.kind == contract.Smartcard {
		x.t.Errorf("released: %v, %v", ended.Remarks, err)
	}
	x.leftAsFound(nil)
	x.tries, x.sent = x.pinTries(), 0
}

// counts holds that no PIN was sent but the right ones of the row.
func (x *trial) counts() {
	x.t.Helper()
	if got := x.pinTries() - x.tries; got != x.sent && (x.kind == contract.Smartcard || x.sent == 0) {
		x.t.Errorf("%d PINs were sent, want %d", got, x.sent)
	}
}

func (x *trial) pinTries() uint64 {
	x.t.Helper()
	if x.kind == contract.Smartcard {
		return x.card.PINTries()
	}
	return x.device().PINTries
}

// leftAsFound holds that a card takes no PIN for verified and has all its tries,
// and that a key has all its tries and no credential, unless the remarks say so:
// what a daemon that was killed has left there needs a PIN.
func (x *trial) leftAsFound(remarks []string) {
	x.t.Helper()
	if x.kind == contract.Smartcard {
		if sw := x.emptyVerify(); sw != 0x63C3 {
			x.t.Errorf("the card answers an empty VERIFY with %04X", sw)
		}
		return
	}
	text, err := os.ReadFile(x.p.keyFile(x.key))
	must(x.t, err)
	var memory struct {
		PINRetries  int               `json:"pin_retries"`
		Credentials []json.RawMessage `json:"credentials"`
	}
	must(x.t, json.Unmarshal(text, &memory))
	told := x.at.fault == "daemon killed" && strings.Contains(strings.Join(remarks, "; "), "may still hold discoverable credentials")
	if memory.PINRetries != 8 || len(memory.Credentials) > 0 && !told {
		x.t.Errorf("the key has %d tries left and %d credentials", memory.PINRetries, len(memory.Credentials))
	}
}

// emptyVerify asks the card, as another program, whether a PIN is verified.
func (x *trial) emptyVerify() uint16 {
	x.t.Helper()
	pc, err := pcsc.Native().Establish()
	must(x.t, err)
	defer func() { must(x.t, pc.Release()) }()
	h, err := pc.Connect(x.pcscd.Reader(0), pcsc.ShareShared, pcsc.ProtocolAny)
	must(x.t, err)
	defer func() { must(x.t, h.Disconnect(pcsc.LeaveCard)) }()
	must(x.t, h.BeginTransaction())
	defer func() { must(x.t, h.EndTransaction(pcsc.LeaveCard)) }()
	var sw uint16
	for _, command := range []string{"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x00", "\x00\x20\x00\x80"} {
		answer, err := h.Transmit([]byte(command))
		if err != nil || len(answer) < 2 {
			x.t.Fatalf("%d octets, %v", len(answer), err)
		}
		sw = uint16(answer[len(answer)-2])<<8 | uint16(answer[len(answer)-1])
	}
	return sw
}

// somebody is a caller with a token of their own.
func (x *trial) somebody(name string) *apiclient.Client {
	x.t.Helper()
	token, err := x.client.CreateToken(x.t.Context(), contract.TokenRequest{Name: name, Rights: []contract.Right{contract.RightRead, contract.RightLease}})
	must(x.t, err)
	return x.with(token.Secret)
}

// with is a caller with a token.
func (x *trial) with(token string) *apiclient.Client {
	c := &apiclient.Client{URL: "unix://" + platform.SocketIn(x.p.state), Token: token}
	x.t.Cleanup(c.Close)
	return c
}
