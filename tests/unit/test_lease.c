/* Leader election: the sequence of client-go, what each answer leads to, the fence; and two replicas on one server. */
#include "core_fixture.h"

#include "core/lease.h"

static const struct lease_opts opts_a = { 20 * SEC, 15 * SEC, 5 * SEC, "a_1" };
static const struct lease_opts opts_b = { 20 * SEC, 15 * SEC, 5 * SEC, "b_2" };

struct rig {
	struct lease lease;
	struct now now;
	struct rng rng;
};

static void pass(struct rig *rig, int64_t ms)
{
	rig->now.mono.ms += ms;
	rig->now.wall.ms += ms;
}

static void rig_init(struct rig *rig)
{
	*rig = (struct rig){ .now = { { LAB_MONO }, { LAB_WALL } }, .rng = { 4 } };
	lease_init(&rig->lease, &opts_a, rig->now);
}

static enum lease_do poll(struct rig *rig)
{
	return lease_poll(&rig->lease, rig->now, &rig->rng);
}

static enum lease_do poll_due(struct rig *rig)
{
	if (rig->lease.due.ms > rig->now.mono.ms)
		pass(rig, rig->lease.due.ms - rig->now.mono.ms);
	return poll(rig);
}

static void hear(struct rig *rig, int status, const struct lease_record *record)
{
	lease_heard(&rig->lease, rig->now, &rig->rng, status, record);
}

/* What the server makes of the write. */
static void accept_write(struct rig *rig, const char *version)
{
	struct lease_record record = rig->lease.wanted;
	(void)TEXT_COPY(record.resource_version, version);
	hear(rig, 200, &record);
}

static struct lease_record others(const char *version)
{
	struct lease_record record = { .holder = "b_2", .duration_ms = 20 * SEC, .transitions = 3 };
	(void)TEXT_COPY(record.resource_version, version);
	record.acquired.ms = LAB_WALL - HOUR;
	record.renewed.ms = LAB_WALL;
	return record;
}

static bool leads(const struct rig *rig)
{
	return lease_leads(&rig->lease, rig->now.mono);
}

static void become_leader(struct rig *rig)
{
	assert_int_equal(poll(rig), LEASE_GET);
	hear(rig, 404, NULL);
	assert_int_equal(poll(rig), LEASE_CREATE);
	accept_write(rig, "1");
	assert_true(leads(rig));
}

static void creates_what_is_not_there(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	assert_int_equal(poll(&rig), LEASE_GET);
	assert_int_equal(poll(&rig), LEASE_WAIT); /* one request at a time */
	hear(&rig, 404, NULL);
	assert_int_equal(poll(&rig), LEASE_CREATE);
	assert_string_equal(rig.lease.wanted.holder, "a_1");
	assert_int_equal(rig.lease.wanted.duration_ms, 20 * SEC);
	assert_int_equal(rig.lease.wanted.transitions, 0);
	assert_int_equal(rig.lease.wanted.acquired.ms, rig.now.wall.ms);
	assert_int_equal(rig.lease.wanted.renewed.ms, rig.now.wall.ms);
	assert_false(leads(&rig)); /* not before the answer */
	pass(&rig, 300);
	accept_write(&rig, "1");
	assert_true(leads(&rig));
	assert_int_equal(rig.lease.epoch, 1);
	assert_int_equal(rig.lease.due.ms, rig.lease.sent.ms + 5 * SEC);
	assert_int_equal(poll(&rig), LEASE_WAIT);
}

static void somebody_was_faster_in_creating(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	(void)poll(&rig);
	hear(&rig, 404, NULL);
	(void)poll(&rig);
	hear(&rig, 409, NULL);
	assert_false(leads(&rig));
	assert_int_equal(poll(&rig), LEASE_WAIT);
	assert_int_equal(poll_due(&rig), LEASE_GET);
}

static void renews_without_reading(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	become_leader(&rig);
	struct wall acquired = rig.lease.seen.acquired;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(poll_due(&rig), LEASE_UPDATE);
		assert_int_equal(rig.lease.wanted.renewed.ms, rig.now.wall.ms);
		assert_int_equal(rig.lease.wanted.acquired.ms, acquired.ms);
		assert_int_equal(rig.lease.wanted.transitions, 0);
		char version[8];
		(void)snprintf(version, sizeof version, "%d", i + 2);
		pass(&rig, 100);
		accept_write(&rig, version);
		assert_int_equal(rig.lease.renewed.ms, rig.now.mono.ms - 100); /* from when it was sent */
		assert_int_equal(rig.lease.epoch, 1);
	}
}

