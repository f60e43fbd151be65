/* The shape of the world, and the configuration of the replicas, by the seed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/scenario_int.h"

static const char *some(struct run *run, const char *const *list, size_t count)
{
	return list[rng_below(&run->rng, count)];
}
#define SOME(run, ...) some((run), (const char *const[]){ __VA_ARGS__ }, COUNT(((const char *const[]){ __VA_ARGS__ })))

static void scripted_world(struct run *run, struct world_opts *world)
{
	bool is_outage = run->opts.script == SCRIPT_OUTAGE_ZONE || run->opts.script == SCRIPT_OUTAGE_HALF;
	world->masters = 3;
	world->workers = is_outage ? 12 : 3;
	world->zones = run->opts.script == SCRIPT_OUTAGE_ZONE ? 2 : 0;
	world->with_etcd_volume = true;
}

void scenario_world(struct run *run, struct world_opts *world)
{
	static const int masters[] = { 1, 3, 3, 3, 3, 3, 5, 5 };
	static const int zones[] = { 0, 0, 0, 2, 3, 3 };
	world->masters = masters[rng_below(&run->rng, COUNT(masters))];
	if (rng_chance(&run->rng, 0.01))
		world->masters = 7;
	world->workers = 1 + (int)rng_below(&run->rng, 6);
	world->extra_workers = rng_chance(&run->rng, 0.25) ? 2 : 0;
	world->zones = zones[rng_below(&run->rng, COUNT(zones))];
	world->hosts = rng_chance(&run->rng, 0.5) ? 0 : (int)run_between(run, 2, world->masters + 2);
	world->with_etcd_volume = rng_chance(&run->rng, 0.5);
	world->with_volume_boot = rng_chance(&run->rng, 0.3);
	/* The former is the kubelet's default. */
	world->heartbeat_ms = rng_chance(&run->rng, 0.2) ? 5 * MINUTE : 15 * MINUTE;
	if (run->opts.script != SCRIPT_NONE) {
		world->extra_workers = 0;
		world->hosts = 0;
		world->with_volume_boot = false;
		scripted_world(run, world);
	}
	struct scenario *scenario = run->scenario;
	scenario->masters = world->masters;
	scenario->workers = world->workers + world->extra_workers;
	scenario->zones = world->zones;
	scenario->hosts = world->hosts;
	scenario->has_etcd_volume = world->with_etcd_volume;
}

static void put(struct scenario *scenario, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct scenario *scenario, const char *fmt, ...)
{
	size_t n = strlen(scenario->config);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(scenario->config + n, sizeof scenario->config - n, fmt, ap);
	va_end(ap);
}

static bool is_free(const struct run *run)
{
	return run->opts.script == SCRIPT_NONE;
}

static bool chance(struct run *run, double probability)
{
	return is_free(run) && rng_chance(&run->rng, probability);
}

static void put_masters_checks(struct run *run, struct scenario *scenario)
{
	put(scenario, "  master:\n");
	if (rng_chance(&run->rng, 0.6)) {
		scenario->has_endpoint = true;
		put(scenario,
		    "    - type: Endpoint\n"
		    "      params: {unhealthy-duration: %llds, protocol: HTTPS, port: 6443, endpoints: [\"%s\"]}\n",
		    (long long)run_between(run, 60, 180), SOME(run, "/readyz?verbose", "/healthz"));
	}
	put(scenario,
	    "    - type: NodeCondition\n"
	    "      params: {unhealthy-duration: %llds, types: [Ready], ok-values: [\"True\"]}\n",
	    (long long)run_between(run, 120, 240));
}

static void put_workers_checks(struct run *run, struct scenario *scenario)
{
	bool has_kubelet = chance(run, 0.25);
	bool has_lease = chance(run, 0.12);
	put(scenario,
	    "  worker:\n"
	    "    - type: NodeCondition\n"
	    "      params: {unhealthy-duration: %llds, types: [Ready], ok-values: [\"True\"]}\n",
	    (long long)run_between(run, 60, 180));
	if (has_kubelet)
		put(scenario, "    - type: Kubelet\n      params: {unhealthy-duration: %llds, protocol: TCP}\n",
		    (long long)run_between(run, 60, 180));
	if (has_lease)
		put(scenario, "    - type: NodeLease\n      params: {unhealthy-duration: %llds, max-age: %llds}\n",
		    (long long)run_between(run, 60, 180), (long long)run_between(run, 40, 90));
	if (chance(run, 0.2))
		put(scenario, "    - type: CloudServer\n      params: {unhealthy-duration: %llds, states: [%s]}\n",
		    (long long)run_between(run, 60, 180), SOME(run, "ERROR, GONE", "SHUTOFF, ERROR, GONE"));
	if (chance(run, 0.2))
		put(scenario, "    - type: NeverJoined\n      params: {unhealthy-duration: %lldm}\n",
		    (long long)run_between(run, 20, 40));
	if ((has_kubelet || has_lease) && rng_chance(&run->rng, 0.4))
		put(scenario, "  worker-needs: 2\n");
}

