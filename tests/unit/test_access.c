/* Kubeconfigs, service accounts, tokens that change, and credential plug-ins; files and environment from a table. */
#include "kube_fixture.h"

#include <jansson.h>

#include "base/jsonx.h"
#include "kube/access.h"
#include "kube/base64.h"

struct fake_file {
	const char *path, *text;
};
struct fake {
	struct fake_file files[16];
	struct fake_file env[8];
	int reads;
};

static bool fake_read(void *ctx, const char *path, struct buf *out, struct err *err)
{
	struct fake *fake = ctx;
	fake->reads++;
	for (size_t i = 0; i < COUNT(fake->files) && fake->files[i].path != NULL; i++) {
		if (strcmp(fake->files[i].path, path) == 0 && fake->files[i].text != NULL)
			return buf_text(out, fake->files[i].text) || fail(err, ERR_LIMIT, "%s is too long", path);
	}
	return fail(err, ERR_GONE, "%s: no such file", path);
}

static const char *fake_env(void *ctx, const char *name)
{
	struct fake *fake = ctx;
	for (size_t i = 0; i < COUNT(fake->env) && fake->env[i].path != NULL; i++) {
		if (strcmp(fake->env[i].path, name) == 0)
			return fake->env[i].text;
	}
	return NULL;
}

static struct file_port port_of(struct fake *fake)
{
	return (struct file_port){ .ctx = fake, .read = fake_read, .env = fake_env };
}

static struct access *opened(struct fake *fake, const char *kubeconfig, const char *context, const char *api_host)
{
	struct file_port port = port_of(fake);
	struct err err = { 0 };
	struct access *access = access_open(&port, kubeconfig, context, api_host, &err);
	if (access == NULL)
		fail_msg("%s", err.text);
	return access;
}

static struct now at(int64_t ms)
{
	return (struct now){ { ms }, { 1700000000000 + ms } };
}

static bool is_ready(struct access *access, int64_t ms, struct proc_request *exec, bool *must_exec)
{
	struct err err = { 0 };
	bool ok = access_ready(access, at(ms), exec, must_exec, &err);
	assert_true(ok || err.code != ERR_NONE);
	return ok;
}

/* The value of a header of a request, "" when there is none. The arena is the caller's. */
static const char *header_of(const struct access *access, struct arena *arena, struct str body, const char *name,
			     struct http_request *out)
{
	access_request(access, arena, "GET", "/api/v1/nodes", NULL, NULL, body, out);
	for (size_t i = 0; i < out->headers_count; i++) {
		if (strcmp(out->headers[i].name, name) == 0)
			return out->headers[i].value;
	}
	return "";
}

static void expect_token(const struct access *access, const char *token)
{
	struct arena arena;
	struct http_request request;
	char wanted[200];
	arena_init(&arena);
	(void)snprintf(wanted, sizeof wanted, token[0] != '\0' ? "Bearer %s" : "%s", token);
	assert_string_equal(header_of(access, &arena, STR(""), "Authorization", &request), wanted);
	arena_done(&arena);
}

/* "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" and the same as PRIVATE KEY */
#define CERT_64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define KEY_64 "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCkFBQUEKLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQo="
#define CERT_PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define KEY_PEM "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"

