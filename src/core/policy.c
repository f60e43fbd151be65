#include "core/policy.h"

int limit_of(struct limit limit, int size)
{
	if (size <= 0)
		return 0;
	int n = limit.is_percent ? size * limit.value / 100 : limit.value;
	if (limit.value <= 0)
		return 0;
	int most = size > 1 ? size - 1 : 1;
	return n < 1 ? 1 : n > most ? most : n;
}

struct policy policy_default(void)
{
	return (struct policy){
		.is_enabled = { true, true },
		.monitor_interval_ms = 60 * SEC,
		.check_delay_after_add_ms = 10 * MINUTE,
		.rebuild_delay_after_reboot_ms = 5 * MINUTE,
		.max_concurrent_repairs = { 10, true },
		.storm_threshold = { 50, true },
		.storm_cooldown_ms = 5 * MINUTE,
		.probation_ms = 10 * MINUTE,
		.retry_backoff_ms = 5 * MINUTE,
		.max_attempts = 5,
		.worker_replacement = REPLACE_IN_PLACE,
		.master_replacement = MASTERS_AUTO,
		.ladders = { [ROLE_MASTER] = { 3,
					       { { RUNG_REBOOT, 0 }, { RUNG_HARD_REBOOT, 0 }, { RUNG_REPLACE, 0 } } },
			     [ROLE_WORKER] = { 2, { { RUNG_REBOOT, 0 }, { RUNG_REPLACE, 0 } } } },
		.needs = { 1, 1 },
		.zone_storm_threshold = { 50, true },
		.flap_changes = 6,
		.flap_window_ms = 30 * MINUTE,
		.mhc_timeout_ms = 5 * MINUTE,
	};
}
