/* The decision as a whole: every unhealthy node gets exactly one line, the healthy ones none; the same facts give the
 * same plan; and over random clusters the laws hold. */
#include "core_fixture.h"

static void a_healthy_cluster_has_an_empty_plan(void **state)
{
	(void)state;
	struct lab *lab = lab_new(3, 5);
	lab_observe(lab);
	lab_decide(lab);
	assert_int_equal(lab->plan.count, 0);
	assert_int_equal(lab->plan.total[ROLE_MASTER], 3);
	assert_int_equal(lab->plan.total[ROLE_WORKER], 5);
	assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
	lab_free(lab);
}

static void an_empty_cluster_too(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 0);
	lab_observe(lab);
	lab_decide(lab);
	assert_int_equal(lab->plan.count, 0);
	assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
	lab_free(lab);
}

static void a_recovered_node_has_no_line(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	lab_break(lab, 1);
	lab_record(lab, 0)->has_acted = true;
	lab_decide(lab);
	assert_int_equal(lab->plan.count, 1);
	lab_set(lab, 0, STATUS_TRUE);
	lab_observe(lab);
	assert_int_equal(lab_record(lab, 0)->state, CASE_PROBATION);
	lab_decide(lab);
	assert_int_equal(lab->plan.count, 0); /* law L14: success ends the climb */
	lab->is_unknown[0] = true;
	lab_observe(lab);
	lab_decide(lab);
	assert_int_equal(lab->plan.count, 0); /* law L2 */
	lab_free(lab);
}

static void roles_that_are_not_watched_have_no_lines(void **state)
{
	(void)state;
	struct lab *lab = lab_new(3, 4);
	lab_break(lab, 1 | 8);
	lab->policy.is_enabled[ROLE_MASTER] = false;
	lab_decide(lab);
	assert_int_equal(lab->plan.count, 1);
	assert_int_equal(lab->plan.total[ROLE_MASTER], 0);
	assert_null(lab_line(lab, 0));
	assert_int_equal(lab_line(lab, 3)->hold, HOLD_NONE);
	lab_free(lab);
}

static void a_server_that_is_gone_is_replaced(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	lab_break(lab, 8);
	(void)TEXT_COPY(lab->machines[3].id, "ffffffff-0000-4000-8000-000000000000");
	(void)TEXT_COPY(lab->machines[3].name, "another");
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 3)->rung, RUNG_REPLACE);
	assert_int_equal(lab_line(lab, 3)->hold, HOLD_NONE);
	assert_string_equal(lab_line(lab, 3)->match.missing, lab->nodes[3].system_uuid);
	lab_free(lab);
}

/* ---- model: random clusters ---------------------------------------------------------------------------------------
 */

static void shake(struct lab *lab, struct rng *rng)
{
	static const char *const statuses[] = { "ACTIVE", "ACTIVE", "SHUTOFF", "ERROR", "BUILD", "PAUSED" };
	for (size_t i = 0; i < lab->count; i++) {
		if (rng_chance(rng, 0.2))
			lab_set(lab, i, (enum status)rng_below(rng, 3));
		if (rng_chance(rng, 0.5))
			lab->ready[i].status = STATUS_TRUE;
		lab->is_unknown[i] = rng_chance(rng, 0.05);
		(void)TEXT_COPY(lab->machines[i].status, statuses[rng_below(rng, COUNT(statuses))]);
		lab->machines[i].is_locked = rng_chance(rng, 0.05);
		lab->nodes[i].deleted.ms = rng_chance(rng, 0.05) ? lab->now.wall.ms : 0;
	}
	lab->snapshot.is_nodes_fresh = rng_chance(rng, 0.9);
	lab->snapshot.is_cloud_fresh = rng_chance(rng, 0.95);
	lab->snapshot.is_leader = rng_chance(rng, 0.95);
	lab->cluster.is_healing_enabled = rng_chance(rng, 0.95);
}

