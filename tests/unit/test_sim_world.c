/* Hosts, zones, cables and other people in the simulated world: what Nova and the API server show of them, and that all
 * of it is undone again. */
#include "sim_world_lab.h"

#define NODE0 "k8s-abc-node-0"
#define NODE1 "k8s-abc-node-1"
#define NODE2 "k8s-abc-node-2"

/* ---- places -------------------------------------------------------------------------------------------------------
 */

static void test_places(void **state)
{
	struct lab lab;
	struct world_opts opts = world_defaults();
	char first[60];
	(void)state;
	opts.zones = 3;
	opts.hosts = 6;
	lab_init(&lab, opts);
	for (size_t i = 0; i < world_servers_count(lab.world); i++) {
		struct sim_server s;
		char label[64];
		world_server(lab.world, i, &s);
		(void)snprintf(label, sizeof label, "\"topology.kubernetes.io/zone\":\"zone-%c\"", 'a' + s.zone);
		assert_non_null(strstr(node_json(&lab, s.node), label));
		assert_int_equal(s.host % 3, s.zone);
		assert_int_equal(strlen(nova(&lab, s.id, "server.hostId")), 56);
		assert_int_equal(text(&lab, "server.OS-EXT-AZ:availability_zone")[5], 'a' + s.zone);
		assert_non_null(strstr(text(&lab, "server.OS-SRV-USG:launched_at"), ".000000"));
	}
	assert_true(TEXT_COPY(first, nova(&lab, server_of(&lab, NODE0).id, "server.hostId")));
	assert_string_not_equal(nova(&lab, server_of(&lab, NODE1).id, "server.hostId"), first);
	lab_done(&lab);
	opts.hosts = 1;
	opts.zones = 0;
	lab_init(&lab, opts); /* all on one host, in no zone */
	assert_true(TEXT_COPY(first, nova(&lab, server_of(&lab, NODE0).id, "server.hostId")));
	assert_string_equal(nova(&lab, server_of(&lab, NODE1).id, "server.hostId"), first);
	assert_null(strstr(node_json(&lab, NODE0), "topology.kubernetes.io/zone"));
	assert_int_equal(server_of(&lab, NODE0).zone, -1);
	lab_done(&lab);
}

static void test_host_down(void **state)
{
	struct lab lab;
	struct sim_response probed;
	(void)state;
	lab_init(&lab, world_defaults());
	struct sim_server s = server_of(&lab, NODE0);
	struct sim_server idle = server_of(&lab, NODE1);
	world_host_down(lab.world, lab.now, s.host, true);
	world_host_down(lab.world, lab.now, idle.host, true);
	pass(&lab, MINUTE);
	assert_false(is_ready(&lab, NODE0));
	assert_false(server_of(&lab, NODE0).is_host_up);
	assert_false(server_of(&lab, NODE0).is_running);
	assert_string_equal(nova(&lab, s.id, "server.status"), "ACTIVE"); /* Nova does not know better */
	assert_int_equal(json_int(json_object_get(lab.json, "server"), "OS-EXT-STS:power_state", -1), 1);
	sim_response_init(&probed);
	assert_true(world_probe(lab.world, lab.now, s.address, 10250, "/healthz", &probed));
	assert_true(probed.is_lost && !probed.is_refused);
	sim_response_done(&probed);
	/* Accepted, and nothing happens. */
	assert_int_equal(act(&lab, s.id, SOFT), 202);
	pass(&lab, 30 * MINUTE);
	assert_string_equal(nova(&lab, s.id, "server.OS-EXT-STS:task_state"), "rebooting");
	assert_int_equal(act(&lab, s.id, STOP), 409);
	assert_int_equal(act(&lab, s.id, HARD), 202); /* over a soft one that hangs */
	pass(&lab, 30 * MINUTE);
	log_in(&lab);
	assert_string_equal(nova(&lab, s.id, "server.OS-EXT-STS:task_state"), "rebooting_hard");
	assert_int_equal(act(&lab, idle.id, STOP), 202);
	pass(&lab, 10 * MINUTE);
	assert_string_equal(nova(&lab, idle.id, "server.OS-EXT-STS:task_state"), "powering-off");
	/* Up again: hung tasks end, guests start. */
	world_host_down(lab.world, lab.now, s.host, false);
	world_host_down(lab.world, lab.now, idle.host, false);
	pass(&lab, 4 * MINUTE);
	assert_string_equal(nova(&lab, s.id, "server.OS-EXT-STS:task_state"), "");
	assert_true(is_ready(&lab, NODE0));
	assert_true(server_of(&lab, NODE0).healthy_since.ms > 0);
	assert_string_equal(nova(&lab, idle.id, "server.status"), "SHUTOFF");
	lab_done(&lab);
}

