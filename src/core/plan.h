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
	enum hold hold;     /* HOLD_NONE: do it */
	const char *detail; /* "" or more about the hold; in the arena */
};
struct plan {
	struct line *lines;
	size_t count;
	size_t bad_count[ROLES_COUNT]; /* grown nodes that are bad now, for however short */
	size_t total[ROLES_COUNT];
	size_t grown_count[ROLES_COUNT]; /* of them those that are not young: a scale-out is no storm, and hides none */
	bool is_storm;
};

/* Can the cloud do this rung for this node? NULL in why: yes. */
typedef bool (*can_repair)(const void *ctx, enum rung, const struct node *, const struct machine *,
			   const char **out_why);

/* The passes, in order; each one a file, each tested alone. */
void ladder_choose(const struct snapshot *, struct line *);
void brake_apply(const struct snapshot *, const struct history *, const struct policy *, const struct ops *, can_repair,
		 const void *ctx, struct arena *, struct plan *);

void decide(const struct snapshot *, const struct history *, const struct policy *, const struct ops *, can_repair,
	    const void *ctx, struct arena *, struct plan *out);

/* Must a running op be stopped now, although nothing of it failed? NULL: no; else why. */
const char *brake_cancel(const struct snapshot *, const struct history *, const struct policy *, const struct op *);
/* May any act leave at this moment (views fresh, healing on)? HOLD_NONE: yes. */
enum hold brake_gate(const struct snapshot *, const struct policy *, const struct op * /* NULL: none in particular */);
/* Members of an etcd cluster of that size needed for a quorum. */
int quorum_of(int members);

#endif
