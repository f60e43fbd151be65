/* Which server is behind a node: every kind of identity, and every way in which they contradict each other. */
#include "core_fixture.h"

#include "core/match.h"

#define ID_A "aaaaaaaa-1111-4000-8000-00000000000a"
#define ID_B "bbbbbbbb-2222-4000-8000-00000000000b"
#define ID_C "cccccccc-3333-4000-8000-00000000000c"
#define ID_GONE "dddddddd-4444-4000-8000-00000000000d"

/* Sorted by id, as the snapshot promises. */
static const struct machine machines[] = {
	{ .id = ID_A, .name = "node-a", .addresses = { "10.0.0.1" } },
	{ .id = ID_B, .name = "node-b", .addresses = { "172.16.0.2", "10.0.0.2" } },
	{ .id = ID_C, .name = "twin", .addresses = { "10.0.0.3" } },
	{ .id = "eeeeeeee-5555-4000-8000-00000000000e", .name = "twin" },
	{ .id = "ffffffff-6666-4000-8000-00000000000f", .name = "long.example.org" },
};

struct match_case {
	const char *what;
	const char *name, *provider, *system, *machine, *ip;
	const char *id; /* NULL: none */
	enum match_how how;
	bool is_verified;
	const char *missing;
};

static const struct match_case cases[] = {
	{ "providerID", "node-a", "openstack:///" ID_A, "", "", "", ID_A, MATCH_PROVIDER_ID, true, "" },
	{ "with a region", "node-a", "openstack://RegionOne/" ID_A, "", "", "", ID_A, MATCH_PROVIDER_ID, true, "" },
	{ "bare", "node-a", ID_A, "", "", "", ID_A, MATCH_PROVIDER_ID, true, "" },
	{ "upper case", "node-a", "openstack:///AAAAAAAA-1111-4000-8000-00000000000A", "", "", "", ID_A,
	  MATCH_PROVIDER_ID, true, "" },
	{ "another cloud's", "node-a", "aws:///eu-1/i-0123", "", "", "", ID_A, MATCH_NAME, true, "" },
	{ "nothing but slashes", "node-x", "openstack:///", "", "", "", NULL, MATCH_NONE, false, "" },
	{ "systemUUID", "node-b", "", "BBBBBBBB-2222-4000-8000-00000000000B", "", "", ID_B, MATCH_SYSTEM_UUID, true,
	  "" },
	{ "machineID", "node-b", "", "",
	  "bbbbbbbb2222400080000000"
	  "0000000b",
	  "", ID_B, MATCH_MACHINE_ID, true, "" },
	{ "systemUUID wins over machineID", "node-b", "", ID_B,
	  "aaaaaaaa1111400080000000"
	  "0000000a",
	  "", ID_B, MATCH_SYSTEM_UUID, true, "" },
	{ "verified by address", "other", "openstack:///" ID_B, "", "", "10.0.0.2", ID_B, MATCH_PROVIDER_ID, true, "" },
	{ "not verified", "other", "openstack:///" ID_B, "", "", "10.0.0.9", ID_B, MATCH_PROVIDER_ID, false, "" },
	{ "no address is no agreement", "other", "openstack:///" ID_B, "", "", "", ID_B, MATCH_PROVIDER_ID, false, "" },
	{ "node with a domain", "node-a.example.org", "openstack:///" ID_A, "", "", "", ID_A, MATCH_PROVIDER_ID, true,
	  "" },
	{ "server with a domain", "long", "openstack:///ffffffff-6666-4000-8000-00000000000f", "", "", "",
	  "ffffffff-6666-4000-8000-00000000000f", MATCH_PROVIDER_ID, true, "" },
	{ "a mere prefix", "node-ab", "openstack:///" ID_A, "", "", "", ID_A, MATCH_PROVIDER_ID, false, "" },
	{ "name", "node-a", "", "", "", "", ID_A, MATCH_NAME, true, "" },
	{ "name of two", "twin", "", "", "", "", NULL, MATCH_NONE, false, "" },
	{ "one of the two by address does not help", "twin", "", "", "", "10.0.0.3", NULL, MATCH_NONE, false, "" },
	{ "replaced in place, old one gone", "node-b", "openstack:///" ID_GONE, ID_B, "", "", ID_B, MATCH_SYSTEM_UUID,
	  true, "" },
	{ "replaced in place, old one still listed", "node-b", "openstack:///" ID_A, ID_B, "", "", ID_B,
	  MATCH_SYSTEM_UUID, true, "" },
	{ "nodeInfo speaks of a stranger", "node-a", "openstack:///" ID_A, ID_B, "", "", ID_A, MATCH_PROVIDER_ID, true,
	  "" },
	{ "the server is gone", "node-x", "openstack:///" ID_GONE, ID_GONE, "", "", NULL, MATCH_NONE, false, ID_GONE },
	{ "gone, known by providerID alone", "node-x", "openstack:///" ID_GONE, "", "", "", NULL, MATCH_NONE, false,
	  ID_GONE },
	{ "gone, known by systemUUID alone", "node-x", "", ID_GONE, "", "", NULL, MATCH_NONE, false, ID_GONE },
	{ "gone; systemUUID is the hypervisor's own", "node-x", "openstack:///" ID_GONE,
	  "12345678-0000-4000-8000-000000000000", "99999999000040008000000000000000", "", NULL, MATCH_NONE, false,
	  ID_GONE },
	{ "replaced in place and gone again", "node-x", "openstack:///" ID_GONE, "12345678-0000-4000-8000-000000000000",
	  "12345678000040008000000000000000", "", NULL, MATCH_NONE, false, "12345678-0000-4000-8000-000000000000" },
	{ "names nothing", "node-x", "", "", "", "", NULL, MATCH_NONE, false, "" },
	{ "garbage", "node-x", "openstack:///not-a-uuid", "Not Specified", "0123", "", NULL, MATCH_NONE, false, "" },
	{ "too many digits", "node-x", "openstack:///" ID_A "0", ID_B "1", "", "", NULL, MATCH_NONE, false, "" },
};

