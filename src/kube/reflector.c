/* The list-and-watch machine. Bytes are decoded into the copy as they come; what an ending means is decided in
 * reflector_turn(), where there is a time. See the drawing in reflector.h.
 *
 * When in doubt whether the copy is still the server's truth, it is read anew from the start, and not fresh meanwhile:
 * the decision then does nothing, which is always allowed. */
#include "kube/reflector.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "kube/frame.h"
#include "kube/split.h"

#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define ACCEPT PROTOBUF ",application/json" /* JSON: for error answers of proxies and old servers */
#define PAGE_ITEMS 500

#define WATCH_TIMEOUT_S_MIN 290 /* spread, so that a fleet of healers does not reconnect in step */
#define WATCH_TIMEOUT_S_SPREAD 21
#define SMALL_TIMEOUT_S_MIN 50 /* well below REFLECTOR_STALE_MS, with time for a new connection */
#define SMALL_TIMEOUT_S_SPREAD 11
#define HEAD_TIMEOUT_MS (30 * SEC)
#define SILENCE_MS (90 * SEC) /* bookmarks come each minute: one may be late, two may not */
#define PAGE_SILENCE_MS (30 * SEC)
/* A request that runs for so long is hung, whatever trickles in: the server's own limit and some slack. */
#define REQUEST_MS_MAX (370 * SEC)
#define ERROR_BODY_BYTES_MAX ((size_t)64 << 10)

#define BACKOFF_MS_MIN (1 * SEC)
#define BACKOFF_MS_MAX (30 * SEC)
#define RETRY_AFTER_MS_MAX (5 * MINUTE) /* whoever asks for more is wrong about us */
#define WATCH_MS_SHORT (1 * SEC)        /* a server that hangs up so soon must not make us a busy loop */
#define WATCH_MS_GOOD (5 * SEC)         /* a watch that lasts so long and says something ends the back-off */

/* A resumed watch first delivers what was missed. After a gap longer than REFLECTOR_STALE_MS the store counts as fresh
 * only when that has surely come: with a bookmark, or so long after the answer began. */
#define CATCH_UP_MS (10 * SEC)
#define SHORT_WATCHES_MAX 3 /* ended at once so often: going on from this version leads nowhere, all is read anew */
/* A watch open for so long without one event or bookmark is deaf: so behaves a server that has never heard of our
 * version (restored from a backup), without any error. */
#define DEAF_MS (75 * SEC)

#define TROUBLE_BYTES 240
#define KIND_BYTES 64

enum phase { PHASE_INITIAL, PHASE_PAGES, PHASE_WATCH };

/* What to do after the running request, found out while its bytes came. */
enum fate { FATE_OPEN, FATE_EXPIRED, FATE_BROKEN };

struct reflector {
	struct reflector_target target;
	char list_kind[KIND_BYTES];
	enum phase phase;
	bool is_running;  /* a request is out */
	bool is_listing;  /* the target is between list_begin and list_end */
	bool is_complete; /* the copy was the truth once, and has been kept so since */
	char version[KUBE_VERSION_BYTES];
	char continue_token[SPLIT_CONTINUE_BYTES];
	struct frame frame;
	struct split split;

	/* of the running request */
	struct mono started;
	bool was_opened; /* its head said 200 */
	bool was_useful; /* an event, a bookmark or a page came */
	bool has_heard;  /* something came since the last turn */
	bool has_bookmark;
	enum fate fate;  /* of the stream's own content; the caller must cancel it */
	int64_t wait_ms; /* asked for by an ERROR event; -1 */
	bool is_done;    /* done() came; the next turn reads the four below */
	int status;
	int64_t retry_after_ms;
	int refusal;            /* status of the last answer when it was not 200 */
	bool is_expired_answer; /* a Status with reason Expired or Gone */

	struct mono heard; /* last sign of life, as seen by a turn */
	struct mono settles;
	struct mono due;
	unsigned errors; /* in a row */
	char trouble[TROUBLE_BYTES];
	struct reflector_stats stats;
};

static bool on_event(void *ctx, struct str bytes, struct err *err);

static bool on_item(void *ctx, struct str item, struct err *err)
{
	struct reflector *r = ctx;
	return r->target.put(r->target.ctx, item, err);
}

