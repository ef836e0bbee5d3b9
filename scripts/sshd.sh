#!/bin/sh
# Prints a directory whose sbin/sshd is OpenSSH's server: sshd.sh [TARGET]. The system's own where it has one, else Debian's package
# unpacked below TARGET (default: target), which touches nothing of the system: nothing is installed, and no server is started.
# The client's programs, ssh and ssh-keygen, and openssl are installed where they are missing, after saying so: nothing runs by itself.
# What is unpacked finds its libraries in lib/ beside sbin/, by LD_LIBRARY_PATH; newer servers have a second program, libexec/sshd-session.
set -eu

target=${1:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
place=$target/sshd

give_up() {
  echo "sshd.sh: no OpenSSH server: $1; install Debian's openssh-server" >&2
  exit 1
}

missing=
command -v ssh > /dev/null 2>&1 && command -v ssh-keygen > /dev/null 2>&1 || missing="openssh-client"
command -v openssl > /dev/null 2>&1 || missing="$missing openssl"
if [ -n "$missing" ]; then
  command -v apt-get > /dev/null 2>&1 && [ "$(id -u)" -eq 0 ] || give_up "and no $missing"
  echo "sshd.sh: installing Debian's $missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # two words are two packages
  apt-get install -y --no-install-recommends $missing >&2 || {
    apt-get update >&2
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $missing >&2
  }
fi

if [ -x "$place/sbin/sshd" ]; then
  echo "$place"
  exit 0
fi
mkdir -p "$place/sbin" "$place/lib" "$place/libexec"
if [ -x /usr/sbin/sshd ]; then
  ln -sfn /usr/sbin/sshd "$place/sbin/sshd"
  echo "$place"
  exit 0
fi

command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "this is no Debian"
scratch=$(mktemp -d "$target/sshd.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
# apt drops its rights to download; it has to be able to write here.
chmod 755 "$scratch"

# The package and those of its libraries that are not there.
wanted() {
  echo openssh-server
  apt-cache depends openssh-server 2> /dev/null | sed -n 's/^ *Depends: \(lib[-+.0-9a-z]*\)$/\1/p' | while read -r library; do
    dpkg -s "$library" > /dev/null 2>&1 || echo "$library"
  done
}

# shellcheck disable=SC2046 # one word a package
download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download $(wanted) >&2); }
if ! download; then
  [ "$(id -u)" -eq 0 ] || give_up "apt-get cannot download it"
  echo "sshd.sh: updating apt's lists to download openssh-server" >&2
  apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
  download || give_up "apt-get cannot download it"
fi
for file in "$scratch"/*.deb; do
  dpkg -x "$file" "$scratch/unpacked"
done
find "$scratch/unpacked" -name 'lib*.so*' -exec mv -f {} "$place/lib/" \;
find "$scratch/unpacked" -type f \( -name sshd-session -o -name sshd-auth \) -exec mv -f {} "$place/libexec/" \;
# Last, because it is what is looked for.
mv -f "$scratch/unpacked/usr/sbin/sshd" "$place/sbin/sshd" || give_up "the package has it not"
echo "$place"
