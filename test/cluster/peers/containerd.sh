#!/bin/bash
# containerd.sh: starts a containerd (2.1 or later, $CONTAINERD, with its shim beside it) for `npm run test:cluster` and stays. All of its
# files are in $PEER_DIRECTORY, images come from http://$REGISTRY, pods' networks are CNI's bridge:
#   SOCKET=unix:///run/peer/cri.sock PEER=test/cluster/peers/containerd.sh CONTAINERD=/usr/bin/containerd npm run test:cluster
set -euo pipefail
: "${REGISTRY:?is the registry to take images from}" "${SOCKET:?is where it listens, as unix:///PATH}" "${PEER_DIRECTORY:?is for its files}"
containerd=${CONTAINERD:-$(command -v containerd)} socket=${SOCKET#unix://}
home=$PEER_DIRECTORY
mkdir -p "$home/certs.d/_default" "$home/cni" "$(dirname "$socket")"
cat >"$home/certs.d/_default/hosts.toml" <<TOML
server = "http://$REGISTRY"
[host."http://$REGISTRY"]
capabilities = ["pull", "resolve"]
TOML
# Names that must not be found are not looked for at ours.
for name in invalid.registry.k8s.io gcr.io localhost:5000; do
  mkdir -p "$home/certs.d/$name"
  scheme=https; [ "$name" != localhost:5000 ] || scheme=http
  echo "server = \"$scheme://$name\"" >"$home/certs.d/$name/hosts.toml"
done
cat >"$home/cni/10-peer.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "peer", "plugins": [
  {"type": "bridge", "bridge": "peer0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$home/ipam", "ranges": [[{"subnet": "10.244.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
cat >"$home/config.toml" <<TOML
version = 3
root = "$home/root"
state = "$home/state"
[grpc]
address = "$socket"
[plugins."io.containerd.cri.v1.images".registry]
config_path = "$home/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["${CNI_BIN:-/usr/lib/cni}"]
conf_dir = "$home/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "${RUNC:-$(command -v runc)}"
SystemdCgroup = false
[plugins."io.containerd.nri.v1.nri"]
disable = true
TOML
PATH=$(dirname "$containerd"):$PATH exec "$containerd" -c "$home/config.toml"
