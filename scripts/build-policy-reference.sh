#!/bin/bash
# build-policy-reference.sh: policies evaluated by containers/image. Builds it once and prints its path, as
# build-go-program.sh says. Needs go.
export CGO_ENABLED=0
# OpenPGP in Go, since gpgme would need its headers; no store of images is asked.
tags=containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper
exec bash "$(dirname "$0")/build-go-program.sh" test/fixtures/policy-reference policy-reference "the policies' reference" -tags "$tags"
