/* What the operator wants, as the decision reads it. Filled by src/conf. */
#ifndef MAH_CORE_POLICY_H
#define MAH_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/facts.h"
#include "core/rung.h"

/* A number or a percentage of a size. Rounding is decided here and nowhere else: limit_of() never gives 0 for a size of
 * 1 or more, so that one of one can be healed, and never the whole of a group of two or more. */
struct limit {
	int value;
	bool is_percent;
};
int limit_of(struct limit, int size);

enum replacement { REPLACE_IN_PLACE, REPLACE_RESIZE };
enum master_replacement { MASTERS_AUTO /* where etcd's data survives it */, MASTERS_NEVER, MASTERS_ALWAYS };

/* The rungs to climb, in order: some of start, reboot, hard-reboot, replace. The symptom may lead to a later one. */
#define RUNGS_PER_LADDER_MAX 6
struct ladder {
	size_t count; /* 0: none of its own */
	struct ladder_rung {
		enum rung rung;
		int64_t limit_ms; /* how long it may take to make the node healthy; 0: rebuild-delay-after-reboot */
	} rungs[RUNGS_PER_LADDER_MAX];
};

/* How many of a role's checks must agree that a node is unhealthy. */
#define NEEDS_ALL (-1)

struct policy {
	bool is_dry_run;
	bool is_enabled[ROLES_COUNT]; /* master-monitor-enabled, worker-monitor-enabled */
	int64_t monitor_interval_ms;
	int64_t check_delay_after_add_ms;      /* younger nodes are left alone */
	int64_t rebuild_delay_after_reboot_ms; /* how long a reboot may take to make the node Ready */
	struct limit max_concurrent_repairs;   /* workers under repair at once */
	struct limit storm_threshold;          /* more unhealthy nodes than that: no new repair */
	int64_t storm_cooldown_ms;             /* how long the storm must be over */
	int64_t probation_ms;                  /* healthy for so long: the case is closed */
	int64_t retry_backoff_ms;              /* pause after a failed ladder, doubled each time, at most 16 times it */
	int max_attempts;                      /* whole ladders climbed in vain before giving up */
	enum replacement worker_replacement;
	enum master_replacement master_replacement;
	struct ladder ladders[ROLES_COUNT];
	int needs[ROLES_COUNT]; /* checks that must agree: 1 any, NEEDS_ALL, or a number */
	/* Further budgets for workers, each within the cluster's; value 0: none of its own. */
	struct limit max_per_group, max_per_zone, max_per_host;
	int max_repairs_per_hour;          /* repairs begun; 0: no limit */
	struct limit zone_storm_threshold; /* more bad nodes of one zone: the zone is frozen */
	int flap_changes;                  /* so many changes between good and bad ... */
	int64_t flap_window_ms;  /* ... within this time: the node is flapping, which is bad; 0 changes: off */
	bool is_cordoned_healed; /* nodes that somebody else cordoned are repaired too */
	int64_t mhc_timeout_ms;  /* of the MachineHealthCheck on Cluster API clusters; 0: there is none */
};
struct policy policy_default(void);

#endif
