#!/bin/bash
# build-proto-facts.sh cri|nri: build test/integration/api/proto-facts (what a Go module says of its protos) once, against the module and
# the tag that api/cri/README.md or api/nri/README.md names, into $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), and print the
# program's path. Needs go; downloads some 15 MB and takes a minute the first time. Exits 1 with the reason on stderr where it cannot be built.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "there is no go in PATH" >&2; exit 1; }
read -r module tag < <(sed -n 's/^    \([a-z0-9./-]* v[^ ]*\)$/\1/p' "api/$1/README.md")
package=$(sed -n 's/^option go_package = "\([^;"]*\).*/\1/p' "api/$1/api.proto")
source=test/integration/api/proto-facts/main.go
program=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/$1-facts-$tag-$(sha256sum <"$source" | cut -c1-12)/facts
if [ ! -x "$program" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cp "$source" "$work"
  printf 'package main\n\nimport _ "%s"\n' "$package" >"$work/package.go"
  printf 'module podwright/proto-facts\n\ngo 1.26.0\n\nrequire %s %s\n' "$module" "$tag" >"$work/go.mod"
  mkdir -p "$(dirname "$program")"
  (cd "$work" && GOFLAGS=-mod=mod GOTOOLCHAIN=local GOWORK=off nice go build -trimpath -ldflags '-s -w' -o "$program.new" .) >&2
  mv "$program.new" "$program"
fi
echo "$program"
