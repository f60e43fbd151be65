/* The simulation in virtual time: a world, whole replicas of the program, a network between them, faults by a seed, and
 * the laws of the product checked after every event. A failing seed prints its trace and reproduces.
 *
 *   run.c       the loop           replica.c   whole replicas: their ports, lives and deaths
 *   net.c       requests on their way, each after a delay      net_route.c   who can be reached from where
 *   scenario*.c what goes wrong, and when                       laws*.c       what must never happen
 */
#ifndef MAH_SIM_RUN_H
#define MAH_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "conf/conf.h"
#include "daemon/daemon.h"
#include "sim/world.h"

#define REPLICAS_MAX 3
#define TRACE_LINES 400
#define TRACE_LINE_BYTES 320

/* A scripted run in place of faults by the seed. */
enum run_script {
	SCRIPT_NONE,
	/* Three masters, three workers, two replicas; the kubelet of node-1 dies after ten minutes, and nothing but a
	 * replacement helps. */
	SCRIPT_IN_PLACE,
	SCRIPT_RESIZE,
	/* Twelve workers; half of the nodes are cut off from minute 20 to 40. At minute 45 one more breaks. */
	SCRIPT_OUTAGE_ZONE, /* of two zones, one whole; at minute 25 a node of the other one breaks */
	SCRIPT_OUTAGE_HALF, /* a random half; there are no zones */
};

struct run_opts {
	uint64_t seed;
	int hours;       /* 0: as many as the seed likes */
	bool is_verbose; /* print every line as it happens */
	enum run_script script;
	int crash_at;         /* the leader crashes at the so-many-th request of its repairs; 0: it does not */
	bool is_crash_before; /* ... right before it leaves; else right after it has arrived */
};

struct message;
struct request;

/* What a replica speaks with; each way can be cut. */
enum side { SIDE_API, SIDE_CLOUD, SIDE_PROBES, SIDES_COUNT };
struct cut {
	struct mono until;  /* 0: it is whole */
	bool lets_requests; /* asymmetric: requests arrive, answers are lost */
	bool refuses;       /* connections are reset at once; else silence */
};

struct replica {
	struct run *run;
	int index;
	char name[16];         /* "replica-0": the client of its requests */
	struct daemon *daemon; /* NULL while it is down */
	struct http_port http;
	struct log_port log;
	uint32_t generation;      /* grows with each start: what was meant for an earlier life is dropped */
	struct mono start_at;     /* when a dead one starts again; 0: not by itself */
	struct mono frozen_until; /* the process does not run */
	struct mono next_turn;
	bool is_woken;
	int64_t wall_skew_ms;         /* its clock against the world's */
	struct mono stopping_since;   /* a clean stop was asked */
	char master[NODE_NAME_BYTES]; /* the node that it runs on; "": somewhere that never fails */
	struct mono homeless;         /* since when that node has been unable to run it; 0: it can */
	struct cut cuts[SIDES_COUNT];
	struct api_answer {
		struct mono at;
		bool is_bad; /* none, throttled, an error, or very slow */
	} answers[32];       /* of the API server, but of watches: a ring */
	size_t answers_count;
	bool is_cut_by_master; /* that node does not reach the API, and so neither does it */
};

/* What was done and seen. Further members are for the scripted runs. */
struct run_stats {
	uint64_t repair_requests, events, requests, turns, acts, crashes, freezes, faults, unhealed, given_up,
		never_joined, virtual_ms;
	uint64_t acts_on_cut;                         /* destructive acts on nodes that are only cut off */
	uint64_t held_zone, held_outage, held_other;  /* samples of holds of those nodes */
	int64_t healed_in_outage_ms, healed_after_ms; /* how long it took; 0: it was not */
};

/* A master as the network knows it; looked at once a second. */
#define MASTERS_MAX 9
struct master_state {
	char node[NODE_NAME_BYTES];
	char address[46];
	char server[40];
	bool is_running, is_kubelet_alive, is_endpoint_well, is_api_cut;
};

