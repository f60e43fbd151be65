/* Who we are to the API server, and requests that say so. What may change while we run (token files, credentials of
 * plug-ins) is read again in access_ready(). */
#include "kube/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/exec_login.h"
#include "kube/kubeconfig.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount/"
#define TOKEN_FILE_AGE_MS (1 * MINUTE) /* the kubelet swaps the file long before the old token runs out */
#define REFUSED_PAUSE_MS (5 * SEC)     /* between two readings because of 401 */
#define EXEC_TIMEOUT_MS (30 * SEC)
#define EXEC_LOST_MS (EXEC_TIMEOUT_MS + 10 * SEC) /* no answer ever came: as if it had failed */
#define EXEC_BACKOFF_MS_MAX (1 * MINUTE)
#define EXEC_EARLY_MS (10 * SEC)   /* a credential is used to within this of its end: requests take time */
#define RETIRED_MAX 8              /* TLS options that running requests may still point to */
#define HOME_AFTER_MS (5 * MINUTE) /* away from the first address for so long: see whether it is well again */
#define LOSSES_MAX 2               /* in a row: one lost packet is no reason to go elsewhere */
#define ADDRESS_BYTES 64           /* "[" IPv6 "]:65535" */
#define USER_AGENT "magnum-auto-healer/" MAH_VERSION

struct access {
	struct file_port files;
	struct login login;
	struct tls_opts *tls; /* login.tls, with the plug-in's certificate */
	struct tls_opts *retired[RETIRED_MAX];
	size_t retired_at;
	char *token;      /* the one in use; NULL: none */
	bool wants_fresh; /* refused by the server */

	struct mono token_read; /* 0: never */

	struct credential credential; /* of the plug-in */
	bool has_credential;
	bool is_running;
	struct mono exec_started; /* 0: never */
	struct mono credential_made;
	struct mono exec_due;
	unsigned exec_errors;
	struct err exec_why;
	struct buf exec_info; /* "KUBERNETES_EXEC_INFO=..." */
	const char **exec_argv, **exec_env;

	char others[ACCESS_OTHERS_MAX][ADDRESS_BYTES];
	size_t others_count;
	char address[ADDRESS_BYTES];  /* where requests go; "": where the URL says */
	char answered[ADDRESS_BYTES]; /* where the last answer came from */
	uint32_t way;
	unsigned losses;  /* in a row, on this way */
	struct mono left; /* when the first address was left */
};

/* --- opening --- */

static char *read_line_file(const struct file_port *files, const char *path, size_t bytes_max, struct err *err)
{
	struct buf text;
	buf_init(&text, bytes_max);
	bool ok = files->read(files->ctx, path, &text, err);
	size_t n = text.n;
	while (n > 0 && (text.p[n - 1] == '\n' || text.p[n - 1] == '\r' || text.p[n - 1] == ' '))
		n--;
	char *out = ok ? xstrndup(n > 0 ? text.p : "", n) : NULL;
	if (text.p != NULL)
		explicit_bzero(text.p, text.n);
	buf_done(&text);
	return out;
}

static bool in_cluster(const struct file_port *files, const char *api_host, struct login *out, struct err *err)
{
	const char *host = files->env(files->ctx, "KUBERNETES_SERVICE_HOST");
	const char *port = files->env(files->ctx, "KUBERNETES_SERVICE_PORT");
	struct login login = { 0 };
	struct buf url;
	buf_init(&url, 512);
	bool is_v6 = strchr(host, ':') != NULL;
	if (api_host[0] != '\0')
		(void)buf_text(&url, api_host); /* checked by server_url() */
	else
		(void)buf_printf(&url, is_v6 ? "https://[%s]:%s" : "https://%s:%s", host,
				 port != NULL && port[0] != '\0' ? port : "443");
	login.server = server_url(url.is_over ? "" : buf_cstr(&url), err);
	buf_done(&url);
	if (login.server == NULL)
		return false;
	login.ns = read_line_file(files, SERVICE_ACCOUNT_DIR "namespace", 256, NULL);
	login.token_file = xstrdup(SERVICE_ACCOUNT_DIR "token");
	/* curl reads the file itself, at each connection. Where there is none, the system's CAs decide. */
	char *ca = read_line_file(files, SERVICE_ACCOUNT_DIR "ca.crt", LOGIN_PEM_BYTES_MAX, NULL);
	login.tls.ca_file = ca != NULL ? xstrdup(SERVICE_ACCOUNT_DIR "ca.crt") : NULL;
	free(ca);
	*out = login;
	return true;
}

