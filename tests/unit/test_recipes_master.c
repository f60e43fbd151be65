/* Replacing a master: each step's question and readings, the whole walk in a small world, and the same walk with every
 * kind of trouble at every question: in the end the master is replaced or runs as before, and no mark is left in Heat.
 */
#include "base/jsonx.h"
#include "cloud/openstack/heat.h"
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
#define TWIN "88888888-0000-4000-8000-000000000003"
#define CL "d85587ea-0000-4000-8000-00000000000c"
#define STACK_ID "59aaea0f-99f7-40c6-a254-96284ec4d53a"
#define STACK "k8s-abc/" STACK_ID
#define NESTED "k8s-abc-kube_masters-x-1-y/0aee8b7b/resources/"
#define RES NESTED "kube-master-bfv"
#define ROOT NESTED "kube_node_volume"
#define NAME "k8s-abc-master-1"

static struct arena arena;
static struct rng rng = { 1 };

static struct op_facts facts_of_master(void)
{
	struct op_facts f = { .ready_limit_ms = 5 * MINUTE };
	(void)(TEXT_COPY(f.node, NAME) && TEXT_COPY(f.node_uid, "uid-1") && TEXT_COPY(f.boot_id, "boot-1") &&
	       TEXT_COPY(f.machine_id, "535af63d000040008000000000000001") && TEXT_COPY(f.server, SRV) &&
	       TEXT_COPY(f.server_name, NAME) && TEXT_COPY(f.cluster, CL) && TEXT_COPY(f.stack, STACK) &&
	       TEXT_COPY(f.case_id, "case-7"));
	return f;
}

static struct op op_at(const char *step)
{
	struct op op = { .recipe = &recipe_replace_master, .facts = facts_of_master() };
	(void)(TEXT_COPY(op.facts.resource, RES) && TEXT_COPY(op.facts.root_volume, ROOT) &&
	       TEXT_COPY(op.facts.new_server, NEW) && TEXT_COPY(op.facts.node_version, "41"));
	for (op.at = 0; op.at < op.recipe->steps_count; op.at++) {
		if (strcmp(op_step(&op)->name, step) == 0)
			return op;
	}
	fail_msg("there is no step %s", step);
	return op;
}

/* ---- asks ------------------------------------------------------------------------------------------------------ */

#define SERVER "/servers/" SRV
#define STACK_PATH "/stacks/" STACK "?resolve_outputs=false"
#define SERVERS_PATH "/stacks/" STACK "/resources?nested_depth=2&type=OS::Nova::Server"
#define NODE_PATH "/api/v1/nodes/" NAME
#define MARK "{\"mark_unhealthy\":true,\"resource_status_reason\":\"Mark resource unhealthy by autohealing service\"}"
#define UNMARK "{\"mark_unhealthy\":false,\"resource_status_reason\":\"Mark taken back by autohealing service\"}"

/* In the order of the table; what is not an act is read. */
static const struct ask_case {
	const char *step, *method, *path, *body; /* no method: nothing is asked, or memory ("node") */
} ask_cases[] = {
	{ "look-node", NULL, "node", NULL },
	{ "cordon", "PATCH", NODE_PATH "?fieldManager=magnum-auto-healer", "*" }, /* a master never comes here */
	{ "cordoned", NULL, NULL, NULL },
	{ "find-stack", NULL, NULL, NULL },
	{ "find-resource", "GET", SERVERS_PATH, NULL },
	{ "find-twin", "GET", "/servers/detail?limit=1000&name=%5E" NAME "%24", NULL },
	{ "check-twin", "GET", SERVERS_PATH, NULL },
	{ "find-volume", "GET", "/stacks/" ROOT, NULL },
	{ "stack-free", "GET", STACK_PATH, NULL },
	{ "step-back", NULL, NULL, NULL },
	{ "unmark", "PATCH", "/stacks/" RES, UNMARK },
	{ "unmark-volume", "PATCH", "/stacks/" ROOT, UNMARK },
	{ "whose", "GET", "/stacks/" RES, NULL },
	{ "look-again", "GET", SERVER, NULL },
	{ "start-again", "POST", SERVER "/action", "{\"os-start\":null}" },
	{ "wait-again", "GET", SERVER, NULL },
	{ "look-stop", "GET", SERVER, NULL },
	{ "look-live", "GET", NODE_PATH, NULL },
	{ "stop", "POST", SERVER "/action", "{\"os-stop\":null}" },
	{ "who-stopped", "GET", SERVER "/os-instance-actions", NULL },
	{ "prove-off", "GET", SERVER, NULL },
	{ "off", NULL, NULL, NULL },
	{ "stack-idle", "GET", STACK_PATH, NULL },
	{ "look-still", "GET", NODE_PATH, NULL },
	{ "look-off", "GET", SERVER, NULL },
	{ "find-resource-again", "GET", SERVERS_PATH, NULL },
	{ "mark-unhealthy", "PATCH", "/stacks/" RES, MARK },
	{ "mark-volume", "PATCH", "/stacks/" ROOT, MARK },
	{ "look-update", "GET", STACK_PATH, NULL },
	{ "update-stack", "PATCH", "/stacks/" STACK, "{\"existing\":true}" },
	{ "wait-update", "GET", STACK_PATH, NULL },
	{ "wait-stack", "GET", STACK_PATH, NULL },
	{ "check-resource", "GET", "/stacks/" RES, NULL },
	{ "wait-new", "GET", "/servers/" NEW, NULL },
	{ "old-gone", "GET", SERVER, NULL },
	{ "wait-ready", NULL, "node", NULL },
	{ "look-cordon", NULL, "node", NULL },
	{ "uncordon", "PATCH", NODE_PATH "?fieldManager=magnum-auto-healer", "*" },
	{ "done", NULL, NULL, NULL },
};

