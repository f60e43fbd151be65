/* The state ConfigMap as the reflector keeps it: what is read of one object, and each way of a watch. */
#include "kube_fixture.h"

#include "kube/state_object.h"

#define PB_WATCH "content-type: application/vnd.kubernetes.protobuf;stream=watch\n"
#define PB_TYPE "content-type: application/vnd.kubernetes.protobuf\n"
#define PATH "/api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Dst&"

/* A ConfigMap message; NULL: that part is not there. */
struct map {
	const char *name, *version;
	const char *text;   /* data["pauses.json"] */
	const char *binary; /* binaryData["pauses.json"] */
	size_t filler;      /* bytes of data["state.json"] */
};

static struct buf map_message(const struct map *map)
{
	struct buf meta = new_buf();
	struct buf out = new_buf();
	if (map->name != NULL)
		put_text(&meta, 1, map->name);
	put_text(&meta, 6, map->version != NULL ? map->version : "7");
	put_message(&out, 1, &meta);
	if (map->text != NULL)
		put_entry(&out, 2, "pauses.json", map->text);
	if (map->filler > 0) {
		char *filler = xmalloc(map->filler + 1);
		memset(filler, 'x', map->filler);
		filler[map->filler] = '\0';
		put_entry(&out, 2, "state.json", filler);
		free(filler);
	}
	if (map->binary != NULL)
		put_entry(&out, 3, "pauses.json", map->binary);
	return out;
}

static bool put(struct state_object *state, const struct map *map)
{
	struct buf message = map_message(map);
	struct err err = { 0 };
	bool ok = state_object_put(state, buf_str(&message), &err);
	assert_true(ok == (err.code == ERR_NONE));
	buf_done(&message);
	return ok;
}

static struct state_object *new_state(void)
{
	return state_object_new("kube-system", "st", "pauses.json", "state.json");
}

static void reads_the_one_key(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct map map;
		bool is_read, exists;
		const char *text;
	} cases[] = {
		{ "nothing in it", { .name = "st" }, true, true, "" },
		{ "the key", { .name = "st", .text = "[1]" }, true, true, "[1]" },
		{ "the key beside a journal", { .name = "st", .text = "[1]", .filler = 700000 }, true, true, "[1]" },
		{ "a journal alone", { .name = "st", .filler = 100 }, true, true, "" },
		{ "as binary", { .name = "st", .binary = "\xff" }, true, true, "\xff" },
		{ "text before binary", { .name = "st", .text = "[1]", .binary = "\xff" }, true, true, "[1]" },
		{ "another object", { .name = "su", .text = "[1]" }, true, false, "" },
		{ "no name", { .text = "[1]" }, false, false, "" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct state_object *object = new_state();
		print_message("# %s\n", cases[i].name);
		assert_true(put(object, &cases[i].map) == cases[i].is_read);
		assert_true(state_object_exists(object) == cases[i].exists);
		assert_true(str_eq(state_object_text(object), cases[i].text));
		assert_int_equal(state_object_changes(object), cases[i].text[0] != '\0');
		assert_string_equal(state_object_version(object), cases[i].exists ? "7" : "");
		assert_false(state_object_is_too_long(object));
		assert_true(state_object_has_beside(object) == (cases[i].map.filler > 0));
		state_object_free(object);
	}
}

static void refuses_a_message_cut_anywhere(void **state)
{
	(void)state;
	struct buf message = map_message(&(struct map){ .name = "st", .text = "[1]" });
	size_t whole = 0;
	for (size_t n = 0; n < message.n; n++) {
		struct state_object *object = new_state();
		struct err err = { 0 };
		char *exact = xmalloc(n + 1);
		memcpy(exact, message.p, n);
		/* cut between two fields it is a message again, without the text */
		if (state_object_put(object, (struct str){ exact, n }, &err)) {
			assert_int_equal(state_object_text(object).n, 0);
			whole++;
		}
		assert_int_equal(state_object_changes(object), 0);
		free(exact);
		state_object_free(object);
	}
	assert_int_equal(whole, 1);
	buf_done(&message);
}

