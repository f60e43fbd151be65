/* The session: token, catalog and dialect of each service; see session.h for the drawing. */
#include "cloud/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/str.h"
#include "cloud/catalog.h"
#include "cloud/keystone.h"

#define RENEW_BEFORE_MS (5 * MINUTE)
#define BACKOFF_FIRST_MS SEC
#define BACKOFF_MAX_MS (60 * SEC)
#define LOGIN_TIMEOUT_MS (30 * SEC)
#define LOGIN_LOST_MS (90 * SEC)            /* an answer that is never delivered must not stop the session for ever */
#define ASK_TIMEOUT_MS (60 * SEC)           /* Heat takes seconds, Nova's full listing too */
#define LOGIN_BYTES_MAX (2 * 1024 * 1024)   /* a catalog of a thousand endpoints is below 1 MiB */
#define ANSWER_BYTES_MAX (32 * 1024 * 1024) /* a thousand servers in full detail: 3-5 MiB */
#define HEADERS_MAX 6
#define USER_AGENT "magnum-auto-healer/" MAH_VERSION

/* Versions to try after each other when a service answers 406. The first is the one that core/ask.h names. Nova:
 * `locked` needs 2.9. Magnum: node groups need 1.9, resize 1.7; from 1.13 on clusters have no stack_id. */
#define VERSIONS_MAX 3
static const char *const versions[SERVICES_COUNT][VERSIONS_MAX] = {
	[SERVICE_COMPUTE] = { "compute 2.79", "compute 2.9", "compute 2.1" },
	[SERVICE_CLUSTER] = { "container-infra 1.10", "container-infra 1.9", "container-infra 1.7" },
};

#define AS_TYPES(id, name, types, header, version) [id] = types,
#define AS_HEADER(id, name, types, header, version) [id] = header,
static const char *const service_types[SERVICES_COUNT] = { SERVICES(AS_TYPES) };
static const char *const service_headers[SERVICES_COUNT] = { SERVICES(AS_HEADER) };

struct session {
	char *login_url;
	char *login_body; /* has the secret */
	char *interface;
	char *region;
	struct tls_opts tls;
	enum login_kind kind;

	struct login login;  /* token NULL: logged out; the catalog is kept */
	struct mono renew;   /* from here on a new token is wanted ... */
	struct mono expires; /* ... and from here on the old one is worth nothing */

	bool is_logging_in;
	struct mono login_sent;
	struct mono login_due; /* not before */
	unsigned failures;     /* logins in a row */
	unsigned refused;      /* fresh tokens in a row that a service did not take */
	struct err trouble;

	size_t level[SERVICES_COUNT]; /* index into versions[] */
};

static char *interface_of(const char *type)
{
	if (type == NULL || type[0] == '\0')
		return xstrdup("public");
	size_t n = strlen(type);
	return xstrndup(type, n > 3 && strcmp(type + n - 3, "URL") == 0 ? n - 3 : n);
}

static char *file_of(const char *path)
{
	return path != NULL && path[0] != '\0' ? xstrdup(path) : NULL;
}

struct session *session_new(const struct conf_openstack *os, struct err *err)
{
	enum login_kind kind;
	char *url = keystone_login_url(os->auth_url, err);
	if (url == NULL || !keystone_kind(os, &kind, err)) {
		free(url);
		return NULL;
	}
	struct session *s = xcalloc(1, sizeof *s);
	s->login_url = url;
	s->login_body = keystone_login_body(os, kind);
	s->kind = kind;
	s->interface = interface_of(os->os_endpoint_type);
	s->region = xstrdup(os->region != NULL ? os->region : "");
	s->tls = (struct tls_opts){
		.ca_file = file_of(os->ca_file),
		.cert_file = file_of(os->cert_file),
		.key_file = file_of(os->key_file),
		.is_insecure = os->is_tls_insecure,
	};
	return s;
}

static void forget_token(struct session *s)
{
	if (s->login.token != NULL)
		explicit_bzero(s->login.token, strlen(s->login.token));
	free(steal(s->login.token));
}

