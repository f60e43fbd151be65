/* The laws of the product, as assertions. Each looks at the world's own truth, at what arrived there, and at what the
 * replica that sent it could know. A law that no mutation of the program can break is not tested: tests/sim/mutants. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube.h"
#include "sim/run.h"

/* The API has said Ready for so long: by then every live healer with a fresh view knows (a hop or two, a turn, and the
 * request's own way). */
#define KNOWN_MS (20 * SEC)
/* Two equal acts on one server within this time are a repetition: the ladder's own pauses are longer. */
#define REPEAT_MS (4 * MINUTE)
/* Times of conditions have seconds, and a clock that is a little wrong is believed. */
#define CLOCK_SLACK_MS (12 * SEC)
#define SERVERS_SEEN_MAX 512
#define SLOTS 64 /* of the account: servers in order of their creation */

struct seen_server {
	char id[40];
	char node[NODE_NAME_BYTES];
	struct mono last[32]; /* per kind: the last accepted one */
	int soft_reboots;     /* accepted, since the node was last healthy */
	bool is_master;
	struct mono acted; /* the last destructive act; 0: the node was healthy since */
};

struct laws {
	struct seen_server servers[SERVERS_SEEN_MAX];
	size_t count;
	bool is_label_on;
	struct mono label_changed;
	struct mono next_account;  /* L9, checked each minute */
	struct mono joined[SLOTS]; /* the Node came to be; -1: it was there from the beginning */
	int untold[SLOTS];
	struct mono bad_since[SLOTS]; /* per node of the account, in order of the world's servers */
};

struct laws *laws_new(struct run *run)
{
	(void)run;
	struct laws *laws = xcalloc(1, sizeof *laws);
	laws->is_label_on = true;
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

static bool is_destructive(enum sim_act_kind kind)
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
		return false;
	}
	return false;
}

/* Acts that begin a repair; the rest goes on with one. */
static bool is_beginning(enum sim_act_kind kind)
{
	return kind == ACT_REBOOT_SOFT || kind == ACT_REBOOT_HARD || kind == ACT_STOP || kind == ACT_START;
}

static struct seen_server *seen(struct laws *laws, const struct sim_act *act)
{
	for (size_t i = 0; i < laws->count; i++) {
		if (strcmp(laws->servers[i].id, act->server) == 0)
			return &laws->servers[i];
	}
	if (laws->count == SERVERS_SEEN_MAX)
		return NULL;
	struct seen_server *server = &laws->servers[laws->count++];
	*server = (struct seen_server){ 0 };
	(void)TEXT_COPY(server->id, act->server);
	(void)TEXT_COPY(server->node, act->node);
	server->is_master = strstr(act->node, "-master-") != NULL;
	return server;
}

static const struct replica *sender(const struct run *run, const struct sim_act *act)
{
	for (int i = 0; i < run->replicas_count; i++) {
		if (strcmp(run->replicas[i].name, act->client) == 0)
			return &run->replicas[i];
	}
	return NULL;
}

static int64_t ready_for_ms(const struct run *run, const char *node)
{
	struct mono since = sim_kube_ready_since(world_kube(run->world), node);
	return since.ms != 0 ? run->now.mono.ms - since.ms : -1;
}

/* L1, and L14: a node that is well, and has been for long enough to be known to be, is left alone. */
static void law_healthy(struct run *run, const struct sim_act *act)
{
	struct sim_server server;
	if (!is_destructive(act->kind) || act->node[0] == '\0' || !world_server_of_node(run->world, act->node, &server))
		return;
	bool is_its_server = act->server[0] == '\0' || strcmp(server.id, act->server) == 0;
	if (is_its_server && ready_for_ms(run, act->node) > KNOWN_MS)
		run_violation(run, "L1", "%s of %s, which has been healthy for %lld s", sim_act_name(act->kind),
			      act->node, (long long)ready_for_ms(run, act->node) / 1000);
}

/* L1 as well: nobody is repaired before the configured time has passed, whatever any clock says. */
static void law_patience(struct run *run, const struct sim_act *act)
{
	bool is_master = strstr(act->node, "-master-") != NULL;
	const struct conf_check *check = &run->config->checks[is_master ? ROLE_MASTER : ROLE_WORKER][0];
	struct mono since = sim_kube_unready_since(world_kube(run->world), act->node);
	if (!is_beginning(act->kind) || since.ms == 0)
		return;
	int64_t bad_ms = run->now.mono.ms - since.ms;
	if (bad_ms < check->unhealthy_duration_ms - CLOCK_SLACK_MS)
		run_violation(run, "L1", "%s of %s after %lld s, and unhealthy-duration is %lld s",
			      sim_act_name(act->kind), act->node, (long long)bad_ms / 1000,
			      (long long)check->unhealthy_duration_ms / 1000);
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
		return "";
	}
	return "";
}