static void counts_only_changes_of_the_text(void **state)
{
	(void)state;
	struct state_object *object = new_state();
	assert_true(put(object, &(struct map){ .name = "st", .version = "1", .text = "a" }));
	assert_true(put(object, &(struct map){ .name = "st", .version = "2", .text = "a", .filler = 10 }));
	assert_int_equal(state_object_changes(object), 1);
	assert_string_equal(state_object_version(object), "2");
	assert_true(put(object, &(struct map){ .name = "st", .version = "3", .text = "b" }));
	assert_int_equal(state_object_changes(object), 2);
	assert_true(put(object, &(struct map){ .name = "st", .version = "4" }));
	assert_int_equal(state_object_changes(object), 3);
	state_object_free(object);
}

/* Such a text is nothing that could be read, but somebody meant something with it. */
static void a_text_that_is_too_long_is_seen(void **state)
{
	(void)state;
	struct state_object *object = new_state();
	char *text = xcalloc(1, STATE_TEXT_BYTES_MAX + 2);
	memset(text, ' ', STATE_TEXT_BYTES_MAX);
	assert_true(put(object, &(struct map){ .name = "st", .text = text }));
	assert_false(state_object_is_too_long(object));
	assert_int_equal(state_object_text(object).n, STATE_TEXT_BYTES_MAX);
	text[STATE_TEXT_BYTES_MAX] = ' ';
	assert_true(put(object, &(struct map){ .name = "st", .text = text }));
	assert_true(state_object_is_too_long(object));
	assert_int_equal(state_object_text(object).n, 0);
	assert_int_equal(state_object_changes(object), 2);
	assert_true(put(object, &(struct map){ .name = "st", .text = text }));
	assert_int_equal(state_object_changes(object), 2);
	assert_true(put(object, &(struct map){ .name = "st", .text = "x" }));
	assert_false(state_object_is_too_long(object));
	free(text);
	state_object_free(object);
}

/* --- as the reflector's target --- */

struct rig {
	struct state_object *object;
	struct reflector *r;
	struct now now;
	struct rng rng;
	struct arena arena;
	struct reflector_request request;
};

static void rig_init(struct rig *rig)
{
	*rig = (struct rig){ .object = new_state(), .now = { { 1000000 }, { 1000000 } }, .rng = { 7 } };
	rig->r = reflector_new_for(state_object_target(rig->object));
	arena_init(&rig->arena);
}

static void rig_done(struct rig *rig)
{
	reflector_free(rig->r);
	state_object_free(rig->object);
	arena_done(&rig->arena);
}

static bool turn(struct rig *rig)
{
	return reflector_turn(rig->r, rig->now, &rig->rng);
}

static bool is_fresh(const struct rig *rig)
{
	return reflector_is_fresh(rig->r, rig->now);
}

/* Waits for the next request; gives the pause. */
static int64_t next_request(struct rig *rig)
{
	assert_false(turn(rig));
	int64_t pause = reflector_due(rig->r).ms - rig->now.mono.ms;
	rig->now.mono.ms += pause > 0 ? pause : 0;
	arena_reset(&rig->arena);
	assert_true(reflector_poll(rig->r, rig->now, &rig->rng, &rig->arena, &rig->request));
	return pause > 0 ? pause : 0;
}

static bool asks(const struct rig *rig, const char *part)
{
	return text_starts(rig->request.path, PATH) && strstr(rig->request.path, part) != NULL;
}

static void head(struct rig *rig, const char *headers)
{
	reflector_head(rig->r, &(struct http_answer){ .status = 200, .headers = str_of(headers), .body = STR("") });
}

static void done(struct rig *rig, int status, const char *headers, struct str body)
{
	struct http_answer answer = { .status = status, .headers = str_of(headers), .body = body };
	if (status == 0)
		answer.why = (struct err){ ERR_NETWORK, "connection reset" };
	reflector_done(rig->r, &answer);
}

