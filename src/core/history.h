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

#define WITNESSES_BYTES 240
#define FLIPS_MAX 16
struct record {
	char node[NODE_NAME_BYTES];
	char uid[SERVER_ID_BYTES];
	char case_id[CASE_ID_BYTES];   /* "" while only suspected */
	char why[WITNESSES_BYTES];     /* the witnesses of the verdict: "NodeCondition: ...; Kubelet: ..." */
	char check[32];                /* the first of them; its ladder is climbed */
	char last_note[OP_NOTE_BYTES]; /* what the last repair ended with */
	char tried[80];                /* "reboot,replace" */
	enum role role;
	bool is_phantom; /* of a server that never joined: see struct node */
	enum case_state state;
	enum rung last_rung; /* RUNG_NONE: nothing was tried in this climb of the ladder */
	bool has_acted;      /* something was done to the machine in this case */
	bool is_awaited;     /* the last repair was done; whether it helped shows when next_try has come */
	/* Servers that a replacement may have stopped: the one that it began with, and the one that it came to (a twin
	 * of the same name, see server_steps.h). "": none. */
	char stopped[SERVER_ID_BYTES], stopped_twin[SERVER_ID_BYTES];
	int rung_tries;       /* how often last_rung could not be carried out */
	int attempts;         /* whole ladders climbed in vain */
	int lefts;            /* how often a repair was left to somebody else */
	bool is_climbing;     /* a rung did not help, and the next one follows: its slot of the budget is kept */
	int shown_hold;       /* enum hold last told to the operator; not stored */
	enum rung top;        /* the highest rung that could be done when the last repair began; NONE: not known */
	bool is_bad_now;      /* by the last complete view; not stored */
	bool is_well_now;     /* by the last complete view; neither: its checks say unknown; not stored */
	bool was_bad;         /* when its health was last known; not stored */
	bool is_unhealthy;    /* ... and for long enough, by enough checks; not stored */
	bool is_disputed;     /* bad, but not by enough checks; not stored */
	bool is_flapping;     /* good and bad in turn, too often: good is not believed; not stored */
	enum symptom symptom; /* not stored */
	const struct ladder
		*ladder; /* of its first witness; lives as long as the policy; NULL: the role's; not stored */
	/* Times are local monotonic (stored as wall, rebased on load). 0 = unset. */
	struct mono bad_since[CHECKS_PER_ROLE_MAX];    /* per check, uninterrupted; 0: that check is content */
	struct mono unknown_from[CHECKS_PER_ROLE_MAX]; /* it was bad, and says nothing now; 0: it speaks; not stored */
	struct mono first_seen;                        /* when this healer (or one before it) first saw the node bad */
	struct mono opened;
	struct mono ok_since;         /* 0: bad */
	struct mono next_try;         /* back-off; 0: at once */
	struct mono left_until;       /* somebody else is at work on it: not looked at before; 0: nobody is */
	struct mono flips[FLIPS_MAX]; /* the last changes between good and bad; a ring from flips_count on */
	unsigned flips_count;
	struct mono repaired; /* when the last repair ended */
};

/* A closed case, for `history`. */
struct past_case {
	char node[NODE_NAME_BYTES];
	char case_id[CASE_ID_BYTES];
	char tried[80];
	char why[WITNESSES_BYTES];
	struct wall opened, closed;
};

#define RECORDS_MAX 1536 /* the journal holds as many while something was done in no more than some 700 of them */
#define ZONES_MAX 32
#define ZONE_NAME_BYTES 64
#define BEGUN_MAX 256
#define PAST_MAX 50
struct history {
	struct record *records; /* sorted by node name */
	size_t count, cap;
	struct past_case past[PAST_MAX];
	size_t past_count, past_next;       /* a ring */
	size_t unrecorded_bad[ROLES_COUNT]; /* bad nodes for which there was no room: they count for the storm */
	struct mono observed;    /* the last complete view; 0: none yet. A flip since then was seen as it happened */
	bool is_blind;           /* the view is not live now; it was before */
	struct mono settles;     /* nobody is judged unhealthy before: a gap in the view has just ended */
	struct mono unseen_from; /* what happened from then to the next view was seen by nobody; 0: nothing did */
	struct mono storm_at;    /* when the last storm was seen; 0: none within the cool-down */
	struct zone_storm {
		char zone[ZONE_NAME_BYTES];
		struct mono at; /* when the zone was last seen frozen */
	} zones[ZONES_MAX];
	size_t zones_count;
	struct mono begun[BEGUN_MAX]; /* when the last repairs began: a ring from begun_count on */
	size_t begun_count;
	uint64_t version; /* grows with each change worth storing */
};
void history_init(struct history *);
void history_done(struct history *);
struct record *history_find(const struct history *, const char *node);

/* One complete, fresh view: opens, updates and closes records. Does nothing when the view is not fresh: unknown is not
 * unhealthy, and not healthy either. ops tells which nodes are under repair; rng makes case ids. */
void history_observe(struct history *, const struct snapshot *, const struct policy *, const struct ops *,
		     struct rng *);
/* Is it one of those? Then its being off is no person's doing. */
bool record_has_stopped(const struct record *, const char *server);
/* Changes between good and bad within the window of policy; the clock of the oldest that counts. */
unsigned history_flips(const struct record *, const struct policy *, struct mono now);
/* Bad without a break since when, by any of its checks; 0: it is not. */
struct mono record_bad_from(const struct record *);
/* The zone was seen frozen now. */
void history_freeze(struct history *, const char *zone, struct mono now);
/* Empties it, but for what this process has seen with its own eyes: as below. */
void history_forget(struct history *);
/* What a standby saw, it knows as a leader too: since when it looks, whether it has just been blind, storms (the later
 * of both). */
void history_keep_sight(struct history *, const struct history *from);
/* When it was last; 0: not lately. */
struct mono history_frozen(const struct history *, const char *zone);
int history_begun_since(const struct history *, struct mono since);
/* A repair began, ended. */
void history_began(struct history *, struct record *, enum rung, enum rung top, const char *server);
/* The first act of a worker's repair is about to leave: it counts for the hour. */
void history_note_begun(struct history *, struct mono now);
void history_ended(struct history *, struct record *, const struct policy *, const struct op *, enum rung, struct now);

#endif
