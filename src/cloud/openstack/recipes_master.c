/* Replacing a master that a Heat stack owns: the server's resource, and its root volume's where it boots from one, are
 * marked unhealthy, and the stack is updated: the new server has the same name, address and etcd volume.
 *
 *   find ─▶ stack-free ─▶ look-stop ─▶ look-live ─▶ stop ─▶ prove-off ─▶ look-still ... ─▶ mark ─▶ update ─▶ wait
 *                                                    │          │            │             │         │        │
 *                                                    └──────────┴──────┬─────┘             └─────────┴─┬──────┘
 *                     fails ◀─ wait-again ◀─ start-again ◀─ look-again ◀── whose ◀── unmark-volume ◀── unmark
 *
 * Three things differ from a worker's replacement. The stack is free, and ours, before the server is stopped, so that a
 * master is not off while others' updates run. Nothing is detached: the volume with etcd's data is Heat's own resource.
 * And a master that is off and not replaced is worse than before: from the stop on every failure leads to the way back,
 * which starts the server again, and a cancelled repair is finished. There is no limit on the whole, which could end it
 * half-way: each step has its own, and no way leads round in a circle (a twin, see server_steps.h, is one more lap). */
#include "cloud/openstack/recipes_master.h"

#include <string.h>

#include "base/jsonx.h"
#include "cloud/node_steps.h"
#include "cloud/openstack/heat.h"
#include "cloud/openstack/nova.h"
#include "cloud/openstack/server_steps.h"
#include "cloud/openstack/stack_steps.h"

/* ---- the way back ---------------------------------------------------------------------------------------------- */

/* Instead of failing. Before anything was done to the server there is nothing to go back from. */
static enum verdict or_back(struct op *op, enum verdict verdict)
{
	if (verdict != V_FAIL || !(op->is_touched || op->is_sent))
		return verdict;
	keep_why(op);
	return op_goto(op, "look-again");
}

/* A limit leads here with no more than the last note, and from an act with none. */
static void keep_some_why(struct op *op)
{
	keep_why(op);
	if (op->facts.why[0] == '\0')
		(void)TEXT_COPY(op->facts.why, "the cloud does not answer");
}

static enum verdict fail_with_why(struct op *op, const char *what)
{
	return op_fail(op, "%.100s%s%s", op->facts.why, what[0] != '\0' ? "; " : "", what);
}

/* So that the reason is there also when this wait ends by its limit. */
static enum verdict still_with_why(struct op *op, const struct machine *m, const char *what)
{
	char still[OP_NOTE_BYTES];
	enum verdict verdict = server_still(op, m, what);
	memcpy(still, op->note, sizeof still);
	op_note(op, "%.60s; %.95s", op->facts.why, still);
	return verdict;
}

/* Somebody's update has begun around our marks. It may have taken the server already: "whose" sees that. */
static enum verdict hear_step_back(struct op *op, const struct answer *answer)
{
	(void)answer;
	(void)op_leave(op, "somebody else updates the stack");
	keep_why(op);
	return op_goto(op, "unmark");
}

/* An update that failed half-way may have made another server Heat's: then ours stays off, it has lost its address. */
static enum verdict hear_whose(struct op *op, const struct answer *answer)
{
	const char *id = json_text_or(answer->json, "resource.physical_resource_id", "");
	if (answer->status == 200)
		return strcmp(id, op->facts.server) == 0 ? V_NEXT : fail_with_why(op, "Heat has another server by now");
	enum verdict verdict = op_usual(op, answer, "reading the server's resource");
	return verdict == V_FAIL ? fail_with_why(op, "Heat does not know the server any more") : verdict;
}

static enum verdict hear_look_again(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	keep_some_why(op);
	if (!op->is_touched && !op->is_sent) /* a limit led here: we never stopped it */
		return fail_with_why(op, "");
	if (answer_is_404(answer))
		return fail_with_why(op, "the server is gone");
	if (!server_read(op, answer, &m, &verdict))
		return verdict == V_FAIL ? fail_with_why(op, "whether the server is off cannot be seen") : verdict;
	if (server_is_foreign(op, &m))
		return fail_with_why(op, "the server is locked or another one: not started again");
	if (strcmp(m.task_state, "powering-on") == 0 || (server_is(&m, "ACTIVE") && m.task_state[0] == '\0'))
		return op_goto(op, "wait-again");
	if (m.task_state[0] != '\0')
		return still_with_why(op, &m, "to be started again");
	return server_is(&m, "SHUTOFF") ? V_NEXT : fail_with_why(op, "the server cannot be started again");
}

static enum verdict hear_start_again(struct op *op, const struct answer *answer)
{
	enum verdict verdict = op_act(op, answer, "starting the server again");
	return verdict == V_FAIL ? fail_with_why(op, "starting the server again is refused") : verdict;
}

/* Nothing of ours is left: it was not done, rather than in vain. */
static enum verdict hear_wait_again(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (answer_is_404(answer))
		return fail_with_why(op, "the server is gone");
	if (!server_read(op, answer, &m, &verdict))
		return verdict == V_FAIL ? fail_with_why(op, "whether the server runs cannot be seen") : verdict;
	if (m.task_state[0] == '\0' && server_is(&m, "ERROR"))
		return fail_with_why(op, "started again, the server is in ERROR");
	if (m.task_state[0] != '\0' || !server_is(&m, "ACTIVE"))
		return still_with_why(op, &m, "starting it again");
	op->is_committed = false;
	return fail_with_why(op, "the server runs as before");
}

