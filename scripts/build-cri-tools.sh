#!/bin/bash
# build-cri-tools.sh: build crictl and critest from the Go module that test/e2e/cri-tools/go.mod names, once, into
# $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), and print the directory they are in. Needs go; takes two
# minutes the first time. Exits 1 with the reason on stderr where they cannot be built.
set -euo pipefail
cd "$(dirname "$0")/../test/e2e/cri-tools"
command -v go >/dev/null || { echo "crictl and critest cannot be built: there is no go in PATH" >&2; exit 1; }
version=$(sed -n 's/^require sigs.k8s.io\/cri-tools \(v.*\)$/\1/p' go.mod)
directory=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/cri-tools-$version
if [ ! -x "$directory/crictl" ] || [ ! -x "$directory/critest" ]; then
  # With all of its packages' needs in go.mod: in a copy, so that the clone stays as it is.
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cp go.mod go.sum "$work"
  mkdir -p "$directory"
  (
    cd "$work"
    export GOFLAGS=-mod=mod
    set="-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=${version#v}"
    nice go build -trimpath -ldflags "$set" -o crictl sigs.k8s.io/cri-tools/cmd/crictl
    nice go test -c -trimpath -ldflags "$set" -o critest sigs.k8s.io/cri-tools/cmd/critest
    mv crictl critest "$directory"
  ) >&2
fi
echo "$directory"
