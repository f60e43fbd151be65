/* Law L7: what looks like the network's failure, a zone's or the control plane's is not repaired, and what is one
 * node's own failure is, even beside it. */
#include "core_fixture.h"

/* Bit i: worker i. */
static uint64_t first(int count)
{
	return (UINT64_C(1) << count) - 1;
}

/* The nodes of MASK have been bad since `apart_ms` one after the other, the first one since five minutes. */
static void fail_apart(struct lab *lab, uint64_t mask, int64_t apart_ms)
{
	lab_break(lab, mask);
	int64_t later_ms = 0;
	for (size_t i = 0; i < lab->count; i++) {
		if (!(mask >> i & 1))
			continue;
		lab_record(lab, i)->bad_since[0].ms = lab->now.mono.ms - 30 * MINUTE + later_ms;
		later_ms += apart_ms;
	}
}

/* ---- storms ------------------------------------------------------------------------------------------------------ */

static void storms(void **state)
{
	(void)state;
	static const struct {
		struct limit threshold;
		int workers, bad;
		bool is_storm;
	} cases[] = {
		{ { 50, true }, 1, 1, false },  { { 50, true }, 2, 1, false }, { { 50, true }, 2, 2, true },
		{ { 50, true }, 10, 5, false }, { { 50, true }, 10, 6, true }, { { 3, false }, 10, 3, false },
		{ { 3, false }, 10, 4, true },  { { 100, true }, 3, 3, true }, { { 0, false }, 3, 1, true },
		{ { 10, true }, 3, 1, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(3, cases[i].workers);
		lab->policy.storm_threshold = cases[i].threshold;
		lab_break(lab, ((UINT64_C(1) << cases[i].bad) - 1) << 3);
		lab_spread(lab);
		lab_decide(lab);
		/* threshold 0 is a storm whenever anything is bad; it is no storm of the masters that are well */
		CHECK(lab->plan.outage.hold == (cases[i].is_storm ? HOLD_STORM : HOLD_NONE), "case %zu", i);
		assert_int_equal(lab->plan.bad_count[ROLE_WORKER], cases[i].bad);
		assert_int_equal(lab->plan.bad_count[ROLE_MASTER], 0);
		CHECK(!cases[i].is_storm || lab_actions(lab) == 0, "case %zu", i);
		lab_free(lab);
	}
}

static void after_a_storm_comes_the_cooldown(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab_break(lab, 0x1f);
	lab_decide(lab);
	assert_int_equal(lab->plan.outage.hold, HOLD_STORM);
	for (size_t i = 1; i < 5; i++)
		lab_set(lab, i, STATUS_TRUE);
	lab_pass(lab, SEC);
	lab_observe(lab);
	for (int s = 1; s < 5 * 60; s += 30) {
		lab_decide(lab);
		assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
		assert_int_equal(lab_line(lab, 0)->hold, HOLD_COOLDOWN);
		lab_pass(lab, 30 * SEC);
		lab_observe(lab);
	}
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	lab_free(lab);
}

/* ... and it does not hide one either: of two grown nodes, one is half. */
static void young_nodes_do_not_dilute_a_storm(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 10);
	for (size_t i = 4; i < 10; i++)
		lab->nodes[i].created.ms = lab->now.wall.ms + 5 * MINUTE;
	lab_break(lab, 7);
	lab_decide(lab);
	assert_int_equal(lab->plan.bad_count[ROLE_WORKER], 3);
	assert_int_equal(lab->plan.outage.hold, HOLD_STORM); /* 3 of 4, not 3 of 10 */
	assert_int_equal(lab->plan.total[ROLE_WORKER], 10);
	lab_free(lab);
}

static void a_scale_out_is_no_storm(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 10);
	for (size_t i = 2; i < 10; i++)
		lab->nodes[i].created = lab->now.wall; /* eight new ones that are not Ready yet */
	lab_break(lab, 0x3fd);
	lab_decide(lab);
	assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_BUDGET); /* what boots takes slots */
	assert_string_equal(lab_line(lab, 0)->detail, "8 of 1");
	for (size_t i = 2; i < 10; i++)
		assert_int_equal(lab_line(lab, i)->hold, HOLD_YOUNG);
	lab->policy.max_concurrent_repairs.value = 9;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	lab_free(lab);
}

/* ---- at once ------------------------------------------------------------------------------------------------------
 */

