/* The simulated API server's Nodes against what facts/kubernetes-api.md measured on a real one: every answer code that
 * the program has to tell apart, streams byte for byte, and the node lifecycle. */
#include "sim_kube_lab.h"

#include <inttypes.h>

static uint64_t rv_now(struct lab *lab)
{
	assert_int_equal(call(lab, "GET", NODES "?limit=1", NULL), 200);
	return strtoull(text(lab, "metadata.resourceVersion"), NULL, 10);
}

/* The status of a node's condition, from JSON. */
static const json_t *condition(const struct lab *lab, const char *type)
{
	size_t i = 0;
	json_t *row = NULL;
	json_array_foreach(json_at(lab->json, "status.conditions"), i, row) {
		if (text_eq(json_text(row, "type"), type))
			return row;
	}
	fail_msg("no condition %s", type);
	return NULL;
}

static bool has_taint(const struct lab *lab, const char *key, const char *effect)
{
	size_t i = 0;
	json_t *row = NULL;
	json_array_foreach(json_at(lab->json, "spec.taints"), i, row) {
		if (text_eq(json_text(row, "key"), key) && text_eq(json_text(row, "effect"), effect))
			return true;
	}
	return false;
}

/* ---- a little protobuf reading ------------------------------------------------------------------------------------
 */

struct field {
	unsigned number;
	uint64_t value;
	struct str bytes;
};

static uint64_t varint(struct str *at)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		assert_true(at->n > 0);
		unsigned char c = (unsigned char)*at->p++;
		at->n--;
		value |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return value;
	}
	fail_msg("a varint without end");
	return 0;
}

static bool next_field(struct str *at, struct field *out)
{
	if (at->n == 0)
		return false;
	uint64_t tag = varint(at);
	*out = (struct field){ .number = (unsigned)(tag >> 3) };
	if ((tag & 7) == 0) {
		out->value = varint(at);
		return true;
	}
	assert_int_equal(tag & 7, 2);
	uint64_t n = varint(at);
	assert_true(n <= at->n);
	out->bytes = (struct str){ at->p, n };
	at->p += n;
	at->n -= n;
	return true;
}

/* The nth (from 0) field of that number; absent: fails the test. */
static struct field dig(struct str message, unsigned number, int nth)
{
	struct field field;
	while (next_field(&message, &field)) {
		if (field.number == number && nth-- == 0)
			return field;
	}
	fail_msg("no field %u", number);
	return field;
}

static struct str dig_text(struct str message, unsigned a, unsigned b)
{
	return dig(dig(message, a, 0).bytes, b, 0).bytes;
}

static int count_fields(struct str message, unsigned number)
{
	struct field field;
	int count = 0;
	while (next_field(&message, &field))
		count += field.number == number;
	return count;
}

static struct str envelope(struct str bytes, const char *kind)
{
	assert_true(bytes.n > 4);
	assert_memory_equal(bytes.p, "k8s", 4);
	struct str unknown = { bytes.p + 4, bytes.n - 4 };
	assert_true(str_eq(dig_text(unknown, 1, 2), kind));
	(void)dig(unknown, 3, 0);
	(void)dig(unknown, 4, 0);
	return dig(unknown, 2, 0).bytes;
}

/* Takes a frame off a stream. */
static struct str frame(struct str *stream, const char *type, const char *kind)
{
	assert_true(stream->n > 4);
	const unsigned char *p = (const unsigned char *)stream->p;
	size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	assert_true(n <= stream->n - 4);
	struct str event = { stream->p + 4, n };
	stream->p += 4 + n;
	stream->n -= 4 + n;
	assert_true(str_eq(dig(event, 1, 0).bytes, type));
	return envelope(dig_text(event, 2, 1), kind);
}

/* ---- tests: nodes read --------------------------------------------------------------------------------------------
 */

