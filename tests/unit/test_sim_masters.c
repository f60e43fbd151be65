/* The simulated control plane: etcd's members, the API servers on the masters, what probes see of them, and what a
 * master's replacement keeps. */
#include "sim_world_lab.h"

#define MASTER0 "k8s-abc-master-0"
#define MASTER1 "k8s-abc-master-1"
#define MASTER2 "k8s-abc-master-2"
#define NODE0 "k8s-abc-node-0"

static int healthy(const struct lab *lab)
{
	struct sim_etcd etcd;
	world_etcd(lab->world, &etcd);
	assert_int_equal(etcd.has_quorum, etcd.healthy >= etcd.members / 2 + 1);
	return etcd.healthy;
}

struct seen {
	int status;
	bool is_refused, is_lost;
	char body[400];
};

static struct seen probe(struct lab *lab, const char *node, int port, const char *path)
{
	struct sim_response out;
	struct seen seen = { 0 };
	struct sim_server s = server_of(lab, node);
	sim_response_init(&out);
	(void)world_probe(lab->world, lab->now, s.address, port, path, &out);
	seen = (struct seen){ .status = out.status, .is_refused = out.is_refused, .is_lost = out.is_lost };
	(void)snprintf(seen.body, sizeof seen.body, "%s", buf_cstr(&out.body));
	sim_response_done(&out);
	return seen;
}

/* ---- probes -------------------------------------------------------------------------------------------------------
 */

static void test_probes(void **state)
{
	static const struct {
		const char *node;
		int port;
		const char *path;
		int status;
		bool is_refused;
		const char *body;
	} cases[] = {
		{ MASTER0, 6443, "/healthz", 200, false, "ok" },
		{ MASTER0, 6443, "/livez", 200, false, "ok" },
		{ MASTER0, 6443, "/readyz", 200, false, "ok" },
		{ MASTER0, 6443, "/readyz?verbose", 200, false, "[+]etcd ok\n" },
		{ MASTER0, 6443, "/readyz?verbose", 200, false, "readyz check passed\n" },
		{ MASTER0, 6443, NULL, 200, false, "" },
		{ MASTER0, 6443, "/api/v1/nodes", 403, false, "forbidden" },
		{ MASTER0, 10250, "/healthz", 401, false, "Unauthorized" },
		{ NODE0, 10250, "/healthz", 401, false, "" },
		{ NODE0, 10250, NULL, 200, false, "" },
		{ NODE0, 6443, "/healthz", 0, true, "" },
		{ NODE0, 22, NULL, 0, true, "" },
	};
	struct lab lab;
	struct sim_response out;
	(void)state;
	lab_init(&lab, world_defaults());
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct seen seen = probe(&lab, cases[i].node, cases[i].port, cases[i].path);
		if (seen.status != cases[i].status || seen.is_refused != cases[i].is_refused || seen.is_lost ||
		    strstr(seen.body, cases[i].body) == NULL)
			fail_msg("case %zu: %d %s", i, seen.status, seen.body);
	}
	sim_response_init(&out);
	assert_false(world_probe(lab.world, lab.now, "10.99.99.99", 6443, NULL, &out));
	assert_true(out.is_lost);
	sim_response_done(&out);
	/* The kubelet is dead and the guest lives: refused; the guest hangs or is off: silence. */
	assert_true(world_break_kubelet(lab.world, lab.now, NODE0, CURE_ITSELF, 10 * SEC));
	assert_true(probe(&lab, NODE0, 10250, "/healthz").is_refused);
	pass(&lab, 11 * SEC);
	assert_int_equal(probe(&lab, NODE0, 10250, "/healthz").status, 401);
	assert_true(world_break_kubelet(lab.world, lab.now, NODE0, CURE_HARD_REBOOT, 0));
	assert_true(probe(&lab, NODE0, 10250, "/healthz").is_lost);
	assert_true(world_break_server(lab.world, lab.now, MASTER0, "SHUTOFF"));
	assert_true(probe(&lab, MASTER0, 6443, "/healthz").is_lost);
	lab_done(&lab);
}

