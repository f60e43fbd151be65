/* Scripted runs: one replacement (for crashes at each of its requests), and half of everything cut off at once. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/scenario_int.h"

#define BEGIN_MS (10 * MINUTE)
#define CUT_MS (20 * MINUTE)
#define DEAD_MS (25 * MINUTE)
#define BACK_MS (40 * MINUTE)
#define LATE_MS (45 * MINUTE)
#define WATCH_MS (10 * SEC)

void script_begin(struct run *run)
{
	run->scenario->next.ms = BEGIN_MS;
}

/* ---- one replacement -----------------------------------------------------------------------------------------------
 */

static void replacement(struct run *run)
{
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		size_t n = strlen(server.node);
		if (!server.is_master && n > 2 && strcmp(server.node + n - 2, "-1") == 0) {
			run_trace(run, "script: kubelet of %s dies", server.node);
			(void)world_break_kubelet(run->world, run->now, server.node, CURE_REPLACE, 0);
		}
	}
	run->scenario->next.ms = NEVER;
}

/* ---- half of everything is cut off ----------------------------------------------------------------------------------
 */

static bool is_cut(const struct scenario *scenario, const char *node)
{
	for (size_t i = 0; i < scenario->cut_count; i++) {
		if (strcmp(scenario->cut[i], node) == 0)
			return true;
	}
	return false;
}

static void note_cut(struct scenario *scenario, const char *node)
{
	if (scenario->cut_count < COUNT(scenario->cut))
		(void)TEXT_COPY(scenario->cut[scenario->cut_count++], node);
}

static void cut_one_zone(struct run *run)
{
	int zone = (int)(run->opts.seed % 2);
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		if (server.zone == zone && scenario_is_current(run, &server))
			note_cut(run->scenario, server.node);
	}
	run_trace(run, "script: zone %d is cut off", zone);
	world_cut_zone(run->world, run->now, zone, true);
}

/* Half of the nodes, but no more than one of the three masters. */
static void cut_half(struct run *run)
{
	struct scenario *scenario = run->scenario;
	size_t total = world_servers_count(run->world);
	bool has_master = false;
	for (int tries = 0; tries < 1000 && scenario->cut_count < (total + 1) / 2; tries++) {
		struct sim_server server;
		world_server(run->world, rng_below(&run->rng, total), &server);
		if (is_cut(scenario, server.node) || (server.is_master && has_master))
			continue;
		has_master = has_master || server.is_master;
		note_cut(scenario, server.node);
		run_trace(run, "script: %s is cut off", server.node);
		(void)world_cut_node(run->world, run->now, server.node, true, true);
	}
}

static void mend(struct run *run)
{
	struct scenario *scenario = run->scenario;
	run_trace(run, "script: the network is back");
	if (run->opts.script == SCRIPT_OUTAGE_ZONE)
		world_cut_zone(run->world, run->now, (int)(run->opts.seed % 2), false);
	for (size_t i = 0; i < scenario->cut_count && run->opts.script == SCRIPT_OUTAGE_HALF; i++)
		(void)world_cut_node(run->world, run->now, scenario->cut[i], false, true);
	scenario->cut_count = 0;
}

/* A worker that is well, and not cut off. */
static void break_one(struct run *run, enum sim_cure cure)
{
	struct scenario *scenario = run->scenario;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		if (server.is_master || server.healthy_since.ms == 0 || is_cut(scenario, server.node) ||
		    !scenario_is_current(run, &server))
			continue;
		run_trace(run, "script: kubelet of %s dies", server.node);
		(void)TEXT_COPY(scenario->victim, server.node);
		scenario->step_at = run->now.mono;
		(void)world_break_kubelet(run->world, run->now, server.node, cure, 0);
		return;
	}
}

/* Which holds do the nodes that are cut off show? Is the one that is truly broken well again? */
static void watch(struct run *run)
{
	struct scenario *scenario = run->scenario;
	const struct replica *leader = run_leader(run);
	struct daemon_view view = { 0 };
	if (leader != NULL)
		daemon_look(leader->daemon, &view);
	for (size_t i = 0; leader != NULL && i < view.plan->count; i++) {
		const struct line *line = &view.plan->lines[i];
		if (!is_cut(scenario, line->record->node))
			continue;
		run->stats.held_zone += line->hold == HOLD_ZONE;
		run->stats.held_outage += line->hold == HOLD_OUTAGE || line->hold == HOLD_STORM ||
					  line->hold == HOLD_LEASES || line->hold == HOLD_API;
		run->stats.held_other += line->hold != HOLD_ZONE && line->hold != HOLD_OUTAGE &&
					 line->hold != HOLD_STORM && line->hold != HOLD_LEASES &&
					 line->hold != HOLD_API;
	}
	struct sim_server server;
	if (scenario->victim[0] == '\0' || !world_server_of_node(run->world, scenario->victim, &server) ||
	    server.healthy_since.ms == 0)
		return;
	int64_t took_ms = run->now.mono.ms - scenario->step_at.ms;
	run_trace(run, "script: %s is well again after %lld s", scenario->victim, (long long)took_ms / 1000);
	scenario->victim[0] = '\0';
	if (run->now.mono.ms < BACK_MS)
		run->stats.healed_in_outage_ms = took_ms;
	else if (scenario->step == 4)
		run->stats.healed_after_ms = took_ms;
}

static void outage(struct run *run)
{
	static const int64_t times[] = { CUT_MS, DEAD_MS, BACK_MS, LATE_MS };
	struct scenario *scenario = run->scenario;
	bool is_zone = run->opts.script == SCRIPT_OUTAGE_ZONE;
	watch(run);
	if (scenario->step < 4 && run->now.mono.ms >= times[scenario->step]) {
		switch (scenario->step++) {
		case 0:
			if (is_zone)
				cut_one_zone(run);
			else
				cut_half(run);
			break;
		case 1:
			if (is_zone)
				break_one(run, CURE_REBOOT);
			break;
		case 2:
			mend(run);
			break;
		default:
			break_one(run, CURE_REPLACE);
			break;
		}
	}
	scenario->next.ms = run->now.mono.ms + WATCH_MS;
}

bool script_is_cut(const struct run *run, const char *node)
{
	return is_cut(run->scenario, node);
}

void script_step(struct run *run)
{
	if (run->opts.script == SCRIPT_OUTAGE_ZONE || run->opts.script == SCRIPT_OUTAGE_HALF)
		outage(run);
	else
		replacement(run);
}
