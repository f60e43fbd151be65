/* Faults: nodes, hosts, zones, services, the network between them, and the replicas themselves. Never so much at once
 * that the world could not be healed any more; zones and storms end by themselves. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/scenario_int.h"

static void broke_for_good(struct run *run)
{
	run->scenario->broken = run->now.mono;
}

/* ---- nodes ---------------------------------------------------------------------------------------------------------
 */

static enum sim_cure some_cure(struct run *run, bool is_master)
{
	static const enum sim_cure cures[] = { CURE_ITSELF, CURE_REBOOT, CURE_HARD_REBOOT, CURE_REPLACE, CURE_REPLACE };
	const struct scenario *scenario = run->scenario;
	if (!scenario_may_break(run, is_master))
		return CURE_ITSELF;
	size_t count = COUNT(cures);
	if (is_master && scenario->masters == 1)
		count = 2; /* who could not be rebooted softly takes the API with it */
	else if (is_master && !scenario->are_masters_replaced)
		count = 3;
	else if (is_master)
		count = 4;
	return cures[rng_below(&run->rng, count)];
}

static void break_kubelet(struct run *run, const char *node, bool is_master)
{
	enum sim_cure cure = some_cure(run, is_master);
	int64_t self_ms = run_between(run, 30, 1500) * SEC;
	bool is_notready = cure != CURE_ITSELF && rng_chance(&run->rng, 0.3);
	run_trace(run, "fault: kubelet of %s %s (cure %d)", node, is_notready ? "reports NotReady" : "dies", (int)cure);
	if (cure != CURE_ITSELF)
		broke_for_good(run);
	if (is_notready)
		(void)world_break_not_ready(run->world, run->now, node, cure, rng_chance(&run->rng, 0.5));
	else
		(void)world_break_kubelet(run->world, run->now, node, cure, self_ms);
}

static void break_endpoint(struct run *run, const char *node)
{
	enum sim_cure cure = some_cure(run, true);
	if (!run->scenario->has_endpoint || run->scenario->masters == 1)
		cure = CURE_ITSELF; /* nobody looks; or nobody could */
	int64_t self_ms = run_between(run, 30, 1500) * SEC;
	run_trace(run, "fault: the API server on %s dies (cure %d)", node, (int)cure);
	if (cure != CURE_ITSELF)
		broke_for_good(run);
	(void)world_break_endpoint(run->world, run->now, node, cure, self_ms);
}

static void break_server(struct run *run, const char *node, bool is_master)
{
	static const char *const states[] = { "SHUTOFF", "ERROR", "GONE" };
	bool may_go = !is_master || run->scenario->are_masters_replaced;
	const char *state = states[rng_below(&run->rng, may_go ? 3 : 2)];
	run_trace(run, "fault: server of %s becomes %s", node, state);
	broke_for_good(run);
	(void)world_break_server(run->world, run->now, node, state);
}

void fault_node(struct run *run)
{
	bool is_master = rng_chance(&run->rng, 0.3);
	const char *node = scenario_node(run, is_master);
	struct sim_server server;
	if (node == NULL || !world_server_of_node(run->world, node, &server) || server.is_stopped_by_person)
		return;
	bool may_break = scenario_may_break(run, is_master);
	uint64_t dice = rng_below(&run->rng, 100);
	if (is_master && dice < 35 && may_break)
		break_endpoint(run, node);
	else if (dice < 60 || !may_break || (is_master && run->scenario->masters == 1))
		break_kubelet(run, node, is_master);
	else
		break_server(run, node, is_master);
}

/* A switch fails: many nodes at once, and all of them come back. */
void fault_storm(struct run *run)
{
	int64_t down_ms = run_between(run, 60, 1800) * SEC;
	run_trace(run, "fault: a storm of %lld s", (long long)down_ms / 1000);
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		if (!server.is_master && scenario_is_current(run, &server) && rng_chance(&run->rng, 0.8))
			(void)world_break_kubelet(run->world, run->now, server.node, CURE_ITSELF, down_ms);
	}
}

/* Silent and well in turn, for a while. */
void fault_flap_again(struct run *run, struct end *end)
{
	if (run->now.mono.ms >= end->until.ms)
		return;
	struct sim_server server;
	if (world_server_of_node(run->world, end->node, &server) && server.healthy_since.ms != 0)
		(void)world_break_kubelet(run->world, run->now, end->node, CURE_ITSELF,
					  run_between(run, 50, 110) * SEC);
	struct mono until = end->until;
	scenario_ends(run, END_FLAP, 0, end->node, run_between(run, 130, 240) * SEC);
	for (size_t i = 0; i < ENDS_MAX; i++) {
		struct end *again = &run->scenario->ends[i];
		if (again->at.ms != 0 && again->kind == END_FLAP && strcmp(again->node, end->node) == 0)
			again->until = until;
	}
}

