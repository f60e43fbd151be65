/* The recipes. Each reads downward in its table at the end of the file; above are the questions and the readings of the
 * answers, in the order of the steps.
 *
 * What must not be sent twice (reboot, start, stop, stack update, resize) is a once step behind a look that sees the
 * act's earliest visible effect: the server's own list of actions, its state, the time of the stack's or the cluster's
 * last update. The look notes what there was before the act in facts.baseline, which the journal keeps with the intent.
 */
#include "cloud/openstack/recipes_heat.h"

#include <string.h>

#include "base/jsonx.h"
#include "cloud/node_steps.h"
#include "cloud/openstack/heat.h"
#include "cloud/openstack/magnum.h"
#include "cloud/openstack/nova.h"
#include "cloud/openstack/server_steps.h"

#define REFUSALS_MAX 3 /* of a stack update: then the mark is taken back */
#define NONE "none"    /* in facts.baseline: looked, and there was nothing */

/* ---- the stack ------------------------------------------------------------------------------------------------- */

/* Heat answers to the id alone with a redirect that has the name; PATCHes are only sent to the full address. */
static void ask_find_stack(const struct op *op, struct arena *arena, struct ask *out)
{
	if (op->facts.stack[0] == '\0' || strchr(op->facts.stack, '/') != NULL)
		out->kind = ASK_NOTHING;
	else
		heat_stack(arena, op->facts.stack, out);
}

static enum verdict hear_find_stack(struct op *op, const struct answer *answer)
{
	char found[sizeof op->facts.stack];
	if (strchr(op->facts.stack, '/') != NULL)
		return V_NEXT;
	if (op->facts.stack[0] == '\0' || answer_is_404(answer))
		return op_fail(op, "the node's stack does not exist");
	bool is_redirect = answer->status >= 300 && answer->status < 400;
	if (is_redirect && heat_tail(answer->location, found, sizeof found) && strchr(found, '/') != NULL) {
		(void)TEXT_COPY(op->facts.stack, found);
		return V_NEXT;
	}
	if (answer->status < 200 || answer->status >= 400)
		return op_usual(op, answer, "finding the stack");
	op_note(op, "Heat does not say where the stack is");
	return V_RETRY;
}

static void ask_stack(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_stack(arena, op->facts.stack, out);
}

struct stack_look {
	const char *status;
	const char *updated; /* NONE: never */
	const char *reason;
};

static bool read_stack(struct op *op, const struct answer *answer, struct stack_look *out, enum verdict *out_verdict)
{
	const json_t *stack = json_object_get(answer->json, "stack");
	*out = (struct stack_look){ json_text_or(stack, "stack_status", ""), json_text_or(stack, "updated_time", NONE),
				    json_text_or(stack, "stack_status_reason", "") };
	if (answer->status == 200 && out->status[0] != '\0')
		return true;
	if (answer->status == 200) {
		op_note(op, "Heat's answer shows no stack");
		*out_verdict = V_RETRY;
	} else {
		*out_verdict = op_usual(op, answer, "reading the stack");
	}
	return false;
}

static enum verdict hear_stack_idle(struct op *op, const struct answer *answer)
{
	struct stack_look stack;
	enum verdict verdict;
	if (!read_stack(op, answer, &stack, &verdict))
		return verdict;
	if (status_is_settled(stack.status))
		return V_NEXT;
	if (!status_is_busy(stack.status) || text_starts(stack.status, "DELETE_"))
		return op_fail(op, "the stack is %.30s", stack.status);
	op_note(op, "the stack is busy (%.30s)", stack.status);
	return V_AGAIN;
}

static void ask_resources(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_servers(arena, op->facts.stack, out);
}

