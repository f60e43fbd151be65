/* Rounds of questions, answered from tables: what ends in a complete view, and what must fail. */
#include "base/jsonx.h"
#include "cloud/openstack/heat.h"
#include "cloud/openstack/magnum.h"
#include "cloud/openstack/nova.h"
#include "cloud/provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STACK_ID "59aaea0f-99f7-40c6-a254-96284ec4d53a"
#define CLUSTER(stack, labels)                                                                                         \
	"{\"uuid\":\"d85587ea-1\",\"name\":\"k8s\",\"status\":\"UPDATE_FAILED\",\"master_count\":3,\"stack_"           \
	"id\":" stack ",\"labels\":" labels "}"
#define HEALING "{\"auto_healing_enabled\":\"true\"}"
#define GROUPS                                                                                                         \
	"{\"nodegroups\":[{\"uuid\":\"g1\",\"name\":\"default-worker\",\"role\":\"worker\",\"node_count\":3,"          \
	"\"status\":"                                                                                                  \
	"\"UPDATE_COMPLETE\",\"stack_id\":\"" STACK_ID                                                                 \
	"\"},{\"uuid\":\"g2\",\"name\":\"default-master\",\"role\":\"master\","                                        \
	"\"node_count\":1,\"status\":\"UPDATE_COMPLETE\",\"stack_id\":null}]}"
#define STACK "{\"stack\":{\"stack_name\":\"k8s-abc\",\"stack_status\":\"UPDATE_COMPLETE\"}}"
#define WHERE "http://h/heat/v1/p/stacks/k8s-abc/" STACK_ID
#define SRV(id, name) "{\"id\":\"" id "\",\"name\":\"" name "\",\"status\":\"ACTIVE\"}"
#define NEXT "\"servers_links\":[{\"rel\":\"next\",\"href\":\"http://x\"}]"

struct exchange {
	const char *path;
	int status;
	const char *json;
	const char *location;
	enum err_code why;
};
#define EXCHANGES_MAX 8
struct round_case {
	const char *what;
	struct exchange exchanges[EXCHANGES_MAX];
	const char *error; /* NULL: done */
	size_t machines;
	const char *stack_status;
};

#define ASK_CLUSTER(json)                                                                                              \
	{                                                                                                              \
		"/clusters/my%20k8s", 200, json                                                                        \
	}
#define ASK_GROUPS                                                                                                     \
	{                                                                                                              \
		"/clusters/d85587ea-1/nodegroups", 200, GROUPS                                                         \
	}
#define ASK_STACK                                                                                                      \
	{                                                                                                              \
		"/stacks/" STACK_ID "?resolve_outputs=false", 302, "{}", WHERE "?resolve_outputs=false"                \
	}
#define ASK_NAMED                                                                                                      \
	{                                                                                                              \
		"/stacks/k8s-abc/" STACK_ID "?resolve_outputs=false", 200, STACK                                       \
	}
#define ASK_SERVERS(json)                                                                                              \
	{                                                                                                              \
		"/servers/detail?limit=1000", 200, json                                                                \
	}
#define TO_GROUPS ASK_CLUSTER(CLUSTER("\"" STACK_ID "\"", HEALING)), ASK_GROUPS
#define TO_SERVERS TO_GROUPS, ASK_STACK, ASK_NAMED