static bool from_home(const struct file_port *files, const char *context, const char *api_host, struct login *out,
		      struct err *err)
{
	struct err why = { 0 };
	const char *home = files->env(files->ctx, "HOME");
	struct buf path;
	buf_init(&path, 4096);
	bool ok = home != NULL && home[0] != '\0' && buf_printf(&path, "%s/.kube/config", home);
	if (!ok)
		fail(&why, ERR_INPUT, "no kubeconfig is given, and this is not a pod of a cluster");
	ok = ok && kubeconfig_read(files, buf_cstr(&path), false, context, api_host, out, &why);
	buf_done(&path);
	if (ok)
		return true;
	if (api_host[0] != '\0' && why.code != ERR_INPUT) { /* no file: a server that asks for no credential */
		*out = (struct login){ .server = server_url(api_host, err) };
		return out->server != NULL;
	}
	return fail(err, why.code, "%s", why.text);
}

static bool login_find(const struct file_port *files, const char *kubeconfig, const char *context, const char *api_host,
		       struct login *out, struct err *err)
{
	const char *listed = files->env(files->ctx, "KUBECONFIG");
	const char *service = files->env(files->ctx, "KUBERNETES_SERVICE_HOST");
	if (kubeconfig != NULL && kubeconfig[0] != '\0')
		return kubeconfig_read(files, kubeconfig, strchr(kubeconfig, ':') != NULL, context, api_host, out, err);
	if (listed != NULL && listed[0] != '\0')
		return kubeconfig_read(files, listed, strchr(listed, ':') != NULL, context, api_host, out, err);
	if (service != NULL && service[0] != '\0')
		return in_cluster(files, api_host, out, err);
	return from_home(files, context, api_host, out, err);
}

static struct tls_opts *tls_copy(const struct tls_opts *from, const struct credential *credential)
{
	struct tls_opts *tls = xmalloc(sizeof *tls);
	const char *cert = credential != NULL ? credential->cert_pem : NULL;
	const char *key = cert != NULL ? credential->key_pem : NULL;
	*tls = (struct tls_opts){ .ca_pem = xstrdup(from->ca_pem),
				  .ca_file = xstrdup(from->ca_file),
				  .cert_pem = xstrdup(cert != NULL ? cert : from->cert_pem),
				  .cert_file = cert != NULL ? NULL : xstrdup(from->cert_file),
				  .key_pem = xstrdup(cert != NULL ? key : from->key_pem),
				  .key_file = cert != NULL ? NULL : xstrdup(from->key_file),
				  .server_name = xstrdup(from->server_name),
				  .proxy_url = xstrdup(from->proxy_url),
				  .is_insecure = from->is_insecure };
	return tls;
}

static void tls_free(struct tls_opts *tls)
{
	if (tls == NULL)
		return;
	if (tls->key_pem != NULL)
		explicit_bzero(tls->key_pem, strlen(tls->key_pem));
	free(tls->ca_pem);
	free(tls->ca_file);
	free(tls->cert_pem);
	free(tls->cert_file);
	free(tls->key_pem);
	free(tls->key_file);
	free(tls->server_name);
	free(tls->proxy_url);
	free(tls);
}

