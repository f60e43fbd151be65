/* The decision: facts in, plan out. Pure, and never fails. Every node that is unhealthy gets exactly one line: an
 * action, or a hold with its reason. */
#ifndef MAH_CORE_PLAN_H
#define MAH_CORE_PLAN_H

#include "base/mem.h"
#include "core/facts.h"
#include "core/history.h"
#include "core/hold.h"
#include "core/match.h"
#include "core/op.h"
#include "core/policy.h"
#include "core/rung.h"
#include "core/snapshot.h"

struct line {
	const struct node *node;
	const struct record *record;
	struct match match;
	enum rung rung;     /* what to do, or what would be done if nothing held it */
	enum rung top;      /* the highest rung that can be done here */
	int64_t limit_ms;   /* how long the rung may take to make the node healthy */
	const char *beyond; /* "" or why the ladder's higher rungs cannot be done here */
	enum hold hold;     /* HOLD_NONE: do it */
	const char *detail; /* "" or more about the hold; in the arena */
};

/* What looks like the network's failure or the control plane's, not like the nodes' (law L7). */
struct outage {
	enum hold hold;     /* HOLD_NONE; HOLD_STORM, HOLD_OUTAGE, HOLD_LEASES, HOLD_API: nothing is begun at all */
	const char *detail; /* in the arena */
	size_t frozen_count;
	struct frozen_zone {
		const char *zone; /* interned by the store */
		const char *detail;
	} frozen[ZONES_MAX];
};
struct plan {
	struct line *lines;
	size_t count;
	size_t bad_count[ROLES_COUNT]; /* grown nodes that are bad now, for however short */
	size_t total[ROLES_COUNT];
	size_t grown_count[ROLES_COUNT]; /* of them those that are not young: a scale-out is no storm, and hides none */
	struct outage outage;
};

/* Can the cloud do this rung for this node? NULL in why: yes. */
typedef bool (*can_repair)(const void *ctx, enum rung, const struct node *, const struct machine *,
			   const char **out_why);

/* The passes, in order; each one a file, each tested alone. */
void outage_judge(const struct snapshot *, const struct history *, const struct policy *, struct arena *,
		  struct plan *);
const struct frozen_zone *outage_zone(const struct outage *, const char *zone); /* NULL: it is not frozen */
/* Young, and not because of us: a scale-out is no storm. */
bool node_is_grown(const struct node *, const struct record * /* or NULL */, const struct policy *, struct now);

void ladder_choose(const struct snapshot *, const struct policy *, can_repair, const void *ctx, struct line *);
/* Nobody works on the server, and it is in no state that somebody chose. */
enum hold server_hold(const struct machine *);

void brake_apply(const struct snapshot *, const struct history *, const struct policy *, const struct ops *,
		 struct arena *, struct plan *);

/* Parts of the brake. Masters: one at a time, never below the quorum. Workers: slots. Both take what is given out. */
struct masters {
	int members, healthy;
	bool is_one_under_repair;
};
struct masters masters_count(const struct snapshot *, const struct ops *);
enum hold masters_hold(struct masters *, const struct line *);
void budget_spend(const struct snapshot *, const struct history *, const struct policy *, const struct ops *,
		  struct arena *, struct plan *);

void decide(const struct snapshot *, const struct history *, const struct policy *, const struct ops *, can_repair,
	    const void *ctx, struct arena *, struct plan *out);
/* What of the plan the next ones must remember: storms, for their cool-down. */
void history_note_outage(struct history *, const struct outage *, struct mono now);

/* Must a running op be stopped now, although nothing of it failed? NULL: no; else why. */
const char *brake_cancel(const struct snapshot *, const struct history *, const struct policy *, const struct op *);
/* May any act leave at this moment (views fresh, healing on)? HOLD_NONE: yes. */
enum hold brake_gate(const struct snapshot *, const struct history *, const struct policy *, const struct ops *,
		     const struct op * /* NULL: none in particular */);
/* Members of an etcd cluster of that size needed for a quorum. */
int quorum_of(int members);

#endif
