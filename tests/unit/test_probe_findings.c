/* What the probes find: since when, for how long it counts, when it is rather this replica that is cut off, and the
 * annotation that keeps it. */
#include "probe_fixture.h"

static struct world *masters(size_t count)
{
	struct conf_check endpoint = endpoint_conf();
	struct world *w = world_new(&endpoint, 1, NULL, 0);
	add_nodes(w, ROLE_MASTER, count);
	show_nodes(w);
	return w;
}

/* How each node answers now; see as_told(). */
enum say { WELL, DEAD, SILENT, NOISE, TOKEN_REFUSED };
static enum say says[MANY];

static int64_t as_told(struct world *w, size_t node, const struct http_request *request, struct http_answer *out)
{
	(void)w;
	switch (says[node]) {
	case WELL:
		*out = with_status(200);
		return 20;
	case DEAD:
		*out = with_error(ERR_REFUSED);
		return 1;
	case SILENT:
		*out = with_error(ERR_TIMEOUT);
		return request->timeout_ms;
	case NOISE:
		*out = with_status(500);
		return 20;
	case TOKEN_REFUSED:
		*out = with_status(401);
		return 20;
	}
	return 0;
}

static void say(size_t count, enum say what)
{
	for (size_t i = 0; i < count; i++)
		says[i] = what;
}

static void since_when(void **state)
{
	(void)state;
	struct world *w = masters(3);
	say(3, WELL);
	live(w, MINUTE, as_told);
	assert_int_equal(finding_of(w, 1).health, HEALTH_OK);
	assert_string_equal(finding_of(w, 1).why, "");
	int64_t broken_ms = w->now.wall.ms;
	says[1] = DEAD;
	live(w, MINUTE, as_told);
	struct finding first = finding_of(w, 1);
	assert_int_equal(first.health, HEALTH_BAD);
	assert_int_equal(first.symptom, SYMPTOM_GUEST_ANSWERS);
	assert_string_equal(first.why, "port 6443: connection refused");
	assert_true(first.since.ms > broken_ms && first.since.ms <= broken_ms + 46 * SEC);
	live(w, 10 * MINUTE, as_told);
	assert_int_equal(finding_of(w, 1).since.ms, first.since.ms);
	says[1] = NOISE; /* another kind of bad does not restart it */
	live(w, MINUTE, as_told);
	assert_int_equal(finding_of(w, 1).since.ms, first.since.ms);
	assert_string_equal(finding_of(w, 1).why, "/healthz: HTTP 500");
	says[1] = WELL;
	live(w, MINUTE, as_told);
	assert_int_equal(finding_of(w, 1).health, HEALTH_OK);
	assert_int_equal(finding_of(w, 1).symptom, SYMPTOM_NONE);
	assert_int_equal(finding_of(w, 1).since.ms, 0);
	int64_t again_ms = w->now.wall.ms;
	says[1] = DEAD;
	live(w, MINUTE, as_told);
	assert_true(finding_of(w, 1).since.ms > again_ms);
	assert_int_equal(finding_of(w, 0).health, HEALTH_OK);
	world_free(w);
}

/* The age is told by our own clock: a wall clock that jumps does not make it longer or shorter. */
static void the_wall_clock_jumps(void **state)
{
	(void)state;
	static const int64_t jumps[] = { -10 * HOUR, 3 * HOUR, 24 * HOUR * 365 };
	for (size_t i = 0; i < COUNT(jumps); i++) {
		struct world *w = masters(3);
		say(3, WELL);
		live(w, MINUTE, as_told);
		says[2] = DEAD;
		live(w, 2 * MINUTE, as_told);
		int64_t age_ms = w->now.wall.ms - finding_of(w, 2).since.ms;
		w->now.wall.ms += jumps[i];
		assert_int_equal(w->now.wall.ms - finding_of(w, 2).since.ms, age_ms);
		live(w, MINUTE, as_told);
		assert_int_equal(w->now.wall.ms - finding_of(w, 2).since.ms, age_ms + MINUTE);
		world_free(w);
	}
}

