/* The runner of operations. It alone knows back-off, limits, the order of journal and act, and cancelling. */
#include "core/op.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STEP_TRIES_DEFAULT 5
#define STEP_POLL_DEFAULT_MS (3 * SEC)
#define RETRY_FIRST_MS (2 * SEC)
#define RETRY_MAX_MS (60 * SEC)
#define REDONE_MAX 6      /* a once step that never gets an answer is not tried for ever */
#define STEPS_PER_TURN 32 /* steps that ask nothing may follow each other at once, but not in a circle */

const char *op_state_name(enum op_state state)
{
	switch (state) {
	case OP_DUE:
		return "due";
	case OP_WAITING:
		return "waiting";
	case OP_DONE:
		return "done";
	case OP_FAILED:
		return "failed";
	case OP_CANCELLED:
		return "cancelled";
	}
	return "?";
}

const struct step *op_step(const struct op *op)
{
	assert(op->at < op->recipe->steps_count);
	return &op->recipe->steps[op->at];
}

bool op_is_over(const struct op *op)
{
	return op->state == OP_DONE || op->state == OP_FAILED || op->state == OP_CANCELLED;
}

bool op_has_acted(const struct op *op)
{
	return op->is_committed;
}

void op_note(struct op *op, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(op->note, sizeof op->note, fmt, ap);
	va_end(ap);
}

enum verdict op_fail(struct op *op, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(op->note, sizeof op->note, fmt, ap);
	va_end(ap);
	return V_FAIL;
}

enum verdict op_leave(struct op *op, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(op->note, sizeof op->note, fmt, ap);
	va_end(ap);
	op->is_left = true;
	return V_FAIL;
}

enum verdict op_goto(struct op *op, const char *step)
{
	op->next = step;
	return V_GOTO;
}

enum verdict op_usual(struct op *op, const struct answer *answer, const char *what)
{
	if (answer->status >= 200 && answer->status < 300)
		return V_NEXT;
	if (answer->status == 0) {
		op_note(op, "%s: %s", what, answer->why.text);
		return answer->why.code == ERR_GONE || answer->why.code == ERR_INPUT ? V_FAIL : V_RETRY;
	}
	op_note(op, "%s: HTTP %d", what, answer->status);
	bool is_passing = answer->status == 408 || answer->status == 409 || answer->status == 429 ||
			  answer->status >= 500 || answer->status == 401;
	return is_passing ? V_RETRY : V_FAIL;
}

static size_t step_index(const struct recipe *recipe, const char *name)
{
	for (size_t i = 0; i < recipe->steps_count; i++) {
		if (strcmp(recipe->steps[i].name, name) == 0)
			return i;
	}
	assert(false && "a recipe names a step that it does not have");
	return 0;
}

static void enter(struct op *op, size_t at, struct mono now, int64_t pause_ms)
{
	op->at = at;
	op->entered = now;
	op->due = (struct mono){ now.ms + pause_ms };
	op->tries = 0;
	op->state = OP_DUE;
	op->needs_journal = false;
}

void op_init(struct op *op, const struct recipe *recipe, const struct op_facts *facts, struct now now)
{
	assert(recipe->steps_count > 0);
	*op = (struct op){ .recipe = recipe, .started = now.wall, .facts = *facts };
	enter(op, 0, now.mono, 0);
	op->began = now.mono;
	op->needs_journal = true; /* law L3: what is about to be done is in the journal first */
}

static void move_on(struct op *op, size_t at, struct now now)
{
	if (op_step(op)->is_once || at > op->at)
		op->note[0] = '\0';
	if (at == op->recipe->steps_count) {
		op->state = OP_DONE;
		op->is_sent = false;
		return;
	}
	/* Past the once step its doubt is over; on the way from its look to it the doubt stays. */
	bool is_before_act = false;
	for (size_t i = at; i < op->recipe->steps_count && !is_before_act; i++)
		is_before_act = op->recipe->steps[i].is_once && op->recipe->steps[i].look != NULL &&
				step_index(op->recipe, op->recipe->steps[i].look) <= at;
	if (op_step(op)->is_once || !is_before_act)
		op->is_sent = false;
	/* The look said that the act never happened: it may be sent, after a fresh intent. */
	if (op->recipe->steps[at].is_once) {
		op->is_sent = false;
		if (op->is_committed && op->committed_at == at)
			op->is_committed = false;
	}
	enter(op, at, now.mono, 0);
}

/* The act may or may not have happened: the look step will see it, once it has had time to show. */
static void back_to_look(struct op *op, struct now now, int64_t pause_ms)
{
	const struct step *step = op_step(op);
	assert(step->is_once && step->look != NULL);
	if (++op->redone > REDONE_MAX && step->otherwise != NULL) {
		move_on(op, step_index(op->recipe, step->otherwise), now); /* there is something to clear away */
		return;
	}
	if (op->redone > REDONE_MAX) {
		op->state = OP_FAILED; /* the note says what the last answer was */
		return;
	}
	enter(op, step_index(op->recipe, step->look), now.mono,
	      pause_ms > OP_LOST_PAUSE_MS ? pause_ms : OP_LOST_PAUSE_MS);
}

