/* The check Kubelet: a connection, or /healthz. */
#include "probe_fixture.h"

static char tcp[] = "tcp", https[] = "HTTPS", http[] = "http", livez[] = "/livez";
static char *paths[] = { livez, livez };

static struct conf_check kubelet(char *protocol)
{
	return (struct conf_check){ .type = "Kubelet", .protocol = protocol, .port = 10250, .timeout_ms = 3 * SEC };
}

static void requests(void **state)
{
	(void)state;
	static const struct {
		char *protocol;
		size_t paths_count;
		bool is_connect_only;
		const char *address, *url;
	} cases[] = {
		{ NULL, 0, true, "10.0.0.5", "http://10.0.0.5:10250/" },
		{ tcp, 1, true, "fd00::5", "http://[fd00::5]:10250/" },
		{ https, 0, false, "10.0.0.5", "https://10.0.0.5:10250/healthz" },
		{ http, 2, false, "fd00::5", "http://[fd00::5]:10250/livez" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_check conf = kubelet(cases[i].protocol);
		conf.endpoints = paths;
		conf.endpoints_count = cases[i].paths_count;
		struct world *w = world_new(NULL, 0, &conf, 1);
		struct http_request request;
		uint64_t ticket;
		add_nodes(w, ROLE_WORKER, 1);
		w->nodes[0].internal_ip = cases[i].address;
		show_nodes(w);
		pass(w, 10 * SEC);
		assert_true(next(w, &request, &ticket));
		CHECK(strcmp(request.url, cases[i].url) == 0, "%s", request.url);
		CHECK(request.is_connect_only == cases[i].is_connect_only, "case %zu", i);
		assert_true(request.is_fresh);
		assert_true(request.tls->is_insecure);
		assert_int_equal(request.timeout_ms, 3 * SEC);
		assert_int_equal(request.headers_count, 0);
		struct http_answer answer = with_status(200);
		probes_heard(w->probes, ticket, &answer, w->now);
		CHECK(finding_of(w, 0).health == HEALTH_OK, "case %zu", i); /* one path is all that is asked */
		world_free(w);
	}
}

static void answers(void **state)
{
	(void)state;
	static int only_200[] = { 200 };
	static const struct {
		char *protocol;
		int *codes;
		int status;
		enum err_code code;
		enum health health;
		enum symptom symptom;
		const char *why;
	} cases[] = {
		{ NULL, NULL, 200, ERR_NONE, HEALTH_OK, SYMPTOM_NONE, "" },
		{ NULL, NULL, 0, ERR_REFUSED, HEALTH_BAD, SYMPTOM_GUEST_ANSWERS, "port 10250: connection refused" },
		{ tcp, NULL, 0, ERR_TIMEOUT, HEALTH_BAD, SYMPTOM_GUEST_SILENT, "port 10250: no answer within 3s" },
		{ tcp, NULL, 0, ERR_INPUT, HEALTH_UNKNOWN, SYMPTOM_NONE, "10.0.0.1:6443: what libcurl says" },
		{ https, NULL, 200, ERR_NONE, HEALTH_OK, SYMPTOM_NONE, "" },
		{ https, NULL, 401, ERR_NONE, HEALTH_OK, SYMPTOM_NONE, "" },
		{ https, NULL, 403, ERR_NONE, HEALTH_OK, SYMPTOM_NONE, "" },
		{ https, NULL, 500, ERR_NONE, HEALTH_BAD, SYMPTOM_GUEST_ANSWERS, "/healthz: HTTP 500" },
		{ https, only_200, 401, ERR_NONE, HEALTH_BAD, SYMPTOM_GUEST_ANSWERS, "/healthz: HTTP 401" },
		{ http, NULL, 0, ERR_TIMEOUT, HEALTH_BAD, SYMPTOM_GUEST_SILENT, "port 10250: no answer within 3s" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_check conf = kubelet(cases[i].protocol);
		conf.ok_codes = cases[i].codes;
		conf.ok_codes_count = cases[i].codes != NULL;
		struct http_answer answer =
			cases[i].status != 0 ? with_status(cases[i].status) : with_error(cases[i].code);
		struct finding finding;
		check_kubelet.hear(&conf, 0, &answer, &finding);
		CHECK(finding.health == cases[i].health, "case %zu", i);
		CHECK(finding.symptom == cases[i].symptom, "case %zu", i);
		CHECK(strcmp(finding.why, cases[i].why) == 0, "case %zu: %s", i, finding.why);
	}
}

/* Both roles, and beside another probing check: each reads its own. */
static void beside_an_endpoint(void **state)
{
	(void)state;
	struct conf_check both[] = { { .type = "NodeCondition" }, endpoint_conf(), kubelet(NULL) };
	struct conf_check one = kubelet(NULL);
	struct world *w = world_new(both, 3, &one, 1);
	add_nodes(w, ROLE_MASTER, 1);
	add_nodes(w, ROLE_WORKER, 1);
	show_nodes(w);
	pass(w, 10 * SEC);
	struct http_request request;
	uint64_t ticket;
	size_t count = 0;
	while (next(w, &request, &ticket)) {
		struct http_answer answer = request.is_connect_only ? with_status(200) : with_error(ERR_REFUSED);
		probes_heard(w->probes, ticket, &answer, w->now);
		count++;
	}
	assert_int_equal(count, 3);
	assert_int_equal(probes_finding(w->probes, 0, &w->nodes[0], w->now, NULL), HEALTH_UNKNOWN);
	assert_int_equal(probes_finding(w->probes, 1, &w->nodes[0], w->now, NULL), HEALTH_BAD);
	assert_int_equal(probes_finding(w->probes, 2, &w->nodes[0], w->now, NULL), HEALTH_OK);
	assert_int_equal(probes_finding(w->probes, 0, &w->nodes[1], w->now, NULL), HEALTH_OK);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(answers),
		cmocka_unit_test(beside_an_endpoint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
