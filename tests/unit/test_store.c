/* The store and what feeds it: Node decoding (recorded bytes of a real API server and hand-made ones), the splitter of
 * lists, sweeping, and a model test against a naive list. */
#include "kube_fixture.h"

#include "base/rand.h"
#include "kube/node_pb.h"
#include "kube/split.h"
#include "kube/store.h"

static bool put(struct store *store, const struct small_node *n, bool *out_changed)
{
	struct buf node = small_node(n);
	struct err err = { 0 };
	bool ok = store_put(store, buf_str(&node), out_changed, &err);
	buf_done(&node);
	return ok;
}

static bool item_to_store(void *ctx, struct str item, struct err *err)
{
	return store_put(ctx, item, NULL, err);
}

/* Feeds BYTES in pieces of at most PIECE. */
static bool feed(struct split *split, struct str bytes, size_t piece, struct err *err)
{
	for (size_t at = 0; at < bytes.n; at += piece) {
		size_t n = bytes.n - at < piece ? bytes.n - at : piece;
		/* a copy of exactly that size, so that the sanitizer sees each byte read too far */
		char *exact = xmalloc(n);
		memcpy(exact, bytes.p + at, n);
		bool ok = split_push(split, (struct str){ exact, n }, err);
		free(exact);
		if (!ok)
			return false;
	}
	return split_end(split, err);
}

static void check_recorded(const struct store *store)
{
	size_t count = 0;
	const struct node *const *nodes = store_nodes(store, &count);
	assert_int_equal(count, 4);
	const struct node *master = nodes[0];
	assert_string_equal(master->name, "lab-x7h3kq2mzv5p-master-0");
	assert_string_equal(master->uid, "1f113265-38e4-4cce-a564-fb1ecedf9d31");
	assert_string_equal(master->resource_version, "278");
	assert_string_equal(master->provider_id, "openstack:///90361613-f3f6-4bd7-aaf0-aa0926702da9");
	assert_string_equal(master->machine_id, "90361613f3f64bd7aaf0aa0926702da9");
	assert_string_equal(master->system_uuid, "90361613-f3f6-4bd7-aaf0-aa0926702da9");
	assert_string_equal(master->boot_id, "109395a4-2243-45bd-8252-8179c327bfdb");
	assert_string_equal(master->internal_ip, "127.21.0.1");
	assert_string_equal(master->group, "default-master");
	assert_string_equal(master->zone, "nova");
	assert_string_equal(master->cordon_mark, "");
	assert_int_equal(master->role, ROLE_MASTER);
	assert_false(master->is_cordoned);
	struct wall created;
	assert_true(wall_parse(STR("2026-11-22T18:23:48Z"), &created));
	assert_true(master->created.ms == created.ms);
	assert_true(master->deleted.ms == 0);
	assert_int_equal(master->taints_count, 1);
	assert_string_equal(master->taints[0].key, "node-role.kubernetes.io/master");
	assert_string_equal(master->taints[0].value, "");
	assert_string_equal(master->taints[0].effect, "NoSchedule");
	assert_int_equal(master->conditions_count, 5);
	const struct condition *ready = node_condition(master, "Ready");
	assert_non_null(ready);
	assert_int_equal(ready->status, STATUS_TRUE);
	assert_string_equal(ready->reason, "KubeletReady");
	assert_true(ready->transition.ms == created.ms);
	assert_true(ready->heartbeat.ms == created.ms);
	assert_string_equal(nodes[3]->name, "lab-x7h3kq2mzv5p-node-2");
	assert_int_equal(nodes[3]->role, ROLE_WORKER);
	assert_string_equal(nodes[3]->group, "default-worker");
	assert_ptr_equal(nodes[2]->group, nodes[3]->group); /* interned */
}

static void reads_a_recorded_list(void **state)
{
	(void)state;
	static const size_t pieces[] = { 1, 2, 3, 7, 100, 4096, 1 << 20 };
	struct buf page1 = data_read("page1.pb");
	struct buf page2 = data_read("page2.pb");
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct store *store = store_new();
		struct split split;
		struct err err = { 0 };
		store_list_begin(store);
		split_init(&split, item_to_store, store);
		if (!feed(&split, buf_str(&page1), pieces[i], &err))
			fail_msg("pieces of %zu: %s", pieces[i], err.text);
		assert_int_equal(split.items_count, 3);
		assert_string_equal(split.resource_version, "282");
		assert_true(text_starts(split.continue_token, "eyJ2Ijoi"));
		split_done(&split);
		split_init(&split, item_to_store, store);
		assert_true(feed(&split, buf_str(&page2), pieces[i], &err));
		assert_string_equal(split.resource_version, "282");
		assert_string_equal(split.continue_token, "");
		split_done(&split);
		store_list_end(store);
		check_recorded(store);
		store_free(store);
	}
	buf_done(&page1);
	buf_done(&page2);
}

