/* What recipes do with a Heat stack: find it and its servers' resources, mark one unhealthy, update it, and see whether
 * that replaced the server. See stack_steps.h. */
#include "cloud/openstack/stack_steps.h"

#include <string.h>

#include "base/jsonx.h"
#include "cloud/openstack/heat.h"
#include "cloud/openstack/magnum.h"
#include "cloud/openstack/nova.h"
#include "cloud/openstack/server_steps.h"

#define REFUSALS_MAX 3                 /* of a stack update: then the marks are taken back */
#define ROOT_VOLUME "kube_node_volume" /* Magnum's templates call it so, beside kube-minion-bfv and kube-master-bfv */

/* The first reason is the one that counts; notes come and go with the steps. */
void keep_why(struct op *op)
{
	if (op->facts.why[0] == '\0')
		(void)TEXT_COPY(op->facts.why, op->note); /* both of the same size */
}

/* Heat answers to the id alone with a redirect that has the name; PATCHes are only sent to the full address. */
void ask_find_stack(const struct op *op, struct arena *arena, struct ask *out)
{
	if (op->facts.stack[0] == '\0' || strchr(op->facts.stack, '/') != NULL)
		out->kind = ASK_NOTHING;
	else
		heat_stack(arena, op->facts.stack, out);
}

enum verdict hear_find_stack(struct op *op, const struct answer *answer)
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

void ask_stack(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_stack(arena, op->facts.stack, out);
}

struct stack_look {
	const char *status;
	const char *updated; /* STACK_NONE: never */
	const char *reason;
};

