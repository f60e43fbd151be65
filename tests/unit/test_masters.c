/* Law L5, all of it: every combination of masters, of what is known of each, of repairs that run, of the size that
 * Magnum tells, and of what would be done, against a second formulation of the law that shares nothing with the first.
 */
#include "core_fixture.h"

#define MASTERS_MAX 7
#define GONE 1u /* an op of a master whose Node is not there */

enum state_of_master { WELL, BAD, UNKNOWN };
#define STATES_COUNT 3

/* One combination. */
struct world {
	int nodes, magnum;
	enum state_of_master masters[MASTERS_MAX];
	unsigned under_repair; /* mask of the nodes */
	unsigned gone;         /* GONE: one more is under repair, and has no Node */
	bool is_replacement;
};

static void decode(unsigned number, struct world *world)
{
	for (int i = 0; i < world->nodes; i++) {
		world->masters[i] = (enum state_of_master)(number % STATES_COUNT);
		number /= STATES_COUNT;
	}
}

static const char *text_of(const struct world *world)
{
	static char text[200];
	char states[MASTERS_MAX + 1] = "";
	for (int i = 0; i < world->nodes; i++)
		states[i] = "wb?"[world->masters[i]];
	(void)snprintf(text, sizeof text, "%d masters (Magnum says %d) %s, repairing %#x%s, %s", world->nodes,
		       world->magnum, states, world->under_repair, world->gone ? " and one that is gone" : "",
		       world->is_replacement ? "replace" : "reboot");
	return text;
}

/* The law, from the words of it: which master may be acted upon, if one may at all. */
static bool may_act_on(const struct world *world, int target)
{
	if (world->under_repair != 0 || world->gone != 0)
		return false; /* one at a time */
	if (world->masters[target] != BAD)
		return false; /* unknown is not unhealthy */
	int members = world->nodes > world->magnum ? world->nodes : world->magnum;
	if (members == 1)
		return !world->is_replacement; /* a single master is only ever rebooted */
	int others_well = 0;
	for (int i = 0; i < world->nodes; i++)
		others_well += i != target && world->masters[i] == WELL;
	return 2 * others_well > members; /* more than half of the members vote on without it */
}

static void put_health(struct lab *lab, const struct world *world)
{
	history_done(&lab->history);
	for (int i = 0; i < world->nodes; i++) {
		lab->is_unknown[i] = false;
		lab_set(lab, (size_t)i, STATUS_TRUE);
	}
	lab_break(lab, 0);
	for (int i = 0; i < world->nodes; i++) {
		lab->is_unknown[i] = world->masters[i] == UNKNOWN;
		if (world->masters[i] == BAD)
			lab_set(lab, (size_t)i, STATUS_FALSE);
	}
	lab_observe(lab);
	lab_pass(lab, 4 * MINUTE);
	lab_observe(lab);
	lab_spread(lab); /* whether it is an outage is not asked here */
}

static void put_repairs(struct lab *lab, const struct world *world)
{
	lab->ops.count = 0;
	for (int i = 0; i < world->nodes; i++) {
		if (world->under_repair >> i & 1)
			(void)lab_repair(lab, (size_t)i);
	}
	if (world->gone)
		(void)TEXT_COPY(lab_repair(lab, 0)->facts.node, "the-node-is-gone");
}

/* At most one is acted upon, and it is one that the law allows; and if the law allows any, one is. */
static int check_world(struct lab *lab, const struct world *world)
{
	enum rung rung = world->is_replacement ? RUNG_REPLACE : RUNG_REBOOT;
	lab->policy.ladders[ROLE_MASTER] = (struct ladder){ 1, { { rung, 0 } } };
	lab->cluster.masters_count = world->magnum;
	arena_reset(&lab->arena);
	decide(lab_look(lab), &lab->history, &lab->policy, &lab->ops, lab_can, lab, &lab->arena, &lab->plan);
	int acts = 0;
	bool is_any_allowed = false;
	for (int i = 0; i < world->nodes; i++) {
		const struct line *line = lab_line(lab, (size_t)i);
		CHECK((line != NULL) == (world->masters[i] == BAD), "%s: master %d", text_of(world), i);
		is_any_allowed = is_any_allowed || may_act_on(world, i);
		if (line == NULL || line->hold != HOLD_NONE)
			continue;
		acts++;
		CHECK(may_act_on(world, i), "%s: master %d must not be touched", text_of(world), i);
		CHECK(line->rung == rung, "%s: %s", text_of(world), rung_name(line->rung));
	}
	CHECK(acts <= 1, "%s: %d at once", text_of(world), acts);
	CHECK((acts == 1) == is_any_allowed, "%s: nothing is done", text_of(world));
	return acts;
}

