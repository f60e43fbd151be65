/* The simulation in virtual time: a world, whole replicas of the program, a network between them, faults by a seed, and
 * the laws of the product checked after every event. A failing seed prints its trace and reproduces. */
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

struct run_opts {
	uint64_t seed;
	int hours;
	bool is_verbose; /* print every line as it happens */
	/* A scripted run instead of faults by the seed: three masters, three workers, two replicas; the kubelet of
	 * node-1 dies after ten minutes, and nothing but a replacement helps. */
	enum run_script { SCRIPT_NONE, SCRIPT_IN_PLACE, SCRIPT_RESIZE } script;
	int crash_at;         /* the leader crashes at the so-many-th request of its repairs; 0: it does not */
	bool is_crash_before; /* ... right before it leaves; else right after it has arrived */
};

struct message;
struct request;

struct replica {
	struct run *run;
	int index;
	char name[16];         /* "replica-0": the client of its requests */
	struct daemon *daemon; /* NULL while it is down */
	struct http_port http;
	struct log_port log;
	uint32_t generation;      /* grows with each start: what was meant for an earlier life is dropped */
	struct mono start_at;     /* when a dead one starts again */
	struct mono frozen_until; /* the process does not run */
	struct mono next_turn;
	bool is_woken;
	int64_t wall_skew_ms;       /* its clock against the world's */
	struct mono stopping_since; /* a clean stop was asked */
};

/* What the scenario knows of a node for the final account. */
struct run_stats {
	uint64_t repair_requests, events, requests, turns, acts, crashes, freezes, faults, unhealed, given_up,
		never_joined;
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
void replica_freeze(struct run *, int index, int64_t for_ms);
void replica_crash_if_due(struct run *); /* must_crash: never from inside the replica's own turn */
void replica_crash(struct run *, int index, int64_t down_ms);

/* net.c: between replicas and the world, with delays, losses and crashes */
void net_init(struct run *);
void net_done(struct run *);
void net_replica_dies(struct run *, struct replica *);
struct mono net_next(const struct run *);
void net_deliver(struct run *); /* everything that is due */
void net_stream_bytes(void *ctx, uint64_t stream, struct str bytes);
void net_stream_end(void *ctx, uint64_t stream, bool is_clean); /* ctx of both: the run */

/* scenario.c: what goes wrong, and when */
struct scenario *scenario_new(struct run *);
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
void laws_end(struct run *);
void laws_label_changed(struct run *, bool enabled);

#endif
