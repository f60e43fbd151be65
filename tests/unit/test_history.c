/* The judge and the cases: clocks that neither a flip nor a wrong clock can move, probation, giving up, bounds. */
#include "core_fixture.h"

static void step(struct lab *lab, int64_t ms)
{
	lab_pass(lab, ms);
	lab_observe(lab);
}

static bool is_open(struct lab *lab, size_t node)
{
	const struct record *record = lab_record(lab, node);
	return record != NULL && record->state == CASE_OPEN;
}

static void opens_after_unhealthy_duration(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 2);
	lab_observe(lab);
	assert_int_equal(lab->history.count, 0);
	lab_set(lab, 0, STATUS_FALSE);
	lab_observe(lab);
	assert_int_equal(lab_record(lab, 0)->state, CASE_SUSPECT);
	assert_true(lab_record(lab, 0)->is_bad_now);
	step(lab, 3 * MINUTE - 1);
	assert_false(is_open(lab, 0));
	step(lab, 1);
	assert_true(is_open(lab, 0));
	const struct record *record = lab_record(lab, 0);
	assert_true(record->is_unhealthy);
	assert_string_equal(record->check, "NodeCondition");
	assert_string_equal(record->why, "NodeCondition: Ready=False");
	assert_int_equal(strlen(record->case_id), 12);
	assert_null(lab_record(lab, 1));
	lab_free(lab);
}

static void a_flip_between_two_kinds_of_bad_keeps_the_clock(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_observe(lab);
	for (int i = 0; i < 18; i++) {
		lab_set(lab, 0, i % 2 ? STATUS_FALSE : STATUS_UNKNOWN); /* lastTransitionTime restarts */
		lab_observe(lab);
		assert_false(is_open(lab, 0));
		lab_pass(lab, 10 * SEC);
	}
	lab_observe(lab);
	assert_true(is_open(lab, 0));
	lab_free(lab);
}

static void a_moment_of_health_restarts_the_clock(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_observe(lab);
	lab_set(lab, 0, STATUS_FALSE);
	step(lab, 2 * MINUTE);
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, 1 * SEC);
	assert_non_null(lab_record(lab, 0)); /* it was only suspected, and is kept for its changes alone */
	assert_int_equal(lab_record(lab, 0)->state, CASE_SUSPECT);
	assert_false(lab_record(lab, 0)->is_bad_now);
	lab_set(lab, 0, STATUS_FALSE);
	step(lab, 1 * SEC);
	step(lab, 3 * MINUTE - 2 * SEC);
	assert_false(is_open(lab, 0));
	step(lab, 2 * SEC);
	assert_true(is_open(lab, 0));
	lab_free(lab);
}

static void the_clock_of_a_kubelet_is_not_believed(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		int64_t shift_ms; /* of lastTransitionTime */
		bool seen_healthy;
		int64_t opens_after_ms; /* after the first look at the bad node */
	} cases[] = {
		{ "right, seen from its beginning", 0, true, 3 * MINUTE },
		{ "far in the past, but seen healthy", -10 * HOUR, true, 3 * MINUTE - 60 * SEC },
		{ "in the future, seen healthy", 10 * HOUR, true, 3 * MINUTE },
		{ "in the future, never seen healthy", 10 * HOUR, false, 3 * MINUTE },
		{ "in the past, never seen healthy", -10 * HOUR, false, 15 * SEC },
		{ "a minute ago, never seen healthy", -60 * SEC, false, 2 * MINUTE },
		{ "just now, never seen healthy", 0, false, 3 * MINUTE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 1);
		if (cases[i].seen_healthy)
			lab_observe(lab);
		lab_pass(lab, 60 * SEC); /* between two looks */
		lab_set(lab, 0, STATUS_FALSE);
		lab->ready[0].transition.ms += cases[i].shift_ms;
		lab_observe(lab);
		int64_t began_ms = lab->now.mono.ms;
		while (!is_open(lab, 0) && lab->now.mono.ms - began_ms < HOUR)
			step(lab, 1 * SEC);
		CHECK(lab->now.mono.ms - began_ms == cases[i].opens_after_ms, "%s: after %lld s", cases[i].what,
		      (long long)(lab->now.mono.ms - began_ms) / SEC);
		lab_free(lab);
	}
}

static void our_own_wall_clock_may_jump(void **state)
{
	(void)state;
	static const int64_t jumps[] = { 10 * HOUR, -10 * HOUR };
	for (size_t i = 0; i < COUNT(jumps); i++) {
		struct lab *lab = lab_new(0, 1);
		lab_observe(lab);
		lab_set(lab, 0, STATUS_FALSE);
		lab_observe(lab);
		lab->now.wall.ms += jumps[i];
		step(lab, 3 * MINUTE - SEC);
		assert_false(is_open(lab, 0));
		step(lab, SEC);
		assert_true(is_open(lab, 0));
		lab_free(lab);
	}
}

static void unknown_is_neither(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 2);
	lab->is_unknown[0] = true;
	lab_observe(lab);
	step(lab, HOUR);
	assert_int_equal(lab->history.count, 0); /* not unhealthy */
	lab->is_unknown[0] = false;
	lab_break(lab, 1);
	assert_true(is_open(lab, 0));
	lab->is_unknown[0] = true;
	step(lab, HOUR);
	assert_true(is_open(lab, 0)); /* not healthy either */
	assert_false(lab_record(lab, 0)->is_bad_now);
	assert_false(lab_record(lab, 0)->is_unhealthy);
	lab_free(lab);
}

static void a_stale_view_changes_nothing(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	uint64_t version = lab->history.version;
	lab->snapshot.is_nodes_fresh = false;
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, HOUR);
	lab->count = 0;
	step(lab, HOUR);
	assert_true(is_open(lab, 0));
	assert_true(lab->history.version == version);
	lab_free(lab);
}

