/* Law L6: how many workers are under repair at once, in the cluster, a node group, a zone, on one host and within an
 * hour; what others do counts, but not for ever; and no small group is locked out. */
#include "core_fixture.h"

/* Bad, one after the other, so that nothing looks like an outage; and no limit but those of a test. */
static struct lab *lab_of(int workers, uint64_t bad)
{
	struct lab *lab = lab_new(0, workers);
	lab->policy.max_concurrent_repairs = (struct limit){ 1000, false };
	lab->policy.storm_threshold = (struct limit){ 100, true };
	lab->policy.zone_storm_threshold = (struct limit){ 100, true };
	lab_break(lab, bad);
	lab_spread(lab);
	return lab;
}

/* ---- the cluster
 * ----------------------------------------------------------------------------------------------------- */

static void budgets(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct limit limit;
		int workers, bad, actions;
	} cases[] = {
		{ "1 of 1", { 1, false }, 1, 1, 1 },      { "10 % of 1", { 10, true }, 1, 1, 1 },
		{ "1 of 3", { 1, false }, 3, 1, 1 },      { "1 of 3, two bad", { 1, false }, 3, 2, 1 },
		{ "10 % of 3", { 10, true }, 3, 2, 1 },   { "10 % of 30", { 10, true }, 30, 5, 3 },
		{ "50 % of 10", { 50, true }, 10, 7, 5 }, { "5 of 3, all bad", { 5, false }, 3, 3, 2 },
		{ "100 % of 4", { 100, true }, 4, 4, 3 }, { "none", { 0, false }, 4, 2, 0 },
		{ "0 %", { 0, true }, 4, 2, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, cases[i].workers);
		lab->policy.storm_threshold = (struct limit){ 100, true };
		lab->policy.max_concurrent_repairs = cases[i].limit;
		lab_break(lab, (UINT64_C(1) << cases[i].bad) - 1);
		lab_spread(lab);
		/* the storm of "all bad" is not what is asked here */
		decide(lab_look(lab), &lab->history, &lab->policy, &lab->ops, lab_can, lab, &lab->arena, &lab->plan);
		lab->plan.outage.hold = HOLD_NONE;
		for (size_t k = 0; k < lab->plan.count; k++)
			lab->plan.lines[k].hold = HOLD_NONE;
		brake_apply(lab_look(lab), &lab->history, &lab->policy, &lab->ops, &lab->arena, &lab->plan);
		CHECK(lab_actions(lab) == cases[i].actions, "%s: %d", cases[i].what, lab_actions(lab));
		for (size_t k = 0; k < lab->plan.count; k++)
			CHECK(lab->plan.lines[k].hold == HOLD_NONE || lab->plan.lines[k].hold == HOLD_BUDGET, "%s: %s",
			      cases[i].what, hold_name(lab->plan.lines[k].hold));
		lab_free(lab);
	}
}

static void a_slot_is_kept_between_two_rungs(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab_break(lab, 3);
	lab_record(lab, 1)->has_acted = true; /* rebooted in vain; its next rung has not begun */
	lab_record(lab, 1)->is_climbing = true;
	lab_record(lab, 1)->last_rung = RUNG_REBOOT;
	lab_record(lab, 1)->repaired = lab->now.mono;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 1)->hold, HOLD_NONE);
	assert_int_equal(lab_line(lab, 1)->rung, RUNG_REPLACE);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_BUDGET);
	assert_string_equal(lab_line(lab, 0)->detail, "1 of 1");
	lab_record(lab, 1)->next_try.ms = lab->now.mono.ms + MINUTE; /* a pause inside of a climb frees nothing */
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 1)->hold, HOLD_BACKOFF);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_BUDGET);
	/* Between two attempts others may go. */
	lab_record(lab, 1)->is_climbing = false;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	lab_free(lab);
}

