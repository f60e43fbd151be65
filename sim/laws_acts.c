/* Laws about single acts: L1 the healthy are left alone, L3 the leader and its journal, L4 nothing twice, L12 proof,
 * L14 a rung has its time. By the world's own truth, at what arrived there. */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/laws_int.h"
#include "sim/scenario_int.h"

/* Two equal acts on one server within this time are a repetition: the ladder's own pauses are longer. */
#define REPEAT_MS (4 * MINUTE)

bool act_is_destructive(enum sim_act_kind kind)
{
	switch (kind) {
	case ACT_REBOOT_SOFT:
	case ACT_REBOOT_HARD:
	case ACT_STOP:
	case ACT_RESIZE:
	case ACT_MARK_UNHEALTHY:
	case ACT_DELETE_NODE:
	case ACT_DELETE_SERVER:
	case ACT_REBUILD:
		return true;
	case ACT_START:
	case ACT_DETACH_VOLUME:
	case ACT_STACK_UPDATE:
	case ACT_HEALTH_REPORT:
	case ACT_CORDON:
	case ACT_UNCORDON:
	case ACT_ANNOTATE:
		return false;
	}
	return false;
}

bool act_is_beginning(const struct track *track, enum sim_act_kind kind)
{
	if (kind == ACT_START)
		return track == NULL || track->stopped_by_us.ms == 0;
	return kind == ACT_REBOOT_SOFT || kind == ACT_REBOOT_HARD || kind == ACT_STOP;
}

/* The server may be an older one of the same node, which nobody needs any more. */
static bool is_its_server(const struct track *track, const struct sim_act *act)
{
	return act->server[0] == '\0' || !track->has_server || strcmp(track->server.id, act->server) == 0;
}

/* L1, and L14: a node with which nothing is wrong that the configured checks can see, and for so long that this is
 * known, is left alone. And nobody is repaired before the configured time has passed, whatever any clock says. */
static void law_wrong(struct run *run, const struct replica *replica, const struct sim_act *act,
		      const struct track *track)
{
	bool is_gone = act->kind == ACT_DELETE_NODE && act->status == 404;
	if (track == NULL || is_gone || !is_its_server(track, act) || track_is_flapping(run, track))
		return;
	int needed = witnesses_needed(run, track);
	if (act_is_destructive(act->kind) && track_witnesses_from(run, replica, track, false) < needed) {
		struct mono ready = sim_kube_ready_since(world_kube(run->world), act->node);
		run_violation(run, "L1", "%s of %s, with which nothing is wrong (Ready for %lld s)",
			      sim_act_name(act->kind), act->node,
			      ready.ms != 0 ? (long long)(run->now.mono.ms - ready.ms) / 1000 : -1);
	}
	if (act_is_beginning(track, act->kind) && track_witnesses_from(run, replica, track, true) < needed)
		run_violation(run, "L1", "%s of %s before any unhealthy-duration has passed", sim_act_name(act->kind),
			      act->node);
}

/* The shortest time that a soft reboot has to help, by any of the ladders. */
static int64_t reboot_limit_ms(const struct run *run, enum role role)
{
	const struct policy *policy = &run->config->policy;
	int64_t least_ms = policy->rebuild_delay_after_reboot_ms;
	for (size_t i = 0; i < policy->ladders[role].count; i++) {
		const struct ladder_rung *rung = &policy->ladders[role].rungs[i];
		if (rung->rung == RUNG_REBOOT && rung->limit_ms > 0 && rung->limit_ms < least_ms)
			least_ms = rung->limit_ms;
	}
	return least_ms;
}

static struct seen_server *seen(struct laws *laws, const char *id)
{
	for (size_t i = 0; i < laws->count; i++) {
		if (strcmp(laws->servers[i].id, id) == 0)
			return &laws->servers[i];
	}
	if (laws->count == SERVERS_SEEN_MAX)
		return NULL;
	struct seen_server *server = &laws->servers[laws->count++];
	*server = (struct seen_server){ 0 };
	(void)TEXT_COPY(server->id, id);
	return server;
}

