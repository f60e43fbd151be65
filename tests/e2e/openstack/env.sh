# Settings shared by install, up, down and the other scripts.  Source it.
# Everything can be overridden from the environment.
OSTB_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export OSTB_HERE
# All state, outside of the tree: virtual environment, databases, logs, configuration.
export OSTB_STATE="${OSTB_STATE:-${XDG_CACHE_HOME:-$HOME/.cache}/magnum-auto-healer/openstack}"
export OSTB_VENV="${OSTB_VENV:-$OSTB_STATE/venv}"
export OSTB_PYTHON="${OSTB_PYTHON:-/usr/bin/python3}"
export OSTB_PORT_OFFSET="${OSTB_PORT_OFFSET:-10000}"     # added to every well-known port
export OSTB_PASSWORD="${OSTB_PASSWORD:-testbed}"         # every password of the testbed
export OSTB_REGION="${OSTB_REGION:-RegionOne}"
export OSTB_MASTERS="${OSTB_MASTERS:-1}"
export OSTB_WORKERS="${OSTB_WORKERS:-3}"
export OSTB_CLUSTER="${OSTB_CLUSTER:-k8s}"
export OSTB_CLUSTER_CIDR="${OSTB_CLUSTER_CIDR:-}"        # the cluster's subnet; empty: one that Magnum makes
export OSTB_WITH_CINDER="${OSTB_WITH_CINDER:-1}"
export OSTB_NICE="${OSTB_NICE:-0}"

ostb_port() { echo $(( $1 + OSTB_PORT_OFFSET )); }

# Start time of a process (with the pid it identifies the process), empty if gone.
ostb_started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
