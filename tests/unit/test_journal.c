/* The journal: everything that is stored comes back, whatever the clocks say; what is not understood is left out and
 * said; what is no journal is refused. */
#include "core_fixture.h"

#include "base/jsonx.h"
#include "core/journal.h"

static const struct step steps[] = {
	{ .name = "look" },
	{ .name = "act", .is_once = true, .look = "look", .is_committed = true },
	{ .name = "wait" },
};
static const struct recipe recipe = { "replace", steps, COUNT(steps), 3 * HOUR };

static const struct recipe *find(const void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, recipe.name) == 0 ? &recipe : NULL;
}

struct book {
	struct journal journal;
	struct history history;
	struct ops ops;
	struct err err;
};

static struct book *book_new(void)
{
	struct book *book = xcalloc(1, sizeof *book);
	history_init(&book->history);
	return book;
}

static void book_free(struct book *book)
{
	journal_done(&book->journal);
	history_done(&book->history);
	free(book);
}

static const struct now now0 = { { LAB_MONO }, { LAB_WALL + 123 } };

static bool read_text(struct book *book, const char *text, struct now now)
{
	return journal_read(str_of(text), find, NULL, now, &book->journal, &book->history, &book->ops, &book->err);
}

static struct buf written(const struct book *book, struct now now)
{
	struct buf buf;
	buf_init(&buf, JOURNAL_BYTES_MAX);
	assert_true(journal_write(&book->journal, &book->history, &book->ops, now, &buf));
	return buf;
}

static void text_of(struct rng *rng, char *out, size_t bytes)
{
	static const char *const alphabet[] = { "a", "Z", "0", "-", ".", "/", "\"", "\\", "\n", "ä", "€", "😀", " " };
	size_t n = 0;
	size_t wanted = rng_chance(rng, 0.2) ? bytes - 1 : rng_below(rng, bytes);
	for (;;) {
		const char *c = alphabet[rng_below(rng, COUNT(alphabet))];
		if (n + strlen(c) > wanted)
			break;
		memcpy(out + n, c, strlen(c));
		n += strlen(c);
	}
	out[n] = '\0';
}

#define RANDOM_TEXT(rng, array) text_of((rng), (array), sizeof(array))

static void fill_facts(struct rng *rng, struct op_facts *facts, unsigned number)
{
	RANDOM_TEXT(rng, facts->node_uid);
	RANDOM_TEXT(rng, facts->boot_id);
	RANDOM_TEXT(rng, facts->machine_id);
	RANDOM_TEXT(rng, facts->server);
	RANDOM_TEXT(rng, facts->server_name);
	RANDOM_TEXT(rng, facts->new_server);
	RANDOM_TEXT(rng, facts->cluster);
	RANDOM_TEXT(rng, facts->group);
	RANDOM_TEXT(rng, facts->stack);
	RANDOM_TEXT(rng, facts->resource);
	RANDOM_TEXT(rng, facts->baseline);
	RANDOM_TEXT(rng, facts->volume);
	RANDOM_TEXT(rng, facts->root_volume);
	RANDOM_TEXT(rng, facts->why);
	RANDOM_TEXT(rng, facts->case_id);
	(void)snprintf(facts->node, sizeof facts->node, "node-%u", number);
	facts->count = (int32_t)rng_below(rng, 10000);
	facts->newest = (int32_t)rng_below(rng, 10000) - 1;
	facts->is_worker = rng_chance(rng, 0.5);
	facts->has_cordoned = rng_chance(rng, 0.5);
	facts->ready_limit_ms = 1 + (int64_t)rng_below(rng, HOUR);
	facts->may_have_stopped = rng_chance(rng, 0.5);
	facts->was_ready = rng_chance(rng, 0.5);
	facts->acted.ms = rng_chance(rng, 0.5) ? LAB_WALL - (int64_t)rng_below(rng, HOUR) : 0;
}

static struct mono time_of(struct rng *rng)
{
	return (struct mono){ rng_chance(rng, 0.3) ? 0 : LAB_MONO - (int64_t)rng_below(rng, 24 * HOUR) - 1 };
}