static const struct round_case rounds[] = {
	{ "all well",
	  { TO_SERVERS, ASK_SERVERS("{\"servers\":[" SRV("b", "n2") "," SRV("a", "n1") "]}") },
	  NULL,
	  2,
	  "UPDATE_COMPLETE" },
	{ "no servers", { TO_SERVERS, ASK_SERVERS("{\"servers\":[]}") }, NULL, 0, "UPDATE_COMPLETE" },
	{ "two pages, one server on both",
	  { TO_SERVERS,
	    ASK_SERVERS("{\"servers\":[" SRV("b", "n2") "," SRV("c", "n3") "]," NEXT "}"),
	    { "/servers/detail?limit=1000&marker=c", 200, "{\"servers\":[" SRV("b", "n2") "," SRV("a", "n1") "]}" } },
	  NULL,
	  3,
	  "UPDATE_COMPLETE" },
	{ "the second page fails",
	  { TO_SERVERS,
	    ASK_SERVERS("{\"servers\":[" SRV("b", "n2") "]," NEXT "}"),
	    { "/servers/detail?limit=1000&marker=b", 500, NULL } },
	  "listing the servers: HTTP 500",
	  0,
	  "" },
	{ "pages without end",
	  { TO_SERVERS,
	    ASK_SERVERS("{\"servers\":[" SRV("b", "n2") "]," NEXT "}"),
	    { "/servers/detail?limit=1000&marker=b", 200, "{\"servers\":[" SRV("b", "n2") "]," NEXT "}" } },
	  "does not end",
	  0,
	  "" },
	{ "an empty page that promises more",
	  { TO_SERVERS, ASK_SERVERS("{\"servers\":[]," NEXT "}") },
	  "does not end",
	  0,
	  "" },
	{ "a server without an id",
	  { TO_SERVERS, ASK_SERVERS("{\"servers\":[{\"status\":\"ACTIVE\"}]}") },
	  "no usable id",
	  0,
	  "" },
	{ "a listing that is none", { TO_SERVERS, ASK_SERVERS("{\"servers\":null}") }, "not one", 0, "" },
	{ "a cut listing", { TO_SERVERS, { "/servers/detail?limit=1000", 200, NULL } }, "not JSON", 0, "" },
	{ "203 is not 200",
	  { TO_SERVERS, { "/servers/detail?limit=1000", 203, "{\"servers\":[]}" } },
	  "HTTP 203",
	  0,
	  "" },
	{ "no answer",
	  { TO_SERVERS, { "/servers/detail?limit=1000", 0, NULL, NULL, ERR_TIMEOUT } },
	  "listing the servers: why",
	  0,
	  "" },
	{ "no Heat in this cloud",
	  { TO_GROUPS,
	    { "/stacks/" STACK_ID "?resolve_outputs=false", 0, NULL, NULL, ERR_GONE },
	    ASK_SERVERS("{\"servers\":[]}") },
	  NULL,
	  0,
	  "" },
	{ "Heat does not answer",
	  { TO_GROUPS, { "/stacks/" STACK_ID "?resolve_outputs=false", 0, NULL, NULL, ERR_TIMEOUT } },
	  "stack: why",
	  0,
	  "" },
	{ "Heat fails", { TO_GROUPS, { "/stacks/" STACK_ID "?resolve_outputs=false", 503, NULL } }, "busy", 0, "" },
	{ "Heat redirects to nowhere",
	  { TO_GROUPS, { "/stacks/" STACK_ID "?resolve_outputs=false", 302, NULL, "http://h/x" } },
	  "HTTP 302",
	  0,
	  "" },
	{ "Heat redirects twice",
	  { TO_GROUPS, ASK_STACK, { "/stacks/k8s-abc/" STACK_ID "?resolve_outputs=false", 302, NULL, WHERE } },
	  "HTTP 302",
	  0,
	  "" },
	{ "no such stack",
	  { TO_GROUPS, { "/stacks/" STACK_ID "?resolve_outputs=false", 404, NULL }, ASK_SERVERS("{\"servers\":[]}") },
	  NULL,
	  0,
	  "" },
	{ "a stack without a status",
	  { TO_GROUPS, ASK_STACK, { "/stacks/k8s-abc/" STACK_ID "?resolve_outputs=false", 200, "{}" } },
	  "no usable name",
	  0,
	  "" },
	{ "a Cluster API driver",
	  { ASK_CLUSTER(CLUSTER("\"kube-abcde\"", HEALING)), ASK_GROUPS, ASK_SERVERS("{\"servers\":[]}") },
	  NULL,
	  0,
	  "" },
	{ "an old Magnum without node groups",
	  { ASK_CLUSTER(CLUSTER("null", HEALING)),
	    { "/clusters/d85587ea-1/nodegroups", 406, NULL },
	    ASK_SERVERS("{\"servers\":[]}") },
	  NULL,
	  0,
	  "" },
	{ "node groups fail",
	  { ASK_CLUSTER(CLUSTER("null", HEALING)), { "/clusters/d85587ea-1/nodegroups", 500, NULL } },
	  "node groups",
	  0,
	  "" },
	{ "node groups are none",
	  { ASK_CLUSTER(CLUSTER("null", HEALING)), { "/clusters/d85587ea-1/nodegroups", 200, "{}" } },
	  "not one",
	  0,
	  "" },
	{ "no such cluster",
	  { { "/clusters/my%20k8s", 404, "{}" } },
	  "reading the cluster \"my k8s\" from Magnum: HTTP 404",
	  0,
	  "" },
	{ "not permitted", { { "/clusters/my%20k8s", 403, "{}" } }, "not permitted", 0, "" },
	{ "a cluster without uuid", { { "/clusters/my%20k8s", 200, "{\"status\":\"X\"}" } }, "no usable uuid", 0, "" },
	{ "a list in place of the cluster", { { "/clusters/my%20k8s", 200, "[1]" } }, "no usable uuid", 0, "" },
};

