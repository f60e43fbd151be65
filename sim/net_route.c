/* Who can be reached from where. The API server has a shared address, behind which some master with a well API server
 * answers, and the addresses of the masters themselves; the cloud has one address; nodes are probed at theirs. Between
 * a replica and each of these a cut may lie: silent, refusing, or letting requests through and no answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/run.h"

#define LOOK_EVERY_MS (1 * SEC)

bool cut_is(const struct run *run, const struct cut *cut)
{
	return run->now.mono.ms < cut->until.ms;
}

/* ---- the masters --------------------------------------------------------------------------------------------------
 */

static void take_master(struct run *run, const struct sim_server *server)
{
	struct sim_server current;
	if (run->masters_count == MASTERS_MAX || !world_server_of_node(run->world, server->node, &current) ||
	    strcmp(current.id, server->id) != 0)
		return;
	struct master_state *master = &run->masters[run->masters_count++];
	*master = (struct master_state){ .is_running = server->is_running,
					 .is_kubelet_alive = server->is_kubelet_alive,
					 .is_endpoint_well = server->is_endpoint_well,
					 .is_api_cut = server->is_api_cut };
	(void)TEXT_COPY(master->node, server->node);
	(void)TEXT_COPY(master->address, server->address);
	(void)TEXT_COPY(master->server, server->id);
}

void masters_look(struct run *run)
{
	if (run->masters_at.ms != 0 && run->now.mono.ms - run->masters_at.ms < LOOK_EVERY_MS)
		return;
	struct master_state old[MASTERS_MAX];
	size_t old_count = run->masters_count;
	memcpy(old, run->masters, sizeof old);
	run->masters_at = run->now.mono;
	run->masters_count = 0;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		if (server.is_master)
			take_master(run, &server);
	}
	for (size_t i = 0; i < old_count; i++) {
		const struct master_state *now = master_find(run, old[i].node);
		bool is_lost = now == NULL || !now->is_endpoint_well || strcmp(now->server, old[i].server) != 0;
		if (old[i].is_endpoint_well && is_lost)
			net_master_died(run, &old[i]);
	}
}

const struct master_state *master_find(const struct run *run, const char *node)
{
	for (size_t i = 0; i < run->masters_count; i++) {
		if (strcmp(run->masters[i].node, node) == 0)
			return &run->masters[i];
	}
	return NULL;
}

/* ---- routes -------------------------------------------------------------------------------------------------------
 */

/* "10.0.0.5:6443", "[fd00::5]:6443", "kube.example": host and port (0: none). */
static bool split_host(struct str text, char *host, size_t host_bytes, int *out_port)
{
	const char *end = text.p + text.n;
	const char *colon = memrchr(text.p, ':', text.n);
	const char *bracket = memchr(text.p, ']', text.n);
	bool is_bracketed = text.n > 0 && text.p[0] == '[' && bracket != NULL;
	if (colon != NULL && is_bracketed && colon < bracket)
		colon = NULL;
	struct str name = { text.p, (size_t)((colon != NULL ? colon : end) - text.p) };
	if (is_bracketed)
		name = (struct str){ text.p + 1, (size_t)(bracket - text.p - 1) };
	char port[8] = "0";
	if (colon != NULL && !str_copy(port, sizeof port, (struct str){ colon + 1, (size_t)(end - colon - 1) }))
		return false;
	*out_port = (int)strtol(port, NULL, 10);
	return str_copy(host, host_bytes, name);
}

bool route_of(const struct http_request *asked, struct route *out)
{
	*out = (struct route){ 0 };
	const char *host = strstr(asked->url, "://");
	if (host == NULL)
		return false;
	host += 3;
	char name[64];
	int port = 0;
	if (!split_host((struct str){ host, strcspn(host, "/?") }, name, sizeof name, &port))
		return false;
	if (strcmp(name, "kube.example") == 0) {
		out->kind = ROUTE_API;
		return asked->connect_to == NULL ||
		       split_host(str_of(asked->connect_to), out->address, sizeof out->address, &out->port);
	}
	if (strcmp(name, "sim.example") == 0) {
		out->kind = ROUTE_CLOUD;
		return true;
	}
	out->kind = ROUTE_PROBE;
	out->port = port;
	return TEXT_COPY(out->address, name);
}

static enum passage through(const struct run *run, const struct cut *cut)
{
	if (!cut_is(run, cut) || cut->lets_requests)
		return PASS_WELL;
	return cut->refuses ? PASS_REFUSED : PASS_SILENT;
}

static enum side side_of(const struct route *route)
{
	switch (route->kind) {
	case ROUTE_API:
		return SIDE_API;
	case ROUTE_CLOUD:
		return SIDE_CLOUD;
	case ROUTE_PROBE:
		return SIDE_PROBES;
	}
	return SIDE_API;
}

/* Behind the shared address: one of the masters whose API server answers, by chance. */
static enum passage to_some_master(struct run *run, struct route *route)
{
	enum passage passage = through(run, &run->api_address);
	size_t well = 0;
	for (size_t i = 0; i < run->masters_count; i++)
		well += run->masters[i].is_endpoint_well;
	if (passage != PASS_WELL)
		return passage;
	if (well == 0)
		return PASS_REFUSED;
	size_t nth = well > 1 ? rng_below(&run->rng, well) : 0;
	for (size_t i = 0; i < run->masters_count; i++) {
		if (run->masters[i].is_endpoint_well && nth-- == 0)
			(void)TEXT_COPY(route->backend, run->masters[i].server);
	}
	return PASS_WELL;
}

static enum passage to_this_master(struct run *run, struct route *route)
{
	struct sim_response response;
	sim_response_init(&response);
	bool is_there = world_probe(run->world, run->now, route->address, route->port, NULL, &response);
	enum passage passage = !is_there || response.is_lost ? PASS_SILENT
			       : response.is_refused         ? PASS_REFUSED
							     : PASS_WELL;
	sim_response_done(&response);
	for (size_t i = 0; i < run->masters_count; i++) {
		if (strcmp(run->masters[i].address, route->address) == 0)
			(void)TEXT_COPY(route->backend, run->masters[i].server);
	}
	return passage;
}

enum passage route_request(struct run *run, struct replica *replica, struct route *route)
{
	enum passage passage = through(run, &replica->cuts[side_of(route)]);
	if (passage != PASS_WELL || route->kind != ROUTE_API)
		return passage;
	if (replica->is_cut_by_master)
		return PASS_SILENT;
	masters_look(run);
	return route->address[0] == '\0' ? to_some_master(run, route) : to_this_master(run, route);
}

bool route_answers(const struct run *run, const struct replica *replica, const struct route *route)
{
	if (cut_is(run, &replica->cuts[side_of(route)]))
		return false;
	return route->kind != ROUTE_API || !replica->is_cut_by_master;
}