static void old_results_say_nothing(void **state)
{
	(void)state;
	struct world *w = masters(3);
	say(3, WELL);
	says[0] = DEAD;
	live(w, MINUTE, as_told);
	assert_int_equal(finding_of(w, 0).health, HEALTH_BAD);
	struct wall since = finding_of(w, 0).since;
	pass(w, 95 * SEC - 46 * SEC); /* three intervals and a timeout */
	assert_int_equal(finding_of(w, 1).health, HEALTH_OK);
	pass(w, 47 * SEC);
	for (size_t i = 0; i < 3; i++) {
		CHECK(finding_of(w, i).health == HEALTH_UNKNOWN, "node %zu", i);
		assert_string_equal(finding_of(w, i).why, "the last probe is too long ago");
	}
	live(w, MINUTE, as_told); /* and nobody knows what was meanwhile */
	assert_int_equal(finding_of(w, 0).health, HEALTH_BAD);
	assert_true(finding_of(w, 0).since.ms > since.ms + MINUTE);
	world_free(w);
}

/* A refused token is no answer to the question; the clock neither restarts nor stops. */
static void unknown_in_between(void **state)
{
	(void)state;
	static char token[] = "s3cret";
	struct conf_check endpoint = endpoint_conf();
	endpoint.is_token_required = true;
	endpoint.token = token;
	struct world *w = world_new(&endpoint, 1, NULL, 0);
	add_nodes(w, ROLE_MASTER, 3);
	show_nodes(w);
	say(3, WELL);
	says[0] = DEAD;
	live(w, MINUTE, as_told);
	struct wall since = finding_of(w, 0).since;
	says[0] = TOKEN_REFUSED;
	live(w, MINUTE, as_told);
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	assert_string_equal(finding_of(w, 0).why, "/healthz: the token is refused (HTTP 401)");
	says[0] = DEAD;
	live(w, 40 * SEC, as_told);
	assert_int_equal(finding_of(w, 0).health, HEALTH_BAD);
	assert_int_equal(finding_of(w, 0).since.ms, since.ms);
	world_free(w);
}

static const char *service_token(void *ctx)
{
	return ctx;
}

/* Without the token it cannot be asked: unknown, and no endless loop; with it the header is there. */
static void no_token(void **state)
{
	(void)state;
	struct conf_check endpoint = endpoint_conf();
	endpoint.is_token_required = true;
	struct world *w = world_new(&endpoint, 1, NULL, 0);
	add_nodes(w, ROLE_MASTER, 1);
	show_nodes(w);
	struct http_request request;
	uint64_t ticket;
	pass(w, 10 * SEC);
	char empty[] = "";
	assert_false(probes_next(w->probes, w->now.mono, NULL, NULL, &w->arena, &request, &ticket));
	assert_string_equal(finding_of(w, 0).why, "the service account's token cannot be read");
	pass(w, 46 * SEC);
	assert_false(probes_next(w->probes, w->now.mono, service_token, empty, &w->arena, &request, &ticket));
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	pass(w, 46 * SEC);
	char text[] = "abc";
	assert_true(probes_next(w->probes, w->now.mono, service_token, text, &w->arena, &request, &ticket));
	assert_int_equal(request.headers_count, 1);
	assert_string_equal(request.headers[0].name, "Authorization");
	assert_string_equal(request.headers[0].value, "Bearer abc");
	world_free(w);
}

