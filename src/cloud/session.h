/* A session with an OpenStack cloud: logs in to Keystone v3 when needed, keeps the token and the catalog, and turns an
 * ask {service, method, path, body} into an HTTP request. Pure: the caller carries requests and answers.
 *
 *   [logged out] ──session_request: NEED_LOGIN──▶ [logging in] ──201──▶ [logged in] ──401 / expiry near──▶ [logged out]
 *                                                     └── refused / no answer ──▶ back-off, the error is kept
 */
#ifndef MAH_CLOUD_SESSION_H
#define MAH_CLOUD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http.h"
#include "base/mem.h"
#include "base/port.h"
#include "base/rand.h"
#include "base/time.h"
#include "conf/conf.h"
#include "core/ask.h"

struct session;

/* conf: already completed by conf_clouds(). Checks that the credentials are of one known kind (password by id or by
 * name and domain, application credential by id or by name and user, trust, token), with one clear sentence if not. */
struct session *session_new(const struct conf_openstack *, struct err *err);
void session_free(struct session *);

enum session_state {
	SESSION_READY,   /* *out is the request: send it */
	SESSION_LOGIN,   /* *out is the login request: send it, give the answer to session_login_heard(), then ask again
			  */
	SESSION_WAIT,    /* a login is under way, or its back-off: ask again later (see session_due) */
	SESSION_REFUSED, /* cannot be asked: err says why (service not in the catalog for this region and interface) */
};
enum session_state session_request(struct session *, struct now, struct rng *, const struct ask *, struct arena *,
				   struct http_request *out, struct err *err);
void session_login_heard(struct session *, struct now, struct rng *, const struct http_answer *);
struct mono session_due(const struct session *);

/* Every answer to a request of this session passes here first. True: it was a 401 with a token that is now thrown away;
 * ask once more (at most one re-login for one ask: the caller counts). A 406 lowers the service's microversion (Magnum:
 * 1.10, 1.9, 1.7) and is also worth asking again. */
bool session_heard(struct session *, const struct ask *, const struct http_answer *);

/* Path of an absolute URL (Location, link) below the service's endpoint; NULL when it belongs elsewhere. In the arena.
 */
const char *session_relative(const struct session *, enum service, const char *url, struct arena *);
bool session_has_service(const struct session *, enum service); /* false also before the first login */
const char *session_trouble(const struct session *);            /* "" or why the last login failed */

#endif