static void check_line(const struct lab *lab, unsigned seed, const struct line *line)
{
	size_t at = (size_t)(line->node - lab->nodes);
	const struct snapshot *s = &lab->snapshot;
	CHECK(lab_line(lab, at) == line, "seed %u: two lines for %s", seed, lab->names[at]);
	if (line->hold != HOLD_NONE)
		return;
	CHECK(lab->ready[at].status != STATUS_TRUE && !lab->is_unknown[at], "seed %u: L1/L2 broken", seed);
	CHECK(s->is_leader && s->is_nodes_fresh && s->is_cloud_fresh && lab->cluster.is_healing_enabled,
	      "seed %u: an act with closed eyes", seed);
	CHECK(!lab->machines[at].is_locked && line->node->deleted.ms == 0, "seed %u: L11 broken", seed);
	CHECK(line->rung != RUNG_NONE && line->record->is_unhealthy, "seed %u: no reason", seed);
	CHECK(line->record->role != ROLE_MASTER || line->rung != RUNG_REPLACE, "seed %u: L5 broken", seed);
}

static void check_plan(const struct lab *lab, unsigned seed)
{
	int acts[ROLES_COUNT] = { 0 };
	for (size_t i = 0; i < lab->plan.count; i++) {
		check_line(lab, seed, &lab->plan.lines[i]);
		acts[lab->plan.lines[i].record->role] += lab->plan.lines[i].hold == HOLD_NONE;
	}
	int limit = limit_of(lab->policy.max_concurrent_repairs, (int)lab->plan.total[ROLE_WORKER]);
	CHECK(acts[ROLE_MASTER] <= 1, "seed %u: %d masters at once", seed, acts[ROLE_MASTER]);
	CHECK(acts[ROLE_WORKER] <= limit, "seed %u: %d of %d", seed, acts[ROLE_WORKER], limit);
	CHECK(lab->plan.outage.hold == HOLD_NONE || acts[0] + acts[1] == 0, "seed %u: acts in a storm", seed);
	for (size_t i = 0; i < lab->count && lab->snapshot.is_nodes_fresh; i++) { /* law L9 */
		bool is_bad = lab->ready[i].status != STATUS_TRUE && !lab->is_unknown[i];
		CHECK(is_bad == (lab_line(lab, i) != NULL), "seed %u: %s is silent", seed, lab->names[i]);
	}
}

static void random_clusters_keep_the_laws(void **state)
{
	(void)state;
	struct lab *lab = xcalloc(1, sizeof *lab);
	int acts = 0;
	for (unsigned seed = 1; seed <= 150; seed++) {
		struct rng rng = { seed };
		lab_init(lab, (int)rng_below(&rng, 6), (int)rng_below(&rng, 20));
		lab->policy.max_concurrent_repairs = (struct limit){ (int)rng_below(&rng, 60), rng_chance(&rng, 0.5) };
		for (int turn = 0; turn < 60; turn++) {
			shake(lab, &rng);
			lab_pass(lab, (int64_t)rng_below(&rng, 4 * MINUTE));
			lab_observe(lab);
			arena_reset(&lab->arena);
			lab_decide(lab);
			check_plan(lab, seed);
			struct plan first = lab->plan; /* the same facts, the same plan */
			lab_decide(lab);
			assert_int_equal(first.count, lab->plan.count);
			for (size_t i = 0; i < first.count; i++) {
				/* a storm seen once is a cool-down a moment later, never the reverse */
				assert_int_equal(first.lines[i].hold, lab->plan.lines[i].hold);
				assert_int_equal(first.lines[i].rung, lab->plan.lines[i].rung);
				acts += first.lines[i].hold == HOLD_NONE;
			}
		}
		lab_done(lab);
	}
	assert_true(acts > 200);
	free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_cluster_has_an_empty_plan),
		cmocka_unit_test(an_empty_cluster_too),
		cmocka_unit_test(a_recovered_node_has_no_line),
		cmocka_unit_test(roles_that_are_not_watched_have_no_lines),
		cmocka_unit_test(a_server_that_is_gone_is_replaced),
		cmocka_unit_test(random_clusters_keep_the_laws),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
