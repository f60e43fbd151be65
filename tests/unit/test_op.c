/* The runner of operations: the order of journal and act, lost answers, limits, back-off, cancelling, resuming. */
#include "core_fixture.h"

#include "core/op.h"

static void ask_it(const struct op *op, struct arena *arena, struct ask *out)
{
	(void)arena;
	*out = (struct ask){ .kind = ASK_KUBE, .path = op_step(op)->name, .is_act = op_step(op)->is_once };
}

/* 202: not yet. 208 at a look: it was done already. 303: go to the step that Location names. */
static enum verdict hear_it(struct op *op, const struct answer *answer)
{
	if (answer->status == 202)
		return V_AGAIN;
	if (answer->status == 208)
		return op_goto(op, op->recipe->steps[op->at + 2].name);
	if (answer->status == 303)
		return op_goto(op, answer->location);
	return op_usual(op, answer, op_step(op)->name);
}

struct rig {
	struct op op;
	struct now now;
	struct rng rng;
	struct arena arena;
	struct ask ask;
};

static void rig_init(struct rig *rig, const struct recipe *recipe)
{
	*rig = (struct rig){ .now = { { LAB_MONO }, { LAB_WALL } }, .rng = { 1 } };
	arena_init(&rig->arena);
	op_init(&rig->op, recipe, &(struct op_facts){ .node = "n", .ready_limit_ms = 7 * MINUTE }, rig->now);
}

static void pass(struct rig *rig, int64_t ms)
{
	rig->now.mono.ms += ms;
	rig->now.wall.ms += ms;
}

static bool poll(struct rig *rig)
{
	return op_poll(&rig->op, rig->now, &rig->rng, &rig->arena, &rig->ask);
}

static void hear(struct rig *rig, int status)
{
	struct answer answer = { .status = status, .location = "end", .retry_after_ms = -1 };
	if (status == 0)
		(void)fail(&answer.why, ERR_TIMEOUT, "no answer");
	op_hear(&rig->op, rig->now, &rig->rng, &answer);
}

/* Waits until it is due, writes the journal when it must be, and expects the question of STEP. */
static void expect(struct rig *rig, const char *step)
{
	for (int i = 0; i < 4; i++) {
		if (rig->now.mono.ms < rig->op.due.ms)
			pass(rig, rig->op.due.ms - rig->now.mono.ms);
		if (poll(rig)) {
			assert_string_equal(rig->ask.path, step);
			return;
		}
		CHECK(rig->op.needs_journal, "%s: not asked (%s, %s)", step, op_state_name(rig->op.state),
		      rig->op.note);
		op_journalled(&rig->op);
	}
	fail_msg("%s is not asked", step);
}

static const struct step act_steps[] = {
	{ "first", ask_it, hear_it },
	{ "look", ask_it, hear_it, .limit_ms = 60 * SEC },
	{ "act", ask_it, hear_it, .limit_ms = 60 * SEC, .is_once = true, .look = "look", .is_committed = true },
	{ "after", ask_it, hear_it },
	{ "end", ask_it, hear_it },
};
static const struct recipe act = { "act", act_steps, COUNT(act_steps), HOUR };

/* Up to the question of the act; it has not left. */
static void to_act(struct rig *rig)
{
	expect(rig, "first");
	hear(rig, 200);
	expect(rig, "look");
	hear(rig, 200);
	expect(rig, "act");
}