static void roles_that_are_not_watched(void **state)
{
	(void)state;
	struct lab *lab = lab_new(1, 1);
	lab->policy.is_enabled[ROLE_MASTER] = false;
	lab_break(lab, 3);
	assert_null(lab_record(lab, 0));
	assert_true(is_open(lab, 1));
	lab_free(lab);
}

/* An op of the node's case, over as STATE, with or without its act. */
static void end_repair(struct lab *lab, size_t node, enum rung rung, enum op_state state, bool has_acted)
{
	static const struct step steps[] = { { .name = "only" } };
	static const struct recipe recipe = { "r", steps, 1, 0 };
	struct record *record = lab_record(lab, node);
	enum rung top = record->role == ROLE_WORKER ? RUNG_REPLACE : RUNG_HARD_REBOOT;
	history_began(&lab->history, record, rung, top, lab->machines[node].id);
	struct op op = { .recipe = &recipe, .state = state, .is_committed = has_acted, .note = "the note" };
	op.facts.ready_limit_ms = 5 * MINUTE;
	history_ended(&lab->history, record, &lab->policy, &op, rung, lab->now);
}

static void health_without_a_repair_closes_at_once(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	end_repair(lab, 0, RUNG_REBOOT, OP_CANCELLED, false);
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, SEC);
	assert_null(lab_record(lab, 0));
	assert_int_equal(lab->history.past_count, 1);
	assert_string_equal(lab->history.past[0].node, "n-000");
	assert_int_equal(lab->history.past[0].closed.ms, lab->now.wall.ms);
	assert_int_equal(lab->history.past[0].opened.ms, lab->now.wall.ms - SEC);
	lab_free(lab);
}

static void probation_and_relapse(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	char case_id[CASE_ID_BYTES];
	(void)TEXT_COPY(case_id, lab_record(lab, 0)->case_id);
	end_repair(lab, 0, RUNG_REBOOT, OP_DONE, true);
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, SEC);
	assert_int_equal(lab_record(lab, 0)->state, CASE_PROBATION);
	step(lab, 9 * MINUTE);
	lab_set(lab, 0, STATUS_FALSE); /* a relapse that is short */
	step(lab, SEC);
	assert_int_equal(lab_record(lab, 0)->state, CASE_PROBATION);
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, SEC);
	step(lab, 10 * MINUTE - SEC);
	assert_non_null(lab_record(lab, 0)); /* probation begins anew */
	lab_set(lab, 0, STATUS_FALSE);
	step(lab, SEC);
	step(lab, 3 * MINUTE);
	assert_true(is_open(lab, 0)); /* and one that lasts */
	assert_string_equal(lab_record(lab, 0)->case_id, case_id);
	assert_int_equal(lab_record(lab, 0)->last_rung, RUNG_REBOOT); /* the ladder goes on where it was */
	end_repair(lab, 0, RUNG_REPLACE, OP_DONE, true);
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, SEC);
	step(lab, 10 * MINUTE - 1);
	assert_non_null(lab_record(lab, 0));
	step(lab, 1);
	assert_null(lab_record(lab, 0));
	assert_int_equal(lab->history.past_count, 1);
	assert_string_equal(lab->history.past[0].tried, "reboot,replace");
	lab_free(lab);
}

static void a_case_under_repair_does_not_close(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	(void)TEXT_COPY(ops_add(&lab->ops)->facts.node, "n-000");
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, HOUR);
	assert_true(is_open(lab, 0));
	lab->count = 0; /* nor when its Node is gone for a while */
	step(lab, SEC);
	assert_true(is_open(lab, 0));
	/* ... nor when the repair goes on under another node's name */
	(void)TEXT_COPY(lab->ops.list[0].facts.node, "n-new");
	(void)TEXT_COPY(lab->ops.list[0].facts.case_id, lab_record(lab, 0)->case_id);
	step(lab, SEC);
	assert_true(is_open(lab, 0));
	lab->ops.count = 0;
	step(lab, SEC);
	assert_null(lab_record(lab, 0));
	assert_int_equal(lab->history.past_count, 1);
	lab_free(lab);
}

static void vanished_nodes(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 2);
	lab_break(lab, 2);
	lab_set(lab, 0, STATUS_FALSE);
	step(lab, SEC);
	assert_int_equal(lab->history.count, 2);
	lab->count = 0;
	step(lab, SEC);
	assert_int_equal(lab->history.count, 0);
	assert_int_equal(lab->history.past_count, 1); /* a mere suspicion leaves no trace */
	assert_string_equal(lab->history.past[0].node, "n-001");
	lab_free(lab);
}

static void failed_attempts_back_off_and_are_bounded(void **state)
{
	(void)state;
	static const enum role roles[] = { ROLE_WORKER, ROLE_MASTER };
	for (size_t r = 0; r < COUNT(roles); r++) {
		struct lab *lab = lab_new(roles[r] == ROLE_MASTER, roles[r] == ROLE_WORKER);
		enum rung last = roles[r] == ROLE_WORKER ? RUNG_REPLACE : RUNG_HARD_REBOOT;
		lab_break(lab, 1);
		struct record *record = lab_record(lab, 0);
		end_repair(lab, 0, RUNG_REBOOT, OP_FAILED, true);
		assert_int_equal(record->attempts, 0); /* not the last rung: the next one, at once */
		assert_int_equal(record->next_try.ms, 0);
		assert_int_equal(record->last_rung, RUNG_REBOOT);
		static const int64_t pauses[] = { 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 80 * MINUTE };
		for (int i = 0; i < 5; i++) {
			assert_int_equal(record->state, CASE_OPEN);
			end_repair(lab, 0, last, OP_FAILED, true);
			assert_int_equal(record->attempts, i + 1);
			assert_int_equal(record->next_try.ms - lab->now.mono.ms, pauses[i]);
		}
		assert_int_equal(record->state, CASE_GIVEN_UP);
		assert_string_equal(record->last_note, "the note");
		step(lab, 24 * HOUR);
		assert_int_equal(lab_record(lab, 0)->state, CASE_GIVEN_UP); /* until somebody looks at it */
		lab_free(lab);
	}
}

