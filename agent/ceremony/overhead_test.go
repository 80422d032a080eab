package ceremony_test

import (
	"context"
	"testing"

	"authbridge/agent/store"
	"authbridge/fido"
	"authbridge/fido/vkey"
)

// BenchmarkGet is an assertion by the virtual key, with its PIN: raw, on an
// opened key, and as a ceremony with all that is written to the disk for it.
func BenchmarkGet(b *testing.B) {
	b.Run("raw", func(b *testing.B) {
		d := benchDesk(b)
		id := d.register()
		for b.Loop() {
			ctx := b.Context()
			key, err := d.Key(ctx, "key-blue")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := key.Retries(ctx); err != nil {
				b.Fatal(err)
			}
			token, err := key.PINToken(ctx, []byte(pin), fido.PermitGetAssertion, "localhost")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := key.Assert(ctx, fido.GetAssertion{RPID: "localhost", Allow: [][]byte{id}}, token, nil); err != nil {
				b.Fatal(err)
			}
			if err := key.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, disk := range map[string]bool{"ceremony": false, "ceremony on disk": true} {
		b.Run(name, func(b *testing.B) {
			d := benchDesk(b)
			if disk {
				d.onDisk(b)
			}
			made := d.registered()
			g := d.grant("l1", ci)
			for b.Loop() {
				d.does(ci, withPIN(request(g, allow(made)), pin))
			}
		})
	}
}

func benchDesk(b *testing.B) *desk {
	d := newDesk(b, vkey.Config{})
	d.lend("l1", ci)
	return d
}

func (d *desk) registered() registered {
	d.t.Helper()
	return registration(d.t, d.does(ci, withPIN(creation(d.grant("l1", ci)), pin)))
}

func (d *desk) register() []byte {
	d.t.Helper()
	return decoded(d.t, d.registered().ID)
}

// onDisk gives the desk a real store.
func (d *desk) onDisk(b *testing.B) {
	b.Helper()
	s, err := store.Open(context.Background(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	d.stop()
	d.disk = s
	d.start()
	d.lend("l1", ci)
	b.Cleanup(func() {
		d.stop()
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
}
