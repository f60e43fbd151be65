/* Bodies and paths, as texts; the lease read and written back. */
#include "kube_fixture.h"

#include "base/jsonx.h"
#include "core/facts.h"
#include "kube/objects.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static void patches_and_paths(void **state)
{
	(void)state;
	assert_string_equal(patch_cordon(&arena, "u-1", "case-1"),
			    "{\"metadata\":{\"uid\":\"u-1\",\"annotations\":{"
			    "\"autohealing.openstack.org/cordoned\":\"case-1\"}},\"spec\":{\"unschedulable\":true}}");
	assert_string_equal(patch_cordon(&arena, "", "case-1"),
			    "{\"metadata\":{\"annotations\":{\"autohealing.openstack.org/cordoned\":\"case-1\"}},"
			    "\"spec\":{\"unschedulable\":true}}");
	assert_string_equal(patch_uncordon(&arena, "u-1"),
			    "{\"metadata\":{\"uid\":\"u-1\",\"annotations\":{"
			    "\"autohealing.openstack.org/cordoned\":null}},\"spec\":{\"unschedulable\":null}}");
	assert_string_equal(patch_annotation(&arena, "u-1", "a.b/c", "2026-11-22 15:47:10"),
			    "{\"metadata\":{\"uid\":\"u-1\",\"annotations\":{\"a.b/c\":\"2026-11-22 15:47:10\"}}}");
	assert_string_equal(patch_annotation(&arena, "u-1", "a.b/c", NULL),
			    "{\"metadata\":{\"uid\":\"u-1\",\"annotations\":{\"a.b/c\":null}}}");
	assert_string_equal(patch_annotation(&arena, "", "a", "say \"x\""),
			    "{\"metadata\":{\"annotations\":{\"a\":\"say \\\"x\\\"\"}}}");
	assert_string_equal(delete_node_body(&arena, "u-1"),
			    "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"u-1\"}}");
	assert_string_equal(node_path(&arena, "a.b"), "/api/v1/nodes/a.b?fieldManager=magnum-auto-healer");
	assert_string_equal(node_path(&arena, "a/../b"), "/api/v1/nodes/a%2F..%2Fb?fieldManager=magnum-auto-healer");
	assert_string_equal(lease_path(&arena, "kube-system", "x"),
			    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x");
	assert_string_equal(leases_path(&arena, "kube-system"),
			    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases");
	assert_string_equal(configmap_path(&arena, "ns", "x"), "/api/v1/namespaces/ns/configmaps/x");
	assert_string_equal(configmaps_path(&arena, "ns"), "/api/v1/namespaces/ns/configmaps");
}

static void writes_config_maps(void **state)
{
	(void)state;
	assert_string_equal(configmap_body(&arena, "ns", "n", "state", "{\"v\":1}"),
			    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"n\","
			    "\"namespace\":\"ns\"},\"data\":{\"state\":\"{\\\"v\\\":1}\"}}");
	/* only the one key, and only over the version that was read */
	assert_string_equal(configmap_patch(&arena, "77", "state.json", "a\"b"),
			    "{\"metadata\":{\"resourceVersion\":\"77\"},\"data\":{\"state.json\":\"a\\\"b\"}}");
}

#define LEASE                                                                                                          \
	"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"l\",\"namespace\":"    \
	"\"ns\",\"uid\":\"u\",\"resourceVersion\":\"9\",\"labels\":{\"a\":\"b\"},\"managedFields\":[1]},\"spec\":{"    \
	"\"holderIdentity\":\"h_1\",\"leaseDurationSeconds\":20,\"acquireTime\":\"2026-11-22T15:47:10.652185Z\","      \
	"\"renewTime\":\"2026-11-22T15:47:12.000000Z\",\"leaseTransitions\":3,\"preferredHolder\":\"p\","              \
	"\"strategy\":\"s\"}}"

static void reads_a_lease_and_edits_it(void **state)
{
	(void)state;
	json_t *read = json_parse(STR(LEASE), NULL);
	struct lease_record record;
	struct err err = { 0 };
	assert_true(lease_read(read, &record, &err));
	assert_string_equal(record.holder, "h_1");
	assert_string_equal(record.resource_version, "9");
	assert_true(record.duration_ms == 20000);
	assert_int_equal(record.transitions, 3);
	assert_true(record.renewed.ms - record.acquired.ms == 1348);
	(void)TEXT_COPY(record.holder, "me");
	record.transitions = 4;
	record.duration_ms = 15000;
	record.acquired = record.renewed;
	json_t *written = json_parse(str_of(lease_body(&arena, "ns", "l", read, &record)), NULL);
	assert_string_equal(json_text(written, "spec.holderIdentity"), "me");
	assert_int_equal(json_int(written, "spec.leaseTransitions", 0), 4);
	assert_int_equal(json_int(written, "spec.leaseDurationSeconds", 0), 15);
	assert_string_equal(json_text(written, "spec.acquireTime"), "2026-11-22T15:47:12.000000Z");
	assert_string_equal(json_text(written, "spec.preferredHolder"), "p");
	assert_string_equal(json_text(written, "spec.strategy"), "s");
	assert_string_equal(json_text(written, "metadata.resourceVersion"), "9");
	assert_string_equal(json_text(written, "metadata.uid"), "u");
	assert_string_equal(json_text(written, "metadata.labels.a"), "b");
	assert_null(json_at(written, "metadata.managedFields"));
	assert_non_null(json_at(read, "metadata.managedFields")); /* what was read is left alone */
	assert_string_equal(json_text(read, "spec.holderIdentity"), "h_1");
	json_decref(written);
	json_decref(read);
}

static void creates_and_releases_a_lease(void **state)
{
	(void)state;
	struct lease_record record = { .duration_ms = 20000,
				       .acquired = { 1764000000123 },
				       .renewed = { 1764000000000 } };
	(void)TEXT_COPY(record.holder, "me");
	assert_string_equal(
		lease_body(&arena, "ns", "l", NULL, &record),
		"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"l\","
		"\"namespace\":\"ns\"},\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":20,"
		"\"acquireTime\":\"2025-11-24T16:00:00.123000Z\",\"renewTime\":"
		"\"2025-11-24T16:00:00.000000Z\",\"leaseTransitions\":0}}");
	record.holder[0] = '\0';
	record.duration_ms = 1000;
	json_t *read = json_parse(STR(LEASE), NULL);
	json_t *written = json_parse(str_of(lease_body(&arena, "ns", "l", read, &record)), NULL);
	assert_string_equal(json_text(written, "spec.holderIdentity"), "");
	assert_int_equal(json_int(written, "spec.leaseDurationSeconds", 0), 1);
	assert_string_equal(json_text(written, "metadata.resourceVersion"), "9"); /* a PUT needs one */
	json_decref(read);
	json_decref(written);
}

static void refuses_leases_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *json, *why;
	} cases[] = {
		{ "[]", "not a Lease" },
		{ "{\"kind\":\"Status\",\"metadata\":{}}", "not a Lease but a Status" },
		{ "{\"kind\":\"Lease\",\"spec\":{}}", "resourceVersion" },
		{ "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"leaseDurationSeconds\":-1}}", "duration" },
		{ "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"leaseDurationSeconds\":99999999}}",
		  "duration" },
		{ "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"renewTime\":\"now\"}}", "not a time" },
	};
	struct lease_record record;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = { 0 };
		json_t *json = json_parse(str_of(cases[i].json), NULL);
		if (lease_read(json, &record, &err) || strstr(err.text, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, err.text);
		json_decref(json);
	}
	struct err err = { 0 };
	assert_false(lease_read(NULL, &record, &err));
	/* a lease that nobody held yet */
	json_t *empty = json_parse(STR("{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{}}"), NULL);
	assert_true(lease_read(empty, &record, &err));
	assert_string_equal(record.holder, "");
	assert_true(record.renewed.ms == 0 && record.duration_ms == 0);
	json_decref(empty);
}

