/* The table of running operations, and the lock of their exclusive steps: one op of a cluster at a time. */
#include "core_fixture.h"

#include "core/op.h"

static void ask_it(const struct op *op, struct arena *arena, struct ask *out)
{
	(void)arena;
	*out = (struct ask){ .kind = ASK_KUBE, .path = op_step(op)->name, .is_act = op_step(op)->is_once };
}

static void ask_nothing(const struct op *op, struct arena *arena, struct ask *out)
{
	(void)op;
	(void)arena;
	out->kind = ASK_NOTHING;
}

static enum verdict hear_it(struct op *op, const struct answer *answer)
{
	return op_usual(op, answer, op_step(op)->name);
}

struct rig {
	struct now now;
	struct rng rng;
	struct arena arena;
	struct ask ask;
};

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

static const struct step lock_steps[] = {
	{ "before", ask_nothing, hear_it },
	{ "in1", ask_it, hear_it, .is_exclusive = true },
	{ "in2", ask_it, hear_it, .is_exclusive = true },
	{ "after", ask_it, hear_it },
};
static const struct recipe locking = { "locking", lock_steps, COUNT(lock_steps), HOUR };

static struct op *add(struct ops *ops, const char *node, const char *cluster, struct now now)
{
	struct op *op = ops_add(ops);
	struct op_facts facts = { 0 };
	(void)(TEXT_COPY(facts.node, node) && TEXT_COPY(facts.cluster, cluster) && TEXT_COPY(facts.server, node));
	op_init(op, &locking, &facts, now);
	op_journalled(op);
	return op;
}

static bool walk(struct ops *ops, struct op *op, struct rig *rig)
{
	return ops_may_enter(ops, op) && op_poll(op, rig->now, &rig->rng, &rig->arena, &rig->ask);
}

static void answer(struct ops *ops, struct op *op, struct rig *rig, int status)
{
	op_hear(op, rig->now, &rig->rng, &(struct answer){ .status = status, .retry_after_ms = -1 });
	(void)ops_may_enter(ops, op);
}

static void one_at_a_time_inside(void **state)
{
	(void)state;
	struct rig rig = { .now = { { LAB_MONO }, { LAB_WALL } }, .rng = { 1 } };
	arena_init(&rig.arena);
	struct ops *ops = xcalloc(1, sizeof *ops);
	struct op *a = add(ops, "a", "c1", rig.now);
	struct op *b = add(ops, "b", "c1", rig.now);
	struct op *c = add(ops, "c", "c2", rig.now);
	/* A step that asks nothing leads up to the door, not through it. */
	assert_false(walk(ops, a, &rig));
	assert_string_equal(op_step(a)->name, "in1");
	assert_true(walk(ops, a, &rig));
	assert_true(a->holds_lock);
	assert_false(walk(ops, b, &rig));
	assert_false(walk(ops, b, &rig));
	assert_int_equal(b->state, OP_DUE);
	assert_false(walk(ops, c, &rig));
	assert_true(walk(ops, c, &rig)); /* another cluster */
	answer(ops, a, &rig, 200);
	assert_false(walk(ops, b, &rig)); /* still inside */
	assert_true(walk(ops, a, &rig));
	answer(ops, a, &rig, 200);
	assert_false(a->holds_lock);
	assert_true(walk(ops, b, &rig));
	answer(ops, b, &rig, 403); /* failed: gives it back too */
	assert_int_equal(b->state, OP_FAILED);
	assert_false(b->holds_lock);
	arena_done(&rig.arena);
	free(ops);
}

static void the_stored_lock_holds_after_a_restart(void **state)
{
	(void)state;
	struct rig rig = { .now = { { LAB_MONO }, { LAB_WALL } }, .rng = { 1 } };
	arena_init(&rig.arena);
	struct ops *ops = xcalloc(1, sizeof *ops);
	struct op *a = add(ops, "a", "c1", rig.now);
	struct op *b = add(ops, "b", "c1", rig.now);
	(void)walk(ops, a, &rig);
	(void)walk(ops, b, &rig);
	assert_true(walk(ops, b, &rig)); /* the second in the table has it */
	for (size_t i = 0; i < ops->count; i++) {
		ops->list[i] = stored(&ops->list[i]);
		op_resume(&ops->list[i], rig.now);
	}
	assert_false(walk(ops, a, &rig)); /* though it is asked first now */
	assert_true(walk(ops, b, &rig));
	(void)op_cancel(b, "over");
	assert_true(walk(ops, a, &rig)); /* an op that is over holds nothing */
	arena_done(&rig.arena);
	free(ops);
}

static void the_table_is_bounded(void **state)
{
	(void)state;
	struct ops *ops = xcalloc(1, sizeof *ops);
	struct now now = { { LAB_MONO }, { LAB_WALL } };
	for (int i = 0; i < OPS_MAX; i++) {
		char node[16];
		(void)snprintf(node, sizeof node, "n%d", i);
		assert_non_null(add(ops, node, "c", now));
	}
	assert_null(ops_add(ops));
	assert_true(ops_has_server(ops, "n5"));
	assert_ptr_equal(ops_of_node(ops, "n0"), &ops->list[0]);
	ops_remove(ops, ops_of_node(ops, "n0"));
	assert_null(ops_of_node(ops, "n0"));
	assert_false(ops_has_server(ops, "n0"));
	assert_int_equal(ops->count, OPS_MAX - 1);
	for (int i = 1; i < OPS_MAX; i++) {
		char node[16];
		(void)snprintf(node, sizeof node, "n%d", i);
		assert_non_null(ops_of_node(ops, node));
	}
	free(ops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time_inside),
		cmocka_unit_test(the_stored_lock_holds_after_a_restart),
		cmocka_unit_test(the_table_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
