/* The configuration: whole files, keys, values, checks, credentials, and the manual. */
#include "conf_fixture.h"

/* A file of the source tree; the path of this file says where that is. */
static bool read_source(void *ctx, const char *path, struct buf *out, struct err *err)
{
	(void)ctx;
	char full[1000];
	(void)snprintf(full, sizeof full, "%.*s/../../%s", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__, path);
	FILE *file = fopen(full, "r");
	if (file == NULL)
		return (fail)(err, ERR_GONE, "%s: no such file", path);
	char piece[4096];
	for (size_t n = 0; (n = fread(piece, 1, sizeof piece, file)) > 0;)
		assert_true(buf_add(out, piece, n));
	assert_int_equal(fclose(file), 0);
	return true;
}

static const struct file_port source = { .read = read_source };

static struct config *load_clean(const char *path)
{
	struct conf_problems problems;
	struct buf out;
	struct config *conf = conf_load(&source, path, &problems);
	print(&problems, &out);
	assert_string_equal(buf_cstr(&out), "");
	assert_non_null(conf);
	buf_done(&out);
	conf_problems_done(&problems);
	return conf;
}

static void test_announcement(void **state)
{
	(void)state;
	struct config *conf = load_clean("tests/data/conf/announcement.yaml");
	assert_string_equal(conf->cluster_name, "c418c335-0e52-42fc-bd68-baa8d264e072");
	assert_string_equal(conf->cloud_provider, "openstack");
	assert_int_equal(conf->policy.monitor_interval_ms, 15 * SEC);
	assert_int_equal(conf->policy.check_delay_after_add_ms, 20 * MINUTE);
	assert_int_equal(conf->policy.rebuild_delay_after_reboot_ms, 5 * MINUTE);
	assert_true(conf->is_leader_elected);
	assert_int_equal(conf->checks_count[ROLE_MASTER], 2);
	const struct conf_check *endpoint = &conf->checks[ROLE_MASTER][0];
	assert_string_equal(endpoint->type, "Endpoint");
	assert_int_equal(endpoint->line, 8);
	assert_int_equal(endpoint->unhealthy_duration_ms, 30 * SEC);
	assert_string_equal(endpoint->protocol, "HTTPS");
	assert_int_equal(endpoint->port, 6443);
	assert_int_equal(endpoint->endpoints_count, 1);
	assert_string_equal(endpoint->endpoints[0], "/healthz");
	assert_int_equal(endpoint->ok_codes[0], 200);
	assert_string_equal(endpoint->unhealthy_annotation, "autohealing.openstack.org/unhealthy-timestamp");
	const struct conf_check *ready = &conf->checks[ROLE_WORKER][0];
	assert_string_equal(ready->type, "NodeCondition");
	assert_int_equal(ready->unhealthy_duration_ms, MINUTE);
	assert_string_equal(ready->types[0], "Ready");
	assert_string_equal(ready->ok_values[0], "True");
	assert_int_equal(ready->error_values_count, 0);
	assert_string_equal(conf->openstack.os_endpoint_type, "public");
	assert_string_equal(conf->openstack.user_id, "ceb61464a3d341ebabdf97d1d4b97099");
	conf_free(conf);
}

static void test_magnum(void **state)
{
	(void)state;
	struct config *conf = load_clean("tests/data/conf/magnum.yaml");
	assert_int_equal(conf->checks[ROLE_MASTER][0].unhealthy_duration_ms, 3 * MINUTE);
	assert_string_equal(conf->openstack.trust_id, "0f0dcb6a3a4e4cb4a3bd09a3a6f3f4c2");
	assert_string_equal(conf->openstack.ca_file, "/etc/kubernetes/ca-bundle.crt");
	conf_free(conf);
}

/* Magnum writes trust-id without quotes, also when there is none. */
static void test_empty_trust(void **state)
{
	(void)state;
	struct conf_problems problems;
	struct config *conf = conf_parse(STR("cluster-name: c\nopenstack:\n  trust-id: \n  auth-url: https://k/v3\n"
					     "  user-id: u\n  password: p\n  project-id: pr\n"
					     "healthcheck: {master: [{type: NodeCondition}], worker: [{type: "
					     "NodeCondition}]}\n"),
					 "f", &problems);
	assert_non_null(conf);
	assert_int_equal(problems.count, 0);
	assert_null(conf->openstack.trust_id);
	conf_free(conf);
	conf_problems_done(&problems);
}