static void test_node_json(void **state)
{
	struct lab *lab = *state;
	struct sim_kubelet k = kubelet("k8s-master-0");
	k.is_master = true;
	k.node_group = NULL;
	sim_kube_kubelet(lab->kube, lab->now, &k);
	assert_int_equal(call(lab, "GET", NODES "/k8s-master-0", NULL), 200);
	assert_string_equal(text(lab, "kind"), "Node");
	assert_string_equal(text(lab, "spec.providerID"), "openstack:///" SERVER_A);
	assert_string_equal(text(lab, "status.nodeInfo.machineID"), "0a1b2c3d00004000800000000000000a");
	assert_string_equal(text(lab, "status.nodeInfo.systemUUID"), SERVER_A);
	assert_string_equal(text(lab, "status.addresses.0.address"), "10.0.0.5");
	const json_t *labels = json_at(lab->json, "metadata.labels");
	assert_non_null(json_object_get(labels, "node-role.kubernetes.io/control-plane"));
	assert_string_equal(json_string_value(json_object_get(labels, "magnum.openstack.org/role")), "master");
	assert_string_equal(json_string_value(json_object_get(labels, "magnum.openstack.org/nodegroup")),
			    "default-master");
	assert_int_equal(json_count(lab->json, "status.conditions"), 5);
	assert_string_equal(json_text(condition(lab, "Ready"), "status"), "True");
	assert_null(json_at(lab->json, "spec.unschedulable"));
	assert_int_equal(call(lab, "GET", NODES "/nobody", NULL), 404);
	assert_string_equal(text(lab, "kind"), "Status");
	assert_string_equal(text(lab, "reason"), "NotFound");
	assert_string_equal(text(lab, "message"), "nodes \"nobody\" not found");
}

static void test_node_protobuf(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	lab->accept = PROTOBUF ",application/json";
	assert_int_equal(call(lab, "GET", NODES "/n1", NULL), 200);
	struct str node = envelope(buf_str(&lab->out.body), "Node");
	assert_true(str_eq(dig_text(node, 1, 1), "n1"));
	assert_int_equal(dig_text(node, 1, 2).n, 0); /* empty strings are written */
	assert_int_equal(dig(dig_text(node, 1, 8), 1, 0).value, T0 / 1000);
	assert_true(str_eq(dig_text(node, 2, 3), "openstack:///" SERVER_A));
	struct str status = dig(node, 3, 0).bytes;
	assert_int_equal(count_fields(status, 4), 5);
	struct str ready = dig(status, 4, 4).bytes;
	assert_true(str_eq(dig(ready, 1, 0).bytes, "Ready"));
	assert_true(str_eq(dig(ready, 2, 0).bytes, "True"));
	assert_true(str_eq(dig_text(status, 7, 3), "b0000000-0000-4000-8000-000000000001"));
	assert_true(count_fields(status, 8) > 1);
	assert_int_equal(count_fields(dig(node, 1, 0).bytes, 17), 1);

	assert_int_equal(call(lab, "GET", NODES "/n2", NULL), 404);
	struct str error = envelope(buf_str(&lab->out.body), "Status");
	assert_int_equal(dig(error, 6, 0).value, 404);
	assert_true(str_eq(dig(error, 4, 0).bytes, "NotFound"));

	lab->accept = PROTOBUF ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
	assert_int_equal(call(lab, "GET", NODES, NULL), 406);
}

