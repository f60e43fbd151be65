/* Every step of every recipe: what it asks, and what it makes of each answer. No runner here: tables of answers. */
#include "base/jsonx.h"
#include "cloud/node_steps.h"
#include "cloud/openstack/recipes_heat.h"
#include "cloud/openstack/recipes_master.h"
#include "cloud/provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SRV "535af63d-0000-4000-8000-000000000001"
#define NEW "77777777-0000-4000-8000-000000000002"
#define CL "d85587ea-0000-4000-8000-00000000000c"
#define STACK_ID "59aaea0f-99f7-40c6-a254-96284ec4d53a"
#define STACK "k8s-abc/" STACK_ID
#define RES "k8s-abc-kube_minions-x-1-y/0aee8b7b/resources/kube-minion"
#define ROOT "k8s-abc-kube_minions-x-1-y/0aee8b7b/resources/kube_node_volume"

static struct arena arena;
static struct rng rng = { 1 };

static struct op_facts facts_of_worker(void)
{
	struct op_facts f = { .is_worker = true, .count = 3, .newest = 2 };
	(void)(TEXT_COPY(f.node, "k8s-abc-node-1") && TEXT_COPY(f.node_uid, "uid-1") &&
	       TEXT_COPY(f.boot_id, "boot-1") && TEXT_COPY(f.machine_id, "535af63d000040008000000000000001") &&
	       TEXT_COPY(f.server, SRV) && TEXT_COPY(f.server_name, "k8s-abc-node-1") && TEXT_COPY(f.cluster, CL) &&
	       TEXT_COPY(f.group, "default-worker") && TEXT_COPY(f.stack, STACK) && TEXT_COPY(f.resource, RES) &&
	       TEXT_COPY(f.new_server, NEW) && TEXT_COPY(f.volume, "vol-2") && TEXT_COPY(f.case_id, "case-7") &&
	       TEXT_COPY(f.node_version, "41") && TEXT_COPY(f.root_volume, ROOT));
	return f;
}

static struct op op_at(const struct recipe *recipe, const char *step)
{
	struct op op = { .recipe = recipe, .facts = facts_of_worker() };
	for (op.at = 0; op.at < recipe->steps_count; op.at++) {
		if (strcmp(recipe->steps[op.at].name, step) == 0)
			return op;
	}
	fail_msg("recipe %s has no step %s", recipe->name, step);
	return op;
}

/* ---- asks ------------------------------------------------------------------------------------------------------ */

struct ask_case {
	const struct recipe *recipe;
	const char *step;
	enum ask_kind kind;
	const char *method, *path, *body;
	bool is_act;
};

#define NODE_PATH "/api/v1/nodes/k8s-abc-node-1"
#define CORDON_ASKS(r)                                                                                                 \
	{ r, "look-node", ASK_NODE, NULL, NULL, NULL, false },                                                         \
		{ r,                                                                                                   \
		  "cordon",                                                                                            \
		  ASK_KUBE,                                                                                            \
		  "PATCH",                                                                                             \
		  NODE_PATH "?fieldManager=magnum-auto-healer",                                                        \
		  "{\"metadata\":{\"uid\":\"uid-1\",\"resourceVersion\":\"41\",\"annotations\":{\"autohealing."        \
		  "openstack.org/"                                                                                     \
		  "cordoned\":\"case-7\"}},"                                                                           \
		  "\"spec\":{\"unschedulable\":true}}",                                                                \
		  true },                                                                                              \
	{                                                                                                              \
		r, "cordoned", ASK_NOTHING, NULL, NULL, NULL, false                                                    \
	}
#define UNCORDON_ASKS(r)                                                                                               \
	{ r, "look-cordon", ASK_NODE, NULL, NULL, NULL, false },                                                       \
		{ r,                                                                                                   \
		  "uncordon",                                                                                          \
		  ASK_KUBE,                                                                                            \
		  "PATCH",                                                                                             \
		  NODE_PATH "?fieldManager=magnum-auto-healer",                                                        \
		  "{\"metadata\":{\"uid\":\"uid-1\",\"annotations\":{\"autohealing.openstack.org/cordoned\":null}},"   \
		  "\"spec\":{\"unschedulable\":null}}",                                                                \
		  true },                                                                                              \
	{                                                                                                              \
		r, "done", ASK_NOTHING, NULL, NULL, NULL, false                                                        \
	}
#define GET(r, step, path)                                                                                             \
	{                                                                                                              \
		r, step, ASK_CLOUD, "GET", path, NULL, false                                                           \
	}
#define ACT(r, step, method, path, body)                                                                               \
	{                                                                                                              \
		r, step, ASK_CLOUD, method, path, body, true                                                           \
	}
#define SERVER "/servers/" SRV
#define STACK_PATH "/stacks/" STACK "?resolve_outputs=false"
#define LIVE(r, step)                                                                                                  \
	{                                                                                                              \
		r, step, ASK_KUBE, "GET", NODE_PATH, NULL, false                                                       \
	}
#define OFF_ASKS(r)                                                                                                    \
	CORDON_ASKS(r), { r, "find-stack", ASK_NOTHING, NULL, NULL, NULL, false }, GET(r, "look-stop", SERVER),        \
		LIVE(r, "look-live"), ACT(r, "stop", "POST", SERVER "/action", "{\"os-stop\":null}"),                  \
		GET(r, "who-stopped", SERVER "/os-instance-actions"), GET(r, "prove-off", SERVER),                     \
		GET(r, "list-volumes", SERVER "/os-volume_attachments"),                                               \
		ACT(r, "detach-volume", "DELETE", SERVER "/os-volume_attachments/vol-2", NULL),                        \
		GET(r, "wait-volume", SERVER "/os-volume_attachments"),                                                \
		{ r, "off", ASK_NOTHING, NULL, NULL, NULL, false }, GET(r, "stack-idle", STACK_PATH),                  \
		LIVE(r, "look-still"), GET(r, "look-off", SERVER)
#define REBOOT_ASKS(r, type)                                                                                           \
	CORDON_ASKS(r), GET(r, "look-reboot", SERVER "/os-instance-actions"), GET(r, "look-server", SERVER),           \
		LIVE(r, "look-live"),                                                                                  \
		ACT(r, "reboot", "POST", SERVER "/action", "{\"reboot\":{\"type\":\"" type "\"}}"),                    \
		GET(r, "wait-server", SERVER), { r, "wait-ready", ASK_NODE, NULL, NULL, NULL, false },                 \
		UNCORDON_ASKS(r)
#define TWINS "/servers/detail?limit=1000&name=%5Ek8s-abc-node-1%24"
#define SIBLINGS "/servers/detail?limit=1000&name=%5Ek8s-abc-node-%5B0-9%5D%2B%24"

static const struct ask_case ask_cases[] = {
	REBOOT_ASKS(&recipe_soft_reboot, "SOFT"),
	REBOOT_ASKS(&recipe_hard_reboot, "HARD"),
	GET(&recipe_hard_reboot, "who-stopped", SERVER "/os-instance-actions"),
	GET(&recipe_start, "look-start", SERVER),
	GET(&recipe_start, "who-stopped", SERVER "/os-instance-actions"),
	ACT(&recipe_start, "start", "POST", SERVER "/action", "{\"os-start\":null}"),
	GET(&recipe_start, "wait-server", SERVER),
	{ &recipe_start, "wait-ready", ASK_NODE, NULL, NULL, NULL, false },
	UNCORDON_ASKS(&recipe_start),
	UNCORDON_ASKS(&recipe_uncordon),
	OFF_ASKS(&recipe_replace_in_place),
	GET(&recipe_replace_in_place, "find-resource",
	    "/stacks/" STACK "/resources?nested_depth=2&type=OS::Nova::Server"),
	GET(&recipe_replace_in_place, "find-volume", "/stacks/" ROOT),
	GET(&recipe_replace_in_place, "find-twin", TWINS),
	GET(&recipe_replace_in_place, "check-twin", "/stacks/" STACK "/resources?nested_depth=2&type=OS::Nova::Server"),
	GET(&recipe_replace_in_place, "find-resource-again",
	    "/stacks/" STACK "/resources?nested_depth=2&type=OS::Nova::Server"),
	ACT(&recipe_replace_in_place, "step-back", "PATCH", "/stacks/" RES,
	    "{\"mark_unhealthy\":false,\"resource_status_reason\":\"Mark taken back by autohealing service\"}"),
	ACT(&recipe_replace_in_place, "step-back-volume", "PATCH", "/stacks/" ROOT,
	    "{\"mark_unhealthy\":false,\"resource_status_reason\":\"Mark taken back by autohealing service\"}"),
	ACT(&recipe_replace_in_place, "unmark-volume", "PATCH", "/stacks/" ROOT,
	    "{\"mark_unhealthy\":false,\"resource_status_reason\":\"Mark taken back by autohealing service\"}"),
	ACT(&recipe_replace_in_place, "mark-volume", "PATCH", "/stacks/" ROOT,
	    "{\"mark_unhealthy\":true,\"resource_status_reason\":\"Mark resource unhealthy by autohealing service\"}"),
	ACT(&recipe_replace_in_place, "mark-unhealthy", "PATCH", "/stacks/" RES,
	    "{\"mark_unhealthy\":true,\"resource_status_reason\":\"Mark resource unhealthy by autohealing service\"}"),
	GET(&recipe_replace_in_place, "look-update", STACK_PATH),
	ACT(&recipe_replace_in_place, "update-stack", "PATCH", "/stacks/" STACK, "{\"existing\":true}"),
	ACT(&recipe_replace_in_place, "unmark", "PATCH", "/stacks/" RES,
	    "{\"mark_unhealthy\":false,\"resource_status_reason\":\"Mark taken back by autohealing service\"}"),
	GET(&recipe_replace_in_place, "wait-update", STACK_PATH),
	GET(&recipe_replace_in_place, "wait-stack", STACK_PATH),
	GET(&recipe_replace_in_place, "check-resource", "/stacks/" RES),
	GET(&recipe_replace_in_place, "wait-new", "/servers/" NEW),
	GET(&recipe_replace_in_place, "old-gone", SERVER),
	{ &recipe_replace_in_place, "wait-ready", ASK_NODE, NULL, NULL, NULL, false },
	UNCORDON_ASKS(&recipe_replace_in_place),
	OFF_ASKS(&recipe_replace_by_resize),
	GET(&recipe_replace_by_resize, "cluster-idle", "/clusters/" CL),
	GET(&recipe_replace_by_resize, "read-group", "/clusters/" CL "/nodegroups/default-worker"),
	GET(&recipe_replace_by_resize, "newest", SIBLINGS),
	GET(&recipe_replace_by_resize, "look-resize", "/clusters/" CL),
	ACT(&recipe_replace_by_resize, "resize", "POST", "/clusters/" CL "/actions/resize",
	    "{\"node_count\":3,\"nodes_to_remove\":[\"" SRV "\"],\"nodegroup\":\"default-worker\"}"),
	GET(&recipe_replace_by_resize, "wait-busy", "/clusters/" CL),
	GET(&recipe_replace_by_resize, "wait-settled", "/clusters/" CL),
	GET(&recipe_replace_by_resize, "wait-gone", SERVER),
	GET(&recipe_replace_by_resize, "find-new", SIBLINGS),
	{ &recipe_replace_by_resize, "forget-node", ASK_KUBE, "DELETE", NODE_PATH,
	  "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"uid-1\"}}", true },
	{ &recipe_replace_by_resize, "wait-new-ready", ASK_NODE, NULL, NULL, NULL, false },
	{ &recipe_replace_by_resize, "done", ASK_NOTHING, NULL, NULL, NULL, false },
};