static bool count_item(void *ctx, struct str item, struct err *err)
{
	(void)item;
	(void)err;
	++*(size_t *)ctx;
	return true;
}

static void refuses_a_list_cut_anywhere(void **state)
{
	(void)state;
	struct buf page = data_read("page2.pb");
	for (size_t n = 0; n < page.n; n++) {
		struct split split;
		size_t items = 0;
		split_init(&split, count_item, &items);
		/* four bytes short, the optional fields behind raw are missing: still a whole list by the format */
		bool ok = feed(&split, (struct str){ page.p, n }, 4096, NULL);
		if (ok && n + 8 < page.n)
			fail_msg("accepted after %zu of %zu bytes", n, page.n);
		split_done(&split);
	}
	buf_done(&page);
}

static void refuses_what_is_not_a_list(void **state)
{
	(void)state;
	struct buf other = status_object(410, "Expired", "too old", 0);
	static const struct {
		const char *name;
		struct str bytes;
		const char *why;
	} cases[] = {
		{ "JSON", STR("{\"kind\":\"NodeList\"}"), "not a Kubernetes protobuf object" },
		{ "nothing", STR(""), "cut off" },
		{ "magic only", STR("k8s\0"), "cut off" },
		{ "raw without kind", STR("k8s\0\x12\x02\x0a\x00"), "no kind" },
		{ "huge item",
		  STR("k8s\0\x0a\x0e\x0a\x02v1\x12\x08NodeList\x12\xff\xff\xff\xff\x7f\x12\xff\xff\xff\x7f"),
		  "more than" },
		{ "item over the list's end", STR("k8s\0\x0a\x0e\x0a\x02v1\x12\x08NodeList\x12\x05\x12\x20zzzzzzz"),
		  "over its end" },
		{ "number over the list's end", STR("k8s\0\x0a\x0e\x0a\x02v1\x12\x08NodeList\x12\x02\x08\xff\x01"),
		  "over its end" },
		{ "two lists", STR("k8s\0\x0a\x0e\x0a\x02v1\x12\x08NodeList\x12\x00\x12\x00"), "more than one list" },
		{ "no version", STR("k8s\0\x0a\x0e\x0a\x02v1\x12\x08NodeList\x12\x00"), "no resourceVersion" },
		{ "group", STR("k8s\0\x0b"), "no such kind" },
	};
	for (size_t i = 0; i <= COUNT(cases); i++) {
		struct split split;
		size_t items = 0;
		struct err err = { 0 };
		split_init(&split, count_item, &items);
		struct str bytes = i < COUNT(cases) ? cases[i].bytes : buf_str(&other);
		const char *why = i < COUNT(cases) ? cases[i].why : "not a NodeList";
		if (feed(&split, bytes, 3, &err))
			fail_msg("%s: accepted", cases[i].name);
		if (strstr(err.text, why) == NULL)
			fail_msg("case %zu: %s", i, err.text);
		split_done(&split);
	}
	buf_done(&other);
}

static void reads_group_role_and_marks(void **state)
{
	(void)state;
	static const struct {
		const char *key, *value, *group;
		enum role role;
	} cases[] = {
		{ "magnum.openstack.org/nodegroup", "g1", "g1", ROLE_WORKER },
		{ "capi.stackhpc.com/node-group", "g2", "g2", ROLE_WORKER },
		{ "node.cluster.x-k8s.io/nodegroup", "g3", "g3", ROLE_WORKER },
		{ "node-role.kubernetes.io/master", "", "", ROLE_MASTER },
		{ "node-role.kubernetes.io/control-plane", "", "", ROLE_MASTER },
		{ "node-role.kubernetes.io/worker", "", "", ROLE_WORKER },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store *store = store_new();
		assert_true(
			put(store,
			    &(struct small_node){ .name = "a", .label = cases[i].key, .label_value = cases[i].value },
			    NULL));
		const struct node *node = store_find(store, "a");
		assert_string_equal(node->group, cases[i].group);
		assert_int_equal(node->role, cases[i].role);
		store_free(store);
	}
}

