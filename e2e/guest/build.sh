#!/usr/bin/env bash
# build.sh OUT: makes disk.ext4, vmlinux and initrd of the guest in OUT. Needs
# root and a Debian mirror; each step says what it does.
set -euo pipefail
exec 3>&1 1>&2 # standard output is for progress alone
export PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath "$1")
. "$here/debian.sh"
suite=trixie
packages=systemd,systemd-sysv,libpam-systemd,polkitd,udev,dbus,kmod,busybox-static,fido2-tools,pcscd,libccid,opensc,usbutils,procps,openssh-server
modules="virtio_pci virtio_blk ext4 virtio_console virtio_rng 9p 9pnet_virtio configfs
  uhid hid-generic usbhid uhci_hcd dummy_hcd libcomposite usb_f_hid"
early="virtio_pci virtio_blk ext4" # what it takes to mount the disk

work=$(mktemp -d -p "$out" work.XXXXXX)
trap 'rm -rf "$work"' EXIT
root=$work/root kernel=$work/root/kernel
say() { echo "guest: $*" >&3; }

say "installing Debian $suite (40 s)"
# The kernel is unpacked and not installed: that would make an initial RAM disk
# of its own, and bring 300 MB of drivers.
debian "$suite" "$root" "$packages" \
  --customize-hook='
    cd "$1/.."
    export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
    apt-get download -q "$(apt-cache depends linux-image-amd64 | sed -n "s/.*Depends: \(linux-image-[0-9].*\)/\1/p" | head -n 1)"'
dpkg-deb -x "$work"/linux-image-*.deb "$kernel"
[ -e "$kernel/lib" ] || ln -s usr/lib "$kernel/lib" # since Debian 13
version=$(basename "$kernel"/lib/modules/*)

say "choosing kernel modules of $version"
# The guest's own kmod does it: this machine need not have one.
chroot "$root" depmod -b /kernel "$version"
needs() { # the files of modules and of what they depend on, in order, below /kernel
  for module in "$@"; do chroot "$root" modprobe -d /kernel -S "$version" --show-depends "$module"; done |
    awk '$1 == "insmod" && !seen[$2]++ {sub("^/kernel", "", $2); print $2}'
}
# shellcheck disable=SC2086
needs $modules | while read -r file; do install -D -m 644 "$kernel$file" "$root$file"; done
# shellcheck disable=SC2086
needs $early >"$work/early"
cp "$kernel/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$version/"
chroot "$root" depmod "$version"
mv "$kernel" "$work/kernel"
kernel=$work/kernel

say "setting it up"
echo guest >"$root/etc/hostname"
printf '%s localhost\n' 127.0.0.1 ::1 >"$root/etc/hosts"
echo '/dev/vda / ext4 rw,noatime 0 1' >"$root/etc/fstab"
printf '%s\n' uhid virtio_console 9p 9pnet_virtio configfs >"$root/etc/modules-load.d/guest.conf"
chroot "$root" useradd -m -s /bin/bash tester
install -m 755 "$here/inside/agent" "$root/usr/local/sbin/agent"
units=$root/etc/systemd/system
install -m 644 "$here/inside/agent.service" "$units/agent.service"
mkdir -p "$units/multi-user.target.wants"
ln -s ../agent.service "$units/multi-user.target.wants/agent.service"
ln -s /lib/systemd/system/multi-user.target "$units/default.target"
# What costs time here and serves nobody, or not before a test starts it.
rm -f "$units"/{multi-user.target.wants/ssh,sshd}.service
for unit in getty@tty1.service serial-getty@ttyS0.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
  e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-timesyncd.service systemd-pstore.service; do
  ln -sf /dev/null "$units/$unit"
done
rm -f "$root"/etc/dpkg/dpkg.cfg.d/*mmdebstrap* # what the tests install is whole
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*

say "making its disk and its initial RAM disk"
mke2fs -q -t ext4 -O ^has_journal -L root -d "$root" "$out/disk.ext4" 900M
ram=$work/ram
mkdir -p "$ram"/{bin,dev,proc,sys,root,modules}
cp "$root/bin/busybox" "$ram/bin/"
install -m 755 "$here/inside/init" "$ram/init"
while read -r file; do
  name=$(basename "$file" .xz)
  case $file in # busybox reads no compressed ones
    *.xz) xz -dc "$kernel$file" >"$ram/modules/$name" ;;
    *) cp "$kernel$file" "$ram/modules/$name" ;;
  esac
  echo "$name" >>"$ram/modules/order"
done <"$work/early"
(cd "$ram" && find . | cpio -o -H newc --quiet) >"$out/initrd"

# An uncompressed kernel starts 9 s earlier where the processor is emulated. zstd
# complains of what follows its data in the image.
image=$(ls "$kernel"/boot/vmlinuz-*)
at=$(LC_ALL=C grep -abom1 -P '\x28\xb5\x2f\xfd' "$image" | head -n 1 | cut -d: -f1)
tail -c "+$((at + 1))" "$image" | zstd -qdc >"$out/vmlinux" 2>/dev/null || true
[ "$(head -c 4 "$out/vmlinux" | tail -c 3)" = ELF ] || { echo "no kernel was found in $image"; exit 1; }
