/* A round is all or nothing: one failed, cut or odd answer fails it, because an incomplete list is not the truth.
 *
 *   CLUSTER → GROUPS → STACK (by id: 302) → STACK_NAMED → SERVERS (page after page) → DONE
 *                  └──── no Heat, no stack ───────────────▶┘
 */
#include "cloud/openstack/observe.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/str.h"
#include "cloud/openstack/heat.h"
#include "cloud/openstack/magnum.h"
#include "cloud/openstack/nova.h"

#define PAGES_MAX 100
#define MACHINES_MAX (PAGES_MAX * NOVA_PAGE)

enum phase { PHASE_CLUSTER, PHASE_GROUPS, PHASE_STACK, PHASE_STACK_NAMED, PHASE_SERVERS, PHASE_DONE, PHASE_FAILED };

struct observer {
	enum phase phase;
	char *cluster_name;
	struct cluster_view view;
	char stack[320]; /* "NAME/ID" */
	struct machine *machines;
	size_t count, cap;
	char marker[SERVER_ID_BYTES];
	unsigned pages;
	struct err err;
};

struct observer *openstack_observer_new(const char *cluster_name, struct mono began)
{
	struct observer *o = xcalloc(1, sizeof *o);
	o->cluster_name = xstrdup(cluster_name);
	o->view.at = began;
	return o;
}

void openstack_observer_free(struct observer *o)
{
	if (o == NULL)
		return;
	free(o->cluster_name);
	free(o->machines);
	free(o);
}

enum observe openstack_observer_next(struct observer *o, struct arena *arena, struct ask *out, struct err *err)
{
	switch (o->phase) {
	case PHASE_CLUSTER:
		magnum_cluster(arena, o->cluster_name, out);
		return OBSERVE_ASK;
	case PHASE_GROUPS:
		magnum_groups(arena, o->view.id, out);
		return OBSERVE_ASK;
	case PHASE_STACK:
		heat_stack(arena, o->view.stack_id, out);
		return OBSERVE_ASK;
	case PHASE_STACK_NAMED:
		heat_stack(arena, o->stack, out);
		return OBSERVE_ASK;
	case PHASE_SERVERS:
		nova_servers(arena, o->marker, out);
		return OBSERVE_ASK;
	case PHASE_DONE:
		return OBSERVE_DONE;
	case PHASE_FAILED:
		if (err != NULL)
			*err = o->err;
		return OBSERVE_FAILED;
	}
	return OBSERVE_FAILED;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

static bool is_not_there(const struct answer *answer)
{
	return answer->status == 0 && (answer->why.code == ERR_GONE || answer->why.code == ERR_INPUT);
}

/* 200 with a JSON body, else the round is over. */
static bool is_good(struct observer *o, const struct answer *answer, const char *what)
{
	if (answer->status == 200 && answer->json != NULL)
		return true;
	o->phase = PHASE_FAILED;
	if (answer->status == 0)
		return fail(&o->err, answer->why.code != ERR_NONE ? answer->why.code : ERR_NETWORK, "%s: %s", what,
			    answer->why.text);
	if (answer->status == 200)
		return fail(&o->err, ERR_REMOTE, "%s: the answer is not JSON", what);
	if (answer->status == 401 || answer->status == 403)
		return fail(&o->err, ERR_AUTH, "%s: not permitted (HTTP %d)", what, answer->status);
	if (answer->status == 429 || answer->status == 503)
		return fail(&o->err, ERR_BUSY, "%s: the service is busy (HTTP %d)", what, answer->status);
	return fail(&o->err, answer->status == 404 ? ERR_GONE : ERR_REMOTE, "%s: HTTP %d", what, answer->status);
}

static void hear_cluster(struct observer *o, const struct answer *answer)
{
	char what[120];
	(void)snprintf(what, sizeof what, "reading the cluster \"%.80s\" from Magnum", o->cluster_name);
	if (!is_good(o, answer, what))
		return;
	o->phase = magnum_cluster_read(answer->json, &o->view, &o->err) ? PHASE_GROUPS : PHASE_FAILED;
}

/* A stack that Heat made has a UUID; the Cluster API drivers put the name of their own object there. */
static bool is_uuid(const char *text)
{
	size_t digits = 0;
	for (; *text != '\0'; text++) {
		if (isxdigit((unsigned char)*text))
			digits++;
		else if (*text != '-')
			return false;
	}
	return digits == 32;
}

static void hear_groups(struct observer *o, const struct answer *answer)
{
	enum phase next = is_uuid(o->view.stack_id) ? PHASE_STACK : PHASE_SERVERS;
	/* Magnum below API 1.9 has no node groups: then none is known, and none is guessed. */
	if (answer->status == 406) {
		o->phase = next;
		return;
	}
	if (is_good(o, answer, "listing the node groups"))
		o->phase = magnum_groups_read(answer->json, &o->view, &o->err) ? next : PHASE_FAILED;
}

/* No Heat in this cloud, no permission to look, or no such stack: then Magnum's status is all there is. */
static bool has_no_stack(const struct answer *answer)
{
	return is_not_there(answer) || answer->status == 403 || answer->status == 404;
}

static void hear_stack(struct observer *o, const struct answer *answer)
{
	bool is_redirect = answer->status >= 300 && answer->status < 400;
	if (has_no_stack(answer)) {
		o->phase = PHASE_SERVERS;
		return;
	}
	if (is_redirect && o->phase == PHASE_STACK && heat_tail(answer->location, o->stack, sizeof o->stack)) {
		o->phase = PHASE_STACK_NAMED;
		return;
	}
	if (!is_good(o, answer, "reading the cluster's stack"))
		return;
	const char *status = json_text_or(answer->json, "stack.stack_status", "");
	bool is_read = status[0] != '\0' && TEXT_COPY(o->view.stack_status, status) &&
		       TEXT_COPY(o->view.stack_name, json_text_or(answer->json, "stack.stack_name", ""));
	o->phase = is_read ? PHASE_SERVERS : PHASE_FAILED;
	if (!is_read)
		(void)fail(&o->err, ERR_REMOTE, "the stack that Heat shows has no usable name or status");
}

static bool add_machine(struct observer *o, const json_t *server)
{
	if (o->count == o->cap) {
		o->cap = o->cap > 0 ? 2 * o->cap : 64;
		o->machines = xrealloc(o->machines, o->cap * sizeof *o->machines);
	}
	if (o->count >= MACHINES_MAX)
		return fail(&o->err, ERR_LIMIT, "the project has more than %d servers", MACHINES_MAX);
	if (!nova_machine(server, &o->machines[o->count]))
		return fail(&o->err, ERR_REMOTE, "a server of Nova's list has no usable id or status");
	o->count++;
	return true;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct machine *)a)->id, ((const struct machine *)b)->id);
}