/* ... but not for ever: what holds the node back (a pause, a lock, somebody's cordon) must not hold the others too. */
static void a_slot_that_is_not_used_is_given_up(void **state)
{
	(void)state;
	static const enum { PAUSED, LOCKED, CORDONED, WAYS } first = PAUSED;
	for (int way = first; way < WAYS; way++) {
		struct lab *lab = lab_new(0, 8);
		lab_break(lab, 3);
		struct record *record = lab_record(lab, 1);
		record->is_climbing = record->has_acted = true;
		record->last_rung = RUNG_REBOOT;
		record->repaired = lab->now.mono;
		if (way == PAUSED)
			lab_annotate(lab, 1, ANNOTATION_PAUSED, "kim: looking at it");
		lab->machines[1].is_locked = way == LOCKED;
		lab->nodes[1].is_cordoned = way == CORDONED;
		lab_pass(lab, 30 * MINUTE - 1);
		lab_observe(lab);
		lab_decide(lab);
		CHECK(lab_hold(lab, 1) != HOLD_NONE && lab_hold(lab, 1) != HOLD_BUDGET, "way %d", way);
		CHECK(lab_hold(lab, 0) == HOLD_BUDGET, "way %d: %s", way, hold_name(lab_hold(lab, 0)));
		lab_pass(lab, 1);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == HOLD_NONE, "way %d: %s", way, hold_name(lab_hold(lab, 0)));
		lab_free(lab);
	}
}

/* Servers that never joined are no workers: they make no budget larger, and where no worker is there at all the first
 * of them can be replaced, one at a time. */
static void phantoms_and_the_budget(void **state)
{
	(void)state;
	static const struct {
		int workers, phantoms;
		struct limit limit;
		int actions;
	} cases[] = {
		{ 0, 3, { 1, false }, 1 },  { 0, 3, { 100, true }, 1 }, { 0, 1, { 10, true }, 1 },
		{ 4, 12, { 50, true }, 2 }, { 10, 5, { 20, true }, 2 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(3, cases[i].workers + cases[i].phantoms);
		lab->policy.max_concurrent_repairs = cases[i].limit;
		uint64_t mask = 0;
		for (int k = 0; k < cases[i].phantoms; k++) {
			lab->nodes[3 + cases[i].workers + k].is_phantom = true;
			mask |= UINT64_C(1) << (3 + cases[i].workers + k);
		}
		lab_break(lab, mask);
		lab_decide(lab);
		CHECK(lab->plan.outage.hold == HOLD_NONE, "case %zu: %s", i, hold_name(lab->plan.outage.hold));
		CHECK(lab_actions(lab) == cases[i].actions, "case %zu: %d", i, lab_actions(lab));
		lab_free(lab);
	}
}

static void a_replacement_without_a_node_keeps_its_slot(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab_break(lab, 1);
	struct op *op = lab_repair(lab, 7);
	(void)TEXT_COPY(op->facts.node, "the-old-node-is-gone");
	(void)TEXT_COPY(op->facts.server, "");
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_BUDGET);
	op->facts.is_worker = false; /* a master does not use a worker's slot */
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	lab_free(lab);
}

static void the_oldest_case_goes_first(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab_break(lab, 7);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE); /* as old as each other: by name */
	lab_record(lab, 2)->opened.ms -= 1;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_BUDGET);
	assert_int_equal(lab_line(lab, 2)->hold, HOLD_NONE);
	lab_free(lab);
}

/* ---- places -------------------------------------------------------------------------------------------------------
 */

/* Of nodes 0-5 the first three are in place "a", the other three in "b"; 6 and 7 are nobody knows where. */
#define WORKERS 8
enum place { GROUPS, ZONES, HOSTS, PLACES_COUNT };

static void put_places(struct lab *lab, enum place place, struct limit limit)
{
	for (size_t i = 0; i < WORKERS; i++) {
		const char *name = i < 3 ? "a" : i < 6 ? "b" : "";
		if (place == GROUPS)
			lab->nodes[i].group = name;
		else if (place == ZONES)
			lab->nodes[i].zone = name;
		else
			(void)TEXT_COPY(lab->machines[i].host_id, name);
	}
	if (place == GROUPS)
		lab->policy.max_per_group = limit;
	else if (place == ZONES)
		lab->policy.max_per_zone = limit;
	else
		lab->policy.max_per_host = limit;
}

