#include "sim/run.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define START_WALL_MS (INT64_C(1795000000) * 1000) /* some day in November 2026 */
#define READ_WINDOW_MS 200                         /* events that come together share a turn, as in the real loop */

void run_trace(struct run *run, const char *fmt, ...)
{
	char *line = run->trace[run->traced++ % TRACE_LINES];
	int64_t s = run->now.mono.ms / 1000;
	int n = snprintf(line, TRACE_LINE_BYTES, "%02lld:%02lld:%02lld.%03lld ", (long long)s / 3600,
			 (long long)s / 60 % 60, (long long)s % 60, (long long)run->now.mono.ms % 1000);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(line + n, TRACE_LINE_BYTES - (size_t)n, fmt, ap);
	va_end(ap);
	if (run->opts.is_verbose)
		(void)fprintf(stderr, "%s\n", line);
}

void run_violation(struct run *run, const char *law, const char *fmt, ...)
{
	if (run->is_broken)
		return;
	run->is_broken = true;
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)snprintf(run->violation, sizeof run->violation, "%s: %s", law, text);
	run_trace(run, "VIOLATION %s", run->violation);
}

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
	run_trace(run, "fault: %s crashes for %lld s", replica->name, (long long)down_ms / 1000);
	run->stats.crashes++;
	net_replica_dies(run, replica);
	daemon_free(replica->daemon);
	replica->daemon = NULL;
	replica->frozen_until.ms = 0;
	replica->start_at.ms = run->now.mono.ms + down_ms;
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

static void replica_step(struct run *run, struct replica *replica)
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

/* ---- the run
 * --------------------------------------------------------------------------------------------------------- */

static void config_open(struct run *run)
{
	struct conf_problems problems = { 0 };
	run->config = conf_parse(str_of(scenario_config(run)), "sim.yaml", &problems);
	if (run->config == NULL) {
		for (size_t i = 0; i < problems.count; i++)
			run_trace(run, "%u:%u: %s", problems.list[i].line, problems.list[i].column,
				  problems.list[i].text);
		run_violation(run, "start", "the configuration of the simulation is refused: %s",
			      problems.count > 0 ? problems.list[0].text : "?");
	}
	conf_problems_done(&problems);
}

static void run_init(struct run *run, const struct run_opts *opts)
{
	*run = (struct run){ .opts = *opts, .rng = { opts->seed * UINT64_C(0x9e3779b97f4a7c15) + 1 } };
	run->trace = xcalloc(TRACE_LINES, TRACE_LINE_BYTES);
	run->now = (struct now){ { 1000 }, { START_WALL_MS } };
	run->ends.ms = run->now.mono.ms + opts->hours * HOUR;
	run->calm_from.ms = run->now.mono.ms + opts->hours * HOUR * 3 / 4;
	(void)scenario_new(run);
	config_open(run);
	run->laws = laws_new(run);
	struct world_opts world = world_defaults();
	static const int masters[] = { 1, 3, 3, 3, 5 };
	world.seed = rng_next(&run->rng);
	world.masters = masters[rng_below(&run->rng, COUNT(masters))];
	world.workers = 1 + (int)rng_below(&run->rng, 6);
	world.extra_workers = rng_chance(&run->rng, 0.3) ? 2 : 0;
	if (opts->script != SCRIPT_NONE) {
		world.masters = 3;
		world.workers = 3;
		world.extra_workers = 0;
	}
	world.heartbeat_ms =
		rng_chance(&run->rng, 0.2) ? 5 * MINUTE : 15 * MINUTE; /* the former is the kubelet's default */
	world.base_url = "https://sim.example";
	world.ctx = run;
	world.on_act = laws_act;
	world.stream_bytes = net_stream_bytes;
	world.stream_end = net_stream_end;
	run->world = world_new(&world, run->now);
	/* The reference's times in some runs; in the others twenty-four times as long: the same proportions, fewer
	 * renewals.
	 */
	int64_t scale = rng_chance(&run->rng, 0.04) ? 1 : 24;
	run->lease = (struct lease_opts){ .duration_ms = scale * 20 * SEC,
					  .renew_ms = scale * 15 * SEC,
					  .retry_ms = scale * 5 * SEC };
	run->replicas_count = rng_chance(&run->rng, 0.2) ? 1 : 2;
	if (opts->script != SCRIPT_NONE) {
		run->replicas_count = 2;
		run->lease = (struct lease_opts){ .duration_ms = 20 * SEC, .renew_ms = 15 * SEC, .retry_ms = 5 * SEC };
	}
	for (int i = 0; i < run->replicas_count; i++) {
		struct replica *replica = &run->replicas[i];
		*replica = (struct replica){ .run = run, .index = i, .start_at = { run->now.mono.ms + i * 500 } };
		(void)snprintf(replica->name, sizeof replica->name, "replica-%d", i);
	}
	net_init(run);
}