static void at_once(void **state)
{
	(void)state;
	static const struct {
		struct limit threshold;
		int workers, bad;
		int64_t apart_ms;
		enum hold hold;
	} cases[] = {
		{ { 50, true }, 1, 1, 0, HOLD_NONE },
		{ { 50, true }, 2, 1, 0, HOLD_NONE }, /* half, but one alone is no outage */
		{ { 50, true }, 2, 2, 0, HOLD_STORM },
		{ { 50, true }, 3, 2, 0, HOLD_STORM },
		{ { 50, true }, 4, 2, 0, HOLD_OUTAGE },
		{ { 50, true }, 4, 2, 2 * MINUTE, HOLD_OUTAGE },
		{ { 50, true }, 4, 2, 2 * MINUTE + 1, HOLD_NONE },
		{ { 50, true }, 5, 2, 0, HOLD_NONE },
		{ { 50, true }, 6, 3, MINUTE, HOLD_OUTAGE },
		{ { 50, true }, 6, 3, MINUTE + 1, HOLD_NONE }, /* never three within two minutes */
		{ { 50, true }, 6, 4, MINUTE + 1, HOLD_STORM },
		{ { 50, true }, 20, 9, 0, HOLD_NONE },
		{ { 50, true }, 20, 10, 0, HOLD_OUTAGE },
		{ { 10, true }, 20, 2, 0, HOLD_OUTAGE },
		{ { 10, true }, 21, 2, 0, HOLD_NONE },
		{ { 3, false }, 20, 2, 0, HOLD_NONE },
		{ { 3, false }, 20, 3, 0, HOLD_OUTAGE },
		{ { 3, false }, 20, 3, 2 * MINUTE, HOLD_NONE },
		{ { 1, false }, 20, 1, 0, HOLD_NONE },
		{ { 100, true }, 4, 3, 0, HOLD_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(3, cases[i].workers);
		lab->policy.storm_threshold = cases[i].threshold;
		fail_apart(lab, first(cases[i].bad) << 3, cases[i].apart_ms);
		lab_decide(lab);
		CHECK(lab->plan.outage.hold == cases[i].hold, "case %zu: %s (%s)", i, hold_name(lab->plan.outage.hold),
		      lab->plan.outage.detail);
		CHECK((lab->plan.outage.detail[0] != '\0') == (cases[i].hold != HOLD_NONE), "case %zu", i);
		CHECK((lab_actions(lab) > 0) == (cases[i].hold == HOLD_NONE), "case %zu: %d", i, lab_actions(lab));
		lab_free(lab);
	}
}

/* When a compute host dies, its servers fail together; that is no outage of the network. */
static void at_once_on_one_host(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		const char *hosts[4]; /* of the nodes that fail, NULL: no more of them */
		int workers;
		enum hold hold;
	} cases[] = {
		{ "two of four on one host", { "a", "a" }, 4, HOLD_NONE },
		{ "two of four on two hosts", { "a", "b" }, 4, HOLD_OUTAGE },
		{ "unknown hosts are not the same", { "", "" }, 4, HOLD_OUTAGE },
		{ "one of them unknown", { "a", "" }, 4, HOLD_OUTAGE },
		{ "three of six, a third elsewhere", { "a", "a", "b" }, 6, HOLD_OUTAGE },
		{ "three of eight, a third elsewhere", { "a", "a", "b" }, 8, HOLD_NONE },
		{ "three of four on one host: a storm", { "a", "a", "a" }, 4, HOLD_STORM },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, cases[i].workers);
		int bad = 0;
		for (; bad < 4 && cases[i].hosts[bad] != NULL; bad++)
			(void)TEXT_COPY(lab->machines[bad].host_id, cases[i].hosts[bad]);
		lab_break(lab, first(bad));
		lab_decide(lab);
		CHECK(lab->plan.outage.hold == cases[i].hold, "%s: %s", cases[i].what,
		      hold_name(lab->plan.outage.hold));
		lab_free(lab);
	}
}

static void who_is_counted(void **state)
{
	(void)state;
	struct lab *lab = lab_new(3, 4); /* a master and a worker, each a single failure */
	lab_break(lab, 1 | 8);
	lab_decide(lab);
	assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
	lab_free(lab);
	lab = lab_new(4, 8); /* masters are counted among themselves, and what they show holds everybody */
	lab_break(lab, 3 | 16);
	lab_decide(lab);
	assert_int_equal(lab->plan.outage.hold, HOLD_OUTAGE);
	assert_int_equal(lab_hold(lab, 4), HOLD_OUTAGE);
	assert_string_equal(lab_line(lab, 4)->detail, "2 of 4 masters within two minutes");
	lab_free(lab);
	lab = lab_new(0, 6); /* one that is only booting is no part of it: two grown ones are well, two are not */
	lab->nodes[0].created = lab->nodes[1].created = lab->now.wall;
	lab_break(lab, 1 | 4);
	lab_decide(lab);
	assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
	lab->nodes[0].created = lab->nodes[1].created = (struct wall){ 1 };
	lab_set(lab, 1, STATUS_FALSE);
	lab_observe(lab);
	lab_record(lab, 1)->bad_since[0] = lab_record(lab, 0)->bad_since[0];
	lab_decide(lab);
	assert_int_equal(lab->plan.outage.hold, HOLD_OUTAGE);
	lab_free(lab);
}