static void the_pause_never_exceeds_sixteen_times(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab->policy.max_attempts = 1000;
	lab_break(lab, 1);
	for (int i = 0; i < 40; i++) {
		end_repair(lab, 0, RUNG_REPLACE, OP_FAILED, true);
		int64_t pause_ms = lab_record(lab, 0)->next_try.ms - lab->now.mono.ms;
		assert_true(pause_ms >= 5 * MINUTE && pause_ms <= 80 * MINUTE);
	}
	lab_free(lab);
}

/* The cloud says no: the same rung again, later and later, and at last the next one. */
static void a_rung_that_could_not_be_done(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	struct record *record = lab_record(lab, 0);
	int64_t last_ms = 0;
	int tries = 0;
	while (record->last_rung == RUNG_NONE && tries < 100) {
		end_repair(lab, 0, RUNG_REBOOT, OP_FAILED, false);
		tries++;
		int64_t pause_ms = record->next_try.ms - lab->now.mono.ms;
		if (record->last_rung == RUNG_NONE)
			CHECK(pause_ms >= last_ms && pause_ms >= 30 * SEC && pause_ms <= 40 * MINUTE, "%lld",
			      (long long)pause_ms);
		last_ms = pause_ms;
	}
	assert_int_equal(tries, 12);
	assert_int_equal(record->last_rung, RUNG_REBOOT);
	assert_int_equal(record->rung_tries, 0);
	assert_false(record->has_acted); /* nothing was ever done to it */
	assert_int_equal(record->attempts, 0);
	lab_free(lab);
}

static void how_a_repair_may_end(void **state)
{
	(void)state;
	static const struct {
		enum role role;
		enum rung rung;
		enum op_state state;
		bool has_acted; /* the op's act left */
		/* afterwards */
		enum rung last_rung;
		bool is_climbing, is_acted;
		int attempts, rung_tries;
		bool has_pause;
	} rows[] = {
		{ ROLE_WORKER, RUNG_REBOOT, OP_DONE, true, RUNG_REBOOT, false, true, 0, 0, true },
		{ ROLE_WORKER, RUNG_REBOOT, OP_DONE, false, RUNG_REBOOT, false, true, 0, 0, true },
		{ ROLE_WORKER, RUNG_REBOOT, OP_FAILED, true, RUNG_REBOOT, true, true, 0, 0, false },
		{ ROLE_WORKER, RUNG_REBOOT, OP_FAILED, false, RUNG_NONE, false, false, 0, 1, true },
		{ ROLE_WORKER, RUNG_REBOOT, OP_CANCELLED, false, RUNG_NONE, false, false, 0, 0, true },
		{ ROLE_WORKER, RUNG_REPLACE, OP_CANCELLED, true, RUNG_NONE, false, true, 0, 0, true },
		{ ROLE_WORKER, RUNG_HARD_REBOOT, OP_FAILED, true, RUNG_HARD_REBOOT, true, true, 0, 0, false },
		{ ROLE_WORKER, RUNG_REPLACE, OP_DONE, true, RUNG_REPLACE, false, true, 0, 0, true },
		{ ROLE_WORKER, RUNG_REPLACE, OP_FAILED, true, RUNG_REPLACE, false, true, 1, 0, true },
		{ ROLE_WORKER, RUNG_REPLACE, OP_FAILED, false, RUNG_NONE, false, false, 0, 1, true },
		{ ROLE_MASTER, RUNG_REBOOT, OP_FAILED, true, RUNG_REBOOT, true, true, 0, 0, false },
		{ ROLE_MASTER, RUNG_HARD_REBOOT, OP_FAILED, true, RUNG_NONE, false, true, 1, 0, true },
		{ ROLE_MASTER, RUNG_HARD_REBOOT, OP_DONE, true, RUNG_HARD_REBOOT, false, true, 0, 0, true },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lab *lab = lab_new(rows[i].role == ROLE_MASTER, rows[i].role == ROLE_WORKER);
		lab_break(lab, 1);
		uint64_t version = lab->history.version;
		end_repair(lab, 0, rows[i].rung, rows[i].state, rows[i].has_acted);
		const struct record *record = lab_record(lab, 0);
		CHECK(record->last_rung == rows[i].last_rung, "row %zu: %s", i, rung_name(record->last_rung));
		CHECK(record->is_climbing == rows[i].is_climbing, "row %zu", i);
		CHECK(record->has_acted == rows[i].is_acted, "row %zu", i);
		CHECK(record->attempts == rows[i].attempts, "row %zu: %d", i, record->attempts);
		CHECK(record->rung_tries == rows[i].rung_tries, "row %zu: %d", i, record->rung_tries);
		CHECK((record->next_try.ms > lab->now.mono.ms) == rows[i].has_pause, "row %zu", i);
		CHECK(record->repaired.ms == lab->now.mono.ms && lab->history.version > version, "row %zu", i);
		lab_free(lab);
	}
}

static void a_replaced_machine_begins_the_ladder_anew(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	end_repair(lab, 0, RUNG_REPLACE, OP_DONE, true);
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, SEC);
	lab_set(lab, 0, STATUS_FALSE);
	step(lab, SEC);
	step(lab, 3 * MINUTE);
	assert_true(is_open(lab, 0));
	assert_int_equal(lab_record(lab, 0)->last_rung, RUNG_NONE);
	lab_free(lab);
}