static void the_journal_comes_first(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, &act);
	assert_false(poll(&rig)); /* not even the first look */
	assert_true(rig.op.needs_journal);
	assert_false(rig.op.is_sent);
	op_journalled(&rig.op);
	assert_true(poll(&rig));
	assert_false(poll(&rig)); /* one question at a time */
	hear(&rig, 200);
	assert_false(rig.op.needs_journal);
	expect(&rig, "look");
	hear(&rig, 200);
	assert_false(poll(&rig)); /* the act's intent is not stored yet */
	assert_true(rig.op.needs_journal && rig.op.is_sent);
	pass(&rig, 30 * SEC);
	assert_false(poll(&rig)); /* however long it takes */
	op_journalled(&rig.op);
	assert_true(poll(&rig));
	assert_string_equal(rig.ask.path, "act");
	op_left(&rig.op);
	assert_true(op_has_acted(&rig.op));
	hear(&rig, 200);
	assert_false(rig.op.is_sent);
	expect(&rig, "after");
	hear(&rig, 204);
	expect(&rig, "end");
	hear(&rig, 200);
	assert_int_equal(rig.op.state, OP_DONE);
	assert_true(op_is_over(&rig.op) && op_has_acted(&rig.op));
	assert_false(poll(&rig));
	arena_done(&rig.arena);
}

static void a_lost_answer_leads_back_to_the_look(void **state)
{
	(void)state;
	static const int lost[] = { 0, 408, 500, 502, 503, 504 };
	for (size_t i = 0; i < COUNT(lost); i++) {
		struct rig rig;
		rig_init(&rig, &act);
		to_act(&rig);
		op_left(&rig.op);
		hear(&rig, lost[i]);
		CHECK(strcmp(op_step(&rig.op)->name, "look") == 0, "%d", lost[i]);
		CHECK(rig.op.is_sent && op_has_acted(&rig.op), "%d: the doubt is forgotten", lost[i]);
		assert_int_equal(rig.op.due.ms, rig.now.mono.ms + OP_LOST_PAUSE_MS);
		pass(&rig, OP_LOST_PAUSE_MS - 1);
		assert_false(poll(&rig));
		pass(&rig, 1);
		assert_true(poll(&rig));
		assert_string_equal(rig.ask.path, "look");
		if (i % 2 == 0) { /* it had happened */
			hear(&rig, 208);
			assert_false(rig.op.is_sent);
			assert_true(op_has_acted(&rig.op));
			expect(&rig, "after");
		} else { /* it had not: once more, with a fresh intent */
			hear(&rig, 200);
			assert_false(op_has_acted(&rig.op));
			assert_false(poll(&rig));
			assert_true(rig.op.needs_journal);
			expect(&rig, "act");
		}
		arena_done(&rig.arena);
	}
}

static void the_server_may_ask_for_a_longer_pause(void **state)
{
	(void)state;
	static const struct {
		int status;
		int64_t retry_after_ms, least_ms, most_ms;
	} cases[] = {
		{ 503, 60 * SEC, 60 * SEC, 60 * SEC }, /* the act: the look waits too */
		{ 503, 1 * SEC, OP_LOST_PAUSE_MS, OP_LOST_PAUSE_MS },
		{ 429, 60 * SEC, 60 * SEC, 60 * SEC },
		{ 429, 0, 1 * SEC, 3 * SEC },
		{ 429, -1, 1 * SEC, 3 * SEC },
		{ 409, -1, 1 * SEC, 3 * SEC },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig rig;
		rig_init(&rig, &act);
		to_act(&rig);
		op_left(&rig.op);
		op_hear(&rig.op, rig.now, &rig.rng,
			&(struct answer){ .status = cases[i].status, .retry_after_ms = cases[i].retry_after_ms });
		int64_t pause_ms = rig.op.due.ms - rig.now.mono.ms;
		CHECK(pause_ms >= cases[i].least_ms && pause_ms <= cases[i].most_ms, "case %zu: %lld", i,
		      (long long)pause_ms);
		arena_done(&rig.arena);
	}
}

