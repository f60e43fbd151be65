/* Logging in, keeping the token, choosing endpoints and versions: all by hand-made answers. */
#include "cloud/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/catalog.h"
#include "cloud/keystone.h"

#define T(text) ((char *)(text)) /* configuration owns its texts; these are nobody's */

static struct arena arena;
static struct rng rng = { 42 };

#define EP(interface, region, url) "{\"interface\":\"" interface "\",\"region_id\":\"" region "\",\"url\":\"" url "\"}"
/* clang-format off */
#define TOKEN_UNTIL(expires) \
	"{\"token\":{\"issued_at\":\"2026-11-22T16:00:00.000000Z\",\"expires_at\":\"" expires "\",\"catalog\":[" \
	"{\"type\":\"compute\",\"endpoints\":[" \
		EP("internal", "RegionOne", "http://int/compute/v2.1") "," \
		EP("public", "RegionTwo", "http://two/compute/v2.1") "," \
		EP("public", "RegionOne", "http://one/compute/v2.1/") "]}," \
	"{\"type\":\"container-infra\",\"endpoints\":[" EP("public", "RegionOne", "http://one/magnum/v1") "]}," \
	"{\"type\":\"volumev3\",\"endpoints\":[" EP("public", "RegionOne", "http://one/v3") "]}," \
	"{\"type\":\"identity\",\"endpoints\":[" EP("public", "RegionOne", "http://one/identity") "]}]}}"
/* clang-format on */
#define HOUR_TOKEN TOKEN_UNTIL("2026-11-22T17:00:00.000000Z")

static struct conf_openstack conf_by_id(void)
{
	return (struct conf_openstack){ .auth_url = T("http://k:5000/v3/"),
					.user_id = T("u1"),
					.password = T("s3cret"),
					.project_id = T("p1"),
					.region = T("RegionOne") };
}

static struct now at(int64_t ms)
{
	return (struct now){ { 1000000 + ms }, { INT64_C(1795363200000) + ms } };
}

static struct http_answer answer_of(int status, const char *headers, const char *body)
{
	return (struct http_answer){ .status = status, .headers = str_of(headers), .body = str_of(body) };
}

static const struct ask get_servers = {
	.kind = ASK_CLOUD, .service = SERVICE_COMPUTE, .method = "GET", .path = "/servers"
};
static const struct ask get_cluster = {
	.kind = ASK_CLOUD, .service = SERVICE_CLUSTER, .method = "GET", .path = "/clusters/k"
};
static const struct ask get_stack = {
	.kind = ASK_CLOUD, .service = SERVICE_STACK, .method = "GET", .path = "/stacks/s"
};

static enum session_state request(struct session *s, int64_t ms, const struct ask *ask, struct http_request *out,
				  struct err *err)
{
	return session_request(s, at(ms), &rng, ask, &arena, out, err);
}

static void log_in(struct session *s, int64_t ms, const char *body)
{
	struct http_request req;
	struct http_answer answer = answer_of(201, "x-subject-token: tok-1\n", body);
	assert_int_equal(request(s, ms, &get_servers, &req, NULL), SESSION_LOGIN);
	session_login_heard(s, at(ms), &rng, &answer);
	assert_string_equal(session_trouble(s), "");
}

static const char *header(const struct http_request *req, const char *name)
{
	for (size_t i = 0; i < req->headers_count; i++) {
		if (strcmp(req->headers[i].name, name) == 0)
			return req->headers[i].value;
	}
	return NULL;
}

/* ---- credentials ----------------------------------------------------------------------------------------------- */

static void test_login_url(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "http://k:5000/v3/", "http://k:5000/v3/auth/tokens" },
		{ "http://k:5000/v3", "http://k:5000/v3/auth/tokens" },
		{ "https://k/identity", "https://k/identity/v3/auth/tokens" },
		{ "https://k/identity//", "https://k/identity/v3/auth/tokens" },
		{ "https://k", "https://k/v3/auth/tokens" },
		{ "https://k/v2.0/", NULL },
		{ "ftp://k", NULL },
		{ "k:5000/v3", NULL },
		{ "https://user:pw@k/v3", NULL },
		{ "https://k/v3?x", NULL },
		{ "https://k/ v3", NULL },
		{ "http://", NULL },
		{ "", NULL },
		{ NULL, NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = { 0 };
		char *url = keystone_login_url(cases[i][0], &err);
		if (!text_eq(url, cases[i][1]))
			fail_msg("%s gives %s", cases[i][0] != NULL ? cases[i][0] : "NULL", url != NULL ? url : "NULL");
		assert_true((url != NULL) == (err.text[0] == '\0'));
		assert_null(strstr(err.text, "pw"));
		free(url);
	}
}