static void put_limits(struct run *run, struct scenario *scenario)
{
	put(scenario, "  max-concurrent-repairs: %lld\n", (long long)run_between(run, 1, 3));
	if (chance(run, 0.2))
		put(scenario, "  max-concurrent-repairs-per-group: 1\n");
	if (chance(run, 0.2))
		put(scenario, "  max-concurrent-repairs-per-zone: %s\n", SOME(run, "1", "50%"));
	if (chance(run, 0.2))
		put(scenario, "  max-concurrent-repairs-per-host: 1\n");
	if (chance(run, 0.15))
		put(scenario, "  max-repairs-per-hour: %lld\n", (long long)run_between(run, 2, 6));
	if (chance(run, 0.2))
		put(scenario, "  zone-storm-threshold: %s\n", SOME(run, "34%", "60%", "1"));
	if (chance(run, 0.4))
		put(scenario, "  flap-changes: %lld\n  flap-window: %lldm\n", (long long)run_between(run, 4, 8),
		    (long long)run_between(run, 20, 60));
}

static void put_policy(struct run *run, struct scenario *scenario)
{
	bool is_resize = run->opts.script == SCRIPT_RESIZE || chance(run, 0.3);
	const char *masters = is_free(run) ? SOME(run, "auto", "auto", "auto", "never", "always") : "auto";
	scenario->are_masters_replaced = scenario->has_etcd_volume && strcmp(masters, "never") != 0;
	put(scenario,
	    "policy:\n"
	    "  worker-replacement: %s\n"
	    "  master-replacement: %s\n",
	    is_resize ? "resize" : "in-place", masters);
	put_limits(run, scenario);
	if (!is_free(run))
		return;
	put(scenario,
	    "  retry-backoff: %llds\n"
	    "  max-attempts: %lld\n"
	    "  storm-cooldown: %lldm\n"
	    "  heal-cordoned-nodes: %s\n",
	    (long long)run_between(run, 120, 240), (long long)run_between(run, 2, 4), (long long)run_between(run, 2, 6),
	    rng_chance(&run->rng, 0.5) ? "true" : "false");
	if (rng_chance(&run->rng, 0.25))
		put(scenario, "  worker-ladder: %s\n",
		    SOME(run, "[reboot 3m, hard-reboot, replace]", "[replace]", "[hard-reboot 4m, replace]",
			 "[start, reboot, replace]"));
	if (rng_chance(&run->rng, 0.2))
		put(scenario, "  master-ladder: %s\n",
		    SOME(run, "[hard-reboot, replace]", "[reboot 4m, hard-reboot 6m]", "[reboot, replace]"));
}

const char *scenario_config(struct run *run)
{
	struct scenario *scenario = run->scenario;
	scenario->config[0] = '\0';
	put(scenario,
	    "cluster-name: c418c335-0e52-42fc-bd68-baa8d264e072\n"
	    "dry-run: %s\n"
	    "monitor-interval: %llds\n"
	    "check-delay-after-add: 10m\n"
	    "leader-elect: true\n"
	    "kubernetes:\n"
	    "  kubeconfig: /sim/kubeconfig\n"
	    "healthcheck:\n",
	    chance(run, 0.03) ? "true" : "false", (long long)(chance(run, 0.1) ? 60 : run_between(run, 120, 240)));
	put_masters_checks(run, scenario);
	put_workers_checks(run, scenario);
	put_policy(run, scenario);
	put(scenario,
	    "openstack:\n"
	    "  auth-url: https://sim.example/identity/v3\n"
	    "  user-id: %s\n"
	    "  project-id: %s\n"
	    "  password: %s\n"
	    "  region: %s\n",
	    SIM_USER_ID, SIM_PROJECT_ID, SIM_PASSWORD, SIM_REGION);
	return scenario->config;
}