static void a_refused_act_was_no_act(void **state)
{
	(void)state;
	static const struct {
		int status;
		enum op_state state;
	} cases[] = {
		{ 400, OP_FAILED }, { 403, OP_FAILED }, { 404, OP_FAILED }, { 422, OP_FAILED },
		{ 401, OP_DUE },    { 409, OP_DUE },    { 429, OP_DUE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig rig;
		rig_init(&rig, &act);
		to_act(&rig);
		op_left(&rig.op);
		assert_true(op_has_acted(&rig.op));
		hear(&rig, cases[i].status);
		CHECK(rig.op.state == cases[i].state, "%d", cases[i].status);
		CHECK(!op_has_acted(&rig.op), "%d", cases[i].status);
		if (cases[i].state == OP_DUE)
			expect(&rig, "act"); /* without a look: nothing happened */
		arena_done(&rig.arena);
	}
}

static void an_earlier_act_stays_done_when_a_later_one_is_refused(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ "look1", ask_it, hear_it },
		{ "act1", ask_it, hear_it, .is_once = true, .look = "look1", .is_committed = true },
		{ "look2", ask_it, hear_it },
		{ "act2", ask_it, hear_it, .is_once = true, .look = "look2", .is_committed = true },
		{ "end", ask_it, hear_it },
	};
	static const struct recipe two = { "two", steps, COUNT(steps), HOUR };
	struct rig rig;
	rig_init(&rig, &two);
	for (size_t i = 0; i < 4; i++) {
		expect(&rig, steps[i].name);
		if (steps[i].is_once)
			op_left(&rig.op);
		hear(&rig, i < 3 ? 200 : 422);
	}
	assert_int_equal(rig.op.state, OP_FAILED);
	assert_true(op_has_acted(&rig.op));
	arena_done(&rig.arena);
}

static void an_act_that_never_gets_an_answer_is_given_up(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, &act);
	expect(&rig, "first");
	hear(&rig, 200);
	int asked = 0;
	while (!op_is_over(&rig.op) && asked < 100) {
		expect(&rig, "look");
		hear(&rig, 200);
		expect(&rig, "act");
		op_left(&rig.op);
		asked++;
		hear(&rig, 0);
	}
	assert_int_equal(rig.op.state, OP_FAILED);
	assert_in_range(asked, 2, 10);
	assert_true(op_has_acted(&rig.op)); /* the last one is still in doubt */
	assert_non_null(strstr(rig.op.note, "no answer"));
	arena_done(&rig.arena);
}

static void retries_are_bounded_and_grow(void **state)
{
	(void)state;
	static const struct step steps[] = { { "five", ask_it, hear_it }, { "end", ask_it, hear_it, .tries = 9 } };
	static const struct recipe recipe = { "r", steps, 2, 0 };
	for (unsigned which = 0; which < 2; which++) {
		struct rig rig;
		rig_init(&rig, &recipe);
		if (which == 1) {
			expect(&rig, "five");
			hear(&rig, 200);
		}
		unsigned asked = 0;
		int64_t longest_ms = 0;
		while (!op_is_over(&rig.op)) {
			expect(&rig, steps[which].name);
			asked++;
			hear(&rig, asked % 2 == 0 ? 0 : 503);
			int64_t pause_ms = rig.op.due.ms - rig.now.mono.ms;
			int64_t base_ms = asked < 6 ? (2 * SEC) << (asked - 1) : 60 * SEC;
			if (!op_is_over(&rig.op))
				CHECK(pause_ms >= base_ms / 2 && pause_ms <= base_ms * 3 / 2, "try %u: %lld", asked,
				      (long long)pause_ms);
			longest_ms = pause_ms > longest_ms ? pause_ms : longest_ms;
		}
		assert_int_equal(asked, which == 0 ? 5 : 9);
		assert_int_equal(rig.op.state, OP_FAILED);
		assert_true(rig.op.note[0] != '\0' && longest_ms <= 90 * SEC);
		arena_done(&rig.arena);
	}
}