/* The CA as PEM for the plug-in that wants it; "" when it cannot be had: the plug-in then has to do without. */
static void exec_prepare(struct access *access)
{
	const struct login *login = &access->login;
	struct buf file;
	buf_init(&file, LOGIN_PEM_BYTES_MAX);
	struct str ca = str_of(login->tls.ca_pem);
	if (ca.n == 0 && login->exec.wants_cluster && login->tls.ca_file != NULL &&
	    access->files.read(access->files.ctx, login->tls.ca_file, &file, NULL))
		ca = buf_str(&file);
	buf_clear(&access->exec_info);
	if (!buf_text(&access->exec_info, "KUBERNETES_EXEC_INFO=") || !exec_info(login, ca, &access->exec_info))
		buf_clear(&access->exec_info); /* far beyond any sane size: without it */
	buf_done(&file);

	size_t args = 0;
	size_t envs = 0;
	while (login->exec.args[args] != NULL)
		args++;
	while (login->exec.env[envs] != NULL)
		envs++;
	access->exec_argv = xrealloc(access->exec_argv, (args + 2) * sizeof *access->exec_argv);
	access->exec_env = xrealloc(access->exec_env, (envs + 2) * sizeof *access->exec_env);
	access->exec_argv[0] = login->exec.command;
	for (size_t i = 0; i <= args; i++)
		access->exec_argv[i + 1] = login->exec.args[i];
	for (size_t i = 0; i < envs; i++)
		access->exec_env[i] = login->exec.env[i];
	access->exec_env[envs] = access->exec_info.n > 0 ? access->exec_info.p : NULL;
	access->exec_env[envs + 1] = NULL;
}

/* A plug-in is only asked when nothing else says who we are. */
static bool uses_exec(const struct access *access)
{
	const struct login *login = &access->login;
	return login->exec.api_version != NULL && login->token == NULL && login->token_file == NULL;
}

struct access *access_open(const struct file_port *files, const char *kubeconfig, const char *context,
			   const char *api_host, struct err *err)
{
	struct login login = { 0 };
	if (!login_find(files, kubeconfig, context, api_host != NULL ? api_host : "", &login, err))
		return NULL;
	struct access *access = xcalloc(1, sizeof *access);
	access->files = *files;
	access->login = login;
	access->way = 1;
	access->tls = tls_copy(&login.tls, NULL);
	buf_init(&access->exec_info, 2 * LOGIN_PEM_BYTES_MAX);
	if (login.token_file == NULL)
		access->token = xstrdup(login.token);
	return access;
}

static void token_set(struct access *access, char *token)
{
	if (access->token != NULL)
		explicit_bzero(access->token, strlen(access->token));
	free(access->token);
	access->token = token;
}

void access_free(struct access *access)
{
	if (access == NULL)
		return;
	token_set(access, NULL);
	credential_done(&access->credential);
	tls_free(access->tls);
	for (size_t i = 0; i < RETIRED_MAX; i++)
		tls_free(access->retired[i]);
	buf_done(&access->exec_info);
	free(access->exec_argv);
	free(access->exec_env);
	login_done(&access->login);
	free(access);
}

/* --- being ready --- */

static bool token_ready(struct access *access, struct now now, struct err *err)
{
	int64_t age = now.mono.ms - access->token_read.ms;
	bool is_due =
		access->token == NULL || age >= TOKEN_FILE_AGE_MS || (access->wants_fresh && age >= REFUSED_PAUSE_MS);
	if (!is_due)
		return true;
	struct err why = { 0 };
	char *token = read_line_file(&access->files, access->login.token_file, LOGIN_TOKEN_BYTES_MAX, &why);
	if (token != NULL && !token_is_sound(str_of(token))) {
		fail(&why, ERR_AUTH, "it is empty, or has spaces or control characters in it");
		free(token);
		token = NULL;
	}
	access->token_read = now.mono; /* a file that is broken now is looked at again as late as a good one */
	access->wants_fresh = false;
	if (token != NULL) {
		token_set(access, token);
		return true;
	}
	if (access->token != NULL)
		return true; /* the old one may do for a while; if not, the server says so */
	return fail(err, why.code, "reading the token file %s: %s", access->login.token_file, why.text);
}