static void places(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct limit limit;
		uint64_t bad, allowed;
	} cases[] = {
		{ "one of three", { 1, false }, 0x01, 0x01 },
		{ "two of three", { 1, false }, 0x03, 0x01 },
		{ "one in each", { 1, false }, 0x09, 0x09 },
		{ "two in each", { 1, false }, 0x1b, 0x09 },
		{ "two of three, two at once", { 2, false }, 0x03, 0x03 },
		{ "three of three, never all", { 3, false }, 0x07, 0x03 },
		{ "a percentage: a third", { 34, true }, 0x03, 0x01 },
		{ "a percentage: two thirds", { 67, true }, 0x03, 0x03 },
		{ "a percentage that is less than one", { 1, true }, 0x03, 0x01 },
		{ "no limit", { 0, false }, 0x07, 0x07 },
		{ "no limit of percent", { 0, true }, 0x07, 0x07 },
		{ "unknown places are not one place", { 1, false }, 0xc0, 0xc0 },
	};
	static const char *const words[] = { "node group a", "zone a", "host a" };
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (enum place place = GROUPS; place < PLACES_COUNT; place++) {
			if (place == ZONES && (cases[i].bad & 7) == 7)
				continue; /* a whole zone is an outage */
			struct lab *lab = lab_of(WORKERS, cases[i].bad);
			put_places(lab, place, cases[i].limit);
			lab_decide(lab);
			for (size_t n = 0; n < WORKERS; n++) {
				const struct line *line = lab_line(lab, n);
				bool is_allowed = cases[i].allowed >> n & 1;
				CHECK((line != NULL) == (cases[i].bad >> n & 1), "%s", cases[i].what);
				CHECK(line == NULL || line->hold == (is_allowed ? HOLD_NONE : HOLD_BUDGET),
				      "%s, %s: node %zu: %s", words[place], cases[i].what, n, hold_name(line->hold));
				CHECK(line == NULL || is_allowed || n >= 3 ||
					      strstr(line->detail, words[place]) != NULL,
				      "%s", line->detail);
			}
			lab_free(lab);
		}
	}
}

/* The narrower budgets lie within the cluster's, and a repair that runs counts in its place. */
static void places_and_the_cluster(void **state)
{
	(void)state;
	struct lab *lab = lab_of(WORKERS, 0x09);
	put_places(lab, GROUPS, (struct limit){ 1, false });
	lab->policy.max_concurrent_repairs = (struct limit){ 1, false };
	lab_decide(lab);
	assert_int_equal(lab_actions(lab), 1);
	assert_string_equal(lab_line(lab, 3)->detail, "1 of 1");
	lab_free(lab);

	for (enum place place = GROUPS; place < PLACES_COUNT; place++) {
		lab = lab_of(WORKERS, 0x0b);
		put_places(lab, place, (struct limit){ 1, false });
		(void)lab_repair(lab, 1);
		lab_decide(lab);
		assert_int_equal(lab_hold(lab, 0), HOLD_BUDGET);
		assert_int_equal(lab_hold(lab, 1), HOLD_REPAIRING);
		assert_int_equal(lab_hold(lab, 3), HOLD_NONE);
		lab_free(lab);
	}
	lab = lab_of(WORKERS, 0x09); /* its Node is gone; of its place only the group is known */
	put_places(lab, GROUPS, (struct limit){ 1, false });
	struct op *op = lab_repair(lab, 7);
	(void)TEXT_COPY(op->facts.node, "gone");
	(void)TEXT_COPY(op->facts.group, "a");
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_BUDGET);
	assert_int_equal(lab_hold(lab, 3), HOLD_NONE);
	lab_free(lab);
}

