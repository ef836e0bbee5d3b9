#!/bin/sh
# Fuzzes every target for a while, all at once: fuzz.sh [SECONDS [TARGET…]]; 600 seconds by default.
# Needs a C++ compiler (g++) for libFuzzer, which comes with its crate, and nothing but stable Rust.
# What is new is kept below the target directory; a finding is left there, named, and fails.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-600}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- frame config filter

target=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz would set: coverage as libFuzzer wants it. With --target it is not for build scripts.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Clink-dead-code --cfg fuzzing" \
  cargo build --locked --release --manifest-path fuzz/Cargo.toml --target-dir "$target" --target "$host"

fuzz() {
  mkdir -p "$target/corpus/$1" "$target/findings"
  status=0
  "$target/$host/release/$1" "$target/corpus/$1" "fuzz/corpus/$1" -max_total_time="$seconds" \
    -max_len=4096 -timeout=30 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$target/findings/$1-" > "$target/$1.log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    echo "fuzz: $1: $(grep -o 'cov: [0-9]*' "$target/$1.log" | tail -n 1), $(sed -n 's/^stat::number_of_executed_units: *//p' "$target/$1.log") executions, nothing found"
  else
    tail -n 40 "$target/$1.log" >&2
    echo "fuzz: $1 FAILED ($status), the whole log is $target/$1.log" >&2
  fi
  return "$status"
}

jobs=
for name; do
  fuzz "$name" &
  jobs="$jobs $!"
done
failed=0
for job in $jobs; do
  wait "$job" || failed=1
done
exit "$failed"