static const char full[] = "apiVersion: v1\nkind: Config\ncurrent-context: one\n"
			   "clusters:\n"
			   "- name: c1\n  cluster:\n    server: https://10.0.0.1:6443/\n"
			   "    certificate-authority-data: " CERT_64 "\n    tls-server-name: kubernetes\n"
			   "    proxy-url: http://proxy:3128\n"
			   "- name: c2\n  cluster:\n    server: https://[2001:db8::1]:6443\n"
			   "    certificate-authority: pki/ca.crt\n"
			   "- name: c3\n  cluster: {server: 'https://c3', insecure-skip-tls-verify: true}\n"
			   "users:\n"
			   "- name: u1\n  user:\n    client-certificate-data: " CERT_64 "\n    client-key-data: " KEY_64
			   "\n    client-key: ignored.key\n"
			   "- name: u2\n  user:\n    client-certificate: /abs/c.crt\n    client-key: c.key\n"
			   "- name: u3\n  user: {token: abc.def}\n"
			   "- name: u4\n  user: {token: abc.def, tokenFile: tok}\n"
			   "contexts:\n"
			   "- name: one\n  context: {cluster: c1, user: u1, namespace: ns1}\n"
			   "- name: two\n  context: {cluster: c2, user: u2}\n"
			   "- name: three\n  context: {cluster: c3, user: u3}\n"
			   "- name: four\n  context: {cluster: c3, user: u4}\n"
			   "- name: nobody\n  context: {cluster: c3}\n";

static void reads_a_kubeconfig(void **state)
{
	(void)state;
	struct fake fake = { .files = { { "/home/me/kc", full }, { "/home/me/tok", "from-file\n" } } };
	struct arena arena;
	struct http_request request;
	struct proc_request exec;
	bool must_exec = true;
	arena_init(&arena);
	struct access *access = opened(&fake, "/home/me/kc", NULL, "");
	assert_string_equal(access_server(access), "https://10.0.0.1:6443");
	assert_string_equal(access_namespace(access), "ns1");
	assert_true(is_ready(access, 1, &exec, &must_exec));
	assert_false(must_exec);
	assert_string_equal(header_of(access, &arena, STR(""), "Authorization", &request), "");
	assert_string_equal(request.url, "https://10.0.0.1:6443/api/v1/nodes");
	assert_string_equal(request.tls->ca_pem, CERT_PEM);
	assert_null(request.tls->ca_file);
	assert_string_equal(request.tls->cert_pem, CERT_PEM);
	assert_string_equal(request.tls->key_pem, KEY_PEM);
	assert_null(request.tls->key_file);
	assert_string_equal(request.tls->server_name, "kubernetes");
	assert_string_equal(request.tls->proxy_url, "http://proxy:3128");
	assert_false(request.tls->is_insecure);
	access_free(access);

	access = opened(&fake, "/home/me/kc", "two", "");
	assert_string_equal(access_server(access), "https://[2001:db8::1]:6443");
	assert_string_equal(access_namespace(access), "kube-system");
	(void)header_of(access, &arena, STR(""), "Accept", &request);
	assert_string_equal(request.tls->ca_file, "/home/me/pki/ca.crt");
	assert_string_equal(request.tls->cert_file, "/abs/c.crt");
	assert_string_equal(request.tls->key_file, "/home/me/c.key");
	access_free(access);

	access = opened(&fake, "/home/me/kc", "three", "10.9.9.9:6443");
	assert_string_equal(access_server(access), "https://10.9.9.9:6443");
	expect_token(access, "abc.def");
	(void)header_of(access, &arena, STR(""), "Accept", &request);
	assert_true(request.tls->is_insecure);
	access_free(access);

	access = opened(&fake, "/home/me/kc", "four", NULL); /* tokenFile wins */
	assert_true(is_ready(access, 1, &exec, &must_exec));
	expect_token(access, "from-file");
	access_free(access);

	access = opened(&fake, "/home/me/kc", "nobody", NULL);
	assert_true(is_ready(access, 1, &exec, &must_exec));
	expect_token(access, "");
	access_free(access);
	arena_done(&arena);
}