static void run_done(struct run *run)
{
	for (int i = 0; i < run->replicas_count; i++) {
		if (run->replicas[i].daemon != NULL) {
			net_replica_dies(run, &run->replicas[i]);
			daemon_free(run->replicas[i].daemon);
		}
	}
	net_done(run);
	world_free(run->world);
	laws_free(run->laws);
	scenario_free(run->scenario);
	conf_free(run->config);
	free(run->trace);
}

static void earliest(int64_t *next_ms, int64_t ms)
{
	if (ms < *next_ms)
		*next_ms = ms;
}

static int64_t next_event(const struct run *run)
{
	int64_t next_ms = run->ends.ms;
	earliest(&next_ms, world_next(run->world).ms);
	earliest(&next_ms, net_next(run).ms);
	earliest(&next_ms, scenario_next(run->scenario).ms);
	for (int i = 0; i < run->replicas_count; i++) {
		const struct replica *replica = &run->replicas[i];
		if (replica->daemon == NULL)
			earliest(&next_ms, replica->start_at.ms != 0 ? replica->start_at.ms : NEVER);
		else if (replica->next_turn.ms < replica->frozen_until.ms)
			earliest(&next_ms, replica->frozen_until.ms);
		else
			earliest(&next_ms, replica->next_turn.ms);
	}
	return next_ms;
}

static void advance(struct run *run, int64_t to_ms)
{
	int64_t step_ms = to_ms - run->now.mono.ms;
	assert(step_ms >= 0);
	run->now.mono.ms += step_ms;
	run->now.wall.ms += step_ms;
}

#define STILL_EVENTS_MAX 100000 /* events at one instant: somebody runs in a circle */

static void run_loop(struct run *run)
{
	int still = 0;
	while (!run->is_broken) {
		int64_t next_ms = next_event(run);
		if (next_ms < run->now.mono.ms)
			next_ms = run->now.mono.ms;
		still = next_ms == run->now.mono.ms ? still + 1 : 0;
		if (still > STILL_EVENTS_MAX) {
			run_violation(run, "time", "time stands still");
			return;
		}
		advance(run, next_ms);
		if (run->now.mono.ms >= run->ends.ms)
			return;
		world_advance(run->world, run->now);
		net_deliver(run);
		if (run->now.mono.ms >= scenario_next(run->scenario).ms)
			scenario_step(run);
		for (int i = 0; i < run->replicas_count && !run->is_broken; i++) {
			replica_step(run, &run->replicas[i]);
			replica_crash_if_due(run);
		}
		laws_event(run);
		run->stats.events++;
	}
}

static void print_trace(const struct run *run)
{
	uint64_t from = run->traced > TRACE_LINES ? run->traced - TRACE_LINES : 0;
	for (uint64_t i = from; i < run->traced; i++)
		(void)fprintf(stderr, "%s\n", run->trace[i % TRACE_LINES]);
}

bool run_seed(const struct run_opts *opts, struct run_stats *out_stats, char *out_violation, size_t out_bytes)
{
	struct run *run = xcalloc(1, sizeof *run);
	run_init(run, opts);
	run_loop(run);
	if (!run->is_broken)
		laws_end(run);
	bool is_good = !run->is_broken;
	if (!is_good && !opts->is_verbose)
		print_trace(run);
	*out_stats = run->stats;
	(void)snprintf(out_violation, out_bytes, "%s", run->violation);
	run_done(run);
	free(run);
	return is_good;
}
