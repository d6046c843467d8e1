#!/bin/bash
# build-nri-peer.sh: the other end of NRI's connection, by upstream's multiplexer and ttrpc. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
exec bash "$(dirname "$0")/build-go-program.sh" test/integration/nri/peer nri-peer "the peer of NRI's connection"
