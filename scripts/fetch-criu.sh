#!/bin/bash
# fetch-criu.sh: print the path of a CRIU that can work on this kernel (`criu check`): the node's own where it can, else Debian 13's
# (from-trixie.sh). For tests. Needs root. Exits 1 with the reason on stderr where it cannot be had.
set -euo pipefail
works() { "$1" check >/dev/null 2>&1; }
own=$(command -v criu || true)
if [ -n "$own" ] && works "$own"; then echo "$own"; exit; fi
source "$(dirname "$0")/from-trixie.sh"
from_trixie criu usr/sbin/criu criu libbsd0 libc6 libcompel1 libffi8 libgcc-s1 libgmp10 libgnutls30t64 libhogweed6t64 libidn2-0 \
  libjansson4 libmd0 libmnl0 libnet1 libnettle8t64 libnftables1 libnftnl11 libnl-3-200 libp11-kit0 libprotobuf-c1 libtasn1-6 \
  libunistring5 libuuid1 libxtables12
works "$fetched" || { echo "criu cannot be fetched: $("$fetched" check 2>&1 | head -n 1)" >&2; exit 1; }
echo "$fetched"