void fault_flapping(struct run *run)
{
	const char *node = scenario_node(run, rng_chance(&run->rng, 0.2) && run->scenario->masters > 1);
	if (node == NULL || scenario_has(run, END_FLAP, 0, node))
		return;
	struct end end = { .kind = END_FLAP, .until = { run->now.mono.ms + run_between(run, 10, 50) * MINUTE } };
	(void)TEXT_COPY(end.node, node);
	run_trace(run, "fault: %s flaps for %lld s", node, (long long)(end.until.ms - run->now.mono.ms) / 1000);
	fault_flap_again(run, &end);
}

void fault_boots(struct run *run)
{
	switch (rng_below(&run->rng, 3)) {
	case 0:
		run_trace(run, "fault: the next new server does not boot");
		world_fail_next_boot(run->world, 1);
		break;
	case 1:
		run_trace(run, "fault: no valid host for the next new servers");
		world_fail_next_boot_as(run->world, (int)run_between(run, 1, 2), SIM_BOOT_NO_HOST);
		break;
	default:
		run_trace(run, "fault: the next boots are slow");
		world_slow_boots(run->world, (int)run_between(run, 1, 3), run_between(run, 60, 900) * SEC);
		break;
	}
}

/* ---- hosts, zones, single cables
 * --------------------------------------------------------------------------------------- */

/* Masters that would be down with the host, and are well now; *out_others of those elsewhere are. */
static int masters_on(const struct run *run, int host, int *out_others)
{
	int here = 0;
	*out_others = 0;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		if (!server.is_master || !scenario_is_current(run, &server))
			continue;
		if (server.host == host)
			here++;
		else if (server.is_etcd_well && server.is_endpoint_well)
			++*out_others;
	}
	return here;
}

void fault_host(struct run *run)
{
	if (run->scenario->hosts == 0)
		return;
	int host = (int)rng_below(&run->rng, (uint64_t)run->scenario->hosts);
	int others = 0;
	int here = masters_on(run, host, &others);
	/* One more than the quorum: another may be being repaired right now. */
	bool is_fine = here == 0 || others > run->scenario->masters / 2 + 1 ||
		       (others > run->scenario->masters / 2 && scenario_may_break(run, true));
	if (scenario_has(run, END_HOST, host, NULL) || !is_fine)
		return;
	int64_t for_ms = run_between(run, 2, 45) * MINUTE;
	run_trace(run, "fault: host %d is down for %lld s", host, (long long)for_ms / 1000);
	broke_for_good(run);
	world_host_down(run->world, run->now, host, true);
	scenario_ends(run, END_HOST, host, "", for_ms);
}

static void cut_zone(struct run *run)
{
	int zone = (int)rng_below(&run->rng, (uint64_t)run->scenario->zones);
	if (scenario_has(run, END_CUT_ZONE, zone, NULL))
		return;
	int64_t for_ms = run_between(run, 2, 40) * MINUTE;
	run_trace(run, "fault: zone %d does not reach the API for %lld s", zone, (long long)for_ms / 1000);
	world_cut_zone(run->world, run->now, zone, true);
	scenario_ends(run, END_CUT_ZONE, zone, "", for_ms);
}

void fault_cut(struct run *run)
{
	if (run->scenario->zones > 0 && rng_chance(&run->rng, 0.5)) {
		cut_zone(run);
		return;
	}
	bool is_master = rng_chance(&run->rng, 0.3);
	const char *node = scenario_node(run, is_master);
	if (node == NULL || !scenario_may_break(run, is_master) || scenario_has(run, END_CUT_NODE, 0, node) ||
	    (is_master && run->scenario->masters == 1))
		return;
	int64_t for_ms = run_between(run, 1, 40) * MINUTE;
	bool is_for_probes = rng_chance(&run->rng, 0.7);
	run_trace(run, "fault: %s does not reach the API for %lld s%s", node, (long long)for_ms / 1000,
		  is_for_probes ? ", nor is it reached" : "");
	broke_for_good(run);
	(void)world_cut_node(run->world, run->now, node, true, is_for_probes);
	scenario_ends(run, END_CUT_NODE, 0, node, for_ms);
}

