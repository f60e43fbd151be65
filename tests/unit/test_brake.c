/* The brake: each reason to hold has a case that produces it, the order among reasons, budgets, storms, quorum. */
#include "core_fixture.h"

#define FIRST 1u /* mask: the first node */

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

static struct op *put_op(struct lab *lab, size_t node)
{
	struct op *op = ops_add(&lab->ops);
	*op = (struct op){ .facts = { .is_worker = lab->nodes[node].role == ROLE_WORKER } };
	(void)TEXT_COPY(op->facts.node, lab->names[node]);
	(void)TEXT_COPY(op->facts.server, lab->machines[node].id);
	return op;
}

/* ---- one case for each reason: a node of four workers that would be repaired, and what is done to prevent it --------
 */

static void do_nothing(struct lab *lab)
{
	(void)lab;
}

static void is_repairing(struct lab *lab)
{
	(void)put_op(lab, 0);
}

static void is_suspect(struct lab *lab)
{
	lab_record(lab, 0)->state = CASE_SUSPECT;
}

static void has_stale_view(struct lab *lab)
{
	lab->snapshot.is_nodes_fresh = false;
}

static void has_stale_cloud(struct lab *lab)
{
	lab->snapshot.is_cloud_fresh = false;
}

static void has_unknown_cluster(struct lab *lab)
{
	lab->cluster.is_known = false;
}

static void has_few_servers(struct lab *lab)
{
	for (size_t i = 1; i < lab->count; i++) {
		lab->machines[i].id[0] = 'f'; /* stays sorted */
		(void)TEXT_COPY(lab->machines[i].name, "another");
	}
}

static void has_clock_jump(struct lab *lab)
{
	lab->snapshot.has_clock_jumped = true;
}

static void is_standby(struct lab *lab)
{
	lab->snapshot.is_leader = false;
}

static void has_no_journal(struct lab *lab)
{
	lab->snapshot.is_journal_safe = false;
}

static void is_switched_off(struct lab *lab)
{
	lab->cluster.is_healing_enabled = false;
}

static void has_failed_cluster(struct lab *lab)
{
	(void)TEXT_COPY(lab->cluster.status, "CREATE_FAILED");
}

static void is_updating(struct lab *lab)
{
	(void)TEXT_COPY(lab->cluster.stack_status, "UPDATE_IN_PROGRESS");
}

static void is_young(struct lab *lab)
{
	lab->nodes[0].created.ms = lab->now.wall.ms - 10 * MINUTE + 1;
}

static void is_deleted(struct lab *lab)
{
	lab->nodes[0].deleted = lab->now.wall;
}

static void is_scaled_down(struct lab *lab)
{
	lab->taints[0] = (struct taint){ "ToBeDeletedByClusterAutoscaler", "1", "NoSchedule" };
	lab->nodes[0].taints_count = 1;
}

static void is_in_storm(struct lab *lab)
{
	for (size_t i = 1; i < lab->count; i++)
		lab_set(lab, i, STATUS_UNKNOWN);
	lab_observe(lab);
}

static void is_cooling_down(struct lab *lab)
{
	lab->history.storm_at.ms = lab->now.mono.ms - lab->policy.storm_cooldown_ms + 1;
}

static void has_no_server(struct lab *lab)
{
	lab->nodes[0].provider_id = lab->nodes[0].system_uuid = "";
	(void)TEXT_COPY(lab->machines[0].name, "another");
}

static void is_locked(struct lab *lab)
{
	lab->machines[0].is_locked = true;
}

static void is_busy(struct lab *lab)
{
	(void)TEXT_COPY(lab->machines[0].task_state, "migrating");
}

static void is_anothers_repair(struct lab *lab)
{
	(void)TEXT_COPY(put_op(lab, 0)->facts.node, "n-new"); /* the same server under another name */
}

static void is_paused(struct lab *lab)
{
	(void)TEXT_COPY(lab->machines[0].status, "PAUSED");
}

static void has_backoff(struct lab *lab)
{
	lab_record(lab, 0)->next_try.ms = lab->now.mono.ms + 1;
}

static void is_given_up(struct lab *lab)
{
	lab_record(lab, 0)->state = CASE_GIVEN_UP;
}

static void is_dry(struct lab *lab)
{
	lab->policy.is_dry_run = true;
}

static void has_no_slot(struct lab *lab)
{
	(void)put_op(lab, 3); /* limit 1 */
}

