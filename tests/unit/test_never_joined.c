/* The check NeverJoined, of phantoms alone; and the others, which say nothing of phantoms. */
#include "check_fixture.h"

static char true_value[] = "True", ready[] = "Ready", error[] = "ERROR", gone[] = "GONE";
static char *ok_values[] = { true_value };
static char *types[] = { ready };
static char *states[] = { error, gone };

static void of_phantoms(void **state)
{
	(void)state;
	struct conf_check conf = { .type = "NeverJoined" };
	struct check_facts none = { 0 };
	struct node node = { .name = "k8s-node-7", .created = { LAB_WALL - HOUR }, .is_phantom = true };
	struct finding finding;
	assert_int_equal(check_never_joined.judge(&conf, 0, &none, &node, &finding), HEALTH_BAD);
	assert_int_equal(finding.health, HEALTH_BAD);
	assert_int_equal(finding.since.ms, 0); /* its Node may have been there until now */
	assert_string_equal(finding.why, "server k8s-node-7, made at 2026-11-18T10:06:40Z, has no Node");
	assert_int_equal(check_never_joined.judge(&conf, 0, &none, &node, NULL), HEALTH_BAD);
	node.is_phantom = false;
	assert_int_equal(check_never_joined.judge(&conf, 0, &none, &node, &finding), HEALTH_UNKNOWN);
	assert_int_equal(finding.health, HEALTH_UNKNOWN);
	assert_string_equal(finding.why, "");
	char name[NODE_NAME_BYTES];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	node.name = name;
	node.is_phantom = true;
	assert_int_equal(check_never_joined.judge(&conf, 0, &none, &node, &finding), HEALTH_BAD);
	assert_non_null(strstr(finding.why, "2026-11-18")); /* a long name does not push the time out */
}

/* Through the registry: a phantom with everything that would make a node bad. */
static void by_all_checks(void **state)
{
	(void)state;
	struct conf_check list[] = {
		{ .type = "NodeCondition",
		  .types = types,
		  .types_count = 1,
		  .ok_values = ok_values,
		  .ok_values_count = 1 },
		{ .type = "NodeLease", .max_age_ms = 40 * SEC },
		{ .type = "CloudServer", .states = states, .states_count = 2 },
		{ .type = "Endpoint", .port = 6443 },
		{ .type = "Kubelet", .port = 10250 },
		{ .type = "NeverJoined", .unhealthy_duration_ms = HOUR },
	};
	struct config config = { .checks = { [ROLE_WORKER] = list }, .checks_count = { [ROLE_WORKER] = COUNT(list) } };
	struct condition condition = { .type = "Ready", .reason = "R", .status = STATUS_FALSE, .transition = { 5 } };
	struct machine machine = { .id = "535af63d-1111-4222-8333-444455556666", .name = "n", .status = "ERROR" };
	struct heartbeat heartbeat = { .node = "n", .seen = { 1 }, .changed = { 1 } };
	struct heartbeats heartbeats = { .is_fresh = true, .listed = { LAB_MONO }, .list = &heartbeat, .count = 1 };
	struct snapshot snapshot = {
		.now = { { LAB_MONO }, { LAB_WALL } }, .machines = &machine, .machines_count = 1, .is_cloud_fresh = true
	};
	struct check_facts facts = { .snapshot = &snapshot, .heartbeats = &heartbeats };
	struct node node = { .name = "n",
			     .provider_id = "535af63d-1111-4222-8333-444455556666",
			     .machine_id = "",
			     .system_uuid = "",
			     .internal_ip = "10.0.0.5",
			     .role = ROLE_WORKER,
			     .created = { LAB_WALL - HOUR },
			     .conditions = &condition,
			     .conditions_count = 1 };
	static const enum health real[] = { HEALTH_BAD,     HEALTH_BAD,     HEALTH_BAD,
					    HEALTH_UNKNOWN, HEALTH_UNKNOWN, HEALTH_UNKNOWN };
	struct checks *checks = checks_new(&config);
	struct checker checker;
	checks_checker(checks, &checker);
	checks_observe(checks, &facts);
	for (size_t i = 0; i < COUNT(list); i++) {
		struct finding finding = { .why = "left over" };
		node.is_phantom = false;
		CHECK(checker.find(checker.ctx, i, &node, snapshot.now.wall, NULL) == real[i], "%s", list[i].type);
		node.is_phantom = true;
		enum health wanted = i == COUNT(list) - 1 ? HEALTH_BAD : HEALTH_UNKNOWN;
		CHECK(checker.find(checker.ctx, i, &node, snapshot.now.wall, NULL) == wanted, "%s", list[i].type);
		CHECK(checker.find(checker.ctx, i, &node, snapshot.now.wall, &finding) == wanted, "%s", list[i].type);
		CHECK(finding.health == wanted, "%s", list[i].type);
		if (wanted == HEALTH_UNKNOWN)
			assert_string_equal(finding.why, "there is no such Node");
	}
	checks_free(checks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_phantoms),
		cmocka_unit_test(by_all_checks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