static void test_pages(void **state)
{
	struct lab *lab = *state;
	char target[256];
	char rv[32];
	boot_many(lab, 10);
	assert_int_equal(call(lab, "GET", NODES "?limit=4", NULL), 200);
	assert_int_equal(json_count(lab->json, "items"), 4);
	assert_int_equal(json_int(lab->json, "metadata.remainingItemCount", -1), 6);
	assert_null(json_at(lab->json, "items.0.kind"));
	assert_true(TEXT_COPY(rv, text(lab, "metadata.resourceVersion")));
	(void)snprintf(target, sizeof target, NODES "?limit=4&continue=%s", text(lab, "metadata.continue"));
	boot(lab, "node-0000a"); /* comes too late for this list */
	assert_int_equal(call(lab, "GET", target, NULL), 200);
	assert_string_equal(text(lab, "items.0.metadata.name"), "node-0004");
	assert_string_equal(text(lab, "metadata.resourceVersion"), rv);
	(void)snprintf(target, sizeof target, NODES "?limit=4&continue=%s", text(lab, "metadata.continue"));
	assert_int_equal(call(lab, "GET", target, NULL), 200);
	assert_int_equal(json_count(lab->json, "items"), 2);
	assert_string_equal(text(lab, "metadata.resourceVersion"), rv);
	assert_null(json_at(lab->json, "metadata.continue"));

	sim_kube_compact(lab->kube);
	assert_int_equal(call(lab, "GET", target, NULL), 410);
	assert_string_equal(text(lab, "reason"), "Expired");
	assert_int_equal(call(lab, "GET", NODES "?limit=4&continue=%25%25", NULL), 400);
	assert_int_equal(call(lab, "GET", NODES "?limit=4&resourceVersion=0", NULL), 200);
	assert_int_equal(json_count(lab->json, "items"), 11);
	assert_int_equal(call(lab, "GET", NODES "?resourceVersion=99999&resourceVersionMatch=NotOlderThan", NULL), 504);
	assert_string_equal(text(lab, "details.causes.0.reason"), "ResourceVersionTooLarge");
	assert_non_null(strstr(buf_cstr(&lab->out.headers), "retry-after: 1\n"));
	assert_int_equal(call(lab, "GET", NODES "?resourceVersion=101&resourceVersionMatch=Exact", NULL), 410);
}

static void test_list_protobuf(void **state)
{
	struct lab *lab = *state;
	boot_many(lab, 300);
	lab->accept = PROTOBUF;
	assert_int_equal(call(lab, "GET", NODES "?limit=250", NULL), 200);
	struct str list = envelope(buf_str(&lab->out.body), "NodeList");
	assert_int_equal(count_fields(list, 2), 250);
	assert_int_equal(dig(dig(list, 1, 0).bytes, 4, 0).value, 50);
	assert_true(dig_text(list, 1, 3).n > 0);
	assert_true(str_eq(dig_text(dig(list, 2, 249).bytes, 1, 1), "node-0249"));
}

/* ---- tests: watches -----------------------------------------------------------------------------------------------
 */

#define WATCH NODES "?watch=1&allowWatchBookmarks=true&timeoutSeconds=300"
#define WATCH_LIST WATCH "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"

static void test_watch_list(void **state)
{
	struct lab *lab = *state;
	boot_many(lab, 20);
	lab->accept = PROTOBUF;
	assert_int_equal(call(lab, "GET", WATCH_LIST, NULL), 200);
	assert_int_equal(lab->out.stream, 1);
	assert_int_equal(lab->out.body.n, 0);
	assert_non_null(strstr(buf_cstr(&lab->out.headers), PROTOBUF ";stream=watch"));
	assert_int_equal(sim_kube_next(lab->kube).ms, lab->now.mono.ms);
	pass(lab, 0);
	assert_true(lab->chunks > 1); /* cut anywhere */
	struct str stream = buf_str(&lab->streams[1]);
	for (int i = 0; i < 20; i++)
		(void)frame(&stream, "ADDED", "Node");
	struct str mark = frame(&stream, "BOOKMARK", "Node");
	assert_true(str_eq(dig(dig_text(mark, 1, 12), 1, 0).bytes, "k8s.io/initial-events-end"));
	assert_int_equal(stream.n, 0);

	buf_clear(&lab->streams[1]);
	boot(lab, "zzz");
	assert_int_equal(call(lab, "DELETE", NODES "/zzz", NULL), 200);
	stream = buf_str(&lab->streams[1]);
	uint64_t added = strtoull(dig_text(frame(&stream, "ADDED", "Node"), 1, 6).p, NULL, 10);
	uint64_t deleted = strtoull(dig_text(frame(&stream, "DELETED", "Node"), 1, 6).p, NULL, 10);
	assert_true(deleted > added);
}