static void prefers_magnums_group_label_in_any_order(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct buf meta = new_buf();
		struct buf node = new_buf();
		put_text(&meta, 1, "n");
		put_entry(&meta, 11, order ? "capi.stackhpc.com/node-group" : "magnum.openstack.org/nodegroup",
			  order ? "other" : "best");
		put_entry(&meta, 11, order ? "magnum.openstack.org/nodegroup" : "node.cluster.x-k8s.io/nodegroup",
			  order ? "best" : "other");
		put_entry(&meta, 12, "autohealing.openstack.org/cordoned", "case-7");
		put_message(&node, 1, &meta);
		struct store *store = store_new();
		assert_true(store_put(store, buf_str(&node), NULL, NULL));
		assert_string_equal(store_find(store, "n")->group, "best");
		assert_string_equal(store_find(store, "n")->cordon_mark, "case-7");
		store_free(store);
		buf_done(&node);
	}
}

/* --- annotations --- */

struct pair {
	const char *key;
	struct str value;
};

static struct buf annotated(const struct pair *pairs, size_t count)
{
	struct buf meta = new_buf();
	struct buf node = new_buf();
	put_text(&meta, 1, "n");
	for (size_t i = 0; i < count; i++) {
		struct buf entry = new_buf();
		put_text(&entry, 1, pairs[i].key);
		put_bytes(&entry, 2, pairs[i].value.p, pairs[i].value.n);
		put_message(&meta, 12, &entry);
	}
	put_message(&node, 1, &meta);
	return node;
}

static bool put_pairs(struct store *store, const struct pair *pairs, size_t count)
{
	bool is_changed = false;
	struct buf node = annotated(pairs, count);
	assert_true(store_put(store, buf_str(&node), &is_changed, NULL));
	buf_done(&node);
	return is_changed;
}

#define OURS(rest) ANNOTATION_PREFIX rest

static void keeps_the_annotations_that_are_asked_for(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
		{ OURS("cordoned"), STR("case-7") },
		{ OURS("paused"), STR("disk swap; until=2026-11-23T06:00:00Z") },
		{ "cluster.x-k8s.io/machine", STR("m-1") },
		{ "example.com/bad", STR("true") },
		{ "kubectl.kubernetes.io/last-applied-configuration", STR("{}") },
		{ "weave.works/kured-reboot-in-progress", STR("") },
	};
	for (int is_wanted = 0; is_wanted < 2; is_wanted++) {
		struct store *store = store_new();
		if (is_wanted) {
			store_want(store, "example.com/bad");
			store_want(store, "example.com/bad");
			store_want(store, OURS("paused")); /* was wanted already */
		}
		assert_true(put_pairs(store, pairs, COUNT(pairs)));
		const struct node *node = store_find(store, "n");
		assert_string_equal(node->cordon_mark, "case-7");
		assert_int_equal(node->annotations_count, 3 + is_wanted);
		assert_string_equal(node_annotation(node, OURS("paused")), pairs[1].value.p);
		assert_string_equal(node_annotation(node, "cluster.x-k8s.io/machine"), "m-1");
		assert_string_equal(node_annotation(node, "weave.works/kured-reboot-in-progress"), "");
		assert_null(node_annotation(node, "kubectl.kubernetes.io/last-applied-configuration"));
		assert_null(node_annotation(node, OURS("cordoned")));
		assert_true((node_annotation(node, "example.com/bad") != NULL) == is_wanted);
		assert_false(put_pairs(store, pairs, COUNT(pairs)));
		store_free(store);
	}
}

static void sees_changes_of_annotations(void **state)
{
	(void)state;
	static const struct pair none[] = { { "x", STR("1") } };
	static const struct pair paused[] = { { "x", STR("2") }, { OURS("paused"), STR("a") } };
	static const struct pair other[] = { { "x", STR("3") }, { OURS("paused"), STR("b") } };
	static const struct pair key[] = { { OURS("pauses"), STR("b") } };
	struct store *store = store_new();
	assert_true(put_pairs(store, none, COUNT(none)));
	assert_true(put_pairs(store, paused, COUNT(paused)));
	assert_true(put_pairs(store, other, COUNT(other)));
	assert_false(put_pairs(store, other, COUNT(other)));
	assert_true(put_pairs(store, key, COUNT(key)));
	assert_true(put_pairs(store, none, COUNT(none)));
	assert_int_equal(store_find(store, "n")->annotations_count, 0);
	assert_false(put_pairs(store, none, COUNT(none)));
	store_free(store);
}

