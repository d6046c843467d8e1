#!/bin/bash
# build-zstd-chunked.sh: the compressor of containers/storage. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
exec bash "$(dirname "$0")/build-go-program.sh" test/fixtures/zstd-chunked zstd-chunked "containers' zstd:chunked compressor"
