#!/usr/bin/env bash
# build.sh OUT: a Debian with Wine in OUT/root. Needs root and a Debian mirror.
set -euo pipefail
exec 3>&1 1>&2 # standard output is for progress alone
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath "$1")
. "$here/debian.sh"

# Debian 12's Wine 8 does not start what Go compiles.
suite=trixie
echo "wine: installing Debian $suite with Wine (70 s)" >&3
debian "$suite" "$out/root" wine,wine64
echo '127.0.0.1 localhost' >"$out/root/etc/hosts"
rm -rf "$out"/root/var/cache/apt/* "$out"/root/var/lib/apt/lists/*