/* Several paths: each is asked, in order; one that fails is enough, and the next round begins with the first. */
static void several_paths(void **state)
{
	(void)state;
	static char livez[] = "/livez", readyz[] = "readyz?verbose", extra[] = "/x";
	static char *paths[] = { livez, readyz, extra };
	static const char *const urls[] = { "https://10.0.0.1:6443/livez", "https://10.0.0.1:6443/readyz?verbose",
					    "https://10.0.0.1:6443/x" };
	for (size_t bad = 0; bad <= 3; bad++) {
		struct conf_check endpoint = endpoint_conf();
		endpoint.endpoints = paths;
		endpoint.endpoints_count = 3;
		struct world *w = world_new(&endpoint, 1, NULL, 0);
		add_nodes(w, ROLE_MASTER, 1);
		show_nodes(w);
		pass(w, 10 * SEC);
		struct http_request request;
		uint64_t ticket;
		for (size_t i = 0; i < 3 && i <= bad; i++) {
			assert_true(next(w, &request, &ticket));
			assert_string_equal(request.url, urls[i]);
			assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
			struct http_answer answer = with_status(i == bad ? 503 : 200);
			answer.body = STR("[-]etcd failed: reason withheld\n");
			probes_heard(w->probes, ticket, &answer, w->now);
		}
		CHECK(finding_of(w, 0).health == (bad == 3 ? HEALTH_OK : HEALTH_BAD), "%zu", bad);
		if (bad == 1)
			assert_string_equal(finding_of(w, 0).why, "readyz?verbose: HTTP 503: etcd failed");
		assert_false(next(w, &request, &ticket));
		pass(w, 46 * SEC);
		assert_true(next(w, &request, &ticket));
		assert_string_equal(request.url, urls[0]);
		world_free(w);
	}
}

/* Law L7: silent nodes that the API server calls Ready. */
static void cut_off(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t count, silent, dead;
		bool is_ready; /* the silent ones, by the API server */
		enum health health;
	} cases[] = {
		{ "one of one", 1, 1, 0, true, HEALTH_UNKNOWN },
		{ "one of one, not Ready", 1, 1, 0, false, HEALTH_BAD },
		{ "one of one refuses", 1, 0, 1, true, HEALTH_BAD },
		{ "one of two", 2, 1, 0, true, HEALTH_BAD },
		{ "both of two", 2, 2, 0, true, HEALTH_UNKNOWN },
		{ "one of three", 3, 1, 0, true, HEALTH_BAD },
		{ "two of three", 3, 2, 0, true, HEALTH_UNKNOWN },
		{ "two of three, not Ready", 3, 2, 0, false, HEALTH_BAD },
		{ "two of three refuse", 3, 0, 2, true, HEALTH_BAD },
		{ "two silent, one refuses", 3, 2, 1, true, HEALTH_UNKNOWN },
		{ "half of ten", 10, 5, 0, true, HEALTH_BAD },
		{ "six of ten", 10, 6, 0, true, HEALTH_UNKNOWN },
		{ "all of ten", 10, 10, 0, true, HEALTH_UNKNOWN },
		{ "all of ten, not Ready", 10, 10, 0, false, HEALTH_BAD },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t bad = cases[i].silent + cases[i].dead;
		struct world *w = masters(cases[i].count);
		say(cases[i].count, WELL);
		live(w, MINUTE, as_told);
		for (size_t n = 0; n < bad; n++) {
			says[n] = n < cases[i].silent ? SILENT : DEAD;
			w->ready[n].status = cases[i].is_ready || says[n] == DEAD ? STATUS_TRUE : STATUS_UNKNOWN;
		}
		show_nodes(w);
		live(w, 2 * MINUTE, as_told);
		for (size_t n = 0; n < cases[i].count; n++) {
			struct finding finding = finding_of(w, n);
			if (n >= bad)
				CHECK(finding.health == HEALTH_OK, "%s: node %zu", cases[i].name, n);
			else if (says[n] == DEAD)
				CHECK(finding.health == HEALTH_BAD, "%s: node %zu", cases[i].name, n);
			else
				CHECK(finding.health == cases[i].health, "%s: node %zu: %s", cases[i].name, n,
				      finding.why);
			const char *why = cases[i].count == 1 ? "no other node to compare" : "cut off";
			CHECK(finding.health != HEALTH_UNKNOWN || strstr(finding.why, why) != NULL, "%s: %s",
			      cases[i].name, finding.why);
		}
		world_free(w);
	}
}

