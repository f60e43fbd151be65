/* The verdict by several checks, each with its own time and its own ladder, and nodes that are good and bad in turn. */
#include "core_fixture.h"

static void step(struct lab *lab, int64_t ms)
{
	lab_pass(lab, ms);
	lab_observe(lab);
}

/* ---- how many must agree ------------------------------------------------------------------------------------------
 */

#define O HEALTH_OK
#define B HEALTH_BAD
#define U HEALTH_UNKNOWN

enum outcome { NO_RECORD, SUSPECT, DISPUTED, UNHEALTHY };

static const struct vote_case {
	int needs;
	enum health health[3];
	int64_t after_ms;
	enum outcome outcome;
	const char *why; /* the checks that are named, by their letters */
} vote_cases[] = {
	{ 1, { O, O, O }, HOUR, NO_RECORD, "" },
	{ 1, { U, U, U }, HOUR, NO_RECORD, "" },
	{ 1, { B, O, O }, MINUTE - 1, SUSPECT, "a" },
	{ 1, { B, O, O }, MINUTE, UNHEALTHY, "a" },
	{ 1, { O, B, O }, 2 * MINUTE - 1, SUSPECT, "b" },
	{ 1, { O, B, O }, 2 * MINUTE, UNHEALTHY, "b" },
	{ 1, { U, B, U }, 2 * MINUTE, UNHEALTHY, "b" },
	{ 1, { B, B, B }, MINUTE, UNHEALTHY, "a" }, /* those that took long enough */
	{ 1, { O, B, B }, 2 * MINUTE, UNHEALTHY, "b" },
	{ 1, { O, B, B }, 3 * MINUTE, UNHEALTHY, "bc" },
	{ 2, { B, O, O }, HOUR, DISPUTED, "a" },
	{ 2, { B, U, U }, HOUR, DISPUTED, "a" }, /* unknown is not unhealthy */
	{ 2, { B, B, O }, 2 * MINUTE - 1, SUSPECT, "ab" },
	{ 2, { B, B, O }, 2 * MINUTE, UNHEALTHY, "ab" },
	{ 2, { B, U, B }, 3 * MINUTE - 1, SUSPECT, "ac" },
	{ 2, { B, U, B }, 3 * MINUTE, UNHEALTHY, "ac" },
	{ 2, { B, B, B }, 2 * MINUTE, UNHEALTHY, "ab" },
	{ 3, { B, B, O }, HOUR, DISPUTED, "ab" },
	{ 3, { B, B, B }, 3 * MINUTE - 1, SUSPECT, "abc" },
	{ 3, { B, B, B }, 3 * MINUTE, UNHEALTHY, "abc" },
	{ NEEDS_ALL, { B, B, O }, HOUR, DISPUTED, "ab" },
	{ NEEDS_ALL, { B, B, U }, HOUR, DISPUTED, "ab" },
	{ NEEDS_ALL, { B, B, B }, 3 * MINUTE - 1, SUSPECT, "abc" },
	{ NEEDS_ALL, { B, B, B }, 3 * MINUTE, UNHEALTHY, "abc" },
};

/* Three checks: after one, two and three minutes. */
static void votes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vote_cases); i++) {
		struct lab *lab = lab_new(0, 2);
		lab->checker.rules[ROLE_WORKER][0] = (struct check_rule){ "a", MINUTE };
		(void)lab_add_check(lab, ROLE_WORKER, "b", 2 * MINUTE);
		(void)lab_add_check(lab, ROLE_WORKER, "c", 3 * MINUTE);
		lab->policy.needs[ROLE_WORKER] = vote_cases[i].needs;
		lab_observe(lab);
		lab->is_unknown[0] = vote_cases[i].health[0] == U;
		if (vote_cases[i].health[0] == B)
			lab_set(lab, 0, STATUS_FALSE);
		for (size_t c = 1; c < 3; c++)
			lab_find_it(lab, c, 0, vote_cases[i].health[c]);
		lab_observe(lab);
		step(lab, vote_cases[i].after_ms);
		lab_decide(lab);
		const struct record *record = lab_record(lab, 0);
		CHECK((record != NULL) == (vote_cases[i].outcome != NO_RECORD), "case %zu", i);
		if (record == NULL) {
			lab_free(lab);
			continue;
		}
		static const enum hold holds[] = { 0, HOLD_DURATION, HOLD_WITNESSES, HOLD_NONE };
		CHECK(lab_hold(lab, 0) == holds[vote_cases[i].outcome], "case %zu: %s", i, hold_name(lab_hold(lab, 0)));
		CHECK(record->is_unhealthy == (vote_cases[i].outcome == UNHEALTHY), "case %zu", i);
		char named[4] = "";
		for (char c = 'a'; c <= 'c'; c++) {
			char start[] = { c, ':', ' ', '\0' };
			char later[] = { ';', ' ', c, ':', ' ', '\0' };
			if (text_starts(record->why, start) || strstr(record->why, later) != NULL)
				named[strlen(named)] = c;
		}
		CHECK(strcmp(named, vote_cases[i].why) == 0, "case %zu: %s", i, record->why);
		CHECK(record->check[0] == vote_cases[i].why[0] && record->check[1] == '\0', "case %zu: %s", i,
		      record->check);
		lab_free(lab);
	}
}