static bool can_nothing(const void *ctx, enum rung rung, const struct node *node, const struct machine *machine,
			const char **out_why)
{
	(void)ctx;
	(void)rung;
	(void)node;
	(void)machine;
	*out_why = "no driver";
	return false;
}

struct hold_case {
	const char *what;
	void (*prevent)(struct lab *);
	enum hold hold;
};

static const struct hold_case hold_cases[] = {
	{ "nothing", do_nothing, HOLD_NONE },
	{ "repairing", is_repairing, HOLD_REPAIRING },
	{ "suspect", is_suspect, HOLD_DURATION },
	{ "stale view", has_stale_view, HOLD_VIEW_STALE },
	{ "stale cloud", has_stale_cloud, HOLD_CLOUD_STALE },
	{ "unknown cluster", has_unknown_cluster, HOLD_CLOUD_STALE },
	{ "few servers", has_few_servers, HOLD_CLOUD_SUSPECT },
	{ "clock jump", has_clock_jump, HOLD_CLOCK },
	{ "standby", is_standby, HOLD_STANDBY },
	{ "journal", has_no_journal, HOLD_JOURNAL },
	{ "switched off", is_switched_off, HOLD_DISABLED },
	{ "failed cluster", has_failed_cluster, HOLD_CLUSTER_STATE },
	{ "updating", is_updating, HOLD_CLUSTER_BUSY },
	{ "young", is_young, HOLD_YOUNG },
	{ "deleted", is_deleted, HOLD_DELETED },
	{ "scaled down", is_scaled_down, HOLD_AUTOSCALER },
	{ "storm", is_in_storm, HOLD_STORM },
	{ "cooling down", is_cooling_down, HOLD_COOLDOWN },
	{ "no slot", has_no_slot, HOLD_BUDGET },
	{ "no server", has_no_server, HOLD_NO_SERVER },
	{ "locked", is_locked, HOLD_SERVER_LOCKED },
	{ "busy", is_busy, HOLD_SERVER_BUSY },
	{ "another's repair", is_anothers_repair, HOLD_SERVER_BUSY },
	{ "paused", is_paused, HOLD_SERVER_STATE },
	{ "backoff", has_backoff, HOLD_BACKOFF },
	{ "given up", is_given_up, HOLD_GIVEN_UP },
	{ "dry run", is_dry, HOLD_DRY_RUN },
};

/* Produced by the tests below, each under its own name. */
static const enum hold held_elsewhere[] = { HOLD_CANNOT, HOLD_QUORUM, HOLD_MASTER_BUSY };

static void each_reason_has_its_case(void **state)
{
	(void)state;
	bool is_seen[HOLDS_COUNT] = { false };
	for (size_t i = 0; i < COUNT(hold_cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab_break(lab, FIRST);
		hold_cases[i].prevent(lab);
		lab_decide(lab);
		const struct line *line = lab_line(lab, 0);
		CHECK(line != NULL, "%s: silent", hold_cases[i].what);
		CHECK(line->hold == hold_cases[i].hold, "%s: %s", hold_cases[i].what, hold_name(line->hold));
		is_seen[line->hold] = true;
		lab_free(lab);
	}
	for (size_t i = 0; i < COUNT(held_elsewhere); i++)
		is_seen[held_elsewhere[i]] = true;
#define SEEN(id, name, help) CHECK(is_seen[id], "no case produces %s", name);
	HOLDS(SEEN)
#undef SEEN
}

/* Whatever else holds, the reason that says most is shown; and two reasons never cancel each other. */
static void any_two_reasons_still_hold(void **state)
{
	(void)state;
	for (size_t a = 1; a < COUNT(hold_cases); a++) {
		for (size_t b = 1; b < COUNT(hold_cases); b++) {
			struct lab *lab = lab_new(0, 4);
			lab_break(lab, FIRST);
			hold_cases[a].prevent(lab);
			hold_cases[b].prevent(lab);
			lab_decide(lab);
			const struct line *line = lab_line(lab, 0);
			CHECK(line != NULL && line->hold != HOLD_NONE, "%s and %s", hold_cases[a].what,
			      hold_cases[b].what);
			lab_free(lab);
		}
	}
}

static void reasons_have_an_order(void **state)
{
	(void)state;
	static const struct {
		void (*a)(struct lab *), (*b)(struct lab *);
		enum hold shown;
	} cases[] = {
		{ is_repairing, is_standby, HOLD_REPAIRING },
		{ is_given_up, is_standby, HOLD_GIVEN_UP },
		{ is_given_up, has_backoff, HOLD_GIVEN_UP },
		{ is_suspect, is_cooling_down, HOLD_DURATION },
		{ is_deleted, is_switched_off, HOLD_DELETED },
		{ is_standby, has_stale_view, HOLD_STANDBY },
		{ has_stale_view, has_clock_jump, HOLD_VIEW_STALE },
		{ is_switched_off, is_in_storm, HOLD_DISABLED },
		{ is_in_storm, is_cooling_down, HOLD_STORM },
		{ is_in_storm, is_locked, HOLD_STORM },
		{ is_locked, has_no_slot, HOLD_SERVER_LOCKED },
		{ has_no_slot, is_dry, HOLD_BUDGET }, /* a dry run shows what else would hold */
		{ is_locked, is_dry, HOLD_SERVER_LOCKED },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int is_swapped = 0; is_swapped < 2; is_swapped++) {
			struct lab *lab = lab_new(0, 4);
			lab_break(lab, FIRST);
			(is_swapped ? cases[i].b : cases[i].a)(lab);
			(is_swapped ? cases[i].a : cases[i].b)(lab);
			lab_decide(lab);
			CHECK(lab_line(lab, 0)->hold == cases[i].shown, "case %zu: %s", i,
			      hold_name(lab_line(lab, 0)->hold));
			lab_free(lab);
		}
	}
}

