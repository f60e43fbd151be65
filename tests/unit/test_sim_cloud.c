/* The cloud side of the simulated world against facts/openstack-api.md: every status, refusal and time line that the
 * healer has to cope with, in virtual time. */
#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube.h"
#include "sim/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* after ours, because it has a macro fail() */
#include <cmocka.h>

#define NOVA "/compute/v2.1/servers"
#define HEAT "/orchestration/v1/" SIM_PROJECT_ID "/stacks"
#define MAGNUM "/container-infra/v1/clusters"
#define CINDER "/volume/v3/" SIM_PROJECT_ID "/volumes"
#define TOKENS "/identity/v3/auth/tokens"
#define T0 INT64_C(1790000000000)

struct lab {
	struct world *world;
	struct now now;
	struct sim_response out;
	json_t *json; /* of the last answer */
	char token[200], reader[200];
	const char *use;           /* the token sent; NULL: ours */
	const char *magnum, *nova; /* API versions */
	const char *subject;
	char acts[64][120]; /* "kind server node status" */
	size_t acts_count;
	uint64_t sum; /* over all answers */
};

static const char *header(const struct sim_request *req, const char *name)
{
	const struct lab *lab = req->headers;
	if (strcmp(name, "x-auth-token") == 0)
		return lab->use != NULL ? lab->use : lab->token;
	if (strcmp(name, "x-subject-token") == 0)
		return lab->subject != NULL ? lab->subject : "";
	if (strcmp(name, "openstack-api-version") == 0)
		return strstr(req->target, "/container-infra") != NULL ? lab->magnum : lab->nova;
	return "";
}

static void on_act(void *ctx, const struct sim_act *act)
{
	struct lab *lab = ctx;
	if (lab->acts_count == COUNT(lab->acts))
		lab->acts_count = 0;
	(void)snprintf(lab->acts[lab->acts_count++], sizeof(lab->acts[0]), "%s %.8s %.40s %d", sim_act_name(act->kind),
		       act->server, strrchr(act->node, '-') != NULL ? strrchr(act->node, '-') + 1 : "", act->status);
}

static int ask(struct lab *lab, const char *method, const char *target, const char *body)
{
	struct sim_request req = { .method = method,
				   .target = target,
				   .client = "test",
				   .header = header,
				   .headers = lab,
				   .body = str_of(body) };
	json_decref(lab->json);
	sim_response_done(&lab->out);
	sim_response_init(&lab->out);
	world_http(lab->world, lab->now, &req, &lab->out);
	for (size_t i = 0; i < lab->out.body.n; i++)
		lab->sum = lab->sum * 31 + (unsigned char)lab->out.body.p[i];
	for (size_t i = 0; i < lab->out.headers.n; i++)
		lab->sum = lab->sum * 31 + (unsigned char)lab->out.headers.p[i];
	lab->sum += (uint64_t)lab->out.delay_ms;
	lab->json = lab->out.body.n > 0 ? json_parse(buf_str(&lab->out.body), NULL) : NULL;
	if (lab->out.body.n > 0 && !lab->out.is_cut)
		assert_non_null(lab->json);
	return lab->out.status;
}

static const char *text(const struct lab *lab, const char *path)
{
	return json_text_or(lab->json, path, "");
}

static void out_header(const struct lab *lab, const char *name, char *out, size_t n)
{
	const char *at = strstr(buf_cstr(&lab->out.headers), name);
	assert_non_null(at);
	at += strlen(name) + 2;
	assert_true(str_copy(out, n, (struct str){ at, strcspn(at, "\n") }));
}

static void pass(struct lab *lab, int64_t ms)
{
	lab->now.mono.ms += ms;
	lab->now.wall.ms += ms;
	world_advance(lab->world, lab->now);
}

#define LOGIN(user, password, scope)                                                                                   \
	"{\"auth\": {\"identity\": {\"methods\": [\"password\"], \"password\": {\"user\": {" user                      \
	", \"password\": \"" password "\"}}}" scope "}}"
#define BY_ID "\"id\": \"" SIM_USER_ID "\""
#define BY_NAME "\"name\": \"" SIM_USER_NAME "\", \"domain\": {\"name\": \"Default\"}"
#define PROJECT ", \"scope\": {\"project\": {\"id\": \"" SIM_PROJECT_ID "\"}}"
#define TRUST(id) ", \"scope\": {\"OS-TRUST:trust\": {\"id\": \"" id "\"}}"
#define APPCRED(what, scope)                                                                                           \
	"{\"auth\": {\"identity\": {\"methods\": [\"application_credential\"], \"application_credential\": {" what     \
	"}}" scope "}}"

static void log_in(struct lab *lab)
{
	assert_int_equal(ask(lab, "POST", TOKENS, LOGIN(BY_ID, SIM_PASSWORD, PROJECT)), 201);
	out_header(lab, "x-subject-token", lab->token, sizeof(lab->token));
	assert_int_equal(ask(lab, "POST", TOKENS, LOGIN("\"id\": \"" SIM_READER_ID "\"", SIM_PASSWORD, PROJECT)), 201);
	out_header(lab, "x-subject-token", lab->reader, sizeof(lab->reader));
}

static void lab_init_with(struct lab *lab, struct world_opts opts)
{
	*lab = (struct lab){ .now = { { 1000 }, { T0 } }, .magnum = "container-infra 1.10", .nova = "compute 2.79" };
	opts.ctx = lab;
	opts.on_act = on_act;
	opts.node_prefix = "k8s-abc";
	sim_response_init(&lab->out);
	lab->world = world_new(&opts, lab->now);
	log_in(lab);
}

static void lab_init(struct lab *lab)
{
	lab_init_with(lab, world_defaults());
}

static void lab_done(struct lab *lab)
{
	json_decref(lab->json);
	sim_response_done(&lab->out);
	world_free(lab->world);
}

static struct sim_server server_of(const struct lab *lab, const char *node)
{
	struct sim_server s = { 0 };
	if (!world_server_of_node(lab->world, node, &s))
		s.id[0] = '\0';
	return s;
}

static bool has_server(const struct lab *lab, const char *id)
{
	struct sim_server s;
	for (size_t i = 0; i < world_servers_count(lab->world); i++) {
		world_server(lab->world, i, &s);
		if (strcmp(s.id, id) == 0)
			return true;
	}
	return false;
}

