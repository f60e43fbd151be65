/* One replacement of a worker, and the leader crashes at each of its requests in turn: right before it leaves, or right
 * after it has arrived. Another replica finishes the repair, nothing is done twice, and every law holds. */
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

#define HOURS 1
#define REQUESTS_MIN 25 /* a replacement has at least so many: fewer, and nothing was repaired */

static int requests_of(enum run_script script)
{
	struct run_stats stats = { 0 };
	char violation[400];
	struct run_opts opts = { .seed = 7, .hours = HOURS, .script = script };
	if (!run_seed(&opts, &stats, violation, sizeof violation))
		fail_msg("without any crash: %s", violation);
	assert_int_equal(stats.unhealed, 0);
	return (int)stats.repair_requests;
}

static void crash_everywhere(enum run_script script)
{
	int requests = requests_of(script);
	assert_true(requests >= REQUESTS_MIN);
	for (int at = 1; at <= requests; at++) {
		for (int before = 0; before < 2; before++) {
			struct run_stats stats = { 0 };
			char violation[400];
			struct run_opts opts = { .seed = 7,
						 .hours = HOURS,
						 .script = script,
						 .crash_at = at,
						 .is_crash_before = before != 0 };
			bool is_good = run_seed(&opts, &stats, violation, sizeof violation);
			if (!is_good)
				fail_msg("crash %s request %d: %s", before ? "before" : "after", at, violation);
			assert_int_equal(stats.crashes, 1);
			assert_int_equal(stats.unhealed, 0);
		}
	}
	print_message("# %d requests, a crash before and after each\n", requests);
}

static void replacement_in_place(void **state)
{
	(void)state;
	crash_everywhere(SCRIPT_IN_PLACE);
}

static void replacement_by_resize(void **state)
{
	(void)state;
	crash_everywhere(SCRIPT_RESIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(replacement_in_place),
					    cmocka_unit_test(replacement_by_resize) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
