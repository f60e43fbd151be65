/* What other people and programs do to the cluster while the healer works: the autoscaler takes a node away, another
 * healer repairs one, the owner upgrades all workers, people start and migrate servers, pause, annotate.
 *
 * A job is a thing with steps; each step does something and says when the next one comes. */
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

#define TAINT_AUTOSCALER "ToBeDeletedByClusterAutoscaler"
#define TAINT_HEALER "medik8s.io/remediation"
#define LOOK_MS (10 * SEC)
#define AUTOSCALER_TRIES 12  /* while the cluster is busy; then it thinks better of it */
#define AUTOSCALER_LOOKS 180 /* whether the server is gone */
#define UPGRADE_NODE_MS_MIN (2 * MINUTE)
#define UPGRADE_NODE_MS_MAX (4 * MINUTE)
#define REBOOT_AFTER_MS (15 * SEC)

static struct server *server_of(const struct world *w, const char *node)
{
	const struct member *m = map_get(&w->members_by_name, node);
	return m != NULL ? m->server : NULL;
}

static bool is_api_up(const struct world *w)
{
	return w->plane == PLANE_WELL;
}

/* ---- jobs ---- */

static void job_destroy(void *thing)
{
	free(thing);
}

static struct job *job_new(struct world *w, enum job_kind kind, const char *node)
{
	struct job *job = xcalloc(1, sizeof(*job));
	job->thing.destroy = job_destroy;
	job->kind = kind;
	(void)TEXT_COPY(job->node, node);
	w->jobs[w->jobs_count++] = job;
	return job;
}

static void job_ends(struct world *w, struct job *job)
{
	size_t i = 0;
	while (w->jobs[i] != job)
		i++;
	w->jobs[i] = w->jobs[--w->jobs_count];
	thing_drop(&job->thing);
}

static void job_next(struct world *w, struct now at, struct job *job, int64_t in_ms)
{
	due_push(&w->due, at.mono.ms + scaled(w, in_ms), EV_JOB, job, 0);
}

void jobs_done(struct world *w)
{
	for (size_t i = 0; i < w->jobs_count; i++)
		thing_drop(&w->jobs[i]->thing);
	w->jobs_count = 0;
}

static bool has_job(const struct world *w, const char *node)
{
	for (size_t i = 0; i < w->jobs_count; i++) {
		if (strcmp(w->jobs[i]->node, node) == 0)
			return true;
	}
	return false;
}

static bool may_begin(const struct world *w, const char *node)
{
	return w->jobs_count < JOBS_MAX && !has_job(w, node) && is_api_up(w) && sim_kube_node_exists(w->kube, node) &&
	       server_of(w, node) != NULL;
}

static int64_t between(struct world *w, int64_t low_ms, int64_t high_ms)
{
	return low_ms + (int64_t)rng_below(&w->luck, (uint64_t)(high_ms - low_ms + 1));
}

/* The mark of a job goes on or comes off its server, if that is still there. */
static void mark_server(struct world *w, struct now at, const struct job *job, bool is_others)
{
	struct server *s = map_get(&w->servers_by_id, job->server);
	if (s != NULL)
		server_others(s, at, is_others);
}

/* ---- the autoscaler ---- */

static size_t workers_staying(const struct stack *st)
{
	size_t count = 0;
	for (size_t i = 0; i < st->members_count; i++)
		count += !st->members[i]->is_master && !st->members[i]->is_doomed;
	return count;
}

static bool is_cluster_busy(const struct world *w, const struct stack *st)
{
	return stack_is_busy(st) || strstr(w->cluster.status, "_IN_PROGRESS") != NULL;
}

bool world_autoscaler_removes(struct world *w, struct now now, const char *node)
{
	world_advance(w, now);
	const struct member *m = map_get(&w->members_by_name, node);
	if (m == NULL || m->is_master || m->is_doomed || !may_begin(w, node) || is_cluster_busy(w, m->stack) ||
	    workers_staying(m->stack) < 2)
		return false;
	struct job *job = job_new(w, JOB_AUTOSCALER, node);
	(void)TEXT_COPY(job->server, m->server->id);
	char value[24];
	(void)snprintf(value, sizeof(value), "%lld", (long long)(now.wall.ms / 1000));
	sim_kube_taint(w->kube, now, node, TAINT_AUTOSCALER, value, "NoSchedule");
	mark_server(w, now, job, true);
	job_next(w, now, job, between(w, 60 * SEC, 120 * SEC));
	return true;
}

static void autoscaler_gives_up(struct world *w, struct now at, struct job *job)
{
	if (!is_api_up(w)) {
		job_next(w, at, job, LOOK_MS);
		return;
	}
	sim_kube_taint(w->kube, at, job->node, TAINT_AUTOSCALER, NULL, NULL);
	mark_server(w, at, job, false);
	job_ends(w, job);
}