static void assert_text(const char *got, const char *want, const char *where)
{
	if (!text_eq(got, want))
		fail_msg("%s: \"%s\" instead of \"%s\"", where, got != NULL ? got : "NULL",
			 want != NULL ? want : "NULL");
}

static void test_asks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ask_cases); i++) {
		const struct ask_case *c = &ask_cases[i];
		struct op op = op_at(c->recipe, c->step);
		struct ask ask = { 0 };
		op_step(&op)->ask(&op, &arena, &ask);
		print_message("# %s %s\n", c->recipe->name, c->step);
		assert_int_equal(ask.kind, c->kind);
		assert_text(ask.method, c->method, c->step);
		assert_text(ask.path, c->path, c->step);
		assert_text(ask.body, c->body, c->step);
		assert_int_equal(ask.is_act, c->is_act);
	}
}

/* No step is left out above, and what is asked of every table holds. */
static void test_tables(void **state)
{
	(void)state;
	for (const struct recipe *const *r = provider_openstack.recipes; *r != NULL; r++) {
		if (*r == &recipe_replace_master)
			continue; /* test_recipes_master.c */
		for (size_t i = 0; i < (*r)->steps_count; i++) {
			const struct step *step = &(*r)->steps[i];
			size_t asked = 0, same = 0, look = 0, otherwise = 0;
			for (size_t k = 0; k < COUNT(ask_cases); k++)
				asked += ask_cases[k].recipe == *r && strcmp(ask_cases[k].step, step->name) == 0;
			for (size_t k = 0; k < (*r)->steps_count; k++) {
				same += strcmp((*r)->steps[k].name, step->name) == 0;
				look += k < i && text_eq((*r)->steps[k].name, step->look);
				otherwise += text_eq((*r)->steps[k].name, step->otherwise);
			}
			print_message("# %s %s\n", (*r)->name, step->name);
			assert_int_equal(asked, 1);
			assert_int_equal(same, 1);
			assert_int_equal(look, step->look != NULL ? 1 : 0);
			assert_true(!step->is_once || look == 1);
			assert_true(step->is_once || look == 0 || step->is_committed);
			assert_int_equal(otherwise, step->otherwise != NULL ? 1 : 0);
		}
	}
}

static void test_other_asks(void **state)
{
	(void)state;
	struct ask ask = { 0 };
	struct op op = op_at(&recipe_replace_in_place, "find-stack");
	(void)TEXT_COPY(op.facts.stack, STACK_ID);
	op_step(&op)->ask(&op, &arena, &ask);
	assert_string_equal(ask.path, "/stacks/" STACK_ID "?resolve_outputs=false");
	op.facts.stack[0] = '\0';
	op_step(&op)->ask(&op, &arena, &ask);
	assert_int_equal(ask.kind, ASK_NOTHING);

	op = op_at(&recipe_replace_by_resize, "forget-node");
	op.facts.node_uid[0] = '\0'; /* a Node is never deleted without the precondition */
	op_step(&op)->ask(&op, &arena, &ask);
	assert_int_equal(ask.kind, ASK_NOTHING);

	op = op_at(&recipe_soft_reboot, "cordon");
	op.facts.node_version[0] = '\0'; /* resumed here: the Node is looked at again first */
	op_step(&op)->ask(&op, &arena, &ask);
	assert_int_equal(ask.kind, ASK_NOTHING);
	assert_int_equal(op_step(&op)->hear(&op, &(struct answer){ .status = 200 }), V_GOTO);
	assert_string_equal(op.next, "look-node");
	assert_false(op.facts.has_cordoned);
	op = op_at(&recipe_soft_reboot, "look-server");
	(void)TEXT_COPY(op.facts.server, "a/../b?x");
	op_step(&op)->ask(&op, &arena, &ask);
	assert_string_equal(ask.path, "/servers/a%2F..%2Fb%3Fx");
}

/* ---- hears ----------------------------------------------------------------------------------------------------- */

struct hear_case {
	const struct recipe *recipe;
	const char *step;
	int status;
	const char *json;
	enum verdict verdict;
	const char *next;     /* V_GOTO */
	const char *baseline; /* before; NULL: "" */
	bool is_left;         /* V_FAIL, because it is somebody else's business */
};
#define V_LEFT V_FAIL, NULL, NULL, true

#define S(status, task, power)                                                                                         \
	"{\"server\":{\"id\":\"" SRV "\",\"name\":\"k8s-abc-node-1\",\"status\":\"" status                             \
	"\",\"OS-EXT-STS:task_state\":" task ",\"OS-EXT-STS:power_state\":" power                                      \
	",\"updated\":\"2026-11-22T16:10:00Z\",\"fault\":{\"message\":\"broken\"}}}"
#define LAUNCHED(status, power)                                                                                        \
	"{\"server\":{\"id\":\"" SRV "\",\"name\":\"k8s-abc-node-1\",\"status\":\"" status                             \
	"\",\"OS-EXT-STS:task_state\":null,\"OS-EXT-STS:power_state\":" power                                          \
	",\"OS-SRV-USG:launched_at\":\"2026-11-22T16:10:00.000000\",\"fault\":{\"message\":\"broken\"}}}"
#define NEVER_RAN                                                                                                      \
	"{\"server\":{\"id\":\"" SRV "\",\"name\":\"k8s-abc-node-1\",\"status\":\"ERROR\","                            \
	"\"OS-EXT-STS:task_state\":null,\"OS-EXT-STS:power_state\":0,\"addresses\":{},"                                \
	"\"OS-SRV-USG:launched_at\":null,\"fault\":{\"message\":\"No valid host was found.\"}}}"
#define POWER_HIDDEN "{\"server\":{\"id\":\"" SRV "\",\"name\":\"k8s-abc-node-1\",\"status\":\"ERROR\"}}"
#define LOCKED "{\"server\":{\"id\":\"" SRV "\",\"name\":\"k8s-abc-node-1\",\"status\":\"ACTIVE\",\"locked\":true}}"
#define OTHER "{\"server\":{\"id\":\"" SRV "\",\"name\":\"somebody-1\",\"status\":\"ACTIVE\"}}"
#define ACTIONS(list) "{\"instanceActions\":[" list "]}"
#define A(name, id, at) "{\"action\":\"" name "\",\"request_id\":\"" id "\",\"start_time\":\"" at "\"}"
#define CREATE A("create", "req-1", "2026-11-22T10:00:00.000000")
#define OLD_REBOOT A("reboot", "req-2", "2026-11-22T11:00:00.000000")
#define NEW_REBOOT A("reboot", "req-3", "2026-11-22T12:00:00.000000")
#define BY(name, user, hour)                                                                                           \
	"{\"action\":\"" name "\",\"user_id\":" user ",\"request_id\":\"req-" name hour                                \
	"\",\"start_time\":\"2026-11-22T" hour ":00:00.000000\"}"
#define STOP_BY(user, hour) BY("stop", user, hour)
#define STACK_IS(status, updated) "{\"stack\":{\"stack_status\":\"" status "\",\"updated_time\":" updated "}}"
#define CLUSTER_IS(status, updated) "{\"status\":\"" status "\",\"updated_at\":" updated "}"
#define T1 "\"2026-11-22T16:00:00Z\""
#define T2 "\"2026-11-22T17:00:00Z\""
#define VOLUME(id, device, dies)                                                                                       \
	"{\"volumeId\":\"" id "\",\"device\":\"" device "\",\"delete_on_termination\":" dies "}"
#define VOLUMES(list) "{\"volumeAttachments\":[" list "]}"
#define RESOURCES(id)                                                                                                  \
	"{\"resources\":[{\"physical_resource_id\":\"x\",\"links\":[]},{\"physical_resource_id\":\"" id                \
	"\",\"links\":[{\"rel\":\"stack\",\"href\":\"http://h/v1/p/stacks/a/b\"},{\"rel\":\"self\",\"href\":"          \
	"\"http://h/heat/v1/p/stacks/k8s-abc-m/0aee/resources/kube-minion\"}]}]}"
#define SIB(name, id, status) "{\"id\":\"" id "\",\"name\":\"" name "\",\"status\":\"" status "\"}"
#define BORN(name, id, hour)                                                                                           \
	"{\"id\":\"" id "\",\"name\":\"" name "\",\"status\":\"ACTIVE\",\"created\":\"2026-11-22T" hour ":00:00Z\"}"
#define SERVERS(list) "{\"servers\":[" list "]}"

#define UNANSWERED(r, step)                                                                                            \
	{ r, step, 0, NULL, V_RETRY, NULL, NULL }, { r, step, 503, NULL, V_RETRY, NULL, NULL },                        \
	{                                                                                                              \
		r, step, 429, NULL, V_RETRY, NULL, NULL                                                                \
	}
#define GOES(r, step, status, json, next)                                                                              \
	{                                                                                                              \
		r, step, status, json, V_GOTO, next, NULL                                                              \
	}
#define NODE(uid, more, status, since)                                                                                 \
	"{\"metadata\":{\"uid\":\"" uid "\"" more                                                                      \
	"},\"status\":{\"conditions\":[{\"type\":\"DiskPressure\",\"status\":"                                         \
	"\"True\"},{\"type\":\"Ready\",\"status\":\"" status "\",\"lastTransitionTime\":" since "}]}}"
#define SICK NODE("uid-1", "", "Unknown", "\"2026-11-22T16:00:00Z\"")
#define LIVE_HEARS(r, step)                                                                                            \
	READ(r, step), { r, step, 200, SICK, V_NEXT, NULL, NULL },                                                     \
		{ r, step, 200, NODE("uid-1", "", "False", "\"2026-11-22T16:00:00Z\""), V_NEXT, NULL, NULL },          \
		{ r, step, 200, "{\"metadata\":{\"uid\":\"uid-1\"}}", V_NEXT, NULL, NULL },                            \
		{ r, step, 200, NODE("uid-1", "", "True", "\"2026-11-22T16:00:00Z\""), V_FAIL, NULL, NULL },           \
		{ r, step, 200, NODE("uid-1", "", "True", "null"), V_FAIL, NULL, NULL },                               \
		{ r, step, 200, NODE("uid-1", ",\"deletionTimestamp\":\"2026-11-22T16:00:00Z\"", "False", "null"),     \
		  V_LEFT },                                                                                            \
	{                                                                                                              \
		r, step, 200, NODE("uid-2", "", "Unknown", "null"), V_FAIL, NULL, NULL                                 \
	}

#define COMMON(r, step)                                                                                                \
	{ r, step, 0, NULL, V_RETRY, NULL, NULL }, { r, step, 503, NULL, V_RETRY, NULL, NULL },                        \
		{ r, step, 429, NULL, V_RETRY, NULL, NULL },                                                           \
	{                                                                                                              \
		r, step, 403, "{\"forbidden\":{\"message\":\"no\"}}", V_FAIL, NULL, NULL                               \
	}
#define READ(r, step)                                                                                                  \
	COMMON(r, step),                                                                                               \
	{                                                                                                              \
		r, step, 200, "{}", V_RETRY, NULL, NULL                                                                \
	}