static void a_given_up_node_gets_another_chance(void **state)
{
	(void)state;
	for (int by_health = 0; by_health < 2; by_health++) {
		struct lab *lab = lab_new(0, 1);
		lab->policy.max_attempts = 1;
		lab_break(lab, 1);
		end_repair(lab, 0, RUNG_REPLACE, OP_FAILED, true);
		assert_int_equal(lab_record(lab, 0)->state, CASE_GIVEN_UP);
		if (by_health) {
			lab_set(lab, 0, STATUS_TRUE);
			step(lab, SEC);
			assert_int_equal(lab_record(lab, 0)->state, CASE_PROBATION);
			step(lab, 10 * MINUTE);
			assert_null(lab_record(lab, 0));
		} else { /* somebody replaced it: the same name, another object */
			(void)TEXT_COPY(lab->uids[0], "uid-new");
			step(lab, SEC);
			assert_int_equal(lab_record(lab, 0)->state, CASE_SUSPECT);
			assert_int_equal(lab_record(lab, 0)->attempts, 0);
			assert_string_equal(lab_record(lab, 0)->uid, "uid-new");
		}
		lab_free(lab);
	}
}

static void a_new_object_is_a_new_story(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	end_repair(lab, 0, RUNG_REPLACE, OP_FAILED, true);
	(void)TEXT_COPY(lab->uids[0], "uid-new");
	step(lab, SEC);
	const struct record *record = lab_record(lab, 0);
	assert_non_null(record); /* it is bad as well, but its clock begins now */
	assert_int_equal(record->state, CASE_SUSPECT);
	assert_false(record->has_acted);
	assert_string_equal(record->uid, "uid-new");
	assert_int_equal(lab->history.past_count, 1);
	lab_free(lab);
}

/* The view was lost and comes back: the kubelets' reports come back only after it. */
static void a_gap_in_the_view_is_no_bad_time(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_set(lab, 0, STATUS_FALSE);
	step(lab, SEC);
	lab->snapshot.is_nodes_fresh = false;
	step(lab, HOUR);
	lab->snapshot.is_nodes_fresh = true;
	step(lab, SEC);
	assert_false(is_open(lab, 0));
	step(lab, 50 * SEC);
	assert_false(is_open(lab, 0));
	step(lab, 15 * SEC);
	assert_true(is_open(lab, 0));
	lab_free(lab);
}

/* It changed while nobody looked: it may have been well in between, and its clock begins with the change. Seen as it
 * happens, a change between two kinds of bad is none. */
static void a_change_that_nobody_saw(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		bool is_gap, is_taken_over;
		int64_t changed_ago_ms; /* at the first look after it; 0: it did not */
		int64_t opens_after_ms; /* from that look on */
	} cases[] = {
		{ "a gap, no change", true, false, 0, 60 * SEC },
		{ "a gap, and a change", true, false, 30 * SEC, 3 * MINUTE - 30 * SEC },
		{ "a gap, and a change long ago", true, false, 10 * MINUTE, 60 * SEC },
		{ "no gap, a change", false, false, 30 * SEC, MINUTE },
		{ "taken over, no change", false, true, 0, MINUTE },
		{ "taken over, a change before that was seen", false, true, 70 * SEC, MINUTE },
		{ "taken over, and a change", false, true, 30 * SEC, 3 * MINUTE - 30 * SEC },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 1);
		step(lab, SEC);
		lab_set(lab, 0, STATUS_FALSE);
		step(lab, MINUTE);
		lab->snapshot.is_nodes_fresh = !cases[i].is_gap;
		step(lab, cases[i].is_gap ? 20 * MINUTE : 0);
		lab_pass(lab, MINUTE);
		lab->snapshot.is_nodes_fresh = true;
		if (cases[i].is_taken_over)
			lab->history.unseen_from.ms = lab->now.mono.ms - MINUTE; /* the journal was written then */
		if (cases[i].changed_ago_ms != 0)
			lab->ready[0].transition.ms = lab->now.wall.ms - cases[i].changed_ago_ms;
		lab_observe(lab);
		int64_t looked_ms = lab->now.mono.ms;
		while (!is_open(lab, 0) && lab->now.mono.ms - looked_ms < HOUR)
			step(lab, SEC);
		CHECK(lab->now.mono.ms - looked_ms == cases[i].opens_after_ms, "%s: after %lld s", cases[i].what,
		      (long long)(lab->now.mono.ms - looked_ms) / SEC);
		lab_free(lab);
	}
}

static void what_was_tried_is_a_bounded_text(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	for (int i = 0; i < 50; i++)
		history_began(&lab->history, lab_record(lab, 0), RUNG_HARD_REBOOT, RUNG_REPLACE, "s");
	assert_in_range(strlen(lab_record(lab, 0)->tried), 60, 79);
	lab_free(lab);
}

static void the_ring_keeps_the_last_ones(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	for (int i = 0; i < PAST_MAX + 7; i++) {
		lab_break(lab, 1);
		assert_true(is_open(lab, 0));
		lab_set(lab, 0, STATUS_TRUE);
		step(lab, SEC);
	}
	assert_int_equal(lab->history.past_count, PAST_MAX);
	assert_int_equal(lab->history.past_next, 7);
	size_t newest = lab->history.past_next - 1;
	assert_int_equal(lab->history.past[newest].closed.ms, lab->now.wall.ms);
	assert_true(lab->history.past[lab->history.past_next].closed.ms < lab->history.past[newest].closed.ms);
	lab_free(lab);
}

/* ---- done, and it did not help ----------------------------------------------------------------------------------- */

