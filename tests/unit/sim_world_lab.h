/* What the tests of the simulated world's masters, hosts and other people share: a world, a token, answers as JSON. */
#ifndef MAH_TESTS_SIM_WORLD_LAB_H
#define MAH_TESTS_SIM_WORLD_LAB_H

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
#define NODES "/api/v1/nodes"
#define T0 INT64_C(1790000000000)

struct lab {
	struct world *world;
	struct now now;
	struct sim_response out;
	json_t *json; /* of the last answer */
	char token[200];
	char stack[300]; /* path of the stack with name and id */
	char acts[64][120];
	size_t acts_count;
	int streams_ended;
};

static inline const char *header(const struct sim_request *req, const char *name)
{
	const struct lab *lab = req->headers;
	if (strcmp(name, "x-auth-token") == 0)
		return lab->token;
	if (strcmp(name, "content-type") == 0)
		return strcmp(req->method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json";
	if (strcmp(name, "openstack-api-version") == 0)
		return strstr(req->target, "/container-infra") != NULL ? "container-infra 1.10" : "compute 2.79";
	return "";
}

static inline void on_act(void *ctx, const struct sim_act *act)
{
	struct lab *lab = ctx;
	if (lab->acts_count == COUNT(lab->acts))
		lab->acts_count = 0;
	(void)snprintf(lab->acts[lab->acts_count++], sizeof(lab->acts[0]), "%s %.40s %d", sim_act_name(act->kind),
		       act->node, act->status);
}

static inline void on_end(void *ctx, uint64_t stream, bool is_clean)
{
	(void)stream;
	(void)is_clean;
	((struct lab *)ctx)->streams_ended++;
}

static inline int ask(struct lab *lab, const char *method, const char *target, const char *body)
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
	lab->json = lab->out.body.n > 0 ? json_parse(buf_str(&lab->out.body), NULL) : NULL;
	return lab->out.status;
}

static inline const char *text(const struct lab *lab, const char *path)
{
	return json_text_or(lab->json, path, "");
}

static inline void pass(struct lab *lab, int64_t ms)
{
	lab->now.mono.ms += ms;
	lab->now.wall.ms += ms;
	world_advance(lab->world, lab->now);
}

static inline void log_in(struct lab *lab)
{
	assert_int_equal(
		ask(lab, "POST", "/identity/v3/auth/tokens",
		    "{\"auth\": {\"identity\": {\"methods\": [\"password\"], \"password\": {\"user\": {\"id\": "
		    "\"" SIM_USER_ID "\", \"password\": \"" SIM_PASSWORD
		    "\"}}}, \"scope\": {\"project\": {\"id\": \"" SIM_PROJECT_ID "\"}}}}"),
		201);
	const char *at = strstr(buf_cstr(&lab->out.headers), "x-subject-token: ");
	assert_non_null(at);
	at += strlen("x-subject-token: ");
	assert_true(str_copy(lab->token, sizeof lab->token, (struct str){ at, strcspn(at, "\n") }));
}

static inline void lab_init(struct lab *lab, struct world_opts opts)
{
	*lab = (struct lab){ .now = { { 1000 }, { T0 } } };
	opts.ctx = lab;
	opts.on_act = on_act;
	opts.stream_end = on_end;
	opts.node_prefix = "k8s-abc";
	sim_response_init(&lab->out);
	lab->world = world_new(&opts, lab->now);
	log_in(lab);
	assert_int_equal(ask(lab, "GET", HEAT, NULL), 200);
	(void)snprintf(lab->stack, sizeof lab->stack, HEAT "/%s/%s", text(lab, "stacks.0.stack_name"),
		       text(lab, "stacks.0.id"));
}

static inline void lab_done(struct lab *lab)
{
	json_decref(lab->json);
	sim_response_done(&lab->out);
	world_free(lab->world);
}

static inline struct sim_server server_of(const struct lab *lab, const char *node)
{
	struct sim_server s = { 0 };
	(void)world_server_of_node(lab->world, node, &s); /* none: all empty */
	return s;
}

static inline const char *nova(struct lab *lab, const char *id, const char *path)
{
	char target[200];
	(void)snprintf(target, sizeof target, NOVA "/%s", id);
	return ask(lab, "GET", target, NULL) == 200 ? text(lab, path) : "(gone)";
}

static inline int act(struct lab *lab, const char *id, const char *body)
{
	char target[200];
	(void)snprintf(target, sizeof target, NOVA "/%s/action", id);
	return ask(lab, "POST", target, body);
}

#define SOFT "{\"reboot\": {\"type\": \"SOFT\"}}"
#define HARD "{\"reboot\": {\"type\": \"HARD\"}}"
#define STOP "{\"os-stop\": null}"
#define START "{\"os-start\": null}"

/* The address of a resource beside a node's server; resource NULL: the server itself. */
static inline void resource_of(struct lab *lab, const char *node, const char *resource, char out[700])
{
	char target[400];
	char id[40];
	(void)snprintf(id, sizeof id, "%s", server_of(lab, node).id);
	(void)snprintf(target, sizeof target, "%s/resources?nested_depth=2&type=OS::Nova::Server", lab->stack);
	assert_int_equal(ask(lab, "GET", target, NULL), 200);
	size_t i = 0;
	json_t *r = NULL;
	out[0] = '\0';
	json_array_foreach(json_at(lab->json, "resources"), i, r) {
		if (!text_eq(json_text(r, "physical_resource_id"), id))
			continue;
		const char *href = strstr(json_text_or(r, "links.0.href", ""), "/orchestration");
		int n = (int)(strrchr(href, '/') + 1 - href);
		(void)snprintf(out, 700, "%.*s%s", n, href, resource != NULL ? resource : href + n);
	}
	assert_true(out[0] != '\0');
}

static inline int mark(struct lab *lab, const char *node, const char *resource)
{
	char target[700];
	resource_of(lab, node, resource, target);
	return ask(lab, "PATCH", target, "{\"mark_unhealthy\": true, \"resource_status_reason\": \"bad\"}");
}

/* An update of the stack, to its end. */
static inline void update(struct lab *lab)
{
	assert_int_equal(ask(lab, "PATCH", lab->stack, "{}"), 202);
	pass(lab, 3 * SEC);
	for (int i = 0; world_stack_is_busy(lab->world); i++) {
		assert_in_range(i, 0, 1800);
		pass(lab, 1 * SEC);
	}
	pass(lab, 10 * SEC);
}

/* Of the Node as the API has it; "" when there is none. */
static inline const char *node_json(const struct lab *lab, const char *node)
{
	char path[300];
	(void)snprintf(path, sizeof path, NODES "/%s", node);
	return sim_kube_object(world_kube(lab->world), path);
}

static inline bool is_ready(const struct lab *lab, const char *node)
{
	return sim_kube_ready_since(world_kube(lab->world), node).ms != 0;
}

static inline void boot_id(const struct lab *lab, const char *node, char out[64])
{
	const char *at = strstr(node_json(lab, node), "\"bootID\":\"");
	assert_non_null(at);
	at += strlen("\"bootID\":\"");
	assert_true(str_copy(out, 64, (struct str){ at, strcspn(at, "\"") }));
}

#endif