/* Somebody meant something with it: a value is cut, replaced, anything but lost. */
static void odd_values_of_annotations_stay_values(void **state)
{
	(void)state;
	char huge[100000];
	char runes[NODE_ANNOTATION_BYTES_MAX + 3];
	char bytes[NODE_ANNOTATION_BYTES_MAX + 3];
	memset(huge, 'x', sizeof huge);
	memset(runes, 'y', sizeof runes);
	memset(bytes, '\xbf', sizeof bytes);
	memcpy(runes + NODE_ANNOTATION_BYTES_MAX - 1, "\xc3\xa4", 2);
	const struct {
		const char *name;
		struct str value;
		size_t n;
		char first;
	} cases[] = {
		{ "empty", STR(""), 0, '\0' },
		{ "as long as is kept", { huge, NODE_ANNOTATION_BYTES_MAX }, NODE_ANNOTATION_BYTES_MAX, 'x' },
		{ "longer", { huge, NODE_ANNOTATION_BYTES_MAX + 1 }, NODE_ANNOTATION_BYTES_MAX, 'x' },
		{ "huge", { huge, sizeof huge }, NODE_ANNOTATION_BYTES_MAX, 'x' },
		{ "not in a character", { runes, sizeof runes }, NODE_ANNOTATION_BYTES_MAX - 1, 'y' },
		{ "no UTF-8", { bytes, sizeof bytes }, NODE_ANNOTATION_BYTES_MAX, '\xbf' },
		{ "a NUL in it", STR("ab\0cd"), 2, 'a' },
		{ "nothing but a NUL", STR("\0"), 1, '?' },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store *store = store_new();
		const struct pair pair = { OURS("paused"), cases[i].value };
		print_message("# %s\n", cases[i].name);
		assert_true(put_pairs(store, &pair, 1));
		const char *value = node_annotation(store_find(store, "n"), OURS("paused"));
		assert_non_null(value);
		assert_int_equal(strlen(value), cases[i].n);
		assert_int_equal(value[0], cases[i].first);
		assert_false(put_pairs(store, &pair, 1));
		store_free(store);
	}
}

/* Whoever may annotate a node can not push the pause out of it. */
static void a_pause_has_its_place_among_many(void **state)
{
	(void)state;
	for (size_t at = 0; at < 60; at += 59) { /* the pause comes first, and last */
		struct pair pairs[60];
		char keys[60][80];
		struct store *store = store_new();
		for (size_t i = 0; i < 30; i++)
			(void)snprintf(keys[i], sizeof keys[i], "example.com/k%02zu", i);
		for (size_t i = 30; i < COUNT(pairs); i++)
			(void)snprintf(keys[i], sizeof keys[i], OURS("z%02zu"), i);
		for (size_t i = 0; i < COUNT(pairs); i++)
			pairs[i] = (struct pair){ keys[i], STR("v") };
		pairs[at] = (struct pair){ OURS("paused"), STR("stop") };
		for (size_t i = 0; i < 30; i++)
			store_want(store, keys[i]);
		assert_true(put_pairs(store, pairs, COUNT(pairs)));
		const struct node *node = store_find(store, "n");
		assert_int_equal(node->annotations_count, NODE_ANNOTATIONS_MAX);
		assert_string_equal(node_annotation(node, OURS("paused")), "stop");
		for (size_t i = 0; i < node->annotations_count; i++)
			assert_true(text_starts(node->annotations[i].key, ANNOTATION_PREFIX));
		assert_false(put_pairs(store, pairs, COUNT(pairs)));
		store_free(store);
	}
}