/* The node's own Ready says that all is well, so each repair ends DONE; the Endpoint stays dead. */
static void a_repair_that_is_done_and_does_not_help(void **state)
{
	(void)state;
	static const struct {
		enum role role;
		const char *ladder;
	} cases[] = { { ROLE_MASTER, "reboot,hard-reboot" }, { ROLE_WORKER, "reboot,replace" } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(3, 8);
		size_t node = cases[i].role == ROLE_MASTER ? 0 : 5;
		enum rung top = cases[i].role == ROLE_MASTER ? RUNG_HARD_REBOOT : RUNG_REPLACE;
		size_t endpoint = lab_add_check(lab, cases[i].role, "Endpoint", 3 * MINUTE);
		lab_observe(lab);
		lab_find_it(lab, endpoint, node, HEALTH_BAD);
		step(lab, SEC);
		int repairs = 0;
		int64_t last_ms = 0;
		char tried[80];
		for (int minute = 0; minute < 48 * 60; minute++) {
			step(lab, MINUTE);
			arena_reset(&lab->arena);
			lab_decide(lab);
			const struct line *line = lab_line(lab, node);
			assert_non_null(line);
			if (line->hold != HOLD_NONE)
				continue;
			CHECK(last_ms == 0 || lab->now.mono.ms - last_ms >= 5 * MINUTE, "too soon: %lld",
			      (long long)(lab->now.mono.ms - last_ms));
			enum rung rung = line->rung > top ? top : line->rung;
			lab_record(lab, node)->next_try.ms = 0;
			end_repair(lab, node, rung, OP_DONE, true);
			assert_true(lab_record(lab, node)->is_awaited);
			last_ms = lab->now.mono.ms;
			if (++repairs == 2)
				(void)TEXT_COPY(tried, lab_record(lab, node)->tried);
		}
		const struct record *record = lab_record(lab, node);
		CHECK(record->state == CASE_GIVEN_UP, "%s", case_state_name(record->state));
		CHECK(record->attempts == lab->policy.max_attempts, "%d", record->attempts);
		CHECK(repairs <= 2 * lab->policy.max_attempts, "%d repairs", repairs);
		CHECK(strcmp(tried, cases[i].ladder) == 0, "tried %s", tried);
		lab_free(lab);
	}
}

/* What the node shows when the time has come decides: the next rung, a whole ladder in vain, or nothing of either. */
static void what_comes_of_a_repair_that_was_done(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		enum rung rung;
		int64_t after_ms;
		enum health health;
		bool is_awaited;
		enum rung last_rung;
		int attempts;
		enum case_state state;
	} cases[] = {
		{ "bad, the time has not come", RUNG_REPLACE, 5 * MINUTE - 1, HEALTH_BAD, true, RUNG_REPLACE, 0,
		  CASE_OPEN },
		{ "bad, it has", RUNG_REPLACE, 5 * MINUTE, HEALTH_BAD, false, RUNG_REPLACE, 1, CASE_OPEN },
		{ "bad, below the top", RUNG_REBOOT, 5 * MINUTE, HEALTH_BAD, false, RUNG_REBOOT, 0, CASE_OPEN },
		{ "not known", RUNG_REPLACE, 6 * MINUTE, HEALTH_UNKNOWN, true, RUNG_REPLACE, 0, CASE_OPEN },
		{ "well", RUNG_REPLACE, 6 * MINUTE, HEALTH_OK, false, RUNG_REPLACE, 0, CASE_PROBATION },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab_break(lab, 1);
		end_repair(lab, 0, cases[i].rung, OP_DONE, true);
		lab->is_unknown[0] = cases[i].health == HEALTH_UNKNOWN;
		if (cases[i].health == HEALTH_OK)
			lab_set(lab, 0, STATUS_TRUE);
		step(lab, cases[i].after_ms);
		step(lab, 0); /* the same view again counts nothing twice */
		const struct record *record = lab_record(lab, 0);
		CHECK(record->is_awaited == cases[i].is_awaited, "%s", cases[i].what);
		CHECK(record->last_rung == cases[i].last_rung, "%s: %s", cases[i].what, rung_name(record->last_rung));
		CHECK(record->attempts == cases[i].attempts, "%s: %d", cases[i].what, record->attempts);
		CHECK(record->state == cases[i].state, "%s: %s", cases[i].what, case_state_name(record->state));
		lab_free(lab);
	}
}

/* ---- a check that fell silent ------------------------------------------------------------------------------------ */

/* Node 0, bad by its second check for four minutes, which then has nothing to say; the first one is content. */
static struct lab *lab_silent(size_t *out_check)
{
	struct lab *lab = lab_new(0, 4);
	lab->policy.flap_changes = 0;
	*out_check = lab_add_check(lab, ROLE_WORKER, "Endpoint", 3 * MINUTE);
	lab_observe(lab);
	lab_find_it(lab, *out_check, 0, HEALTH_BAD);
	step(lab, SEC);
	step(lab, 4 * MINUTE);
	assert_true(is_open(lab, 0));
	lab_find_it(lab, *out_check, 0, HEALTH_UNKNOWN);
	return lab;
}

static void silence_is_not_health(void **state)
{
	(void)state;
	static const enum case_state states[] = { CASE_OPEN, CASE_GIVEN_UP };
	for (size_t i = 0; i < COUNT(states); i++) {
		for (int has_acted = 0; has_acted < 2; has_acted++) {
			size_t check = 0;
			struct lab *lab = lab_silent(&check);
			lab_record(lab, 0)->state = states[i];
			lab_record(lab, 0)->has_acted = has_acted;
			struct op *op = lab_repair(lab, 0);
			step(lab, SEC);
			assert_false(lab_record(lab, 0)->is_well_now || lab_record(lab, 0)->is_bad_now);
			assert_null(brake_cancel(lab_look(lab), &lab->history, &lab->policy, op));
			lab->ops.count = 0;
			for (int minute = 0; minute < 60; minute++) {
				step(lab, MINUTE);
				CHECK(lab_record(lab, 0) != NULL && lab_record(lab, 0)->state == states[i],
				      "after %d min", minute);
			}
			step(lab, SEC); /* for so long it is not waited for */
			if (has_acted)
				assert_int_equal(lab_record(lab, 0)->state, CASE_PROBATION);
			else
				assert_null(lab_record(lab, 0));
			lab_free(lab);
		}
	}
}

