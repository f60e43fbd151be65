/* Whole replicas of the program: their ports, their lives and deaths. Some run on masters, and share their fate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/run.h"

#define READ_WINDOW_MS 200   /* events that come together share a turn, as in the real loop */
#define START_MS (3 * SEC)   /* a container starts that soon once its kubelet lives */
#define MOVE_MS (6 * MINUTE) /* a node that is not well for so long: its pods are made anew elsewhere */

/* ---- ports of a replica ---------------------------------------------------------------------------------------------
 */

static const char kubeconfig[] =
	"apiVersion: v1\nkind: Config\ncurrent-context: sim\n"
	"clusters: [{name: sim, cluster: {server: 'https://kube.example:6443', insecure-skip-tls-verify: true}}]\n"
	"contexts: [{name: sim, context: {cluster: sim, user: sim}}]\n"
	"users: [{name: sim, user: {token: sim-token}}]\n";

static bool file_read(void *ctx, const char *path, struct buf *out, struct err *err)
{
	(void)ctx;
	if (strcmp(path, "/sim/kubeconfig") != 0)
		return fail(err, ERR_GONE, "%s: there is no such file in the simulation", path);
	return buf_text(out, kubeconfig);
}

static const char *file_env(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return NULL;
}

static const struct file_port files = { NULL, file_read, file_env };

static void log_line(void *ctx, enum log_level level, const char *component, const char *message,
		     const struct log_field *fields, size_t count)
{
	struct replica *replica = ctx;
	char text[TRACE_LINE_BYTES];
	if (level == LOG_DEBUG && !replica->run->opts.is_verbose)
		return;
	int n = snprintf(text, sizeof text, "%s", message);
	for (size_t i = 0; i < count && n < (int)sizeof text; i++) {
		if (fields[i].value != NULL)
			n += snprintf(text + n, sizeof text - (size_t)n, " %s=%s", fields[i].key, fields[i].value);
	}
	run_trace(replica->run, "%s [%s] %s", replica->name, component, text);
}

static void wake(void *ctx, bool is_urgent)
{
	struct replica *replica = ctx;
	int64_t at = replica->run->now.mono.ms + (is_urgent ? 0 : READ_WINDOW_MS);
	if (at < replica->next_turn.ms)
		replica->next_turn.ms = at;
}

static struct now replica_now(const struct replica *replica)
{
	struct now now = replica->run->now;
	now.wall.ms += replica->wall_skew_ms;
	return now;
}

static void replica_start(struct run *run, struct replica *replica)
{
	replica->generation++;
	replica->start_at.ms = 0;
	replica->stopping_since.ms = 0;
	replica->log = (struct log_port){ replica, log_line };
	struct daemon_opts opts = { .config = run->config,
				    .http = &replica->http,
				    .files = &files,
				    .log = &replica->log,
				    .wake_ctx = replica,
				    .wake = wake,
				    .seed = rng_next(&run->rng),
				    .tick_ms = 10 * SEC,
				    .lease = run->lease };
	(void)snprintf(opts.lease.identity, sizeof opts.lease.identity, "%s_%u", replica->name, replica->generation);
	struct err err = { 0 };
	replica->daemon = daemon_new(&opts, replica_now(replica), &err);
	if (replica->daemon == NULL) {
		run_violation(run, "start", "a replica does not start: %s", err.text);
		return;
	}
	replica->next_turn = run->now.mono;
	run_trace(run, "%s starts as %s", replica->name, opts.lease.identity);
}

void replica_crash(struct run *run, int index, int64_t down_ms)
{
	struct replica *replica = &run->replicas[index];
	if (replica->daemon == NULL)
		return;
	run_trace(run, "fault: %s crashes for %lld s", replica->name,
		  (long long)(down_ms < NEVER ? down_ms / 1000 : -1));
	run->stats.crashes++;
	net_replica_dies(run, replica);
	daemon_free(replica->daemon);
	replica->daemon = NULL;
	replica->frozen_until.ms = 0;
	replica->start_at.ms = down_ms < NEVER ? run->now.mono.ms + down_ms : 0;
}

void replica_freeze(struct run *run, int index, int64_t for_ms)
{
	run->replicas[index].frozen_until.ms = run->now.mono.ms + for_ms;
	run->stats.freezes++;
	run_trace(run, "fault: %s freezes for %lld s", run->replicas[index].name, (long long)for_ms / 1000);
}

void replica_crash_if_due(struct run *run)
{
	if (!run->must_crash)
		return;
	run->must_crash = false;
	replica_crash(run, run->crash_replica, 1000 + (int64_t)rng_below(&run->rng, 60000));
}