/* The once step whose act may have left: the one at hand, or the next one after its look. */
static size_t doubted_step(const struct op *op)
{
	size_t at = op->at;
	while (at + 1 < op->recipe->steps_count && !op->recipe->steps[at].is_once)
		at++;
	return at;
}

void op_resume(struct op *op, struct now now)
{
	op->call = 0;
	op->redone = 0;
	int64_t age_ms = now.wall.ms - op->started.ms;
	op->began.ms = now.mono.ms - (age_ms > 0 ? age_ms : 0);
	if (op->is_sent && !op->is_committed) { /* it was written down; whether it left, nobody knows */
		op->committed_at = doubted_step(op);
		op->is_committed = op->recipe->steps[op->committed_at].is_committed;
	}
	enter(op, op->at, now.mono, 0);
	/* It may be repeated, but not blindly: much can have happened since it was written down. */
	if (!op_step(op)->is_once && op_step(op)->look != NULL)
		enter(op, step_index(op->recipe, op_step(op)->look), now.mono, 0);
	else if (op_step(op)->is_once && op->is_sent)
		back_to_look(op, now, 0);
	else if (op->is_sent)
		op->due.ms = now.mono.ms + OP_LOST_PAUSE_MS; /* it was at the look already */
}

static int64_t step_limit_ms(const struct op *op)
{
	const struct step *step = op_step(op);
	return step->limit_ms == STEP_LIMIT_READY ? op->facts.ready_limit_ms : step->limit_ms;
}

/* Moves on when the step's or the op's time is over. */
static void check_limits(struct op *op, struct now now)
{
	const struct step *step = op_step(op);
	bool is_op_late = op->recipe->limit_ms > 0 && now.mono.ms - op->began.ms > op->recipe->limit_ms;
	int64_t limit_ms = step_limit_ms(op);
	bool is_step_late = limit_ms > 0 && now.mono.ms - op->entered.ms > limit_ms;
	if (!is_op_late && !is_step_late)
		return;
	if (is_step_late && !is_op_late && step->otherwise != NULL) {
		bool is_unwritten = op->needs_journal; /* still nothing happens that is not in the journal */
		move_on(op, step_index(op->recipe, step->otherwise), now);
		op->needs_journal = is_unwritten;
		return;
	}
	char said[OP_NOTE_BYTES];
	memcpy(said, op->note, sizeof said);
	op_note(op, "%s: time is up%s%s", is_op_late ? "the whole repair" : step->name,
		said[0] != '\0' ? "; last: " : "", said);
	op->state = OP_FAILED;
}

bool op_poll(struct op *op, struct now now, struct rng *rng, struct arena *arena, struct ask *out)
{
	size_t begun_at = op->at;
	for (int i = 0; i < STEPS_PER_TURN && op->state == OP_DUE && now.mono.ms >= op->due.ms; i++) {
		check_limits(op, now);
		if (op->state != OP_DUE || now.mono.ms < op->due.ms)
			return false;
		const struct step *step = op_step(op);
		if (step->is_exclusive && !op->holds_lock && op->at != begun_at)
			return false; /* it has just got here: the lock comes first, see ops_may_enter() */
		if (step->is_once && !op->is_sent) { /* first the journal, then the act */
			op->is_sent = true;
			op->needs_journal = true;
		}
		if (op->needs_journal)
			return false;
		*out = (struct ask){ 0 };
		step->ask(op, arena, out);
		op->state = OP_WAITING;
		if (out->kind != ASK_NOTHING)
			return true;
		op_hear(op, now, rng, &(struct answer){ .status = 200, .retry_after_ms = -1 });
	}
	return false;
}

void op_pause(struct op *op, int64_t ms)
{
	op->entered.ms += ms;
}

void op_left(struct op *op)
{
	assert(op->state == OP_WAITING);
	op->is_touched = op->is_touched || op_step(op)->is_once;
	if (op_step(op)->is_committed && !op->is_committed) {
		op->is_committed = true;
		op->committed_at = op->at;
	}
}

void op_unask(struct op *op, struct mono due)
{
	assert(op->state == OP_WAITING);
	if (op_step(op)->is_once && op->is_committed && op->committed_at == op->at)
		op->is_committed = false; /* refused or never sent: nothing was done */
	op->state = OP_DUE;
	op->due = due;
}

void op_journalled(struct op *op)
{
	op->needs_journal = false;
}

