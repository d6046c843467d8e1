#!/bin/bash
# build-otlp-receiver.sh: the OpenTelemetry Collector's OTLP receiver (v0.165.0), which prints what it gets; a minute the first time. Builds
# it once and prints its path, as build-go-program.sh says. Needs go.
export CGO_ENABLED=0
exec bash "$(dirname "$0")/build-go-program.sh" test/fixtures/otlp-receiver otlp-receiver "the receiver of traces"