/* The API server sees it, too, a little later; and the tallies follow when nodes come back or go. */
static void cut_off_and_back(void **state)
{
	(void)state;
	struct world *w = masters(5);
	say(5, WELL);
	live(w, MINUTE, as_told);
	say(3, SILENT);
	live(w, 2 * MINUTE, as_told);
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	w->ready[0].status = STATUS_FALSE; /* its kubelet reports all the same */
	show_nodes(w);
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	w->ready[0].status = STATUS_UNKNOWN;
	show_nodes(w);
	assert_int_equal(finding_of(w, 0).health, HEALTH_BAD); /* two of five are no majority */
	w->ready[0].status = STATUS_TRUE;
	show_nodes(w);
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	probes_nodes(w->probes, w->list + 2, 3, w->now.mono); /* two of the silent ones are gone */
	assert_int_equal(finding_of(w, 2).health, HEALTH_BAD);
	show_nodes(w);
	live(w, 2 * MINUTE, as_told);
	assert_int_equal(finding_of(w, 2).health, HEALTH_UNKNOWN);
	says[0] = WELL;
	live(w, MINUTE, as_told);
	assert_int_equal(finding_of(w, 0).health, HEALTH_OK);
	assert_int_equal(finding_of(w, 2).health, HEALTH_BAD);
	world_free(w);
}

/* It was down, others answered; then we are cut off, and it comes back. That they answered before shows nothing now. */
static void back_while_we_are_cut_off(void **state)
{
	(void)state;
	struct world *w = masters(3);
	say(3, WELL);
	live(w, MINUTE, as_told);
	says[0] = SILENT;
	w->ready[0].status = STATUS_UNKNOWN;
	show_nodes(w);
	live(w, 5 * MINUTE, as_told);
	assert_int_equal(finding_of(w, 0).health, HEALTH_BAD);
	say(3, SILENT);
	w->ready[0].status = STATUS_TRUE;
	show_nodes(w);
	for (int second = 0; second < 60; second++) {
		live(w, SEC, as_told);
		CHECK(finding_of(w, 0).health == HEALTH_UNKNOWN, "second %d", second);
	}
	says[1] = WELL;
	live(w, MINUTE, as_told);
	assert_int_equal(finding_of(w, 1).health, HEALTH_OK);
	world_free(w);
}

/* From the first silence on: another node is asked at once, and only its answer makes the silence the node's own. */
static void a_witness(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct http_answer answer;
		bool is_ready;
		enum health before, after;
	} cases[] = {
		{ "well", { .status = 200 }, true, HEALTH_UNKNOWN, HEALTH_BAD },
		{ "unwell", { .status = 500 }, true, HEALTH_UNKNOWN, HEALTH_BAD },
		{ "refused", { .why = { .code = ERR_REFUSED } }, true, HEALTH_UNKNOWN, HEALTH_BAD },
		{ "not trusted", { .why = { .code = ERR_AUTH } }, true, HEALTH_UNKNOWN, HEALTH_BAD },
		{ "not sent", { .why = { .code = ERR_INPUT } }, true, HEALTH_UNKNOWN, HEALTH_UNKNOWN },
		{ "silent", { .why = { .code = ERR_TIMEOUT } }, true, HEALTH_UNKNOWN, HEALTH_UNKNOWN },
		{ "silent, but it is not Ready", { .why = { .code = ERR_TIMEOUT } }, false, HEALTH_BAD, HEALTH_BAD },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world *w = masters(20);
		live(w, MINUTE, all_well);
		w->ready[0].status = cases[i].is_ready ? STATUS_TRUE : STATUS_UNKNOWN;
		show_nodes(w);
		struct http_request request;
		uint64_t ticket, silent = 0;
		while (silent == 0) {
			while (!next(w, &request, &ticket))
				pass(w, probes_due(w->probes).ms - w->now.mono.ms);
			struct http_answer ok = with_status(200);
			if (whose(w, request.url) == 0)
				silent = ticket;
			else
				probes_heard(w->probes, ticket, &ok, w->now);
		}
		pass(w, 5);
		struct http_answer timeout = with_error(ERR_TIMEOUT);
		probes_heard(w->probes, silent, &timeout, w->now);
		CHECK(finding_of(w, 0).health == cases[i].before, "%s", cases[i].name);
		CHECK(cases[i].before == HEALTH_BAD || strstr(finding_of(w, 0).why, "no other node") != NULL, "%s",
		      cases[i].name);
		CHECK(next(w, &request, &ticket), "%s", cases[i].name); /* at once */
		assert_int_not_equal(whose(w, request.url), 0);
		pass(w, 1);
		probes_heard(w->probes, ticket, &cases[i].answer, w->now);
		CHECK(finding_of(w, 0).health == cases[i].after, "%s: %s", cases[i].name, finding_of(w, 0).why);
		world_free(w);
	}
}