static bool read_stack(struct op *op, const struct answer *answer, struct stack_look *out, enum verdict *out_verdict)
{
	const json_t *stack = json_object_get(answer->json, "stack");
	*out = (struct stack_look){ json_text_or(stack, "stack_status", ""),
				    json_text_or(stack, "updated_time", STACK_NONE),
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

enum verdict hear_stack_idle(struct op *op, const struct answer *answer)
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

void ask_resources(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_servers(arena, op->facts.stack, out);
}

/* Where SERVER is in the stack. False: *out_verdict says what to do instead. */
bool stack_resource(struct op *op, const struct answer *answer, const char *server,
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

/* A server that boots from a volume is only replaced together with it: the new one could not have it while the old one
 * does, and would boot the same broken disk. */
void ask_root_volume(const struct op *op, struct arena *arena, struct ask *out)
{
	char path[sizeof op->facts.root_volume];
	if (heat_sibling(op->facts.resource, ROOT_VOLUME, path, sizeof path))
		heat_resource(arena, path, out);
}

/* Beside a server that boots from an image there is none: 404. */
enum verdict hear_root_volume(struct op *op, const struct answer *answer)
{
	op->facts.root_volume[0] = '\0';
	if (answer_is_404(answer))
		return V_NEXT;
	if (answer->status != 200)
		return op_usual(op, answer, "looking for the root volume's resource");
	if (json_text_or(answer->json, "resource.physical_resource_id", "")[0] == '\0')
		return V_NEXT; /* it has no volume */
	if (heat_sibling(op->facts.resource, ROOT_VOLUME, op->facts.root_volume, sizeof op->facts.root_volume))
		return V_NEXT;
	return op_fail(op, "the resource of the server has no usable address");
}

/* Before anything is done to it: it must be the stack's, or have a twin there. */
enum verdict hear_find_resource(struct op *op, const struct answer *answer)
{
	enum verdict verdict;
	if (!stack_resource(op, answer, op->facts.server, op->facts.resource, &verdict))
		return verdict;
	return op->facts.resource[0] == '\0' ? V_NEXT : op_goto(op, "find-volume");
}

void ask_twins(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_servers_called(arena, op->facts.server_name, out);
}

/* A replacement that failed half-way (the new server never signalled) leaves two servers of one name: Heat's resource
 * is the new one, and the Node still names the old one. Then the new one is what is to be replaced; facts.new_server
 * remembers it until the old one is off. A twin that is younger than this repair is somebody's replacement at work. */
enum verdict hear_find_twin(struct op *op, const struct answer *answer)
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
		return op_leave(op, "somebody is replacing the server");
	(void)TEXT_COPY(op->facts.new_server, twin.id);
	return V_NEXT;
}

/* A name proves nothing: anybody in the project may have given it to his server. */
enum verdict hear_check_twin(struct op *op, const struct answer *answer)
{
	enum verdict verdict;
	if (!stack_resource(op, answer, op->facts.new_server, op->facts.resource, &verdict))
		return verdict;
	if (op->facts.resource[0] == '\0')
		return op_fail(op, "the server is not in the stack %.100s", op->facts.stack);
	return V_NEXT;
}

/* It was there before the stop; the stack may have been busy since. Somebody else's replacement is as good as ours. */
enum verdict hear_find_again(struct op *op, const struct answer *answer)
{
	char found[sizeof op->facts.resource];
	enum verdict verdict;
	if (!stack_resource(op, answer, op->facts.server, found, &verdict))
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

/* Once something may be marked nothing just fails (law L13). */
static enum verdict or_unmark(struct op *op, enum verdict verdict)
{
	return verdict == V_FAIL ? op_goto(op, "unmark") : verdict;
}

void ask_mark(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_mark(arena, op->facts.resource, true, out);
}

enum verdict hear_mark(struct op *op, const struct answer *answer)
{
	enum verdict verdict = op_act(op, answer, "marking the server unhealthy in Heat");
	return or_unmark(op, verdict); /* an earlier try may have arrived unheard */
}

void ask_mark_volume(const struct op *op, struct arena *arena, struct ask *out)
{
	if (op->facts.root_volume[0] != '\0')
		heat_mark(arena, op->facts.root_volume, true, out);
}

enum verdict hear_mark_volume(struct op *op, const struct answer *answer)
{
	enum verdict verdict = op_act(op, answer, "marking the root volume unhealthy in Heat");
	return or_unmark(op, verdict);
}

/* The first look remembers when the stack was last updated; a later one sees whether it was since. */
enum verdict hear_look_update(struct op *op, const struct answer *answer)
{
	struct stack_look stack;
	enum verdict verdict;
	if (!read_stack(op, answer, &stack, &verdict))
		return or_unmark(op, verdict);
	bool is_first = op->facts.baseline[0] == '\0';
	if (status_is_busy(stack.status)) /* at the first look somebody else's update: may have begun before our mark */
		return op_goto(op, is_first ? "step-back" : "wait-stack");
	if (is_first)
		return TEXT_COPY(op->facts.baseline, stack.updated) ? V_NEXT : V_RETRY;
	return strcmp(op->facts.baseline, stack.updated) == 0 ? V_NEXT : op_goto(op, "wait-stack");
}

void ask_update(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_update(arena, op->facts.stack, out);
}

enum verdict hear_update(struct op *op, const struct answer *answer)
{
	enum verdict verdict = op_act(op, answer, "updating the stack");
	if (verdict == V_RETRY && op->tries + 1 < REFUSALS_MAX)
		return V_RETRY;
	if (verdict == V_NEXT)
		return V_NEXT;
	keep_why(op); /* the runner drops the note of a once step */
	return op_goto(op, "unmark");
}

void ask_unmark(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_mark(arena, op->facts.resource, false, out);
}

void ask_unmark_volume(const struct op *op, struct arena *arena, struct ask *out)
{
	if (op->facts.root_volume[0] != '\0')
		heat_mark(arena, op->facts.root_volume, false, out);
}

enum verdict hear_unmark(struct op *op, const struct answer *answer)
{
	if (op->note[0] == '\0')
		op_note(op, "Heat does not answer");
	keep_why(op);
	enum verdict verdict = op_usual(op, answer, "taking the mark in Heat back");
	return verdict == V_RETRY ? V_RETRY : V_NEXT;
}

/* An accepted update shows only after seconds. Not showing within the step's limit, it goes on to wait-stack and
 * check-resource, which tell the truth. */
enum verdict hear_wait_update(struct op *op, const struct answer *answer)
{
	struct stack_look stack;
	enum verdict verdict;
	if (!read_stack(op, answer, &stack, &verdict))
		return or_unmark(op, verdict);
	if (status_is_busy(stack.status) || strcmp(op->facts.baseline, stack.updated) != 0)
		return V_NEXT;
	op_note(op, "the accepted update does not show yet");
	return V_AGAIN;
}

enum verdict hear_wait_stack(struct op *op, const struct answer *answer)
{
	struct stack_look stack;
	enum verdict verdict;
	if (!read_stack(op, answer, &stack, &verdict))
		return or_unmark(op, verdict);
	if (status_is_busy(stack.status)) {
		op_note(op, "the stack is %.30s", stack.status);
		return V_AGAIN;
	}
	if (status_is_settled(stack.status) && strcmp(stack.status, "UPDATE_FAILED") != 0)
		return V_NEXT;
	op_note(op, "the stack is %.30s: %.110s", stack.status, stack.reason);
	return op_goto(op, "unmark"); /* it may have failed before it came to our mark */
}

void ask_resource(const struct op *op, struct arena *arena, struct ask *out)
{
	heat_resource(arena, op->facts.resource, out);
}

enum verdict hear_check_resource(struct op *op, const struct answer *answer)
{
	if (answer->status != 200)
		return or_unmark(op, op_usual(op, answer, "reading the server's resource"));
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

void ask_new_server(const struct op *op, struct arena *arena, struct ask *out)
{
	nova_server(arena, op->facts.new_server, out);
}

enum verdict hear_wait_new(struct op *op, const struct answer *answer)
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

enum verdict hear_old_gone(struct op *op, const struct answer *answer)
{
	struct machine m;
	enum verdict verdict;
	if (answer_is_404(answer))
		return V_NEXT;
	if (!server_read(op, answer, &m, &verdict))
		return verdict;
	return nova_is_deleted(&m) ? V_NEXT : server_still(op, &m, "the old server still exists");
}