static void test_asks(void **state)
{
	(void)state;
	assert_int_equal(recipe_replace_master.steps_count, COUNT(ask_cases));
	for (size_t i = 0; i < COUNT(ask_cases); i++) {
		const struct ask_case *c = &ask_cases[i];
		struct op op = op_at(c->step);
		struct ask ask = { 0 };
		print_message("# %s\n", c->step);
		assert_int_equal(op.at, i);
		op_step(&op)->ask(&op, &arena, &ask);
		if (c->method == NULL) {
			assert_int_equal(ask.kind, c->path != NULL ? ASK_NODE : ASK_NOTHING);
			continue;
		}
		assert_string_equal(ask.method, c->method);
		assert_string_equal(ask.path, c->path);
		assert_int_equal(ask.is_act, c->body != NULL);
		assert_true(text_eq(ask.body, c->body) || text_eq(c->body, "*"));
		if (strncmp(c->step, "look-", 5) == 0 || strcmp(c->step, "whose") == 0)
			assert_false(ask.is_act);
	}
	/* Nothing is marked beside a server that boots from an image. */
	static const char *const volume_steps[] = { "mark-volume", "unmark-volume" };
	for (size_t i = 0; i < COUNT(volume_steps); i++) {
		struct op op = op_at(volume_steps[i]);
		struct ask ask = { 0 };
		op.facts.root_volume[0] = '\0';
		op_step(&op)->ask(&op, &arena, &ask);
		assert_int_equal(ask.kind, ASK_NOTHING);
	}
	struct op op = op_at("who-stopped"); /* by this case itself, perhaps */
	struct ask ask = { 0 };
	op.facts.may_have_stopped = true;
	op_step(&op)->ask(&op, &arena, &ask);
	assert_int_equal(ask.kind, ASK_NOTHING);
}

static size_t index_of(const char *step)
{
	return op_at(step).at;
}

/* What is asked of the table: no detaching of volumes, an exclusive lock from before the stop to the end of the update,
 * a way out of every step between stop and update, and nothing that can be cancelled half-way. */
static void test_table(void **state)
{
	(void)state;
	const struct recipe *r = &recipe_replace_master;
	assert_int_equal(r->limit_ms, 0);
	for (size_t i = 0; i < r->steps_count; i++) {
		const struct step *step = &r->steps[i];
		bool is_once = strcmp(step->name, "stop") == 0 || strcmp(step->name, "start-again") == 0 ||
			       strcmp(step->name, "update-stack") == 0;
		bool is_after_stop = i >= index_of("look-stop") && i <= index_of("check-resource");
		print_message("# %s\n", step->name);
		assert_null(strstr(step->name, "detach"));
		if (is_after_stop && strcmp(step->name, "off") != 0)
			assert_non_null(step->otherwise);
		if (is_after_stop || (i >= index_of("stack-free") && i <= index_of("whose")))
			assert_true(step->is_exclusive);
		assert_int_equal(step->is_once, is_once);
		if (is_once) {
			assert_true(step->is_committed);
			assert_true(index_of(step->look) < i);
		}
		if (i >= index_of("look-stop") && i < index_of("mark-unhealthy") && step->otherwise != NULL)
			assert_string_equal(step->otherwise, "look-again");
		bool is_marked = i >= index_of("mark-unhealthy") && i <= index_of("check-resource");
		if (is_marked && strcmp(step->name, "wait-update") != 0)
			assert_string_equal(step->otherwise, "unmark");
		/* Ways back are ways back, also in the table: so the note stays. Nothing leads round in a circle. */
		if (step->otherwise != NULL && index_of(step->otherwise) < i)
			assert_true(index_of(step->otherwise) < index_of("look-stop"));
	}
	assert_int_equal(index_of("look-live") + 1, index_of("stop")); /* the last look before it */
}

/* ---- hears ----------------------------------------------------------------------------------------------------- */

#define S(status, task, power)                                                                                         \
	"{\"server\":{\"id\":\"" SRV "\",\"name\":\"" NAME "\",\"status\":\"" status                                   \
	"\",\"OS-EXT-STS:task_state\":" task ",\"OS-EXT-STS:power_state\":" power                                      \
	",\"OS-SRV-USG:launched_at\":\"2026-11-22T16:10:00.000000\"}}"
#define LOCKED "{\"server\":{\"id\":\"" SRV "\",\"name\":\"" NAME "\",\"status\":\"SHUTOFF\",\"locked\":true}}"
#define OTHER "{\"server\":{\"id\":\"" SRV "\",\"name\":\"somebody-1\",\"status\":\"ACTIVE\"}}"
#define STACK_IS(status, updated) "{\"stack\":{\"stack_status\":\"" status "\",\"updated_time\":" updated "}}"
#define T1 "\"2026-11-22T16:00:00Z\""
#define T2 "\"2026-11-22T17:00:00Z\""
#define RESOURCES(id)                                                                                                  \
	"{\"resources\":[{\"physical_resource_id\":\"" id "\",\"links\":[{\"rel\":\"self\",\"href\":"                  \
	"\"http://h/heat/v1/p/stacks/" RES "\"}]}]}"
#define IS_AT(id) "{\"resource\":{\"physical_resource_id\":" id "}}"
#define NODE(status, more)                                                                                             \
	"{\"metadata\":{\"uid\":\"uid-1\"" more                                                                        \
	"},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"" status                                       \
	"\",\"lastTransitionTime\":\"2026-11-22T16:00:00Z\"}]}}"
