#include "core/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"

/* The stored texts of the facts and of a record: name in the document ↔ member. Renaming one is a change of format. */
#define FACT_TEXTS(X)                                                                                                  \
	X("node", node)                                                                                                \
	X("nodeUID", node_uid)                                                                                         \
	X("bootID", boot_id)                                                                                           \
	X("machineID", machine_id)                                                                                     \
	X("server", server)                                                                                            \
	X("serverName", server_name)                                                                                   \
	X("newServer", new_server)                                                                                     \
	X("cluster", cluster)                                                                                          \
	X("group", group)                                                                                              \
	X("stack", stack)                                                                                              \
	X("resource", resource)                                                                                        \
	X("baseline", baseline)                                                                                        \
	X("volume", volume)                                                                                            \
	X("rootVolume", root_volume)                                                                                   \
	X("wentWrong", why)                                                                                            \
	X("case", case_id)

#define RECORD_IDS(X)                                                                                                  \
	X("node", node)                                                                                                \
	X("uid", uid)                                                                                                  \
	X("case", case_id)                                                                                             \
	X("stopped", stopped)                                                                                          \
	X("stoppedTwin", stopped_twin)

/* For people: a case is not forgotten because one of these does not fit. */
#define RECORD_PROSE(X)                                                                                                \
	X("why", why)                                                                                                  \
	X("check", check)                                                                                              \
	X("note", last_note)                                                                                           \
	X("tried", tried)

#define RECORD_TIMES(X)                                                                                                \
	X("firstSeen", first_seen)                                                                                     \
	X("opened", opened)                                                                                            \
	X("okSince", ok_since)                                                                                         \
	X("nextTry", next_try)                                                                                         \
	X("leftUntil", left_until)                                                                                     \
	X("repaired", repaired)

#define PAST_TEXTS(X)                                                                                                  \
	X("node", node)                                                                                                \
	X("case", case_id)                                                                                             \
	X("tried", tried)                                                                                              \
	X("why", why)

#define SUSPECTS_STORED_MAX 500
#define SMALL_MAX 1000000 /* counts of the document */

void journal_done(struct journal *journal)
{
	json_decref(journal->extra);
	journal->extra = NULL;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void put_text(struct buf *out, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	(void)buf_printf(out, ",\"%s\":", name); /* an overflow is seen once, at the end: out->is_over */
	(void)buf_json(out, value);
}

static void put_wall(struct buf *out, const char *name, struct wall at)
{
	char text[WALL_TEXT_BYTES];
	(void)buf_printf(out, ",\"%s\":\"%s\"", name, wall_format_micro(at, text));
}

static void put_mono(struct buf *out, const char *name, struct mono at, struct now now)
{
	if (at.ms != 0)
		put_wall(out, name, (struct wall){ now.wall.ms - (now.mono.ms - at.ms) });
}

/* Unset ones as "". */
static void put_times(struct buf *out, const char *name, const struct mono *times, size_t count, struct now now)
{
	(void)buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		char text[WALL_TEXT_BYTES];
		struct wall at = { now.wall.ms - (now.mono.ms - times[i].ms) };
		(void)buf_printf(out, "%s\"%s\"", i > 0 ? "," : "",
				 times[i].ms != 0 ? wall_format_micro(at, text) : "");
	}
	(void)buf_char(out, ']');
}

static void put_op(struct buf *out, const struct op *op)
{
	(void)buf_printf(out, "{\"recipe\":\"%s\",\"step\":\"%s\",\"rung\":\"%s\"", op->recipe->name, op_step(op)->name,
			 rung_name(op->rung));
	put_wall(out, "started", op->started);
	if (op->is_sent)
		(void)buf_text(out, ",\"sent\":true");
	if (op->is_committed)
		(void)buf_printf(out, ",\"committed\":\"%s\"", op->recipe->steps[op->committed_at].name);
	if (op->holds_lock)
		(void)buf_text(out, ",\"lock\":true");
	if (op->is_counted)
		(void)buf_text(out, ",\"counted\":true");
	if (op->is_touched)
		(void)buf_text(out, ",\"touched\":true");
#define PUT(name, member) put_text(out, name, op->facts.member);
	FACT_TEXTS(PUT)
#undef PUT
	put_text(out, "note", op->note);
	(void)buf_printf(out, ",\"count\":%d,\"worker\":%s,\"cordoned\":%s,\"readyLimitMs\":%lld,\"newest\":%d",
			 op->facts.count, op->facts.is_worker ? "true" : "false",
			 op->facts.has_cordoned ? "true" : "false", (long long)op->facts.ready_limit_ms,
			 op->facts.newest);
	if (op->facts.was_ready)
		(void)buf_text(out, ",\"wasReady\":true");
	if (op->facts.may_have_stopped)
		(void)buf_text(out, ",\"stopped\":true");
	if (op->facts.acted.ms != 0)
		put_wall(out, "acted", op->facts.acted);
	(void)buf_char(out, '}');
}