static void builds_requests(void **state)
{
	(void)state;
	struct fake fake = { .files = { { "kc", full } } };
	struct access *access = opened(&fake, "kc", "three", NULL);
	struct arena arena;
	struct http_request request;
	arena_init(&arena);
	assert_string_equal(header_of(access, &arena, STR(""), "Accept", &request), "application/json");
	assert_string_equal(header_of(access, &arena, STR(""), "Content-Type", &request), "");
	assert_string_equal(header_of(access, &arena, STR("{}"), "Content-Type", &request), "application/json");
	assert_true(text_starts(header_of(access, &arena, STR(""), "User-Agent", &request), "magnum-auto-healer/"));
	access_request(access, &arena, "PATCH", "/x", "a/b", "c/d", STR("{}"), &request);
	assert_string_equal(request.method, "PATCH");
	assert_true(str_eq(request.body, "{}"));
	bool has_accept = false;
	bool has_type = false;
	for (size_t i = 0; i < request.headers_count; i++) {
		has_accept |= text_eq(request.headers[i].value, "a/b");
		has_type |= text_eq(request.headers[i].value, "c/d");
	}
	assert_true(has_accept && has_type);
	arena_done(&arena);
	access_free(access);
}

#define HEAD "current-context: x\ncontexts:\n- {name: x, context: {cluster: c, user: u}}\n"
#define CLUSTER "clusters:\n- {name: c, cluster: {server: 'https://h'}}\n"

static void refuses_kubeconfigs_and_says_where(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "a: [", "/d/kc:" },
		{ "", "no current-context" },
		{ "current-context: x\n", "no context named \"x\"" },
		{ HEAD, "no cluster named \"c\"" },
		{ HEAD CLUSTER, "no user named \"u\"" },
		{ HEAD "clusters:\n- {name: c, cluster: {}}\n", "/d/kc:5:22: this cluster has no server" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: 'ftp://h'}}\n", "neither https nor http" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: 'https://u:p@h'}}\n", "not the URL" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: 'https://'}}\n", "not the URL" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: \"https://h\\r\\nx: y\"}}\n", "not the URL" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: [1]}}\n", "/d/kc:5:31: a text is wanted" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: h, certificate-authority-data: '!!'}}\n",
		  "not PEM text in base64" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: h, certificate-authority-data: AAAA}}\n",
		  "not PEM text in base64" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: h, insecure-skip-tls-verify: maybe}}\n",
		  "true or false" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: h, insecure-skip-tls-verify: true, "
		       "certificate-authority: x}}\n",
		  "exclude each other" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {token: \"a\\nb\"}}\n", "/d/kc:7:27: this token" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {token: \"a b\"}}\n", "this token" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {client-certificate: x}}\n", "needs its key" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {client-key: x}}\n", "needs its key" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {username: a, password: b}}\n", "password" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {auth-provider: {name: gcp}}}\n", "use exec" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {exec: {command: x}}}\n", "apiVersion" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1}}}\n",
		  "no command" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, "
			       "command: x, interactiveMode: Always}}}\n",
		  "terminal" },
		{ HEAD CLUSTER "users:\n- {name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, "
			       "command: x, env: [{name: 'A=B', value: c}]}}}\n",
		  "name and value" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { .files = { { "/d/kc", cases[i].text } } };
		struct file_port port = port_of(&fake);
		struct err err = { 0 };
		struct access *access = access_open(&port, "/d/kc", NULL, "", &err);
		if (access != NULL)
			fail_msg("case %zu: accepted", i);
		if (strstr(err.text, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, err.text);
	}
}

