/* Parameters of the checks, ladders, witnesses that must agree, and the policy's keys: right ones, wrong ones, and what
 * is said of those. */
#include "conf_fixture.h"

/* Every check that has only its type. */
static void test_check_defaults(void **state)
{
	(void)state;
	struct conf_problems problems;
	struct config *conf = conf_parse(STR(MASTER "  - type: Endpoint\n  - type: Kubelet\n  - type: NodeLease\n"
						    "  - type: CloudServer\n"),
					 "f", &problems);
	assert_non_null(conf);
	assert_int_equal(problems.count, 0);
	const struct conf_check *checks = conf->checks[ROLE_MASTER];
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(checks[i].unhealthy_duration_ms, 5 * MINUTE);
		assert_int_equal(checks[i].ladder.count, 0);
		assert_null(checks[i].ca_file);
		assert_null(checks[i].server_name);
		assert_int_equal(checks[i].timeout_ms, i < 2 ? 5 * SEC : 0);
	}
	assert_string_equal(checks[0].protocol, "HTTPS");
	assert_string_equal(checks[1].protocol, "TCP");
	assert_int_equal(checks[1].port, 10250);
	assert_int_equal(checks[1].endpoints_count, 1);
	assert_string_equal(checks[1].endpoints[0], "/healthz");
	assert_int_equal(checks[1].ok_codes_count, 3);
	assert_int_equal(checks[1].ok_codes[0], 200);
	assert_int_equal(checks[1].ok_codes[1], 401);
	assert_int_equal(checks[1].ok_codes[2], 403);
	assert_int_equal(checks[2].max_age_ms, 40 * SEC);
	assert_int_equal(checks[3].states_count, 3);
	assert_string_equal(checks[3].states[0], "SHUTOFF");
	assert_string_equal(checks[3].states[1], "ERROR");
	assert_string_equal(checks[3].states[2], "GONE");
	conf_free(conf);
	conf = conf_parse(STR(WORKER "  - type: NeverJoined\n"), "f", &problems);
	assert_non_null(conf);
	assert_int_equal(problems.count, 0);
	assert_int_equal(conf->checks[ROLE_WORKER][0].unhealthy_duration_ms, 30 * MINUTE);
	check_ladder(&conf->checks[ROLE_WORKER][0].ladder, "replace");
	conf_free(conf);
}

static void test_bad_params(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ WORKER "  - type: Kubelt\n", "f:6:11: type: there is no \"Kubelt\"; did you mean \"Kubelet\"?\n" },
		{ WORKER "  - type: Kubelet\n    params: {protocol: UDP, port: 65536, timeout: 61s, ok-codes: [600]}\n",
		  "f:7:24: protocol: there is no \"UDP\"; there is: TCP HTTP HTTPS\n"
		  "f:7:35: port: 65536 is not between 1 and 65535\n"
		  "f:7:51: timeout: 61s is not between 0.1s and 1m\n"
		  "f:7:67: ok-codes: 600 is not between 100 and 599\n" },
		{ WORKER "  - type: Endpoint\n    params: {timeout: 5, ca-file: [x], server-name: 'a/b', ca-file: c}\n",
		  "f:7:23: timeout: \"5\" has no unit; write 5s\n"
		  "f:7:35: ca-file must be a single value\n"
		  "f:7:53: server-name: \"a/b\" is not a name such as kubernetes.default.svc\n"
		  "f:7:60: duplicate key \"ca-file\": it was given in line 7 as \"ca-file\"\n" },
		{ WORKER "  - type: NodeLease\n    params: {max-age: 9s, maxage: 2h, port: 1}\n",
		  "f:7:23: max-age: 9s is not between 10s and 1h\n"
		  "f:7:27: duplicate key \"maxage\": it was given in line 7 as \"max-age\"\n"
		  "f:7:39: unknown key \"port\" in the params of a NodeLease check; \"port\" belongs in the params of "
		  "an "
		  "Endpoint check\n" },
		{ WORKER "  - type: CloudServer\n    params: {states: [ACTIVE, eror, GONE, 5]}\n",
		  "f:7:23: states: there is no \"ACTIVE\"; there is: SHUTOFF ERROR GONE\n"
		  "f:7:31: states: there is no \"eror\"; did you mean \"ERROR\"?\n"
		  "f:7:43: states: there is no \"5\"; there is: SHUTOFF ERROR GONE\n" },
		{ WORKER "  - type: CloudServer\n    params: {states: [], types: [Ready]}\n",
		  "f:7:22: states is empty: nothing would be checked\n"
		  "f:7:26: unknown key \"types\" in the params of a CloudServer check; \"types\" belongs in the params "
		  "of a "
		  "NodeCondition check\n" },
		{ MASTER "  - type: NeverJoined\n    params: {unhealthy-duration: 10s}\n",
		  "f:6:11: a NeverJoined check is for workers: masters are not replaced for not having joined\n"
		  "f:7:34: unhealthy-duration: 10s is not between 1m and 720h\n" },
	};
	check_says(cases, COUNT(cases));
}

