#!/bin/sh
# Prints a directory whose bin/ has the supervisors that the agent is measured beside: peers.sh [TARGET]
# tini, dumb-init, s6-svscan, bash and restic. The system's own where it has them, else Debian's packages unpacked below TARGET (default: target),
# which touches nothing of the system. What is unpacked finds its libraries in lib/ beside bin/, by LD_LIBRARY_PATH.
set -eu

target=${1:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
peers=$target/peers

give_up() {
  echo "peers.sh: no $1: $2; install Debian's $1" >&2
  exit 1
}

# What is wanted of a package.
programs_of() {
  case $1 in
    tini) echo tini ;;
    dumb-init) echo dumb-init ;;
    s6) echo s6-svscan s6-supervise ;;
    bash) echo bash ;;
    restic) echo restic ;;
  esac
}

has_all() {
  for program in $(programs_of "$1"); do
    [ -x "$peers/bin/$program" ] || return 1
  done
}

# Links to the system's own; an older link may lead to what is gone by now.
link_system() {
  for program in $(programs_of "$1"); do
    path=$(command -v "$program") && [ "${path#/}" != "$path" ] || return 1
  done
  for program in $(programs_of "$1"); do
    ln -sfn "$(command -v "$program")" "$peers/bin/$program"
  done
}

download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download "$@" >&2); }

# The package and those of its own libraries that no system without it has.
with_libraries() {
  echo "$1"
  apt-cache depends "$1" 2> /dev/null | sed -n 's/^ *Depends: \(lib\(s6\|skarnet\|execline\)[-.0-9a-z]*\)$/\1/p'
}

unpack() {
  package=$1
  command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "$package" "this is no Debian"
  scratch=$(mktemp -d "$target/peers.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 1' INT TERM HUP
  # apt drops its rights to download; it has to be able to write here.
  chmod 755 "$scratch"
  # shellcheck disable=SC2046 # one word a package
  if ! download $(with_libraries "$package"); then
    [ "$(id -u)" -eq 0 ] || give_up "$package" "apt-get cannot download it"
    echo "peers.sh: updating apt's lists to download $package" >&2
    apt-get -qq update >&2 || give_up "$package" "apt-get cannot update its lists"
    # shellcheck disable=SC2046
    download $(with_libraries "$package") || give_up "$package" "apt-get cannot download it"
  fi
  for file in "$scratch"/*.deb; do
    dpkg -x "$file" "$scratch/unpacked"
  done
  find "$scratch/unpacked" -name 'lib*.so*' -exec mv -f {} "$peers/lib/" \;
  for program in $(programs_of "$package"); do
    for place in "$scratch/unpacked/bin" "$scratch/unpacked/usr/bin"; do
      if [ -x "$place/$program" ]; then mv -f "$place/$program" "$peers/bin/"; fi
    done
  done
  rm -rf "$scratch"
  has_all "$package" || give_up "$package" "the package has it not"
}

mkdir -p "$peers/bin" "$peers/lib"
for package in tini dumb-init s6 bash restic; do
  has_all "$package" || link_system "$package" || unpack "$package"
done
echo "$peers"