/* ---- zones --------------------------------------------------------------------------------------------------------
 */

/* Workers 0..n-1 of the first zone, then those of the second, and so on; sizes end at 0. */
static void put_zones(struct lab *lab, const int *sizes)
{
	static const char *const names[] = { "az-1", "az-2", "az-3" };
	size_t at = 0;
	for (size_t zone = 0; zone < COUNT(names) && sizes[zone] > 0; zone++) {
		for (int i = 0; i < sizes[zone]; i++)
			lab->nodes[at++].zone = names[zone];
	}
}

static void zones(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct limit threshold;
		int sizes[4];
		uint64_t bad;
		int64_t apart_ms;
		size_t frozen;
		enum hold hold; /* of the cluster */
		int actions;    /* with a budget of one */
	} cases[] = {
		{ "one node of a zone of one", { 50, true }, { 1, 4 }, 0x1, 0, 0, HOLD_NONE, 1 },
		{ "one node of a zone of two", { 50, true }, { 2, 4 }, 0x1, 0, 0, HOLD_NONE, 1 },
		{ "a zone of two", { 50, true }, { 2, 4 }, 0x3, MINUTE, 1, HOLD_NONE, 0 },
		{ "a zone of two, one after the other", { 50, true }, { 2, 4 }, 0x3, 9 * MINUTE, 0, HOLD_NONE, 1 },
		{ "two of four, one after the other", { 50, true }, { 4, 9 }, 0x3, 9 * MINUTE, 0, HOLD_NONE, 1 },
		{ "two of four, within five minutes", { 50, true }, { 4, 9 }, 0x3, 5 * MINUTE, 1, HOLD_NONE, 0 },
		{ "two of four, hardly more", { 50, true }, { 4, 9 }, 0x3, 5 * MINUTE + 1, 0, HOLD_NONE, 1 },
		{ "two of four, at once", { 50, true }, { 4, 9 }, 0x3, 0, 1, HOLD_NONE, 0 },
		{ "two of five, at once", { 50, true }, { 5, 9 }, 0x3, 0, 0, HOLD_NONE, 1 },
		{ "three of four, one after the other", { 50, true }, { 4, 9 }, 0x7, 9 * MINUTE, 0, HOLD_NONE, 1 },
		{ "a number: two of four", { 2, false }, { 4, 9 }, 0x3, MINUTE, 1, HOLD_NONE, 0 },
		{ "a number: two of four, three wanted", { 3, false }, { 4, 9 }, 0x3, MINUTE, 0, HOLD_NONE, 1 },
		{ "a number: three of four", { 3, false }, { 4, 9 }, 0x7, MINUTE, 1, HOLD_NONE, 0 },
		{ "never fewer than two", { 1, false }, { 4, 9 }, 0x1, MINUTE, 0, HOLD_NONE, 1 },
		{ "a zone beside a dead node", { 50, true }, { 4, 5 }, 0x1f, 75 * SEC, 1, HOLD_NONE, 1 },
		{ "a small zone beside a dead node, at once", { 50, true }, { 4, 9 }, 0x1f, 0, 1, HOLD_NONE, 1 },
		{ "half of all, at once, most of it one zone", { 50, true }, { 4, 5 }, 0x1f, 0, 1, HOLD_OUTAGE, 0 },
		{ "most of the rest, later", { 50, true }, { 2, 8 }, 0x7f, 75 * SEC, 2, HOLD_STORM, 0 },
		{ "one alone is no outage, whatever the threshold", { 0, true }, { 4, 9 }, 0x1, 0, 0, HOLD_NONE, 1 },
		{ "the only zone there is", { 50, true }, { 9 }, 0xf, 9 * MINUTE, 0, HOLD_NONE, 1 },
		{ "a zone of three", { 50, true }, { 3, 3, 3 }, 0x7, 0, 1, HOLD_NONE, 0 },
		{ "two zones of three", { 50, true }, { 3, 3, 3 }, 0x3f, 0, 2, HOLD_STORM, 0 },
		{ "two zones of two", { 50, true }, { 3, 3 }, 0x3f, 0, 2, HOLD_STORM, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int workers = 0;
		for (size_t z = 0; cases[i].sizes[z] > 0; z++)
			workers += cases[i].sizes[z];
		struct lab *lab = lab_new(0, workers);
		put_zones(lab, cases[i].sizes);
		lab->policy.zone_storm_threshold = cases[i].threshold;
		fail_apart(lab, cases[i].bad, cases[i].apart_ms);
		lab_decide(lab);
		CHECK(lab->plan.outage.frozen_count == cases[i].frozen, "%s: %zu frozen", cases[i].what,
		      lab->plan.outage.frozen_count);
		CHECK(lab->plan.outage.hold == cases[i].hold, "%s: %s", cases[i].what,
		      hold_name(lab->plan.outage.hold));
		CHECK(lab_actions(lab) == cases[i].actions, "%s: %d actions", cases[i].what, lab_actions(lab));
		lab_free(lab);
	}
}

