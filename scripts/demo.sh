#!/bin/sh
# The demonstration: demo.sh WW_CTL. Makes a fleet, shows it, and leaves nothing behind however it ends.
set -eu
ctl=$1

# Ctrl-C reaches every process of the foreground; the one that cleans up must not be among those
# that give up, so it ignores further ones.
down() {
  status=$?
  trap '' INT TERM HUP
  "$ctl" demo down || status=$?
  exit "$status"
}
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

"$ctl" demo up
if [ -t 0 ] && [ -t 1 ]; then
  "$ctl" top
else
  # No terminal: the same fleet as lines, for about half a minute. Long enough for the web server to
  # warm up and for the broken one to have failed.
  round=1
  while [ "$round" -le 10 ]; do
    echo
    echo "after $(((round - 1) * 3)) seconds:"
    "$ctl" ls --filter label=io.whaleware.demo=1
    [ "$round" -eq 10 ] || sleep 3
    round=$((round + 1))
  done
fi
