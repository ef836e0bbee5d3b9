#!/bin/sh
# Prints a directory with the programs that archives are compared by: compare.sh [TARGET]
# rsync, getfattr, setfattr, getfacl, setfacl, getcap, setcap and GNU tar, in its bin/. The one named by WW_COMPARE; else one below TARGET
# (default: target) with the system's own, and what it has not from Debian's packages, unpacked there, which touches nothing of the
# system. What is unpacked finds the libraries no system without it has in lib/ beside bin/, by LD_LIBRARY_PATH.
set -eu

target=${1:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
place=$target/compare
# Each with the package it is in.
programs='rsync:rsync getfattr:attr setfattr:attr getfacl:acl setfacl:acl getcap:libcap2-bin setcap:libcap2-bin tar:tar'

give_up() {
  echo "compare.sh: $1; install Debian's rsync, attr, acl, libcap2-bin and tar, or name a directory with their programs in bin/ with WW_COMPARE" >&2
  exit 1
}

# setcap and getcap have no --version, and their --help fails; the linker's complaint is 127.
works() {
  status=0
  LD_LIBRARY_PATH=$1/lib "$1/bin/$2" --version > /dev/null 2>&1 || status=$?
  [ "$status" -lt 126 ]
}

lacks() {
  for program in $programs; do
    works "$1" "${program%:*}" || echo "$program"
  done
}

if [ -n "${WW_COMPARE:-}" ]; then
  missing=$(lacks "$WW_COMPARE" | tr '\n' ' ')
  [ -z "$missing" ] || give_up "WW_COMPARE=$WW_COMPARE has no $missing"
  echo "$WW_COMPARE"
  exit 0
fi
mkdir -p "$place/bin" "$place/lib"
for program in $(lacks "$place"); do
  name=${program%:*}
  for found in "$(command -v "$name" || :)" "/usr/sbin/$name" "/sbin/$name"; do
    if [ -x "$found" ]; then
      ln -sf "$found" "$place/bin/$name"
      break
    fi
  done
done
packages=$(lacks "$place" | sed 's/.*://' | sort -u)
if [ -z "$packages" ]; then
  echo "$place"
  exit 0
fi

command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "this is no Debian"
scratch=$(mktemp -d "$target/compare.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
# apt drops its rights to download; it has to be able to write here.
chmod 755 "$scratch"

is_there() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null)" = installed ]; }

# A package, and those of the libraries it needs that are not there, and of those that they need.
with_libraries() {
  echo "$1"
  for library in $(apt-cache depends "$1" 2> /dev/null | sed -n 's/^ *Depends: \(lib[-.+0-9a-z]*\)$/\1/p'); do
    is_there "$library" || with_libraries "$library"
  done
}

download() {
  # shellcheck disable=SC2046 # one word a package
  (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download $(for package in $packages; do with_libraries "$package"; done | sort -u) >&2)
}
if ! download; then
  [ "$(id -u)" -eq 0 ] || give_up "apt-get cannot download them"
  echo "compare.sh: updating apt's lists to download $(echo $packages)" >&2
  apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
  download || give_up "apt-get cannot download them"
fi
for file in "$scratch"/*.deb; do
  dpkg -x "$file" "$scratch/unpacked"
done
find "$scratch/unpacked" -name 'lib*.so*' -exec mv -f {} "$place/lib/" \;
for program in $programs; do
  found=$(find "$scratch/unpacked" -path "*bin/${program%:*}" | head -n 1)
  [ -z "$found" ] || mv -f "$found" "$place/bin/${program%:*}"
done
missing=$(lacks "$place" | tr '\n' ' ')
[ -z "$missing" ] || give_up "what was unpacked has no $missing"
echo "$place"
