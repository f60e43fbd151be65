/* What recipes do to one server: reboot, start, stop and prove it, take its volumes away. See server_steps.h. */
#include "cloud/openstack/server_steps.h"

#include <string.h>

#include "base/jsonx.h"
#include "cloud/node_steps.h"
#include "cloud/openstack/nova.h"
#include "cloud/openstack/recipes_heat.h"

/* ---- reading answers ------------------------------------------------------------------------------------------- */

/* What the service says of a refusal; "" when it says nothing. Nova: one member with a message; Magnum: errors; Heat:
 * error. */
static const char *said(const struct answer *answer)
{
	const char *text = json_text(answer->json, "errors.0.detail");
	void *at = json_object_iter((json_t *)answer->json);
	while (text == NULL && at != NULL) {
		text = json_text(json_object_iter_value(at), "message");
		at = json_object_iter_next((json_t *)answer->json, at);
	}
	return text != NULL ? text : "";
}

/* An act: done, refused for now, or refused. Silence and 5xx never come here (core/op.c sends them to the look). */
enum verdict op_act(struct op *op, const struct answer *answer, const char *what)
{
	enum verdict verdict = op_usual(op, answer, what);
	if (verdict != V_NEXT && answer->status != 0)
		op_note(op, "%s: HTTP %d %.100s", what, answer->status, said(answer));
	return verdict;
}

bool answer_is_404(const struct answer *answer)
{
	return answer->status == 404;
}

/* The server of an answer. False: *out_verdict says what to do instead. 404 is the caller's. */
bool server_read(struct op *op, const struct answer *answer, struct machine *out, enum verdict *out_verdict)
{
	if (answer->status == 200 && nova_machine(json_object_get(answer->json, "server"), out))
		return true;
	if (answer->status == 200) {
		op_note(op, "Nova's answer shows no server");
		*out_verdict = V_RETRY;
	} else {
		*out_verdict = op_usual(op, answer, "reading the server");
	}
	return false;
}

bool server_is(const struct machine *m, const char *status)
{
	return strcmp(m->status, status) == 0;
}

static bool is_task(const struct machine *m, const char *task)
{
	return strcmp(m->task_state, task) == 0;
}

bool server_is_foreign(struct op *op, const struct machine *m)
{
	bool is_other = op->facts.server_name[0] != '\0' && strcmp(op->facts.server_name, m->name) != 0;
	if (is_other)
		(void)op_leave(op, "the server is another one: it is called %.60s", m->name);
	else if (m->is_locked)
		(void)op_leave(op, "the server is locked: left alone");
	return is_other || m->is_locked;
}

/* What a reboot, a stop or a start shows on the way. */
static bool is_power_task(const struct machine *m)
{
	return text_starts(m->task_state, "reboot") || text_starts(m->task_state, "powering-");
}

/* What somebody has chosen or is doing: a person, the operator, Masakari, Heat. */
static bool is_of_others(const struct machine *m)
{
	static const char *const states[] = { "PAUSED",  "SUSPENDED", "RESCUE",        "SHELVED",   "SHELVED_OFFLOADED",
					      "RESIZE",  "REBUILD",   "VERIFY_RESIZE", "MIGRATING", "REVERT_RESIZE",
					      "PASSWORD" };
	static const char *const tasks[] = { "migrating",  "resize",     "rebuild",    "shelving",
					     "unshelving", "suspending", "resuming",   "pausing",
					     "unpausing",  "rescuing",   "unrescuing", "image_",
					     "restoring",  "deleting",   "soft-delet", "updating_" };
	for (size_t i = 0; i < COUNT(tasks); i++) {
		if (text_starts(m->task_state, tasks[i]))
			return true;
	}
	for (size_t i = 0; i < COUNT(states); i++) {
		if (server_is(m, states[i]))
			return true;
	}
	return false;
}

/* Its task goes on: others' is left alone at once, a reboot's or stop's (perhaps our own) is waited for. */
static enum verdict at_work(struct op *op, const struct machine *m)
{
	if (is_of_others(m))
		return op_leave(op, "somebody is at work on it: the server is %s, %s: left alone", m->status,
				m->task_state);
	return server_still(op, m, "something is under way on it");
}

/* It is in a state in which this repair can do nothing. */
static enum verdict not_now(struct op *op, const struct machine *m)
{
	return is_of_others(m) ? op_leave(op, "the server is %s: left alone", m->status)
			       : op_fail(op, "the server is %s", m->status);
}

/* Nova accepts a reboot or a stop also for a guest whose compute host is down; then its task just stays. */
enum verdict server_still(struct op *op, const struct machine *m, const char *what)
{
	if (is_power_task(m))
		op_note(op, "%s: accepted, but the server is still %s, %s, power %d: its compute host may be down",
			what, m->status, m->task_state, m->power_state);
	else
		op_note(op, "%s: the server is %s%s%s, power %d", what, m->status, m->task_state[0] != '\0' ? ", " : "",
			m->task_state, m->power_state);
	return V_AGAIN;
}