static void test_bookmarks_and_end(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	char target[200];
	(void)snprintf(target, sizeof target, WATCH "&resourceVersion=%" PRIu64, rv_now(lab));
	assert_int_equal(call(lab, "GET", target, NULL), 200);
	pass(lab, 59 * SEC);
	assert_int_equal(lab->streams[1].n, 0);
	assert_int_equal(sim_kube_next(lab->kube).ms, 61000);
	pass(lab, 1 * SEC);
	assert_non_null(strstr(buf_cstr(&lab->streams[1]), "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Node\""));
	for (int i = 0; i < 4; i++)
		pass(lab, 60 * SEC);
	assert_int_equal(lab->ended[1], 1);
	assert_int_equal(sim_kube_next(lab->kube).ms, NEVER);
}

static void test_watch_positions(void **state)
{
	struct lab *lab = *state;
	char target[200];
	boot(lab, "n1");
	uint64_t rv = rv_now(lab);
	boot(lab, "n2");
	(void)snprintf(target, sizeof target, WATCH "&resourceVersion=%" PRIu64, rv);
	call(lab, "GET", target, NULL);                         /* 1: replay of n2 */
	call(lab, "GET", WATCH, NULL);                          /* 2: from the start: both */
	call(lab, "GET", WATCH "&resourceVersion=99999", NULL); /* 3: the future: silence */
	boot(lab, "n3");                                        /* still pending: must not be lost, nor told twice */
	pass(lab, 0);
	assert_null(strstr(buf_cstr(&lab->streams[1]), "\"name\":\"n1\""));
	assert_non_null(strstr(buf_cstr(&lab->streams[1]), "\"name\":\"n2\""));
	const char *third = strstr(buf_cstr(&lab->streams[1]), "\"name\":\"n3\",\"uid\"");
	assert_non_null(third);
	assert_null(strstr(third + 1, "\"name\":\"n3\",\"uid\""));
	assert_non_null(strstr(buf_cstr(&lab->streams[2]), "\"name\":\"n1\""));
	assert_non_null(strstr(buf_cstr(&lab->streams[2]), "\"name\":\"n3\""));
	assert_int_equal(lab->streams[3].n, 0);

	sim_kube_compact(lab->kube);
	call(lab, "GET", target, NULL); /* 4: too old: 200, an ERROR, the end */
	assert_int_equal(lab->out.status, 200);
	pass(lab, 0);
	json_t *event = json_parse(buf_str(&lab->streams[4]), NULL);
	assert_string_equal(json_text(event, "type"), "ERROR");
	assert_int_equal(json_int(event, "object.code", 0), 410);
	assert_string_equal(json_text(event, "object.reason"), "Expired");
	json_decref(event);
	assert_int_equal(lab->ended[4], 1);
	assert_int_equal(lab->ended[1], 0); /* running streams go on */

	sim_kube_stream_closed(lab->kube, 2);
	sim_kube_drop_watches(lab->kube, false);
	assert_int_equal(lab->ended[1], 2);
	assert_int_equal(lab->ended[2], 0);
}

static void test_history_is_bounded(void **state)
{
	struct lab *lab = *state;
	char target[200];
	boot(lab, "n1");
	(void)snprintf(target, sizeof target, WATCH "&resourceVersion=%" PRIu64, rv_now(lab));
	for (int i = 0; i < 2000; i++)
		boot(lab, "n1");
	call(lab, "GET", target, NULL);
	pass(lab, 0);
	assert_non_null(strstr(buf_cstr(&lab->streams[1]), "too old resource version"));
}