static void finds_the_server(void **state)
{
	(void)state;
	struct snapshot snapshot = { .machines = machines, .machines_count = COUNT(machines) };
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct match_case *c = &cases[i];
		struct node node = { .name = c->name,
				     .provider_id = c->provider,
				     .system_uuid = c->system,
				     .machine_id = c->machine,
				     .internal_ip = c->ip };
		struct match match = match_node(&snapshot, &node);
		CHECK(text_eq(match.machine != NULL ? match.machine->id : NULL, c->id), "%s: %s", c->what,
		      match.machine != NULL ? match.machine->id : "none");
		CHECK(match.how == c->how, "%s: %d", c->what, match.how);
		CHECK(match.is_verified == c->is_verified, "%s", c->what);
		CHECK(strcmp(match.missing, c->missing) == 0, "%s: missing %s", c->what, match.missing);
	}
}

/* A server that was replaced half-way stays, switched off; the one that took its place is gone. */
static void leaves_behind(void **state)
{
	(void)state;
	static const struct {
		const char *what, *provider, *system, *other, *status;
		int64_t created_ms;
		bool is_left;
	} table[] = {
		{ "named by the providerID", ID_A, ID_GONE, ID_B, "SHUTOFF", 500, true },
		{ "named by the name alone", "99999999-0000-4000-8000-000000000000", ID_GONE, ID_B, "SHUTOFF", 500,
		  true },
		{ "it runs", ID_A, ID_GONE, ID_B, "ACTIVE", 500, false },
		{ "made after the kubelet's last word", ID_A, ID_GONE, ID_B, "SHUTOFF", 2000, false },
		{ "made nobody knows when", ID_A, ID_GONE, ID_B, "SHUTOFF", 0, false },
		{ "no kubelet names its server here", ID_A, ID_GONE, ID_GONE, "SHUTOFF", 500, false },
		{ "it is what the kubelet speaks of", ID_A, ID_A, ID_B, "SHUTOFF", 500, false },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct machine list[2] = { { .id = ID_A, .name = "node-a" }, { .id = ID_B, .name = "node-b" } };
		(void)TEXT_COPY(list[0].status, table[i].status);
		list[0].created.ms = table[i].created_ms;
		struct condition ready = { .type = "Ready", .heartbeat = { 1000 } };
		struct node node = { .name = "node-a",
				     .provider_id = table[i].provider,
				     .system_uuid = table[i].system,
				     .machine_id = table[i].system,
				     .internal_ip = "",
				     .created = { 100 },
				     .conditions = &ready,
				     .conditions_count = 1 };
		struct node other = { .name = "node-b", .system_uuid = table[i].other };
		const struct node *nodes[] = { &node, &other };
		struct snapshot snapshot = { .machines = list, .machines_count = 2, .nodes = nodes, .nodes_count = 2 };
		struct match match = match_node(&snapshot, &node);
		CHECK((match.machine == NULL) == table[i].is_left, "%s", table[i].what);
		CHECK(strcmp(match.missing, table[i].is_left ? ID_GONE : "") == 0, "%s: missing %s", table[i].what,
		      match.missing);
	}
}

static void without_any_servers(void **state)
{
	(void)state;
	struct snapshot empty = { 0 };
	struct node node = { .name = "node-a",
			     .provider_id = "openstack:///" ID_A,
			     .system_uuid = "",
			     .machine_id = "",
			     .internal_ip = "" };
	struct match match = match_node(&empty, &node);
	assert_null(match.machine);
	assert_string_equal(match.missing, ID_A);
	assert_null(snapshot_node(&empty, "node-a"));
}

static void compares_uuids(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool is_same;
	} pairs[] = {
		{ ID_A, ID_A, true },   { "AB-cd", "abCD", true }, { "a-b-", "ab", true }, { "--ab", "ab", true },
		{ "ab", "abc", false }, { "", "", false },         { "", ID_A, false },    { ID_A, ID_B, false },
	};
	for (size_t i = 0; i < COUNT(pairs); i++) {
		CHECK(uuid_same(pairs[i].a, pairs[i].b) == pairs[i].is_same, "%zu", i);
		CHECK(uuid_same(pairs[i].b, pairs[i].a) == pairs[i].is_same, "%zu reversed", i);
	}
}

static void finds_among_many(void **state)
{
	(void)state;
	struct lab *lab = xcalloc(1, sizeof *lab);
	lab_init(lab, 3, 50);
	const struct snapshot *snapshot = lab_look(lab);
	for (size_t i = 0; i < lab->count; i++) {
		assert_ptr_equal(snapshot_node(snapshot, lab->names[i]), &lab->nodes[i]);
		assert_ptr_equal(snapshot_machine(snapshot, lab->machines[i].id), &lab->machines[i]);
		assert_ptr_equal(match_node(snapshot, &lab->nodes[i]).machine, &lab->machines[i]);
	}
	assert_null(snapshot_node(snapshot, "n-0005"));
	assert_null(snapshot_machine(snapshot, ID_A));
	assert_null(snapshot_machine(snapshot, ""));
	lab_done(lab);
	free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_server),    cmocka_unit_test(leaves_behind),
		cmocka_unit_test(without_any_servers), cmocka_unit_test(compares_uuids),
		cmocka_unit_test(finds_among_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