static void what_the_cloud_cannot_do(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	lab_break(lab, FIRST);
	decide(lab_look(lab), &lab->history, &lab->policy, &lab->ops, can_nothing, lab, &lab->arena, &lab->plan);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_CANNOT);
	assert_string_equal(lab_line(lab, 0)->detail, "no driver");
	lab_free(lab);
}

static void the_edges_of_time(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		void (*prevent)(struct lab *);
		int64_t later_ms;
		enum hold before, after;
	} cases[] = {
		{ "young", is_young, 1, HOLD_YOUNG, HOLD_NONE },
		{ "backoff", has_backoff, 1, HOLD_BACKOFF, HOLD_NONE },
		{ "cooldown", is_cooling_down, 1, HOLD_COOLDOWN, HOLD_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab_break(lab, FIRST);
		cases[i].prevent(lab);
		lab_decide(lab);
		CHECK(lab_line(lab, 0)->hold == cases[i].before, "%s", cases[i].what);
		lab_pass(lab, cases[i].later_ms);
		lab_decide(lab);
		CHECK(lab_line(lab, 0)->hold == cases[i].after, "%s: %s", cases[i].what,
		      hold_name(lab_line(lab, 0)->hold));
		lab_free(lab);
	}
}

static void a_node_that_came_of_a_repair_is_not_young(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	lab_break(lab, FIRST);
	is_young(lab);
	lab_record(lab, 0)->has_acted = true;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	lab_free(lab);
}

/* A node registered anew under another name: its old Node is NotReady for ever, and its server is well. */
static void a_server_with_two_nodes_is_left_alone(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 3);
	lab->nodes[1].provider_id = lab->providers[0]; /* node 1 is the new name of node 0 */
	lab->nodes[1].system_uuid = lab->nodes[0].system_uuid;
	(void)TEXT_COPY(lab->machines[0].addresses[1], lab->ips[1]);
	lab_break(lab, 1);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NO_SERVER);
	assert_non_null(strstr(lab_line(lab, 0)->detail, "another Node"));
	lab_free(lab);
}

/* Somebody has just made the server behind the node: it is his story. */
static void a_new_server_is_young(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 3);
	lab_break(lab, 1);
	lab->machines[0].created.ms = lab->now.wall.ms - MINUTE;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_YOUNG);
	lab_free(lab);
}

static void our_own_update_does_not_hold_us(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab->policy.max_concurrent_repairs = (struct limit){ 2, false };
	lab_break(lab, FIRST);
	is_updating(lab);
	struct op *op = put_op(lab, 7);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_CLUSTER_BUSY); /* not ours: that op is elsewhere */
	op->holds_lock = true;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold,
			 HOLD_CLUSTER_BUSY); /* it only waits for somebody else's update to end */
	op->is_committed = true;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	lab_free(lab);
}

/* ---- budgets ----------------------------------------------------------------------------------------------------- */

