/* Keystone: logins of every kind, tokens that run out or are revoked, and a catalog in no particular order. */
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

#define TOKEN_LIFE_MS HOUR
#define TOKEN_CHARACTERS 183

enum login { LOGIN_REFUSED, LOGIN_MALFORMED, LOGIN_SCOPED_APPCRED, LOGIN_OK };

const struct token *token_find(const struct world *w, struct now now, const char *id)
{
	if (id[0] == '\0')
		return NULL;
	for (size_t i = w->tokens_count; i > 0; i--) {
		const struct token *t = &w->tokens[i - 1];
		if (strcmp(t->id, id) == 0)
			return t->expires.ms > now.wall.ms ? t : NULL;
	}
	return NULL;
}

void tokens_done(struct world *w)
{
	free(w->tokens);
}

static void forget_expired(struct world *w, struct now now)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->tokens_count; i++) {
		if (w->tokens[i].expires.ms > now.wall.ms)
			w->tokens[kept++] = w->tokens[i];
	}
	w->tokens_count = kept;
	if (kept == TOKENS_MAX) {
		w->tokens_count--;
		memmove(&w->tokens[0], &w->tokens[1], w->tokens_count * sizeof(w->tokens[0]));
	}
}

static struct token *issue(struct world *w, struct now now, const struct token *like)
{
	forget_expired(w, now);
	if (w->tokens_count == w->tokens_room) {
		w->tokens_room = w->tokens_room > 0 ? w->tokens_room * 2 : 16;
		w->tokens = xrealloc(w->tokens, w->tokens_room * sizeof(w->tokens[0]));
	}
	struct token *t = &w->tokens[w->tokens_count++];
	*t = *like;
	(void)memcpy(t->id, "gAAAAAB", 7);
	for (size_t i = 7; i < TOKEN_CHARACTERS; i++)
		t->id[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[rng_below(&w->ids, 64)];
	t->id[TOKEN_CHARACTERS] = '\0';
	t->issued = now.wall;
	if (t->expires.ms == 0)
		t->expires.ms = now.wall.ms + TOKEN_LIFE_MS;
	return t;
}

/* ---- who is it? ---- */

static bool is_domain(const json_t *domain)
{
	const char *id = json_text(domain, "id");
	return text_eq(id, SIM_DOMAIN_ID) || (id == NULL && text_eq(json_text(domain, "name"), SIM_DOMAIN_NAME));
}

static bool is_user(const json_t *user, const char *id, const char *name)
{
	if (json_text(user, "id") != NULL)
		return text_eq(json_text(user, "id"), id);
	return text_eq(json_text(user, "name"), name) && is_domain(json_at(user, "domain"));
}

static enum login by_password(const json_t *identity, struct token *out, bool *out_trustee)
{
	const json_t *user = json_at(identity, "password.user");
	const char *password = json_text(user, "password");
	if (user == NULL || password == NULL || (json_text(user, "id") == NULL && json_text(user, "name") == NULL))
		return LOGIN_MALFORMED;
	out->method = "password";
	out->is_reader = is_user(user, SIM_READER_ID, SIM_READER_NAME);
	*out_trustee = is_user(user, SIM_TRUSTEE_ID, SIM_TRUSTEE_NAME);
	bool is_known = out->is_reader || *out_trustee || is_user(user, SIM_USER_ID, SIM_USER_NAME);
	return is_known && strcmp(password, SIM_PASSWORD) == 0 ? LOGIN_OK : LOGIN_REFUSED;
}

static enum login by_appcred(const json_t *identity, struct token *out)
{
	const json_t *credential = json_at(identity, "application_credential");
	const char *id = json_text(credential, "id");
	const char *secret = json_text(credential, "secret");
	if (credential == NULL || secret == NULL || (id == NULL && json_text(credential, "name") == NULL))
		return LOGIN_MALFORMED;
	bool is_known = id != NULL ? strcmp(id, SIM_APPCRED_ID) == 0
				   : text_eq(json_text(credential, "name"), SIM_APPCRED_NAME) &&
					     is_user(json_at(credential, "user"), SIM_USER_ID, SIM_USER_NAME);
	out->method = "application_credential";
	out->is_appcred = true;
	return is_known && strcmp(secret, SIM_APPCRED_SECRET) == 0 ? LOGIN_OK : LOGIN_REFUSED;
}

static enum login by_token(const struct call *c, const json_t *identity, struct token *out)
{
	const char *id = json_text(identity, "token.id");
	if (id == NULL)
		return LOGIN_MALFORMED;
	const struct token *old = token_find(c->w, c->now, id);
	if (old == NULL)
		return LOGIN_REFUSED;
	*out = *old; /* the new one ends with the old one */
	out->method = "token";
	out->is_unscoped = false;
	return LOGIN_OK;
}

static enum login check_scope(const json_t *auth, struct token *out, bool is_trustee)
{
	const json_t *scope = json_at(auth, "scope");
	if (out->is_appcred)
		return scope == NULL ? LOGIN_OK : LOGIN_SCOPED_APPCRED;
	const char *trust = json_text(json_object_get(scope, "OS-TRUST:trust"), "id");
	if (trust != NULL) {
		out->is_trust = true;
		return is_trustee && strcmp(trust, SIM_TRUST_ID) == 0 ? LOGIN_OK : LOGIN_REFUSED;
	}
	const json_t *project = json_at(scope, "project");
	out->is_unscoped = scope == NULL || json_is_string(scope);
	if (out->is_unscoped)
		return LOGIN_OK;
	if (project == NULL)
		return LOGIN_MALFORMED;
	if (is_trustee)
		return LOGIN_REFUSED; /* it has no role of its own */
	const char *id = json_text(project, "id");
	bool is_ours = id != NULL ? strcmp(id, SIM_PROJECT_ID) == 0
				  : text_eq(json_text(project, "name"), SIM_PROJECT_NAME) &&
					    is_domain(json_at(project, "domain"));
	return is_ours ? LOGIN_OK : LOGIN_REFUSED;
}

static enum login check_login(const struct call *c, const json_t *body, struct token *out)
{
	const json_t *auth = json_at(body, "auth");
	const json_t *identity = json_at(auth, "identity");
	const char *method = json_text(identity, "methods.0");
	bool is_trustee = false;
	enum login result = LOGIN_MALFORMED;
	if (text_eq(method, "password"))
		result = by_password(identity, out, &is_trustee);
	else if (text_eq(method, "application_credential"))
		result = by_appcred(identity, out);
	else if (text_eq(method, "token"))
		result = by_token(c, identity, out);
	return result == LOGIN_OK ? check_scope(auth, out, is_trustee) : result;
}

/* ---- the answer ---- */

static void endpoint_json(struct world *w, struct buf *out, const char *interface, const char *path)
{
	char id[ID_BYTES];
	make_hex(&w->ids, id, 32);
	(void)buf_printf(out,
			 "{\"id\": \"%s\", \"interface\": \"%s\", \"region_id\": \"" SIM_REGION
			 "\", \"region\": \"" SIM_REGION "\", \"url\": \"%s%s\"}",
			 id, interface, w->base_url, path);
}

static void service_json(struct world *w, struct buf *out, const char *type, const char *name, const char *path)
{
	static const char *const interfaces[] = { "public", "internal", "admin" };
	char id[ID_BYTES];
	make_hex(&w->ids, id, 32);
	(void)buf_printf(out, "{\"id\": \"%s\", \"type\": \"%s\", \"name\": \"%s\", \"endpoints\": [", id, type, name);
	size_t first = rng_below(&w->ids, COUNT(interfaces));
	for (size_t i = 0; i < COUNT(interfaces); i++) {
		if (i > 0)
			(void)buf_text(out, ", ");
		endpoint_json(w, out, interfaces[(first + i) % COUNT(interfaces)], path);
	}
	(void)buf_text(out, "]}");
}

static void catalog_json(struct world *w, struct buf *out)
{
	const struct {
		const char *type, *name, *path;
		bool is_there;
	} entries[] = {
		{ "identity", "keystone", "/identity", true },
		{ "compute", "nova", "/compute/v2.1", true },
		{ "orchestration", "heat", "/orchestration/v1/" SIM_PROJECT_ID, w->opts.with_heat },
		{ "container-infra", "magnum", "/container-infra/v1", w->opts.with_magnum },
		{ "block-storage", "cinder", "/volume/v3/" SIM_PROJECT_ID, w->opts.with_cinder },
		{ "image", "glance", "/image", true },
		{ "network", "neutron", "/networking", true },
		{ "placement", "placement", "/placement", true },
	};
	size_t first = rng_below(&w->ids, COUNT(entries));
	bool is_first = true;
	(void)buf_text(out, ", \"catalog\": [");
	for (size_t i = 0; i < COUNT(entries); i++) {
		size_t at = (first + 3 * i) % COUNT(entries); /* 3 and 8 have no common divisor: each one once */
		if (!entries[at].is_there)
			continue;
		if (!is_first)
			(void)buf_text(out, ", ");
		is_first = false;
		service_json(w, out, entries[at].type, entries[at].name, entries[at].path);
	}
	(void)buf_char(out, ']');
}

static void kind_json(struct buf *out, const struct token *t)
{
	if (t->is_appcred)
		(void)buf_text(out, ", \"application_credential\": {\"id\": \"" SIM_APPCRED_ID
				    "\", \"name\": \"" SIM_APPCRED_NAME "\", \"restricted\": true}");
	if (t->is_trust)
		(void)buf_text(out, ", \"OS-TRUST:trust\": {\"id\": \"" SIM_TRUST_ID
				    "\", \"impersonation\": true, \"trustor_user\": {\"id\": \"" SIM_USER_ID
				    "\"}, \"trustee_user\": {\"id\": \"" SIM_TRUSTEE_ID "\"}}");
}

static void token_json(struct world *w, struct buf *out, const struct token *t)
{
	static const char domain[] = "{\"id\": \"" SIM_DOMAIN_ID "\", \"name\": \"" SIM_DOMAIN_NAME "\"}";
	char text[WALL_TEXT_BYTES];
	char audit[24];
	make_hex(&w->ids, audit, 22);
	(void)buf_printf(out, "{\"token\": {\"methods\": [\"%s\"%s], \"is_domain\": false, ", t->method,
			 strcmp(t->method, "token") == 0 ? ", \"password\"" : "");
	(void)buf_printf(
		out, "\"user\": {\"id\": \"%s\", \"name\": \"%s\", \"domain\": %s, \"password_expires_at\": null}, ",
		t->is_reader ? SIM_READER_ID : SIM_USER_ID, t->is_reader ? SIM_READER_NAME : SIM_USER_NAME, domain);
	(void)buf_printf(out, "\"issued_at\": \"%s\", ", wall_format_micro(t->issued, text));
	(void)buf_printf(out, "\"expires_at\": \"%s\", \"audit_ids\": [\"%s\"]", wall_format_micro(t->expires, text),
			 audit);
	if (t->is_unscoped) {
		(void)buf_text(out, ", \"roles\": []");
	} else {
		(void)buf_printf(out, ", \"project\": {\"id\": \"%s\", \"name\": \"%s\", \"domain\": %s}",
				 SIM_PROJECT_ID, SIM_PROJECT_NAME, domain);
		(void)buf_printf(out, ", \"roles\": [%s{\"id\": \"9fe2ff9e\", \"name\": \"reader\"}]",
				 t->is_reader ? "" : "{\"id\": \"8fe2ff9e\", \"name\": \"member\"}, ");
		kind_json(out, t);
		catalog_json(w, out);
	}
	(void)buf_text(out, "}}");
}

static void login(struct call *c)
{
	CLEANUP(json_decrefp) json_t *body = call_body(c);
	struct token like = { .method = "password" };
	enum login result = body != NULL ? check_login(c, body, &like) : LOGIN_MALFORMED;
	switch (result) {
	case LOGIN_REFUSED:
		unauthorized(c->out);
		break;
	case LOGIN_SCOPED_APPCRED:
		call_error(c, 401, "Application credentials cannot request a scope.");
		(void)buf_text(&c->out->headers, "www-authenticate: Keystone uri=\"/identity\"\n");
		break;
	case LOGIN_MALFORMED:
		call_error(
			c, 400,
			"Expecting to find identity in auth. The server could not comply with the request since it is "
			"either malformed or otherwise incorrect. The client is assumed to be in error. Failed "
			"validating "
			"'required' in schema: {'type': 'object', 'properties': {'identity': {'type': 'object', "
			"'properties': {'methods': {'type': 'array', 'items': {'type': 'string'}}, 'password': {}, "
			"'token': "
			"{}}}}}");
		break;
	case LOGIN_OK: {
		const struct token *t = issue(c->w, c->now, &like);
		token_json(c->w, &c->out->body, t);
		answer_json(c->out, 201);
		(void)buf_printf(&c->out->headers, "x-subject-token: %s\nvary: X-Auth-Token\n", t->id);
		break;
	}
	}
}

static const struct token *subject(struct call *c)
{
	if (token_find(c->w, c->now, request_header(c->req, "x-auth-token")) == NULL) {
		unauthorized(c->out);
		return NULL;
	}
	const struct token *t = token_find(c->w, c->now, request_header(c->req, "x-subject-token"));
	if (t == NULL)
		call_error(c, 404, "This is not a recognized Fernet token.");
	return t;
}

static void revoke(struct call *c)
{
	const struct token *t = subject(c);
	if (t == NULL)
		return;
	struct world *w = c->w;
	size_t at = (size_t)(t - w->tokens);
	w->tokens_count--;
	memmove(&w->tokens[at], &w->tokens[at + 1], (w->tokens_count - at) * sizeof(w->tokens[0]));
	c->out->status = 204;
}

bool keystone_http(struct call *c)
{
	if (c->count >= 1 && strcmp(c->seg[0], "v3") != 0)
		return false;
	if (call_is(c, "GET", 0) || call_is(c, "GET", 1)) {
		(void)buf_printf(&c->out->body,
				 "{\"version\": {\"id\": \"v3.14\", \"status\": \"stable\", \"links\": [{\"rel\": "
				 "\"self\", \"href\": "
				 "\"%s/identity/v3/\"}]}}",
				 c->w->base_url);
		answer_json(c->out, 200);
		return true;
	}
	if (c->count != 3 || strcmp(c->seg[1], "auth") != 0 || strcmp(c->seg[2], "tokens") != 0)
		return false;
	if (call_is(c, "POST", 3)) {
		login(c);
	} else if (call_is(c, "DELETE", 3)) {
		revoke(c);
	} else if (call_is(c, "GET", 3)) {
		const struct token *t = subject(c);
		if (t != NULL) {
			token_json(c->w, &c->out->body, t);
			answer_json(c->out, 200);
		}
	} else {
		call_error(c, 405, "The method is not allowed for the requested URL.");
	}
	return true;
}
