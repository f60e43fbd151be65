/* The list-and-watch machine: the frames it reads, and each way in which a request can end. */
#include "kube_fixture.h"

#include "kube/frame.h"
#include "kube/reflector.h"

#define PB_TYPE "content-type: application/vnd.kubernetes.protobuf\n"
#define PB_WATCH "content-type: application/vnd.kubernetes.protobuf;stream=watch\n"

/* --- frames --- */

struct heard {
	size_t count[5];
	char last_version[64];
	bool has_initial_end;
};

static bool hear_event(void *ctx, struct str bytes, struct err *err)
{
	struct heard *heard = ctx;
	struct watch_event event;
	struct object_meta meta;
	if (!watch_event_read(bytes, &event, err))
		return false;
	heard->count[event.type]++;
	if (event.type == WATCH_ERROR || !object_meta_read(event.object, &meta, err))
		return event.type == WATCH_ERROR;
	heard->has_initial_end |= meta.is_initial_events_end;
	return str_copy(heard->last_version, sizeof heard->last_version, meta.resource_version);
}

static bool push_pieces(struct frame *frame, struct str bytes, size_t piece, struct err *err)
{
	for (size_t at = 0; at < bytes.n; at += piece) {
		size_t n = bytes.n - at < piece ? bytes.n - at : piece;
		char *exact = xmalloc(n);
		memcpy(exact, bytes.p + at, n);
		bool ok = frame_push(frame, (struct str){ exact, n }, err);
		free(exact);
		if (!ok)
			return false;
	}
	return true;
}

static void frames_of_a_recorded_watch(void **state)
{
	(void)state;
	static const size_t pieces[] = { 1, 3, 5, 1000, 1 << 20 };
	struct buf stream = data_read("watchlist.pb");
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct heard heard = { 0 };
		struct frame frame;
		struct err err = { 0 };
		frame_init(&frame, hear_event, &heard);
		if (!push_pieces(&frame, buf_str(&stream), pieces[i], &err))
			fail_msg("pieces of %zu: %s", pieces[i], err.text);
		assert_true(frame_is_between(&frame));
		assert_int_equal(heard.count[WATCH_ADDED], 4);
		assert_true(heard.count[WATCH_MODIFIED] >= 2);
		assert_int_equal(heard.count[WATCH_DELETED], 1);
		assert_true(heard.count[WATCH_BOOKMARK] >= 1);
		assert_true(heard.has_initial_end);
		frame_done(&frame);
	}
	buf_done(&stream);
}

static void refuses_broken_frames(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct str bytes;
	} cases[] = {
		{ "JSON", STR("{\"type\":\"ADDED\"}") },
		{ "empty frame", STR("\0\0\0\0") },
		{ "9 MiB", STR("\0\x90\0\0") },
		{ "not protobuf", STR("\0\0\0\x02\xff\xff") },
		{ "unknown type", STR("\0\0\0\x06\x0a\x04"
				      "MOVE") },
		{ "no object", STR("\0\0\0\x07\x0a\x05"
				   "ADDED") },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct heard heard = { 0 };
		struct frame frame;
		struct err err = { 0 };
		frame_init(&frame, hear_event, &heard);
		if (push_pieces(&frame, cases[i].bytes, 1, &err) || err.code == ERR_NONE)
			fail_msg("%s: accepted", cases[i].name);
		assert_false(frame_push(&frame, STR("x"), &err)); /* stays refused */
		frame_done(&frame);
	}
}

/* --- the machine --- */

struct rig {
	struct store *store;
	struct reflector *r;
	struct now now;
	struct rng rng;
	struct arena arena;
	struct reflector_request request;
};

static void rig_init(struct rig *rig)
{
	*rig = (struct rig){ .store = store_new(), .now = { { 1000000 }, { 1000000 } }, .rng = { 7 } };
	rig->r = reflector_new(rig->store);
	arena_init(&rig->arena);
}