static void test_endpoint_dies(void **state)
{
	static const struct {
		enum sim_cure cure;
		const char *act;
		bool is_cured;
	} cases[] = {
		{ CURE_REBOOT, SOFT, true },
		{ CURE_HARD_REBOOT, SOFT, false },
		{ CURE_HARD_REBOOT, HARD, true },
		{ CURE_REPLACE, HARD, false },
	};
	struct lab lab;
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		lab_init(&lab, world_defaults());
		assert_true(world_break_endpoint(lab.world, lab.now, MASTER1, cases[i].cure, 0));
		assert_true(probe(&lab, MASTER1, 6443, "/healthz").is_refused);
		assert_int_equal(probe(&lab, MASTER1, 10250, "/healthz").status, 401);
		assert_false(server_of(&lab, MASTER1).is_endpoint_well);
		assert_true(server_of(&lab, MASTER1).is_etcd_well);
		pass(&lab, 5 * MINUTE);
		assert_true(is_ready(&lab, MASTER1));
		assert_int_equal(act(&lab, server_of(&lab, MASTER1).id, cases[i].act), 202);
		pass(&lab, 4 * MINUTE);
		assert_int_equal(server_of(&lab, MASTER1).is_endpoint_well, cases[i].is_cured);
		lab_done(&lab);
	}
	lab_init(&lab, world_defaults());
	assert_false(world_break_endpoint(lab.world, lab.now, NODE0, CURE_REBOOT, 0));
	assert_true(world_break_endpoint(lab.world, lab.now, MASTER1, CURE_ITSELF, MINUTE));
	pass(&lab, MINUTE + SEC);
	assert_true(server_of(&lab, MASTER1).is_endpoint_well);
	lab_done(&lab);
}

/* ---- quorum -------------------------------------------------------------------------------------------------------
 */

static void test_quorum_is_lost(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab, world_defaults());
	assert_int_equal(healthy(&lab), 3);
	assert_int_equal(ask(&lab, "GET", NODES "?watch=1", NULL), 200);
	assert_true(lab.out.stream != 0);
	assert_true(world_break_server(lab.world, lab.now, MASTER0, "SHUTOFF"));
	assert_int_equal(healthy(&lab), 2);
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 200);
	assert_int_equal(lab.streams_ended, 0);
	assert_true(world_break_server(lab.world, lab.now, MASTER1, "SHUTOFF"));
	assert_int_equal(healthy(&lab), 1);
	assert_int_equal(lab.streams_ended, 1);
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 500);
	assert_string_equal(text(&lab, "message"), "etcdserver: request timed out");
	assert_int_equal(ask(&lab, "PATCH", NODES "/" NODE0, "{\"spec\":{\"unschedulable\":true}}"), 504);
	assert_string_equal(text(&lab, "reason"), "Timeout");
	assert_false(sim_kube_is_cordoned(world_kube(lab.world), NODE0, NULL, 0));
	assert_int_equal(ask(&lab, "GET", "/livez", NULL), 200);
	assert_int_equal(ask(&lab, "GET", "/readyz?verbose", NULL), 500);
	assert_non_null(strstr(buf_cstr(&lab.out.body), "[-]etcd failed: reason withheld\n"));
	assert_int_equal(probe(&lab, MASTER2, 6443, "/healthz").status, 500);
	assert_int_equal(probe(&lab, MASTER2, 6443, "/livez").status, 200);
	assert_false(server_of(&lab, MASTER2).is_endpoint_well);
	assert_true(server_of(&lab, MASTER2).is_etcd_well);
	assert_false(world_annotate(lab.world, lab.now, NODE0, "a", "b"));
	/* Nobody turns Unknown meanwhile, nobody is heard. */
	assert_true(world_break_kubelet(lab.world, lab.now, NODE0, CURE_REBOOT, 0));
	pass(&lab, 20 * MINUTE);
	assert_true(is_ready(&lab, NODE0));
	assert_true(is_ready(&lab, MASTER0));
	/* Back: it works again; the dead one has a whole grace period more. */
	assert_int_equal(act(&lab, server_of(&lab, MASTER0).id, START), 202);
	for (int i = 0; healthy(&lab) < 2; i++) {
		assert_in_range(i, 0, 200);
		pass(&lab, SEC);
	}
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 200);
	assert_true(is_ready(&lab, NODE0));
	pass(&lab, 35 * SEC);
	assert_true(is_ready(&lab, NODE0));
	pass(&lab, 10 * SEC);
	assert_false(is_ready(&lab, NODE0));
	assert_true(is_ready(&lab, MASTER0));
	assert_false(is_ready(&lab, MASTER1));
	lab_done(&lab);
}

static void test_no_api_server_runs(void **state)
{
	struct lab lab;
	static const char *const masters[] = { MASTER0, MASTER1, MASTER2 };
	(void)state;
	lab_init(&lab, world_defaults());
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(&lab, "GET", NODES, NULL), 200);
		assert_true(world_break_endpoint(lab.world, lab.now, masters[i], CURE_ITSELF, MINUTE));
	}
	assert_int_equal(healthy(&lab), 3);
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 0);
	assert_true(lab.out.is_lost);
	pass(&lab, MINUTE + SEC);
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 200);
	lab_done(&lab);
}

