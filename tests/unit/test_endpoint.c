/* The check Endpoint: what is asked of a node, and how its answers are read. */
#include "probe_fixture.h"

#include "check/reading.h"

static char path_a[] = "/livez", path_b[] = "readyz?verbose", ca[] = "/etc/ca.pem", name[] = "kubernetes",
	    own[] = "own", empty[] = "";
static char *paths[] = { path_a, path_b };

static struct http_request request_of(struct world *w, const char *address)
{
	struct http_request request;
	uint64_t ticket;
	add_nodes(w, ROLE_MASTER, 1);
	w->nodes[0].internal_ip = address;
	show_nodes(w);
	pass(w, 10 * SEC);
	assert_true(probes_next(w->probes, w->now.mono, NULL, NULL, &w->arena, &request, &ticket));
	return request;
}

static void the_url(void **state)
{
	(void)state;
	static char upper[] = "HTTPS", mixed[] = "Http", lower[] = "http";
	static const struct {
		char *protocol;
		const char *address;
		int port;
		char *path;
		const char *url;
	} cases[] = {
		{ NULL, "10.0.0.5", 6443, NULL, "https://10.0.0.5:6443/healthz" },
		{ upper, "10.0.0.5", 6443, path_a, "https://10.0.0.5:6443/livez" },
		{ mixed, "10.0.0.5", 8080, path_a, "http://10.0.0.5:8080/livez" },
		{ lower, "10.0.0.5", 1, path_b, "http://10.0.0.5:1/readyz?verbose" },
		{ ep_https, "10.0.0.5", 65535, path_b, "https://10.0.0.5:65535/readyz?verbose" },
		{ ep_https, "fd00::5", 6443, NULL, "https://[fd00::5]:6443/healthz" },
		{ ep_https, "FD00:0:0::0005", 6443, NULL, "https://[fd00::5]:6443/healthz" },
		{ ep_http, "2001:db8::1", 80, path_a, "http://[2001:db8::1]:80/livez" },
		{ ep_http, "::ffff:10.0.0.5", 80, path_a, "http://[::ffff:10.0.0.5]:80/livez" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_check conf = endpoint_conf();
		char *list[] = { cases[i].path };
		conf.protocol = cases[i].protocol;
		conf.port = cases[i].port;
		conf.endpoints = list;
		conf.endpoints_count = cases[i].path != NULL;
		struct world *w = world_new(&conf, 1, NULL, 0);
		struct http_request request = request_of(w, cases[i].address);
		CHECK(strcmp(request.url, cases[i].url) == 0, "%s instead of %s", request.url, cases[i].url);
		assert_string_equal(request.method, "GET");
		assert_int_equal(request.timeout_ms, 5 * SEC);
		assert_int_equal(request.answer_bytes_max, 65536);
		assert_true(request.is_fresh);
		assert_false(request.is_connect_only || request.is_once || request.silence_ms != 0);
		assert_null(request.connect_to);
		assert_int_equal(request.headers_count, 0);
		world_free(w);
	}
}

static void what_is_verified(void **state)
{
	(void)state;
	struct conf_check conf = endpoint_conf();
	struct world *w = world_new(&conf, 1, NULL, 0);
	struct http_request request = request_of(w, "10.0.0.5");
	assert_true(request.tls->is_insecure);
	assert_null(request.tls->ca_file);
	assert_null(request.tls->server_name);
	world_free(w);
	conf.server_name = name; /* of no use without a CA */
	w = world_new(&conf, 1, NULL, 0);
	request = request_of(w, "10.0.0.5");
	assert_true(request.tls->is_insecure);
	assert_null(request.tls->server_name);
	world_free(w);
	conf.ca_file = ca;
	w = world_new(&conf, 1, NULL, 0);
	request = request_of(w, "10.0.0.5");
	assert_false(request.tls->is_insecure);
	assert_string_equal(request.tls->ca_file, ca);
	assert_string_equal(request.tls->server_name, name);
	world_free(w);
	conf.server_name = NULL; /* for the address itself */
	w = world_new(&conf, 1, NULL, 0);
	request = request_of(w, "fd00::5");
	assert_false(request.tls->is_insecure);
	assert_null(request.tls->server_name);
	world_free(w);
}

static void tokens(void **state)
{
	(void)state;
	static const struct {
		bool is_required;
		char *own;
		const char *service, *header; /* NULL: none; "-": it cannot be asked */
	} cases[] = {
		{ false, NULL, "service", NULL },
		{ false, own, "service", NULL },
		{ true, own, "service", "Bearer own" },
		{ true, own, NULL, "Bearer own" },
		{ true, NULL, "service", "Bearer service" },
		{ true, empty, "service", "Bearer service" },
		{ true, NULL, NULL, "-" },
		{ true, empty, "", "-" },
	};
	struct arena arena;
	arena_init(&arena);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_check conf = endpoint_conf();
		conf.is_token_required = cases[i].is_required;
		conf.token = cases[i].own;
		struct probe_ask ask = { .address = "10.0.0.5", .token = cases[i].service };
		struct http_request request;
		struct finding finding = { 0 };
		bool is_asked = check_endpoint.ask(&conf, &ask, &arena, &request, &finding);
		bool is_refused = cases[i].header != NULL && strcmp(cases[i].header, "-") == 0;
		CHECK(is_asked != is_refused, "case %zu", i);
		CHECK(is_asked || finding.why[0] != '\0', "case %zu", i);
		if (!is_asked)
			continue;
		CHECK((request.headers_count == 1) == (cases[i].header != NULL), "case %zu", i);
		if (cases[i].header != NULL) {
			assert_string_equal(request.headers[0].name, "Authorization");
			assert_string_equal(request.headers[0].value, cases[i].header);
		}
	}
	arena_done(&arena);
}

