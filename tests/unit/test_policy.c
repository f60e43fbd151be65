/* Limits: rounding is decided in one place, and this is its table. */
#include "core_fixture.h"

static void limits(void **state)
{
	(void)state;
	static const struct {
		struct limit limit;
		int size, most;
	} cases[] = {
		{ { 1, false }, 0, 0 },        { { 1, false }, 1, 1 },    { { 1, false }, 3, 1 },
		{ { 5, false }, 3, 2 },        { { 5, false }, 1, 1 },    { { 5, false }, 100, 5 },
		{ { 0, false }, 5, 0 },        { { -1, false }, 5, 0 },   { { 0, true }, 5, 0 },
		{ { 10, true }, 0, 0 },        { { 10, true }, 1, 1 },    { { 10, true }, 2, 1 },
		{ { 10, true }, 10, 1 },       { { 10, true }, 19, 1 },   { { 10, true }, 20, 2 },
		{ { 10, true }, 15000, 1500 }, { { 50, true }, 2, 1 },    { { 50, true }, 3, 1 },
		{ { 50, true }, 5, 2 },        { { 50, true }, 100, 50 }, { { 100, true }, 1, 1 },
		{ { 100, true }, 2, 1 },       { { 100, true }, 10, 9 },  { { 1, true }, 50, 1 },
		{ { 200, true }, 10, 9 },      { { 10, true }, -3, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK(limit_of(cases[i].limit, cases[i].size) == cases[i].most, "%d%s of %d: %d", cases[i].limit.value,
		      cases[i].limit.is_percent ? "%" : "", cases[i].size, limit_of(cases[i].limit, cases[i].size));
}

static void any_single_failure_can_be_healed_and_never_all(void **state)
{
	(void)state;
	for (int size = 1; size <= 300; size++) {
		for (int value = 1; value <= 100; value++) {
			for (int is_percent = 0; is_percent < 2; is_percent++) {
				int n = limit_of((struct limit){ value, is_percent != 0 }, size);
				CHECK(n >= 1 && (size == 1 ? n == 1 : n < size), "%d of %d: %d", value, size, n);
			}
		}
	}
}

static void quorum(void **state)
{
	(void)state;
	static const int expected[] = { 1, 1, 2, 2, 3, 3, 4, 4 };
	for (int i = 0; i < (int)COUNT(expected); i++)
		assert_int_equal(quorum_of(i), expected[i]);
}

static void defaults_are_sane(void **state)
{
	(void)state;
	struct policy policy = policy_default();
	assert_true(policy.is_enabled[ROLE_MASTER] && policy.is_enabled[ROLE_WORKER]);
	assert_false(policy.is_dry_run);
	assert_int_equal(policy.rebuild_delay_after_reboot_ms, 5 * MINUTE);
	assert_int_equal(policy.worker_replacement, REPLACE_IN_PLACE);
	assert_int_equal(limit_of(policy.max_concurrent_repairs, 1), 1);
	assert_int_equal(limit_of(policy.storm_threshold, 1), 1);
}

static void tables_have_unique_names(void **state)
{
	(void)state;
	for (int a = 0; a < HOLDS_COUNT; a++) {
		assert_true(hold_name((enum hold)a)[0] != '\0' && hold_help((enum hold)a)[0] != '\0');
		for (int b = 0; b < a; b++)
			assert_string_not_equal(hold_name((enum hold)a), hold_name((enum hold)b));
	}
	for (enum rung r = RUNG_NONE; r <= RUNG_GIVE_UP; r++) {
		enum rung again = RUNG_NONE;
		assert_true(rung_parse(rung_name(r), &again));
		assert_int_equal(again, r);
		assert_true(rung_event(r)[0] != '\0' && rung_help(r)[0] != '\0');
		assert_int_equal(rung_is_destructive(r),
				 r == RUNG_REBOOT || r == RUNG_HARD_REBOOT || r == RUNG_REPLACE);
	}
	enum rung untouched = RUNG_REBOOT;
	assert_false(rung_parse("re-boot", &untouched));
	assert_false(rung_parse(NULL, &untouched));
	assert_int_equal(untouched, RUNG_REBOOT);
}

static void cluster_states(void **state)
{
	(void)state;
	static const struct {
		const char *status, *stack;
		bool is_busy, is_settled;
	} cases[] = {
		{ "CREATE_COMPLETE", "CREATE_COMPLETE", false, true },
		{ "UPDATE_COMPLETE", "UPDATE_COMPLETE", false, true },
		{ "UPDATE_COMPLETE", "", false, true },
		{ "UPDATE_FAILED", "UPDATE_COMPLETE", false, true },
		{ "UPDATE_FAILED", "UPDATE_FAILED", false, true },
		{ "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", true, false },
		{ "UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", true, false },
		{ "CREATE_IN_PROGRESS", "", true, false },
		{ "CREATE_FAILED", "CREATE_FAILED", false, false },
		{ "DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", true, false },
		{ "DELETE_FAILED", "DELETE_FAILED", false, false },
		{ "DELETE_COMPLETE", "DELETE_COMPLETE", false, false },
		{ "CREATE_COMPLETE", "DELETE_COMPLETE", false, false },
		{ "", "", false, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cluster_view cluster = { 0 };
		(void)TEXT_COPY(cluster.status, cases[i].status);
		(void)TEXT_COPY(cluster.stack_status, cases[i].stack);
		CHECK(cluster_is_busy(&cluster) == cases[i].is_busy, "%s/%s", cases[i].status, cases[i].stack);
		CHECK(cluster_is_settled(&cluster) == cases[i].is_settled, "%s/%s", cases[i].status, cases[i].stack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),
		cmocka_unit_test(any_single_failure_can_be_healed_and_never_all),
		cmocka_unit_test(quorum),
		cmocka_unit_test(defaults_are_sane),
		cmocka_unit_test(tables_have_unique_names),
		cmocka_unit_test(cluster_states),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
