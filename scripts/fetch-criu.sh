#!/bin/bash
# fetch-criu.sh: print the path of a CRIU that can work on this kernel (`criu check`): the node's own where it can, else Debian 13's
# with the libraries that it wants beside it, taken once by apt into $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools). For
# tests. Needs root and patchelf. Exits 1 with the reason on stderr where it cannot be had.
set -euo pipefail
works() { "$1" check >/dev/null 2>&1; }
own=$(command -v criu || true)
if [ -n "$own" ] && works "$own"; then echo "$own"; exit; fi
[ "$(uname -m)" = x86_64 ] || { echo "criu cannot be fetched: this machine is $(uname -m), must be x86_64" >&2; exit 1; }
command -v patchelf >/dev/null || { echo "criu cannot be fetched: there is no patchelf" >&2; exit 1; }
cache=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}
directory=$cache/criu-trixie
if ! works "$directory/criu"; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (
    cd "$work"
    mkdir -p lists/partial packages tree
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" >sources.list
    # Lists of its own: the machine's stay as they are.
    apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::Lists=$work/lists"
      -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root)
    "${apt[@]}" update
    cd packages
    "${apt[@]}" download criu libbsd0 libc6 libcompel1 libffi8 libgcc-s1 libgmp10 libgnutls30t64 libhogweed6t64 libidn2-0 libjansson4 libmd0 \
      libmnl0 libnet1 libnettle8t64 libnftables1 libnftnl11 libnl-3-200 libp11-kit0 libprotobuf-c1 libtasn1-6 libunistring5 libuuid1 \
      libxtables12
    for package in *.deb; do dpkg -x "$package" ../tree; done
    cd ..
    rm -rf "$directory"
    mkdir -p "$directory/lib"
    cp -L tree/usr/lib/x86_64-linux-gnu/*.so.* "$directory/lib/"
    cp tree/usr/sbin/criu criu
    patchelf --set-interpreter "$directory/lib/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$directory/lib" criu
    mv criu "$directory/criu"
  ) >&2
  works "$directory/criu" || { echo "criu cannot be fetched: $("$directory/criu" check 2>&1 | head -n 1)" >&2; exit 1; }
fi
echo "$directory/criu"