#define SICK NODE("Unknown", "")
#define STOPPED(user)                                                                                                  \
	"{\"instanceActions\":[{\"action\":\"stop\",\"user_id\":" user                                                 \
	",\"request_id\":\"r\",\"start_time\":\"2026-11-22T15:00:00.000000\"}]}"

static const struct hear_case {
	const char *step;
	int status;
	const char *json;
	enum verdict verdict;
	const char *next;
	bool is_fresh; /* nothing was done to the server so far */
	bool is_left;
} hear_cases[] = {
	{ "find-resource", 200, RESOURCES(SRV), V_GOTO, "find-volume", true },
	{ "find-resource", 200, RESOURCES(NEW), V_NEXT, NULL, true },
	{ "find-resource", 200, "{}", V_RETRY, NULL, true },
	{ "find-resource", 403, NULL, V_FAIL, NULL, true },
	{ "check-twin", 200, RESOURCES(NEW), V_NEXT, NULL, true },
	{ "check-twin", 200, RESOURCES("somebody-s"), V_FAIL, NULL, true },
	{ "off", 200, NULL, V_GOTO, "look-stop" }, /* it has a twin */
	{ "find-volume", 404, NULL, V_NEXT, NULL, true },
	{ "find-volume", 200, IS_AT("\"vol-1\""), V_NEXT, NULL, true },
	{ "find-volume", 200, IS_AT("null"), V_NEXT, NULL, true },
	{ "find-volume", 503, NULL, V_RETRY, NULL, true },
	{ "find-volume", 403, NULL, V_FAIL, NULL, true },
	{ "stack-free", 200, STACK_IS("UPDATE_COMPLETE", T1), V_GOTO, "look-stop", true },
	{ "stack-free", 200, STACK_IS("UPDATE_IN_PROGRESS", T1), V_AGAIN, NULL, true },
	{ "stack-free", 200, STACK_IS("DELETE_IN_PROGRESS", T1), V_FAIL, NULL, true },
	/* the same failure before the stop and after it */
	{ "look-stop", 200, S("ACTIVE", "null", "1"), V_NEXT, NULL, true },
	{ "look-stop", 200, LOCKED, V_FAIL, NULL, true, true },
	{ "look-stop", 200, LOCKED, V_GOTO, "look-again", false, true },
	{ "look-stop", 403, NULL, V_FAIL, NULL, true },
	{ "look-stop", 403, NULL, V_GOTO, "look-again" },
	{ "look-stop", 404, NULL, V_GOTO, "off" },
	{ "look-stop", 200, S("SHUTOFF", "null", "4"), V_GOTO, "who-stopped", true },
	{ "look-stop", 200, S("SHUTOFF", "null", "4"), V_GOTO, "prove-off" },
	{ "look-stop", 200, S("PAUSED", "null", "3"), V_FAIL, NULL, true, true },
	{ "look-live", 200, SICK, V_NEXT, NULL, true },
	{ "look-live", 404, NULL, V_FAIL, NULL, true },
	{ "look-live", 404, NULL, V_GOTO, "look-again" },
	{ "look-live", 200, NODE("True", ""), V_FAIL, NULL, true },
	{ "look-live", 200, NODE("True", ""), V_GOTO, "look-again" },
	{ "look-live", 200, NODE("False", ",\"deletionTimestamp\":\"2026-11-22T16:00:00Z\""), V_FAIL, NULL, true,
	  true },
	{ "stop", 202, NULL, V_GOTO, "prove-off" },
	{ "stop", 404, NULL, V_GOTO, "off" },
	{ "stop", 409, NULL, V_RETRY, NULL },
	{ "stop", 403, NULL, V_GOTO, "look-again" },
	{ "who-stopped", 200, STOPPED("null"), V_NEXT, NULL, true },
	{ "who-stopped", 200, STOPPED("\"ann\""), V_FAIL, NULL, true, true },
	{ "who-stopped", 404, NULL, V_GOTO, "off", true },
	{ "prove-off", 200, S("SHUTOFF", "null", "4"), V_NEXT, NULL },
	{ "prove-off", 200, S("ACTIVE", "\"powering-off\"", "1"), V_AGAIN, NULL },
	{ "prove-off", 200, S("ERROR", "null", "0"), V_GOTO, "look-again" },
	{ "prove-off", 403, NULL, V_GOTO, "look-again" },
	{ "stack-idle", 200, STACK_IS("UPDATE_COMPLETE", T1), V_NEXT, NULL },
	{ "stack-idle", 200, STACK_IS("UPDATE_IN_PROGRESS", T1), V_AGAIN, NULL },
	{ "stack-idle", 200, STACK_IS("DELETE_IN_PROGRESS", T1), V_GOTO, "look-again" },
	{ "look-still", 200, SICK, V_NEXT, NULL },
	{ "look-still", 404, NULL, V_NEXT, NULL },
	{ "look-still", 200, NODE("True", ""), V_GOTO, "look-again" },
	{ "look-off", 200, S("SHUTOFF", "null", "4"), V_NEXT, NULL },
	{ "look-off", 404, NULL, V_NEXT, NULL },
	{ "look-off", 200, S("ACTIVE", "null", "1"), V_GOTO, "look-again", false, true },
	{ "look-off", 200, LOCKED, V_GOTO, "look-again", false, true },
	{ "find-resource-again", 200, RESOURCES(SRV), V_GOTO, "mark-unhealthy" },
	{ "find-resource-again", 200, RESOURCES(NEW), V_GOTO, "wait-new" },
	{ "find-resource-again", 200, "{\"resources\":[]}", V_GOTO, "look-again" },
	{ "find-resource-again", 503, NULL, V_RETRY, NULL },
	{ "mark-unhealthy", 200, "null", V_NEXT, NULL },
	{ "mark-unhealthy", 403, NULL, V_GOTO, "unmark" },
	{ "mark-volume", 200, "null", V_NEXT, NULL },
	{ "mark-volume", 409, NULL, V_RETRY, NULL },
	{ "mark-volume", 404, NULL, V_GOTO, "unmark" },
	{ "look-update", 200, STACK_IS("UPDATE_COMPLETE", T1), V_NEXT, NULL },
	{ "look-update", 200, STACK_IS("UPDATE_IN_PROGRESS", T1), V_GOTO, "step-back" },
	{ "step-back", 200, NULL, V_GOTO, "unmark", false, true },
	{ "update-stack", 202, NULL, V_NEXT, NULL },
	{ "update-stack", 403, NULL, V_GOTO, "unmark" },
	{ "wait-stack", 200, STACK_IS("UPDATE_COMPLETE", T2), V_NEXT, NULL },
	{ "wait-stack", 200, STACK_IS("UPDATE_FAILED", T2), V_GOTO, "unmark" },
	{ "check-resource", 200, IS_AT("\"" SRV "\""), V_GOTO, "unmark" },
	{ "check-resource", 200, IS_AT("\"" NEW "\""), V_NEXT, NULL },
	/* the way back */
	{ "unmark", 200, "null", V_NEXT, NULL },
	{ "unmark", 403, NULL, V_NEXT, NULL },
	{ "unmark", 409, NULL, V_RETRY, NULL },
	{ "unmark", 0, NULL, V_RETRY, NULL },
	{ "unmark-volume", 200, "null", V_NEXT, NULL },
	{ "unmark-volume", 404, NULL, V_NEXT, NULL },
	{ "unmark-volume", 503, NULL, V_RETRY, NULL },
	{ "whose", 200, IS_AT("\"" SRV "\""), V_NEXT, NULL },
	{ "whose", 200, IS_AT("\"" NEW "\""), V_FAIL, NULL },
	{ "whose", 200, IS_AT("null"), V_FAIL, NULL },
	{ "whose", 404, NULL, V_FAIL, NULL },
	{ "whose", 503, NULL, V_RETRY, NULL },
	{ "look-again", 200, S("SHUTOFF", "null", "4"), V_NEXT, NULL },
	{ "look-again", 200, S("SHUTOFF", "null", "4"), V_FAIL, NULL, true }, /* not by us */
	{ "look-again", 200, S("SHUTOFF", "\"powering-on\"", "4"), V_GOTO, "wait-again" },
	{ "look-again", 200, S("ACTIVE", "null", "1"), V_GOTO, "wait-again" },
	{ "look-again", 200, S("ACTIVE", "\"powering-off\"", "1"), V_AGAIN, NULL },
	{ "look-again", 200, S("ERROR", "null", "0"), V_FAIL, NULL },
	{ "look-again", 200, LOCKED, V_FAIL, NULL, false, true },
	{ "look-again", 200, OTHER, V_FAIL, NULL, false, true },
	{ "look-again", 404, NULL, V_FAIL, NULL },
	{ "look-again", 403, NULL, V_FAIL, NULL },
	{ "look-again", 503, NULL, V_RETRY, NULL },
	{ "start-again", 202, NULL, V_NEXT, NULL },
	{ "start-again", 409, NULL, V_RETRY, NULL },
	{ "start-again", 403, NULL, V_FAIL, NULL },
	{ "wait-again", 200, S("ACTIVE", "null", "1"), V_FAIL, NULL },
	{ "wait-again", 200, S("SHUTOFF", "\"powering-on\"", "4"), V_AGAIN, NULL },
	{ "wait-again", 200, S("ERROR", "null", "0"), V_FAIL, NULL },
	{ "wait-again", 404, NULL, V_FAIL, NULL },
	{ "wait-again", 403, NULL, V_FAIL, NULL },
	{ "wait-again", 503, NULL, V_RETRY, NULL },
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
		struct op op = op_at(c->step);
		assert_true(wall_parse(STR("2026-11-22T16:05:00Z"), &op.started));
		op.is_touched = !c->is_fresh;
		enum verdict verdict = hear(&op, c->status, c->json);
		if (verdict != c->verdict || !text_eq(op.next, c->next) || op.is_left != c->is_left)
			fail_msg("%s: %d %s: verdict %d next %s left %d (note: %s)", c->step, c->status,
				 c->json != NULL ? c->json : "", verdict, op.next != NULL ? op.next : "-", op.is_left,
				 op.note);
		if (verdict == V_FAIL || verdict == V_AGAIN)
			assert_string_not_equal(op.note, "");
		if (c->next != NULL && strcmp(c->next, "look-again") == 0)
			assert_string_not_equal(op.facts.why, "");
	}
}

