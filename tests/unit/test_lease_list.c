/* Pages of the kubelets' Leases: what is read, what is refused, and how pages become one list. */
#include "kube_fixture.h"

#include "kube/lease_list.h"

static void put_lease(struct buf *list, const char *name, int64_t seconds, int64_t nanos)
{
	struct buf meta = new_buf();
	struct buf spec = new_buf();
	struct buf time = new_buf();
	struct buf lease = new_buf();
	put_text(&meta, 1, name);
	put_text(&meta, 3, "kube-node-lease");
	put_text(&meta, 6, "77");
	put_text(&spec, 1, "whoever");
	put_int(&spec, 2, 40);
	if (seconds != 0) {
		put_int(&time, 1, (uint64_t)seconds);
		put_int(&time, 2, (uint64_t)nanos);
		put_message(&spec, 4, &time);
	}
	put_message(&lease, 1, &meta);
	put_message(&lease, 2, &spec);
	put_message(list, 2, &lease);
}

static struct buf start_list(const char *token)
{
	struct buf list = new_buf();
	struct buf meta = new_buf();
	put_text(&meta, 1, "");
	put_text(&meta, 2, "448");
	put_text(&meta, 3, token);
	put_message(&list, 1, &meta);
	return list;
}

/* Lets BODY go. */
static bool read_page(struct lease_times *times, struct buf *body, const char *headers, struct err *err)
{
	struct http_answer answer = { .status = 200, .headers = str_of(headers), .body = buf_str(body) };
	bool ok = lease_times_page(times, &answer, err);
	buf_done(body);
	return ok;
}

#define PROTOBUF "content-type: application/vnd.kubernetes.protobuf\n"
#define JSON "content-type: application/json; charset=utf-8\n"

