/* The brake: each reason to hold has a case that produces it, the order among reasons, the gate of every act,
 * cancelling. */
#include "core_fixture.h"

#define FIRST 1u /* mask: the first node */

/* ---- one case for each reason: a node of four workers that would be repaired, and what is done to prevent it --------
 */

static void do_nothing(struct lab *lab)
{
	(void)lab;
}

static void is_repairing(struct lab *lab)
{
	(void)lab_repair(lab, 0);
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
	lab_taint(lab, 0, "ToBeDeletedByClusterAutoscaler", "1");
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
	(void)TEXT_COPY(lab_repair(lab, 0)->facts.node, "n-new"); /* the same server under another name */
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

static void has_one_witness_of_two(struct lab *lab)
{
	(void)lab_add_check(lab, ROLE_WORKER, "Kubelet", MINUTE);
	lab->policy.needs[ROLE_WORKER] = 2;
	lab_observe(lab);
}

static void is_paused_by_the_operator(struct lab *lab)
{
	lab->switches.list[lab->switches.count++] = (struct pause){ .what = PAUSE_CLUSTER, .reason = "switch swap" };
}

static void has_garbled_switches(struct lab *lab)
{
	lab->switches = (struct switches){ .is_garbled = true };
}

static void has_a_pause_of_its_own(struct lab *lab)
{
	lab_annotate(lab, 0, ANNOTATION_PAUSED, "I am at it");
}

static void has_unknown_switches(struct lab *lab)
{
	lab->snapshot.is_switches_fresh = false;
}

static void failed_with_another(struct lab *lab)
{
	lab_set(lab, 1, STATUS_UNKNOWN); /* two of four, a moment ago; the first one: within two minutes of it */
	lab_observe(lab);
	if (lab_record(lab, 0) == NULL || lab_record(lab, 1) == NULL)
		return; /* the view is stale */
	lab_record(lab, 1)->bad_since[0].ms = lab_record(lab, 0)->bad_since[0].ms + 2 * MINUTE;
}

static void is_in_a_frozen_zone(struct lab *lab)
{
	for (size_t i = 0; i < 4; i++)
		lab_add(lab, ROLE_WORKER);
	lab_zones(lab, 4); /* node 0 and node 4 */
	lab_set(lab, 4, STATUS_UNKNOWN);
	lab_observe(lab);
}

static void is_in_a_zone_just_thawed(struct lab *lab)
{
	lab_zones(lab, 2);
	history_freeze(&lab->history, "az-1", (struct mono){ lab->now.mono.ms - lab->policy.storm_cooldown_ms + 1 });
}

static void has_api_trouble(struct lab *lab)
{
	lab->snapshot.is_api_troubled = true;
	(void)TEXT_COPY(lab->snapshot.api_trouble, "9 of the last 14 requests failed");
}

static void has_late_leases(struct lab *lab)
{
	lab->snapshot.leases_total = 4;
	lab->snapshot.leases_late = 3;
}

static void is_medik8s_patient(struct lab *lab)
{
	lab_taint(lab, 0, "medik8s.io/remediation", "");
}

static void is_rebooted_by_kured(struct lab *lab)
{
	lab_annotate(lab, 0, "weave.works/kured-reboot-in-progress", "2026-11-22T10:00:00Z");
}

static void is_cordoned_by_somebody(struct lab *lab)
{
	lab->nodes[0].is_cordoned = true;
}

static void has_a_machine_health_check(struct lab *lab)
{
	lab_annotate(lab, 0, ANNOTATION_CAPI_MACHINE, "m-1"); /* bad for four minutes, and its time is five */
}

static void is_masakaris(struct lab *lab)
{
	lab->machines[0].has_ha = true;
}

static void was_left(struct lab *lab)
{
	lab_record(lab, 0)->left_until.ms = lab->now.mono.ms + 1;
}

static void has_no_repair_left_in_the_hour(struct lab *lab)
{
	lab->policy.max_repairs_per_hour = 1;
	lab->history.begun[lab->history.begun_count++].ms = lab->now.mono.ms - HOUR + 1;
}

static void has_no_slot(struct lab *lab)
{
	(void)lab_repair(lab, 3); /* limit 1 */
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
	{ "one witness of two", has_one_witness_of_two, HOLD_WITNESSES },
	{ "paused by the operator", is_paused_by_the_operator, HOLD_PAUSED },
	{ "garbled switches", has_garbled_switches, HOLD_PAUSED },
	{ "a pause of its own", has_a_pause_of_its_own, HOLD_PAUSED },
	{ "unknown switches", has_unknown_switches, HOLD_SWITCHES },
	{ "failed with another", failed_with_another, HOLD_OUTAGE },
	{ "frozen zone", is_in_a_frozen_zone, HOLD_ZONE },
	{ "zone just thawed", is_in_a_zone_just_thawed, HOLD_COOLDOWN },
	{ "API trouble", has_api_trouble, HOLD_API },
	{ "late leases", has_late_leases, HOLD_LEASES },
	{ "medik8s", is_medik8s_patient, HOLD_OTHER_HEALER },
	{ "kured", is_rebooted_by_kured, HOLD_UPGRADE },
	{ "cordoned", is_cordoned_by_somebody, HOLD_CORDONED },
	{ "MachineHealthCheck", has_a_machine_health_check, HOLD_MACHINE_HEALTH_CHECK },
	{ "Masakari", is_masakaris, HOLD_MASAKARI },
	{ "left", was_left, HOLD_LEFT },
	{ "rate", has_no_repair_left_in_the_hour, HOLD_RATE },
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
		{ is_paused_by_the_operator, is_given_up, HOLD_PAUSED },
		{ is_paused_by_the_operator, has_unknown_switches, HOLD_PAUSED },
		{ is_standby, has_unknown_switches, HOLD_STANDBY },
		{ is_switched_off, has_unknown_switches, HOLD_SWITCHES },
		{ is_scaled_down, is_cordoned_by_somebody, HOLD_AUTOSCALER },
		{ is_masakaris, has_backoff, HOLD_MASAKARI },
		{ was_left, has_backoff, HOLD_LEFT },
		{ has_api_trouble, is_cooling_down, HOLD_API },
		{ is_in_a_frozen_zone, is_locked, HOLD_ZONE },
		{ has_no_repair_left_in_the_hour, is_dry, HOLD_RATE },
		{ has_no_slot, has_no_repair_left_in_the_hour, HOLD_BUDGET },
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
		{ "cooldown of the zone", is_in_a_zone_just_thawed, 1, HOLD_COOLDOWN, HOLD_NONE },
		{ "left", was_left, 1, HOLD_LEFT, HOLD_NONE },
		{ "rate", has_no_repair_left_in_the_hour, 1, HOLD_RATE, HOLD_NONE },
		{ "Masakari", is_masakaris, 5 * MINUTE, HOLD_MASAKARI, HOLD_NONE },
		{ "a MachineHealthCheck that does nothing", has_a_machine_health_check, 11 * MINUTE,
		  HOLD_MACHINE_HEALTH_CHECK, HOLD_NONE },
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
	lab->machines[0].created.ms = lab->now.wall.ms - 10 * MINUTE + 1;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_YOUNG);
	lab->machines[0].created.ms--;
	lab_decide(lab);
	assert_int_equal(lab_line(lab, 0)->hold, HOLD_NONE);
	lab_free(lab);
}