static void test_host_down_guests_come_back(void **state)
{
	struct lab lab;
	char before[64];
	char after[64];
	char target[200];
	(void)state;
	lab_init(&lab, world_defaults());
	struct sim_server s = server_of(&lab, NODE0);
	boot_id(&lab, NODE0, before);
	world_host_down(lab.world, lab.now, s.host, true);
	pass(&lab, 5 * MINUTE);
	world_host_down(lab.world, lab.now, s.host, false);
	pass(&lab, 3 * MINUTE);
	assert_true(is_ready(&lab, NODE0));
	boot_id(&lab, NODE0, after);
	assert_string_not_equal(before, after);
	/* DELETE is local, and its successor goes elsewhere. */
	world_host_down(lab.world, lab.now, s.host, true);
	(void)snprintf(target, sizeof target, NOVA "/%s", s.id);
	assert_int_equal(ask(&lab, "DELETE", target, NULL), 204);
	pass(&lab, 5 * SEC);
	assert_string_equal(nova(&lab, s.id, "server.id"), "(gone)");
	lab_done(&lab);
}

static void test_replaced_onto_host_that_is_up(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct lab lab;
		struct world_opts opts = world_defaults();
		opts.seed = seed;
		opts.hosts = 3;
		lab_init(&lab, opts);
		struct sim_server s = server_of(&lab, NODE0);
		world_host_down(lab.world, lab.now, s.host, true);
		assert_int_equal(mark(&lab, NODE0, NULL), 200);
		update(&lab);
		struct sim_server now = server_of(&lab, NODE0);
		assert_string_not_equal(now.id, s.id);
		assert_true(now.is_host_up && now.host != s.host);
		assert_true(now.healthy_since.ms > 0);
		lab_done(&lab);
	}
}

static void test_no_host_is_up(void **state)
{
	struct lab lab;
	struct world_opts opts = world_defaults();
	(void)state;
	opts.hosts = 1;
	lab_init(&lab, opts);
	struct sim_server s = server_of(&lab, NODE0);
	world_host_down(lab.world, lab.now, 0, true);
	assert_int_equal(mark(&lab, NODE0, NULL), 200);
	update(&lab);
	assert_string_equal(server_of(&lab, NODE0).status, "ERROR");
	(void)s;
	lab_done(&lab);
}

/* ---- cables -------------------------------------------------------------------------------------------------------
 */

static void test_cut_node(void **state)
{
	struct lab lab;
	struct sim_response probed;
	char before[64];
	char after[64];
	(void)state;
	lab_init(&lab, world_defaults());
	struct sim_server s = server_of(&lab, NODE0);
	boot_id(&lab, NODE0, before);
	for (int for_probes = 0; for_probes < 2; for_probes++) {
		assert_true(world_cut_node(lab.world, lab.now, NODE0, true, for_probes != 0));
		pass(&lab, 30 * SEC);
		assert_true(is_ready(&lab, NODE0)); /* the grace period */
		pass(&lab, 15 * SEC);
		assert_false(is_ready(&lab, NODE0));
		assert_non_null(strstr(node_json(&lab, NODE0), "NodeStatusUnknown"));
		assert_true(server_of(&lab, NODE0).is_running);
		assert_true(server_of(&lab, NODE0).is_api_cut);
		sim_response_init(&probed);
		assert_true(world_probe(lab.world, lab.now, s.address, 10250, NULL, &probed));
		assert_int_equal(probed.is_lost, for_probes);
		sim_response_done(&probed);
		assert_true(world_cut_node(lab.world, lab.now, NODE0, false, for_probes != 0));
		assert_true(is_ready(&lab, NODE0)); /* at once, and without a boot */
		boot_id(&lab, NODE0, after);
		assert_string_equal(before, after);
		assert_false(server_of(&lab, NODE0).is_api_cut);
	}
	assert_false(world_cut_node(lab.world, lab.now, "nobody", true, true));
	lab_done(&lab);
}