/* Where SERVER is in the stack. False: *out_verdict says what to do instead. */
static bool read_resource(struct op *op, const struct answer *answer, const char *server,
			  char out[static sizeof op->facts.resource], enum verdict *out_verdict)
{
	if (answer->status == 200 && heat_find_server(answer->json, server, out, sizeof op->facts.resource))
		return true;
	if (answer->status == 200) {
		op_note(op, "Heat's list of the stack's servers makes no sense");
		*out_verdict = V_RETRY;
	} else {
		*out_verdict = op_usual(op, answer, "listing the stack's servers");
	}
	return false;
}

/* Before anything is done to it: it must be the stack's, or have a twin there. */
static enum verdict hear_find_resource(struct op *op, const struct answer *answer)
{
	enum verdict verdict;
	if (!read_resource(op, answer, op->facts.server, op->facts.resource, &verdict))
		return verdict;
	return op->facts.resource[0] == '\0' ? V_NEXT : op_goto(op, "look-stop");
}

static void ask_twins(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_servers_called(arena, op->facts.server_name, out);
}

/* A replacement that failed half-way (the new server never signalled) leaves two servers of one name: Heat's resource
 * is the new one, and the Node still names the old one. Then the new one is what is to be replaced; facts.new_server
 * remembers it until the old one is off. A twin that is younger than this repair is somebody's replacement at work. */
static enum verdict hear_find_twin(struct op *op, const struct answer *answer)
{
	if (answer->status != 200)
		return op_usual(op, answer, "looking for a server of the same name");
	struct machine twin = { 0 };
	size_t i;
	json_t *server;
	json_array_foreach(json_object_get(answer->json, "servers"), i, server) {
		struct machine m;
		bool is_twin = nova_machine(server, &m) && strcmp(m.name, op->facts.server_name) == 0 &&
			       strcmp(m.id, op->facts.server) != 0 && !nova_is_deleted(&m);
		if (is_twin && m.created.ms >= twin.created.ms)
			twin = m;
	}
	if (twin.id[0] == '\0' || op->facts.new_server[0] != '\0')
		return op_fail(op, "the server is not in the stack %.100s", op->facts.stack);
	if (twin.created.ms > op->started.ms)
		return op_fail(op, "somebody is replacing the server");
	(void)TEXT_COPY(op->facts.new_server, twin.id);
	return V_NEXT;
}

/* A name proves nothing: anybody in the project may have given it to his server. */
static enum verdict hear_check_twin(struct op *op, const struct answer *answer)
{
	enum verdict verdict;
	if (!read_resource(op, answer, op->facts.new_server, op->facts.resource, &verdict))
		return verdict;
	if (op->facts.resource[0] == '\0')
		return op_fail(op, "the server is not in the stack %.100s", op->facts.stack);
	return V_NEXT;
}

/* It was there before the stop; the stack may have been busy since. Somebody else's replacement is as good as ours. */
static enum verdict hear_find_again(struct op *op, const struct answer *answer)
{
	char found[sizeof op->facts.resource];
	enum verdict verdict;
	if (!read_resource(op, answer, op->facts.server, found, &verdict))
		return verdict;
	if (found[0] != '\0') {
		(void)TEXT_COPY(op->facts.resource, found);
		return op_goto(op, "mark-unhealthy");
	}
	const char *other = heat_server_at(answer->json, op->facts.resource);
	if (other[0] != '\0' && TEXT_COPY(op->facts.new_server, other))
		return op_goto(op, "wait-new");
	return op_fail(op, "the server is not in the stack any more");
}

static void ask_mark(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_mark(arena, op->facts.resource, true, out);
}

static enum verdict hear_mark(struct op *op, const struct answer *answer)
{
	enum verdict verdict = op_act(op, answer, "marking the server unhealthy in Heat");
	return verdict == V_FAIL ? op_goto(op, "unmark") : verdict; /* an earlier try may have arrived unheard */
}

