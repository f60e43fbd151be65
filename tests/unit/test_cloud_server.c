/* The check CloudServer: the state of the server behind the node, or that there is none any more. */
#include "check_fixture.h"

#define ID "535af63d-1111-4222-8333-444455556666"
#define OTHER_ID "535af63d-9999-4222-8333-444455556666"

static char error[] = "ERROR", off[] = "SHUTOFF", gone[] = "GONE";
static char *without_gone[] = { error, off };
static char *with_gone[] = { error, off, gone };

static struct finding judge(const struct conf_check *conf, const struct snapshot *snapshot, const struct node *node)
{
	struct check_facts facts = { .snapshot = snapshot };
	struct finding finding;
	enum health health = check_cloud_server.judge(conf, 0, &facts, node, &finding);
	assert_int_equal(health, finding.health);
	assert_int_equal(check_cloud_server.judge(conf, 0, &facts, node, NULL), health);
	return finding;
}

static void states(void **state)
{
	(void)state;
	static const struct {
		const char *name, *status, *server_name, *provider;
		bool is_stale, knows_gone, is_empty;
		enum health health;
		const char *why;
	} cases[] = {
		{ "active", "ACTIVE", "n", ID, false, true, false, HEALTH_OK, "" },
		{ "building", "BUILD", "n", ID, false, true, false, HEALTH_OK, "" },
		{ "error", "ERROR", "n", ID, false, true, false, HEALTH_BAD, "server n is ERROR" },
		{ "off", "SHUTOFF", "n", ID, false, false, false, HEALTH_BAD, "server n is SHUTOFF" },
		{ "stale", "ERROR", "n", ID, true, true, false, HEALTH_UNKNOWN,
		  "the cloud's servers are not known now" },
		{ "somebody else's server", "ERROR", "another", ID, false, true, false, HEALTH_UNKNOWN,
		  "neither name nor address confirm that its server is " ID },
		{ "gone", "ACTIVE", "another", OTHER_ID, false, true, false, HEALTH_BAD,
		  "the cloud has no server " OTHER_ID },
		{ "gone, which is not asked for", "ACTIVE", "another", OTHER_ID, false, false, false, HEALTH_UNKNOWN,
		  "the cloud has no server " OTHER_ID },
		{ "gone, in an old listing", "ACTIVE", "another", OTHER_ID, true, true, false, HEALTH_UNKNOWN,
		  "the cloud's servers are not known now" },
		{ "a listing without any server", "ACTIVE", "another", OTHER_ID, false, true, true, HEALTH_UNKNOWN,
		  "the cloud's servers are not known now" },
		{ "it names none", "ACTIVE", "another", "", false, true, false, HEALTH_UNKNOWN,
		  "the node names no server of the cloud" },
		{ "another cloud's", "ACTIVE", "another", "aws:///eu/i-0123", false, true, false, HEALTH_UNKNOWN,
		  "the node names no server of the cloud" },
		{ "found by its name", "ERROR", "n", "", false, true, false, HEALTH_BAD, "server n is ERROR" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct machine machine = { .id = ID };
		assert_true(TEXT_COPY(machine.name, cases[i].server_name));
		assert_true(TEXT_COPY(machine.status, cases[i].status));
		struct snapshot snapshot = { .now = { { LAB_MONO }, { LAB_WALL } },
					     .machines = &machine,
					     .machines_count = cases[i].is_empty ? 0 : 1,
					     .is_cloud_fresh = !cases[i].is_stale };
		struct node node = { .name = "n",
				     .provider_id = cases[i].provider,
				     .machine_id = "",
				     .system_uuid = "",
				     .internal_ip = "10.0.0.5" };
		struct conf_check conf = { .type = "CloudServer",
					   .states = cases[i].knows_gone ? with_gone : without_gone,
					   .states_count = cases[i].knows_gone ? 3 : 2 };
		struct finding finding = judge(&conf, &snapshot, &node);
		CHECK(finding.health == cases[i].health, "%s", cases[i].name);
		CHECK(strcmp(finding.why, cases[i].why) == 0, "%s: %s", cases[i].name, finding.why);
		CHECK(finding.since.ms == (finding.health == HEALTH_BAD ? LAB_WALL : 0), "%s", cases[i].name);
		CHECK(finding.symptom == SYMPTOM_NONE, "%s", cases[i].name);
	}
}

static void without_facts(void **state)
{
	(void)state;
	struct conf_check conf = { .type = "CloudServer", .states = with_gone, .states_count = 3 };
	struct node node = { .name = "n", .provider_id = ID, .machine_id = "", .system_uuid = "", .internal_ip = "" };
	assert_int_equal(judge(&conf, NULL, &node).health, HEALTH_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states),
		cmocka_unit_test(without_facts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
