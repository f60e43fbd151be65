/* Cordon, uncordon, forget a Node, wait until it is Ready. */
#include "cloud/node_steps.h"

#include <string.h>

#include "base/jsonx.h"
#include "core/match.h"

#define PATCH_MERGE "application/merge-patch+json"
#define FIELD_MANAGER "?fieldManager=magnum-auto-healer"
#define BODY_BYTES_MAX 2048
/* A node that has been Ready since long before the repair began was known to be (a view that could start a repair is at
 * most minutes old): the repair has another reason, such as another condition. So it has when the node was Ready in the
 * view that the repair began with (facts.was_ready): a master whose API server is dead may have come back Ready from
 * the last reboot a minute ago, and is not healthy for that. */
#define READY_IS_NEWS_MS (10 * MINUTE)

void ask_memory(const struct op *op, struct arena *arena, struct ask *out)
{
	(void)op;
	(void)arena;
	out->kind = ASK_NODE;
}

void ask_nothing(const struct op *op, struct arena *arena, struct ask *out)
{
	(void)op;
	(void)arena;
	out->kind = ASK_NOTHING;
}

enum verdict hear_nothing(struct op *op, const struct answer *answer)
{
	(void)op;
	(void)answer;
	return V_NEXT;
}

/* Is the op about a server that never joined? Then it carries the server's id in place of a Node's. */
static bool is_of_phantom(const struct op *op)
{
	return op->facts.node_uid[0] != '\0' && strcmp(op->facts.node_uid, op->facts.server) == 0;
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static void ask_node(const struct op *op, struct arena *arena, const char *method, const char *query, struct buf *body,
		     struct ask *out)
{
	/* A body makes it an act. */
	struct buf path;
	buf_init(&path, BODY_BYTES_MAX);
	(void)(buf_text(&path, "/api/v1/nodes/") && buf_urlencode(&path, op->facts.node) && buf_text(&path, query));
	*out = (struct ask){
		.kind = ASK_KUBE,
		.method = method,
		.path = arena_strdup(arena, buf_cstr(&path)),
		.body = body != NULL ? arena_strdup(arena, buf_cstr(body)) : NULL,
		.is_act = body != NULL,
	};
	buf_done(&path);
	if (body != NULL)
		buf_done(body);
}

/* {"metadata":{"uid":U,"resourceVersion":V,"annotations":{OURS:value}},"spec":{"unschedulable":value}}; with another
 * uid the API server refuses (422), so that a new Node of the same name is never touched; with an older version as well
 * (409). */
static void ask_mark(const struct op *op, struct arena *arena, const char *mark, const char *version, struct ask *out)
{
	struct buf b;
	buf_init(&b, BODY_BYTES_MAX);
	(void)buf_text(&b, "{\"metadata\":{");
	if (op->facts.node_uid[0] != '\0')
		(void)(buf_text(&b, "\"uid\":") && buf_json(&b, op->facts.node_uid) && buf_char(&b, ','));
	if (version[0] != '\0')
		(void)(buf_text(&b, "\"resourceVersion\":") && buf_json(&b, version) && buf_char(&b, ','));
	(void)(buf_text(&b, "\"annotations\":{\"" ANNOTATION_CORDONED "\":") &&
	       (mark != NULL ? buf_json(&b, mark) : buf_text(&b, "null")) &&
	       buf_text(&b, "}},\"spec\":{\"unschedulable\":") && buf_text(&b, mark != NULL ? "true}}" : "null}}"));
	ask_node(op, arena, "PATCH", FIELD_MANAGER, &b, out);
	out->content_type = PATCH_MERGE;
}

void ask_cordon(const struct op *op, struct arena *arena, struct ask *out)
{
	if (op->facts.node_version[0] == '\0') { /* resumed here: it was not looked at by this process */
		out->kind = ASK_NOTHING;
		return;
	}
	/* An empty value would read as "not ours". */
	const char *mark = op->facts.case_id[0] != '\0' ? op->facts.case_id : "repair";
	ask_mark(op, arena, mark, op->facts.node_version, out);
}

void ask_uncordon(const struct op *op, struct arena *arena, struct ask *out)
{
	ask_mark(op, arena, NULL, "", out);
}

void ask_forget_node(const struct op *op, struct arena *arena, struct ask *out)
{
	struct buf b;
	if (op->facts.node_uid[0] == '\0' || is_of_phantom(op)) {
		out->kind = ASK_NOTHING; /* never without the precondition; and where there is no Node there is none to
					    delete */
		return;
	}
	buf_init(&b, BODY_BYTES_MAX);
	(void)(buf_text(&b, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":") &&
	       buf_json(&b, op->facts.node_uid) && buf_text(&b, "}}"));
	ask_node(op, arena, "DELETE", "", &b, out);
}

void ask_live(const struct op *op, struct arena *arena, struct ask *out)
{
	ask_node(op, arena, "GET", "", NULL, out);
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

static enum verdict is_another(struct op *op)
{
	if (is_of_phantom(op))
		return op_fail(op, "the server has joined meanwhile: there is a Node %s", op->facts.node);
	return op_fail(op, "the Node %s is another one by now", op->facts.node);
}

static bool is_ready(const struct node *node)
{
	const struct condition *condition = node_condition(node, "Ready");
	return condition != NULL && condition->status == STATUS_TRUE;
}

enum verdict hear_look_node(struct op *op, const struct answer *answer)
{
	const struct node *node = answer->node;
	if (!answer->is_view_fresh) {
		op_note(op, "the node list is not live");
		return V_AGAIN;
	}
	if (node == NULL)
		return op_fail(op, "the Node %s does not exist any more", op->facts.node);
	if (op->facts.node_uid[0] != '\0' && strcmp(node->uid, op->facts.node_uid) != 0)
		return is_another(op);
	if (node->deleted.ms != 0)
		return op_leave(op, "the Node %s is being deleted", op->facts.node);
	op->facts.was_ready = is_ready(node);
	if (node->is_phantom)
		return op_goto(op, STEP_CORDONED); /* there is nothing to cordon */
	if (!op->facts.is_worker || node->is_cordoned) {
		op->facts.has_cordoned = node->cordon_mark[0] != '\0';
		return op_goto(op, STEP_CORDONED);
	}
	if (text_eq(node->resource_version, op->facts.node_version)) { /* the one that the API server refused */
		op_note(op, "the Node has changed, and the node list does not show it yet");
		return V_AGAIN;
	}
	if (!TEXT_COPY(op->facts.node_version, node->resource_version) || op->facts.node_version[0] == '\0')
		return op_fail(op, "the Node %s has no usable version", op->facts.node);
	return V_NEXT;
}

static bool is_other_node(const struct answer *answer)
{
	return answer->status == 404 || answer->status == 422;
}

enum verdict hear_cordon(struct op *op, const struct answer *answer)
{
	if (is_other_node(answer))
		return op_fail(op, "the Node %s is gone or another one by now", op->facts.node);
	if (answer->status == 409 || op->facts.node_version[0] == '\0')
		return op_goto(op, "look-node"); /* perhaps somebody cordoned it meanwhile */
	enum verdict verdict = op_usual(op, answer, "cordoning the node");
	op->facts.has_cordoned = op->facts.has_cordoned || verdict == V_NEXT;
	return verdict;
}

/* Ready=True, and not since long before the repair began. */
static bool is_healthy_again(const struct op *op, const json_t *node)
{
	size_t i;
	json_t *condition;
	if (op->facts.was_ready)
		return false;
	json_array_foreach(json_at(node, "status.conditions"), i, condition) {
		struct wall since;
		if (!text_eq(json_text(condition, "type"), "Ready") || !text_eq(json_text(condition, "status"), "True"))
			continue;
		if (!wall_parse(str_of(json_text_or(condition, "lastTransitionTime", "")), &since) ||
		    since.ms > op->started.ms - READY_IS_NEWS_MS)
			return true;
	}
	return false;
}

enum verdict hear_live(struct op *op, const struct answer *answer)
{
	const char *uid = json_text_or(answer->json, "metadata.uid", "");
	if (answer->status == 404)
		return V_NEXT;
	if (answer->status != 200)
		return op_usual(op, answer, "reading the Node");
	if (uid[0] == '\0') {
		op_note(op, "the API server's answer shows no Node");
		return V_RETRY;
	}
	if (op->facts.node_uid[0] != '\0' && strcmp(uid, op->facts.node_uid) != 0)
		return is_another(op);
	if (json_text(answer->json, "metadata.deletionTimestamp") != NULL)
		return op_leave(op, "the Node %s is being deleted", op->facts.node);
	return is_healthy_again(op, answer->json) ? op_fail(op, "the node is healthy again") : V_NEXT;
}

enum verdict hear_live_there(struct op *op, const struct answer *answer)
{
	bool is_gone = answer->status == 404 && !is_of_phantom(op);
	return is_gone ? op_fail(op, "the Node %s is gone", op->facts.node) : hear_live(op, answer);
}

enum verdict hear_look_cordon(struct op *op, const struct answer *answer)
{
	if (!answer->is_view_fresh)
		return V_AGAIN;
	if (answer->node == NULL || answer->node->is_phantom || answer->node->cordon_mark[0] == '\0')
		return op_goto(op, "done");
	/* The Node may have been made anew and marked by an earlier case: the mark is ours all the same. */
	(void)TEXT_COPY(op->facts.node_uid, answer->node->uid);
	return V_NEXT;
}

enum verdict hear_uncordon(struct op *op, const struct answer *answer)
{
	enum verdict verdict = is_other_node(answer) ? V_NEXT : op_usual(op, answer, "uncordoning the node");
	if (verdict == V_NEXT)
		op->facts.has_cordoned = false;
	return verdict;
}

enum verdict hear_forget_node(struct op *op, const struct answer *answer)
{
	if (answer->status == 404 || answer->status == 409)
		return V_NEXT;
	return op_usual(op, answer, "deleting the Node");
}

/* ---- Ready again ----------------------------------------------------------------------------------------------- */

static const struct condition *ready(struct op *op, const struct answer *answer)
{
	const struct condition *condition = answer->node != NULL ? node_condition(answer->node, "Ready") : NULL;
	if (!answer->is_view_fresh)
		op_note(op, "the node list is not live");
	else if (answer->node == NULL || answer->node->is_phantom)
		op_note(op, "the Node has not come yet");
	else if (condition == NULL || condition->status != STATUS_TRUE)
		op_note(op, "the node is not Ready yet (%.60s)",
			condition != NULL ? condition->reason : "no condition");
	else
		return condition;
	return NULL;
}

/* The boot id is the proof. Where it says nothing, the kubelet must have spoken after the server was up again. */
enum verdict hear_rebooted(struct op *op, const struct answer *answer)
{
	const struct condition *condition = ready(op, answer);
	if (condition == NULL)
		return V_AGAIN;
	if (is_of_phantom(op))
		return V_NEXT; /* it has joined */
	const char *boot_id = answer->node->boot_id;
	if (boot_id[0] != '\0' && op->facts.boot_id[0] != '\0' && !uuid_same(boot_id, op->facts.boot_id))
		return V_NEXT;
	if (op->facts.acted.ms != 0 &&
	    (condition->transition.ms > op->facts.acted.ms || condition->heartbeat.ms > op->facts.acted.ms))
		return V_NEXT;
	op_note(op, "the node is Ready, but nothing shows yet that it was started anew");
	return V_AGAIN;
}

/* Name and address may be the old ones; what the guest says of its hardware cannot. Its machine id is the server's id
 * on most hypervisors, not on all, and the same for all guests of a carelessly made image. */
static bool runs_on_new_server(const struct op *op, const struct answer *answer)
{
	const struct node *node = answer->node;
	const char *old = op->facts.server;
	const char *new = op->facts.new_server;
	if (uuid_same(node->system_uuid, new) || uuid_same(node->machine_id, new))
		return true;
	if (uuid_same(node->system_uuid, old) || uuid_same(node->machine_id, old))
		return false;
	if (answer->machine != NULL && uuid_same(answer->machine->id, new))
		return true;
	return node->machine_id[0] != '\0' && op->facts.machine_id[0] != '\0' &&
	       !uuid_same(node->machine_id, op->facts.machine_id);
}

enum verdict hear_replaced(struct op *op, const struct answer *answer)
{
	if (ready(op, answer) == NULL)
		return V_AGAIN;
	if (runs_on_new_server(op, answer))
		return V_NEXT;
	op_note(op, "the node is Ready, but not yet on the new server");
	return V_AGAIN;
}

static const struct step uncordon_steps[] = { NODE_UNCORDON_STEPS };
const struct recipe recipe_uncordon = { "uncordon", uncordon_steps, COUNT(uncordon_steps), .limit_ms = 30 * MINUTE };
