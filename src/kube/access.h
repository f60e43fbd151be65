/* How to reach the API server and who we are to it: a kubeconfig, or the pod's service account. Builds requests. */
#ifndef MAH_KUBE_ACCESS_H
#define MAH_KUBE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http.h"
#include "base/mem.h"
#include "base/port.h"
#include "base/time.h"

struct access;

/* kubeconfig: a path or a colon list ("" or NULL: $KUBECONFIG; else in-cluster when KUBERNETES_SERVICE_HOST is set;
 * else
 * ~/.kube/config). context: NULL for the current one. api_host, when not "": overrides the server's URL. Errors name
 * file, line and column. */
struct access *access_open(const struct file_port *, const char *kubeconfig, const char *context, const char *api_host,
			   struct err *err);
void access_free(struct access *);

/* Before each request. Re-reads token files at most once a minute (and right after access_refused()). An exec plug-in
 * whose credential is missing or has run out: false with *out_exec set; run it, give its answer to access_exec_heard(),
 * try again. out_exec's pointers live until the next such answer. While a plug-in runs, and for a pause after it
 * failed: false without *out_must_exec (which is always written); the request has to wait. */
bool access_ready(struct access *, struct now, struct proc_request *out_exec, bool *out_must_exec, struct err *err);
/* err: written only when the plug-in gave no credential. */
void access_exec_heard(struct access *, struct now, const struct proc_answer *, struct err *err);
/* The server answered 401: the credential is read anew before the next request, at most once in 5 s. */
void access_refused(struct access *, struct now);

/* ---- fail-over ----
 * Where the API server is asked when it does not answer under the address of the URL: the masters themselves. URL, Host
 * and the name that is verified stay what they are; only the connection goes elsewhere (http_request.connect_to), so
 * that a master is believed only with a certificate for the very name that we were given.
 *
 *   0 (the URL's own) ──fails──▶ 1 ──fails──▶ 2 ─ … ─▶ 0       from any: back to 0 after 5 min, to see whether it is
 * well
 *
 * Nothing is ever sent again by this: only requests that leave later take the new way. */
#define ACCESS_OTHERS_MAX 9 /* masters; more are left out */
/* The masters' addresses (IPv4 or IPv6, without brackets) as last seen; remembered while nothing can be seen. What is
 * not an address is left out. Copied. */
void access_others(struct access *, const char *const *addresses, size_t count, int port);
/* Number of the present way, never 0 and never the same again after a change: belongs to each request made now. */
uint32_t access_way(const struct access *);
/* A request that took that way brought no answer of a working API server (none at all, or 5xx). Two in a row, or an
 * urgent one (the Lease's: its deadline is running), and the next address is tried. Of another way than the present
 * one: old news, nothing happens. True: there is a new way now. */
bool access_failed(struct access *, struct now, uint32_t way, bool is_urgent);
/* It was answered: true when this is the first answer from another address than the last answer was. */
bool access_answered(struct access *, uint32_t way);
/* Before requests are made: goes back to the first address when it is time. True: there is a new way now. */
bool access_turn(struct access *, struct now);
/* Where requests go now: "10.0.0.5:6443", or the URL's own "https://...". */
const char *access_address(const struct access *);

const char *access_server(const struct access *); /* "https://10.254.0.1:443" without trailing slash */
/* The bearer token in use, as requests carry it; NULL: we show a certificate, or have no credential yet. Valid until
 * the next access_ready(). */
const char *access_token(const struct access *);
const char *access_namespace(const struct access *); /* of the service account or context; "kube-system" otherwise */

/* A request ready to leave, in the arena: URL, Authorization, User-Agent "magnum-auto-healer/VERSION", Accept (NULL:
 * application/json), Content-Type (NULL with a body: application/json). Timeouts are the caller's to set. */
void access_request(const struct access *, struct arena *, const char *method, const char *path, const char *accept,
		    const char *content_type, struct str body, struct http_request *out);

#endif