void ask_server(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_server(arena, op->facts.server, out);
}

/* The server to reboot or to start. False: *out_verdict says what to do instead. */
static bool read_ours(struct op *op, const struct answer *answer, struct machine *out, enum verdict *out_verdict)
{
	*out_verdict = V_FAIL;
	if (!answer_is_404(answer))
		return server_read(op, answer, out, out_verdict) && !server_is_foreign(op, out);
	(void)op_fail(op, "the server does not exist (any more)");
	return false;
}

/* ---- reboot and start ------------------------------------------------------------------------------------------ */

void ask_who_stopped(const struct op *op, struct arena *arena, struct ask *out)
{
	if (!op->facts.may_have_stopped)
		nova_actions(arena, op->facts.server, out);
}

enum verdict hear_who_stopped(struct op *op, const struct answer *answer)
{
	struct power_act act;
	if (op->facts.may_have_stopped) /* whose user it was says nothing: a person may use our credentials */
		return V_NEXT;
	if (answer_is_404(answer))
		return op_fail(op, "the server does not exist (any more)");
	if (answer->status != 200)
		return op_usual(op, answer, "reading who stopped the server");
	if (!nova_newest_power(answer->json, &act)) {
		op_note(op, "Nova's list of what was done to the server is not one");
		return V_RETRY;
	}
	if (strcmp(act.action, "stop") == 0 && act.user[0] != '\0')
		return op_leave(op, "somebody stopped the server (user %s, at %s)", act.user, act.at);
	return V_NEXT;
}

static void ask_actions(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_actions(arena, op->facts.server, out);
}

static enum verdict hear_look_reboot(struct op *op, const struct answer *answer)
{
	if (answer_is_404(answer))
		return op_fail(op, "the server does not exist (any more)");
	if (answer->status != 200)
		return op_usual(op, answer, "reading what was done to the server");
	if (op->facts.baseline[0] != '\0')
		return nova_acted_since(answer->json, op->facts.baseline, "reboot") ? op_goto(op, "wait-server")
										    : V_NEXT;
	if (nova_newest_action(answer->json, op->facts.baseline, sizeof op->facts.baseline))
		return V_NEXT;
	op_note(op, "Nova's list of what was done to the server is not one");
	return V_RETRY;
}

static enum verdict look_server(struct op *op, const struct answer *answer, bool is_hard)
{
	static const char *const hanging[] = { "rebooting", "reboot_pending", "reboot_started" };
	struct machine m;
	enum verdict verdict;
	if (!read_ours(op, answer, &m, &verdict))
		return verdict;
	for (size_t i = 0; is_hard && i < COUNT(hanging); i++) {
		if (is_task(&m, hanging[i]))
			return V_NEXT; /* the way out of a soft reboot that hangs */
	}
	if (m.task_state[0] != '\0')
		return at_work(op, &m);
	if (is_hard && server_is(&m, "SHUTOFF"))
		return op_goto(op, "who-stopped"); /* a hard reboot starts it */
	return server_is(&m, "ACTIVE") || (is_hard && server_is(&m, "ERROR")) ? V_NEXT : not_now(op, &m);
}

static enum verdict hear_look_soft(struct op *op, const struct answer *answer)
{
	return look_server(op, answer, false);
}

static enum verdict hear_look_hard(struct op *op, const struct answer *answer)
{
	enum verdict verdict = look_server(op, answer, true);
	return verdict == V_NEXT ? op_goto(op, "look-live") : verdict;
}

static void ask_soft_reboot(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_action(arena, op->facts.server, "{\"reboot\":{\"type\":\"SOFT\"}}", out);
}

static void ask_hard_reboot(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_action(arena, op->facts.server, "{\"reboot\":{\"type\":\"HARD\"}}", out);
}

static enum verdict hear_reboot(struct op *op, const struct answer *answer)
{
	return op_act(op, answer, "rebooting the server");
}

/* A hard reboot out of ERROR shows ERROR until the end: it is final only without a task. */
static enum verdict hear_wait_server(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (answer_is_404(answer))
		return op_fail(op, "the server is gone");
	if (!server_read(op, answer, &m, &verdict))
		return verdict;
	if (server_is(&m, "ERROR") && m.task_state[0] == '\0')
		return op_fail(op, "the server is in ERROR: %.100s", m.fault);
	if (!server_is(&m, "ACTIVE") || m.task_state[0] != '\0')
		return server_still(op, &m, "waiting for ACTIVE");
	if (!wall_parse(str_of(json_text_or(answer->json, "server.updated", "")), &op->facts.acted))
		op->facts.acted = (struct wall){ 0 };
	return V_NEXT;
}