static const char *cluster_status(struct lab *lab)
{
	assert_int_equal(ask(lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
	return text(lab, "status");
}

static char main_stack[200]; /* path of the stack with name and id */

static const char *stack_status(struct lab *lab)
{
	char target[300];
	assert_int_equal(ask(lab, "GET", HEAT, NULL), 200);
	(void)snprintf(main_stack, sizeof(main_stack), HEAT "/%s/%s", text(lab, "stacks.0.stack_name"),
		       text(lab, "stacks.0.id"));
	(void)snprintf(target, sizeof(target), "%s?resolve_outputs=false", main_stack);
	assert_int_equal(ask(lab, "GET", target, NULL), 200);
	return text(lab, "stack.stack_status");
}

/* Lets time pass until the stack is at rest; returns how long it took. */
static int64_t rest(struct lab *lab)
{
	int64_t began = lab->now.mono.ms;
	pass(lab, 3 * SEC);
	while (world_stack_is_busy(lab->world)) {
		pass(lab, 1 * SEC);
		assert_in_range(lab->now.mono.ms - began, 0, 30 * MINUTE);
	}
	int64_t took = lab->now.mono.ms - began;
	pass(lab, 10 * SEC); /* Magnum is later */
	return took;
}

static int server_act(struct lab *lab, const char *node, const char *body)
{
	char target[200];
	(void)snprintf(target, sizeof(target), NOVA "/%s/action", server_of(lab, node).id);
	return ask(lab, "POST", target, body);
}

#define SOFT "{\"reboot\": {\"type\": \"SOFT\"}}"
#define HARD "{\"reboot\": {\"type\": \"HARD\"}}"
#define STOP "{\"os-stop\": null}"
#define START "{\"os-start\": null}"

static int resize(struct lab *lab, int count, const char *id, const char *group)
{
	char body[300];
	(void)snprintf(body, sizeof(body), "{\"node_count\": %d, \"nodes_to_remove\": [\"%s\"], \"nodegroup\": \"%s\"}",
		       count, id, group);
	return ask(lab, "POST", MAGNUM "/k8s-cluster/actions/resize", body);
}

static int mark(struct lab *lab, const char *node, bool is_bad)
{
	char href[600];
	(void)stack_status(lab);
	(void)snprintf(href, sizeof(href), "%s/resources?nested_depth=2&type=OS::Nova::Server", main_stack);
	assert_int_equal(ask(lab, "GET", href, NULL), 200);
	size_t i = 0;
	json_t *r = NULL;
	href[0] = '\0';
	json_array_foreach(json_at(lab->json, "resources"), i, r) {
		const char *self = json_text_or(r, "links.0.href", "");
		char member[16];
		(void)snprintf(member, sizeof(member), "%s", strrchr(node, '-') + 1);
		bool is_master = strstr(node, "-master-") != NULL;
		if (text_eq(json_text(r, "parent_resource"), member) &&
		    text_eq(json_text(r, "resource_name"), is_master ? "kube-master" : "kube-minion"))
			(void)snprintf(href, sizeof(href), "%s", strstr(self, "/orchestration"));
	}
	assert_true(href[0] != '\0');
	return ask(lab, "PATCH", href,
		   is_bad ? "{\"mark_unhealthy\": true, \"resource_status_reason\": \"Mark resource unhealthy\"}"
			  : "{\"mark_unhealthy\": false}");
}

static int update(struct lab *lab)
{
	(void)stack_status(lab);
	return ask(lab, "PATCH", main_stack, "{}");
}

/* ---- Keystone ------------------------------------------------------------------------------------------------------
 */

static void test_logins(void **state)
{
	static const struct {
		const char *name, *body;
		int status;
		bool has_catalog;
	} cases[] = {
		{ "user id", LOGIN(BY_ID, SIM_PASSWORD, PROJECT), 201, true },
		{ "user name", LOGIN(BY_NAME, SIM_PASSWORD, PROJECT), 201, true },
		{ "project name",
		  LOGIN(BY_NAME, SIM_PASSWORD,
			", \"scope\": {\"project\": {\"name\": \"demo\", \"domain\": {\"id\": \"default\"}}}"),
		  201, true },
		{ "no scope", LOGIN(BY_ID, SIM_PASSWORD, ""), 201, false },
		{ "wrong password", LOGIN(BY_ID, "no", PROJECT), 401, false },
		{ "unknown user", LOGIN("\"id\": \"nobody\"", SIM_PASSWORD, PROJECT), 401, false },
		{ "name without domain", LOGIN("\"name\": \"demo\"", SIM_PASSWORD, PROJECT), 401, false },
		{ "other project", LOGIN(BY_ID, SIM_PASSWORD, ", \"scope\": {\"project\": {\"id\": \"x\"}}"), 401,
		  false },
		{ "trust", LOGIN("\"id\": \"" SIM_TRUSTEE_ID "\"", SIM_PASSWORD, TRUST(SIM_TRUST_ID)), 201, true },
		{ "unknown trust", LOGIN("\"id\": \"" SIM_TRUSTEE_ID "\"", SIM_PASSWORD, TRUST("x")), 401, false },
		{ "trustee has no role", LOGIN("\"id\": \"" SIM_TRUSTEE_ID "\"", SIM_PASSWORD, PROJECT), 401, false },
		{ "appcred id", APPCRED("\"id\": \"" SIM_APPCRED_ID "\", \"secret\": \"" SIM_APPCRED_SECRET "\"", ""),
		  201, true },
		{ "appcred name",
		  APPCRED("\"name\": \"healer\", \"user\": {" BY_NAME "}, \"secret\": \"" SIM_APPCRED_SECRET "\"", ""),
		  201, true },
		{ "appcred with scope",
		  APPCRED("\"id\": \"" SIM_APPCRED_ID "\", \"secret\": \"" SIM_APPCRED_SECRET "\"", PROJECT), 401,
		  false },
		{ "appcred wrong", APPCRED("\"id\": \"" SIM_APPCRED_ID "\", \"secret\": \"x\"", ""), 401, false },
		{ "malformed", "{\"auth\": {}}", 400, false },
		{ "not JSON", "hello", 400, false },
	};
	struct lab lab;
	(void)state;
	lab_init(&lab);
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("# %s\n", cases[i].name);
		assert_int_equal(ask(&lab, "POST", TOKENS, cases[i].body), cases[i].status);
		assert_int_equal(json_count(lab.json, "token.catalog") > 0, cases[i].has_catalog);
		if (cases[i].status == 401)
			assert_non_null(strstr(buf_cstr(&lab.out.headers), "www-authenticate: Keystone"));
		if (cases[i].status == 400)
			assert_true(strlen(text(&lab, "error.message")) > 200);
	}
	lab_done(&lab);
}

static void test_tokens_end(void **state)
{
	static const char *const services[] = { NOVA, HEAT, MAGNUM, CINDER };
	struct lab lab;
	(void)state;
	lab_init(&lab);
	lab.use = "bogus";
	for (size_t i = 0; i < COUNT(services); i++) {
		assert_int_equal(ask(&lab, "GET", services[i], NULL), 401);
		assert_string_equal(text(&lab, "error.title"), "Unauthorized");
	}
	lab.use = NULL;
	for (size_t i = 0; i < COUNT(services); i++)
		assert_int_equal(ask(&lab, "GET", services[i], NULL), 200);
	lab.subject = lab.token;
	assert_int_equal(ask(&lab, "DELETE", TOKENS, NULL), 204);
	assert_int_equal(ask(&lab, "GET", NOVA, NULL), 401);
	log_in(&lab);
	pass(&lab, HOUR - 1000);
	assert_int_equal(ask(&lab, "GET", NOVA, NULL), 200);
	pass(&lab, 2000);
	assert_int_equal(ask(&lab, "GET", NOVA, NULL), 401);
	log_in(&lab);
	world_revoke_tokens(lab.world);
	assert_int_equal(ask(&lab, "GET", MAGNUM, NULL), 401);
	lab_done(&lab);
}

static void test_catalog(void **state)
{
	struct lab lab;
	struct world_opts opts = world_defaults();
	char first[200] = "";
	bool differs = false;
	(void)state;
	opts.with_heat = false;
	lab_init_with(&lab, opts);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(ask(&lab, "POST", TOKENS, LOGIN(BY_ID, SIM_PASSWORD, PROJECT)), 201);
		assert_int_equal(json_count(lab.json, "token.catalog"), 7);
		assert_null(strstr(buf_cstr(&lab.out.body), "orchestration"));
		differs = differs || (first[0] != '\0' && strcmp(first, text(&lab, "token.catalog.0.type")) != 0);
		(void)TEXT_COPY(first, text(&lab, "token.catalog.0.type"));
	}
	assert_true(differs);
	assert_int_equal(ask(&lab, "GET", HEAT, NULL), 404);
	lab_done(&lab);
}

/* ---- Nova ----------------------------------------------------------------------------------------------------------
 */

static void test_server_lists(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab);
	assert_int_equal(ask(&lab, "GET", NOVA "/detail?limit=1000", NULL), 200);
	assert_int_equal(json_count(lab.json, "servers"), 6);
	assert_string_equal(text(&lab, "servers.0.status"), "ACTIVE");
	assert_true(json_is_null(json_at(lab.json, "servers.0.OS-EXT-STS:task_state")));
	assert_int_equal(json_int(lab.json, "servers.0.OS-EXT-STS:power_state", -1), 1);
	assert_int_equal(ask(&lab, "GET", NOVA "/detail?limit=4", NULL), 200);
	assert_int_equal(json_count(lab.json, "servers"), 4);
	const char *next = strstr(text(&lab, "servers_links.0.href"), "/compute");
	char target[200];
	(void)TEXT_COPY(target, next);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_int_equal(json_count(lab.json, "servers"), 2);
	assert_null(json_at(lab.json, "servers_links"));
	assert_int_equal(ask(&lab, "GET", NOVA "?name=node", NULL), 200);
	assert_int_equal(json_count(lab.json, "servers"), 3);
	assert_int_equal(ask(&lab, "GET", NOVA "?name=%5Ek8s-abc-node-1%24", NULL), 200);
	assert_int_equal(json_count(lab.json, "servers"), 1);
	assert_int_equal(ask(&lab, "GET", NOVA "/no-uuid", NULL), 404);
	assert_int_equal(json_int(lab.json, "itemNotFound.code", 0), 404);
	lab.nova = "compute 2.999";
	assert_int_equal(ask(&lab, "GET", NOVA, NULL), 406);
	assert_int_equal(json_int(lab.json, "computeFault.code", 0), 406);
	lab.nova = "";
	assert_int_equal(ask(&lab, "GET", NOVA "/detail", NULL), 200);
	assert_null(json_at(lab.json, "servers.0.locked"));
	assert_non_null(json_at(lab.json, "servers.0.flavor.id"));
	lab_done(&lab);
}