/* The whole cluster falls silent, yet is Ready: from the first moment on nobody is bad. */
static void cut_off_at_once(void **state)
{
	(void)state;
	struct world *w = masters(30);
	live(w, MINUTE, all_well);
	say(30, SILENT);
	for (int second = 0; second < 120; second++) {
		live(w, SEC, as_told);
		for (size_t i = 0; i < 30; i++)
			CHECK(finding_of(w, i).health != HEALTH_BAD, "second %d, node %zu", second, i);
	}
	for (size_t i = 0; i < 30; i++)
		CHECK(finding_of(w, i).health == HEALTH_UNKNOWN, "node %zu", i);
	world_free(w);
}

/* A replica that slept among well nodes and wakes up cut off does not count those old results. */
static void old_results_are_no_witnesses(void **state)
{
	(void)state;
	struct world *w = masters(7);
	say(7, WELL);
	live(w, MINUTE, as_told);
	pass(w, 10 * MINUTE);
	say(7, SILENT);
	struct http_request request;
	uint64_t ticket[7];
	for (size_t i = 0; i < 7; i++)
		assert_true(next(w, &request, &ticket[i]));
	pass(w, 5 * SEC);
	for (size_t i = 0; i < 2; i++) {
		struct http_answer answer = with_error(ERR_TIMEOUT);
		probes_heard(w->probes, ticket[i], &answer, w->now);
	}
	for (size_t i = 0; i < 7; i++)
		CHECK(finding_of(w, i).health == HEALTH_UNKNOWN, "node %zu", i);
	world_free(w);
}

static bool mark_next(struct world *w, struct probe_mark *out)
{
	return probes_mark_next(w->probes, w->list, w->count, w->now, &w->arena, out);
}

static void marks(void **state)
{
	(void)state;
	struct world *w = masters(3);
	struct probe_mark mark;
	say(3, WELL);
	live(w, MINUTE, as_told);
	assert_false(mark_next(w, &mark));
	says[1] = DEAD;
	live(w, MINUTE, as_told);
	assert_true(mark_next(w, &mark));
	assert_ptr_equal(mark.node, &w->nodes[1]);
	assert_string_equal(mark.key, "autohealing.openstack.org/unhealthy-timestamp");
	char text[WALL_TEXT_BYTES];
	(void)wall_format(finding_of(w, 1).since, text);
	assert_int_equal(strlen(mark.value), 19);
	assert_memory_equal(mark.value, text, 10);
	assert_int_equal(mark.value[10], ' ');
	assert_memory_equal(mark.value + 11, text + 11, 8);
	assert_true(mark_next(w, &mark)); /* until the Node shows it */
	char value[20];
	assert_true(TEXT_COPY(value, mark.value));
	annotate(w, 1, ep_note, value);
	assert_false(mark_next(w, &mark));
	live(w, MINUTE, as_told);
	assert_false(mark_next(w, &mark));
	/* well again: away with it */
	says[1] = WELL;
	live(w, MINUTE, as_told);
	assert_true(mark_next(w, &mark));
	assert_ptr_equal(mark.node, &w->nodes[1]);
	assert_null(mark.value);
	annotate(w, 1, ep_note, NULL);
	assert_false(mark_next(w, &mark));
	/* left by somebody who is gone, on a node that is well */
	annotate(w, 2, ep_note, "2020-01-01 00:00:00");
	assert_true(mark_next(w, &mark));
	assert_ptr_equal(mark.node, &w->nodes[2]);
	assert_null(mark.value);
	pass(w, HOUR); /* nothing is known any more, so nothing is written */
	assert_false(mark_next(w, &mark));
	world_free(w);
}

