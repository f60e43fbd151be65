/* Private to sim/laws*.c: what the laws remember of the world's own truth. */
#ifndef MAH_SIM_LAWS_INT_H
#define MAH_SIM_LAWS_INT_H

#include "core/switches.h"
#include "sim/kube.h"
#include "sim/run.h"

/* The API has said so for so long: by then every live healer with a fresh view knows (a hop or two, a turn, and the
 * request's own way). */
#define KNOWN_MS (20 * SEC)
/* The account is taken so often: what it says is so much late at most. */
#define ACCOUNT_MS (10 * SEC)
/* Times of conditions have seconds, and a clock that is a little wrong is believed. */
#define CLOCK_SLACK_MS (12 * SEC)

/* What can be wrong with a node, as the configured checks may see it. */
enum wrong { WRONG_READY, WRONG_ENDPOINT, WRONG_KUBELET, WRONG_LEASE, WRONG_SERVER, WRONG_ABSENT, WRONGS_COUNT };
struct period {
	struct mono since; /* the last time it was so, from; 0: never */
	struct mono until; /* ... to; 0: it is so */
};

/* A node by its name, over all the servers it had. */
#define TRACKS_MAX 96
#define TRACK_FLIPS 32
struct track {
	char node[NODE_NAME_BYTES];
	bool has_server;          /* the following is of now */
	struct sim_server server; /* the last one otherwise */
	bool is_there;            /* the Node is */
	struct mono joined;       /* the Node came to be; -1: it was there from the beginning */
	struct period wrong[WRONGS_COUNT];
	struct mono flips[TRACK_FLIPS]; /* a ring */
	unsigned flips_count;
	unsigned ready_changes;                                             /* counted already */
	struct period etcd_bad, busy, others, stopped, migrating, cordoned; /* busy: not ACTIVE, or
										   at work; cordoned: by others */
	struct mono locked;                                                 /* since when; 0: it is not */
	char locked_server[40];
	struct mono acted;         /* our last destructive act; 0: it has been well since */
	bool is_doomed;            /* its server is replaced: it is not on its host any more */
	struct mono stopped_by_us; /* and neither started nor replaced since */
	int left_stopped;          /* accounts in which nobody cared */
	int untold;
};

struct pause_truth {
	enum pause_what what;
	char name[NODE_NAME_BYTES];
	struct wall until; /* 0: no end */
	bool is_garbage;   /* the text is not understood: everything is paused */
	bool is_annotation;
	struct mono since;              /* 0: free */
	struct mono seen[REPLICAS_MAX]; /* when it came to the replica; 0: not yet */
};
#define PAUSES_TRUE_MAX 16

struct seen_server {
	char id[40];
	struct mono last[32]; /* per kind: the last accepted one */
};
#define SERVERS_SEEN_MAX 512
#define BEGUN_TRUE_MAX 512

struct laws {
	struct seen_server servers[SERVERS_SEEN_MAX];
	size_t count;
	struct track tracks[TRACKS_MAX];
	size_t tracks_count;
	enum wrong rules[ROLES_COUNT][CONF_CHECKS_MAX]; /* what the configured checks see */
	bool is_label_on;
	struct mono label_changed;
	struct pause_truth pauses[PAUSES_TRUE_MAX];
	struct mono begun[BEGUN_TRUE_MAX]; /* repairs of workers: a ring */
	size_t begun_count;
	struct mono next_account, accounted;
	struct mono master_acted; /* our last destructive act on a master */
	char master[NODE_NAME_BYTES];
	bool had_quorum;
	bool api_was_bad[REPLICAS_MAX];
};

/* laws_account.c */
void account_take(struct run *); /* the world as it is now */
void account_told(struct run *); /* L9, and what follows from the account */
struct track *track_find(struct laws *, const char *node);
enum role track_role(const struct track *);
int64_t period_ms(const struct run *, const struct period *); /* it is so, and has been for so long; -1: it is not */
/* Checks of its role that see something wrong with it now, or saw it until a moment ago; for at least so much of their
 * unhealthy-duration (0 or 1). NeverJoined alone is enough, and then counts for all. */
int track_witnesses(const struct run *, const struct track *, bool is_for_long);
/* As it looks from there: who is cut off from the nodes takes one that does not report for one that does not answer. */
int track_witnesses_from(const struct run *, const struct replica *, const struct track *, bool is_for_long);
bool track_is_flapping(const struct run *, const struct track *);
bool track_is_bad(const struct run *, const struct track *); /* for long enough to be known */
bool track_is_well(const struct run *, const struct track *);
bool track_is_grown(const struct run *, const struct track *);
int witnesses_needed(const struct run *, const struct track *);

/* laws_acts.c */
bool act_is_destructive(enum sim_act_kind);
/* It begins a repair; the rest goes on with one. A start that undoes our own stop begins nothing. */
bool act_is_beginning(const struct track * /* or NULL */, enum sim_act_kind);
void acts_check(struct run *, const struct replica *, const struct sim_act *, struct track * /* or NULL */);

/* laws_limits.c: L5, L6, L7 */
void limits_check(struct run *, const struct replica *, const struct sim_act *, struct track *);
void limits_account(struct run *); /* after every account: the quorum */
bool zone_is_frozen(const struct run *, int zone);
bool zone_may_be_frozen(const struct run *, int zone);
int masters_well_beside(const struct run *, const char *node, int64_t known_ms);

/* laws_others.c: L8, L11 */
void others_check(struct run *, const struct replica *, const struct sim_act *, struct track *);
void laws_paused(struct run *, const struct pause_truth *);
void laws_unpaused(struct run *, const char *node); /* NULL: those of the ConfigMap */
void laws_lock(struct run *, const char *node, bool is_locked);
/* A pause in force that covers the node; NULL: none. */
const struct pause_truth *pause_of(const struct run *, const struct track *);
bool was_paused_lately(const struct run *, const struct track *, int64_t ago_ms); /* or is */
bool is_node_paused_by_annotation(struct run *, const char *node);

#endif