/* Checks that only speak of servers without a Node are no witnesses for those that have one. */
static void all_means_all_that_can_speak(void **state)
{
	(void)state;
	for (int is_phantom = 0; is_phantom < 2; is_phantom++) {
		struct lab *lab = lab_new(0, 2);
		size_t never = lab_add_check(lab, ROLE_WORKER, "NeverJoined", 3 * MINUTE);
		lab->checker.rules[ROLE_WORKER][never].is_of_phantoms = true;
		for (size_t i = 0; i < 2; i++)
			lab_find_it(lab, never, i, HEALTH_UNKNOWN);
		lab->policy.needs[ROLE_WORKER] = NEEDS_ALL;
		lab_observe(lab);
		if (is_phantom) {
			lab->nodes[0].is_phantom = true;
			lab->is_unknown[0] = true;
			lab_find_it(lab, never, 0, HEALTH_BAD);
		} else {
			lab_set(lab, 0, STATUS_FALSE);
		}
		lab_observe(lab);
		step(lab, 3 * MINUTE);
		assert_true(lab_record(lab, 0)->is_unhealthy);
		assert_string_equal(lab_record(lab, 0)->check, is_phantom ? "NeverJoined" : "NodeCondition");
		lab_free(lab);
	}
}

/* The ladder is that of the first check which has found it bad for long enough. */
static void each_check_has_its_ladder(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	size_t kubelet = lab_add_check(lab, ROLE_WORKER, "Kubelet", MINUTE);
	lab->checker.rules[ROLE_WORKER][kubelet].ladder = (struct ladder){ 1, { { RUNG_REPLACE, 0 } } };
	lab_observe(lab);
	lab_set(lab, 0, STATUS_FALSE);
	lab_find_it(lab, kubelet, 0, HEALTH_BAD);
	lab_observe(lab);
	step(lab, MINUTE);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_NONE);
	assert_string_equal(lab_record(lab, 0)->check, "Kubelet");
	assert_int_equal(lab_line(lab, 0)->rung, RUNG_REPLACE);
	step(lab, 2 * MINUTE); /* now NodeCondition too, which comes first and has no ladder of its own */
	lab_decide(lab);
	assert_string_equal(lab_record(lab, 0)->check, "NodeCondition");
	assert_int_equal(lab_line(lab, 0)->rung, RUNG_REBOOT);
	lab_free(lab);
}

/* One answer proves that the guest lives, whatever another probe missed. */
static void symptoms_are_put_together(void **state)
{
	(void)state;
	static const struct {
		enum symptom a, b;
		enum rung rung;
	} cases[] = {
		{ SYMPTOM_NONE, SYMPTOM_NONE, RUNG_REBOOT },
		{ SYMPTOM_NONE, SYMPTOM_GUEST_SILENT, RUNG_HARD_REBOOT },
		{ SYMPTOM_GUEST_SILENT, SYMPTOM_NONE, RUNG_HARD_REBOOT },
		{ SYMPTOM_GUEST_SILENT, SYMPTOM_GUEST_SILENT, RUNG_HARD_REBOOT },
		{ SYMPTOM_GUEST_SILENT, SYMPTOM_GUEST_ANSWERS, RUNG_REBOOT },
		{ SYMPTOM_GUEST_ANSWERS, SYMPTOM_GUEST_SILENT, RUNG_REBOOT },
		{ SYMPTOM_GUEST_ANSWERS, SYMPTOM_NONE, RUNG_REBOOT },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		size_t kubelet = lab_add_check(lab, ROLE_WORKER, "Kubelet", MINUTE);
		lab_observe(lab);
		lab->symptoms[0] = cases[i].a;
		lab_find_it(lab, kubelet, 0, HEALTH_BAD);
		lab->found[kubelet][0].symptom = cases[i].b;
		lab_break(lab, 1);
		lab_decide(lab);
		CHECK(lab_line(lab, 0)->rung == cases[i].rung, "case %zu: %s", i, rung_name(lab_line(lab, 0)->rung));
		lab_free(lab);
	}
}