static void check_everything_checks(const struct conf_check *kubelet, const struct conf_check *others)
{
	assert_string_equal(kubelet->type, "Kubelet");
	assert_int_equal(kubelet->unhealthy_duration_ms, 2 * MINUTE);
	assert_string_equal(kubelet->protocol, "HTTP");
	assert_int_equal(kubelet->port, 10248);
	assert_int_equal(kubelet->endpoints_count, 1);
	assert_string_equal(kubelet->endpoints[0], "/healthz");
	assert_int_equal(kubelet->ok_codes_count, 1);
	assert_int_equal(kubelet->ok_codes[0], 200);
	assert_int_equal(kubelet->timeout_ms, 500);
	check_ladder(&kubelet->ladder, "replace");
	assert_string_equal(kubelet[1].type, "Kubelet");
	assert_string_equal(kubelet[1].protocol, "TCP");
	assert_string_equal(others[0].type, "NodeLease");
	assert_int_equal(others[0].unhealthy_duration_ms, 0);
	assert_int_equal(others[0].max_age_ms, MINUTE);
	check_ladder(&others[0].ladder, "start, hard-reboot 1m30s");
	assert_string_equal(others[1].type, "CloudServer");
	assert_int_equal(others[1].unhealthy_duration_ms, MINUTE);
	assert_int_equal(others[1].states_count, 2);
	assert_string_equal(others[1].states[0], "ERROR");
	assert_string_equal(others[1].states[1], "GONE");
	check_ladder(&others[1].ladder, "start");
	assert_string_equal(others[2].type, "NeverJoined");
	assert_int_equal(others[2].unhealthy_duration_ms, HOUR);
	check_ladder(&others[2].ladder, "hard-reboot 1h, replace");
}

static void check_everything_policy(const struct policy *policy)
{
	assert_int_equal(policy->needs[ROLE_MASTER], NEEDS_ALL);
	assert_int_equal(policy->needs[ROLE_WORKER], 3);
	assert_int_equal(policy->master_replacement, MASTERS_NEVER);
	check_ladder(&policy->ladders[ROLE_WORKER], "replace 30m");
	check_ladder(&policy->ladders[ROLE_MASTER], "start, reboot, hard-reboot");
	assert_int_equal(policy->max_per_group.value, 1);
	assert_false(policy->max_per_group.is_percent);
	assert_int_equal(policy->max_per_zone.value, 20);
	assert_true(policy->max_per_zone.is_percent);
	assert_int_equal(policy->max_per_host.value, 0);
	assert_int_equal(policy->max_repairs_per_hour, 12);
	assert_int_equal(policy->zone_storm_threshold.value, 3);
	assert_false(policy->zone_storm_threshold.is_percent);
	assert_int_equal(policy->flap_changes, 0);
	assert_int_equal(policy->flap_window_ms, HOUR);
	assert_true(policy->is_cordoned_healed);
	assert_int_equal(policy->mhc_timeout_ms, 0);
}