static void fill_record(struct rng *rng, struct record *record, size_t number)
{
	*record = (struct record){ 0 };
	(void)snprintf(record->node, sizeof record->node, "node-%05zu", number);
	RANDOM_TEXT(rng, record->uid);
	RANDOM_TEXT(rng, record->case_id);
	RANDOM_TEXT(rng, record->why);
	RANDOM_TEXT(rng, record->check);
	RANDOM_TEXT(rng, record->last_note);
	RANDOM_TEXT(rng, record->tried);
	record->role = rng_chance(rng, 0.5) ? ROLE_MASTER : ROLE_WORKER;
	record->state = (enum case_state)rng_below(rng, 4);
	record->last_rung = (enum rung)rng_below(rng, RUNG_GIVE_UP + 1);
	record->has_acted = rng_chance(rng, 0.5);
	record->is_climbing = rng_chance(rng, 0.5);
	record->rung_tries = (int)rng_below(rng, 12);
	record->attempts = (int)rng_below(rng, 12);
	for (size_t i = 0; i < CHECKS_PER_ROLE_MAX; i++)
		record->bad_since[i] = time_of(rng);
	record->first_seen = time_of(rng);
	record->opened = time_of(rng);
	record->ok_since = time_of(rng);
	record->repaired = time_of(rng);
	record->next_try = time_of(rng);
	if (record->next_try.ms != 0 && rng_chance(rng, 0.5))
		record->next_try.ms = LAB_MONO + (int64_t)rng_below(rng, 2 * HOUR);
	record->left_until.ms = rng_chance(rng, 0.5) ? LAB_MONO + (int64_t)rng_below(rng, HOUR) + 1 : 0;
	record->top = (enum rung)rng_below(rng, RUNG_GIVE_UP + 1);
	RANDOM_TEXT(rng, record->stopped);
	RANDOM_TEXT(rng, record->stopped_twin);
	record->is_awaited = rng_chance(rng, 0.5);
	record->is_phantom = rng_chance(rng, 0.5);
	record->lefts = (int)rng_below(rng, 9);
	record->flips_count = (unsigned)rng_below(rng, 2 * FLIPS_MAX);
	for (unsigned i = 0; i < record->flips_count && i < FLIPS_MAX; i++)
		record->flips[i].ms = LAB_MONO - (int64_t)rng_below(rng, HOUR) - 1;
	record->was_bad = record_bad_from(record).ms != 0;
}

static void fill(struct rng *rng, struct book *book)
{
	RANDOM_TEXT(rng, book->journal.leader);
	book->history.cap = book->history.count = rng_below(rng, 20);
	book->history.records = xcalloc(book->history.cap, sizeof *book->history.records);
	for (size_t i = 0; i < book->history.count; i++)
		fill_record(rng, &book->history.records[i], i);
	book->ops.count = rng_below(rng, 8);
	for (unsigned i = 0; i < book->ops.count; i++) {
		struct op *op = &book->ops.list[i];
		*op = (struct op){ .recipe = &recipe, .at = rng_chance(rng, 0.5) ? 0 : 2 };
		op->rung = (enum rung)rng_below(rng, RUNG_GIVE_UP + 1);
		op->started.ms = LAB_WALL - (int64_t)rng_below(rng, HOUR);
		op->is_committed = rng_chance(rng, 0.5);
		op->committed_at = op->is_committed ? 1 : 0;
		op->is_sent = op->is_committed && op->at == 0 && rng_chance(rng, 0.5);
		op->holds_lock = rng_chance(rng, 0.5);
		op->is_counted = rng_chance(rng, 0.5);
		op->is_touched = rng_chance(rng, 0.5);
		RANDOM_TEXT(rng, op->note);
		fill_facts(rng, &op->facts, i);
	}
	for (uint64_t i = 0; i < rng_below(rng, 6); i++) {
		char zone[20];
		(void)snprintf(zone, sizeof zone, "zone \"%u\"", (unsigned)i);
		history_freeze(&book->history, zone, (struct mono){ LAB_MONO - (int64_t)rng_below(rng, HOUR) - 1 });
	}
	book->history.begun_count = rng_below(rng, 2 * BEGUN_MAX);
	for (size_t i = 0; i < book->history.begun_count && i < BEGUN_MAX; i++)
		book->history.begun[i].ms = LAB_MONO - (int64_t)rng_below(rng, 2 * HOUR) - 1;
	book->history.storm_at = time_of(rng);
	size_t past = rng_below(rng, PAST_MAX * 2);
	for (size_t i = 0; i < past; i++) {
		struct past_case *p = &book->history.past[book->history.past_next];
		*p = (struct past_case){ .opened = { LAB_WALL - HOUR }, .closed = { LAB_WALL - (int64_t)(past - i) } };
		RANDOM_TEXT(rng, p->node);
		RANDOM_TEXT(rng, p->case_id);
		RANDOM_TEXT(rng, p->tried);
		RANDOM_TEXT(rng, p->why);
		book->history.past_next = (book->history.past_next + 1) % PAST_MAX;
		book->history.past_count += book->history.past_count < PAST_MAX;
	}
}

static void same_facts(const struct op_facts *a, const struct op_facts *b)
{
#define SAME(member) assert_string_equal(a->member, b->member)
	SAME(node);
	SAME(node_uid);
	SAME(boot_id);
	SAME(machine_id);
	SAME(server);
	SAME(server_name);
	SAME(new_server);
	SAME(cluster);
	SAME(group);
	SAME(stack);
	SAME(resource);
	SAME(baseline);
	SAME(volume);
	SAME(root_volume);
	SAME(why);
	SAME(case_id);

#undef SAME
	assert_int_equal(a->may_have_stopped, b->may_have_stopped);
	assert_int_equal(a->was_ready, b->was_ready);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->newest, b->newest);
	assert_int_equal(a->is_worker, b->is_worker);
	assert_int_equal(a->has_cordoned, b->has_cordoned);
	assert_int_equal(a->ready_limit_ms, b->ready_limit_ms);
	assert_int_equal(a->acted.ms, b->acted.ms);
}