static void finds_its_configuration(void **state)
{
	(void)state;
	const char *first = HEAD "users:\n- {name: u, user: {token: t1}}\n";
	const char *second = "current-context: y\n" CLUSTER "users:\n- {name: u, user: {token: t2}}\n";
	struct err err = { 0 };
	/* explicit beats $KUBECONFIG; lists are merged, the first wins, missing files of a list are passed over */
	struct fake fake = { .files = { { "/a", first }, { "/b", second }, { "/h/.kube/config", full } },
			     .env = { { "KUBECONFIG", "/nowhere:/a:/b" }, { "HOME", "/h" } } };
	struct access *access = opened(&fake, NULL, NULL, NULL);
	assert_string_equal(access_server(access), "https://h");
	expect_token(access, "t1");
	access_free(access);
	access = opened(&fake, "/b:/a", "x", NULL);
	expect_token(access, "t2");
	access_free(access);
	struct file_port port = port_of(&fake);
	assert_null(access_open(&port, "/nowhere", NULL, NULL, &err));
	assert_non_null(strstr(err.text, "/nowhere"));
	assert_null(access_open(&port, "/nowhere:/nothing", NULL, NULL, &err));
	/* the home directory comes last */
	fake.env[0] = (struct fake_file){ "HOME", "/h" };
	access = opened(&fake, "", NULL, NULL);
	assert_string_equal(access_server(access), "https://10.0.0.1:6443");
	access_free(access);
	/* nothing anywhere: an error, or a server without credentials */
	fake.files[2].path = NULL;
	assert_null(access_open(&port, "", NULL, "", &err));
	access = opened(&fake, "", NULL, "http://127.0.0.1:8001/");
	assert_string_equal(access_server(access), "http://127.0.0.1:8001");
	access_free(access);
}

#define SA "/var/run/secrets/kubernetes.io/serviceaccount/"

static void uses_the_service_account(void **state)
{
	(void)state;
	struct fake fake = { .files = { { SA "token", "tok1\n" }, { SA "ca.crt", CERT_PEM }, { SA "namespace", "ns" } },
			     .env = { { "KUBERNETES_SERVICE_HOST", "fd00::1" },
				      { "KUBERNETES_SERVICE_PORT", "443" },
				      { "HOME", "/h" } } };
	struct proc_request exec;
	bool must_exec = false;
	struct arena arena;
	struct http_request request;
	arena_init(&arena);
	struct access *access = opened(&fake, "", NULL, "");
	assert_string_equal(access_server(access), "https://[fd00::1]:443");
	assert_string_equal(access_namespace(access), "ns");
	assert_true(is_ready(access, 1000, &exec, &must_exec));
	expect_token(access, "tok1");
	(void)header_of(access, &arena, STR(""), "Accept", &request);
	assert_string_equal(request.tls->ca_file, SA "ca.crt");
	arena_done(&arena);
	/* read again after a minute, not before */
	int reads = fake.reads;
	fake.files[0].text = "tok2";
	assert_true(is_ready(access, 60999, &exec, &must_exec));
	assert_int_equal(fake.reads, reads);
	expect_token(access, "tok1");
	assert_true(is_ready(access, 61000, &exec, &must_exec));
	expect_token(access, "tok2");
	/* refused: at once, but not more often than each 5 s */
	fake.files[0].text = "tok3";
	access_refused(access, at(62000));
	assert_true(is_ready(access, 62000, &exec, &must_exec));
	expect_token(access, "tok2");
	assert_true(is_ready(access, 66000, &exec, &must_exec));
	expect_token(access, "tok3");
	/* broken files do not take the token away */
	static const char *const broken[] = { NULL, "", "a\nb", "a\x01", "a b" };
	for (size_t i = 0; i < COUNT(broken); i++) {
		fake.files[0].text = broken[i];
		assert_true(is_ready(access, 200000 + (int64_t)i * 60000, &exec, &must_exec));
		expect_token(access, "tok3");
	}
	access_free(access);
	/* never had one */
	fake.env[0].text = "10.254.0.1";
	access = opened(&fake, "", NULL, "");
	assert_string_equal(access_server(access), "https://10.254.0.1:443");
	assert_false(is_ready(access, 1, &exec, &must_exec));
	assert_false(must_exec);
	access_free(access);
}

#define EXEC_CONFIG                                                                                                    \
	HEAD "clusters:\n- {name: c, cluster: {server: 'https://h', tls-server-name: tsn, "                            \
	     "certificate-authority-data: " CERT_64 "}}\n"                                                             \
	     "users:\n- name: u\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n"              \
	     "      command: ./plugin\n      args: [--a, '']\n      env: [{name: E, value: 'v=1'}]\n"                  \
	     "      provideClusterInfo: true\n"

