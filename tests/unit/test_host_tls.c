/* TLS through the HTTP port, against `openssl s_server` with certificates made here. Skipped without the openssl tool.
 */
#include "host_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAYS "30"

static char dir[] = "/tmp/mah-tls-XXXXXX";
static bool has_openssl;

struct server {
	pid_t pid;
	int out;
	unsigned port;
};

static bool shell(const char *script)
{
	char whole[4096];
	(void)snprintf(whole, sizeof whole, "cd %s && exec >/dev/null 2>&1 && %s", dir, script);
	int rc = system(whole);
	return rc != -1 && WIFEXITED(rc) && WEXITSTATUS(rc) == 0;
}

static char *slurp(const char *name)
{
	char path[128];
	struct buf text;
	struct err err = { 0 };
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	buf_init(&text, 100000);
	assert_true(file_port_real()->read(NULL, path, &text, &err));
	return text.p;
}

static int make_certificates(void **state)
{
#define KEY "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	(void)state;
	assert_non_null(mkdtemp(dir));
	has_openssl = shell("openssl version");
	if (!has_openssl)
		return 0;
	const bool ok =
		shell("openssl req -x509 " KEY "-keyout ca.key -out ca.pem -subj /CN=right-ca -days " DAYS) &&
		shell("openssl req -x509 " KEY "-keyout other.key -out other.pem -subj /CN=other-ca -days " DAYS) &&
		shell("printf 'subjectAltName=IP:127.0.0.1,DNS:api.example' > ip.ext") &&
		shell("printf 'subjectAltName=DNS:api.example' > name.ext") &&
		shell("for n in ip name; do openssl req " KEY "-keyout $n.key -out $n.csr -subj /CN=server && "
		      "openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days " DAYS
		      " -extfile $n.ext -out $n.pem || exit 1; done") &&
		shell("openssl req " KEY "-keyout me.key -out me.csr -subj /CN=healer && "
		      "openssl x509 -req -in me.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days " DAYS
		      " -out me.pem");
	assert_true(ok);
	return 0;
}

static int remove_certificates(void **state)
{
	char command[64];
	(void)state;
	(void)snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command) == 0 ? 0 : -1;
}

/* s_server says "ACCEPT host:port" when it listens. */
static unsigned read_port(int fd)
{
	char text[512] = "";
	size_t n = 0;
	while (n < sizeof text - 1) {
		ssize_t more = read(fd, text + n, 1);
		assert_true(more == 1);
		n++;
		const char *at = strstr(text, "ACCEPT ");
		if (at != NULL && text[n - 1] == '\n')
			return (unsigned)strtoul(strrchr(text, ':') + 1, NULL, 10);
	}
	abort();
}

static struct server server_start(const char *name, bool wants_client)
{
	struct server s = { 0 };
	int fds[2];
	char cert[128];
	char key[128];
	char ca[128];
	(void)snprintf(cert, sizeof cert, "%s/%s.pem", dir, name);
	(void)snprintf(key, sizeof key, "%s/%s.key", dir, name);
	(void)snprintf(ca, sizeof ca, "%s/ca.pem", dir);
	assert_int_equal(pipe(fds), 0);
	const char *const argv[] = { "openssl", "s_server",
				     "-accept", "127.0.0.1:0",
				     "-www",    "-cert",
				     cert,      "-key",
				     key,       "-CAfile",
				     ca,        wants_client ? "-Verify" : NULL,
				     "2",       "-verify_return_error",
				     NULL };
	posix_spawn_file_actions_t actions;
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0), 0);
	assert_int_equal(posix_spawn_file_actions_addclosefrom_np(&actions, 3), 0);
	assert_int_equal(posix_spawnp(&s.pid, "openssl", &actions, NULL, (char *const *)argv, environ), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(fds[1]);
	s.out = fds[0];
	s.port = read_port(s.out);
	return s;
}

static void server_stop(const struct server *s)
{
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
	(void)close(s->out);
}

static struct rig_answer *fetch(struct rig *rig, uint64_t id, const struct server *s, const struct tls_opts *tls)
{
	char url[64];
	(void)snprintf(url, sizeof url, "https://127.0.0.1:%u/", s->port);
	rig_send(rig, id,
		 &(struct http_request){
			 .method = "GET", .url = url, .timeout_ms = 15000, .answer_bytes_max = 100000, .tls = tls });
	struct rig_answer *a = rig_wait(rig, id);
	print_message("# %d %s\n", a->status, a->why.text);
	return a;
}

