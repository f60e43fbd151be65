/* The stacks that own the servers, as Heat's convergence engine works them.
 *
 *   update accepted ──1.5 s──▶ a pass begins (UPDATE_IN_PROGRESS) ──10 s──▶ masters ──12 s──▶ workers ──▶ all done:
 * COMPLETE
 *
 * A later pass replaces the running one: what was begun goes on, what was not begun is decided anew, from the marks
 * (which add up) and from minions_to_remove (of which only the latest is left). */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

#define STACK_TIMEOUT_MS (10 * MINUTE)

bool stack_is_busy(const struct stack *st)
{
	return strstr(st->status, "_IN_PROGRESS") != NULL;
}

void stack_changed(struct stack *st)
{
	st->version++;
}

static void stack_status(struct stack *st, struct now at, const char *status, const char *reason)
{
	st->status = status;
	(void)TEXT_COPY(st->reason, reason);
	st->updated = at.wall;
	stack_changed(st);
}

static void member_status(struct member *m, struct now at, const char *status, const char *reason)
{
	m->status = status;
	m->updated = at.wall;
	(void)TEXT_COPY(m->reason, reason);
	stack_changed(m->stack);
}

static void schedule(struct world *w, struct now at, struct member *m, int64_t ms)
{
	m->epoch++;
	due_push(&w->due, at.mono.ms + took(w, ms), EV_MEMBER, m, m->epoch);
}

/* ---- members ---- */

static void member_destroy(void *thing)
{
	free(thing);
}

static void make_names(struct world *w, struct member *m)
{
	const struct stack *st = m->stack;
	char suffix[16];
	make_word(&w->ids, suffix, 12);
	(void)snprintf(m->name, sizeof(m->name), "%.200s-%s-%u", st->name,
		       m->is_master ? "master" : w->opts.worker_word, m->index);
	(void)snprintf(m->nested_name, sizeof(m->nested_name), "%s-%u-%s",
		       m->is_master ? st->masters_name : st->minions_name, m->index, suffix);
	make_uuid(&w->ids, m->nested_id);
	unsigned n = 10 + w->addresses_made++;
	unsigned network = w->opts.network > 0 ? w->opts.network : 10;
	(void)snprintf(m->address, sizeof(m->address), "%u.%u.%u.%u", network, n / 64516 % 256, n / 254 % 254,
		       n % 254 + 1);
}

static struct member *member_new(struct world *w, struct now at, struct stack *st, bool is_master, unsigned index)
{
	struct member *m = xcalloc(1, sizeof(*m));
	*m = (struct member){ .thing.destroy = member_destroy,
			      .stack = st,
			      .is_master = is_master,
			      .index = index,
			      .zone = w->opts.zones > 0 ? (int)(index % (unsigned)w->opts.zones) : NO_PLACE,
			      .root_status = "CREATE_COMPLETE",
			      .status = "INIT_COMPLETE",
			      .action_state = "CREATE_COMPLETE",
			      .created = at.wall,
			      .updated = at.wall };
	make_names(w, m);
	if (st->members_count == st->members_room) {
		st->members_room = st->members_room > 0 ? st->members_room * 2 : 8;
		st->members = xrealloc(st->members, st->members_room * sizeof(struct member *));
	}
	st->members[st->members_count++] = m;
	map_put(&w->members_by_name, m->name, m);
	map_put(&w->members_by_address, m->address, m);
	stack_changed(st);
	return m;
}

static void member_drop(struct world *w, struct member *m)
{
	struct stack *st = m->stack;
	size_t i = 0;
	while (st->members[i] != m)
		i++;
	st->members_count--;
	memmove(&st->members[i], &st->members[i + 1], (st->members_count - i) * sizeof(struct member *));
	map_remove(&w->members_by_name, m->name);
	map_remove(&w->members_by_address, m->address);
	if (m->root != NULL)
		volume_free(w, m->root);
	if (m->etcd != NULL)
		volume_free(w, m->etcd);
	if (m->server != NULL)
		m->server->member = NULL;
	if (m->old != NULL)
		m->old->member = NULL;
	stack_changed(st);
	thing_drop(&m->thing);
}

static void look_for_the_end(struct world *w, struct now at, struct stack *st, int64_t in_ms)
{
	due_push(&w->due, at.mono.ms + took(w, in_ms), EV_PASS_ENDS, st, st->pass);
}