static void answer_exec(struct access *access, int64_t ms, int exit_code, const char *out, bool is_fine)
{
	struct err err = { 0 };
	struct proc_answer answer = { .exit_code = exit_code, .out = str_of(out), .errors = STR("no ticket") };
	access_exec_heard(access, at(ms), &answer, &err);
	if ((err.code == ERR_NONE) != is_fine)
		fail_msg("at %lld: %s", (long long)ms, err.text);
}

#define GOOD_EXEC(status)                                                                                              \
	"{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":" status "}"

static void asks_a_plug_in(void **state)
{
	(void)state;
	struct fake fake = { .files = { { "/d/kc", EXEC_CONFIG } } };
	struct access *access = opened(&fake, "/d/kc", NULL, NULL);
	struct proc_request exec;
	bool must_exec = false;
	assert_false(is_ready(access, 1000, &exec, &must_exec));
	assert_true(must_exec);
	assert_string_equal(exec.argv[0], "/d/./plugin");
	assert_string_equal(exec.argv[1], "--a");
	assert_string_equal(exec.argv[2], "");
	assert_null(exec.argv[3]);
	assert_string_equal(exec.env[0], "E=v=1");
	assert_true(text_starts(exec.env[1], "KUBERNETES_EXEC_INFO={"));
	assert_null(exec.env[2]);
	json_t *info = json_parse(str_of(strchr(exec.env[1], '{')), NULL);
	assert_string_equal(json_text(info, "kind"), "ExecCredential");
	assert_string_equal(json_text(info, "apiVersion"), "client.authentication.k8s.io/v1");
	assert_string_equal(json_text(info, "spec.cluster.server"), "https://h");
	assert_string_equal(json_text(info, "spec.cluster.tls-server-name"), "tsn");
	assert_string_equal(json_text(info, "spec.cluster.certificate-authority-data"), CERT_64);
	assert_false(json_bool(info, "spec.interactive", true));
	json_decref(info);
	/* one at a time */
	assert_false(is_ready(access, 1001, &exec, &must_exec));
	assert_false(must_exec);
	/* 1700000060 is 60 s after the beginning of at() */
	answer_exec(access, 1002, 0, GOOD_EXEC("{\"token\":\"T1\",\"expirationTimestamp\":\"2023-11-14T22:14:20Z\"}"),
		    true);
	assert_true(is_ready(access, 1003, &exec, &must_exec));
	expect_token(access, "T1");
	assert_true(is_ready(access, 49999, &exec, &must_exec));
	/* it runs out */
	assert_false(is_ready(access, 50000, &exec, &must_exec));
	assert_true(must_exec);
	answer_exec(access, 51000, 0, GOOD_EXEC("{\"token\":\"T2\"}"), true);
	assert_true(is_ready(access, 52000, &exec, &must_exec));
	expect_token(access, "T2");
	/* refused at once: the one just made is kept for 5 s */
	access_refused(access, at(52000));
	assert_true(is_ready(access, 52000, &exec, &must_exec));
	assert_false(is_ready(access, 56000, &exec, &must_exec));
	assert_true(must_exec);
	/* it fails: a pause, then again */
	answer_exec(access, 56001, 1, "", false);
	assert_false(is_ready(access, 57000, &exec, &must_exec));
	assert_false(must_exec);
	assert_false(is_ready(access, 61001, &exec, &must_exec));
	assert_true(must_exec);
	/* no answer ever comes */
	assert_false(is_ready(access, 90000, &exec, &must_exec));
	assert_false(must_exec);
	assert_false(is_ready(access, 102000, &exec, &must_exec));
	assert_true(must_exec);
	access_free(access);
}