static struct arena arena;

/* Plays the exchanges; the observer after it. */
static enum observe play(struct observer *o, const struct round_case *c, struct err *err)
{
	for (size_t i = 0;; i++) {
		struct ask ask = { 0 };
		enum observe what = provider_openstack.observer_next(o, &arena, &ask, err);
		if (what != OBSERVE_ASK) {
			if (i < EXCHANGES_MAX && c->exchanges[i].path != NULL)
				fail_msg("%s: over before %s", c->what, c->exchanges[i].path);
			return what;
		}
		if (i == EXCHANGES_MAX || !text_eq(ask.path, c->exchanges[i].path))
			fail_msg("%s: asks %s", c->what, ask.path);
		assert_false(ask.is_act);
		json_t *json = c->exchanges[i].json != NULL ? json_loads(c->exchanges[i].json, 0, NULL) : NULL;
		struct answer answer = { .status = c->exchanges[i].status,
					 .json = json,
					 .location = c->exchanges[i].location != NULL ? c->exchanges[i].location : "",
					 .why = { c->exchanges[i].why, "why" } };
		provider_openstack.observer_hear(o, &answer);
		json_decref(json);
	}
}

static void test_rounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rounds); i++) {
		const struct round_case *c = &rounds[i];
		struct err err = { 0 };
		struct observer *o = provider_openstack.observer_new("my k8s", (struct mono){ 77 });
		print_message("# %s\n", c->what);
		enum observe end = play(o, c, &err);
		if (c->error != NULL) {
			assert_int_equal(end, OBSERVE_FAILED);
			assert_int_not_equal(err.code, ERR_NONE);
			if (strstr(err.text, c->error) == NULL)
				fail_msg("%s: %s", c->what, err.text);
		} else {
			struct cluster_view view;
			struct machine *machines;
			size_t count;
			assert_int_equal(end, OBSERVE_DONE);
			provider_openstack.observer_take(o, &view, &machines, &count);
			assert_int_equal(count, c->machines);
			assert_true(view.is_known);
			assert_int_equal(view.at.ms, 77);
			assert_string_equal(view.stack_status, c->stack_status);
			for (size_t k = 1; k < count; k++)
				assert_true(strcmp(machines[k - 1].id, machines[k].id) < 0);
			free(machines);
		}
		provider_openstack.observer_free(o);
	}
	provider_openstack.observer_free(NULL);
}

