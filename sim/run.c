/* The loop: the earliest of what is due happens, and then the laws are asked. */
#include "sim/run.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define START_WALL_MS (INT64_C(1795000000) * 1000) /* some day in November 2026 */
#define CALM_EXTRA_MS (8 * HOUR)                   /* what is still being healed in the end gets so much longer */
#define CALM_STEP_MS (10 * MINUTE)

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

int64_t run_between(struct run *run, int64_t low, int64_t high)
{
	return low + (int64_t)rng_below(&run->rng, (uint64_t)(high - low + 1));
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

/* The reference's times in some runs; in the others twenty-four times as long: the same proportions, fewer renewals. */
static void lease_open(struct run *run)
{
	int64_t scale = run->opts.script != SCRIPT_NONE || rng_chance(&run->rng, 0.04) ? 1 : 24;
	run->lease = (struct lease_opts){ .duration_ms = scale * 20 * SEC,
					  .renew_ms = scale * 15 * SEC,
					  .retry_ms = scale * 5 * SEC };
}

static void time_open(struct run *run)
{
	int64_t hours = run->opts.hours > 0 ? run->opts.hours : run_between(run, 3, 6);
	run->now = (struct now){ { 1000 }, { START_WALL_MS } };
	run->ends.ms = run->now.mono.ms + hours * HOUR;
	run->calm_from.ms = run->now.mono.ms + hours * HOUR * 3 / 4;
}

/* One, two or three of them; with enough masters each on one of its own, where the seed likes it. */
static void replicas_open(struct run *run)
{
	uint64_t dice = rng_below(&run->rng, 100);
	run->replicas_count = run->opts.script != SCRIPT_NONE ? 2 : dice < 15 ? 1 : dice < 75 ? 2 : 3;
	for (int i = 0; i < run->replicas_count; i++)
		replica_init(run, i);
	bool is_crash_script = run->opts.script == SCRIPT_IN_PLACE || run->opts.script == SCRIPT_RESIZE;
	bool is_housed = !is_crash_script && rng_chance(&run->rng, 0.75);
	masters_look(run);
	if (!is_housed || run->masters_count < (size_t)run->replicas_count)
		return;
	for (int i = 0; i < run->replicas_count; i++)
		(void)TEXT_COPY(run->replicas[i].master, run->masters[i].node);
}

static void run_init(struct run *run, const struct run_opts *opts)
{
	*run = (struct run){ .opts = *opts, .rng = { opts->seed * UINT64_C(0x9e3779b97f4a7c15) + 1 } };
	run->trace = xcalloc(TRACE_LINES, TRACE_LINE_BYTES);
	time_open(run);
	struct world_opts world = world_defaults();
	world.seed = rng_next(&run->rng);
	world.base_url = "https://sim.example";
	world.ctx = run;
	world.on_act = laws_act;
	world.stream_bytes = net_stream_bytes;
	world.stream_end = net_stream_end;
	run->scenario = scenario_new(run, &world);
	config_open(run);
	run->laws = laws_new(run);
	run->world = world_new(&world, run->now);
	lease_open(run);
	replicas_open(run);
	net_init(run);
}

static void run_done(struct run *run)
{
	for (int i = 0; i < run->replicas_count; i++)
		replica_done(run, &run->replicas[i]);
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
	for (int i = 0; i < run->replicas_count; i++)
		earliest(&next_ms, replica_next(&run->replicas[i]));
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

static void happen(struct run *run)
{
	world_advance(run->world, run->now);
	masters_look(run);
	replicas_follow_masters(run);
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

/* At the end of its time a run is over when everything is healed or held for good; else it goes on for a while: the
 * pauses between attempts are long. */
static bool is_over(struct run *run, struct mono latest)
{
	if (run->now.mono.ms < run->ends.ms)
		return false;
	if (run->now.mono.ms >= latest.ms || laws_are_settled(run))
		return true;
	run->ends.ms = run->now.mono.ms + CALM_STEP_MS;
	return false;
}

static void run_loop(struct run *run)
{
	int still = 0;
	struct mono latest = { run->ends.ms + CALM_EXTRA_MS };
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
		if (is_over(run, latest))
			return;
		happen(run);
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
	run->stats.virtual_ms = (uint64_t)run->now.mono.ms;
	*out_stats = run->stats;
	(void)snprintf(out_violation, out_bytes, "%s", run->violation);
	run_done(run);
	free(run);
	return is_good;
}