static void work_begins(struct member *m, enum work work)
{
	m->work = work;
	m->has_signalled = false;
	m->stack->working++;
}

static void remove_begins(struct world *w, struct now at, struct member *m)
{
	work_begins(m, WORK_REMOVE);
	member_status(m, at, "DELETE_IN_PROGRESS", "state changed");
	m->action_state = "DELETE_IN_PROGRESS";
	if (m->old != NULL)
		server_begin(w, at, m->old, OP_DELETE);
	if (m->server != NULL)
		server_begin(w, at, m->server, OP_DELETE);
	else
		schedule(w, at, m, 2 * SEC);
}

static void replace_begins(struct world *w, struct now at, struct member *m)
{
	work_begins(m, WORK_REPLACE);
	m->is_marked = false;
	m->action_state = "UPDATE_IN_PROGRESS";
	stack_changed(m->stack);
	schedule(w, at, m, 1 * SEC);
}

static void work_ends(struct world *w, struct now at, struct member *m)
{
	struct stack *st = m->stack;
	assert(m->work != WORK_NONE && st->working > 0);
	enum work was = m->work;
	m->work = WORK_NONE;
	m->epoch++;
	st->working--;
	/* After a master the cluster's own deployment is made again, which takes longer. */
	look_for_the_end(w, at, st, m->is_master ? 15 * SEC : 5 * SEC);
	if (was == WORK_REMOVE) {
		member_drop(w, m);
		return;
	}
	m->action_state = m->has_failed ? "UPDATE_FAILED" : "UPDATE_COMPLETE";
	stack_changed(st);
	if (m->is_doomed)
		remove_begins(w, at, m);
	else if (m->wants_again && (m->is_marked || m->is_root_marked) && stack_is_busy(st))
		replace_begins(w, at, m);
	m->wants_again = false;
}

/* The volumes that are the stack's: the root volume is made anew when it was marked, else moved with all that is on it;
 * etcd's is moved. */
static void move_volumes(struct world *w, struct member *m)
{
	const struct server *old = m->old;
	bool keeps_root = m->root != NULL && !m->is_root_marked;
	if (keeps_root) {
		volume_move(w, m->root, m->server);
		/* What is broken on the disk stays so. */
		bool is_broken = old != NULL && old->cure == CURE_REPLACE &&
				 (old->ail == AIL_KUBELET || old->ail == AIL_NOT_READY || old->ail == AIL_SILENT_BOOT);
		if (is_broken && m->server->ail == AIL_NONE) {
			m->server->ail = old->ail;
			m->server->cure = CURE_REPLACE;
		}
		if (old != NULL && old->is_api_dead && old->api_cure == CURE_REPLACE) {
			m->server->is_api_dead = true;
			m->server->api_cure = CURE_REPLACE;
		}
	} else if (w->opts.with_volume_boot) {
		if (m->root != NULL)
			volume_free(w, m->root);
		m->root = volume_new(w, m->server, USE_ROOT);
		m->root->member = m;
	}
	m->is_root_marked = false;
	m->root_status = "CREATE_COMPLETE";
	if (m->etcd != NULL)
		volume_move(w, m->etcd, m->server);
	else if (m->is_master && !keeps_root)
		m->has_etcd_data = false;
}

/* The new server takes over the port: from here on the old one has no address. */
static void build_server(struct world *w, struct now at, struct member *m)
{
	if (m->old != NULL && m->server != NULL) /* left over from an update that failed */
		server_begin(w, at, m->old, OP_DELETE);
	if (m->server != NULL)
		m->old = m->server;
	if (m->old != NULL) {
		m->old->address[0] = '\0';
		guest_settle(w, at, m->old);
		server_touch(m->old, at);
	}
	m->server = server_new(w, at, m);
	move_volumes(w, m);
	(void)TEXT_COPY(m->physical_id, m->server->id);
	m->has_failed = false;
	m->is_marked = false;
	member_status(m, at, "CREATE_IN_PROGRESS", "state changed");
	server_log(w, at, m->server, "create", SIM_USER_ID);
	server_begin(w, at, m->server, OP_BUILD);
}

