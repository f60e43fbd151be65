/* What goes wrong, and when: everything follows from the seed. Faults come for the first three quarters of the time;
 * the last quarter is calm, and what was broken must be healed by its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/run.h"

struct trouble_end {
	struct mono at;
	enum sim_service service;
};

struct scenario {
	struct mono next;                        /* the next fault */
	struct mono label_on_at;                 /* the label is switched on again; 0: it is on */
	struct mono fire_at[SIM_SERVICES_COUNT]; /* the trouble of a service ends; 0: none */
	int64_t mean_ms;                         /* between faults */
	int masters, workers;
	char config[2048];
};

static int64_t between(struct run *run, int64_t low, int64_t high)
{
	return low + (int64_t)rng_below(&run->rng, (uint64_t)(high - low + 1));
}

const char *scenario_config(struct run *run)
{
	struct scenario *scenario = run->scenario;
	bool is_resize = rng_chance(&run->rng, 0.35);
	bool is_dry = rng_chance(&run->rng, 0.03);
	if (run->opts.script != SCRIPT_NONE) {
		is_resize = run->opts.script == SCRIPT_RESIZE;
		is_dry = false;
	}
	(void)snprintf(scenario->config, sizeof scenario->config,
		       "cluster-name: c418c335-0e52-42fc-bd68-baa8d264e072\n"
		       "dry-run: %s\n"
		       "monitor-interval: %llds\n"
		       "check-delay-after-add: 10m\n"
		       "leader-elect: true\n"
		       "kubernetes:\n"
		       "  kubeconfig: /sim/kubeconfig\n"
		       "healthcheck:\n"
		       "  master:\n"
		       "    - type: NodeCondition\n"
		       "      params: {unhealthy-duration: 3m, types: [Ready], ok-values: [\"True\"]}\n"
		       "  worker:\n"
		       "    - type: NodeCondition\n"
		       "      params: {unhealthy-duration: %llds, types: [Ready], ok-values: [\"True\"]}\n"
		       "policy:\n"
		       "  worker-replacement: %s\n"
		       "  max-concurrent-repairs: %lld\n"
		       "openstack:\n"
		       "  auth-url: https://sim.example/identity/v3\n"
		       "  user-id: %s\n"
		       "  project-id: %s\n"
		       "  password: %s\n"
		       "  region: %s\n",
		       is_dry ? "true" : "false", (long long)between(run, 120, 240), (long long)between(run, 60, 180),
		       is_resize ? "resize" : "in-place", (long long)between(run, 1, 2), SIM_USER_ID, SIM_PROJECT_ID,
		       SIM_PASSWORD, SIM_REGION);
	return scenario->config;
}

static void plan_next(struct run *run)
{
	struct scenario *scenario = run->scenario;
	scenario->next.ms = run->now.mono.ms + 1 + (int64_t)rng_below(&run->rng, (uint64_t)(2 * scenario->mean_ms));
}

struct scenario *scenario_new(struct run *run)
{
	struct scenario *scenario = xcalloc(1, sizeof *scenario);
	run->scenario = scenario;
	scenario->mean_ms = between(run, 25, 120) * MINUTE;
	plan_next(run);
	scenario->next.ms += 5 * MINUTE; /* everybody has started */
	if (run->opts.script != SCRIPT_NONE)
		scenario->next.ms = 10 * MINUTE;
	return scenario;
}

void scenario_free(struct scenario *scenario)
{
	free(scenario);
}

struct mono scenario_next(const struct scenario *scenario)
{
	struct mono next = scenario->next;
	if (scenario->label_on_at.ms != 0 && scenario->label_on_at.ms < next.ms)
		next = scenario->label_on_at;
	for (int i = 0; i < SIM_SERVICES_COUNT; i++) {
		if (scenario->fire_at[i].ms != 0 && scenario->fire_at[i].ms < next.ms)
			next = scenario->fire_at[i];
	}
	return next;
}

/* A node that is there; the name stays valid until the next call. */
static const char *some_node(struct run *run, bool is_master)
{
	static struct sim_server server;
	for (int tries = 0; tries < 50; tries++) {
		world_server(run->world, rng_below(&run->rng, world_servers_count(run->world)), &server);
		struct sim_server current;
		if (server.is_master == is_master && world_server_of_node(run->world, server.node, &current) &&
		    strcmp(current.id, server.id) == 0)
			return server.node;
	}
	return NULL;
}