static void test_cut_zone(void **state)
{
	struct lab lab;
	struct world_opts opts = world_defaults();
	struct sim_etcd etcd;
	(void)state;
	opts.zones = 2;
	opts.workers = 6;
	lab_init(&lab, opts);
	world_cut_zone(lab.world, lab.now, 0, true);
	pass(&lab, MINUTE);
	for (size_t i = 0; i < world_servers_count(lab.world); i++) {
		struct sim_server s;
		world_server(lab.world, i, &s);
		assert_int_equal(is_ready(&lab, s.node), s.zone == 1);
		assert_int_equal(s.is_api_cut, s.zone == 0);
	}
	world_etcd(lab.world, &etcd); /* the masters reach each other by a network of their own */
	assert_int_equal(etcd.healthy, 3);
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 200);
	world_cut_zone(lab.world, lab.now, 0, false);
	world_cut_zone(lab.world, lab.now, 77, true); /* no such zone */
	for (size_t i = 0; i < world_servers_count(lab.world); i++) {
		struct sim_server s;
		world_server(lab.world, i, &s);
		assert_true(is_ready(&lab, s.node) && s.healthy_since.ms > 0);
	}
	lab_done(&lab);
}

static void test_slow_boots(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab, world_defaults());
	world_slow_boots(lab.world, 1, 10 * MINUTE);
	assert_int_equal(act(&lab, server_of(&lab, NODE0).id, HARD), 202);
	pass(&lab, 9 * MINUTE);
	assert_int_equal(act(&lab, server_of(&lab, NODE1).id, HARD), 202);
	assert_int_equal(server_of(&lab, NODE0).healthy_since.ms, 0);
	pass(&lab, 150 * SEC);
	assert_true(server_of(&lab, NODE1).healthy_since.ms > 0); /* only the first was slow */
	pass(&lab, 2 * MINUTE);
	assert_true(server_of(&lab, NODE0).healthy_since.ms > 0);
	lab_done(&lab);
}

/* ---- others -------------------------------------------------------------------------------------------------------
 */

static void test_autoscaler(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab, world_defaults());
	struct sim_server s = server_of(&lab, NODE1);
	assert_false(world_autoscaler_removes(lab.world, lab.now, "k8s-abc-master-0"));
	assert_false(world_autoscaler_removes(lab.world, lab.now, "nobody"));
	assert_true(world_autoscaler_removes(lab.world, lab.now, NODE1));
	assert_false(world_autoscaler_removes(lab.world, lab.now, NODE1)); /* it is at it */
	assert_non_null(strstr(node_json(&lab, NODE1), "ToBeDeletedByClusterAutoscaler"));
	assert_true(server_of(&lab, NODE1).is_others);
	assert_int_equal(server_of(&lab, NODE1).others_since.ms, lab.now.mono.ms);
	pass(&lab, 55 * SEC);
	assert_false(world_stack_is_busy(lab.world));
	for (int i = 0; !world_stack_is_busy(lab.world); i++) {
		assert_in_range(i, 0, 70);
		pass(&lab, SEC);
	}
	pass(&lab, 3 * MINUTE);
	assert_string_equal(node_json(&lab, NODE1), "");
	assert_string_equal(nova(&lab, s.id, "server.id"), "(gone)");
	assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
	assert_string_equal(text(&lab, "status"), "UPDATE_COMPLETE");
	assert_int_equal(json_int(lab.json, "node_count", 0), 2);
	assert_int_equal(lab.acts_count, 0); /* it was not one of us */
	/* Not the last one, and not while the cluster is busy. */
	world_owner_updates(lab.world, lab.now, MINUTE);
	assert_false(world_autoscaler_removes(lab.world, lab.now, NODE0));
	pass(&lab, 5 * MINUTE);
	assert_true(world_autoscaler_removes(lab.world, lab.now, NODE0));
	pass(&lab, 10 * MINUTE);
	assert_string_equal(node_json(&lab, NODE0), "");
	assert_false(world_autoscaler_removes(lab.world, lab.now, NODE2));
	lab_done(&lab);
}

