/* What goes wrong, and when: everything follows from the seed. Faults come for the first three quarters of the time;
 * the last quarter is calm, and what was broken must be healed by its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/scenario_int.h"

/* Two nodes broken for good within this time look like an outage, which is held back while they are bad. */
#define APART_MS (4 * MINUTE)

static void plan_next(struct run *run)
{
	struct scenario *scenario = run->scenario;
	scenario->next.ms = run->now.mono.ms + 1 + (int64_t)rng_below(&run->rng, (uint64_t)(2 * scenario->mean_ms));
}

struct scenario *scenario_new(struct run *run, struct world_opts *world)
{
	struct scenario *scenario = xcalloc(1, sizeof *scenario);
	run->scenario = scenario;
	scenario->next_end.ms = NEVER;
	scenario->mean_ms = run_between(run, 5, 30) * MINUTE;
	scenario_world(run, world);
	plan_next(run);
	scenario->next.ms += 5 * MINUTE; /* everybody has started */
	if (run->opts.script != SCRIPT_NONE)
		script_begin(run);
	return scenario;
}

void scenario_free(struct scenario *scenario)
{
	free(scenario);
}

struct mono scenario_next(const struct scenario *scenario)
{
	return scenario->next_end.ms < scenario->next.ms ? scenario->next_end : scenario->next;
}

/* ---- ends ----------------------------------------------------------------------------------------------------------
 */

void scenario_ends(struct run *run, enum end_kind kind, int index, const char *node, int64_t after_ms)
{
	struct scenario *scenario = run->scenario;
	for (size_t i = 0; i < ENDS_MAX; i++) {
		struct end *end = &scenario->ends[i];
		if (end->at.ms != 0)
			continue;
		*end = (struct end){ .kind = kind, .index = index, .at = { run->now.mono.ms + after_ms } };
		(void)TEXT_COPY(end->node, node);
		if (end->at.ms < scenario->next_end.ms)
			scenario->next_end = end->at;
		return;
	}
	run_violation(run, "scenario", "too much is wrong at once: no room to remember its end");
}

bool scenario_has(const struct run *run, enum end_kind kind, int index, const char *node)
{
	for (size_t i = 0; i < ENDS_MAX; i++) {
		const struct end *end = &run->scenario->ends[i];
		if (end->at.ms != 0 && end->kind == kind && end->index == index &&
		    (node == NULL || strcmp(end->node, node) == 0))
			return true;
	}
	return false;
}

static void happen(struct run *run, struct end *end)
{
	struct end now = *end;
	end->at.ms = 0;
	switch (now.kind) {
	case END_SERVICE:
		world_trouble(run->world, (enum sim_service)now.index, &(struct sim_trouble){ 0 });
		run_trace(run, "service %d is well again", now.index);
		break;
	case END_CUT_NODE:
		run_trace(run, "%s reaches the API again", now.node);
		(void)world_cut_node(run->world, run->now, now.node, false, true);
		break;
	case END_CUT_ZONE:
		run_trace(run, "zone %d reaches the API again", now.index);
		world_cut_zone(run->world, run->now, now.index, false);
		break;
	case END_HOST:
		run_trace(run, "host %d is up again", now.index);
		world_host_down(run->world, run->now, now.index, false);
		break;
	case END_FLAP:
		fault_flap_again(run, &now);
		break;
	case END_LABEL:
	case END_LOCK:
	case END_STOP:
	case END_CORDON:
	case END_PAUSES:
	case END_ANNOTATION:
		others_end(run, &now);
		break;
	}
}

static void do_ends(struct run *run)
{
	struct scenario *scenario = run->scenario;
	for (size_t i = 0; i < ENDS_MAX; i++) {
		if (scenario->ends[i].at.ms != 0 && scenario->ends[i].at.ms <= run->now.mono.ms)
			happen(run, &scenario->ends[i]);
	}
	scenario->next_end.ms = NEVER;
	for (size_t i = 0; i < ENDS_MAX; i++) {
		if (scenario->ends[i].at.ms != 0 && scenario->ends[i].at.ms < scenario->next_end.ms)
			scenario->next_end = scenario->ends[i].at;
	}
}