static void polling_does_not_count_as_failing(void **state)
{
	(void)state;
	static const struct step steps[] = { { "a", ask_it, hear_it, .poll_ms = 7 * SEC, .tries = 2 },
					     { "end", ask_it, hear_it } };
	static const struct recipe recipe = { "r", steps, 2, 0 };
	struct rig rig;
	rig_init(&rig, &recipe);
	for (int i = 0; i < 50; i++) {
		expect(&rig, "a");
		hear(&rig, 202);
		assert_int_equal(rig.op.due.ms - rig.now.mono.ms, 7 * SEC);
		expect(&rig, "a");
		hear(&rig, 500); /* one failure between two answers is forgiven */
		assert_int_equal(rig.op.state, OP_DUE);
	}
	expect(&rig, "a");
	hear(&rig, 200);
	expect(&rig, "end");
	hear(&rig, 202);
	assert_int_equal(rig.op.due.ms - rig.now.mono.ms, 3 * SEC); /* the default */
	arena_done(&rig.arena);
}

static void time_limits(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ "plain", ask_it, hear_it, .limit_ms = 30 * SEC },
		{ "other", ask_it, hear_it, .limit_ms = 30 * SEC, .otherwise = "end" },
		{ "ready", ask_it, hear_it, .limit_ms = STEP_LIMIT_READY },
		{ "free", ask_it, hear_it },
		{ "end", ask_it, hear_it },
	};
	static const struct recipe recipe = { "r", steps, COUNT(steps), HOUR };
	static const struct {
		size_t step;
		int64_t after_ms;
		const char *then; /* NULL: failed */
	} cases[] = {
		{ 0, 30 * SEC, "plain" },   { 0, 30 * SEC + 1, NULL },  { 1, 30 * SEC, "other" },
		{ 1, 30 * SEC + 1, "end" }, { 2, 7 * MINUTE, "ready" }, { 2, 7 * MINUTE + 1, NULL },
		{ 3, 59 * MINUTE, "free" }, { 3, 61 * MINUTE, NULL },   { 1, 61 * MINUTE, NULL },
		{ 2, 61 * MINUTE, NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig rig;
		rig_init(&rig, &recipe);
		for (size_t k = 0; k < cases[i].step; k++) {
			expect(&rig, steps[k].name);
			hear(&rig, 200);
		}
		expect(&rig, steps[cases[i].step].name);
		hear(&rig, 202);
		pass(&rig, rig.op.entered.ms + cases[i].after_ms - rig.now.mono.ms);
		bool is_asked = poll(&rig);
		CHECK(is_asked == (cases[i].then != NULL), "case %zu", i);
		if (cases[i].then != NULL)
			assert_string_equal(rig.ask.path, cases[i].then);
		else
			CHECK(rig.op.state == OP_FAILED && strstr(rig.op.note, "time is up") != NULL, "case %zu: %s", i,
			      rig.op.note);
		arena_done(&rig.arena);
	}
}

/* The journal cannot be written: a limit that passes meanwhile must not open a way around it. */
static void no_way_around_the_journal(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ "first", ask_it, hear_it, .limit_ms = 10 * SEC, .otherwise = "look2" },
		{ "look1", ask_it, hear_it },
		{ "act1", ask_it, hear_it, .limit_ms = 10 * SEC, .is_once = true, .look = "look1",
		  .otherwise = "act2" },
		{ "look2", ask_it, hear_it },
		{ "act2", ask_it, hear_it, .is_once = true, .look = "look2" },
		{ "end", ask_it, hear_it },
	};
	static const struct recipe recipe = { "r", steps, COUNT(steps), HOUR };
	struct rig rig;
	rig_init(&rig, &recipe);
	pass(&rig, 11 * SEC);
	assert_false(poll(&rig));
	assert_string_equal(op_step(&rig.op)->name, "look2");
	assert_true(rig.op.needs_journal);
	arena_done(&rig.arena);

	rig_init(&rig, &recipe);
	expect(&rig, "first");
	hear(&rig, 200);
	expect(&rig, "look1");
	hear(&rig, 200);
	expect(&rig, "act1");
	hear(&rig, 429);
	pass(&rig, 11 * SEC);
	assert_false(poll(&rig)); /* another act: another intent */
	assert_string_equal(op_step(&rig.op)->name, "act2");
	assert_true(rig.op.needs_journal && rig.op.is_sent);
	arena_done(&rig.arena);
}