static void test_facts_kept(void **state)
{
	(void)state;
	struct op op = op_at("find-volume");
	op.facts.root_volume[0] = '\0';
	assert_int_equal(hear(&op, 200, IS_AT("\"vol-1\"")), V_NEXT);
	assert_string_equal(op.facts.root_volume, ROOT);
	assert_int_equal(hear(&op, 404, NULL), V_NEXT);
	assert_string_equal(op.facts.root_volume, "");
	(void)TEXT_COPY(op.facts.resource, "no/address");
	assert_int_equal(hear(&op, 200, IS_AT("\"vol-1\"")), V_FAIL);

	op = op_at("stop"); /* what was said last is the reason when its time is over */
	assert_int_equal(hear(&op, 409, "{\"conflictingRequest\":{\"message\":\"Cannot\"}}"), V_RETRY);
	assert_string_equal(op.facts.why, "stopping the server: HTTP 409 Cannot");
	assert_int_equal(hear(&op, 202, NULL), V_GOTO);
	assert_string_equal(op.facts.why, "");

	op = op_at("look-stop"); /* the intent was stored; whether the stop left, nobody knows */
	op.is_sent = true;
	assert_int_equal(hear(&op, 200, S("SHUTOFF", "null", "4")), V_GOTO);
	assert_string_equal(op.next, "prove-off");
	assert_true(op.is_touched);

	op = op_at("wait-again"); /* nothing of ours is left */
	(void)TEXT_COPY(op.facts.why, "the stack is DELETE_IN_PROGRESS");
	op.is_committed = true;
	assert_int_equal(hear(&op, 200, S("ACTIVE", "null", "1")), V_FAIL);
	assert_string_equal(op.note, "the stack is DELETE_IN_PROGRESS; the server runs as before");
	assert_false(op.is_committed);
}