static void takes_certificates_from_a_plug_in(void **state)
{
	(void)state;
	struct fake fake = { .files = { { "/d/kc", EXEC_CONFIG } } };
	struct access *access = opened(&fake, "/d/kc", NULL, NULL);
	struct arena arena;
	struct http_request before;
	struct http_request after;
	struct proc_request exec;
	bool must_exec = false;
	arena_init(&arena);
	(void)header_of(access, &arena, STR(""), "Accept", &before);
	for (int i = 0; i < 12; i++) { /* more often than old options are kept */
		char out[512];
		(void)snprintf(out, sizeof out,
			       GOOD_EXEC("{\"clientCertificateData\":\"-----BEGIN CERTIFICATE-----%d\","
					 "\"clientKeyData\":\"-----BEGIN PRIVATE KEY-----%d\"}"),
			       i, i);
		assert_false(is_ready(access, 10000 * (i + 1), &exec, &must_exec));
		answer_exec(access, 10000 * (i + 1), 0, out, true);
		(void)header_of(access, &arena, STR(""), "Accept", &after);
		char wanted[64];
		(void)snprintf(wanted, sizeof wanted, "-----BEGIN CERTIFICATE-----%d", i);
		assert_string_equal(after.tls->cert_pem, wanted);
		assert_string_equal(after.tls->ca_pem, CERT_PEM);
		if (i < 7)
			assert_null(before.tls->cert_pem); /* still there for those that run */
		access_refused(access, at(10000 * (i + 1)));
	}
	expect_token(access, "");
	arena_done(&arena);
	access_free(access);
}

static void refuses_what_a_plug_in_may_print(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"hello",
		"{}",
		"[]",
		"{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
		"\"status\":{\"token\":\"x\"}}",
		GOOD_EXEC("{}"),
		GOOD_EXEC("{\"token\":\"a\\nb\"}"),
		GOOD_EXEC("{\"token\":7}"),
		GOOD_EXEC("{\"token\":\"a\",\"expirationTimestamp\":\"soon\"}"),
		GOOD_EXEC("{\"clientCertificateData\":\"-----BEGIN CERTIFICATE-----\"}"),
		GOOD_EXEC("{\"clientCertificateData\":\"x\",\"clientKeyData\":\"y\"}"),
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake fake = { .files = { { "/d/kc", EXEC_CONFIG } } };
		struct access *access = opened(&fake, "/d/kc", NULL, NULL);
		struct proc_request exec;
		bool must_exec = false;
		assert_false(is_ready(access, 1000, &exec, &must_exec));
		answer_exec(access, 1001, 0, cases[i], false);
		assert_false(is_ready(access, 1002, &exec, &must_exec));
		expect_token(access, "");
		access_free(access);
	}
}

static void decodes_base64(void **state)
{
	(void)state;
	static const struct {
		const char *text, *bytes; /* bytes NULL: refused */
	} cases[] = {
		{ "", "" },        { "Zg==", "f" },        { "Zm8=", "fo" },
		{ "Zm9v", "foo" }, { "Zm9vYg==", "foob" }, { "Zm9v\nYmFy", "foobar" },
		{ "Zg=", NULL },   { "Zg", NULL },         { "Zg==Zg==", NULL },
		{ "Zh==", NULL },  { "=", NULL },          { "Z===", NULL },
		{ "Zm9v!", NULL }, { "Zg=a", NULL },       { "Zm-_", NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = new_buf();
		bool ok = base64_decode(str_of(cases[i].text), &out);
		if (ok != (cases[i].bytes != NULL) || (ok && !text_eq(buf_cstr(&out), cases[i].bytes)))
			fail_msg("%s", cases[i].text);
		buf_done(&out);
	}
	for (size_t n = 0; n < 40; n++) {
		char bytes[40];
		struct buf text = new_buf();
		struct buf back = new_buf();
		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)(i * 37 + n);
		assert_true(base64_encode((struct str){ bytes, n }, &text));
		assert_true(base64_decode(buf_str(&text), &back));
		assert_true(str_same(buf_str(&back), (struct str){ bytes, n }));
		buf_done(&text);
		buf_done(&back);
	}
}

/* --- fail-over --- */

