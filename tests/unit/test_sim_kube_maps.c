/* ConfigMaps and the kubelets' Leases of the simulated API server: lists, watches, bookmarks, 410; pages; both forms;
 * and what other people do to Nodes. */
#include "sim_kube_lab.h"

#define STATE MAPS "/state"
#define NODE_LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
#define ONE "fieldSelector=metadata.name=state"

static void make(struct lab *lab, const char *name, const char *data)
{
	char body[400];
	(void)snprintf(body, sizeof body,
		       "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\"},\"data\":%s}",
		       name, data);
	assert_int_equal(call(lab, "POST", MAPS, body), 201);
}

static int watch(struct lab *lab, const char *query)
{
	char target[300];
	(void)snprintf(target, sizeof target, MAPS "?watch=1&%s", query);
	assert_int_equal(call(lab, "GET", target, NULL), 200);
	int stream = (int)lab->out.stream;
	assert_true(stream != 0);
	pass(lab, 0);
	return stream;
}

static bool says(const struct lab *lab, int stream, const char *what)
{
	const struct buf *bytes = &lab->streams[stream];
	return bytes->n > 0 && memmem(bytes->p, bytes->n, what, strlen(what)) != NULL;
}

/* ---- ConfigMaps ---------------------------------------------------------------------------------------------------
 */

static void test_list_by_name(void **state)
{
	struct lab *lab = *state;
	make(lab, "other", "{}");
	make(lab, "state", "{\"state.json\":\"{}\"}");
	assert_int_equal(call(lab, "GET", MAPS "?fieldSelector=metadata.name%3Dstate&limit=500", NULL), 200);
	assert_string_equal(text(lab, "kind"), "ConfigMapList");
	assert_int_equal(json_count(lab->json, "items"), 1);
	assert_string_equal(text(lab, "items.0.metadata.name"), "state");
	assert_null(json_at(lab->json, "items.0.kind")); /* items have none */
	assert_int_equal(call(lab, "GET", MAPS, NULL), 200);
	assert_int_equal(json_count(lab->json, "items"), 2);
	assert_int_equal(call(lab, "GET", MAPS "?fieldSelector=data%3Dx", NULL), 400);
	assert_int_equal(call(lab, "GET", MAPS "?labelSelector=a", NULL), 400);
	assert_int_equal(call(lab, "GET", "/api/v1/namespaces/default/configmaps", NULL), 200);
	assert_int_equal(json_count(lab->json, "items"), 0);
}

