//go:build linux && e2e

package kernel_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/fido/vkey"
)

// trouble is what one key is like, and what must be said of it.
type trouble struct {
	fault     vkey.FaultName
	delay     time.Duration
	condition contract.Condition
	code      string // of the key
	check     string // that fails, or does not
}

var troubles = []trouble{
	{vkey.Slow, 300 * time.Millisecond, contract.Ready, "", ""},
	{vkey.Mute, 0, contract.Mute, "KEY_MUTE", "KEY_MUTE"},
	{vkey.ForeignChannel, 0, contract.Mute, "KEY_MUTE", "KEY_MUTE"},
	{vkey.Garbage, 0, contract.Unreadable, "KEY_HOSTILE", "KEY_HOSTILE"},
	{vkey.Busy, 0, contract.InUse, "KEY_BUSY", "KEY_BUSY"},
	{vkey.PINBlocked, 0, contract.Ready, "", "KEY_PIN_RETRIES"},
	{vkey.NoPIN, 0, contract.Ready, "", "KEY_PIN_SET"},
	{vkey.U2FOnly, 0, contract.Ready, "", "KEY_FIDO2"},
}

func TestEachTroubleIsAStateAndHidesNoOtherKey(t *testing.T) {
	group := keyRules(t)
	keys := map[trouble]*vkey.Key{}
	for _, tr := range troubles {
		k := guestKey(t, "guest-"+string(tr.fault))
		if err := k.SetFaults(vkey.Fault{Name: tr.fault, Delay: tr.delay}); err != nil {
			t.Fatal(err)
		}
		plugUHID(t, k)
		keys[tr] = k
	}
	good := guestKey(t, "guest-good")
	plugUHID(t, good)
	b := startBridge(t, group)
	b.await("the good key", product(good.Product(), contract.Ready))
	for _, tr := range troubles {
		a := b.await(string(tr.fault), product(keys[tr].Product(), tr.condition))
		if a.Code != tr.code {
			t.Errorf("%s: code %q (%s), want %q", tr.fault, a.Code, a.Detail, tr.code)
		}
		bad := slices.DeleteFunc(slices.Clone(a.Checks), func(c contract.Check) bool { return c.State == contract.Pass })
		said := slices.ContainsFunc(bad, func(c contract.Check) bool { return c.Code == tr.check && c.Remedy != "" && c.Evidence != "" })
		if !said && tr.check != "" {
			t.Errorf("%s: want %s and its remedy among %+v", tr.fault, tr.check, bad)
		}
	}
	var v contract.Verdict
	if exit := b.says(&v, "ready", "--aal", "3", "--target", "mock", "--kind", "security-key"); exit != 0 {
		t.Errorf("with a good key among them: exit code %d, %s", exit, v.Summary)
	}
	// They get well while they are plugged in, and are asked once more.
	for _, tr := range troubles {
		if err := keys[tr].SetFaults(); err != nil {
			t.Error(err)
		}
		a := b.await(string(tr.fault), func(a *contract.Authenticator) bool { return a.Product == keys[tr].Product() })
		if err := b.Read(t.Context(), a.ID); err != nil {
			t.Error(err)
		}
	}
	for _, tr := range troubles {
		a := b.await(string(tr.fault)+", well again", func(a *contract.Authenticator) bool {
			return a.Product == keys[tr].Product() && a.Condition == contract.Ready && a.PIN.TriesLeft != nil && *a.PIN.TriesLeft == 8
		})
		if a.Code != "" || a.Detail != "" || slices.ContainsFunc(a.Checks, func(c contract.Check) bool { return c.State == contract.Fail }) {
			t.Errorf("%s, well again: %+v", tr.fault, a)
		}
	}
	for tr, k := range keys {
		if n := k.Stats().PINTries; n != 0 {
			t.Errorf("%s: %d PIN tries", tr.fault, n)
		}
	}
}

func TestTheRuleMayComeWhileTheDaemonRuns(t *testing.T) {
	k := guestKey(t, "guest-late")
	plugUHID(t, k)
	udevAtRest(t)
	b := startBridge(t, keyGroup(t))
	b.await("without the rule", product(k.Product(), contract.Forbidden))
	b.wantsARemedy(k.Product(), "KEY_FORBIDDEN")
	installRules(t)
	if out, err := exec.Command("udevadm", "trigger", "--subsystem-match=hidraw", "--action=change").CombinedOutput(); err != nil {
		t.Fatalf("udevadm trigger: %v %s", err, out)
	}
	b.await("with the rule", product(k.Product(), contract.Ready))
}

func TestThirtyTwoKeysAtOnce(t *testing.T) {
	group := keyRules(t)
	b := startBridge(t, group)
	events := b.follow()
	const many = 32
	plugs, serials := make([]*vkey.UHID, many), make([]*vkey.Key, many)
	for i := range serials {
		serials[i] = guestKey(t, "guest-many-"+strings.Repeat("x", i+1))
	}
	var all sync.WaitGroup
	for i, k := range serials {
		all.Go(func() {
			var err error
			if plugs[i], err = vkey.PlugUHID(context.Background(), k); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	ready := map[string]bool{}
	var plugged, unplugged []string
	take := func(e contract.Event) bool {
		switch {
		case e.Type == contract.KeyPlugged:
			plugged = append(plugged, e.Subject)
		case e.Type == contract.KeyUnplugged:
			unplugged = append(unplugged, e.Subject)
		case e.Type == contract.AuthenticatorChanged && e.Authenticator.Condition == contract.Ready:
			ready[e.Subject] = true
		}
		return len(ready) == many && (len(plugged) == many && len(unplugged) == 0 || len(unplugged) == many)
	}
	next(t, events, take)
	for _, u := range plugs {
		all.Go(func() {
			if err := u.Unplug(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	next(t, events, take)
	slices.Sort(plugged)
	slices.Sort(unplugged)
	if !slices.Equal(plugged, unplugged) || len(slices.Compact(plugged)) != many {
		t.Errorf("plugged: %v\nunplugged: %v", plugged, unplugged)
	}
	udevAtRest(t)
	s, err := b.Status(t.Context())
	if err != nil || len(s.Authenticators) != 0 {
		t.Errorf("left over: %+v, %v", s, err)
	}
}