/* 100,000 nodes have none: what they cost for it is little. */
static void a_node_without_annotations_costs_nothing_more(void **state)
{
	(void)state;
	static const struct pair none[] = { { "example.com/a", STR("1") }, { "example.com/b", STR("2") } };
	static const struct pair one[] = { { OURS("paused"), STR("abc") } };
	struct intern *intern = intern_new();
	struct node_view view;
	size_t bytes[2];
	for (int i = 0; i < 2; i++) {
		struct buf node = annotated(i ? one : none, i ? COUNT(one) : COUNT(none));
		assert_true(node_view_read(buf_str(&node), &(struct wanted_keys){ 0 }, &view, NULL));
		bytes[i] = node_block_bytes(&view, intern);
		buf_done(&node);
	}
	assert_int_equal(bytes[0], sizeof(struct node) + sizeof "n");
	assert_int_equal(bytes[1] - bytes[0], sizeof(struct annotation) + sizeof "abc"); /* the key is shared */
	/* 11 texts, 2 times, role, 2 flags, 3 counts, 2 arrays: it was 136 bytes */
	assert_true(sizeof(struct node) <= 136 + 16);
	intern_free(intern);
}

static void refuses_nodes_that_are_none(void **state)
{
	(void)state;
	char longest[NODE_NAME_BYTES];
	char too_long[NODE_NAME_BYTES + 1];
	memset(longest, 'a', sizeof longest - 1);
	memset(too_long, 'a', sizeof too_long - 1);
	longest[sizeof longest - 1] = too_long[sizeof too_long - 1] = '\0';
	static const char *const bad[] = { NULL, "", "a/b", "a b", "..", "-a", "a%2f", "\xc3\xa4" };
	struct store *store = store_new();
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (put(store, &(struct small_node){ .name = bad[i] }, NULL))
			fail_msg("accepted name %zu", i);
	}
	assert_false(put(store, &(struct small_node){ .name = too_long }, NULL));
	assert_false(store_put(store, STR("\xff\xff"), NULL, NULL));
	assert_false(store_put(store, STR(""), NULL, NULL));
	assert_true(store_version(store) == 0);
	assert_true(put(store, &(struct small_node){ .name = longest }, NULL));
	size_t count = 0;
	(void)store_nodes(store, &count);
	assert_int_equal(count, 1);
	store_free(store);
}

static void odd_strings_and_times_count_as_absent(void **state)
{
	(void)state;
	struct buf meta = new_buf();
	struct buf spec = new_buf();
	struct buf node = new_buf();
	char huge[NODE_TEXT_BYTES_MAX + 2];
	memset(huge, 'x', sizeof huge - 1);
	huge[sizeof huge - 1] = '\0';
	put_text(&meta, 1, "n");
	put_bytes(&meta, 5, "a\0b", 3);
	put_time(&meta, 8, -62135596800); /* Go's zero time */
	put_time(&meta, 9, INT64_MAX);
	put_text(&spec, 3, huge);
	put_message(&node, 1, &meta);
	put_message(&node, 2, &spec);
	struct store *store = store_new();
	assert_true(store_put(store, buf_str(&node), NULL, NULL));
	const struct node *read = store_find(store, "n");
	assert_string_equal(read->uid, "");
	assert_string_equal(read->provider_id, "");
	assert_true(read->created.ms == 0 && read->deleted.ms == 0);
	store_free(store);
	buf_done(&node);
}

static void bounds_conditions_and_interned_strings(void **state)
{
	(void)state;
	struct store *store = store_new();
	char reason[32];
	for (int round = 0; round < 40; round++) {
		struct buf meta = new_buf();
		struct buf status = new_buf();
		struct buf node = new_buf();
		put_text(&meta, 1, "n");
		put_condition(&status, "Ready", "True", "KubeletReady", 1, 2);
		for (int i = 0; i < 200; i++) {
			(void)snprintf(reason, sizeof reason, "Reason%d-%d", round, i);
			put_condition(&status, "Other", "weird", reason, 1, 2);
		}
		put_message(&node, 1, &meta);
		put_message(&node, 3, &status);
		assert_true(store_put(store, buf_str(&node), NULL, NULL));
		buf_done(&node);
		const struct node *read = store_find(store, "n");
		assert_int_equal(read->conditions_count, NODE_CONDITIONS_MAX);
		assert_string_equal(read->conditions[0].type, "Ready");
		assert_int_equal(read->conditions[1].status, STATUS_UNKNOWN);
		(void)snprintf(reason, sizeof reason, "Reason%d-%d", round, NODE_CONDITIONS_MAX - 2);
		assert_string_equal(read->conditions[NODE_CONDITIONS_MAX - 1].reason, reason);
	}
	store_free(store);
	struct intern *intern = intern_new();
	for (int i = 0; i < INTERN_COUNT_MAX + 10; i++) {
		(void)snprintf(reason, sizeof reason, "r%d", i);
		const char *first = intern_text(intern, str_of(reason));
		if (i < INTERN_COUNT_MAX)
			assert_ptr_equal(first, intern_text(intern, str_of(reason)));
		else
			assert_null(first);
	}
	assert_int_equal(intern_count(intern), INTERN_COUNT_MAX);
	intern_free(intern);
}