static int setup(void **state)
{
	*state = rig_new(NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

static void test_trust(void **state)
{
	if (!has_openssl)
		skip();
	struct rig *rig = *state;
	CLEANUP(server_stop) struct server s = server_start("ip", false);
	char *ca = slurp("ca.pem");
	char *other = slurp("other.pem");
	char file[128];
	char other_file[128];
	(void)snprintf(file, sizeof file, "%s/ca.pem", dir);
	(void)snprintf(other_file, sizeof other_file, "%s/other.pem", dir);
	const struct {
		const char *name;
		struct tls_opts tls;
		int status;
	} cases[] = {
		{ "system bundle", { 0 }, 0 },
		{ "right CA as text", { .ca_pem = ca }, 200 },
		{ "right CA as file", { .ca_file = file }, 200 },
		{ "text wins over file", { .ca_pem = ca, .ca_file = other_file }, 200 },
		{ "text wins over file", { .ca_pem = other, .ca_file = file }, 0 },
		{ "wrong CA as text", { .ca_pem = other }, 0 },
		{ "wrong CA as file", { .ca_file = other_file }, 0 },
		{ "no such file", { .ca_file = (char *)"/does/not/exist" }, 0 },
		{ "not a certificate", { .ca_pem = (char *)"hello" }, 0 },
		{ "system bundle", { 0 }, 0 },
		{ "insecure", { .is_insecure = true }, 200 },
		{ "system bundle again", { 0 }, 0 },
		{ "another name", { .ca_pem = ca, .server_name = (char *)"api.example" }, 200 },
		{ "a name it does not have", { .ca_pem = ca, .server_name = (char *)"api.wrong" }, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("# %s:\n", cases[i].name);
		struct rig_answer *a = fetch(rig, i, &s, &cases[i].tls);
		assert_int_equal(a->status, cases[i].status);
		if (cases[i].status != 0)
			continue;
		assert_int_equal(a->why.code, ERR_AUTH);
		assert_non_null(strstr(a->why.text, "127.0.0.1"));
		assert_true(strstr(a->why.text, "ca-file") != NULL || strcmp(cases[i].name, "not a certificate") == 0);
	}
	free(ca);
	free(other);
}

static void test_server_name(void **state)
{
	if (!has_openssl)
		skip();
	struct rig *rig = *state;
	CLEANUP(server_stop) struct server s = server_start("name", false);
	char *ca = slurp("ca.pem");
	assert_int_equal(fetch(rig, 1, &s, &(struct tls_opts){ .ca_pem = ca })->status, 0);
	struct tls_opts named = { .ca_pem = ca, .server_name = (char *)"api.example" };
	assert_int_equal(fetch(rig, 2, &s, &named)->status, 200);
	free(ca);
}

/* A connection that goes elsewhere is believed only with a certificate for the name in the URL. */
static void test_connect_to(void **state)
{
	if (!has_openssl)
		skip();
	struct rig *rig = *state;
	CLEANUP(server_stop) struct server s = server_start("name", false);
	char *ca = slurp("ca.pem");
	char target[64];
	(void)snprintf(target, sizeof target, "127.0.0.1:%u", s.port);
	const struct {
		const char *url, *server_name;
		int status;
		enum err_code code;
	} cases[] = {
		{ "https://api.example:6443/", NULL, 200, ERR_NONE },
		{ "https://api.wrong:6443/", NULL, 0, ERR_AUTH },
		{ "https://10.254.0.1/", NULL, 0, ERR_AUTH },
		{ "https://10.254.0.1/", "api.example", 200, ERR_NONE },
		{ "https://api.example/", "api.wrong", 0, ERR_AUTH },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct tls_opts tls = { .ca_pem = ca, .server_name = (char *)cases[i].server_name };
		rig_send(rig, i,
			 &(struct http_request){ .method = "GET",
						 .url = cases[i].url,
						 .timeout_ms = 15000,
						 .answer_bytes_max = 100000,
						 .connect_to = target,
						 .tls = &tls });
		struct rig_answer *a = rig_wait(rig, i);
		print_message("# %s as %s: %d %s\n", cases[i].url, cases[i].server_name, a->status, a->why.text);
		assert_int_equal(a->status, cases[i].status);
		assert_int_equal(a->why.code, cases[i].code);
		if (cases[i].status == 0)
			assert_non_null(strstr(a->why.text, target)); /* whom it speaks of */
	}
	free(ca);
}

/* Whether a port can be connected to has nothing to do with what is spoken there. */
static void test_connect_only_does_not_shake_hands(void **state)
{
	if (!has_openssl)
		skip();
	struct rig *rig = *state;
	CLEANUP(server_stop) struct server s = server_start("name", false);
	char url[64];
	(void)snprintf(url, sizeof url, "https://127.0.0.1:%u/", s.port);
	rig_send(rig, 1,
		 &(struct http_request){ .method = "GET", .url = url, .timeout_ms = 15000, .is_connect_only = true });
	assert_int_equal(rig_wait(rig, 1)->status, 200);
}

static void test_client_certificate(void **state)
{
	if (!has_openssl)
		skip();
	struct rig *rig = *state;
	CLEANUP(server_stop) struct server s = server_start("ip", true);
	char *ca = slurp("ca.pem");
	char *cert = slurp("me.pem");
	char *key = slurp("me.key");
	char *other_key = slurp("ca.key");
	char cert_file[128];
	char key_file[128];
	(void)snprintf(cert_file, sizeof cert_file, "%s/me.pem", dir);
	(void)snprintf(key_file, sizeof key_file, "%s/me.key", dir);
	const struct tls_opts none = { .ca_pem = ca };
	const struct tls_opts texts = { .ca_pem = ca, .cert_pem = cert, .key_pem = key };
	const struct tls_opts files = { .ca_pem = ca, .cert_file = cert_file, .key_file = key_file };
	const struct tls_opts mixed = { .ca_pem = ca, .cert_pem = cert, .key_file = key_file };
	const struct tls_opts wrong = { .ca_pem = ca, .cert_pem = cert, .key_pem = other_key };
	assert_int_equal(fetch(rig, 1, &s, &none)->why.code, ERR_NETWORK);
	struct rig_answer *a = fetch(rig, 2, &s, &texts);
	assert_int_equal(a->status, 200);
	assert_non_null(strstr(buf_cstr(&a->body), "healer"));
	assert_int_equal(fetch(rig, 3, &s, &files)->status, 200);
	assert_int_equal(fetch(rig, 4, &s, &mixed)->status, 200);
	assert_int_equal(fetch(rig, 5, &s, &wrong)->status, 0);
	assert_int_equal(fetch(rig, 6, &s, &none)->status, 0);
	free(ca);
	free(cert);
	free(key);
	free(other_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_trust, setup, teardown),
		cmocka_unit_test_setup_teardown(test_server_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connect_to, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connect_only_does_not_shake_hands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_certificate, setup, teardown),
	};
	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