/* Whatever the limit, the size and the place: one that fails alone is repaired, and never all of two or more. */
static void no_small_place_is_locked_out(void **state)
{
	(void)state;
	static const struct limit limits[] = { { 1, false }, { 9, false }, { 1, true }, { 50, true }, { 100, true } };
	for (enum place place = GROUPS; place < PLACES_COUNT; place++) {
		for (size_t i = 0; i < COUNT(limits); i++) {
			for (int size = 1; size <= 4; size++) {
				for (int bad = 1; bad <= size; bad++) {
					if (place == ZONES && bad == size && size > 1)
						continue; /* a whole zone is an outage */
					struct lab *lab = lab_of(WORKERS, (UINT64_C(1) << bad) - 1);
					put_places(lab, place, limits[i]);
					for (size_t n = 0; n < WORKERS; n++) {
						bool is_here = n < (size_t)size;
						lab->nodes[n].group = place == GROUPS && is_here ? "a" : "z";
						lab->nodes[n].zone = place == ZONES && is_here ? "a" : "z";
						(void)TEXT_COPY(lab->machines[n].host_id,
								place == HOSTS && is_here ? "a" : "z");
					}
					lab_decide(lab);
					int acts = lab_actions(lab);
					CHECK(acts >= 1 && (size == 1 || acts < size), "limit %zu, %d of %d: %d", i,
					      bad, size, acts);
					lab_free(lab);
				}
			}
		}
	}
}

/* ---- others -------------------------------------------------------------------------------------------------------
 */

static void is_deleted(struct lab *lab)
{
	lab->nodes[1].deleted = lab->now.wall;
}

static void is_rebooted_by_kured(struct lab *lab)
{
	lab_annotate(lab, 1, "weave.works/kured-reboot-in-progress", "now");
}

static void is_drained(struct lab *lab)
{
	lab_taint(lab, 1, "medik8s.io/drain", "");
}

static void is_rebuilt(struct lab *lab)
{
	(void)TEXT_COPY(lab->machines[1].status, "REBUILD");
}

static void is_booting(struct lab *lab)
{
	lab->nodes[1].created = lab->now.wall;
}

static void is_stopped(struct lab *lab)
{
	(void)TEXT_COPY(lab->machines[1].status, "PAUSED"); /* nobody works on it */
}

static void is_cordoned(struct lab *lab)
{
	lab->nodes[1].is_cordoned = true; /* neither here */
}

static void is_locked(struct lab *lab)
{
	lab->machines[1].is_locked = true;
}

static void is_given_up(struct lab *lab)
{
	lab_record(lab, 1)->state = CASE_GIVEN_UP; /* or nobody else would ever be repaired */
}

static void is_well_and_rebuilt(struct lab *lab)
{
	is_rebuilt(lab);
	lab_set(lab, 1, STATUS_TRUE);
	lab_observe(lab);
}

/* Two bad nodes and a budget of one: the second one is somebody else's. */
static void others_take_a_slot(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		void (*change)(struct lab *);
		bool takes;
	} cases[] = {
		{ "deleted", is_deleted, true },    { "rebooted by kured", is_rebooted_by_kured, true },
		{ "drained", is_drained, true },    { "rebuilt", is_rebuilt, true },
		{ "booting", is_booting, true },    { "stopped by a person", is_stopped, false },
		{ "cordoned", is_cordoned, false }, { "locked", is_locked, false },
		{ "given up", is_given_up, false }, { "well", is_well_and_rebuilt, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_of(8, 3);
		lab->policy.max_concurrent_repairs = (struct limit){ 1, false };
		cases[i].change(lab);
		lab_record(lab, 0)->opened.ms++; /* the second one would be the first */
		struct record *other = lab_record(lab, 1);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == (cases[i].takes ? HOLD_BUDGET : HOLD_NONE), "%s: %s", cases[i].what,
		      hold_name(lab_hold(lab, 0)));
		if (other != NULL) { /* half an hour later it is only one more that is down */
			other->first_seen.ms = lab->now.mono.ms - 30 * MINUTE;
			lab_decide(lab);
			CHECK(lab_hold(lab, 0) == (cases[i].takes ? HOLD_BUDGET : HOLD_NONE), "%s", cases[i].what);
			other->first_seen.ms--;
			lab_decide(lab);
			CHECK(lab_hold(lab, 0) == HOLD_NONE, "%s: for ever", cases[i].what);
		}
		lab_free(lab);
	}
}