bool member_awaits(const struct member *m, const struct server *s)
{
	return m->server == s && !m->has_signalled &&
	       (m->work == WORK_CREATE || m->work == WORK_REPLACE || m->work == WORK_SIGNAL);
}

static void stack_fails(struct stack *st, struct now at, const char *fault)
{
	if (!stack_is_busy(st))
		return;
	char reason[200];
	(void)snprintf(reason, sizeof(reason), "%.190s", fault);
	(void)TEXT_COPY(st->fault, fault);
	stack_status(st, at, "UPDATE_FAILED", reason);
	st->hold_until = (struct mono){ 0 };
	st->pass++; /* its events are void */
}

static size_t place_in_group(const struct member *m)
{
	size_t place = 0;
	for (size_t i = 0; m->stack->members[i] != m; i++)
		place += m->stack->members[i]->is_master == m->is_master;
	return place;
}

static void member_fails(struct world *w, struct now at, struct member *m, const char *what)
{
	char fault[400];
	(void)snprintf(fault, sizeof(fault),
		       "Resource UPDATE failed: resources.%s: Resource CREATE failed: Error: resources[%zu%.220s",
		       m->is_master ? "kube_masters" : "kube_minions", place_in_group(m), what);
	m->has_failed = true;
	if (m->work == WORK_NONE)
		return; /* the update that wanted it has failed already */
	work_ends(w, at, m);
	stack_fails(m->stack, at, fault);
}

void member_signals(struct world *w, struct now at, struct member *m, bool is_good)
{
	if (!is_good) {
		member_fails(w, at, m,
			     m->is_master ? "].resources.master_config_deployment: Deployment to server failed: "
					    "deploy_status_code: Deployment exited with non-zero status code: 1"
					  : "].resources.node_config_deployment: Deployment to server failed: "
					    "deploy_status_code: Deployment exited with non-zero status code: 1");
		return;
	}
	m->has_failed = false;
	m->has_signalled = true;
	if (m->old != NULL)
		server_begin(w, at, m->old, OP_DELETE); /* member_lost() goes on from there */
	else
		work_ends(w, at, m);
}

void member_built(struct now at, struct member *m)
{
	if (!m->is_marked)
		member_status(m, at, "CREATE_COMPLETE", "state changed");
}

void member_build_failed(struct world *w, struct now at, struct member *m)
{
	member_status(m, at, "CREATE_FAILED",
		      "ResourceInError: Went to status ERROR due to \"Message: No valid host was found., Code: 500\"");
	member_fails(
		w, at, m,
		"].resources.kube-minion: Went to status ERROR due to \"Message: No valid host was found. There are "
		"not enough hosts available., Code: 500\"");
}

void member_lost(struct world *w, struct now at, struct member *m, struct server *s)
{
	stack_changed(m->stack);
	if (m->old == s) {
		m->old = NULL;
		if (m->work == WORK_REPLACE && m->has_signalled)
			work_ends(w, at, m);
		return;
	}
	if (m->server != s)
		return; /* a left-over that nobody waits for */
	m->server = NULL;
	if (m->work == WORK_REMOVE)
		work_ends(w, at, m);
}

/* The deployment of a server that is there is tried again. A machine that was never heard of stays silent. */
static void signal_again(struct world *w, struct now at, struct member *m)
{
	struct server *s = m->server;
	if (s == NULL || s->ail == AIL_SILENT_BOOT || !s->is_booted)
		return;
	if (s->ail == AIL_BAD_BOOTSTRAP && w->bad_boots > 0) {
		w->bad_boots--;
		member_signals(w, at, m, false);
		return;
	}
	if (s->ail == AIL_BAD_BOOTSTRAP)
		guest_cured(w, at, s);
	member_signals(w, at, m, true);
}

void member_event(struct world *w, struct now at, struct member *m)
{
	switch (m->work) {
	case WORK_NONE:
		break;
	case WORK_CREATE:
	case WORK_REPLACE:
		build_server(w, at, m);
		break;
	case WORK_REMOVE:
		work_ends(w, at, m);
		break;
	case WORK_SIGNAL:
		signal_again(w, at, m);
		break;
	}
}

/* ---- passes ---- */