static void our_own_update_does_not_hold_us(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 8);
	lab->policy.max_concurrent_repairs = (struct limit){ 2, false };
	lab_break(lab, FIRST);
	is_updating(lab);
	struct op *op = lab_repair(lab, 7);
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

/* Half of the servers are enough for a listing to be believed; of a single node none need be there. */
static void a_listing_that_is_believed(void **state)
{
	(void)state;
	static const struct {
		int workers, missing;
		enum hold hold;
	} cases[] = {
		{ 1, 1, HOLD_NONE }, { 2, 1, HOLD_NONE },          { 2, 2, HOLD_CLOUD_SUSPECT },
		{ 4, 2, HOLD_NONE }, { 4, 3, HOLD_CLOUD_SUSPECT },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, cases[i].workers);
		for (int k = 0; k < cases[i].missing; k++) {
			lab->machines[cases[i].workers - 1 - k].id[0] = (char)('f' - k); /* stays sorted */
			(void)TEXT_COPY(lab->machines[cases[i].workers - 1 - k].name, "another");
		}
		lab_break(lab, UINT64_C(1) << (cases[i].workers - 1)); /* whose server is gone: replaced */
		lab_decide(lab);
		CHECK(lab_hold(lab, (size_t)cases[i].workers - 1) == cases[i].hold, "case %zu: %s", i,
		      hold_name(lab_hold(lab, (size_t)cases[i].workers - 1)));
		lab_free(lab);
	}
}

static bool can_no_replacement(const void *ctx, enum rung rung, const struct node *node, const struct machine *machine,
			       const char **out_why)
{
	(void)ctx;
	(void)node;
	(void)machine;
	*out_why = "etcd would lose its data";
	return rung != RUNG_REPLACE;
}

/* Of a case that came to nothing: what the last repair said, and why there is no stronger one. */
static void why_it_came_to_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *note;
		can_repair can;
		const char *detail;
	} cases[] = {
		{ "", lab_can, "" },
		{ "time is up", lab_can, "time is up" },
		{ "", can_no_replacement, "etcd would lose its data" },
		{ "time is up", can_no_replacement, "time is up; etcd would lose its data" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int is_over = 0; is_over < 2; is_over++) {
			struct lab *lab = lab_new(0, 4);
			lab_break(lab, FIRST);
			(void)TEXT_COPY(lab_record(lab, 0)->last_note, cases[i].note);
			(is_over ? is_given_up : has_backoff)(lab);
			decide(lab_look(lab), &lab->history, &lab->policy, &lab->ops, cases[i].can, lab, &lab->arena,
			       &lab->plan);
			CHECK(strcmp(lab_line(lab, 0)->detail, cases[i].detail) == 0, "case %zu: %s", i,
			      lab_line(lab, 0)->detail);
			lab_free(lab);
		}
	}
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
		CHECK(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, NULL) == cases[i].hold,
		      "case %zu", i);
		lab_free(lab);
	}
}