static void test_single_master(void **state)
{
	struct lab lab;
	struct world_opts opts = world_defaults();
	(void)state;
	opts.masters = 1;
	lab_init(&lab, opts);
	assert_true(world_break_kubelet(lab.world, lab.now, MASTER0, CURE_HARD_REBOOT, 0));
	pass(&lab, MINUTE);
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 200); /* its containers run on */
	assert_false(is_ready(&lab, MASTER0));
	assert_int_equal(act(&lab, server_of(&lab, MASTER0).id, HARD), 202);
	pass(&lab, 10 * SEC);
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 0);
	pass(&lab, 3 * MINUTE);
	assert_int_equal(ask(&lab, "GET", NODES, NULL), 200);
	assert_true(is_ready(&lab, MASTER0));
	assert_true(world_cut_node(lab.world, lab.now, MASTER0, true, true)); /* from whom? */
	assert_int_equal(healthy(&lab), 1);
	lab_done(&lab);
}

static void test_cut_member(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab, world_defaults());
	assert_true(world_cut_node(lab.world, lab.now, MASTER0, true, false));
	assert_int_equal(healthy(&lab), 3); /* only its kubelet is */
	assert_true(world_cut_node(lab.world, lab.now, MASTER0, true, true));
	assert_int_equal(healthy(&lab), 2);
	assert_true(world_cut_node(lab.world, lab.now, MASTER0, false, true));
	assert_int_equal(healthy(&lab), 3);
	lab_done(&lab);
}

/* ---- replacement --------------------------------------------------------------------------------------------------
 */

static void test_replaced_master(void **state)
{
	(void)state;
	for (int has_volume = 0; has_volume < 2; has_volume++) {
		struct lab lab;
		struct world_opts opts = world_defaults();
		char before[64];
		char after[64];
		opts.with_etcd_volume = has_volume != 0;
		lab_init(&lab, opts);
		assert_int_equal(ask(&lab, "GET", MAGNUM "/k8s-cluster", NULL), 200);
		assert_string_equal(text(&lab, "labels.etcd_volume_size"), has_volume ? "10" : "0");
		assert_int_equal(json_int(lab.json, "master_count", 0), 3);
		struct sim_server old = server_of(&lab, MASTER1);
		boot_id(&lab, MASTER1, before);
		assert_int_equal(mark(&lab, MASTER1, NULL), 200);
		update(&lab);
		struct sim_server now = server_of(&lab, MASTER1);
		assert_string_not_equal(now.id, old.id);
		assert_string_equal(now.address, old.address);
		assert_string_equal(now.name, old.name);
		assert_true(is_ready(&lab, MASTER1)); /* whatever etcd says */
		boot_id(&lab, MASTER1, after);
		assert_string_not_equal(before, after);
		assert_non_null(strstr(node_json(&lab, MASTER1), now.id)); /* systemUUID */
		assert_int_equal(now.is_etcd_well, has_volume);
		assert_int_equal(now.is_endpoint_well, has_volume);
		assert_int_equal(healthy(&lab), 2 + has_volume);
		assert_int_equal(probe(&lab, MASTER1, 6443, "/healthz").status, has_volume ? 200 : 500);
		/* A reboot does not bring the data back. */
		assert_int_equal(act(&lab, now.id, HARD), 202);
		pass(&lab, 5 * MINUTE);
		assert_int_equal(healthy(&lab), 2 + has_volume);
		lab_done(&lab);
	}
}

static void test_etcd_volume_detached_by_hand(void **state)
{
	struct lab lab;
	char target[300];
	(void)state;
	lab_init(&lab, world_defaults());
	struct sim_server s = server_of(&lab, MASTER1);
	(void)snprintf(target, sizeof target, NOVA "/%s/os-volume_attachments", s.id);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_int_equal(json_count(lab.json, "volumeAttachments"), 1);
	(void)snprintf(target, sizeof target, NOVA "/%s/os-volume_attachments/%s", s.id,
		       text(&lab, "volumeAttachments.0.volumeId"));
	assert_int_equal(ask(&lab, "DELETE", target, NULL), 202);
	pass(&lab, 5 * SEC);
	assert_int_equal(healthy(&lab), 2);
	assert_int_equal(mark(&lab, MASTER1, NULL), 200);
	update(&lab);
	assert_int_equal(healthy(&lab), 2); /* lost for good */
	lab_done(&lab);
}