static bool credential_is_good(const struct access *access, struct now now)
{
	if (!access->has_credential)
		return false;
	if (now.mono.ms - access->credential_made.ms < REFUSED_PAUSE_MS)
		return true; /* just made: whatever it says of itself, the next one would be no better */
	bool has_run_out =
		access->credential.expires.ms != 0 && now.wall.ms >= access->credential.expires.ms - EXEC_EARLY_MS;
	return !access->wants_fresh && !has_run_out;
}

static bool exec_ready(struct access *access, struct now now, struct proc_request *out_exec, bool *out_must_exec,
		       struct err *err)
{
	if (credential_is_good(access, now))
		return true;
	if (access->is_running && now.mono.ms - access->exec_started.ms < EXEC_LOST_MS)
		return fail(err, ERR_BUSY, "the credential plug-in %s is at work", access->login.exec.command);
	if (now.mono.ms < access->exec_due.ms)
		return fail(err, access->exec_why.code, "%s", access->exec_why.text);
	exec_prepare(access);
	access->is_running = true;
	access->exec_started = now.mono;
	*out_must_exec = true;
	*out_exec = (struct proc_request){ .argv = access->exec_argv,
					   .env = access->exec_env,
					   .timeout_ms = EXEC_TIMEOUT_MS,
					   .output_bytes_max = EXEC_OUTPUT_BYTES_MAX };
	return fail(err, ERR_BUSY, "the credential plug-in %s has to be run first", access->login.exec.command);
}

bool access_ready(struct access *access, struct now now, struct proc_request *out_exec, bool *out_must_exec,
		  struct err *err)
{
	*out_must_exec = false;
	if (access->login.token_file != NULL)
		return token_ready(access, now, err);
	if (uses_exec(access))
		return exec_ready(access, now, out_exec, out_must_exec, err);
	return true;
}

/* Requests that are under way go on with the old options: those are kept for a while. */
static void tls_replace(struct access *access)
{
	const char *cert = access->credential.cert_pem;
	const char *key = access->credential.key_pem;
	if (cert == NULL || (text_eq(cert, access->tls->cert_pem) && text_eq(key, access->tls->key_pem)))
		return;
	struct tls_opts **slot = &access->retired[access->retired_at++ % RETIRED_MAX];
	tls_free(*slot);
	*slot = access->tls;
	access->tls = tls_copy(&access->login.tls, &access->credential);
}

static bool exec_read(struct access *access, const struct proc_answer *answer, struct err *err)
{
	struct credential credential;
	if (answer->exit_code != 0 && answer->why.code != ERR_NONE)
		return fail(err, answer->why.code, "%s", answer->why.text);
	if (answer->exit_code != 0)
		return fail(err, ERR_AUTH, "exit code %d: %.*s", answer->exit_code,
			    (int)(answer->errors.n < 160 ? answer->errors.n : 160), answer->errors.p);
	if (!exec_answer_read(&access->login.exec, answer->out, &credential, err))
		return false;
	credential_done(&access->credential);
	access->credential = credential;
	return true;
}

void access_exec_heard(struct access *access, struct now now, const struct proc_answer *answer, struct err *err)
{
	struct err why = { 0 };
	access->is_running = false;
	if (exec_read(access, answer, &why)) {
		access->has_credential = true;
		access->wants_fresh = false;
		access->exec_errors = 0;
		access->credential_made = now.mono;
		token_set(access, xstrdup(access->credential.token));
		tls_replace(access);
		return;
	}
	int64_t pause = REFUSED_PAUSE_MS << (access->exec_errors < 4 ? access->exec_errors : 4);
	access->exec_errors++;
	access->exec_due.ms = now.mono.ms + (pause < EXEC_BACKOFF_MS_MAX ? pause : EXEC_BACKOFF_MS_MAX);
	fail(&access->exec_why, why.code, "credential plug-in %.80s: %s", access->login.exec.command, why.text);
	if (err != NULL)
		*err = access->exec_why;
}

void access_refused(struct access *access, struct now now)
{
	(void)now; /* how often is access_ready()'s to say */
	access->wants_fresh = true;
}

/* --- fail-over --- */

