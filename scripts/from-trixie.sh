# from-trixie.sh: for scripts that fetch one program of Debian 13 for tests, to be sourced by them.
#   from_trixie NAME PROGRAM PACKAGE...: takes PROGRAM (its path in the packages) and the libraries that it wants beside it by apt into
#   $PODWRIGHT_TOOLS_CACHE (default /var/cache/podwright-tools), unless it is there and `works PROGRAM`, which the script declares,
#   and sets `fetched` to its path. Needs patchelf. Exits 1 with the reason on stderr where it cannot be had.
from_trixie() {
  local name=$1 program=$2
  shift 2
  local directory=${PODWRIGHT_TOOLS_CACHE:-/var/cache/podwright-tools}/$name-trixie
  fetched=$directory/$name
  [ "$(uname -m)" = x86_64 ] || { echo "$name cannot be fetched: this machine is $(uname -m), must be x86_64" >&2; exit 1; }
  command -v patchelf >/dev/null || { echo "$name cannot be fetched: there is no patchelf" >&2; exit 1; }
  if works "$fetched"; then return; fi
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
    "${apt[@]}" download "$@"
    for package in *.deb; do dpkg -x "$package" ../tree; done
    cd ..
    rm -rf "$directory"
    mkdir -p "$directory/lib"
    cp -L tree/usr/lib/x86_64-linux-gnu/*.so.* "$directory/lib/"
    cp "tree/$program" "$name"
    patchelf --set-interpreter "$directory/lib/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$directory/lib" "$name"
    mv "$name" "$fetched"
  ) >&2
}
