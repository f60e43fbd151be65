/* The simulated world: one Kubernetes cluster and the cloud it runs on, as pure handlers: (world, now, request) →
 * response.
 *
 *   world.c   time, dispatch by path
 *   machine.c server_json.c   servers, what runs on them (kubelets), and how Nova shows them
 *   stack.c   the stacks that own the servers: what an update does to them
 *   faults.c  everything that goes wrong, troubles of the services
 *   others.c  what other people and programs do: autoscaler, another healer, upgrades
 *   etcd.c probe.c   the control plane on the masters, and who looks at a node's ports
 *   keystone.c nova.c heat.c magnum.c cinder.c   the cloud's services, as facts/openstack-api.md measured the real ones
 *   kube.c    the Kubernetes API server, node-lifecycle controller (sim/kube.h)
 *   serve.c   the same over loopback HTTPS, in real time
 *   run.c     the same in virtual time, with whole replicas of the program and the laws checked after every event
 *
 * No I/O, no clock, no global state: everything follows from the seed, the calls and their times. */
#ifndef MAH_SIM_WORLD_H
#define MAH_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "base/str.h"
#include "base/time.h"

struct world;
struct sim_kube;

/* ---- requests -------------------------------------------------------------------------------------------------- */

struct sim_request {
	const char *method;
	const char *target; /* path and query, e.g. "/compute/v2.1/servers/detail?limit=1000" */
	const char *client; /* who asks, for traces and laws: "replica-0"; "" unknown */
	/* a header's value ("" when absent); NAME in lower case */
	const char *(*header)(const struct sim_request *, const char *name);
	const void *headers; /* of whoever implements header() */
	struct str body;
};

struct sim_response {
	int status;
	struct buf headers; /* "name: value\n", lower-case names; content-type included */
	struct buf body;
	uint64_t stream;  /* not 0: status and headers go out now, bytes follow by world_opts.stream_bytes */
	int64_t delay_ms; /* how long the service took */
	bool is_refused;  /* of a probe: the connection was refused */
	bool is_lost;     /* the answer never comes; status 0: the request never arrived either */
	bool is_cut;      /* the connection ends in the middle of the body (which is truncated here already) */
};
void sim_response_init(struct sim_response *);
void sim_response_done(struct sim_response *);

/* Path prefixes below one address (the catalog points there):
 *   /identity/v3  /compute/v2.1  /orchestration/v1/PROJECT  /container-infra/v1  /volume/v3/PROJECT   the cloud
 *   /api /apis /healthz /livez /readyz /version                                        Kubernetes
 *   /sim/...                                                                           control (serve.c only) */
void world_http(struct world *, struct now, const struct sim_request *, struct sim_response *out);
void world_stream_closed(struct world *, uint64_t stream); /* the client went away */

/* ---- what happened: for the laws, the demo and the tests ----------------------------------------------------------
 */

#define SIM_ACTS(X)                                                                                                    \
	X(ACT_REBOOT_SOFT, "reboot-soft")                                                                              \
	X(ACT_REBOOT_HARD, "reboot-hard")                                                                              \
	X(ACT_STOP, "stop")                                                                                            \
	X(ACT_START, "start")                                                                                          \
	X(ACT_DETACH_VOLUME, "detach-volume")                                                                          \
	X(ACT_RESIZE, "resize")                                                                                        \
	X(ACT_MARK_UNHEALTHY, "mark-unhealthy")                                                                        \
	X(ACT_STACK_UPDATE, "stack-update")                                                                            \
	X(ACT_HEALTH_REPORT, "health-report")                                                                          \
	X(ACT_CORDON, "cordon")                                                                                        \
	X(ACT_UNCORDON, "uncordon")                                                                                    \
	X(ACT_DELETE_NODE, "delete-node")                                                                              \
	X(ACT_DELETE_SERVER, "delete-server")                                                                          \
	X(ACT_REBUILD, "rebuild")                                                                                      \
	X(ACT_ANNOTATE, "annotate")
