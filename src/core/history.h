/* What was seen and done before, per node: small, durable, versioned (core/journal.h). A record is opened when a node
 * is first seen unhealthy and closed when it has stayed healthy through probation.
 *
 *   (no record) ──bad──▶ SUSPECT ──bad for unhealthy-duration──▶ OPEN ⇄ (repairs) ──ok──▶ PROBATION ──stays ok──▶
 * closed ▲                  │ ok: forgotten                       │   └─ nothing helped: GIVEN_UP ──ok──▶ PROBATION
 *        └──────────────────┘                                     └──ok without any repair──▶ closed at once
 */
#ifndef MAH_CORE_HISTORY_H
#define MAH_CORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rand.h"
#include "base/time.h"
#include "core/facts.h"
#include "core/op.h"
#include "core/policy.h"
#include "core/rung.h"
#include "core/snapshot.h"

enum case_state { CASE_SUSPECT, CASE_OPEN, CASE_PROBATION, CASE_GIVEN_UP };
const char *case_state_name(enum case_state);
bool case_state_parse(const char *name, enum case_state *out);

struct record {
	char node[NODE_NAME_BYTES];
	char uid[SERVER_ID_BYTES];
	char case_id[CASE_ID_BYTES];   /* "" while only suspected */
	char why[FINDING_WHY_BYTES];   /* the witness of the verdict */
	char check[32];                /* which check gave it */
	char last_note[OP_NOTE_BYTES]; /* what the last repair ended with */
	char tried[80];                /* "reboot,replace" */
	enum role role;
	enum case_state state;
	enum rung last_rung; /* RUNG_NONE: nothing was tried in this climb of the ladder */
	bool has_acted;      /* something was done to the machine in this case */
	int rung_tries;      /* how often last_rung could not be carried out */
	int attempts;        /* whole ladders climbed in vain */
	bool is_climbing;    /* a rung did not help, and the next one follows: its slot of the budget is kept */
	int shown_hold;      /* enum hold last told to the operator; not stored */
	bool is_bad_now;     /* by the last complete view; not stored */
	bool is_unhealthy;   /* ... and for long enough; not stored */
	/* Times are local monotonic (stored as wall, rebased on load). 0 = unset. */
	struct mono bad_since[CHECKS_PER_ROLE_MAX]; /* per check, uninterrupted; 0: that check is content */
	struct mono first_seen;                     /* when this healer (or one before it) first saw the node bad */
	struct mono opened;
	struct mono ok_since; /* 0: bad */
	struct mono next_try; /* back-off; 0: at once */
	struct mono repaired; /* when the last repair ended */
};

/* A closed case, for `history`. */
struct past_case {
	char node[NODE_NAME_BYTES];
	char case_id[CASE_ID_BYTES];
	char tried[80];
	char why[FINDING_WHY_BYTES];
	struct wall opened, closed;
};

#define RECORDS_MAX 2048
#define PAST_MAX 50
struct history {
	struct record *records; /* sorted by node name */
	size_t count, cap;
	struct past_case past[PAST_MAX];
	size_t past_count, past_next;       /* a ring */
	size_t unrecorded_bad[ROLES_COUNT]; /* bad nodes for which there was no room: they count for the storm */
	struct mono observed; /* the last complete view; 0: none yet. A flip since then was seen as it happened */
	bool is_blind;        /* the view is not live now; it was before */
	struct mono settles;  /* nobody is judged unhealthy before: a gap in the view has just ended */
	struct mono storm_at; /* when the last storm was seen; 0: none within the cool-down */
	uint64_t version;     /* grows with each change worth storing */
};
void history_init(struct history *);
void history_done(struct history *);
struct record *history_find(const struct history *, const char *node);

/* One complete, fresh view: opens, updates and closes records. Does nothing when the view is not fresh: unknown is not
 * unhealthy, and not healthy either. ops tells which nodes are under repair; rng makes case ids. */
void history_observe(struct history *, const struct snapshot *, const struct policy *, const struct ops *,
		     struct rng *);
/* A repair began, ended. */
void history_began(struct history *, struct record *, enum rung);
void history_ended(struct history *, struct record *, const struct policy *, const struct op *, enum rung, struct now);

#endif