void stack_pass(struct world *w, struct now at, struct stack *st)
{
	st->pass++;
	st->is_worked = false;
	st->fault[0] = '\0';
	stack_status(st, at, "UPDATE_IN_PROGRESS", "Stack UPDATE started");
	int64_t start = at.mono.ms;
	due_push(&w->due, start + took(w, 10 * SEC), EV_PASS_MASTERS, st, st->pass);
	int64_t hold = st->hold_until.ms > start ? st->hold_until.ms - start : 0;
	due_push(&w->due, start + hold + scaled(w, STACK_TIMEOUT_MS), EV_PASS_TIMEOUT, st, st->pass);
}

void stack_update(struct world *w, struct now at, struct stack *st)
{
	/* The thing's epoch does not matter here: an accepted update is never taken back. */
	due_push(&w->due, at.mono.ms + took(w, 1500), EV_PASS_BEGINS, st, 0);
}

static void work_member(struct world *w, struct now at, struct member *m)
{
	if (m->work != WORK_NONE) {
		m->wants_again = m->is_marked || m->is_root_marked;
		return;
	}
	bool is_broken = m->has_failed && (m->server == NULL || m->server->vm == VM_ERROR);
	if (m->is_marked || m->is_root_marked || is_broken) {
		replace_begins(w, at, m);
	} else if (m->has_failed) {
		work_begins(m, WORK_SIGNAL);
		schedule(w, at, m, 12 * SEC);
	} else if (m->old != NULL && m->old->op != OP_DELETE) {
		server_begin(w, at, m->old, OP_DELETE); /* cleanup that a failed update left undone */
	}
}

static void work_group(struct world *w, struct now at, struct stack *st, bool is_master)
{
	for (size_t i = 0; i < st->members_count; i++) {
		if (st->members[i]->is_master == is_master)
			work_member(w, at, st->members[i]);
	}
}

static void doom(struct world *w, struct now at, struct member *m)
{
	m->is_doomed = true;
	if (m->work == WORK_NONE)
		remove_begins(w, at, m);
}

static void remove_named(struct world *w, struct now at, struct stack *st)
{
	for (size_t r = 0; r < st->remove_count; r++) {
		for (size_t i = 0; i < st->members_count; i++) {
			struct member *m = st->members[i];
			if (!m->is_master && !m->is_doomed && strcmp(m->physical_id, st->remove[r]) == 0)
				doom(w, at, m);
		}
	}
}

/* Too many: the highest index goes first. Too few: the next free index, none is used twice. */
static void fit_size(struct world *w, struct now at, struct stack *st)
{
	size_t staying = 0;
	for (size_t i = 0; i < st->members_count; i++)
		staying += !st->members[i]->is_master && !st->members[i]->is_doomed;
	for (size_t i = st->members_count; i > 0 && staying > st->target; i--) {
		struct member *m = st->members[i - 1];
		if (m->is_master || m->is_doomed)
			continue;
		staying--;
		doom(w, at, m);
	}
	for (; staying < st->target; staying++) {
		struct member *m = member_new(w, at, st, false, st->next_index++);
		m->action_state = "CREATE_IN_PROGRESS";
		work_begins(m, WORK_CREATE);
		schedule(w, at, m, 14 * SEC);
	}
}

static void pass_ends(struct world *w, struct now at, struct stack *st)
{
	if (!stack_is_busy(st) || !st->is_worked || st->working > 0)
		return;
	if (at.mono.ms < st->hold_until.ms) {
		due_push(&w->due, st->hold_until.ms, EV_PASS_ENDS, st, st->pass);
		return;
	}
	st->hold_until = (struct mono){ 0 };
	stack_status(st, at, "UPDATE_COMPLETE", "Stack UPDATE completed successfully");
}

void stack_release(struct world *w, struct now at, struct stack *st)
{
	st->hold_until = at.mono;
	due_push(&w->due, at.mono.ms, EV_PASS_ENDS, st, st->pass);
}

static void pass_times_out(struct world *w, struct now at, struct stack *st)
{
	if (!stack_is_busy(st))
		return;
	for (size_t i = st->members_count; i > 0; i--) {
		struct member *m = st->members[i - 1];
		if (m->work == WORK_NONE || m->work == WORK_REMOVE)
			continue;
		m->has_failed = !m->has_signalled;
		if (strcmp(m->status, "CREATE_IN_PROGRESS") == 0)
			member_status(m, at, "CREATE_FAILED", "Stack UPDATE cancelled: timed out");
		m->wants_again = false;
		work_ends(w, at, m);
	}
	stack_fails(st, at, "Timed out");
}