/* A probe that missed one round goes on where it was; after a longer silence the node is watched anew. */
static void the_clock_over_a_silence(void **state)
{
	(void)state;
	static const struct {
		int64_t silent_ms;
		bool goes_on;
	} cases[] = { { SEC, true }, { MINUTE, true }, { MINUTE + SEC, false }, { 30 * MINUTE, false } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		size_t check = lab_add_check(lab, ROLE_WORKER, "Endpoint", 3 * MINUTE);
		lab_observe(lab);
		lab_find_it(lab, check, 0, HEALTH_BAD);
		lab_observe(lab);
		int64_t began_ms = lab->now.mono.ms;
		step(lab, MINUTE);
		lab_find_it(lab, check, 0, HEALTH_UNKNOWN);
		step(lab, 0);
		step(lab, cases[i].silent_ms);
		lab_find_it(lab, check, 0, HEALTH_BAD);
		step(lab, 0);
		int64_t again_ms = lab->now.mono.ms;
		int64_t wanted_ms = (cases[i].goes_on ? began_ms : again_ms) + 3 * MINUTE;
		while (!is_open(lab, 0) && lab->now.mono.ms - again_ms < HOUR)
			step(lab, SEC);
		CHECK(lab->now.mono.ms == wanted_ms, "case %zu: %lld s after it spoke again", i,
		      (long long)(lab->now.mono.ms - again_ms) / SEC);
		lab_free(lab);
	}
}

/* ---- cancelled, and looked at again ------------------------------------------------------------------------------ */

static void after_a_cancelled_repair_comes_a_pause(void **state)
{
	(void)state;
	static const int64_t pauses[] = { 0, 10 * SEC, 10 * MINUTE }; /* that the case had already */
	for (size_t i = 0; i < COUNT(pauses); i++) {
		struct lab *lab = lab_new(0, 4);
		lab_break(lab, 1);
		if (pauses[i] > 0)
			lab_record(lab, 0)->next_try.ms = lab->now.mono.ms + pauses[i];
		end_repair(lab, 0, RUNG_REBOOT, OP_CANCELLED, false);
		int64_t wanted_ms = pauses[i] > 30 * SEC ? pauses[i] : 30 * SEC;
		assert_int_equal(lab_record(lab, 0)->next_try.ms, lab->now.mono.ms + wanted_ms);
		assert_int_equal(history_begun_since(&lab->history, (struct mono){ 0 }), 0);
		lab_decide(lab);
		assert_int_equal(lab_hold(lab, 0), HOLD_BACKOFF);
		step(lab, wanted_ms);
		lab_decide(lab);
		assert_int_equal(lab_hold(lab, 0), HOLD_NONE);
		lab_free(lab);
	}
}

/* A finding without a time of its own (NeverJoined): our own clock counts, also for a leader that has just begun. */
static void a_finding_without_a_time(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	size_t never = lab_add_check(lab, ROLE_WORKER, "NeverJoined", 15 * MINUTE);
	lab->checker.rules[ROLE_WORKER][never].is_of_phantoms = true;
	for (size_t i = 0; i < 4; i++)
		lab_find_it(lab, never, i, HEALTH_UNKNOWN);
	lab->nodes[0].is_phantom = true;
	lab->is_unknown[0] = true;
	lab_find_it(lab, never, 0, HEALTH_BAD);
	lab->found[never][0].since = (struct wall){ 0 };
	lab_observe(lab);
	step(lab, 15 * MINUTE - 1);
	assert_false(is_open(lab, 0));
	step(lab, 1);
	assert_true(is_open(lab, 0));
	lab_free(lab);
}

/* ---- many nodes -------------------------------------------------------------------------------------------------- */

static enum health always_bad(const void *ctx, size_t check, const struct node *node, struct wall now,
			      struct finding *out)
{
	(void)ctx;
	(void)check;
	(void)node;
	if (out != NULL)
		*out = (struct finding){ .health = HEALTH_BAD, .since = now, .why = "bad" };
	return HEALTH_BAD;
}

static void records_are_bounded_and_sorted(void **state)
{
	(void)state;
	enum { NODES = RECORDS_MAX + 100 };
	struct lab *lab = lab_new(0, 0);
	char(*names)[16] = xcalloc(NODES, sizeof *names);
	struct node *nodes = xcalloc(NODES, sizeof *nodes);
	const struct node **list = xcalloc(NODES, sizeof *list);
	for (size_t i = 0; i < NODES; i++) {
		(void)snprintf(names[i], sizeof names[i], "n-%05zu", i);
		nodes[i] = (struct node){ .name = names[i],
					  .uid = "u",
					  .provider_id = "",
					  .machine_id = "",
					  .system_uuid = "",
					  .boot_id = "",
					  .internal_ip = "",
					  .group = "",
					  .zone = "",
					  .cordon_mark = "",
					  .role = ROLE_WORKER };
		list[i] = &nodes[i];
	}
	lab->checker.find = always_bad;
	struct snapshot snapshot = *lab_look(lab);
	snapshot.nodes = list;
	snapshot.nodes_count = NODES;
	history_observe(&lab->history, &snapshot, &lab->policy, &lab->ops, &lab->rng);
	assert_int_equal(lab->history.count, RECORDS_MAX);
	for (size_t i = 1; i < lab->history.count; i++)
		assert_true(strcmp(lab->history.records[i - 1].node, lab->history.records[i].node) < 0);
	assert_null(history_find(&lab->history, names[NODES - 1]));
	assert_int_equal(lab->history.unrecorded_bad[ROLE_WORKER], NODES - RECORDS_MAX);
	/* Those of whom nothing is known hold all the others, whatever the threshold. */
	lab->policy.storm_threshold = (struct limit){ 100, true };
	decide(&snapshot, &lab->history, &lab->policy, &lab->ops, lab_can, lab, &lab->arena, &lab->plan);
	assert_int_equal(lab->plan.bad_count[ROLE_WORKER], NODES);
	assert_int_equal(lab->plan.outage.hold, HOLD_STORM);
	assert_int_equal(lab_actions(lab), 0);
	free(list);
	free(nodes);
	free(names);
	lab_free(lab);
}

/* Several checks: each has its own clock, the worst verdict counts, contentment needs all of them. */
struct two_checks {
	enum health health[2];
};

