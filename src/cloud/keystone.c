/* Logging in to Keystone v3. */
#include "cloud/keystone.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "base/str.h"

#define BODY_BYTES_MAX 65536
#define TOKEN_BYTES_MAX 4096 /* Fernet tokens are 190 or so, JWS tokens below 1000 */
#define LIFETIME_MIN_MS MINUTE
#define LIFETIME_DEFAULT_MS HOUR

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0'; /* Magnum's manifests write `trust-id:` with nothing after it */
}

static const char *first_set(const char *a, const char *b)
{
	return is_set(a) ? a : is_set(b) ? b : "";
}

/* ---- which credentials ----------------------------------------------------------------------------------------- */

static bool has_user(const struct conf_openstack *os, bool is_trust)
{
	return is_set(os->user_id) || is_set(os->username) || (is_trust && is_set(os->trustee_id));
}

static bool has_user_domain(const struct conf_openstack *os)
{
	return is_set(os->user_domain_id) || is_set(os->user_domain_name) || is_set(os->domain_id) ||
	       is_set(os->domain_name);
}

static bool check_user(const struct conf_openstack *os, bool is_trust, struct err *err)
{
	if (!has_user(os, is_trust))
		return fail(err, ERR_INPUT, "openstack: a password needs a user: set user-id or username");
	bool is_by_name = !is_set(os->user_id) && !(is_trust && is_set(os->trustee_id));
	if (is_by_name && !has_user_domain(os))
		return fail(err, ERR_INPUT,
			    "openstack: a username needs a domain: set user-domain-name or domain-name");
	return true;
}

static bool check_project(const struct conf_openstack *os, struct err *err)
{
	bool has_domain = has_user_domain(os) || is_set(os->project_domain_id) || is_set(os->project_domain_name);
	if (!is_set(os->project_id) && is_set(os->project_name) && !has_domain)
		return fail(err, ERR_INPUT,
			    "openstack: a project-name needs a domain: set project-domain-name or project-id");
	return true;
}

static bool check_appcred(const struct conf_openstack *os, struct err *err)
{
	if (!is_set(os->application_credential_secret))
		return fail(err, ERR_INPUT,
			    "openstack: the application credential has no application-credential-secret");
	if (is_set(os->application_credential_id))
		return true;
	if (!has_user(os, false))
		return fail(err, ERR_INPUT,
			    "openstack: an application credential by name needs its user: set user-id or username");
	if (!is_set(os->user_id) && !has_user_domain(os))
		return fail(err, ERR_INPUT,
			    "openstack: a username needs a domain: set user-domain-name or domain-name");
	return true;
}

bool keystone_kind(const struct conf_openstack *os, enum login_kind *out, struct err *err)
{
	bool has_password = is_set(os->password) || (is_set(os->trust_id) && is_set(os->trustee_password));
	bool has_appcred = is_set(os->application_credential_id) || is_set(os->application_credential_name);
	if (is_set(os->trust_id)) {
		if (!has_password)
			return fail(err, ERR_INPUT, "openstack: trust-id needs the trustee's password");
		*out = LOGIN_TRUST;
		return check_user(os, true, err);
	}
	if (has_password) {
		*out = LOGIN_PASSWORD;
		return check_user(os, false, err) && check_project(os, err);
	}
	if (is_set(os->token)) {
		*out = LOGIN_TOKEN;
		return check_project(os, err);
	}
	if (has_appcred) {
		*out = LOGIN_APPCRED;
		return check_appcred(os, err);
	}
	return fail(err, ERR_INPUT,
		    "openstack: no credentials: set password, trust-id, token or an application credential%s",
		    has_user(os, false) ? " (there is a user without a password)" : "");
}

char *keystone_login_url(const char *auth_url, struct err *err)
{
	if (!is_set(auth_url)) {
		fail(err, ERR_INPUT, "openstack: auth-url is missing");
		return NULL;
	}
	if (!url_is_sane(auth_url) || strpbrk(auth_url, "?#") != NULL) {
		fail(err, ERR_INPUT, "openstack: auth-url is not an http or https URL without user, query and spaces");
		return NULL;
	}
	size_t n = strlen(auth_url);
	while (auth_url[n - 1] == '/')
		n--;
	if (n > 5 && strncmp(auth_url + n - 5, "/v2.0", 5) == 0) {
		fail(err, ERR_INPUT, "openstack: auth-url names Keystone v2.0, which no longer exists: use /v3");
		return NULL;
	}
	if (n > 3 && strncmp(auth_url + n - 3, "/v3", 3) == 0)
		n -= 3;
	struct buf url;
	buf_init(&url, BODY_BYTES_MAX);
	(void)(buf_add(&url, auth_url, n) && buf_text(&url, "/v3/auth/tokens"));
	return url.p;
}