static void event(struct rig *rig, const char *type, const struct map *map)
{
	struct buf stream = new_buf();
	struct buf message = map_message(map);
	struct buf object = enveloped("ConfigMap", &message);
	put_frame(&stream, type, &object);
	reflector_bytes(rig->r, buf_str(&stream));
	buf_done(&stream);
}

static void bookmark(struct rig *rig, const char *version, bool is_initial_end)
{
	struct buf stream = new_buf();
	struct buf meta = new_buf();
	struct buf message = new_buf();
	put_text(&meta, 6, version);
	if (is_initial_end)
		put_entry(&meta, 12, "k8s.io/initial-events-end", "true");
	put_message(&message, 1, &meta);
	struct buf object = enveloped("ConfigMap", &message);
	put_frame(&stream, "BOOKMARK", &object);
	reflector_bytes(rig->r, buf_str(&stream));
	buf_done(&stream);
}

static void sync_with(struct rig *rig, const char *text)
{
	(void)next_request(rig);
	assert_true(asks(rig, "sendInitialEvents=true"));
	head(rig, PB_WATCH);
	if (text != NULL)
		event(rig, "ADDED", &(struct map){ .name = "st", .version = "5", .text = text });
	bookmark(rig, "10", true);
	assert_false(turn(rig));
	assert_true(is_fresh(rig));
}

static void follows_the_object(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	assert_false(is_fresh(&rig));
	assert_non_null(strstr(reflector_trouble(rig.r), "the state ConfigMap"));
	sync_with(&rig, NULL);
	assert_false(state_object_exists(rig.object));
	event(&rig, "ADDED", &(struct map){ .name = "st", .version = "11", .text = "a" });
	assert_true(str_eq(state_object_text(rig.object), "a"));
	event(&rig, "MODIFIED", &(struct map){ .name = "st", .version = "12", .text = "b", .filler = 300000 });
	assert_true(str_eq(state_object_text(rig.object), "b"));
	event(&rig, "DELETED", &(struct map){ .name = "su", .version = "13", .text = "b" });
	assert_true(state_object_exists(rig.object));
	event(&rig, "DELETED", &(struct map){ .name = "st", .version = "14", .text = "b" });
	assert_false(state_object_exists(rig.object));
	assert_false(state_object_has_beside(rig.object));
	assert_int_equal(state_object_text(rig.object).n, 0);
	assert_int_equal(state_object_changes(rig.object), 3);
	assert_false(turn(&rig));
	assert_true(is_fresh(&rig));
	rig_done(&rig);
}

/* Made, its journal patched, a pause patched in by somebody else, the journal patched again, deleted. */
static void follows_a_recorded_stream(void **state)
{
	(void)state;
	static const size_t pieces[] = { 1, 7, 100000 };
	struct buf stream = data_read("configmap-watch.pb");
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct state_object *object =
			state_object_new("kube-system", "magnum-auto-healer-state", "pauses.json", "state.json");
		struct reflector *r = reflector_new_for(state_object_target(object));
		struct now now = { { 1000000 }, { 1000000 } };
		struct rng rng = { 7 };
		struct arena arena;
		struct reflector_request request;
		size_t longest = 0;
		arena_init(&arena);
		assert_true(reflector_poll(r, now, &rng, &arena, &request));
		reflector_head(r, &(struct http_answer){ .status = 200, .headers = str_of(PB_WATCH), .body = STR("") });
		for (size_t at = 0; at < stream.n; at += pieces[i]) {
			size_t n = stream.n - at < pieces[i] ? stream.n - at : pieces[i];
			reflector_bytes(r, (struct str){ stream.p + at, n });
			assert_false(reflector_turn(r, now, &rng));
			size_t now_n = state_object_text(object).n;
			longest = now_n > longest ? now_n : longest;
		}
		assert_true(reflector_is_fresh(r, now));
		assert_int_equal(reflector_stats(r)->events, 5);
		assert_int_equal(state_object_changes(object), 2); /* it came, and went */
		assert_true(pieces[i] > 7 || longest == strlen("[{\"what\":\"cluster\",\"reason\":\"switch swap\"}]"));
		assert_false(state_object_exists(object));
		arena_done(&arena);
		reflector_free(r);
		state_object_free(object);
	}
	buf_done(&stream);
}