/* So many of a role may be broken for good at once that policy still allows to heal them: beyond that the healer holds,
 * as it must, and the rest of the run would show nothing. */
static bool may_break(struct run *run, bool is_master)
{
	int total = 0;
	int bad = 0;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		struct sim_server current;
		if (server.is_master != is_master || !world_server_of_node(run->world, server.node, &current) ||
		    strcmp(current.id, server.id) != 0)
			continue;
		total++;
		if (server.healthy_since.ms == 0)
			bad++;
	}
	int limit =
		is_master ? (total == 1 ? 1 : (total - 1) / 2) : limit_of(run->config->policy.storm_threshold, total);
	return bad < limit;
}

static void fault_kubelet(struct run *run, const char *node, bool is_master)
{
	static const enum sim_cure worker_cures[] = { CURE_ITSELF, CURE_REBOOT, CURE_HARD_REBOOT, CURE_REPLACE,
						      CURE_REPLACE };
	static const enum sim_cure master_cures[] = { CURE_ITSELF, CURE_REBOOT, CURE_HARD_REBOOT };
	enum sim_cure cure = is_master ? master_cures[rng_below(&run->rng, COUNT(master_cures))]
				       : worker_cures[rng_below(&run->rng, COUNT(worker_cures))];
	int64_t self_ms = between(run, 30, 1500) * SEC;
	if (!may_break(run, is_master))
		cure = CURE_ITSELF;
	bool is_notready = rng_chance(&run->rng, 0.3);
	run_trace(run, "fault: kubelet of %s %s (cure %d)", node, is_notready ? "reports NotReady" : "dies", (int)cure);
	if (is_notready && cure != CURE_ITSELF)
		(void)world_break_not_ready(run->world, run->now, node, cure, rng_chance(&run->rng, 0.5));
	else
		(void)world_break_kubelet(run->world, run->now, node, cure, self_ms);
}

static void fault_node(struct run *run)
{
	bool is_master = rng_chance(&run->rng, 0.2);
	const char *node = some_node(run, is_master);
	if (node == NULL)
		return;
	if (is_master || !may_break(run, false) || rng_chance(&run->rng, 0.7)) {
		fault_kubelet(run, node, is_master);
		return;
	}
	static const char *const states[] = { "SHUTOFF", "ERROR", "GONE" };
	const char *state = states[rng_below(&run->rng, COUNT(states))];
	run_trace(run, "fault: server of %s becomes %s", node, state);
	(void)world_break_server(run->world, run->now, node, state);
}

/* A switch fails: many nodes at once, and all of them come back. */
static void fault_storm(struct run *run)
{
	int64_t down_ms = between(run, 60, 1800) * SEC;
	run_trace(run, "fault: a storm of %lld s", (long long)down_ms / 1000);
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		if (!server.is_master && rng_chance(&run->rng, 0.8))
			(void)world_break_kubelet(run->world, run->now, server.node, CURE_ITSELF, down_ms);
	}
}

static void fault_service(struct run *run)
{
	enum sim_service service = (enum sim_service)rng_below(&run->rng, SIM_SERVICES_COUNT);
	struct sim_trouble trouble = { 0 };
	switch (rng_below(&run->rng, 6)) {
	case 0:
		trouble.is_down = true;
		break;
	case 1:
		trouble.error_500 = 0.4;
		break;
	case 2:
		trouble.error_503 = 0.3;
		trouble.error_429 = 0.3;
		break;
	case 3:
		trouble.lost_answer = 0.4;
		break;
	case 4:
		trouble.delay_min_ms = 1000;
		trouble.delay_max_ms = 25000;
		break;
	default:
		trouble.lost_answer = 0.15;
		trouble.lost_request = 0.15;
		trouble.cut_answer = 0.1;
		trouble.error_409 = service == SIM_KUBE ? 0 : 0.1;
		trouble.delay_max_ms = 5000;
		break;
	}
	int64_t for_ms = between(run, 2, 40) * MINUTE;
	run_trace(run, "fault: service %d in trouble for %lld s%s", (int)service, (long long)for_ms / 1000,
		  trouble.is_down ? " (down)" : "");
	world_trouble(run->world, service, &trouble);
	run->scenario->fire_at[service].ms = run->now.mono.ms + for_ms;
}