#define AS_ACT(id, name) id,
enum sim_act_kind { SIM_ACTS(AS_ACT) };
const char *sim_act_name(enum sim_act_kind);

/* A request that changes the world arrived. Reported before it takes effect; `status` is what is answered. */
struct sim_act {
	enum sim_act_kind kind;
	struct mono at;
	const char *client;
	const char *server; /* id; "" for stack-update and health-report; a resize reports one act per removed server */
	const char *node;   /* name of the node on that server, or of the Node; "" when there is none */
	int status;
};

struct world_opts {
	uint64_t seed;
	int masters, workers;
	int extra_workers;        /* in a second node group "extra", with a stack of its own; 0: none */
	const char *cluster_uuid; /* default c418c335-0e52-42fc-bd68-baa8d264e072 */
	const char *cluster_name; /* default "k8s-cluster" */
	const char *base_url;     /* for the catalog and Location headers, e.g. "https://127.0.0.1:41234" */
	const char *node_prefix;  /* default cluster_name + random, also the stack's name; nodes are PREFIX-master-0,
				     PREFIX-node-0 ... */
	const char *worker_word;  /* "node"; older Magnums said "minion" */
	bool with_heat, with_cinder, with_magnum; /* services in the catalog */
	double pace;           /* how long the cloud takes for everything, 1.0 = as measured (sim/serve: scaled down) */
	int64_t grace_ms;      /* node-monitor-grace-period, default 40 s */
	int64_t heartbeat_ms;  /* a healthy kubelet's status write, default 5 min */
	unsigned network;      /* first number of the servers' addresses, default 10 */
	int zones;             /* 0: nodes have no label of a zone; else zone-a, zone-b, ... in turn */
	int hosts;             /* compute hosts that the servers are spread over; 0: each has one of its own */
	bool with_etcd_volume; /* label etcd_volume_size=10: a replaced master comes back with its etcd data */
	bool with_volume_boot; /* the servers boot from volumes that are resources of the stack (kube_node_volume) */
	void *ctx;
	void (*on_act)(void *ctx, const struct sim_act *);
	void (*stream_bytes)(void *ctx, uint64_t stream, struct str bytes);
	void (*stream_end)(void *ctx, uint64_t stream, bool is_clean);
};

/* Who may log in. The member owns the cluster; the reader may look only; the trustee acts as the member by the trust.
 */
#define SIM_PROJECT_ID "3a8b6d0c2f5e4b1f9a7d8e6c5b4a3f21"
#define SIM_PROJECT_NAME "demo"
#define SIM_DOMAIN_ID "default"
#define SIM_DOMAIN_NAME "Default"
#define SIM_USER_ID "8c8c1f0e7d6b4a5f93e2d1c0b9a87654"
#define SIM_USER_NAME "demo"
#define SIM_PASSWORD "demo-secret"
#define SIM_READER_ID "5e4d3c2b1a09f8e7d6c5b4a392817060"
#define SIM_READER_NAME "reader"
#define SIM_TRUSTEE_ID "7f6e5d4c3b2a190817263544f5e6d7c8"
#define SIM_TRUSTEE_NAME "trustee"
#define SIM_TRUST_ID "1d2c3b4a5f6e7d8c9b0a1f2e3d4c5b6a"
#define SIM_APPCRED_ID "9a8b7c6d5e4f30211203f4e5d6c7b8a9"
#define SIM_APPCRED_NAME "healer"
#define SIM_APPCRED_SECRET "appcred-secret"
#define SIM_REGION "RegionOne"

struct world_opts world_defaults(void);
struct world *world_new(const struct world_opts *, struct now);
void world_free(struct world *);

/* Lets everything happen that is due. Then: when is the next thing due (ms; NEVER: nothing)? */
void world_advance(struct world *, struct now);
struct mono world_next(const struct world *);
struct sim_kube *world_kube(struct world *);