/* A check that fell silent while the others were content: what it said long ago is no beginning of anything. */
static void what_a_silent_check_said_is_forgotten(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 2);
	size_t kubelet = lab_add_check(lab, ROLE_WORKER, "Kubelet", 3 * MINUTE);
	lab_observe(lab);
	lab_find_it(lab, kubelet, 0, HEALTH_BAD);
	step(lab, SEC);
	lab_find_it(lab, kubelet, 0, HEALTH_UNKNOWN);
	step(lab, MINUTE);
	assert_int_equal(lab_record(lab, 0)->state, CASE_SUSPECT); /* well by the other one, and kept for its flips */
	step(lab, 10 * MINUTE);
	lab_find_it(lab, kubelet, 0, HEALTH_BAD);
	step(lab, SEC);
	step(lab, 3 * MINUTE - 2 * SEC);
	assert_false(lab_record(lab, 0)->is_unhealthy);
	step(lab, 2 * SEC);
	assert_true(lab_record(lab, 0)->is_unhealthy);
	lab_free(lab);
}

/* ---- flapping -----------------------------------------------------------------------------------------------------
 */

/* So many changes, as far apart; the last one is to bad when their number is odd. */
static void flap(struct lab *lab, size_t node, int changes, int64_t apart_ms)
{
	for (int i = 0; i < changes; i++) {
		lab_pass(lab, apart_ms);
		lab_set(lab, node, i % 2 ? STATUS_TRUE : STATUS_FALSE);
		lab_observe(lab);
	}
}

static void how_many_changes_are_too_many(void **state)
{
	(void)state;
	static const struct {
		int limit, changes;
		int64_t window_ms, apart_ms;
		bool is_flapping;
	} cases[] = {
		{ 6, 5, 30 * MINUTE, MINUTE, false },     { 5, 5, 30 * MINUTE, MINUTE, true },
		{ 6, 7, 30 * MINUTE, MINUTE, true },      { 2, 3, 30 * MINUTE, MINUTE, true },
		{ 4, 3, 30 * MINUTE, MINUTE, false },     { 0, 15, 30 * MINUTE, MINUTE, false },
		{ 16, 17, 30 * MINUTE, MINUTE, true },    { 16, 15, 30 * MINUTE, MINUTE, false },
		{ 16, 49, 30 * MINUTE, SEC, true },       { 5, 5, 8 * MINUTE + 1, 2 * MINUTE, true },
		{ 5, 5, 8 * MINUTE, 2 * MINUTE, false }, /* the first of them is just outside */
		{ 5, 21, 8 * MINUTE, 2 * MINUTE, false }, { 5, 21, 8 * MINUTE + 1, 2 * MINUTE, true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab->policy.flap_changes = cases[i].limit;
		lab->policy.flap_window_ms = cases[i].window_ms;
		lab_observe(lab);
		flap(lab, 0, cases[i].changes, cases[i].apart_ms);
		const struct record *record = lab_record(lab, 0);
		CHECK(record->is_flapping == cases[i].is_flapping, "case %zu: %u", i,
		      history_flips(record, &lab->policy, lab->now.mono));
		CHECK(record->is_unhealthy == cases[i].is_flapping, "case %zu", i); /* long before its duration */
		CHECK((record->state == CASE_OPEN) == cases[i].is_flapping, "case %zu", i);
		CHECK((strstr(record->why, "flapping") != NULL) == cases[i].is_flapping, "case %zu: %s", i,
		      record->why);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == (cases[i].is_flapping ? HOLD_NONE : HOLD_DURATION), "case %zu: %s", i,
		      hold_name(lab_hold(lab, 0)));
		lab_free(lab);
	}
}

/* Good for a moment is not believed; but nothing is done to a node that is good right now (law L1). */
static void a_flapping_node_is_only_touched_while_it_is_bad(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	lab_observe(lab);
	flap(lab, 0, 7, MINUTE);
	assert_int_equal(lab_record(lab, 0)->state, CASE_OPEN);
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, MINUTE);
	assert_int_equal(lab_record(lab, 0)->state, CASE_OPEN);
	lab_decide(lab);
	assert_null(lab_line(lab, 0));
	struct op *op = lab_repair(lab, 0);
	assert_non_null(brake_cancel(lab_look(lab), &lab->history, &lab->policy, op));
	lab->ops.count = 0;
	/* it stays well: as the changes grow old, the case is closed */
	step(lab, 25 * MINUTE - 1);
	assert_non_null(lab_record(lab, 0));
	step(lab, 1); /* the third of eight was half an hour ago */
	assert_null(lab_record(lab, 0));
	assert_int_equal(lab->history.past_count, 1);
	lab_free(lab);
}