/* Masters count for their zone too, but not when nobody looks at them. */
static void roles_and_zones(void **state)
{
	(void)state;
	for (int is_enabled = 0; is_enabled < 2; is_enabled++) {
		struct lab *lab = lab_new(3, 9);
		lab->policy.is_enabled[ROLE_MASTER] = is_enabled;
		for (size_t i = 0; i < lab->count; i++) /* three masters and two workers; seven workers */
			lab->nodes[i].zone = i < 5 ? "az-1" : "az-2";
		fail_apart(lab, 0x18, 0);
		lab_decide(lab);
		assert_int_equal(lab->plan.outage.frozen_count, !is_enabled);
		assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
		lab_free(lab);
	}
}

/* Zones are told apart by their names, wherever these are kept. */
static void names_of_zones(void **state)
{
	(void)state;
	static char names[9][8];
	struct lab *lab = lab_new(0, 9);
	for (size_t i = 0; i < lab->count; i++) {
		(void)snprintf(names[i], sizeof names[i], "az-%d", i < 4 ? 1 : 2);
		lab->nodes[i].zone = names[i];
	}
	fail_apart(lab, 0x7, MINUTE);
	lab_decide(lab);
	assert_int_equal(lab->plan.outage.frozen_count, 1);
	assert_int_equal(lab_hold(lab, 2), HOLD_ZONE);
	lab_free(lab);
}

/* Beside a frozen zone the rest is a cluster of its own: three of ten are thirty percent, though not of thirteen. */
static void frozen_zones_are_set_aside(void **state)
{
	(void)state;
	for (int bad = 2; bad <= 4; bad++) {
		struct lab *lab = lab_new(0, 13);
		put_zones(lab, (const int[]){ 3, 10, 0 });
		lab->policy.storm_threshold = (struct limit){ 30, true };
		lab_break(lab, first(3 + bad));
		for (size_t i = 0; i < 3; i++)
			lab_record(lab, i)->bad_since[0].ms -= HOUR;
		lab_decide(lab);
		assert_int_equal(lab->plan.outage.frozen_count, 1);
		static const enum hold holds[] = { HOLD_NONE, HOLD_OUTAGE, HOLD_STORM };
		CHECK(lab->plan.outage.hold == holds[bad - 2], "%d: %s", bad, hold_name(lab->plan.outage.hold));
		lab_free(lab);
	}
}

static void the_zone_s_hold_is_told(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 12);
	put_zones(lab, (const int[]){ 4, 8, 0 });
	lab_break(lab, 0x7 | 0x20);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_ZONE);
	assert_string_equal(lab_line(lab, 0)->detail, "zone az-1: 3 of 4 nodes at once");
	assert_int_equal(lab_hold(lab, 5), HOLD_NONE);
	/* a repair that runs in it is stopped; one elsewhere is not */
	struct op *inside = lab_repair(lab, 0);
	struct op *outside = lab_repair(lab, 5);
	assert_non_null(strstr(brake_cancel(lab_look(lab), &lab->history, &lab->policy, inside), "zone"));
	assert_null(brake_cancel(lab_look(lab), &lab->history, &lab->policy, outside));
	lab_free(lab);
}

/* ---- what is no outage --------------------------------------------------------------------------------------------
 */

/* In a zone of three, one node dies today and one tomorrow: no failure of the zone, however long they stay dead. */
static void slow_accumulation_freezes_nothing(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 12);
	lab_zones(lab, 4);
	lab_break(lab, 1);
	lab_pass(lab, 24 * HOUR);
	lab_break(lab, 1 | 1 << 4);
	for (int day = 0; day < 7; day++) {
		lab_decide(lab);
		assert_int_equal(lab->plan.outage.frozen_count, 0);
		assert_int_equal(lab_hold(lab, 0), HOLD_NONE);
		assert_int_equal(lab_hold(lab, 4), HOLD_BUDGET);
		lab_pass(lab, 24 * HOUR);
		lab_observe(lab);
	}
	lab_free(lab);
}

/* The cloud itself says that these machines do not run: no network can make it say so. An old word of it does not
 * count.
 */