/* ---- servers and nodes --------------------------------------------------------------------------------------------
 */

/* A row of `openstack server list`, and what is true about the node on it. */
struct sim_server {
	char id[40];
	char name[256];
	char status[24];
	char task_state[40];
	char address[46]; /* "" before it has one, and after Heat moved it to its successor */
	char node[256];   /* the Node that its kubelet is, or would be */
	bool is_master;
	bool is_running;           /* the guest runs */
	bool is_kubelet_alive;     /* ... and its kubelet heartbeats */
	struct mono healthy_since; /* 0 while it is not */
	int zone, host;            /* -1: none */
	bool is_host_up;
	bool is_api_cut;                        /* its kubelet does not reach the API server */
	bool is_stopped_by_person;              /* and nobody has started it since */
	bool is_others;                         /* the autoscaler, another healer, an upgrade is at work on it */
	struct mono others_since, others_until; /* that work's begin, and end (0: it goes on) */
	bool is_endpoint_well;                  /* masters: its API server answers 200 */
	bool is_etcd_well;                      /* masters: its etcd member lives and has its data */
};
size_t world_servers_count(const struct world *);
void world_server(const struct world *, size_t i, struct sim_server *out);                 /* in order of creation */
bool world_server_of_node(const struct world *, const char *node, struct sim_server *out); /* its current server */
bool world_stack_is_busy(const struct world *);

/* ---- faults --------------------------------------------------------------------------------------------------------
 */

/* What cures a broken node. */
enum sim_cure { CURE_ITSELF, CURE_REBOOT /* soft or hard */, CURE_HARD_REBOOT, CURE_REPLACE };

/* The kubelet of NODE stops. CURE_ITSELF: it comes back after self_ms. False: no such node. */
bool world_break_kubelet(struct world *, struct now, const char *node, enum sim_cure, int64_t self_ms);
/* The kubelet itself reports Ready=False (and may flip to Unknown when `flips`). */
bool world_break_not_ready(struct world *, struct now, const char *node, enum sim_cure, bool flips);
/* The server goes to SHUTOFF (crash, not by a person), ERROR, or is deleted behind everybody's back ("GONE"). Also what
 * somebody else may do with it: PAUSED, SUSPENDED, RESCUE, VERIFY_RESIZE, SHELVED_OFFLOADED; ACTIVE ends that.
 * False, too, for a server that is being built or deleted. */
bool world_break_server(struct world *, struct now, const char *node, const char *status);
/* The next COUNT new servers (-1: the next one) do not boot (silent until the stack's timeout) or their bootstrap
 * fails, by chance; or in the way that KIND says. The stack and the cluster end as UPDATE_FAILED. */
void world_fail_next_boot(struct world *, int count);
enum sim_boot { SIM_BOOT_SILENT, SIM_BOOT_SIGNALS_FAILURE, SIM_BOOT_NO_HOST /* Nova cannot build it */ };
void world_fail_next_boot_as(struct world *, int count, enum sim_boot kind);
/* A person (not the healer) stops the server of NODE: it shows in the instance actions. Locks it: 409 for every act. */
bool world_person_stops(struct world *, struct now, const char *node);
bool world_lock(struct world *, const char *node, bool locked);
/* The stack is as if still being created: Magnum answers 202 to a resize and drops it. Ends as CREATE_COMPLETE. */
void world_creates(struct world *, struct now, int64_t for_ms);
/* A data volume is attached to the node's server. */
bool world_attach_volume(struct world *, const char *node, char out_volume[40]);
/* An administrator cordons / uncordons. */
bool world_cordon(struct world *, struct now, const char *node, bool cordoned);
void world_set_healing_label(struct world *, bool enabled);
/* Another update of the cluster by its owner: stack and cluster are busy for so long. */
void world_owner_updates(struct world *, struct now, int64_t for_ms);
/* ---- more of what goes wrong, and of what others do (law L7, L11) ----
 * Zones and hosts by number, as in world_opts. All of them are undone by the second call or by time. */
