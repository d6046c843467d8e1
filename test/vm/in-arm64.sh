#!/bin/bash
# in-arm64.sh ROOT COMMAND...: runs a command in a root file system of arm64, by qemu's emulation of single programs. Root.
# The kernel is told what such programs are run by in a user namespace of its own (Linux 6.7), with the users of this one: nothing of the machine
# changes, and nothing is left. It has mount and process namespaces too.
set -euo pipefail
root=$1
shift
# elf(5): 64 bit, little endian, a program, for AArch64; the bytes of the ABI and the version do not matter.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
# F: the interpreter is opened now, and so works in the root too.
export rule=":podwright-arm64:M::$magic:$mask:/usr/bin/qemu-aarch64-static:OF"
unshare --user --mount --pid --fork --mount-proc --kill-child --propagation private bash -euc '
  until grep -q . /proc/self/uid_map && grep -q . /proc/self/gid_map; do sleep 0.1; done
  mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
  echo "$rule" > /proc/sys/fs/binfmt_misc/register
  root=$1
  shift
  mount -t proc proc "$root/proc"
  exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"' in-arm64 "$root" "$@" &
child=$!
trap 'kill -KILL $(cat /proc/$child/task/$child/children) $child 2>/dev/null || true' EXIT
until [ "$(readlink /proc/$child/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.1; done
echo '0 0 4294967295' > /proc/$child/uid_map
echo '0 0 4294967295' > /proc/$child/gid_map
wait $child