/* What is not known to be bad right now is not acted upon (law L1); taking our own cordon away is for nodes that are
 * well. */
static void the_gate_wants_a_node_that_is_bad(void **state)
{
	(void)state;
	static const struct {
		enum rung rung;
		bool is_bad, has_record;
		enum hold hold;
	} cases[] = {
		{ RUNG_REBOOT, true, true, HOLD_NONE },        { RUNG_REBOOT, false, true, HOLD_WITNESSES },
		{ RUNG_REBOOT, false, false, HOLD_WITNESSES }, { RUNG_UNCORDON, false, true, HOLD_NONE },
		{ RUNG_UNCORDON, false, false, HOLD_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		if (cases[i].has_record)
			lab_break(lab, FIRST);
		struct op *op = lab_repair(lab, 0);
		op->rung = cases[i].rung;
		if (cases[i].has_record && !cases[i].is_bad) { /* nobody can say any more how it is */
			lab->is_unknown[0] = true;
			lab_observe(lab);
			assert_non_null(lab_record(lab, 0));
		}
		CHECK(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op) == cases[i].hold,
		      "case %zu", i);
		lab_free(lab);
	}
}

/* An op that another leader began: nothing of it leaves before the cloud was seen; what has left is finished. */
static void the_gate_of_an_op_taken_over(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 4);
	lab_break(lab, 2);
	struct op *op = lab_repair(lab, 1);
	assert_int_equal(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op), HOLD_NONE);
	lab->snapshot.is_cloud_fresh = false;
	assert_int_equal(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op), HOLD_CLOUD_STALE);
	op->is_committed = true;
	assert_int_equal(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op), HOLD_NONE);
	op->is_committed = false;
	lab->snapshot.is_cloud_fresh = true;
	lab->cluster.is_healing_enabled = false;
	assert_int_equal(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op), HOLD_DISABLED);
	op->is_committed = true;
	assert_int_equal(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op), HOLD_NONE);
	lab_free(lab);
}

/* While the API server is in trouble nothing that can be undone is begun; what has left is finished, and our cordon is
 * taken away. */
static void the_gate_while_the_api_is_in_trouble(void **state)
{
	(void)state;
	static const struct {
		enum rung rung;
		bool is_committed;
		enum hold hold;
	} cases[] = { { RUNG_REBOOT, false, HOLD_API },
		      { RUNG_HARD_REBOOT, false, HOLD_API },
		      { RUNG_REPLACE, false, HOLD_API },
		      { RUNG_REPLACE, true, HOLD_NONE },
		      { RUNG_UNCORDON, false, HOLD_NONE } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab_break(lab, FIRST);
		struct op *op = lab_repair(lab, 0);
		op->rung = cases[i].rung;
		op->is_committed = cases[i].is_committed;
		assert_int_equal(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op), HOLD_NONE);
		has_api_trouble(lab);
		CHECK(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op) == cases[i].hold,
		      "case %zu", i);
		assert_int_equal(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, NULL), HOLD_NONE);
		lab_decide(lab);
		assert_null(brake_cancel(lab_look(lab), &lab->history, &lab->policy, op)); /* it waits */
		lab_free(lab);
	}
}

/* Servers that never joined were made of the listing: they cannot prove it. */
static void phantoms_do_not_vouch_for_the_listing(void **state)
{
	(void)state;
	for (int phantoms = 0; phantoms <= 6; phantoms += 6) {
		struct lab *lab = lab_new(0, 4 + phantoms);
		for (int i = 0; i < phantoms; i++)
			lab->nodes[4 + i].is_phantom = true;
		for (size_t i = 0; i < 3; i++)
			(void)TEXT_COPY(lab->machines[i].name, "another");
		for (size_t i = 0; i < 3; i++)
			lab->nodes[i].provider_id = lab->nodes[i].system_uuid = "";
		lab_break(lab, 8);
		lab_decide(lab);
		assert_int_equal(lab_hold(lab, 3), HOLD_CLOUD_SUSPECT);
		lab_free(lab);
	}
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
		struct op *op = lab_repair(lab, 0);
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
		cmocka_unit_test(the_gate_wants_a_node_that_is_bad),
		cmocka_unit_test(a_listing_that_is_believed),
		cmocka_unit_test(why_it_came_to_nothing),
		cmocka_unit_test(the_gate),
		cmocka_unit_test(the_gate_of_an_op_taken_over),
		cmocka_unit_test(the_gate_while_the_api_is_in_trouble),
		cmocka_unit_test(phantoms_do_not_vouch_for_the_listing),
		cmocka_unit_test(cancelling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