static void same_record(const struct record *a, const struct record *b)
{
#define SAME(member) assert_string_equal(a->member, b->member)
	SAME(node);
	SAME(uid);
	SAME(case_id);
	SAME(why);
	SAME(check);
	SAME(last_note);
	SAME(tried);
	SAME(stopped);
	SAME(stopped_twin);

#undef SAME
#define SAME(member) assert_int_equal(a->member, b->member)
	SAME(role);
	SAME(state);
	SAME(last_rung);
	SAME(has_acted);
	SAME(is_climbing);
	SAME(rung_tries);
	SAME(attempts);
	SAME(first_seen.ms);
	SAME(opened.ms);
	SAME(ok_since.ms);
	SAME(next_try.ms);
	SAME(left_until.ms);
	SAME(repaired.ms);
	SAME(top);
	SAME(is_awaited);
	SAME(is_phantom);
	SAME(lefts);
	SAME(was_bad); /* or each restart would be a change of its health */
	for (size_t i = 0; i < CHECKS_PER_ROLE_MAX; i++)
		SAME(bad_since[i].ms);

#undef SAME
	/* A single change is that of having become bad, which bad_since says. */
	unsigned kept = a->flips_count < FLIPS_MAX ? a->flips_count : FLIPS_MAX;
	assert_int_equal(b->flips_count, kept > 1 ? kept : 0);
	for (unsigned i = 0; i < b->flips_count; i++)
		assert_int_equal(a->flips[(a->flips_count - kept + i) % FLIPS_MAX].ms, b->flips[i].ms);
}

/* What is remembered of the cluster: storms for their cool-down, and what began within the hour. */
static void same_cluster(const struct history *a, const struct history *b)
{
	assert_int_equal(a->storm_at.ms, b->storm_at.ms);
	assert_int_equal(a->zones_count, b->zones_count);
	for (size_t i = 0; i < a->zones_count; i++)
		assert_int_equal(history_frozen(b, a->zones[i].zone).ms, a->zones[i].at.ms);
	for (int64_t ago_ms = 0; ago_ms < HOUR; ago_ms += 5 * MINUTE) {
		struct mono since = { LAB_MONO - ago_ms };
		assert_int_equal(history_begun_since(a, since), history_begun_since(b, since));
	}
}

static void everything_comes_back(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		struct rng rng = { seed };
		struct book *a = book_new();
		struct book *b = book_new();
		fill(&rng, a);
		struct buf first = written(a, now0);
		CHECK(read_text(b, buf_cstr(&first), now0), "seed %u: %s", seed, b->err.text);
		CHECK(b->err.code == ERR_NONE, "seed %u: %s", seed, b->err.text);
		assert_string_equal(a->journal.leader, b->journal.leader);
		assert_int_equal(a->history.count, b->history.count);
		for (size_t i = 0; i < a->history.count; i++)
			same_record(&a->history.records[i], &b->history.records[i]);
		same_cluster(&a->history, &b->history);
		assert_int_equal(a->ops.count, b->ops.count);
		for (size_t i = 0; i < a->ops.count; i++) {
			const struct op *x = &a->ops.list[i];
			const struct op *y = &b->ops.list[i];
			same_facts(&x->facts, &y->facts);
			assert_int_equal(x->at, y->at);
			assert_int_equal(x->rung, y->rung);
			assert_int_equal(x->started.ms, y->started.ms);
			assert_int_equal(x->is_sent, y->is_sent);
			assert_int_equal(x->is_committed, y->is_committed);
			assert_int_equal(x->committed_at, y->committed_at);
			assert_int_equal(x->holds_lock, y->holds_lock);
			assert_int_equal(x->is_counted, y->is_counted);
			assert_int_equal(x->is_touched, y->is_touched);
			assert_int_equal(y->state, OP_DUE);
			assert_int_equal(y->call, 0);
		}
		assert_int_equal(a->history.past_count, b->history.past_count);
		struct buf second = written(b, now0); /* this says the same of the ring and of the notes */
		assert_string_equal(buf_cstr(&first), buf_cstr(&second));
		buf_done(&first);
		buf_done(&second);
		book_free(a);
		book_free(b);
	}
}