static void test_watch_refusals(void **state)
{
	static const struct {
		const char *query;
		bool has_watch_list;
		int status;
		const char *field;
	} cases[] = {
		{ "&sendInitialEvents=true", true, 422, "resourceVersionMatch" },
		{ "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", false, 422, "sendInitialEvents" },
		{ "&sendInitialEvents=true&resourceVersionMatch=Exact", true, 422, "resourceVersionMatch" },
		{ "&resourceVersionMatch=NotOlderThan", true, 422, "resourceVersionMatch" },
		{ "&resourceVersion=abc", true, 400, "" },
		{ "&fieldSelector=spec.nodeName%3Dx", true, 400, "" },
		{ "&x=%zz", true, 400, "" },
	};
	struct lab *lab = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char target[200];
		sim_kube_set_watch_list(lab->kube, cases[i].has_watch_list);
		(void)snprintf(target, sizeof target, NODES "?watch=1%s", cases[i].query);
		if (call(lab, "GET", target, NULL) != cases[i].status || lab->out.stream != 0 ||
		    strcmp(text(lab, "details.causes.0.field"), cases[i].field) != 0)
			fail_msg("%s: %d, field %s", cases[i].query, lab->out.status,
				 text(lab, "details.causes.0.field"));
	}
}

/* ---- tests: nodes written -----------------------------------------------------------------------------------------
 */

static void test_cordon(void **state)
{
	struct lab *lab = *state;
	char mark[40];
	boot(lab, "n1");
	const char *cordon = "{\"metadata\":{\"annotations\":{\"" SIM_KUBE_MARK "\":\"case-7\"}},"
			     "\"spec\":{\"unschedulable\":true}}";
	assert_false(sim_kube_is_cordoned(lab->kube, "n1", mark, sizeof mark));
	assert_int_equal(patch(lab, NODES "/n1?fieldManager=x", cordon), 200);
	assert_true(json_bool(lab->json, "spec.unschedulable", false));
	assert_true(has_taint(lab, "node.kubernetes.io/unschedulable", "NoSchedule"));
	assert_true(sim_kube_is_cordoned(lab->kube, "n1", mark, sizeof mark));
	assert_string_equal(mark, "case-7");
	assert_int_equal(lab->acts_count, 1);
	assert_int_equal(lab->acts[0].kind, ACT_CORDON);
	assert_int_equal(lab->acts[0].status, 200);
	assert_string_equal(lab->act_nodes[0], "n1");

	uint64_t rv = rv_now(lab);
	assert_int_equal(patch(lab, NODES "/n1", cordon), 200); /* nothing new: no new version */
	assert_int_equal(rv_now(lab), rv);
	assert_int_equal(patch(lab, NODES "/n1?dryRun=All", "{\"spec\":{\"unschedulable\":null}}"), 200);
	assert_true(sim_kube_is_cordoned(lab->kube, "n1", mark, sizeof mark));
	assert_int_equal(lab->acts_count, 2);
	assert_int_equal(patch(lab, NODES "/n1",
			       "{\"metadata\":{\"annotations\":{\"" SIM_KUBE_MARK
			       "\":null}},\"spec\":{\"unschedulable\":null}}"),
			 200);
	assert_false(sim_kube_is_cordoned(lab->kube, "n1", mark, sizeof mark));
	assert_false(has_taint(lab, "node.kubernetes.io/unschedulable", "NoSchedule"));
	assert_int_equal(lab->acts[2].kind, ACT_UNCORDON);
	assert_null(json_object_get(json_at(lab->json, "metadata.annotations"), SIM_KUBE_MARK));

	sim_kube_cordon(lab->kube, lab->now, "n1", true); /* a person's: no mark, no act */
	assert_true(sim_kube_is_cordoned(lab->kube, "n1", mark, sizeof mark));
	assert_string_equal(mark, "");
	assert_int_equal(lab->acts_count, 3);
}

