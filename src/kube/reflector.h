/* Keeps a copy of some of the API server's objects (the Nodes in the store, one ConfigMap): one streaming request,
 * resumed for ever. Pure: the caller carries the requests and the answers.
 *
 *   [initial]  watch=1&sendInitialEvents=true ──422──▶ [pages] list limit=500 … ──▶ [watch] from the list's version
 *        └──── bookmark "initial-events-end" ─────────────────────────────────────────▲   │
 *        ▲                                                                            │   ├─ clean end, cut: resume
 *        └──────────────── 410 Gone / ERROR event ────────────────────────────────────┴───┘  from the last version
 *
 * While the copy is not the truth (first sync not done, or nothing heard for too long), reflector_is_fresh() says no.
 */
#ifndef MAH_KUBE_REFLECTOR_H
#define MAH_KUBE_REFLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/time.h"
#include "kube/store.h"

/* What is kept, and who keeps it. The texts and whatever ctx is must outlive the reflector. */
struct reflector_target {
	const char *what;  /* for sentences: "nodes", "the state ConfigMap" */
	const char *kind;  /* "Node"; the kind of a list is kind + "List" */
	const char *path;  /* "/api/v1/nodes" */
	const char *query; /* "" or what selects, percent-encoded, with '&' at its end: "fieldSelector=...&" */
	/* A few objects that hardly ever change. They are read from the start again each minute: the copy then rests on
	 * bookmarks alone no longer, which an API server that has seen no change of the kind since its own start does
	 * not send. */
	bool is_small;
	void *ctx;
	bool (*put)(void *ctx, struct str object, struct err *err); /* false: not such an object; nothing changed */
	void (*remove)(void *ctx, const char *name);
	/* Around a full listing: what was not put between begin and end is gone; abandoned: nothing is known. */
	void (*list_begin)(void *ctx);
	void (*list_end)(void *ctx);
	void (*list_abandon)(void *ctx);
};

struct reflector;
struct reflector *reflector_new(struct store *);                            /* the Nodes */
struct reflector *reflector_new_for(const struct reflector_target *target); /* copied */
void reflector_free(struct reflector *);

/* What to ask next: relative path with query, Accept header; is_stream as in http_request. False: nothing now, see
 * reflector_due(). After true the reflector waits for head/bytes/done. */
struct reflector_request {
	const char *path; /* "/api/v1/nodes?..." ; in the arena */
	const char *accept;
	int64_t timeout_ms;
	int64_t silence_ms; /* 0: not a stream. Longer than the server's bookmark interval of a minute. */
	size_t answer_bytes_max;
};
bool reflector_poll(struct reflector *, struct now, struct rng *, struct arena *, struct reflector_request *out);
/* When to poll again; while a request runs: when a turn is wanted at the latest (then it hangs, and is given up). */
struct mono reflector_due(const struct reflector *);

/* The answer, as http_sink delivers it. */
void reflector_head(struct reflector *, const struct http_answer *);
void reflector_bytes(struct reflector *, struct str chunk);
void reflector_done(struct reflector *, const struct http_answer *);
/* Called once per turn before reflector_poll: takes the time for what came since the last turn. True: the running
 * stream broke a rule (garbage, a frame too large, ERROR event) and must be cancelled by the caller; no done() follows.
 */
bool reflector_turn(struct reflector *, struct now, struct rng *);

/* Lists in pages are asked for as streams too (silence_ms is set), so that they are read while they come; a port that
 * hands the body over with done() does as well.
 *
 * Fresh: the store is complete, and the stream that keeps it so was heard not longer than REFLECTOR_STALE_MS ago (or
 * was resumed within that time). After a longer gap: again with the first bookmark, or 10 s after the stream came back,
 * when what was missed has arrived. A stream that was open for 75 s and said nothing is not believed: all is read anew.
 * (A small target's stream ends by itself before that, and all is read anew anyway.)
 */
#define REFLECTOR_STALE_MS (100 * SEC)
bool reflector_is_fresh(const struct reflector *, struct now);
const char *reflector_trouble(const struct reflector *); /* "" or why it is not: for status and logs */
struct mono reflector_heard(const struct reflector *);   /* the last sign of life, as a turn saw it; 0: never */
int reflector_refusal(const struct reflector *);         /* HTTP status of the last answer if it was a refusal; 0 */

struct reflector_stats {
	uint64_t events, lists, watches, expired, bytes, errors;
};
const struct reflector_stats *reflector_stats(const struct reflector *);

#endif