static void test_actions_by_state(void **state)
{
	static const struct {
		const char *state, *body;
		int status;
		const char *shown, *task, *end; /* directly after; in the end */
	} cases[] = {
		{ "ACTIVE", SOFT, 202, "REBOOT", "rebooting", "ACTIVE" },
		{ "SHUTOFF", SOFT, 409, "SHUTOFF", "", "SHUTOFF" },
		{ "ERROR", SOFT, 409, "ERROR", "", "ERROR" },
		{ "ACTIVE", HARD, 202, "HARD_REBOOT", "rebooting_hard", "ACTIVE" },
		{ "SHUTOFF", HARD, 202, "SHUTOFF", "rebooting_hard", "ACTIVE" },
		{ "ERROR", HARD, 202, "ERROR", "rebooting_hard", "ACTIVE" },
		{ "ACTIVE", STOP, 202, "ACTIVE", "powering-off", "SHUTOFF" },
		{ "ERROR", STOP, 202, "ERROR", "powering-off", "SHUTOFF" },
		{ "SHUTOFF", STOP, 409, "SHUTOFF", "", "SHUTOFF" },
		{ "SHUTOFF", START, 202, "SHUTOFF", "powering-on", "ACTIVE" },
		{ "ACTIVE", START, 409, "ACTIVE", "", "ACTIVE" },
		{ "PAUSED", SOFT, 409, "PAUSED", "", "PAUSED" },
		{ "PAUSED", HARD, 202, "PAUSED", "rebooting_hard", "ACTIVE" },
		{ "SHELVED_OFFLOADED", HARD, 409, "SHELVED_OFFLOADED", "", "SHELVED_OFFLOADED" },
		{ "VERIFY_RESIZE", STOP, 409, "VERIFY_RESIZE", "", "VERIFY_RESIZE" },
		{ "ACTIVE", "{\"rebuild\": {\"imageRef\": \"i\"}}", 202, "REBUILD", "rebuilding", "ACTIVE" },
		{ "ACTIVE", "{\"os-resetState\": {\"state\": \"error\"}}", 403, "ACTIVE", "", "ACTIVE" },
		{ "ACTIVE", "{\"os-getConsoleOutput\": {\"length\": 5}}", 200, "ACTIVE", "", "ACTIVE" },
		{ "ACTIVE", "{\"nonsense\": null}", 400, "ACTIVE", "", "ACTIVE" },
		{ "ACTIVE", "{\"reboot\": {\"type\": \"GENTLE\"}}", 400, "ACTIVE", "", "ACTIVE" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab lab;
		print_message("# %s %s\n", cases[i].state, cases[i].body);
		lab_init(&lab);
		if (strcmp(cases[i].state, "ACTIVE") != 0)
			assert_true(world_break_server(lab.world, lab.now, "k8s-abc-node-1", cases[i].state));
		assert_int_equal(server_act(&lab, "k8s-abc-node-1", cases[i].body), cases[i].status);
		if (cases[i].status == 409)
			assert_non_null(strstr(text(&lab, "conflictingRequest.message"), "while it is in vm_state"));
		assert_string_equal(server_of(&lab, "k8s-abc-node-1").status, cases[i].shown);
		assert_string_equal(server_of(&lab, "k8s-abc-node-1").task_state, cases[i].task);
		pass(&lab, 30 * SEC);
		assert_string_equal(server_of(&lab, "k8s-abc-node-1").status, cases[i].end);
		assert_string_equal(server_of(&lab, "k8s-abc-node-1").task_state, "");
		lab_done(&lab);
	}
}

static void test_action_log(void **state)
{
	struct lab lab;
	char target[200];
	(void)state;
	lab_init(&lab);
	const char *node = "k8s-abc-node-2";
	assert_int_equal(server_act(&lab, node, HARD), 202);
	pass(&lab, 10 * SEC);
	assert_true(world_person_stops(lab.world, lab.now, node));
	pass(&lab, 10 * SEC);
	(void)snprintf(target, sizeof(target), NOVA "/%s/os-instance-actions", server_of(&lab, node).id);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_string_equal(text(&lab, "instanceActions.0.action"), "stop");
	assert_string_not_equal(text(&lab, "instanceActions.0.user_id"), SIM_USER_ID);
	assert_string_equal(text(&lab, "instanceActions.1.action"), "reboot");
	assert_string_equal(text(&lab, "instanceActions.1.user_id"), SIM_USER_ID);
	assert_string_equal(text(&lab, "instanceActions.2.action"), "create");
	assert_true(strncmp(text(&lab, "instanceActions.0.request_id"), "req-", 4) == 0);
	/* The record outlives the server. */
	assert_true(world_break_server(lab.world, lab.now, node, "GONE"));
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_true(world_lock(lab.world, "k8s-abc-node-0", true));
	assert_int_equal(server_act(&lab, "k8s-abc-node-0", HARD), 409);
	assert_non_null(strstr(text(&lab, "conflictingRequest.message"), "is locked"));
	lab.use = lab.reader;
	assert_int_equal(server_act(&lab, "k8s-abc-node-1", HARD), 403);
	assert_int_equal(json_int(lab.json, "forbidden.code", 0), 403);
	lab_done(&lab);
}

/* A soft reboot of a guest that hangs lasts two minutes, refuses another one and a stop, and takes a hard one. */
static void test_reboot_of_hung_guest(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab);
	const char *node = "k8s-abc-node-0";
	assert_true(world_break_kubelet(lab.world, lab.now, node, CURE_HARD_REBOOT, 0));
	assert_int_equal(server_act(&lab, node, SOFT), 202);
	pass(&lab, 60 * SEC);
	assert_string_equal(server_of(&lab, node).status, "REBOOT");
	assert_string_equal(server_of(&lab, node).task_state, "reboot_started");
	assert_int_equal(server_act(&lab, node, SOFT), 409);
	assert_non_null(strstr(text(&lab, "conflictingRequest.message"), "while it is in task_state reboot_started"));
	assert_int_equal(server_act(&lab, node, STOP), 409);
	pass(&lab, 62 * SEC);
	/* From outside it looks like a success: nothing was done. */
	assert_string_equal(server_of(&lab, node).status, "ACTIVE");
	pass(&lab, 5 * MINUTE);
	assert_int_equal(server_of(&lab, node).healthy_since.ms, 0);
	assert_int_equal(server_act(&lab, node, SOFT), 202);
	pass(&lab, 5 * SEC);
	assert_int_equal(server_act(&lab, node, HARD), 202);
	assert_string_equal(server_of(&lab, node).status, "HARD_REBOOT");
	pass(&lab, 4 * SEC);
	assert_int_equal(server_act(&lab, node, HARD), 409);
	pass(&lab, 2 * MINUTE);
	assert_true(server_of(&lab, node).healthy_since.ms > 0);
	lab_done(&lab);
}