/* The place of what others do counts as well. */
static void others_take_a_slot_of_their_place(void **state)
{
	(void)state;
	for (enum place place = GROUPS; place < PLACES_COUNT; place++) {
		struct lab *lab = lab_of(WORKERS, 0x0b);
		put_places(lab, place, (struct limit){ 1, false });
		is_rebuilt(lab);
		lab_decide(lab);
		assert_int_equal(lab_hold(lab, 0), HOLD_BUDGET);
		assert_int_equal(lab_hold(lab, 3), HOLD_NONE);
		lab_free(lab);
	}
}

/* ---- within an hour -----------------------------------------------------------------------------------------------
 */

static void rates(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		int most, recent, old, bad, actions;
	} cases[] = {
		{ "no limit", 0, 9, 0, 3, 3 },          { "none yet", 2, 0, 0, 3, 2 },
		{ "one of two", 2, 1, 0, 3, 1 },        { "two of two", 2, 2, 0, 3, 0 },
		{ "more than allowed", 2, 5, 0, 3, 0 }, { "long ago", 1, 0, 9, 1, 1 },
		{ "some of them", 3, 2, 9, 3, 1 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_of(12, (UINT64_C(1) << cases[i].bad) - 1);
		lab->policy.max_repairs_per_hour = cases[i].most;
		for (int n = 0; n < cases[i].old; n++)
			lab->history.begun[lab->history.begun_count++].ms = lab->now.mono.ms - HOUR;
		for (int n = 0; n < cases[i].recent; n++)
			lab->history.begun[lab->history.begun_count++].ms = lab->now.mono.ms - HOUR + 1;
		lab_decide(lab);
		CHECK(lab_actions(lab) == cases[i].actions, "%s: %d", cases[i].what, lab_actions(lab));
		for (size_t n = 0; n < lab->plan.count; n++)
			CHECK(lab->plan.lines[n].hold == HOLD_NONE || lab->plan.lines[n].hold == HOLD_RATE, "%s: %s",
			      cases[i].what, hold_name(lab->plan.lines[n].hold));
		lab_free(lab);
	}
}

/* A worker's repair is counted from its beginning: until its first act leaves as one that runs, and then for the hour.
 * A master is never held for the number of workers, and takes nothing from them. */