static void test_view(void **state)
{
	(void)state;
	struct observer *o = provider_openstack.observer_new("my k8s", (struct mono){ 1 });
	struct cluster_view view;
	struct machine *machines;
	size_t count;
	assert_int_equal(play(o, &rounds[0], NULL), OBSERVE_DONE);
	provider_openstack.observer_take(o, &view, &machines, &count);
	assert_string_equal(view.id, "d85587ea-1");
	assert_string_equal(view.name, "k8s");
	assert_string_equal(view.stack_id, STACK_ID);
	assert_string_equal(view.stack_name, "k8s-abc");
	assert_string_equal(view.status, "UPDATE_FAILED");
	assert_true(view.has_healing_label && view.is_healing_enabled);
	assert_true(cluster_is_settled(&view));
	assert_int_equal(view.masters_count, 3);
	assert_false(view.has_etcd_volume);
	assert_int_equal(view.groups_count, 2);
	assert_string_equal(cluster_group(&view, "default-worker")->stack_id, STACK_ID);
	assert_int_equal(cluster_group(&view, "g1")->node_count, 3);
	assert_int_equal(cluster_group(&view, "default-master")->role, ROLE_MASTER);
	assert_string_equal(cluster_group(&view, "default-master")->stack_id, "");
	free(machines);
	provider_openstack.observer_free(o);
}

