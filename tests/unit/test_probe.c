/* The scheduler of the probes: who is asked when, how many at once, and what becomes of tickets. */
#include "probe_fixture.h"

static struct world *workers(size_t count)
{
	struct conf_check kubelet = { .type = "Kubelet", .port = 10250, .timeout_ms = 5 * SEC };
	struct conf_check endpoint = endpoint_conf();
	struct world *w = world_new(&endpoint, 1, &kubelet, 1);
	add_nodes(w, ROLE_WORKER, count);
	show_nodes(w);
	return w;
}

static void nothing_to_ask(void **state)
{
	(void)state;
	struct conf_check lease = { .type = "NodeLease", .max_age_ms = 40 * SEC };
	struct world *w = world_new(NULL, 0, &lease, 1);
	add_nodes(w, ROLE_WORKER, 3);
	add_nodes(w, ROLE_MASTER, 3);
	show_nodes(w);
	struct http_request request;
	uint64_t ticket;
	assert_true(probes_is_idle(w->probes));
	assert_true(probes_due(w->probes).ms == NEVER);
	assert_false(next(w, &request, &ticket));
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	world_free(w);
	probes_free(NULL);
}

/* New nodes within ten seconds; then each once an interval, spread evenly over it. */
static void spread(void **state)
{
	(void)state;
	struct world *w = workers(MANY);
	int64_t began_ms = w->now.mono.ms;
	assert_false(probes_is_idle(w->probes));
	live(w, 30 * SEC, all_well);
	size_t early[10] = { 0 };
	for (size_t i = 0; i < MANY; i++) {
		int64_t after_ms = w->first[i].ms - began_ms;
		CHECK(after_ms < 11 * SEC, "node %zu was first asked after %lld ms", i, (long long)after_ms);
		early[after_ms < 10 * SEC ? after_ms / SEC : 9]++;
	}
	for (size_t i = 0; i < 10; i++)
		CHECK(early[i] > MANY / 10 / 2 && early[i] < MANY / 10 * 2, "second %zu: %zu", i, early[i]);
	for (int round = 0; round < 3; round++) {
		size_t tenths[10] = { 0 };
		for (size_t i = 0; i < 10; i++) {
			memset(w->asked, 0, sizeof w->asked);
			live(w, 3 * SEC, all_well);
			for (size_t n = 0; n < MANY; n++)
				tenths[i] += w->asked[n];
		}
		size_t sum = 0;
		for (size_t i = 0; i < 10; i++) {
			sum += tenths[i];
			CHECK(round == 0 || (tenths[i] > MANY / 10 * 7 / 10 && tenths[i] < MANY / 10 * 13 / 10),
			      "round %d, tenth %zu: %zu", round, i, tenths[i]);
		}
		CHECK(round == 0 || (sum > MANY * 99 / 100 && sum < MANY * 101 / 100), "round %d: %zu", round, sum);
	}
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(finding_of(w, i).health, HEALTH_OK);
	world_free(w);
}

static void a_short_interval(void **state)
{
	(void)state;
	static const int64_t intervals[] = { 1, 7, 1000, 2 * SEC };
	for (size_t i = 0; i < COUNT(intervals); i++) {
		struct world *w = workers(0);
		probes_free(w->probes);
		w->probes = NULL;
		w->config.policy.monitor_interval_ms = intervals[i];
		add_nodes(w, ROLE_WORKER, 1);
		show_nodes(w);
		live(w, 20 * intervals[i] + 100, all_well);
		int64_t most = (20 * intervals[i] + 100) / (intervals[i] > 20 ? intervals[i] : 20) + 2;
		CHECK(w->asked[0] >= 4 && (int64_t)w->asked[0] <= most, "interval %lld: %zu", (long long)intervals[i],
		      w->asked[0]);
		world_free(w);
	}
}

