#!/bin/bash
# build-unpack-reference.sh: layers unpacked by containerd's own code. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
exec bash "$(dirname "$0")/build-go-program.sh" test/fixtures/unpack-reference unpack-reference "containerd's unpacker"