static enum health find_two(const void *ctx, size_t check, const struct node *node, struct wall now,
			    struct finding *out)
{
	const struct two_checks *two = ctx;
	(void)node;
	if (out != NULL) {
		*out = (struct finding){ .health = two->health[check], .since = now };
		(void)TEXT_COPY(out->why, check == 0 ? "zero" : "one");
	}
	return two->health[check];
}

static void several_checks(void **state)
{
	(void)state;
	static const struct {
		enum health health[2];
		int64_t after_ms;
		bool is_record, is_open;
		const char *why;
	} cases[] = {
		{ { HEALTH_OK, HEALTH_OK }, HOUR, false, false, NULL },
		{ { HEALTH_OK, HEALTH_UNKNOWN }, HOUR, false, false, NULL },
		{ { HEALTH_UNKNOWN, HEALTH_UNKNOWN }, HOUR, false, false, NULL },
		{ { HEALTH_BAD, HEALTH_OK }, 2 * MINUTE, true, false, "Zero: zero" },
		{ { HEALTH_BAD, HEALTH_OK }, 3 * MINUTE, true, true, "Zero: zero" },
		{ { HEALTH_OK, HEALTH_BAD }, 20 * SEC, true, true, "One: one" }, /* its duration is shorter */
		{ { HEALTH_BAD, HEALTH_BAD }, 20 * SEC, true, true, "One: one" },
		{ { HEALTH_BAD, HEALTH_BAD }, 3 * MINUTE, true, true, "Zero: zero; One: one" },
		{ { HEALTH_BAD, HEALTH_UNKNOWN }, 3 * MINUTE, true, true, "Zero: zero" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 1);
		lab->policy.flap_changes = 0; /* or what is well would be kept for its changes */
		struct two_checks two = { { HEALTH_OK, HEALTH_OK } };
		lab->checker = (struct checker){ .ctx = &two, .count = { 2, 2 }, .find = find_two };
		lab->checker.rules[ROLE_WORKER][0] = (struct check_rule){ "Zero", 3 * MINUTE };
		lab->checker.rules[ROLE_WORKER][1] = (struct check_rule){ "One", 10 * SEC };
		lab_observe(lab);
		two = (struct two_checks){ { cases[i].health[0], cases[i].health[1] } };
		lab_observe(lab);
		step(lab, cases[i].after_ms);
		const struct record *record = lab_record(lab, 0);
		CHECK((record != NULL) == cases[i].is_record, "case %zu", i);
		CHECK(is_open(lab, 0) == cases[i].is_open, "case %zu", i);
		if (record != NULL)
			CHECK(strcmp(record->why, cases[i].why) == 0, "case %zu: %s", i, record->why);
		/* A check that was not content has to say that it is, or to be silent for an hour. */
		two = (struct two_checks){ { HEALTH_OK, HEALTH_UNKNOWN } };
		step(lab, SEC);
		bool is_doubted = cases[i].health[1] == HEALTH_BAD;
		CHECK((lab_record(lab, 0) != NULL) == is_doubted, "case %zu", i);
		step(lab, HOUR);
		CHECK((lab_record(lab, 0) != NULL) == is_doubted, "case %zu", i);
		step(lab, SEC);
		CHECK(lab_record(lab, 0) == NULL, "case %zu: not content", i);
		lab_free(lab);
	}
}

/* A record that is only kept for its changes makes room for a node that is bad now; one of a case does not. */
static void a_quiet_record_makes_room(void **state)
{
	(void)state;
	for (int is_quiet = 0; is_quiet < 2; is_quiet++) {
		struct lab *lab = lab_new(0, 2);
		lab->history.cap = RECORDS_MAX;
		lab->history.count = RECORDS_MAX;
		lab->history.records = xcalloc(RECORDS_MAX, sizeof *lab->history.records);
		for (size_t i = 0; i < RECORDS_MAX; i++) {
			struct record *record = &lab->history.records[i];
			(void)snprintf(record->node, sizeof record->node, "a-%05zu", i);
			record->state = is_quiet && i == 7 ? CASE_SUSPECT : CASE_OPEN;
			/* none of them has a Node: their repairs run */
			(void)TEXT_COPY(record->case_id, "case");
		}
		(void)TEXT_COPY(ops_add(&lab->ops)->facts.case_id, "case");
		lab_set(lab, 0, STATUS_FALSE);
		lab_observe(lab);
		assert_int_equal(lab->history.count, RECORDS_MAX);
		assert_int_equal(lab_record(lab, 0) != NULL, is_quiet);
		assert_int_equal(history_find(&lab->history, "a-00007") == NULL, is_quiet);
		assert_int_equal(lab->history.unrecorded_bad[ROLE_WORKER], !is_quiet);
		lab_free(lab);
	}
}

/* While the clock jumps nothing can be said of when; it has only just been seen. */
static void a_jump_of_the_clock_is_no_age(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_observe(lab);
	lab_pass(lab, 2 * MINUTE); /* between two looks */
	lab_set(lab, 0, STATUS_FALSE);
	lab->ready[0].transition.ms -= 2 * MINUTE;
	lab->snapshot.has_clock_jumped = true;
	lab_observe(lab);
	assert_int_equal(lab_record(lab, 0)->bad_since[0].ms, lab->now.mono.ms);
	lab_free(lab);
}

static void which_server_a_replacement_may_have_stopped(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	static const struct {
		enum rung rung;
		const char *server, *stopped;
	} rungs[] = { { RUNG_REBOOT, "a", "" },
		      { RUNG_REPLACE, "a", "a" },
		      { RUNG_HARD_REBOOT, "b", "a" },
		      { RUNG_REPLACE, "b", "b" } };
	for (size_t i = 0; i < COUNT(rungs); i++) {
		history_began(&lab->history, lab_record(lab, 0), rungs[i].rung, RUNG_REPLACE, rungs[i].server);
		assert_string_equal(lab_record(lab, 0)->stopped, rungs[i].stopped);
	}
	lab_free(lab);
}