enum { AUTOSCALER_RESIZES, AUTOSCALER_LOOKS_ON, AUTOSCALER_STOPS };

static void autoscaler_resizes(struct world *w, struct now at, struct job *job)
{
	const struct member *m = map_get(&w->members_by_name, job->node);
	bool is_same = m != NULL && m->server != NULL && strcmp(m->server->id, job->server) == 0;
	if (!is_same || workers_staying(m->stack) < 2 || job->tries == AUTOSCALER_TRIES) {
		job->step = AUTOSCALER_STOPS;
		autoscaler_gives_up(w, at, job);
		return;
	}
	if (is_cluster_busy(w, m->stack)) { /* the real one asks for the status first, too */
		job->tries++;
		job_next(w, at, job, MINUTE);
		return;
	}
	const char *remove[] = { job->server };
	struct group *group = worker_group_of(w, m->stack);
	conductor_resize(w, at, group, group->node_count - 1, remove, 1);
	job->step = AUTOSCALER_LOOKS_ON;
	job->tries = 0;
	job_next(w, at, job, LOOK_MS);
}

static void autoscaler_looks(struct world *w, struct now at, struct job *job)
{
	bool is_gone = map_get(&w->servers_by_id, job->server) == NULL;
	if (is_gone && is_api_up(w)) {
		sim_kube_forget(w->kube, at, job->node);
		job_ends(w, job);
		return;
	}
	if (!is_gone && ++job->tries == AUTOSCALER_LOOKS) {
		job->step = AUTOSCALER_STOPS;
		autoscaler_gives_up(w, at, job);
		return;
	}
	job_next(w, at, job, LOOK_MS);
}

static void autoscaler_step(struct world *w, struct now at, struct job *job)
{
	if (job->step == AUTOSCALER_RESIZES)
		autoscaler_resizes(w, at, job);
	else if (job->step == AUTOSCALER_LOOKS_ON)
		autoscaler_looks(w, at, job);
	else
		autoscaler_gives_up(w, at, job);
}

/* ---- another healer ---- */

static bool may_reboot(const struct server *s)
{
	return s->op == OP_NONE && !s->is_locked && (s->vm == VM_ACTIVE || s->vm == VM_STOPPED || s->vm == VM_ERROR);
}

bool world_other_healer(struct world *w, struct now now, const char *node)
{
	world_advance(w, now);
	const struct server *s = server_of(w, node);
	if (s == NULL || !may_begin(w, node) || !may_reboot(s) || s->is_stopped_by_person)
		return false;
	struct job *job = job_new(w, JOB_HEALER, node);
	(void)TEXT_COPY(job->server, s->id);
	sim_kube_taint(w->kube, now, node, TAINT_HEALER, "", "NoExecute");
	mark_server(w, now, job, true);
	job_next(w, now, job, REBOOT_AFTER_MS);
	return true;
}

static void healer_step(struct world *w, struct now at, struct job *job)
{
	struct server *s = map_get(&w->servers_by_id, job->server);
	if (job->step == 0) {
		job->step = 1;
		if (s != NULL && may_reboot(s)) {
			server_log(w, at, s, "reboot", SIM_OTHER_HEALER_ID);
			server_begin(w, at, s, OP_HARD);
		}
		job_next(w, at, job, between(w, 3 * MINUTE, 10 * MINUTE));
		return;
	}
	if (!is_api_up(w)) {
		job_next(w, at, job, LOOK_MS);
		return;
	}
	sim_kube_taint(w->kube, at, job->node, TAINT_HEALER, NULL, NULL);
	mark_server(w, at, job, false);
	job_ends(w, job);
}

/* ---- an upgrade ---- */

void world_upgrade(struct world *w, struct now now)
{
	world_advance(w, now);
	struct stack *st = &w->stack;
	size_t workers = workers_staying(st);
	if (w->jobs_count == JOBS_MAX || is_cluster_busy(w, st) || workers == 0)
		return;
	struct job *job = job_new(w, JOB_UPGRADE, "");
	st->hold_until.ms = now.mono.ms + scaled(w, (int64_t)(workers + 1) * UPGRADE_NODE_MS_MAX + MINUTE);
	magnum_busy(w, now, st, "UPDATE_IN_PROGRESS");
	stack_pass(w, now, st);
	job_next(w, now, job, 30 * SEC);
}

static struct member *next_worker(const struct stack *st, unsigned from)
{
	for (size_t i = 0; i < st->members_count; i++) {
		struct member *m = st->members[i];
		if (!m->is_master && m->index >= from && m->server != NULL)
			return m;
	}
	return NULL;
}

static void upgrade_leaves(struct world *w, struct now at, struct job *job)
{
	if (job->has_cordoned && is_api_up(w))
		sim_kube_cordon(w->kube, at, job->node, false);
	mark_server(w, at, job, false);
	job->has_cordoned = false;
	job->node[0] = '\0';
}

