/* The check NodeCondition: ok-values and error-values, absent conditions, the witness. And the registry of checks. */
#include "check_fixture.h"

static char t[] = "True", f[] = "False", u[] = "Unknown", ready[] = "Ready", disk[] = "DiskPressure";
static char *ready_types[] = { ready };
static char *both_types[] = { ready, disk };
static char *true_values[] = { t };
static char *bad_values[] = { f, u };
static char *false_values[] = { f };

enum { ABSENT = -1 };

static const struct check_facts nothing; /* this check wants no more than the node */

static struct finding judge(const struct conf_check *conf, int ready_status, int disk_status)
{
	struct condition conditions[2];
	uint16_t n = 0;
	if (ready_status != ABSENT)
		conditions[n++] = (struct condition){ "Ready", "R", (enum status)ready_status, { 2000 }, { 0 } };
	if (disk_status != ABSENT)
		conditions[n++] = (struct condition){ "DiskPressure", "D", (enum status)disk_status, { 1000 }, { 0 } };
	struct node node = { .name = "n", .conditions = conditions, .conditions_count = n };
	struct finding finding = { .health = HEALTH_UNKNOWN };
	enum health health = check_node_condition.judge(conf, 0, &nothing, &node, &finding);
	assert_int_equal(health, finding.health);
	assert_int_equal(check_node_condition.judge(conf, 0, &nothing, &node, NULL), health);
	return finding;
}

static void values(void **state)
{
	(void)state;
	struct conf_check ok = {
		.types = ready_types, .types_count = 1, .ok_values = true_values, .ok_values_count = 1
	};
	struct conf_check error = {
		.types = ready_types, .types_count = 1, .error_values = bad_values, .error_values_count = 2
	};
	struct conf_check only_false = {
		.types = ready_types, .types_count = 1, .error_values = false_values, .error_values_count = 1
	};
	static const struct {
		int status;
		enum health ok, error, only_false;
	} cases[] = {
		{ STATUS_TRUE, HEALTH_OK, HEALTH_OK, HEALTH_OK },
		{ STATUS_FALSE, HEALTH_BAD, HEALTH_BAD, HEALTH_BAD },
		{ STATUS_UNKNOWN, HEALTH_BAD, HEALTH_BAD, HEALTH_OK },
		{ ABSENT, HEALTH_UNKNOWN, HEALTH_UNKNOWN, HEALTH_UNKNOWN },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK(judge(&ok, cases[i].status, ABSENT).health == cases[i].ok, "case %zu", i);
		CHECK(judge(&error, cases[i].status, ABSENT).health == cases[i].error, "case %zu", i);
		CHECK(judge(&only_false, cases[i].status, ABSENT).health == cases[i].only_false, "case %zu", i);
		/* a condition that is not asked for says nothing */
		CHECK(judge(&ok, cases[i].status, STATUS_FALSE).health == cases[i].ok, "case %zu", i);
	}
}

