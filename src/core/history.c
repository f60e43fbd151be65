/* The judge: findings of the checks → the state of each case, with a clock that a flip between two kinds of bad does
 * not restart, and that no wrong clock of a kubelet can push into the past once the node was seen healthy by us. */
#include "core/history.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A node that was bad before this healer first looked is watched for a while all the same: its transition time may come
 * from a clock that is wrong. */
#define WATCHED_MIN_MS (15 * SEC)
#define GAP_MS (90 * SEC) /* a view that was lost for less (a list read anew) is no gap */
#define SETTLE_MS (60 * SEC)
#define RUNG_TRIES_MAX 12
#define RUNG_BACKOFF_FIRST_MS (30 * SEC)
#define RUNG_BACKOFF_MAX_MS (40 * MINUTE)
#define BACKOFF_DOUBLINGS_MAX 4

static const char *const case_state_names[] = {
	[CASE_SUSPECT] = "suspect",
	[CASE_OPEN] = "open",
	[CASE_PROBATION] = "probation",
	[CASE_GIVEN_UP] = "given-up",
};

const char *case_state_name(enum case_state state)
{
	return case_state_names[state];
}

bool case_state_parse(const char *name, enum case_state *out)
{
	for (size_t i = 0; i < COUNT(case_state_names); i++) {
		if (name != NULL && strcmp(name, case_state_names[i]) == 0) {
			*out = (enum case_state)i;
			return true;
		}
	}
	return false;
}

void history_init(struct history *history)
{
	*history = (struct history){ 0 };
}

void history_done(struct history *history)
{
	free(history->records);
	*history = (struct history){ 0 };
}

