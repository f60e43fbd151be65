/* The runner of operations, driven by chance: random recipes, random answers, crashes at any moment. After each event:
 * the journal came first, no act was done twice, nobody was cancelled after the act, and one op of a cluster is inside.
 */
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

#define MODEL_STEPS 10
#define MODEL_OPS 3

/* A look that the random recipes put in front of each act: 208 when it was done. */
struct model {
	struct step steps[MODEL_STEPS + 3];
	struct recipe recipe;
	struct ops ops, saved; /* saved: what a crash leaves */
	bool is_act_done[MODEL_OPS][MODEL_STEPS + 3];
	struct rig rig;
	unsigned seed;
	unsigned acts, crashes, dones;
};

static const char *const step_names[] = { "s0", "s1", "s2", "s3",  "s4",  "s5", "s6",
					  "s7", "s8", "s9", "s10", "s11", "s12" };

static void make_recipe(struct model *m)
{
	struct rng *rng = &m->rig.rng;
	size_t n = 0;
	size_t wanted = 1 + rng_below(rng, MODEL_STEPS - 1);
	bool is_inside = false;
	while (n < wanted) {
		is_inside = rng_chance(rng, 0.3) ? !is_inside : is_inside;
		struct step plain = { step_names[n],
				      rng_chance(rng, 0.15) ? ask_nothing : ask_it,
				      hear_it,
				      .limit_ms = rng_chance(rng, 0.5) ? (int64_t)(20 + rng_below(rng, 100)) * SEC : 0,
				      .tries = (unsigned)rng_below(rng, 6),
				      .is_exclusive = is_inside };
		m->steps[n++] = plain;
		if (rng_chance(rng, 0.4)) {
			m->steps[n - 1].ask = ask_it; /* a look asks */
			m->steps[n] = (struct step){ step_names[n],
						     ask_it,
						     hear_it,
						     .limit_ms = 60 * SEC,
						     .is_once = true,
						     .look = step_names[n - 1],
						     .is_committed = rng_chance(rng, 0.7),
						     .is_exclusive = is_inside };
			n++;
		}
	}
	m->steps[n] = (struct step){ step_names[n], ask_it, hear_it };
	n++;
	for (size_t i = 0; i < n; i++) {
		size_t to = rng_below(rng, n);
		if (rng_chance(rng, 0.3) && !m->steps[to].is_once && to != i)
			m->steps[i].otherwise = step_names[to];
	}
	m->recipe = (struct recipe){ "model", m->steps, n, HOUR };
}

static void save(struct model *m)
{
	m->saved = m->ops;
	for (size_t i = 0; i < m->ops.count; i++)
		op_journalled(&m->ops.list[i]);
}

static void crash(struct model *m)
{
	m->crashes++;
	m->ops.count = 0;
	for (size_t i = 0; i < m->saved.count; i++) {
		if (op_is_over(&m->saved.list[i]))
			continue;
		m->ops.list[m->ops.count] = stored(&m->saved.list[i]);
		op_resume(&m->ops.list[m->ops.count++], m->rig.now);
	}
}

/* The world does or does not do the act, and answers or does not. */
static int do_act(struct model *m, size_t who, size_t at)
{
	struct rng *rng = &m->rig.rng;
	static const int refusals[] = { 409, 429, 422, 401 };
	if (rng_chance(rng, 0.25))
		return refusals[rng_below(rng, COUNT(refusals))];
	if (rng_chance(rng, 0.2))
		return rng_chance(rng, 0.5) ? 0 : 503; /* lost on its way there */
	CHECK(!m->is_act_done[who][at], "seed %u: the act %s is done twice", m->seed, step_names[at]);
	m->is_act_done[who][at] = true;
	m->acts++;
	return rng_chance(rng, 0.4) ? (rng_chance(rng, 0.5) ? 0 : 502) : 200; /* lost on its way back */
}

