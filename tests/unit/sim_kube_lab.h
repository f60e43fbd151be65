/* What the tests of the simulated API server share: one server, its answers as JSON, its streams and acts. */
#ifndef MAH_TESTS_SIM_KUBE_LAB_H
#define MAH_TESTS_SIM_KUBE_LAB_H

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* after ours, because it has a macro fail() */
#include <cmocka.h>

#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define MERGE "application/merge-patch+json"
#define NODES "/api/v1/nodes"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
#define MAPS "/api/v1/namespaces/kube-system/configmaps"
#define EVENTS "/apis/events.k8s.io/v1/namespaces/default/events"
#define SERVER_A "0a1b2c3d-0000-4000-8000-00000000000a"
#define SERVER_B "0a1b2c3d-0000-4000-8000-00000000000b"
#define T0 INT64_C(1790000000000)

struct lab {
	struct sim_kube *kube;
	struct now now;
	struct sim_response out;
	struct buf streams[8]; /* by number */
	int ended[8];          /* 1 clean, 2 cut */
	size_t chunks;
	struct sim_act acts[32];
	char act_nodes[32][64];
	size_t acts_count;
	const char *accept, *token, *type;
	json_t *json; /* of the last answer */
};

static inline void on_bytes(void *ctx, uint64_t stream, struct str bytes)
{
	struct lab *lab = ctx;
	assert_in_range(stream, 1, COUNT(lab->streams) - 1);
	lab->chunks++;
	assert_true(buf_add(&lab->streams[stream], bytes.p, bytes.n));
}

static inline void on_end(void *ctx, uint64_t stream, bool is_clean)
{
	struct lab *lab = ctx;
	assert_int_equal(lab->ended[stream], 0);
	lab->ended[stream] = is_clean ? 1 : 2;
}

static inline void on_act(void *ctx, const struct sim_act *act)
{
	struct lab *lab = ctx;
	assert_true(lab->acts_count < COUNT(lab->acts));
	lab->acts[lab->acts_count] = *act;
	assert_true(TEXT_COPY(lab->act_nodes[lab->acts_count++], act->node));
}

static inline int set_up(void **state)
{
	struct lab *lab = xcalloc(1, sizeof *lab);
	lab->now = (struct now){ { 1000 }, { T0 } };
	lab->kube = sim_kube_new(&(struct sim_kube_opts){ .grace_ms = 40 * SEC,
							  .has_watch_list = true,
							  .ctx = lab,
							  .stream_bytes = on_bytes,
							  .stream_end = on_end,
							  .on_act = on_act },
				 lab->now);
	buf_init(&lab->out.headers, 16384);
	buf_init(&lab->out.body, 64U << 20);
	for (size_t i = 0; i < COUNT(lab->streams); i++)
		buf_init(&lab->streams[i], 64U << 20);
	*state = lab;
	return 0;
}

static inline int tear_down(void **state)
{
	struct lab *lab = *state;
	sim_kube_free(lab->kube);
	buf_done(&lab->out.headers);
	buf_done(&lab->out.body);
	for (size_t i = 0; i < COUNT(lab->streams); i++)
		buf_done(&lab->streams[i]);
	json_decref(lab->json);
	free(lab);
	return 0;
}

static inline const char *header(const struct sim_request *request, const char *name)
{
	const struct lab *lab = request->headers;
	const char *value = strcmp(name, "accept") == 0          ? lab->accept
			    : strcmp(name, "authorization") == 0 ? lab->token
			    : strcmp(name, "content-type") == 0  ? lab->type
								 : NULL;
	return value != NULL ? value : "";
}

static inline int call(struct lab *lab, const char *method, const char *target, const char *body)
{
	buf_clear(&lab->out.headers);
	buf_clear(&lab->out.body);
	lab->out.status = 0;
	lab->out.stream = 0;
	struct sim_request request = { .method = method,
				       .target = target,
				       .client = "test",
				       .header = header,
				       .headers = lab,
				       .body = str_of(body) };
	sim_kube_http(lab->kube, lab->now, &request, &lab->out);
	json_decref(lab->json);
	bool is_json = strstr(buf_cstr(&lab->out.headers), "content-type: application/json\n") != NULL;
	lab->json = is_json && lab->out.body.n > 0 ? json_parse(buf_str(&lab->out.body), NULL) : NULL;
	assert_true(!is_json || lab->out.stream != 0 || lab->json != NULL);
	return lab->out.status;
}

static inline int patch(struct lab *lab, const char *target, const char *body)
{
	lab->type = MERGE;
	int status = call(lab, "PATCH", target, body);
	lab->type = NULL;
	return status;
}

static inline void pass(struct lab *lab, int64_t ms)
{
	lab->now.mono.ms += ms;
	lab->now.wall.ms += ms;
	sim_kube_advance(lab->kube, lab->now);
}

static inline struct sim_kubelet kubelet(const char *name)
{
	return (struct sim_kubelet){ .name = name,
				     .server_id = SERVER_A,
				     .boot_id = "b0000000-0000-4000-8000-000000000001",
				     .address = "10.0.0.5",
				     .node_group = "default-worker",
				     .is_boot = true,
				     .is_ready = true };
}

static inline void boot(struct lab *lab, const char *name)
{
	struct sim_kubelet k = kubelet(name);
	sim_kube_kubelet(lab->kube, lab->now, &k);
}

static inline void boot_many(struct lab *lab, int count)
{
	for (int i = 0; i < count; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "node-%04d", i);
		boot(lab, name);
	}
}

static inline const char *text(const struct lab *lab, const char *path)
{
	return json_text_or(lab->json, path, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