static void what_counts_for_the_rate(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		size_t node; /* a master below 3 */
		enum rung rung;
		bool is_running, is_touched, is_noted;
		enum hold other; /* of another worker */
	} cases[] = {
		{ "nothing yet", 3, RUNG_REBOOT, false, false, false, HOLD_NONE },
		{ "a worker's repair has not acted yet", 3, RUNG_REBOOT, true, false, false, HOLD_RATE },
		{ "it has, and is counted once", 3, RUNG_REBOOT, true, true, true, HOLD_RATE },
		{ "it is over, and had acted", 3, RUNG_REBOOT, false, false, true, HOLD_RATE },
		{ "taking a cordon away is no repair", 3, RUNG_UNCORDON, true, false, false, HOLD_NONE },
		{ "a master's repair", 0, RUNG_REBOOT, true, false, false, HOLD_NONE },
		{ "a master's repair that has acted", 0, RUNG_REBOOT, true, true, false, HOLD_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int per_hour = 1; per_hour <= 2; per_hour++) {
			struct lab *lab = lab_new(3, 8);
			lab->policy.max_concurrent_repairs = (struct limit){ 5, false };
			lab->policy.max_repairs_per_hour = per_hour;
			lab_break(lab, 1 | 8 | 16);
			lab_spread(lab);
			if (cases[i].is_running) {
				struct op *op = lab_repair(lab, cases[i].node);
				op->rung = cases[i].rung;
				op->is_touched = op->is_counted = cases[i].is_touched;
			}
			if (cases[i].is_noted)
				history_note_begun(&lab->history, lab->now.mono);
			lab_decide(lab);
			if (!cases[i].is_running)
				CHECK(lab_hold(lab, 0) == HOLD_NONE, "%s: the master waits", cases[i].what);
			/* node 3 comes first; it takes the hour's only one when it is not under repair itself */
			bool is_first_free = cases[i].node != 3 || !cases[i].is_running;
			int counted = cases[i].other == HOLD_RATE;
			enum hold wanted = counted + is_first_free < per_hour ? HOLD_NONE : HOLD_RATE;
			CHECK(lab_hold(lab, 4) == wanted, "%s, %d an hour: %s", cases[i].what, per_hour,
			      hold_name(lab_hold(lab, 4)));
			lab_free(lab);
		}
	}
}

/* An hour later it is forgotten. */
static void the_hour_passes(void **state)
{
	(void)state;
	struct lab *lab = lab_of(8, 1);
	lab->policy.max_repairs_per_hour = 1;
	history_note_begun(&lab->history, lab->now.mono);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_RATE);
	assert_string_equal(lab_line(lab, 0)->detail, "1");
	lab_pass(lab, HOUR - 1);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_RATE);
	lab_pass(lab, 1);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_NONE);
	lab_free(lab);
}

/* The next rung of a climb has its slot, but it is a repair more. */
static void a_climb_is_not_outside_of_the_rate(void **state)
{
	(void)state;
	struct lab *lab = lab_of(8, 1);
	lab->policy.max_repairs_per_hour = 1;
	lab_record(lab, 0)->is_climbing = lab_record(lab, 0)->has_acted = true;
	history_note_begun(&lab->history, lab->now.mono);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_RATE);
	lab_free(lab);
}

static void the_ring_of_what_began(void **state)
{
	(void)state;
	struct lab *lab = lab_of(8, 1);
	for (int i = 0; i < 5 * BEGUN_MAX + 3; i++) {
		lab_pass(lab, SEC);
		history_note_begun(&lab->history, lab->now.mono);
		int wanted = i + 1 < 10 ? i + 1 : 10;
		assert_int_equal(history_begun_since(&lab->history, (struct mono){ lab->now.mono.ms - 10 * SEC }),
				 wanted);
	}
	assert_int_equal(history_begun_since(&lab->history, (struct mono){ 0 }), BEGUN_MAX);
	lab_free(lab);
}

static void without_workers_there_is_nothing(void **state)
{
	(void)state;
	struct lab *lab = lab_of(0, 0);
	lab_decide(lab);
	assert_int_equal(lab->plan.count, 0);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(places_and_the_cluster),
		cmocka_unit_test(no_small_place_is_locked_out),
		cmocka_unit_test(others_take_a_slot),
		cmocka_unit_test(others_take_a_slot_of_their_place),
		cmocka_unit_test(rates),
		cmocka_unit_test(what_counts_for_the_rate),
		cmocka_unit_test(the_hour_passes),
		cmocka_unit_test(a_climb_is_not_outside_of_the_rate),
		cmocka_unit_test(the_ring_of_what_began),
		cmocka_unit_test(without_workers_there_is_nothing),
		cmocka_unit_test(budgets),
		cmocka_unit_test(a_slot_is_kept_between_two_rungs),
		cmocka_unit_test(a_slot_that_is_not_used_is_given_up),
		cmocka_unit_test(phantoms_and_the_budget),
		cmocka_unit_test(a_replacement_without_a_node_keeps_its_slot),
		cmocka_unit_test(the_oldest_case_goes_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