/* ---- the body; it fits, because every part comes from a bounded configuration ---------------------------------- */

static void add_field(struct buf *b, const char *key, const char *value)
{
	(void)(buf_json(b, key) && buf_char(b, ':') && buf_json(b, value));
}

/* ,"domain":{...} */
static void add_domain(struct buf *b, const char *id, const char *name)
{
	(void)buf_text(b, ",\"domain\":{");
	add_field(b, is_set(id) ? "id" : "name", is_set(id) ? id : name);
	(void)buf_char(b, '}');
}

static void add_user(struct buf *b, const struct conf_openstack *os, bool is_trust, const char *password)
{
	const char *id = is_trust ? first_set(os->trustee_id, os->user_id) : first_set(os->user_id, NULL);
	(void)buf_text(b, "\"user\":{");
	if (is_set(id)) {
		add_field(b, "id", id);
	} else {
		add_field(b, "name", os->username);
		bool is_special = is_set(os->user_domain_id) || is_set(os->user_domain_name);
		add_domain(b, is_special ? os->user_domain_id : os->domain_id,
			   is_special ? os->user_domain_name : os->domain_name);
	}
	if (password != NULL) {
		(void)buf_char(b, ',');
		add_field(b, "password", password);
	}
	(void)buf_char(b, '}');
}

static void add_project(struct buf *b, const struct conf_openstack *os)
{
	if (!is_set(os->project_id) && !is_set(os->project_name))
		return; /* Keystone takes the user's default project, if there is one */
	(void)buf_text(b, ",\"scope\":{\"project\":{");
	if (is_set(os->project_id)) {
		add_field(b, "id", os->project_id);
	} else {
		add_field(b, "name", os->project_name);
		bool is_special = is_set(os->project_domain_id) || is_set(os->project_domain_name);
		bool is_plain = is_set(os->domain_id) || is_set(os->domain_name);
		add_domain(b,
			   is_special ? os->project_domain_id
			   : is_plain ? os->domain_id
				      : os->user_domain_id,
			   is_special ? os->project_domain_name
			   : is_plain ? os->domain_name
				      : os->user_domain_name);
	}
	(void)buf_text(b, "}}");
}

static void add_appcred(struct buf *b, const struct conf_openstack *os)
{
	(void)buf_text(b, "\"application_credential\":{");
	if (is_set(os->application_credential_id)) {
		add_field(b, "id", os->application_credential_id);
	} else {
		add_field(b, "name", os->application_credential_name);
		(void)buf_char(b, ',');
		add_user(b, os, false, NULL);
	}
	(void)buf_char(b, ',');
	add_field(b, "secret", os->application_credential_secret);
	(void)buf_char(b, '}');
}

static void add_password(struct buf *b, const struct conf_openstack *os, bool is_trust)
{
	(void)buf_text(b, "\"password\":{");
	add_user(b, os, is_trust, is_trust ? first_set(os->trustee_password, os->password) : os->password);
	(void)buf_char(b, '}');
}

char *keystone_login_body(const struct conf_openstack *os, enum login_kind kind)
{
	static const char *const methods[] = { "password", "password", "token", "application_credential" };
	struct buf b;
	buf_init(&b, BODY_BYTES_MAX);
	(void)buf_printf(&b, "{\"auth\":{\"identity\":{\"methods\":[\"%s\"],", methods[kind]);
	switch (kind) {
	case LOGIN_PASSWORD:
	case LOGIN_TRUST:
		add_password(&b, os, kind == LOGIN_TRUST);
		break;
	case LOGIN_TOKEN:
		(void)buf_text(&b, "\"token\":{");
		add_field(&b, "id", os->token);
		(void)buf_char(&b, '}');
		break;
	case LOGIN_APPCRED:
		add_appcred(&b, os);
		break;
	}
	(void)buf_char(&b, '}');
	if (kind == LOGIN_TRUST) {
		(void)buf_text(&b, ",\"scope\":{\"OS-TRUST:trust\":{");
		add_field(&b, "id", os->trust_id);
		(void)buf_text(&b, "}}");
	} else if (kind != LOGIN_APPCRED) { /* an application credential with a scope is refused */
		add_project(&b, os);
	}
	(void)buf_text(&b, "}}");
	return b.p;
}