/* L14: a rung has its time to help. Only a server that is not ACTIVE any more shortens it. */
static void law_rung_has_its_time(struct run *run, const struct sim_act *act)
{
	struct sim_server server;
	bool is_next_rung = act->kind == ACT_STOP || act->kind == ACT_REBOOT_HARD;
	if (!is_next_rung || !world_server_of_node(run->world, act->node, &server) ||
	    strcmp(server.status, "ACTIVE") != 0 || strcmp(server.id, act->server) != 0)
		return;
	for (size_t i = 0; i < run->laws->count; i++) {
		const struct seen_server *seen_one = &run->laws->servers[i];
		struct mono rebooted = seen_one->last[ACT_REBOOT_SOFT];
		int64_t ago_ms = run->now.mono.ms - rebooted.ms;
		if (strcmp(seen_one->id, act->server) == 0 && seen_one->soft_reboots > 0 && rebooted.ms != 0 &&
		    ago_ms < run->config->policy.rebuild_delay_after_reboot_ms - 10 * SEC)
			run_violation(run, "L14", "%s of %s %lld s after its reboot", sim_act_name(act->kind),
				      act->node, (long long)ago_ms / 1000);
	}
}

/* L3: the sender holds the Lease at the moment of arrival, and the journal knows of the act. */
static void law_leader(struct run *run, const struct sim_act *act)
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
	if (act->server[0] == '\0' || act->kind == ACT_DETACH_VOLUME)
		return;
	bool is_of_node = act->kind == ACT_CORDON || act->kind == ACT_UNCORDON || act->kind == ACT_DELETE_NODE;
	const char *state = sim_kube_object(world_kube(run->world),
					    "/api/v1/namespaces/kube-system/configmaps/magnum-auto-healer-state");
	char wanted[NODE_NAME_BYTES + 40];
	(void)snprintf(wanted, sizeof wanted, "\\\"%s\\\":\\\"%s\\\"", is_of_node ? "node" : "server",
		       is_of_node ? act->node : act->server);
	const char *at = strstr(state, wanted);
	if (at == NULL) {
		run_violation(run, "L3", "%s of %s (%s), and the journal does not know of it", sim_act_name(act->kind),
			      act->node, act->server);
		return;
	}
	/* The intent of an act that must not be repeated stands in front of the facts of its operation. */
	bool is_once = is_beginning(act->kind) || act->kind == ACT_RESIZE;
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

/* L4: what must not be repeated is not. */
static void law_once(struct run *run, const struct sim_act *act)
{
	if (act->server[0] == '\0' || act->status >= 300)
		return;
	struct seen_server *server = seen(run->laws, act);
	if (server == NULL)
		return;
	bool is_once = is_beginning(act->kind) || act->kind == ACT_RESIZE;
	struct mono last = server->last[act->kind];
	if (is_once && last.ms != 0 && run->now.mono.ms - last.ms < REPEAT_MS)
		run_violation(run, "L4", "%s of %s (%s) arrived twice, %lld s apart", sim_act_name(act->kind),
			      act->node, act->server, (long long)(run->now.mono.ms - last.ms) / 1000);
	server->last[act->kind] = run->now.mono;
	if (act->kind == ACT_REBOOT_SOFT && ++server->soft_reboots > 1 && !server->is_master)
		run_violation(run, "L4", "a second soft reboot of %s, which was not healthy in between", act->node);
	if (is_destructive(act->kind))
		server->acted = run->now.mono;
}

/* L5: one master at a time, and never below the quorum. */
static void law_masters(struct run *run, const struct sim_act *act)
{
	if (strstr(act->node, "-master-") == NULL || !is_destructive(act->kind))
		return;
	if (act->kind != ACT_REBOOT_SOFT && act->kind != ACT_REBOOT_HARD)
		run_violation(run, "L5", "%s of master %s: it may only be rebooted", sim_act_name(act->kind),
			      act->node);
	int total = 0;
	int healthy = 0;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		if (!server.is_master)
			continue;
		total++;
		if (strcmp(server.node, act->node) != 0 && ready_for_ms(run, server.node) >= 0)
			healthy++;
	}
	if (total > 1 && healthy < total / 2 + 1) {
		/* One may have died within the last seconds: then nobody could know. */
		for (size_t i = 0; i < world_servers_count(run->world); i++) {
			struct sim_server server;
			world_server(run->world, i, &server);
			struct mono last = run->laws->bad_since[i < SLOTS ? i : SLOTS - 1];
			if (server.is_master && strcmp(server.node, act->node) != 0 && last.ms != 0 &&
			    run->now.mono.ms - last.ms < KNOWN_MS)
				return;
		}
		run_violation(run, "L5", "%s of %s, and only %d of %d other masters are healthy",
			      sim_act_name(act->kind), act->node, healthy, total);
	}
	for (size_t i = 0; i < run->laws->count; i++) {
		const struct seen_server *other = &run->laws->servers[i];
		if (other->is_master && strcmp(other->node, act->node) != 0 && other->acted.ms != 0 &&
		    run->now.mono.ms - other->acted.ms < 2 * MINUTE && ready_for_ms(run, other->node) < 0)
			run_violation(run, "L5", "%s of %s while %s is under repair", sim_act_name(act->kind),
				      act->node, other->node);
	}
}

