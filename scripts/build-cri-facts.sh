#!/bin/bash
# build-cri-facts.sh: build test/integration/api/cri-facts (what the Go module k8s.io/cri-api says of itself) once, against the
# tag that api/cri/README.md names, into $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), and print the program's
# path. Needs go; downloads some 15 MB and takes a minute the first time. Exits 1 with the reason on stderr where it cannot be built.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "there is no go in PATH" >&2; exit 1; }
tag=$(sed -n 's/^ *k8s\.io\/cri-api \(v[^ ]*\)$/\1/p' api/cri/README.md)
source=test/integration/api/cri-facts/main.go
program=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/cri-facts-$tag-$(sha256sum <"$source" | cut -c1-12)/facts
if [ ! -x "$program" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cp "$source" "$work"
  printf 'module podwright/cri-facts\n\ngo 1.26.0\n\nrequire k8s.io/cri-api %s\n' "$tag" >"$work/go.mod"
  mkdir -p "$(dirname "$program")"
  (cd "$work" && GOFLAGS=-mod=mod GOTOOLCHAIN=local GOWORK=off nice go build -trimpath -ldflags '-s -w' -o "$program.new" .) >&2
  mv "$program.new" "$program"
fi
echo "$program"