static size_t record_index(const struct history *history, const char *node)
{
	size_t low = 0;
	size_t high = history->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (strcmp(history->records[mid].node, node) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct record *history_find(const struct history *history, const char *node)
{
	size_t at = record_index(history, node);
	return at < history->count && strcmp(history->records[at].node, node) == 0 ? &history->records[at] : NULL;
}

static struct record *insert(struct history *history, const struct node *node)
{
	if (history->count == RECORDS_MAX)
		return NULL; /* a storm of that size is held as a whole; nobody is forgotten for good */
	size_t at = record_index(history, node->name);
	if (history->count == history->cap) {
		history->cap = history->cap > 0 ? history->cap * 2 : 16;
		history->records = xrealloc(history->records, history->cap * sizeof *history->records);
	}
	memmove(&history->records[at + 1], &history->records[at], (history->count - at) * sizeof *history->records);
	history->count++;
	struct record *record = &history->records[at];
	*record = (struct record){ .role = node->role };
	TEXT_COPY(record->node, node->name);
	TEXT_COPY(record->uid, node->uid);
	history->version++;
	return record;
}

static void erase(struct history *history, struct record *record)
{
	size_t at = (size_t)(record - history->records);
	memmove(record, record + 1, (history->count - at - 1) * sizeof *record);
	history->count--;
	history->version++;
}

static struct wall to_wall(struct now now, struct mono at)
{
	return (struct wall){ now.wall.ms - (now.mono.ms - at.ms) };
}

static void close_case(struct history *history, struct record *record, struct now now)
{
	struct past_case *past = &history->past[history->past_next];
	history->past_next = (history->past_next + 1) % PAST_MAX;
	if (history->past_count < PAST_MAX)
		history->past_count++;
	*past = (struct past_case){ .opened = to_wall(now, record->opened), .closed = now.wall };
	TEXT_COPY(past->node, record->node);
	TEXT_COPY(past->case_id, record->case_id);
	TEXT_COPY(past->tried, record->tried);
	TEXT_COPY(past->why, record->why);
	erase(history, record);
}

/* Since when, for our clock: the transition's time, but never before the last view in which it was content, and never
 * in the future. */
static struct mono began(const struct history *history, const struct snapshot *snapshot, struct wall since)
{
	struct now now = snapshot->now;
	if (snapshot->has_clock_jumped && history->observed.ms != 0)
		return now.mono; /* the two clocks cannot be compared right now, and it has only just been seen */
	int64_t age_ms = since.ms > 0 ? now.wall.ms - since.ms : 0;
	if (age_ms < 0)
		age_ms = 0;
	struct mono at = { now.mono.ms - age_ms };
	if (history->observed.ms != 0 && at.ms < history->observed.ms)
		at = history->observed;
	if (at.ms == 0)
		at.ms = -1; /* 0 means unset */
	return at;
}

struct verdict_of_checks {
	bool is_bad;       /* some check says so */
	bool is_ok;        /* some check is content and none is not */
	bool is_unhealthy; /* bad, and for long enough */
};

static void note_witness(struct record *record, const char *type, const struct finding *finding)
{
	TEXT_COPY(record->check, type);
	TEXT_COPY(record->why, finding->why);
}

static struct verdict_of_checks judge(struct history *history, const struct snapshot *snapshot, const struct node *node,
				      struct record **record)
{
	const struct checker *checker = snapshot->checker;
	struct verdict_of_checks verdict = { 0 };
	bool is_any_ok = false;
	for (size_t i = 0; i < checker->count[node->role]; i++) {
		const struct check_rule *rule = &checker->rules[node->role][i];
		enum health health = checker->find(checker->ctx, i, node, snapshot->now.wall, NULL);
		if (health == HEALTH_OK) {
			is_any_ok = true;
			if (*record != NULL)
				(*record)->bad_since[i].ms = 0;
		}
		if (health != HEALTH_BAD)
			continue;
		verdict.is_bad = true;
		struct finding finding = { 0 };
		(void)checker->find(checker->ctx, i, node, snapshot->now.wall,
				    &finding); /* the same, with its reasons */
		if (*record == NULL && (*record = insert(history, node)) != NULL)
			(*record)->first_seen = snapshot->now.mono;
		if (*record == NULL)
			continue;
		struct mono *since = &(*record)->bad_since[i];
		if (since->ms == 0)
			*since = began(history, snapshot, finding.since);
		int64_t bad_ms = snapshot->now.mono.ms - since->ms;
		int64_t watched_ms = snapshot->now.mono.ms - (*record)->first_seen.ms;
		int64_t watch_ms =
			rule->unhealthy_duration_ms < WATCHED_MIN_MS ? rule->unhealthy_duration_ms : WATCHED_MIN_MS;
		bool is_settled = snapshot->now.mono.ms >= history->settles.ms;
		if (bad_ms >= rule->unhealthy_duration_ms && watched_ms >= watch_ms && is_settled) {
			if (!verdict.is_unhealthy)
				note_witness(*record, rule->type, &finding);
			verdict.is_unhealthy = true;
		} else if (!verdict.is_unhealthy && (*record)->state == CASE_SUSPECT) {
			note_witness(*record, rule->type, &finding);
		}
	}
	verdict.is_ok = is_any_ok && !verdict.is_bad;
	return verdict;
}

static bool is_last_rung(const struct record *record, enum rung rung)
{
	return record->role == ROLE_WORKER ? rung == RUNG_REPLACE : rung == RUNG_HARD_REBOOT;
}

static void climbed_in_vain(struct record *record, const struct policy *policy, struct now now)
{
	record->attempts++;
	if (record->role == ROLE_MASTER)
		record->last_rung = RUNG_NONE;
	int doublings = record->attempts - 1 < BACKOFF_DOUBLINGS_MAX ? record->attempts - 1 : BACKOFF_DOUBLINGS_MAX;
	record->next_try.ms = now.mono.ms + (policy->retry_backoff_ms << doublings);
	if (record->attempts >= policy->max_attempts)
		record->state = CASE_GIVEN_UP;
}

static void open_case(struct history *history, struct record *record, const struct policy *policy, struct now now,
		      struct rng *rng)
{
	if (record->case_id[0] == '\0') {
		(void)snprintf(record->case_id, sizeof record->case_id, "%012llx",
			       (unsigned long long)(rng_next(rng) & 0xffffffffffff));
		record->opened = now.mono;
	}
	bool is_relapse = record->state == CASE_PROBATION;
	record->state = CASE_OPEN;
	history->version++;
	/* A relapse after the last rung: that climb was in vain too, or it would go on like this for ever. */
	if (is_relapse && is_last_rung(record, record->last_rung)) {
		record->last_rung = RUNG_NONE;
		climbed_in_vain(record, policy, now);
	}
}

/* Bad: what becomes of the case. */
static void go_bad(struct history *history, struct record *record, const struct verdict_of_checks *verdict,
		   const struct policy *policy, struct now now, struct rng *rng)
{
	record->ok_since.ms = 0;
	if (verdict->is_unhealthy && (record->state == CASE_SUSPECT || record->state == CASE_PROBATION))
		open_case(history, record, policy, now, rng);
}

/* Content: what becomes of the case. May erase the record. */
static void go_ok(struct history *history, struct record *record, const struct policy *policy, struct now now)
{
	record->is_climbing = false;
	record->first_seen = now.mono; /* whatever comes now is a new story, seen from its beginning */
	if (record->state == CASE_SUSPECT) {
		erase(history, record);
		return;
	}
	if (!record->has_acted) {
		close_case(history, record, now);
		return;
	}
	if (record->state != CASE_PROBATION) {
		record->state = CASE_PROBATION;
		record->ok_since.ms = 0;
		history->version++;
	}
	if (record->ok_since.ms == 0)
		record->ok_since = now.mono;
	if (now.mono.ms - record->ok_since.ms >= policy->probation_ms)
		close_case(history, record, now);
}

static void end_story(struct history *history, struct record *record, struct now now)
{
	if (record->state == CASE_SUSPECT)
		erase(history, record);
	else
		close_case(history, record, now);
}

static bool has_op(const struct ops *ops, const struct record *record)
{
	for (size_t i = 0; i < ops->count; i++) {
		const struct op_facts *facts = &ops->list[i].facts;
		if (strcmp(facts->node, record->node) == 0 ||
		    (record->case_id[0] != '\0' && strcmp(facts->case_id, record->case_id) == 0))
			return true;
	}
	return false;
}

static void observe_node(struct history *history, const struct snapshot *snapshot, const struct policy *policy,
			 const struct ops *ops, const struct node *node, struct rng *rng)
{
	struct record *record = history_find(history, node->name);
	if (record != NULL && strcmp(record->uid, node->uid) != 0) {
		(void)TEXT_COPY(record->uid, node->uid);
		if (!has_op(ops,
			    record)) { /* another object is another story, unless we are in the middle of the old one */
			end_story(history, record, snapshot->now);
			record = NULL;
		}
	}
	struct verdict_of_checks verdict = judge(history, snapshot, node, &record);
	if (record == NULL) {
		history->unrecorded_bad[node->role] += verdict.is_bad;
		return;
	}
	record->is_bad_now = verdict.is_bad;
	record->is_unhealthy = verdict.is_unhealthy;
	if (verdict.is_bad)
		go_bad(history, record, &verdict, policy, snapshot->now, rng);
	else if (verdict.is_ok && !has_op(ops, record))
		go_ok(history, record, policy, snapshot->now);
}

/* Records of Nodes that are not there any more. */
static void observe_gone(struct history *history, const struct snapshot *snapshot, const struct ops *ops)
{
	for (size_t i = history->count; i-- > 0;) {
		struct record *record = &history->records[i];
		if (snapshot_node(snapshot, record->node) != NULL || has_op(ops, record))
			continue;
		end_story(history, record, snapshot->now);
	}
}

void history_observe(struct history *history, const struct snapshot *snapshot, const struct policy *policy,
		     const struct ops *ops, struct rng *rng)
{
	if (!snapshot->is_nodes_fresh) {
		history->is_blind = history->observed.ms != 0;
		return;
	}
	/* After a gap the nodes\' own reports come late too: nobody is judged before they had time to. */
	if (history->is_blind && snapshot->now.mono.ms - history->observed.ms > GAP_MS)
		history->settles.ms = snapshot->now.mono.ms + SETTLE_MS;
	history->is_blind = false;
	memset(history->unrecorded_bad, 0, sizeof history->unrecorded_bad);
	observe_gone(history, snapshot, ops);
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		if (policy->is_enabled[snapshot->nodes[i]->role])
			observe_node(history, snapshot, policy, ops, snapshot->nodes[i], rng);
	}
	history->observed = snapshot->now.mono;
}

void history_began(struct history *history, struct record *record, enum rung rung)
{
	size_t n = strlen(record->tried);
	(void)snprintf(record->tried + n, sizeof record->tried - n, "%s%s", n > 0 ? "," : "", rung_name(rung));
	history->version++;
}

void history_ended(struct history *history, struct record *record, const struct policy *policy, const struct op *op,
		   enum rung rung, struct now now)
{
	assert(op_is_over(op));
	history->version++;
	record->repaired = now.mono;
	TEXT_COPY(record->last_note, op->note);
	bool has_acted = op_has_acted(op) || op->state == OP_DONE;
	record->has_acted = record->has_acted || has_acted || op->is_touched;
	record->is_climbing = false;
	if (op->state == OP_CANCELLED)
		return;
	if (op->state == OP_DONE || has_acted || ++record->rung_tries >= RUNG_TRIES_MAX) {
		record->rung_tries = 0;
		record->last_rung = rung;
		if (op->state == OP_FAILED && is_last_rung(record, rung))
			climbed_in_vain(record, policy, now);
		else
			record->is_climbing = op->state == OP_FAILED;
		/* It was done, and the node has to show it: the next rung is not before that time. */
		if (op->state == OP_DONE)
			record->next_try.ms = now.mono.ms + policy->rebuild_delay_after_reboot_ms;
		return;
	}
	int64_t pause_ms = RUNG_BACKOFF_FIRST_MS;
	for (int i = 1; i < record->rung_tries && pause_ms < RUNG_BACKOFF_MAX_MS; i++)
		pause_ms *= 2;
	record->next_try.ms = now.mono.ms + (pause_ms < RUNG_BACKOFF_MAX_MS ? pause_ms : RUNG_BACKOFF_MAX_MS);
}