/* Cordons the next worker; false: there is none left. */
static bool upgrade_enters(struct world *w, struct now at, struct job *job)
{
	const struct member *m = next_worker(&w->stack, job->next_index);
	while (m != NULL && has_job(w, m->name)) { /* somebody else is at it */
		job->next_index = m->index + 1;
		m = next_worker(&w->stack, job->next_index);
	}
	if (m == NULL)
		return false;
	job->next_index = m->index + 1;
	(void)TEXT_COPY(job->node, m->name);
	(void)TEXT_COPY(job->server, m->server->id);
	mark_server(w, at, job, true);
	bool is_cordoned = sim_kube_is_cordoned(w->kube, m->name, NULL, 0);
	job->has_cordoned = is_api_up(w) && !is_cordoned;
	if (job->has_cordoned)
		sim_kube_cordon(w->kube, at, m->name, true);
	return true;
}

enum { UPGRADE_ENTERS, UPGRADE_REBOOTS, UPGRADE_LEAVES };

static void upgrade_step(struct world *w, struct now at, struct job *job)
{
	struct server *s = map_get(&w->servers_by_id, job->server);
	switch (job->step) {
	case UPGRADE_LEAVES:
		if (!is_api_up(w)) { /* what it has cordoned it uncordons, however late */
			job_next(w, at, job, LOOK_MS);
			return;
		}
		upgrade_leaves(w, at, job);
		job->step = UPGRADE_ENTERS;
		job_next(w, at, job, 2 * SEC);
		return;
	case UPGRADE_REBOOTS:
		if (s != NULL && may_reboot(s) && !s->is_stopped_by_person) {
			server_log(w, at, s, "reboot", SIM_USER_ID);
			server_begin(w, at, s, OP_HARD);
		}
		job->step = UPGRADE_LEAVES;
		job_next(w, at, job, between(w, UPGRADE_NODE_MS_MIN, UPGRADE_NODE_MS_MAX) - REBOOT_AFTER_MS - 2 * SEC);
		return;
	default:
		break;
	}
	if (upgrade_enters(w, at, job)) {
		job->step = UPGRADE_REBOOTS;
		job_next(w, at, job, REBOOT_AFTER_MS);
		return;
	}
	stack_release(w, at, &w->stack);
	job_ends(w, job);
}

void job_event(struct world *w, struct now at, struct job *job)
{
	switch (job->kind) {
	case JOB_AUTOSCALER:
		autoscaler_step(w, at, job);
		break;
	case JOB_HEALER:
		healer_step(w, at, job);
		break;
	case JOB_UPGRADE:
		upgrade_step(w, at, job);
		break;
	}
}

/* ---- people ---- */

bool world_person_stops(struct world *w, struct now now, const char *node)
{
	world_advance(w, now);
	struct server *s = server_of(w, node);
	if (s == NULL || s->vm != VM_ACTIVE || s->op != OP_NONE)
		return false;
	server_log(w, now, s, "stop", SIM_PERSON_ID);
	s->is_stopped_by_person = true;
	server_begin(w, now, s, OP_STOP);
	return true;
}

bool world_person_starts(struct world *w, struct now now, const char *node)
{
	world_advance(w, now);
	struct server *s = server_of(w, node);
	if (s == NULL || s->vm != VM_STOPPED || s->op != OP_NONE)
		return false;
	server_log(w, now, s, "start", SIM_PERSON_ID);
	server_begin(w, now, s, OP_START);
	return true;
}

bool world_person_migrates(struct world *w, struct now now, const char *node)
{
	world_advance(w, now);
	struct server *s = server_of(w, node);
	if (s == NULL || s->vm != VM_ACTIVE || s->op != OP_NONE || host_is_down(w, s->host))
		return false;
	server_log(w, now, s, "live-migration", SIM_PERSON_ID);
	server_begin(w, now, s, OP_MIGRATE);
	return true;
}

void world_write_pauses(struct world *w, struct now now, const char *json)
{
	world_advance(w, now);
	if (is_api_up(w))
		sim_kube_write_map(w->kube, now, "kube-system", "magnum-auto-healer-state", "pauses.json",
				   json[0] != '\0' ? json : NULL);
}

bool world_annotate(struct world *w, struct now now, const char *node, const char *key, const char *value)
{
	world_advance(w, now);
	return is_api_up(w) && sim_kube_annotate(w->kube, now, node, key, value);
}

bool world_cordon(struct world *w, struct now now, const char *node, bool cordoned)
{
	world_advance(w, now);
	if (!is_api_up(w) || !sim_kube_node_exists(w->kube, node))
		return false;
	sim_kube_cordon(w->kube, now, node, cordoned);
	return true;
}