/* The changes that a repair makes are none of the node's, and after one it is another node. */
static void repairs_and_changes(void **state)
{
	(void)state;
	static const struct step steps[] = { { .name = "only" } };
	static const struct recipe recipe = { "r", steps, 1, 0 };
	struct lab *lab = lab_new(0, 4);
	lab_observe(lab);
	flap(lab, 0, 5, MINUTE);
	struct record *record = lab_record(lab, 0);
	assert_int_equal(history_flips(record, &lab->policy, lab->now.mono), 5);
	(void)lab_repair(lab, 0);
	for (int i = 0; i < 6; i++) {
		lab_set(lab, 0, i % 2 ? STATUS_FALSE : STATUS_TRUE);
		step(lab, MINUTE);
	}
	assert_int_equal(history_flips(lab_record(lab, 0), &lab->policy, lab->now.mono), 5);
	assert_false(lab_record(lab, 0)->is_flapping);
	lab->ops.count = 0;
	struct op op = { .recipe = &recipe, .state = OP_DONE, .facts = { .ready_limit_ms = MINUTE } };
	history_ended(&lab->history, lab_record(lab, 0), &lab->policy, &op, RUNG_REBOOT, lab->now);
	assert_int_equal(history_flips(lab_record(lab, 0), &lab->policy, lab->now.mono), 0);
	lab_free(lab);
}

/* Unknown is no change, and a gap in the view neither. */
static void what_is_no_change(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	lab_observe(lab);
	flap(lab, 0, 1, MINUTE);
	for (int i = 0; i < 8; i++) {
		lab->is_unknown[0] = i % 2 == 0;
		step(lab, SEC);
		lab_set(lab, 0, i % 2 ? STATUS_FALSE : STATUS_UNKNOWN); /* two kinds of bad */
		step(lab, SEC);
	}
	assert_int_equal(history_flips(lab_record(lab, 0), &lab->policy, lab->now.mono), 1);
	for (int i = 0; i < 8; i++) {
		lab->snapshot.is_nodes_fresh = false;
		lab_set(lab, 0, STATUS_TRUE);
		step(lab, SEC);
		lab_set(lab, 0, STATUS_FALSE);
		lab->snapshot.is_nodes_fresh = true;
		step(lab, SEC);
	}
	assert_int_equal(history_flips(lab_record(lab, 0), &lab->policy, lab->now.mono), 1);
	lab_free(lab);
}

/* One check that cannot make up its mind does not outvote the others. */
static void flapping_does_not_replace_witnesses(void **state)
{
	(void)state;
	static const struct {
		int needs;
		enum hold hold;
	} cases[] = { { 1, HOLD_NONE }, { 2, HOLD_WITNESSES }, { NEEDS_ALL, HOLD_WITNESSES } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		(void)lab_add_check(lab, ROLE_WORKER, "Kubelet", 3 * MINUTE);
		lab->policy.needs[ROLE_WORKER] = cases[i].needs;
		lab_observe(lab);
		flap(lab, 0, 7, MINUTE);
		assert_int_equal(lab_record(lab, 0)->is_flapping, cases[i].needs == 1);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == cases[i].hold, "case %zu: %s", i, hold_name(lab_hold(lab, 0)));
		lab_free(lab);
	}
}

/* A change of one of two witnesses is no change of the node: not when it is needed twice, and not later, when both
 * agree for the first time. */
static void only_agreed_changes_count(void **state)
{
	(void)state;
	for (int needs = 1; needs <= 2; needs++) {
		struct lab *lab = lab_new(0, 4);
		size_t kubelet = lab_add_check(lab, ROLE_WORKER, "Kubelet", 3 * MINUTE);
		lab->policy.needs[ROLE_WORKER] = needs;
		lab_observe(lab);
		for (int i = 0; i < 8; i++) {
			lab_find_it(lab, kubelet, 0, i % 2 ? HEALTH_OK : HEALTH_BAD);
			step(lab, MINUTE);
		}
		const struct record *record = lab_record(lab, 0);
		unsigned flips = record != NULL ? history_flips(record, &lab->policy, lab->now.mono) : 0;
		assert_int_equal(flips, needs == 1 ? 8 : 0);
		lab_set(lab, 0, STATUS_FALSE);
		lab_find_it(lab, kubelet, 0, HEALTH_BAD);
		step(lab, SEC);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == (needs == 1 ? HOLD_NONE : HOLD_DURATION), "%d: %s", needs,
		      hold_name(lab_hold(lab, 0)));
		assert_int_equal(lab_record(lab, 0)->is_flapping, needs == 1);
		lab_free(lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(votes),
		cmocka_unit_test(all_means_all_that_can_speak),
		cmocka_unit_test(each_check_has_its_ladder),
		cmocka_unit_test(symptoms_are_put_together),
		cmocka_unit_test(what_a_silent_check_said_is_forgotten),
		cmocka_unit_test(how_many_changes_are_too_many),
		cmocka_unit_test(a_flapping_node_is_only_touched_while_it_is_bad),
		cmocka_unit_test(repairs_and_changes),
		cmocka_unit_test(what_is_no_change),
		cmocka_unit_test(flapping_does_not_replace_witnesses),
		cmocka_unit_test(only_agreed_changes_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
