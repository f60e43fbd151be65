/* The judge and the cases: clocks that neither a flip nor a wrong clock can move, probation, giving up, bounds. */
#include "core_fixture.h"

static struct lab *lab_new(int masters, int workers)
{
	struct lab *lab = xcalloc(1, sizeof *lab);
	lab_init(lab, masters, workers);
	return lab;
}

static void lab_free(struct lab *lab)
{
	lab_done(lab);
	free(lab);
}

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
	assert_string_equal(record->why, "Ready=False");
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
	assert_null(lab_record(lab, 0)); /* it was only suspected: forgotten */
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
	history_began(&lab->history, record, rung);
	struct op op = { .recipe = &recipe, .state = state, .is_committed = has_acted, .note = "the note" };
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
		{ ROLE_WORKER, RUNG_REBOOT, OP_CANCELLED, false, RUNG_NONE, false, false, 0, 0, false },
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

static void what_was_tried_is_a_bounded_text(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	lab_break(lab, 1);
	for (int i = 0; i < 50; i++)
		history_began(&lab->history, lab_record(lab, 0), RUNG_HARD_REBOOT);
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
		nodes[i] = (struct node){ .name = names[i], .uid = "u", .role = ROLE_WORKER };
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
		{ { HEALTH_BAD, HEALTH_OK }, 2 * MINUTE, true, false, "zero" },
		{ { HEALTH_BAD, HEALTH_OK }, 3 * MINUTE, true, true, "zero" },
		{ { HEALTH_OK, HEALTH_BAD }, 20 * SEC, true, true, "one" }, /* its duration is shorter */
		{ { HEALTH_BAD, HEALTH_BAD }, 20 * SEC, true, true, "one" },
		{ { HEALTH_BAD, HEALTH_BAD }, 3 * MINUTE, true, true, "zero" },
		{ { HEALTH_BAD, HEALTH_UNKNOWN }, 3 * MINUTE, true, true, "zero" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 1);
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
		two = (struct two_checks){ { HEALTH_OK, HEALTH_UNKNOWN } };
		step(lab, SEC);
		CHECK(lab_record(lab, 0) == NULL, "case %zu: not content", i);
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
		cmocka_unit_test(what_was_tried_is_a_bounded_text),
		cmocka_unit_test(the_ring_keeps_the_last_ones),
		cmocka_unit_test(records_are_bounded_and_sorted),
		cmocka_unit_test(several_checks),
		cmocka_unit_test(names_of_states),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
