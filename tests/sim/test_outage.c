/* Half of the nodes are cut off at once, for twenty minutes. Nothing is done to them; five minutes after the network is
 * back a node that breaks is healed as ever; and with zones, a node that is truly broken in the healthy one is healed
 * meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#undef fail
#undef fail_msg
#define fail_msg(...)                                                                                                  \
	do {                                                                                                           \
		print_error(__VA_ARGS__);                                                                              \
		_fail(__FILE__, __LINE__);                                                                             \
	} while (0)

#include "sim/run.h"

#define SEEDS 12
#define HEALED_MS_MAX (25 * MINUTE) /* unhealthy-duration, a reboot in vain, a replacement */

static struct run_stats run(enum run_script script, uint64_t seed)
{
	struct run_stats stats = { 0 };
	char violation[400];
	struct run_opts opts = { .seed = seed, .hours = 2, .script = script };
	if (!run_seed(&opts, &stats, violation, sizeof violation))
		fail_msg("seed %llu: %s", (unsigned long long)seed, violation);
	if (stats.acts_on_cut != 0)
		fail_msg("seed %llu: %llu acts on nodes that are only cut off", (unsigned long long)seed,
			 (unsigned long long)stats.acts_on_cut);
	if (stats.healed_after_ms == 0 || stats.healed_after_ms > HEALED_MS_MAX)
		fail_msg("seed %llu: what broke after the outage was healed in %lld s", (unsigned long long)seed,
			 (long long)stats.healed_after_ms / 1000);
	assert_int_equal(stats.unhealed, 0);
	return stats;
}

static void a_zone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct run_stats stats = run(SCRIPT_OUTAGE_ZONE, seed);
		assert_true(stats.held_zone > 0);
		if (stats.healed_in_outage_ms == 0)
			fail_msg("seed %llu: the broken node of the healthy zone was not healed",
				 (unsigned long long)seed);
	}
}

static void a_half_without_zones(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct run_stats stats = run(SCRIPT_OUTAGE_HALF, seed);
		assert_true(stats.held_outage > 0);
		assert_int_equal(stats.held_zone, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_zone), cmocka_unit_test(a_half_without_zones) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