static void test_patch_refusals(void **state)
{
	static const struct {
		const char *type, *target, *body;
		int status;
		const char *reason;
	} cases[] = {
		{ MERGE, "/n1", "{\"metadata\":{\"uid\":\"other\"},\"spec\":{\"unschedulable\":true}}", 422,
		  "Invalid" },
		{ MERGE, "/n1", "{\"metadata\":{\"resourceVersion\":\"5\"},\"spec\":{\"unschedulable\":true}}", 409,
		  "Conflict" },
		{ MERGE, "/nobody", "{\"spec\":{\"unschedulable\":true}}", 404, "NotFound" },
		{ MERGE, "/n1", "{\"spec\":{\"unschedulable\":\"yes\"}}", 422, "Invalid" },
		{ MERGE, "/n1", "{\"metadata\":{\"annotations\":{\"a\":1}}}", 422, "Invalid" },
		{ MERGE, "/n1", "{\"spec\":{\"providerID\":\"openstack:///x\"}}", 422, "Invalid" },
		{ MERGE, "/n1", "{\"spec\":{\"taints\":[{\"key\":\"a\"}]}}", 422, "Invalid" },
		{ MERGE, "/n1?fieldValidation=Strict", "{\"spec\":{\"unschedulabel\":true}}", 422, "Invalid" },
		{ MERGE, "/n1", "{\"spec\":", 400, "BadRequest" },
		{ MERGE, "/n1", "[]", 400, "BadRequest" },
		{ "application/json", "/n1", "{}", 415, "UnsupportedMediaType" },
		{ "application/json-patch+json", "/n1", "[]", 415, "UnsupportedMediaType" },
		{ "", "/n1", "{}", 415, "UnsupportedMediaType" },
	};
	struct lab *lab = *state;
	boot(lab, "n1");
	uint64_t rv = rv_now(lab);
	for (size_t i = 0; i < COUNT(cases); i++) {
		char target[200];
		lab->type = cases[i].type;
		(void)snprintf(target, sizeof target, NODES "%s", cases[i].target);
		if (call(lab, "PATCH", target, cases[i].body) != cases[i].status ||
		    strcmp(text(lab, "reason"), cases[i].reason) != 0)
			fail_msg("case %zu %s: %d %s", i, cases[i].body, lab->out.status, text(lab, "reason"));
		assert_int_equal(json_int(lab->json, "code", 0), cases[i].status);
	}
	lab->type = NULL;
	assert_int_equal(rv_now(lab), rv);
	assert_false(sim_kube_is_cordoned(lab->kube, "n1", NULL, 0));
	assert_int_equal(lab->acts_count, 5);
	assert_int_equal(lab->acts[0].status, 422); /* refused acts are told, with what they were answered */
	assert_int_equal(lab->acts[2].status, 404);
	assert_int_equal(patch(lab, NODES "/n1", "{\"spec\":{\"unschedulabel\":true}}"), 200);
	assert_non_null(strstr(buf_cstr(&lab->out.headers), "warning: 299 - \"unknown field"));
}

static void test_taints_are_one_list(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	sim_kube_cordon(lab->kube, lab->now, "n1", true);
	assert_int_equal(patch(lab, NODES "/n1",
			       "{\"spec\":{\"taints\":[{\"key\":\"node.kubernetes.io/"
			       "out-of-service\",\"value\":\"nodeshutdown\","
			       "\"effect\":\"NoExecute\"}]}}"),
			 200);
	assert_true(has_taint(lab, "node.kubernetes.io/out-of-service", "NoExecute"));
	assert_true(has_taint(lab, "node.kubernetes.io/unschedulable", "NoSchedule"));
	assert_int_equal(patch(lab, NODES "/n1", "{\"spec\":{\"taints\":null}}"), 200);
	assert_int_equal(json_count(lab->json, "spec.taints"), 1);
}

