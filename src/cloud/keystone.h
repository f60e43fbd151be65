/* Keystone v3: what to send to log in, and what comes back. Pure. No error text ever holds a secret. */
#ifndef MAH_CLOUD_KEYSTONE_H
#define MAH_CLOUD_KEYSTONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http.h"
#include "base/time.h"
#include "cloud/catalog.h"
#include "conf/conf.h"

enum login_kind { LOGIN_PASSWORD, LOGIN_TRUST, LOGIN_TOKEN, LOGIN_APPCRED };

/* Which kind of credentials these are, checked to be complete. As in the reference a trust comes first, then a
 * password, a token, an application credential. */
bool keystone_kind(const struct conf_openstack *, enum login_kind *out, struct err *err);
/* .../v3/auth/tokens, from an auth-url with or without /v3 and trailing slashes. NULL: err. The caller's. */
char *keystone_login_url(const char *auth_url, struct err *err);
/* The request's body; has the secret in it. The caller's. */
char *keystone_login_body(const struct conf_openstack *, enum login_kind);

struct login {
	char *token;
	int64_t lifetime_ms; /* at least a minute */
	struct catalog *catalog;
};
bool keystone_read(const struct http_answer *, struct wall now, enum login_kind, struct login *out, struct err *err);
void keystone_login_done(struct login *);

#endif
