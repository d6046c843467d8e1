#!/bin/bash
# fetch-crun.sh: print the path of a crun that knows id-mapped mounts (1.9 or later; user namespaces want it): the node's own where it
# does, else Debian 13's (from-trixie.sh). For tests. Exits 1 with the reason on stderr where it cannot be had.
set -euo pipefail
works_here() { "$1" features 2>/dev/null | tr -d ' \n\t' | grep -q '"idmap":{"enabled":true'; }
own=$(command -v crun || true)
if [ -n "$own" ] && works_here "$own"; then echo "$own"; exit; fi
source "$(dirname "$0")/from-trixie.sh"
works() { works_here "$1" && [ -e "$(dirname "$1")/lib/libcriu.so.2" ]; }
# libcriu2 and what it wants: crun loads it for checkpoints.
from_trixie crun usr/bin/crun crun libc6 libcap2 libcriu2 libgcc-s1 libprotobuf-c1 libseccomp2 libsystemd0 libyajl2
works "$fetched" || { echo "crun cannot be fetched: $fetched does not run here" >&2; exit 1; }
echo "$fetched"