static void test_warnings_of_probes(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ WORKER "  - type: Endpoint\n    params: {port: 80, protocol: http}\n", "" },
		{ WORKER "  - type: Kubelet\n    params: {protocol: https, endpoints: /metrics, ok-codes: 200, "
			 "ca-file: /ca}\n",
		  "" },
		{ WORKER
		  "  - type: Endpoint\n    params: {require-token: true, token: t, ca-file: /ca, server-name: n}\n",
		  "" },
		{ WORKER "  - type: Endpoint\n    params: {require-token: true, server-name: n}\n",
		  "f:7:14: warning: the token is sent to a server that is not verified; better give ca-file\n"
		  "f:7:35: warning: server-name is not used without ca-file\n" },
		{ WORKER "  - type: Endpoint\n    params: {require-token: true, protocol: HTTP, ca-file: /ca}\n",
		  "f:7:14: warning: the token is sent unencrypted; better use protocol HTTPS and give ca-file\n"
		  "f:7:51: warning: ca-file is not used without protocol HTTPS\n" },
		{ WORKER "  - type: Kubelet\n    params: {endpoints: [/healthz], okCodes: [200], caFile: x}\n",
		  "f:7:14: warning: endpoints is not used with protocol TCP\n"
		  "f:7:37: warning: ok-codes is not used with protocol TCP\n"
		  "f:7:53: warning: ca-file is not used without protocol HTTPS\n" },
	};
	check_says(cases, COUNT(cases));
}

static void test_ladders(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ C "policy: {worker-ladder: [reboot 1s, replace 24h]}\n", "" },
		{ C "policy: {worker-ladder: [reboot 3 m, rebot, replace soon]}\n",
		  "f:4:26: worker-ladder: reboot: \"3 m\" is not a duration such as 90s or 5m\n"
		  "f:4:38: worker-ladder: there is no \"rebot\"; did you mean \"reboot\"?\n"
		  "f:4:45: worker-ladder: replace: \"soon\" is not a duration such as 90s or 5m\n" },
		{ C "policy: {master-ladder: [give-up, '', none 5m, uncordon]}\n",
		  "f:4:26: master-ladder: there is no \"give-up\"; there is: start reboot hard-reboot replace\n"
		  "f:4:35: master-ladder: there is no \"\"; there is: start reboot hard-reboot replace\n"
		  "f:4:39: master-ladder: there is no \"none\"; there is: start reboot hard-reboot replace\n"
		  "f:4:48: master-ladder: there is no \"uncordon\"; there is: start reboot hard-reboot replace\n" },
		{ C "policy: {master-ladder: [start 0, reboot 5, hard-reboot 25h, replace -5m]}\n",
		  "f:4:26: master-ladder: start: 0 is not between 1s and 24h\n"
		  "f:4:35: master-ladder: reboot: \"5\" has no unit; write 5s\n"
		  "f:4:45: master-ladder: hard-reboot: 25h is not between 1s and 24h\n"
		  "f:4:62: master-ladder: replace: \"-5m\" is negative\n" },
		{ C "policy: {worker-ladder: [reboot, reboot 3m, replace, hardReboot, replace]}\n",
		  "f:4:34: worker-ladder: \"reboot 3m\" is there twice\n"
		  "f:4:54: worker-ladder: \"hard-reboot\" comes after \"replace\", which is stronger; the order is: "
		  "start reboot hard-reboot replace\n"
		  "f:4:66: worker-ladder: \"replace\" is there twice\n" },
		{ C "policy: {worker-ladder: [], master-ladder: [reboot: 3m]}\n",
		  "f:4:25: worker-ladder is empty: nothing would be done\n"
		  "f:4:45: master-ladder: an item must be a single value\n" },
		{ C "policy: {worker-ladder: [a, b, c, d, e, f, g], master-ladder: {reboot: 3m}}\n",
		  "f:4:25: worker-ladder has more than 6 items\n"
		  "f:4:63: master-ladder must be a single value or a list of them\n" },
		{ C "policy:\n  worker-ladder:\n  master-ladder: reboot, replace\n",
		  "f:5:17: worker-ladder has no value; give it one or leave the line out\n"
		  "f:6:18: master-ladder: there is no \"reboot,\"; did you mean \"reboot\"?\n" },
		{ WORKER
		  "  - type: NodeCondition\n    params:\n      ladder:\n        - replace\n        - reboot 3m\n",
		  "f:10:11: ladder: \"reboot\" comes after \"replace\", which is stronger; the order is: start reboot "
		  "hard-reboot replace\n" },
	};
	check_says(cases, COUNT(cases));
}