/* The first look remembers when the stack was last updated; a later one sees whether it was since. */
static enum verdict hear_look_update(struct op *op, const struct answer *answer)
{
	struct stack_look stack;
	enum verdict verdict;
	if (!read_stack(op, answer, &stack, &verdict))
		return verdict == V_FAIL ? op_goto(op, "unmark") : verdict;
	bool is_first = op->facts.baseline[0] == '\0';
	if (status_is_busy(stack.status)) /* at the first look somebody else's update: may have begun before our mark */
		return op_goto(op, is_first ? "step-back" : "wait-stack");
	if (is_first)
		return TEXT_COPY(op->facts.baseline, stack.updated) ? V_NEXT : V_RETRY;
	return strcmp(op->facts.baseline, stack.updated) == 0 ? V_NEXT : op_goto(op, "wait-stack");
}

static void ask_update(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_update(arena, op->facts.stack, out);
}

static enum verdict hear_update(struct op *op, const struct answer *answer)
{
	enum verdict verdict = op_act(op, answer, "updating the stack");
	if (verdict == V_RETRY && op->tries + 1 < REFUSALS_MAX)
		return V_RETRY;
	return verdict == V_NEXT ? V_NEXT : op_goto(op, "unmark");
}

static void ask_unmark(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_mark(arena, op->facts.resource, false, out);
}

static enum verdict hear_unmark(struct op *op, const struct answer *answer)
{
	if (op->note[0] == '\0')
		op_note(op, "Heat refuses to update the stack");
	char said[OP_NOTE_BYTES];
	memcpy(said, op->note, sizeof said); /* why it came to this; the runner keeps it on a way back */
	enum verdict verdict = op_usual(op, answer, "taking the mark in Heat back");
	memcpy(op->note, said, sizeof said);
	return verdict == V_RETRY ? V_RETRY : V_FAIL;
}

/* Somebody's update has begun around our mark: wait for its end without one, and look at everything again. Nothing of
 * ours is left then, so that the repair may be cancelled as before. */
static enum verdict hear_step_back(struct op *op, const struct answer *answer)
{
	enum verdict verdict = op_usual(op, answer, "taking the mark in Heat back");
	if (verdict != V_NEXT)
		return verdict;
	op->is_committed = false;
	return op_goto(op, "stack-idle");
}

/* An accepted update shows only after seconds. Not showing within the step's limit, it goes on to wait-stack and
 * check-resource, which tell the truth. */
static enum verdict hear_wait_update(struct op *op, const struct answer *answer)
{
	struct stack_look stack;
	enum verdict verdict;
	if (!read_stack(op, answer, &stack, &verdict))
		return verdict;
	if (status_is_busy(stack.status) || strcmp(op->facts.baseline, stack.updated) != 0)
		return V_NEXT;
	op_note(op, "the accepted update does not show yet");
	return V_AGAIN;
}

static enum verdict hear_wait_stack(struct op *op, const struct answer *answer)
{
	struct stack_look stack;
	enum verdict verdict;
	if (!read_stack(op, answer, &stack, &verdict))
		return verdict;
	if (status_is_busy(stack.status)) {
		op_note(op, "the stack is %.30s", stack.status);
		return V_AGAIN;
	}
	if (status_is_settled(stack.status) && strcmp(stack.status, "UPDATE_FAILED") != 0)
		return V_NEXT;
	op_note(op, "the stack is %.30s: %.110s", stack.status, stack.reason);
	return op_goto(op, "unmark"); /* it may have failed before it came to our mark */
}

static void ask_resource(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_resource(arena, op->facts.resource, out);
}

static enum verdict hear_check_resource(struct op *op, const struct answer *answer)
{
	if (answer->status != 200)
		return op_usual(op, answer, "reading the server's resource");
	const char *id = json_text_or(answer->json, "resource.physical_resource_id", "");
	if (strcmp(id, op->facts.server) == 0) {
		op_note(op, "the stack was updated, but Heat did not replace the server");
		return op_goto(op, "unmark");
	}
	if (id[0] != '\0' && TEXT_COPY(op->facts.new_server, id))
		return V_NEXT;
	op_note(op, "the resource has no server yet");
	return V_RETRY;
}

static void ask_new_server(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_server(arena, op->facts.new_server, out);
}

