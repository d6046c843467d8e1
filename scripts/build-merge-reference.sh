#!/bin/bash
# build-merge-reference.sh: answers of NRI plugins merged by containerd/nri. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
CGO_ENABLED=0 exec bash "$(dirname "$0")/build-go-program.sh" test/integration/nri/merge-reference merge-reference "the reference of NRI's merging"