/* A server deleted by somebody leaves its volume behind; Heat puts it on the next one. */
static void test_deleted_master_keeps_its_volume(void **state)
{
	struct lab lab;
	(void)state;
	lab_init(&lab, world_defaults());
	char target[700];
	resource_of(&lab, MASTER1, NULL, target);
	assert_true(world_break_server(lab.world, lab.now, MASTER1, "GONE"));
	assert_int_equal(healthy(&lab), 2);
	assert_int_equal(ask(&lab, "PATCH", target, "{\"mark_unhealthy\": true}"), 200);
	update(&lab);
	assert_int_equal(healthy(&lab), 3);
	lab_done(&lab);
}

static void test_volume_boot(void **state)
{
	(void)state;
	for (int both = 0; both < 2; both++) {
		struct lab lab;
		struct world_opts opts = world_defaults();
		char target[700];
		char volume[40];
		opts.with_volume_boot = true;
		lab_init(&lab, opts);
		struct sim_server s = server_of(&lab, NODE0);
		assert_string_equal(nova(&lab, s.id, "server.image"), "");
		assert_true(json_is_string(json_at(lab.json, "server.image")));
		resource_of(&lab, NODE0, NULL, target);
		assert_non_null(strstr(target, "/resources/kube-minion-bfv"));
		resource_of(&lab, NODE0, "kube_node_volume", target);
		assert_int_equal(ask(&lab, "GET", target, NULL), 200);
		assert_string_equal(text(&lab, "resource.resource_type"), "OS::Cinder::Volume");
		assert_true(TEXT_COPY(volume, text(&lab, "resource.physical_resource_id")));
		(void)snprintf(target, sizeof target, NOVA "/%s/os-volume_attachments/%s", s.id, volume);
		assert_int_equal(ask(&lab, "DELETE", target, NULL), 403); /* the root device */
		assert_true(world_break_kubelet(lab.world, lab.now, NODE0, CURE_REPLACE, 0));
		assert_int_equal(mark(&lab, NODE0, NULL), 200);
		if (both != 0)
			assert_int_equal(mark(&lab, NODE0, "kube_node_volume"), 200);
		update(&lab);
		assert_string_not_equal(server_of(&lab, NODE0).id, s.id);
		/* With its old disk it is broken as before. */
		assert_int_equal(is_ready(&lab, NODE0), both);
		resource_of(&lab, NODE0, "kube_node_volume", target);
		assert_int_equal(ask(&lab, "GET", target, NULL), 200);
		assert_int_equal(strcmp(text(&lab, "resource.physical_resource_id"), volume) != 0, both);
		(void)snprintf(target, sizeof target, "/volume/v3/" SIM_PROJECT_ID "/volumes/%s", volume);
		assert_int_equal(ask(&lab, "GET", target, NULL), both ? 404 : 200);
		lab_done(&lab);
	}
}

/* Both kinds of resources in one list, and servers without volumes have none. */
static void test_resource_types(void **state)
{
	struct lab lab;
	struct world_opts opts = world_defaults();
	char target[700];
	(void)state;
	opts.with_volume_boot = true;
	lab_init(&lab, opts);
	(void)snprintf(target, sizeof target,
		       "%s/resources?nested_depth=2&type=OS::Nova::Server&type=OS::Cinder::Volume", lab.stack);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(&lab, "GET", target, NULL), 200);
		assert_int_equal(json_count(lab.json, "resources"), 12);
	}
	(void)snprintf(target, sizeof target, "%s/resources?nested_depth=2&type=OS::Cinder::Volume", lab.stack);
	assert_int_equal(ask(&lab, "GET", target, NULL), 200);
	assert_int_equal(json_count(lab.json, "resources"), 6);
	lab_done(&lab);
	lab_init(&lab, world_defaults());
	resource_of(&lab, NODE0, "kube_node_volume", target);
	assert_int_equal(ask(&lab, "GET", target, NULL), 404);
	lab_done(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_endpoint_dies),
		cmocka_unit_test(test_quorum_is_lost),
		cmocka_unit_test(test_no_api_server_runs),
		cmocka_unit_test(test_single_master),
		cmocka_unit_test(test_cut_member),
		cmocka_unit_test(test_replaced_master),
		cmocka_unit_test(test_etcd_volume_detached_by_hand),
		cmocka_unit_test(test_deleted_master_keeps_its_volume),
		cmocka_unit_test(test_volume_boot),
		cmocka_unit_test(test_resource_types),
	};
	return cmocka_run_group_tests_name("sim_masters", tests, NULL, NULL);
}
