#!/bin/bash
# build-cdi-library.sh: CDI devices injected by the upstream library. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
exec bash "$(dirname "$0")/build-go-program.sh" test/integration/cdi/library cdi-library "the CDI library"
