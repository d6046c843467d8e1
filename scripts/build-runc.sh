#!/bin/bash
# build-runc.sh: build a runc that knows id-mapped mounts (1.2 or later; user namespaces want it and Debian 12's is older) from its Go
# module, once, into $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), and print its path. Needs go, gcc, pkg-config and
# libseccomp-dev; takes two minutes the first time. Exits 1 with the reason on stderr where it cannot be built.
set -euo pipefail
version=v1.3.6
command -v go >/dev/null || { echo "runc cannot be built: there is no go in PATH" >&2; exit 1; }
directory=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/runc-$version
if [ ! -x "$directory/runc" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$directory"
  (
    cd "$work"
    GOBIN=$work GOFLAGS=-mod=mod nice go install -trimpath -tags seccomp -ldflags "-s -w -X main.version=${version#v}" \
      "github.com/opencontainers/runc@$version"
    mv runc "$directory"
  ) >&2
fi
echo "$directory/runc"