static void test_sibling(void **state)
{
	(void)state;
	char out[40];
	assert_true(heat_sibling("n/i/resources/kube-master-bfv", "vol", out, sizeof out));
	assert_string_equal(out, "n/i/resources/vol");
	assert_false(heat_sibling("n/i/resources/a/b", "vol", out, sizeof out));
	assert_false(heat_sibling("n/i", "vol", out, sizeof out));
	assert_false(heat_sibling("", "vol", out, sizeof out));
	assert_false(heat_sibling("n/0123456789012345678901234567890/resources/r", "vol", out, sizeof out));
}

/* ---- a small world --------------------------------------------------------------------------------------------- */

struct world {
	bool has_root_volume;
	bool has_twin; /* an earlier replacement failed half-way: the Node's server is gone, another one is the stack's
			*/
	bool is_off, is_marked, is_root_marked;
	bool is_replaced;
	int stops, starts, updates;
	bool is_update_failing;
	bool is_update_idle; /* Heat says that it has updated the stack, and has done nothing */
	bool is_lied_about;  /* a 404 says that something does not exist which does: then that much is not expected */
};

static const char *server_json(const struct world *w)
{
	return w->is_off ? S("SHUTOFF", "null", "4") : S("ACTIVE", "null", "1");
}

static int act(struct world *w, const char *path, const char *body)
{
	if (strcmp(path, w->has_twin ? "/servers/" TWIN "/action" : SERVER "/action") == 0) {
		bool is_stop = strstr(body, "os-stop") != NULL;
		if (w->is_replaced)
			return 404;
		if (w->is_off == is_stop)
			return 409;
		w->stops += is_stop;
		w->starts += !is_stop;
		w->is_off = is_stop;
		return 202;
	}
	bool is_mark = strstr(body, "\"mark_unhealthy\":true") != NULL;
	if (strcmp(path, "/stacks/" RES) == 0) {
		w->is_marked = is_mark;
		return 200;
	}
	if (strcmp(path, "/stacks/" ROOT) == 0 && w->has_root_volume) {
		w->is_root_marked = is_mark;
		return 200;
	}
	if (strcmp(path, "/stacks/" STACK) == 0) {
		w->updates++;
		if (w->is_update_failing || w->is_update_idle)
			return 202;
		assert_true(w->is_marked);
		assert_true(w->is_lied_about || w->is_root_marked == w->has_root_volume);
		assert_true(w->is_lied_about || w->is_off); /* law L12 */
		w->is_replaced = true;
		w->is_marked = w->is_root_marked = false;
		return 202;
	}
	fail_msg("an act that nobody knows: %s", path);
	return 404;
}

static int look(const struct world *w, const char *path, const char **out_json)
{
	*out_json = NULL;
	if (strcmp(path, w->has_twin ? "/servers/" TWIN : SERVER) == 0 && !w->is_replaced)
		*out_json = server_json(w);
	else if (strncmp(path, "/servers/detail?", 16) == 0)
		*out_json = "{\"servers\":[{\"id\":\"" TWIN "\",\"name\":\"" NAME "\",\"status\":\"ACTIVE\"}]}";
	else if (strcmp(path, "/servers/" NEW) == 0 && w->is_replaced)
		*out_json = "{\"server\":{\"id\":\"" NEW "\",\"name\":\"" NAME "\",\"status\":\"ACTIVE\"}}";
	else if (strcmp(path, STACK_PATH) == 0)
		*out_json = w->updates == 0        ? STACK_IS("CREATE_COMPLETE", "null")
			    : w->is_update_failing ? STACK_IS("UPDATE_FAILED", T2)
						   : STACK_IS("UPDATE_COMPLETE", T2);
	else if (strcmp(path, SERVERS_PATH) == 0)
		*out_json = w->is_replaced ? RESOURCES(NEW) : w->has_twin ? RESOURCES(TWIN) : RESOURCES(SRV);
	else if (strcmp(path, "/stacks/" RES) == 0)
		*out_json = w->is_replaced ? IS_AT("\"" NEW "\"")
			    : w->has_twin  ? IS_AT("\"" TWIN "\"")
					   : IS_AT("\"" SRV "\"");
	else if (strcmp(path, "/stacks/" ROOT) == 0 && w->has_root_volume)
		*out_json = IS_AT("\"vol-1\"");
	else if (strcmp(path, NODE_PATH) == 0)
		*out_json = SICK;
	return *out_json != NULL ? 200 : 404;
}

