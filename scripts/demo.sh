#!/bin/bash
# demo.sh: on a fresh Debian 12 or 13, as root: install what is needed, build, and run a pod with a container over the CRI
# socket of a daemon of our own. Everything of it lies in a temporary directory and is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
  echo "demo.sh: is run as uid $(id -u), must be root: it mounts file systems and makes namespaces" >&2
  exit 1
fi
bash scripts/install-deps.sh run
exec node_modules/.bin/node scripts/demo.ts