/* ---- nodes ---------------------------------------------------------------------------------------------------------
 */

bool scenario_is_current(const struct run *run, const struct sim_server *server)
{
	struct sim_server current;
	return world_server_of_node(run->world, server->node, &current) && strcmp(current.id, server->id) == 0;
}

const char *scenario_node(struct run *run, bool is_master)
{
	static struct sim_server server;
	for (int tries = 0; tries < 50; tries++) {
		world_server(run->world, rng_below(&run->rng, world_servers_count(run->world)), &server);
		if (server.is_master == is_master && scenario_is_current(run, &server))
			return server.node;
	}
	return NULL;
}

static bool is_well(const struct run *run, const struct sim_server *server)
{
	(void)run;
	bool is_master_well = !server->is_master || (server->is_endpoint_well && server->is_etcd_well);
	return server->healthy_since.ms != 0 && is_master_well && !server->is_api_cut &&
	       !server->is_stopped_by_person && !server->is_others;
}

bool scenario_may_break(struct run *run, bool is_master)
{
	const struct scenario *scenario = run->scenario;
	int total = 0;
	int bad = 0;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		if (server.is_master != is_master || !scenario_is_current(run, &server))
			continue;
		total++;
		bad += !is_well(run, &server);
	}
	int limit =
		is_master ? (total == 1 ? 1 : (total - 1) / 2) : limit_of(run->config->policy.storm_threshold, total);
	struct mono last = scenario->broken;
	return bad < limit && (last.ms == 0 || run->now.mono.ms - last.ms > APART_MS);
}

/* ---- what happens next ----------------------------------------------------------------------------------------------
 */

static void fault_any(struct run *run)
{
	static const struct {
		unsigned share;
		void (*happen)(struct run *);
	} faults[] = { { 33, fault_node },     { 4, fault_storm },    { 8, fault_service }, { 5, fault_overload },
		       { 9, fault_partition }, { 5, fault_cut },      { 4, fault_host },    { 4, fault_flapping },
		       { 4, fault_boots },     { 10, fault_replica }, { 11, others_act },   { 6, others_pause } };
	run->stats.faults++;
	unsigned total = 0;
	for (size_t i = 0; i < COUNT(faults); i++)
		total += faults[i].share;
	unsigned dice = (unsigned)rng_below(&run->rng, total);
	size_t chosen = 0;
	while (dice >= faults[chosen].share)
		dice -= faults[chosen++].share;
	faults[chosen].happen(run);
	/* Troubles like company: something breaks while something else is in trouble. */
	if (rng_chance(&run->rng, 0.35))
		fault_node(run);
}

bool scenario_is_crash_point(struct run *run, const struct replica *replica, const struct http_request *request)
{
	struct daemon_view view;
	bool is_scripted = run->opts.script == SCRIPT_IN_PLACE || run->opts.script == SCRIPT_RESIZE;
	if (!is_scripted || replica->daemon == NULL)
		return false;
	daemon_look(replica->daemon, &view);
	bool is_of_repair = strstr(request->url, "sim.example") != NULL ||
			    strstr(request->url, "/api/v1/nodes/") != NULL ||
			    strstr(request->url, "/configmaps") != NULL;
	if (!is_of_repair || view.ops->count == 0)
		return false;
	run->stats.repair_requests++;
	return run->stats.repair_requests == (uint64_t)run->opts.crash_at;
}

void scenario_step(struct run *run)
{
	struct scenario *scenario = run->scenario;
	if (run->now.mono.ms >= scenario->next_end.ms)
		do_ends(run);
	if (run->now.mono.ms < scenario->next.ms)
		return;
	if (run->opts.script != SCRIPT_NONE) {
		script_step(run);
		return;
	}
	if (run->now.mono.ms >= run->calm_from.ms) {
		scenario->next.ms = NEVER;
		return;
	}
	fault_any(run);
	plan_next(run);
}
