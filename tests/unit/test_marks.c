/* Marks of others on a Node (law L11): each of the table is found, its neighbours are not; the annotations that matter
 * are kept, the others are not; and whose time it is on a Cluster API cluster, or under Masakari. */
#include "core_fixture.h"

#include "core/marks.h"

/* ---- the table ----------------------------------------------------------------------------------------------------
 */

static void each_mark_of_the_table(void **state)
{
	(void)state;
	assert_true(marks_count() > 5);
	for (size_t i = 0; i < marks_count(); i++) {
		const struct mark *mark = &marks()[i];
		char key[120];
		(void)TEXT_COPY(key, mark->key);
		size_t n = strlen(key);
		if (key[n - 1] == '*')
			(void)snprintf(key + n - 1, sizeof key - n, "scheduled-maintenance");
		struct lab *lab = lab_new(0, 4);
		const char *value = mark->value != NULL ? mark->value : "x";
		if (mark->where == MARK_TAINT)
			lab_taint(lab, 0, key, value);
		else
			lab_annotate(lab, 0, key, value);
		CHECK(mark_of_others(&lab->nodes[0]) == mark, "%s", key);
		assert_null(mark_of_others(&lab->nodes[1]));
		lab_break(lab, 1);
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == mark->hold, "%s: %s", key, hold_name(lab_hold(lab, 0)));
		assert_string_equal(lab_line(lab, 0)->detail, mark->who);
		/* whoever takes the node over while we repair it has it */
		struct op *op = lab_repair(lab, 0);
		CHECK(brake_cancel(lab_look(lab), &lab->history, &lab->policy, op) != NULL, "%s", key);
		CHECK(mark_is_wanted(str_of(key)) == (mark->where == MARK_ANNOTATION), "%s", key);
		/* what looks like it is not it */
		key[0] = key[0] == 'x' ? 'y' : 'x';
		assert_null(mark_of_others(&lab->nodes[0]));
		lab_free(lab);
	}
}

static void what_is_a_mark(void **state)
{
	(void)state;
	static const struct {
		enum mark_where where;
		const char *key, *value;
		enum hold hold; /* HOLD_NONE: it is no mark */
	} cases[] = {
		{ MARK_TAINT, "ToBeDeletedByClusterAutoscaler", "1795000000", HOLD_AUTOSCALER },
		{ MARK_TAINT, "ToBeDeletedByClusterAutoscaler", "", HOLD_AUTOSCALER },
		{ MARK_TAINT, "ToBeDeletedByClusterAutoscaler", "false", HOLD_AUTOSCALER },
		{ MARK_TAINT, "ToBeDeletedByClusterAutoscalers", "", HOLD_NONE },
		{ MARK_TAINT, "DeletionCandidateOfClusterAutoscaler", "", HOLD_NONE }, /* it only thinks of it */
		{ MARK_ANNOTATION, "ToBeDeletedByClusterAutoscaler", "1", HOLD_NONE },
		{ MARK_TAINT, "aws-node-termination-handler/", "", HOLD_AUTOSCALER },
		{ MARK_TAINT, "aws-node-termination-handler/spot-itn", "", HOLD_AUTOSCALER },
		{ MARK_TAINT, "aws-node-termination-handler", "", HOLD_NONE },
		{ MARK_TAINT, "node.kubernetes.io/out-of-service", "nodeshutdown", HOLD_OTHER_HEALER },
		{ MARK_TAINT, "node.kubernetes.io/unreachable", "", HOLD_NONE },
		{ MARK_TAINT, "node.kubernetes.io/unschedulable", "", HOLD_NONE },
		{ MARK_ANNOTATION, "weave.works/kured-reboot-in-progress", "2026-11-22T10:00:00Z", HOLD_UPGRADE },
		{ MARK_ANNOTATION, "weave.works/kured-reboot-in-progress", "", HOLD_NONE },
		{ MARK_ANNOTATION, "weave.works/kured-reboot-in-progress", "false", HOLD_NONE },
		{ MARK_ANNOTATION, "weave.works/kured-most-recent-reboot-needed", "now", HOLD_NONE },
		{ MARK_ANNOTATION, "machineconfiguration.openshift.io/state", "Working", HOLD_UPGRADE },
		{ MARK_ANNOTATION, "machineconfiguration.openshift.io/state", "Done", HOLD_NONE },
		{ MARK_ANNOTATION, "machineconfiguration.openshift.io/state", "", HOLD_NONE },
		{ MARK_ANNOTATION, ANNOTATION_CAPI_MACHINE, "m-1", HOLD_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 1);
		if (cases[i].where == MARK_TAINT)
			lab_taint(lab, 0, cases[i].key, cases[i].value);
		else
			lab_annotate(lab, 0, cases[i].key, cases[i].value);
		const struct mark *mark = mark_of_others(&lab->nodes[0]);
		CHECK((mark != NULL ? mark->hold : HOLD_NONE) == cases[i].hold, "%s=%s", cases[i].key, cases[i].value);
		lab_free(lab);
	}
}

