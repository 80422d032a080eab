#!/usr/bin/env bash
# build.sh OUT: a Debian with rpm in OUT/root: no Fedora, but scripts, systemd and
# users are real. Needs root and a Debian mirror.
set -euo pipefail
exec 3>&1 1>&2 # standard output is for progress alone
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath "$1")
. "$here/debian.sh"

echo "installer: installing Debian with rpm (20 s)" >&3
debian trixie "$out/root" systemd,passwd,rpm,libpcsclite1
# Debian's rpm keeps its database at home.
echo '%_dbpath /var/lib/rpm' >"$out/root/root/.rpmmacros"
rm -rf "$out"/root/var/cache/apt/* "$out"/root/var/lib/apt/lists/*
chroot "$out/root" useradd -m ada