#define PASSWORD "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":"
#define APPCRED "{\"auth\":{\"identity\":{\"methods\":[\"application_credential\"],\"application_credential\":"
static const struct {
	const char *what;
	struct conf_openstack os;
	const char *body;  /* NULL: refused ... */
	const char *error; /* ... with this in the sentence */
} credentials[] = {
	{ "password, ids",
	  { .user_id = T("u"), .password = T("p\"w"), .project_id = T("pr") },
	  PASSWORD "{\"id\":\"u\",\"password\":\"p\\\"w\"}}},\"scope\":{\"project\":{\"id\":\"pr\"}}}}",
	  NULL },
	{ "password, names",
	  { .username = T("demo"), .password = T("p"), .project_name = T("demo"), .domain_name = T("Default") },
	  PASSWORD "{\"name\":\"demo\",\"domain\":{\"name\":\"Default\"},\"password\":\"p\"}}},"
		   "\"scope\":{\"project\":{\"name\":\"demo\",\"domain\":{\"name\":\"Default\"}}}}}",
	  NULL },
	{ "password, two domains",
	  { .username = T("u"),
	    .password = T("p"),
	    .project_name = T("x"),
	    .user_domain_id = T("ud"),
	    .project_domain_name = T("PD"),
	    .domain_name = T("Default") },
	  PASSWORD "{\"name\":\"u\",\"domain\":{\"id\":\"ud\"},\"password\":\"p\"}}},"
		   "\"scope\":{\"project\":{\"name\":\"x\",\"domain\":{\"name\":\"PD\"}}}}}",
	  NULL },
	{ "password without project",
	  { .user_id = T("u"), .password = T("p") },
	  PASSWORD "{\"id\":\"u\",\"password\":\"p\"}}}}}",
	  NULL },
	{ "an empty trust",
	  { .user_id = T("u"), .password = T("p"), .project_id = T("pr"), .trust_id = T("") },
	  PASSWORD "{\"id\":\"u\",\"password\":\"p\"}}},\"scope\":{\"project\":{\"id\":\"pr\"}}}}",
	  NULL },
	{ "trust",
	  { .user_id = T("u"), .password = T("p"), .project_id = T("pr"), .trust_id = T("t") },
	  PASSWORD "{\"id\":\"u\",\"password\":\"p\"}}},\"scope\":{\"OS-TRUST:trust\":{\"id\":\"t\"}}}}",
	  NULL },
	{ "trust, trustee",
	  { .user_id = T("u"),
	    .password = T("p"),
	    .trust_id = T("t"),
	    .trustee_id = T("tu"),
	    .trustee_password = T("tp") },
	  PASSWORD "{\"id\":\"tu\",\"password\":\"tp\"}}},\"scope\":{\"OS-TRUST:trust\":{\"id\":\"t\"}}}}",
	  NULL },
	{ "token",
	  { .token = T("tok"), .project_id = T("pr") },
	  "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":{\"id\":\"tok\"}},"
	  "\"scope\":{\"project\":{\"id\":\"pr\"}}}}",
	  NULL },
	{ "application credential, id",
	  { .application_credential_id = T("a"), .application_credential_secret = T("s"), .project_id = T("pr") },
	  APPCRED "{\"id\":\"a\",\"secret\":\"s\"}}}}",
	  NULL },
	{ "application credential, name",
	  { .application_credential_name = T("n"),
	    .application_credential_secret = T("s"),
	    .username = T("demo"),
	    .user_domain_name = T("Default") },
	  APPCRED "{\"name\":\"n\",\"user\":{\"name\":\"demo\",\"domain\":{\"name\":\"Default\"}},\"secret\":\"s\"}}}}",
	  NULL },
	{ "application credential, name, user id",
	  { .application_credential_name = T("n"), .application_credential_secret = T("s"), .user_id = T("u") },
	  APPCRED "{\"name\":\"n\",\"user\":{\"id\":\"u\"},\"secret\":\"s\"}}}}",
	  NULL },
	{ "nothing", { 0 }, NULL, "no credentials" },
	{ "user only", { .user_id = T("u") }, NULL, "without a password" },
	{ "password only", { .password = T("hush") }, NULL, "user-id" },
	{ "no domain", { .username = T("u"), .password = T("hush") }, NULL, "domain" },
	{ "no project domain",
	  { .user_id = T("u"), .password = T("hush"), .project_name = T("x") },
	  NULL,
	  "project-domain-name" },
	{ "trust without password", { .user_id = T("u"), .trust_id = T("t") }, NULL, "trust" },
	{ "no secret", { .application_credential_id = T("a") }, NULL, "secret" },
	{ "name without user",
	  { .application_credential_name = T("a"), .application_credential_secret = T("hush") },
	  NULL,
	  "user" },
};

static void test_credentials(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(credentials); i++) {
		struct conf_openstack os = credentials[i].os;
		struct http_request req;
		struct err err = { 0 };
		os.auth_url = T("http://k/v3");
		os.region = T("RegionOne");
		print_message("# %s\n", credentials[i].what);
		struct session *s = session_new(&os, &err);
		assert_int_equal(s != NULL, credentials[i].body != NULL);
		if (s == NULL) {
			assert_int_equal(err.code, ERR_INPUT);
			assert_non_null(strstr(err.text, credentials[i].error));
			assert_null(strstr(err.text, "hush"));
			continue;
		}
		assert_int_equal(request(s, 0, &get_servers, &req, NULL), SESSION_LOGIN);
		assert_int_equal(req.body.n, strlen(credentials[i].body));
		assert_memory_equal(req.body.p, credentials[i].body, req.body.n);
		assert_string_equal(req.url, "http://k/v3/auth/tokens");
		assert_string_equal(req.method, "POST");
		session_free(s);
	}
}