static void check_everything_lists(const struct config *conf)
{
	const struct conf_check *endpoint = &conf->checks[ROLE_MASTER][0];
	assert_string_equal(endpoint->protocol, "HTTPS");
	assert_int_equal(endpoint->port, 8080);
	assert_int_equal(endpoint->endpoints_count, 2);
	assert_string_equal(endpoint->endpoints[1], "/readyz");
	assert_int_equal(endpoint->ok_codes_count, 2);
	assert_int_equal(endpoint->ok_codes[1], 204);
	assert_true(endpoint->is_token_required);
	assert_string_equal(endpoint->unhealthy_annotation, "example.org/since");
	assert_int_equal(endpoint->timeout_ms, 1500);
	assert_string_equal(endpoint->ca_file, "/etc/kubernetes/ca.crt");
	assert_string_equal(endpoint->server_name, "kubernetes.default.svc");
	check_ladder(&endpoint->ladder, "reboot 3m, hard-reboot, replace 20m");
	const struct conf_check *condition = &conf->checks[ROLE_WORKER][0];
	assert_string_equal(condition->type, "NodeCondition");
	assert_int_equal(condition->types_count, 2);
	assert_int_equal(condition->ok_values_count, 0);
	assert_int_equal(condition->error_values_count, 2);
	assert_string_equal(condition->error_values[0], "Unknown");
	assert_string_equal(condition->error_values[1], "False");
	assert_int_equal(conf->checks[ROLE_WORKER][1].unhealthy_duration_ms, 300 * SEC);
	assert_string_equal(conf->checks[ROLE_WORKER][1].types[0], "Ready");
	assert_string_equal(conf->checks[ROLE_WORKER][1].ok_values[0], "True");
}

static void test_everything(void **state)
{
	(void)state;
	struct config *conf = load_clean("tests/data/conf/everything.yaml");
	const struct policy *policy = &conf->policy;
	assert_true(policy->is_dry_run);
	assert_int_equal(policy->monitor_interval_ms, 90 * SEC);
	assert_false(policy->is_enabled[ROLE_MASTER]);
	assert_true(policy->is_enabled[ROLE_WORKER]);
	assert_false(conf->is_leader_elected);
	assert_int_equal(policy->check_delay_after_add_ms, 0);
	assert_int_equal(policy->rebuild_delay_after_reboot_ms, 150 * SEC);
	assert_string_equal(conf->cloud_provider, "openstack");
	assert_string_equal(conf->kubernetes_api_host, "https://10.0.0.1:6443");
	assert_string_equal(conf->kubernetes_kubeconfig, "/etc/kubernetes/admin.conf");
	check_everything_lists(conf);
	assert_int_equal(conf->kubernetes_api_port, 443);
	assert_int_equal(conf->checks_count[ROLE_WORKER], 7);
	check_everything_checks(&conf->checks[ROLE_WORKER][2], &conf->checks[ROLE_WORKER][4]);
	check_everything_policy(policy);
	assert_string_equal(conf->openstack.os_endpoint_type, "internal");
	assert_false(conf->openstack.is_tls_insecure);
	assert_false(conf->openstack.uses_clouds);
	assert_null(conf->openstack.cloud);
	assert_string_equal(conf->openstack.application_credential_secret, "acs");
	assert_true(policy->max_concurrent_repairs.is_percent);
	assert_int_equal(policy->max_concurrent_repairs.value, 25);
	assert_false(policy->storm_threshold.is_percent);
	assert_int_equal(policy->storm_threshold.value, 7);
	assert_int_equal(policy->storm_cooldown_ms, MINUTE);
	assert_int_equal(policy->probation_ms, 0);
	assert_int_equal(policy->retry_backoff_ms, 30 * SEC);
	assert_int_equal(policy->max_attempts, 3);
	assert_int_equal(policy->worker_replacement, REPLACE_RESIZE);
	conf_free(conf);
}