static void an_answer_may_lead_elsewhere(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, &act);
	expect(&rig, "first");
	hear(&rig, 303);
	expect(&rig, "end");
	hear(&rig, 403);
	assert_int_equal(rig.op.state, OP_FAILED);
	assert_string_equal(rig.op.note, "end: HTTP 403");
	arena_done(&rig.arena);
}

static void a_question_that_could_not_leave_counts_for_nothing(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, &act);
	to_act(&rig);
	for (int i = 0; i < 20; i++) {
		op_unask(&rig.op, (struct mono){ rig.now.mono.ms + 2 * SEC });
		assert_false(poll(&rig));
		pass(&rig, 2 * SEC);
		assert_true(poll(&rig));
		assert_false(op_has_acted(&rig.op));
	}
	assert_int_equal(rig.op.tries, 0);
	assert_true(op_cancel(&rig.op, "enough")); /* nothing has happened yet */
	assert_int_equal(rig.op.state, OP_CANCELLED);
	assert_string_equal(rig.op.note, "enough");
	assert_false(op_cancel(&rig.op, "again"));
	assert_string_equal(rig.op.note, "enough");
	arena_done(&rig.arena);
}

static void cancelling_ends_with_the_act(void **state)
{
	(void)state;
	for (int stage = 0; stage < 7; stage++) {
		struct rig rig;
		rig_init(&rig, &act);
		bool may = stage < 4;
		if (stage >= 1)
			expect(&rig, "first");
		if (stage >= 2) {
			hear(&rig, 200);
			expect(&rig, "look");
			hear(&rig, 200);
			(void)poll(&rig);
		}
		if (stage >= 3)
			expect(&rig, "act");
		if (stage >= 4)
			op_left(&rig.op);
		if (stage == 5)
			hear(&rig, 200);
		if (stage == 6)
			hear(&rig, 0);
		CHECK(op_cancel(&rig.op, "well again") == may, "stage %d", stage);
		CHECK(op_is_over(&rig.op) == may, "stage %d", stage);
		arena_done(&rig.arena);
	}
}

/* What a journal keeps of an op, and nothing else. */
static struct op stored(const struct op *op)
{
	return (struct op){ .recipe = op->recipe,
			    .at = op->at,
			    .rung = op->rung,
			    .started = op->started,
			    .is_sent = op->is_sent,
			    .is_committed = op->is_committed,
			    .committed_at = op->committed_at,
			    .holds_lock = op->holds_lock,
			    .facts = op->facts };
}

static void resumes_at_each_step(void **state)
{
	(void)state;
	static const struct {
		const char *at;
		bool is_sent, is_committed;
		const char *then;
		bool has_pause, may_cancel;
	} cases[] = {
		{ "first", false, false, "first", false, true },
		{ "look", false, false, "look", false, true },
		{ "look", true, false, "look", true, false }, /* on the way back from a lost answer */
		{ "look", true, true, "look", true, false },
		{ "act", false, false, "act", false, true }, /* its intent was not stored: it never left */
		{ "act", true, false, "look", true, false },
		{ "act", true, true, "look", true, false },
		{ "after", false, true, "after", false, false },
		{ "end", false, true, "end", false, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig rig;
		rig_init(&rig, &act);
		struct op op = { .recipe = &act,
				 .started = rig.now.wall,
				 .is_sent = cases[i].is_sent,
				 .is_committed = cases[i].is_committed,
				 .committed_at = 2 };
		while (strcmp(op_step(&op)->name, cases[i].at) != 0)
			op.at++;
		pass(&rig, 5 * MINUTE); /* nobody led meanwhile */
		rig.op = op;
		op_resume(&rig.op, rig.now);
		CHECK(rig.op.due.ms == rig.now.mono.ms + (cases[i].has_pause ? OP_LOST_PAUSE_MS : 0), "case %zu", i);
		struct op copy = rig.op;
		CHECK(op_cancel(&copy, "x") == cases[i].may_cancel, "case %zu", i);
		expect(&rig, cases[i].then);
		arena_done(&rig.arena);
	}
}

/* Written down, but crashed before it left: the look says so, and the op is as free as before. */
static void an_intent_without_an_act_is_taken_back(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, &act);
	to_act(&rig);
	rig.op = stored(&rig.op);
	op_resume(&rig.op, rig.now);
	assert_true(op_has_acted(&rig.op)); /* for all that is known */
	expect(&rig, "look");
	hear(&rig, 200);
	assert_false(op_has_acted(&rig.op));
	expect(&rig, "act");
	op_left(&rig.op);
	hear(&rig, 403);
	assert_false(op_has_acted(&rig.op));
	arena_done(&rig.arena);
}