static void test_cures(void **state)
{
	static const struct {
		enum sim_cure cure;
		bool is_kubelet;
		const char *act;
		bool is_cured;
	} cases[] = {
		{ CURE_REBOOT, false, SOFT, true },       { CURE_REBOOT, false, HARD, true },
		{ CURE_REBOOT, true, SOFT, true },        { CURE_REBOOT, true, HARD, true },
		{ CURE_HARD_REBOOT, true, SOFT, false },  { CURE_HARD_REBOOT, true, HARD, true },
		{ CURE_HARD_REBOOT, false, SOFT, false }, { CURE_REPLACE, true, SOFT, false },
		{ CURE_REPLACE, true, HARD, false },      { CURE_REPLACE, false, HARD, false },
		{ CURE_ITSELF, true, NULL, true },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab lab;
		const char *node = "k8s-abc-node-1";
		lab_init(&lab);
		assert_true(sim_kube_ready_since(world_kube(lab.world), node).ms != 0);
		if (cases[i].is_kubelet)
			assert_true(world_break_kubelet(lab.world, lab.now, node, cases[i].cure, 4 * MINUTE));
		else
			assert_true(world_break_not_ready(lab.world, lab.now, node, cases[i].cure, false));
		pass(&lab, 2 * MINUTE);
		assert_int_equal(sim_kube_ready_since(world_kube(lab.world), node).ms, 0);
		assert_int_equal(server_of(&lab, node).healthy_since.ms, 0);
		if (cases[i].act != NULL)
			assert_int_equal(server_act(&lab, node, cases[i].act), 202);
		pass(&lab, 5 * MINUTE);
		print_message("# %zu\n", i);
		assert_int_equal(server_of(&lab, node).healthy_since.ms > 0, cases[i].is_cured);
		assert_int_equal(sim_kube_ready_since(world_kube(lab.world), node).ms > 0, cases[i].is_cured);
		lab_done(&lab);
	}
}

static void test_volumes(void **state)
{
	struct lab lab;
	char volume[40];
	char target[200];
	char attachment[200];
	(void)state;
	lab_init(&lab);
	assert_true(world_attach_volume(lab.world, "k8s-abc-node-0", volume));
	const char *id = server_of(&lab, "k8s-abc-node-0").id;
	(void)snprintf(attachment, sizeof(attachment), NOVA "/%s/os-volume_attachments", id);
	assert_int_equal(ask(&lab, "GET", attachment, NULL), 200);
	assert_string_equal(text(&lab, "volumeAttachments.0.volumeId"), volume);
	(void)snprintf(target, sizeof(target), CINDER "/%s", volume);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_string_equal(text(&lab, "volume.status"), "in-use");
	(void)snprintf(attachment + strlen(attachment), sizeof(attachment) - strlen(attachment), "/%s", volume);
	assert_int_equal(ask(&lab, "DELETE", attachment, NULL), 202);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_string_equal(text(&lab, "volume.status"), "detaching");
	pass(&lab, 2 * SEC);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_string_equal(text(&lab, "volume.status"), "available");
	assert_int_equal(ask(&lab, "DELETE", attachment, NULL), 404);
	assert_non_null(strstr(text(&lab, "itemNotFound.message"), "is not attached to volume"));
	/* A server in ERROR keeps its volumes. */
	assert_true(world_attach_volume(lab.world, "k8s-abc-node-1", volume));
	assert_true(world_break_server(lab.world, lab.now, "k8s-abc-node-1", "ERROR"));
	(void)snprintf(attachment, sizeof(attachment), NOVA "/%s/os-volume_attachments/%s",
		       server_of(&lab, "k8s-abc-node-1").id, volume);
	assert_int_equal(ask(&lab, "DELETE", attachment, NULL), 409);
	assert_int_equal(ask(&lab, "GET", CINDER "/nope", NULL), 404);
	lab_done(&lab);
}

/* ---- Heat ----------------------------------------------------------------------------------------------------------
 */

static void test_heat_redirects(void **state)
{
	struct lab lab;
	char location[400];
	char target[300];
	(void)state;
	lab_init(&lab);
	assert_string_equal(stack_status(&lab), "CREATE_COMPLETE");
	(void)snprintf(target, sizeof(target), HEAT "/%s", text(&lab, "stack.id"));
	static const char *const methods[] = { "GET", "PATCH" };
	for (size_t i = 0; i < COUNT(methods); i++) {
		assert_int_equal(ask(&lab, methods[i], target, i == 1 ? "{}" : NULL), 302);
		assert_string_equal(text(&lab, "code"), "302 Found");
		out_header(&lab, "location", location, sizeof(location));
		assert_string_equal(strstr(location, "/orchestration"), main_stack);
	}
	pass(&lab, 5 * SEC);
	assert_false(world_stack_is_busy(lab.world)); /* the redirected PATCH did nothing */
	assert_int_equal(ask(&lab, "GET", HEAT "/k8s-abc?resolve_outputs=false", NULL), 302);
	assert_int_equal(ask(&lab, "GET", HEAT "/k8s-abc/resources?nested_depth=2", NULL), 302);
	out_header(&lab, "location", location, sizeof(location));
	assert_non_null(strstr(location, "/resources?nested_depth=2"));
	assert_int_equal(ask(&lab, "GET", HEAT "/k8s-abc/nope", NULL), 404);
	assert_int_equal(ask(&lab, "GET", HEAT "/nope", NULL), 404);
	assert_string_equal(text(&lab, "error.type"), "EntityNotFound");
	assert_int_equal(ask(&lab, "GET", "/orchestration/v1/other/stacks", NULL), 403);
	lab.use = lab.reader;
	assert_int_equal(ask(&lab, "PATCH", main_stack, "{}"), 403);
	assert_string_equal(text(&lab, "error.type"), "Forbidden");
	lab_done(&lab);
}

static void test_heat_resources(void **state)
{
	struct lab lab;
	char target[600];
	(void)state;
	lab_init(&lab);
	(void)stack_status(&lab);
	(void)snprintf(target, sizeof(target), "%s/resources?nested_depth=2&type=OS%%3A%%3ANova%%3A%%3AServer",
		       main_stack);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_int_equal(json_count(lab.json, "resources"), 6);
	assert_string_equal(text(&lab, "resources.0.resource_name"), "kube-master");
	assert_string_equal(text(&lab, "resources.5.resource_name"), "kube-minion");
	assert_string_equal(text(&lab, "resources.5.physical_resource_id"), server_of(&lab, "k8s-abc-node-2").id);
	assert_string_equal(text(&lab, "resources.5.resource_status"), "CREATE_COMPLETE");
	char self[400];
	(void)TEXT_COPY(self, strstr(text(&lab, "resources.5.links.0.href"), "/orchestration"));
	(void)snprintf(target, sizeof(target), "%s/resources?nested_depth=1", main_stack);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_null(strstr(buf_cstr(&lab.out.body), "OS::Nova::Server"));
	assert_int_equal(json_count(lab.json, "resources"), 8);
	assert_int_equal(ask(&lab, "PATCH", self, "{}"), 400);
	assert_int_equal(ask(&lab, "PATCH", self, "{\"mark_unhealthy\": true, \"resource_status_reason\": \"bad\"}"),
			 200);
	assert_string_equal(buf_cstr(&lab.out.body), "null");
	assert_int_equal(ask(&lab, "GET", self, NULL), 200);
	assert_string_equal(text(&lab, "resource.resource_status"), "CHECK_FAILED");
	assert_string_equal(text(&lab, "resource.resource_status_reason"), "bad");
	assert_string_equal(stack_status(&lab), "CREATE_COMPLETE");
	assert_int_equal(ask(&lab, "PATCH", self, "{\"mark_unhealthy\": false}"), 200);
	(void)snprintf(strstr(self, "/resources/"), 20, "/resources/nope");
	assert_int_equal(ask(&lab, "PATCH", self, "{\"mark_unhealthy\": true}"), 404);
	/* Taken back: nothing is replaced. */
	char id[40];
	(void)TEXT_COPY(id, server_of(&lab, "k8s-abc-node-2").id);
	assert_int_equal(update(&lab), 202);
	(void)rest(&lab);
	assert_string_equal(id, server_of(&lab, "k8s-abc-node-2").id);
	lab_done(&lab);
}

