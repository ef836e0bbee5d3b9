#!/bin/sh
# Prints the path of a program that runs Podman: podman.sh [TARGET]
# The system's own Podman where it has one, else Debian's package unpacked below TARGET (default: target), which touches nothing of
# the system. Either way with a configuration of its own: runc, no systemd, no network, its events in a file. Give it --root, --runroot and
# --tmpdir; its containers are nobody else's then.
set -eu

target=${1:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
place=$target/podman

give_up() {
  echo "podman.sh: no Podman: $1; install Debian's podman" >&2
  exit 1
}

runtime=
for program in "$(command -v runc || true)" /usr/sbin/runc /usr/bin/runc; do
  if [ -z "$runtime" ] && [ -x "$program" ]; then runtime=$program; fi
done
[ -n "$runtime" ] || give_up "there is no runc, which comes with every Docker Engine"

download() { (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download "$@" >&2); }

# The libraries that a package needs by itself, but those every system has.
libraries_of() {
  apt-cache depends "$@" 2> /dev/null | sed -n 's/^ *|*Depends: \(lib[^ ]*\)$/\1/p' | grep -v '^libc6$' | sort -u
}

packages() {
  libraries=$(libraries_of podman conmon)
  # shellcheck disable=SC2086 # one word a package
  echo podman conmon golang-github-containers-common golang-github-containers-image $libraries $(libraries_of $libraries)
}

unpack() {
  command -v apt-get > /dev/null 2>&1 && command -v dpkg > /dev/null 2>&1 || give_up "this is no Debian"
  scratch=$(mktemp -d "$target/podman.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 1' INT TERM HUP
  # apt drops its rights to download; it has to be able to write here.
  chmod 755 "$scratch"
  # shellcheck disable=SC2046 # one word a package
  if ! download $(packages); then
    [ "$(id -u)" -eq 0 ] || give_up "apt-get cannot download it"
    echo "podman.sh: updating apt's lists to download podman" >&2
    apt-get -qq update >&2 || give_up "apt-get cannot update its lists"
    # shellcheck disable=SC2046
    download $(packages) || give_up "apt-get cannot download it"
  fi
  for file in "$scratch"/*.deb; do
    dpkg -x "$file" "$scratch/unpacked"
  done
  [ -x "$scratch/unpacked/usr/bin/podman" ] || give_up "the package has it not"
  mkdir -p "$scratch/unpacked/lib-all"
  find "$scratch/unpacked" -name 'lib*.so*' -not -path '*/lib-all/*' -exec cp -d {} "$scratch/unpacked/lib-all/" \;
  rm -rf "$place"
  mkdir -p "$place"
  mv "$scratch/unpacked" "$place/root"
}

# What is asked for is decided anew each time; what was unpacked stays.
if podman=$(command -v podman) && conmon=$(command -v conmon); then
  libraries=
  mkdir -p "$place"
else
  [ -x "$place/root/usr/bin/podman" ] && [ -x "$place/root/usr/bin/conmon" ] || unpack
  podman=$place/root/usr/bin/podman
  conmon=$place/root/usr/bin/conmon
  libraries=$place/root/lib-all
fi

mkdir -p "$place/home/.config/containers" "$place/bin"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$place/home/.config/containers/policy.json"
echo 'unqualified-search-registries = []' > "$place/registries.conf"
seccomp=
profile=
for file in "$place/root/usr/share/containers/seccomp.json" /usr/share/containers/seccomp.json; do
  if [ -z "$seccomp" ] && [ -f "$file" ]; then seccomp=$file; fi
done
if [ -n "$seccomp" ]; then profile="seccomp_profile = \"$seccomp\""; fi
# The limits: without them Podman wants to raise its own, which not everybody may. Both numbers of each are the same, because Podman 4.3
# exchanges them on their way through Docker's API.
cat > "$place/containers.conf" << CONF
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
conmon_path = ["$conmon"]
[engine.runtimes]
runc = ["$runtime"]
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "none"
$profile
CONF
paths=
if [ -n "$libraries" ]; then paths="export LD_LIBRARY_PATH='$libraries'"; fi
cat > "$place/bin/podman.new" << RUN
#!/bin/sh
export HOME='$place/home' CONTAINERS_CONF='$place/containers.conf' CONTAINERS_REGISTRIES_CONF='$place/registries.conf'
$paths
unset XDG_CONFIG_HOME
exec '$podman' --storage-driver vfs "\$@"
RUN
chmod 755 "$place/bin/podman.new"
mv -f "$place/bin/podman.new" "$place/bin/podman"
"$place/bin/podman" --version > /dev/null || give_up "what there is does not run"
echo "$place/bin/podman"