static void split_begin(struct reflector *r)
{
	split_init(&r->split, on_item, r);
	r->split.kind = r->list_kind;
}

struct reflector *reflector_new_for(const struct reflector_target *target)
{
	struct reflector *r = xcalloc(1, sizeof *r);
	r->target = *target;
	r->wait_ms = r->retry_after_ms = -1;
	int n = snprintf(r->list_kind, sizeof r->list_kind, "%sList", target->kind);
	assert(n > 0 && (size_t)n < sizeof r->list_kind);
	frame_init(&r->frame, on_event, r);
	split_begin(r);
	(void)snprintf(r->trouble, sizeof r->trouble, "the first list of %s is not complete yet", target->what);
	return r;
}

static bool node_put(void *ctx, struct str object, struct err *err)
{
	return store_put(ctx, object, NULL, err);
}

static void node_remove(void *ctx, const char *name)
{
	(void)store_delete(ctx, name); /* not there: it came and went between two versions */
}

static void nodes_begin(void *ctx)
{
	store_list_begin(ctx);
}

static void nodes_end(void *ctx)
{
	store_list_end(ctx);
}

static void nodes_abandon(void *ctx)
{
	store_list_abandon(ctx);
}

struct reflector *reflector_new(struct store *store)
{
	return reflector_new_for(&(struct reflector_target){ .what = "nodes",
							     .kind = "Node",
							     .path = "/api/v1/nodes",
							     .query = "",
							     .ctx = store,
							     .put = node_put,
							     .remove = node_remove,
							     .list_begin = nodes_begin,
							     .list_end = nodes_end,
							     .list_abandon = nodes_abandon });
}

void reflector_free(struct reflector *r)
{
	if (r == NULL)
		return;
	frame_done(&r->frame);
	split_done(&r->split);
	free(r);
}

PRINTF(2, 3) static void trouble(struct reflector *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(r->trouble, sizeof r->trouble, fmt, ap); /* a cut sentence is still a sentence */
	va_end(ap);
	for (char *c = r->trouble; *c != '\0'; c++) { /* servers' words are in it */
		if ((unsigned char)*c < ' ')
			*c = ' ';
	}
}

/* --- what a stream says --- */

static bool keep_version(struct reflector *r, struct str version, struct err *err)
{
	/* A watch from 0 would start with all nodes and no word of those that are gone. */
	if (version.n == 0 || str_eq(version, "0"))
		return fail(err, ERR_REMOTE, "an event without a resourceVersion");
	if (!str_copy(r->version, sizeof r->version, version))
		return fail(err, ERR_REMOTE, "the resourceVersion of an event is too long");
	return true;
}

static void list_is_complete(struct reflector *r)
{
	r->target.list_end(r->target.ctx);
	r->is_listing = false;
	r->is_complete = true;
	r->phase = PHASE_WATCH;
	r->settles = (struct mono){ 0 };
	r->has_bookmark = true;
	r->trouble[0] = '\0';
}

static bool on_bookmark(struct reflector *r, const struct object_meta *meta, struct err *err)
{
	if (!keep_version(r, meta->resource_version, err))
		return false;
	r->has_bookmark = true;
	if (meta->is_initial_events_end && r->is_listing)
		list_is_complete(r);
	return true;
}

static bool on_error_event(struct reflector *r, struct str object, struct err *err)
{
	struct kube_status status;
	if (!kube_status_read(object, &status, err))
		return false;
	bool is_expired = status.code == 410 || str_eq(status.reason, "Expired") || str_eq(status.reason, "Gone");
	r->fate = is_expired ? FATE_EXPIRED : FATE_BROKEN;
	r->wait_ms = status.retry_after_ms;
	return fail(err, is_expired ? ERR_GONE : ERR_REMOTE, "the watch of %s ended with an error: %.*s",
		    r->target.what, (int)(status.message.n < 160 ? status.message.n : 160), status.message.p);
}