static const char *connects_to(const struct access *access)
{
	static char kept[64];
	struct arena arena;
	struct http_request request;
	arena_init(&arena);
	access_request(access, &arena, "GET", "/api/v1/nodes", NULL, NULL, STR(""), &request);
	assert_string_equal(request.url, "https://api.example:6443/api/v1/nodes"); /* never anything else */
	(void)snprintf(kept, sizeof kept, "%s", request.connect_to != NULL ? request.connect_to : "");
	arena_done(&arena);
	return kept;
}

static struct access *with_masters(struct fake *fake)
{
	static const char *const masters[] = { "10.0.0.5", "10.0.0.6", "fd00::7" };
	struct access *access = opened(fake, NULL, NULL, "https://api.example:6443");
	access_others(access, masters, COUNT(masters), 6443);
	return access;
}

static bool fails(struct access *access, int64_t ms)
{
	return access_failed(access, at(ms), access_way(access), false);
}

static void goes_to_the_next_address_after_two_losses(void **state)
{
	(void)state;
	struct fake fake = { .env = { { "HOME", "/h" } } };
	struct access *access = with_masters(&fake);
	assert_string_equal(connects_to(access), "");
	assert_string_equal(access_address(access), "https://api.example:6443");
	assert_false(fails(access, 1000));
	assert_false(access_answered(access, access_way(access))); /* the count starts anew; nothing to tell */
	assert_false(fails(access, 2000));
	assert_string_equal(connects_to(access), "");
	static const char *const turns[] = { "10.0.0.5:6443", "10.0.0.6:6443", "[fd00::7]:6443", "", "10.0.0.5:6443" };
	for (size_t i = 0; i < COUNT(turns); i++) {
		if (i > 0)
			assert_false(fails(access, 3000));
		assert_true(fails(access, 3000));
		assert_string_equal(connects_to(access), turns[i]);
	}
	/* told when it answers, once */
	assert_true(access_answered(access, access_way(access)));
	assert_false(access_answered(access, access_way(access)));
	assert_string_equal(access_address(access), "10.0.0.5:6443");
	access_free(access);
}

static void the_lease_does_not_wait_for_a_second_loss(void **state)
{
	(void)state;
	struct fake fake = { .env = { { "HOME", "/h" } } };
	struct access *access = with_masters(&fake);
	assert_true(access_failed(access, at(1000), access_way(access), true));
	assert_string_equal(connects_to(access), "10.0.0.5:6443");
	access_free(access);
}

/* Ten requests hang at the dead address; their ends come after the change, and are no fault of the new one. */
static void old_losses_do_not_count_against_the_new_address(void **state)
{
	(void)state;
	struct fake fake = { .env = { { "HOME", "/h" } } };
	struct access *access = with_masters(&fake);
	uint32_t first = access_way(access);
	assert_true(access_failed(access, at(1000), first, true));
	for (int i = 0; i < 10; i++)
		assert_false(access_failed(access, at(1000 + i), first, true));
	assert_string_equal(connects_to(access), "10.0.0.5:6443");
	assert_false(access_failed(access, at(2000), access_way(access), false));
	assert_false(access_answered(access, first)); /* nor does an old answer count for it */
	assert_true(access_failed(access, at(2000), access_way(access), false));
	assert_string_equal(connects_to(access), "10.0.0.6:6443");
	access_free(access);
}

static void comes_home_after_a_while(void **state)
{
	(void)state;
	struct fake fake = { .env = { { "HOME", "/h" } } };
	struct access *access = with_masters(&fake);
	assert_false(access_turn(access, at(1)));
	assert_true(access_failed(access, at(1000), access_way(access), true));
	assert_true(access_answered(access, access_way(access)));
	assert_true(
		access_failed(access, at(2 * MINUTE), access_way(access), true)); /* another; away since the first */
	assert_false(access_turn(access, at(5 * MINUTE)));
	assert_true(access_turn(access, at(5 * MINUTE + 1000)));
	assert_string_equal(connects_to(access), "");
	assert_false(access_turn(access, at(20 * MINUTE)));
	/* still dead: away again, for the same time again, and nothing new to tell when the same one answers */
	assert_true(access_failed(access, at(20 * MINUTE), access_way(access), true));
	assert_string_equal(connects_to(access), "10.0.0.5:6443");
	assert_false(access_answered(access, access_way(access)));
	assert_false(access_turn(access, at(24 * MINUTE)));
	assert_true(access_turn(access, at(25 * MINUTE)));
	assert_true(access_answered(access, access_way(access))); /* well again */
	access_free(access);
}

