#!/bin/bash
# test-all.sh: install what the tests need, then run all of them: the check, integration, e2e and critest, and the short benchmark. crictl and
# critest are those of $CRICTL and $CRITEST, or are built where there is go. Root. Closes with one line:
# "all: N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."
started=$(date +%s)
TEST_SUMMARY_FILE=$(mktemp)
TEST_FAILURES_FILE=$(mktemp)
export TEST_SUMMARY_FILE TEST_FAILURES_FILE
trap 'rm -f "$TEST_SUMMARY_FILE" "$TEST_FAILURES_FILE"' EXIT
broken=()

step() { # NAME SECONDS COMMAND...: run a step for no longer than that, remember whether it failed
  local name=$1 limit=$2 begin
  shift 2
  begin=$(date +%s)
  echo "== $name"
  timeout -k 30 "$limit" "$@" || broken+=("$name")
  echo "== $name: $(( $(date +%s) - begin )) s"
}

bash scripts/install-deps.sh test || { echo "all: 0 passed, 1 failed, 0 skipped"; exit 1; }
# crun refuses this host's hybrid cgroups until hugetlb is a v1 mount; harmless elsewhere, since it is only done there.
if [ -d /sys/fs/cgroup/memory ] && [ ! -d /sys/fs/cgroup/hugetlb ] && mkdir /sys/fs/cgroup/hugetlb 2>/dev/null; then
  mount -t cgroup -o hugetlb none /sys/fs/cgroup/hugetlb 2>/dev/null || rmdir /sys/fs/cgroup/hugetlb
fi
# Programs to test with, which the suites find where these scripts leave them; without Go the tests that need one skip by name.
# The lanes of the suites have no network, so what integration needs is built before, beside the check, and crictl and critest
# beside integration.
{
  timeout 400 bash scripts/build-runc.sh
  timeout 400 bash scripts/build-cdi-library.sh
  timeout 400 bash scripts/build-unpack-reference.sh
  timeout 400 bash scripts/build-zstd-chunked.sh
  timeout 600 bash scripts/build-layer-store.sh
  timeout 600 bash scripts/build-policy-reference.sh
  timeout 400 bash scripts/build-otlp-receiver.sh
  timeout 400 bash scripts/build-nri-generate.sh
  timeout 400 bash scripts/build-nri-plugin.sh
  timeout 400 bash scripts/build-merge-reference.sh
  timeout 400 bash scripts/build-nri-peer.sh
  timeout 400 bash scripts/build-proto-facts.sh cri
  timeout 400 bash scripts/build-proto-facts.sh nri
} >/dev/null &
build_pid=$!
{
  timeout 300 bash scripts/fetch-crun.sh
  timeout 300 bash scripts/fetch-criu.sh
  timeout 300 bash scripts/fetch-prometheus.sh
} >/dev/null &
fetch_pid=$!
step check 600 npm run --silent check
wait "$build_pid" "$fetch_pid"
cri_tools=$(mktemp)
trap 'rm -f "$TEST_SUMMARY_FILE" "$TEST_FAILURES_FILE" "$cri_tools"' EXIT
timeout 900 bash scripts/build-cri-tools.sh >"$cri_tools" &
build_pid=$!
step integration 900 npm run --silent test:integration
wait "$build_pid"
tools=$(<"$cri_tools")
if [ -n "$tools" ]; then export CRICTL=${CRICTL:-$tools/crictl} CRITEST=${CRITEST:-$tools/critest}; fi
# critest waits more than it works, so it runs beside e2e. It uses ports of the node: here of a node of its own. It skips by
# name where $CRITEST names no program.
isolated=(unshare --net --mount --propagation private -- sh -c 'ip link set lo up && mount --make-rshared / && exec "$@"' critest)
critest_output=$(mktemp)
trap 'rm -f "$TEST_SUMMARY_FILE" "$TEST_FAILURES_FILE" "$cri_tools" "$critest_output"' EXIT
(broken=(); step critest 1800 "${isolated[@]}" npm run --silent critest; [ ${#broken[@]} -eq 0 ]) >"$critest_output" 2>&1 &
critest_pid=$!
step e2e 2400 npm run --silent test:e2e
wait "$critest_pid" || broken+=(critest)
cat "$critest_output"
# Figures of this machine, for whoever reads them: no time fails it, and it counts no test.
echo "== bench"
bench_began=$(date +%s)
timeout -k 30 300 "${isolated[@]}" npm run --silent bench -- --short 2>&1 | sed 's/^/bench: /'
case ${PIPESTATUS[0]} in
  0) ;;
  124) echo "bench: it is not done after 300 s" ;;
  *) broken+=(bench) ;;
esac
echo "== bench: $(( $(date +%s) - bench_began )) s"

read -r passed failed skipped < <(awk '{
    for (i = 1; i < NF; i++) { word = $(i + 1); sub(/,/, "", word); if ($i ~ /^[0-9]+$/) n[word] += $i }
  } END { print n["passed"] + 0, n["failed"] + 0, n["skipped"] + 0 }' "$TEST_SUMMARY_FILE")
cat "$TEST_SUMMARY_FILE"
# Here once more: of a long output often only the end is kept.
cat "$TEST_FAILURES_FILE"
# A step can fail without a failed test: the linter, or a suite that ran nothing.
for name in "${broken[@]}"; do
  echo "failed step: $name"
  grep -q "^$name: .*[1-9][0-9]* failed" "$TEST_SUMMARY_FILE" || failed=$((failed + 1))
done
echo "took $(( $(date +%s) - started )) s"
echo "all: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