void stack_event(struct world *w, struct now at, struct stack *st, const struct event *event)
{
	if (event->kind == EV_PASS_BEGINS) {
		stack_pass(w, at, st);
		return;
	}
	if (event->kind == EV_CREATED) {
		if (strcmp(st->status, "CREATE_IN_PROGRESS") == 0)
			stack_status(st, at, "CREATE_COMPLETE", "Stack CREATE completed successfully");
		return;
	}
	if (event->epoch != st->pass)
		return;
	if (event->kind == EV_PASS_MASTERS) {
		work_group(w, at, st, true);
		due_push(&w->due, at.mono.ms + took(w, st == &w->extra ? 2 * SEC : 12 * SEC), EV_PASS_WORKERS, st,
			 st->pass);
	} else if (event->kind == EV_PASS_WORKERS) {
		remove_named(w, at, st);
		work_group(w, at, st, false);
		fit_size(w, at, st);
		st->is_worked = true;
		look_for_the_end(w, at, st, 8 * SEC);
	} else if (event->kind == EV_PASS_ENDS) {
		pass_ends(w, at, st);
	} else if (event->kind == EV_PASS_TIMEOUT) {
		pass_times_out(w, at, st);
	}
}

/* ---- the beginning: everything is old and well ---- */

static void stack_never_dies(void *thing)
{
	(void)thing; /* it is a part of the world */
}

static void settled_member(struct world *w, struct now created, struct stack *st, bool is_master, unsigned index)
{
	struct member *m = member_new(w, created, st, is_master, index);
	struct server *s = server_new(w, created, m);
	server_log(w, created, s, "create", SIM_USER_ID);
	m->server = s;
	m->status = "CREATE_COMPLETE";
	(void)TEXT_COPY(m->reason, "state changed");
	(void)TEXT_COPY(m->physical_id, s->id);
	(void)TEXT_COPY(s->address, m->address);
	make_uuid(&w->ids, s->boot_id);
	host_settle(w, s, is_master ? (int)index : (int)index + w->opts.masters);
	if (w->opts.with_volume_boot) {
		m->root = volume_new(w, s, USE_ROOT);
		m->root->member = m;
	}
	if (is_master && w->opts.with_etcd_volume) {
		m->etcd = volume_new(w, s, USE_ETCD);
		m->etcd->member = m;
	}
	m->has_etcd_data = is_master;
	s->launched.ms = created.wall.ms + MINUTE;
	s->vm = VM_ACTIVE;
	s->is_running = true;
	s->is_booted = true;
	guest_settle(w, w->now, s);
	sim_kube_set_created(w->kube, s->name, created.wall);
}

void stack_init(struct world *w, struct now created, struct stack *st, const char *name, int masters, int workers)
{
	char word[16];
	st->thing.destroy = stack_never_dies;
	(void)TEXT_COPY(st->name, name);
	make_uuid(&w->ids, st->id);
	make_word(&w->ids, word, 12);
	(void)snprintf(st->masters_name, sizeof(st->masters_name), "%s-kube_masters-%s", name, word);
	make_uuid(&w->ids, st->masters_id);
	make_word(&w->ids, word, 12);
	(void)snprintf(st->minions_name, sizeof(st->minions_name), "%s-kube_minions-%s", name, word);
	make_uuid(&w->ids, st->minions_id);
	st->status = "CREATE_COMPLETE";
	(void)TEXT_COPY(st->reason, "Stack CREATE completed successfully");
	st->created = created.wall;
	st->target = (unsigned)workers;
	st->next_index = (unsigned)workers;
	buf_init(&st->servers_cache.body, BODY_BYTES_MAX);
	buf_init(&st->summary_cache.body, 64 << 10);
	for (int i = 0; i < masters; i++)
		settled_member(w, created, st, true, (unsigned)i);
	for (int i = 0; i < workers; i++)
		settled_member(w, created, st, false, (unsigned)i);
}

void stack_done(struct stack *st)
{
	for (size_t i = 0; i < st->members_count; i++)
		thing_drop(&st->members[i]->thing);
	free(st->members);
	free(st->remove);
	buf_done(&st->servers_cache.body);
	buf_done(&st->summary_cache.body);
}
