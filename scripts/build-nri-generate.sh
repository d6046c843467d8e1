#!/bin/bash
# build-nri-generate.sh: OCI specs adjusted by upstream's NRI generator. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
exec bash "$(dirname "$0")/build-go-program.sh" test/integration/ocispec/nri-generate nri-generate "the NRI generator"
