#!/bin/bash
# build-go-program.sh DIRECTORY NAME WHAT [OPTION...]: build the Go program in DIRECTORY (go.mod, go.sum, main.go; from the root of the
# repository) once, into $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), and print its path. WHAT it is called in
# the error where there is no go; OPTIONs are go build's. Exits 1 with the reason on stderr where it cannot be built.
set -euo pipefail
directory=$1 name=$2 what=$3
shift 3
cd "$(dirname "$0")/../$directory"
command -v go >/dev/null || { echo "$what cannot be built: there is no go in PATH" >&2; exit 1; }
stamp=$({ cat go.mod go.sum main.go; printf %s "${CGO_ENABLED:-}"; } | sha256sum | cut -c1-12)
program=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/$name-$stamp/$name
if [ ! -x "$program" ]; then
  mkdir -p "$(dirname "$program")"
  nice go build -trimpath -ldflags '-s -w' "$@" -o "$program.new" . >&2
  mv "$program.new" "$program"
fi
echo "$program"