/* ---- the life of a token --------------------------------------------------------------------------------------- */

static void test_requests(void **state)
{
	(void)state;
	struct conf_openstack os = conf_by_id();
	os.ca_file = T("/ca.pem");
	os.is_tls_insecure = true;
	struct session *s = session_new(&os, NULL);
	struct http_request req;
	struct err err;
	assert_false(session_has_service(s, SERVICE_COMPUTE));
	assert_int_equal(session_due(s).ms, 0);
	assert_int_equal(request(s, 0, &get_servers, &req, NULL), SESSION_LOGIN);
	assert_int_equal(request(s, 0, &get_servers, &req, NULL), SESSION_WAIT); /* one login at a time */
	assert_true(session_due(s).ms > at(0).mono.ms);
	struct http_answer ok = answer_of(201, "x-subject-token: tok-1\n", HOUR_TOKEN);
	session_login_heard(s, at(0), &rng, &ok);

	assert_int_equal(request(s, 1, &get_servers, &req, NULL), SESSION_READY);
	assert_string_equal(req.url, "http://one/compute/v2.1/servers");
	assert_string_equal(header(&req, "X-Auth-Token"), "tok-1");
	assert_string_equal(header(&req, "OpenStack-API-Version"), "compute 2.79");
	assert_null(header(&req, "Content-Type"));
	assert_false(req.is_once);
	assert_string_equal(req.tls->ca_file, "/ca.pem");
	assert_true(req.tls->is_insecure);

	struct ask act = { .kind = ASK_CLOUD,
			   .service = SERVICE_VOLUME,
			   .method = "POST",
			   .path = "/v",
			   .body = "{}",
			   .is_act = true,
			   .timeout_ms = 5000 };
	assert_int_equal(request(s, 1, &act, &req, NULL), SESSION_READY); /* "volumev3" in place of "block-storage" */
	assert_string_equal(req.url, "http://one/v3/v");
	assert_string_equal(header(&req, "Content-Type"), "application/json");
	assert_null(header(&req, "OpenStack-API-Version"));
	assert_true(req.is_once);
	assert_int_equal(req.timeout_ms, 5000);

	assert_int_equal(request(s, 1, &get_stack, &req, &err), SESSION_REFUSED);
	assert_int_equal(err.code, ERR_GONE);
	assert_non_null(strstr(err.text, "\"orchestration\" (interface public, region RegionOne)"));
	assert_non_null(strstr(err.text, "container-infra"));
	assert_false(session_has_service(s, SERVICE_STACK));
	assert_true(session_has_service(s, SERVICE_CLUSTER));

	struct ask bad = get_servers;
	bad.path = "/servers/x\r\nHost: evil";
	assert_int_equal(request(s, 1, &bad, &req, &err), SESSION_REFUSED);
	bad.path = "servers";
	assert_int_equal(request(s, 1, &bad, &req, &err), SESSION_REFUSED);

	assert_string_equal(session_relative(s, SERVICE_COMPUTE, "http://one/compute/v2.1/servers/1?x", &arena),
			    "/servers/1?x");
	assert_null(session_relative(s, SERVICE_COMPUTE, "http://one/compute/v2.1x/servers", &arena));
	assert_null(session_relative(s, SERVICE_COMPUTE, "http://evil/compute/v2.1/servers", &arena));
	assert_null(session_relative(s, SERVICE_STACK, "http://one/x", &arena));
	session_free(s);
}