static void respond(struct model *m, struct op *op, size_t who)
{
	struct rng *rng = &m->rig.rng;
	static const int usual[] = { 200, 200, 200, 202, 503, 0, 404, 303 };
	struct answer a = { .retry_after_ms = -1, .location = m->steps[m->recipe.steps_count - 1].name };
	if (op_step(op)->is_once) {
		const struct op *kept = ops_of_node_const(&m->saved, op->facts.node);
		CHECK(kept != NULL && kept->at == op->at && kept->is_sent, "seed %u: %s is not in the journal", m->seed,
		      op_step(op)->name);
		op_left(op);
		a.status = do_act(m, who, op->at);
		if (rng_chance(rng, 0.1)) {
			crash(m); /* before the answer is heard */
			return;
		}
	} else {
		a.status = usual[rng_below(rng, COUNT(usual) - (rng_chance(rng, 0.9) ? 2 : 0))];
		bool is_look = m->steps[op->at + 1 < m->recipe.steps_count ? op->at + 1 : op->at].is_once;
		if (is_look && m->is_act_done[who][op->at + 1] && a.status == 200)
			a.status = 208;
	}
	if (a.status == 0)
		(void)fail(&a.why, ERR_NETWORK, "cut");
	op_hear(op, m->rig.now, rng, &a);
	(void)ops_may_enter(&m->ops, op);
}

static void check_cancel(struct model *m, struct op *op, size_t who)
{
	bool has_acted = false;
	for (size_t i = 0; i < m->recipe.steps_count; i++)
		has_acted = has_acted || (m->steps[i].is_committed && m->is_act_done[who][i]);
	struct op copy = *op;
	CHECK(!(has_acted && op_cancel(&copy, "x")), "seed %u: cancelled although %s was done", m->seed,
	      step_names[op->at]);
}

static void check_lock(struct model *m, const struct op *op)
{
	if (!op_step(op)->is_exclusive)
		return;
	CHECK(op->holds_lock, "seed %u: inside without the lock at %s", m->seed, op_step(op)->name);
	for (size_t i = 0; i < m->ops.count; i++) {
		const struct op *other = &m->ops.list[i];
		CHECK(other == op || op_is_over(other) || !other->holds_lock ||
			      strcmp(other->facts.cluster, op->facts.cluster) != 0,
		      "seed %u: two inside", m->seed);
	}
}

static void model_turn(struct model *m)
{
	struct rng *rng = &m->rig.rng;
	for (size_t i = m->ops.count; i-- > 0;) {
		struct op *op = &m->ops.list[i];
		size_t who = (size_t)(op->facts.node[0] - 'a');
		check_cancel(m, op, who);
		if (!ops_may_enter(&m->ops, op))
			continue;
		bool was_waiting = op->state == OP_WAITING;
		if (!op_poll(op, m->rig.now, rng, &m->rig.arena, &m->rig.ask))
			continue;
		CHECK(!was_waiting, "seed %u: asked twice", m->seed);
		CHECK(!op->needs_journal, "seed %u: asked before the journal", m->seed);
		check_lock(m, op);
		if (rng_chance(rng, 0.1)) {
			op_unask(op, (struct mono){ m->rig.now.mono.ms + SEC });
			continue;
		}
		unsigned crashes = m->crashes;
		respond(m, op, who);
		if (m->crashes != crashes)
			return;
	}
	for (size_t i = m->ops.count; i-- > 0;) {
		if (op_is_over(&m->ops.list[i])) {
			m->dones += m->ops.list[i].state == OP_DONE;
			ops_remove(&m->ops, &m->ops.list[i]);
		}
	}
	if (rng_chance(rng, 0.6))
		save(m);
	if (rng_chance(rng, 0.02))
		crash(m);
}

static void random_recipes_keep_the_laws(void **state)
{
	(void)state;
	struct model *m = xcalloc(1, sizeof *m);
	unsigned acts = 0;
	unsigned dones = 0;
	for (unsigned seed = 1; seed <= 1500; seed++) {
		*m = (struct model){ .seed = seed };
		m->rig = (struct rig){ .now = { { LAB_MONO }, { LAB_WALL } }, .rng = { seed } };
		arena_init(&m->rig.arena);
		make_recipe(m);
		for (size_t i = 0; i < MODEL_OPS; i++) {
			struct op_facts facts = { .node = { (char)('a' + i) } };
			(void)TEXT_COPY(facts.cluster, i < 2 ? "c1" : "c2");
			op_init(ops_add(&m->ops), &m->recipe, &facts, m->rig.now);
		}
		int turns = 0;
		while (m->ops.count > 0) {
			CHECK(++turns < 20000, "seed %u: never ends", seed);
			model_turn(m);
			int64_t ms = 1 + (int64_t)rng_below(&m->rig.rng, 4 * SEC);
			m->rig.now.mono.ms += ms;
			m->rig.now.wall.ms += ms;
		}
		acts += m->acts;
		dones += m->dones;
		arena_done(&m->rig.arena);
	}
	assert_true(acts > 500 && dones > 300); /* the model does exercise what it claims to */
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_recipes_keep_the_laws),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
