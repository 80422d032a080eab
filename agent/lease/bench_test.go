package lease

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// What lending costs, with each step written down so that it outlives a killed
// daemon.
func BenchmarkTakeAndRelease(b *testing.B) {
	d, _ := begin(b, newWorld(b, virtualKey(1)), openStore(b, b.TempDir()))
	ci, request := token("ci"), forMock("")
	b.ReportAllocs()
	for b.Loop() {
		l, err := d.Take(b.Context(), ci, request, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Release(b.Context(), ci, l.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// One page synced to the same disk, to compare with: lending waits for none.
func BenchmarkOneFsync(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "page"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := file.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// Lending in a crowd of 200 that waits for 4.
func BenchmarkCrowd(b *testing.B) {
	d, _ := begin(b, newWorld(b, virtualKey(1), virtualKey(2), virtualKey(3), virtualKey(4)), openStore(b, b.TempDir()))
	b.SetParallelism(100) // times GOMAXPROCS
	b.RunParallel(func(pb *testing.PB) {
		by := token(fmt.Sprintf("%p", pb))
		for pb.Next() {
			l, err := d.Take(b.Context(), by, forMock("10m"), nil)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := d.Release(b.Context(), by, l.ID); err != nil {
				b.Error(err)
			}
		}
	})
}

// A check is asked for with each request that a lease's own token makes.
func BenchmarkToken(b *testing.B) {
	d, _ := begin(b, newWorld(b, virtualKey(1)), &memory{})
	l, err := d.Take(b.Context(), token("ci"), forMock(""), nil)
	if err != nil {
		b.Fatal(err)
	}
	secret := []byte(l.Token)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.Token(secret); !ok {
			b.Fatal("it is not found")
		}
	}
}
