/* Replacing workers: in place, by their stack, or by Magnum's resize. Each recipe reads downward in its table at the
 * end of the file; above are the questions and the readings of the answers, in the order of the steps. What it shares
 * with others is in node_steps, server_steps and stack_steps.
 *
 * What must not be sent twice (reboot, start, stop, stack update, resize) is a once step behind a look that sees the
 * act's earliest visible effect: the server's own list of actions, its state, the time of the stack's or the cluster's
 * last update. The look notes what there was before the act in facts.baseline, which the journal keeps with the intent.
 */
#include "cloud/openstack/recipes_heat.h"

#include <string.h>

#include "base/jsonx.h"
#include "cloud/node_steps.h"
#include "cloud/openstack/magnum.h"
#include "cloud/openstack/nova.h"
#include "cloud/openstack/server_steps.h"
#include "cloud/openstack/stack_steps.h"

/* ---- in place --------------------------------------------------------------------------------------------------- */

static enum verdict hear_unmark_volume(struct op *op, const struct answer *answer)
{
	enum verdict verdict = hear_unmark(op, answer);
	return verdict == V_RETRY ? V_RETRY : op_fail(op, "%s", op->facts.why);
}

/* Somebody's update has begun around our marks: wait for its end without them, and look at everything again. Nothing of
 * ours is left then, so that the repair may be cancelled as before. */
static enum verdict hear_step_back(struct op *op, const struct answer *answer)
{
	return op_usual(op, answer, "taking the mark in Heat back");
}

static enum verdict hear_step_back_volume(struct op *op, const struct answer *answer)
{
	enum verdict verdict = hear_step_back(op, answer);
	if (verdict != V_NEXT)
		return verdict;
	op->is_committed = false;
	return op_goto(op, "stack-idle");
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
				      json_text_or(answer->json, "updated_at", STACK_NONE),
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

#define STACK_IDLE_STEP                                                                                                \
	{                                                                                                              \
		"stack-idle", ask_stack, hear_stack_idle, .limit_ms = LIMIT_BUSY, .poll_ms = POLL_UPDATE,              \
							  .tries = TRIES_IN_TIME, .is_exclusive = true                 \
	}

/* The ways back stand before the mark: on a way back the runner keeps the note that says why. */
static const struct step replace_in_place[] = {
	NODE_CORDON_STEPS,
	FIND_STACK_STEP,
	FIND_RESOURCE_STEPS,
	OFF_STEPS,
	STACK_IDLE_STEP,
	STILL_OFF_STEPS,
	{ "find-resource-again", ask_resources, hear_find_again, .limit_ms = LIMIT_ANSWER, .tries = TRIES_IN_TIME,
	  .is_exclusive = true },
	{ "step-back", ask_unmark, hear_step_back, .limit_ms = LIMIT_UPDATE, .tries = TRIES_IN_TIME,
	  .is_exclusive = true },
	{ "step-back-volume", ask_unmark_volume, hear_step_back_volume, .limit_ms = LIMIT_UPDATE,
	  .tries = TRIES_IN_TIME, .is_exclusive = true },
	{ "unmark", ask_unmark, hear_unmark, .limit_ms = LIMIT_BUSY, .tries = TRIES_IN_TIME,
	  .otherwise = "unmark-volume", .is_exclusive = true },
	{ "unmark-volume", ask_unmark_volume, hear_unmark_volume, .limit_ms = LIMIT_BUSY, .tries = TRIES_IN_TIME,
	  .is_exclusive = true },
	MARK_STEPS,
	UPDATE_STEPS,
	NEW_SERVER_STEPS,
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
	{ "forget-node", ask_forget_node, hear_forget, .limit_ms = LIMIT_ANSWER },
	{ "wait-new-ready", ask_memory, hear_replaced, .limit_ms = LIMIT_JOIN },
	{ "done", ask_nothing, hear_nothing },
};

#define RECIPE(text, table, limit)                                                                                     \
	{                                                                                                              \
		text, table, COUNT(table), .limit_ms = (limit)                                                         \
	}
const struct recipe recipe_replace_in_place = RECIPE("replace-in-place", replace_in_place, 6 * HOUR);
const struct recipe recipe_replace_by_resize = RECIPE("replace-by-resize", replace_by_resize, 6 * HOUR);