/* The oldest first, so that the ring goes on where it was. */
static void put_flips(struct buf *out, const struct record *record, struct now now)
{
	struct mono flips[FLIPS_MAX];
	unsigned kept = record->flips_count < FLIPS_MAX ? record->flips_count : FLIPS_MAX;
	for (unsigned i = 0; i < kept; i++)
		flips[i] = record->flips[(record->flips_count - kept + i) % FLIPS_MAX];
	put_times(out, "flips", flips, kept, now);
}

/* What of the cases is written: the most that fits. */
enum detail {
	ALL_OF_THEM,
	WITHOUT_PROSE, /* and without the changes between good and bad */
	ONLY_TOUCHED,  /* ... of those in which something was done */
};

static void put_record(struct buf *out, const struct record *record, enum detail detail, struct now now)
{
	(void)buf_printf(
		out,
		"{\"state\":\"%s\",\"role\":\"%s\",\"rung\":\"%s\",\"top\":\"%s\",\"acted\":%s,\"climbing\":%s,"
		"\"rungTries\":%d,\"attempts\":%d",
		case_state_name(record->state), role_name(record->role), rung_name(record->last_rung),
		rung_name(record->top), record->has_acted ? "true" : "false", record->is_climbing ? "true" : "false",
		record->rung_tries, record->attempts);
#define PUT(name, member) put_text(out, name, record->member);
	RECORD_IDS(PUT)
	if (detail == ALL_OF_THEM) {
		RECORD_PROSE(PUT)
	}
#undef PUT
#define PUT(name, member) put_mono(out, name, record->member, now);
	RECORD_TIMES(PUT)
#undef PUT
	size_t checks = CHECKS_PER_ROLE_MAX;
	while (checks > 0 && record->bad_since[checks - 1].ms == 0)
		checks--;
	put_times(out, "badSince", record->bad_since, checks, now);
	if (record->is_phantom)
		(void)buf_text(out, ",\"phantom\":true");
	if (record->lefts > 0)
		(void)buf_printf(out, ",\"lefts\":%d", record->lefts);
	if (record->is_awaited)
		(void)buf_text(out, ",\"awaited\":true");
	if (record->flips_count > 1 && detail == ALL_OF_THEM)
		put_flips(out, record, now);
	(void)buf_char(out, '}');
}

static void put_zones(struct buf *out, const struct history *history, struct now now)
{
	(void)buf_text(out, ",\"zones\":[");
	for (size_t i = 0; i < history->zones_count; i++) {
		char text[WALL_TEXT_BYTES];
		struct wall at = { now.wall.ms - (now.mono.ms - history->zones[i].at.ms) };
		(void)buf_printf(out, "%s{\"frozen\":\"%s\"", i > 0 ? "," : "", wall_format_micro(at, text));
		put_text(out, "zone", history->zones[i].zone);
		(void)buf_char(out, '}');
	}
	(void)buf_char(out, ']');
}

/* Those of the last hour are all that anybody asks for. */
static void put_begun(struct buf *out, const struct history *history, struct now now)
{
	size_t kept = history->begun_count < BEGUN_MAX ? history->begun_count : BEGUN_MAX;
	size_t n = 0;
	struct mono recent[BEGUN_MAX];
	for (size_t i = 0; i < kept; i++) {
		if (now.mono.ms - history->begun[i].ms < HOUR)
			recent[n++] = history->begun[i];
	}
	put_times(out, "begun", recent, n, now);
}

