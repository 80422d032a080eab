//go:build linux

package guest

import (
	"context"
	"embed"
	"fmt"
	"io"
	"strings"

	"authbridge/e2e/debian"
)

//go:embed build.sh inside
var sources embed.FS

// recipe is how the guest is built. What its snapshot needs of the machine is part
// of it.
func recipe(log io.Writer) debian.Recipe {
	return debian.Recipe{
		Name: "guest", Files: sources, More: strings.Join(machine("", "", ""), " "), Takes: "one or two minutes",
		Tools: []debian.Tool{
			{Program: "qemu-system-x86_64", In: "qemu-system-x86"},
			{Program: "qemu-img", In: "qemu-utils"},
			{Program: "mke2fs", In: "e2fsprogs"},
			{Program: "cpio", In: "cpio"},
			{Program: "xz", In: "xz-utils"},
			{Program: "zstd", In: "zstd"},
			{Program: "dpkg-deb", In: "dpkg"},
		},
		Then: func(ctx context.Context, dir string) error {
			_, _ = fmt.Fprintln(log, "guest: starting it, and keeping the state it waits in (25 s)")
			return Image{dir}.snapshot(ctx)
		},
	}
}

// Image is a guest that waits for work.
type Image struct {
	dir string
}

// Files of an image. The state is made last.
const (
	diskFile  = "disk.ext4"  // as installed
	bootFile  = "boot.qcow2" // what was written to it until the snapshot
	stateFile = "state"      // memory and devices at the snapshot
)

// Ensure returns the guest, which it builds if there is none or its recipe has
// changed, telling log what it does.
func Ensure(ctx context.Context, log io.Writer) (Image, error) {
	dir, err := recipe(log).Ensure(ctx, log)
	return Image{dir}, err
}
