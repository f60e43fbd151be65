# Settings and functions of build, up, down, nodes, token and status. Source, do not run.
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/magnum-auto-healer
# The binaries live outside of the tree, under the hash of what they are made of: built once, used until a source changes.
sources_hash() (
	cd "$here" && cat go.mod go.sum build kubelab/*.go kubenodes/*.go | sha256sum | cut -c1-16
)
bin=${KUBELAB_BIN:-$cache/kubelab-$(sources_hash)}
state=${KUBELAB_STATE:-$cache/kubelab-state}
addr=${KUBELAB_ADDR:-127.0.0.1}
port=${KUBELAB_PORT:-16443}         # kube-apiserver; the rest follow it
etcd_port=$((port + 1))
peer_port=$((port + 2))
kcm_port=$((port + 3))
sched_port=$((port + 4))
control_port=$((port + 5))          # of kubenodes
grace=${KUBELAB_GRACE:-40s}         # --node-monitor-grace-period
monitor=${KUBELAB_MONITOR:-2s}      # --node-monitor-period
tolerate=${KUBELAB_TOLERATE:-300}   # seconds pods stay on a not-ready/unreachable node
scheduler=${KUBELAB_SCHEDULER:-1}   # 0: no kube-scheduler
sa=${KUBELAB_SA:-kube-system/magnum-auto-healer}
sa_ttl=${KUBELAB_SA_TTL:-24h}
pki=$state/pki
kubeconfig=$state/admin.kubeconfig

kc() { "$bin/kubectl" --kubeconfig "$kubeconfig" "$@"; }

# is_ours PID: the process exists and runs the binary of this testbed
is_ours() {
	exe=$(readlink "/proc/$1/exe" 2>/dev/null) || return 1
	case ${exe% (deleted)} in "$(readlink -f "$bin")"/kubelab|"$(readlink -f "$bin")"/kubenodes) return 0;; esac
	return 1
}

say() { echo "$*" >&2; }

# start ROLE ARGUMENTS...
start() {
	role=$1; shift
	if [ -s "$state/run/$role.pid" ] && is_ours "$(cat "$state/run/$role.pid")"; then
		say "$role already runs (pid $(cat "$state/run/$role.pid"))"
		return 0
	fi
	# setsid: a signal to the caller's terminal does not reach it
	setsid "$bin/$role" "$@" >>"$state/log/$role.log" 2>&1 </dev/null &
	echo $! >"$state/run/$role.pid"
}
# await ROLE COMMAND...: until the command succeeds, WAIT tenths of a second at most
await() {
	role=$1; shift
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		# in its first second the process may still be on its way to its binary (sh, setsid)
		if [ $n -gt "${WAIT:-600}" ] || { [ $n -gt 10 ] && ! is_ours "$(cat "$state/run/$role.pid")"; }; then
			say "$role did not come up; the end of $state/log/$role.log:"
			tail -n 15 "$state/log/$role.log" >&2
			exit 1
		fi
		sleep 0.1
	done
}
