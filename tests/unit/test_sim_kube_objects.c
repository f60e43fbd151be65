/* The simulated API server's Leases, ConfigMaps and Events, and its door, against what facts/kubernetes-api.md measured
 * on a real one. */
#include "sim_kube_lab.h"

/* ---- tests: objects -----------------------------------------------------------------------------------------------
 */

#define LEASE_BODY(meta, spec)                                                                                         \
	"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"mah\"" meta            \
	"},\"spec\":{"                                                                                                 \
	"\"holderIdentity\":\"h_1\"" spec "}}"
#define GOOD_TIME "\"2026-11-22T15:47:10.652185Z\""

static void test_lease(void **state)
{
	struct lab *lab = *state;
	char body[600];
	char first[24];
	assert_int_equal(call(lab, "GET", LEASES "/mah", NULL), 404);
	assert_string_equal(text(lab, "message"), "leases.coordination.k8s.io \"mah\" not found");
	assert_int_equal(
		call(lab, "POST", LEASES, LEASE_BODY("", ",\"leaseDurationSeconds\":20,\"renewTime\":" GOOD_TIME)),
		201);
	assert_int_equal(call(lab, "POST", LEASES, LEASE_BODY("", "")), 409);
	assert_string_equal(text(lab, "reason"), "AlreadyExists");
	assert_int_equal(call(lab, "GET", LEASES "/mah", NULL), 200);
	assert_true(TEXT_COPY(first, text(lab, "metadata.resourceVersion")));
	assert_string_equal(text(lab, "metadata.namespace"), "kube-system");
	const char *format =
		LEASE_BODY(",\"resourceVersion\":\"%s\"", ",\"leaseDurationSeconds\":20,\"strategy\":\"x\"");
	(void)snprintf(body, sizeof body, format, first);
	assert_int_equal(call(lab, "PUT", LEASES "/mah", body), 200);
	assert_string_equal(text(lab, "spec.strategy"), "x"); /* unknown fields survive */
	assert_string_not_equal(text(lab, "metadata.resourceVersion"), first);
	assert_int_equal(call(lab, "PUT", LEASES "/mah", body), 409);
	assert_string_equal(text(lab, "reason"), "Conflict");
	assert_int_equal(call(lab, "PUT", LEASES "/mah", LEASE_BODY("", "")), 422);
	assert_non_null(strstr(text(lab, "message"), "must be specified for an update"));
	assert_int_equal(call(lab, "PUT", LEASES "/other", LEASE_BODY("", "")), 404);
	assert_non_null(strstr(sim_kube_object(lab->kube, LEASES "/mah"), "\"strategy\":\"x\""));
	assert_string_equal(sim_kube_object(lab->kube, LEASES "/none"), "");
}

static void test_lease_refusals(void **state)
{
	static const struct {
		const char *body;
		int status;
	} cases[] = {
		{ LEASE_BODY("", ",\"renewTime\":\"2026-11-22T15:47:10Z\""), 400 },
		{ LEASE_BODY("", ",\"renewTime\":\"2026-11-22T15:47:10.652Z\""), 400 },
		{ LEASE_BODY("", ",\"acquireTime\":\"2026-11-22T15:47:10.6521850Z\""), 400 },
		{ LEASE_BODY("", ",\"leaseDurationSeconds\":\"20\""), 400 },
		{ LEASE_BODY("", ",\"leaseDurationSeconds\":0"), 422 },
		{ LEASE_BODY("", ",\"leaseTransitions\":-1"), 422 },
		{ LEASE_BODY(",\"namespace\":\"default\"", ""), 400 },
		{ "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"mah\"}}", 400 },
		{ "{\"metadata\":{\"name\":\"Mah\"}}", 422 },
		{ "{\"metadata\":{}}", 422 },
		{ "{}", 422 },
		{ "no", 400 },
	};
	struct lab *lab = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (call(lab, "POST", LEASES, cases[i].body) != cases[i].status)
			fail_msg("%s: %d", cases[i].body, lab->out.status);
	}
	assert_int_equal(call(lab, "GET", LEASES "/mah", NULL), 404);
}