static void reads_pages_and_sorts(void **state)
{
	(void)state;
	struct lease_times times = { 0 };
	struct arena arena;
	struct err err = { 0 };
	arena_init(&arena);
	assert_string_equal(lease_times_path(&arena, &times),
			    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases?limit=500");
	struct buf list = start_list("a+b/c=");
	put_lease(&list, "node-2", 1763826190, 652185999);
	put_lease(&list, "node-1", 1763826190, 0);
	put_lease(&list, "", 1763826190, 0); /* no node has such a name */
	struct buf page = enveloped("LeaseList", &list);
	assert_true(read_page(&times, &page, PROTOBUF, &err));
	assert_string_equal(times.continue_token, "a+b/c=");
	assert_string_equal(lease_times_path(&arena, &times),
			    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases?limit=500&continue="
			    "a%2Bb%2Fc%3D");
	list = start_list("");
	put_lease(&list, "node-0", 0, 0); /* a Lease that was never renewed */
	put_lease(&list, "node-2", 1763826200, 1000);
	page = enveloped("LeaseList", &list);
	assert_true(read_page(&times, &page, PROTOBUF, &err));
	assert_string_equal(times.continue_token, "");
	assert_int_equal(times.count, 4);
	lease_times_sort(&times);
	assert_int_equal(times.count, 3);
	assert_string_equal(times.list[0].node, "node-0");
	assert_true(times.list[0].renewed == 0);
	assert_string_equal(times.list[1].node, "node-1");
	assert_true(times.list[1].renewed == INT64_C(1763826190000000));
	assert_string_equal(times.list[2].node, "node-2"); /* twice there: the later one counts */
	assert_true(times.list[2].renewed == INT64_C(1763826200000001));
	lease_times_done(&times);
	assert_int_equal(times.count, 0);
	arena_done(&arena);
}

static void reads_microseconds(void **state)
{
	(void)state;
	static const struct {
		int64_t seconds, nanos, renewed;
	} cases[] = {
		{ 1763826190, 652185000, INT64_C(1763826190652185) },
		{ 1763826190, 652185001, INT64_C(1763826190652185) },
		{ 1763826190, 999999999, INT64_C(1763826190999999) },
		{ 1763826190, 1000000000, 0 },
		{ 1763826190, -1, 0 },
		{ -1, 0, 0 },
		{ INT64_C(253402300800), 0, 0 },
		{ INT64_MAX, 0, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lease_times times = { 0 };
		struct err err = { 0 };
		struct buf list = start_list("");
		put_lease(&list, "n", cases[i].seconds, cases[i].nanos);
		struct buf page = enveloped("LeaseList", &list);
		if (!read_page(&times, &page, PROTOBUF, &err) || times.count != 1 ||
		    times.list[0].renewed != cases[i].renewed)
			fail_msg("case %zu: %s", i, err.text);
		lease_times_done(&times);
	}
}

#define ITEMS(items) "{\"kind\":\"LeaseList\",\"metadata\":{\"continue\":\"c1\"},\"items\":[" items "]}"
#define ITEM(name, renewed) "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"renewTime\":\"" renewed "\"}}"

static void reads_json_too(void **state)
{
	(void)state;
	static const struct {
		const char *renewed;
		int64_t micro;
	} cases[] = {
		{ "2025-11-22T15:43:10.652185Z", INT64_C(1763826190652185) },
		{ "2025-11-22T15:43:10.652185123Z", INT64_C(1763826190652185) },
		{ "2025-11-22T15:43:10.65Z", INT64_C(1763826190650000) },
		{ "2025-11-22T15:43:10Z", INT64_C(1763826190000000) },
		{ "soon", 0 },
		{ "", 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lease_times times = { 0 };
		struct err err = { 0 };
		struct buf body = new_buf();
		(void)buf_printf(&body, ITEMS(ITEM("n", "%s") ",{},{\"metadata\":{\"name\":7}}"), cases[i].renewed);
		if (!read_page(&times, &body, JSON, &err) || times.count != 1 ||
		    times.list[0].renewed != cases[i].micro || strcmp(times.continue_token, "c1") != 0)
			fail_msg("%s: %s", cases[i].renewed, err.text);
		lease_times_done(&times);
	}
}

static struct buf page_of_kind(const char *kind)
{
	struct buf list = start_list("");
	put_lease(&list, "n", 1, 0);
	return enveloped(kind, &list);
}

static struct buf page_cut(void)
{
	struct buf page = page_of_kind("LeaseList");
	page.n -= 9; /* into the list: its length reaches over the end */
	return page;
}

static struct buf page_broken_item(size_t field)
{
	struct buf list = start_list("");
	struct buf lease = new_buf();
	put_bytes(&lease, (uint32_t)field, "\xff\xff", 2);
	put_message(&list, 2, &lease);
	return enveloped("LeaseList", &list);
}

static struct buf page_token(size_t bytes)
{
	struct buf token = new_buf();
	for (size_t i = 0; i < bytes; i++)
		(void)buf_char(&token, 'x');
	struct buf list = start_list(buf_cstr(&token));
	buf_done(&token);
	return enveloped("LeaseList", &list);
}

static struct buf text_page(const char *text)
{
	struct buf page = new_buf();
	(void)buf_text(&page, text);
	return page;
}

static void refuses(void **state)
{
	(void)state;
	struct {
		const char *name;
		struct buf page;
		const char *headers;
		const char *why;
	} cases[] = {
		{ "another kind", page_of_kind("NodeList"), PROTOBUF, "not a LeaseList but \"NodeList\"" },
		{ "cut off", page_cut(), PROTOBUF, "broken protobuf" },
		{ "a broken name", page_broken_item(1), PROTOBUF, "broken protobuf" },
		{ "a broken spec", page_broken_item(2), PROTOBUF, "broken protobuf in the spec" },
		{ "an endless token", page_token(SPLIT_CONTINUE_BYTES), PROTOBUF, "continue token" },
		{ "nothing", text_page(""), PROTOBUF, "not a Kubernetes protobuf object" },
		{ "HTML", text_page("<html>"), "content-type: text/html\n", "not a Kubernetes protobuf object" },
		{ "broken JSON", text_page("{\"kind\":"), JSON, "" },
		{ "a JSON list", text_page("[]"), JSON, "not a LeaseList" },
		{ "no items", text_page("{\"kind\":\"LeaseList\"}"), JSON, "not a LeaseList" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lease_times times = { 0 };
		struct err err = { 0 };
		if (read_page(&times, &cases[i].page, cases[i].headers, &err) || err.code != ERR_REMOTE ||
		    strstr(err.text, cases[i].why) == NULL) {
			if (strcmp(cases[i].name, "broken JSON") != 0 || err.text[0] == '\0')
				fail_msg("%s: \"%s\"", cases[i].name, err.text);
		}
		lease_times_done(&times);
	}
}

static void is_bounded(void **state)
{
	(void)state;
	struct lease_times times = { 0 };
	struct err err = { 0 };
	for (int page = 0; page < 3; page++) {
		struct buf list = start_list("more");
		for (int i = 0; i < LEASES_MAX / 2; i++) {
			char name[32];
			(void)snprintf(name, sizeof name, "n-%d-%d", page, i);
			put_lease(&list, name, 1, 0);
		}
		struct buf body = enveloped("LeaseList", &list);
		assert_int_equal(read_page(&times, &body, PROTOBUF, &err), page < 2);
	}
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(times.count, LEASES_MAX);
	lease_times_done(&times);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_pages_and_sorts),
		cmocka_unit_test(reads_microseconds),
		cmocka_unit_test(reads_json_too),
		cmocka_unit_test(refuses),
		cmocka_unit_test(is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
