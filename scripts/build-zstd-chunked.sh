#!/bin/bash
# build-zstd-chunked.sh: build test/fixtures/zstd-chunked (the compressor of containers/storage) once, into
# $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), and print the program's path. Needs go; takes a minute the
# first time. Exits 1 with the reason on stderr where it cannot be built.
set -euo pipefail
cd "$(dirname "$0")/../test/fixtures/zstd-chunked"
command -v go >/dev/null || { echo "containers' zstd:chunked compressor cannot be built: there is no go in PATH" >&2; exit 1; }
stamp=$(cat go.mod go.sum main.go | sha256sum | cut -c1-12)
program=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/zstd-chunked-$stamp/zstd-chunked
if [ ! -x "$program" ]; then
  mkdir -p "$(dirname "$program")"
  nice go build -trimpath -ldflags '-s -w' -o "$program.new" . >&2
  mv "$program.new" "$program"
fi
echo "$program"