static void at_most_so_many_at_once(void **state)
{
	(void)state;
	struct world *w = workers(100);
	struct http_request request;
	uint64_t tickets[PROBES_AT_ONCE + 1];
	size_t count = 0;
	pass(w, 10 * SEC);
	while (next(w, &request, &tickets[count])) {
		for (size_t i = 0; i < count; i++)
			assert_int_not_equal(tickets[i], tickets[count]);
		assert_int_not_equal(tickets[count], 0);
		assert_true(++count <= PROBES_AT_ONCE);
	}
	assert_int_equal(count, PROBES_AT_ONCE);
	assert_true(probes_due(w->probes).ms > w->now.mono.ms); /* nothing before an answer */
	struct http_answer ok = with_status(200);
	probes_heard(w->probes, tickets[5], &ok, w->now);
	assert_true(probes_due(w->probes).ms <= w->now.mono.ms);
	assert_true(next(w, &request, &tickets[5]));
	assert_false(next(w, &request, &tickets[PROBES_AT_ONCE]));
	world_free(w);
}

/* Those that have waited the longest come first. */
static void in_fair_order(void **state)
{
	(void)state;
	struct world *w = workers(500);
	struct http_answer ok = with_status(200);
	pass(w, 20 * SEC);
	for (size_t i = 0; i < 1000; i++) {
		struct http_request request;
		uint64_t ticket;
		assert_true(next(w, &request, &ticket));
		size_t node = whose(w, request.url);
		CHECK(i >= 500 || w->asked[node] == 0, "at %zu: node %zu", i, node); /* everybody once ... */
		w->asked[node]++;
		probes_heard(w->probes, ticket, &ok, w->now);
		pass(w, 200); /* one after the other: slower than they become due */
	}
	for (size_t i = 0; i < 500; i++) /* ... and nobody is left behind */
		CHECK(w->asked[i] >= 1 && w->asked[i] <= 3, "node %zu: %zu", i, w->asked[i]);
	world_free(w);
}

static int64_t half_silent(struct world *w, size_t node, const struct http_request *request, struct http_answer *out)
{
	return node % 2 == 0 ? all_well(w, node, request, out) : all_silent(w, node, request, out);
}

/* A thousand silent nodes, each holding a flight for five seconds: the others are still seen. */
static void the_silent_leave_room(void **state)
{
	(void)state;
	struct world *w = workers(MANY);
	live(w, 5 * MINUTE, all_well);
	memset(w->asked, 0, sizeof w->asked);
	live(w, 10 * MINUTE, half_silent);
	for (size_t i = 0; i < MANY; i += 2) {
		/* of twenty; the first time that all of them are silent, nobody knows it yet */
		CHECK(w->asked[i] >= 14, "node %zu: %zu", i, w->asked[i]);
		CHECK(finding_of(w, i).health == HEALTH_OK, "node %zu", i);
	}
	world_free(w);
}

static int64_t refused(struct world *w, size_t node, const struct http_request *request, struct http_answer *out)
{
	(void)w;
	(void)node;
	(void)request;
	*out = with_error(ERR_REFUSED);
	return 1;
}

static void a_bad_one_is_asked_again_soon(void **state)
{
	(void)state;
	struct world *w = workers(1);
	live(w, 15 * SEC, all_well);
	memset(w->asked, 0, sizeof w->asked);
	live(w, 60 * SEC, refused);
	CHECK(w->asked[0] >= 6 && w->asked[0] <= 12, "%zu", w->asked[0]);
	memset(w->asked, 0, sizeof w->asked);
	live(w, 10 * SEC, all_well);
	live(w, 5 * MINUTE, all_well);
	CHECK(w->asked[0] >= 9 && w->asked[0] <= 12, "%zu", w->asked[0]);
	world_free(w);
}

static void tickets(void **state)
{
	(void)state;
	struct world *w = workers(1);
	struct http_request request;
	uint64_t first, second;
	struct http_answer ok = with_status(200);
	struct http_answer dead = with_error(ERR_REFUSED);
	pass(w, 10 * SEC);
	assert_true(next(w, &request, &first));
	/* the Node is another one now: the answer of the old one is dropped */
	w->nodes[0].uid = "another";
	show_nodes(w);
	probes_heard(w->probes, first, &dead, w->now);
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	assert_string_equal(finding_of(w, 0).why, "not probed yet");
	pass(w, 10 * SEC);
	assert_true(next(w, &request, &second));
	probes_heard(w->probes, first, &dead, w->now); /* twice; and nobody's */
	probes_heard(w->probes, 0, &dead, w->now);
	probes_heard(w->probes, second + 1, &dead, w->now);
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	probes_heard(w->probes, second, &ok, w->now);
	assert_int_equal(finding_of(w, 0).health, HEALTH_OK);
	probes_heard(w->probes, second, &dead, w->now);
	assert_int_equal(finding_of(w, 0).health, HEALTH_OK);
	world_free(w);
}

