/* The operator's switches: healing paused for the cluster, a node group or a node, with a reason and, if he likes, an
 * end. Kept under the key `pauses.json` of the state ConfigMap:
 *
 *   [{"what":"cluster"|"group"|"node", "name":"...", "reason":"...", "by":"...", "since":"RFC 3339", "until":"RFC
 * 3339"}]
 *
 * and, for one node, as the annotation autohealing.openstack.org/paused on it: "REASON" or "REASON; until=RFC 3339". A
 * text that is not understood pauses everything: somebody meant to switch something off. */
#ifndef MAH_CORE_SWITCHES_H
#define MAH_CORE_SWITCHES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "core/facts.h"

#define SWITCHES_KEY "pauses.json"

enum pause_what { PAUSE_CLUSTER, PAUSE_GROUP, PAUSE_NODE };
const char *pause_what_name(enum pause_what); /* "cluster", "group", "node" */

#define PAUSE_REASON_BYTES 160
struct pause {
	enum pause_what what;
	char name[NODE_NAME_BYTES]; /* "" for the cluster */
	char reason[PAUSE_REASON_BYTES];
	char by[80];
	struct wall since, until; /* until 0: no end */
};

#define PAUSES_MAX 64
struct switches {
	bool is_garbled; /* the text is not understood: everything is paused; trouble says why */
	char trouble[160];
	size_t count;
	struct pause list[PAUSES_MAX];
};

/* Replaces *out. Empty text: no pause. False, with is_garbled set: not understood. */
bool switches_read(struct str text, struct switches *out, struct err *err);
/* Appends the document; pauses that are over are left out. */
void switches_write(const struct switches *, struct wall now, struct buf *out);

/* What pauses this node now, the widest first; its sentence ("cluster paused by kim: switch swap, until ...") goes to
 * the arena. NULL: nothing does. With node NULL: what pauses the whole cluster. */
const char *switches_hold(const struct switches *, const struct node *, struct wall now, struct arena *);
/* The same, without a sentence. */
bool switches_is_paused(const struct switches *, const struct node *, struct wall now);

#endif