static void test_defaults(void **state)
{
	(void)state;
	struct conf_problems problems;
	struct config *conf = conf_parse(STR("cluster-name: c\n" OPENSTACK), "f", &problems);
	assert_non_null(conf);
	assert_int_equal(problems.count, 0);
	struct policy expected = policy_default();
	const struct policy *policy = &conf->policy;
	assert_false(policy->is_dry_run);
	assert_true(policy->is_enabled[ROLE_MASTER] && policy->is_enabled[ROLE_WORKER]);
	assert_int_equal(policy->monitor_interval_ms, 60 * SEC);
	assert_int_equal(policy->monitor_interval_ms, expected.monitor_interval_ms);
	assert_int_equal(policy->check_delay_after_add_ms, 10 * MINUTE);
	assert_int_equal(policy->check_delay_after_add_ms, expected.check_delay_after_add_ms);
	assert_int_equal(policy->rebuild_delay_after_reboot_ms, 5 * MINUTE);
	assert_int_equal(policy->rebuild_delay_after_reboot_ms, expected.rebuild_delay_after_reboot_ms);
	assert_int_equal(policy->max_concurrent_repairs.value, expected.max_concurrent_repairs.value);
	assert_int_equal(policy->max_concurrent_repairs.is_percent, expected.max_concurrent_repairs.is_percent);
	assert_int_equal(policy->storm_threshold.value, expected.storm_threshold.value);
	assert_int_equal(policy->storm_threshold.is_percent, expected.storm_threshold.is_percent);
	assert_int_equal(policy->storm_cooldown_ms, expected.storm_cooldown_ms);
	assert_int_equal(policy->probation_ms, expected.probation_ms);
	assert_int_equal(policy->retry_backoff_ms, expected.retry_backoff_ms);
	assert_int_equal(policy->max_attempts, expected.max_attempts);
	assert_int_equal(policy->worker_replacement, expected.worker_replacement);
	assert_memory_equal(policy->ladders, expected.ladders, sizeof expected.ladders);
	check_ladder(&policy->ladders[ROLE_WORKER], "reboot, replace");
	check_ladder(&policy->ladders[ROLE_MASTER], "reboot, hard-reboot, replace");
	assert_memory_equal(policy->needs, expected.needs, sizeof expected.needs);
	assert_int_equal(policy->needs[ROLE_WORKER], 1);
	assert_int_equal(policy->master_replacement, expected.master_replacement);
	assert_int_equal(policy->max_per_group.value + policy->max_per_zone.value + policy->max_per_host.value, 0);
	assert_int_equal(policy->max_repairs_per_hour, expected.max_repairs_per_hour);
	assert_int_equal(policy->zone_storm_threshold.value, expected.zone_storm_threshold.value);
	assert_true(policy->zone_storm_threshold.is_percent);
	assert_int_equal(policy->flap_changes, expected.flap_changes);
	assert_int_equal(policy->flap_window_ms, expected.flap_window_ms);
	assert_int_equal(policy->is_cordoned_healed, expected.is_cordoned_healed);
	assert_int_equal(policy->mhc_timeout_ms, expected.mhc_timeout_ms);
	assert_int_equal(conf->kubernetes_api_port, 6443);
	assert_true(conf->is_leader_elected);
	assert_null(conf->kubernetes_kubeconfig);
	assert_string_equal(conf->path, "f");
	conf_free(conf);
}

static void test_bad_keys(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ C "monitor-intreval: 5s\n",
		  "f:4:1: unknown key \"monitor-intreval\" in the top level; did you mean \"monitor-interval\"?\n" },
		{ C "storm-threshold: 5\n",
		  "f:4:1: unknown key \"storm-threshold\" in the top level; \"storm-threshold\" belongs in policy\n" },
		{ C "authUrl: x\n",
		  "f:4:1: unknown key \"authUrl\" in the top level; \"auth-url\" belongs in openstack\n" },
		{ C "something: [1, {a: b}]\n", "f:4:1: unknown key \"something\" in the top level\n" },
		{ C "monitor-interval: 5s\nmonitorInterval: 6s\n",
		  "f:5:1: duplicate key \"monitorInterval\": it was given in line 4 as \"monitor-interval\"\n" },
		{ C "dry-run: false\ndry-run: false\n",
		  "f:5:1: duplicate key \"dry-run\": it was given in line 4 as \"dry-run\"\n" },
		{ C "policy: {truste-id: x}\n", "f:4:10: unknown key \"truste-id\" in policy\n" },
		{ C "\"a\\x1b[31mb\\nc\": 1\n", "f:4:1: unknown key \"a?[31mb?c\" in the top level\n" },
		{ C "policy: 5\nkubernetes: [a]\n",
		  "f:4:9: policy must be a mapping (lines of \"key: value\")\n"
		  "f:5:13: kubernetes must be a mapping (lines of \"key: value\")\n" },
		{ "- a\n", "f:1:1: the top level must be a mapping (lines of \"key: value\")\n" },
		{ "a: [\n", "f:2:1: did not find expected node content (while parsing a flow node from line 2)\n" },
	};
	check_says(cases, COUNT(cases));
}