static enum verdict hear_look_start(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (!read_ours(op, answer, &m, &verdict))
		return verdict;
	if (is_task(&m, "powering-on") || (server_is(&m, "ACTIVE") && m.task_state[0] == '\0'))
		return op_goto(op, "wait-server");
	if (m.task_state[0] != '\0')
		return at_work(op, &m);
	return server_is(&m, "SHUTOFF") ? V_NEXT : not_now(op, &m);
}

void ask_start(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_action(arena, op->facts.server, "{\"os-start\":null}", out);
}

static enum verdict hear_start(struct op *op, const struct answer *answer)
{
	return op_act(op, answer, "starting the server");
}

/* ---- off, proven, and without its volumes ---------------------------------------------------------------------- */

/* Nova gave up building it ("No valid host was found"): there never was a guest, so there is none to stop. That Nova
 * knows of no guest now (power 0) would not be enough: its hypervisor may be out of reach. */
static bool never_ran(const struct machine *m, const struct answer *answer)
{
	return server_is(m, "ERROR") && m->task_state[0] == '\0' &&
	       json_int(answer->json, "server.OS-EXT-STS:power_state", -1) == 0 &&
	       json_text(answer->json, "server.OS-SRV-USG:launched_at") == NULL;
}

static bool is_proven_off(const struct machine *m)
{
	return server_is(m, "SHUTOFF") && m->task_state[0] == '\0' && m->power_state == 4;
}

/* The server to stop: one that is gone, or never ran, is as good as off. False: *out_verdict says what to do instead.
 */
static bool read_there(struct op *op, const struct answer *answer, struct machine *out, enum verdict *out_verdict)
{
	if (!answer_is_404(answer) && !server_read(op, answer, out, out_verdict))
		return false;
	bool is_there = !answer_is_404(answer) && !nova_is_deleted(out) && !never_ran(out, answer);
	if (!is_there)
		*out_verdict = op_goto(op, "off");
	return is_there;
}

enum verdict hear_look_stop(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (!read_there(op, answer, &m, &verdict))
		return verdict;
	if (server_is_foreign(op, &m))
		return V_FAIL;
	bool is_off = server_is(&m, "SHUTOFF") && m.task_state[0] == '\0';
	if (is_off && !op->is_touched && !op->is_sent)
		return op_goto(op, "who-stopped"); /* not this repair: not a server that it may take */
	if (is_off || is_task(&m, "powering-off"))
		return op_goto(op, "prove-off");
	if (m.task_state[0] != '\0')
		return at_work(op, &m);
	if (server_is(&m, "ACTIVE") || server_is(&m, "ERROR"))
		return V_NEXT;
	return not_now(op, &m);
}

void ask_stop(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_action(arena, op->facts.server, "{\"os-stop\":null}", out);
}

enum verdict hear_stop(struct op *op, const struct answer *answer)
{
	if (answer_is_404(answer))
		return op_goto(op, "off");
	enum verdict verdict = op_act(op, answer, "stopping the server");
	return verdict == V_NEXT ? op_goto(op, "prove-off") : verdict;
}

enum verdict hear_who_stopped_off(struct op *op, const struct answer *answer)
{
	return answer_is_404(answer) ? op_goto(op, "off") : hear_who_stopped(op, answer);
}

enum verdict hear_prove_off(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (!read_there(op, answer, &m, &verdict))
		return verdict;
	if (is_proven_off(&m))
		return V_NEXT;
	if (server_is(&m, "ERROR") && m.task_state[0] == '\0' && m.power_state != 4 && m.power_state != 1)
		return op_fail(op, "power-off not proven: the server is in ERROR: %.80s", m.fault);
	return server_still(op, &m, "power-off not proven");
}

void ask_volumes(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_attachments(arena, op->facts.server, out);
}

static bool is_volume_list(struct op *op, const struct answer *answer, enum verdict *out_verdict)
{
	if (answer->status == 200 && json_is_array(json_object_get(answer->json, "volumeAttachments")))
		return true;
	if (answer_is_404(answer)) {
		*out_verdict = op_goto(op, "off");
	} else if (answer->status == 200) {
		op_note(op, "Nova's list of volumes is not one");
		*out_verdict = V_RETRY;
	} else {
		*out_verdict = op_usual(op, answer, "listing the server's volumes");
	}
	return false;
}

enum verdict hear_list_volumes(struct op *op, const struct answer *answer)
{
	enum verdict verdict;
	if (!is_volume_list(op, answer, &verdict))
		return verdict;
	const char *volume = nova_data_volume(answer->json);
	if (volume == NULL)
		return op_goto(op, "off");
	(void)TEXT_COPY(op->facts.volume, volume); /* its length was looked at */
	return V_NEXT;
}