static void knows_what_matters(void **state)
{
	(void)state;
	const struct small_node first = { "a", "u1", "1", "topology.kubernetes.io/zone", "z", "True", 100, 200, false };
	struct small_node heartbeat = first;
	heartbeat.heartbeat = 500;
	heartbeat.version = "123456789";
	struct small_node changes[6];
	for (size_t i = 0; i < COUNT(changes); i++)
		changes[i] = first;
	changes[0].ready = "Unknown";
	changes[1].transition = 101;
	changes[2].is_cordoned = true;
	changes[3].uid = "u2";
	changes[4].label_value = "y";
	changes[5].ready = NULL;
	for (size_t i = 0; i < COUNT(changes); i++) {
		struct store *store = store_new();
		bool is_changed = false;
		assert_true(put(store, &first, &is_changed));
		assert_true(is_changed);
		uint64_t version = store_version(store);
		assert_true(put(store, &heartbeat, &is_changed));
		assert_false(is_changed);
		assert_true(store_version(store) == version);
		assert_string_equal(store_find(store, "a")->resource_version, "123456789");
		assert_true(node_condition(store_find(store, "a"), "Ready")->heartbeat.ms == 500000);
		assert_true(put(store, &changes[i], &is_changed));
		if (!is_changed || store_version(store) != version + 1)
			fail_msg("change %zu was not seen", i);
		store_free(store);
	}
}

static void keeps_a_node_in_place_while_its_size_stays(void **state)
{
	(void)state;
	struct store *store = store_new();
	assert_true(put(store, &(struct small_node){ .name = "a", .version = "10", .ready = "True" }, NULL));
	const struct node *before = store_find(store, "a");
	assert_true(put(store, &(struct small_node){ .name = "a", .version = "11", .ready = "False" }, NULL));
	assert_ptr_equal(before, store_find(store, "a"));
	assert_int_equal(node_condition(before, "Ready")->status, STATUS_FALSE);
	struct small_node grown = { .name = "a",
				    .version = "12",
				    .uid = "a-uid-that-is-much-longer-than-before-and-so"
					   "-needs-another-block-of-memory" };
	assert_true(put(store, &grown, NULL));
	assert_string_equal(store_find(store, "a")->uid, grown.uid);
	size_t count = 0;
	assert_ptr_equal(store_nodes(store, &count)[0], store_find(store, "a"));
	assert_int_equal(count, 1);
	store_free(store);
}

static void sweeps_only_after_a_whole_listing(void **state)
{
	(void)state;
	struct store *store = store_new();
	size_t count = 0;
	for (int i = 0; i < 5; i++)
		assert_true(put(store, &(struct small_node){ .name = (const char *[]){ "e", "b", "a", "d", "c" }[i] },
				NULL));
	uint64_t version = store_version(store);
	store_list_begin(store);
	assert_true(put(store, &(struct small_node){ .name = "b" }, NULL));
	store_list_abandon(store);
	(void)store_nodes(store, &count);
	assert_int_equal(count, 5);
	assert_true(store_version(store) == version);
	store_list_begin(store);
	assert_true(put(store, &(struct small_node){ .name = "d" }, NULL));
	assert_true(put(store, &(struct small_node){ .name = "bb" }, NULL));
	assert_true(put(store, &(struct small_node){ .name = "aa" }, NULL));
	assert_true(store_delete(store, "aa"));
	assert_false(store_delete(store, "aa"));
	store_list_end(store);
	const struct node *const *nodes = store_nodes(store, &count);
	assert_int_equal(count, 2);
	assert_string_equal(nodes[0]->name, "bb");
	assert_string_equal(nodes[1]->name, "d");
	assert_null(store_find(store, "b"));
	assert_true(store_version(store) > version);
	version = store_version(store);
	store_list_begin(store);
	assert_true(put(store, &(struct small_node){ .name = "d" }, NULL));
	assert_true(put(store, &(struct small_node){ .name = "bb" }, NULL));
	store_list_end(store);
	assert_true(store_version(store) == version); /* nothing moved */
	store_list_begin(store);
	store_list_end(store);
	(void)store_nodes(store, &count);
	assert_int_equal(count, 0);
	store_free(store);
}