static bool on_object(struct reflector *r, const struct watch_event *event, const struct object_meta *meta,
		      struct err *err)
{
	char name[NODE_NAME_BYTES];
	if (!keep_version(r, meta->resource_version, err)) /* whatever fails after this leads to a new list */
		return false;
	if (event->type != WATCH_DELETED) {
		if (!r->target.put(r->target.ctx, event->object, err))
			return false;
	} else {
		if (!str_copy(name, sizeof name, meta->name))
			return fail(err, ERR_REMOTE, "the name of a deleted %s is too long", r->target.kind);
		r->target.remove(r->target.ctx, name);
	}
	r->stats.events++;
	return true;
}

static bool on_event(void *ctx, struct str bytes, struct err *err)
{
	struct reflector *r = ctx;
	struct watch_event event;
	struct object_meta meta;
	if (!watch_event_read(bytes, &event, err))
		return false;
	if (event.type == WATCH_ERROR)
		return on_error_event(r, event.object, err);
	if (!str_eq(event.kind, r->target.kind))
		return fail(err, ERR_REMOTE, "the watch of %s delivered a %.*s", r->target.what,
			    (int)(event.kind.n < 40 ? event.kind.n : 40), event.kind.p);
	if (!object_meta_read(event.object, &meta, err))
		return false;
	r->was_useful = true;
	return event.type == WATCH_BOOKMARK ? on_bookmark(r, &meta, err) : on_object(r, &event, &meta, err);
}

static bool is_type(struct str type, const char *wanted)
{
	size_t n = strlen(wanted);
	return type.n >= n && memcmp(type.p, wanted, n) == 0;
}

void reflector_head(struct reflector *r, const struct http_answer *answer)
{
	if (!r->is_running || answer->status != 200)
		return; /* an error answer comes whole with done() */
	/* A watch that opens is a sign of life, but not after one that failed or ended at once: such a server could go
	 * on for ever without telling anything. Then only what it says counts. */
	r->has_heard = r->has_heard || r->phase != PHASE_WATCH || r->errors == 0;
	struct str type = http_header(answer, "content-type");
	if (type.n == 0 || is_type(type, PROTOBUF)) {
		r->was_opened = true;
		r->refusal = 0;
		return;
	}
	r->fate = FATE_BROKEN;
	trouble(r, "the API server answered in %.*s, not in protobuf", (int)(type.n < 60 ? type.n : 60), type.p);
}

void reflector_bytes(struct reflector *r, struct str chunk)
{
	struct err err = { 0 };
	if (!r->is_running || r->is_done || r->fate != FATE_OPEN)
		return;
	r->has_heard = true;
	r->stats.bytes += chunk.n;
	bool ok = r->phase == PHASE_PAGES ? split_push(&r->split, chunk, &err) : frame_push(&r->frame, chunk, &err);
	if (ok)
		return;
	if (r->fate == FATE_OPEN)
		r->fate = FATE_BROKEN;
	trouble(r, "%s", err.text);
}

/* --- endings --- */

/* An error answer: protobuf, JSON, or plain text (throttling), as its Content-Type says. Says why, and takes from it
 * how long to wait and whether our version is too old. */
static void read_refusal(struct reflector *r, const struct http_answer *answer)
{
	struct envelope envelope;
	struct kube_status status = { .reason = STR(""), .message = STR(""), .retry_after_ms = -1 };
	struct str type = http_header(answer, "content-type");
	json_t *json = NULL;
	if (is_type(type, PROTOBUF)) {
		if (envelope_read(answer->body, &envelope, NULL) && str_eq(envelope.kind, "Status"))
			(void)kube_status_read(envelope.raw, &status, NULL); /* else the number has to do */
	} else if (is_type(type, "application/json")) {
		json = json_parse(answer->body, NULL);
		status.reason = str_of(json_text(json, "reason"));
		status.message = str_of(json_text(json, "message"));
		int64_t seconds = json_int(json, "details.retryAfterSeconds", 0);
		status.retry_after_ms = seconds > 0 && seconds < 3600 ? seconds * SEC : -1;
	} else if (is_type(type, "text/plain")) {
		status.message = answer->body;
	}
	if (r->retry_after_ms < 0)
		r->retry_after_ms = status.retry_after_ms;
	r->is_expired_answer =
		answer->status == 410 || str_eq(status.reason, "Expired") || str_eq(status.reason, "Gone");
	trouble(r, "HTTP %d to the request for %s%s%.*s", answer->status, r->target.what,
		status.message.n > 0 ? ": " : "", (int)(status.message.n < 160 ? status.message.n : 160),
		status.message.p);
	json_decref(json);
}