static void machines_that_are_down(void **state)
{
	(void)state;
	static const struct {
		const char *first, *second; /* states of the two servers; "": gone */
		bool is_outage;
	} cases[] = {
		{ "ACTIVE", "ACTIVE", true },  { "SHUTOFF", "SHUTOFF", false }, { "SHUTOFF", "ACTIVE", false },
		{ "ERROR", "SHUTOFF", false }, { "ERROR", "ERROR", false },     { "REBOOT", "ACTIVE", true },
		{ "BUILD", "BUILD", true },    { "ACTIVE", "", false },         { "SHUTOFF", "", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int in_zone = 0; in_zone < 2; in_zone++) {
			for (int is_fresh = 0; is_fresh < 2; is_fresh++) {
				struct lab *lab = lab_new(0, 4 + 8 * in_zone); /* two of four: of all, or of a zone */
				if (in_zone)
					put_zones(lab, (const int[]){ 4, 8, 0 });
				lab_break(lab, 0xc);
				(void)TEXT_COPY(lab->machines[2].status, cases[i].first);
				(void)TEXT_COPY(lab->machines[3].status, cases[i].second);
				if (cases[i].second[0] == '\0') {
					lab->machines[3] = lab->machines[lab->count - 1];
					(void)TEXT_COPY(lab->machines[lab->count - 1].id, "ffffffff");
					(void)TEXT_COPY(lab->machines[lab->count - 1].name, "another");
					if (!in_zone)
						(void)TEXT_COPY(lab->machines[3].addresses[0], "192.0.2.1");
				}
				lab->snapshot.is_cloud_fresh = is_fresh;
				lab_decide(lab);
				bool is_held = in_zone ? lab->plan.outage.frozen_count == 1
						       : lab->plan.outage.hold == HOLD_OUTAGE;
				CHECK(is_held == (cases[i].is_outage || !is_fresh), "%s and %s, %s, %s", cases[i].first,
				      cases[i].second, in_zone ? "a zone" : "all", is_fresh ? "fresh" : "old");
				lab_free(lab);
			}
		}
	}
}

/* Servers that never joined say nothing of the network: not by their number, not by when, not in their zone; and they
 * hide nothing either. */
static void phantoms_are_no_outage(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		int workers, phantoms, bad; /* the last workers are bad */
		bool is_zoned;
		enum hold hold;
	} cases[] = {
		{ "more of them than nodes", 4, 9, 1, false, HOLD_NONE },
		{ "only they", 4, 9, 0, false, HOLD_NONE },
		{ "of a zone", 8, 6, 1, true, HOLD_NONE },
		{ "they do not make two of four fewer", 4, 9, 2, false, HOLD_OUTAGE },
		{ "nor a storm smaller", 4, 9, 3, false, HOLD_STORM },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, cases[i].phantoms + cases[i].workers);
		lab->policy.max_concurrent_repairs.value = 1;
		uint64_t mask = first(cases[i].phantoms);
		for (int k = 0; k < cases[i].phantoms; k++) {
			lab->nodes[k].is_phantom = true;
			lab->nodes[k].zone = cases[i].is_zoned ? "az-1" : "";
		}
		for (int k = 0; k < cases[i].workers; k++) {
			lab->nodes[cases[i].phantoms + k].zone = !cases[i].is_zoned ? "" : k % 2 ? "az-1" : "az-2";
			if (k >= cases[i].workers - cases[i].bad)
				mask |= UINT64_C(1) << (cases[i].phantoms + k);
		}
		lab_break(lab, mask);
		lab_decide(lab);
		CHECK(lab->plan.outage.hold == cases[i].hold, "%s: %s (%s)", cases[i].what,
		      hold_name(lab->plan.outage.hold), lab->plan.outage.detail);
		CHECK(lab->plan.outage.frozen_count == 0, "%s", cases[i].what);
		CHECK(lab->plan.bad_count[ROLE_WORKER] == (size_t)cases[i].bad, "%s", cases[i].what);
		CHECK(lab->plan.total[ROLE_WORKER] == (size_t)cases[i].workers, "%s", cases[i].what);
		CHECK((lab_actions(lab) > 0) == (cases[i].hold == HOLD_NONE), "%s", cases[i].what);
		lab_free(lab);
	}
}

/* More bad nodes than there is room for: whatever the threshold, that is a storm. */
static void nodes_without_a_record_are_a_storm(void **state)
{
	(void)state;
	for (int role = 0; role < ROLES_COUNT; role++) {
		struct lab *lab = lab_new(3, 40);
		lab->policy.storm_threshold = (struct limit){ 100, true };
		lab_break(lab, 16);
		lab_decide(lab);
		assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
		lab->history.unrecorded_bad[role] = 7;
		lab_decide(lab);
		assert_int_equal(lab->plan.outage.hold, HOLD_STORM);
		assert_int_equal(lab_hold(lab, 4), HOLD_STORM);
		assert_string_equal(lab_line(lab, 4)->detail, "7 bad nodes more than are kept account of");
		lab_free(lab);
	}
}