struct run {
	struct run_opts opts;
	struct rng rng;
	struct now now;
	struct mono ends, calm_from; /* no new faults from calm_from on */
	struct world *world;
	struct config *config;
	struct replica replicas[REPLICAS_MAX];
	int replicas_count;
	struct message **heap; /* earliest first */
	size_t heap_count, heap_cap;
	uint64_t messages;        /* sequence: ties are broken by order of sending */
	struct request *requests; /* under way, a list */
	struct master_state masters[MASTERS_MAX];
	size_t masters_count;
	struct mono masters_at; /* when they were looked at */
	struct cut api_address; /* the shared address of the API server */
	struct lease_opts lease;
	bool must_crash; /* of the replica whose act has just arrived */
	int crash_replica;
	struct scenario *scenario;
	struct laws *laws;
	struct run_stats stats;
	char (*trace)[TRACE_LINE_BYTES];
	uint64_t traced;
	bool is_broken; /* a law was violated: stop */
	char violation[400];
};

/* Runs to the end or to the first violation. True: no law was broken. */
bool run_seed(const struct run_opts *, struct run_stats *out_stats, char *out_violation, size_t out_bytes);

void run_trace(struct run *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void run_violation(struct run *, const char *law, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int64_t run_between(struct run *, int64_t low, int64_t high); /* by the seed; both included */

/* replica.c */
void replica_init(struct run *, int index);
void replica_step(struct run *, struct replica *); /* a turn, when it is due */
int64_t replica_next(const struct replica *);      /* when something is due with it */
void replica_freeze(struct run *, int index, int64_t for_ms);
void replica_crash_if_due(struct run *); /* must_crash: never from inside the replica's own turn */
void replica_crash(struct run *, int index, int64_t down_ms);
void replica_stop(struct run *, int index); /* cleanly */
void replica_done(struct run *, struct replica *);
void replicas_follow_masters(struct run *);           /* the guest below one has died, or lives again */
const struct replica *run_leader(const struct run *); /* that runs, and leads; NULL: none */

/* net.c: between replicas and the world, with delays, losses and crashes */
void net_init(struct run *);
void net_done(struct run *);
void net_replica_dies(struct run *, struct replica *);
struct mono net_next(const struct run *);
void net_deliver(struct run *); /* everything that is due */
/* Most of what it lately asked the API server failed. */
bool net_api_is_bad(const struct run *, const struct replica *);
void net_stream_bytes(void *ctx, uint64_t stream, struct str bytes);
void net_stream_end(void *ctx, uint64_t stream, bool is_clean);  /* ctx of both: the run */
void net_master_died(struct run *, const struct master_state *); /* connections that ended there are dead */
void net_address_died(struct run *);                             /* ... those through the shared address */

/* net_route.c: who can be reached from where */
enum route_kind { ROUTE_API, ROUTE_CLOUD, ROUTE_PROBE };
struct route {
	enum route_kind kind;
	char address[64]; /* of the probe, or where to connect to; "" the URL's host */
	int port;
	char backend[40]; /* the master's server that answers (ROUTE_API); "" none */
};
enum passage { PASS_WELL, PASS_REFUSED, PASS_SILENT };
bool route_of(const struct http_request *, struct route *out); /* false: to nobody that is known */
/* Does a request of this replica arrive now? For the API this chooses the master that answers. */
enum passage route_request(struct run *, struct replica *, struct route *);
bool route_answers(const struct run *, const struct replica *, const struct route *); /* ... and an answer? */
bool cut_is(const struct run *, const struct cut *);
void masters_look(struct run *); /* at most once a second */
const struct master_state *master_find(const struct run *, const char *node);

/* scenario.c: what goes wrong, and when */
struct scenario *scenario_new(struct run *, struct world_opts *); /* chooses the world, too */
void scenario_free(struct scenario *);
struct mono scenario_next(const struct scenario *);
void scenario_step(struct run *);
bool scenario_is_crash_point(struct run *, const struct replica *, const struct http_request *);
const char *scenario_config(struct run *); /* YAML of the replicas; depends on the seed */

/* laws.c */
struct laws *laws_new(struct run *);
void laws_free(struct laws *);
void laws_leaving(struct run *, struct replica *, const struct http_request *); /* a request leaves a replica */
void laws_act(void *ctx, const struct sim_act *);                               /* an act arrives */
void laws_event(struct run *);                                                  /* after every event */
/* Bytes of a watch that left the API server at SENT have just come to this replica. */
enum watched { WATCHED_NODES, WATCHED_STATE };
void laws_heard(struct run *, const struct replica *, enum watched, struct mono sent);
bool laws_are_settled(struct run *); /* at the end: everything is healed, or held for a reason that stays */
void laws_end(struct run *);
void laws_label_changed(struct run *, bool enabled);

#endif