static int count_actions(const struct lab *lab)
{
	int n = 0;
	for (size_t i = 0; i < lab->plan.count; i++)
		n += lab->plan.lines[i].hold == HOLD_NONE;
	return n;
}

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
		/* the storm of "all bad" is not what is asked here */
		decide(lab_look(lab), &lab->history, &lab->policy, &lab->ops, lab_can, lab, &lab->arena, &lab->plan);
		lab->plan.is_storm = false;
		for (size_t k = 0; k < lab->plan.count; k++)
			lab->plan.lines[k].hold = HOLD_NONE;
		brake_apply(lab_look(lab), &lab->history, &lab->policy, &lab->ops, lab_can, lab, &lab->arena,
			    &lab->plan);
		CHECK(count_actions(lab) == cases[i].actions, "%s: %d", cases[i].what, count_actions(lab));
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

static void a_replacement_without_a_node_keeps_its_slot(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab_break(lab, FIRST);
	struct op *op = put_op(lab, 7);
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
		lab_decide(lab);
		/* threshold 0 is a storm whenever anything is bad; it is no storm of the masters that are well */
		CHECK(lab->plan.is_storm == cases[i].is_storm, "case %zu", i);
		assert_int_equal(lab->plan.bad_count[ROLE_WORKER], cases[i].bad);
		assert_int_equal(lab->plan.bad_count[ROLE_MASTER], 0);
		CHECK(!cases[i].is_storm || count_actions(lab) == 0, "case %zu", i);
		lab_free(lab);
	}
}

static void after_a_storm_comes_the_cooldown(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab_break(lab, 0x1f);
	lab_decide(lab);
	assert_true(lab->plan.is_storm);
	for (size_t i = 1; i < 5; i++)
		lab_set(lab, i, STATUS_TRUE);
	lab_pass(lab, SEC);
	lab_observe(lab);
	for (int s = 1; s < 5 * 60; s += 30) {
		lab_decide(lab);
		assert_false(lab->plan.is_storm);
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
	assert_true(lab->plan.is_storm); /* 3 of 4, not 3 of 10 */
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
	assert_false(lab->plan.is_storm);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	for (size_t i = 2; i < 10; i++)
		assert_int_equal(lab_line(lab, i)->hold, HOLD_YOUNG);
	lab_free(lab);
}

/* ---- masters ----------------------------------------------------------------------------------------------------- */

/* Law L5: the act is allowed only if the healthy ones that remain are a quorum, and none is under repair. */
static void quorum_for_each_combination(void **state)
{
	(void)state;
	static const int sizes[] = { 1, 2, 3, 4, 5, 7 };
	for (size_t s = 0; s < COUNT(sizes); s++) {
		int n = sizes[s];
		for (uint64_t bad = 1; bad < UINT64_C(1) << n; bad++) {
			for (int repairing = -1; repairing < n; repairing++) {
				struct lab *lab = lab_new(n, 2);
				lab->policy.storm_threshold = (struct limit){ 1000, false };
				lab_break(lab, bad);
				if (repairing >= 0)
					(void)put_op(lab, (size_t)repairing);
				decide(lab_look(lab), &lab->history, &lab->policy, &lab->ops, lab_can, lab, &lab->arena,
				       &lab->plan);
				bool is_storm = lab->plan.is_storm; /* all are bad: limit_of never allows all */
				int healthy =
					n - __builtin_popcountll(bad | (repairing >= 0 ? UINT64_C(1) << repairing : 0));
				bool may = repairing < 0 && !is_storm && (n == 1 || healthy >= n / 2 + 1);
				CHECK(count_actions(lab) == may, "%d masters, bad %#llx, repairing %d: %d actions", n,
				      (unsigned long long)bad, repairing, count_actions(lab));
				for (int i = 0; i < n; i++) {
					const struct line *line = lab_line(lab, (size_t)i);
					CHECK((line != NULL) == (bad >> i & 1), "a master is silent");
				}
				lab_free(lab);
			}
		}
	}
}

static void reasons_of_masters(void **state)
{
	(void)state;
	struct lab *lab = lab_new(5, 2);
	lab_break(lab, 3);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	assert_int_equal(lab_line(lab, 1)->hold, HOLD_MASTER_BUSY); /* the first one's repair begins in this turn */
	(void)put_op(lab, 2);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_MASTER_BUSY);
	lab_free(lab);
	lab = lab_new(4, 2);
	lab_break(lab, 3);
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_QUORUM);
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

/* ---- the gate of every act, and cancelling ------------------------------------------------------------------------
 */