static void marks_in_turn(void **state)
{
	(void)state;
	struct world *w = masters(10);
	say(10, DEAD);
	live(w, MINUTE, as_told);
	bool is_told[10] = { 0 };
	struct probe_mark mark;
	for (size_t i = 0; i < 10; i++) { /* one whose writing fails does not hold up the others */
		assert_true(mark_next(w, &mark));
		size_t node = (size_t)(mark.node - w->nodes);
		CHECK(!is_told[node], "node %zu", node);
		is_told[node] = true;
	}
	/* in another list they are found as well; a node that is in none is left out */
	for (size_t i = 0; i < 6; i++) {
		assert_true(probes_mark_next(w->probes, w->list + 7, 3, w->now, &w->arena, &mark));
		assert_true(mark.node >= &w->nodes[7]);
	}
	probes_nodes(w->probes, w->list, 0, w->now.mono);
	assert_false(mark_next(w, &mark));
	world_free(w);
}

static void no_mark_when_cut_off_or_not_wanted(void **state)
{
	(void)state;
	struct probe_mark mark;
	struct world *w = masters(3);
	say(3, SILENT);
	live(w, MINUTE, as_told);
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	assert_false(mark_next(w, &mark));
	world_free(w);
	char empty[] = "";
	char *const keys[] = { NULL, empty };
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct conf_check endpoint = endpoint_conf();
		endpoint.unhealthy_annotation = keys[i];
		w = world_new(&endpoint, 1, NULL, 0);
		add_nodes(w, ROLE_MASTER, 3);
		show_nodes(w);
		say(3, DEAD);
		live(w, MINUTE, as_told);
		assert_int_equal(finding_of(w, 0).health, HEALTH_BAD);
		assert_false(mark_next(w, &mark));
		world_free(w);
	}
}

static int64_t by_port(struct world *w, size_t node, const struct http_request *request, struct http_answer *out)
{
	(void)w;
	(void)node;
	*out = with_status(strstr(request->url, ":6444/") != NULL ? 500 : 200);
	return 20;
}

/* Two checks with one annotation: the well one must not take away what the other one writes. */
static void two_checks_one_mark(void **state)
{
	(void)state;
	struct conf_check both[] = { endpoint_conf(), endpoint_conf() };
	both[1].port = 6444;
	struct world *w = world_new(both, 2, NULL, 0);
	struct probe_mark mark;
	add_nodes(w, ROLE_MASTER, 2);
	show_nodes(w);
	live(w, MINUTE, by_port);
	assert_true(mark_next(w, &mark));
	assert_non_null(mark.value);
	annotate(w, 0, ep_note, "2026-11-18 12:00:00");
	annotate(w, 1, ep_note, "2026-11-18 12:00:00");
	for (int i = 0; i < 10; i++)
		assert_false(mark_next(w, &mark));
	live(w, MINUTE, all_well);
	assert_true(mark_next(w, &mark));
	assert_null(mark.value);
	world_free(w);
}

