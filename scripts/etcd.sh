#!/bin/sh
# Prints a directory with etcd and etcdctl, which the example notify-etcd is tested with: etcd.sh [TARGET]
# The one named by WW_ETCD, the system's own, else Debian's packages unpacked below TARGET (default: target), which touches nothing of
# the system.
set -eu

target=${1:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
place=$target/etcd

give_up() {
  echo "etcd.sh: no etcd: $1; install Debian's etcd-server and etcd-client, or name a directory that has both with WW_ETCD" >&2
  exit 1
}

works() { "$1/etcd" --version > /dev/null 2>&1 && ETCDCTL_API=3 "$1/etcdctl" version > /dev/null 2>&1; }

if [ -n "${WW_ETCD:-}" ]; then
  works "$WW_ETCD" || give_up "what is in WW_ETCD=$WW_ETCD does not run"
  echo "$WW_ETCD"
  exit 0
fi
for directory in /usr/bin "$place"; do
  if works "$directory"; then
    echo "$directory"
    exit 0
  fi
done

command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "this is no Debian"
scratch=$(mktemp -d "$target/etcd.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
# apt drops its rights to download; it has to be able to write here.
chmod 755 "$scratch"

download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download etcd-server etcd-client >&2); }
if ! download; then
  [ "$(id -u)" -eq 0 ] || give_up "apt-get cannot download it"
  echo "etcd.sh: updating apt's lists to download etcd" >&2
  apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
  download || give_up "apt-get cannot download it"
fi
for file in "$scratch"/*.deb; do
  dpkg -x "$file" "$scratch/unpacked"
done
mkdir -p "$place"
mv -f "$scratch/unpacked/usr/bin/etcd" "$scratch/unpacked/usr/bin/etcdctl" "$place/" || give_up "the packages have it not"
works "$place" || give_up "what was unpacked does not run"
echo "$place"