/* Name and address stay, the id does not; for a while there are two servers of that name. */
static void replaced_in_place(const char *node)
{
	struct lab lab;
	lab_init(&lab);
	struct sim_server old = server_of(&lab, node);
	assert_int_equal(server_act(&lab, node, STOP), 202);
	pass(&lab, 3 * SEC);
	assert_string_equal(server_of(&lab, node).status, "SHUTOFF");
	assert_int_equal(mark(&lab, node, true), 200);
	assert_int_equal(update(&lab), 202);
	assert_string_equal(stack_status(&lab), "CREATE_COMPLETE"); /* not at once */
	pass(&lab, 3 * SEC);
	assert_string_equal(stack_status(&lab), "UPDATE_IN_PROGRESS");
	struct sim_server young = old;
	for (int i = 0; i < 60 && strcmp(young.id, old.id) == 0; i++) {
		pass(&lab, SEC);
		young = server_of(&lab, node);
	}
	assert_string_not_equal(young.id, old.id);
	assert_string_equal(young.name, old.name);
	assert_string_equal(young.status, "BUILD");
	assert_string_equal(young.address, "");
	assert_true(has_server(&lab, old.id));
	char target[200];
	(void)snprintf(target, sizeof(target), NOVA "/%s", old.id);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_int_equal(json_object_size(json_at(lab.json, "server.addresses")), 0);
	pass(&lab, 14 * SEC);
	assert_string_equal(server_of(&lab, node).status, "ACTIVE");
	assert_string_equal(server_of(&lab, node).address, old.address);
	assert_true(has_server(&lab, old.id)); /* until the new one has signalled */
	assert_string_equal(cluster_status(&lab), "CREATE_COMPLETE");
	(void)rest(&lab);
	assert_false(has_server(&lab, old.id));
	assert_int_equal(ask(&lab, "GET", target, NULL), 404);
	assert_string_equal(stack_status(&lab), "UPDATE_COMPLETE");
	assert_string_equal(cluster_status(&lab), "CREATE_COMPLETE"); /* Magnum never noticed */
	assert_true(server_of(&lab, node).healthy_since.ms > 0);
	assert_true(sim_kube_ready_since(world_kube(lab.world), node).ms > 0);
	assert_int_equal(world_servers_count(lab.world), 6);
	lab_done(&lab);
}

static void test_replacement_in_place(void **state)
{
	(void)state;
	replaced_in_place("k8s-abc-master-1");
	replaced_in_place("k8s-abc-node-1");
}

static void test_marks_add_up(void **state)
{
	struct lab lab;
	char ids[3][40];
	(void)state;
	lab_init(&lab);
	for (int i = 0; i < 3; i++) {
		char node[40];
		(void)snprintf(node, sizeof(node), "k8s-abc-master-%d", i);
		(void)TEXT_COPY(ids[i], server_of(&lab, node).id);
	}
	assert_int_equal(mark(&lab, "k8s-abc-master-1", true), 200);
	assert_int_equal(update(&lab), 202);
	pass(&lab, 8 * SEC);
	assert_int_equal(mark(&lab, "k8s-abc-master-2", true), 200);
	assert_int_equal(update(&lab), 202);
	(void)rest(&lab);
	assert_string_equal(stack_status(&lab), "UPDATE_COMPLETE");
	assert_string_equal(server_of(&lab, "k8s-abc-master-0").id, ids[0]);
	assert_string_not_equal(server_of(&lab, "k8s-abc-master-1").id, ids[1]);
	assert_string_not_equal(server_of(&lab, "k8s-abc-master-2").id, ids[2]);
	assert_false(has_server(&lab, ids[1]));
	assert_false(has_server(&lab, ids[2]));
	/* Nothing marked, a server gone behind Heat's back: nothing happens. */
	assert_true(world_break_server(lab.world, lab.now, "k8s-abc-node-0", "GONE"));
	assert_int_equal(update(&lab), 202);
	assert_in_range(rest(&lab), 20 * SEC, 60 * SEC);
	assert_string_equal(server_of(&lab, "k8s-abc-node-0").id, "");
	assert_int_equal(mark(&lab, "k8s-abc-node-0", true), 200);
	assert_int_equal(update(&lab), 202);
	(void)rest(&lab);
	assert_string_not_equal(server_of(&lab, "k8s-abc-node-0").id, "");
	lab_done(&lab);
}

/* ---- Magnum --------------------------------------------------------------------------------------------------------
 */

static void test_resize_replaces(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab);
	struct sim_server old = server_of(&lab, "k8s-abc-node-1");
	assert_int_equal(resize(&lab, 3, old.id, "default-worker"), 202);
	assert_string_equal(cluster_status(&lab), "CREATE_COMPLETE"); /* the update shows a second later */
	pass(&lab, 2 * SEC);
	assert_string_equal(cluster_status(&lab), "UPDATE_IN_PROGRESS");
	assert_string_equal(stack_status(&lab), "UPDATE_IN_PROGRESS");
	int64_t gone_at = 0;
	int64_t made_at = 0;
	for (int i = 0; i < 120 && made_at == 0; i++) {
		pass(&lab, SEC);
		if (gone_at == 0 && !has_server(&lab, old.id))
			gone_at = lab.now.mono.ms;
		if (server_of(&lab, "k8s-abc-node-3").id[0] != '\0')
			made_at = lab.now.mono.ms;
	}
	assert_true(gone_at > 0 && made_at > gone_at); /* the old one goes first */
	(void)rest(&lab);
	assert_string_equal(cluster_status(&lab), "UPDATE_COMPLETE");
	assert_int_equal(json_int(lab.json, "node_count", 0), 3);
	assert_int_equal(json_count(lab.json, "node_addresses"), 3);
	assert_null(strstr(buf_cstr(&lab.out.body), old.address));
	assert_string_equal(server_of(&lab, "k8s-abc-node-1").id, "");
	assert_true(server_of(&lab, "k8s-abc-node-3").healthy_since.ms > 0);
	assert_true(sim_kube_node_exists(world_kube(lab.world), "k8s-abc-node-1")); /* nobody deletes the Node */
	/* An unknown server: accepted, a full update, nothing replaced. */
	struct sim_server third = server_of(&lab, "k8s-abc-node-3");
	assert_int_equal(resize(&lab, 3, "535af63d-0000-4000-8000-000000000000", "default-worker"), 202);
	pass(&lab, 2 * SEC);
	assert_string_equal(cluster_status(&lab), "UPDATE_IN_PROGRESS");
	(void)rest(&lab);
	assert_string_equal(cluster_status(&lab), "UPDATE_COMPLETE");
	assert_string_equal(server_of(&lab, "k8s-abc-node-3").id, third.id);
	/* One less. */
	assert_int_equal(resize(&lab, 2, third.id, "default-worker"), 202);
	(void)rest(&lab);
	assert_int_equal(world_servers_count(lab.world), 5);
	assert_string_equal(server_of(&lab, "k8s-abc-node-3").id, "");
	lab_done(&lab);
}

/* A second resize while one runs: accepted, and the removal of the first vanishes. */
static void test_resize_drops_the_earlier(void **state)
{
	static const int64_t gaps[] = { 1 * SEC, 11 * SEC };
	(void)state;
	for (size_t i = 0; i < COUNT(gaps); i++) {
		struct lab lab;
		lab_init(&lab);
		struct sim_server a = server_of(&lab, "k8s-abc-node-0");
		struct sim_server b = server_of(&lab, "k8s-abc-node-1");
		assert_int_equal(resize(&lab, 3, a.id, "default-worker"), 202);
		pass(&lab, gaps[i]);
		assert_int_equal(resize(&lab, 3, b.id, "default-worker"), 202);
		(void)rest(&lab);
		assert_string_equal(cluster_status(&lab), "UPDATE_COMPLETE");
		assert_true(has_server(&lab, a.id));
		assert_false(has_server(&lab, b.id));
		assert_int_equal(world_servers_count(lab.world), 6);
		lab_done(&lab);
	}
}

