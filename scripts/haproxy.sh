#!/bin/sh
# Prints the path of haproxy, the balancer that rolling restarts are tested behind: haproxy.sh [TARGET]
# The one named by WW_HAPROXY, the system's own, else Debian's package unpacked below TARGET (default: target), which touches nothing of
# the system. What is unpacked finds the libraries no system without it has in lib/ beside bin/, by LD_LIBRARY_PATH.
set -eu

target=${1:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
place=$target/haproxy

give_up() {
  echo "haproxy.sh: no haproxy: $1; install Debian's haproxy, or name one with WW_HAPROXY" >&2
  exit 1
}

works() { LD_LIBRARY_PATH=$place/lib "$1" -v > /dev/null 2>&1; }

if [ -n "${WW_HAPROXY:-}" ]; then
  works "$WW_HAPROXY" || give_up "WW_HAPROXY=$WW_HAPROXY does not run"
  echo "$WW_HAPROXY"
  exit 0
fi
for program in "$(command -v haproxy || :)" /usr/sbin/haproxy "$place/bin/haproxy"; do
  if [ -x "$program" ] && works "$program"; then
    echo "$program"
    exit 0
  fi
done

command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "this is no Debian"
scratch=$(mktemp -d "$target/haproxy.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
# apt drops its rights to download; it has to be able to write here.
chmod 755 "$scratch"

is_there() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null)" = installed ]; }

# The package, and those of the libraries it needs that are not there, and of those that they need.
with_libraries() {
  echo "$1"
  for library in $(apt-cache depends "$1" 2> /dev/null | sed -n 's/^ *Depends: \(lib[-.+0-9a-z]*\)$/\1/p'); do
    is_there "$library" || with_libraries "$library"
  done
}

# shellcheck disable=SC2046 # one word a package
download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download $(with_libraries haproxy | sort -u) >&2); }
if ! download; then
  [ "$(id -u)" -eq 0 ] || give_up "apt-get cannot download it"
  echo "haproxy.sh: updating apt's lists to download haproxy" >&2
  apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
  download || give_up "apt-get cannot download it"
fi
for file in "$scratch"/*.deb; do
  dpkg -x "$file" "$scratch/unpacked"
done
mkdir -p "$place/bin" "$place/lib"
find "$scratch/unpacked" -name 'lib*.so*' -exec mv -f {} "$place/lib/" \;
mv -f "$scratch/unpacked/usr/sbin/haproxy" "$place/bin/haproxy" || give_up "the package has it not"
works "$place/bin/haproxy" || give_up "what was unpacked does not run"
echo "$place/bin/haproxy"