static void several_types(void **state)
{
	(void)state;
	struct conf_check conf = {
		.types = both_types, .types_count = 2, .ok_values = true_values, .ok_values_count = 1
	};
	static const struct {
		int ready, disk;
		enum health health;
		const char *why;
		int64_t since_ms;
	} cases[] = {
		{ STATUS_TRUE, STATUS_TRUE, HEALTH_OK, "", 0 },
		{ STATUS_TRUE, ABSENT, HEALTH_OK, "", 0 },
		{ ABSENT, ABSENT, HEALTH_UNKNOWN, "", 0 },
		{ STATUS_FALSE, STATUS_TRUE, HEALTH_BAD, "Ready=False (R)", 2000 },
		{ STATUS_TRUE, STATUS_UNKNOWN, HEALTH_BAD, "DiskPressure=Unknown (D)", 1000 },
		{ STATUS_FALSE, STATUS_FALSE, HEALTH_BAD, "DiskPressure=False (D)", 1000 }, /* bad for longer */
		{ STATUS_UNKNOWN, ABSENT, HEALTH_BAD, "Ready=Unknown (R)", 2000 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct finding finding = judge(&conf, cases[i].ready, cases[i].disk);
		CHECK(finding.health == cases[i].health, "case %zu", i);
		CHECK(strcmp(finding.why, cases[i].why) == 0, "case %zu: %s", i, finding.why);
		CHECK(finding.since.ms == cases[i].since_ms, "case %zu", i);
	}
}

static void a_long_reason_is_cut(void **state)
{
	(void)state;
	char reason[400];
	memset(reason, 'r', sizeof reason - 1);
	reason[sizeof reason - 1] = '\0';
	struct conf_check conf = {
		.types = ready_types, .types_count = 1, .ok_values = true_values, .ok_values_count = 1
	};
	struct condition condition = { "Ready", reason, STATUS_FALSE, { 5 }, { 0 } };
	struct node node = { .name = "n", .conditions = &condition, .conditions_count = 1 };
	struct finding finding;
	assert_int_equal(check_node_condition.judge(&conf, 0, &nothing, &node, &finding), HEALTH_BAD);
	assert_int_equal(strlen(finding.why), FINDING_WHY_BYTES - 1);
}

static void the_types(void **state)
{
	(void)state;
	static const struct {
		const char *type;
		const struct check_ops *ops;
		bool is_probing;
	} cases[] = {
		{ "NodeCondition", &check_node_condition, false },
		{ "Endpoint", &check_endpoint, true },
		{ "Kubelet", &check_kubelet, true },
		{ "NodeLease", &check_node_lease, false },
		{ "CloudServer", &check_cloud_server, false },
		{ "NeverJoined", &check_never_joined, false },
		{ "nodecondition", NULL, false },
		{ "", NULL, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct check_ops *ops = check_find(cases[i].type);
		assert_ptr_equal(ops, cases[i].ops);
		if (ops == NULL)
			continue;
		assert_string_equal(ops->type, cases[i].type);
		assert_non_null(ops->judge);
		CHECK((ops->ask != NULL) == cases[i].is_probing && (ops->hear != NULL) == cases[i].is_probing, "%s",
		      cases[i].type);
	}
}

static void the_registry(void **state)
{
	(void)state;
	struct ladder ladder = { .count = 1, .rungs = { { RUNG_HARD_REBOOT, 7 * MINUTE } } };
	struct conf_check worker = { .type = "NodeCondition",
				     .unhealthy_duration_ms = 90 * SEC,
				     .ladder = ladder,
				     .types = ready_types,
				     .types_count = 1,
				     .ok_values = true_values,
				     .ok_values_count = 1 };
	struct conf_check master[] = { { .type = "Endpoint", .unhealthy_duration_ms = 30 * SEC }, worker };
	struct config config = { .checks = { [ROLE_MASTER] = master, [ROLE_WORKER] = &worker },
				 .checks_count = { [ROLE_MASTER] = 2, [ROLE_WORKER] = 1 } };
	struct checks *checks = checks_new(&config);
	struct checker checker;
	checks_checker(checks, &checker);
	assert_int_equal(checker.count[ROLE_MASTER], 2);
	assert_int_equal(checker.count[ROLE_WORKER], 1);
	assert_string_equal(checker.rules[ROLE_MASTER][0].type, "Endpoint");
	assert_int_equal(checker.rules[ROLE_MASTER][0].ladder.count, 0);
	assert_int_equal(checker.rules[ROLE_WORKER][0].unhealthy_duration_ms, 90 * SEC);
	assert_int_equal(checker.rules[ROLE_WORKER][0].ladder.count, 1);
	assert_int_equal(checker.rules[ROLE_WORKER][0].ladder.rungs[0].rung, RUNG_HARD_REBOOT);
	assert_int_equal(checker.rules[ROLE_WORKER][0].ladder.rungs[0].limit_ms, 7 * MINUTE);
	struct condition condition = { "Ready", "R", STATUS_FALSE, { 5 }, { 0 } };
	struct node node = { .name = "n", .role = ROLE_MASTER, .conditions = &condition, .conditions_count = 1 };
	struct wall now = { LAB_WALL };
	assert_int_equal(checker.find(checker.ctx, 0, &node, now, NULL), HEALTH_UNKNOWN); /* nothing observed yet */
	assert_int_equal(checker.find(checker.ctx, 1, &node, now, NULL), HEALTH_BAD);
	node.role = ROLE_WORKER;
	struct finding finding;
	assert_int_equal(checker.find(checker.ctx, 0, &node, now, &finding), HEALTH_BAD);
	assert_string_equal(finding.why, "Ready=False (R)");
	checks_free(checks);
	checks_free(NULL);
}

static void what_the_checks_need(void **state)
{
	(void)state;
	static const struct {
		const char *master, *worker;
		bool heartbeats, phantoms, cloud;
	} cases[] = {
		{ NULL, NULL, false, false, false },
		{ "Endpoint", "NodeCondition", false, false, false },
		{ "NodeLease", NULL, true, false, false },
		{ "Endpoint", "NodeLease", true, false, false },
		{ "CloudServer", "Kubelet", false, false, true },
		{ NULL, "NeverJoined", false, true, true },
		{ "NeverJoined", "NodeLease", true, true, true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_check master = { .type = "" }, worker = { .type = "" };
		(void)TEXT_COPY(master.type, cases[i].master); /* they fit */
		(void)TEXT_COPY(worker.type, cases[i].worker);
		struct config config = { .checks = { [ROLE_MASTER] = &master, [ROLE_WORKER] = &worker },
					 .checks_count = { [ROLE_MASTER] = cases[i].master != NULL,
							   [ROLE_WORKER] = cases[i].worker != NULL } };
		struct checks *checks = checks_new(&config);
		CHECK(checks_need_heartbeats(checks) == cases[i].heartbeats, "case %zu", i);
		CHECK(checks_need_phantoms(checks) == cases[i].phantoms, "case %zu", i);
		CHECK(checks_need_cloud(checks) == cases[i].cloud, "case %zu", i);
		checks_free(checks);
	}
}

static void small_names(void **state)
{
	(void)state;
	static const enum status all[] = { STATUS_FALSE, STATUS_TRUE, STATUS_UNKNOWN };
	for (size_t i = 0; i < COUNT(all); i++) {
		enum status again = STATUS_FALSE;
		assert_true(status_parse(str_of(status_name(all[i])), &again));
		assert_int_equal(again, all[i]);
	}
	enum status untouched = STATUS_TRUE;
	assert_false(status_parse(STR("true"), &untouched));
	assert_false(status_parse(STR(""), &untouched));
	assert_int_equal(untouched, STATUS_TRUE);
	assert_string_equal(role_name(ROLE_MASTER), "master");
	assert_string_equal(role_name(ROLE_WORKER), "worker");
	assert_string_equal(health_name(HEALTH_BAD), "unhealthy");
	assert_string_equal(health_name(HEALTH_OK), "healthy");
	assert_string_equal(health_name(HEALTH_UNKNOWN), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),      cmocka_unit_test(several_types), cmocka_unit_test(a_long_reason_is_cut),
		cmocka_unit_test(the_types),   cmocka_unit_test(the_registry),  cmocka_unit_test(what_the_checks_need),
		cmocka_unit_test(small_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