/* None, each one, each two, and one that has no Node: a journal that was edited may hold anything. */
static bool is_wanted(const struct world *world)
{
	int count = __builtin_popcount(world->under_repair) + (world->gone != 0);
	return count <= (world->nodes > 5 ? 1 : 2);
}

static int check_size(struct lab *lab, int nodes)
{
	int acts = 0;
	unsigned combinations = 1;
	for (int i = 0; i < nodes; i++)
		combinations *= STATES_COUNT;
	for (unsigned number = 0; number < combinations; number++) {
		struct world world = { .nodes = nodes };
		decode(number, &world);
		put_health(lab, &world);
		for (world.gone = 0; world.gone <= GONE; world.gone++) {
			for (world.under_repair = 0; world.under_repair < 1u << nodes; world.under_repair++) {
				if (!is_wanted(&world))
					continue;
				put_repairs(lab, &world);
				for (int more = 0; more <= 2; more++) { /* 0: as many, or not known */
					world.magnum = more == 0 ? (number % 2 ? nodes : 0) : nodes + more;
					for (int r = 0; r < 2; r++) {
						world.is_replacement = r == 1;
						acts += check_world(lab, &world);
					}
				}
			}
		}
	}
	return acts;
}

static void all_combinations_keep_the_law(void **state)
{
	(void)state;
	static const int sizes[] = { 1, 2, 3, 4, 5, 7 };
	for (size_t s = 0; s < COUNT(sizes); s++) {
		struct lab *lab = lab_new(sizes[s], 0);
		lab->policy.storm_threshold = (struct limit){ 1000, false };
		lab->policy.flap_changes = 0;
		int acts = check_size(lab, sizes[s]);
		/* of two, none can be spared */
		CHECK((acts > 0) == (sizes[s] != 2), "%d masters: %d acts", sizes[s], acts);
		lab_free(lab);
	}
}

/* Liveness, in so many words: with the policy as it is by default, the usual failure is repaired. */
static void one_of_an_odd_number_is_always_repaired(void **state)
{
	(void)state;
	static const struct {
		int masters;
		bool is_replacement, is_allowed;
	} cases[] = {
		{ 1, false, true }, { 1, true, false }, { 3, false, true }, { 3, true, true },
		{ 5, false, true }, { 5, true, true },  { 7, false, true }, { 7, true, true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int bad = 0; bad < cases[i].masters; bad++) {
			struct lab *lab = lab_new(cases[i].masters, 3);
			enum rung rung = cases[i].is_replacement ? RUNG_REPLACE : RUNG_REBOOT;
			lab->policy.ladders[ROLE_MASTER] = (struct ladder){ 1, { { rung, 0 } } };
			lab->cluster.masters_count = cases[i].masters;
			lab_break(lab, UINT64_C(1) << bad);
			lab_decide(lab);
			enum hold wanted = cases[i].is_allowed ? HOLD_NONE : HOLD_QUORUM;
			CHECK(lab_hold(lab, (size_t)bad) == wanted, "%d masters, %d is bad, %s: %s", cases[i].masters,
			      bad, rung_name(rung), hold_name(lab_hold(lab, (size_t)bad)));
			lab_free(lab);
		}
	}
}

/* ---- which reason
 * ------------------------------------------------------------------------------------------------------- */

static void reasons_of_masters(void **state)
{
	(void)state;
	struct lab *lab = lab_new(5, 2);
	lab_break(lab, 3);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	assert_int_equal(lab_line(lab, 1)->hold, HOLD_MASTER_BUSY); /* the first one's repair begins in this turn */
	(void)lab_repair(lab, 2);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_MASTER_BUSY);
	lab_free(lab);
	lab = lab_new(4, 2);
	lab_break(lab, 3);
	lab_spread(lab);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_QUORUM);
	lab_free(lab);
}

static void a_master_under_repair_takes_no_worker_s_slot(void **state)
{
	(void)state;
	struct lab *lab = lab_new(3, 4);
	lab_break(lab, 1 | 8);
	(void)lab_repair(lab, 0);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_REPAIRING);
	assert_int_equal(lab_hold(lab, 3), HOLD_NONE);
	lab_free(lab);
}