/* Busy for longer than its patience: it takes its taint away. */
static void test_autoscaler_gives_up(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab, world_defaults());
	assert_true(world_autoscaler_removes(lab.world, lab.now, NODE1));
	world_owner_updates(lab.world, lab.now, 40 * MINUTE);
	pass(&lab, 30 * MINUTE);
	assert_null(strstr(node_json(&lab, NODE1), "ToBeDeleted"));
	assert_false(server_of(&lab, NODE1).is_others);
	assert_true(server_of(&lab, NODE1).others_until.ms > 0);
	lab_done(&lab);
}

static void test_other_healer(void **state)
{
	struct lab lab;
	char target[200];
	(void)state;
	lab_init(&lab, world_defaults());
	struct sim_server s = server_of(&lab, NODE0);
	assert_true(world_break_kubelet(lab.world, lab.now, NODE0, CURE_HARD_REBOOT, 0));
	pass(&lab, MINUTE);
	assert_true(world_other_healer(lab.world, lab.now, NODE0));
	assert_false(world_other_healer(lab.world, lab.now, NODE0));
	assert_non_null(strstr(node_json(&lab, NODE0), "\"medik8s.io/remediation\""));
	assert_true(server_of(&lab, NODE0).is_others);
	pass(&lab, 20 * SEC);
	(void)snprintf(target, sizeof target, NOVA "/%s/os-instance-actions", s.id);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_string_equal(text(&lab, "instanceActions.0.action"), "reboot");
	assert_string_not_equal(text(&lab, "instanceActions.0.user_id"), SIM_USER_ID);
	pass(&lab, 11 * MINUTE);
	assert_true(is_ready(&lab, NODE0));
	assert_null(strstr(node_json(&lab, NODE0), "medik8s.io"));
	s = server_of(&lab, NODE0);
	assert_false(s.is_others);
	assert_true(s.others_until.ms > s.others_since.ms);
	/* What only a new server cures stays as it is. */
	assert_true(world_break_kubelet(lab.world, lab.now, NODE1, CURE_REPLACE, 0));
	assert_true(world_other_healer(lab.world, lab.now, NODE1));
	pass(&lab, 15 * MINUTE);
	assert_false(is_ready(&lab, NODE1));
	lab_done(&lab);
}