/* L6: the budget; L7: no beginning in a storm. By what the world knows, not by what the program thinks. */
static void law_budget(struct run *run, const struct sim_act *act)
{
	if (!is_beginning(act->kind) || strstr(act->node, "-master-") != NULL)
		return;
	const struct policy *policy = &run->config->policy;
	int total = 0;
	int grown = 0; /* a scale-out is no storm, and hides none */
	int bad = 0;
	int acted = 0;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		struct sim_server current;
		if (server.is_master || !world_server_of_node(run->world, server.node, &current) ||
		    strcmp(current.id, server.id) != 0)
			continue;
		total++;
		struct mono joined = run->laws->joined[i < SLOTS ? i : SLOTS - 1];
		struct mono bad_since = run->laws->bad_since[i < SLOTS ? i : SLOTS - 1];
		bool is_grown = joined.ms < 0 || run->now.mono.ms - joined.ms > policy->check_delay_after_add_ms;
		grown += is_grown;
		if (is_grown && ready_for_ms(run, server.node) < 0 && bad_since.ms != 0 &&
		    run->now.mono.ms - bad_since.ms > KNOWN_MS)
			bad++;
		for (size_t k = 0; k < run->laws->count; k++) {
			const struct seen_server *seen_one = &run->laws->servers[k];
			if (strcmp(seen_one->node, server.node) == 0 && strcmp(server.node, act->node) != 0 &&
			    seen_one->acted.ms != 0 && run->now.mono.ms - seen_one->acted.ms < MINUTE &&
			    ready_for_ms(run, server.node) < 0)
				acted++;
		}
	}
	if (acted + 1 > limit_of(policy->max_concurrent_repairs, total))
		run_violation(run, "L6", "%s of %s as number %d under repair of %d", sim_act_name(act->kind), act->node,
			      acted + 1, total);
	/* The first act of a case is refused in a storm; one that has begun goes on. */
	struct seen_server *server = seen(run->laws, act);
	bool is_first = server == NULL || server->acted.ms == 0;
	if (is_first && bad > limit_of(policy->storm_threshold, grown))
		run_violation(run, "L7", "%s of %s in a storm: %d of %d workers are bad", sim_act_name(act->kind),
			      act->node, bad, total);
}

/* L8: switched off, or a rehearsal. */
static void law_switches(struct run *run, const struct sim_act *act)
{
	const struct policy *policy = &run->config->policy;
	if (policy->is_dry_run)
		run_violation(run, "L8", "%s of %s in a dry run", sim_act_name(act->kind), act->node);
	int64_t seen_ms =
		2 * policy->monitor_interval_ms + 60 * SEC + 1 * SEC; /* the label is polled, then one second */
	if (is_beginning(act->kind) && !run->laws->is_label_on &&
	    run->now.mono.ms - run->laws->label_changed.ms > seen_ms)
		run_violation(run, "L8", "%s of %s, and healing has been off for %lld s", sim_act_name(act->kind),
			      act->node, (long long)(run->now.mono.ms - run->laws->label_changed.ms) / 1000);
}