static void rig_done(struct rig *rig)
{
	reflector_free(rig->r);
	store_free(rig->store);
	arena_done(&rig->arena);
}

static void pass(struct rig *rig, int64_t ms)
{
	rig->now.mono.ms += ms;
	rig->now.wall.ms += ms;
}

static bool turn(struct rig *rig)
{
	return reflector_turn(rig->r, rig->now, &rig->rng);
}

static bool poll(struct rig *rig)
{
	arena_reset(&rig->arena);
	return reflector_poll(rig->r, rig->now, &rig->rng, &rig->arena, &rig->request);
}

static bool is_fresh(const struct rig *rig)
{
	return reflector_is_fresh(rig->r, rig->now);
}

static bool asks(const struct rig *rig, const char *part)
{
	return strstr(rig->request.path, part) != NULL;
}

/* Waits for the next request; gives the pause. */
static int64_t next_request(struct rig *rig)
{
	assert_false(turn(rig));
	int64_t pause = reflector_due(rig->r).ms - rig->now.mono.ms;
	if (pause > 0) {
		assert_false(poll(rig)); /* not before */
		pass(rig, pause);
	}
	assert_true(poll(rig));
	assert_false(poll(rig)); /* one at a time */
	return pause > 0 ? pause : 0;
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

static void bytes(struct rig *rig, struct buf *stream)
{
	reflector_bytes(rig->r, buf_str(stream));
	buf_done(stream);
}

static size_t nodes_count(const struct rig *rig)
{
	size_t count = 0;
	(void)store_nodes(rig->store, &count);
	return count;
}

/* The first request, answered by two nodes and the bookmark; the stream goes on. */
static void sync_by_watch_list(struct rig *rig)
{
	struct buf stream = new_buf();
	(void)next_request(rig);
	assert_true(asks(rig, "sendInitialEvents=true"));
	head(rig, PB_WATCH);
	put_node_event(&stream, "ADDED", &(struct small_node){ .name = "a", .version = "5", .ready = "True" });
	put_node_event(&stream, "ADDED", &(struct small_node){ .name = "b", .version = "6", .ready = "True" });
	put_bookmark(&stream, "10", true);
	bytes(rig, &stream);
	assert_false(turn(rig));
	assert_true(is_fresh(rig));
}

static void syncs_from_a_recorded_stream(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	assert_false(is_fresh(&rig));
	assert_true(reflector_trouble(rig.r)[0] != '\0');
	assert_false(turn(&rig));
	assert_true(poll(&rig));
	assert_true(text_starts(rig.request.path, "/api/v1/nodes?watch=1&sendInitialEvents=true"
						  "&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
						  "&timeoutSeconds="));
	long seconds = strtol(strstr(rig.request.path, "timeoutSeconds=") + 15, NULL, 10);
	assert_in_range(seconds, 290, 310);
	assert_true(text_starts(rig.request.accept, "application/vnd.kubernetes.protobuf"));
	assert_true(rig.request.silence_ms > 60 * SEC && rig.request.silence_ms < REFLECTOR_STALE_MS);
	struct buf stream = data_read("watchlist.pb");
	head(&rig, PB_WATCH);
	for (size_t i = 0; i < stream.n; i += 1000) {
		reflector_bytes(rig.r, (struct str){ stream.p + i, stream.n - i < 1000 ? stream.n - i : 1000 });
		assert_false(turn(&rig));
	}
	buf_done(&stream);
	assert_true(is_fresh(&rig));
	assert_string_equal(reflector_trouble(rig.r), "");
	assert_int_equal(nodes_count(&rig), 3); /* one of the four was deleted */
	pass(&rig, 10 * SEC);
	done(&rig, 200, PB_WATCH, STR(""));
	assert_int_equal(next_request(&rig), 0);
	assert_false(asks(&rig, "sendInitialEvents"));
	assert_true(asks(&rig, "resourceVersion="));
	assert_true(asks(&rig, "allowWatchBookmarks=true"));
	assert_true(is_fresh(&rig));
	rig_done(&rig);
}

static void not_fresh_before_the_bookmark(void **state)
{
	(void)state;
	struct rig rig;
	struct buf stream = new_buf();
	rig_init(&rig);
	(void)next_request(&rig);
	head(&rig, PB_WATCH);
	put_node_event(&stream, "ADDED", &(struct small_node){ .name = "a", .version = "5" });
	put_bookmark(&stream, "7", false);
	bytes(&rig, &stream);
	assert_false(turn(&rig));
	assert_false(is_fresh(&rig));
	/* cut now: nothing to resume from, so from the start, and later */
	done(&rig, 0, "", STR(""));
	assert_in_range(next_request(&rig), 1 * SEC, 30 * SEC);
	assert_true(asks(&rig, "sendInitialEvents=true"));
	assert_false(is_fresh(&rig));
	rig_done(&rig);
}

static void sweeps_what_a_new_sync_does_not_name(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	assert_int_equal(nodes_count(&rig), 2);
	struct buf stream = new_buf();
	struct buf object = status_object(410, "Expired", "too old resource version: 1 (10)", 0);
	put_frame(&stream, "ERROR", &object);
	pass(&rig, 60 * SEC);
	bytes(&rig, &stream);
	assert_true(turn(&rig)); /* cancel it */
	assert_false(is_fresh(&rig));
	assert_int_equal(nodes_count(&rig), 2);
	assert_int_equal(next_request(&rig), 0);
	assert_true(asks(&rig, "sendInitialEvents=true"));
	head(&rig, PB_WATCH);
	stream = new_buf();
	put_node_event(&stream, "ADDED", &(struct small_node){ .name = "b", .version = "20" });
	put_bookmark(&stream, "21", true);
	bytes(&rig, &stream);
	assert_false(turn(&rig));
	assert_true(is_fresh(&rig));
	assert_int_equal(nodes_count(&rig), 1);
	assert_int_equal(reflector_stats(rig.r)->expired, 1);
	assert_int_equal(reflector_stats(rig.r)->lists, 2);
	rig_done(&rig);
}

static void resumes_from_bookmarks_and_events(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	pass(&rig, 290 * SEC);
	done(&rig, 200, "", STR(""));
	(void)next_request(&rig);
	assert_true(asks(&rig, "resourceVersion=10&"));
	head(&rig, PB_WATCH);
	struct buf stream = new_buf();
	put_node_event(&stream, "DELETED", &(struct small_node){ .name = "a", .version = "12" });
	put_bookmark(&stream, "1/5 x", false); /* opaque: must be escaped */
	bytes(&rig, &stream);
	pass(&rig, 200 * SEC);
	assert_int_equal(nodes_count(&rig), 1);
	done(&rig, 0, "", STR("")); /* cut */
	assert_in_range(next_request(&rig), 1 * SEC, 2 * SEC);
	assert_true(asks(&rig, "resourceVersion=1%2F5%20x&"));
	assert_int_equal(reflector_stats(rig.r)->lists, 1);
	rig_done(&rig);
}

static void goes_stale_and_catches_up(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	pass(&rig, REFLECTOR_STALE_MS);
	(void)turn(&rig);
	assert_true(is_fresh(&rig));
	pass(&rig, 1);
	(void)turn(&rig);
	assert_false(is_fresh(&rig));
	assert_true(reflector_trouble(rig.r)[0] != '\0');
	done(&rig, 0, "", STR(""));
	(void)next_request(&rig);
	head(&rig, PB_WATCH);
	assert_false(turn(&rig));
	assert_false(is_fresh(&rig)); /* what was missed is still to come */
	struct buf stream = new_buf();
	put_bookmark(&stream, "30", false);
	bytes(&rig, &stream);
	assert_false(turn(&rig));
	assert_true(is_fresh(&rig));
	assert_string_equal(reflector_trouble(rig.r), "");
	/* without a bookmark: a watch that only opens proves nothing after one that failed */
	pass(&rig, 200 * SEC);
	done(&rig, 0, "", STR(""));
	(void)next_request(&rig);
	head(&rig, PB_WATCH);
	assert_false(turn(&rig));
	pass(&rig, 60 * SEC);
	assert_false(turn(&rig));
	assert_false(is_fresh(&rig));
	rig_done(&rig);
}

/* A broken proxy: every watch opens and ends at once, and never says anything. */
static void watches_that_end_at_once_are_not_believed(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	int lists = 0;
	for (int i = 0; i < 12; i++) {
		if (i == 0)
			done(&rig, 200, "", STR(""));
		(void)next_request(&rig);
		lists += asks(&rig, "sendInitialEvents");
		head(&rig, PB_WATCH);
		done(&rig, 200, "", STR(""));
		(void)turn(&rig);
		pass(&rig, 31 * SEC);
	}
	(void)turn(&rig);
	assert_false(is_fresh(&rig));
	assert_true(lists > 0); /* and all nodes are asked for anew */
	rig_done(&rig);
}

static void a_deaf_watch_is_not_believed(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	pass(&rig, 100 * SEC);
	done(&rig, 200, "", STR(""));
	(void)next_request(&rig);
	head(&rig, PB_WATCH); /* a version from the future: open, and silent */
	assert_false(turn(&rig));
	pass(&rig, 90 * SEC);
	done(&rig, 0, "", STR(""));
	assert_false(turn(&rig));
	assert_false(is_fresh(&rig));
	(void)next_request(&rig);
	assert_true(asks(&rig, "sendInitialEvents=true"));
	rig_done(&rig);
}

static void answer_page(struct rig *rig, const char *prefix, size_t count, const char *version, const char *token)
{
	struct buf list = node_list(prefix, count, version, token);
	head(rig, PB_TYPE);
	for (size_t i = 0; i < list.n; i += 777)
		reflector_bytes(rig->r, (struct str){ list.p + i, list.n - i < 777 ? list.n - i : 777 });
	buf_done(&list);
	done(rig, 200, PB_TYPE, STR(""));
}

static void falls_back_to_pages(void **state)
{
	(void)state;
	static const int statuses[] = { 422, 400 };
	for (size_t i = 0; i < COUNT(statuses); i++) {
		struct rig rig;
		rig_init(&rig);
		(void)next_request(&rig);
		struct buf body = data_read(statuses[i] == 422 ? "422.body" : "400.body");
		done(&rig, statuses[i], PB_TYPE, buf_str(&body));
		buf_done(&body);
		assert_int_equal(next_request(&rig), 0);
		assert_string_equal(rig.request.path, "/api/v1/nodes?limit=500");
		answer_page(&rig, "m", 3, "40", "next+/=");
		assert_int_equal(next_request(&rig), 0);
		assert_false(is_fresh(&rig));
		assert_string_equal(rig.request.path, "/api/v1/nodes?limit=500&continue=next%2B%2F%3D");
		answer_page(&rig, "n", 2, "40", "");
		assert_int_equal(next_request(&rig), 0);
		assert_true(is_fresh(&rig));
		assert_true(asks(&rig, "watch=1&resourceVersion=40&"));
		assert_int_equal(nodes_count(&rig), 5);
		rig_done(&rig);
	}
}

static void to_pages(struct rig *rig)
{
	rig_init(rig);
	(void)next_request(rig);
	done(rig, 422, "", STR(""));
	(void)next_request(rig);
	assert_true(asks(rig, "limit=500"));
}

static void starts_pages_over_when_the_token_expires(void **state)
{
	(void)state;
	struct rig rig;
	to_pages(&rig);
	answer_page(&rig, "m", 3, "40", "token");
	(void)next_request(&rig);
	struct buf body = data_read("410.body");
	done(&rig, 410, PB_TYPE, buf_str(&body));
	buf_done(&body);
	assert_int_equal(next_request(&rig), 0);
	assert_string_equal(rig.request.path, "/api/v1/nodes?limit=500");
	answer_page(&rig, "m", 2, "50", "token");
	(void)next_request(&rig);
	done(&rig, 410, "", STR(""));
	assert_in_range(next_request(&rig), 1 * SEC, 30 * SEC); /* the second time in a row it waits */
	assert_string_equal(rig.request.path, "/api/v1/nodes?limit=500");
	assert_int_equal(reflector_stats(rig.r)->expired, 2);
	rig_done(&rig);
}

static void asks_a_broken_page_again(void **state)
{
	(void)state;
	struct rig rig;
	to_pages(&rig);
	answer_page(&rig, "m", 3, "40", "token");
	(void)next_request(&rig);
	head(&rig, PB_TYPE);
	reflector_bytes(rig.r, STR("k8s"));
	done(&rig, 0, "", STR("")); /* cut */
	assert_in_range(next_request(&rig), 1 * SEC, 30 * SEC);
	assert_true(asks(&rig, "continue=token"));
	head(&rig, PB_TYPE);
	reflector_bytes(rig.r, STR("k8s"));
	done(&rig, 200, "", STR("")); /* "whole", but cut */
	assert_in_range(next_request(&rig), 1 * SEC, 30 * SEC);
	assert_string_equal(rig.request.path, "/api/v1/nodes?limit=500");
	assert_false(is_fresh(&rig));
	rig_done(&rig);
}

static void takes_a_list_that_is_handed_over_whole(void **state)
{
	(void)state;
	struct rig rig;
	to_pages(&rig);
	struct buf list = node_list("n", 2, "9", "");
	done(&rig, 200, PB_TYPE, buf_str(&list));
	buf_done(&list);
	(void)next_request(&rig);
	assert_true(asks(&rig, "resourceVersion=9&"));
	assert_int_equal(nodes_count(&rig), 2);
	rig_done(&rig);
}

static void reads_refusals_of_each_form(void **state)
{
	(void)state;
	struct buf unauthorized = data_read("401.body");
	struct buf busy = status_object(503, "ServiceUnavailable", "storage is (re)initializing", 7);
	const struct {
		int status;
		const char *headers;
		struct str body;
		const char *text;
		int64_t wait_ms_min;
	} cases[] = {
		{ 401, PB_TYPE, buf_str(&unauthorized), "HTTP 401 to the request for nodes: Unauthorized", 1 * SEC },
		{ 503, PB_TYPE, buf_str(&busy), "storage is (re)initializing", 7 * SEC },
		{ 403, "content-type: application/json\n",
		  STR("{\"kind\":\"Status\",\"message\":\"nodes is forbidden\",\"reason\":\"Forbidden\",\"code\":403}"),
		  "nodes is forbidden", 1 * SEC },
		{ 429, "content-type: text/plain; charset=utf-8\nretry-after: 20\n", STR("Too many\nrequests"),
		  "HTTP 429 to the request for nodes: Too many requests", 20 * SEC },
		{ 429, "content-type: application/json\n",
		  STR("{\"message\":\"wait\",\"details\":{\"retryAfterSeconds\":25}}"), "wait", 25 * SEC },
		{ 502, "content-type: text/html\n", STR("<html>"), "HTTP 502 to the request for nodes", 1 * SEC },
		{ 500, "", STR("\x01\x02"), "HTTP 500 to the request for nodes", 1 * SEC },
		{ 0, "", STR(""), "connection reset", 1 * SEC },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig rig;
		rig_init(&rig);
		(void)next_request(&rig);
		done(&rig, cases[i].status, cases[i].headers, cases[i].body);
		assert_false(turn(&rig));
		if (strstr(reflector_trouble(rig.r), cases[i].text) == NULL)
			fail_msg("case %zu: %s", i, reflector_trouble(rig.r));
		int64_t pause = next_request(&rig);
		if (pause < cases[i].wait_ms_min || pause > cases[i].wait_ms_min + 30 * SEC)
			fail_msg("case %zu: pause of %lld ms", i, (long long)pause);
		rig_done(&rig);
	}
	buf_done(&unauthorized);
	buf_done(&busy);
}

static void keeps_its_place_through_refusals(void **state)
{
	(void)state;
	static const int statuses[] = { 401, 403, 429, 500, 503 };
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	pass(&rig, 20 * SEC);
	done(&rig, 200, "", STR(""));
	for (size_t i = 0; i < COUNT(statuses); i++) {
		(void)next_request(&rig);
		assert_true(asks(&rig, "resourceVersion=10&"));
		done(&rig, statuses[i], "", STR(""));
	}
	(void)next_request(&rig);
	done(&rig, 410, "", STR("")); /* by status, before the stream */
	(void)next_request(&rig);
	assert_true(asks(&rig, "sendInitialEvents=true"));
	rig_done(&rig);
}

static void backs_off_further_and_further(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	int64_t total = 0;
	for (int i = 0; i < 10; i++) {
		(void)next_request(&rig);
		done(&rig, 0, "", STR(""));
		(void)turn(&rig);
		int64_t pause = reflector_due(rig.r).ms - rig.now.mono.ms;
		assert_in_range(pause, 1 * SEC, 30 * SEC);
		if (i >= 4)
			assert_true(pause >= 15 * SEC);
		total += pause;
	}
	assert_true(total > 100 * SEC);
	rig_done(&rig);
}

static void a_watch_that_ends_at_once_is_no_busy_loop(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	pass(&rig, 20 * SEC);
	done(&rig, 200, "", STR(""));
	unsigned requests = 0;
	int64_t end = rig.now.mono.ms + 5 * MINUTE;
	while (rig.now.mono.ms < end) {
		(void)next_request(&rig);
		requests++;
		head(&rig, PB_WATCH);
		if (requests % 2 == 0) { /* an event each time makes no difference */
			struct buf stream = new_buf();
			put_node_event(&stream, "MODIFIED", &(struct small_node){ .name = "a", .version = "77" });
			bytes(&rig, &stream);
		}
		pass(&rig, 10);
		done(&rig, 200, "", STR(""));
	}
	assert_true(requests < 30);
	rig_done(&rig);
}

static void a_list_and_410_in_turns_is_no_busy_loop(void **state)
{
	(void)state;
	struct rig rig;
	to_pages(&rig);
	unsigned lists = 0;
	int64_t end = rig.now.mono.ms + 5 * MINUTE;
	while (rig.now.mono.ms < end) {
		if (asks(&rig, "limit=500")) {
			lists++;
			answer_page(&rig, "n", 1, "9", "");
		} else if (asks(&rig, "sendInitialEvents")) {
			done(&rig, 422, "", STR(""));
		} else {
			done(&rig, 410, "", STR(""));
		}
		(void)next_request(&rig);
	}
	assert_true(lists < 30);
	rig_done(&rig);
}

static void garbage_ends_the_stream_and_the_trust(void **state)
{
	(void)state;
	struct buf nameless = new_buf();
	put_node_event(&nameless, "ADDED", &(struct small_node){ .name = NULL, .version = "12" });
	struct buf unversioned = new_buf();
	put_node_event(&unversioned, "ADDED", &(struct small_node){ .name = "x", .version = "" });
	struct buf zero = new_buf();
	put_bookmark(&zero, "0", false);
	struct buf pod = new_buf();
	struct buf node = small_node(&(struct small_node){ .name = "x" });
	struct buf object = enveloped("Pod", &node);
	put_frame(&pod, "ADDED", &object);
	struct buf refused = new_buf();
	struct buf status = status_object(500, "InternalError", "etcd is away", 9);
	put_frame(&refused, "ERROR", &status);
	const struct buf *const cases[] = { &nameless, &unversioned, &zero, &pod, &refused };
	for (size_t i = 0; i <= COUNT(cases); i++) {
		struct rig rig;
		rig_init(&rig);
		sync_by_watch_list(&rig);
		reflector_bytes(rig.r, i < COUNT(cases) ? buf_str(cases[i]) : STR("{\"type\":\"ADDED\"}"));
		reflector_bytes(rig.r, STR("more")); /* no longer looked at */
		assert_true(reflector_due(rig.r).ms <= rig.now.mono.ms);
		assert_true(turn(&rig));
		assert_false(turn(&rig));
		assert_false(is_fresh(&rig));
		assert_true(reflector_trouble(rig.r)[0] != '\0');
		assert_int_equal(nodes_count(&rig), 2);
		assert_in_range(next_request(&rig), i == 4 ? 9 * SEC : 1 * SEC, 30 * SEC);
		assert_true(asks(&rig, "sendInitialEvents=true"));
		rig_done(&rig);
	}
	buf_done(&nameless);
	buf_done(&unversioned);
	buf_done(&zero);
	buf_done(&pod);
	buf_done(&refused);
}

static void a_recorded_expiry_leads_to_a_new_list(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	pass(&rig, 100 * SEC);
	done(&rig, 200, "", STR(""));
	(void)next_request(&rig);
	head(&rig, PB_WATCH);
	struct buf stream = data_read("expired.pb");
	bytes(&rig, &stream);
	done(&rig, 200, "", STR("")); /* the server ended it before we could */
	assert_false(turn(&rig));
	assert_non_null(strstr(reflector_trouble(rig.r), "too old resource version"));
	assert_false(is_fresh(&rig));
	(void)next_request(&rig);
	assert_true(asks(&rig, "sendInitialEvents=true"));
	rig_done(&rig);
}

static void refuses_another_content_type(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	(void)next_request(&rig);
	head(&rig, "content-type: text/html\n");
	reflector_bytes(rig.r, STR("<html>"));
	assert_true(turn(&rig));
	assert_non_null(strstr(reflector_trouble(rig.r), "text/html"));
	assert_in_range(next_request(&rig), 1 * SEC, 30 * SEC);
	rig_done(&rig);
}

static void gives_up_what_hangs(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	sync_by_watch_list(&rig);
	int64_t due = reflector_due(rig.r).ms;
	assert_in_range(due - rig.now.mono.ms, 310 * SEC, 400 * SEC);
	pass(&rig, due - rig.now.mono.ms);
	reflector_bytes(rig.r, STR("\0")); /* one byte a minute is no life */
	assert_true(turn(&rig));
	(void)next_request(&rig);
	assert_true(asks(&rig, "resourceVersion=10&"));
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_a_recorded_watch),
		cmocka_unit_test(refuses_broken_frames),
		cmocka_unit_test(syncs_from_a_recorded_stream),
		cmocka_unit_test(not_fresh_before_the_bookmark),
		cmocka_unit_test(sweeps_what_a_new_sync_does_not_name),
		cmocka_unit_test(resumes_from_bookmarks_and_events),
		cmocka_unit_test(goes_stale_and_catches_up),
		cmocka_unit_test(watches_that_end_at_once_are_not_believed),
		cmocka_unit_test(a_deaf_watch_is_not_believed),
		cmocka_unit_test(falls_back_to_pages),
		cmocka_unit_test(starts_pages_over_when_the_token_expires),
		cmocka_unit_test(asks_a_broken_page_again),
		cmocka_unit_test(takes_a_list_that_is_handed_over_whole),
		cmocka_unit_test(reads_refusals_of_each_form),
		cmocka_unit_test(keeps_its_place_through_refusals),
		cmocka_unit_test(backs_off_further_and_further),
		cmocka_unit_test(a_watch_that_ends_at_once_is_no_busy_loop),
		cmocka_unit_test(a_list_and_410_in_turns_is_no_busy_loop),
		cmocka_unit_test(garbage_ends_the_stream_and_the_trust),
		cmocka_unit_test(a_recorded_expiry_leads_to_a_new_list),
		cmocka_unit_test(refuses_another_content_type),
		cmocka_unit_test(gives_up_what_hangs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
