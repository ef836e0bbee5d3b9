#!/bin/sh
# Prints the path of restic, the program that keeps backups in a deduplicating repository: restic.sh [TARGET]
# The one named by WW_RESTIC, the system's own, else Debian's package unpacked below TARGET (default: target), which touches nothing of
# the system. It is one static program.
set -eu

target=${1:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
place=$target/restic

give_up() {
  echo "restic.sh: no restic: $1; install Debian's restic, or name one with WW_RESTIC" >&2
  exit 1
}

works() { "$1" version > /dev/null 2>&1; }

if [ -n "${WW_RESTIC:-}" ]; then
  works "$WW_RESTIC" || give_up "WW_RESTIC=$WW_RESTIC does not run"
  echo "$WW_RESTIC"
  exit 0
fi
for program in "$(command -v restic || :)" "$place/bin/restic"; do
  if [ -x "$program" ] && works "$program"; then
    echo "$program"
    exit 0
  fi
done

command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "this is no Debian"
scratch=$(mktemp -d "$target/restic.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
# apt drops its rights to download; it has to be able to write here.
chmod 755 "$scratch"

download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download restic >&2); }
if ! download; then
  [ "$(id -u)" -eq 0 ] || give_up "apt-get cannot download it"
  echo "restic.sh: updating apt's lists to download restic" >&2
  apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
  download || give_up "apt-get cannot download it"
fi
for file in "$scratch"/*.deb; do
  dpkg -x "$file" "$scratch/unpacked"
done
mkdir -p "$place/bin"
mv -f "$scratch/unpacked/usr/bin/restic" "$place/bin/restic" || give_up "the package has it not"
works "$place/bin/restic" || give_up "what was unpacked does not run"
echo "$place/bin/restic"