/* The same three checks for either role, and how many of them must agree. */
#define NEEDS(role, checks, rest)                                                                                      \
	"cluster-name: c\nopenstack: {auth-url: 'https://k', user-id: u, password: p, project-id: pr}\n"               \
	"master-monitor-enabled: false\nworker-monitor-enabled: false\nhealthcheck: {" role ": [" checks "], " rest    \
	"}\n"
#define THREE "{type: NodeCondition}, {type: Kubelet}, {type: NodeLease}"
static const struct needs_case {
	struct bad bad;
	enum role role;
	int needs;
} needs_cases[] = {
	{ { NEEDS("worker", THREE, "worker-needs: 3"), "" }, ROLE_WORKER, 3 },
	{ { NEEDS("worker", THREE, "workerNeeds: '1'"), "" }, ROLE_WORKER, 1 },
	{ { NEEDS("worker", THREE, "worker-needs: ANY"), "" }, ROLE_WORKER, 1 },
	{ { NEEDS("master", THREE, "master-needs: All"), "" }, ROLE_MASTER, NEEDS_ALL },
	{ { NEEDS("master", "", "master-needs: any"), "" }, ROLE_MASTER, 1 },
	{ { NEEDS("worker", THREE, "worker-needs: 4"),
	    "f:5:98: worker-needs: 4 is more than there are checks of a worker (3): none would ever be found "
	    "unhealthy\n" },
	  .needs = 0 },
	{ { NEEDS("master", "", "master-needs: 1"),
	    "f:5:41: master-needs: 1 is more than there are checks of a master (0): none would ever be found "
	    "unhealthy\n" },
	  .needs = 0 },
	{ { NEEDS("worker", "{type: NeverJoined}, {type: Kubelet}", "worker-needs: 2"),
	    "f:5:77: worker-needs: 2 is more than there are checks of a worker (1), NeverJoined not counted, "
	    "which judges servers without a node: none would ever be found unhealthy\n" },
	  .needs = 0 },
	{ { NEEDS("worker", THREE, "worker-needs: 9"), "f:5:98: worker-needs: 9 is not between 1 and 8\n" },
	  .needs = 0 },
	{ { NEEDS("worker", THREE, "worker-needs: 0"), "f:5:98: worker-needs: 0 is not between 1 and 8\n" },
	  .needs = 0 },
	{ { NEEDS("worker", THREE, "worker-needs: -1"), "f:5:98: worker-needs: -1 is not between 1 and 8\n" },
	  .needs = 0 },
	{ { NEEDS("worker", THREE, "worker-needs: alll"),
	    "f:5:98: worker-needs: there is no \"alll\"; did you mean \"all\"?\n" },
	  .needs = 0 },
	{ { NEEDS("worker", THREE, "worker-needs: most"),
	    "f:5:98: worker-needs: \"most\" is neither any nor all nor a number such as 2\n" },
	  .needs = 0 },
	{ { NEEDS("worker", THREE, "worker-needs: [2]"), "f:5:98: worker-needs must be a single value\n" },
	  .needs = 0 },
	/* A list that could not be read is one error, not two. */
	{ { "cluster-name: c\nopenstack: {auth-url: 'https://k', user-id: u, password: p, project-id: pr}\n"
	    "healthcheck: {master: [{type: NodeCondition}], worker: 5, worker-needs: 2}\n",
	    "f:3:56: healthcheck.worker must be a list of checks (lines of \"- type: ...\")\n" },
	  .needs = 0 },
};

static void test_needs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(needs_cases); i++) {
		check_says(&needs_cases[i].bad, 1);
		struct conf_problems problems;
		struct config *conf = conf_parse(str_of(needs_cases[i].bad.text), "f", &problems);
		if (needs_cases[i].bad.says[0] == '\0') {
			assert_non_null(conf);
			assert_int_equal(conf->policy.needs[needs_cases[i].role], needs_cases[i].needs);
		}
		conf_free(conf);
		conf_problems_done(&problems);
	}
}