static void test_bad_values(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ C "monitor-interval: 30\n", "f:4:19: monitor-interval: \"30\" has no unit; write 30s\n" },
		{ C "monitor-interval: -5s\n", "f:4:19: monitor-interval: \"-5s\" is negative\n" },
		{ C "monitor-interval: soon\n",
		  "f:4:19: monitor-interval: \"soon\" is not a duration such as 90s or 5m\n" },
		{ C "monitor-interval: 0s\n", "f:4:19: monitor-interval: 0s is not between 0.1s and 24h\n" },
		{ C "monitor-interval:\n",
		  "f:4:18: monitor-interval has no value; give it one or leave the line out\n" },
		{ C "monitor-interval: {a: b}\n", "f:4:19: monitor-interval must be a single value\n" },
		{ C "dry-run: maybe\n", "f:4:10: dry-run: \"maybe\" is neither true nor false\n" },
		{ C "cloud-provider: openstak\n",
		  "f:4:17: cloud-provider: there is no \"openstak\"; did you mean \"openstack\"?\n" },
		{ C "cloud-provider: aws\n", "f:4:17: cloud-provider: there is no \"aws\"; there is: openstack\n" },
		{ C "policy:\n  max-concurrent-repairs: 0\n  storm-threshold: 101%\n  max-attempts: 1e3\n"
		    "  worker-replacement: resise\n",
		  "f:5:27: max-concurrent-repairs: 0 is not between 1 and 100000\n"
		  "f:6:20: storm-threshold: \"101%\" is not a percentage between 1% and 100%\n"
		  "f:7:17: max-attempts: \"1e3\" is not a whole number\n"
		  "f:8:23: worker-replacement: there is no \"resise\"; did you mean \"resize\"?\n" },
		{ C "policy: {max-concurrent-repairs: many, storm-threshold: -3, max-attempts: 99999999999}\n",
		  "f:4:34: max-concurrent-repairs: \"many\" is not a number or a percentage such as 3 or 10%\n"
		  "f:4:57: storm-threshold: -3 is not between 1 and 100000\n"
		  "f:4:75: max-attempts: 99999999999 is not between 1 and 100\n" },
		{ OPENSTACK, "f:1:1: cluster-name is missing: the name or UUID of the cluster to heal\n" },
		{ "cluster-name: ''\n" OPENSTACK, "f:1:15: cluster-name is empty\n" },
		{ "cluster-name:\n" OPENSTACK, "f:1:14: cluster-name is empty\n" },
		{ "cluster-name: [c]\n" OPENSTACK, "f:1:15: cluster-name must be a single value\n" },
		{ "cluster-name: |\n  c\n" OPENSTACK,
		  "f:1:15: cluster-name has a line break or another control character in it\n" },
	};
	check_says(cases, COUNT(cases));
}