static void test_renewal(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		int64_t quiet_until, renew_at, dead_at;
	} cases[] = {
		{ HOUR_TOKEN, 55 * MINUTE - 1, 55 * MINUTE, 60 * MINUTE },
		{ TOKEN_UNTIL("2026-11-22T16:10:00Z"), 8 * MINUTE - 1, 8 * MINUTE, 10 * MINUTE },
		{ TOKEN_UNTIL("2026-11-22T15:00:00Z"), 48 * SEC - 1, 48 * SEC, MINUTE }, /* nonsense: a minute */
		{ TOKEN_UNTIL("soon"), 55 * MINUTE - 1, 55 * MINUTE, 60 * MINUTE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_openstack os = conf_by_id();
		struct session *s = session_new(&os, NULL);
		struct http_request req;
		log_in(s, 0, cases[i].body);
		assert_int_equal(request(s, cases[i].quiet_until, &get_servers, &req, NULL), SESSION_READY);
		assert_int_equal(request(s, cases[i].renew_at, &get_servers, &req, NULL), SESSION_LOGIN);
		/* The old one serves while the new one is fetched, and while Keystone is down. */
		assert_int_equal(request(s, cases[i].renew_at, &get_servers, &req, NULL), SESSION_READY);
		struct http_answer down = { .status = 0, .why = { ERR_NETWORK, "connection refused" } };
		session_login_heard(s, at(cases[i].renew_at), &rng, &down);
		assert_string_not_equal(session_trouble(s), "");
		assert_int_equal(request(s, cases[i].renew_at, &get_servers, &req, NULL), SESSION_READY);
		assert_string_equal(header(&req, "X-Auth-Token"), "tok-1");
		assert_int_equal(request(s, cases[i].dead_at, &get_servers, &req, NULL), SESSION_LOGIN);
		assert_int_equal(request(s, cases[i].dead_at, &get_servers, &req, NULL), SESSION_WAIT);
		session_free(s);
	}
}

static void test_login_failures(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *headers, *body;
		enum err_code code;
		const char *text;
	} cases[] = {
		{ 401, "", "{\"error\":{\"message\":\"s3cret\"}}", ERR_AUTH, "no role" },
		{ 400, "", "s3cret is not of type", ERR_AUTH, "check user" },
		{ 404, "", "", ERR_REMOTE, "no Keystone v3" },
		{ 302, "location: http://x\n", "", ERR_REMOTE, "no Keystone v3" },
		{ 503, "", "", ERR_BUSY, "busy" },
		{ 500, "", "", ERR_REMOTE, "fails" },
		{ 0, "", "", ERR_NETWORK, "does not answer" },
		{ 201, "", HOUR_TOKEN, ERR_REMOTE, "not Keystone's" },
		{ 201, "x-subject-token: a b\n", HOUR_TOKEN, ERR_REMOTE, "not Keystone's" },
		{ 201, "x-subject-token: t\n", "<html>", ERR_REMOTE, "not Keystone's" },
		{ 201, "x-subject-token: t\n", "{\"token\":7}", ERR_REMOTE, "not Keystone's" },
		{ 201, "x-subject-token: t\n", "{\"token\":{}}", ERR_AUTH, "no project" },
		{ 201, "x-subject-token: t\n", "{\"token\":{\"catalog\":[]}}", ERR_AUTH, "no project" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_answer answer = answer_of(cases[i].status, cases[i].headers, cases[i].body);
		struct login login;
		struct err err;
		print_message("# %d %s\n", cases[i].status, cases[i].body);
		assert_false(keystone_read(&answer, at(0).wall, LOGIN_PASSWORD, &login, &err));
		assert_int_equal(err.code, cases[i].code);
		assert_non_null(strstr(err.text, cases[i].text));
		assert_null(strstr(err.text, "s3cret"));
	}
}