/* An act that may be repeated is not repeated blindly: much can have happened between two leaders. What it had done
 * already is finished all the same. */
static void after_a_restart_a_repeatable_act_is_looked_at(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ "first", ask_it, hear_it, .limit_ms = MINUTE },
		{ "look", ask_it, hear_it, .limit_ms = MINUTE },
		{ "mark", ask_it, hear_it, .limit_ms = MINUTE, .look = "look", .is_committed = true },
		{ "end", ask_it, hear_it, .limit_ms = MINUTE },
	};
	static const struct recipe marking = { "marking", steps, COUNT(steps), HOUR };
	for (int is_committed = 0; is_committed < 2; is_committed++) {
		struct rig rig;
		rig_init(&rig, &marking);
		rig.op.at = 2;
		rig.op.is_committed = is_committed;
		rig.op.committed_at = is_committed ? 2 : 0;
		pass(&rig, MINUTE);
		rig.op = stored(&rig.op);
		op_resume(&rig.op, rig.now);
		struct op copy = rig.op;
		assert_int_equal(op_cancel(&copy, "x"), !is_committed);
		expect(&rig, "look");
		hear(&rig, 200);
		assert_int_equal(rig.op.is_committed, is_committed);
		expect(&rig, "mark");
		hear(&rig, 200);
		expect(&rig, "end");
		arena_done(&rig.arena);
	}
}

static void the_whole_op_has_a_limit_that_survives(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, &act);
	for (int i = 0; i < 7 && !op_is_over(&rig.op); i++) { /* a crash loop */
		expect(&rig, "first");
		pass(&rig, 10 * MINUTE);
		rig.op = stored(&rig.op);
		op_resume(&rig.op, rig.now);
		if (i == 6)
			assert_false(poll(&rig));
	}
	assert_int_equal(rig.op.state, OP_FAILED);
	arena_done(&rig.arena);
}