void session_free(struct session *s)
{
	if (s == NULL)
		return;
	keystone_login_done(&s->login);
	if (s->login_body != NULL)
		explicit_bzero(s->login_body, strlen(s->login_body));
	free(s->login_url);
	free(s->login_body);
	free(s->interface);
	free(s->region);
	free(s->tls.ca_file);
	free(s->tls.cert_file);
	free(s->tls.key_file);
	free(s);
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static void add_header(struct http_request *request, const char *name, const char *value)
{
	struct http_header *headers = (struct http_header *)request->headers;
	if (request->headers_count < HEADERS_MAX)
		headers[request->headers_count++] = (struct http_header){ name, value };
}

static struct http_request request_of(struct arena *arena, const char *method, const char *url, const char *body)
{
	struct http_request request = {
		.method = method,
		.url = url,
		.headers = arena_array(arena, struct http_header, HEADERS_MAX),
		.body = str_of(body),
	};
	add_header(&request, "Accept", "application/json");
	add_header(&request, "User-Agent", USER_AGENT);
	return request;
}

static enum session_state login(struct session *s, struct now now, struct arena *arena, struct http_request *out)
{
	s->is_logging_in = true;
	s->login_sent = now.mono;
	*out = request_of(arena, "POST", s->login_url, s->login_body);
	add_header(out, "Content-Type", "application/json");
	out->tls = &s->tls;
	out->timeout_ms = LOGIN_TIMEOUT_MS;
	out->answer_bytes_max = LOGIN_BYTES_MAX;
	return SESSION_LOGIN;
}

static void send(const struct session *s, const struct ask *ask, const char *url, struct arena *arena,
		 struct http_request *out)
{
	*out = request_of(arena, ask->method, arena_printf(arena, "%s%s", url, ask->path), ask->body);
	add_header(out, "X-Auth-Token", arena_strdup(arena, s->login.token));
	if (service_headers[ask->service] != NULL)
		add_header(out, service_headers[ask->service], versions[ask->service][s->level[ask->service]]);
	if (ask->body != NULL)
		add_header(out, "Content-Type", ask->content_type != NULL ? ask->content_type : "application/json");
	out->tls = &s->tls;
	out->timeout_ms = ask->timeout_ms > 0 ? ask->timeout_ms : ASK_TIMEOUT_MS;
	out->answer_bytes_max = ANSWER_BYTES_MAX;
	out->is_once = ask->is_act;
}

static bool path_is_sane(const char *path)
{
	if (path == NULL || path[0] != '/')
		return false;
	for (const char *c = path; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~' || *c == '#')
			return false;
	}
	return true;
}

static bool is_login_wanted(const struct session *s, struct mono now)
{
	return s->login.token == NULL || now.ms >= s->renew.ms;
}

enum session_state session_request(struct session *s, struct now now, struct rng *rng, const struct ask *ask,
				   struct arena *arena, struct http_request *out, struct err *err)
{
	(void)rng; /* the jitter is in the back-off: session_login_heard() */
	if (!path_is_sane(ask->path)) {
		fail(err, ERR_INPUT, "not a path below a service: \"%.80s\"", ask->path != NULL ? ask->path : "");
		return SESSION_REFUSED;
	}
	if (s->is_logging_in && now.mono.ms - s->login_sent.ms > LOGIN_LOST_MS)
		s->is_logging_in = false;
	if (s->login.token != NULL && now.mono.ms >= s->expires.ms)
		forget_token(s);
	if (is_login_wanted(s, now.mono) && !s->is_logging_in && now.mono.ms >= s->login_due.ms)
		return login(s, now, arena, out);
	if (s->login.token == NULL)
		return SESSION_WAIT;
	/* While a renewal is under way or has failed, the old token still serves. */
	const char *url = catalog_find(s->login.catalog, service_types[ask->service], s->interface, s->region, err);
	if (url == NULL)
		return SESSION_REFUSED;
	send(s, ask, url, arena, out);
	return SESSION_READY;
}

struct mono session_due(const struct session *s)
{
	if (s->is_logging_in)
		return (struct mono){ s->login_sent.ms + LOGIN_LOST_MS + 1 };
	return s->login.token == NULL ? s->login_due : (struct mono){ 0 };
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

/* Half of it fixed, half of it random, so that many healers do not come back together. */
static int64_t backoff_ms(unsigned failures, struct rng *rng)
{
	int64_t ms = BACKOFF_FIRST_MS;
	for (unsigned i = 1; i < failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
	return ms / 2 + (int64_t)rng_below(rng, (uint64_t)ms / 2 + 1);
}

void session_login_heard(struct session *s, struct now now, struct rng *rng, const struct http_answer *answer)
{
	struct login got;
	s->is_logging_in = false;
	if (!keystone_read(answer, now.wall, s->kind, &got, &s->trouble)) {
		s->failures++;
		int64_t pause_ms = backoff_ms(s->failures, rng);
		int64_t asked_ms = answer->status != 0 ? http_retry_after_ms(answer) : -1;
		s->login_due.ms = now.mono.ms + (asked_ms > pause_ms ? asked_ms : pause_ms);
		return;
	}
	keystone_login_done(&s->login);
	s->login = got;
	int64_t margin_ms = got.lifetime_ms / 5 < RENEW_BEFORE_MS ? got.lifetime_ms / 5 : RENEW_BEFORE_MS;
	s->renew.ms = now.mono.ms + got.lifetime_ms - margin_ms;
	s->expires.ms = now.mono.ms + got.lifetime_ms;
	s->failures = 0;
	s->trouble = (struct err){ 0 };
	/* A service that takes no token at all must not become a login storm. */
	s->login_due.ms = now.mono.ms + (s->refused > 1 ? backoff_ms(s->refused, rng) : 0);
}

/* "2.103" → 2103 and "1.9" → 1009: comparable. -1: not a version. */
static int version_number(struct str text)
{
	int parts[2] = { 0, 0 };
	int at = 0;
	bool has_digit = false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '.' && at == 0 && has_digit)
			at = 1;
		else if (c >= '0' && c <= '9' && parts[at] < 999)
			parts[at] = parts[at] * 10 + (c - '0');
		else
			break;
		has_digit = true;
	}
	return at == 1 ? parts[0] * 1000 + parts[1] % 1000 : -1;
}

static struct str last_word(struct str text)
{
	size_t from = text.n;
	while (from > 0 && text.p[from - 1] != ' ')
		from--;
	return (struct str){ text.p + from, text.n - from };
}

/* The highest version that the service says it has; -1 when it does not say. */
static int version_max(const struct http_answer *answer)
{
	static const char *const marks[] = { "\"max_version\": \"", "\"max_version\":\"", "maximum is " };
	struct str header = http_header(answer, "openstack-api-maximum-version");
	if (header.n > 0)
		return version_number(last_word(header));
	for (size_t i = 0; i < COUNT(marks) && answer->body.n > 0; i++) {
		const char *at = memmem(answer->body.p, answer->body.n, marks[i], strlen(marks[i]));
		if (at != NULL) {
			at += strlen(marks[i]);
			return version_number((struct str){ at, (size_t)(answer->body.p + answer->body.n - at) });
		}
	}
	return -1;
}

/* True: the same ask is worth sending again in the (now) lower version. Several answers to requests in the higher
 * version may come after each other: what the service says it has keeps the later ones from lowering it further. */
static bool lower_version(struct session *s, enum service service, const struct http_answer *answer)
{
	int max = version_max(answer);
	size_t level = s->level[service];
	if (versions[service][level] == NULL)
		return false;
	if (max >= 0 && level > 0 && version_number(last_word(str_of(versions[service][level]))) <= max)
		return true;
	do {
		if (level + 1 >= VERSIONS_MAX || versions[service][level + 1] == NULL)
			return false;
		level++;
	} while (version_number(last_word(str_of(versions[service][level]))) > max && max >= 0);
	s->level[service] = level;
	return true;
}

bool session_heard(struct session *s, const struct ask *ask, const struct http_answer *answer)
{
	if (answer->status == 406)
		return lower_version(s, ask->service, answer);
	if (answer->status != 401) {
		s->refused = answer->status == 0 ? s->refused : 0;
		return false;
	}
	if (s->login.token != NULL) {
		forget_token(s);
		s->refused++;
	}
	return true;
}

/* ---- views ----------------------------------------------------------------------------------------------------- */

const char *session_relative(const struct session *s, enum service service, const char *url, struct arena *arena)
{
	if (s->login.catalog == NULL || url == NULL)
		return NULL;
	const char *base = catalog_find(s->login.catalog, service_types[service], s->interface, s->region, NULL);
	if (base == NULL || !text_starts(url, base) || url[strlen(base)] != '/')
		return NULL;
	const char *path = url + strlen(base);
	return path_is_sane(path) ? arena_strdup(arena, path) : NULL;
}

bool session_has_service(const struct session *s, enum service service)
{
	return s->login.catalog != NULL &&
	       catalog_find(s->login.catalog, service_types[service], s->interface, s->region, NULL) != NULL;
}

const char *session_trouble(const struct session *s)
{
	return s->trouble.text;
}