static void test_backoff(void **state)
{
	(void)state;
	struct conf_openstack os = conf_by_id();
	struct session *s = session_new(&os, NULL);
	struct http_request req;
	struct http_answer refused = answer_of(401, "", "");
	int64_t ms = 0;
	for (int64_t full = SEC; ms < 20 * MINUTE; full = full * 2 < 60 * SEC ? full * 2 : 60 * SEC) {
		assert_int_equal(request(s, ms, &get_servers, &req, NULL), SESSION_LOGIN);
		session_login_heard(s, at(ms), &rng, &refused);
		int64_t pause = session_due(s).ms - at(ms).mono.ms;
		assert_in_range(pause, full / 2, full);
		assert_int_equal(request(s, ms + pause - 1, &get_servers, &req, NULL), SESSION_WAIT);
		ms += pause;
	}
	assert_int_equal(request(s, ms, &get_servers, &req, NULL), SESSION_LOGIN);
	struct http_answer busy = answer_of(503, "retry-after: 300\n", "");
	session_login_heard(s, at(ms), &rng, &busy);
	assert_int_equal(session_due(s).ms - at(ms).mono.ms, 300 * SEC);
	ms += 300 * SEC;
	assert_int_equal(request(s, ms, &get_servers, &req, NULL), SESSION_LOGIN); /* whose answer is never delivered */
	assert_int_equal(request(s, ms + MINUTE, &get_servers, &req, NULL), SESSION_WAIT);
	assert_int_equal(request(s, ms + 91 * SEC, &get_servers, &req, NULL), SESSION_LOGIN);
	session_free(s);
}

static void test_token_refused(void **state)
{
	(void)state;
	struct conf_openstack os = conf_by_id();
	struct session *s = session_new(&os, NULL);
	struct http_request req;
	struct http_answer refused = answer_of(401, "", "");
	struct http_answer ok = answer_of(200, "", "{}");
	struct http_answer token = answer_of(201, "x-subject-token: tok-2\n", HOUR_TOKEN);
	log_in(s, 0, HOUR_TOKEN);
	assert_false(session_heard(s, &get_servers, &ok));
	assert_true(session_heard(s, &get_servers, &refused));
	assert_true(session_heard(s, &get_cluster, &refused)); /* asked with the same token */
	assert_int_equal(request(s, 1, &get_servers, &req, NULL), SESSION_LOGIN);
	session_login_heard(s, at(1), &rng, &token);
	assert_int_equal(request(s, 2, &get_servers, &req, NULL), SESSION_READY);
	assert_string_equal(header(&req, "X-Auth-Token"), "tok-2");
	/* A service that takes no token at all: at once once, then slower and slower. */
	assert_true(session_heard(s, &get_servers, &refused));
	assert_int_equal(request(s, 3, &get_servers, &req, NULL), SESSION_LOGIN);
	session_login_heard(s, at(3), &rng, &token);
	assert_true(session_heard(s, &get_servers, &refused));
	assert_int_equal(request(s, 4, &get_servers, &req, NULL), SESSION_WAIT);
	assert_true(session_due(s).ms > at(4).mono.ms);
	assert_int_equal(request(s, 4 + 60 * SEC, &get_servers, &req, NULL), SESSION_LOGIN);
	session_free(s);
}