/* ---- the answer ------------------------------------------------------------------------------------------------ */

/* Keystone says the same for all of these, deliberately. */
static const char *hint(enum login_kind kind)
{
	switch (kind) {
	case LOGIN_PASSWORD:
		return "a wrong user or password, or the user has no role in the project";
	case LOGIN_TRUST:
		return "a wrong trustee or password, or a trust that does not exist (any more)";
	case LOGIN_TOKEN:
		return "the token has run out or was revoked";
	case LOGIN_APPCRED:
		return "a wrong application credential or secret, or it was deleted or has expired";
	}
	return "";
}

/* The answer's own text is never repeated: Keystone quotes the request in it. */
static bool refuse(const struct http_answer *answer, enum login_kind kind, struct err *err)
{
	int status = answer->status;
	if (status == 0)
		return fail(err, answer->why.code == ERR_NONE ? ERR_NETWORK : answer->why.code,
			    "Keystone does not answer: %s", answer->why.text);
	if (status == 401)
		return fail(err, ERR_AUTH, "Keystone refuses the login (401); it does not say why: %s", hint(kind));
	if (status == 400 || status == 403)
		return fail(err, ERR_AUTH, "Keystone refuses the login (%d): check user, project and domain", status);
	if (status == 404 || (status >= 300 && status < 400))
		return fail(err, ERR_REMOTE, "no Keystone v3 at auth-url: HTTP %d", status);
	if (status == 429 || status == 503)
		return fail(err, ERR_BUSY, "Keystone is busy: HTTP %d", status);
	return fail(err, ERR_REMOTE, "Keystone fails: HTTP %d", status);
}

static bool token_is_sane(struct str token)
{
	if (token.n == 0 || token.n > TOKEN_BYTES_MAX)
		return false;
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] <= ' ' || token.p[i] > '~')
			return false;
	}
	return true;
}

/* From the server's own two times, so that our clock does not matter. A token made from a token carries the expiry of
 * the first one. */
static int64_t lifetime_ms(const json_t *json, struct wall now)
{
	struct wall issued;
	struct wall expires;
	if (!wall_parse(str_of(json_text(json, "token.expires_at")), &expires))
		return LIFETIME_DEFAULT_MS;
	if (!wall_parse(str_of(json_text(json, "token.issued_at")), &issued))
		issued = now;
	int64_t ms = expires.ms - issued.ms;
	return ms < LIFETIME_MIN_MS ? LIFETIME_MIN_MS : ms;
}

static void json_drop(json_t **json)
{
	json_decref(*json);
}

bool keystone_read(const struct http_answer *answer, struct wall now, enum login_kind kind, struct login *out,
		   struct err *err)
{
	if (answer->status != 201 && answer->status != 200)
		return refuse(answer, kind, err);
	struct str token = http_header(answer, "x-subject-token");
	CLEANUP(json_drop) json_t *json = json_parse(answer->body, NULL);
	if (!json_is_object(json_at(json, "token")) || !token_is_sane(token))
		return fail(err, ERR_REMOTE, "the answer to the login is not Keystone's: is auth-url right?");
	struct catalog *catalog = catalog_read(json_at(json, "token.catalog"));
	if (catalog->count == 0) {
		catalog_free(catalog);
		return fail(err, ERR_AUTH, "Keystone gave a token without a catalog: the credentials name no project");
	}
	*out = (struct login){
		.token = xstrndup(token.p, token.n),
		.lifetime_ms = lifetime_ms(json, now),
		.catalog = catalog,
	};
	return true;
}

void keystone_login_done(struct login *login)
{
	if (login->token != NULL)
		explicit_bzero(login->token, strlen(login->token));
	free(login->token);
	catalog_free(login->catalog);
	*login = (struct login){ 0 };
}
