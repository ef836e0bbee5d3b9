#!/bin/sh
# Runs every test, and says at the end how many there were. Needs WW_AGENT_BINARY, WW_BUSYBOX,
# WW_BASH, WW_SSHD, WW_HAPROXY, WW_PODMAN, WW_COMPARE, WW_DATABASES and WW_RESTIC; a test that lacks something fails, none is skipped.
set -eu
: "${WW_AGENT_BINARY:?}" "${WW_BUSYBOX:?}" "${WW_BASH:?}" "${WW_SSHD:?}" "${WW_HAPROXY:?}" "${WW_PODMAN:?}" "${WW_COMPARE:?}" "${WW_DATABASES:?}" "${WW_RESTIC:?}"
export WW_AGENT_BINARY WW_BUSYBOX WW_BASH WW_SSHD WW_HAPROXY WW_PODMAN WW_COMPARE WW_DATABASES WW_RESTIC

mkdir -p "${CARGO_TARGET_DIR:=target}"
log=$(mktemp "$CARGO_TARGET_DIR/test.XXXXXX")
trap 'rm -f "$log"' EXIT

# Most end-to-end tests wait for containers, not for a processor: with two threads on two cores
# almost half the machine is idle.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$(($(nproc) * 2))}"

# The end-to-end tests run the operator's tool. The whole workspace is built before the first test runs, and the
# tool with it, for its own integration tests; built alone it would have other features, and be compiled twice.
#
# POSIX sh has no pipefail: the status goes through a file.
{ cargo test --locked --workspace --no-fail-fast 2>&1 && echo 0 > "$log.status" || echo 1 > "$log.status"; } | tee "$log"
status=$(cat "$log.status")
rm -f "$log.status"

awk '/^test result:/ { passed += $4; failed += $6; ignored += $8; runs += 1 }
  END { printf "\n%d passed, %d failed, %d ignored in %d test programs\n", passed, failed, ignored, runs }' "$log"
exit "$status"
