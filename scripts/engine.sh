#!/bin/sh
# Makes sure that a Docker Engine answers. Says what it does; never changes a system that has one.
set -eu

# Debian's docker.io comes without Docker's command line tool, and ww-ctl does not need it: each way
# to ask is tried where there is the program for it.
answers() {
  if command -v docker > /dev/null 2>&1; then
    docker version > /dev/null 2>&1
    return
  fi
  case ${DOCKER_HOST:-} in
    '' | unix://*)
      at=${DOCKER_HOST:-unix:///var/run/docker.sock}
      at=${at#unix://}
      [ -S "$at" ] && [ -w "$at" ] || return 1
      # Without any program to ask with, a socket one may use is taken for an Engine.
      command -v curl > /dev/null 2>&1 || return 0
      curl -fs --max-time 10 --unix-socket "$at" http://engine/_ping > /dev/null
      ;;
    *) return 0 ;;
  esac
}

if answers; then
  exit 0
fi

socket=/var/run/docker.sock
if [ -n "${DOCKER_HOST:-}" ]; then
  echo "engine: no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST; start it, or unset DOCKER_HOST" >&2
  exit 1
fi
if [ -S "$socket" ] && [ ! -w "$socket" ]; then
  echo "engine: $socket is not yours to use; run as root, or join its group (usermod -aG docker $(id -un)) and log in again" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "engine: no Docker Engine answers; start one (sudo systemctl start docker) or set DOCKER_HOST" >&2
  exit 1
fi

if ! command -v dockerd > /dev/null 2>&1; then
  if [ ! -e /etc/debian_version ] || ! command -v apt-get > /dev/null 2>&1; then
    echo "engine: no Docker Engine is installed; see https://docs.docker.com/engine/install/ and try again" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-cache show docker.io > /dev/null 2>&1 || apt-get update >&2
  # Newer releases of Debian have the command line tool in a package of its own.
  packages="docker.io iptables"
  if apt-cache show docker-cli > /dev/null 2>&1; then packages="$packages docker-cli"; fi
  echo "engine: no Docker Engine is installed; installing Debian's packages $packages" >&2
  # shellcheck disable=SC2086 # two words are two packages
  apt-get install -y --no-install-recommends $packages >&2 || {
    apt-get update >&2
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $packages >&2
  }
fi

log=/var/log/dockerd.log
if [ -d /run/systemd/system ]; then
  echo "engine: starting docker.service" >&2
  log="journalctl -u docker"
  systemctl start docker || true
elif ! answers; then
  echo "engine: starting dockerd, which writes to $log" >&2
  nohup dockerd > "$log" 2>&1 < /dev/null &
fi

# It opens its socket when it is ready; a minute is plenty.
waited=0
until answers; do
  if [ "$waited" -ge 60 ]; then
    echo "engine: the Docker Engine did not answer within $waited seconds; see $log" >&2
    exit 1
  fi
  sleep 1
  waited=$((waited + 1))
done
echo "engine: the Docker Engine answers" >&2