static void test_resize_of_two(void **state)
{
	struct lab lab;
	char body[300];
	(void)state;
	lab_init(&lab);
	struct sim_server a = server_of(&lab, "k8s-abc-node-0");
	struct sim_server b = server_of(&lab, "k8s-abc-node-2");
	(void)snprintf(body, sizeof(body), "{\"node_count\": 3, \"nodes_to_remove\": [\"%s\", \"%s\"]}", a.id, b.id);
	lab.acts_count = 0;
	assert_int_equal(ask(&lab, "POST", MAGNUM "/k8s-cluster/actions/resize", body), 202);
	assert_int_equal(lab.acts_count, 2);
	(void)snprintf(body, sizeof(body), "resize %.8s 2 202", b.id);
	assert_string_equal(lab.acts[1], body);
	(void)rest(&lab);
	assert_false(has_server(&lab, a.id));
	assert_false(has_server(&lab, b.id));
	assert_true(server_of(&lab, "k8s-abc-node-3").healthy_since.ms > 0);
	assert_true(server_of(&lab, "k8s-abc-node-4").healthy_since.ms > 0);
	lab_done(&lab);
}

static void test_magnum_refusals(void **state)
{
	static const struct {
		const char *version, *method, *target, *body;
		int status;
		const char *says;
	} cases[] = {
		{ "1.10", "POST", "/k8s-cluster/actions/resize", "{}", 400, "Mandatory field missing." },
		{ "1.10", "POST", "/k8s-cluster/actions/resize", "{\"node_count\": -1}", 400, "greater or equal to 0" },
		{ "1.10", "POST", "/k8s-cluster/actions/resize", "{\"node_count\": 3, \"bogus\": 1}", 400,
		  "Unknown attribute for argument cluster_resize_req: bogus" },
		{ "1.10", "POST", "/k8s-cluster/actions/resize", "{\"node_count\": 3, \"nodegroup\": \"no\"}", 404,
		  "Nodegroup no" },
		{ "1.10", "POST", "/k8s-cluster/actions/resize",
		  "{\"node_count\": 3, \"nodegroup\": \"default-master\"}", 400,
		  "Resizing the master nodegroup is not supported by this driver." },
		{ "1.6", "POST", "/k8s-cluster/actions/resize", "{\"node_count\": 3}", 406, "Not Acceptable" },
		{ "1.9", "POST", "/k8s-cluster/actions/resize", "{\"node_count\": 0}", 400, "1.10" },
		{ "1.13", "GET", "/k8s-cluster", NULL, 406, "magnum.microversion-unsupported" },
		{ "latest", "GET", "/k8s-cluster", NULL, 200, "" },
		{ "1.1", "GET", "/k8s-cluster/nodegroups/default-worker", NULL, 406, "get_one is not supported" },
		{ "1.9", "GET", "/k8s-cluster/nodegroups/default-worker", NULL, 200, "node_addresses" },
		{ "1.9", "GET", "/k8s-cluster/nodegroups/nope", NULL, 404, "Nodegroup nope could not be found." },
		{ "1.9", "GET", "/nope", NULL, 404, "Cluster nope could not be found." },
		{ "1.9", "GET", "/c418c335-0e52-42fc-bd68-baa8d264e072", NULL, 200, "CREATE_COMPLETE" },
	};
	struct lab lab;
	(void)state;
	lab_init(&lab);
	for (size_t i = 0; i < COUNT(cases); i++) {
		char version[40];
		char target[200];
		print_message("# %zu\n", i);
		(void)snprintf(version, sizeof(version), "container-infra %s", cases[i].version);
		(void)snprintf(target, sizeof(target), MAGNUM "%s", cases[i].target);
		lab.magnum = version;
		assert_int_equal(ask(&lab, cases[i].method, target, cases[i].body), cases[i].status);
		assert_non_null(strstr(buf_cstr(&lab.out.body), cases[i].says));
	}
	lab.magnum = "container-infra 1.9";
	assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster/nodegroups", NULL), 200);
	assert_int_equal(json_count(lab.json, "nodegroups"), 2);
	assert_null(strstr(buf_cstr(&lab.out.body), "node_addresses"));
	assert_non_null(
		strstr(buf_cstr(&lab.out.headers), "openstack-api-version: container-infrastructure-management 1.9"));
	lab.use = lab.reader;
	assert_int_equal(resize(&lab, 3, "x", "default-worker"), 403);
	assert_non_null(strstr(buf_cstr(&lab.out.body), "Policy doesn't allow cluster:resize to be performed."));
	lab_done(&lab);
}

#define HEALTH(status, reason)                                                                                         \
	"[{\"op\": \"replace\", \"path\": \"/health_status\", \"value\": \"" status                                    \
	"\"}, {\"op\": \"replace\", \"path\": \"/health_status_reason\", \"value\": " reason "}]"

static void test_health_report(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *says;
	} cases[] = {
		{ HEALTH("UNHEALTHY", "\"{'node-1.Ready': 'False', \\\"a\\\": 'it\\\\'s'}\""), 202, "uuid" },
		{ HEALTH("HEALTHY", "{\"a\": \"b\"}"), 400,
		  "Expected '(<class 'str'>, <class 'int'>)', got '<class 'dict'>'" },
		{ HEALTH("SICK", "\"{}\""), 400, "Value should be one of: HEALTHY, UNKNOWN, UNHEALTHY" },
		{ HEALTH("HEALTHY", "\"{'a': true}\""), 400, "" },
		{ HEALTH("HEALTHY", "\"no dict\""), 400, "" },
		{ "[{\"op\": \"replace\", \"path\": \"/labels/x\", \"value\": \"y\"}]", 400, "" },
		{ "{}", 400, "" },
	};
	struct lab lab;
	(void)state;
	lab_init(&lab);
	assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
	assert_true(json_is_null(json_at(lab.json, "health_status")));
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("# %zu\n", i);
		assert_int_equal(ask(&lab, "PATCH", MAGNUM "/k8s-cluster", cases[i].body), cases[i].status);
		assert_non_null(strstr(buf_cstr(&lab.out.body), cases[i].says));
	}
	assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
	assert_string_equal(text(&lab, "health_status"), "UNHEALTHY");
	assert_string_equal(
		json_string_value(json_object_get(json_at(lab.json, "health_status_reason"), "node-1.Ready")), "False");
	assert_string_equal(text(&lab, "health_status_reason.a"), "it's");
	assert_string_equal(text(&lab, "labels.auto_healing_enabled"), "true");
	world_set_healing_label(lab.world, false);
	assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
	assert_string_equal(text(&lab, "labels.auto_healing_enabled"), "false");
	lab_done(&lab);
}

static void test_extra_group(void **state)
{
	struct lab lab;
	struct world_opts opts = world_defaults();
	char node[256] = "";
	struct sim_server s;
	(void)state;
	opts.extra_workers = 2;
	lab_init_with(&lab, opts);
	for (size_t i = 0; i < world_servers_count(lab.world); i++) {
		world_server(lab.world, i, &s);
		if (strstr(s.name, "-extra-") != NULL && strstr(s.name, "-node-0") != NULL)
			(void)TEXT_COPY(node, s.name);
	}
	assert_true(node[0] != '\0');
	assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
	assert_int_equal(json_int(lab.json, "node_count", 0), 5); /* the sum */
	assert_int_equal(json_count(lab.json, "node_addresses"), 5);
	s = server_of(&lab, node);
	assert_int_equal(resize(&lab, 2, s.id, "extra"), 202);
	pass(&lab, 2 * SEC);
	assert_string_equal(cluster_status(&lab), "UPDATE_IN_PROGRESS");
	assert_int_equal(ask(&lab, "GET", HEAT, NULL), 200);
	assert_int_equal(json_count(lab.json, "stacks"), 2);
	assert_string_equal(text(&lab, "stacks.0.stack_status"), "CREATE_COMPLETE"); /* only its own stack */
	assert_string_equal(text(&lab, "stacks.1.stack_status"), "UPDATE_IN_PROGRESS");
	(void)rest(&lab);
	assert_string_equal(cluster_status(&lab), "UPDATE_COMPLETE");
	assert_false(has_server(&lab, s.id));
	assert_int_equal(world_servers_count(lab.world), 8);
	lab_done(&lab);
}

/* ---- failures ------------------------------------------------------------------------------------------------------
 */

