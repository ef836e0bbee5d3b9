#!/bin/sh
# Prints a directory that is the root of a container with PostgreSQL and MariaDB: databases.sh [TARGET]
# The one named by WW_DATABASES, else one below TARGET (default: target): Debian's packages and the libraries they need, unpacked there, which
# touches nothing of the system, with busybox for what scripts call. It has a user db, 1000.
set -eu

target=${1:-${CARGO_TARGET_DIR:-target}}
if [ -n "${WW_DATABASES:-}" ]; then
  echo "$WW_DATABASES"
  exit
fi
mkdir -p "$target"
target=$(cd "$target" && pwd)
place=$target/databases
here=$(cd "$(dirname "$0")" && pwd)

give_up() {
  echo "databases.sh: no databases: $1; name a root directory that has Debian's postgresql-15 and mariadb-server with WW_DATABASES" >&2
  exit 1
}

programs='postgresql-15 postgresql-client-15 mariadb-server mariadb-server-core mariadb-client mariadb-client-core mariadb-common'

# All they need to be linked, libraries of libraries too. What PostgreSQL compiles queries with is as large as all else, and never used.
libraries() {
  # shellcheck disable=SC2086 # one word a package
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
    postgresql-15 postgresql-client-15 mariadb-server-core mariadb-client-core 2> /dev/null |
    sed -n 's/^\(lib[^ :]*\|zlib1g\)$/\1/p' | grep -v -e '^libllvm' -e '^libz3' -e '-perl' -e '^libperl' | sort -u
}

download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download "$@" >&2); }

fetch() {
  # shellcheck disable=SC2046,SC2086
  set -- $programs $(libraries)
  download "$@"
}

complete() { [ -x "$place/usr/lib/postgresql/15/bin/postgres" ] && [ -x "$place/usr/sbin/mariadbd" ] && [ -f "$place/etc/passwd" ]; }

unpack() {
  command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "this is no Debian"
  scratch=$(mktemp -d "$target/databases.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 1' INT TERM HUP
  # apt drops its rights to download; it has to be able to write here.
  chmod 755 "$scratch"
  if ! fetch; then
    [ "$(id -u)" -eq 0 ] || give_up "apt-get cannot download them"
    echo "databases.sh: updating apt's lists" >&2
    apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
    fetch || give_up "apt-get cannot download them"
  fi
  root=$scratch/unpacked
  # As Debian's own root has them, and the linker wants them.
  mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/"
  for file in "$scratch"/*.deb; do
    dpkg-deb --fsys-tarfile "$file" | tar -C "$root" -x --keep-directory-symlink
  done
  rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/lib/postgresql/15/lib/bitcode"
  mkdir -p "$root/etc" "$root/tmp" "$root/run" "$root/dev" "$root/proc" "$root/sys" "$root/data" "$root/root"
  chmod 1777 "$root/tmp"
  printf 'root:x:0:0::/root:/bin/sh\ndb:x:1000:1000::/data:/bin/sh\n' > "$root/etc/passwd"
  printf 'root:x:0:\ndb:x:1000:\n' > "$root/etc/group"
  # What their own scripts, and a test's, call.
  cp "$("$here/static.sh" busybox "$target")" "$root/usr/bin/busybox"
  for name in sh su mkdir chown chmod cat yes sleep sed rm touch basename dirname hostname ls expr id whoami grep test tr cut head \
    uname env kill ln mv cp date true false tee; do
    [ -e "$root/usr/bin/$name" ] || ln -s busybox "$root/usr/bin/$name"
  done
  rm -rf "$place"
  mv "$root" "$place"
}

complete || unpack
complete || give_up "the packages have them not"
echo "$place"