void reflector_done(struct reflector *r, const struct http_answer *answer)
{
	if (!r->is_running || r->is_done)
		return;
	if (answer->status == 200 && !r->was_opened && r->fate == FATE_OPEN) {
		/* a port that hands a list over whole */
		reflector_head(r, answer);
		if (answer->body.n > 0)
			reflector_bytes(r, answer->body);
	}
	r->is_done = true;
	r->status = answer->status;
	r->refusal = answer->status != 200 ? answer->status : 0;
	r->retry_after_ms = http_retry_after_ms(answer);
	if (answer->status == 0)
		trouble(r, "the connection for %s broke: %s", r->target.what, answer->why.text);
	else if (answer->status != 200)
		read_refusal(r, answer);
}

static void back_off(struct reflector *r, struct now now, struct rng *rng, int64_t wait_ms)
{
	int64_t top = 2 * BACKOFF_MS_MIN << (r->errors < 4 ? r->errors : 4);
	if (top > BACKOFF_MS_MAX)
		top = BACKOFF_MS_MAX;
	int64_t ms = top / 2 + (int64_t)rng_below(rng, (uint64_t)top / 2 + 1);
	if (wait_ms >= 0) {
		wait_ms = wait_ms < RETRY_AFTER_MS_MAX ? wait_ms : RETRY_AFTER_MS_MAX;
		wait_ms += (int64_t)rng_below(rng, SEC); /* so that not all whom it told so come at once */
		ms = ms > wait_ms ? ms : wait_ms;
	}
	r->errors++;
	r->stats.errors++;
	r->due.ms = now.mono.ms + ms;
}

static void abandon_list(struct reflector *r)
{
	if (r->is_listing)
		r->target.list_abandon(r->target.ctx);
	r->is_listing = false;
}

static void from_the_start(struct reflector *r)
{
	abandon_list(r);
	r->version[0] = r->continue_token[0] = '\0';
	r->phase = PHASE_INITIAL;
}

/* The copy is no longer known to be the truth: from the start. */
static void start_over(struct reflector *r)
{
	from_the_start(r);
	r->is_complete = false;
}

static void on_expired(struct reflector *r, struct now now, struct rng *rng)
{
	bool is_page = r->phase == PHASE_PAGES;
	r->stats.expired++;
	start_over(r);
	if (is_page) /* a server without streamed lists has not learned them since the first page */
		r->phase = PHASE_PAGES;
	if (r->errors > 0) {
		back_off(r, now, rng, -1);
		return;
	}
	r->errors++; /* the second time in a row waits */
	r->due = now.mono;
}

static void on_page(struct reflector *r, struct now now, struct rng *rng)
{
	struct err err = { 0 };
	bool ok = split_end(&r->split, &err);
	if (ok && text_eq(r->split.resource_version, "0"))
		ok = fail(&err, ERR_REMOTE, "the list of %s has no usable resourceVersion", r->target.what);
	if (!ok) {
		trouble(r, "%s", err.text);
		start_over(r);
		r->phase = PHASE_PAGES;
		back_off(r, now, rng, -1);
		return;
	}
	/* All pages are of one version, the first one's; a server that says otherwise is believed. */
	(void)TEXT_COPY(r->version, r->split.resource_version);
	(void)TEXT_COPY(r->continue_token, r->split.continue_token);
	if (r->continue_token[0] == '\0')
		list_is_complete(r);
	r->due = now.mono;
}

/* The stream ended by the server's wish. */
static void on_clean_end(struct reflector *r, struct now now, struct rng *rng)
{
	bool was_short = now.mono.ms - r->started.ms < WATCH_MS_SHORT;
	if (!frame_is_between(&r->frame))
		trouble(r, "the watch of %s ended in the middle of an event", r->target.what);
	if (r->phase == PHASE_INITIAL) {
		trouble(r, "the watch of %s ended before the first list was complete", r->target.what);
		start_over(r);
		back_off(r, now, rng, -1);
	} else if (was_short) {
		if (r->errors > 0)
			trouble(r, "the API server ends each watch of %s at once", r->target.what);
		if (r->errors >= SHORT_WATCHES_MAX)
			start_over(r);
		back_off(r, now, rng, -1);
	} else {
		if (r->target.is_small)
			from_the_start(r); /* what is known stays the truth meanwhile */
		r->due = now.mono;
	}
}