static void test_bootstrap_fails(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab);
	struct sim_server old = server_of(&lab, "k8s-abc-node-1");
	world_fail_next_boot_as(lab.world, 1, SIM_BOOT_SIGNALS_FAILURE);
	assert_int_equal(resize(&lab, 3, old.id, "default-worker"), 202);
	(void)rest(&lab);
	assert_string_equal(stack_status(&lab), "UPDATE_FAILED");
	assert_string_equal(cluster_status(&lab), "UPDATE_FAILED");
	assert_string_equal(text(&lab, "status_reason"), "default-master failed, default-worker failed");
	assert_non_null(strstr(text(&lab, "faults.default-worker"), "Deployment exited with non-zero status code: 1"));
	/* The victim is gone, the new server is ACTIVE but no node; the addresses are those of before. */
	assert_non_null(strstr(buf_cstr(&lab.out.body), old.address));
	assert_false(has_server(&lab, old.id));
	assert_string_equal(server_of(&lab, "k8s-abc-node-3").status, "ACTIVE");
	assert_int_equal(server_of(&lab, "k8s-abc-node-3").healthy_since.ms, 0);
	/* The same once more: it comes right. */
	assert_int_equal(resize(&lab, 3, old.id, "default-worker"), 202);
	(void)rest(&lab);
	assert_string_equal(cluster_status(&lab), "UPDATE_COMPLETE");
	assert_null(strstr(buf_cstr(&lab.out.body), old.address));
	assert_true(server_of(&lab, "k8s-abc-node-3").healthy_since.ms > 0);
	lab_done(&lab);
}

static void test_boot_stays_silent(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab);
	const char *node = "k8s-abc-node-2";
	struct sim_server old = server_of(&lab, node);
	world_fail_next_boot_as(lab.world, -1, SIM_BOOT_SILENT);
	assert_int_equal(mark(&lab, node, true), 200);
	assert_int_equal(update(&lab), 202);
	assert_in_range(rest(&lab), 9 * MINUTE, 11 * MINUTE); /* the stack's time */
	assert_string_equal(stack_status(&lab), "UPDATE_FAILED");
	assert_string_equal(cluster_status(&lab), "CREATE_COMPLETE");
	assert_true(has_server(&lab, old.id)); /* nothing cleaned it up */
	struct sim_server silent = server_of(&lab, node);
	assert_string_equal(silent.status, "ACTIVE");
	assert_int_equal(silent.healthy_since.ms, 0);
	/* Marked again it is replaced; the left-over goes, too. */
	assert_int_equal(mark(&lab, node, true), 200);
	assert_int_equal(update(&lab), 202);
	(void)rest(&lab);
	assert_string_equal(stack_status(&lab), "UPDATE_COMPLETE");
	assert_false(has_server(&lab, old.id));
	assert_false(has_server(&lab, silent.id));
	assert_true(server_of(&lab, node).healthy_since.ms > 0);
	assert_int_equal(world_servers_count(lab.world), 6);
	lab_done(&lab);
}

static void test_no_valid_host(void **state)
{
	struct lab lab;
	char target[200];
	(void)state;
	lab_init(&lab);
	struct sim_server old = server_of(&lab, "k8s-abc-node-0");
	world_fail_next_boot_as(lab.world, 1, SIM_BOOT_NO_HOST);
	assert_int_equal(resize(&lab, 3, old.id, "default-worker"), 202);
	(void)rest(&lab);
	struct sim_server bad = server_of(&lab, "k8s-abc-node-3");
	assert_string_equal(bad.status, "ERROR");
	(void)snprintf(target, sizeof(target), NOVA "/%s", bad.id);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_non_null(strstr(text(&lab, "server.fault.message"), "No valid host was found"));
	assert_int_equal(json_object_size(json_at(lab.json, "server.addresses")), 0);
	assert_string_equal(cluster_status(&lab), "UPDATE_FAILED");
	/* An update made in Heat repairs the stack; Magnum stays as it is until it is asked itself. */
	assert_int_equal(update(&lab), 202);
	(void)rest(&lab);
	assert_string_equal(stack_status(&lab), "UPDATE_COMPLETE");
	assert_string_equal(cluster_status(&lab), "UPDATE_FAILED");
	assert_false(has_server(&lab, bad.id));
	assert_true(server_of(&lab, "k8s-abc-node-3").healthy_since.ms > 0);
	assert_int_equal(resize(&lab, 3, "x", "default-worker"), 202);
	(void)rest(&lab);
	assert_string_equal(cluster_status(&lab), "UPDATE_COMPLETE");
	lab_done(&lab);
}

static void test_busy_by_others(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab);
	world_owner_updates(lab.world, lab.now, 5 * MINUTE);
	assert_true(world_stack_is_busy(lab.world));
	assert_string_equal(cluster_status(&lab), "UPDATE_IN_PROGRESS");
	pass(&lab, 5 * MINUTE - 1000);
	assert_true(world_stack_is_busy(lab.world));
	pass(&lab, 20 * SEC);
	assert_string_equal(cluster_status(&lab), "UPDATE_COMPLETE");
	/* Accepted while it is being created, and never done. */
	struct sim_server s = server_of(&lab, "k8s-abc-node-0");
	world_creates(lab.world, lab.now, MINUTE);
	assert_int_equal(resize(&lab, 3, s.id, "default-worker"), 202);
	pass(&lab, 30 * SEC);
	assert_string_equal(cluster_status(&lab), "CREATE_IN_PROGRESS");
	pass(&lab, 5 * MINUTE);
	assert_string_equal(cluster_status(&lab), "CREATE_COMPLETE");
	assert_true(has_server(&lab, s.id));
	lab_done(&lab);
}

static void test_troubles(void **state)
{
	static const struct {
		struct sim_trouble trouble;
		int status;
		bool is_lost, is_done, is_cut;
	} cases[] = {
		{ { .is_down = true }, 0, true, false, false },
		{ { .lost_request = 1 }, 0, true, false, false },
		{ { .lost_answer = 1 }, 202, true, true, false },
		{ { .error_500 = 1 }, 500, false, false, false },
		{ { .error_503 = 1 }, 503, false, false, false },
		{ { .error_429 = 1 }, 429, false, false, false },
		{ { .error_409 = 1 }, 409, false, false, false },
		{ { .cut_answer = 1 }, 202, false, true, true },
		{ { .delay_min_ms = 7000, .delay_max_ms = 8000 }, 202, false, true, false },
		{ { 0 }, 202, false, true, false },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab lab;
		print_message("# %zu\n", i);
		lab_init(&lab);
		struct sim_server s = server_of(&lab, "k8s-abc-node-0");
		world_trouble(lab.world, SIM_MAGNUM, &cases[i].trouble);
		lab.acts_count = 0;
		assert_int_equal(resize(&lab, 3, s.id, "default-worker"), cases[i].status);
		assert_int_equal(lab.out.is_lost, cases[i].is_lost);
		assert_int_equal(lab.out.is_cut, cases[i].is_cut);
		assert_int_equal(lab.acts_count, cases[i].is_done ? 1 : 0);
		if (cases[i].status == 429)
			assert_non_null(strstr(buf_cstr(&lab.out.headers), "retry-after: "));
		if (cases[i].status >= 400)
			assert_int_equal(json_int(lab.json, "errors.0.status", 0), cases[i].status);
		if (cases[i].trouble.delay_min_ms > 0)
			assert_in_range(lab.out.delay_ms, 7000, 8400);
		world_trouble(lab.world, SIM_MAGNUM, &(struct sim_trouble){ 0 });
		pass(&lab, 3 * SEC);
		(void)rest(&lab);
		assert_int_equal(has_server(&lab, s.id), !cases[i].is_done);
		lab_done(&lab);
	}
}