static void test_bad_policy(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ C "policy: {max-concurrent-repairs-per-group: 0, max-concurrent-repairs-per-zone: 0,"
		    " maxRepairsPerHour: 0, flap-changes: 2, machine-health-check-timeout: 0s}\n",
		  "" },
		{ C "policy:\n  max-concurrent-repairs-per-group: 0%\n  max-concurrent-repairs-per-zone: -1\n"
		    "  max-concurrent-repairs-per-host: 100001\n  max-repairs-per-hour: 251\n",
		  "f:5:37: max-concurrent-repairs-per-group: \"0%\" is not a percentage between 1% and 100%\n"
		  "f:6:36: max-concurrent-repairs-per-zone: -1 is not between 1 and 100000, nor 0 (none)\n"
		  "f:7:36: max-concurrent-repairs-per-host: 100001 is not between 1 and 100000, nor 0 (none)\n"
		  "f:8:25: max-repairs-per-hour: 251 is not between 1 and 250, nor 0 (none)\n" },
		{ C "policy:\n  zone-storm-threshold: 0\n  flap-changes: 1\n  flap-window: 30s\n"
		    "  heal-cordoned-nodes: 2\n  machine-health-check-timeout: 25h\n  master-replacement: allways\n",
		  "f:5:25: zone-storm-threshold: 0 is not between 1 and 100000\n"
		  "f:6:17: flap-changes: 1 is not between 2 and 16, nor 0 (none)\n"
		  "f:7:16: flap-window: 30s is not between 1m and 24h\n"
		  "f:8:24: heal-cordoned-nodes: \"2\" is neither true nor false\n"
		  "f:9:33: machine-health-check-timeout: 25h is not between 1s and 24h, nor 0 (none)\n"
		  "f:10:23: master-replacement: there is no \"allways\"; did you mean \"always\"?\n" },
		{ C "policy: {flap-changes: 17, master-replacement: resize, max-concurrent-repairs-per-rack: 1}\n",
		  "f:4:24: flap-changes: 17 is not between 2 and 16, nor 0 (none)\n"
		  "f:4:48: master-replacement: there is no \"resize\"; there is: auto never always\n"
		  "f:4:56: unknown key \"max-concurrent-repairs-per-rack\" in policy; did you mean "
		  "\"max-concurrent-repairs-per-group\" or \"max-concurrent-repairs-per-zone\" or "
		  "\"max-concurrent-repairs-per-host\"?\n" },
		{ C "kubernetes: {api-port: 0, apiPrt: 1}\n",
		  "f:4:24: api-port: 0 is not between 1 and 65535\n"
		  "f:4:27: unknown key \"apiPrt\" in kubernetes; did you mean \"api-port\"?\n" },
		{ C "kubernetes: {worker-needs: 1}\n",
		  "f:4:14: unknown key \"worker-needs\" in kubernetes; \"worker-needs\" belongs in healthcheck\n" },
	};
	check_says(cases, COUNT(cases));
}

static void test_verifies(void **state)
{
	(void)state;
	static char https[] = "HTTPS", tcp[] = "TCP", ca[] = "/ca", name[] = "n";
	static const struct {
		struct conf_check check;
		const char *says;
	} cases[] = {
		{ { .type = "NodeCondition" }, NULL },
		{ { .type = "Kubelet", .protocol = tcp, .ca_file = ca }, NULL },
		{ { .type = "Endpoint", .protocol = https, .server_name = name },
		  "the certificate is not verified: whoever answers at the node's address is believed" },
		{ { .type = "Endpoint", .protocol = https, .ca_file = ca },
		  "the certificate is verified with /ca, for the node's address" },
		{ { .type = "Kubelet", .protocol = https, .ca_file = ca, .server_name = name },
		  "the certificate is verified with /ca, for the name n" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf text;
		buf_init(&text, 1000);
		assert_int_equal(conf_check_verifies(&cases[i].check, &text), cases[i].says != NULL);
		assert_string_equal(buf_cstr(&text), cases[i].says != NULL ? cases[i].says : "");
		buf_done(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_defaults),
		cmocka_unit_test(test_bad_params),
		cmocka_unit_test(test_warnings_of_probes),
		cmocka_unit_test(test_ladders),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_bad_policy),
		cmocka_unit_test(test_verifies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