static void on_refused(struct reflector *r, struct now now, struct rng *rng)
{
	bool is_not_understood = r->status == 400 || r->status == 422;
	if (r->phase == PHASE_INITIAL && is_not_understood) {
		r->phase = PHASE_PAGES; /* no streamed lists here; the listing goes on with pages */
		r->due = now.mono;
		return;
	}
	if (r->is_expired_answer) {
		on_expired(r, now, rng);
		return;
	}
	/* A page may be asked for again; a watch goes on where it was. But a version that is not even understood, and a
	 * continue token that is not, lead nowhere. */
	bool is_passing = r->status >= 500 || r->status == 429;
	if (r->phase == PHASE_INITIAL && is_passing)
		from_the_start(r); /* what a small target knows it still knows; it grows old */
	else if (r->phase == PHASE_INITIAL || is_not_understood)
		start_over(r);
	back_off(r, now, rng, r->retry_after_ms);
}

/* What of a page came before the cut is in the store: harmless, the page is asked for again. */
static void on_cut(struct reflector *r, struct now now, struct rng *rng)
{
	if (r->phase == PHASE_INITIAL && r->was_opened)
		start_over(r);
	else if (r->phase == PHASE_INITIAL)
		from_the_start(r); /* nothing came that could have changed the copy */
	back_off(r, now, rng, -1);
}

/* Reads the ending of the request that is over. */
static void ended(struct reflector *r, struct now now, struct rng *rng)
{
	bool is_watch = r->phase == PHASE_WATCH;
	bool is_deaf = is_watch && r->was_opened && !r->was_useful && now.mono.ms - r->started.ms >= DEAF_MS;
	r->is_running = false;
	if (r->was_useful && now.mono.ms - r->started.ms >= WATCH_MS_GOOD)
		r->errors = 0;
	if (r->fate == FATE_EXPIRED) {
		on_expired(r, now, rng);
	} else if (r->fate == FATE_BROKEN) {
		start_over(r);
		back_off(r, now, rng, r->wait_ms);
	} else if (is_deaf) {
		trouble(r, "the watch of %s was open but said nothing: reading all anew", r->target.what);
		start_over(r);
		back_off(r, now, rng, -1);
	} else if (r->status == 0) {
		on_cut(r, now, rng);
	} else if (r->status != 200) {
		on_refused(r, now, rng);
	} else if (r->phase == PHASE_PAGES) {
		on_page(r, now, rng);
	} else {
		on_clean_end(r, now, rng);
	}
}

/* --- the turn --- */

static void take_time(struct reflector *r, struct now now)
{
	bool was_gap = r->heard.ms == 0 || now.mono.ms - r->heard.ms > REFLECTOR_STALE_MS;
	if (r->has_heard) {
		if (was_gap)
			r->settles.ms = now.mono.ms + CATCH_UP_MS;
		r->heard = now.mono;
		if (r->is_complete && r->fate == FATE_OPEN && !r->is_done)
			r->trouble[0] = '\0';
	}
	if (r->has_bookmark)
		r->settles = now.mono;
	r->has_heard = r->has_bookmark = false;
	if (r->is_complete && r->trouble[0] == '\0' && now.mono.ms - r->heard.ms > REFLECTOR_STALE_MS)
		trouble(r, "nothing was heard of %s for too long", r->target.what);
}

bool reflector_turn(struct reflector *r, struct now now, struct rng *rng)
{
	take_time(r, now);
	if (!r->is_running)
		return false;
	if (r->is_done) {
		ended(r, now, rng);
		return false;
	}
	bool is_hung = now.mono.ms - r->started.ms >= REQUEST_MS_MAX;
	if (r->fate == FATE_OPEN && !is_hung)
		return false;
	if (r->fate == FATE_OPEN) {
		trouble(r, "a request for %s hung and was given up", r->target.what);
		r->status = 0;
	}
	ended(r, now, rng);
	return true;
}

