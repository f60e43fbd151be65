/* Why an unhealthy node is not being repaired right now, written once: log, events, metrics, status and the manual all
 * read this table. */
#ifndef MAH_CORE_HOLD_H
#define MAH_CORE_HOLD_H

/* id, name (stored, metric label), one sentence */
#define HOLDS(X)                                                                                                       \
	X(HOLD_NONE, "none", "nothing holds it back")                                                                  \
	X(HOLD_REPAIRING, "repairing", "a repair of this node is running")                                             \
	X(HOLD_DURATION, "duration", "it has not been unhealthy for long enough yet")                                  \
	X(HOLD_WITNESSES, "witnesses", "not enough of its checks agree that it is unhealthy")                          \
	X(HOLD_PAUSED, "paused", "healing is paused by an operator")                                                   \
	X(HOLD_SWITCHES, "switches",                                                                                   \
	  "whether healing is paused is not known: the state ConfigMap is not watched live")                           \
	X(HOLD_OUTAGE, "outage", "so many nodes failed at once that this looks like the network")                      \
	X(HOLD_ZONE, "zone", "most of its zone is unhealthy: this looks like an outage of the zone")                   \
	X(HOLD_API, "api", "the Kubernetes API fails or is slow, so that nodes look worse than they are")              \
	X(HOLD_LEASES, "leases",                                                                                       \
	  "the heartbeats of many nodes are late: this looks like an outage that has just begun")                      \
	X(HOLD_OTHER_HEALER, "other-healer", "another healer is at work on the node")                                  \
	X(HOLD_UPGRADE, "upgrade", "the node is being upgraded")                                                       \
	X(HOLD_CORDONED, "cordoned", "somebody cordoned the node: it may be under maintenance")                        \
	X(HOLD_MACHINE_HEALTH_CHECK, "machine-health-check", "the MachineHealthCheck of Cluster API replaces it now")  \
	X(HOLD_MASAKARI, "masakari", "Masakari looks after this server, and is given time to")                         \
	X(HOLD_LEFT, "left", "the last repair found that somebody else is at work on it")                              \
	X(HOLD_RATE, "rate", "as many repairs as policy allows were begun within the hour")                            \
	X(HOLD_VIEW_STALE, "view-stale", "the list of nodes is not live, so nothing is known for certain")             \
	X(HOLD_CLOUD_STALE, "cloud-stale", "the cloud has not been seen completely and recently enough")               \
	X(HOLD_CLOUD_SUSPECT, "cloud-suspect", "the cloud shows far fewer servers than there are nodes")               \
	X(HOLD_CLOCK, "clock", "the clock jumped a moment ago")                                                        \
	X(HOLD_STANDBY, "standby", "this replica does not lead")                                                       \
	X(HOLD_JOURNAL, "journal", "the journal cannot be written, and nothing is done that is not in it")             \
	X(HOLD_DISABLED, "disabled", "healing is switched off for this cluster (label auto_healing_enabled)")          \
	X(HOLD_CLUSTER_STATE, "cluster-state", "the cluster is in a state in which it must not be repaired")           \
	X(HOLD_CLUSTER_BUSY, "cluster-busy", "somebody is updating the cluster")                                       \
	X(HOLD_YOUNG, "young", "the node is younger than check-delay-after-add")                                       \
	X(HOLD_DELETED, "deleted", "the node is being deleted")                                                        \
	X(HOLD_AUTOSCALER, "autoscaler", "the autoscaler is removing the node")                                        \
	X(HOLD_STORM, "storm", "more nodes are unhealthy than storm-threshold allows: this looks like an outage")      \
	X(HOLD_COOLDOWN, "cooldown", "a storm has just passed; storm-cooldown is running")                             \
	X(HOLD_QUORUM, "quorum", "repairing this master would lose the quorum of etcd")                                \
	X(HOLD_MASTER_BUSY, "master-busy", "another master is being repaired")                                         \
	X(HOLD_BUDGET, "budget", "as many nodes are down or under repair as max-concurrent-repairs allows")            \
	X(HOLD_NO_SERVER, "no-server", "the server behind the node is not known with certainty")                       \
	X(HOLD_SERVER_LOCKED, "server-locked", "somebody locked the server")                                           \
	X(HOLD_SERVER_BUSY, "server-busy", "the cloud is doing something to the server right now")                     \
	X(HOLD_SERVER_STATE, "server-state", "somebody put the server into a state that is not ours to end")           \
	X(HOLD_BACKOFF, "backoff", "the last repair failed; the pause before the next one is running")                 \
	X(HOLD_CANNOT, "cannot", "this cloud has no repair for it")                                                    \
	X(HOLD_GIVEN_UP, "given-up", "every repair was tried in vain; somebody has to look at it")                     \
	X(HOLD_DRY_RUN, "dry-run", "dry-run: it would have been repaired")

#define AS_HOLD(id, ...) id,
enum hold { HOLDS(AS_HOLD) HOLDS_COUNT };
const char *hold_name(enum hold);
const char *hold_help(enum hold);

#endif
