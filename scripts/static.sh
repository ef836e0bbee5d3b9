#!/bin/sh
# Prints the path of a statically linked program: static.sh busybox|bash [TARGET]
# The one named by WW_BUSYBOX or WW_BASH, the system's own where it is static, else Debian's package unpacked below TARGET (default:
# target), which touches nothing of the system.
set -eu

case ${1:-} in
  busybox) package=busybox-static inside=busybox variable=WW_BUSYBOX ;;
  bash) package=bash-static inside=bash-static variable=WW_BASH ;;
  *)
    echo "usage: static.sh busybox|bash [TARGET]" >&2
    exit 2
    ;;
esac
program=$1
target=${2:-${CARGO_TARGET_DIR:-target}}

# A dynamic program has the path of its loader near its beginning. A rough look; ww-ctl looks at
# the program headers.
is_static() {
  [ -x "$1" ] && [ "$(head -c 4 "$1" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] || return 1
  ! head -c 4096 "$1" | tr '\000' '\n' | grep -aq '^/.*/ld[-.0-9a-z_]*\.so'
}

eval "named=\${$variable:-}"
if [ -n "$named" ]; then
  is_static "$named" || {
    echo "static.sh: $variable=$named is not a static program" >&2
    exit 1
  }
  echo "$named"
  exit 0
fi

# Absolute: whoever asked may look from elsewhere.
mkdir -p "$target"
target=$(cd "$target" && pwd)

for place in "/bin/$inside" "/usr/bin/$inside" "/bin/$program" "/usr/bin/$program" "$target/$program"; do
  if is_static "$place"; then
    echo "$place"
    exit 0
  fi
done

give_up() {
  echo "static.sh: no static $program: $1; install Debian's $package, or name one with $variable" >&2
  exit 1
}

command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "this is no Debian"
scratch=$(mktemp -d "$target/static.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
# apt drops its rights to download; it has to be able to write here.
chmod 755 "$scratch"

download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2); }
if ! download; then
  [ "$(id -u)" -eq 0 ] || give_up "apt-get cannot download $package"
  echo "static.sh: updating apt's lists to download $package" >&2
  apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
  download || give_up "apt-get cannot download $package"
fi
dpkg -x "$scratch"/*.deb "$scratch/unpacked"
found=
for place in "$scratch/unpacked/bin/$inside" "$scratch/unpacked/usr/bin/$inside"; do
  if is_static "$place"; then found=$place; fi
done
[ -n "$found" ] || give_up "$package has none"
mv "$found" "$target/$program"
echo "$target/$program"