/* L12: a Node is deleted only when its server is proven off or gone. */
static void law_proof(struct run *run, const struct sim_act *act)
{
	struct sim_server server;
	if (act->kind == ACT_DELETE_NODE && world_server_of_node(run->world, act->node, &server) && server.is_running &&
	    strcmp(server.id, act->server) == 0)
		run_violation(run, "L12", "Node %s was deleted while its server runs", act->node);
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
	law_switches(run, act);
	if (act->kind == ACT_HEALTH_REPORT)
		return;
	law_healthy(run, act);
	law_patience(run, act);
	law_rung_has_its_time(run, act);
	law_leader(run, act);
	law_masters(run, act);
	law_budget(run, act);
	law_once(run, act);
	law_proof(run, act);
	/* A crash, or a pause longer than the Lease, at any point: right after an act is the most interesting one. */
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

/* L2, L3 at the other end: what leaves, leaves from a leader with a live view. */
void laws_leaving(struct run *run, struct replica *replica, const struct http_request *request)
{
	bool is_cloud = strstr(request->url, "/compute/") != NULL || strstr(request->url, "/orchestration/") != NULL ||
			strstr(request->url, "/container-infra/") != NULL;
	bool is_node = strstr(request->url, "/api/v1/nodes/") != NULL;
	if (strcmp(request->method, "GET") == 0 || (!is_cloud && !is_node) || replica->daemon == NULL)
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

static const struct replica *leader(const struct run *run)
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

/* L9: every node that has been bad for long enough has a line in the leader's plan or an operation. */
static bool is_told_of(struct run *run, const char *node)
{
	const struct replica *replica = leader(run);
	if (replica == NULL)
		return true;
	struct daemon_view view;
	daemon_look(replica->daemon, &view);
	for (size_t i = 0; i < view.plan->count; i++) {
		if (strcmp(view.plan->lines[i].record->node, node) == 0)
			return true;
	}
	return !view.is_nodes_fresh || ops_of_node_const(view.ops, node) != NULL;
}

static void account(struct run *run)
{
	struct laws *laws = run->laws;
	for (size_t i = 0; i < world_servers_count(run->world) && i < SLOTS; i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		bool is_there = sim_kube_node_exists(world_kube(run->world), server.node);
		int64_t ready_ms = ready_for_ms(run, server.node);
		if (!is_there)
			laws->joined[i].ms = 0;
		else if (laws->joined[i].ms == 0)
			laws->joined[i].ms = run->now.mono.ms < MINUTE ? -1 : run->now.mono.ms;
		if (ready_ms >= 0 || !is_there) {
			laws->bad_since[i].ms = 0;
			continue;
		}
		if (laws->bad_since[i].ms == 0)
			laws->bad_since[i] = run->now.mono;
		bool is_told = run->now.mono.ms - laws->bad_since[i].ms <= 3 * MINUTE || is_told_of(run, server.node);
		laws->untold[i] = is_told ? 0 : laws->untold[i] + 1;
		if (laws->untold[i] > 2) /* a new leader reads the journal first */
			run_violation(run, "L9", "%s has been bad for minutes, and the leader says nothing of it",
				      server.node);
	}
	for (size_t k = 0; k < laws->count; k++) { /* healthy again: the account of its acts is closed */
		if (ready_for_ms(run, laws->servers[k].node) > KNOWN_MS) {
			laws->servers[k].soft_reboots = 0;
			laws->servers[k].acted.ms = 0;
		}
	}
}

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
	if (run->now.mono.ms >= run->laws->next_account.ms) {
		run->laws->next_account.ms = run->now.mono.ms + 10 * SEC;
		account(run);
		law_one_leader(run);
	}
}

/* ---- at the end ----------------------------------------------------------------------------------------------------
 */

static bool is_excused(struct run *run, const char *node)
{
	const struct replica *replica = leader(run);
	if (replica == NULL)
		return false;
	struct daemon_view view;
	daemon_look(replica->daemon, &view);
	for (size_t i = 0; i < view.plan->count; i++) {
		const struct line *line = &view.plan->lines[i];
		if (strcmp(line->record->node, node) != 0)
			continue;
		run_trace(run, "at the end %s is held: %s %s (%s; tried %s)", node, hold_name(line->hold), line->detail,
			  line->record->last_note, line->record->tried);
		if (line->hold == HOLD_GIVEN_UP)
			run->stats.given_up++;
		return line->hold == HOLD_GIVEN_UP || line->hold == HOLD_STORM || line->hold == HOLD_QUORUM ||
		       line->hold == HOLD_NO_SERVER || line->hold == HOLD_DRY_RUN || line->hold == HOLD_SERVER_LOCKED ||
		       line->hold == HOLD_SERVER_STATE || line->hold == HOLD_CANNOT;
	}
	return false;
}

/* L10: after the calm every repairable node is healthy; the others are held for a reason that is still true. L13: no
 * cordon of ours is left on a healthy node. */
void laws_end(struct run *run)
{
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		struct sim_server current;
		if (!world_server_of_node(run->world, server.node, &current) || strcmp(current.id, server.id) != 0)
			continue;
		char mark[64];
		bool is_cordoned = sim_kube_is_cordoned(world_kube(run->world), server.node, mark, sizeof mark);
		bool is_ready = ready_for_ms(run, server.node) >= 0;
		if (is_ready && is_cordoned && mark[0] != '\0')
			run_violation(run, "L13", "%s is healthy, and our cordon %s is still on it", server.node, mark);
		if (is_ready)
			continue;
		if (!sim_kube_node_exists(world_kube(run->world), server.node)) {
			run->stats.never_joined++; /* a server without a Node: seen by nobody yet */
			continue;
		}
		run->stats.unhealed++;
		if (!run->config->policy.is_dry_run && !is_excused(run, server.node))
			run_violation(run, "L10", "%s is not healthy after the calm, and nothing excuses it",
				      server.node);
	}
}
