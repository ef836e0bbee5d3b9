#!/bin/sh
# Prints the path of a tar with the root of a small Debian, as Debian's own image has it: debian.sh SUITE [TARGET]
# Made by debootstrap from the mirror that this machine's apt uses, once for each suite; it stays below TARGET (default: target).
# debootstrap is unpacked there too where the system has none.
set -eu

suite=$1
target=${2:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target/roots"
target=$(cd "$target" && pwd)
place=$target/roots/$suite.tar

give_up() {
  echo "debian.sh: no Debian $suite: $1" >&2
  exit 1
}

if [ -f "$place" ]; then
  echo "$place"
  exit
fi
[ "$(id -u)" -eq 0 ] || give_up "debootstrap needs root"
command -v apt-get > /dev/null 2>&1 && command -v dpkg-deb > /dev/null 2>&1 || give_up "this is no Debian"

scratch=$(mktemp -d "$target/roots/making.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
# apt drops its rights to download; it has to be able to write here.
chmod 755 "$scratch"

download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download "$@" >&2); }

bootstrap=$(command -v debootstrap || true)
if [ -z "$bootstrap" ]; then
  if ! download debootstrap; then
    echo "debian.sh: updating apt's lists to download debootstrap" >&2
    apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
    download debootstrap || give_up "apt-get cannot download debootstrap"
  fi
  dpkg-deb -x "$scratch"/debootstrap_*.deb "$scratch/unpacked"
  export DEBOOTSTRAP_DIR="$scratch/unpacked/usr/share/debootstrap"
  bootstrap=$scratch/unpacked/usr/sbin/debootstrap
fi

mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 'Created-By: Packages' | awk '$2 == "Debian" { print $1; exit }')
[ -n "$mirror" ] || give_up "apt knows no mirror of Debian"
echo "debian.sh: making a root of Debian $suite from $mirror" >&2
"$bootstrap" --variant=minbase "$suite" "$scratch/root" "$mirror" > "$scratch/log" 2>&1 || {
  tail -5 "$scratch/log" >&2
  give_up "debootstrap has failed"
}
# sid's lists are good for a week, and a mirror that stands still for longer does for tests.
echo 'Acquire::Check-Valid-Until "false";' > "$scratch/root/etc/apt/apt.conf.d/99valid-until"
# What each image would carry along and nobody reads.
rm -rf "$scratch"/root/var/cache/apt/* "$scratch"/root/var/lib/apt/lists/* "$scratch"/root/usr/share/doc/* "$scratch"/root/usr/share/man/* \
  "$scratch"/root/usr/share/locale/* "$scratch"/root/var/log/*.log
tar -C "$scratch/root" --one-file-system --numeric-owner -cf "$scratch/tar" .
mv "$scratch/tar" "$place"
echo "$place"