static enum verdict hear_wait_new(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (answer_is_404(answer))
		return op_fail(op, "the new server is gone again");
	if (!server_read(op, answer, &m, &verdict))
		return verdict;
	if (server_is(&m, "ERROR") && m.task_state[0] == '\0')
		return op_fail(op, "the new server is in ERROR: %.100s", m.fault);
	if (server_is(&m, "ACTIVE") && m.task_state[0] == '\0')
		return V_NEXT;
	return server_still(op, &m, "waiting for the new server");
}

static enum verdict hear_old_gone(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (answer_is_404(answer))
		return V_NEXT;
	if (!server_read(op, answer, &m, &verdict))
		return verdict;
	return nova_is_deleted(&m) ? V_NEXT : server_still(op, &m, "the old server still exists");
}

/* ---- resize ---------------------------------------------------------------------------------------------------- */

static void ask_cluster(const struct op *op, struct arena *arena, struct ask *out)
{
	magnum_cluster(arena, op->facts.cluster, out);
}

struct cluster_look {
	const char *status;
	const char *updated;
	const char *reason;
};

static bool read_cluster(struct op *op, const struct answer *answer, struct cluster_look *out,
			 enum verdict *out_verdict)
{
	*out = (struct cluster_look){ json_text_or(answer->json, "status", ""),
				      json_text_or(answer->json, "updated_at", NONE),
				      json_text_or(answer->json, "status_reason", "") };
	if (answer->status == 200 && out->status[0] != '\0')
		return true;
	if (answer->status == 200) {
		op_note(op, "Magnum's answer shows no cluster");
		*out_verdict = V_RETRY;
	} else {
		*out_verdict = op_usual(op, answer, "reading the cluster");
	}
	return false;
}

/* Magnum takes a resize at any time, and a later one makes an earlier one vanish: it must be idle. */
static enum verdict hear_cluster_idle(struct op *op, const struct answer *answer)
{
	struct cluster_look cluster;
	enum verdict verdict;
	if (!read_cluster(op, answer, &cluster, &verdict))
		return verdict;
	if (status_is_settled(cluster.status))
		return V_NEXT;
	if (!status_is_busy(cluster.status) || text_starts(cluster.status, "DELETE_"))
		return op_fail(op, "the cluster is %.30s", cluster.status);
	op_note(op, "the cluster is busy (%.30s)", cluster.status);
	return V_AGAIN;
}

static void ask_group(const struct op *op, struct arena *arena, struct ask *out)
{
	magnum_group(arena, op->facts.cluster, op->facts.group, out);
}

static enum verdict hear_read_group(struct op *op, const struct answer *answer)
{
	if (answer_is_404(answer))
		return op_fail(op, "Magnum has no node group %s", op->facts.group);
	if (answer->status != 200)
		return op_usual(op, answer, "reading the node group");
	const char *status = json_text_or(answer->json, "status", "");
	int64_t count = json_int(answer->json, "node_count", -1);
	if (strcmp(json_text_or(answer->json, "role", ""), "master") == 0)
		return op_fail(op, "the node group %s is the masters'", op->facts.group);
	if (status_is_busy(status)) {
		op_note(op, "the node group is busy (%.30s)", status);
		return V_AGAIN;
	}
	if (!status_is_settled(status))
		return op_fail(op, "the node group is %.30s", status);
	if (count < 1 || count > 100000)
		return op_fail(op, "the node group says that it has %lld nodes", (long long)count);
	op->facts.count = (int32_t)count;
	return V_NEXT;
}

/* "PREFIX-node-" of the server's name, its own index in *out_index (-1: it has none). */
static const char *name_prefix(const struct op *op, struct arena *arena, int *out_index)
{
	const char *name = op->facts.server_name[0] != '\0' ? op->facts.server_name : op->facts.node;
	size_t n = 0;
	*out_index = nova_name_index(name, &n);
	return arena_printf(arena, "%.*s", (int)n, name);
}