static void test_upgrade(void **state)
{
	struct lab lab;
	char before[3][64];
	char after[64];
	static const char *const nodes[] = { NODE0, NODE1, NODE2 };
	int cordoned[3] = { 0 };
	int at_once = 0;
	(void)state;
	lab_init(&lab, world_defaults());
	for (int i = 0; i < 3; i++)
		boot_id(&lab, nodes[i], before[i]);
	assert_true(world_cordon(lab.world, lab.now, NODE1, true)); /* an administrator's stays */
	world_upgrade(lab.world, lab.now);
	pass(&lab, 10 * SEC);
	assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
	assert_string_equal(text(&lab, "status"), "UPDATE_IN_PROGRESS");
	int64_t began = lab.now.mono.ms;
	while (world_stack_is_busy(lab.world)) {
		int now = 0;
		pass(&lab, 5 * SEC);
		assert_in_range(lab.now.mono.ms - began, 0, 20 * MINUTE);
		for (int i = 0; i < 3; i++) {
			if (server_of(&lab, nodes[i]).is_others) {
				cordoned[i] += sim_kube_is_cordoned(world_kube(lab.world), nodes[i], NULL, 0);
				now++;
			}
		}
		at_once = now > at_once ? now : at_once;
	}
	assert_int_equal(at_once, 1);
	assert_in_range(lab.now.mono.ms - began, 6 * MINUTE, 14 * MINUTE);
	pass(&lab, MINUTE);
	assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
	assert_string_equal(text(&lab, "status"), "UPDATE_COMPLETE");
	for (int i = 0; i < 3; i++) {
		boot_id(&lab, nodes[i], after);
		assert_string_not_equal(before[i], after);
		assert_true(cordoned[i] > 0);
		assert_int_equal(sim_kube_is_cordoned(world_kube(lab.world), nodes[i], NULL, 0), i == 1);
		assert_false(server_of(&lab, nodes[i]).is_others);
	}
	lab_done(&lab);
}

static void test_people(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab, world_defaults());
	struct sim_server s = server_of(&lab, NODE0);
	assert_false(world_person_starts(lab.world, lab.now, NODE0));
	assert_true(world_person_stops(lab.world, lab.now, NODE0));
	pass(&lab, 10 * SEC);
	assert_true(server_of(&lab, NODE0).is_stopped_by_person);
	assert_true(world_person_starts(lab.world, lab.now, NODE0));
	pass(&lab, 3 * MINUTE);
	assert_false(server_of(&lab, NODE0).is_stopped_by_person);
	assert_true(is_ready(&lab, NODE0));
	/* A live migration: the guest goes on, on another host; nobody else may do anything meanwhile. */
	int64_t well_since = server_of(&lab, NODE0).healthy_since.ms;
	assert_true(world_person_migrates(lab.world, lab.now, NODE0));
	assert_string_equal(nova(&lab, s.id, "server.status"), "MIGRATING");
	assert_string_equal(text(&lab, "server.OS-EXT-STS:task_state"), "migrating");
	assert_int_equal(act(&lab, s.id, HARD), 409);
	assert_false(world_person_migrates(lab.world, lab.now, NODE0));
	pass(&lab, 40 * SEC);
	assert_string_equal(nova(&lab, s.id, "server.status"), "ACTIVE");
	assert_int_not_equal(server_of(&lab, NODE0).host, s.host);
	assert_int_equal(server_of(&lab, NODE0).healthy_since.ms, well_since);
	/* Marks and pauses. */
	assert_true(world_annotate(lab.world, lab.now, NODE0, "a/b", "c"));
	assert_non_null(strstr(node_json(&lab, NODE0), "\"a/b\":\"c\""));
	assert_true(world_annotate(lab.world, lab.now, NODE0, "a/b", NULL));
	assert_null(strstr(node_json(&lab, NODE0), "a/b"));
	assert_false(world_annotate(lab.world, lab.now, "nobody", "a/b", "c"));
	const char *map = "/api/v1/namespaces/kube-system/configmaps/magnum-auto-healer-state";
	world_write_pauses(lab.world, lab.now, "");
	assert_int_equal(ask(&lab, "GET", map, NULL), 404);
	world_write_pauses(lab.world, lab.now, "[1]");
	assert_int_equal(ask(&lab, "GET", map, NULL), 200);
	assert_string_equal(json_string_value(json_object_get(json_at(lab.json, "data"), "pauses.json")), "[1]");
	lab_done(&lab);
}

/* ---- everything at once -------------------------------------------------------------------------------------------
 */

static const char *any_node(const struct lab *lab, struct rng *rng, char out[64])
{
	struct sim_server s;
	world_server(lab->world, rng_below(rng, world_servers_count(lab->world)), &s);
	assert_true(text_copy(out, 64, s.node));
	return out;
}