static bool address_write(const char *address, int port, char out[ADDRESS_BYTES])
{
	size_t n = strlen(address);
	const char *colon = strchr(address, ':');
	bool is_v6 = colon != NULL && strchr(colon + 1, ':') != NULL;
	const char *letters = is_v6 ? "0123456789abcdefABCDEF.:" : "0123456789.";
	if (n == 0 || n > 45 || strspn(address, letters) != n || port < 1 || port > 65535)
		return false;
	(void)snprintf(out, ADDRESS_BYTES, is_v6 ? "[%s]:%d" : "%s:%d", address, port); /* fits */
	return true;
}

/* Its place among the others; others_count: it is none of them. */
static size_t place_of(const struct access *access, const char *address)
{
	size_t i = 0;
	while (i < access->others_count && strcmp(access->others[i], address) != 0)
		i++;
	return i;
}

static void go(struct access *access, struct mono now, const char *address)
{
	if (access->address[0] == '\0')
		access->left = now;
	(void)TEXT_COPY(access->address, address);
	access->way++;
	access->way += access->way == 0;
	access->losses = 0;
}

void access_others(struct access *access, const char *const *addresses, size_t count, int port)
{
	access->others_count = 0;
	for (size_t i = 0; i < count && access->others_count < ACCESS_OTHERS_MAX; i++) {
		char *slot = access->others[access->others_count];
		if (address_write(addresses[i], port, slot) && place_of(access, slot) == access->others_count)
			access->others_count++;
	}
	/* The master that is being asked is no more: from the first again. */
	if (access->address[0] != '\0' && place_of(access, access->address) == access->others_count)
		go(access, access->left, "");
}

uint32_t access_way(const struct access *access)
{
	return access->way;
}

bool access_failed(struct access *access, struct now now, uint32_t way, bool is_urgent)
{
	if (way != access->way)
		return false;
	access->losses++;
	if (access->others_count == 0 || (access->losses < LOSSES_MAX && !is_urgent))
		return false;
	size_t next = access->address[0] != '\0' ? place_of(access, access->address) + 1 : 0;
	go(access, now.mono, next < access->others_count ? access->others[next] : "");
	return true;
}

bool access_answered(struct access *access, uint32_t way)
{
	if (way != access->way)
		return false;
	access->losses = 0;
	if (strcmp(access->answered, access->address) == 0)
		return false;
	(void)TEXT_COPY(access->answered, access->address);
	return true;
}

bool access_turn(struct access *access, struct now now)
{
	if (access->address[0] == '\0' || now.mono.ms - access->left.ms < HOME_AFTER_MS)
		return false;
	go(access, now.mono, "");
	return true;
}

const char *access_address(const struct access *access)
{
	return access->address[0] != '\0' ? access->address : access->login.server;
}

/* --- requests --- */

const char *access_server(const struct access *access)
{
	return access->login.server;
}

const char *access_token(const struct access *access)
{
	return access->token;
}

const char *access_namespace(const struct access *access)
{
	const char *ns = access->login.ns;
	return ns != NULL && ns[0] != '\0' ? ns : "kube-system";
}

void access_request(const struct access *access, struct arena *arena, const char *method, const char *path,
		    const char *accept, const char *content_type, struct str body, struct http_request *out)
{
	struct http_header *headers = arena_array(arena, struct http_header, 4);
	size_t count = 0;
	headers[count++] = (struct http_header){ "User-Agent", USER_AGENT };
	headers[count++] = (struct http_header){ "Accept", accept != NULL ? accept : "application/json" };
	if (body.n > 0)
		headers[count++] = (struct http_header){ "Content-Type",
							 content_type != NULL ? content_type : "application/json" };
	if (access->token != NULL)
		headers[count++] =
			(struct http_header){ "Authorization", arena_printf(arena, "Bearer %s", access->token) };
	*out = (struct http_request){ .method = method,
				      .url = arena_printf(arena, "%s%s", access->login.server, path),
				      .headers = headers,
				      .headers_count = count,
				      .body = body,
				      .tls = access->tls,
				      .connect_to = access->address[0] != '\0' ? access->address : NULL };
}