static void test_delete(void **state)
{
	struct lab *lab = *state;
	char uid[64];
	char body[200];
	boot(lab, "n1");
	call(lab, "GET", NODES "/n1", NULL);
	assert_true(TEXT_COPY(uid, text(lab, "metadata.uid")));
	const char *format = "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"%s\"}%s}";
	(void)snprintf(body, sizeof body, format, "other", "");
	assert_int_equal(call(lab, "DELETE", NODES "/n1", body), 409);
	assert_string_equal(text(lab, "reason"), "Conflict");
	(void)snprintf(body, sizeof body, format, uid, ",\"dryRun\":[\"All\"]");
	assert_int_equal(call(lab, "DELETE", NODES "/n1", body), 200);
	assert_true(sim_kube_node_exists(lab->kube, "n1"));
	(void)snprintf(body, sizeof body, format, uid, "");
	assert_int_equal(call(lab, "DELETE", NODES "/n1?dryRun=All", body), 200); /* the trap of the real one */
	assert_string_equal(text(lab, "status"), "Success");
	assert_false(sim_kube_node_exists(lab->kube, "n1"));
	assert_int_equal(call(lab, "DELETE", NODES "/n1", body), 404);
	assert_int_equal(lab->acts_count, 3);
	assert_int_equal(lab->acts[1].status, 200);
	assert_int_equal(lab->acts[1].kind, ACT_DELETE_NODE);

	struct sim_kubelet k = kubelet("n1");
	k.is_boot = false;
	sim_kube_kubelet(lab->kube, lab->now, &k);
	assert_false(sim_kube_node_exists(lab->kube, "n1")); /* a running kubelet does not re-create its Node */
	boot(lab, "n1");
	assert_int_equal(call(lab, "GET", NODES "/n1", NULL), 200);
	assert_string_not_equal(text(lab, "metadata.uid"), uid);
}

/* ---- tests: lifecycle ---------------------------------------------------------------------------------------------
 */

static void test_silence_makes_unknown(void **state)
{
	struct lab *lab = *state;
	char heartbeat[40];
	boot(lab, "n1");
	pass(lab, 100 * SEC);
	boot(lab, "n1");
	assert_int_equal(sim_kube_ready_since(lab->kube, "n1").ms, 1000);
	call(lab, "GET", NODES "/n1", NULL);
	assert_true(TEXT_COPY(heartbeat, json_text(condition(lab, "Ready"), "lastHeartbeatTime")));
	pass(lab, 10 * SEC);
	sim_kube_kubelet_alive(lab->kube, "n1", false, lab->now);
	assert_int_equal(sim_kube_next(lab->kube).ms, lab->now.mono.ms + 40 * SEC);
	pass(lab, 39 * SEC);
	assert_int_not_equal(sim_kube_ready_since(lab->kube, "n1").ms, 0);
	pass(lab, 3 * SEC); /* a late look: the moment is the due one */
	call(lab, "GET", NODES "/n1", NULL);
	const json_t *ready = condition(lab, "Ready");
	assert_string_equal(json_text(ready, "status"), "Unknown");
	assert_string_equal(json_text(ready, "reason"), "NodeStatusUnknown");
	assert_string_equal(json_text(ready, "lastHeartbeatTime"), heartbeat);
	struct wall since;
	assert_true(wall_parse(str_of(json_text(ready, "lastTransitionTime")), &since));
	assert_int_equal(since.ms, T0 + 150 * SEC);
	assert_string_equal(json_text(condition(lab, "DiskPressure"), "status"), "Unknown");
	assert_string_equal(json_text(condition(lab, "NetworkUnavailable"), "status"), "False");
	assert_true(has_taint(lab, "node.kubernetes.io/unreachable", "NoSchedule"));
	assert_int_equal(sim_kube_ready_since(lab->kube, "n1").ms, 0);

	struct sim_kubelet k = kubelet("n1"); /* comes back on another machine */
	k.server_id = SERVER_B;
	k.boot_id = "b0000000-0000-4000-8000-000000000002";
	sim_kube_kubelet(lab->kube, lab->now, &k);
	call(lab, "GET", NODES "/n1", NULL);
	assert_string_equal(json_text(condition(lab, "Ready"), "status"), "True");
	assert_string_equal(text(lab, "spec.providerID"), "openstack:///" SERVER_A);
	assert_string_equal(text(lab, "status.nodeInfo.systemUUID"), SERVER_B);
	assert_string_equal(text(lab, "status.nodeInfo.machineID"), "0a1b2c3d00004000800000000000000b");
	assert_string_equal(text(lab, "status.nodeInfo.bootID"), k.boot_id);
	assert_int_equal(json_count(lab->json, "spec.taints"), 0);
	assert_int_equal(sim_kube_ready_since(lab->kube, "n1").ms, lab->now.mono.ms);
	assert_int_equal(sim_kube_next(lab->kube).ms, NEVER);
}