/* Name, uid, address and role: another of any of them is another node. */
static void another_node(void **state)
{
	(void)state;
	static const char *const what[] = { "uid", "address", "role", "nothing" };
	for (size_t i = 0; i < COUNT(what); i++) {
		struct world *w = workers(3);
		live(w, 15 * SEC, all_well);
		assert_int_equal(finding_of(w, 1).health, HEALTH_OK);
		if (i == 0)
			w->nodes[1].uid = "another";
		else if (i == 1)
			w->nodes[1].internal_ip = "10.9.9.9";
		else if (i == 2)
			w->nodes[1].role = ROLE_MASTER;
		enum health wanted = i == 3 ? HEALTH_OK : HEALTH_UNKNOWN;
		CHECK(finding_of(w, 1).health == wanted, "%s", what[i]);
		show_nodes(w);
		CHECK(finding_of(w, 1).health == wanted, "%s", what[i]);
		CHECK(finding_of(w, 0).health == HEALTH_OK && finding_of(w, 2).health == HEALTH_OK, "%s", what[i]);
		world_free(w);
	}
}

static void nodes_that_go(void **state)
{
	(void)state;
	struct world *w = workers(MANY);
	live(w, 15 * SEC, half_silent);
	struct http_request request;
	uint64_t ticket[PROBES_AT_ONCE];
	size_t flying = 0;
	pass(w, 30 * SEC);
	while (next(w, &request, &ticket[flying]))
		flying++;
	/* every third stays */
	size_t kept = 0;
	for (size_t i = 0; i < MANY; i += 3)
		w->list[kept++] = &w->nodes[i];
	probes_nodes(w->probes, w->list, kept, w->now.mono);
	for (size_t i = 0; i < MANY; i++) {
		if (i % 3 != 0)
			CHECK(strcmp(finding_of(w, i).why, "not probed yet") == 0, "node %zu", i);
	}
	struct http_answer ok = with_status(200);
	for (size_t i = 0; i < flying; i++)
		probes_heard(w->probes, ticket[i], &ok, w->now);
	memset(w->asked, 0, sizeof w->asked);
	live(w, MINUTE, all_well);
	for (size_t i = 0; i < MANY; i++) {
		CHECK((w->asked[i] > 0) == (i % 3 == 0), "node %zu: %zu", i, w->asked[i]);
		CHECK(i % 3 != 0 || finding_of(w, i).health == HEALTH_OK, "node %zu", i);
	}
	probes_nodes(w->probes, w->list, 0, w->now.mono);
	assert_true(probes_due(w->probes).ms == NEVER);
	world_free(w);
}

static void not_sent(void **state)
{
	(void)state;
	struct world *w = workers(1);
	struct http_request request;
	uint64_t ticket;
	pass(w, 10 * SEC);
	assert_true(next(w, &request, &ticket));
	probes_unsent(w->probes, ticket, w->now.mono);
	assert_int_equal(finding_of(w, 0).health, HEALTH_UNKNOWN);
	assert_false(next(w, &request, &ticket));
	int64_t wait_ms = probes_due(w->probes).ms - w->now.mono.ms;
	assert_true(wait_ms > 0 && wait_ms <= 5 * SEC);
	pass(w, wait_ms);
	assert_true(next(w, &request, &ticket));
	probes_unsent(w->probes, 12345, w->now.mono);
	world_free(w);
}

/* An answer that never comes does not hold its flight for ever. */
static void lost_answers(void **state)
{
	(void)state;
	struct world *w = workers(PROBES_AT_ONCE + 5);
	struct http_request request;
	uint64_t ticket, last = 0;
	size_t count = 0;
	pass(w, 10 * SEC);
	while (next(w, &request, &ticket)) {
		last = ticket;
		count++;
	}
	assert_int_equal(count, PROBES_AT_ONCE);
	int64_t wait_ms = probes_due(w->probes).ms - w->now.mono.ms;
	assert_true(wait_ms > 5 * SEC && wait_ms < 2 * MINUTE);
	pass(w, wait_ms - 1);
	assert_false(next(w, &request, &ticket));
	pass(w, 1);
	assert_true(next(w, &request, &ticket));
	struct http_answer dead = with_error(ERR_REFUSED);
	probes_heard(w->probes, last, &dead, w->now);
	for (size_t i = 0; i < w->count; i++)
		assert_int_equal(finding_of(w, i).health, HEALTH_UNKNOWN);
	live(w, MINUTE, all_well);
	for (size_t i = 0; i < w->count; i++)
		assert_int_equal(finding_of(w, i).health, HEALTH_OK);
	world_free(w);
}