static void fault_replica(struct run *run)
{
	struct replica *replica = &run->replicas[rng_below(&run->rng, (uint64_t)run->replicas_count)];
	if (replica->daemon == NULL)
		return;
	switch (rng_below(&run->rng, 4)) {
	case 0:
		replica_crash(run, replica->index, between(run, 1, 300) * SEC);
		break;
	case 1:
		replica_freeze(run, replica->index, between(run, 5, 2 * run->lease.duration_ms / 1000) * SEC);
		break;
	case 2:
		replica->wall_skew_ms += between(run, -600, 600) * SEC;
		run_trace(run, "fault: the clock of %s jumps to skew %lld s", replica->name,
			  (long long)replica->wall_skew_ms / 1000);
		break;
	default:
		run_trace(run, "fault: %s is asked to stop", replica->name);
		daemon_stop(replica->daemon, run->now);
		replica->stopping_since = run->now.mono;
		replica->next_turn = run->now.mono;
		break;
	}
}

static void fault_operator(struct run *run)
{
	const char *node = NULL;
	switch (rng_below(&run->rng, 4)) {
	case 0:
		run_trace(run, "operator: healing off");
		world_set_healing_label(run->world, false);
		laws_label_changed(run, false);
		run->scenario->label_on_at.ms = run->now.mono.ms + between(run, 5, 60) * MINUTE;
		break;
	case 1:
		run_trace(run, "operator: updates the cluster");
		world_owner_updates(run->world, run->now, between(run, 1, 15) * MINUTE);
		break;
	case 2:
		node = some_node(run, false);
		if (node != NULL && world_cordon(run->world, run->now, node, rng_chance(&run->rng, 0.5)))
			run_trace(run, "operator: (un)cordons %s", node);
		break;
	default:
		node = some_node(run, false);
		char volume[40];
		if (node != NULL && world_attach_volume(run->world, node, volume))
			run_trace(run, "operator: attaches a volume to %s", node);
		break;
	}
}

static void fault_any(struct run *run)
{
	run->stats.faults++;
	uint64_t dice = rng_below(&run->rng, 100);
	if (dice < 50)
		fault_node(run);
	else if (dice < 55)
		fault_storm(run);
	else if (dice < 70)
		fault_service(run);
	else if (dice < 85)
		fault_replica(run);
	else if (dice < 91)
		fault_operator(run);
	else if (dice < 93)
		world_revoke_tokens(run->world);
	else if (dice < 95)
		world_drop_watches(run->world, rng_chance(&run->rng, 0.5));
	else if (dice < 97)
		world_compact(run->world);
	else
		world_fail_next_boot(run->world, 1);
	/* Troubles like company: something breaks while a service is in trouble. */
	if (rng_chance(&run->rng, 0.3))
		fault_node(run);
}

/* The fault of a scripted run. */
static void script_step(struct run *run)
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

bool scenario_is_crash_point(struct run *run, const struct replica *replica, const struct http_request *request)
{
	struct daemon_view view;
	if (run->opts.script == SCRIPT_NONE || replica->daemon == NULL)
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
	if (run->opts.script != SCRIPT_NONE) {
		script_step(run);
		return;
	}
	for (int i = 0; i < SIM_SERVICES_COUNT; i++) {
		if (scenario->fire_at[i].ms != 0 && run->now.mono.ms >= scenario->fire_at[i].ms) {
			world_trouble(run->world, (enum sim_service)i, &(struct sim_trouble){ 0 });
			scenario->fire_at[i].ms = 0;
			run_trace(run, "service %d is well again", i);
		}
	}
	if (scenario->label_on_at.ms != 0 && run->now.mono.ms >= scenario->label_on_at.ms) {
		scenario->label_on_at.ms = 0;
		world_set_healing_label(run->world, true);
		laws_label_changed(run, true);
		run_trace(run, "operator: healing on");
	}
	if (run->now.mono.ms < scenario->next.ms)
		return;
	if (run->now.mono.ms >= run->calm_from.ms) {
		scenario->next.ms = NEVER;
		return;
	}
	fault_any(run);
	plan_next(run);
}