void ask_detach(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_detach(arena, op->facts.server, op->facts.volume, out);
}

enum verdict hear_detach(struct op *op, const struct answer *answer)
{
	if (answer_is_404(answer))
		return V_NEXT; /* not attached any more: the next step sees it */
	return op_act(op, answer, "detaching a volume");
}

enum verdict hear_wait_volume(struct op *op, const struct answer *answer)
{
	enum verdict verdict;
	if (!is_volume_list(op, answer, &verdict))
		return verdict;
	if (!nova_has_volume(answer->json, op->facts.volume))
		return op_goto(op, "list-volumes");
	op_note(op, "volume %s is still attached", op->facts.volume);
	return V_AGAIN;
}

/* The server is off. Its twin in the stack comes next, if it has one. */
enum verdict hear_off(struct op *op, const struct answer *answer)
{
	(void)answer;
	if (op->facts.new_server[0] == '\0')
		return V_NEXT;
	memcpy(op->facts.server, op->facts.new_server, sizeof op->facts.server);
	op->facts.new_server[0] = '\0';
	op->facts.baseline[0] = '\0';
	return op_goto(op, "look-stop");
}

enum verdict hear_look_off(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (answer_is_404(answer))
		return V_NEXT;
	if (!server_read(op, answer, &m, &verdict))
		return verdict;
	if (nova_is_deleted(&m))
		return V_NEXT;
	if (server_is_foreign(op, &m))
		return V_FAIL;
	if (is_proven_off(&m) || never_ran(&m, answer))
		return V_NEXT;
	if (server_is(&m, "ACTIVE") || is_task(&m, "powering-on") || m.power_state == 1)
		return op_leave(op, "somebody started the server again");
	if (m.task_state[0] != '\0' || server_is(&m, "SHUTOFF"))
		return server_still(op, &m, "it was off before");
	return not_now(op, &m);
}

/* ---- the recipes that are about nothing but the server --------------------------------------------------------- */

/* WHO: the step that a server which is off leads to, or nothing. */
#define REBOOT_LOOK_STEPS(hear_look)                                                                                   \
	NODE_CORDON_STEPS, { "look-reboot", ask_actions, hear_look_reboot, .limit_ms = LIMIT_ANSWER },                 \
	{                                                                                                              \
		"look-server", ask_server, hear_look, .limit_ms = LIMIT_TASK                                           \
	}
#define REBOOT_STEPS(ask_reboot)                                                                                       \
	{ "look-live", ask_live, hear_live_there, .limit_ms = LIMIT_ANSWER },                                          \
		{ "reboot",                                                                                            \
		  ask_reboot,                                                                                          \
		  hear_reboot,                                                                                         \
		  .limit_ms = LIMIT_ANSWER,                                                                            \
		  .is_once = true,                                                                                     \
		  .look = "look-reboot",                                                                               \
		  .is_committed = true,                                                                                \
		  .tries = 3 },                                                                                        \
		{ "wait-server", ask_server, hear_wait_server, .limit_ms = LIMIT_BOOT },                               \
		{ "wait-ready", ask_memory, hear_rebooted, .limit_ms = STEP_LIMIT_READY }, NODE_UNCORDON_STEPS

static const struct step soft_reboot[] = { REBOOT_LOOK_STEPS(hear_look_soft), REBOOT_STEPS(ask_soft_reboot) };
static const struct step hard_reboot[] = {
	REBOOT_LOOK_STEPS(hear_look_hard),
	{ "who-stopped", ask_who_stopped, hear_who_stopped, .limit_ms = LIMIT_ANSWER },
	REBOOT_STEPS(ask_hard_reboot),
};

static const struct step start[] = {
	{ "look-start", ask_server, hear_look_start, .limit_ms = LIMIT_TASK },
	{ "who-stopped", ask_who_stopped, hear_who_stopped, .limit_ms = LIMIT_ANSWER },
	{ "start", ask_start, hear_start, .limit_ms = LIMIT_ANSWER, .is_once = true, .look = "look-start",
	  .is_committed = true, .tries = 3 },
	{ "wait-server", ask_server, hear_wait_server, .limit_ms = LIMIT_BOOT },
	{ "wait-ready", ask_memory, hear_rebooted, .limit_ms = STEP_LIMIT_READY },
	NODE_UNCORDON_STEPS,
};

#define RECIPE(text, table, limit)                                                                                     \
	{                                                                                                              \
		text, table, COUNT(table), .limit_ms = (limit)                                                         \
	}
const struct recipe recipe_start = RECIPE("start", start, HOUR);
const struct recipe recipe_soft_reboot = RECIPE("soft-reboot", soft_reboot, HOUR);
const struct recipe recipe_hard_reboot = RECIPE("hard-reboot", hard_reboot, HOUR);