static const struct hear_case hear_cases[] = {
	/* soft reboot */
	READ(&recipe_soft_reboot, "look-reboot"),
	{ &recipe_soft_reboot, "look-reboot", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_soft_reboot, "look-reboot", 200, ACTIONS(CREATE "," OLD_REBOOT), V_NEXT, NULL, NULL },
	{ &recipe_soft_reboot, "look-reboot", 200, ACTIONS(OLD_REBOOT "," CREATE), V_NEXT, NULL, "req-2" },
	{ &recipe_soft_reboot, "look-reboot", 200, ACTIONS(NEW_REBOOT "," OLD_REBOOT "," CREATE), V_GOTO, "wait-server",
	  "req-2" },
	{ &recipe_soft_reboot, "look-reboot", 200, ACTIONS(CREATE), V_NEXT, NULL, "none" },
	{ &recipe_soft_reboot, "look-reboot", 200, ACTIONS(NEW_REBOOT), V_GOTO, "wait-server", "none" },
	{ &recipe_soft_reboot, "look-reboot", 200, ACTIONS(OLD_REBOOT), V_GOTO, "wait-server", "req-purged" },
	READ(&recipe_soft_reboot, "look-server"),
	{ &recipe_soft_reboot, "look-server", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_soft_reboot, "look-server", 200, S("ACTIVE", "null", "1"), V_NEXT, NULL, NULL },
	{ &recipe_soft_reboot, "look-server", 200, S("ACTIVE", "\"migrating\"", "1"), V_LEFT },
	{ &recipe_soft_reboot, "look-server", 200, S("REBOOT", "\"rebooting\"", "1"), V_AGAIN, NULL, NULL },
	{ &recipe_soft_reboot, "look-server", 200, S("SHUTOFF", "null", "4"), V_FAIL, NULL, NULL },
	{ &recipe_soft_reboot, "look-server", 200, S("PAUSED", "null", "3"), V_LEFT },
	{ &recipe_soft_reboot, "look-server", 200, LOCKED, V_LEFT },
	{ &recipe_soft_reboot, "look-server", 200, OTHER, V_LEFT },
	LIVE_HEARS(&recipe_soft_reboot, "look-live"),
	{ &recipe_soft_reboot, "look-live", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_hard_reboot, "look-live", 404, NULL, V_FAIL, NULL, NULL },
	COMMON(&recipe_soft_reboot, "reboot"),
	{ &recipe_soft_reboot, "reboot", 202, NULL, V_NEXT, NULL, NULL },
	{ &recipe_soft_reboot, "reboot", 409, "{\"conflictingRequest\":{\"message\":\"Cannot\"}}", V_RETRY, NULL,
	  NULL },
	READ(&recipe_soft_reboot, "wait-server"),
	{ &recipe_soft_reboot, "wait-server", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_soft_reboot, "wait-server", 200, S("REBOOT", "\"rebooting\"", "1"), V_AGAIN, NULL, NULL },
	{ &recipe_soft_reboot, "wait-server", 200, S("ERROR", "\"rebooting_hard\"", "1"), V_AGAIN, NULL, NULL },
	{ &recipe_soft_reboot, "wait-server", 200, S("ERROR", "null", "1"), V_FAIL, NULL, NULL },
	{ &recipe_soft_reboot, "wait-server", 200, S("ACTIVE", "null", "1"), V_NEXT, NULL, NULL },
	/* hard reboot */
	GOES(&recipe_hard_reboot, "look-server", 200, S("ACTIVE", "null", "1"), "look-live"),
	GOES(&recipe_hard_reboot, "look-server", 200, S("SHUTOFF", "null", "4"), "who-stopped"),
	GOES(&recipe_hard_reboot, "look-server", 200, S("ERROR", "null", "0"), "look-live"),
	GOES(&recipe_hard_reboot, "look-server", 200, S("REBOOT", "\"reboot_started\"", "1"), "look-live"),
	{ &recipe_hard_reboot, "look-server", 200, S("HARD_REBOOT", "\"reboot_started_hard\"", "1"), V_AGAIN, NULL,
	  NULL },
	{ &recipe_hard_reboot, "look-server", 200, S("VERIFY_RESIZE", "null", "1"), V_LEFT },
	{ &recipe_hard_reboot, "look-server", 200, LOCKED, V_LEFT },
	/* start */
	READ(&recipe_start, "look-start"),
	{ &recipe_start, "look-start", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_start, "look-start", 200, S("SHUTOFF", "null", "4"), V_NEXT, NULL, NULL },
	{ &recipe_start, "look-start", 200, S("SHUTOFF", "\"powering-on\"", "4"), V_GOTO, "wait-server", NULL },
	{ &recipe_start, "look-start", 200, S("ACTIVE", "null", "1"), V_GOTO, "wait-server", NULL },
	{ &recipe_start, "look-start", 200, S("ACTIVE", "\"powering-off\"", "1"), V_AGAIN, NULL, NULL },
	{ &recipe_start, "look-start", 200, S("SHELVED", "null", "4"), V_LEFT },
	{ &recipe_start, "look-start", 200, LOCKED, V_LEFT },
	COMMON(&recipe_start, "start"),
	{ &recipe_start, "start", 202, NULL, V_NEXT, NULL, NULL },
	/* who stopped it */
	READ(&recipe_start, "who-stopped"),
	READ(&recipe_hard_reboot, "who-stopped"),
	{ &recipe_start, "who-stopped", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_start, "who-stopped", 200, ACTIONS(""), V_NEXT, NULL, NULL },
	{ &recipe_start, "who-stopped", 200, ACTIONS(CREATE "," OLD_REBOOT), V_NEXT, NULL, NULL },
	{ &recipe_start, "who-stopped", 200, ACTIONS(CREATE "," STOP_BY("\"ann\"", "14")), V_LEFT },
	{ &recipe_hard_reboot, "who-stopped", 200, ACTIONS(CREATE "," STOP_BY("\"ann\"", "14")), V_LEFT },
	{ &recipe_start, "who-stopped", 200, ACTIONS(STOP_BY("null", "14")), V_NEXT, NULL, NULL }, /* Nova itself */
	{ &recipe_start, "who-stopped", 200, ACTIONS(STOP_BY("null", "14") "," STOP_BY("\"ann\"", "13")), V_NEXT, NULL,
	  NULL },
	{ &recipe_start, "who-stopped", 200, ACTIONS(STOP_BY("null", "13") "," STOP_BY("\"ann\"", "14")), V_LEFT },
	{ &recipe_start, "who-stopped", 200, ACTIONS(BY("start", "\"ann\"", "15") "," STOP_BY("\"ann\"", "14")), V_NEXT,
	  NULL, NULL },
	{ &recipe_start, "who-stopped", 200, ACTIONS(BY("evacuate", "\"m\"", "15") "," STOP_BY("\"ann\"", "14")),
	  V_NEXT, NULL, NULL },
	/* what has nothing to do with power does not hide it */
	{ &recipe_start, "who-stopped", 200,
	  ACTIONS(BY("attach_volume", "\"ann\"", "15") "," BY("lock", "\"ann\"", "16") "," STOP_BY("\"ann\"", "14")),
	  V_LEFT },
	/* off */
	READ(&recipe_replace_in_place, "look-stop"),
	{ &recipe_replace_in_place, "look-stop", 404, NULL, V_GOTO, "off", NULL },
	{ &recipe_replace_in_place, "look-stop", 200, S("DELETED", "null", "0"), V_GOTO, "off", NULL },
	{ &recipe_replace_in_place, "look-stop", 200, S("ACTIVE", "null", "1"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-stop", 200, S("ERROR", "null", "1"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-stop", 200, LAUNCHED("ERROR", "0"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-stop", 200, POWER_HIDDEN, V_NEXT, NULL, NULL },
	GOES(&recipe_replace_in_place, "look-stop", 200, NEVER_RAN, "off"),
	LIVE_HEARS(&recipe_replace_in_place, "look-live"),
	{ &recipe_replace_in_place, "look-live", 404, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-stop", 200, S("SHUTOFF", "null", "4"), V_GOTO, "who-stopped", NULL },
	{ &recipe_replace_in_place, "look-stop", 200, S("ACTIVE", "\"powering-off\"", "1"), V_GOTO, "prove-off", NULL },
	{ &recipe_replace_in_place, "look-stop", 200, S("REBOOT", "\"rebooting\"", "1"), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "look-stop", 200, S("SUSPENDED", "null", "4"), V_LEFT },
	{ &recipe_replace_in_place, "look-stop", 200, LOCKED, V_LEFT },
	{ &recipe_replace_in_place, "look-stop", 200, OTHER, V_LEFT },
	COMMON(&recipe_replace_in_place, "stop"),
	{ &recipe_replace_in_place, "stop", 202, NULL, V_GOTO, "prove-off", NULL },
	READ(&recipe_replace_in_place, "who-stopped"),
	{ &recipe_replace_in_place, "who-stopped", 404, NULL, V_GOTO, "off", NULL },
	{ &recipe_replace_in_place, "who-stopped", 200, ACTIONS(CREATE), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "who-stopped", 200, ACTIONS(STOP_BY("\"ann\"", "14")), V_LEFT },
	{ &recipe_replace_in_place, "stop", 404, NULL, V_GOTO, "off", NULL },
	{ &recipe_replace_in_place, "stop", 409, NULL, V_RETRY, NULL, NULL },
	READ(&recipe_replace_in_place, "prove-off"),
	{ &recipe_replace_in_place, "prove-off", 404, NULL, V_GOTO, "off", NULL },
	{ &recipe_replace_in_place, "prove-off", 200, S("SHUTOFF", "null", "4"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "prove-off", 200, S("SHUTOFF", "null", "1"), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "prove-off", 200, S("SHUTOFF", "\"powering-off\"", "4"), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "prove-off", 200, S("ACTIVE", "\"powering-off\"", "1"), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "prove-off", 200, LAUNCHED("ERROR", "0"), V_FAIL, NULL, NULL },
	{ &recipe_replace_in_place, "prove-off", 200, LAUNCHED("ERROR", "1"), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "prove-off", 200, POWER_HIDDEN, V_FAIL, NULL, NULL },
	GOES(&recipe_replace_in_place, "prove-off", 200, NEVER_RAN, "off"),
	READ(&recipe_replace_in_place, "list-volumes"),
	{ &recipe_replace_in_place, "list-volumes", 404, NULL, V_GOTO, "off", NULL },
	{ &recipe_replace_in_place, "list-volumes", 200, VOLUMES(""), V_GOTO, "off", NULL },
	{ &recipe_replace_in_place, "list-volumes", 200, VOLUMES(VOLUME("r", "/dev/vda", "false")), V_GOTO, "off",
	  NULL },
	{ &recipe_replace_in_place, "list-volumes", 200, VOLUMES(VOLUME("r", "/dev/vdc", "true")), V_GOTO, "off",
	  NULL },
	{ &recipe_replace_in_place, "list-volumes", 200,
	  VOLUMES(VOLUME("r", "/dev/vda", "true") "," VOLUME("vol-9", "/dev/vdb", "false")), V_NEXT, NULL, NULL },
	COMMON(&recipe_replace_in_place, "detach-volume"),
	{ &recipe_replace_in_place, "detach-volume", 202, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "detach-volume", 404, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "detach-volume", 409, NULL, V_RETRY, NULL, NULL },
	READ(&recipe_replace_in_place, "wait-volume"),
	{ &recipe_replace_in_place, "wait-volume", 200, VOLUMES(VOLUME("vol-2", "/dev/vdb", "false")), V_AGAIN, NULL,
	  NULL },
	{ &recipe_replace_in_place, "wait-volume", 200, VOLUMES(VOLUME("vol-3", "/dev/vdc", "false")), V_GOTO,
	  "list-volumes", NULL },
	{ &recipe_replace_in_place, "wait-volume", 404, NULL, V_GOTO, "off", NULL },
	/* in place */
	READ(&recipe_replace_in_place, "stack-idle"),
	{ &recipe_replace_in_place, "stack-idle", 200, STACK_IS("CREATE_COMPLETE", "null"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "stack-idle", 200, STACK_IS("UPDATE_FAILED", T1), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "stack-idle", 200, STACK_IS("UPDATE_IN_PROGRESS", T1), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "stack-idle", 200, STACK_IS("DELETE_IN_PROGRESS", T1), V_FAIL, NULL, NULL },
	{ &recipe_replace_in_place, "stack-idle", 200, STACK_IS("CREATE_FAILED", T1), V_FAIL, NULL, NULL },
	READ(&recipe_replace_in_place, "find-resource"),
	GOES(&recipe_replace_in_place, "find-resource", 200, RESOURCES(SRV), "find-volume"),
	COMMON(&recipe_replace_in_place, "find-volume"),
	{ &recipe_replace_in_place, "find-volume", 404, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "find-volume", 200, "{\"resource\":{}}", V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "find-volume", 200, "{\"resource\":{\"physical_resource_id\":\"v\"}}", V_NEXT, NULL,
	  NULL },
	{ &recipe_replace_in_place, "find-resource", 200, RESOURCES(NEW), V_NEXT, NULL, NULL },
	COMMON(&recipe_replace_in_place, "find-twin"),
	READ(&recipe_replace_in_place, "check-twin"),
	{ &recipe_replace_in_place, "check-twin", 200, RESOURCES(NEW), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "check-twin", 200, RESOURCES("somebody-s"), V_FAIL, NULL, NULL },
	LIVE_HEARS(&recipe_replace_in_place, "look-still"),
	{ &recipe_replace_in_place, "look-still", 404, NULL, V_NEXT, NULL, NULL },
	READ(&recipe_replace_in_place, "look-off"),
	{ &recipe_replace_in_place, "look-off", 404, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-off", 200, S("SOFT_DELETED", "null", "4"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-off", 200, S("SHUTOFF", "null", "4"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-off", 200, NEVER_RAN, V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-off", 200, S("ACTIVE", "null", "1"), V_LEFT },
	{ &recipe_replace_in_place, "look-off", 200, S("SHUTOFF", "\"powering-on\"", "4"), V_LEFT },
	{ &recipe_replace_in_place, "look-off", 200, S("SHUTOFF", "null", "1"), V_LEFT },
	{ &recipe_replace_in_place, "look-off", 200, LAUNCHED("ERROR", "0"), V_FAIL, NULL, NULL },
	{ &recipe_replace_in_place, "look-off", 200, S("SHUTOFF", "\"deleting\"", "4"), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "look-off", 200, S("SHELVED", "null", "4"), V_LEFT },
	{ &recipe_replace_in_place, "look-off", 200, LOCKED, V_LEFT },
	{ &recipe_replace_in_place, "look-off", 200, OTHER, V_LEFT },
	READ(&recipe_replace_in_place, "find-resource-again"),
	GOES(&recipe_replace_in_place, "find-resource-again", 200, RESOURCES(SRV), "mark-unhealthy"),
	{ &recipe_replace_in_place, "find-resource-again", 200, RESOURCES("elsewhere"), V_FAIL, NULL, NULL },
	UNANSWERED(&recipe_replace_in_place, "mark-unhealthy"),
	{ &recipe_replace_in_place, "mark-unhealthy", 409, NULL, V_RETRY, NULL, NULL },
	{ &recipe_replace_in_place, "mark-unhealthy", 200, "null", V_NEXT, NULL, NULL },
	GOES(&recipe_replace_in_place, "mark-unhealthy", 403, NULL, "unmark"),
	GOES(&recipe_replace_in_place, "mark-unhealthy", 404, NULL, "unmark"),
	UNANSWERED(&recipe_replace_in_place, "look-update"),
	{ &recipe_replace_in_place, "look-update", 200, "{}", V_RETRY, NULL, NULL },
	GOES(&recipe_replace_in_place, "look-update", 403, NULL, "unmark"),
	GOES(&recipe_replace_in_place, "look-update", 200, STACK_IS("UPDATE_IN_PROGRESS", T2), "step-back"),
	COMMON(&recipe_replace_in_place, "step-back"),
	{ &recipe_replace_in_place, "step-back", 409, NULL, V_RETRY, NULL, NULL },
	{ &recipe_replace_in_place, "step-back", 200, "null", V_NEXT, NULL, NULL },
	COMMON(&recipe_replace_in_place, "step-back-volume"),
	GOES(&recipe_replace_in_place, "step-back-volume", 200, "null", "stack-idle"),
	UNANSWERED(&recipe_replace_in_place, "mark-volume"),
	{ &recipe_replace_in_place, "mark-volume", 200, "null", V_NEXT, NULL, NULL },
	GOES(&recipe_replace_in_place, "mark-volume", 404, NULL, "unmark"),
	{ &recipe_replace_in_place, "look-update", 200, STACK_IS("UPDATE_COMPLETE", T1), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "look-update", 200, STACK_IS("UPDATE_COMPLETE", T1), V_NEXT, NULL,
	  "2026-11-22T16:00:00Z" },
	{ &recipe_replace_in_place, "look-update", 200, STACK_IS("UPDATE_IN_PROGRESS", T1), V_GOTO, "wait-stack",
	  "2026-11-22T16:00:00Z" },
	{ &recipe_replace_in_place, "look-update", 200, STACK_IS("UPDATE_COMPLETE", T2), V_GOTO, "wait-stack",
	  "2026-11-22T16:00:00Z" },
	{ &recipe_replace_in_place, "look-update", 200, STACK_IS("CREATE_COMPLETE", "null"), V_NEXT, NULL, "none" },
	{ &recipe_replace_in_place, "look-update", 200, STACK_IS("UPDATE_COMPLETE", T2), V_GOTO, "wait-stack", "none" },
	{ &recipe_replace_in_place, "update-stack", 202, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "update-stack", 403, NULL, V_GOTO, "unmark", NULL },
	{ &recipe_replace_in_place, "update-stack", 409, NULL, V_RETRY, NULL, NULL },
	UNANSWERED(&recipe_replace_in_place, "unmark"),
	{ &recipe_replace_in_place, "unmark", 200, "null", V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "unmark", 403, NULL, V_NEXT, NULL, NULL }, /* the volume's all the same */
	COMMON(&recipe_replace_in_place, "unmark-volume"),
	{ &recipe_replace_in_place, "unmark-volume", 200, "null", V_FAIL, NULL, NULL },
	UNANSWERED(&recipe_replace_in_place, "wait-update"),
	{ &recipe_replace_in_place, "wait-update", 200, "{}", V_RETRY, NULL, NULL },
	GOES(&recipe_replace_in_place, "wait-update", 403, NULL, "unmark"),
	{ &recipe_replace_in_place, "wait-update", 200, STACK_IS("UPDATE_COMPLETE", T1), V_AGAIN, NULL,
	  "2026-11-22T16:00:00Z" },
	{ &recipe_replace_in_place, "wait-update", 200, STACK_IS("UPDATE_COMPLETE", T2), V_NEXT, NULL,
	  "2026-11-22T16:00:00Z" },
	{ &recipe_replace_in_place, "wait-update", 200, STACK_IS("UPDATE_IN_PROGRESS", T1), V_NEXT, NULL,
	  "2026-11-22T16:00:00Z" },
	UNANSWERED(&recipe_replace_in_place, "wait-stack"),
	{ &recipe_replace_in_place, "wait-stack", 200, "{}", V_RETRY, NULL, NULL },
	GOES(&recipe_replace_in_place, "wait-stack", 403, NULL, "unmark"),
	{ &recipe_replace_in_place, "wait-stack", 200, STACK_IS("UPDATE_IN_PROGRESS", T2), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "wait-stack", 200, STACK_IS("UPDATE_COMPLETE", T2), V_NEXT, NULL, NULL },
	GOES(&recipe_replace_in_place, "wait-stack", 200, STACK_IS("UPDATE_FAILED", T2), "unmark"),
	UNANSWERED(&recipe_replace_in_place, "check-resource"),
	{ &recipe_replace_in_place, "check-resource", 200, "{}", V_RETRY, NULL, NULL },
	GOES(&recipe_replace_in_place, "check-resource", 403, NULL, "unmark"),
	{ &recipe_replace_in_place, "check-resource", 200, "{\"resource\":{\"physical_resource_id\":\"" NEW "\"}}",
	  V_NEXT, NULL, NULL },
	GOES(&recipe_replace_in_place, "check-resource", 200, "{\"resource\":{\"physical_resource_id\":\"" SRV "\"}}",
	     "unmark"),
	READ(&recipe_replace_in_place, "wait-new"),
	{ &recipe_replace_in_place, "wait-new", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_replace_in_place, "wait-new", 200, S("BUILD", "\"spawning\"", "0"), V_AGAIN, NULL, NULL },
	{ &recipe_replace_in_place, "wait-new", 200, S("ACTIVE", "null", "1"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "wait-new", 200, S("ERROR", "null", "0"), V_FAIL, NULL, NULL },
	READ(&recipe_replace_in_place, "old-gone"),
	{ &recipe_replace_in_place, "old-gone", 404, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "old-gone", 200, S("SOFT_DELETED", "null", "4"), V_NEXT, NULL, NULL },
	{ &recipe_replace_in_place, "old-gone", 200, S("SHUTOFF", "\"deleting\"", "4"), V_AGAIN, NULL, NULL },
	/* resize */
	READ(&recipe_replace_by_resize, "cluster-idle"),
	{ &recipe_replace_by_resize, "cluster-idle", 200, CLUSTER_IS("CREATE_COMPLETE", "null"), V_NEXT, NULL, NULL },
	{ &recipe_replace_by_resize, "cluster-idle", 200, CLUSTER_IS("UPDATE_FAILED", T1), V_NEXT, NULL, NULL },
	{ &recipe_replace_by_resize, "cluster-idle", 200, CLUSTER_IS("UPDATE_IN_PROGRESS", T1), V_AGAIN, NULL, NULL },
	{ &recipe_replace_by_resize, "cluster-idle", 200, CLUSTER_IS("DELETE_IN_PROGRESS", T1), V_FAIL, NULL, NULL },
	{ &recipe_replace_by_resize, "cluster-idle", 200, CLUSTER_IS("CREATE_FAILED", T1), V_FAIL, NULL, NULL },
	COMMON(&recipe_replace_by_resize, "read-group"),
	{ &recipe_replace_by_resize, "read-group", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_replace_by_resize, "read-group", 200, "{}", V_FAIL, NULL, NULL },
	{ &recipe_replace_by_resize, "read-group", 200, "{\"node_count\":5,\"status\":\"UPDATE_COMPLETE\"}", V_NEXT,
	  NULL, NULL },
	{ &recipe_replace_by_resize, "read-group", 200, "{\"node_count\":5,\"status\":\"UPDATE_IN_PROGRESS\"}", V_AGAIN,
	  NULL, NULL },
	{ &recipe_replace_by_resize, "read-group", 200, "{\"status\":\"UPDATE_COMPLETE\"}", V_FAIL, NULL, NULL },
	{ &recipe_replace_by_resize, "read-group", 200,
	  "{\"node_count\":5,\"status\":\"UPDATE_COMPLETE\",\"role\":\"master\"}", V_FAIL, NULL, NULL },
	COMMON(&recipe_replace_by_resize, "newest"),
	{ &recipe_replace_by_resize, "newest", 200, SERVERS(""), V_NEXT, NULL, NULL },
	READ(&recipe_replace_by_resize, "look-resize"),
	{ &recipe_replace_by_resize, "look-resize", 200, CLUSTER_IS("UPDATE_IN_PROGRESS", T2), V_GOTO, "stack-idle",
	  NULL },
	{ &recipe_replace_by_resize, "look-resize", 200, CLUSTER_IS("UPDATE_COMPLETE", T1), V_NEXT, NULL, NULL },
	{ &recipe_replace_by_resize, "look-resize", 200, CLUSTER_IS("UPDATE_COMPLETE", T1), V_NEXT, NULL,
	  "2026-11-22T16:00:00Z" },
	{ &recipe_replace_by_resize, "look-resize", 200, CLUSTER_IS("UPDATE_COMPLETE", T2), V_GOTO, "wait-settled",
	  "2026-11-22T16:00:00Z" },
	{ &recipe_replace_by_resize, "look-resize", 200, CLUSTER_IS("UPDATE_IN_PROGRESS", T1), V_GOTO, "wait-settled",
	  "2026-11-22T16:00:00Z" },
	COMMON(&recipe_replace_by_resize, "resize"),
	{ &recipe_replace_by_resize, "resize", 202, "{\"uuid\":\"" CL "\"}", V_NEXT, NULL, NULL },
	{ &recipe_replace_by_resize, "resize", 400, "{\"errors\":[{\"detail\":\"bad\"}]}", V_FAIL, NULL, NULL },
	READ(&recipe_replace_by_resize, "wait-busy"),
	{ &recipe_replace_by_resize, "wait-busy", 200, CLUSTER_IS("CREATE_COMPLETE", "null"), V_AGAIN, NULL, "none" },
	{ &recipe_replace_by_resize, "wait-busy", 200, CLUSTER_IS("UPDATE_IN_PROGRESS", "null"), V_NEXT, NULL, "none" },
	{ &recipe_replace_by_resize, "wait-busy", 200, CLUSTER_IS("UPDATE_COMPLETE", T1), V_NEXT, NULL, "none" },
	READ(&recipe_replace_by_resize, "wait-settled"),
	{ &recipe_replace_by_resize, "wait-settled", 200, CLUSTER_IS("UPDATE_IN_PROGRESS", T1), V_AGAIN, NULL, NULL },
	{ &recipe_replace_by_resize, "wait-settled", 200, CLUSTER_IS("UPDATE_COMPLETE", T1), V_NEXT, NULL, NULL },
	{ &recipe_replace_by_resize, "wait-settled", 200, CLUSTER_IS("UPDATE_FAILED", T1), V_FAIL, NULL, NULL },
	READ(&recipe_replace_by_resize, "wait-gone"),
	{ &recipe_replace_by_resize, "wait-gone", 404, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_by_resize, "wait-gone", 200, S("SHUTOFF", "null", "4"), V_AGAIN, NULL, NULL },
	COMMON(&recipe_replace_by_resize, "find-new"),
	{ &recipe_replace_by_resize, "find-new", 200, SERVERS(""), V_AGAIN, NULL, NULL },
	{ &recipe_replace_by_resize, "find-new", 200, SERVERS(SIB("k8s-abc-node-2", "x", "ACTIVE")), V_AGAIN, NULL,
	  NULL },
	{ &recipe_replace_by_resize, "find-new", 200, SERVERS(SIB("other-node-9", "x", "ACTIVE")), V_AGAIN, NULL,
	  NULL },
	{ &recipe_replace_by_resize, "find-new", 200, SERVERS(SIB("k8s-abc-node-3", "x", "BUILD")), V_AGAIN, NULL,
	  NULL },
	{ &recipe_replace_by_resize, "find-new", 200, SERVERS(SIB("k8s-abc-node-3", "x", "ERROR")), V_FAIL, NULL,
	  NULL },
	{ &recipe_replace_by_resize, "find-new", 200, SERVERS(SIB("k8s-abc-node-3", "x", "ACTIVE")), V_NEXT, NULL,
	  NULL },
	COMMON(&recipe_replace_by_resize, "forget-node"),
	{ &recipe_replace_by_resize, "forget-node", 200, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_by_resize, "forget-node", 404, NULL, V_NEXT, NULL, NULL },
	{ &recipe_replace_by_resize, "forget-node", 409, NULL, V_NEXT, NULL, NULL },
	/* Kubernetes */
	COMMON(&recipe_soft_reboot, "cordon"),
	{ &recipe_soft_reboot, "cordon", 200, NULL, V_NEXT, NULL, NULL },
	{ &recipe_soft_reboot, "cordon", 404, NULL, V_FAIL, NULL, NULL },
	{ &recipe_soft_reboot, "cordon", 422, NULL, V_FAIL, NULL, NULL },
	GOES(&recipe_soft_reboot, "cordon", 409, NULL, "look-node"),
	COMMON(&recipe_soft_reboot, "uncordon"),
	{ &recipe_soft_reboot, "uncordon", 200, NULL, V_NEXT, NULL, NULL },
	{ &recipe_soft_reboot, "uncordon", 404, NULL, V_NEXT, NULL, NULL },
	{ &recipe_soft_reboot, "uncordon", 422, NULL, V_NEXT, NULL, NULL },
};

static enum verdict hear(struct op *op, int status, const char *json)
{
	json_t *doc = json != NULL ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
	assert_true(json == NULL || doc != NULL);
	struct answer answer = { .status = status, .json = doc, .location = "", .retry_after_ms = -1 };
	if (status == 0)
		answer.why = (struct err){ ERR_NETWORK, "connection refused" };
	op->next = NULL;
	enum verdict verdict = op_step(op)->hear(op, &answer);
	json_decref(doc);
	return verdict;
}

static void test_hears(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hear_cases); i++) {
		const struct hear_case *c = &hear_cases[i];
		struct op op = op_at(c->recipe, c->step);
		(void)TEXT_COPY(op.facts.baseline, c->baseline);
		enum verdict verdict = hear(&op, c->status, c->json);
		if (verdict != c->verdict || !text_eq(op.next, c->next))
			fail_msg("%s %s: %d %s: verdict %d next %s (note: %s)", c->recipe->name, c->step, c->status,
				 c->json != NULL ? c->json : "", verdict, op.next != NULL ? op.next : "-", op.note);
		if (op.is_left != c->is_left)
			fail_msg("%s %s: %d %s: left %d (note: %s)", c->recipe->name, c->step, c->status,
				 c->json != NULL ? c->json : "", op.is_left, op.note);
		if (verdict == V_FAIL || verdict == V_RETRY || verdict == V_AGAIN)
			assert_string_not_equal(op.note, "");
	}
}

/* The Node's server is not in the stack: a failed replacement has left another one of its name there, or nothing. */
static void test_find_twin(void **state)
{
	(void)state;
	static const struct {
		const char *servers;
		const char *twin; /* NULL: fails */
	} cases[] = {
		{ SERVERS(""), NULL },
		{ "{}", NULL },
		{ SERVERS(SIB("k8s-abc-node-1", SRV, "ACTIVE")), NULL },
		{ SERVERS(SIB("k8s-abc-node-1", NEW, "DELETED")), NULL },
		{ SERVERS(SIB("k8s-abc-node-11", NEW, "ACTIVE")), NULL },
		{ SERVERS(SIB("k8s-abc-node-1", SRV, "SHUTOFF") "," SIB("k8s-abc-node-1", NEW, "ERROR")), NEW },
		/* of several the youngest, wherever it stands in the list */
		{ SERVERS(BORN("k8s-abc-node-1", NEW, "12") "," BORN("k8s-abc-node-1", "older", "11")), NEW },
		{ SERVERS(BORN("k8s-abc-node-1", "older", "11") "," BORN("k8s-abc-node-1", NEW, "12")), NEW },
		/* younger than the repair itself */
		{ SERVERS(BORN("k8s-abc-node-1", "older", "11") "," BORN("k8s-abc-node-1", NEW, "14")), NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op op = op_at(&recipe_replace_in_place, "find-twin");
		assert_true(wall_parse(STR("2026-11-22T13:00:00Z"), &op.started));
		op.facts.new_server[0] = '\0';
		print_message("# %s\n", cases[i].servers);
		assert_int_equal(hear(&op, 200, cases[i].servers), cases[i].twin != NULL ? V_NEXT : V_FAIL);
		assert_string_equal(op.facts.server, SRV); /* nothing else is touched before it is known to be ours */
		assert_string_equal(op.facts.new_server, cases[i].twin != NULL ? cases[i].twin : "");
		assert_int_equal(op.is_left, i == COUNT(cases) - 1);
	}
	struct op op = op_at(&recipe_replace_in_place, "find-twin"); /* has one already: once is enough */
	assert_int_equal(hear(&op, 200, SERVERS(SIB("k8s-abc-node-1", NEW, "ACTIVE"))), V_FAIL);
}

/* First the Node's own server is off, then its twin, then the replacement. */
static void test_off(void **state)
{
	(void)state;
	struct op op = op_at(&recipe_replace_in_place, "off");
	(void)TEXT_COPY(op.facts.baseline, "of the old one");
	assert_int_equal(hear(&op, 200, NULL), V_GOTO);
	assert_string_equal(op.next, "look-stop");
	assert_string_equal(op.facts.server, NEW);
	assert_string_equal(op.facts.new_server, "");
	assert_string_equal(op.facts.baseline, "");
	assert_int_equal(hear(&op, 200, NULL), V_NEXT);
	assert_string_equal(op.facts.server, NEW);
}

/* While the stack was busy somebody has replaced the server: that is waited for like a replacement of ours. */
static void test_replaced_by_others(void **state)
{
	(void)state;
	struct op op = op_at(&recipe_replace_in_place, "find-resource-again");
	op.facts.new_server[0] = '\0';
	(void)TEXT_COPY(op.facts.resource, "k8s-abc-m/0aee/resources/kube-minion");
	assert_int_equal(hear(&op, 200, RESOURCES(NEW)), V_GOTO);
	assert_string_equal(op.next, "wait-new");
	assert_string_equal(op.facts.new_server, NEW);
	assert_int_equal(hear(&op, 200, RESOURCES("")), V_FAIL); /* it is without a server */
}

/* A node that was Ready all along is under repair for another reason: that it is Ready is no news. */
static void test_ready_is_no_news(void **state)
{
	(void)state;
	struct op op = op_at(&recipe_soft_reboot, "look-live");
	assert_true(wall_parse(STR("2026-11-22T16:30:00Z"), &op.started));
	assert_int_equal(hear(&op, 200, NODE("uid-1", "", "True", "\"2026-11-22T16:15:00Z\"")), V_NEXT);
	assert_int_equal(hear(&op, 200, NODE("uid-1", "", "True", "\"2026-11-22T16:25:00Z\"")), V_FAIL);
	assert_string_equal(op.note, "the node is healthy again");
	assert_int_equal(hear(&op, 200, NODE("uid-1", "", "True", "\"2026-11-22T16:31:00Z\"")), V_FAIL);
	/* It was Ready when the repair began, perhaps since the last reboot: the reason is another one. */
	op.facts.was_ready = true;
	assert_int_equal(hear(&op, 200, NODE("uid-1", "", "True", "\"2026-11-22T16:25:00Z\"")), V_NEXT);
	op.facts.was_ready = false;
	op.facts.node_uid[0] = '\0'; /* nobody knew it: any will do */
	assert_int_equal(hear(&op, 200, NODE("uid-7", "", "False", "null")), V_NEXT);
}

static void test_update_refused(void **state)
{
	(void)state;
	struct op op = op_at(&recipe_replace_in_place, "update-stack");
	for (op.tries = 0; op.tries < 2; op.tries++)
		assert_int_equal(hear(&op, 409, NULL), V_RETRY);
	assert_int_equal(hear(&op, 409, NULL), V_GOTO);
	assert_string_equal(op.next, "unmark");

	op = op_at(&recipe_replace_in_place, "unmark");
	op_note(&op, "the stack is gone");
	assert_int_equal(hear(&op, 503, NULL), V_RETRY);
	assert_int_equal(hear(&op, 200, "null"), V_NEXT);
	op.at++;
	assert_int_equal(hear(&op, 403, NULL), V_FAIL);
	assert_string_equal(op.note, "the stack is gone"); /* not how the clearing up went */

	op = op_at(&recipe_replace_in_place, "step-back-volume");
	op.is_committed = true;
	assert_int_equal(hear(&op, 503, NULL), V_RETRY);
	assert_true(op.is_committed);
	assert_int_equal(hear(&op, 200, "null"), V_GOTO);
	assert_false(op.is_committed);
}

/* With application credentials a person's user may be ours: what an earlier repair of the case may have done counts. */
static void test_own_stop(void **state)
{
	(void)state;
	const struct recipe *const recipes[] = { &recipe_start, &recipe_hard_reboot, &recipe_replace_in_place };
	for (size_t i = 0; i < COUNT(recipes); i++) {
		struct op op = op_at(recipes[i], "who-stopped");
		struct ask ask = { 0 };
		op.facts.may_have_stopped = true;
		op_step(&op)->ask(&op, &arena, &ask);
		assert_int_equal(ask.kind, ASK_NOTHING);
		assert_int_equal(hear(&op, 200, NULL), V_NEXT);
		op.facts.may_have_stopped = false;
		assert_int_equal(hear(&op, 200, ACTIONS(STOP_BY("\"ann\"", "14"))), V_FAIL);
		assert_string_equal(op.note, "somebody stopped the server (user ann, at 2026-11-22T14:00:00.000000)");
	}
	struct op op = op_at(&recipe_replace_in_place, "look-stop"); /* this repair stopped it */
	op.is_touched = true;
	assert_int_equal(hear(&op, 200, S("SHUTOFF", "null", "4")), V_GOTO);
	assert_string_equal(op.next, "prove-off");
	op.is_touched = false;
	op.is_sent = true;
	assert_int_equal(hear(&op, 200, S("SHUTOFF", "null", "4")), V_GOTO);
	assert_string_equal(op.next, "prove-off");
}

/* What the answers leave in the facts. */
static void test_facts_kept(void **state)
{
	(void)state;
	struct op op = op_at(&recipe_soft_reboot, "look-reboot");
	assert_int_equal(hear(&op, 200, ACTIONS(CREATE "," OLD_REBOOT)), V_NEXT);
	assert_string_equal(op.facts.baseline, "req-2");
	op = op_at(&recipe_soft_reboot, "look-reboot");
	assert_int_equal(hear(&op, 200, ACTIONS("")), V_NEXT);
	assert_string_equal(op.facts.baseline, "none");
	op = op_at(&recipe_soft_reboot, "wait-server");
	assert_int_equal(hear(&op, 200, S("ACTIVE", "null", "1")), V_NEXT);
	assert_int_equal(op.facts.acted.ms, INT64_C(1795363800) * 1000);
	op = op_at(&recipe_replace_in_place, "list-volumes");
	assert_int_equal(hear(&op, 200, VOLUMES(VOLUME("vol-9", "/dev/vdb", "false"))), V_NEXT);
	assert_string_equal(op.facts.volume, "vol-9");
	op = op_at(&recipe_replace_in_place, "find-resource");
	assert_int_equal(hear(&op, 200, RESOURCES(SRV)), V_GOTO);
	assert_string_equal(op.facts.resource, "k8s-abc-m/0aee/resources/kube-minion");
	op = op_at(&recipe_replace_in_place, "look-update");
	assert_int_equal(hear(&op, 200, STACK_IS("UPDATE_COMPLETE", T1)), V_NEXT);
	assert_string_equal(op.facts.baseline, "2026-11-22T16:00:00Z");
	op = op_at(&recipe_replace_in_place, "find-resource");
	assert_int_equal(hear(&op, 200, RESOURCES(NEW)), V_NEXT);
	assert_string_equal(op.facts.resource, "");
	op = op_at(&recipe_replace_in_place, "check-twin");
	assert_int_equal(hear(&op, 200, RESOURCES(NEW)), V_NEXT);
	assert_string_equal(op.facts.resource, "k8s-abc-m/0aee/resources/kube-minion");
	op = op_at(&recipe_replace_in_place, "find-resource-again");
	assert_int_equal(hear(&op, 200, RESOURCES(SRV)), V_GOTO);
	assert_string_equal(op.facts.resource, "k8s-abc-m/0aee/resources/kube-minion");
	op = op_at(&recipe_replace_in_place, "check-resource");
	op.facts.new_server[0] = '\0';
	assert_int_equal(hear(&op, 200, "{\"resource\":{\"physical_resource_id\":\"" NEW "\"}}"), V_NEXT);
	assert_string_equal(op.facts.new_server, NEW);
	op = op_at(&recipe_replace_by_resize, "read-group");
	assert_int_equal(hear(&op, 200, "{\"node_count\":5,\"status\":\"UPDATE_COMPLETE\"}"), V_NEXT);
	assert_int_equal(op.facts.count, 5);
	op = op_at(&recipe_replace_by_resize, "newest");
	op.facts.newest = 0;
	assert_int_equal(hear(&op, 200,
			      SERVERS(SIB("k8s-abc-node-7", "a", "ACTIVE") "," SIB(
				      "k8s-abc-node-12", "b", "ERROR") "," SIB("zk8s-abc-node-99", "c", "ACTIVE"))),
			 V_NEXT);
	assert_int_equal(op.facts.newest, 12);
	op = op_at(&recipe_replace_by_resize, "newest");
	(void)TEXT_COPY(op.facts.server_name, "without-number");
	assert_int_equal(hear(&op, 200, NULL), V_FAIL);
	op = op_at(&recipe_replace_by_resize, "find-new");
	assert_int_equal(hear(&op, 200, SERVERS(SIB("k8s-abc-node-3", NEW, "ACTIVE"))), V_NEXT);
	assert_string_equal(op.facts.new_server, NEW);
	op.at++;
	assert_string_equal(op_step(&op)->name, "forget-node");
	assert_int_equal(hear(&op, 200, NULL), V_NEXT);
	assert_string_equal(op.facts.node, "k8s-abc-node-3");
	assert_string_equal(op.facts.node_uid, "");
}

static void test_find_stack(void **state)
{
	(void)state;
	static const struct {
		const char *location;
		int status;
		enum verdict verdict;
		const char *stack;
	} cases[] = {
		{ "https://h/heat/v1/p/stacks/" STACK "?resolve_outputs=false", 302, V_NEXT, STACK },
		{ "https://h/heat/v1/p/stacks/" STACK, 301, V_NEXT, STACK },
		{ "https://h/elsewhere", 302, V_RETRY, STACK_ID },
		{ "https://h/stacks/../x", 302, V_RETRY, STACK_ID },
		{ "https://h/stacks/only-one", 302, V_RETRY, STACK_ID },
		{ "", 302, V_RETRY, STACK_ID },
		{ "", 200, V_RETRY, STACK_ID },
		{ "", 404, V_FAIL, STACK_ID },
		{ "", 503, V_RETRY, STACK_ID },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op op = op_at(&recipe_replace_in_place, "find-stack");
		(void)TEXT_COPY(op.facts.stack, STACK_ID);
		struct answer answer = { .status = cases[i].status, .location = cases[i].location };
		print_message("# %d %s\n", cases[i].status, cases[i].location);
		assert_int_equal(op_step(&op)->hear(&op, &answer), cases[i].verdict);
		assert_string_equal(op.facts.stack, cases[i].stack);
	}
}

/* ---- the Node -------------------------------------------------------------------------------------------------- */

static struct condition ready = { .type = "Ready", .reason = "KubeletReady", .status = STATUS_TRUE };

static struct node node_of(void)
{
	return (struct node){ .name = "k8s-abc-node-1",
			      .uid = "uid-1",
			      .resource_version = "42",
			      .provider_id = "",
			      .machine_id = "",
			      .system_uuid = "",
			      .boot_id = "",
			      .group = "default-worker",
			      .cordon_mark = "",
			      .conditions_count = 1,
			      .conditions = &ready };
}

static enum verdict hear_node(struct op *op, const struct node *node, bool is_fresh)
{
	struct answer answer = { .status = 200, .node = node, .location = "", .is_view_fresh = is_fresh };
	op->next = NULL;
	return op_step(op)->hear(op, &answer);
}

static void test_cordon_looks(void **state)
{
	(void)state;
	struct op op = op_at(&recipe_soft_reboot, "look-node");
	struct node node = node_of();
	assert_int_equal(hear_node(&op, &node, false), V_AGAIN);
	assert_int_equal(hear_node(&op, NULL, true), V_FAIL);
	assert_int_equal(hear_node(&op, &node, true), V_NEXT);
	assert_string_equal(op.facts.node_version, "42");
	assert_true(op.facts.was_ready);
	assert_true(op.is_left == false);
	assert_int_equal(hear_node(&op, &node, true), V_AGAIN); /* back after a conflict: that one was refused */
	node.resource_version = "43";
	assert_int_equal(hear_node(&op, &node, true), V_NEXT);
	node.resource_version = "a version that nobody has ever seen an API server give";
	assert_int_equal(hear_node(&op, &node, true), V_FAIL);
	op.facts.node_version[0] = '\0';
	node.uid = "uid-2";
	assert_int_equal(hear_node(&op, &node, true), V_FAIL);
	node = node_of();
	node.deleted.ms = 1;
	assert_int_equal(hear_node(&op, &node, true), V_FAIL);
	assert_true(op.is_left);
	node = node_of();
	node.is_cordoned = true; /* by somebody else */
	assert_int_equal(hear_node(&op, &node, true), V_GOTO);
	assert_string_equal(op.next, "cordoned");
	assert_false(op.facts.has_cordoned);
	node.cordon_mark = "case-6";
	assert_int_equal(hear_node(&op, &node, true), V_GOTO);
	assert_true(op.facts.has_cordoned);
	node = node_of();
	op.facts.is_worker = false;
	assert_int_equal(hear_node(&op, &node, true), V_GOTO);

	op = op_at(&recipe_uncordon, "look-cordon");
	assert_int_equal(hear_node(&op, &node, false), V_AGAIN);
	assert_int_equal(hear_node(&op, NULL, true), V_GOTO);
	node.is_cordoned = true;
	assert_int_equal(hear_node(&op, &node, true), V_GOTO);
	assert_string_equal(op.next, "done");
	node.cordon_mark = "case-6";
	node.uid = "uid-9";
	assert_int_equal(hear_node(&op, &node, true), V_NEXT);
	assert_string_equal(op.facts.node_uid, "uid-9");
}

/* A server that never joined: there is no Node to cordon, to look at or to forget, until it comes. */
static void test_phantoms(void **state)
{
	(void)state;
	struct op op = op_at(&recipe_soft_reboot, "look-node");
	struct node phantom = node_of();
	struct node node = node_of();
	struct ask ask = { 0 };
	phantom.uid = SRV;
	phantom.is_phantom = true;
	phantom.conditions_count = 0;
	(void)TEXT_COPY(op.facts.node_uid, SRV);
	assert_int_equal(hear_node(&op, &phantom, true), V_GOTO);
	assert_string_equal(op.next, "cordoned");
	assert_false(op.facts.has_cordoned || op.facts.was_ready);
	assert_int_equal(hear_node(&op, &node, true), V_FAIL);
	assert_string_equal(op.note, "the server has joined meanwhile: there is a Node k8s-abc-node-1");

	static const char *const looks[] = { "look-live", "look-still" };
	for (size_t i = 0; i < COUNT(looks); i++) {
		op = op_at(&recipe_replace_in_place, looks[i]);
		(void)TEXT_COPY(op.facts.node_uid, SRV);
		assert_int_equal(hear(&op, 404, NULL), V_NEXT);
		assert_int_equal(hear(&op, 200, SICK), V_FAIL);
		assert_string_equal(op.note, "the server has joined meanwhile: there is a Node k8s-abc-node-1");
	}
	op = op_at(&recipe_hard_reboot, "look-live"); /* where a Node must be there */
	(void)TEXT_COPY(op.facts.node_uid, SRV);
	assert_int_equal(hear(&op, 404, NULL), V_NEXT);

	op = op_at(&recipe_hard_reboot, "wait-ready");
	(void)TEXT_COPY(op.facts.node_uid, SRV);
	assert_int_equal(hear_node(&op, &phantom, true), V_AGAIN);
	assert_int_equal(hear_node(&op, &node, true), V_NEXT); /* it has joined, whenever it was started */

	op = op_at(&recipe_hard_reboot, "look-cordon");
	phantom.cordon_mark = "somebody's";
	assert_int_equal(hear_node(&op, &phantom, true), V_GOTO);
	assert_string_equal(op.next, "done");

	op = op_at(&recipe_replace_by_resize, "forget-node");
	(void)TEXT_COPY(op.facts.node_uid, SRV);
	op_step(&op)->ask(&op, &arena, &ask);
	assert_int_equal(ask.kind, ASK_NOTHING);
}

static void test_rebooted(void **state)
{
	(void)state;
	static const struct {
		const char *what, *boot_id;
		enum status ready;
		int64_t transition, heartbeat, acted;
		enum verdict verdict;
	} cases[] = {
		{ "another boot id", "boot-2", STATUS_TRUE, 0, 0, 0, V_NEXT },
		{ "another boot id, not Ready", "boot-2", STATUS_FALSE, 0, 0, 0, V_AGAIN },
		{ "another boot id, unknown", "boot-2", STATUS_UNKNOWN, 0, 0, 0, V_AGAIN },
		{ "the same boot id, old words", "boot-1", STATUS_TRUE, 90, 90, 100, V_AGAIN },
		{ "the same boot id, new heartbeat", "boot-1", STATUS_TRUE, 90, 110, 100, V_NEXT },
		{ "no boot id, new transition", "", STATUS_TRUE, 110, 90, 100, V_NEXT },
		{ "nothing is known of the act", "", STATUS_TRUE, 110, 110, 0, V_AGAIN },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op op = op_at(&recipe_soft_reboot, "wait-ready");
		struct node node = node_of();
		struct condition condition = ready;
		condition.status = cases[i].ready;
		condition.transition.ms = cases[i].transition;
		condition.heartbeat.ms = cases[i].heartbeat;
		node.conditions = &condition;
		node.boot_id = cases[i].boot_id;
		op.facts.acted.ms = cases[i].acted;
		print_message("# %s\n", cases[i].what);
		assert_int_equal(hear_node(&op, &node, true), cases[i].verdict);
		assert_int_equal(hear_node(&op, &node, false), V_AGAIN);
		assert_int_equal(hear_node(&op, NULL, true), V_AGAIN);
	}
}

static void test_replaced(void **state)
{
	(void)state;
	static const struct {
		const char *what, *machine_id, *system_uuid, *machine;
		enum verdict verdict;
	} cases[] = {
		{ "machine id is the new server's", "77777777000040008000000000000002", "", NULL, V_NEXT },
		{ "system uuid is the new server's", "", "77777777-0000-4000-8000-000000000002", NULL, V_NEXT },
		{ "still the old machine id", "535af63d000040008000000000000001", "", NEW, V_AGAIN },
		{ "still the old system uuid", "", "535AF63D-0000-4000-8000-000000000001", NULL, V_AGAIN },
		{ "another hypervisor: a new machine id of its own", "0123456789abcdef0123456789abcdef", "x", NULL,
		  V_NEXT },
		{ "an image with a fixed machine id, but the cloud knows", "", "x", NEW, V_NEXT },
		{ "nothing is known", "", "", NULL, V_AGAIN },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op op = op_at(&recipe_replace_in_place, "wait-ready");
		struct node node = node_of();
		struct machine machine = { 0 };
		node.machine_id = cases[i].machine_id;
		node.system_uuid = cases[i].system_uuid;
		(void)TEXT_COPY(machine.id, cases[i].machine);
		struct answer answer = { .node = &node,
					 .machine = cases[i].machine != NULL ? &machine : NULL,
					 .is_view_fresh = true };
		print_message("# %s\n", cases[i].what);
		assert_int_equal(op_step(&op)->hear(&op, &answer), cases[i].verdict);
	}
}

/* ---- which recipe, which facts --------------------------------------------------------------------------------- */

static struct cluster_view view_of(void)
{
	struct cluster_view v = { .is_known = true, .groups_count = 2 };
	(void)(TEXT_COPY(v.id, CL) && TEXT_COPY(v.stack_id, STACK_ID) && TEXT_COPY(v.stack_name, "k8s-abc") &&
	       TEXT_COPY(v.status, "UPDATE_COMPLETE") && TEXT_COPY(v.stack_status, "UPDATE_COMPLETE") &&
	       TEXT_COPY(v.groups[0].name, "default-worker") && TEXT_COPY(v.groups[0].stack_id, STACK_ID) &&
	       TEXT_COPY(v.groups[1].name, "extra") && TEXT_COPY(v.groups[1].stack_id, "extra-stack-id"));
	v.groups[0].role = v.groups[1].role = ROLE_WORKER;
	return v;
}

static void test_repair(void **state)
{
	(void)state;
	struct policy policy = policy_default();
	struct cluster_view view = view_of();
	struct node node = node_of();
	struct machine machine = { .id = SRV };
	const char *why = NULL;
	node.role = ROLE_WORKER;
#define REPAIR(rung, m) provider_openstack.repair((rung), &policy, &view, &node, (m), &why)
	policy.worker_replacement = REPLACE_IN_PLACE;
	assert_ptr_equal(REPAIR(RUNG_START, &machine), &recipe_start);
	assert_ptr_equal(REPAIR(RUNG_REBOOT, &machine), &recipe_soft_reboot);
	assert_ptr_equal(REPAIR(RUNG_HARD_REBOOT, &machine), &recipe_hard_reboot);
	assert_ptr_equal(REPAIR(RUNG_UNCORDON, NULL), &recipe_uncordon);
	assert_ptr_equal(REPAIR(RUNG_REPLACE, NULL), &recipe_replace_in_place);
	assert_null(REPAIR(RUNG_REBOOT, NULL));
	assert_string_equal(why, "the node's server is not known");
	assert_null(REPAIR(RUNG_GIVE_UP, &machine));
	policy.worker_replacement = REPLACE_RESIZE;
	assert_ptr_equal(REPAIR(RUNG_REPLACE, &machine), &recipe_replace_by_resize);
	node.group = "nobody's";
	assert_null(REPAIR(RUNG_REPLACE, &machine));
	node.group = "extra";
	view.groups[1].role = ROLE_MASTER;
	assert_null(REPAIR(RUNG_REPLACE, &machine));
	view.stack_status[0] = '\0';
	assert_null(REPAIR(RUNG_REPLACE, &machine));
	assert_null(provider_openstack.repair(RUNG_REPLACE, &policy, &view, &node, &machine, NULL));
	assert_ptr_equal(provider_find("openstack"), &provider_openstack);
	assert_null(provider_find("nimbus"));
}

static void test_facts(void **state)
{
	(void)state;
	struct cluster_view view = view_of();
	struct node node = node_of();
	struct machine machine = { .id = SRV, .name = "k8s-abc-node-1" };
	struct op_facts f = { .case_id = "c" };
	node.role = ROLE_WORKER;
	node.boot_id = "b";
	provider_openstack.facts(&view, &node, &machine, &f);
	assert_string_equal(f.stack, STACK);
	assert_string_equal(f.server, SRV);
	assert_string_equal(f.cluster, CL);
	assert_string_equal(f.boot_id, "b");
	assert_string_equal(f.case_id, "c");
	assert_true(f.is_worker);
	node.group = "extra"; /* its own stack, whose name is not known yet */
	provider_openstack.facts(&view, &node, NULL, &f);
	assert_string_equal(f.stack, "extra-stack-id");
	assert_string_equal(f.group, "extra");
	node.group = ""; /* not guessed */
	provider_openstack.facts(&view, &node, NULL, &f);
	assert_string_equal(f.group, "");
}

static void test_report(void **state)
{
	(void)state;
	struct cluster_view view = view_of();
	struct ask ask = { 0 };
	const char *bad[] = { "n-1", "o'n\\2" };
	assert_true(provider_openstack.report(&view, false, bad, 2, &arena, &ask));
	assert_string_equal(ask.method, "PATCH");
	assert_string_equal(ask.path, "/clusters/" CL);
	assert_true(ask.is_act);
	assert_string_equal(ask.body, "[{\"op\":\"replace\",\"path\":\"/health_status\",\"value\":\"UNHEALTHY\"},"
				      "{\"op\":\"replace\",\"path\":\"/health_status_reason\",\"value\":"
				      "\"{'api': 'ok', 'n-1.Ready': 'False', 'o\\\\'n\\\\\\\\2.Ready': 'False'}\"}]");
	assert_true(provider_openstack.report(&view, true, NULL, 0, &arena, &ask));
	assert_non_null(strstr(ask.body, "\"HEALTHY\""));
	(void)TEXT_COPY(view.stack_status, "UPDATE_IN_PROGRESS");
	assert_false(provider_openstack.report(&view, true, NULL, 0, &arena, &ask));
	(void)TEXT_COPY(view.stack_status, "UPDATE_COMPLETE");
	(void)TEXT_COPY(view.status, "UPDATE_FAILED");
	assert_false(provider_openstack.report(&view, true, NULL, 0, &arena, &ask));
}

/* ---- with the runner: an act whose answer is lost -------------------------------------------------------------------
 */

/* Lets the op ask until it asks something, storing its intents; the path of the question. */
static const char *next_ask(struct op *op, struct now *now)
{
	struct ask ask = { 0 };
	for (int i = 0; i < 100 && !op_is_over(op); i++) {
		if (op_poll(op, *now, &rng, &arena, &ask)) {
			op_left(op);
			return ask.kind == ASK_NODE ? "node" : arena_printf(&arena, "%s %s", ask.method, ask.path);
		}
		if (op->needs_journal)
			op_journalled(op);
		else
			now->mono.ms += SEC;
	}
	return op_state_name(op->state);
}

static void tell(struct op *op, struct now now, int status, const char *json)
{
	struct node node = node_of();
	json_t *doc = json != NULL ? json_loads(json, 0, NULL) : NULL;
	struct answer answer = { .status = status,
				 .json = doc,
				 .location = "",
				 .retry_after_ms = -1,
				 .node = &node,
				 .is_view_fresh = true };
	op_hear(op, now, &rng, &answer);
	json_decref(doc);
}

/* A dead compute host takes a reboot or a stop and does nothing. */
static void test_host_down(void **state)
{
	(void)state;
	static const struct {
		const struct recipe *recipe;
		const char *step, *json;
		bool is_told;
	} cases[] = {
		{ &recipe_soft_reboot, "wait-server", S("REBOOT", "\"rebooting\"", "1"), true },
		{ &recipe_hard_reboot, "wait-server", S("HARD_REBOOT", "\"reboot_started_hard\"", "1"), true },
		{ &recipe_start, "wait-server", S("SHUTOFF", "\"powering-on\"", "4"), true },
		{ &recipe_replace_in_place, "look-stop", S("HARD_REBOOT", "\"rebooting_hard\"", "1"), true },
		{ &recipe_replace_in_place, "prove-off", S("ACTIVE", "\"powering-off\"", "1"), true },
		{ &recipe_replace_in_place, "prove-off", S("SHUTOFF", "null", "1"), false },
		{ &recipe_soft_reboot, "wait-server", S("SHUTOFF", "null", "4"), false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op op = op_at(cases[i].recipe, cases[i].step);
		assert_int_equal(hear(&op, 200, cases[i].json), V_AGAIN);
		print_message("# %s\n", op.note);
		assert_int_equal(strstr(op.note, "its compute host may be down") != NULL, cases[i].is_told);
	}
	struct now now = { { 1000 }, { 1000 } }; /* and so it ends, with the next rung */
	struct op op = op_at(&recipe_hard_reboot, "wait-server");
	struct ask ask;
	op.entered = op.began = now.mono;
	while (!op_is_over(&op)) {
		if (op_poll(&op, now, &rng, &arena, &ask))
			tell(&op, now, 200, S("HARD_REBOOT", "\"rebooting_hard\"", "1"));
		now.mono.ms += SEC;
	}
	assert_int_equal(op.state, OP_FAILED);
	assert_string_equal(op.note, "wait-server: time is up; last: waiting for ACTIVE: accepted, but the server is "
				     "still HARD_REBOOT, rebooting_hard, power 1: its compute host may be down");
	assert_true(now.mono.ms >= 5 * MINUTE && now.mono.ms <= 6 * MINUTE);
}

#define REBOOT_ACT "POST " SERVER "/action"
#define REBOOT_LOOK "GET " SERVER "/os-instance-actions"

static struct op op_at_reboot(struct now *now)
{
	struct op op;
	struct op_facts facts = facts_of_worker();
	facts.ready_limit_ms = 5 * MINUTE;
	op_init(&op, &recipe_soft_reboot, &facts, *now);
	assert_string_equal(next_ask(&op, now), "node");
	tell(&op, *now, 200, NULL);
	assert_string_equal(next_ask(&op, now), "PATCH " NODE_PATH "?fieldManager=magnum-auto-healer");
	tell(&op, *now, 200, "{}");
	assert_string_equal(next_ask(&op, now), REBOOT_LOOK);
	tell(&op, *now, 200, ACTIONS(OLD_REBOOT));
	assert_string_equal(next_ask(&op, now), "GET " SERVER);
	tell(&op, *now, 200, S("ACTIVE", "null", "1"));
	assert_string_equal(next_ask(&op, now), "GET " NODE_PATH);
	tell(&op, *now, 200, SICK);
	assert_false(op_has_acted(&op));
	assert_string_equal(next_ask(&op, now), REBOOT_ACT);
	assert_true(op_has_acted(&op));
	return op;
}

static void test_lost_answer(void **state)
{
	(void)state;
	struct now now = { { 1000 }, { 1000 } };
	struct op op = op_at_reboot(&now);
	int64_t lost_at = now.mono.ms;
	tell(&op, now, 0, NULL);
	assert_string_equal(next_ask(&op, &now), REBOOT_LOOK);
	assert_true(now.mono.ms - lost_at >= OP_LOST_PAUSE_MS);
	tell(&op, now, 200, ACTIONS(NEW_REBOOT "," OLD_REBOOT)); /* it had arrived */
	assert_string_equal(next_ask(&op, &now), "GET " SERVER);
	assert_string_equal(op_step(&op)->name, "wait-server");

	op = op_at_reboot(&now);
	tell(&op, now, 502, NULL);
	assert_string_equal(next_ask(&op, &now), REBOOT_LOOK);
	tell(&op, now, 200, ACTIONS(OLD_REBOOT)); /* it had not */
	assert_string_equal(next_ask(&op, &now), "GET " SERVER);
	tell(&op, now, 200, S("ACTIVE", "null", "1"));
	assert_string_equal(next_ask(&op, &now), "GET " NODE_PATH); /* and the Node is looked at once more */
	tell(&op, now, 200, SICK);
	assert_string_equal(next_ask(&op, &now), REBOOT_ACT);
	tell(&op, now, 202, NULL);
	assert_string_equal(next_ask(&op, &now), "GET " SERVER);
	assert_string_equal(op_step(&op)->name, "wait-server");
}

/* The healer dies after the intent was stored: the next leader looks first. */
static void test_crash_after_intent(void **state)
{
	(void)state;
	struct now now = { { 1000 }, { 1000 } };
	struct op before = op_at_reboot(&now);
	struct op op = { .recipe = before.recipe,
			 .at = before.at,
			 .started = before.started,
			 .is_sent = before.is_sent,
			 .facts = before.facts };
	assert_true(op.is_sent);
	assert_string_equal(op.facts.baseline, "req-2");
	op_resume(&op, now);
	assert_string_equal(next_ask(&op, &now), REBOOT_LOOK);
	tell(&op, now, 200, ACTIONS(NEW_REBOOT "," OLD_REBOOT));
	assert_string_equal(next_ask(&op, &now), "GET " SERVER);
	assert_string_equal(op_step(&op)->name, "wait-server");
}

#define MARK_ACT "PATCH /stacks/" RES
#define MARK_VOLUME_ACT "PATCH /stacks/" ROOT
#define LOOK_STACK "GET " STACK_PATH
#define UPDATE_ACT "PATCH /stacks/" STACK

/* The mark has just left. */
static struct op op_marking(struct now *now)
{
	struct op_facts facts = facts_of_worker();
	struct op op;
	size_t at = op_at(&recipe_replace_in_place, "mark-unhealthy").at;
	op_init(&op, &recipe_replace_in_place, &facts, *now);
	op.at = at;
	op.holds_lock = true;
	assert_string_equal(next_ask(&op, now), MARK_ACT);
	assert_false(op_cancel(&op, "switched off")); /* it may be in Heat: finished, or taken back */
	return op;
}

static struct op op_updating(struct now *now)
{
	struct op op = op_marking(now);
	tell(&op, *now, 200, NULL);
	assert_string_equal(next_ask(&op, now), MARK_VOLUME_ACT);
	tell(&op, *now, 200, NULL);
	assert_string_equal(next_ask(&op, now), LOOK_STACK);
	tell(&op, *now, 200, STACK_IS("CREATE_COMPLETE", "null"));
	assert_string_equal(next_ask(&op, now), UPDATE_ACT);
	return op;
}

/* Its mark is being taken back: also where Heat fails for longer than a handful of tries. */
static void expect_unmark(struct op *op, struct now *now, const char *note)
{
	assert_string_equal(op_step(op)->name, "unmark");
	for (int i = 0; i < 20; i++) {
		tell(op, *now, 503, NULL);
		now->mono.ms += MINUTE;
		assert_string_equal(next_ask(op, now), MARK_ACT);
	}
	tell(op, *now, 200, NULL);
	assert_string_equal(next_ask(op, now), MARK_VOLUME_ACT);
	tell(op, *now, 503, NULL);
	now->mono.ms += MINUTE;
	assert_string_equal(next_ask(op, now), MARK_VOLUME_ACT);
	tell(op, *now, 200, NULL);
	assert_int_equal(op->state, OP_FAILED);
	assert_string_equal(op->note, note);
}

static void test_mark_never_stays(void **state)
{
	(void)state;
	struct now now = { { 1000 }, { 1000 } };
	struct op op = op_marking(&now); /* no answer to the mark, ever */
	for (int i = 0; i < 30 && strcmp(op_step(&op)->name, "mark-unhealthy") == 0; i++) {
		tell(&op, now, 0, NULL);
		now.mono.ms += MINUTE;
		assert_string_equal(next_ask(&op, &now), MARK_ACT);
	}
	expect_unmark(&op, &now, "marking the server unhealthy in Heat: ");

	op = op_marking(&now); /* the volume's mark is refused */
	tell(&op, now, 200, NULL);
	assert_string_equal(next_ask(&op, &now), MARK_VOLUME_ACT);
	tell(&op, now, 404, NULL);
	assert_string_equal(next_ask(&op, &now), MARK_ACT);
	expect_unmark(&op, &now, "marking the root volume unhealthy in Heat: HTTP 404 ");

	op = op_marking(&now); /* the stack cannot be read */
	tell(&op, now, 200, NULL);
	assert_string_equal(next_ask(&op, &now), MARK_VOLUME_ACT);
	tell(&op, now, 200, NULL);
	while (strcmp(next_ask(&op, &now), LOOK_STACK) == 0) {
		tell(&op, now, 503, NULL);
		now.mono.ms += MINUTE;
	}
	expect_unmark(&op, &now, "reading the stack: HTTP 503");

	op = op_updating(&now); /* the update is refused again and again */
	for (int i = 0; i < 3; i++) {
		tell(&op, now, 409, NULL);
		assert_string_equal(next_ask(&op, &now), i < 2 ? UPDATE_ACT : MARK_ACT);
	}
	expect_unmark(&op, &now, "updating the stack: HTTP 409 ");

	op = op_updating(&now); /* accepted, and it fails */
	tell(&op, now, 202, NULL);
	assert_string_equal(next_ask(&op, &now), LOOK_STACK);
	tell(&op, now, 200, STACK_IS("UPDATE_FAILED", T1));
	assert_string_equal(next_ask(&op, &now), LOOK_STACK);
	tell(&op, now, 200, STACK_IS("UPDATE_FAILED", T1));
	assert_string_equal(next_ask(&op, &now), MARK_ACT);
	expect_unmark(&op, &now, "the stack is UPDATE_FAILED: ");
}

/* Until the mark everything may still be called off. */
static void test_stop_is_cancellable(void **state)
{
	(void)state;
	for (size_t i = 0; i < recipe_replace_in_place.steps_count; i++) {
		const struct step *step = &recipe_replace_in_place.steps[i];
		bool is_committed = strcmp(step->name, "mark-unhealthy") == 0 ||
				    strcmp(step->name, "mark-volume") == 0 || strcmp(step->name, "update-stack") == 0;
		assert_int_equal(step->is_committed, is_committed);
	}
	for (size_t i = 0; i < recipe_replace_by_resize.steps_count; i++) {
		const struct step *step = &recipe_replace_by_resize.steps[i];
		assert_int_equal(step->is_committed, strcmp(step->name, "resize") == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_other_asks),
		cmocka_unit_test(test_hears),
		cmocka_unit_test(test_find_twin),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_replaced_by_others),
		cmocka_unit_test(test_ready_is_no_news),
		cmocka_unit_test(test_host_down),
		cmocka_unit_test(test_own_stop),
		cmocka_unit_test(test_phantoms),
		cmocka_unit_test(test_update_refused),
		cmocka_unit_test(test_mark_never_stays),
		cmocka_unit_test(test_stop_is_cancellable),
		cmocka_unit_test(test_facts_kept),
		cmocka_unit_test(test_find_stack),
		cmocka_unit_test(test_cordon_looks),
		cmocka_unit_test(test_rebooted),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_lost_answer),
		cmocka_unit_test(test_crash_after_intent),
	};
	arena_init(&arena);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_done(&arena);
	return failed;
}