static void node_of(const struct world *w, struct node *out, struct condition *ready)
{
	*ready = (struct condition){ .type = "Ready",
				     .reason = "x",
				     .status = w->is_replaced ? STATUS_TRUE : STATUS_UNKNOWN };
	*out = (struct node){ .name = NAME,
			      .uid = "uid-1",
			      .resource_version = "42",
			      .provider_id = "",
			      .machine_id = w->is_replaced ? "77777777000040008000000000000002"
							   : "535af63d000040008000000000000001",
			      .system_uuid = "",
			      .boot_id = "",
			      .group = "",
			      .cordon_mark = "",
			      .role = ROLE_MASTER,
			      .conditions_count = 1,
			      .conditions = ready };
}

enum fault { FAULT_NONE, LOST_BEFORE, LOST_AFTER, BUSY_503, FORBIDDEN_403, MISSING_404, CRASH_BEFORE, CRASH_AFTER };
static const char *const fault_names[] = { "none", "lost before", "lost after",   "503",
					   "403",  "404",         "crash before", "crash after" };
struct trouble {
	enum fault fault;
	int at;              /* which question, from 0 */
	const char *step;    /* or: whenever this step asks */
	bool is_lasting;     /* ... and from then on whenever this step asks */
	const char *refused; /* a step that is refused as well, always */
};

/* What the journal keeps, and a new leader makes of it. */
static struct op reborn(const struct op *op, struct now now)
{
	struct op new = { .recipe = op->recipe,
			  .at = op->at,
			  .rung = op->rung,
			  .started = op->started,
			  .is_sent = op->is_sent,
			  .is_touched = op->is_touched,
			  .is_committed = op->is_committed,
			  .committed_at = op->committed_at,
			  .facts = op->facts };
	new.facts.node_version[0] = '\0';
	op_resume(&new, now);
	return new;
}

static void answer_ask(struct op *op, struct now now, struct world *w, const struct ask *ask, enum fault fault)
{
	struct node node;
	struct condition ready;
	const char *json = NULL;
	int status = 200;
	bool is_done = fault == FAULT_NONE || fault == LOST_AFTER;
	node_of(w, &node, &ready);
	if (ask->kind != ASK_NODE && ask->is_act)
		status = is_done ? act(w, ask->path, ask->body) : 0;
	else if (ask->kind != ASK_NODE)
		status = look(w, ask->path, &json);
	if (fault != FAULT_NONE && ask->kind != ASK_NODE) {
		status = fault == BUSY_503 ? 503 : fault == FORBIDDEN_403 ? 403 : fault == MISSING_404 ? 404 : 0;
		json = NULL;
	}
	json_t *doc = json != NULL ? json_loads(json, 0, NULL) : NULL;
	struct answer answer = { .status = status,
				 .json = doc,
				 .location = "",
				 .retry_after_ms = -1,
				 .node = &node,
				 .is_view_fresh = true };
	if (status == 0)
		answer.why = (struct err){ ERR_NETWORK, "no answer" };
	op_hear(op, now, &rng, &answer);
	json_decref(doc);
}

static char asked[40][64]; /* the steps that asked something, each once in a row */
static size_t asked_count;

/* Walks the recipe to its end. How many questions were asked. */
static int walk(struct world *w, struct op *op, const struct trouble *t)
{
	struct now now = { { 1000 }, { INT64_C(1795363200) * 1000 } };
	struct op_facts facts = facts_of_master();
	int questions = 0;
	bool is_struck = false;
	asked_count = 0;
	op_init(op, &recipe_replace_master, &facts, now);
	for (int i = 0; i < 100000 && !op_is_over(op); i++) {
		struct ask ask = { 0 };
		if (op->needs_journal)
			op_journalled(op);
		if (!op_poll(op, now, &rng, &arena, &ask)) {
			now.mono.ms += SEC;
			now.wall.ms += SEC;
			continue;
		}
		const char *step = op_step(op)->name;
		if (asked_count < COUNT(asked) && (asked_count == 0 || strcmp(asked[asked_count - 1], step) != 0))
			(void)TEXT_COPY(asked[asked_count++], step);
		bool is_hit = t->fault != FAULT_NONE && (questions == t->at || text_eq(t->step, step));
		static char struck[64];
		if (is_hit && !is_struck)
			(void)TEXT_COPY(struck, step);
		is_hit = is_hit || (is_struck && t->is_lasting && strcmp(struck, step) == 0);
		is_struck = is_struck || is_hit;
		questions++;
		if (ask.is_act)
			op_left(op);
		if (is_hit && (t->fault == CRASH_BEFORE || t->fault == CRASH_AFTER)) {
			if (t->fault == CRASH_AFTER && ask.is_act)
				(void)act(w, ask.path, ask.body);
			*op = reborn(op, now);
			continue;
		}
		answer_ask(op, now, w, &ask,
			   is_hit                      ? t->fault
			   : text_eq(t->refused, step) ? FORBIDDEN_403
						       : FAULT_NONE);
	}
	assert_true(op_is_over(op));
	arena_reset(&arena);
	return questions;
}

static void assert_asked(const char *const *steps, size_t count)
{
	for (size_t i = 0; i < count || i < asked_count; i++) {
		if (i >= count || i >= asked_count || strcmp(steps[i], asked[i]) != 0)
			fail_msg("question %zu is of %s instead of %s", i, i < asked_count ? asked[i] : "nobody",
				 i < count ? steps[i] : "nobody");
	}
}