static void test_label(void **state)
{
	(void)state;
	static const struct {
		const char *cluster;
		bool has, is_enabled;
	} cases[] = {
		{ CLUSTER("null", HEALING), true, true },
		{ CLUSTER("null", "{\"auto_healing_enabled\":\"True\"}"), true, true },
		{ CLUSTER("null", "{\"auto_healing_enabled\":\"false\"}"), true, false },
		{ CLUSTER("null", "{\"auto_healing_enabled\":\"yes\"}"), true, false },
		{ CLUSTER("null", "{}"), false, false },
		{ CLUSTER("null", "null"), false, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct round_case c = { "label",
					{ ASK_CLUSTER(cases[i].cluster), ASK_GROUPS, ASK_SERVERS("{\"servers\":[]}") },
					NULL,
					0,
					"" };
		struct observer *o = provider_openstack.observer_new("my k8s", (struct mono){ 1 });
		struct cluster_view view;
		struct machine *machines;
		size_t count;
		assert_int_equal(play(o, &c, NULL), OBSERVE_DONE);
		provider_openstack.observer_take(o, &view, &machines, &count);
		assert_int_equal(view.has_healing_label, cases[i].has);
		assert_int_equal(view.is_healing_enabled, cases[i].is_enabled);
		free(machines);
		provider_openstack.observer_free(o);
	}
}

/* Whether a replaced master would come back with its data: only a plain number above 0 says so. */
static void test_masters(void **state)
{
	(void)state;
	static const struct {
		const char *cluster;
		int masters;
		bool has_etcd_volume;
	} cases[] = {
		{ "\"master_count\":3,\"labels\":{\"etcd_volume_size\":\"10\"}", 3, true },
		{ "\"master_count\":1,\"labels\":{\"etcd_volume_size\":10}", 1, true },
		{ "\"master_count\":5,\"labels\":{\"etcd_volume_size\":\"0\"}", 5, false },
		{ "\"master_count\":5,\"labels\":{\"etcd_volume_size\":\"00\"}", 5, false },
		{ "\"master_count\":5,\"labels\":{\"etcd_volume_size\":\"\"}", 5, false },
		{ "\"master_count\":5,\"labels\":{\"etcd_volume_size\":\"-1\"}", 5, false },
		{ "\"master_count\":5,\"labels\":{\"etcd_volume_size\":\"10 GB\"}", 5, false },
		{ "\"master_count\":5,\"labels\":{\"etcd_volume_size\":0}", 5, false },
		{ "\"master_count\":5,\"labels\":{\"etcd_volume_size\":true}", 5, false },
		{ "\"master_count\":5,\"labels\":{}", 5, false },
		{ "\"master_count\":\"3\",\"labels\":[]", 0, false },
		{ "\"master_count\":-3", 0, false },
		{ "\"master_count\":4294967297", 0, false },
		{ "\"master_count\":null", 0, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cluster_view view = { 0 };
		char text[300];
		(void)snprintf(text, sizeof text,
			       "{\"uuid\":\"u\",\"status\":\"CREATE_COMPLETE\",\"stack_id\":\"s\",%s}",
			       cases[i].cluster);
		json_t *json = json_loads(text, 0, NULL);
		assert_non_null(json);
		print_message("# %s\n", cases[i].cluster);
		assert_true(magnum_cluster_read(json, &view, NULL));
		assert_int_equal(view.masters_count, cases[i].masters);
		assert_int_equal(view.has_etcd_volume, cases[i].has_etcd_volume);
		json_decref(json);
	}
}

/* Where it runs, and whether Masakari looks after it too; booted from a volume or not. */
static void test_machine_host(void **state)
{
	(void)state;
	static const struct {
		const char *more, *host_id;
		bool has_ha;
	} cases[] = {
		{ "", "", false },
		{ ",\"image\":\"\",\"hostId\":\"6e84af987b4e7ec1c039b16d21f508f4a505672bd94fb0218b668d07\"",
		  "6e84af987b4e7ec1c039b16d21f508f4a505672bd94fb0218b668d07", false },
		{ ",\"image\":{\"id\":\"i\"},\"hostId\":\"\",\"metadata\":{\"HA_Enabled\":\"True\"}", "", true },
		{ ",\"hostId\":null,\"metadata\":{\"HA_Enabled\":\"true\"}", "", true },
		{ ",\"hostId\":7,\"metadata\":{\"HA_Enabled\":\"YES\"}", "", true },
		{ ",\"metadata\":{\"HA_Enabled\":\"1\"}", "", true },
		{ ",\"metadata\":{\"HA_Enabled\":\"False\"}", "", false },
		{ ",\"metadata\":{\"HA_Enabled\":\"\"}", "", false },
		{ ",\"metadata\":{\"HA_Enabled\":true}", "", false }, /* metadata are texts */
		{ ",\"metadata\":[\"HA_Enabled\"]", "", false },
		{ ",\"hostId\":\"0123456789012345678901234567890123456789012345678901234567890123\"", "", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[300];
		struct machine m;
		(void)snprintf(text, sizeof text, "{\"id\":\"a\",\"status\":\"ACTIVE\"%s}", cases[i].more);
		json_t *json = json_loads(text, 0, NULL);
		assert_non_null(json);
		print_message("# %s\n", text);
		assert_true(nova_machine(json, &m));
		assert_string_equal(m.host_id, cases[i].host_id);
		assert_int_equal(m.has_ha, cases[i].has_ha);
		json_decref(json);
	}
}

/* Who changed last whether the guest runs. */
static void test_newest_power(void **state)
{
	(void)state;
	struct power_act act = { .action = "?" };
	json_t *json = json_loads(
		"{\"instanceActions\":[{\"action\":\"attach_volume\",\"start_time\":\"2026-11-22T19:00:00\"},"
		"{\"action\":\"stop\",\"user_id\":\"ann\",\"start_time\":\"2026-11-22T18:00:00.5\"},"
		"{\"action\":\"create\",\"user_id\":\"bob\",\"start_time\":\"2026-11-22T10:00:00.0\"},"
		"{\"action\":7},{\"action\":\"start\",\"start_time\":\"then\"},null]}",
		0, NULL);
	assert_non_null(json);
	assert_true(nova_newest_power(json, &act));
	assert_string_equal(act.action, "stop");
	assert_string_equal(act.user, "ann");
	assert_string_equal(act.at, "2026-11-22T18:00:00.5");
	(void)json_array_clear(json_object_get(json, "instanceActions"));
	assert_true(nova_newest_power(json, &act));
	assert_string_equal(act.action, "");
	json_decref(json);
	assert_false(nova_newest_power(NULL, &act));
}

static void test_machine(void **state)
{
	(void)state;
	static const char full[] =
		"{\"id\":\"eed3\",\"name\":\"n\",\"status\":\"ERROR\",\"addresses\":{\"a\":[{\"addr\":\"10.0.0.65\","
		"\"OS-EXT-IPS:type\":"
		"\"fixed\"},{\"addr\":\"172.24.4.5\",\"OS-EXT-IPS:type\":\"floating\"}],\"b\":[{\"addr\":\"fd00::1\"}],"
		"\"c\":7},"
		"\"OS-EXT-STS:task_state\":\"powering-off\",\"OS-EXT-STS:power_state\":4,\"locked\":true,"
		"\"created\":\"2026-11-22T16:06:41Z\",\"fault\":{\"message\":\"No valid host\"}}";
	json_t *json = json_loads(full, 0, NULL);
	struct machine m;
	assert_true(nova_machine(json, &m));
	assert_string_equal(m.addresses[0], "10.0.0.65");
	assert_string_equal(m.addresses[1], "fd00::1");
	assert_string_equal(m.addresses[2], "");
	assert_string_equal(m.task_state, "powering-off");
	assert_int_equal(m.power_state, 4);
	assert_true(m.is_locked);
	assert_int_equal(m.created.ms, INT64_C(1795363601) * 1000);
	assert_string_equal(m.fault, "No valid host");
	/* A long fault is cut between two characters, a task that does not fit is still a task. */
	char text[400];
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	memcpy(text + 118, "\xc3\xa9", 2);
	(void)json_object_set_new(json_object_get(json, "fault"), "message", json_string(text));
	(void)json_object_set_new(json, "OS-EXT-STS:task_state", json_string(text));
	assert_true(nova_machine(json, &m));
	assert_int_equal(strlen(m.fault), 118);
	assert_string_equal(m.task_state, "?");
	(void)json_object_set_new(json, "status", json_null());
	assert_false(nova_machine(json, &m));
	json_decref(json);
	assert_false(nova_machine(NULL, &m));
}

static void test_tail(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "http://h:8004/v1/p/stacks/n/id", "n/id" },
		{ "https://h/heat-api/v1/p/stacks/stacks/id/resources/r?x=/stacks/y", "stacks/id/resources/r" },
		{ "/v1/p/stacks/n/id", "n/id" },
		{ "http://stacks/x", NULL },
		{ "http://h/stacks/", NULL },
		{ "http://h/stacks//x", NULL },
		{ "http://h/stacks/a//x", NULL },
		{ "http://h/stacks/a/../../x", NULL },
		{ "http://h/stacks/a/", NULL },
		{ "http://h/stacks/a b", NULL },
		{ "http://h/stacks/0123456789012345678901234567890123456789", NULL },
		{ "", NULL },
		{ NULL, NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[32];
		bool is_found = heat_tail(cases[i][0], out, sizeof out);
		if (!text_eq(is_found ? out : NULL, cases[i][1]))
			fail_msg("%s gives %s", cases[i][0] != NULL ? cases[i][0] : "NULL", out);
	}
}

static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int index;
		size_t prefix;
	} cases[] = {
		{ "k8s-abc-node-12", 12, 13 }, { "n0", 0, 1 }, { "node-", -1, 9 }, { "7", -1, 9 }, { "", -1, 9 },
		{ "n-123456789", -1, 9 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t prefix = 9;
		assert_int_equal(nova_name_index(cases[i].name, &prefix), cases[i].index);
		assert_int_equal(prefix, cases[i].prefix);
	}
	struct ask ask;
	nova_servers_named(&arena, "a.b-node-", &ask);
	assert_string_equal(ask.path, "/servers/detail?limit=1000&name=%5Ea%5C.b-node-%5B0-9%5D%2B%24");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds),       cmocka_unit_test(test_view),
		cmocka_unit_test(test_label),        cmocka_unit_test(test_masters),
		cmocka_unit_test(test_machine_host), cmocka_unit_test(test_newest_power),
		cmocka_unit_test(test_machine),      cmocka_unit_test(test_tail),
		cmocka_unit_test(test_names),
	};
	arena_init(&arena);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_done(&arena);
	return failed;
}