/* One request of a client; the answer does not matter. */
static void some_request(struct lab *lab, struct rng *rng, const char *node)
{
	static const char *const bodies[] = { SOFT, HARD, STOP, START, "{\"rebuild\": {\"imageRef\": \"i\"}}" };
	char target[300];
	switch (rng_below(rng, 5)) {
	case 0:
		(void)act(lab, server_of(lab, node).id, bodies[rng_below(rng, COUNT(bodies))]);
		break;
	case 1:
		(void)ask(lab, "PATCH", lab->stack, "{}");
		break;
	case 2:
		(void)ask(lab, "GET", NODES "?limit=3", NULL);
		break;
	case 3:
		(void)ask(lab, "GET", NODES "?watch=1&allowWatchBookmarks=1", NULL);
		break;
	default:
		(void)snprintf(target, sizeof target, NOVA "/%s", server_of(lab, node).id);
		(void)ask(lab, "DELETE", target, NULL);
		break;
	}
}

/* NOLINTNEXTLINE(readability-function-size): one thing a case */
static void probe_it(struct lab *lab, const char *node, int port)
{
	struct sim_response out;
	sim_response_init(&out);
	(void)world_probe(lab->world, lab->now, server_of(lab, node).address, port, "/healthz", &out);
	assert_true(out.status != 0 || out.is_lost || out.is_refused);
	sim_response_done(&out);
}

/* What people do to one node. */
static void anybody(struct lab *lab, const char *node, uint64_t what, bool on)
{
	struct now now = lab->now;
	switch (what) {
	case 10:
		(void)world_person_stops(lab->world, now, node);
		break;
	case 11:
		(void)world_person_starts(lab->world, now, node);
		break;
	case 12:
		(void)world_person_migrates(lab->world, now, node);
		break;
	case 13:
		(void)world_break_server(lab->world, now, node, on ? "GONE" : "ERROR");
		break;
	default:
		break;
	}
}

static void anything(struct lab *lab, struct rng *rng)
{
	char node[64];
	struct now now = lab->now;
	bool on = rng_chance(rng, 0.5);
	if (world_servers_count(lab->world) == 0) {
		pass(lab, MINUTE);
		return;
	}
	(void)any_node(lab, rng, node);
	uint64_t what = rng_below(rng, 18);
	switch (what) {
	case 0:
	case 1:
		world_host_down(lab->world, now, (int)rng_below(rng, 4), on);
		break;
	case 2:
		(void)world_cut_node(lab->world, now, node, on, rng_chance(rng, 0.5));
		break;
	case 3:
		world_cut_zone(lab->world, now, (int)rng_below(rng, 3), on);
		break;
	case 4:
		(void)world_break_endpoint(lab->world, now, node, (enum sim_cure)rng_below(rng, 4), MINUTE);
		break;
	case 5:
		(void)world_break_kubelet(lab->world, now, node, (enum sim_cure)rng_below(rng, 4), MINUTE);
		break;
	case 6:
		world_slow_boots(lab->world, 2, 5 * MINUTE);
		break;
	case 7:
		(void)world_autoscaler_removes(lab->world, now, node);
		break;
	case 8:
		(void)world_other_healer(lab->world, now, node);
		break;
	case 9:
		world_upgrade(lab->world, now);
		break;
	case 10:
	case 11:
	case 12:
	case 13:
		anybody(lab, node, what, on);
		break;
	case 14:
		world_write_pauses(lab->world, now, on ? "[]" : "");
		(void)world_annotate(lab->world, now, node, "x/y", on ? "1" : NULL);
		break;
	case 15:
		probe_it(lab, node, on ? 6443 : 10250);
		break;
	default:
		some_request(lab, rng, node);
		break;
	}
	pass(lab, (int64_t)rng_below(rng, 90) * SEC);
}