/* ---- half of them -------------------------------------------------------------------------------------------------
 */

enum cut { CUT_FIRST, CUT_EVERY_SECOND, CUT_RANDOM, CUTS_COUNT };

static uint64_t choose_half(struct rng *rng, enum cut cut, int workers)
{
	int half = (workers + 1) / 2;
	uint64_t mask = cut == CUT_FIRST ? first(half) : 0;
	for (int i = 0; cut == CUT_EVERY_SECOND && i < workers; i += 2)
		mask |= UINT64_C(1) << i;
	while (__builtin_popcountll(mask) < half)
		mask |= UINT64_C(1) << rng_below(rng, (uint64_t)workers);
	return mask;
}

static void put_even_zones(struct lab *lab, int zones, bool is_blocks)
{
	static const char *const names[] = { "az-1", "az-2", "az-3" };
	for (size_t i = 0; i < lab->count && zones > 0; i++)
		lab->nodes[i].zone = names[is_blocks ? i * (size_t)zones / lab->count : i % (size_t)zones];
}

/* Cut off: each notices within the node controller's grace period and a few seconds. All are looked at for ten minutes.
 */
static void cut_and_look(struct lab *lab, struct rng *rng, uint64_t mask, const char *what)
{
	int64_t at_ms[LAB_NODES];
	lab_observe(lab);
	for (size_t i = 0; i < lab->count; i++)
		at_ms[i] = mask >> i & 1 ? (int64_t)rng_below(rng, 50 * SEC) : NEVER;
	for (int64_t passed_ms = 0; passed_ms <= 10 * MINUTE; passed_ms += 10 * SEC) {
		for (size_t i = 0; i < lab->count; i++) {
			if (at_ms[i] <= passed_ms && lab->ready[i].status == STATUS_TRUE)
				lab_set(lab, i, STATUS_UNKNOWN);
		}
		lab_observe(lab);
		arena_reset(&lab->arena);
		lab_decide(lab);
		for (size_t i = 0; i < lab->count; i++) {
			const struct line *line = lab_line(lab, i);
			CHECK(line == NULL || line->hold != HOLD_NONE, "%s, cut %#llx: %s is repaired after %lld s",
			      what, (unsigned long long)mask, lab->names[i], (long long)passed_ms / SEC);
		}
		lab_pass(lab, 10 * SEC);
	}
}

/* The network is back, and one node is not: five minutes after the outage was seen for the last time, which is ten
 * seconds ago, it is repaired. */
static void come_back_and_look(struct lab *lab, uint64_t mask, const char *what)
{
	size_t dead = (size_t)__builtin_ctzll(mask);
	for (size_t i = 0; i < lab->count; i++) {
		if (mask >> i & 1 && i != dead)
			lab_set(lab, i, STATUS_TRUE);
	}
	for (int64_t passed_ms = 0; passed_ms <= 5 * MINUTE; passed_ms += 10 * SEC) {
		lab_observe(lab);
		arena_reset(&lab->arena);
		lab_decide(lab);
		CHECK(lab_hold(lab, dead) == (passed_ms < 5 * MINUTE - 10 * SEC ? HOLD_COOLDOWN : HOLD_NONE),
		      "%s: %s after %lld s", what, hold_name(lab_hold(lab, dead)), (long long)passed_ms / SEC);
		lab_pass(lab, 10 * SEC);
	}
}

static void half_of_any_size_is_an_outage(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 6; seed++) {
		struct rng rng = { seed };
		for (int workers = 3; workers <= 20; workers++) {
			for (int layout = 0; layout < 5; layout++) {
				for (enum cut cut = CUT_FIRST; cut < CUTS_COUNT; cut++) {
					char what[80];
					int zones_count = layout == 0 ? 0 : layout <= 2 ? 2 : 3;
					(void)snprintf(what, sizeof what, "seed %u, %d workers, %d zones %s", seed,
						       workers, zones_count, layout % 2 ? "in blocks" : "in turn");
					struct lab *lab = lab_new(3, workers);
					put_even_zones(lab, zones_count, layout % 2);
					uint64_t mask = choose_half(&rng, cut, workers) << 3;
					cut_and_look(lab, &rng, mask, what);
					come_back_and_look(lab, mask, what);
					lab_free(lab);
				}
			}
		}
	}
}