static void put_past(struct buf *out, const struct history *history)
{
	for (size_t i = 0; i < history->past_count; i++) {
		size_t at = (history->past_next + PAST_MAX - history->past_count + i) % PAST_MAX;
		const struct past_case *past = &history->past[at];
		(void)buf_printf(out, "%s{\"closed\":", i > 0 ? "," : "");
		char text[WALL_TEXT_BYTES];
		(void)buf_json(out, wall_format_micro(past->closed, text));
		put_wall(out, "opened", past->opened);
#define PUT(name, member) put_text(out, name, past->member);
		PAST_TEXTS(PUT)
#undef PUT
		(void)buf_char(out, '}');
	}
}

static void put_extra(struct buf *out, const json_t *extra)
{
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)extra, key, value) {
		(void)buf_char(out, ',');
		(void)buf_json(out, key);
		(void)buf_char(out, ':');
		(void)buf_json_doc(out, value);
	}
}

/* In a storm of thousands the cases in which nothing was done are left out: their clocks are the least that is lost. */
static bool is_worth_storing(const struct record *record)
{
	return record->has_acted || record->is_climbing || record->state == CASE_GIVEN_UP || record->attempts > 0 ||
	       record->lefts > 0;
}

static void put_cases(struct buf *out, const struct history *history, enum detail detail, struct now now)
{
	bool is_touched_only = detail == ONLY_TOUCHED || history->count > SUSPECTS_STORED_MAX;
	for (size_t i = 0, n = 0; i < history->count; i++) {
		if (is_touched_only && !is_worth_storing(&history->records[i]))
			continue;
		if (n++ > 0)
			(void)buf_char(out, ',');
		put_record(out, &history->records[i], detail, now);
	}
}

static bool put_document(const struct journal *journal, const struct history *history, const struct ops *ops,
			 enum detail detail, struct now now, struct buf *out)
{
	(void)buf_printf(out, "{\"v\":%d,\"leader\":", JOURNAL_VERSION);
	(void)buf_json(out, journal->leader);
	put_wall(out, "written", now.wall);
	put_mono(out, "stormAt", history->storm_at, now);
	put_zones(out, history, now);
	put_begun(out, history, now);
	(void)buf_text(out, ",\"ops\":[");
	for (size_t i = 0, n = 0; i < ops->count; i++) {
		if (op_is_over(&ops->list[i]))
			continue;
		if (n++ > 0)
			(void)buf_char(out, ',');
		put_op(out, &ops->list[i]);
	}
	(void)buf_text(out, "],\"cases\":[");
	put_cases(out, history, detail, now);
	(void)buf_text(out, "],\"past\":[");
	put_past(out, history);
	(void)buf_char(out, ']');
	if (journal->extra != NULL)
		put_extra(out, journal->extra);
	return buf_char(out, '}') && !out->is_over;
}

