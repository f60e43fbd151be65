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
#define SILENCE_MS MINUTE /* a check that says nothing for longer has to find the node bad anew */
#define DOUBT_MS HOUR     /* ... and for longer than that is not waited for */
#define RUNG_TRIES_MAX 12
#define LEFT_PAUSE_MS (5 * MINUTE) /* before a node that is somebody else's business is looked at again */
#define LEFT_PAUSE_MAX_MS HOUR
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

static void erase(struct history *history, struct record *record)
{
	size_t at = (size_t)(record - history->records);
	memmove(record, record + 1, (history->count - at - 1) * sizeof *record);
	history->count--;
	history->version++;
}

/* One that is well now, and only kept because it was not a while ago. */
static bool forget_a_quiet_one(struct history *history)
{
	for (size_t i = 0; i < history->count; i++) {
		struct record *record = &history->records[i];
		if (record->state == CASE_SUSPECT && !record->is_bad_now) {
			erase(history, record);
			return true;
		}
	}
	return false;
}

static struct record *insert(struct history *history, const struct node *node)
{
	if (history->count == RECORDS_MAX && !forget_a_quiet_one(history))
		return NULL; /* a storm of that size is held as a whole; nobody is forgotten for good */
	size_t at = record_index(history, node->name);
	if (history->count == history->cap) {
		history->cap = history->cap > 0 ? history->cap * 2 : 16;
		history->records = xrealloc(history->records, history->cap * sizeof *history->records);
	}
	memmove(&history->records[at + 1], &history->records[at], (history->count - at) * sizeof *history->records);
	history->count++;
	struct record *record = &history->records[at];
	*record = (struct record){ .role = node->role, .is_phantom = node->is_phantom };
	TEXT_COPY(record->node, node->name);
	TEXT_COPY(record->uid, node->uid);
	history->version++;
	return record;
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

/* ---- flapping ---------------------------------------------------------------------------------------------------- */

unsigned history_flips(const struct record *record, const struct policy *policy, struct mono now)
{
	unsigned kept = record->flips_count < FLIPS_MAX ? record->flips_count : FLIPS_MAX;
	unsigned flips = 0;
	for (unsigned i = 0; i < kept; i++)
		flips += now.ms - record->flips[i].ms < policy->flap_window_ms;
	return flips;
}

/* A change between good and bad. A repair changes the node too: what happens under one says nothing. */
static void note_flip(struct history *history, struct record *record, bool is_bad, bool has_op, struct mono now)
{
	bool is_same = record->was_bad == is_bad;
	record->was_bad = is_bad;
	if (is_same || has_op)
		return;
	record->flips[record->flips_count % FLIPS_MAX] = now;
	record->flips_count++;
	if (record->flips_count == 2 * FLIPS_MAX)
		record->flips_count = FLIPS_MAX;
	history->version += record->flips_count > 1;
}

static bool is_flapping(const struct record *record, const struct policy *policy, struct mono now)
{
	return policy->flap_changes > 0 && history_flips(record, policy, now) >= (unsigned)policy->flap_changes;
}

bool record_has_stopped(const struct record *record, const char *server)
{
	return server[0] != '\0' && (strcmp(record->stopped, server) == 0 || strcmp(record->stopped_twin, server) == 0);
}

struct mono record_bad_from(const struct record *record)
{
	struct mono from = { 0 };
	for (size_t i = 0; i < CHECKS_PER_ROLE_MAX; i++) {
		if (record->bad_since[i].ms != 0 && (from.ms == 0 || record->bad_since[i].ms < from.ms))
			from = record->bad_since[i];
	}
	return from;
}

/* ---- the verdict ------------------------------------------------------------------------------------------------- */

struct witnesses {
	char why[WITNESSES_BYTES];
	const struct check_rule *first;
};
struct verdict_of_checks {
	bool is_bad;       /* some check says so */
	bool is_ok;        /* some check is content and none is not */
	bool is_unhealthy; /* enough checks say so, and for long enough */
	int bad, due;      /* checks that find it bad; those of them that have done so for long enough */
	enum symptom symptom;
	struct witnesses all, long_enough; /* what those checks say */
};

/* How many of the checks that speak of such a node must agree. */
static int needed(const struct snapshot *snapshot, const struct policy *policy, const struct node *node)
{
	int all = 0;
	if (node->is_phantom)
		return 1;
	if (policy->needs[node->role] != NEEDS_ALL)
		return policy->needs[node->role];
	for (size_t i = 0; i < snapshot->checker->count[node->role]; i++)
		all += !snapshot->checker->rules[node->role][i].is_of_phantoms;
	return all > 0 ? all : 1;
}

static void add_witness(struct witnesses *witnesses, const struct check_rule *rule, const struct finding *finding)
{
	size_t n = strlen(witnesses->why);
	(void)snprintf(witnesses->why + n, sizeof witnesses->why - n, "%s%s: %s", n > 0 ? "; " : "", rule->type,
		       finding->why);
	if (witnesses->first == NULL)
		witnesses->first = rule;
}

static void add_symptom(struct verdict_of_checks *verdict, enum symptom symptom)
{
	if (symptom == SYMPTOM_GUEST_ANSWERS || verdict->symptom == SYMPTOM_NONE)
		verdict->symptom = symptom; /* one answer proves that the guest lives */
}

/* It changed while nobody looked: a clock from before would count time in which it may have been well. A change that
 * was seen as it happened, between two kinds of bad, says nothing like that. */
static void count_from_unseen_change(const struct history *history, const struct snapshot *snapshot,
				     const struct finding *finding, struct mono *since)
{
	struct now now = snapshot->now;
	struct mono changed = { now.mono.ms - (now.wall.ms - finding->since.ms) };
	if (history->unseen_from.ms == 0)
		return;
	/* Of what has no date nobody knows whether it was bad the whole time. */
	if (!finding->is_dated && now.mono.ms - history->unseen_from.ms > SILENCE_MS)
		changed = now.mono;
	else if (!finding->is_dated || changed.ms <= history->unseen_from.ms)
		return;
	if (snapshot->has_clock_jumped || changed.ms > now.mono.ms)
		changed = now.mono;
	if (since->ms < changed.ms)
		*since = changed;
}

/* One check finds the node bad: since when, and is that long enough? */
static void hear_bad(struct history *history, const struct snapshot *snapshot, const struct node *node, size_t check,
		     struct record *record, struct verdict_of_checks *verdict)
{
	const struct check_rule *rule = &snapshot->checker->rules[node->role][check];
	struct finding finding = { 0 };
	(void)snapshot->checker->find(snapshot->checker->ctx, check, node, snapshot->now.wall, &finding);
	add_symptom(verdict, finding.symptom);
	struct mono *since = &record->bad_since[check];
	if (since->ms == 0)
		*since = began(history, snapshot, finding.since);
	else
		count_from_unseen_change(history, snapshot, &finding, since);
	int64_t bad_ms = snapshot->now.mono.ms - since->ms;
	int64_t watched_ms = snapshot->now.mono.ms - record->first_seen.ms;
	int64_t watch_ms = rule->unhealthy_duration_ms < WATCHED_MIN_MS ? rule->unhealthy_duration_ms : WATCHED_MIN_MS;
	bool is_settled = snapshot->now.mono.ms >= history->settles.ms;
	bool is_due = bad_ms >= rule->unhealthy_duration_ms && watched_ms >= watch_ms && is_settled;
	verdict->due += is_due;
	add_witness(&verdict->all, rule, &finding);
	if (is_due)
		add_witness(&verdict->long_enough, rule, &finding);
}

/* A check that found the node bad and says nothing any more has not become content: for a while it stays in doubt.
 * True: it is. Its clock goes on over a short silence; after a longer one it begins anew. */
static bool note_silence(const struct history *history, struct record *record, size_t check, enum health health,
			 struct mono now)
{
	struct mono *since = &record->bad_since[check];
	struct mono *from = &record->unknown_from[check];
	int64_t silent_ms = from->ms != 0 ? now.ms - from->ms : 0;
	if (health == HEALTH_OK || (health == HEALTH_BAD && silent_ms > SILENCE_MS) ||
	    (health == HEALTH_UNKNOWN && silent_ms > DOUBT_MS))
		since->ms = 0;
	if (health != HEALTH_UNKNOWN || since->ms == 0) {
		from->ms = 0;
		return false;
	}
	if (from->ms == 0) /* silent since the last view, if there was a gap */
		*from = history->unseen_from.ms != 0 ? history->unseen_from : now;
	return true;
}

static struct verdict_of_checks judge(struct history *history, const struct snapshot *snapshot,
				      const struct policy *policy, const struct node *node, struct record **record)
{
	const struct checker *checker = snapshot->checker;
	struct verdict_of_checks verdict = { 0 };
	bool is_any_ok = false;
	bool is_doubted = false;
	for (size_t i = 0; i < checker->count[node->role]; i++) {
		enum health health = checker->find(checker->ctx, i, node, snapshot->now.wall, NULL);
		is_any_ok = is_any_ok || health == HEALTH_OK;
		if (*record != NULL)
			is_doubted = note_silence(history, *record, i, health, snapshot->now.mono) || is_doubted;
		if (health != HEALTH_BAD)
			continue;
		verdict.bad++;
		if (*record == NULL && (*record = insert(history, node)) != NULL)
			(*record)->first_seen = snapshot->now.mono;
		if (*record != NULL)
			hear_bad(history, snapshot, node, i, *record, &verdict);
	}
	verdict.is_bad = verdict.bad > 0;
	verdict.is_ok = is_any_ok && !verdict.is_bad && !is_doubted;
	verdict.is_unhealthy = verdict.is_bad && verdict.due >= needed(snapshot, policy, node);
	return verdict;
}

/* What of the verdict the record shows. A flapping node counts as bad the whole time. */
static void note_verdict(struct history *history, const struct snapshot *snapshot, const struct policy *policy,
			 const struct node *node, struct record *record, struct verdict_of_checks *verdict)
{
	struct mono now = snapshot->now.mono;
	record->is_flapping = is_flapping(record, policy, now);
	bool is_settled = now.ms >= history->settles.ms;
	struct witnesses *witnesses = verdict->is_unhealthy ? &verdict->long_enough : &verdict->all;
	record->is_disputed = verdict->is_bad && verdict->bad < needed(snapshot, policy, node);
	if (verdict->is_bad && !record->is_disputed && record->is_flapping && is_settled && !verdict->is_unhealthy) {
		char why[WITNESSES_BYTES];
		memcpy(why, witnesses->why, sizeof why);
		(void)snprintf(witnesses->why, sizeof witnesses->why, "flapping: %u changes; %.200s",
			       history_flips(record, policy, now), why);
		verdict->is_unhealthy = true;
	}
	record->is_bad_now = verdict->is_bad;
	record->is_well_now = verdict->is_ok;
	record->is_unhealthy = verdict->is_unhealthy;
	record->symptom = verdict->symptom;
	if (record->ladder == NULL)
		record->ladder = &policy->ladders[node->role];
	bool is_telling = verdict->is_unhealthy || (verdict->is_bad && record->state == CASE_SUSPECT);
	if (!is_telling || witnesses->first == NULL)
		return;
	(void)TEXT_COPY(record->check, witnesses->first->type);
	(void)TEXT_COPY(record->why, witnesses->why);
	const struct ladder *own = &witnesses->first->ladder;
	record->ladder = own->count > 0 ? own : &policy->ladders[node->role];
}

/* ---- what becomes of the case ------------------------------------------------------------------------------------ */

static bool is_last_rung(const struct record *record, enum rung rung)
{
	return rung != RUNG_NONE && rung >= record->top;
}

static void climbed_in_vain(struct record *record, const struct policy *policy, struct now now)
{
	record->attempts++;
	if (record->last_rung != RUNG_REPLACE) /* a new server is the end of the ladder; the others begin anew */
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
	/* Done, and it did not help: that was a rung, or a whole ladder, in vain. */
	if (record->is_awaited && record->state == CASE_OPEN && verdict->is_unhealthy &&
	    now.mono.ms >= record->next_try.ms) {
		record->is_awaited = false;
		history->version++;
		if (is_last_rung(record, record->last_rung))
			climbed_in_vain(record, policy, now);
	}
	if (verdict->is_unhealthy && (record->state == CASE_SUSPECT || record->state == CASE_PROBATION))
		open_case(history, record, policy, now, rng);
}

/* Content: what becomes of the case. May erase the record. */
static void go_ok(struct history *history, struct record *record, const struct policy *policy, struct now now)
{
	record->is_climbing = false;
	record->is_awaited = false;
	record->first_seen = now.mono; /* whatever comes now is a new story, seen from its beginning */
	if (record_bad_from(record).ms != 0)
		history->version++;                             /* whoever leads next must not believe the old clock */
	memset(record->bad_since, 0, sizeof record->bad_since); /* also that of a check which cannot say just now */
	if (record->is_flapping)
		return; /* good for a moment: not believed */
	if (record->state == CASE_SUSPECT) {
		if (policy->flap_changes == 0 || history_flips(record, policy, now.mono) < 2)
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
	struct verdict_of_checks verdict = judge(history, snapshot, policy, node, &record);
	if (record == NULL) {
		history->unrecorded_bad[node->role] += verdict.is_bad && !node->is_phantom;
		return;
	}
	bool is_agreed = verdict.bad >= needed(snapshot, policy, node);
	if (is_agreed || verdict.is_ok)
		note_flip(history, record, is_agreed, has_op(ops, record), snapshot->now.mono);
	note_verdict(history, snapshot, policy, node, record, &verdict);
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
		if (record->is_phantom && !snapshot->is_cloud_fresh)
			continue; /* whether its server is there is not known */
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
	/* After a gap the nodes' own reports come late too: nobody is judged before they had time to. */
	if (history->is_blind && snapshot->now.mono.ms - history->observed.ms > GAP_MS) {
		history->settles.ms = snapshot->now.mono.ms + SETTLE_MS;
		if (history->unseen_from.ms == 0 || history->observed.ms < history->unseen_from.ms)
			history->unseen_from = history->observed;
	}
	history->is_blind = false;
	memset(history->unrecorded_bad, 0, sizeof history->unrecorded_bad);
	observe_gone(history, snapshot, ops);
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		if (policy->is_enabled[snapshot->nodes[i]->role])
			observe_node(history, snapshot, policy, ops, snapshot->nodes[i], rng);
	}
	history->observed = snapshot->now.mono;
	history->unseen_from.ms = 0;
}

void history_note_begun(struct history *history, struct mono now)
{
	history->begun[history->begun_count % BEGUN_MAX] = now;
	history->begun_count++;
	if (history->begun_count == 2 * (size_t)BEGUN_MAX)
		history->begun_count = BEGUN_MAX;
}

void history_began(struct history *history, struct record *record, enum rung rung, enum rung top, const char *server)
{
	record->top = top;
	if (rung == RUNG_REPLACE)
		(void)TEXT_COPY(record->stopped, server);
	size_t n = strlen(record->tried);
	(void)snprintf(record->tried + n, sizeof record->tried - n, "%s%s", n > 0 ? "," : "", rung_name(rung));
	history->version++;
}
/* Looked at again more and more rarely: what a person began may take days. */
static void leave(struct record *record, struct now now)
{
	int64_t pause_ms = LEFT_PAUSE_MS;
	for (int i = 0; i < record->lefts && pause_ms < LEFT_PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	record->lefts++;
	record->left_until.ms = now.mono.ms + (pause_ms < LEFT_PAUSE_MAX_MS ? pause_ms : LEFT_PAUSE_MAX_MS);
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
	if (rung == RUNG_REPLACE && op->is_touched)
		(void)TEXT_COPY(record->stopped_twin, op->facts.server);
	if (op->is_left)
		leave(record, now);
	if (op->state == OP_CANCELLED && record->next_try.ms < now.mono.ms + RUNG_BACKOFF_FIRST_MS)
		record->next_try.ms = now.mono.ms + RUNG_BACKOFF_FIRST_MS;
	if (op->state == OP_CANCELLED || op->is_left)
		return;
	if (op->state == OP_DONE || has_acted || ++record->rung_tries >= RUNG_TRIES_MAX) {
		record->rung_tries = 0;
		record->last_rung = rung;
		if (op->state == OP_FAILED && is_last_rung(record, rung))
			climbed_in_vain(record, policy, now);
		else
			record->is_climbing = op->state == OP_FAILED;
		/* It was done, and the node has to show it: the next rung is not before that time. */
		if (op->state == OP_DONE) {
			record->next_try.ms = now.mono.ms + op->facts.ready_limit_ms;
			record->is_awaited = true;
			record->flips_count = 0; /* it is another node now, as it were */
		}
		return;
	}
	int64_t pause_ms = RUNG_BACKOFF_FIRST_MS;
	for (int i = 1; i < record->rung_tries && pause_ms < RUNG_BACKOFF_MAX_MS; i++)
		pause_ms *= 2;
	record->next_try.ms = now.mono.ms + (pause_ms < RUNG_BACKOFF_MAX_MS ? pause_ms : RUNG_BACKOFF_MAX_MS);
}

/* ---- what is remembered of the cluster --------------------------------------------------------------------------- */

/* A name that is too long is cut: a frozen zone must not be forgotten for it. */
static const char *zone_key(const char *zone, char out[ZONE_NAME_BYTES])
{
	size_t n = strlen(zone) < ZONE_NAME_BYTES - 1 ? strlen(zone) : ZONE_NAME_BYTES - 1;
	(void)str_copy(out, ZONE_NAME_BYTES, (struct str){ zone, n });
	return out;
}

static struct zone_storm *zone_find(const struct history *history, const char *zone)
{
	for (size_t i = 0; i < history->zones_count; i++) {
		if (strcmp(history->zones[i].zone, zone) == 0)
			return (struct zone_storm *)&history->zones[i];
	}
	return NULL;
}

void history_freeze(struct history *history, const char *zone, struct mono now)
{
	char key[ZONE_NAME_BYTES];
	struct zone_storm *storm = zone_find(history, zone_key(zone, key));
	if (storm == NULL) {
		storm = &history->zones[0]; /* the one that is over the longest makes room */
		for (size_t i = 1; i < history->zones_count && history->zones_count == ZONES_MAX; i++)
			storm = history->zones[i].at.ms < storm->at.ms ? &history->zones[i] : storm;
		if (history->zones_count < ZONES_MAX)
			storm = &history->zones[history->zones_count++];
		*storm = (struct zone_storm){ 0 };
		memcpy(storm->zone, key, sizeof storm->zone);
		history->version++;
	}
	storm->at = now;
}

struct mono history_frozen(const struct history *history, const char *zone)
{
	char key[ZONE_NAME_BYTES];
	const struct zone_storm *storm = zone_find(history, zone_key(zone, key));
	return storm != NULL ? storm->at : (struct mono){ 0 };
}

int history_begun_since(const struct history *history, struct mono since)
{
	size_t kept = history->begun_count < BEGUN_MAX ? history->begun_count : BEGUN_MAX;
	int count = 0;
	for (size_t i = 0; i < kept; i++)
		count += history->begun[i].ms > since.ms;
	return count;
}

void history_keep_sight(struct history *history, const struct history *from)
{
	history->observed = from->observed;
	history->settles = from->settles;
	history->is_blind = from->is_blind;
	if (history->storm_at.ms == 0 || (from->storm_at.ms != 0 && from->storm_at.ms > history->storm_at.ms))
		history->storm_at = from->storm_at;
	for (size_t i = 0; i < from->zones_count; i++) {
		struct mono at = history_frozen(history, from->zones[i].zone);
		if (at.ms == 0 || from->zones[i].at.ms > at.ms)
			history_freeze(history, from->zones[i].zone, from->zones[i].at);
	}
}

void history_forget(struct history *history)
{
	struct history old = *history;
	history_init(history);
	history_keep_sight(history, &old);
	history_done(&old);
}