void replica_step(struct run *run, struct replica *replica)
{
	if (replica->daemon == NULL) {
		if (replica->start_at.ms != 0 && run->now.mono.ms >= replica->start_at.ms)
			replica_start(run, replica);
		return;
	}
	if (run->now.mono.ms < replica->frozen_until.ms || run->now.mono.ms < replica->next_turn.ms)
		return;
	replica->next_turn.ms = NEVER;
	int64_t due = daemon_turn(replica->daemon, replica_now(replica));
	run->stats.turns++;
	if (due < replica->next_turn.ms)
		replica->next_turn.ms = due;
	if (replica->next_turn.ms <= run->now.mono.ms) /* woken by its own doing: the next millisecond will do */
		replica->next_turn.ms = run->now.mono.ms + 1;
	bool is_late = replica->stopping_since.ms != 0 && run->now.mono.ms - replica->stopping_since.ms > 15 * SEC;
	if (daemon_is_stopped(replica->daemon) || is_late)
		replica_crash(run, replica->index, 5 * SEC);
}

int64_t replica_next(const struct replica *replica)
{
	if (replica->daemon == NULL)
		return replica->start_at.ms != 0 ? replica->start_at.ms : NEVER;
	return replica->next_turn.ms < replica->frozen_until.ms ? replica->frozen_until.ms : replica->next_turn.ms;
}

void replica_stop(struct run *run, int index)
{
	struct replica *replica = &run->replicas[index];
	if (replica->daemon == NULL)
		return;
	run_trace(run, "fault: %s is asked to stop", replica->name);
	daemon_stop(replica->daemon, replica_now(replica));
	replica->stopping_since = run->now.mono;
	replica->next_turn = run->now.mono;
}

void replica_init(struct run *run, int index)
{
	struct replica *replica = &run->replicas[index];
	*replica = (struct replica){ .run = run, .index = index, .start_at = { run->now.mono.ms + index * 500 } };
	(void)snprintf(replica->name, sizeof replica->name, "replica-%d", index);
}

void replica_done(struct run *run, struct replica *replica)
{
	if (replica->daemon == NULL)
		return;
	net_replica_dies(run, replica);
	daemon_free(replica->daemon);
	replica->daemon = NULL;
}

const struct replica *run_leader(const struct run *run)
{
	for (int i = 0; i < run->replicas_count; i++) {
		struct daemon_view view;
		if (run->replicas[i].daemon == NULL || run->now.mono.ms < run->replicas[i].frozen_until.ms)
			continue;
		daemon_look(run->replicas[i].daemon, &view);
		if (view.is_leader)
			return &run->replicas[i];
	}
	return NULL;
}

/* ---- on masters ----------------------------------------------------------------------------------------------------
 */

static bool is_taken(const struct run *run, const char *node)
{
	for (int i = 0; i < run->replicas_count; i++) {
		if (strcmp(run->replicas[i].master, node) == 0)
			return true;
	}
	return false;
}

/* Its node has been lost for minutes: the Deployment makes another pod, where there is room. */
static void move(struct run *run, struct replica *replica)
{
	for (size_t i = 0; i < run->masters_count; i++) {
		const struct master_state *master = &run->masters[i];
		if (!master->is_running || !master->is_kubelet_alive || master->is_api_cut ||
		    is_taken(run, master->node))
			continue;
		run_trace(run, "%s moves from %s to %s", replica->name, replica->master, master->node);
		replica_crash(run, replica->index, NEVER);
		(void)TEXT_COPY(replica->master, master->node);
		replica->homeless.ms = 0;
		replica->is_cut_by_master = false;
		replica->start_at.ms = run->now.mono.ms + START_MS;
		return;
	}
}

static void follow_master(struct run *run, struct replica *replica)
{
	const struct master_state *master = master_find(run, replica->master);
	bool is_powered = master != NULL && master->is_running;
	bool can_start = is_powered && master->is_kubelet_alive;
	replica->is_cut_by_master = master != NULL && master->is_api_cut;
	if (!is_powered && replica->daemon != NULL) {
		run_trace(run, "%s dies with the guest of %s", replica->name, replica->master);
		replica_crash(run, replica->index, NEVER);
	}
	if (!is_powered)
		replica->start_at.ms = 0;
	else if (can_start && replica->daemon == NULL && replica->start_at.ms == 0)
		replica->start_at.ms = run->now.mono.ms + START_MS;
	if (can_start && !master->is_api_cut)
		replica->homeless.ms = 0;
	else if (replica->homeless.ms == 0)
		replica->homeless = run->now.mono;
	else if (run->now.mono.ms - replica->homeless.ms > MOVE_MS)
		move(run, replica);
}

void replicas_follow_masters(struct run *run)
{
	if (run->masters_at.ms != run->now.mono.ms) /* nothing new is known */
		return;
	for (int i = 0; i < run->replicas_count; i++) {
		if (run->replicas[i].master[0] != '\0')
			follow_master(run, &run->replicas[i]);
	}
}
