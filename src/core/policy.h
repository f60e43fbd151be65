/* What the operator wants, as the decision reads it. Filled by src/conf. */
#ifndef MAH_CORE_POLICY_H
#define MAH_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/facts.h"

/* A number or a percentage of a size. Rounding is decided here and nowhere else: limit_of() never gives 0 for a size of
 * 1 or more, so that one of one can be healed, and never the whole of a group of two or more. */
struct limit {
	int value;
	bool is_percent;
};
int limit_of(struct limit, int size);

enum replacement { REPLACE_IN_PLACE, REPLACE_RESIZE };

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
};
struct policy policy_default(void);

#endif