bool journal_write(const struct journal *journal, const struct history *history, const struct ops *ops, struct now now,
		   struct buf *out)
{
	size_t from = out->n;
	bool was_over = out->is_over;
	for (enum detail detail = ALL_OF_THEM; detail <= ONLY_TOUCHED && !was_over; detail++) {
		out->n = from;
		out->is_over = false;
		if (put_document(journal, history, ops, detail, now, out))
			return true;
	}
	return false;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static struct wall get_wall(const json_t *json, const char *name)
{
	struct wall at = { 0 };
	(void)wall_parse(str_of(json_text_or(json, name, "")), &at); /* unset stays 0 */
	return at;
}

/* A count. People can edit the document: no value of it may overflow what is reckoned with it. */
static int32_t get_small(const json_t *json, const char *name)
{
	int64_t value = json_int(json, name, 0);
	return value < 0 ? 0 : value > SMALL_MAX ? SMALL_MAX : (int32_t)value;
}

/* An age is never negative: a writer whose clock ran ahead must not push our deadlines into the future; only next_try
 * lies in the future by its nature, and then by no more than the longest pause. */
static struct mono rebase(struct wall at, struct now now, bool may_be_future)
{
	if (at.ms == 0)
		return (struct mono){ 0 };
	int64_t age_ms = now.wall.ms - at.ms;
	if (age_ms < 0 && !may_be_future)
		age_ms = 0;
	if (age_ms < -24 * HOUR)
		age_ms = -24 * HOUR;
	struct mono mono = { now.mono.ms - age_ms };
	return mono.ms == 0 ? (struct mono){ -1 } : mono;
}

static bool step_find(const struct recipe *recipe, const char *name, size_t *out_at)
{
	for (size_t i = 0; name != NULL && i < recipe->steps_count; i++) {
		if (strcmp(recipe->steps[i].name, name) == 0) {
			*out_at = i;
			return true;
		}
	}
	return false;
}

static bool read_op(const json_t *json, const struct recipe *(*find)(const void *, const char *), const void *ctx,
		    struct now now, struct op *out)
{
	const struct recipe *recipe = find(ctx, json_text_or(json, "recipe", ""));
	size_t at = 0;
	struct op op = { .recipe = recipe };
	if (recipe == NULL || !step_find(recipe, json_text(json, "step"), &at) ||
	    !rung_parse(json_text(json, "rung"), &op.rung))
		return false;
	op.at = at;
	op.started = get_wall(json, "started");
	op.is_sent = json_bool(json, "sent", false);
	op.is_committed = step_find(recipe, json_text(json, "committed"), &op.committed_at);
	op.holds_lock = json_bool(json, "lock", false);
	op.is_counted = json_bool(json, "counted", false);
	op.is_touched = json_bool(json, "touched", false);
	bool fits = true;
#define GET(name, member) fits = TEXT_COPY(op.facts.member, json_text(json, name)) && fits;
	FACT_TEXTS(GET)
#undef GET
	(void)TEXT_COPY(op.note, json_text(json, "note"));
	op.facts.count = (int32_t)json_int(json, "count", 0);
	op.facts.is_worker = json_bool(json, "worker", false);
	op.facts.has_cordoned = json_bool(json, "cordoned", false);
	op.facts.newest = (int32_t)json_int(json, "newest", 0);
	op.facts.was_ready = json_bool(json, "wasReady", false);
	op.facts.may_have_stopped = json_bool(json, "stopped", false);
	op.facts.acted = get_wall(json, "acted");
	op.facts.ready_limit_ms = json_int(json, "readyLimitMs", 5 * MINUTE);
	if (op.facts.ready_limit_ms <= 0 || op.facts.ready_limit_ms > 24 * HOUR)
		op.facts.ready_limit_ms = 5 * MINUTE; /* no limit would be waiting for ever */
	if (!fits || op.facts.node[0] == '\0')
		return false;
	op_resume(&op, now);
	*out = op;
	return true;
}

/* Into *out at most max of them; how many there were. */
static size_t get_times(const json_t *json, const char *name, struct mono *out, size_t max, struct now now)
{
	const json_t *list = json_object_get(json, name);
	size_t count = json_array_size(list) < max ? json_array_size(list) : max;
	for (size_t i = 0; i < count; i++) {
		struct wall at = { 0 };
		(void)wall_parse(str_of(json_string_value(json_array_get(list, i))), &at);
		out[i] = rebase(at, now, false);
	}
	return count;
}

static bool may_be_future(const char *name)
{
	return strcmp(name, "nextTry") == 0 || strcmp(name, "leftUntil") == 0;
}

static bool read_record(const json_t *json, struct now now, struct record *out)
{
	struct record record = { 0 };
	if (!case_state_parse(json_text(json, "state"), &record.state) ||
	    !rung_parse(json_text(json, "rung"), &record.last_rung))
		return false;
	record.role = text_eq(json_text(json, "role"), "master") ? ROLE_MASTER : ROLE_WORKER;
	record.has_acted = json_bool(json, "acted", false);
	record.is_climbing = json_bool(json, "climbing", false);
	record.rung_tries = get_small(json, "rungTries");
	record.attempts = get_small(json, "attempts");
	bool fits = true;
#define GET(name, member) fits = TEXT_COPY(record.member, json_text(json, name)) && fits;
	RECORD_IDS(GET)
#undef GET
#define GET(name, member) (void)TEXT_COPY(record.member, json_text(json, name));
	RECORD_PROSE(GET)
#undef GET
#define GET(name, member) record.member = rebase(get_wall(json, name), now, may_be_future(name));
	RECORD_TIMES(GET)
#undef GET
	(void)get_times(json, "badSince", record.bad_since, CHECKS_PER_ROLE_MAX, now);
	record.flips_count = (unsigned)get_times(json, "flips", record.flips, FLIPS_MAX, now);
	record.was_bad = record_bad_from(&record).ms != 0; /* a restart is no change of its health */
	record.is_phantom = json_bool(json, "phantom", false);
	record.lefts = get_small(json, "lefts");
	record.is_awaited = json_bool(json, "awaited", false);
	if (!rung_parse(json_text_or(json, "top", "none"), &record.top))
		record.top = RUNG_NONE;
	*out = record;
	return fits && record.node[0] != '\0';
}

static void read_past(const json_t *json, struct history *history)
{
	for (size_t i = 0; i < json_array_size(json) && history->past_count < PAST_MAX; i++) {
		const json_t *item = json_array_get(json, i);
		struct past_case *past = &history->past[history->past_count++];
		*past = (struct past_case){ .opened = get_wall(item, "opened"), .closed = get_wall(item, "closed") };
#define GET(name, member) (void)TEXT_COPY(past->member, json_text(item, name));
		PAST_TEXTS(GET)
#undef GET
	}
	history->past_next = history->past_count % PAST_MAX;
}

static void read_zones(const json_t *json, struct now now, struct history *history)
{
	for (size_t i = 0; i < json_array_size(json) && i < ZONES_MAX; i++) {
		const json_t *item = json_array_get(json, i);
		struct mono at = rebase(get_wall(item, "frozen"), now, false);
		if (at.ms != 0 && json_text_or(item, "zone", "")[0] != '\0')
			history_freeze(history, json_text(item, "zone"), at);
	}
}

static int by_node(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->node, ((const struct record *)b)->node);
}