static void ask_siblings(const struct op *op, struct arena *arena, struct ask *out)
{
	int index;
	const char *prefix = name_prefix(op, arena, &index);
	if (index < 0)
		out->kind = ASK_NOTHING;
	else
		nova_servers_named(arena, prefix, out);
}

/* The sibling with the highest index above `above`, never one of another prefix; index -1: there is none. */
static int newest_sibling(const struct op *op, const json_t *servers, int above, struct machine *out)
{
	const char *name = op->facts.server_name[0] != '\0' ? op->facts.server_name : op->facts.node;
	size_t own_n = 0;
	int best = -1;
	size_t i;
	json_t *server;
	(void)nova_name_index(name, &own_n);
	json_array_foreach(servers, i, server) {
		struct machine m;
		size_t n = 0;
		int index = nova_machine(server, &m) ? nova_name_index(m.name, &n) : -1;
		if (index > above && index > best && n == own_n && strncmp(m.name, name, n) == 0 &&
		    !nova_is_deleted(&m)) {
			best = index;
			*out = m;
		}
	}
	return best;
}

/* Indexes are never used again: the new server's is above all that were there before. */
static enum verdict hear_newest(struct op *op, const struct answer *answer)
{
	size_t n = 0;
	struct machine m;
	const char *name = op->facts.server_name[0] != '\0' ? op->facts.server_name : op->facts.node;
	int own = nova_name_index(name, &n);
	if (own < 0)
		return op_fail(op, "the server's name %.60s has no number at its end", name);
	if (answer->status != 200)
		return op_usual(op, answer, "listing the group's servers");
	int newest = newest_sibling(op, json_object_get(answer->json, "servers"), -1, &m);
	op->facts.newest = newest > own ? newest : own;
	return V_NEXT;
}

static enum verdict hear_look_resize(struct op *op, const struct answer *answer)
{
	struct cluster_look cluster;
	enum verdict verdict;
	if (!read_cluster(op, answer, &cluster, &verdict))
		return verdict;
	bool is_first = op->facts.baseline[0] == '\0';
	if (status_is_busy(cluster.status))
		return op_goto(op, is_first ? "stack-idle" : "wait-settled");
	if (is_first)
		return TEXT_COPY(op->facts.baseline, cluster.updated) ? V_NEXT : V_RETRY;
	return strcmp(op->facts.baseline, cluster.updated) == 0 ? V_NEXT : op_goto(op, "wait-settled");
}

static void ask_resize(const struct op *op, struct arena *arena, struct ask *out)
{
	magnum_resize(arena, op->facts.cluster, op->facts.group, op->facts.count, op->facts.server, out);
}

static enum verdict hear_resize(struct op *op, const struct answer *answer)
{
	return op_act(op, answer, "resizing the cluster");
}

static enum verdict hear_wait_busy(struct op *op, const struct answer *answer)
{
	struct cluster_look cluster;
	enum verdict verdict;
	if (!read_cluster(op, answer, &cluster, &verdict))
		return verdict;
	if (status_is_busy(cluster.status) || strcmp(op->facts.baseline, cluster.updated) != 0)
		return V_NEXT;
	op_note(op, "the accepted resize does not show yet");
	return V_AGAIN;
}

static enum verdict hear_wait_settled(struct op *op, const struct answer *answer)
{
	struct cluster_look cluster;
	enum verdict verdict;
	if (!read_cluster(op, answer, &cluster, &verdict))
		return verdict;
	if (status_is_busy(cluster.status)) {
		op_note(op, "the cluster is %.30s", cluster.status);
		return V_AGAIN;
	}
	if (status_is_settled(cluster.status) && strcmp(cluster.status, "UPDATE_FAILED") != 0)
		return V_NEXT;
	return op_fail(op, "the cluster is %.30s: %.100s", cluster.status, cluster.reason);
}