static void an_act_in_doubt_goes_back_to_its_look(void **state)
{
	(void)state;
	struct book *a = book_new();
	struct book *b = book_new();
	struct op *op = ops_add(&a->ops);
	*op = (struct op){
		.recipe = &recipe, .at = 1, .is_sent = true, .started = now0.wall, .facts = { .node = "n" }
	};
	struct buf text = written(a, now0);
	assert_true(read_text(b, buf_cstr(&text), now0));
	const struct op *again = &b->ops.list[0];
	assert_string_equal(op_step(again)->name, "look");
	assert_true(again->is_sent && again->is_committed);
	assert_int_equal(again->committed_at, 1);
	assert_int_equal(again->due.ms, LAB_MONO + OP_LOST_PAUSE_MS);
	buf_done(&text);
	book_free(a);
	book_free(b);
}

static void what_is_over_is_not_written(void **state)
{
	(void)state;
	struct book *a = book_new();
	for (int i = 0; i < 4; i++) {
		struct op *op = ops_add(&a->ops);
		*op = (struct op){ .recipe = &recipe, .facts = { .node = { (char)('a' + i) } } };
		op->state = i == 0 ? OP_DONE : i == 1 ? OP_WAITING : i == 2 ? OP_FAILED : OP_CANCELLED;
	}
	struct buf text = written(a, now0);
	struct book *b = book_new();
	assert_true(read_text(b, buf_cstr(&text), now0));
	assert_int_equal(b->ops.count, 1);
	assert_string_equal(b->ops.list[0].facts.node, "b");
	buf_done(&text);
	book_free(a);
	book_free(b);
}

static void unknown_keys_are_kept(void **state)
{
	(void)state;
	struct book *book = book_new();
	assert_true(read_text(book,
			      "{\"v\":1,\"leader\":\"x\",\"new\":{\"a\":[1,2.5,\"ä\",null,true]},\"ops\":[],"
			      "\"other\":\"text\"}",
			      now0));
	struct buf text = written(book, now0);
	json_t *json = json_parse(buf_str(&text), NULL);
	assert_non_null(json);
	assert_int_equal(json_int(json, "new.a.0", 0), 1);
	assert_string_equal(json_text(json, "new.a.2"), "ä");
	assert_string_equal(json_text(json, "other"), "text");
	assert_string_equal(json_text(json, "leader"), "x");
	json_decref(json);
	buf_done(&text);
	book_free(book);
}

static void a_journal_that_is_none(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"x",
		"null",
		"[]",
		"\"v\"",
		"{}",
		"{\"v\":0}",
		"{\"v\":2,\"cases\":[]}",
		"{\"v\":\"1\"}",
		"{\"v\":1.0}",
		"{\"v\":1",
		"{\"v\":1,\"v\":1}",
		"1",
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct book *book = book_new();
		CHECK(!read_text(book, cases[i], now0), "%s", cases[i]);
		CHECK(book->err.code != ERR_NONE && book->err.text[0] != '\0', "%s", cases[i]);
		assert_int_equal(book->history.count + book->ops.count + book->history.past_count, 0);
		book_free(book);
	}
}

#define OP_HEAD "{\"recipe\":\"replace\",\"step\":\"wait\",\"rung\":\"replace\""
#define CASE_HEAD "{\"state\":\"open\",\"rung\":\"none\""