/* L14: a rung has its time to help. Only a server that is not ACTIVE any more shortens it. */
static void law_rung_has_its_time(struct run *run, const struct sim_act *act, const struct track *track)
{
	bool is_next_rung = act->kind == ACT_STOP || act->kind == ACT_REBOOT_HARD;
	if (!is_next_rung || track == NULL || !track->has_server || track->acted.ms == 0 ||
	    strcmp(track->server.id, act->server) != 0)
		return;
	const struct period *busy = &track->busy;
	if (busy->since.ms != 0 && (busy->until.ms == 0 || run->now.mono.ms - busy->until.ms <= 2 * ACCOUNT_MS))
		return;
	const struct seen_server *server = seen(run->laws, act->server);
	struct mono rebooted = server != NULL ? server->last[ACT_REBOOT_SOFT] : (struct mono){ 0 };
	int64_t ago_ms = run->now.mono.ms - rebooted.ms;
	if (rebooted.ms != 0 && ago_ms < reboot_limit_ms(run, track_role(track)) - 10 * SEC)
		run_violation(run, "L14", "%s of %s %lld s after its reboot", sim_act_name(act->kind), act->node,
			      (long long)ago_ms / 1000);
}

/* What the journal says of an operation at the moment of such an act; "": not looked at. */
static const char *step_of(enum sim_act_kind kind)
{
	switch (kind) {
	case ACT_CORDON:
		return "\\\"step\\\":\\\"cordon\\\"";
	case ACT_UNCORDON:
		return "\\\"step\\\":\\\"uncordon\\\"";
	case ACT_DELETE_NODE:
		return "\\\"step\\\":\\\"forget-node\\\"";
	case ACT_MARK_UNHEALTHY:
		return "mark"; /* mark-unhealthy, or unmark */
	case ACT_REBOOT_SOFT:
	case ACT_REBOOT_HARD:
	case ACT_STOP:
	case ACT_START:
	case ACT_DETACH_VOLUME:
	case ACT_RESIZE:
	case ACT_STACK_UPDATE:
	case ACT_HEALTH_REPORT:
	case ACT_DELETE_SERVER:
	case ACT_REBUILD:
	case ACT_ANNOTATE:
		return "";
	}
	return "";
}

static void law_holder(struct run *run, const struct sim_act *act)
{
	const char *text =
		sim_kube_object(world_kube(run->world),
				"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/magnum-auto-healer");
	CLEANUP(json_decrefp) json_t *lease = json_parse(str_of(text), NULL);
	const char *holder = json_text_or(lease, "spec.holderIdentity", "");
	/* Identities are "NAME_generation": a restarted replica is somebody else. */
	size_t n = strlen(act->client);
	if (strncmp(holder, act->client, n) != 0 || holder[n] != '_')
		run_violation(run, "L3", "%s of %s by %s, while \"%s\" holds the Lease", sim_act_name(act->kind),
			      act->node, act->client, holder);
}

/* L3: the journal knows of the act, at the step that it belongs to, and of its intent when it must not be repeated. */
static void law_journal(struct run *run, const struct sim_act *act)
{
	if (act->server[0] == '\0' || act->kind == ACT_DETACH_VOLUME)
		return;
	bool is_of_node = act->kind == ACT_CORDON || act->kind == ACT_UNCORDON || act->kind == ACT_DELETE_NODE;
	const char *state = sim_kube_object(world_kube(run->world),
					    "/api/v1/namespaces/kube-system/configmaps/magnum-auto-healer-state");
	char wanted[NODE_NAME_BYTES + 40];
	(void)snprintf(wanted, sizeof wanted, "\\\"%s\\\":\\\"%s\\\"", is_of_node ? "node" : "server",
		       is_of_node ? act->node : act->server);
	const char *at = strstr(state, wanted);
	/* Heat refuses a mark while somebody's update runs, which may just have put another server there. */
	if (at == NULL && act->kind == ACT_MARK_UNHEALTHY && act->status == 409)
		return;
	if (at == NULL) {
		run_violation(run, "L3", "%s of %s (%s), and the journal does not know of it", sim_act_name(act->kind),
			      act->node, act->server);
		return;
	}
	/* The intent of an act that must not be repeated stands in front of the facts of its operation. */
	bool is_once = act_is_beginning(NULL, act->kind) || act->kind == ACT_RESIZE;
	const char *begin = at;
	while (begin > state && *begin != '{')
		begin--;
	const char *step = step_of(act->kind);
	if (step[0] != '\0' && memmem(begin, (size_t)(at - begin), step, strlen(step)) == NULL)
		run_violation(run, "L3", "%s of %s, and the journal has the repair at another step",
			      sim_act_name(act->kind), act->node);
	bool has_intent = memmem(begin, (size_t)(at - begin), "\\\"sent\\\":true", 13) != NULL;
	if (is_once && !has_intent)
		run_violation(run, "L3", "%s of %s left before its intent was in the journal", sim_act_name(act->kind),
			      act->node);
}