static void masters_and_workers_do_not_share_a_budget(void **state)
{
	(void)state;
	struct lab *lab = lab_new(3, 4);
	lab_break(lab, 1 | 8);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	assert_int_equal(lab_line(lab, 3)->hold, HOLD_NONE);
	lab_free(lab);
}

/* ---- who is well enough to vote -----------------------------------------------------------------------------------
 */

static void is_deleted(struct lab *lab)
{
	lab->nodes[1].deleted = lab->now.wall;
}

static void is_marked(struct lab *lab)
{
	lab_annotate(lab, 1, "weave.works/kured-reboot-in-progress", "now");
}

static void is_cordoned(struct lab *lab)
{
	lab->nodes[1].is_cordoned = true; /* etcd does not mind */
}

static void fails_another_check(struct lab *lab)
{
	lab_find_it(lab, lab_add_check(lab, ROLE_MASTER, "Endpoint", MINUTE), 1, HEALTH_BAD);
}

static void is_not_known_to_another_check(struct lab *lab)
{
	lab_find_it(lab, lab_add_check(lab, ROLE_MASTER, "Endpoint", MINUTE), 1, HEALTH_UNKNOWN);
}

static void is_not_known_at_all(struct lab *lab)
{
	lab->is_unknown[1] = true;
}

static void is_a_worker(struct lab *lab)
{
	(void)lab_repair(lab, 3);
}

static void is_a_worker_that_is_gone(struct lab *lab)
{
	(void)TEXT_COPY(lab_repair(lab, 3)->facts.node, "gone");
}

static void is_a_master_that_is_gone(struct lab *lab)
{
	(void)TEXT_COPY(lab_repair(lab, 1)->facts.node, "gone");
}

/* Three masters, the first is bad, the third is well: the second one decides. */
static void who_counts(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		void (*change)(struct lab *);
		enum hold hold;
	} cases[] = {
		{ "cordoned", is_cordoned, HOLD_NONE },
		{ "unknown to one check, well by the other", is_not_known_to_another_check, HOLD_QUORUM },
		{ "being deleted", is_deleted, HOLD_QUORUM },
		{ "another healer's", is_marked, HOLD_QUORUM },
		{ "bad by another check", fails_another_check, HOLD_QUORUM },
		{ "unknown to all", is_not_known_at_all, HOLD_QUORUM },
		{ "a worker is repaired", is_a_worker, HOLD_NONE },
		{ "a worker without a Node is repaired", is_a_worker_that_is_gone, HOLD_NONE },
		{ "a master without a Node is repaired", is_a_master_that_is_gone, HOLD_MASTER_BUSY },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(3, 4);
		lab->policy.storm_threshold = (struct limit){ 1000, false };
		lab_break(lab, 1);
		cases[i].change(lab);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == cases[i].hold, "%s: %s", cases[i].what, hold_name(lab_hold(lab, 0)));
		lab_free(lab);
	}
}

/* Five members, two of them without a Node: three are a quorum, and none of them can be spared. */
static void members_that_cannot_be_seen(void **state)
{
	(void)state;
	static const struct {
		int nodes, magnum;
		enum hold hold;
	} cases[] = {
		{ 4, 5, HOLD_NONE },   { 3, 5, HOLD_QUORUM }, { 3, 4, HOLD_QUORUM },
		{ 3, 3, HOLD_NONE },   { 3, 0, HOLD_NONE },   { 3, 1, HOLD_NONE },
		{ 1, 3, HOLD_QUORUM }, { 1, 1, HOLD_NONE },   { 1, 0, HOLD_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(cases[i].nodes, 2);
		lab->cluster.masters_count = cases[i].magnum;
		lab_break(lab, 1);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == cases[i].hold, "%d of %d: %s", cases[i].nodes, cases[i].magnum,
		      hold_name(lab_hold(lab, 0)));
		lab_free(lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_combinations_keep_the_law),
		cmocka_unit_test(one_of_an_odd_number_is_always_repaired),
		cmocka_unit_test(who_counts),
		cmocka_unit_test(members_that_cannot_be_seen),
		cmocka_unit_test(reasons_of_masters),
		cmocka_unit_test(a_master_under_repair_takes_no_worker_s_slot),
		cmocka_unit_test(masters_and_workers_do_not_share_a_budget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
