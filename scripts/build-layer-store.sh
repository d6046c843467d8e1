#!/bin/bash
# build-layer-store.sh: build test/fixtures/layer-store (stargz-snapshotter's layer store, and its writer of eStargz layers) once,
# into $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), and print the program's path. Needs go; takes two minutes the
# first time. Exits 1 with the reason on stderr where it cannot be built.
set -euo pipefail
cd "$(dirname "$0")/../test/fixtures/layer-store"
command -v go >/dev/null || { echo "the layer store cannot be built: there is no go in PATH" >&2; exit 1; }
stamp=$(cat go.mod go.sum main.go | sha256sum | cut -c1-12)
program=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/layer-store-$stamp/layer-store
if [ ! -x "$program" ]; then
  mkdir -p "$(dirname "$program")"
  CGO_ENABLED=0 nice go build -trimpath -ldflags '-s -w' -o "$program.new" . >&2
  mv "$program.new" "$program"
fi
echo "$program"
