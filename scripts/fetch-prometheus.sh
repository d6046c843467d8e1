#!/bin/bash
# fetch-prometheus.sh: print the directory that has prometheus and promtool: the node's own where it has both, else Debian's package
# unpacked into $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools) without being installed, so that no service starts. For
# tests. Exits 1 with the reason on stderr where they cannot be had.
set -euo pipefail
own=$(command -v promtool || true)
if [ -n "$own" ] && [ -x "$(dirname "$own")/prometheus" ]; then dirname "$own"; exit; fi
directory=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/prometheus
if ! [ -x "$directory/prometheus" ]; then
  command -v apt-get >/dev/null || { echo "prometheus cannot be fetched: there is no apt-get" >&2; exit 1; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (
    cd "$work"
    apt-get -qq -o APT::Sandbox::User=root download prometheus || { apt-get -qq update && apt-get -qq -o APT::Sandbox::User=root download prometheus; }
    dpkg -x prometheus_*.deb .
    rm -rf "$directory"
    mkdir -p "$directory"
    mv usr/bin/promtool usr/bin/prometheus "$directory"
  ) >&2
fi
"$directory/promtool" --version >/dev/null 2>&1 || { echo "prometheus cannot be fetched: $directory/promtool does not run here" >&2; exit 1; }
echo "$directory"