/* What the annotation says of the time before us (a roll-over from the Go program keeps its clock). */
static void an_earlier_clock(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
		int64_t created_ms;
		bool was_well, is_believed;
	} cases[] = {
		{ "earlier", "2026-11-18 11:00:00", 0, false, true },
		{ "but it was well since", "2026-11-18 11:00:00", 0, true, false },
		{ "before the node was made", "2026-11-18 11:00:00", LAB_WALL, false, false },
		{ "in the future", "2031-01-01 00:00:00", 0, false, false },
		{ "later than ours", "2026-11-18 11:07:40", 0, false, false },
		{ "garbage", "yesterday", 0, false, false },
		{ "empty", "", 0, false, false },
		{ "as RFC 3339", "2026-11-18T11:00:00Z", 0, false, false },
		{ "with more behind it", "2026-11-18 11:00:00 +0100", 0, false, false },
		{ "no such day", "2026-02-31 11:00:00", 0, false, false },
	};
	struct wall earlier;
	assert_true(wall_parse(STR("2026-11-18T11:00:00Z"), &earlier));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world *w = masters(1);
		w->now.wall.ms = earlier.ms + 5 * MINUTE;
		w->nodes[0].created.ms = cases[i].created_ms;
		annotate(w, 0, ep_note, cases[i].value);
		if (cases[i].was_well) {
			live(w, MINUTE, all_well);
			w->now.wall.ms -= MINUTE;
		}
		say(1, DEAD);
		live(w, 3 * MINUTE, as_told);
		struct finding finding = finding_of(w, 0);
		CHECK(finding.health == HEALTH_BAD, "%s", cases[i].name);
		CHECK((finding.since.ms == earlier.ms) == cases[i].is_believed, "%s: %lld", cases[i].name,
		      (long long)(finding.since.ms - earlier.ms));
		CHECK(cases[i].is_believed || finding.since.ms > earlier.ms + 5 * MINUTE, "%s", cases[i].name);
		/* a text that is no time is written anew, so that the Go program can read it */
		struct wall at;
		char text[24];
		bool is_time = strlen(cases[i].value) == 19 && cases[i].value[10] == ' ' &&
			       TEXT_COPY(text, cases[i].value) && (text[10] = 'T', wall_parse(str_of(text), &at));
		struct probe_mark mark;
		CHECK(mark_next(w, &mark) == !is_time, "%s", cases[i].name);
		world_free(w);
	}
}

/* The judges of the probing checks read just this. */
static void through_the_checks(void **state)
{
	(void)state;
	struct world *w = masters(3);
	say(3, WELL);
	says[2] = NOISE;
	live(w, MINUTE, as_told);
	struct snapshot snapshot = { .now = w->now };
	struct check_facts facts = { .snapshot = &snapshot, .probes = w->probes };
	struct check_facts none = { 0 };
	struct finding finding;
	const struct conf_check *conf = &w->checks[ROLE_MASTER][0];
	assert_int_equal(check_endpoint.judge(conf, 0, &facts, &w->nodes[0], &finding), HEALTH_OK);
	assert_int_equal(check_endpoint.judge(conf, 0, &facts, &w->nodes[2], &finding), HEALTH_BAD);
	assert_string_equal(finding.why, "/healthz: HTTP 500");
	assert_int_equal(check_endpoint.judge(conf, 1, &facts, &w->nodes[2], NULL), HEALTH_UNKNOWN); /* no such check */
	assert_int_equal(check_endpoint.judge(conf, 0, &none, &w->nodes[2], &finding), HEALTH_UNKNOWN);
	assert_string_equal(finding.why, "nothing is probed now");
	assert_int_equal(check_kubelet.judge(conf, 0, &none, &w->nodes[2], NULL), HEALTH_UNKNOWN);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(since_when),
		cmocka_unit_test(the_wall_clock_jumps),
		cmocka_unit_test(old_results_say_nothing),
		cmocka_unit_test(unknown_in_between),
		cmocka_unit_test(no_token),
		cmocka_unit_test(several_paths),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(cut_off_and_back),
		cmocka_unit_test(back_while_we_are_cut_off),
		cmocka_unit_test(a_witness),
		cmocka_unit_test(cut_off_at_once),
		cmocka_unit_test(old_results_are_no_witnesses),
		cmocka_unit_test(marks),
		cmocka_unit_test(marks_in_turn),
		cmocka_unit_test(no_mark_when_cut_off_or_not_wanted),
		cmocka_unit_test(two_checks_one_mark),
		cmocka_unit_test(an_earlier_clock),
		cmocka_unit_test(through_the_checks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