/* Sorted, and each id once: a server made or deleted meanwhile can move another one onto two pages. */
static void finish(struct observer *o)
{
	size_t kept = 0;
	if (o->count > 0)
		qsort(o->machines, o->count, sizeof *o->machines, by_id);
	for (size_t i = 0; i < o->count; i++) {
		if (kept == 0 || strcmp(o->machines[kept - 1].id, o->machines[i].id) != 0)
			o->machines[kept++] = o->machines[i];
	}
	o->count = kept;
	o->view.is_known = true;
	o->phase = PHASE_DONE;
}

static void hear_servers(struct observer *o, const struct answer *answer)
{
	if (!is_good(o, answer, "listing the servers"))
		return;
	const json_t *servers = json_object_get(answer->json, "servers");
	bool is_good_page = json_is_array(servers) || fail(&o->err, ERR_REMOTE, "Nova's list of servers is not one");
	size_t i;
	json_t *server;
	json_array_foreach(servers, i, server)
		is_good_page = is_good_page && add_machine(o, server);
	if (is_good_page && !nova_has_next_page(answer->json)) {
		finish(o);
		return;
	}
	const char *last = is_good_page && json_array_size(servers) > 0 ? o->machines[o->count - 1].id : "";
	if (is_good_page && (last[0] == '\0' || strcmp(last, o->marker) == 0 || ++o->pages >= PAGES_MAX))
		is_good_page = fail(&o->err, ERR_LIMIT, "Nova's list of servers does not end");
	if (is_good_page)
		(void)TEXT_COPY(o->marker, last); /* it fitted into a machine's id */
	else
		o->phase = PHASE_FAILED;
}

void openstack_observer_hear(struct observer *o, const struct answer *answer)
{
	switch (o->phase) {
	case PHASE_CLUSTER:
		hear_cluster(o, answer);
		break;
	case PHASE_GROUPS:
		hear_groups(o, answer);
		break;
	case PHASE_STACK:
	case PHASE_STACK_NAMED:
		hear_stack(o, answer);
		break;
	case PHASE_SERVERS:
		hear_servers(o, answer);
		break;
	case PHASE_DONE:
	case PHASE_FAILED:
		break; /* an answer that nobody asked for */
	}
}

void openstack_observer_take(struct observer *o, struct cluster_view *out_view, struct machine **out_machines,
			     size_t *out_count)
{
	assert(o->phase == PHASE_DONE);
	*out_view = o->view;
	*out_count = o->count;
	*out_machines = steal(o->machines);
	o->count = o->cap = 0;
}