/* ---- services
 * -------------------------------------------------------------------------------------------------------- */

static void trouble(struct run *run, enum sim_service service, const struct sim_trouble *what, int64_t for_ms)
{
	if (scenario_has(run, END_SERVICE, (int)service, NULL))
		return;
	run_trace(run, "fault: service %d in trouble for %lld s%s", (int)service, (long long)for_ms / 1000,
		  what->is_down ? " (down)" : "");
	world_trouble(run->world, service, what);
	scenario_ends(run, END_SERVICE, (int)service, "", for_ms);
}

void fault_service(struct run *run)
{
	enum sim_service service = (enum sim_service)rng_below(&run->rng, SIM_SERVICES_COUNT);
	const struct sim_trouble troubles[] = {
		{ .is_down = true },
		{ .error_500 = 0.4 },
		{ .error_503 = 0.3, .error_429 = 0.3 },
		{ .lost_answer = 0.4 },
		{ .delay_min_ms = 1000, .delay_max_ms = 25000 },
		{ .lost_answer = 0.15,
		  .lost_request = 0.15,
		  .cut_answer = 0.1,
		  .error_409 = service == SIM_KUBE ? 0 : 0.1,
		  .delay_max_ms = 5000 },
	};
	trouble(run, service, &troubles[rng_below(&run->rng, COUNT(troubles))], run_between(run, 2, 30) * MINUTE);
}

/* The API server has too much to do. */
void fault_overload(struct run *run)
{
	const struct sim_trouble troubles[] = {
		{ .error_429 = 0.4, .error_503 = 0.3 },
		{ .error_503 = 0.5, .delay_min_ms = 500, .delay_max_ms = 8000 },
		{ .delay_min_ms = 4000, .delay_max_ms = 20000 },
	};
	trouble(run, SIM_KUBE, &troubles[rng_below(&run->rng, COUNT(troubles))], run_between(run, 2, 15) * MINUTE);
}

static void fault_watches(struct run *run)
{
	if (rng_chance(&run->rng, 0.5)) {
		run_trace(run, "fault: all watches end");
		world_drop_watches(run->world, rng_chance(&run->rng, 0.5));
	} else {
		run_trace(run, "fault: the watch history is compacted");
		world_compact(run->world);
	}
}

/* Between a replica and what it speaks with; or the API server's shared address dies. */
void fault_partition(struct run *run)
{
	static const char *const sides[] = { [SIDE_API] = "API", [SIDE_CLOUD] = "cloud", [SIDE_PROBES] = "nodes" };
	if (rng_chance(&run->rng, 0.2)) {
		fault_watches(run);
		return;
	}
	struct cut cut = { .until = { run->now.mono.ms + run_between(run, 20, 1200) * SEC },
			   .refuses = rng_chance(&run->rng, 0.3) };
	long long seconds = (long long)(cut.until.ms - run->now.mono.ms) / 1000;
	if (rng_chance(&run->rng, 0.2)) {
		run_trace(run, "fault: the API's shared address is dead for %lld s", seconds);
		run->api_address = cut;
		net_address_died(run);
		return;
	}
	cut.lets_requests = rng_chance(&run->rng, 0.3);
	struct replica *replica = &run->replicas[rng_below(&run->rng, (uint64_t)run->replicas_count)];
	enum side side = (enum side)rng_below(&run->rng, SIDES_COUNT);
	run_trace(run, "fault: %s and the %s are cut apart for %lld s%s", replica->name, sides[side], seconds,
		  cut.lets_requests ? " (answers only)" : "");
	replica->cuts[side] = cut;
}

/* ---- replicas
 * --------------------------------------------------------------------------------------------------------- */

void fault_replica(struct run *run)
{
	struct replica *replica = &run->replicas[rng_below(&run->rng, (uint64_t)run->replicas_count)];
	if (replica->daemon == NULL)
		return;
	switch (rng_below(&run->rng, 4)) {
	case 0:
		replica_crash(run, replica->index, run_between(run, 1, 300) * SEC);
		break;
	case 1:
		replica_freeze(run, replica->index, run_between(run, 5, 2 * run->lease.duration_ms / 1000) * SEC);
		break;
	case 2:
		replica->wall_skew_ms += run_between(run, -600, 600) * SEC;
		run_trace(run, "fault: the clock of %s jumps to skew %lld s", replica->name,
			  (long long)replica->wall_skew_ms / 1000);
		break;
	default:
		replica_stop(run, replica->index);
		break;
	}
}