static void undo(struct lab *lab)
{
	for (int i = 0; i < 4; i++) {
		world_host_down(lab->world, lab->now, i, false);
		world_cut_zone(lab->world, lab->now, i, false);
	}
	world_slow_boots(lab->world, 0, 0);
	for (size_t i = 0; i < world_servers_count(lab->world); i++) {
		struct sim_server s;
		world_server(lab->world, i, &s);
		(void)world_cut_node(lab->world, lab->now, s.node, false, true);
	}
	pass(lab, HOUR); /* what others do comes to its end, and stacks time out */
	log_in(lab);
}

/* Marks what is not well, as an administrator would. */
static bool mend(struct lab *lab)
{
	bool is_well = true;
	char target[400];
	(void)snprintf(target, sizeof target, "%s/resources?nested_depth=2&type=OS::Nova::Server", lab->stack);
	assert_int_equal(ask(lab, "GET", target, NULL), 200);
	json_t *list = json_incref(lab->json);
	size_t i = 0;
	json_t *r = NULL;
	json_array_foreach(json_at(list, "resources"), i, r) {
		const char *id = json_text_or(r, "physical_resource_id", "");
		bool is_good = false;
		for (size_t n = 0; n < world_servers_count(lab->world); n++) {
			struct sim_server s;
			world_server(lab->world, n, &s);
			is_good = is_good || (strcmp(s.id, id) == 0 && s.healthy_since.ms != 0);
		}
		if (is_good)
			continue;
		const char *href = strstr(json_text_or(r, "links.0.href", ""), "/orchestration");
		int stem = (int)(strrchr(href, '/') + 1 - href);
		char volume[700];
		is_well = false;
		assert_int_equal(ask(lab, "PATCH", href, "{\"mark_unhealthy\": true}"), 200);
		(void)snprintf(volume, sizeof volume, "%.*skube_node_volume", stem, href);
		(void)ask(lab, "PATCH", volume, "{\"mark_unhealthy\": true}");
	}
	json_decref(list);
	update(lab);
	return is_well;
}

static void test_everything_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct rng rng = { seed };
		struct lab lab;
		struct world_opts opts = world_defaults();
		opts.seed = seed;
		opts.workers = 4;
		opts.zones = seed % 3 == 0 ? 3 : 0;
		opts.hosts = seed % 2 == 0 ? 4 : 0;
		opts.with_volume_boot = seed % 5 == 0;
		opts.with_etcd_volume = seed % 4 != 0;
		lab_init(&lab, opts);
		for (int i = 0; i < 80; i++) {
			if (i % 20 == 0)
				log_in(&lab);
			anything(&lab, &rng);
		}
		undo(&lab);
		bool is_well = false;
		for (int i = 0; i < 8 && !is_well; i++)
			is_well = mend(&lab);
		if (!is_well)
			print_message("# seed %d\n", (int)seed);
		assert_true(is_well);
		pass(&lab, HOUR);     /* others go on where they waited for the API */
		struct sim_etcd etcd; /* lost for ever, others wait for ever */
		world_etcd(lab.world, &etcd);
		for (size_t i = 0; i < world_servers_count(lab.world); i++) {
			struct sim_server s;
			world_server(lab.world, i, &s);
			if (!s.is_host_up || s.is_api_cut || s.is_stopped_by_person || (s.is_others && etcd.has_quorum))
				fail_msg("seed %d: %s: %d %d %d %d", (int)seed, s.node, s.is_host_up, s.is_api_cut,
					 s.is_stopped_by_person, s.is_others);
		}
		lab_done(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_host_down),
		cmocka_unit_test(test_host_down_guests_come_back),
		cmocka_unit_test(test_replaced_onto_host_that_is_up),
		cmocka_unit_test(test_no_host_is_up),
		cmocka_unit_test(test_cut_node),
		cmocka_unit_test(test_cut_zone),
		cmocka_unit_test(test_slow_boots),
		cmocka_unit_test(test_autoscaler),
		cmocka_unit_test(test_autoscaler_gives_up),
		cmocka_unit_test(test_other_healer),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_people),
		cmocka_unit_test(test_everything_at_once),
	};
	return cmocka_run_group_tests_name("sim_world", tests, NULL, NULL);
}