static void test_walk(void **state)
{
	(void)state;
	static const char *const with_volume[] = {
		"look-node",      "find-resource", "find-volume", "stack-free",   "look-stop",   "look-live",
		"stop",           "prove-off",     "stack-idle",  "look-still",   "look-off",    "find-resource-again",
		"mark-unhealthy", "mark-volume",   "look-update", "update-stack", "wait-update", "wait-stack",
		"check-resource", "wait-new",      "old-gone",    "wait-ready",   "look-cordon",
	};
	struct world w = { .has_root_volume = true };
	struct op op;
	(void)walk(&w, &op, &(struct trouble){ .at = -1 });
	assert_asked(with_volume, COUNT(with_volume));
	assert_int_equal(op.state, OP_DONE);
	assert_true(w.is_replaced);
	assert_int_equal(w.stops, 1);
	assert_int_equal(w.starts, 0);
	assert_int_equal(w.updates, 1);
	assert_true(op_has_acted(&op));

	w = (struct world){ .has_root_volume = false };
	(void)walk(&w, &op, &(struct trouble){ .at = -1 });
	assert_int_equal(op.state, OP_DONE);
	assert_true(w.is_replaced);
	for (size_t i = 0; i < asked_count; i++)
		assert_string_not_equal(asked[i], "mark-volume");
}

/* Every trouble at every question, passing and lasting. */
static void trouble_everywhere(bool has_twin)
{
	struct world calm = { .has_root_volume = true, .has_twin = has_twin };
	struct op op;
	int questions = walk(&calm, &op, &(struct trouble){ .at = -1 });
	for (int fault = LOST_BEFORE; fault <= CRASH_AFTER; fault++) {
		for (int at = 0; at < 2 * questions; at++) {
			struct trouble t = { .fault = (enum fault)fault, .at = at / 2, .is_lasting = at % 2 == 1 };
			struct world w = { .has_root_volume = true,
					   .has_twin = has_twin,
					   .is_lied_about = fault == MISSING_404 };
			if (t.is_lasting && fault >= CRASH_BEFORE)
				continue; /* nobody dies for ever */
			(void)walk(&w, &op, &t);
			bool is_well = !w.is_marked && !w.is_root_marked && (w.is_replaced || !w.is_off) &&
				       w.stops <= 1 && w.starts <= 1 && w.updates <= 1 &&
				       (op.state != OP_DONE || w.is_replaced);
			if (!is_well || op.state == OP_CANCELLED)
				fail_msg("%s%s at question %d: %s, %s (%s): off %d, replaced %d, marks %d %d, stops "
					 "%d, starts "
					 "%d, updates %d",
					 t.is_lasting ? "lasting " : "", fault_names[fault], t.at,
					 op_state_name(op.state), op_step(&op)->name, op.note, w.is_off, w.is_replaced,
					 w.is_marked, w.is_root_marked, w.stops, w.starts, w.updates);
			if (op.state == OP_FAILED)
				assert_string_not_equal(op.note, "");
			if (!t.is_lasting && fault != FORBIDDEN_403 && fault != MISSING_404)
				assert_int_equal(op.state, OP_DONE);
		}
	}
}

static void test_trouble(void **state)
{
	(void)state;
	trouble_everywhere(false);
}

/* The Node names a server that Heat has given up: the one in its place is stopped and replaced. */
static void test_twin(void **state)
{
	(void)state;
	struct world w = { .has_root_volume = true, .has_twin = true };
	struct op op;
	(void)walk(&w, &op, &(struct trouble){ .at = -1 });
	assert_int_equal(op.state, OP_DONE);
	assert_string_equal(op.facts.server, TWIN);
	assert_true(w.is_replaced);
	assert_int_equal(w.stops, 1);
	trouble_everywhere(true);
}

/* What the failed replacement says, and that it is no attempt in vain. */
static void test_way_back(void **state)
{
	(void)state;
	static const struct {
		const char *step, *note;
	} cases[] = {
		{ "look-off", "reading the server: HTTP 403; the server runs as before" },
		{ "find-resource-again", "listing the stack's servers: HTTP 403; the server runs as before" },
		{ "mark-unhealthy", "marking the server unhealthy in Heat: HTTP 403 ; the server runs as before" },
		{ "mark-volume", "marking the root volume unhealthy in Heat: HTTP 403 ; the server runs as before" },
		{ "look-update", "reading the stack: HTTP 403; the server runs as before" },
		{ "update-stack", "updating the stack: HTTP 403 ; the server runs as before" },
	};
	struct op op;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w = { .has_root_volume = true };
		struct trouble t = { .fault = FORBIDDEN_403, .at = -1, .step = cases[i].step };
		(void)walk(&w, &op, &t);
		assert_string_equal(op.note, cases[i].note);
		assert_int_equal(op.state, OP_FAILED);
		assert_int_equal(w.starts, 1);
		assert_false(op_has_acted(&op));
		assert_true(op.is_touched);
		assert_string_equal(op_step(&op)->name, "wait-again");
	}
	/* Heat has tried, and has not come to the server. */
	static const char *const back[] = { "wait-stack", "unmark",      "unmark-volume", "whose",
					    "look-again", "start-again", "wait-again" };
	struct world w = { .has_root_volume = true, .is_update_failing = true };
	(void)walk(&w, &op, &(struct trouble){ .at = -1 });
	assert_int_equal(op.state, OP_FAILED);
	assert_false(w.is_marked || w.is_root_marked || w.is_off);
	for (size_t i = 0; i < COUNT(back); i++)
		assert_string_equal(asked[asked_count - COUNT(back) + i], back[i]);
	assert_string_equal(op.note, "the stack is UPDATE_FAILED: ; the server runs as before");
}

