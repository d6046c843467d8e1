#!/bin/bash
# build-nri-plugin.sh: the scripted NRI plugin of the tests, over upstream's stub. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
# Static, to be taken into the machine of test:vm.
CGO_ENABLED=0 exec bash "$(dirname "$0")/build-go-program.sh" test/fixtures/nri-plugin nri-plugin "the scripted NRI plugin"