static int64_t backoff_ms(unsigned tries, struct rng *rng)
{
	int64_t ms = RETRY_FIRST_MS;
	for (unsigned i = 1; i < tries && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	ms = ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
	return ms / 2 + (int64_t)rng_below(rng, (uint64_t)ms);
}

static void retry(struct op *op, struct now now, struct rng *rng, const struct answer *answer)
{
	const struct step *step = op_step(op);
	unsigned tries_max = step->tries > 0 ? step->tries : STEP_TRIES_DEFAULT;
	/* After the act only the step's time counts: a cloud that stumbles for half a minute is no reason for the next
	 * rung. */
	bool counts_tries = !op->is_committed || step->is_once || step->limit_ms == 0;
	if (++op->tries >= tries_max && counts_tries) {
		op->state = OP_FAILED;
		return;
	}
	int64_t pause_ms = backoff_ms(op->tries, rng);
	if (answer->retry_after_ms > pause_ms)
		pause_ms = answer->retry_after_ms;
	op->state = OP_DUE;
	op->due = (struct mono){ now.mono.ms + pause_ms };
}

/* A once step was answered with something that is not a success. With an HTTP status the other side has refused:
 * nothing happened, and asking again is no repetition. 5xx and silence say nothing. */
static bool is_in_doubt(const struct step *step, const struct answer *answer)
{
	return step->is_once && (answer->status == 0 || answer->status >= 500 || answer->status == 408);
}

void op_hear(struct op *op, struct now now, struct rng *rng, const struct answer *answer)
{
	assert(op->state == OP_WAITING);
	const struct step *step = op_step(op);
	if (is_in_doubt(step, answer)) {
		op_note(op, "%s: %s", step->name,
			answer->status == 0 ? answer->why.text : "the service failed; looking whether it was done");
		back_to_look(op, now, answer->retry_after_ms);
		return;
	}
	bool is_refused = step->is_once && answer->status >= 400;
	if (is_refused && op->is_committed && op->committed_at == op->at)
		op->is_committed = false; /* it was never done after all */
	op->next = NULL;
	switch (step->hear(op, answer)) {
	case V_NEXT:
		move_on(op, op->at + 1, now);
		break;
	case V_AGAIN:
		assert(!step->is_once); /* an act is not polled */
		op->tries = 0;
		op->state = OP_DUE;
		op->due = (struct mono){ now.mono.ms + (step->poll_ms > 0 ? step->poll_ms : STEP_POLL_DEFAULT_MS) };
		break;
	case V_RETRY:
		if (step->is_once && answer->status < 400) /* taken, but not understood: it may have been done */
			back_to_look(op, now, answer->retry_after_ms);
		else
			retry(op, now, rng, answer);
		break;
	case V_GOTO:
		assert(op->next != NULL);
		move_on(op, step_index(op->recipe, op->next), now);
		break;
	case V_FAIL:
		op->state = OP_FAILED;
		break;
	}
}

bool op_cancel(struct op *op, const char *why)
{
	if (op->is_committed || op_is_over(op))
		return false;
	op->state = OP_CANCELLED;
	op_note(op, "%s", why);
	return true;
}

bool ops_may_enter(struct ops *ops, struct op *op)
{
	if (op_is_over(op) || !op_step(op)->is_exclusive) {
		op->holds_lock = false;
		return true;
	}
	if (op->holds_lock)
		return true;
	for (size_t i = 0; i < ops->count; i++) {
		const struct op *other = &ops->list[i];
		if (other != op && other->holds_lock && !op_is_over(other) &&
		    strcmp(other->facts.cluster, op->facts.cluster) == 0)
			return false;
	}
	op->holds_lock = true;
	return true;
}

const struct op *ops_of_node_const(const struct ops *ops, const char *node)
{
	for (size_t i = 0; i < ops->count; i++) {
		if (strcmp(ops->list[i].facts.node, node) == 0)
			return &ops->list[i];
	}
	return NULL;
}

struct op *ops_of_node(struct ops *ops, const char *node)
{
	return (struct op *)ops_of_node_const(ops, node);
}

bool ops_has_server(const struct ops *ops, const char *server)
{
	for (size_t i = 0; i < ops->count; i++) {
		if (strcmp(ops->list[i].facts.server, server) == 0)
			return true;
	}
	return false;
}

bool ops_has_case(const struct ops *ops, const char *case_id)
{
	for (size_t i = 0; case_id[0] != '\0' && i < ops->count; i++) {
		if (strcmp(ops->list[i].facts.case_id, case_id) == 0)
			return true;
	}
	return false;
}

struct op *ops_add(struct ops *ops)
{
	return ops->count < OPS_MAX ? &ops->list[ops->count++] : NULL;
}

void ops_remove(struct ops *ops, struct op *op)
{
	size_t at = (size_t)(op - ops->list);
	assert(at < ops->count);
	ops->list[at] = ops->list[--ops->count];
}