static void test_node_lease(void **state)
{
	struct lab *lab = *state;
	struct wall renewed;
	boot(lab, "n1");
	pass(lab, 100 * SEC);
	sim_kube_kubelet_alive(lab->kube, "n1", false, lab->now);
	pass(lab, 100 * SEC);
	assert_int_equal(call(lab, "GET", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1", NULL),
			 200);
	assert_true(wall_parse(str_of(text(lab, "spec.renewTime")), &renewed));
	assert_in_range(renewed.ms, T0 + 90 * SEC, T0 + 100 * SEC);
	assert_int_equal(call(lab, "GET", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", NULL), 200);
	assert_int_equal(json_count(lab->json, "items"), 1);
}

static void test_configmap(void **state)
{
	struct lab *lab = *state;
	char body[300];
	const char *format = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"state\"%s},"
			     "\"data\":{\"v\":\"%s\"}}";
	(void)snprintf(body, sizeof body, format, "", "1");
	assert_int_equal(call(lab, "POST", MAPS, body), 201);
	assert_int_equal(call(lab, "PUT", MAPS "/state", body), 422);
	(void)snprintf(body, sizeof body, format, ",\"resourceVersion\":\"1\"", "2");
	assert_int_equal(call(lab, "PUT", MAPS "/state", body), 409);
	assert_int_equal(patch(lab, MAPS "/state", "{\"data\":{\"w\":\"3\",\"v\":null}}"), 200);
	assert_string_equal(text(lab, "data.w"), "3");
	assert_null(json_at(lab->json, "data.v"));
	assert_int_equal(patch(lab, MAPS "/state", "{\"metadata\":{\"resourceVersion\":\"1\"},\"data\":{\"w\":\"4\"}}"),
			 409);
	assert_int_equal(patch(lab, MAPS "/state", "{\"data\":{\"w\":4}}"), 400);
	assert_int_equal(patch(lab, MAPS "/state", "{\"metadata\":null}"), 422);
	assert_int_equal(call(lab, "DELETE", MAPS "/state", NULL), 405);
	assert_int_equal(call(lab, "GET", MAPS "/state", NULL), 200);
	assert_string_equal(text(lab, "data.w"), "3");
	json_t *large = json_pack("{s:{s:s},s:{}}", "metadata", "name", "large", "data");
	char *value = xmalloc((1U << 20) + 1);
	memset(value, 'x', 1U << 20);
	value[1U << 20] = '\0';
	json_object_set_new(json_object_get(large, "data"), "v", json_string(value));
	char *dumped = json_dumps(large, JSON_COMPACT);
	assert_int_equal(call(lab, "POST", MAPS, dumped), 422);
	free(dumped);
	free(value);
	json_decref(large);
}

#define EVENT_BODY(name, rest)                                                                                         \
	"{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"" name                       \
	"\",\"namespace\":\"default\"},\"regarding\":{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"n1\"}," rest  \
	"}"
#define EVENT_GOOD                                                                                                     \
	"\"eventTime\":" GOOD_TIME ",\"type\":\"Warning\",\"reason\":\"NodeUnhealthy\",\"action\":\"Reboot\","         \
	"\"reportingController\":\"openstack.org/magnum-auto-healer\",\"reportingInstance\":\"pod-1\""

static void test_events(void **state)
{
	static const struct {
		const char *body;
		int status;
	} cases[] = {
		{ EVENT_BODY("n1.1", EVENT_GOOD ",\"note\":\"it does not answer\""), 201 },
		{ EVENT_BODY("n1.1", EVENT_GOOD), 409 },
		{ EVENT_BODY("n1.", EVENT_GOOD), 422 },
		{ EVENT_BODY("n1.2", "\"type\":\"Warning\",\"reason\":\"R\",\"reportingController\":\"a/b\","
				     "\"reportingInstance\":\"p\",\"eventTime\":" GOOD_TIME),
		  422 },
		{ EVENT_BODY("n1.2", EVENT_GOOD ",\"series\":{\"count\":1}"), 422 },
		{ EVENT_BODY("n1.2", "\"eventTime\":\"2026-11-22T15:47:10Z\""), 400 },
		{ EVENT_BODY("n1.2", "\"type\":\"Warning\""), 422 },
	};
	struct lab *lab = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (call(lab, "POST", EVENTS, cases[i].body) != cases[i].status)
			fail_msg("%s: %d", cases[i].body, lab->out.status);
	}
	assert_int_equal(patch(lab, EVENTS "/n1.1", "{\"series\":{\"count\":2,\"lastObservedTime\":" GOOD_TIME "}}"),
			 200);
	assert_int_equal(json_int(lab->json, "series.count", 0), 2);
	char body[1800];
	char note[1100];
	memset(note, 'x', sizeof note);
	note[1025] = '\0';
	(void)snprintf(body, sizeof body, EVENT_BODY("n1.9", EVENT_GOOD ",\"note\":\"%s\""), note);
	assert_int_equal(call(lab, "POST", EVENTS, body), 422);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(body, sizeof body, EVENT_BODY("many.%d", EVENT_GOOD), i);
		assert_int_equal(call(lab, "POST", EVENTS, body), 201);
	}
	assert_int_equal(call(lab, "GET", EVENTS, NULL), 200);
	assert_int_equal(json_count(lab->json, "items"), 200);
	assert_int_equal(patch(lab, EVENTS "/n1.1", "{\"series\":null}"), 404);
}

/* ---- tests: the door ----------------------------------------------------------------------------------------------
 */

static void test_credentials(void **state)
{
	struct lab *lab = *state;
	sim_kube_set_token(lab->kube, "sesame");
	lab->token = "Bearer wrong";
	assert_int_equal(call(lab, "GET", NODES, NULL), 401);
	assert_string_equal(text(lab, "reason"), "Unauthorized");
	lab->token = "Bearer sesame";
	assert_int_equal(call(lab, "GET", NODES, NULL), 200);
	lab->token = NULL;
	assert_int_equal(call(lab, "GET", NODES, NULL), 403);
	const char *const open[] = { "/healthz", "/livez", "/readyz", "/version" };
	for (size_t i = 0; i < COUNT(open); i++)
		assert_int_equal(call(lab, "GET", open[i], NULL), 200);
	sim_kube_set_token(lab->kube, NULL);
	assert_int_equal(call(lab, "GET", NODES, NULL), 200);
	assert_int_equal(call(lab, "GET", "/api/v1/pods?limit=500", NULL), 200);
	assert_int_equal(call(lab, "GET", "/api/v1/secrets", NULL), 404);
	assert_int_equal(call(lab, "POST", NODES, "{}"), 405);
	assert_int_equal(call(lab, "GET", "", NULL), 404);
	assert_int_equal(call(lab, "GET", "/a/b/c/d/e/f/g/h/i/j/k/l", NULL), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lease),     TEST(test_lease_refusals), TEST(test_node_lease),
		TEST(test_configmap), TEST(test_events),         TEST(test_credentials),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