static const char *note_written(const char *note)
{
	struct event_text event = { "Node-1.x",        "u", true, "NodeUnhealthy", "Reboot", note, "pod",
				    { 1764000000123 }, 0xa1 };
	json_t *json = json_parse(str_of(event_body(&arena, &event)), NULL);
	assert_non_null(json);
	const char *text = arena_strdup(&arena, json_text(json, "note"));
	json_decref(json);
	return text;
}

static void writes_events(void **state)
{
	(void)state;
	struct event_text event = { "Node-1.x",        "u-1", true, "NodeUnhealthy", "Reboot", "it \"broke\"", "pod-0",
				    { 1764000000123 }, 0xa1 };
	assert_string_equal(event_body(&arena, &event),
			    "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":"
			    "\"node-1.x.00000000000000a1\",\"namespace\":\"default\"},\"eventTime\":"
			    "\"2025-11-24T16:00:00.123000Z\",\"type\":\"Warning\",\"reason\":\"NodeUnhealthy\","
			    "\"action\":\"Reboot\",\"note\":\"it \\\"broke\\\"\",\"regarding\":{\"apiVersion\":\"v1\","
			    "\"kind\":\"Node\",\"name\":\"Node-1.x\",\"uid\":\"u-1\"},\"reportingController\":"
			    "\"openstack.org/magnum-auto-healer\",\"reportingInstance\":\"pod-0\"}");
	char longest[NODE_NAME_BYTES];
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	longest[235] = '.'; /* where the name is cut: must not end with it */
	event.node = longest;
	event.is_warning = false;
	event.instance = "";
	json_t *json = json_parse(str_of(event_body(&arena, &event)), NULL);
	const char *name = json_text(json, "metadata.name");
	assert_int_equal(strlen(name), 235 + 17);
	assert_null(strstr(name, ".."));
	assert_string_equal(json_text(json, "type"), "Normal");
	assert_string_equal(json_text(json, "reportingInstance"), "magnum-auto-healer");
	json_decref(json);
}