#define MODEL_NAMES 200

static void check_model(const struct store *store, const bool *has, unsigned seed)
{
	size_t count = 0;
	size_t at = 0;
	const struct node *const *nodes = store_nodes(store, &count);
	for (int i = 0; i < MODEL_NAMES; i++) {
		char name[16];
		(void)snprintf(name, sizeof name, "n%03d", i);
		const struct node *found = store_find(store, name);
		if ((found != NULL) != has[i])
			fail_msg("seed %u: %s", seed, name);
		if (!has[i])
			continue;
		if (at >= count || nodes[at++] != found)
			fail_msg("seed %u: %s is not in its place", seed, name);
	}
	if (at != count)
		fail_msg("seed %u: %zu nodes, %zu wanted", seed, count, at);
}

static void behaves_like_a_naive_set(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		struct rng rng = { seed };
		struct store *store = store_new();
		bool has[MODEL_NAMES] = { false };
		bool seen[MODEL_NAMES] = { false };
		bool is_listing = false;
		for (int step = 0; step < 400; step++) {
			size_t i = rng_below(&rng, MODEL_NAMES);
			char name[16];
			char uid[64];
			(void)snprintf(name, sizeof name, "n%03zu", i);
			(void)snprintf(uid, sizeof uid, "%.*s", (int)rng_below(&rng, 60),
				       "123456789012345678901234567890123456789012345678901234567890");
			unsigned what = (unsigned)rng_below(&rng, 100);
			if (what < 60) {
				assert_true(put(store, &(struct small_node){ .name = name, .uid = uid }, NULL));
				has[i] = seen[i] = true;
			} else if (what < 90) {
				assert_true(store_delete(store, name) == has[i]);
				has[i] = seen[i] = false;
			} else if (!is_listing) {
				store_list_begin(store);
				memset(seen, 0, sizeof seen);
				is_listing = true;
			} else if (what < 95) {
				store_list_end(store);
				memcpy(has, seen, sizeof has);
				is_listing = false;
			} else {
				store_list_abandon(store);
				is_listing = false;
			}
			if (step % 16 == 0)
				check_model(store, has, seed);
		}
		check_model(store, has, seed);
		store_free(store);
	}
}

/* Backwards is the worst order for a sorted array: must not cost the square of the count. */
static void takes_a_large_list_in_any_order(void **state)
{
	(void)state;
	struct store *store = store_new();
	store_list_begin(store);
	for (int i = 20000; i > 0; i--) {
		char name[16];
		(void)snprintf(name, sizeof name, "node-%06d", i);
		assert_true(put(store, &(struct small_node){ .name = name, .ready = "True" }, NULL));
	}
	store_list_end(store);
	size_t count = 0;
	const struct node *const *nodes = store_nodes(store, &count);
	assert_int_equal(count, 20000);
	for (size_t i = 1; i < count; i++)
		assert_true(strcmp(nodes[i - 1]->name, nodes[i]->name) < 0);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_recorded_list),
		cmocka_unit_test(refuses_a_list_cut_anywhere),
		cmocka_unit_test(refuses_what_is_not_a_list),
		cmocka_unit_test(reads_group_role_and_marks),
		cmocka_unit_test(prefers_magnums_group_label_in_any_order),
		cmocka_unit_test(keeps_the_annotations_that_are_asked_for),
		cmocka_unit_test(sees_changes_of_annotations),
		cmocka_unit_test(odd_values_of_annotations_stay_values),
		cmocka_unit_test(a_pause_has_its_place_among_many),
		cmocka_unit_test(a_node_without_annotations_costs_nothing_more),
		cmocka_unit_test(refuses_nodes_that_are_none),
		cmocka_unit_test(odd_strings_and_times_count_as_absent),
		cmocka_unit_test(bounds_conditions_and_interned_strings),
		cmocka_unit_test(knows_what_matters),
		cmocka_unit_test(keeps_a_node_in_place_while_its_size_stays),
		cmocka_unit_test(sweeps_only_after_a_whole_listing),
		cmocka_unit_test(behaves_like_a_naive_set),
		cmocka_unit_test(takes_a_large_list_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