static void what_is_not_understood_is_left_out_and_said(void **state)
{
	(void)state;
	static const struct {
		const char *what, *ops, *cases;
		size_t ops_count, cases_count;
		bool is_said;
	} rows[] = {
		{ "all fine", OP_HEAD ",\"node\":\"a\"}", CASE_HEAD ",\"node\":\"a\"}", 1, 1, false },
		{ "nothing", "", "", 0, 0, false },
		{ "a recipe of the future",
		  "{\"recipe\":\"x\",\"step\":\"wait\",\"rung\":\"replace\",\"node\":\"a\"}," OP_HEAD
		  ",\"node\":\"b\"}",
		  "", 1, 0, true },
		{ "a step of the future", "{\"recipe\":\"replace\",\"step\":\"x\",\"rung\":\"replace\",\"node\":\"a\"}",
		  "", 0, 0, true },
		{ "no step", "{\"recipe\":\"replace\",\"rung\":\"replace\",\"node\":\"a\"}", "", 0, 0, true },
		{ "a rung of the future", "{\"recipe\":\"replace\",\"step\":\"wait\",\"rung\":\"x\",\"node\":\"a\"}",
		  "", 0, 0, true },
		{ "no node", OP_HEAD "}", CASE_HEAD "}", 0, 0, true },
		{ "numbers for texts", OP_HEAD ",\"node\":7}", CASE_HEAD ",\"node\":7}", 0, 0, true },
		{ "not objects", "7,\"x\",null,[]", "7,\"x\",null,[]", 0, 0, true },
		{ "a state of the future", "",
		  "{\"state\":\"x\",\"rung\":\"none\",\"node\":\"a\"}," CASE_HEAD ",\"node\":\"b\"}", 0, 1, true },
		{ "two of one node", OP_HEAD ",\"node\":\"a\"}," OP_HEAD ",\"node\":\"a\"}",
		  CASE_HEAD ",\"node\":\"a\"}," CASE_HEAD ",\"node\":\"a\"}", 1, 1, false },
		{ "an identifier that is too long",
		  OP_HEAD ",\"node\":\"a\",\"server\":\"0123456789012345678901234567890123456789\"}",
		  CASE_HEAD ",\"node\":\"a\",\"uid\":\"0123456789012345678901234567890123456789\"}", 0, 0, true },
		{ "prose that is too long", "",
		  CASE_HEAD ",\"node\":\"a\",\"check\":\"0123456789012345678901234567890123456789\"}", 0, 1, false },
		{ "a highest rung of the future, and changes that are none", "",
		  CASE_HEAD ",\"node\":\"a\",\"top\":\"x\",\"flips\":[1,\"y\",null],\"left\":7}", 0, 1, false },
		{ "times that are none", OP_HEAD ",\"node\":\"a\",\"started\":\"yesterday\"}",
		  CASE_HEAD ",\"node\":\"a\",\"opened\":5,\"badSince\":{\"a\":1},\"nextTry\":\"\"}", 1, 1, false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct book *book = book_new();
		struct buf text;
		buf_init(&text, 4096);
		(void)buf_printf(&text, "{\"v\":1,\"ops\":[%s],\"cases\":[%s]}", rows[i].ops, rows[i].cases);
		CHECK(read_text(book, buf_cstr(&text), now0), "%s", rows[i].what);
		CHECK(book->ops.count == rows[i].ops_count, "%s: %zu ops", rows[i].what, book->ops.count);
		CHECK(book->history.count == rows[i].cases_count, "%s: %zu cases", rows[i].what, book->history.count);
		CHECK((book->err.code != ERR_NONE) == rows[i].is_said, "%s: %s", rows[i].what, book->err.text);
		buf_done(&text);
		book_free(book);
	}
}

/* A reason that was cut inside of a character must not cost the case. */
static void a_text_that_is_cut_badly(void **state)
{
	(void)state;
	struct book *a = book_new();
	struct book *b = book_new();
	a->history.records = xcalloc(1, sizeof *a->history.records);
	a->history.cap = a->history.count = 1;
	struct record *record = &a->history.records[0];
	*record = (struct record){ .node = "n", .state = CASE_GIVEN_UP, .attempts = 5 };
	memset(record->why, 'x', sizeof record->why - 2);
	record->why[sizeof record->why - 2] = (char)0xc3;
	struct buf text = written(a, now0);
	assert_true(read_text(b, buf_cstr(&text), now0));
	assert_int_equal(b->history.count, 1);
	assert_int_equal(b->history.records[0].attempts, 5);
	buf_done(&text);
	book_free(a);
	book_free(b);
}

/* The writer's clock was ahead of ours, or behind; we started long before it, or a moment ago. */
static void ages_are_never_negative(void **state)
{
	(void)state;
	static const int64_t offsets[] = { 0, 5 * SEC, -5 * SEC, HOUR, -HOUR, 10000 * HOUR, -10000 * HOUR };
	static const int64_t monos[] = { 1, 1 * SEC, LAB_MONO, 10000 * HOUR };
	for (size_t o = 0; o < COUNT(offsets); o++) {
		for (size_t m = 0; m < COUNT(monos); m++) {
			struct rng rng = { 1 + o * 10 + m };
			struct book *a = book_new();
			struct book *b = book_new();
			fill(&rng, a);
			struct buf text = written(a, now0);
			struct now now = { { monos[m] }, { now0.wall.ms + offsets[o] } };
			assert_true(read_text(b, buf_cstr(&text), now));
			for (size_t i = 0; i < b->history.count; i++) {
				const struct record *r = &b->history.records[i];
				const struct record *was = &a->history.records[i];
				CHECK(r->first_seen.ms <= now.mono.ms && r->opened.ms <= now.mono.ms &&
					      r->ok_since.ms <= now.mono.ms && r->repaired.ms <= now.mono.ms,
				      "offset %zu mono %zu", o, m);
				CHECK(r->next_try.ms <= now.mono.ms + 24 * HOUR, "offset %zu mono %zu", o, m);
				CHECK(r->left_until.ms <= now.mono.ms + 24 * HOUR, "offset %zu mono %zu", o, m);
				for (size_t k = 0; k < r->flips_count; k++)
					CHECK(r->flips[k].ms <= now.mono.ms, "offset %zu mono %zu", o, m);
				/* what was set stays set, what was not stays unset */
				CHECK((r->opened.ms == 0) == (was->opened.ms == 0), "offset %zu mono %zu", o, m);
				CHECK((r->next_try.ms == 0) == (was->next_try.ms == 0), "offset %zu mono %zu", o, m);
				for (size_t k = 0; k < CHECKS_PER_ROLE_MAX; k++)
					CHECK(r->bad_since[k].ms <= now.mono.ms &&
						      (r->bad_since[k].ms == 0) == (was->bad_since[k].ms == 0),
					      "offset %zu mono %zu", o, m);
			}
			for (size_t k = 0; k < b->history.zones_count; k++)
				CHECK(b->history.zones[k].at.ms <= now.mono.ms, "offset %zu mono %zu", o, m);
			CHECK(b->history.storm_at.ms <= now.mono.ms, "offset %zu mono %zu", o, m);
			CHECK(history_begun_since(&b->history, now.mono) == 0, "offset %zu mono %zu", o, m);
			buf_done(&text);
			book_free(a);
			book_free(b);
		}
	}
}

static void counts_cannot_overflow(void **state)
{
	(void)state;
	static const char *const values[] = {
		"-1", "-2147483648", "2147483647", "9223372036854775807", "1e9", "\"7\""
	};
	for (size_t i = 0; i < COUNT(values); i++) {
		struct book *book = book_new();
		struct buf text;
		buf_init(&text, 1000);
		(void)buf_printf(&text,
				 "{\"v\":1,\"cases\":[" CASE_HEAD ",\"node\":\"a\",\"attempts\":%s,\"rungTries\":%s}]}",
				 values[i], values[i]);
		assert_true(read_text(book, buf_cstr(&text), now0));
		struct record *record = &book->history.records[0];
		CHECK(record->attempts >= 0 && record->rung_tries >= 0, "%s", values[i]);
		struct policy policy = policy_default();
		struct op op = { .recipe = &recipe, .state = OP_FAILED, .is_committed = true };
		history_ended(&book->history, record, &policy, &op, RUNG_REPLACE, now0);
		CHECK(record->next_try.ms > LAB_MONO && record->next_try.ms <= LAB_MONO + 2 * HOUR, "%s", values[i]);
		buf_done(&text);
		book_free(book);
	}
}

static void no_wait_is_without_a_limit(void **state)
{
	(void)state;
	static const char *const values[] = { "0", "-1", "9223372036854775807", "\"x\"" };
	for (size_t i = 0; i < COUNT(values); i++) {
		struct book *book = book_new();
		struct buf text;
		buf_init(&text, 1000);
		(void)buf_printf(&text, "{\"v\":1,\"ops\":[" OP_HEAD ",\"node\":\"a\",\"readyLimitMs\":%s}]}",
				 values[i]);
		assert_true(read_text(book, buf_cstr(&text), now0));
		assert_int_equal(book->ops.list[0].facts.ready_limit_ms, 5 * MINUTE);
		buf_done(&text);
		book_free(book);
	}
}

static void the_size_is_bounded(void **state)
{
	(void)state;
	struct book *book = book_new();
	struct rng rng = { 1 };
	fill(&rng, book);
	struct buf text = written(book, now0);
	struct buf small;
	buf_init(&small, text.n);
	assert_true(journal_write(&book->journal, &book->history, &book->ops, now0, &small));
	buf_done(&small);
	buf_init(&small, text.n - 1); /* shorter, but whole */
	assert_true(journal_write(&book->journal, &book->history, &book->ops, now0, &small));
	assert_true(small.n < text.n);
	struct book *again = book_new();
	assert_true(read_text(again, buf_cstr(&small), now0));
	assert_int_equal(again->ops.count, book->ops.count);
	book_free(again);
	buf_done(&small);
	buf_init(&small, 100);
	assert_false(journal_write(&book->journal, &book->history, &book->ops, now0, &small));
	assert_true(small.is_over);
	assert_false(journal_write(&book->journal, &book->history, &book->ops, now0, &small));
	buf_done(&small);
	buf_done(&text);
	book_free(book);
}

/* The next change takes the place of the oldest one, also when another leader goes on with the ring. */
static void changes_keep_their_order(void **state)
{
	(void)state;
	for (int flips = 2; flips < 3 * FLIPS_MAX; flips++) {
		struct lab *lab = lab_new(0, 4);
		lab->policy.flap_window_ms = HOUR;
		lab_observe(lab);
		for (int i = 0; i < flips; i++) {
			lab_set(lab, 2, i % 2 ? STATUS_TRUE : STATUS_UNKNOWN);
			lab_pass(lab, 10 * SEC);
			lab_observe(lab);
		}
		struct book *from = book_new();
		struct book *to = book_new();
		from->history = lab->history;
		struct buf text = written(from, lab->now);
		from->history = (struct history){ 0 };
		assert_true(read_text(to, buf_cstr(&text), lab->now));
		history_done(&lab->history);
		lab->history = to->history;
		to->history = (struct history){ 0 };
		struct record *record = lab_record(lab, 2);
		assert_non_null(record);
		int kept = flips < FLIPS_MAX ? flips : FLIPS_MAX;
		for (int more = 0; more < FLIPS_MAX; more++) {
			unsigned wanted = (unsigned)(kept + more < FLIPS_MAX ? kept + more : FLIPS_MAX);
			CHECK(history_flips(record, &lab->policy, lab->now.mono) == wanted, "%d and %d", flips, more);
			/* the window that reaches back to the oldest kept one has them all; one shorter, one fewer */
			lab->policy.flap_window_ms = (int64_t)(wanted - 1) * 10 * SEC + 1;
			CHECK(history_flips(record, &lab->policy, lab->now.mono) == wanted, "%d and %d", flips, more);
			lab->policy.flap_window_ms--;
			CHECK(history_flips(record, &lab->policy, lab->now.mono) == wanted - 1, "%d and %d", flips,
			      more);
			lab->policy.flap_window_ms = HOUR;
			lab_set(lab, 2, lab->ready[2].status == STATUS_TRUE ? STATUS_UNKNOWN : STATUS_TRUE);
			lab_pass(lab, 10 * SEC);
			lab_observe(lab);
			record = lab_record(lab, 2);
		}
		buf_done(&text);
		book_free(from);
		book_free(to);
		lab_free(lab);
	}
}

/* ---- how large it can become ------------------------------------------------------------------------------------- */

#define FILL(array) (memset((array), 'x', sizeof(array) - 1), (array)[sizeof(array) - 1] = '\0')

/* Everything that a record can hold, in every member. */
static void fill_to_the_brim(struct record *record, size_t number, bool has_acted)
{
	*record = (struct record){ .state = CASE_PROBATION, .last_rung = RUNG_HARD_REBOOT, .top = RUNG_HARD_REBOOT };
	FILL(record->node);
	(void)snprintf(record->node, 9, "n-%06zu", number);
	record->node[8] = '-';
	FILL(record->uid);
	FILL(record->case_id);
	FILL(record->why);
	FILL(record->check);
	FILL(record->last_note);
	FILL(record->tried);
	record->role = ROLE_MASTER;
	record->state = has_acted ? CASE_PROBATION : CASE_OPEN;
	record->has_acted = has_acted;
	record->first_seen = record->opened = record->ok_since = (struct mono){ 1 };
	record->next_try = record->left_until = record->repaired = (struct mono){ 1 };
	for (size_t i = 0; i < CHECKS_PER_ROLE_MAX; i++)
		record->bad_since[i].ms = 1;
	record->flips_count = 2 * FLIPS_MAX - 1;
	for (size_t i = 0; i < FLIPS_MAX; i++)
		record->flips[i].ms = 1;
}

static void fill_all(struct book *book, size_t records, size_t acted)
{
	book->history.cap = book->history.count = records;
	book->history.records = xcalloc(records, sizeof *book->history.records);
	for (size_t i = 0; i < records; i++)
		fill_to_the_brim(&book->history.records[i], i, i < acted);
}

/* Every op, past case, zone and beginning there can be, as large as they can be. */
static void fill_the_rest(struct book *book)
{
	FILL(book->journal.leader);
	for (size_t i = 0; i < OPS_MAX; i++) {
		struct op *op = ops_add(&book->ops);
		*op = (struct op){ .recipe = &recipe, .at = 2, .rung = RUNG_HARD_REBOOT, .started = { LAB_WALL } };
		struct op_facts *facts = &op->facts;
#define FILL_FACT(name) FILL(facts->name)
		FILL_FACT(node);
		(void)snprintf(facts->node, sizeof facts->node, "n-%zu", i);
		facts->node[strlen(facts->node)] = '-';
		FILL_FACT(node_uid);
		FILL_FACT(boot_id);
		FILL_FACT(machine_id);
		FILL_FACT(server);
		FILL_FACT(server_name);
		FILL_FACT(new_server);
		FILL_FACT(cluster);
		FILL_FACT(group);
		FILL_FACT(stack);
		FILL_FACT(resource);
		FILL_FACT(baseline);
		FILL_FACT(volume);
		FILL_FACT(root_volume);
		FILL_FACT(why);
		FILL_FACT(case_id);
#undef FILL_FACT
		FILL(op->note);
		facts->acted.ms = LAB_WALL;
	}
	for (size_t i = 0; i < PAST_MAX; i++) {
		struct past_case *past = &book->history.past[i];
		FILL(past->node);
		FILL(past->case_id);
		FILL(past->tried);
		FILL(past->why);
		past->opened = past->closed = (struct wall){ LAB_WALL };
	}
	book->history.past_count = PAST_MAX;
	for (int i = 0; i < ZONES_MAX; i++) {
		char zone[ZONE_NAME_BYTES];
		FILL(zone);
		zone[0] = (char)('0' + i);
		history_freeze(&book->history, zone, (struct mono){ LAB_MONO });
	}
	for (int i = 0; i < BEGUN_MAX; i++)
		history_note_begun(&book->history, (struct mono){ LAB_MONO });
}

static size_t count_acted(const struct history *history)
{
	size_t n = 0;
	for (size_t i = 0; i < history->count; i++)
		n += history->records[i].has_acted;
	return n;
}

/* Of a storm's thousands those are left out in which nothing was done; these never are. What people read goes first. */
static void as_many_as_there_can_be(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		size_t records, acted;
		size_t written;
		bool has_rest, has_prose;
	} cases[] = {
		{ "few", 100, 100, 100, true, true },
		{ "few, all untouched", 200, 0, 200, true, true },
		{ "as many as are always written", 500, 0, 500, true, false },
		{ "one more", 501, 0, 0, true, true },
		{ "a storm beside some repairs", RECORDS_MAX, 250, 250, true, true },
		{ "a storm beside many repairs", RECORDS_MAX, 500, 500, true, false },
		{ "more repairs than can be told at length", 700, 700, 700, false, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct book *from = book_new();
		struct book *to = book_new();
		fill_all(from, cases[i].records, cases[i].acted);
		if (cases[i].has_rest)
			fill_the_rest(from);
		struct buf buf;
		buf_init(&buf, JOURNAL_BYTES_MAX);
		CHECK(journal_write(&from->journal, &from->history, &from->ops, now0, &buf), "%s: %zu bytes",
		      cases[i].what, buf.n);
		CHECK(read_text(to, buf_cstr(&buf), now0), "%s: %s", cases[i].what, to->err.text);
		CHECK(to->history.count == cases[i].written, "%s: %zu", cases[i].what, to->history.count);
		CHECK(count_acted(&to->history) == cases[i].acted, "%s", cases[i].what);
		CHECK(to->ops.count == from->ops.count, "%s", cases[i].what);
		for (size_t k = 0; k < to->history.count; k++) {
			const struct record *record = &to->history.records[k];
			CHECK((record->why[0] != '\0') == cases[i].has_prose, "%s: %s", cases[i].what, record->why);
			CHECK(record->case_id[0] != '\0' && record->bad_since[0].ms != 0, "%s", cases[i].what);
		}
		buf_done(&buf);
		book_free(from);
		book_free(to);
	}
}

static void more_than_there_is_room_for(void **state)
{
	(void)state;
	struct book *book = book_new();
	struct buf text;
	buf_init(&text, (size_t)1 << 20);
	(void)buf_text(&text, "{\"v\":1,\"ops\":[");
	for (int i = 0; i < OPS_MAX + 10; i++)
		(void)buf_printf(&text, "%s" OP_HEAD ",\"node\":\"n%d\"}", i > 0 ? "," : "", i);
	(void)buf_text(&text, "],\"cases\":[");
	for (int i = 0; i < RECORDS_MAX + 10; i++)
		(void)buf_printf(&text, "%s" CASE_HEAD ",\"node\":\"n%d\"}", i > 0 ? "," : "", i);
	(void)buf_text(&text, "],\"past\":[");
	for (int i = 0; i < PAST_MAX + 10; i++)
		(void)buf_printf(&text, "%s{\"node\":\"n%d\"}", i > 0 ? "," : "", i);
	(void)buf_text(&text, "],\"zones\":[");
	for (int i = 0; i < ZONES_MAX + 10; i++)
		(void)buf_printf(&text, "%s{\"frozen\":\"2026-11-18T10:%02d:00Z\",\"zone\":\"z%d\"}", i > 0 ? "," : "",
				 i, i);
	(void)buf_text(&text, "],\"begun\":[");
	for (int i = 0; i < BEGUN_MAX + 10; i++)
		(void)buf_printf(&text, "%s\"2026-11-18T10:00:00Z\"", i > 0 ? "," : "");
	(void)buf_text(&text, "]}");
	assert_false(text.is_over);
	assert_true(read_text(book, buf_cstr(&text), now0));
	assert_int_equal(book->history.zones_count, ZONES_MAX);
	assert_int_equal(book->history.begun_count, BEGUN_MAX);
	assert_int_equal(book->ops.count, OPS_MAX);
	assert_int_equal(book->history.count, RECORDS_MAX);
	assert_int_equal(book->history.past_count, PAST_MAX);
	for (size_t i = 0; i < book->history.count; i++)
		assert_ptr_equal(history_find(&book->history, book->history.records[i].node),
				 &book->history.records[i]);
	buf_done(&text);
	book_free(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_comes_back),
		cmocka_unit_test(an_act_in_doubt_goes_back_to_its_look),
		cmocka_unit_test(what_is_over_is_not_written),
		cmocka_unit_test(unknown_keys_are_kept),
		cmocka_unit_test(a_journal_that_is_none),
		cmocka_unit_test(what_is_not_understood_is_left_out_and_said),
		cmocka_unit_test(a_text_that_is_cut_badly),
		cmocka_unit_test(ages_are_never_negative),
		cmocka_unit_test(counts_cannot_overflow),
		cmocka_unit_test(no_wait_is_without_a_limit),
		cmocka_unit_test(the_size_is_bounded),
		cmocka_unit_test(changes_keep_their_order),
		cmocka_unit_test(as_many_as_there_can_be),
		cmocka_unit_test(more_than_there_is_room_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