/* A 202 and even UPDATE_COMPLETE prove nothing: the server must be gone. */
static enum verdict hear_wait_gone(struct op *op, const struct answer *answer)
{
	enum verdict verdict = hear_old_gone(op, answer);
	if (verdict == V_AGAIN)
		op_note(op, "Magnum is done, but the server still exists: the resize was dropped");
	return verdict;
}

static enum verdict hear_find_new(struct op *op, const struct answer *answer)
{
	struct machine m;
	if (answer->status != 200)
		return op_usual(op, answer, "looking for the new server");
	if (newest_sibling(op, json_object_get(answer->json, "servers"), op->facts.newest, &m) < 0) {
		op_note(op, "there is no new server yet");
		return V_AGAIN;
	}
	if (server_is(&m, "ERROR") && m.task_state[0] == '\0')
		return op_fail(op, "the new server %.60s is in ERROR: %.60s", m.name, m.fault);
	if (!server_is(&m, "ACTIVE"))
		return server_still(op, &m, "waiting for the new server");
	(void)TEXT_COPY(op->facts.new_server, m.id); /* both from arrays of the same size */
	(void)TEXT_COPY(op->facts.server_name, m.name);
	return V_NEXT;
}

static void ask_forget(const struct op *op, struct arena *arena, struct ask *out)
{
	if (op->facts.node_uid[0] == '\0')
		out->kind = ASK_NOTHING; /* never without the precondition */
	else
		ask_forget_node(op, arena, out);
}

/* From here on the op is about the new node, which has another name. */
static enum verdict hear_forget(struct op *op, const struct answer *answer)
{
	enum verdict verdict = hear_forget_node(op, answer);
	if (verdict == V_NEXT && TEXT_COPY(op->facts.node, op->facts.server_name)) {
		op->facts.node_uid[0] = '\0';
		op->facts.has_cordoned = false;
	}
	return verdict;
}

/* ---- the tables ------------------------------------------------------------------------------------------------ */

#define LIMIT_UPDATE (90 * MINUTE)
#define LIMIT_BUSY HOUR          /* for somebody else's update */
#define LIMIT_JOIN (20 * MINUTE) /* a new server boots and joins; its stack already said that it is there */
#define POLL_UPDATE (5 * SEC)
/* For a step after the mark and before an accepted update: it ends with the mark taken back, not in failure. */
#define OR_UNMARK .tries = TRIES_IN_TIME, .otherwise = "unmark", .is_exclusive = true

#define FIND_STACK_STEP                                                                                                \
	{                                                                                                              \
		"find-stack", ask_find_stack, hear_find_stack, .limit_ms = LIMIT_ANSWER                                \
	}
#define STACK_IDLE_STEP                                                                                                \
	{                                                                                                              \
		"stack-idle", ask_stack, hear_stack_idle, .limit_ms = LIMIT_BUSY, .poll_ms = POLL_UPDATE,              \
							  .tries = TRIES_IN_TIME, .is_exclusive = true                 \
	}

