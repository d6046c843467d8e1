#!/bin/bash
# build-layer-store.sh: stargz-snapshotter's layer store, and its writer of eStargz layers; two minutes the first time. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
export CGO_ENABLED=0
exec bash "$(dirname "$0")/build-go-program.sh" test/fixtures/layer-store layer-store "the layer store"
