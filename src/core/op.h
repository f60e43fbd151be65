/* Operations: a repair as a table of named steps, and the one runner that walks it.
 *
 *   step = ask (pure: op → one question) + hear (pure: answer → what next)
 *
 *        ┌────────────── V_AGAIN (poll) / V_RETRY (back-off) ─────────────┐
 *        ▼                                                                │
 *   [due] ── op_poll ──▶ ask ──▶ (journal first, if .is_once) ──▶ [waiting] ── op_hear ──┬─ V_NEXT ──▶ next step …
 * [done] ├─ V_GOTO ──▶ named step └─ V_FAIL ──▶ [failed]
 *
 * An answer that did not come to a step marked .is_once sends the op back to the step named by .look, after a pause in
 * which the act, if it arrived, must have become visible. So does a restart or a change of leader.
 * An op is plain data; what is stored is the recipe's and the step's name and the facts (core/journal.h). */
#ifndef MAH_CORE_OP_H
#define MAH_CORE_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/time.h"
#include "core/ask.h"
#include "core/facts.h"
#include "core/rung.h"

struct op;

enum verdict {
	V_NEXT,  /* this step is done */
	V_AGAIN, /* not yet: ask again after poll_ms */
	V_RETRY, /* it failed, but may be tried again: back-off; counts against tries */
	V_GOTO,  /* go to the step named by op_goto(op, name, ...) */
	V_FAIL,  /* the recipe cannot go on; op->note says why */
};

struct step {
	const char *name; /* stored: part of the format */
	void (*ask)(const struct op *, struct arena *, struct ask *out);
	enum verdict (*hear)(struct op *, const struct answer *); /* may change op->facts, and op->note by op_note() */
	int64_t limit_ms; /* in this step at most; then `otherwise`, else the op fails */
	int64_t poll_ms;  /* pause after V_AGAIN; 0: 3 s */
	unsigned tries;   /* V_RETRYs and lost answers at most; 0: 5 */
	bool is_once;     /* must not be repeated: journalled before it is asked; a lost answer goes back to `look` */
	/* The earlier step that sees whether the act happened, and skips it if so. Of a step that is not once: where a
	 * new leader begins, which cannot know what was done since the journal was written. */
	const char *look;
	bool is_exclusive;     /* one op per cluster inside such steps at a time: see ops_may_enter() */
	bool is_committed;     /* once this act has left, the op is finished rather than cancelled */
	const char *otherwise; /* step to go to when limit_ms passes */
};

struct recipe {
	const char *name; /* stored */
	const struct step *steps;
	size_t steps_count;
	int64_t limit_ms; /* whole op; survives restarts */
};

/* limit_ms of a step that waits for the node to become Ready: op->facts.ready_limit_ms. */
#define STEP_LIMIT_READY (-1)

enum op_state { OP_DUE, OP_WAITING, OP_DONE, OP_FAILED, OP_CANCELLED };
const char *op_state_name(enum op_state);

#define OP_NOTE_BYTES 160
#define CASE_ID_BYTES 24

/* What an op knows: written to the journal. Bounded arrays; unused ones are "". */
struct op_facts {
	char node[NODE_NAME_BYTES];
	char node_uid[SERVER_ID_BYTES];
	char boot_id[SERVER_ID_BYTES];    /* of the node when the op began: a reboot changes it */
	char machine_id[SERVER_ID_BYTES]; /* nodeInfo.machineID when the op began: a replacement changes it */
	char server[SERVER_ID_BYTES];     /* the machine under repair */
	char server_name[SERVER_NAME_BYTES];
	char new_server[SERVER_ID_BYTES]; /* its replacement, once known */
	char cluster[SERVER_ID_BYTES];
	char group[GROUP_NAME_BYTES];
	char stack[320];    /* "name/id" of the stack to update; the exclusive lock's key */
	char resource[512]; /* path of the server's resource below /stacks */
	char baseline[64];  /* what the look step saw before the act (a request id, a time) */
	char case_id[CASE_ID_BYTES];
	int32_t count; /* the node group's size (resize) */
	bool is_worker;
	bool has_cordoned;            /* the cordon on the node is ours */
	int64_t ready_limit_ms;       /* how long the node may take to be Ready (policy: rebuild-delay-after-reboot) */
	struct wall acted;            /* when the server was up again after the act, by the cloud's clock; 0: unknown */
	char volume[SERVER_ID_BYTES]; /* being detached */
	int32_t newest;               /* highest index of the servers' names before the act (resize) */
	bool may_have_stopped;   /* an earlier repair of this case may have stopped the server: a stop is not a person's
				  */
	char root_volume[512];   /* path of the root volume's resource below /stacks; "" none */
	char why[OP_NOTE_BYTES]; /* on a way back: what led to it */
	bool was_ready; /* the Node was Ready when the repair began: the reason is another, and Ready is no news */
	char node_version[40]; /* the Node's resourceVersion when it was looked at before cordoning it; not stored */
};