static void test_short_silence_is_nothing(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	sim_kube_kubelet_alive(lab->kube, "n1", false, lab->now);
	pass(lab, 30 * SEC);
	uint64_t rv = rv_now(lab);
	sim_kube_kubelet_alive(lab->kube, "n1", true, lab->now);
	pass(lab, 600 * SEC);
	assert_int_equal(rv_now(lab), rv);
	assert_int_equal(sim_kube_ready_since(lab->kube, "n1").ms, 1000);
	sim_kube_kubelet_alive(lab->kube, "nobody", false, lab->now);
}

static void test_not_ready(void **state)
{
	struct lab *lab = *state;
	boot(lab, "n1");
	pass(lab, 60 * SEC);
	struct sim_kubelet k = kubelet("n1");
	k.is_boot = false;
	k.is_ready = false;
	k.message = "container runtime is down";
	sim_kube_kubelet(lab->kube, lab->now, &k);
	call(lab, "GET", NODES "/n1", NULL);
	assert_string_equal(json_text(condition(lab, "Ready"), "status"), "False");
	assert_string_equal(json_text(condition(lab, "Ready"), "message"), "container runtime is down");
	assert_string_equal(json_text(condition(lab, "MemoryPressure"), "status"), "False");
	assert_true(has_taint(lab, "node.kubernetes.io/not-ready", "NoSchedule"));
	sim_kube_kubelet_alive(lab->kube, "n1", false, lab->now);
	pass(lab, 41 * SEC);
	sim_kube_kubelet_alive(lab->kube, "n1", true, lab->now); /* its last status holds */
	call(lab, "GET", NODES "/n1", NULL);
	assert_string_equal(json_text(condition(lab, "Ready"), "status"), "False");
	k.is_ready = true;
	sim_kube_kubelet(lab->kube, lab->now, &k);
	call(lab, "GET", NODES "/n1", NULL);
	assert_int_equal(json_count(lab->json, "spec.taints"), 0);
}

static void test_execute_taints_come_slowly(void **state)
{
	struct lab *lab = *state;
	boot_many(lab, 10);
	for (int i = 0; i < 10; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "node-%04d", i);
		sim_kube_kubelet_alive(lab->kube, name, false, lab->now);
	}
	pass(lab, 40 * SEC);
	for (int round = 1; round <= 10; round++) {
		int slow = 0;
		int fast = 0;
		for (int i = 0; i < 10; i++) {
			char target[64];
			(void)snprintf(target, sizeof target, NODES "/node-%04d", i);
			call(lab, "GET", target, NULL);
			fast += has_taint(lab, "node.kubernetes.io/unreachable", "NoSchedule");
			slow += has_taint(lab, "node.kubernetes.io/unreachable", "NoExecute");
		}
		assert_int_equal(fast, 10);
		assert_int_equal(slow, round);
		if (round < 10)
			pass(lab, sim_kube_next(lab->kube).ms - lab->now.mono.ms);
	}
	assert_int_equal(sim_kube_next(lab->kube).ms, NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_node_json),
		TEST(test_node_protobuf),
		TEST(test_pages),
		TEST(test_list_protobuf),
		TEST(test_watch_list),
		TEST(test_bookmarks_and_end),
		TEST(test_watch_positions),
		TEST(test_history_is_bounded),
		TEST(test_watch_refusals),
		TEST(test_cordon),
		TEST(test_patch_refusals),
		TEST(test_taints_are_one_list),
		TEST(test_delete),
		TEST(test_silence_makes_unknown),
		TEST(test_short_silence_is_nothing),
		TEST(test_not_ready),
		TEST(test_execute_taints_come_slowly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