/* The ways back stand before the mark: on a way back the runner keeps the note that says why. */
static const struct step replace_in_place[] = {
	NODE_CORDON_STEPS,
	FIND_STACK_STEP,
	{ "find-resource", ask_resources, hear_find_resource, .limit_ms = LIMIT_ANSWER },
	{ "find-twin", ask_twins, hear_find_twin, .limit_ms = LIMIT_ANSWER },
	{ "check-twin", ask_resources, hear_check_twin, .limit_ms = LIMIT_ANSWER },
	OFF_STEPS,
	STACK_IDLE_STEP,
	STILL_OFF_STEPS,
	{ "find-resource-again", ask_resources, hear_find_again, .limit_ms = LIMIT_ANSWER, .tries = TRIES_IN_TIME,
	  .is_exclusive = true },
	{ "step-back", ask_unmark, hear_step_back, .limit_ms = LIMIT_UPDATE, .tries = TRIES_IN_TIME,
	  .is_exclusive = true },
	{ "unmark", ask_unmark, hear_unmark, .limit_ms = LIMIT_BUSY, .tries = TRIES_IN_TIME, .is_exclusive = true },
	{ "mark-unhealthy", ask_mark, hear_mark, .limit_ms = LIMIT_ANSWER, .is_committed = true, OR_UNMARK },
	{ "look-update", ask_stack, hear_look_update, .limit_ms = 30 * MINUTE, OR_UNMARK },
	{ "update-stack", ask_update, hear_update, .limit_ms = LIMIT_ANSWER, .is_once = true, .look = "look-update",
	  .is_committed = true, OR_UNMARK },
	{ "wait-update", ask_stack, hear_wait_update, .limit_ms = 90 * SEC, .otherwise = "wait-stack",
	  .is_exclusive = true },
	{ "wait-stack", ask_stack, hear_wait_stack, .limit_ms = LIMIT_UPDATE, .poll_ms = POLL_UPDATE,
	  .is_exclusive = true },
	{ "check-resource", ask_resource, hear_check_resource, .limit_ms = LIMIT_ANSWER, .is_exclusive = true },
	{ "wait-new", ask_new_server, hear_wait_new, .limit_ms = 10 * MINUTE, .is_exclusive = true },
	{ "old-gone", ask_server, hear_old_gone, .limit_ms = 10 * MINUTE, .is_exclusive = true },
	{ "wait-ready", ask_memory, hear_replaced, .limit_ms = LIMIT_JOIN },
	NODE_UNCORDON_STEPS,
};

static const struct step replace_by_resize[] = {
	NODE_CORDON_STEPS,
	FIND_STACK_STEP,
	OFF_STEPS,
	STACK_IDLE_STEP,
	{ "cluster-idle", ask_cluster, hear_cluster_idle, .limit_ms = LIMIT_BUSY, .poll_ms = POLL_UPDATE,
	  .tries = TRIES_IN_TIME, .is_exclusive = true },
	{ "read-group", ask_group, hear_read_group, .limit_ms = LIMIT_ANSWER, .tries = TRIES_IN_TIME,
	  .is_exclusive = true },
	{ "newest", ask_siblings, hear_newest, .limit_ms = LIMIT_ANSWER, .tries = TRIES_IN_TIME, .is_exclusive = true },
	STILL_OFF_STEPS,
	{ "look-resize", ask_cluster, hear_look_resize, .limit_ms = LIMIT_ANSWER, .tries = TRIES_IN_TIME,
	  .is_exclusive = true },
	{ "resize", ask_resize, hear_resize, .limit_ms = LIMIT_ANSWER, .is_once = true, .look = "look-resize",
	  .is_exclusive = true, .is_committed = true },
	{ "wait-busy", ask_cluster, hear_wait_busy, .limit_ms = 90 * SEC, .otherwise = "wait-settled",
	  .is_exclusive = true },
	{ "wait-settled", ask_cluster, hear_wait_settled, .limit_ms = LIMIT_UPDATE, .poll_ms = POLL_UPDATE,
	  .is_exclusive = true },
	{ "wait-gone", ask_server, hear_wait_gone, .limit_ms = 2 * MINUTE, .is_exclusive = true },
	{ "find-new", ask_siblings, hear_find_new, .limit_ms = 10 * MINUTE, .is_exclusive = true },
	{ "forget-node", ask_forget, hear_forget, .limit_ms = LIMIT_ANSWER },
	{ "wait-new-ready", ask_memory, hear_replaced, .limit_ms = LIMIT_JOIN },
	{ "done", ask_nothing, hear_nothing },
};

#define RECIPE(text, table, limit)                                                                                     \
	{                                                                                                              \
		text, table, COUNT(table), .limit_ms = (limit)                                                         \
	}
const struct recipe recipe_replace_in_place = RECIPE("replace-in-place", replace_in_place, 6 * HOUR);
const struct recipe recipe_replace_by_resize = RECIPE("replace-by-resize", replace_by_resize, 6 * HOUR);