static void any_single_failure_is_repaired(void **state)
{
	(void)state;
	for (int workers = 1; workers <= 20; workers++) {
		for (int layout = 0; layout < 5; layout++) {
			for (int dead = 0; dead < workers; dead += 3) {
				struct lab *lab = lab_new(3, workers);
				put_even_zones(lab, layout == 0 ? 0 : layout <= 2 ? 2 : 3, layout % 2);
				lab_break(lab, UINT64_C(8) << dead);
				lab_decide(lab);
				CHECK(lab_hold(lab, (size_t)dead + 3) == HOLD_NONE, "%d workers, layout %d, %d: %s",
				      workers, layout, dead, hold_name(lab_hold(lab, (size_t)dead + 3)));
				lab_free(lab);
			}
		}
	}
}

/* A whole zone is away; a node elsewhere dies at another time, earlier or later. */
static void a_dead_node_beside_a_frozen_zone_is_repaired(void **state)
{
	(void)state;
	for (int workers = 4; workers <= 20; workers++) {
		for (int zones_count = 2; zones_count <= 3; zones_count++) {
			for (int is_later = 0; is_later < 2; is_later++) {
				struct lab *lab = lab_new(0, workers);
				put_even_zones(lab, zones_count, false);
				uint64_t zone = 0;
				for (int i = 0; i < workers; i += zones_count)
					zone |= UINT64_C(1) << i;
				lab_break(lab, zone | 2);
				lab_record(lab, 1)->bad_since[0].ms += is_later ? 2 * MINUTE + 1 : -2 * MINUTE - 1;
				lab_decide(lab);
				bool is_frozen = __builtin_popcountll(zone) > 1;
				CHECK(lab_hold(lab, 0) == (is_frozen ? HOLD_ZONE : HOLD_NONE),
				      "%d workers, %d zones: %s", workers, zones_count, hold_name(lab_hold(lab, 0)));
				CHECK(!is_frozen || lab_hold(lab, 1) == HOLD_NONE, "%d workers, %d zones: %s", workers,
				      zones_count, hold_name(lab_hold(lab, 1)));
				lab_free(lab);
			}
		}
	}
}

/* ---- heartbeats and the API ---------------------------------------------------------------------------------------
 */

static void late_heartbeats(void **state)
{
	(void)state;
	static const struct {
		struct limit threshold;
		int bad;
		size_t total, late;
		enum hold hold;
	} cases[] = {
		{ { 50, true }, 1, 0, 0, HOLD_NONE },
		{ { 50, true }, 1, 10, 5, HOLD_NONE },
		{ { 50, true }, 1, 10, 6, HOLD_LEASES },
		{ { 50, true }, 1, 4, 2, HOLD_NONE },
		{ { 50, true }, 1, 4, 3, HOLD_LEASES },
		{ { 50, true }, 1, 3, 2, HOLD_NONE }, /* of the dead one, and one more */
		{ { 50, true }, 1, 3, 3, HOLD_LEASES },
		{ { 3, false }, 1, 10, 3, HOLD_NONE },
		{ { 3, false }, 1, 10, 4, HOLD_LEASES },
		{ { 40, true }, 4, 10, 5, HOLD_NONE }, /* not more than what is known to be bad, and one */
		{ { 40, true }, 4, 10, 6, HOLD_LEASES },
		{ { 50, true }, 1, 0, 9, HOLD_LEASES }, /* not possible; but if, then held */
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 12);
		lab->policy.storm_threshold = cases[i].threshold;
		fail_apart(lab, first(cases[i].bad), 3 * MINUTE);
		lab->snapshot.leases_total = cases[i].total;
		lab->snapshot.leases_late = cases[i].late;
		lab_decide(lab);
		CHECK(lab->plan.outage.hold == cases[i].hold, "case %zu: %s (%s)", i, hold_name(lab->plan.outage.hold),
		      lab->plan.outage.detail);
		lab_free(lab);
	}
}

static void trouble_with_the_api(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab_break(lab, 1);
	lab->snapshot.is_api_troubled = true;
	(void)TEXT_COPY(lab->snapshot.api_trouble, "9 of the last 14 requests failed");
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_API);
	assert_string_equal(lab_line(lab, 0)->detail, "9 of the last 14 requests failed");
	assert_int_equal(lab->history.storm_at.ms, 0); /* it has a way of its own to calm down (core/reach.h) */
	lab->snapshot.is_api_troubled = false;
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_NONE);
	lab_free(lab);
}

/* ---- what is remembered -------------------------------------------------------------------------------------------
 */

static void what_is_noted(void **state)
{
	(void)state;
	for (enum hold hold = HOLD_NONE; hold < HOLDS_COUNT; hold++) {
		struct history history;
		history_init(&history);
		struct outage outage = { .hold = hold, .detail = "" };
		history_note_outage(&history, &outage, (struct mono){ 5 });
		bool is_cooling = hold == HOLD_STORM || hold == HOLD_OUTAGE || hold == HOLD_LEASES;
		CHECK((history.storm_at.ms == 5) == is_cooling, "%s", hold_name(hold));
		assert_int_equal(history.zones_count, 0);
		history_done(&history);
	}
}