static void the_gate(void **state)
{
	(void)state;
	static const struct {
		void (*prevent)(struct lab *);
		enum hold hold;
	} cases[] = {
		{ do_nothing, HOLD_NONE },           { is_standby, HOLD_STANDBY },   { is_dry, HOLD_DRY_RUN },
		{ has_stale_view, HOLD_VIEW_STALE }, { has_clock_jump, HOLD_CLOCK }, { has_no_journal, HOLD_JOURNAL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		cases[i].prevent(lab);
		CHECK(brake_gate(lab_look(lab), &lab->policy, NULL) == cases[i].hold, "case %zu", i);
		lab_free(lab);
	}
}

/* An op that another leader began: nothing of it leaves before the cloud was seen; what has left is finished. */
static void the_gate_of_an_op_taken_over(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	struct op *op = put_op(lab, 1);
	assert_int_equal(brake_gate(lab_look(lab), &lab->policy, op), HOLD_NONE);
	lab->snapshot.is_cloud_fresh = false;
	assert_int_equal(brake_gate(lab_look(lab), &lab->policy, op), HOLD_CLOUD_STALE);
	op->is_committed = true;
	assert_int_equal(brake_gate(lab_look(lab), &lab->policy, op), HOLD_NONE);
	op->is_committed = false;
	lab->snapshot.is_cloud_fresh = true;
	lab->cluster.is_healing_enabled = false;
	assert_int_equal(brake_gate(lab_look(lab), &lab->policy, op), HOLD_DISABLED);
	op->is_committed = true;
	assert_int_equal(brake_gate(lab_look(lab), &lab->policy, op), HOLD_NONE);
	lab_free(lab);
}

static void is_well(struct lab *lab)
{
	lab_set(lab, 0, STATUS_TRUE);
	lab_observe(lab);
}

static void is_gone(struct lab *lab)
{
	lab->count = 0;
}

static void is_storm_now(struct lab *lab)
{
	is_in_storm(lab);
	lab_decide(lab);
}

static void is_gone_in_a_stale_view(struct lab *lab)
{
	lab->count = 0;
	lab->snapshot.is_nodes_fresh = false;
}

static void cancelling(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		void (*change)(struct lab *);
		const char *why; /* NULL: goes on */
	} cases[] = {
		{ "still bad", do_nothing, NULL },
		{ "well", is_well, "healthy again" },
		{ "gone", is_gone, "gone" },
		{ "gone in a stale view", is_gone_in_a_stale_view, NULL },
		{ "deleted", is_deleted, "being deleted" },
		{ "dry run", is_dry, "dry-run" },
		{ "switched off", is_switched_off, "switched off" },
		{ "storm", is_storm_now, "too many" },
		{ "a storm in the past", is_cooling_down, NULL },
		{ "updating", is_updating, NULL },
		{ "unknown cluster", has_unknown_cluster, NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab_break(lab, FIRST);
		struct op *op = put_op(lab, 0);
		cases[i].change(lab);
		const char *why = brake_cancel(lab_look(lab), &lab->history, &lab->policy, op);
		CHECK((why != NULL) == (cases[i].why != NULL), "%s: %s", cases[i].what, why != NULL ? why : "goes on");
		CHECK(why == NULL || strstr(why, cases[i].why) != NULL, "%s: %s", cases[i].what, why);
		lab_free(lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_has_its_case),
		cmocka_unit_test(any_two_reasons_still_hold),
		cmocka_unit_test(reasons_have_an_order),
		cmocka_unit_test(what_the_cloud_cannot_do),
		cmocka_unit_test(the_edges_of_time),
		cmocka_unit_test(a_node_that_came_of_a_repair_is_not_young),
		cmocka_unit_test(a_server_with_two_nodes_is_left_alone),
		cmocka_unit_test(a_new_server_is_young),
		cmocka_unit_test(our_own_update_does_not_hold_us),
		cmocka_unit_test(budgets),
		cmocka_unit_test(a_slot_is_kept_between_two_rungs),
		cmocka_unit_test(a_replacement_without_a_node_keeps_its_slot),
		cmocka_unit_test(the_oldest_case_goes_first),
		cmocka_unit_test(storms),
		cmocka_unit_test(after_a_storm_comes_the_cooldown),
		cmocka_unit_test(a_scale_out_is_no_storm),
		cmocka_unit_test(young_nodes_do_not_dilute_a_storm),
		cmocka_unit_test(quorum_for_each_combination),
		cmocka_unit_test(reasons_of_masters),
		cmocka_unit_test(masters_and_workers_do_not_share_a_budget),
		cmocka_unit_test(the_gate),
		cmocka_unit_test(the_gate_of_an_op_taken_over),
		cmocka_unit_test(cancelling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
