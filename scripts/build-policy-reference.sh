#!/bin/bash
# build-policy-reference.sh: build test/fixtures/policy-reference (signature policies evaluated by the library of CRI-O, podman
# and skopeo) once, into $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), and print the program's path. Needs go;
# takes two minutes the first time. Exits 1 with the reason on stderr where it cannot be built.
set -euo pipefail
cd "$(dirname "$0")/../test/fixtures/policy-reference"
command -v go >/dev/null || { echo "the policies' reference cannot be built: there is no go in PATH" >&2; exit 1; }
stamp=$(cat go.mod go.sum main.go | sha256sum | cut -c1-12)
program=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/policy-reference-$stamp/policy-reference
if [ ! -x "$program" ]; then
  mkdir -p "$(dirname "$program")"
  # OpenPGP in Go, since gpgme would need its headers; no store of images is asked.
  tags=containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper
  CGO_ENABLED=0 nice go build -tags "$tags" -trimpath -ldflags '-s -w' -o "$program.new" . >&2
  mv "$program.new" "$program"
fi
echo "$program"