static void read_cases(const json_t *json, struct now now, struct history *history, struct err *err)
{
	size_t count = json_array_size(json) < RECORDS_MAX ? json_array_size(json) : RECORDS_MAX;
	history->records = xcalloc(count, sizeof *history->records);
	history->cap = count;
	for (size_t i = 0; i < count; i++) {
		if (read_record(json_array_get(json, i), now, &history->records[history->count]))
			history->count++;
		else
			fail(err, ERR_INPUT, "case %zu of the journal is not understood and left out", i);
	}
	qsort(history->records, history->count, sizeof *history->records, by_node);
	size_t kept = 0; /* of two with one name the first counts */
	for (size_t i = 0; i < history->count; i++) {
		if (kept == 0 || strcmp(history->records[kept - 1].node, history->records[i].node) != 0)
			history->records[kept++] = history->records[i];
	}
	history->count = kept;
}

static void read_ops(const json_t *json, const struct recipe *(*find)(const void *, const char *), const void *ctx,
		     struct now now, struct ops *ops, struct err *err)
{
	for (size_t i = 0; i < json_array_size(json) && ops->count < OPS_MAX; i++) {
		struct op op;
		if (!read_op(json_array_get(json, i), find, ctx, now, &op))
			fail(err, ERR_INPUT, "repair %zu of the journal is not understood and left out", i);
		else if (ops_of_node_const(ops, op.facts.node) == NULL)
			ops->list[ops->count++] = op;
	}
}

static json_t *unknown_keys(const json_t *json)
{
	static const char *const known[] = { "v",     "leader", "written", "stormAt", "zones",
					     "begun", "ops",    "cases",   "past" };
	json_t *extra = json_object();
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)json, key, value) {
		bool is_known = false;
		for (size_t i = 0; i < COUNT(known); i++)
			is_known = is_known || strcmp(key, known[i]) == 0;
		if (!is_known)
			(void)json_object_set(extra, key, value); /* fails only without memory, and then aborts */
	}
	return extra;
}

bool journal_read(struct str text, const struct recipe *(*find)(const void *ctx, const char *name), const void *ctx,
		  struct now now, struct journal *out, struct history *history, struct ops *ops, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = json_parse(text, err);
	if (json == NULL)
		return false;
	if (!json_is_object(json) || json_int(json, "v", 0) != JOURNAL_VERSION)
		return fail(err, ERR_INPUT, "the journal has version %lld, this program knows %d",
			    (long long)json_int(json, "v", 0), JOURNAL_VERSION);
	journal_done(out);
	(void)TEXT_COPY(out->leader, json_text(json, "leader"));
	out->extra = unknown_keys(json);
	history->storm_at = rebase(get_wall(json, "stormAt"), now, false);
	history->unseen_from = rebase(get_wall(json, "written"), now, false);
	read_zones(json_object_get(json, "zones"), now, history);
	history->begun_count = get_times(json, "begun", history->begun, BEGUN_MAX, now);
	read_cases(json_object_get(json, "cases"), now, history, err);
	read_ops(json_object_get(json, "ops"), find, ctx, now, ops, err);
	read_past(json_object_get(json, "past"), history);
	history->version++;
	return true;
}
