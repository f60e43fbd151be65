/* What is known, at one instant: views into the store, const during a turn, not copies. */
#ifndef MAH_CORE_SNAPSHOT_H
#define MAH_CORE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/time.h"
#include "core/facts.h"
#include "core/policy.h"
#include "core/switches.h"

/* The configured checks, as the judge sees them. find() is pure; it fills *out only when that is not NULL. */
#define CHECKS_PER_ROLE_MAX 8
struct checker {
	const void *ctx;
	size_t count[ROLES_COUNT];
	struct check_rule {
		const char *type;
		int64_t unhealthy_duration_ms;
		struct ladder ladder; /* count 0: the role's */
		bool is_of_phantoms;  /* it says nothing of Nodes, only of servers that never joined */
	} rules[ROLES_COUNT][CHECKS_PER_ROLE_MAX];
	enum health (*find)(const void *ctx, size_t check, const struct node *, struct wall now, struct finding *out);
};

struct snapshot {
	struct now now;
	const struct node *const *nodes; /* sorted by name */
	size_t nodes_count;
	bool is_nodes_fresh;
	const struct machine *machines; /* sorted by id */
	size_t machines_count;
	bool is_cloud_fresh;
	const struct cluster_view *cluster;
	const struct checker *checker;
	bool is_leader;
	bool is_journal_safe;
	bool has_clock_jumped; /* a moment ago */
	const struct switches *switches;
	bool is_switches_fresh; /* the state ConfigMap is watched live */
	/* How well the world is seen (law L7). */
	bool is_api_troubled;             /* errors or slowness of the API server lately */
	char api_trouble[80];             /* ... in words */
	size_t leases_total, leases_late; /* of the kubelets; total 0: not known now */
};

const struct node *snapshot_node(const struct snapshot *, const char *name);
const struct machine *snapshot_machine(const struct snapshot *, const char *id);

#endif