/* A second attempt comes after the pause between attempts, and a worker's soft reboot after the first has had its time.
 */
static int64_t repeat_ms(const struct run *run, const struct sim_act *act, const struct track *track)
{
	int64_t pause_ms = run->config->policy.retry_backoff_ms - 10 * SEC;
	/* Well in between: then it is another story. */
	bool is_another = track != NULL && track->acted.ms == 0;
	if (act->kind == ACT_REBOOT_SOFT && !is_another && (track == NULL || !track->server.is_master))
		pause_ms += reboot_limit_ms(run, ROLE_WORKER) / 2;
	else if (pause_ms > REPEAT_MS)
		pause_ms = REPEAT_MS;
	return pause_ms;
}

/* L4: what must not be repeated is not. */
static void law_once(struct run *run, const struct sim_act *act, struct track *track)
{
	if (act->server[0] == '\0' || act->status >= 300)
		return;
	struct seen_server *server = seen(run->laws, act->server);
	if (server == NULL)
		return;
	bool is_once = act_is_beginning(NULL, act->kind) || act->kind == ACT_RESIZE;
	struct mono last = server->last[act->kind];
	int64_t least_ms = repeat_ms(run, act, track);
	bool is_undone = act->kind == ACT_STOP && server->last[ACT_START].ms > last.ms;
	if (is_once && !is_undone && last.ms != 0 && run->now.mono.ms - last.ms < least_ms)
		run_violation(run, "L4", "%s of %s (%s) arrived twice, %lld s apart", sim_act_name(act->kind),
			      act->node, act->server, (long long)(run->now.mono.ms - last.ms) / 1000);
	server->last[act->kind] = run->now.mono;
}

/* L12: a Node is deleted only when its server is proven off or gone. */
static void law_proof(struct run *run, const struct sim_act *act)
{
	struct sim_server server;
	if (act->kind == ACT_DELETE_NODE && world_server_of_node(run->world, act->node, &server) && server.is_running &&
	    strcmp(server.id, act->server) == 0)
		run_violation(run, "L12", "Node %s was deleted while its server runs", act->node);
}

/* Of a scripted outage: nothing is done to nodes that are only cut off. */
static void count_cut(struct run *run, const struct sim_act *act)
{
	if (act_is_destructive(act->kind) && script_is_cut(run, act->node))
		run->stats.acts_on_cut++;
}

static void remember(struct run *run, const struct sim_act *act, struct track *track)
{
	struct laws *laws = run->laws;
	if (track == NULL || act->status >= 300)
		return;
	if (act_is_beginning(track, act->kind) && !track->server.is_master)
		laws->begun[laws->begun_count++ % BEGUN_TRUE_MAX] = run->now.mono;
	if (act->kind == ACT_STOP && is_its_server(track, act))
		track->stopped_by_us = run->now.mono;
	if (!act_is_destructive(act->kind))
		return;
	track->acted = run->now.mono;
	if (act->kind == ACT_RESIZE || act->kind == ACT_MARK_UNHEALTHY)
		track->is_doomed = true;
	if (track->server.is_master) {
		laws->master_acted = run->now.mono;
		(void)TEXT_COPY(laws->master, track->node);
	}
}

void acts_check(struct run *run, const struct replica *replica, const struct sim_act *act, struct track *track)
{
	law_wrong(run, replica, act, track);
	law_rung_has_its_time(run, act, track);
	law_holder(run, act);
	law_journal(run, act);
	limits_check(run, replica, act, track);
	others_check(run, replica, act, track);
	law_once(run, act, track);
	law_proof(run, act);
	count_cut(run, act);
	remember(run, act, track);
}