/* The freeze of a zone holds that zone alone, and for the cool-down's time after it was seen for the last time. */
static void a_zone_cools_down_by_itself(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 12);
	put_zones(lab, (const int[]){ 4, 8, 0 });
	lab_break(lab, 0xf | 0x20);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_ZONE);
	for (size_t i = 1; i < 4; i++)
		lab_set(lab, i, STATUS_TRUE);
	static const struct {
		int64_t after_ms;
		enum hold hold;
	} times[] = { { 1, HOLD_COOLDOWN }, { 5 * MINUTE - 1, HOLD_COOLDOWN }, { 5 * MINUTE, HOLD_NONE } };
	int64_t thawed_ms = lab->now.mono.ms;
	lab->policy.max_concurrent_repairs.value = 2;
	for (size_t i = 0; i < COUNT(times); i++) {
		lab_pass(lab, thawed_ms + times[i].after_ms - lab->now.mono.ms);
		lab_observe(lab);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == times[i].hold, "after %lld: %s", (long long)times[i].after_ms,
		      hold_name(lab_hold(lab, 0)));
		assert_int_equal(lab_hold(lab, 5), HOLD_NONE);
	}
	lab_free(lab);
}

static void frozen_zones_are_bounded(void **state)
{
	(void)state;
	struct history history;
	history_init(&history);
	char zone[80];
	for (int i = 0; i < ZONES_MAX + 3; i++) {
		(void)snprintf(zone, sizeof zone, "az-%d", i);
		history_freeze(&history, zone, (struct mono){ 100 + i });
		history_freeze(&history, zone, (struct mono){ 200 + i }); /* the same one again */
	}
	assert_int_equal(history.zones_count, ZONES_MAX);
	assert_int_equal(history_frozen(&history, "az-2").ms, 0); /* the oldest ones are forgotten */
	assert_int_equal(history_frozen(&history, "az-3").ms, 203);
	assert_int_equal(history_frozen(&history, zone).ms, 200 + ZONES_MAX + 2);
	memset(zone, 'z', sizeof zone - 1);
	zone[sizeof zone - 1] = '\0';
	history_freeze(&history, zone, (struct mono){ 900 });
	assert_int_equal(history_frozen(&history, zone).ms, 900); /* cut, but not forgotten */
	assert_int_equal(history_frozen(&history, "az-3").ms, 0);
	history_done(&history);
}

/* More zones than there is room for: the rest counts for the cluster. */
static void more_zones_than_there_is_room_for(void **state)
{
	(void)state;
	static char names[LAB_NODES][8];
	struct lab *lab = lab_new(0, 60);
	for (size_t i = 0; i < lab->count; i++) {
		(void)snprintf(names[i], sizeof names[i], "z%zu", i);
		lab->nodes[i].zone = names[i];
	}
	lab_break(lab, 1 | UINT64_C(1) << 59);
	lab->policy.max_concurrent_repairs.value = 2;
	lab_decide(lab);
	assert_int_equal(lab->plan.outage.hold, HOLD_NONE);
	assert_int_equal(lab_actions(lab), 2);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_once),
		cmocka_unit_test(at_once_on_one_host),
		cmocka_unit_test(who_is_counted),
		cmocka_unit_test(zones),
		cmocka_unit_test(roles_and_zones),
		cmocka_unit_test(frozen_zones_are_set_aside),
		cmocka_unit_test(names_of_zones),
		cmocka_unit_test(the_zone_s_hold_is_told),
		cmocka_unit_test(half_of_any_size_is_an_outage),
		cmocka_unit_test(any_single_failure_is_repaired),
		cmocka_unit_test(a_dead_node_beside_a_frozen_zone_is_repaired),
		cmocka_unit_test(late_heartbeats),
		cmocka_unit_test(trouble_with_the_api),
		cmocka_unit_test(what_is_noted),
		cmocka_unit_test(a_zone_cools_down_by_itself),
		cmocka_unit_test(frozen_zones_are_bounded),
		cmocka_unit_test(more_zones_than_there_is_room_for),
		cmocka_unit_test(slow_accumulation_freezes_nothing),
		cmocka_unit_test(machines_that_are_down),
		cmocka_unit_test(phantoms_are_no_outage),
		cmocka_unit_test(nodes_without_a_record_are_a_storm),
		cmocka_unit_test(storms),
		cmocka_unit_test(after_a_storm_comes_the_cooldown),
		cmocka_unit_test(young_nodes_do_not_dilute_a_storm),
		cmocka_unit_test(a_scale_out_is_no_storm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