static void test_bad_checks(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ WORKER "  - type: NodeConditon\n",
		  "f:6:11: type: there is no \"NodeConditon\"; did you mean \"NodeCondition\"?\n" },
		{ WORKER "  - type: Ping\n",
		  "f:6:11: type: there is no \"Ping\"; there is: NodeCondition Endpoint Kubelet NodeLease "
		  "CloudServer NeverJoined\n" },
		{ WORKER "  - params: {}\n", "f:6:5: a check without a type\n" },
		{ WORKER "  - Ready\n", "f:6:5: a check must be a mapping with \"type\" and \"params\"\n" },
		{ WORKER "    type: NodeCondition\n",
		  "f:6:5: healthcheck.worker must be a list of checks (lines of \"- type: ...\")\n" },
		{ WORKER "  - type: NodeCondition\n    types: [Ready]\n",
		  "f:7:5: unknown key \"types\" in a check of healthcheck; did you mean \"type\"? (\"types\" belongs "
		  "in "
		  "the params of a NodeCondition check)\n" },
		{ WORKER "  - type: NodeCondition\n    params: {ok-values: [True], error-values: [False]}\n",
		  "f:7:33: error-values and ok-values exclude each other; keep one of them\n" },
		{ WORKER "  - type: NodeCondition\n    params: {ok-values: [Ture], types: [], okValue: x}\n",
		  "f:7:26: ok-values: \"Ture\" is no status of a condition; there is: True, False, Unknown\n"
		  "f:7:40: types is empty: nothing would be checked\n"
		  "f:7:44: unknown key \"okValue\" in the params of a NodeCondition check; did you mean "
		  "\"ok-values\"?\n" },
		{ WORKER "  - type: NodeCondition\n    params: {types: ['Ready,DiskPressure'], port: 1}\n",
		  "f:7:22: types: \"Ready,DiskPressure\" is no condition type such as Ready\n"
		  "f:7:45: unknown key \"port\" in the params of a NodeCondition check; \"port\" belongs in the params "
		  "of "
		  "an Endpoint check\n" },
		{ MASTER "  - type: Endpoint\n    params: {port: 0, endpoints: [healthz], ok-codes: [99, 200, x], "
			 "protocol: FTP}\n",
		  "f:7:20: port: 0 is not between 1 and 65535\n"
		  "f:7:35: endpoints: \"healthz\" is no path; it must begin with a slash, as \"/healthz\" does, "
		  "without "
		  "spaces\n"
		  "f:7:56: ok-codes: 99 is not between 100 and 599\n"
		  "f:7:65: ok-codes: \"x\" is not a whole number\n"
		  "f:7:79: protocol: there is no \"FTP\"; there is: HTTPS HTTP\n" },
		{ MASTER "  - type: Endpoint\n    params: {port: 70000, endpoints: [[/a]], unhealthy-annotation: ''}\n",
		  "f:7:20: port: 70000 is not between 1 and 65535\n"
		  "f:7:39: endpoints: an item must be a single value\n"
		  "f:7:68: unhealthy-annotation is empty\n" },
	};
	check_says(cases, COUNT(cases));
}

static void test_warnings(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ "cluster-name: c\nopenstack: {auth-url: 'https://k', user-id: u, password: p, project-id: pr}\n",
		  "f:1:1: warning: healthcheck.master has no checks: no master will ever be found unhealthy\n"
		  "f:1:1: warning: healthcheck.worker has no checks: no worker will ever be found unhealthy\n" },
		{ "cluster-name: c\nmaster-monitor-enabled: false\nhealthcheck: {worker: [{type: NodeCondition}]}\n"
		  "openstack: {auth-url: 'https://k', user-id: u, password: p, project-id: pr, tls-insecure: true}\n",
		  "f:4:77: warning: the cloud's certificates are not verified; better give ca-file\n" },
		{ "cluster-name: c\nmaster-monitor-enabled: false\nhealthcheck: {worker: [{type: NodeCondition}]}\n"
		  "openstack: {auth-url: 'https://k', user-id: u, password: p, project-id: pr, cloud: x}\n",
		  "f:4:77: warning: cloud is not used without use-clouds: true\n" },
		{ WORKER "  - type: Endpoint\n    params: {token: x}\n",
		  "f:7:14: warning: token is not used without require-token: true\n" },
	};
	check_says(cases, COUNT(cases));
}

/* The table is in step with itself: types and their sections, limits of a role's checks, room for the longest key. */
static void test_schema(void **state)
{
	(void)state;
	const struct schema_key *type = schema_find(SECTION_CHECK, "type");
	enum section section = SECTION_TOP;
	size_t types = 0;
	for (int i = 0; i < SECTIONS_COUNT; i++) {
		char word[NORMAL_BYTES];
		const char *name = section_check_type((enum section)i);
		if (name[0] == '\0')
			continue;
		types++;
		assert_int_not_equal(schema_choice(type->choices, name, word), -1);
		assert_string_equal(word, name);
		assert_true(section_of_check(name, &section));
		assert_int_equal(section, i);
		assert_non_null(schema_find(section, "unhealthy-duration"));
		assert_non_null(schema_find(section, "ladder"));
	}
	assert_int_equal(types, 6);
	assert_false(section_of_check("", &section));
	assert_false(section_of_check("Ping", &section));
	for (size_t i = 0; i < schema_keys_count(); i++)
		assert_true(strlen(schema_keys()[i].name) + 4 < NORMAL_BYTES);
}