/* No bookmarks, no events: an API server that has seen no ConfigMap change since it started. */
static void a_quiet_object_stays_fresh(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_with(&rig, "a");
	for (int i = 0; i < 30; i++) {
		long seconds = strtol(strstr(rig.request.path, "timeoutSeconds=") + 15, NULL, 10);
		assert_in_range(seconds, 50, 60);
		rig.now.mono.ms += seconds * SEC;
		assert_false(turn(&rig));
		assert_true(is_fresh(&rig));
		done(&rig, 200, "", STR(""));
		assert_int_equal(next_request(&rig), 0);
		assert_true(asks(&rig, "sendInitialEvents=true"));
		assert_true(is_fresh(&rig)); /* what is known stays known while it is read again */
		head(&rig, PB_WATCH);
		event(&rig, "ADDED", &(struct map){ .name = "st", .version = "5", .text = "a" });
		bookmark(&rig, "10", true);
		assert_false(turn(&rig));
		assert_true(is_fresh(&rig));
	}
	assert_int_equal(state_object_changes(rig.object), 1);
	/* ... and a change that no watch ever told of is found */
	rig.now.mono.ms += 60 * SEC;
	done(&rig, 200, "", STR(""));
	(void)next_request(&rig);
	head(&rig, PB_WATCH);
	bookmark(&rig, "40", true);
	assert_false(turn(&rig));
	assert_false(state_object_exists(rig.object));
	assert_int_equal(state_object_changes(rig.object), 2);
	rig_done(&rig);
}

/* Reading it again fails: what is known is as good as it was, and grows old. */
static void a_failed_reading_changes_nothing(void **state)
{
	(void)state;
	static const struct {
		int status;
		bool is_opened, is_fresh;
	} cases[] = { { 0, false, true },
		      { 500, false, true },
		      { 429, false, true },
		      { 403, false, false },
		      { 0, true, false } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig rig;
		rig_init(&rig);
		sync_with(&rig, "a");
		rig.now.mono.ms += 55 * SEC;
		done(&rig, 200, "", STR(""));
		(void)next_request(&rig);
		if (cases[i].is_opened) {
			head(&rig, PB_WATCH);
			event(&rig, "ADDED", &(struct map){ .name = "st", .version = "5", .text = "a" });
		}
		done(&rig, cases[i].status, "", STR(""));
		assert_in_range(next_request(&rig), 1 * SEC, 30 * SEC);
		assert_true(asks(&rig, "sendInitialEvents=true"));
		assert_true(is_fresh(&rig) == cases[i].is_fresh);
		rig.now.mono.ms += REFLECTOR_STALE_MS + 1;
		assert_false(turn(&rig));
		assert_false(is_fresh(&rig));
		assert_true(str_eq(state_object_text(rig.object), "a"));
		rig_done(&rig);
	}
}

static void a_dead_connection_is_not_fresh_for_long(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_with(&rig, "a");
	rig.now.mono.ms += REFLECTOR_STALE_MS + 1;
	assert_false(turn(&rig));
	assert_false(is_fresh(&rig));
	assert_true(str_eq(state_object_text(rig.object), "a")); /* a pause is not lifted by a dead wire */
	rig_done(&rig);
}

