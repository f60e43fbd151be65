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

const char *access_server(const struct access *);    /* "https://10.254.0.1:443" without trailing slash */
const char *access_namespace(const struct access *); /* of the service account or context; "kube-system" otherwise */

/* A request ready to leave, in the arena: URL, Authorization, User-Agent "magnum-auto-healer/VERSION", Accept (NULL:
 * application/json), Content-Type (NULL with a body: application/json). Timeouts are the caller's to set. */
void access_request(const struct access *, struct arena *, const char *method, const char *path, const char *accept,
		    const char *content_type, struct str body, struct http_request *out);

#endif
