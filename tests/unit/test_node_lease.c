/* The check NodeLease: how old a heartbeat is, by our own clock, and when nothing can be said of it. */
#include "check_fixture.h"

static struct finding judge(const struct check_facts *facts, const char *name)
{
	struct conf_check conf = { .type = "NodeLease", .max_age_ms = 40 * SEC };
	struct node node = { .name = name };
	struct finding finding;
	enum health health = check_node_lease.judge(&conf, 0, facts, &node, &finding);
	assert_int_equal(health, finding.health);
	assert_int_equal(check_node_lease.judge(&conf, 0, facts, &node, NULL), health);
	return finding;
}

static void ages(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int64_t seen_age_ms, changed_age_ms; /* at the listing; -1: unset */
		int64_t listed_age_ms;
		enum health health;
		int64_t since_age_ms; /* 0: none */
		const char *why;
	} cases[] = {
		{ "just renewed", HOUR, 0, 0, HEALTH_OK, 0, "" },
		{ "a little old", HOUR, 39 * SEC, 0, HEALTH_OK, 0, "" },
		{ "by the listing, not by now", HOUR, 35 * SEC, 10 * SEC, HEALTH_OK, 0, "" },
		{ "too old", HOUR, 40 * SEC, 0, HEALTH_BAD, 40 * SEC, "its Lease was not renewed for 40s" },
		{ "too old a while ago", HOUR, 41 * SEC + 300, 10 * SEC, HEALTH_BAD, 51 * SEC + 300,
		  "its Lease was not renewed for 41s" },
		{ "for hours", 3 * HOUR, 2 * HOUR, 0, HEALTH_BAD, 2 * HOUR, "its Lease was not renewed for 2h" },
		{ "never changed, just seen", 0, -1, 0, HEALTH_UNKNOWN, 0,
		  "its Lease has not been watched for long enough yet" },
		{ "never changed, not for long", 39 * SEC, -1, 0, HEALTH_UNKNOWN, 0,
		  "its Lease has not been watched for long enough yet" },
		{ "never changed, watched", 50 * SEC, -1, 0, HEALTH_BAD, 50 * SEC,
		  "its Lease was not renewed for 50s" },
		{ "nobody knows since when", -1, -1, 0, HEALTH_UNKNOWN, 0,
		  "its Lease has not been watched for long enough yet" },
		{ "in the future", -5000, -5000, 0, HEALTH_OK, 0, "" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t listed_ms = LAB_MONO * 10 - cases[i].listed_age_ms;
		struct heartbeat heartbeat = { .node = "n", .renewed = 17 };
		if (cases[i].seen_age_ms != -1)
			heartbeat.seen.ms = listed_ms - cases[i].seen_age_ms;
		if (cases[i].changed_age_ms != -1)
			heartbeat.changed.ms = listed_ms - cases[i].changed_age_ms;
		struct heartbeats heartbeats = {
			.is_fresh = true, .listed = { listed_ms }, .list = &heartbeat, .count = 1
		};
		struct snapshot snapshot = { .now = { { LAB_MONO * 10 }, { LAB_WALL } } };
		struct check_facts facts = { .snapshot = &snapshot, .heartbeats = &heartbeats };
		struct finding finding = judge(&facts, "n");
		CHECK(finding.health == cases[i].health, "%s", cases[i].name);
		CHECK(strcmp(finding.why, cases[i].why) == 0, "%s: %s", cases[i].name, finding.why);
		int64_t since_ms = cases[i].since_age_ms > 0 ? LAB_WALL - cases[i].since_age_ms : 0;
		CHECK(finding.since.ms == since_ms, "%s: %lld", cases[i].name,
		      (long long)(finding.since.ms - since_ms));
	}
}

static void whose(void **state)
{
	(void)state;
	struct heartbeat list[] = {
		{ .node = "a", .seen = { 1 }, .changed = { LAB_MONO } },
		{ .node = "a-1", .seen = { 1 }, .changed = { LAB_MONO - MINUTE } },
		{ .node = "b", .seen = { 1 }, .changed = { LAB_MONO } },
	};
	struct heartbeats heartbeats = { .is_fresh = true, .listed = { LAB_MONO }, .list = list, .count = COUNT(list) };
	struct snapshot snapshot = { .now = { { LAB_MONO }, { LAB_WALL } } };
	struct check_facts facts = { .snapshot = &snapshot, .heartbeats = &heartbeats };
	assert_int_equal(judge(&facts, "a").health, HEALTH_OK);
	assert_int_equal(judge(&facts, "a-1").health, HEALTH_BAD);
	assert_int_equal(judge(&facts, "b").health, HEALTH_OK);
	assert_int_equal(judge(&facts, "c").health, HEALTH_UNKNOWN);
	assert_string_equal(judge(&facts, "").why, "the node has no Lease in kube-node-lease");
	heartbeats.count = 0;
	heartbeats.list = NULL;
	assert_string_equal(judge(&facts, "a").why, "the node has no Lease in kube-node-lease");
}

static void not_known(void **state)
{
	(void)state;
	struct heartbeat heartbeat = { .node = "n", .seen = { 1 }, .changed = { 1 } };
	struct heartbeats stale = { .is_fresh = false, .listed = { LAB_MONO }, .list = &heartbeat, .count = 1 };
	struct heartbeats fresh = { .is_fresh = true, .listed = { LAB_MONO }, .list = &heartbeat, .count = 1 };
	struct snapshot snapshot = { .now = { { LAB_MONO }, { LAB_WALL } } };
	const struct check_facts cases[] = {
		{ .snapshot = &snapshot, .heartbeats = &stale },
		{ .snapshot = &snapshot },
		{ .heartbeats = &fresh },
		{ 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct finding finding = judge(&cases[i], "n");
		CHECK(finding.health == HEALTH_UNKNOWN, "case %zu", i);
		assert_string_equal(finding.why, "the Leases of the nodes are not known now");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ages),
		cmocka_unit_test(whose),
		cmocka_unit_test(not_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