/* The examples of the manual are right. */
static void test_manual_examples(void **state)
{
	(void)state;
	struct buf manual;
	struct err err = { 0 };
	buf_init(&manual, 100000);
	assert_true(read_source(NULL, "docs/configuration.md", &manual, &err));
	size_t count = 0;
	for (const char *at = buf_cstr(&manual); (at = strstr(at, "```yaml\n")) != NULL; count++) {
		struct buf text;
		at += strlen("```yaml\n");
		const char *end = strstr(at, "```");
		assert_non_null(end);
		buf_init(&text, 10000);
		assert_true(buf_add(&text, at, (size_t)(end - at)));
		if (strstr(buf_cstr(&text), "cluster-name:") == NULL)
			assert_true(buf_text(&text, "cluster-name: c\nmaster-monitor-enabled: false\n"
						    "worker-monitor-enabled: false\nopenstack: {use-clouds: true}\n"));
		check_says(&(struct bad){ buf_cstr(&text), "" }, 1);
		buf_done(&text);
		at = end + 3;
	}
	assert_int_equal(count, 3);
	buf_done(&manual);
}

/* What is written into the openstack section, and what is said of it. */
static void test_credentials(void **state)
{
	(void)state;
	static const struct bad cases[] = {
		{ "auth-url: https://k, user-id: u, password: p, project-id: x", "" },
		{ "auth-url: https://k, user-id: u, password: p, trust-id: x", "" },
		{ "auth-url: https://k, username: u, user-domain-name: d, password: p, project-id: x", "" },
		{ "auth-url: https://k, username: u, domain-name: d, password: p, project-name: x", "" },
		{ "auth-url: https://k, trustee-id: u, trustee-password: p, trust-id: x", "" },
		{ "auth-url: https://k, application-credential-id: u, application-credential-secret: p", "" },
		{ "auth-url: https://k, application-credential-name: n, application-credential-secret: p, user-id: u",
		  "" },
		{ "auth-url: https://k, token: t, project-id: x", "" },
		{ "use-clouds: true", "" },
		{ "user-id: u, password: p, project-id: x", "auth-url is missing: the address of Keystone" },
		{ "auth-url: https://k",
		  "credentials are missing: user-id (or username and its domain) and password, or "
		  "application-credential-id and -secret, or token" },
		{ "auth-url: https://k, user-id: u, project-id: x", "password is missing" },
		{ "auth-url: https://k, user-id: u, password: '', project-id: x", "password is missing" },
		{ "auth-url: https://k, username: u, password: p, project-id: x",
		  "the user's domain is missing: user-domain-name or user-domain-id" },
		{ "auth-url: https://k, user-id: u, password: p",
		  "the project is missing: project-id, project-name or trust-id" },
		{ "auth-url: https://k, user-id: u, password: p, project-name: x",
		  "the project's domain is missing: project-domain-name or project-domain-id" },
		{ "auth-url: https://k, application-credential-id: u", "application-credential-secret is missing" },
		{ "auth-url: https://k, application-credential-secret: u", "application-credential-id is missing" },
		{ "auth-url: https://k, application-credential-name: n, application-credential-secret: p",
		  "application-credential-name needs its user: user-id, or username and its domain" },
		{ "auth-url: https://k, trustee-id: u, trustee-password: p",
		  "trust-id is missing: a trustee acts by a trust" },
		{ "auth-url: https://k, trustee-id: u, trust-id: p", "trustee-password is missing" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[400];
		char says[400] = "";
		(void)snprintf(text, sizeof text,
			       "cluster-name: c\nhealthcheck: {master: [{type: NodeCondition}], worker: [{type: "
			       "NodeCondition}]}\nopenstack: {%s}\n",
			       cases[i].text);
		if (cases[i].says[0] != '\0')
			(void)snprintf(says, sizeof says, "f:3:1: openstack: %s\n", cases[i].says);
		check_says(&(struct bad){ text, says }, 1);
	}
}

static void test_bad_openstack(void **state)
{
	(void)state;
#define OS(keys)                                                                                                       \
	"cluster-name: c\nhealthcheck: {master: [{type: NodeCondition}], worker: [{type: "                             \
	"NodeCondition}]}\nopenstack: {" keys "}\n"
	static const struct bad cases[] = {
		{ OS("auth-url: keystone"), "f:3:23: auth-url: \"keystone\" is not a URL such as "
					    "https://keystone.example:5000/v3\n" },
		{ OS("auth-url: 'https://u:secret@k/v3'"),
		  "f:3:23: auth-url has a user in it; write user and password as keys of their own\n" },
		{ OS("password: [secret]"), "f:3:23: password must be a single value\n" },
		{ OS("use-clouds: true, cert-file: x"), "f:3:31: cert-file and key-file go together\n" },
		{ OS("use-clouds: true, os-endpoint-type: interal"),
		  "f:3:49: os-endpoint-type: there is no \"interal\"; did you mean \"internal\"?\n" },
		{ OS("use-clouds: true, trusteid: x"),
		  "f:3:31: unknown key \"trusteid\" in openstack; did you mean \"trust-id\" or \"trustee-id\"?\n" },
		{ "cluster-name: c\nhealthcheck: {master: [{type: NodeCondition}], worker: [{type: NodeCondition}]}\n",
		  "f:1:1: openstack: auth-url is missing: the address of Keystone\n" },
	};
	check_says(cases, COUNT(cases));
}

static void test_unreadable(void **state)
{
	(void)state;
	struct conf_problems problems;
	struct buf out;
	assert_null(conf_load(&source, "no/such/file", &problems));
	print(&problems, &out);
	assert_string_equal(buf_cstr(&out), "f: no/such/file: no such file\n");
	assert_int_equal(problems.errors_count, 1);
	conf_problems_done(&problems);
	buf_done(&out);
}

/* More problems than are listed are still counted. */
static void test_many_problems(void **state)
{
	(void)state;
	struct buf text;
	struct conf_problems problems;
	buf_init(&text, 100000);
	for (int i = 0; i < CONF_PROBLEMS_MAX + 100; i++)
		assert_true(buf_printf(&text, "qqqqqqqq%d: 1\n", i));
	assert_null(conf_parse(buf_str(&text), "f", &problems));
	assert_int_equal(problems.count, CONF_PROBLEMS_MAX);
	assert_true(problems.errors_count >= CONF_PROBLEMS_MAX + 100);
	conf_problems_done(&problems);
	buf_done(&text);
}

/* The manual has each key in a line of its section's table, with its default. */
static void test_manual(void **state)
{
	(void)state;
	struct buf manual;
	struct err err = { 0 };
	buf_init(&manual, 100000);
	assert_true(read_source(NULL, "docs/configuration.md", &manual, &err));
	for (size_t i = 0; i < schema_keys_count(); i++) {
		const struct schema_key *key = &schema_keys()[i];
		char row[200];
		char heading[100];
		(void)snprintf(heading, sizeof heading, "\n## %s\n", section_name(key->section));
		if (key->initial[0] != '\0')
			(void)snprintf(row, sizeof row, "\n| `%s` | `%s` |", key->name, key->initial);
		else
			(void)snprintf(row, sizeof row, "\n| `%s` |", key->name);
		const char *section = strstr(buf_cstr(&manual), heading);
		const char *end = section != NULL ? strstr(section + 2, "\n## ") : NULL;
		const char *at = section != NULL ? strstr(section, row) : NULL;
		if (at == NULL || (end != NULL && at > end))
			fail_msg("the manual lacks, under %s: %s", heading, row);
	}
	buf_done(&manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_announcement),  cmocka_unit_test(test_magnum),
		cmocka_unit_test(test_empty_trust),   cmocka_unit_test(test_everything),
		cmocka_unit_test(test_defaults),      cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_bad_values),    cmocka_unit_test(test_bad_checks),
		cmocka_unit_test(test_warnings),      cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_bad_openstack), cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_many_problems), cmocka_unit_test(test_manual),
		cmocka_unit_test(test_schema),        cmocka_unit_test(test_manual_examples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