static void reads_answers_as_usual(void **state)
{
	(void)state;
	static const struct {
		int status;
		enum err_code why;
		enum verdict verdict;
	} cases[] = {
		{ 200, ERR_NONE, V_NEXT },   { 204, ERR_NONE, V_NEXT },  { 299, ERR_NONE, V_NEXT },
		{ 302, ERR_NONE, V_FAIL },   { 400, ERR_NONE, V_FAIL },  { 401, ERR_NONE, V_RETRY },
		{ 403, ERR_NONE, V_FAIL },   { 404, ERR_NONE, V_FAIL },  { 408, ERR_NONE, V_RETRY },
		{ 409, ERR_NONE, V_RETRY },  { 422, ERR_NONE, V_FAIL },  { 429, ERR_NONE, V_RETRY },
		{ 500, ERR_NONE, V_RETRY },  { 503, ERR_NONE, V_RETRY }, { 0, ERR_NETWORK, V_RETRY },
		{ 0, ERR_TIMEOUT, V_RETRY }, { 0, ERR_AUTH, V_RETRY },   { 0, ERR_BUSY, V_RETRY },
		{ 0, ERR_LIMIT, V_RETRY },   { 0, ERR_GONE, V_FAIL },    { 0, ERR_INPUT, V_FAIL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op op = { .recipe = &act };
		struct answer answer = { .status = cases[i].status };
		if (cases[i].status == 0)
			(void)fail(&answer.why, cases[i].why, "because");
		CHECK(op_usual(&op, &answer, "it") == cases[i].verdict, "%d %s", cases[i].status,
		      err_code_name(cases[i].why));
		CHECK((op.note[0] == '\0') == (cases[i].verdict == V_NEXT), "%d: %s", cases[i].status, op.note);
	}
}

/* What it found is somebody else's: the op ends as one that failed, and says that it did not. */
static enum verdict hear_and_leave(struct op *op, const struct answer *answer)
{
	(void)answer;
	return op_leave(op, "%s is at work on it", "somebody");
}

/* A cloud that stumbles for a while is no reason for the next rung: after the act only the step's time counts. */
static void after_the_act_only_time_counts(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ "look", ask_it, hear_it },
		{ "act", ask_it, hear_it, .is_once = true, .look = "look", .is_committed = true },
		{ "wait", ask_it, hear_it, .limit_ms = 30 * MINUTE },
	};
	static const struct recipe recipe = { "patient", steps, COUNT(steps), HOUR };
	struct rig rig;
	rig_init(&rig, &recipe);
	expect(&rig, "look");
	hear(&rig, 200);
	expect(&rig, "act");
	op_left(&rig.op);
	hear(&rig, 200);
	for (int i = 0; i < 12; i++) { /* more than twice as often as a step is tried otherwise */
		expect(&rig, "wait");
		hear(&rig, 503);
		CHECK(rig.op.state == OP_DUE, "try %d: %s", i, rig.op.note);
	}
	pass(&rig, 30 * MINUTE);
	assert_false(poll(&rig));
	assert_int_equal(rig.op.state, OP_FAILED);
	arena_done(&rig.arena);
}

static void an_op_may_leave(void **state)
{
	(void)state;
	static const struct step steps[] = { { "look", ask_it, hear_and_leave }, { "act", ask_it, hear_it } };
	static const struct recipe leaving = { "leaving", steps, COUNT(steps), HOUR };
	struct rig rig;
	rig_init(&rig, &leaving);
	expect(&rig, "look");
	hear(&rig, 200);
	assert_int_equal(rig.op.state, OP_FAILED);
	assert_true(rig.op.is_left);
	assert_string_equal(rig.op.note, "somebody is at work on it");
	assert_false(op_has_acted(&rig.op));
	arena_done(&rig.arena);
	rig_init(&rig, &act); /* an ordinary failure leaves nothing to anybody */
	expect(&rig, "first");
	hear(&rig, 404);
	assert_int_equal(rig.op.state, OP_FAILED);
	assert_false(rig.op.is_left);
	arena_done(&rig.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_journal_comes_first),
		cmocka_unit_test(a_lost_answer_leads_back_to_the_look),
		cmocka_unit_test(the_server_may_ask_for_a_longer_pause),
		cmocka_unit_test(a_refused_act_was_no_act),
		cmocka_unit_test(an_earlier_act_stays_done_when_a_later_one_is_refused),
		cmocka_unit_test(an_act_that_never_gets_an_answer_is_given_up),
		cmocka_unit_test(retries_are_bounded_and_grow),
		cmocka_unit_test(polling_does_not_count_as_failing),
		cmocka_unit_test(time_limits),
		cmocka_unit_test(no_way_around_the_journal),
		cmocka_unit_test(an_answer_may_lead_elsewhere),
		cmocka_unit_test(a_question_that_could_not_leave_counts_for_nothing),
		cmocka_unit_test(cancelling_ends_with_the_act),
		cmocka_unit_test(resumes_at_each_step),
		cmocka_unit_test(an_intent_without_an_act_is_taken_back),
		cmocka_unit_test(after_a_restart_a_repeatable_act_is_looked_at),
		cmocka_unit_test(the_whole_op_has_a_limit_that_survives),
		cmocka_unit_test(reads_answers_as_usual),
		cmocka_unit_test(after_the_act_only_time_counts),
		cmocka_unit_test(an_op_may_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