static void knows_only_addresses(void **state)
{
	(void)state;
	static const char *const odd[] = { "",      "master-0",       "10.0.0.5",  "10.0.0.5",    "10.0.0.6:22",
					   "[::1]", "::ffff:1.2.3.4", "1.2.3.4/x", "fe80::1%eth0" };
	static const char *const many[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4",  "10.0.0.5", "10.0.0.6",
					    "10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10", "10.0.0.11" };
	struct fake fake = { .env = { { "HOME", "/h" } } };
	struct access *access = opened(&fake, NULL, NULL, "https://api.example:6443");
	assert_false(access_failed(access, at(1), access_way(access), true)); /* none: stays */
	access_others(access, odd, COUNT(odd), 0);
	assert_false(access_failed(access, at(1), access_way(access), true));
	access_others(access, odd, COUNT(odd), 443);
	static const char *const turns[] = { "10.0.0.5:443", "[::ffff:1.2.3.4]:443", "" };
	for (size_t i = 0; i < COUNT(turns); i++) {
		assert_true(access_failed(access, at(1), access_way(access), true));
		assert_string_equal(connects_to(access), turns[i]);
	}
	access_others(access, many, COUNT(many), 6443);
	for (int i = 0; i < ACCESS_OTHERS_MAX; i++)
		assert_true(access_failed(access, at(1), access_way(access), true));
	assert_string_equal(connects_to(access), "10.0.0.9:6443");
	assert_true(access_failed(access, at(1), access_way(access), true));
	assert_string_equal(connects_to(access), "");
	access_free(access);
}

static void new_masters_do_not_move_a_good_connection(void **state)
{
	(void)state;
	static const char *const reordered[] = { "10.0.0.9", "10.0.0.5" };
	static const char *const replaced[] = { "10.0.0.9", "10.0.0.6" };
	struct fake fake = { .env = { { "HOME", "/h" } } };
	struct access *access = with_masters(&fake);
	assert_true(access_failed(access, at(1000), access_way(access), true));
	uint32_t way = access_way(access);
	access_others(access, reordered, COUNT(reordered), 6443);
	assert_int_equal(access_way(access), way);
	assert_string_equal(connects_to(access), "10.0.0.5:6443");
	access_others(access, replaced, COUNT(replaced), 6443); /* it is no more */
	assert_int_not_equal(access_way(access), way);
	assert_string_equal(connects_to(access), "");
	access_free(access);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_kubeconfig),
		cmocka_unit_test(builds_requests),
		cmocka_unit_test(refuses_kubeconfigs_and_says_where),
		cmocka_unit_test(finds_its_configuration),
		cmocka_unit_test(uses_the_service_account),
		cmocka_unit_test(asks_a_plug_in),
		cmocka_unit_test(takes_certificates_from_a_plug_in),
		cmocka_unit_test(refuses_what_a_plug_in_may_print),
		cmocka_unit_test(goes_to_the_next_address_after_two_losses),
		cmocka_unit_test(the_lease_does_not_wait_for_a_second_loss),
		cmocka_unit_test(old_losses_do_not_count_against_the_new_address),
		cmocka_unit_test(comes_home_after_a_while),
		cmocka_unit_test(knows_only_addresses),
		cmocka_unit_test(new_masters_do_not_move_a_good_connection),
		cmocka_unit_test(decodes_base64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