static void which_annotations_are_kept(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		bool is_wanted;
	} cases[] = {
		{ ANNOTATION_PAUSED, true },
		{ ANNOTATION_PREFIX "unhealthy-timestamp", true },
		{ ANNOTATION_CORDONED, false }, /* the node has it as its cordon_mark */
		{ ANNOTATION_CAPI_MACHINE, true },
		{ "weave.works/kured-reboot-in-progress", true },
		{ "ToBeDeletedByClusterAutoscaler", false },
		{ "autohealing.openstack.org", false },
		{ "kubectl.kubernetes.io/last-applied-configuration", false },
		{ "", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK(mark_is_wanted(str_of(cases[i].key)) == cases[i].is_wanted, "%s", cases[i].key);
}

/* ---- cordons ------------------------------------------------------------------------------------------------------
 */

static void cordons(void **state)
{
	(void)state;
	static const struct {
		enum role role;
		bool is_cordoned, is_ours, is_allowed;
		enum hold hold;
	} cases[] = {
		{ ROLE_WORKER, false, false, false, HOLD_NONE }, { ROLE_WORKER, true, false, false, HOLD_CORDONED },
		{ ROLE_WORKER, true, true, false, HOLD_NONE },   { ROLE_WORKER, true, false, true, HOLD_NONE },
		{ ROLE_MASTER, true, false, false, HOLD_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(3, 4);
		size_t node = cases[i].role == ROLE_MASTER ? 0 : 3;
		lab->nodes[node].is_cordoned = cases[i].is_cordoned;
		lab->nodes[node].cordon_mark = cases[i].is_ours ? "0123456789ab" : "";
		lab->policy.is_cordoned_healed = cases[i].is_allowed;
		lab_break(lab, UINT64_C(1) << node);
		lab_decide(lab);
		CHECK(lab_hold(lab, node) == cases[i].hold, "case %zu: %s", i, hold_name(lab_hold(lab, node)));
		lab_free(lab);
	}
}

/* ---- whose time it is ---------------------------------------------------------------------------------------------
 */

/* The MachineHealthCheck acts at its timeout: two minutes before nothing is begun any more, and ten minutes after. */
static void the_clock_of_a_machine_health_check(void **state)
{
	(void)state;
	static const struct {
		int64_t timeout_ms, bad_ms;
		bool is_machine;
		enum hold hold;
	} cases[] = {
		{ 10 * MINUTE, 8 * MINUTE, true, HOLD_NONE },
		{ 10 * MINUTE, 8 * MINUTE + 1, true, HOLD_MACHINE_HEALTH_CHECK },
		{ 10 * MINUTE, 10 * MINUTE, true, HOLD_MACHINE_HEALTH_CHECK },
		{ 10 * MINUTE, 20 * MINUTE - 1, true, HOLD_MACHINE_HEALTH_CHECK },
		{ 10 * MINUTE, 20 * MINUTE, true, HOLD_NONE },
		{ 10 * MINUTE, 10 * MINUTE, false, HOLD_NONE },
		{ 0, 5 * MINUTE, true, HOLD_NONE },
		{ 5 * MINUTE, 4 * MINUTE, true, HOLD_MACHINE_HEALTH_CHECK },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab->policy.mhc_timeout_ms = cases[i].timeout_ms;
		if (cases[i].is_machine)
			lab_annotate(lab, 0, ANNOTATION_CAPI_MACHINE, "m-1");
		lab_break(lab, 1);
		lab_record(lab, 0)->bad_since[0].ms = lab->now.mono.ms - cases[i].bad_ms;
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == cases[i].hold, "case %zu: %s", i, hold_name(lab_hold(lab, 0)));
		lab_free(lab);
	}
}

static void masakari_goes_first(void **state)
{
	(void)state;
	static const struct {
		bool has_ha, has_acted;
		int64_t open_ms;
		enum hold hold;
	} cases[] = {
		{ false, false, 0, HOLD_NONE },
		{ true, false, 0, HOLD_MASAKARI },
		{ true, false, 5 * MINUTE - 1, HOLD_MASAKARI },
		{ true, false, 5 * MINUTE, HOLD_NONE },
		{ true, true, 0, HOLD_NONE }, /* we are at it already */
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab->machines[0].has_ha = cases[i].has_ha;
		lab_break(lab, 1);
		lab_record(lab, 0)->has_acted = cases[i].has_acted;
		lab_record(lab, 0)->opened.ms = lab->now.mono.ms - cases[i].open_ms;
		lab_decide(lab);
		CHECK(lab_hold(lab, 0) == cases[i].hold, "case %zu: %s", i, hold_name(lab_hold(lab, 0)));
		lab_free(lab);
	}
}

/* A repair that found somebody else at work: looked at again after five minutes, and counted as nothing. */
static void what_was_left_is_left(void **state)
{
	(void)state;
	static const struct step steps[] = { { .name = "only" } };
	static const struct recipe recipe = { "r", steps, 1, 0 };
	struct lab *lab = lab_new(0, 4);
	lab_break(lab, 1);
	struct record *record = lab_record(lab, 0);
	history_began(&lab->history, record, RUNG_REBOOT, RUNG_REPLACE, "server-0");
	struct op op = { .recipe = &recipe };
	assert_int_equal(op_leave(&op, "the server was stopped by %s", "a person"), V_FAIL);
	op.state = OP_FAILED;
	history_ended(&lab->history, record, &lab->policy, &op, RUNG_REBOOT, lab->now);
	assert_int_equal(record->last_rung, RUNG_NONE);
	assert_int_equal(record->rung_tries + record->attempts, 0);
	assert_false(record->is_climbing || record->has_acted);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_LEFT);
	assert_string_equal(lab_line(lab, 0)->detail, "the server was stopped by a person");
	lab_pass(lab, 5 * MINUTE - 1);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_LEFT);
	lab_pass(lab, 1);
	lab_decide(lab);
	assert_int_equal(lab_hold(lab, 0), HOLD_NONE);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mark_of_the_table),
		cmocka_unit_test(what_is_a_mark),
		cmocka_unit_test(which_annotations_are_kept),
		cmocka_unit_test(cordons),
		cmocka_unit_test(the_clock_of_a_machine_health_check),
		cmocka_unit_test(masakari_goes_first),
		cmocka_unit_test(what_was_left_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
