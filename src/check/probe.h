/* Probes of nodes: when to ask whom, and what came of it. Pure but for its own memory: requests go out and answers come
 * in through the caller.
 *
 *   probes_nodes() ── probes_next() ──▶ request ── answer ──▶ probes_heard() ── probes_finding() ──▶ the check's judge
 *
 * Each (node, probing check) is asked once per interval, at a time of its own within it, so that they are spread; a bad
 * one again after a few seconds. At most PROBES_AT_ONCE are under way, and at most half of them to nodes that were
 * silent the last time. No Node is pointed to between two calls. */
#ifndef MAH_CHECK_PROBE_H
#define MAH_CHECK_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http.h"
#include "base/mem.h"
#include "base/time.h"
#include "conf/conf.h"
#include "core/facts.h"

#define PROBES_AT_ONCE 32

struct probes;
/* NULL never; without probing checks it has nothing to ask. The configuration is borrowed and must outlive it; it must
 * itself outlive its requests, which point to its TLS options. */
struct probes *probes_new(const struct config *);
void probes_free(struct probes *);
bool probes_is_idle(const struct probes *); /* no check probes */

/* The nodes as they are now, sorted by name: forgets those that are gone (or have another uid), plans the new ones. To
 * be called when the store has changed. */
void probes_nodes(struct probes *, const struct node *const *nodes, size_t count, struct mono now);

/* The next request that is due, if any, and its ticket (never 0). token(ctx): the service account's token now, for
 * checks that want one and have none of their own. */
bool probes_next(struct probes *, struct mono now, const char *(*token)(void *ctx), void *token_ctx, struct arena *,
		 struct http_request *out, uint64_t *out_ticket);
void probes_heard(struct probes *, uint64_t ticket, const struct http_answer *, struct now now);
/* It could not be sent: nothing is known of it; asked again a little later. */
void probes_unsent(struct probes *, uint64_t ticket, struct mono now);
/* When probes_next() has something, or has to be called to tear up a request whose answer was lost (half a minute after
 * its deadline). NEVER: there is nothing to ask. */
struct mono probes_due(const struct probes *);

/* What the last probe of this node found. Unknown: none yet; the last one is too old; or nothing comes back from it,
 * and it may be this replica that is cut off: most of what is probed is as silent although the API server calls it
 * Ready, or it calls this one Ready and nobody else has answered since (another one is asked at once when one falls
 * silent). */
enum health probes_finding(const struct probes *, size_t check, const struct node *, struct now now,
			   struct finding *out);

/* The annotation that keeps since when a probe fails (Endpoint: unhealthy-annotation), as the reference writes it. What
 * is to be written now; false: nothing. Told again until the Node shows it (each in turn, when there are several); wait
 * between. The nodes are those of the last probes_nodes(): in another list they are found, too, but that costs a pass
 * over it. A text there that is no time is written anew; where several checks share the annotation, it stays until all
 * are well. */
struct probe_mark {
	const struct node *node;
	const char *key;
	const char *value; /* "2006-01-02 15:04:05" in UTC; NULL: away */
};
bool probes_mark_next(struct probes *, const struct node *const *nodes, size_t count, struct now now, struct arena *,
		      struct probe_mark *out);

#endif