static void begin_list(struct reflector *r)
{
	if (r->is_listing)
		return;
	r->target.list_begin(r->target.ctx);
	r->is_listing = true;
	r->stats.lists++;
}

static const char *watch_path(struct reflector *r, struct rng *rng, struct arena *arena)
{
	const struct reflector_target *target = &r->target;
	unsigned seconds = target->is_small ? SMALL_TIMEOUT_S_MIN + (unsigned)rng_below(rng, SMALL_TIMEOUT_S_SPREAD)
					    : WATCH_TIMEOUT_S_MIN + (unsigned)rng_below(rng, WATCH_TIMEOUT_S_SPREAD);
	r->stats.watches++;
	if (r->phase == PHASE_INITIAL)
		return arena_printf(arena,
				    "%s?%swatch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
				    "&allowWatchBookmarks=true&timeoutSeconds=%u",
				    target->path, target->query, seconds);
	struct buf version;
	buf_init(&version, 3 * KUBE_VERSION_BYTES);
	(void)buf_urlencode(&version, r->version); /* fits */
	const char *path = arena_printf(arena,
					"%s?%swatch=1&resourceVersion=%s&allowWatchBookmarks=true"
					"&timeoutSeconds=%u",
					target->path, target->query, buf_cstr(&version), seconds);
	buf_done(&version);
	return path;
}

static const char *page_path(struct reflector *r, struct arena *arena)
{
	const struct reflector_target *target = &r->target;
	if (r->continue_token[0] == '\0')
		return arena_printf(arena, "%s?%slimit=%d", target->path, target->query, PAGE_ITEMS);
	struct buf token;
	buf_init(&token, 3 * SPLIT_CONTINUE_BYTES);
	(void)buf_urlencode(&token, r->continue_token); /* fits */
	const char *path = arena_printf(arena, "%s?%slimit=%d&continue=%s", target->path, target->query, PAGE_ITEMS,
					buf_cstr(&token));
	buf_done(&token);
	return path;
}

static void reset_request(struct reflector *r, struct now now)
{
	frame_done(&r->frame);
	frame_init(&r->frame, on_event, r);
	split_done(&r->split);
	split_begin(r);
	r->is_running = true;
	r->started = now.mono;
	r->was_opened = r->was_useful = r->is_done = r->is_expired_answer = false;
	r->fate = FATE_OPEN;
	r->wait_ms = r->retry_after_ms = -1;
	r->status = 0;
}

bool reflector_poll(struct reflector *r, struct now now, struct rng *rng, struct arena *arena,
		    struct reflector_request *out)
{
	if (r->is_running || now.mono.ms < r->due.ms)
		return false;
	bool is_page = r->phase == PHASE_PAGES;
	reset_request(r, now);
	if (r->phase != PHASE_WATCH)
		begin_list(r);
	*out = (struct reflector_request){ .path = is_page ? page_path(r, arena) : watch_path(r, rng, arena),
					   .accept = ACCEPT,
					   .timeout_ms = HEAD_TIMEOUT_MS,
					   .silence_ms = is_page ? PAGE_SILENCE_MS : SILENCE_MS,
					   .answer_bytes_max = ERROR_BODY_BYTES_MAX };
	return true;
}

struct mono reflector_due(const struct reflector *r)
{
	if (!r->is_running)
		return r->due;
	if (r->is_done || r->fate != FATE_OPEN)
		return r->started; /* a turn is wanted now */
	return (struct mono){ r->started.ms + REQUEST_MS_MAX };
}

bool reflector_is_fresh(const struct reflector *r, struct now now)
{
	return r->is_complete && now.mono.ms - r->heard.ms <= REFLECTOR_STALE_MS && now.mono.ms >= r->settles.ms;
}

const char *reflector_trouble(const struct reflector *r)
{
	return r->trouble;
}

struct mono reflector_heard(const struct reflector *r)
{
	return r->heard;
}

int reflector_refusal(const struct reflector *r)
{
	return r->refusal;
}

const struct reflector_stats *reflector_stats(const struct reflector *r)
{
	return &r->stats;
}
