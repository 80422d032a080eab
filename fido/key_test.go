package fido_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"authbridge/fido"
	"authbridge/fido/vkey"
)

// patience is how long the tests wait for what must come.
const patience = 30 * time.Second

func newKey(t *testing.T, cfg vkey.Config) *vkey.Key {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "one"
	}
	k, err := vkey.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// busOf is a bus with keys in it.
func busOf(t *testing.T, keys ...*vkey.Key) *vkey.Bus {
	t.Helper()
	b := vkey.NewBus()
	t.Cleanup(b.Close)
	for _, k := range keys {
		if err := b.Plug(k); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// nodes lists a bus.
func nodes(t *testing.T, b fido.Bus) []fido.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all []fido.Node
	if err := b.Watch(ctx, func(c fido.Change) {
		if c.Settled {
			cancel()
			return
		}
		all = append(all, c.Node)
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func openKey(t *testing.T, b fido.Bus) *fido.Key {
	t.Helper()
	k, err := fido.OpenKey(t.Context(), b, nodes(t, b)[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func TestAKeyIsReadWithoutCostingATry(t *testing.T) {
	t.Parallel()
	v := newKey(t, vkey.Config{PIN: []byte("1234")})
	k := openKey(t, busOf(t, v))
	if h := k.Hello(); !h.CBOR || h.MSG || !h.Wink {
		t.Errorf("%+v", h)
	}
	for range 100 {
		r, err := k.Retries(t.Context())
		if err != nil || r.PIN == nil || *r.PIN != 8 || r.PowerCycle || r.UV != nil {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	info, err := k.Info(t.Context())
	if err != nil || !info.FIDO2() || info.AAGUID != fido.AAGUID([]byte(vkey.AAGUID)) || !info.Has("clientPin") || !slices.Equal(info.PINProtocols, []uint{2, 1}) {
		t.Errorf("%+v, %v", info, err)
	}
	if err := k.Wink(t.Context()); err != nil {
		t.Error(err)
	}
	for _, n := range []int{0, 1, 57, 58, 1000} {
		if err := k.Ping(t.Context(), bytes.Repeat([]byte{byte(n)}, n)); err != nil {
			t.Errorf("%d octets: %v", n, err)
		}
	}
	if s := v.Stats(); s.PINTries != 0 {
		t.Errorf("%d PIN tries", s.PINTries)
	}
}

func TestTriesOfKeysWithoutAPIN(t *testing.T) {
	t.Parallel()
	none := openKey(t, busOf(t, newKey(t, vkey.Config{})))
	if r, err := none.Retries(t.Context()); err != nil || r.PIN != nil {
		t.Errorf("no PIN set: %+v, %v", r, err)
	}
	blocked := openKey(t, busOf(t, newKey(t, vkey.Config{PIN: []byte("1234"), Faults: []vkey.Fault{{Name: vkey.PINBlocked}}})))
	if r, err := blocked.Retries(t.Context()); err != nil || r.PIN == nil || *r.PIN != 0 {
		t.Errorf("blocked: %+v, %v", r, err)
	}
	u2f := openKey(t, busOf(t, newKey(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.U2FOnly}}})))
	if info, err := u2f.Info(t.Context()); err != nil || info.FIDO2() || !slices.Equal(info.Versions, []string{"U2F_V2"}) {
		t.Errorf("U2F only: %+v, %v", info, err)
	}
	if r, err := u2f.Retries(t.Context()); err != nil || r.PIN != nil {
		t.Errorf("U2F only: %+v, %v", r, err)
	}
}

func TestATouchIsWaitedForAndCanBeCalledOff(t *testing.T) {
	t.Parallel()
	v := newKey(t, vkey.Config{Touch: vkey.TouchCommand})
	k := openKey(t, busOf(t, v))
	needed := make(chan struct{})
	var once sync.Once
	waits := func(s fido.Keepalive) {
		if s == fido.STATUS_UPNEEDED {
			once.Do(func() { close(needed) })
		}
	}
	go func() {
		<-needed
		v.Touch()
	}()
	if err := k.Select(t.Context(), waits); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_ = v.AwaitTouch(ctx)
		cancel()
	}()
	if err := k.Select(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
	if v.Touch() {
		t.Error("the key still waits for a touch")
	}
	if _, err := k.Info(t.Context()); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	v := newKey(t, vkey.Config{Touch: vkey.TouchCommand})
	k := openKey(t, busOf(t, v))
	done := make(chan error, 1)
	go func() { done <- k.Select(t.Context(), nil) }()
	if err := v.AwaitTouch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; !errors.Is(err, fido.ErrClosed) {
		t.Errorf("what was under way: %v", err)
	}
	if _, err := k.Info(t.Context()); !errors.Is(err, fido.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if v.Touch() {
		t.Error("the key still waits for a touch")
	}
}

func TestAKeyThatIsPulledOutIsGone(t *testing.T) {
	t.Parallel()
	v := newKey(t, vkey.Config{Touch: vkey.TouchCommand})
	b := busOf(t, v)
	node := nodes(t, b)[0]
	k := openKey(t, b)
	go func() {
		_ = v.AwaitTouch(t.Context())
		_ = b.Unplug(v)
	}()
	if err := k.Select(t.Context(), nil); !errors.Is(err, fido.ErrGone) {
		t.Errorf("%v, want %v", err, fido.ErrGone)
	}
	if _, err := fido.OpenKey(t.Context(), b, node); !errors.Is(err, fido.ErrGone) {
		t.Errorf("opened again: %v, want %v", err, fido.ErrGone)
	}
}

// Two of our own keys' worth of programs on one key: hidraw gives each all the
// reports of both.
func TestTwoOpenersDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	v := newKey(t, vkey.Config{PIN: []byte("1234")})
	b := busOf(t, v)
	var work sync.WaitGroup
	for i := range 2 {
		k := openKey(t, b)
		work.Go(func() {
			for range 50 {
				if _, err := k.Info(t.Context()); err != nil {
					t.Error(err)
				}
				if r, err := k.Retries(t.Context()); err != nil || *r.PIN != 8 {
					t.Errorf("%+v, %v", r, err)
				}
				if err := k.Ping(t.Context(), bytes.Repeat([]byte{byte(i)}, 500)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
}

func TestFaultyKeysFailWithTheirOwnError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault vkey.Fault
		want  error
	}{
		{vkey.Fault{Name: vkey.Mute}, fido.ErrMute},
		{vkey.Fault{Name: vkey.Busy}, fido.ErrInUse},
		{vkey.Fault{Name: vkey.Garbage}, fido.ErrMalformed},
		{vkey.Fault{Name: vkey.ForeignChannel}, fido.ErrMute},
	} {
		t.Run(string(c.fault.Name), func(t *testing.T) {
			t.Parallel()
			b := busOf(t, newKey(t, vkey.Config{Faults: []vkey.Fault{c.fault}}))
			k, err := fido.OpenKey(t.Context(), b, nodes(t, b)[0])
			if err == nil {
				_, err = k.Info(t.Context())
				if cerr := k.Close(); cerr != nil {
					t.Error(cerr)
				}
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
