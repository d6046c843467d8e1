#!/bin/bash
# fetch-crun.sh: print the path of a crun that knows id-mapped mounts (1.9 or later; user namespaces want it): the node's own where it
# does, else Debian 13's with the libraries that it wants beside it, taken once by apt into $PODWRIGHT_TOOLS_CACHE (default
# /var/cache/podwright-tools). For tests. Needs patchelf. Exits 1 with the reason on stderr where it cannot be had.
set -euo pipefail
knows_idmap() { "$1" features 2>/dev/null | tr -d ' \n\t' | grep -q '"idmap":{"enabled":true'; }
own=$(command -v crun || true)
if [ -n "$own" ] && knows_idmap "$own"; then echo "$own"; exit; fi
[ "$(uname -m)" = x86_64 ] || { echo "crun cannot be fetched: this machine is $(uname -m), must be x86_64" >&2; exit 1; }
command -v patchelf >/dev/null || { echo "crun cannot be fetched: there is no patchelf" >&2; exit 1; }
cache=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}
directory=$cache/crun-trixie
if ! knows_idmap "$directory/crun"; then
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
    "${apt[@]}" download crun libc6 libcap2 libgcc-s1 libseccomp2 libsystemd0 libyajl2
    for package in *.deb; do dpkg -x "$package" ../tree; done
    cd ..
    rm -rf "$directory"
    mkdir -p "$directory/lib"
    cp -L tree/usr/lib/x86_64-linux-gnu/*.so.* "$directory/lib/"
    cp tree/usr/bin/crun crun
    patchelf --set-interpreter "$directory/lib/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$directory/lib" crun
    mv crun "$directory/crun"
  ) >&2
  knows_idmap "$directory/crun" || { echo "crun cannot be fetched: $directory/crun does not run here" >&2; exit 1; }
fi
echo "$directory/crun"