static void waits_for_a_holder_by_its_own_clock(void **state)
{
	(void)state;
	static const int64_t wall_jumps[] = { 0, HOUR, -HOUR, 24 * 365 * HOUR };
	for (size_t i = 0; i < COUNT(wall_jumps); i++) {
		struct rig rig;
		rig_init(&rig);
		struct lease_record record = others("7");
		record.renewed.ms = LAB_WALL - 10 * HOUR; /* by a clock that is wrong: no reason to take it */
		int64_t first_ms = rig.now.mono.ms;
		for (;;) {
			enum lease_do what = poll_due(&rig);
			if (what == LEASE_UPDATE)
				break;
			assert_int_equal(rig.now.mono.ms < first_ms + 60 * SEC, 1);
			if (what == LEASE_GET)
				hear(&rig, 200, &record);
			rig.now.wall.ms += wall_jumps[i];
			assert_false(leads(&rig));
		}
		CHECK(rig.now.mono.ms - first_ms >= 20 * SEC, "taken after %lld ms",
		      (long long)(rig.now.mono.ms - first_ms));
		assert_string_equal(rig.lease.wanted.holder, "a_1");
		assert_string_equal(rig.lease.wanted.resource_version, "7");
		assert_int_equal(rig.lease.wanted.transitions, 4);
		assert_int_equal(rig.lease.wanted.acquired.ms, rig.now.wall.ms);
		accept_write(&rig, "8");
		assert_true(leads(&rig));
	}
}

static void a_renewing_holder_is_left_alone(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	for (int i = 0; i < 200; i++) {
		enum lease_do what = poll_due(&rig);
		CHECK(what == LEASE_GET || what == LEASE_WAIT, "round %d: %d", i, what);
		char version[8];
		(void)snprintf(version, sizeof version, "%d", i);
		struct lease_record record = others(version);
		if (what == LEASE_GET)
			hear(&rig, 200, &record);
	}
}

static void a_released_lease_is_taken_at_once(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	struct lease_record record = others("7");
	record.holder[0] = '\0';
	record.duration_ms = SEC;
	(void)poll(&rig);
	hear(&rig, 200, &record);
	assert_int_equal(poll(&rig), LEASE_UPDATE);
	assert_int_equal(rig.lease.wanted.duration_ms, 20 * SEC);
	hear(&rig, 409, NULL); /* the other standby was faster */
	assert_false(leads(&rig));
	assert_int_equal(poll_due(&rig), LEASE_GET);
}

static void leadership_ends_at_the_renew_deadline(void **state)
{
	(void)state;
	static const int answers[] = { 0, 500, 403, 429 };
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct rig rig;
		rig_init(&rig);
		become_leader(&rig);
		int64_t end_ms = rig.lease.renewed.ms + 15 * SEC;
		while (rig.now.mono.ms < end_ms - 1) {
			int64_t next_ms = rig.lease.due.ms < end_ms - 1 ? rig.lease.due.ms : end_ms - 1;
			if (next_ms > rig.now.mono.ms)
				pass(&rig, next_ms - rig.now.mono.ms);
			if (poll(&rig) != LEASE_WAIT)
				hear(&rig, answers[i], NULL);
			assert_true(leads(&rig)); /* one failure is no reason */
		}
		pass(&rig, 1);
		assert_false(leads(&rig)); /* also before the next poll */
		assert_false(lease_has_authority(&rig.lease, rig.now.mono, 0));
		(void)poll(&rig);
		assert_false(rig.lease.is_leader);
	}
}

static void a_leader_reads_again_after_a_conflict(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	become_leader(&rig);
	assert_int_equal(poll_due(&rig), LEASE_UPDATE);
	hear(&rig, 409, NULL); /* somebody put a label on it */
	assert_true(leads(&rig));
	assert_int_equal(poll(&rig), LEASE_GET);
	struct lease_record record = rig.lease.seen;
	(void)TEXT_COPY(record.resource_version, "5");
	hear(&rig, 200, &record);
	assert_int_equal(poll(&rig), LEASE_UPDATE);
	assert_string_equal(rig.lease.wanted.resource_version, "5");
	assert_int_equal(rig.lease.wanted.transitions, 0);
	accept_write(&rig, "6");
	assert_true(leads(&rig));
	assert_int_equal(rig.lease.epoch, 1);
}