static void test_watch(void **state)
{
	struct lab *lab = *state;
	make(lab, "state", "{\"state.json\":\"{}\"}");
	int one = watch(lab, ONE "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
	int all = watch(lab, "allowWatchBookmarks=false");
	assert_true(says(lab, one, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\""));
	assert_true(says(lab, one, "\"k8s.io/initial-events-end\":\"true\""));
	assert_true(says(lab, one, "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"ConfigMap\""));
	buf_clear(&lab->streams[one]);
	buf_clear(&lab->streams[all]);
	make(lab, "other", "{}");
	boot(lab, "n1"); /* Nodes are not its business */
	assert_int_equal(lab->streams[one].n, 0);
	assert_true(says(lab, all, "\"name\":\"other\""));
	assert_int_equal(patch(lab, STATE, "{\"data\":{\"pauses.json\":\"[]\"}}"), 200);
	assert_true(says(lab, one, "{\"type\":\"MODIFIED\""));
	assert_true(says(lab, one, "\"pauses.json\":\"[]\""));
	assert_true(says(lab, one, "\"state.json\":\"{}\"")); /* the other key stays */
	buf_clear(&lab->streams[one]);
	pass(lab, 61 * SEC);
	assert_true(says(lab, one, "BOOKMARK"));
	assert_int_equal(lab->ended[one], 0);
}

static void test_watch_goes_on(void **state)
{
	struct lab *lab = *state;
	char query[100];
	make(lab, "state", "{}");
	assert_int_equal(call(lab, "GET", MAPS "?" ONE, NULL), 200);
	(void)snprintf(query, sizeof query, ONE "&resourceVersion=%s", text(lab, "metadata.resourceVersion"));
	assert_int_equal(patch(lab, STATE, "{\"data\":{\"a\":\"1\"}}"), 200);
	int stream = watch(lab, query);
	assert_true(says(lab, stream, "\"a\":\"1\""));
	/* Forgotten: by compaction, or because too much has been written since. */
	for (int i = 0; i < 80; i++) {
		char body[60];
		(void)snprintf(body, sizeof body, "{\"data\":{\"a\":\"x%d\"}}", i);
		assert_int_equal(patch(lab, STATE, body), 200);
	}
	stream = watch(lab, query);
	assert_true(says(lab, stream, "\"code\":410"));
	assert_int_equal(lab->ended[stream], 1);
	sim_kube_compact(lab->kube);
	make(lab, "new", "{}");
	stream = watch(lab, query);
	assert_true(says(lab, stream, "\"reason\":\"Expired\""));
}

static void test_watch_in_protobuf(void **state)
{
	struct lab *lab = *state;
	lab->accept = PROTOBUF;
	make(lab, "state", "{\"pauses.json\":\"[7]\"}");
	int stream =
		watch(lab, ONE "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
	assert_non_null(strstr(buf_cstr(&lab->out.headers), PROTOBUF));
	/* data is field 2: pairs of key 1 and value 2 */
	assert_true(says(lab, stream, "\x0a\x0bpauses.json\x12\x03[7]"));
	assert_true(says(lab, stream, "BOOKMARK"));
	assert_int_equal(call(lab, "GET", STATE, NULL), 200);
	assert_memory_equal(lab->out.body.p, "k8s", 4);
	assert_int_equal(call(lab, "GET", MAPS "?" ONE, NULL), 200);
	assert_non_null(memmem(lab->out.body.p, lab->out.body.n, "ConfigMapList", 13));
	lab->accept = NULL;
}

static void test_patch_with_version(void **state)
{
	struct lab *lab = *state;
	char body[160];
	char rv[24];
	assert_int_equal(patch(lab, STATE, "{\"data\":{\"a\":\"1\"}}"), 404);
	make(lab, "state", "{\"a\":\"1\",\"b\":\"2\"}");
	assert_true(TEXT_COPY(rv, text(lab, "metadata.resourceVersion")));
	(void)snprintf(body, sizeof body,
		       "{\"metadata\":{\"resourceVersion\":\"%s\"},\"data\":{\"a\":\"3\",\"b\":null}}", rv);
	assert_int_equal(patch(lab, STATE, body), 200);
	assert_string_equal(text(lab, "data.a"), "3");
	assert_null(json_at(lab->json, "data.b"));
	assert_int_equal(patch(lab, STATE, body), 409);
	assert_string_equal(text(lab, "reason"), "Conflict");
	/* A person writes his key, and a writer with an old version loses. */
	assert_int_equal(call(lab, "GET", STATE, NULL), 200);
	assert_true(TEXT_COPY(rv, text(lab, "metadata.resourceVersion")));
	sim_kube_write_map(lab->kube, lab->now, "kube-system", "state", "pauses.json", "[]");
	(void)snprintf(body, sizeof body, "{\"metadata\":{\"resourceVersion\":\"%s\"},\"data\":{\"a\":\"4\"}}", rv);
	assert_int_equal(patch(lab, STATE, body), 409);
	assert_int_equal(call(lab, "GET", STATE, NULL), 200);
	assert_string_equal(text(lab, "data.a"), "3");
	sim_kube_write_map(lab->kube, lab->now, "kube-system", "state", "pauses.json", NULL);
	assert_null(strstr(sim_kube_object(lab->kube, STATE), "pauses.json"));
}

/* ---- Leases of kubelets -------------------------------------------------------------------------------------------
 */

static int64_t renewed_ms(struct lab *lab, const char *name)
{
	char target[200];
	struct wall at;
	(void)snprintf(target, sizeof target, NODE_LEASES "/%s", name);
	assert_int_equal(call(lab, "GET", target, NULL), 200);
	assert_string_equal(text(lab, "spec.holderIdentity"), name);
	assert_true(wall_parse(str_of(text(lab, "spec.renewTime")), &at));
	return at.ms;
}

static void test_leases_move(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	assert_int_equal(renewed_ms(lab, "n1"), lab->now.wall.ms); /* its first act */
	int64_t last = 0;
	int renewals = 0;
	for (int i = 0; i < 120; i++) {
		pass(lab, SEC);
		int64_t at = renewed_ms(lab, "n1");
		assert_in_range(lab->now.wall.ms - at, 0, 10 * SEC - 1);
		renewals += at != last;
		last = at;
	}
	assert_in_range(renewals, 12, 14);
	sim_kube_kubelet_alive(lab->kube, "n1", false, lab->now);
	int64_t died = lab->now.wall.ms;
	pass(lab, 5 * MINUTE);
	assert_in_range(died - renewed_ms(lab, "n1"), 0, 10 * SEC - 1);
	sim_kube_kubelet_alive(lab->kube, "n1", true, lab->now);
	assert_int_equal(renewed_ms(lab, "n1"), lab->now.wall.ms);
	assert_int_equal(call(lab, "GET", NODE_LEASES "/nobody", NULL), 404);
	assert_int_equal(call(lab, "PUT", NODE_LEASES "/n1", "{}"), 405);
}

static void test_leases_while_the_api_is_down(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	pass(lab, MINUTE);
	sim_kube_set_down(lab->kube, lab->now, true);
	int64_t down = lab->now.wall.ms;
	pass(lab, 10 * MINUTE);
	sim_kube_set_down(lab->kube, lab->now, false);
	assert_true(renewed_ms(lab, "n1") <= down); /* the next renewal is to come */
	pass(lab, 10 * SEC);
	assert_in_range(lab->now.wall.ms - renewed_ms(lab, "n1"), 0, 10 * SEC - 1);
	assert_true(sim_kube_ready_since(lab->kube, "n1").ms != 0);
}

static void test_leases_in_pages(void **state)
{
	struct lab *lab = *state;
	char target[900] = NODE_LEASES "?limit=10";
	size_t seen = 0;
	int pages = 0;
	boot_many(lab, 35);
	for (bool is_more = true; is_more; pages++) {
		assert_int_equal(call(lab, "GET", target, NULL), 200);
		assert_string_equal(text(lab, "kind"), "LeaseList");
		for (size_t i = 0; i < json_count(lab->json, "items"); i++) {
			char path[40];
			char name[32];
			(void)snprintf(path, sizeof path, "items.%zu.metadata.name", i);
			(void)snprintf(name, sizeof name, "node-%04zu", seen++);
			assert_string_equal(text(lab, path), name);
		}
		is_more = text(lab, "metadata.continue")[0] != '\0';
		(void)snprintf(target, sizeof target, NODE_LEASES "?limit=10&continue=%s",
			       text(lab, "metadata.continue"));
	}
	assert_int_equal(seen, 35);
	assert_int_equal(pages, 4);
	assert_int_equal(call(lab, "GET", NODE_LEASES "?limit=x", NULL), 400);
	assert_int_equal(call(lab, "GET", NODE_LEASES "?continue=!!", NULL), 400);
	assert_int_equal(call(lab, "GET", NODE_LEASES "?limit=10", NULL), 200);
	(void)snprintf(target, sizeof target, NODE_LEASES "?limit=10&continue=%s", text(lab, "metadata.continue"));
	boot(lab, "zzz");
	sim_kube_compact(lab->kube);
	assert_int_equal(call(lab, "GET", target, NULL), 410);
	lab->accept = PROTOBUF;
	assert_int_equal(call(lab, "GET", NODE_LEASES, NULL), 200);
	assert_non_null(memmem(lab->out.body.p, lab->out.body.n, "LeaseList", 9));
	assert_non_null(memmem(lab->out.body.p, lab->out.body.n, "node-0034", 9));
	assert_int_equal(call(lab, "GET", NODE_LEASES "/node-0000", NULL), 200);
	assert_memory_equal(lab->out.body.p, "k8s", 4);
	lab->accept = NULL;
}

/* ---- others at a Node ---------------------------------------------------------------------------------------------
 */

static void test_annotations(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	assert_int_equal(patch(lab, NODES "/n1", "{\"metadata\":{\"annotations\":{\"a/b\":\"c\",\"d\":\"e\"}}}"), 200);
	assert_int_equal(patch(lab, NODES "/n1", "{\"metadata\":{\"annotations\":{\"a/b\":null}}}"), 200);
	assert_null(strstr(sim_kube_object(lab->kube, NODES "/n1"), "a/b"));
	assert_non_null(strstr(sim_kube_object(lab->kube, NODES "/n1"), "\"d\":\"e\""));
	assert_int_equal(lab->acts_count, 2);
	assert_int_equal(lab->acts[0].kind, ACT_ANNOTATE);
	assert_string_equal(sim_act_name(ACT_ANNOTATE), "annotate");
	assert_true(sim_kube_annotate(lab->kube, lab->now, "n1", "x", "y")); /* others are not told of */
	assert_false(sim_kube_annotate(lab->kube, lab->now, "n2", "x", "y"));
	assert_int_equal(lab->acts_count, 2);
}

static void test_taints(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	sim_kube_taint(lab->kube, lab->now, "n1", "a", "1", "NoSchedule");
	sim_kube_taint(lab->kube, lab->now, "n1", "b", "", "NoExecute");
	sim_kube_taint(lab->kube, lab->now, "n1", "a", NULL, NULL);
	sim_kube_taint(lab->kube, lab->now, "n1", "none", NULL, NULL);
	sim_kube_taint(lab->kube, lab->now, "nobody", "a", "1", "NoSchedule");
	assert_null(strstr(sim_kube_object(lab->kube, NODES "/n1"), "\"key\":\"a\""));
	assert_non_null(strstr(sim_kube_object(lab->kube, NODES "/n1"), "\"key\":\"b\""));
	sim_kube_forget(lab->kube, lab->now, "n1");
	sim_kube_forget(lab->kube, lab->now, "n1");
	assert_false(sim_kube_node_exists(lab->kube, "n1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list_by_name),
		TEST(test_watch),
		TEST(test_watch_goes_on),
		TEST(test_watch_in_protobuf),
		TEST(test_patch_with_version),
		TEST(test_leases_move),
		TEST(test_leases_while_the_api_is_down),
		TEST(test_leases_in_pages),
		TEST(test_annotations),
		TEST(test_taints),
	};
	return cmocka_run_group_tests_name("sim_kube_maps", tests, NULL, NULL);
}
