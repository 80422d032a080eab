# shellcheck shell=bash
# debian SUITE ROOT PACKAGES [OPTION...]: installs that Debian in ROOT, without
# manuals; the options are mmdebstrap's. It needs root and a mirror.
debian() {
  local suite=$1 root=$2 packages=$3 own list sources=()
  shift 3
  # Debian's own sources of this machine, if it has them, for it may use a mirror:
  # those of its own suite, with the other's name in its place.
  own=$(. /etc/os-release && echo "$ID:${VERSION_CODENAME-}")
  if [[ $own == debian:?* ]]; then
    for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
      if grep -qsw "${own#debian:}" "$list"; then
        sources=("$(dirname "$root")/$(basename "$list")")
        sed "s/\\b${own#debian:}\\b/$suite/g" "$list" >"${sources[0]}"
        break
      fi
    done
  fi
  mmdebstrap --mode=root --variant=minbase --format=directory --include="$packages" \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$@" "$suite" "$root" "${sources[@]}"
}