static void a_lease_that_was_taken_away_is_not_taken_back(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	become_leader(&rig);
	assert_int_equal(poll_due(&rig), LEASE_UPDATE);
	hear(&rig, 409, NULL);
	assert_int_equal(poll(&rig), LEASE_GET);
	struct lease_record record = others("9");
	hear(&rig, 200, &record);
	assert_false(leads(&rig));
	for (int64_t end_ms = rig.now.mono.ms + 19 * SEC; rig.now.mono.ms < end_ms; pass(&rig, 500)) {
		enum lease_do what = poll(&rig);
		CHECK(what == LEASE_WAIT || what == LEASE_GET, "%d: another one holds it", what);
		if (what == LEASE_GET)
			hear(&rig, 200, &record);
	}
}

static void a_deleted_lease_is_made_again(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	become_leader(&rig);
	assert_int_equal(poll_due(&rig), LEASE_UPDATE);
	hear(&rig, 404, NULL);
	assert_true(leads(&rig));
	assert_int_equal(poll_due(&rig), LEASE_GET);
	hear(&rig, 404, NULL);
	assert_int_equal(poll_due(&rig), LEASE_CREATE);
	accept_write(&rig, "20");
	assert_true(leads(&rig));
}

static void a_lost_answer_may_have_been_a_success(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	(void)poll(&rig);
	hear(&rig, 404, NULL);
	(void)poll(&rig);
	struct lease_record mine = rig.lease.wanted;
	(void)TEXT_COPY(mine.resource_version, "1");
	hear(&rig, 0, NULL); /* it was written all the same */
	assert_false(leads(&rig));
	assert_int_equal(poll_due(&rig), LEASE_GET);
	hear(&rig, 200, &mine);
	assert_false(leads(&rig));                  /* reading is not renewing */
	assert_int_equal(poll(&rig), LEASE_UPDATE); /* it is mine: no waiting */
	assert_int_equal(rig.lease.wanted.transitions, mine.transitions);
	accept_write(&rig, "2");
	assert_true(leads(&rig));
}

static void an_answer_that_took_too_long_gives_no_leadership(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	(void)poll(&rig);
	hear(&rig, 404, NULL);
	assert_int_equal(poll(&rig), LEASE_CREATE);
	pass(&rig, 16 * SEC);
	accept_write(&rig, "1");
	assert_false(leads(&rig));
	assert_false(lease_has_authority(&rig.lease, rig.now.mono, 0));
}