struct op {
	const struct recipe *recipe;
	size_t at; /* step */
	enum op_state state;
	enum rung rung;        /* stored: what it is for */
	struct wall started;   /* stored */
	bool is_sent;          /* stored: the act of this once step (or of the one `at` looks for) may have left */
	bool holds_lock;       /* stored: it is the one op of its cluster inside the exclusive steps */
	bool is_counted;       /* stored: it counts for the repairs of the hour */
	bool is_touched;       /* stored: a once act may have left, committed or not */
	struct op_facts facts; /* stored */
	/* rebuilt on resume */
	struct mono began;   /* the op, by our clock */
	struct mono entered; /* this step */
	struct mono due;
	unsigned tries;
	unsigned redone;          /* how often a once step was sent back to its look */
	bool is_committed;        /* an act of a committed step may have left: finishing is safer than stopping */
	size_t committed_at;      /* the step that did it */
	bool is_left;             /* ended because somebody else is at work there: no failure of the repair */
	bool needs_journal;       /* the once step's intent is not yet known to be stored: write it, op_journalled() */
	const char *next;         /* of V_GOTO */
	uint64_t changed;         /* the journal's counter when something stored of it last changed */
	uint64_t intent;          /* the journal write that carries the intent; 0: none yet */
	unsigned reasked;         /* 401s in a row: one new token, one repetition */
	uint64_t call;            /* the running request; 0: none */
	char note[OP_NOTE_BYTES]; /* why it failed, or what it waits for; for people */
};

void op_init(struct op *, const struct recipe *, const struct op_facts *, struct now);
/* After a restart or a fail-over: is_sent of a once step leads back to its look, after a pause. */
void op_resume(struct op *, struct now);
const struct step *op_step(const struct op *);

/* If the op is due: its question, and the op is OP_WAITING. False: nothing to ask now (see op->due and
 * op->needs_journal). Ends the op when a limit has passed. The caller answers with op_hear(), or with op_unask() when
 * the question could not leave. */
bool op_poll(struct op *, struct now, struct rng *, struct arena *, struct ask *out);
/* The question that op_poll gave is really leaving now. For an act this is the point of no return. */
void op_left(struct op *);
void op_hear(struct op *, struct now, struct rng *, const struct answer *);
void op_unask(struct op *, struct mono due); /* the question never left: ask it again later; nothing is counted */
/* The journal that holds the intent of the current once step is safe. */
void op_journalled(struct op *);
/* False: it is committed and goes on. */
/* Time in which nothing could be seen does not count for the step's limit. */
void op_pause(struct op *, int64_t ms);
bool op_cancel(struct op *, const char *why);
bool op_is_over(const struct op *);
/* How far it came: an act of a committed step was sent. Tells "it did not help" from "it could not be done". */
bool op_has_acted(const struct op *);

/* The table of running ops, and the lock of the exclusive steps: may this op be asked now? Takes the lock when it is
 * free; gives it back when the op has left the exclusive steps. */
#define OPS_MAX 64
struct ops {
	struct op list[OPS_MAX];
	size_t count;
};
bool ops_may_enter(struct ops *, struct op *);
struct op *ops_of_node(struct ops *, const char *node);
const struct op *ops_of_node_const(const struct ops *, const char *node);
bool ops_has_server(const struct ops *, const char *server);
/* A repair by resize ends under another node's name, but it is still the same case's. "" is no case. */
bool ops_has_case(const struct ops *, const char *case_id);
struct op *ops_add(struct ops *); /* NULL: full */
void ops_remove(struct ops *, struct op *);

/* For hear functions. */
enum verdict op_goto(struct op *, const char *step);
enum verdict op_fail(struct op *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The op ends, because what it found is somebody else's business (law L11): looked at again later, counted as nothing.
 */
enum verdict op_leave(struct op *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void op_note(struct op *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The usual reading of an HTTP answer to something repeatable: 2xx NEXT; none, 408, 409, 429, 5xx RETRY; else FAIL. */
enum verdict op_usual(struct op *, const struct answer *, const char *what);

#define OP_LOST_PAUSE_MS                                                                                               \
	(10 * SEC) /* how long an accepted act may take to show (facts: Magnum's status about 1 s, Heat's 2-5 s) */

#endif
