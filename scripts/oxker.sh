#!/bin/sh
# Prints the path of oxker, the terminal dashboard that ours is measured beside: oxker.sh [TARGET]
# The one named by WW_OXKER, the system's own, else built by cargo into TARGET (default: target), which takes some minutes once.
set -eu

# The version the figures in docs/dashboard.md are of.
version=0.13.4
target=${1:-${CARGO_TARGET_DIR:-target}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
peers=$target/peers

works() { "$1" --version > /dev/null 2>&1; }

give_up() {
  echo "oxker.sh: no oxker: $1; install it, or name one with WW_OXKER" >&2
  exit 1
}

if [ -n "${WW_OXKER:-}" ]; then
  works "$WW_OXKER" || give_up "WW_OXKER=$WW_OXKER does not run"
  echo "$WW_OXKER"
  exit 0
fi
for program in "$(command -v oxker || :)" "$peers/bin/oxker"; do
  if [ -x "$program" ] && works "$program"; then
    echo "$program"
    exit 0
  fi
done

echo "oxker.sh: building oxker $version, which takes some minutes once" >&2
cargo install --quiet --locked --root "$peers" --target-dir "$target/oxker" "oxker@$version" >&2 || give_up "cargo cannot build it"
works "$peers/bin/oxker" || give_up "what was built does not run"
echo "$peers/bin/oxker"