static void test_versions(void **state)
{
	(void)state;
	struct conf_openstack os = conf_by_id();
	struct session *s = session_new(&os, NULL);
	struct http_request req;
	struct http_answer plain = answer_of(406, "", "");
	struct http_answer magnum9 = answer_of(406, "", "{\"errors\": [{\"max_version\": \"1.9\"}]}");
	struct http_answer nova10 =
		answer_of(406, "", "Version 2.79 is not supported. Minimum is 2.1 and maximum is 2.10.\"}}");
	struct http_answer headed = answer_of(406, "openstack-api-maximum-version: container-infra 1.7\n", "");
	log_in(s, 0, HOUR_TOKEN);
#define VERSION(ask) (request(s, 1, (ask), &req, NULL) == SESSION_READY ? header(&req, "OpenStack-API-Version") : "?")
	assert_string_equal(VERSION(&get_cluster), "container-infra 1.10");
	assert_true(session_heard(s, &get_cluster, &magnum9));
	assert_string_equal(VERSION(&get_cluster), "container-infra 1.9");
	assert_true(session_heard(s, &get_cluster, &magnum9)); /* of a request that was under way */
	assert_string_equal(VERSION(&get_cluster), "container-infra 1.9");
	assert_true(session_heard(s, &get_cluster, &headed));
	assert_string_equal(VERSION(&get_cluster), "container-infra 1.7");
	assert_false(session_heard(s, &get_cluster, &plain));
	assert_true(session_heard(s, &get_servers, &nova10));
	assert_string_equal(VERSION(&get_servers), "compute 2.9");
	assert_true(session_heard(s, &get_servers, &plain));
	assert_string_equal(VERSION(&get_servers), "compute 2.1");
	assert_false(session_heard(s, &get_servers, &plain));
	assert_false(session_heard(s, &get_stack, &plain)); /* has no versions */
	session_free(s);
}

/* ---- the catalog ----------------------------------------------------------------------------------------------- */

static void test_catalog(void **state)
{
	(void)state;
	static const struct {
		const char *types, *interface, *region, *url, *error;
	} cases[] = {
		{ "compute", "public", "RegionOne", "http://one/compute/v2.1", NULL },
		{ "compute", "public", "RegionTwo", "http://two/compute/v2.1", NULL },
		{ "compute", "internal", "", "http://int/compute/v2.1", NULL },
		{ "compute", "public", "", NULL, "several regions" },
		{ "compute", "admin", "RegionOne", NULL,
		  "internal in RegionOne, public in RegionTwo, public in RegionOne" },
		{ "compute", "public", "Nowhere", NULL, "region Nowhere" },
		{ "block-storage,volumev3,volume", "public", "", "http://one/v3", NULL },
		{ "orchestration", "public", "", NULL, "compute, container-infra, volumev3, identity" },
	};
	json_t *json = json_loads(HOUR_TOKEN, 0, NULL);
	struct catalog *catalog = catalog_read(json_object_get(json_object_get(json, "token"), "catalog"));
	assert_int_equal(catalog->count, 6);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = { 0 };
		const char *url = catalog_find(catalog, cases[i].types, cases[i].interface, cases[i].region, &err);
		if (!text_eq(url, cases[i].url))
			fail_msg("case %zu: %s (%s)", i, url != NULL ? url : "NULL", err.text);
		if (url == NULL && strstr(err.text, cases[i].error) == NULL)
			fail_msg("case %zu: %s", i, err.text);
	}
	catalog_free(catalog);
	json_decref(json);
	/* Entries that cannot be used are as if they were not there. */
	json = json_loads(
		"[{\"type\":\"compute\",\"endpoints\":[" EP("public", "R", "http://a b/") "," EP(
			"public", "R", "x") "," EP("public", "R",
						   "http://h/?q") "," EP("public", "R",
									 "http://u:p@h/") ",7]},9,{\"endpoints\":3}]",
		0, NULL);
	catalog = catalog_read(json);
	assert_int_equal(catalog->count, 0);
	catalog_free(catalog);
	json_decref(json);
	catalog_free(NULL);
}

static void test_interface(void **state)
{
	(void)state;
	static const char *const types[] = { "internal", "internalURL" };
	for (size_t i = 0; i < COUNT(types); i++) {
		struct conf_openstack os = conf_by_id();
		struct http_request req;
		os.os_endpoint_type = (char *)types[i];
		struct session *s = session_new(&os, NULL);
		log_in(s, 0, HOUR_TOKEN);
		assert_int_equal(request(s, 1, &get_servers, &req, NULL), SESSION_READY);
		assert_string_equal(req.url, "http://int/compute/v2.1/servers");
		session_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login_url),      cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_requests),       cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_login_failures), cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_token_refused),  cmocka_unit_test(test_versions),
		cmocka_unit_test(test_catalog),        cmocka_unit_test(test_interface),
	};
	arena_init(&arena);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_done(&arena);
	return failed;
}