/* Trouble on the way back as well: the server runs again in the end, and was started once. */
static void test_trouble_on_the_way_back(void **state)
{
	(void)state;
	static const char *const refused[] = { "look-still", "mark-volume", "check-resource" };
	static const enum fault faults[] = { LOST_BEFORE, LOST_AFTER, BUSY_503, CRASH_BEFORE, CRASH_AFTER };
	for (size_t i = 0; i < COUNT(refused) * COUNT(faults) * 40; i++) {
		struct trouble t = { .fault = faults[i / 40 % COUNT(faults)],
				     .at = (int)(i % 40),
				     .refused = refused[i / 40 / COUNT(faults)] };
		struct world w = { .has_root_volume = true };
		struct op op;
		w.is_update_idle = strcmp(t.refused, "check-resource") == 0;
		(void)walk(&w, &op, &t);
		if (w.is_off || w.is_marked || w.is_root_marked || w.stops != 1 || w.starts != 1 ||
		    op.state != OP_FAILED || op_has_acted(&op))
			fail_msg("%s refused, %s at question %d: %s, %s (%s): off %d, marks %d %d, stops %d, starts %d",
				 t.refused, fault_names[t.fault], t.at, op_state_name(op.state), op_step(&op)->name,
				 op.note, w.is_off, w.is_marked, w.is_root_marked, w.stops, w.starts);
		assert_non_null(strstr(op.note, "; the server runs as before"));
	}
}

/* From the stop on it is finished, one way or the other. */
static void test_cancel(void **state)
{
	(void)state;
	struct op op = op_at("look-live");
	op.state = OP_DUE;
	assert_true(op_cancel(&op, "healthy again"));
	op = op_at("stop");
	op.state = OP_WAITING;
	op_left(&op);
	assert_false(op_cancel(&op, "healing was switched off"));
	assert_true(op.is_touched);
}

/* ---- may it be replaced? --------------------------------------------------------------------------------------- */

static void test_decision(void **state)
{
	(void)state;
	static const char single[] = "a single master is only ever rebooted";
	static const char no_etcd[] = "its etcd data would not survive: the cluster has no label etcd_volume_size";
	static const struct {
		const char *what;
		enum master_replacement policy;
		int masters, in_group; /* Magnum's master_count; the master group's count */
		bool has_etcd_volume, has_stack;
		const char *why; /* NULL: yes */
	} cases[] = {
		{ "three with their data", MASTERS_AUTO, 3, 3, true, true, NULL },
		{ "three without", MASTERS_AUTO, 3, 3, false, true, no_etcd },
		{ "told to all the same", MASTERS_ALWAYS, 3, 3, false, true, NULL },
		{ "told not to", MASTERS_NEVER, 3, 3, true, true, "master-replacement: never" },
		{ "one, with its data", MASTERS_AUTO, 1, 1, true, true, single },
		{ "one, whatever is told", MASTERS_ALWAYS, 1, 1, true, true, single },
		{ "an old Magnum, three in the group", MASTERS_AUTO, 0, 3, true, true, NULL },
		{ "an old Magnum, one in the group", MASTERS_AUTO, 0, 1, true, true, single },
		{ "nobody knows how many", MASTERS_ALWAYS, 0, 0, true, true,
		  "how many masters the cluster has is not known" },
		{ "no Heat", MASTERS_ALWAYS, 3, 3, true, false,
		  "the cluster has no Heat stack that could replace the server" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy policy = policy_default();
		struct cluster_view view = { .is_known = true,
					     .has_etcd_volume = cases[i].has_etcd_volume,
					     .masters_count = cases[i].masters,
					     .groups_count = 2 };
		struct world w = { .has_root_volume = true };
		struct node node;
		struct condition ready;
		struct machine machine = { .id = SRV };
		const char *why = NULL;
		policy.master_replacement = cases[i].policy;
		policy.worker_replacement =
			i % 2 == 0 ? REPLACE_RESIZE : REPLACE_IN_PLACE; /* not the masters' business */
		(void)(TEXT_COPY(view.stack_id, STACK_ID) && TEXT_COPY(view.groups[0].name, "default-worker") &&
		       TEXT_COPY(view.groups[1].name, "default-master"));
		if (cases[i].has_stack)
			(void)TEXT_COPY(view.stack_status, "UPDATE_COMPLETE");
		view.groups[0] = (struct group){ .role = ROLE_WORKER, .node_count = 7 };
		view.groups[1] = (struct group){ .role = ROLE_MASTER, .node_count = cases[i].in_group };
		node_of(&w, &node, &ready);
		print_message("# %s\n", cases[i].what);
		const struct recipe *recipe =
			provider_openstack.repair(RUNG_REPLACE, &policy, &view, &node, &machine, &why);
		assert_ptr_equal(recipe, cases[i].why != NULL ? NULL : &recipe_replace_master);
		if (cases[i].why != NULL)
			assert_string_equal(why, cases[i].why);
		assert_ptr_equal(provider_openstack.repair(RUNG_HARD_REBOOT, &policy, &view, &node, &machine, &why),
				 &recipe_hard_reboot); /* always */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks),     cmocka_unit_test(test_table),
		cmocka_unit_test(test_hears),    cmocka_unit_test(test_facts_kept),
		cmocka_unit_test(test_sibling),  cmocka_unit_test(test_walk),
		cmocka_unit_test(test_trouble),  cmocka_unit_test(test_twin),
		cmocka_unit_test(test_way_back), cmocka_unit_test(test_trouble_on_the_way_back),
		cmocka_unit_test(test_cancel),   cmocka_unit_test(test_decision),
	};
	arena_init(&arena);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_done(&arena);
	return failed;
}