static void who_is_not_asked(void **state)
{
	(void)state;
	static const char *const addresses[] = { "",
						 "nonsense",
						 "10.0.0.300",
						 "10.0.0.1/x",
						 "10.0.0.1:22",
						 "evil.example",
						 "fe80::1%eth0",
						 "::ffff:1.2.3.4.5",
						 "user@10.0.0.1",
						 "10.0.0.1 " };
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct world *w = workers(0);
		add_nodes(w, ROLE_WORKER, 1);
		w->nodes[0].internal_ip = addresses[i];
		show_nodes(w);
		CHECK(probes_due(w->probes).ms == NEVER, "%s", addresses[i]);
		CHECK(finding_of(w, 0).health == HEALTH_UNKNOWN, "%s", addresses[i]);
		w->nodes[0].internal_ip = "10.0.0.1";
		w->nodes[0].is_phantom = true;
		show_nodes(w);
		CHECK(probes_due(w->probes).ms == NEVER, "phantom");
		w->nodes[0].is_phantom = false;
		show_nodes(w);
		CHECK(probes_due(w->probes).ms != NEVER, "a good one");
		world_free(w);
	}
}

/* Random nodes come, go and change, answers come late, twice or never: against a plain model of who must be known. */
static void random_life(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct rng rng = { seed };
		struct world *w = workers(0);
		add_nodes(w, ROLE_WORKER, 60);
		uint64_t open[400];
		size_t open_count = 0;
		for (int step = 0; step < 3000; step++) {
			struct http_request request;
			uint64_t ticket;
			size_t shown = 0;
			if (rng_chance(&rng, 0.02)) {
				for (size_t i = 0; i < 60; i++) {
					if (rng_chance(&rng, 0.8))
						w->list[shown++] = &w->nodes[i];
				}
				w->ready[rng_below(&rng, 60)].status = (enum status)rng_below(&rng, 3);
				probes_nodes(w->probes, w->list, shown, w->now.mono);
			}
			while (open_count < COUNT(open) && next(w, &request, &ticket))
				open[open_count++] = ticket;
			arena_reset(&w->arena);
			if (open_count > 0 && rng_chance(&rng, 0.6)) {
				static const enum err_code codes[] = { ERR_NETWORK, ERR_TIMEOUT, ERR_REFUSED,
								       ERR_INPUT };
				size_t at = rng_below(&rng, open_count);
				struct http_answer answer = rng_chance(&rng, 0.5)
								    ? with_status(200)
								    : with_error(codes[rng_below(&rng, 4)]);
				if (rng_chance(&rng, 0.1))
					probes_unsent(w->probes, open[at], w->now.mono);
				else
					probes_heard(w->probes, open[at], &answer, w->now);
				if (rng_chance(&rng, 0.9))
					open[at] = open[--open_count];
			}
			pass(w, (int64_t)rng_below(&rng, 500));
		}
		for (size_t i = 0; i < 60; i++)
			w->list[i] = &w->nodes[i];
		show_nodes(w);
		pass(w, 2 * MINUTE); /* what is open is lost */
		live(w, 2 * MINUTE, all_well);
		for (size_t i = 0; i < 60; i++)
			CHECK(finding_of(w, i).health == HEALTH_OK, "seed %llu, node %zu", (unsigned long long)seed, i);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_ask),
		cmocka_unit_test(spread),
		cmocka_unit_test(a_short_interval),
		cmocka_unit_test(at_most_so_many_at_once),
		cmocka_unit_test(in_fair_order),
		cmocka_unit_test(the_silent_leave_room),
		cmocka_unit_test(a_bad_one_is_asked_again_soon),
		cmocka_unit_test(tickets),
		cmocka_unit_test(another_node),
		cmocka_unit_test(nodes_that_go),
		cmocka_unit_test(not_sent),
		cmocka_unit_test(lost_answers),
		cmocka_unit_test(who_is_not_asked),
		cmocka_unit_test(random_life),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