static void cuts_notes_between_characters(void **state)
{
	(void)state;
	char note[4000];
	for (size_t lead = 0; lead < 4; lead++) {
		memset(note, 'x', lead);
		size_t n = lead;
		while (n < 2000) {
			memcpy(note + n, "\xe2\x82\xac", 3); /* the euro sign */
			n += 3;
		}
		note[n] = '\0';
		const char *text = note_written(note);
		assert_true(strlen(text) <= 1024 && strlen(text) > 1020);
		assert_int_equal((strlen(text) - lead) % 3, 0);
	}
	memset(note, 'y', 1024);
	note[1024] = '\0';
	assert_int_equal(strlen(note_written(note)), 1024);
	memset(note, '\xff', 1000); /* not UTF-8: each byte grows to three */
	note[1000] = '\0';
	assert_int_equal(strlen(note_written(note)), 1023);
}

static void says_why(void **state)
{
	(void)state;
	json_t *json = json_parse(STR("{\"kind\":\"Status\",\"message\":\"nodes is forbidden\"}"), NULL);
	assert_string_equal(status_message(&arena, 403, json, STR("")), "nodes is forbidden");
	json_decref(json);
	assert_string_equal(status_message(&arena, 429, NULL, STR("Too many requests.\n")), "Too many requests.");
	assert_string_equal(status_message(&arena, 502, NULL, STR("<html>")), "HTTP 502");
	assert_string_equal(status_message(&arena, 500, NULL, STR("")), "HTTP 500");
	assert_string_equal(status_message(&arena, 500, NULL, STR("k8s\0\x0a")), "HTTP 500");
	char longer[2000];
	memset(longer, 'z', sizeof longer);
	assert_int_equal(strlen(status_message(&arena, 500, NULL, (struct str){ longer, sizeof longer })), 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patches_and_paths),
		cmocka_unit_test(writes_config_maps),
		cmocka_unit_test(reads_a_lease_and_edits_it),
		cmocka_unit_test(creates_and_releases_a_lease),
		cmocka_unit_test(refuses_leases_that_are_none),
		cmocka_unit_test(writes_events),
		cmocka_unit_test(cuts_notes_between_characters),
		cmocka_unit_test(says_why),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