/* The compute host dies: its guests are silent; Nova accepts reboots and stops, and nothing happens (task_state stays).
 * Up again: the guests that were running are started. */
void world_host_down(struct world *, struct now, int host, bool down);
/* The node's kubelet does not reach the API server (the guest lives; probes of it fail as well when `for_probes`). */
bool world_cut_node(struct world *, struct now, const char *node, bool cut, bool for_probes);
void world_cut_zone(struct world *, struct now, int zone, bool cut);
/* The API server process on a master dies while its kubelet lives: its Endpoint fails, the Node stays Ready. */
bool world_break_endpoint(struct world *, struct now, const char *node, enum sim_cure cure, int64_t self_ms);
/* The next COUNT boots take so much longer. */
void world_slow_boots(struct world *, int count, int64_t extra_ms);
/* The autoscaler wants the node away: the taint at once, then (a minute or two) resize with nodes_to_remove, and the
 * Node is deleted. False: it may not (the last worker, a master, the cluster is busy). */
bool world_autoscaler_removes(struct world *, struct now, const char *node);
/* Another healer works on the node for a while: taint medik8s.io/remediation, a hard reboot by its own user, taint
 * away. */
bool world_other_healer(struct world *, struct now, const char *node);
/* A rolling upgrade of the workers by the cluster's owner: UPDATE_IN_PROGRESS; each node in turn is cordoned, rebooted,
 * uncordoned. */
void world_upgrade(struct world *, struct now);
/* A person pauses healing: pauses.json of the state ConfigMap (made when it is not there); text "" takes it away. */
void world_write_pauses(struct world *, struct now, const char *json);
/* A person annotates the Node; value NULL: takes it away. */
bool world_annotate(struct world *, struct now, const char *node, const char *key, const char *value);
/* A person starts the server of NODE again, or migrates it live (status MIGRATING for half a minute). */
bool world_person_starts(struct world *, struct now, const char *node);
bool world_person_migrates(struct world *, struct now, const char *node);

/* etcd runs on the masters: a member lives while its server's guest does, its data survives, and it is not cut off for
 * probes, too (a cut zone or kubelet does not part it from the other members). Without a quorum the API
 * server answers nothing but errors. A master replaced without a volume for etcd comes back as a member that never
 * joins. */
struct sim_etcd {
	int members, healthy; /* healthy ones */
	bool has_quorum;
};
void world_etcd(const struct world *, struct sim_etcd *out);

/* A probe of a node's address from inside the cluster. port 6443 of a master: its API server (/healthz, /livez,
 * /readyz[?verbose]); port 10250: the kubelet. path NULL: only connect. Fills *out: status 0 with is_refused (the host
 * lives) or is_lost (silence). False: no server has that address: silence. */
bool world_probe(struct world *, struct now, const char *address, int port, const char *path, struct sim_response *out);

void world_revoke_tokens(struct world *); /* every token issued so far is refused from now on */
void world_drop_watches(struct world *, bool is_clean);
void world_compact(struct world *); /* the watch history is gone: 410 for every older resourceVersion */

/* Troubles of one service; rates are per request, 0..1. */
struct sim_trouble {
	int64_t delay_min_ms, delay_max_ms;
	double error_500, error_503, error_429, error_409; /* refused; nothing was done */
	double lost_request;                               /* never arrives */
	double lost_answer;                                /* is done, the answer is lost */
	double cut_answer;                                 /* the body ends in the middle */
	bool is_down;                                      /* no connection */
};
enum sim_service { SIM_KEYSTONE, SIM_NOVA, SIM_HEAT, SIM_MAGNUM, SIM_CINDER, SIM_KUBE, SIM_SERVICES_COUNT };
void world_trouble(struct world *, enum sim_service, const struct sim_trouble *); /* all zero: none */

#endif