static void falls_back_to_pages(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	(void)next_request(&rig);
	done(&rig, 422, "", STR(""));
	assert_int_equal(next_request(&rig), 0);
	assert_true(asks(&rig, "limit=500"));
	struct buf list = new_buf();
	struct buf meta = new_buf();
	struct buf item = map_message(&(struct map){ .name = "st", .text = "a" });
	put_text(&meta, 2, "40");
	put_message(&list, 1, &meta);
	put_message(&list, 2, &item);
	struct buf answer = enveloped("ConfigMapList", &list);
	head(&rig, PB_TYPE);
	reflector_bytes(rig.r, buf_str(&answer));
	done(&rig, 200, PB_TYPE, STR(""));
	buf_done(&answer);
	assert_int_equal(next_request(&rig), 0);
	assert_true(is_fresh(&rig));
	assert_true(asks(&rig, "watch=1&resourceVersion=40&"));
	assert_true(str_eq(state_object_text(rig.object), "a"));
	/* the end of the watch: from the start, and fresh all the time */
	head(&rig, PB_WATCH);
	rig.now.mono.ms += 55 * SEC;
	done(&rig, 200, "", STR(""));
	assert_int_equal(next_request(&rig), 0);
	assert_true(asks(&rig, "sendInitialEvents=true"));
	assert_true(is_fresh(&rig));
	rig_done(&rig);
}

static void a_list_of_something_else_is_refused(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	(void)next_request(&rig);
	done(&rig, 422, "", STR(""));
	(void)next_request(&rig);
	struct buf list = node_list("n", 1, "9", "");
	head(&rig, PB_TYPE);
	reflector_bytes(rig.r, buf_str(&list));
	buf_done(&list);
	assert_true(turn(&rig));
	assert_false(is_fresh(&rig));
	assert_non_null(strstr(reflector_trouble(rig.r), "not a ConfigMapList"));
	rig_done(&rig);
}

static void starts_over_when_the_version_expires(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_with(&rig, "a");
	struct buf stream = new_buf();
	struct buf object = status_object(410, "Expired", "too old resource version", 0);
	put_frame(&stream, "ERROR", &object);
	reflector_bytes(rig.r, buf_str(&stream));
	buf_done(&stream);
	assert_true(turn(&rig));
	assert_false(is_fresh(&rig));
	assert_true(str_eq(state_object_text(rig.object), "a"));
	sync_with(&rig, "b");
	assert_true(str_eq(state_object_text(rig.object), "b"));
	rig_done(&rig);
}

/* No right to read it: never fresh, said so, and no flood of requests. */
static void a_refusal_is_told_and_waits(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	assert_int_equal(reflector_refusal(rig.r), 0);
	int64_t waited = 0;
	for (int i = 0; i < 10; i++) {
		waited += next_request(&rig);
		done(&rig, 403, "content-type: application/json\n", STR("{\"message\":\"configmaps is forbidden\"}"));
		assert_int_equal(reflector_refusal(rig.r), 403);
	}
	assert_true(waited > 60 * SEC);
	assert_false(turn(&rig));
	assert_false(is_fresh(&rig));
	assert_non_null(strstr(reflector_trouble(rig.r), "configmaps is forbidden"));
	sync_with(&rig, "a"); /* the right was given */
	assert_int_equal(reflector_refusal(rig.r), 0);
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_one_key),
		cmocka_unit_test(refuses_a_message_cut_anywhere),
		cmocka_unit_test(counts_only_changes_of_the_text),
		cmocka_unit_test(a_text_that_is_too_long_is_seen),
		cmocka_unit_test(follows_the_object),
		cmocka_unit_test(follows_a_recorded_stream),
		cmocka_unit_test(a_quiet_object_stays_fresh),
		cmocka_unit_test(a_failed_reading_changes_nothing),
		cmocka_unit_test(a_dead_connection_is_not_fresh_for_long),
		cmocka_unit_test(falls_back_to_pages),
		cmocka_unit_test(a_list_of_something_else_is_refused),
		cmocka_unit_test(starts_over_when_the_version_expires),
		cmocka_unit_test(a_refusal_is_told_and_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