static void the_fence(void **state)
{
	(void)state;
	static const struct {
		int64_t since_renewal_ms, timeout_ms;
		bool may;
	} cases[] = {
		{ 0, 0, true },
		{ 0, 10 * SEC, true },
		{ 0, 19 * SEC, true },
		{ 0, 19 * SEC + 1, false },
		{ 9 * SEC, 10 * SEC, true },
		{ 9 * SEC + 1, 10 * SEC, false },
		{ 14 * SEC, 5 * SEC, true },
		{ 14 * SEC + 999, 1 * SEC, true },
		{ 15 * SEC, 0, false }, /* leads no longer */
		{ 25 * SEC, 0, false }, /* a frozen process wakes up */
		{ HOUR, 0, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig rig;
		rig_init(&rig);
		become_leader(&rig);
		rig.now.wall.ms += i % 2 ? 10 * HOUR : -10 * HOUR; /* irrelevant */
		rig.now.mono.ms = rig.lease.renewed.ms + cases[i].since_renewal_ms;
		CHECK(lease_has_authority(&rig.lease, rig.now.mono, cases[i].timeout_ms) == cases[i].may, "case %zu",
		      i);
	}
}

static void a_frozen_process_reads_before_it_writes(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	become_leader(&rig);
	pass(&rig, 30 * SEC);
	assert_false(leads(&rig));
	assert_int_equal(poll(&rig), LEASE_GET);
	struct lease_record record = others("9");
	hear(&rig, 200, &record);
	assert_int_equal(poll(&rig), LEASE_WAIT);
	assert_false(leads(&rig));

	rig_init(&rig); /* the same while a renewal is under way: its late answer gives nothing back */
	become_leader(&rig);
	assert_int_equal(poll_due(&rig), LEASE_UPDATE);
	pass(&rig, 30 * SEC);
	accept_write(&rig, "2");
	assert_false(leads(&rig));
	assert_int_equal(poll_due(&rig), LEASE_GET);
}

static void gives_the_lease_back(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	become_leader(&rig);
	pass(&rig, 1 * SEC);
	lease_release(&rig.lease, rig.now);
	assert_false(leads(&rig)); /* from now on no act leaves */
	assert_false(lease_has_authority(&rig.lease, rig.now.mono, 0));
	assert_int_equal(poll(&rig), LEASE_UPDATE);
	assert_string_equal(rig.lease.wanted.holder, "");
	assert_int_equal(rig.lease.wanted.duration_ms, 1 * SEC);
	assert_string_equal(rig.lease.wanted.resource_version, "1");
	accept_write(&rig, "2");
	assert_int_equal(rig.lease.due.ms, NEVER);
	assert_false(leads(&rig) || rig.lease.is_leader);
	assert_int_equal(rig.lease.doing, LEASE_WAIT);
}

static void gives_back_only_what_it_has(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	struct lease_record record = others("7");
	(void)poll(&rig);
	hear(&rig, 200, &record);
	lease_release(&rig.lease, rig.now);
	assert_int_equal(poll(&rig), LEASE_WAIT);
	assert_int_equal(rig.lease.due.ms, NEVER);

	rig_init(&rig); /* its time had run out: somebody else may hold it by now */
	become_leader(&rig);
	pass(&rig, 16 * SEC);
	lease_release(&rig.lease, rig.now);
	assert_int_equal(poll(&rig), LEASE_WAIT);
	assert_false(rig.lease.is_leader);

	rig_init(&rig); /* a renewal is under way: first its answer, then the giving back */
	become_leader(&rig);
	assert_int_equal(poll_due(&rig), LEASE_UPDATE);
	lease_release(&rig.lease, rig.now);
	assert_int_equal(poll(&rig), LEASE_WAIT);
	accept_write(&rig, "2");
	assert_false(leads(&rig));
	assert_int_equal(poll(&rig), LEASE_UPDATE);
	assert_string_equal(rig.lease.wanted.holder, "");
	hear(&rig, 0, NULL); /* lost: then it runs out by itself */
	(void)poll_due(&rig);
	assert_int_equal(rig.lease.doing, LEASE_WAIT);
	assert_false(rig.lease.is_leader);
}

static void alone_and_stepping_down(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	lease_lead_alone(&rig.lease, rig.now);
	assert_true(leads(&rig));
	pass(&rig, 10 * SEC);
	lease_lead_alone(&rig.lease, rig.now);
	assert_int_equal(rig.lease.epoch, 1);
	assert_true(lease_has_authority(&rig.lease, rig.now.mono, 10 * SEC));

	rig_init(&rig);
	become_leader(&rig);
	lease_step_down(&rig.lease, rig.now);
	assert_false(leads(&rig));
	assert_int_equal(poll(&rig), LEASE_WAIT);
	assert_int_equal(poll_due(&rig), LEASE_GET);
	struct lease_record record = rig.lease.seen;
	hear(&rig, 200, &record);
	assert_int_equal(poll(&rig), LEASE_UPDATE);
	accept_write(&rig, "2");
	assert_true(leads(&rig));
	assert_int_equal(rig.lease.epoch, 2); /* won anew: the journal is read again */
}

/* ---- model: two replicas, one server, delays, losses, freezes -----------------------------------------------------
 */

struct server {
	struct lease_record record;
	bool exists;
	unsigned version;
};

/* 0: the write or its answer was lost. */
static int serve(struct server *server, enum lease_do what, const struct lease_record *wanted, struct lease_record *out)
{
	if (what == LEASE_GET) {
		*out = server->record;
		return server->exists ? 200 : 404;
	}
	if (what == LEASE_CREATE
		    ? server->exists
		    : !server->exists || strcmp(wanted->resource_version, server->record.resource_version) != 0)
		return server->exists ? 409 : 404;
	server->exists = true;
	server->record = *wanted;
	(void)snprintf(server->record.resource_version, sizeof server->record.resource_version, "%u",
		       ++server->version);
	*out = server->record;
	return what == LEASE_CREATE ? 201 : 200;
}

struct replica {
	struct lease lease;
	int64_t mono_offset_ms, wall_offset_ms; /* its clocks have nothing to do with those of others */
	int64_t frozen_until_ms;
	enum lease_do sent; /* under way to the server */
	struct lease_record wanted, got;
	int64_t arrives_ms, answers_ms;
	int status;
	bool is_answered;
	int64_t act_ends_ms; /* its longest act under way */
};

static struct now clock_of(const struct replica *r, int64_t t)
{
	return (struct now){ { t + r->mono_offset_ms }, { LAB_WALL + t + r->wall_offset_ms } };
}

static int64_t delay(struct rng *rng)
{
	return rng_chance(rng, 0.05) ? (int64_t)rng_below(rng, 12 * SEC) : (int64_t)rng_below(rng, 400);
}

static void replica_net(struct replica *r, struct server *server, struct rng *rng, int64_t t)
{
	if (r->sent != LEASE_WAIT && !r->is_answered && t >= r->arrives_ms) {
		bool is_lost = rng_chance(rng, 0.1);
		r->status = is_lost ? 0 : serve(server, r->sent, &r->wanted, &r->got);
		if (rng_chance(rng, 0.1))
			r->status = 0; /* done, but the answer is lost */
		r->is_answered = true;
		r->answers_ms = r->status == 0 ? r->arrives_ms + 10 * SEC : t + delay(rng);
	}
	if (r->sent != LEASE_WAIT && r->is_answered && t >= r->answers_ms && t >= r->frozen_until_ms) {
		r->sent = LEASE_WAIT;
		lease_heard(&r->lease, clock_of(r, t), rng, r->status, r->status / 100 == 2 ? &r->got : NULL);
	}
}

static void replica_run(struct replica *r, struct rng *rng, int64_t t)
{
	if (t < r->frozen_until_ms)
		return;
	struct now now = clock_of(r, t);
	enum lease_do what = lease_poll(&r->lease, now, rng);
	if (what != LEASE_WAIT) {
		r->sent = what;
		r->wanted = r->lease.wanted;
		r->is_answered = false;
		r->arrives_ms = t + delay(rng);
	}
	int64_t timeout_ms = 1 * SEC + (int64_t)rng_below(rng, 12 * SEC);
	if (rng_chance(rng, 0.3) && lease_has_authority(&r->lease, now.mono, timeout_ms) &&
	    t + timeout_ms > r->act_ends_ms)
		r->act_ends_ms = t + timeout_ms;
	if (rng_chance(rng, 0.002))
		r->frozen_until_ms = t + (int64_t)rng_below(rng, 60 * SEC);
	if (rng_chance(rng, 0.001)) /* somebody sets the clock */
		r->wall_offset_ms += (int64_t)rng_below(rng, 2 * HOUR) - HOUR;
}

static void never_two_authorities_at_once(void **state)
{
	(void)state;
	int changes = 0;
	for (unsigned seed = 1; seed <= 60; seed++) {
		struct rng rng = { seed };
		struct server server = { 0 };
		struct replica replicas[2] = { { .mono_offset_ms = HOUR },
					       { .mono_offset_ms = 500 * HOUR, .wall_offset_ms = -9 * HOUR } };
		lease_init(&replicas[0].lease, &opts_a, clock_of(&replicas[0], 0));
		lease_init(&replicas[1].lease, &opts_b, clock_of(&replicas[1], 0));
		int last = -1;
		for (int64_t t = 0; t < HOUR; t += 100) {
			for (int i = 0; i < 2; i++) {
				replica_net(&replicas[i], &server, &rng, t);
				replica_run(&replicas[i], &rng, t);
			}
			for (int i = 0; i < 2; i++) {
				struct replica *r = &replicas[i];
				if (t < r->frozen_until_ms || !lease_leads(&r->lease, clock_of(r, t).mono))
					continue;
				CHECK(replicas[1 - i].act_ends_ms <= t, "seed %u at %lld: %d leads, an act of %d runs",
				      seed, (long long)t, i, 1 - i);
				changes += last != i;
				last = i;
			}
		}
		CHECK(last >= 0, "seed %u: nobody ever led", seed);
	}
	assert_true(changes > 150); /* leadership did move */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creates_what_is_not_there),
		cmocka_unit_test(somebody_was_faster_in_creating),
		cmocka_unit_test(renews_without_reading),
		cmocka_unit_test(waits_for_a_holder_by_its_own_clock),
		cmocka_unit_test(a_renewing_holder_is_left_alone),
		cmocka_unit_test(a_released_lease_is_taken_at_once),
		cmocka_unit_test(leadership_ends_at_the_renew_deadline),
		cmocka_unit_test(a_leader_reads_again_after_a_conflict),
		cmocka_unit_test(a_lease_that_was_taken_away_is_not_taken_back),
		cmocka_unit_test(a_deleted_lease_is_made_again),
		cmocka_unit_test(a_lost_answer_may_have_been_a_success),
		cmocka_unit_test(an_answer_that_took_too_long_gives_no_leadership),
		cmocka_unit_test(the_fence),
		cmocka_unit_test(a_frozen_process_reads_before_it_writes),
		cmocka_unit_test(gives_the_lease_back),
		cmocka_unit_test(gives_back_only_what_it_has),
		cmocka_unit_test(alone_and_stepping_down),
		cmocka_unit_test(never_two_authorities_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