static void statuses(void **state)
{
	(void)state;
	static int two_hundreds[] = { 200, 204 }, with_401[] = { 200, 401 };
	static const struct {
		int *codes;
		size_t codes_count;
		bool is_token_required;
		int status;
		enum health health;
		const char *why;
	} cases[] = {
		{ NULL, 0, false, 200, HEALTH_OK, "" },
		{ NULL, 0, false, 204, HEALTH_BAD, "/livez: HTTP 204" },
		{ two_hundreds, 2, false, 204, HEALTH_OK, "" },
		{ two_hundreds, 2, false, 200, HEALTH_OK, "" },
		{ two_hundreds, 2, false, 500, HEALTH_BAD, "/livez: HTTP 500" },
		{ two_hundreds, 2, false, 302, HEALTH_BAD, "/livez: HTTP 302" },
		{ two_hundreds, 2, false, 401, HEALTH_BAD, "/livez: HTTP 401" },
		{ two_hundreds, 2, true, 401, HEALTH_UNKNOWN, "/livez: the token is refused (HTTP 401)" },
		{ two_hundreds, 2, true, 403, HEALTH_UNKNOWN, "/livez: the token is refused (HTTP 403)" },
		{ two_hundreds, 2, true, 503, HEALTH_BAD, "/livez: HTTP 503" },
		{ with_401, 2, true, 401, HEALTH_OK, "" },
		{ with_401, 2, true, 403, HEALTH_UNKNOWN, "/livez: the token is refused (HTTP 403)" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_check conf = endpoint_conf();
		conf.endpoints = paths;
		conf.endpoints_count = 2;
		conf.ok_codes = cases[i].codes;
		conf.ok_codes_count = cases[i].codes_count;
		conf.is_token_required = cases[i].is_token_required;
		struct http_answer answer = with_status(cases[i].status);
		struct finding finding;
		check_endpoint.hear(&conf, 0, &answer, &finding);
		CHECK(finding.health == cases[i].health, "case %zu", i);
		CHECK(strcmp(finding.why, cases[i].why) == 0, "case %zu: %s", i, finding.why);
		bool answers = finding.symptom == SYMPTOM_GUEST_ANSWERS;
		CHECK(answers == (finding.health == HEALTH_BAD), "case %zu", i);
	}
}

static void failures(void **state)
{
	(void)state;
	static const struct {
		enum err_code code;
		const char *text;
		bool has_ca;
		enum health health;
		enum symptom symptom;
		const char *why;
	} cases[] = {
		{ ERR_REFUSED, "refused", false, HEALTH_BAD, SYMPTOM_GUEST_ANSWERS, "port 6443: connection refused" },
		{ ERR_TIMEOUT, "late", false, HEALTH_BAD, SYMPTOM_GUEST_SILENT, "port 6443: no answer within 5s" },
		{ ERR_NETWORK, "No route", false, HEALTH_BAD, SYMPTOM_GUEST_SILENT, "No route" },
		{ ERR_NETWORK, "Failed to connect to ::1 port 6443 after 31 ms: No route to host", false, HEALTH_BAD,
		  SYMPTOM_GUEST_SILENT, "Failed to connect to ::1 port 6443: No route to host" },
		{ ERR_NETWORK, "gone after a while, after 3 ms", false, HEALTH_BAD, SYMPTOM_GUEST_SILENT,
		  "gone after a while, after 3 ms" },
		{ ERR_REMOTE, "nonsense", false, HEALTH_BAD, SYMPTOM_GUEST_ANSWERS, "nonsense" },
		{ ERR_LIMIT, "too long", false, HEALTH_UNKNOWN, SYMPTOM_NONE, "too long" },
		{ ERR_INPUT, "not an address", false, HEALTH_UNKNOWN, SYMPTOM_NONE, "not an address" },
		{ ERR_GONE, "gone", false, HEALTH_UNKNOWN, SYMPTOM_NONE, "gone" },
		{ ERR_CONFLICT, "conflict", false, HEALTH_UNKNOWN, SYMPTOM_NONE, "conflict" },
		{ ERR_BUSY, "busy", false, HEALTH_UNKNOWN, SYMPTOM_NONE, "busy" },
		{ ERR_NONE, "", false, HEALTH_UNKNOWN, SYMPTOM_NONE, "" },
		/* a wrong ca-file says nothing of the node */
		{ ERR_AUTH, "10.0.0.5:6443: its certificate is not trusted", true, HEALTH_UNKNOWN, SYMPTOM_NONE,
		  "the certificate cannot be verified: 10.0.0.5:6443: its certificate is not trusted" },
		{ ERR_NETWORK, "No route", true, HEALTH_BAD, SYMPTOM_GUEST_SILENT, "No route" },
		{ ERR_REFUSED, "refused", true, HEALTH_BAD, SYMPTOM_GUEST_ANSWERS, "port 6443: connection refused" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_check conf = endpoint_conf();
		conf.ca_file = cases[i].has_ca ? ca : NULL;
		struct http_answer answer = { .status = 0 };
		answer.why.code = cases[i].code;
		assert_true(TEXT_COPY(answer.why.text, cases[i].text));
		struct finding finding;
		check_endpoint.hear(&conf, 0, &answer, &finding);
		CHECK(finding.health == cases[i].health, "case %zu", i);
		CHECK(finding.symptom == cases[i].symptom, "case %zu", i);
		CHECK(strcmp(finding.why, cases[i].why) == 0, "case %zu: %s", i, finding.why);
	}
}

/* As kube-apiserver 1.32 answers. */
#define READYZ                                                                                                         \
	"[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\n[-]etcd-readiness failed: reason withheld\n"          \
	"[+]poststarthook/start-apiextensions-informers ok\n[+]shutdown ok\nreadyz check failed\n"

static void failing_items(void **state)
{
	(void)state;
	static const struct {
		const char *body, *items;
	} cases[] = {
		{ READYZ, "etcd failed, etcd-readiness failed" },
		{ "", "" },
		{ "ok", "" },
		{ "[-]", "" },
		{ "[-]\n[-]:\n[-]a", "a" },
		{ "[-]etcd failed", "etcd failed" },
		{ "[-]etcd failed: reason withheld\r\n", "etcd failed" },
		{ "[-]crlf\r\n[-]lf\n", "crlf, lf" },
		{ " [-]indented failed\n", "" },
		{ "[+]a ok\n[-]b failed: x\n[+]c ok\n", "b failed" },
		{ "[-]a\n[-]b\n[-]c\n[-]d\n", "a, b, c, d" },
		{ "[-]a\n[-]b\n[-]c\n[-]d\n[-]e\n[-]f\n", "a, b, c, d, ..." },
		{ "[-]\x1b[31mred\x07\xff failed\n", "?[31mred?? failed" },
		{ "[-]0123456789012345678901234567890123456789012345678901234567890123456789\n",
		  "0123456789012345678901234567890123456789" },
		{ "[-]012345678901234567890123456789aaaaaaaaaa\n[-]012345678901234567890123456789bbbbbbbbbb\n[-]"
		  "cccccccccc\n",
		  "012345678901234567890123456789aaaaaaaaaa, 012345678901234567890123456789bbbbbbbbbb" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[90];
		reading_failing_items(str_of(cases[i].body), out, sizeof out);
		CHECK(strcmp(out, cases[i].items) == 0, "case %zu: %s", i, out);
	}
	char none[1];
	reading_failing_items(str_of(READYZ), none, sizeof none);
	assert_string_equal(none, "");
	char zero[32];
	reading_failing_items((struct str){ "[-]a\0b: x", 9 }, zero, sizeof zero);
	assert_string_equal(zero, "a?b");
	struct conf_check conf = endpoint_conf();
	conf.endpoints = paths;
	conf.endpoints_count = 2;
	struct http_answer answer = with_status(500);
	answer.body = str_of(READYZ);
	struct finding finding;
	check_endpoint.hear(&conf, 1, &answer, &finding);
	assert_string_equal(finding.why, "readyz?verbose: HTTP 500: etcd failed, etcd-readiness failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_url),  cmocka_unit_test(what_is_verified), cmocka_unit_test(tokens),
		cmocka_unit_test(statuses), cmocka_unit_test(failures),         cmocka_unit_test(failing_items),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
