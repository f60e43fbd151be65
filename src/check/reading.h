/* What a probe asks and how its answer is read: shared by the checks that probe. Pure. */
#ifndef MAH_CHECK_READING_H
#define MAH_CHECK_READING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/http.h"
#include "base/mem.h"
#include "base/str.h"
#include "check/check.h"

/* The i-th path, with its leading slash when there is an arena; `otherwise` when none is configured. */
const char *reading_path(const struct conf_check *, size_t i, const char *otherwise, struct arena *);

/* A GET of that path, on a connection of its own. protocol in any case. */
void reading_request(const struct conf_check *, const char *protocol, const char *path, const struct probe_ask *,
		     struct arena *, struct http_request *out);

/* No complete answer came (status 0): refused is BAD and the guest answers; silence is BAD and the guest is silent;
 * what says nothing of the node (a certificate that cannot be verified, an address that cannot be used, a limit of
 * ours) is UNKNOWN. */
void reading_failure(const struct conf_check *, const struct err *, struct finding *out);

/* The status, and what the body tells of it. what: how the thing asked is called in the finding. */
void reading_status(const struct conf_check *, const char *what, const struct http_answer *, const int *otherwise_codes,
		    size_t otherwise_count, struct finding *out);

/* judge() of a check that probes: what the last probe found. */
enum health reading_judge(const struct conf_check *, size_t check, const struct check_facts *, const struct node *,
			  struct finding *out);

/* The failing items of what /readyz, /livez and /healthz say ("[-]etcd failed: reason withheld" → "etcd failed"),
 * joined by ", "; "" when there are none. At most four, and in printable ASCII: anybody may have written it. */
void reading_failing_items(struct str body, char *out, size_t out_bytes);

#endif