static void test_breakages(void **state)
{
	struct lab lab;
	struct sim_server s;
	(void)state;
	lab_init(&lab);
	const char *node = "k8s-abc-node-0";
	assert_false(world_break_server(lab.world, lab.now, "nobody", "SHUTOFF"));
	assert_false(world_break_kubelet(lab.world, lab.now, "nobody", CURE_REPLACE, 0));
	assert_true(world_break_server(lab.world, lab.now, node, "SHUTOFF"));
	assert_int_equal(server_of(&lab, node).healthy_since.ms, 0);
	pass(&lab, 60 * SEC);
	assert_int_equal(sim_kube_ready_since(world_kube(lab.world), node).ms, 0);
	assert_int_equal(server_act(&lab, node, START), 202);
	pass(&lab, 2 * MINUTE);
	assert_true(server_of(&lab, node).healthy_since.ms > 0);
	assert_true(sim_kube_ready_since(world_kube(lab.world), node).ms > 0);
	assert_true(world_break_server(lab.world, lab.now, node, "GONE"));
	assert_false(world_server_of_node(lab.world, node, &s));
	/* Flapping: it is never well, and now and then silent. */
	const char *flapper = "k8s-abc-node-1";
	bool was_silent = false;
	assert_true(world_break_not_ready(lab.world, lab.now, flapper, CURE_REBOOT, true));
	for (int i = 0; i < 100; i++) {
		pass(&lab, 10 * SEC);
		assert_int_equal(server_of(&lab, flapper).healthy_since.ms, 0);
		was_silent = was_silent || !server_of(&lab, flapper).is_kubelet_alive;
	}
	assert_true(was_silent);
	/* An administrator's cordon reaches the callback only when it is a client's. */
	assert_true(world_cordon(lab.world, lab.now, "k8s-abc-node-2", true));
	char mark_text[64];
	assert_true(sim_kube_is_cordoned(world_kube(lab.world), "k8s-abc-node-2", mark_text, sizeof(mark_text)));
	lab_done(&lab);
}

static uint64_t story(uint64_t seed)
{
	struct lab lab;
	struct world_opts opts = world_defaults();
	opts.seed = seed;
	lab_init_with(&lab, opts);
	world_trouble(lab.world, SIM_NOVA, &(struct sim_trouble){ .error_503 = 0.2, .cut_answer = 0.2 });
	world_fail_next_boot(lab.world, 2);
	for (int i = 0; i < 3; i++) {
		(void)resize(&lab, 3, server_of(&lab, "k8s-abc-node-2").id, "default-worker");
		(void)rest(&lab);
		(void)ask(&lab, "GET", NOVA "/detail", NULL);
		log_in(&lab);
		(void)cluster_status(&lab);
	}
	uint64_t sum = lab.sum;
	lab_done(&lab);
	return sum;
}

static void test_same_seed_same_bytes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 4; seed++)
		assert_true(story(seed) == story(seed));
	assert_true(story(1) != story(2));
}

/* Months pass quickly, and nothing breaks by itself; what waits when the world ends is let go. */
static void test_quiet_months(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab);
	for (int day = 0; day < 60; day++)
		pass(&lab, 24 * HOUR);
	struct sim_server s;
	for (size_t i = 0; i < world_servers_count(lab.world); i++) {
		world_server(lab.world, i, &s);
		assert_int_equal(s.healthy_since.ms, 1000);
		assert_true(sim_kube_ready_since(world_kube(lab.world), s.node).ms > 0);
	}
	log_in(&lab);
	assert_int_equal(resize(&lab, 3, s.id, "default-worker"), 202);
	assert_int_equal(update(&lab), 202);
	lab_done(&lab);
}

/* One random thing happens. */
static void anything(struct lab *lab, struct rng *rng)
{
	char node[64];
	struct sim_server s;
	static const char *const states[] = { "SHUTOFF", "ERROR", "GONE", "PAUSED", "ACTIVE", "RESCUE" };
	static const char *const bodies[] = { SOFT, HARD, STOP, START, "{\"forceDelete\": null}" };
	if (world_servers_count(lab->world) == 0) { /* all deleted while their successors are not there yet */
		pass(lab, MINUTE);
		return;
	}
	world_server(lab->world, rng_below(rng, world_servers_count(lab->world)), &s);
	(void)TEXT_COPY(node, s.node);
	switch (rng_below(rng, 12)) {
	case 0:
	case 1:
		(void)world_break_kubelet(lab->world, lab->now, node, (enum sim_cure)rng_below(rng, 4), 30 * SEC);
		break;
	case 2:
		(void)world_break_not_ready(lab->world, lab->now, node, (enum sim_cure)rng_below(rng, 4),
					    rng_chance(rng, 0.5));
		break;
	case 3:
		if (world_servers_count(lab->world) > 3)
			(void)world_break_server(lab->world, lab->now, node, states[rng_below(rng, COUNT(states))]);
		break;
	case 4:
		world_fail_next_boot_as(lab->world, 1, (enum sim_boot)rng_below(rng, 3));
		break;
	case 5:
	case 6:
		(void)resize(lab, 2 + (int)rng_below(rng, 3), s.id, "default-worker");
		break;
	case 7:
		if (server_of(lab, node).id[0] != '\0')
			(void)mark(lab, node, rng_chance(rng, 0.8));
		break;
	case 8:
		(void)update(lab);
		break;
	case 9:
		world_owner_updates(lab->world, lab->now, (int64_t)rng_below(rng, 200) * SEC);
		break;
	default:
		if (world_servers_count(lab->world) > 3)
			(void)server_act(lab, node, bodies[rng_below(rng, COUNT(bodies))]);
		break;
	}
	pass(lab, (int64_t)rng_below(rng, 40) * SEC);
}

/* Replaces whatever is not well, as an administrator would; true when all is well. */
static bool mend(struct lab *lab)
{
	bool is_well = true;
	for (int i = 0; i < 400; i++) {
		char node[64];
		struct sim_server s;
		(void)snprintf(node, sizeof(node), "k8s-abc-%s-%d", i % 2 ? "node" : "master", i / 2);
		if (world_server_of_node(lab->world, node, &s) && s.healthy_since.ms == 0) {
			is_well = false;
			(void)mark(lab, node, true);
		}
	}
	(void)update(lab);
	(void)rest(lab);
	return is_well;
}

static void test_anything_goes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct rng rng = { seed };
		struct lab lab;
		struct world_opts opts = world_defaults();
		opts.seed = seed;
		lab_init_with(&lab, opts);
		for (int i = 0; i < 60; i++) {
			if (i % 20 == 0)
				log_in(&lab);
			anything(&lab, &rng);
		}
		pass(&lab, 30 * MINUTE); /* what runs comes to its end */
		log_in(&lab);
		world_fail_next_boot(lab.world, 0);
		/* Servers deleted behind Heat's back come back only when their resources are marked: a resize names
		 * them. */
		(void)resize(&lab, 3, "x", "default-worker");
		(void)rest(&lab);
		bool is_well = false;
		for (int i = 0; i < 6 && !is_well; i++)
			is_well = mend(&lab);
		if (!is_well || world_stack_is_busy(lab.world))
			print_message("# seed %d\n", (int)seed);
		assert_true(is_well);
		assert_string_equal(stack_status(&lab), "UPDATE_COMPLETE");
		lab_done(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_tokens_end),
		cmocka_unit_test(test_catalog),
		cmocka_unit_test(test_server_lists),
		cmocka_unit_test(test_actions_by_state),
		cmocka_unit_test(test_action_log),
		cmocka_unit_test(test_reboot_of_hung_guest),
		cmocka_unit_test(test_cures),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_heat_redirects),
		cmocka_unit_test(test_heat_resources),
		cmocka_unit_test(test_replacement_in_place),
		cmocka_unit_test(test_marks_add_up),
		cmocka_unit_test(test_resize_replaces),
		cmocka_unit_test(test_resize_drops_the_earlier),
		cmocka_unit_test(test_resize_of_two),
		cmocka_unit_test(test_magnum_refusals),
		cmocka_unit_test(test_health_report),
		cmocka_unit_test(test_extra_group),
		cmocka_unit_test(test_bootstrap_fails),
		cmocka_unit_test(test_boot_stays_silent),
		cmocka_unit_test(test_no_valid_host),
		cmocka_unit_test(test_busy_by_others),
		cmocka_unit_test(test_troubles),
		cmocka_unit_test(test_breakages),
		cmocka_unit_test(test_same_seed_same_bytes),
		cmocka_unit_test(test_quiet_months),
		cmocka_unit_test(test_anything_goes),
	};
	return cmocka_run_group_tests_name("sim_cloud", tests, NULL, NULL);
}