/* ---- before the stop ------------------------------------------------------------------------------------------- */

/* In step tables the way back stands between this step and the next one. */
static enum verdict hear_stack_free(struct op *op, const struct answer *answer)
{
	enum verdict verdict = hear_stack_idle(op, answer);
	return verdict == V_NEXT ? op_goto(op, "look-stop") : verdict;
}

/* ---- off, and still the stack's --------------------------------------------------------------------------------- */

/* Each as the worker's, but that a failure leads back. */
#define OR_BACK(name, hear)                                                                                            \
	static enum verdict name(struct op *op, const struct answer *answer)                                           \
	{                                                                                                              \
		return or_back(op, hear(op, answer));                                                                  \
	}
OR_BACK(hear_master_live, hear_live_there)
OR_BACK(hear_master_who, hear_who_stopped_off)
OR_BACK(hear_master_prove_off, hear_prove_off)
OR_BACK(hear_master_idle, hear_stack_idle)
OR_BACK(hear_master_still, hear_live)
OR_BACK(hear_master_look_off, hear_look_off)
OR_BACK(hear_master_find_again, hear_find_again)

static enum verdict hear_master_look_stop(struct op *op, const struct answer *answer)
{
	if (op->is_sent)
		op->is_touched = true; /* after a crash nobody knows whether the stop left: it may have */
	return or_back(op, hear_look_stop(op, answer));
}

/* Refused until its time is over, it leads to the way back with what was said last. */
static enum verdict hear_master_stop(struct op *op, const struct answer *answer)
{
	enum verdict verdict = hear_stop(op, answer);
	op->facts.why[0] = '\0';
	if (verdict == V_RETRY)
		keep_why(op);
	return or_back(op, verdict);
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

#define LIMIT_IDLE (5 * MINUTE) /* it was idle before the stop: not for long is a master off for others' sake */
#define EXCLUSIVE .tries = TRIES_IN_TIME, .is_exclusive = true
#define OR_START_AGAIN .otherwise = "look-again", EXCLUSIVE

/* The way back stands before what may fail: the runner keeps the note on it. */
static const struct step replace_master[] = {
	NODE_CORDON_STEPS,
	FIND_STACK_STEP,
	FIND_RESOURCE_STEPS,
	{ "stack-free", ask_stack, hear_stack_free, .limit_ms = LIMIT_BUSY, .poll_ms = POLL_UPDATE, EXCLUSIVE },
	{ "step-back", ask_nothing, hear_step_back, EXCLUSIVE },
	{ "unmark", ask_unmark, hear_unmark, .limit_ms = LIMIT_BUSY, .otherwise = "unmark-volume", EXCLUSIVE },
	{ "unmark-volume", ask_unmark_volume, hear_unmark, .limit_ms = LIMIT_BUSY, .otherwise = "whose", EXCLUSIVE },
	{ "whose", ask_resource, hear_whose, .limit_ms = LIMIT_BUSY, OR_START_AGAIN },
	{ "look-again", ask_server, hear_look_again, .limit_ms = LIMIT_BUSY, .tries = TRIES_IN_TIME },
	{ "start-again", ask_start, hear_start_again, .limit_ms = LIMIT_ANSWER, .is_once = true, .look = "look-again",
	  .is_committed = true, .tries = TRIES_IN_TIME },
	{ "wait-again", ask_server, hear_wait_again, .limit_ms = LIMIT_BOOT, .tries = TRIES_IN_TIME },
	{ "look-stop", ask_server, hear_master_look_stop, .limit_ms = LIMIT_TASK, OR_START_AGAIN },
	{ "look-live", ask_live, hear_master_live, .limit_ms = LIMIT_ANSWER, OR_START_AGAIN },
	{ "stop", ask_stop, hear_master_stop, .limit_ms = LIMIT_ANSWER, .is_once = true, .look = "look-stop",
	  .is_committed = true, OR_START_AGAIN },
	{ "who-stopped", ask_who_stopped, hear_master_who, .limit_ms = LIMIT_ANSWER, OR_START_AGAIN },
	{ "prove-off", ask_server, hear_master_prove_off, .limit_ms = LIMIT_OFF, OR_START_AGAIN },
	{ "off", ask_nothing, hear_off, EXCLUSIVE },
	{ "stack-idle", ask_stack, hear_master_idle, .limit_ms = LIMIT_IDLE, .poll_ms = POLL_UPDATE, OR_START_AGAIN },
	{ "look-still", ask_live, hear_master_still, .limit_ms = LIMIT_ANSWER, OR_START_AGAIN },
	{ "look-off", ask_server, hear_master_look_off, .limit_ms = LIMIT_TASK, OR_START_AGAIN },
	{ "find-resource-again", ask_resources, hear_master_find_again, .limit_ms = LIMIT_ANSWER, OR_START_AGAIN },
	MARK_STEPS,
	UPDATE_STEPS,
	NEW_SERVER_STEPS,
	{ "wait-ready", ask_memory, hear_replaced, .limit_ms = LIMIT_JOIN },
	NODE_UNCORDON_STEPS,
};
const struct recipe recipe_replace_master = { "replace-master", replace_master, COUNT(replace_master), .limit_ms = 0 };