/* A replacement may come to the twin of the server that it began with, and stop that one too. */
static void both_twins_may_have_been_stopped(void **state)
{
	(void)state;
	for (int is_touched = 0; is_touched < 2; is_touched++) {
		struct lab *lab = lab_new(0, 1);
		lab_break(lab, 1);
		struct record *record = lab_record(lab, 0);
		struct op op = { .state = OP_CANCELLED, .rung = RUNG_REPLACE, .is_touched = is_touched != 0 };
		(void)TEXT_COPY(op.facts.server, "twin");
		history_began(&lab->history, record, RUNG_REPLACE, RUNG_REPLACE, "old");
		history_ended(&lab->history, record, &lab->policy, &op, RUNG_REPLACE, lab->now);
		assert_true(record_has_stopped(record, "old"));
		assert_int_equal(record_has_stopped(record, "twin"), is_touched);
		assert_false(record_has_stopped(record, "other"));
		assert_false(record_has_stopped(record, "")); /* an unknown server is nobody's */
		lab_free(lab);
	}
}

/* Another node's repair does not keep this one's case. */
static void the_repair_of_another(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 2);
	lab_break(lab, 1);
	struct op *op = ops_add(&lab->ops);
	(void)TEXT_COPY(op->facts.node, "n-001");
	(void)TEXT_COPY(op->facts.case_id, "another");
	lab_set(lab, 0, STATUS_TRUE);
	step(lab, SEC);
	assert_null(lab_record(lab, 0));
	lab_free(lab);
}

/* A leader that has just been elected knows of storms what it saw as a standby, and what its forerunner wrote. */
static void storms_outlive_an_election(void **state)
{
	(void)state;
	static const int64_t times[][3] = { { 0, 0, 0 }, { 0, 5, 5 }, { 5, 0, 5 }, { 5, 9, 9 }, { 9, 5, 9 } };
	for (size_t i = 0; i < COUNT(times); i++) {
		struct lab *lab = lab_new(0, 1);
		struct history other;
		history_init(&other);
		lab_break(lab, 1);
		lab->history.storm_at.ms = times[i][0];
		other.storm_at.ms = times[i][1];
		if (times[i][0] != 0)
			history_freeze(&lab->history, "z", (struct mono){ times[i][0] });
		if (times[i][1] != 0)
			history_freeze(&other, "z", (struct mono){ times[i][1] });
		history_forget(&lab->history);
		assert_int_equal(lab->history.count, 0);
		assert_int_equal(lab->history.storm_at.ms, times[i][0]);
		history_keep_sight(&lab->history, &other);
		assert_int_equal(lab->history.storm_at.ms, times[i][2]);
		assert_int_equal(history_frozen(&lab->history, "z").ms, times[i][2]);
		history_done(&other);
		lab_free(lab);
	}
}

static void names_of_states(void **state)
{
	(void)state;
	for (enum case_state s = CASE_SUSPECT; s <= CASE_GIVEN_UP; s++) {
		enum case_state again = CASE_SUSPECT;
		assert_true(case_state_parse(case_state_name(s), &again));
		assert_int_equal(again, s);
	}
	enum case_state untouched = CASE_OPEN;
	assert_false(case_state_parse("closed", &untouched));
	assert_false(case_state_parse(NULL, &untouched));
	assert_int_equal(untouched, CASE_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_after_unhealthy_duration),
		cmocka_unit_test(a_flip_between_two_kinds_of_bad_keeps_the_clock),
		cmocka_unit_test(a_moment_of_health_restarts_the_clock),
		cmocka_unit_test(the_clock_of_a_kubelet_is_not_believed),
		cmocka_unit_test(our_own_wall_clock_may_jump),
		cmocka_unit_test(unknown_is_neither),
		cmocka_unit_test(a_stale_view_changes_nothing),
		cmocka_unit_test(roles_that_are_not_watched),
		cmocka_unit_test(health_without_a_repair_closes_at_once),
		cmocka_unit_test(probation_and_relapse),
		cmocka_unit_test(a_case_under_repair_does_not_close),
		cmocka_unit_test(vanished_nodes),
		cmocka_unit_test(failed_attempts_back_off_and_are_bounded),
		cmocka_unit_test(the_pause_never_exceeds_sixteen_times),
		cmocka_unit_test(a_rung_that_could_not_be_done),
		cmocka_unit_test(how_a_repair_may_end),
		cmocka_unit_test(a_replaced_machine_begins_the_ladder_anew),
		cmocka_unit_test(a_given_up_node_gets_another_chance),
		cmocka_unit_test(a_new_object_is_a_new_story),
		cmocka_unit_test(a_gap_in_the_view_is_no_bad_time),
		cmocka_unit_test(a_change_that_nobody_saw),
		cmocka_unit_test(what_was_tried_is_a_bounded_text),
		cmocka_unit_test(the_ring_keeps_the_last_ones),
		cmocka_unit_test(records_are_bounded_and_sorted),
		cmocka_unit_test(several_checks),
		cmocka_unit_test(a_repair_that_is_done_and_does_not_help),
		cmocka_unit_test(what_comes_of_a_repair_that_was_done),
		cmocka_unit_test(silence_is_not_health),
		cmocka_unit_test(the_clock_over_a_silence),
		cmocka_unit_test(after_a_cancelled_repair_comes_a_pause),
		cmocka_unit_test(a_finding_without_a_time),
		cmocka_unit_test(names_of_states),
		cmocka_unit_test(a_quiet_record_makes_room),
		cmocka_unit_test(a_jump_of_the_clock_is_no_age),
		cmocka_unit_test(which_server_a_replacement_may_have_stopped),
		cmocka_unit_test(both_twins_may_have_been_stopped),
		cmocka_unit_test(the_repair_of_another),
		cmocka_unit_test(storms_outlive_an_election),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
