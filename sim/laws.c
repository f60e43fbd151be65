/* The laws of the product, as assertions. Each looks at the world's own truth, at what arrived there, and at what the
 * replica that sent it could know. A law that no mutation of the program can break is not tested: tests/sim/mutants.
 *
 *   laws_account.c  what is true, and since when; L9     laws_acts.c   L1, L3, L4, L12, L14
 *   laws_limits.c   L5, L6, L7                           laws_others.c L8, L11
 *   laws_end.c      L10, L13                             this file     L2, and when which is asked */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/laws_int.h"

static enum wrong wrong_of(const char *type)
{
	static const struct {
		const char *type;
		enum wrong wrong;
	} types[] = {
		{ "NodeCondition", WRONG_READY }, { "Endpoint", WRONG_ENDPOINT },  { "Kubelet", WRONG_KUBELET },
		{ "NodeLease", WRONG_LEASE },     { "CloudServer", WRONG_SERVER }, { "NeverJoined", WRONG_ABSENT }
	};
	for (size_t i = 0; i < COUNT(types); i++) {
		if (strcmp(types[i].type, type) == 0)
			return types[i].wrong;
	}
	return WRONG_READY;
}

struct laws *laws_new(struct run *run)
{
	struct laws *laws = xcalloc(1, sizeof *laws);
	laws->is_label_on = true;
	laws->had_quorum = true;
	for (int role = 0; role < ROLES_COUNT && run->config != NULL; role++) {
		for (size_t i = 0; i < run->config->checks_count[role]; i++)
			laws->rules[role][i] = wrong_of(run->config->checks[role][i].type);
	}
	return laws;
}

void laws_free(struct laws *laws)
{
	free(laws);
}

void laws_label_changed(struct run *run, bool enabled)
{
	if (run->laws->is_label_on != enabled)
		run->laws->label_changed = run->now.mono;
	run->laws->is_label_on = enabled;
}

/* ---- an act arrives
 * -------------------------------------------------------------------------------------------------- */

static struct replica *sender(struct run *run, const struct sim_act *act)
{
	for (int i = 0; i < run->replicas_count; i++) {
		if (strcmp(run->replicas[i].name, act->client) == 0)
			return &run->replicas[i];
	}
	return NULL;
}

/* The node of the act; by the server when the act names no node. */
static struct track *track_of(struct laws *laws, const struct sim_act *act)
{
	struct track *track = act->node[0] != '\0' ? track_find(laws, act->node) : NULL;
	for (size_t i = 0; i < laws->tracks_count && track == NULL && act->server[0] != '\0'; i++) {
		if (strcmp(laws->tracks[i].server.id, act->server) == 0)
			track = &laws->tracks[i];
	}
	return track;
}

/* A crash, or a pause longer than the Lease, at any point: right after an act is the most interesting one. */
static void stumble(struct run *run, const struct replica *replica)
{
	if (run->now.mono.ms >= run->calm_from.ms || run->opts.script != SCRIPT_NONE)
		return;
	if (rng_chance(&run->rng, 0.05)) {
		run->must_crash = true;
		run->crash_replica = replica->index;
	} else if (rng_chance(&run->rng, 0.04)) {
		replica_freeze(run, replica->index,
			       (int64_t)rng_below(&run->rng, (uint64_t)(2 * run->lease.duration_ms)));
	}
}

void laws_act(void *ctx, const struct sim_act *act)
{
	struct run *run = ctx;
	const struct replica *replica = sender(run, act);
	run_trace(run, "%s: %s %s %s -> %d", act->client[0] != '\0' ? act->client : "somebody", sim_act_name(act->kind),
		  act->node, act->server, act->status);
	if (replica == NULL)
		return; /* an administrator, another healer */
	run->stats.acts++;
	if (run->config->policy.is_dry_run)
		run_violation(run, "L8", "%s of %s in a dry run", sim_act_name(act->kind), act->node);
	if (act->kind == ACT_HEALTH_REPORT || act->kind == ACT_ANNOTATE) /* what is told, not done */
		return;
	account_take(run);
	acts_check(run, replica, act, track_of(run->laws, act));
	stumble(run, replica);
}

/* L2, L3 at the other end: what leaves, leaves from a leader with a live view. */
void laws_leaving(struct run *run, struct replica *replica, const struct http_request *request)
{
	if (request->method == NULL || strcmp(request->method, "GET") == 0)
		return;
	bool is_cloud = strstr(request->url, "/compute/") != NULL || strstr(request->url, "/orchestration/") != NULL ||
			strstr(request->url, "/container-infra/") != NULL;
	bool is_node = strstr(request->url, "/api/v1/nodes/") != NULL;
	if ((!is_cloud && !is_node) || replica->daemon == NULL)
		return;
	struct daemon_view view;
	daemon_look(replica->daemon, &view);
	bool is_report = strstr(request->url, "/container-infra/") != NULL && strcmp(request->method, "PATCH") == 0;
	if (!view.is_nodes_fresh)
		run_violation(run, "L2", "%s %s leaves %s, whose view of the nodes is stale", request->method,
			      request->url, replica->name);
	if (!view.is_leader)
		run_violation(run, "L3", "%s %s leaves %s, which does not lead", request->method, request->url,
			      replica->name);
	if (is_cloud && !is_report && !request->is_once)
		run_violation(run, "L4", "%s %s leaves on a connection on which it could be resent", request->method,
			      request->url);
}

/* ---- after every event --------------------------------------------------------------------------------------------
 */

/* Two replicas may both believe that they lead for a moment only when one of them is frozen. */
static void law_one_leader(struct run *run)
{
	int leaders = 0;
	for (int i = 0; i < run->replicas_count; i++) {
		struct daemon_view view;
		if (run->replicas[i].daemon == NULL || run->now.mono.ms < run->replicas[i].frozen_until.ms ||
		    run->replicas[i].next_turn.ms <= run->now.mono.ms)
			continue;
		daemon_look(run->replicas[i].daemon, &view);
		if (view.is_leader)
			leaders++;
	}
	if (leaders > 1)
		run_violation(run, "L3", "%d replicas lead at once", leaders);
}

void laws_event(struct run *run)
{
	if (run->now.mono.ms < run->laws->next_account.ms)
		return;
	run->laws->next_account.ms = run->now.mono.ms + ACCOUNT_MS;
	account_take(run);
	account_told(run);
	limits_account(run);
	law_one_leader(run);
}
