/* The HTTP port: libcurl's multi interface driven by the loop.
 *
 *   start ─▶ WAITING ─(next pass)─▶ RUNNING ─ libcurl says it is over, or our timer ─▶ done(), freed
 *                │                     └─ cancel ─▶ DOOMED ─(as soon as libcurl is off the stack)─▶ freed
 *                └─ cannot be sent ─▶ done()
 *
 * libcurl calls us back in the middle of its work, when no handle may be added or removed; and head() and bytes() of a
 * stream are handed on from there. So start() only queues, and cancel() from in there only marks.
 *
 * A stream that has run for a while (a watch of heartbeats) is read in windows: when its socket is drained it rests for
 * a moment, so that many small events cost one wake-up. What pours in faster than we read is not drained, and not
 * delayed. */
#include "host/http_easy.h"
#include "host/http_head.h"
#include "host/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>

#include "base/mem.h"

#define CONNECTIONS_MAX 512      /* open at once; half of the usual 1,024 descriptors, 40 MB when all are TLS */
#define CONNECTIONS_IDLE_MAX 24L /* kept for the next request; 50 to 100 KiB each */
#define STREAM_REFUSAL_BYTES_MAX 65536
#define REST_MS 200       /* how long a calm stream's socket rests */
#define CALM_MS (5 * SEC) /* how old a stream is before it rests: the first sync comes at full speed */

enum phase { PHASE_WAITING, PHASE_RUNNING, PHASE_DOOMED };

/* Why we broke a transfer off; libcurl only knows that we did. */
enum breach { BREACH_NONE, BREACH_HEADERS, BREACH_BODY, BREACH_REFUSAL, BREACH_TIMEOUT, BREACH_SILENCE };

struct transfer {
	TAILQ_ENTRY(transfer) link;
	struct http *http;
	uint64_t id;
	struct http_sink sink;
	enum phase phase;
	enum breach breach;
	CURL *easy;
	struct http_easy kept;
	struct http_request limits; /* numbers only: the pointers in it are gone */
	struct http_head head;
	struct buf body;
	struct event *timer; /* streams: deadline of the head, then of the silence */
	bool is_streaming;   /* head() was told */
	int64_t head_ms;     /* mono; when */
	struct err why;      /* it cannot even be sent */
	char detail[CURL_ERROR_SIZE];
};
TAILQ_HEAD(transfers, transfer);

struct socket_watch {
	struct http *http;
	short wanted; /* EV_READ, EV_WRITE */
	struct event *ready;
	struct event *rest; /* pending: the socket rests */
};

struct http {
	struct http_port port;
	struct event_base *base;
	CURLM *multi;
	struct event *timer; /* libcurl's */
	struct event *soon;  /* there are waiting or doomed ones, or messages to collect */
	struct transfers transfers;
	size_t waiting_count;
	int depth;                   /* > 0: libcurl is on the stack */
	struct socket_watch *served; /* whose event libcurl is working on; NULL when it is closed meanwhile */
	int64_t rest_ms;             /* it brought bytes of a calm stream: it may rest so long */
};

/* ---- one transfer ---- */

static bool is_stream(const struct transfer *t)
{
	return t->limits.silence_ms > 0;
}

static void transfer_free(struct transfer *t)
{
	struct http *http = t->http;
	assert(http->depth == 0);
	if (t->phase == PHASE_WAITING)
		http->waiting_count--;
	TAILQ_REMOVE(&http->transfers, t, link);
	if (t->phase != PHASE_WAITING) {
		http->depth++;                                        /* it closes sockets, of which we are told */
		(void)curl_multi_remove_handle(http->multi, t->easy); /* fails only for one that is not in */
		http->depth--;
	}
	curl_easy_cleanup(t->easy);
	http_easy_done(&t->kept);
	http_head_done(&t->head);
	buf_done(&t->body);
	event_drop(&t->timer);
	free(t);
}

static void doom(struct transfer *t)
{
	if (t->http->depth == 0) {
		transfer_free(t);
		return;
	}
	if (t->phase == PHASE_WAITING)
		t->http->waiting_count--; /* never added; removing it is refused by libcurl, harmlessly */
	t->phase = PHASE_DOOMED;
	event_drop(&t->timer);
	timer_arm(t->http->soon, 0);
}

static void why_breached(struct transfer *t)
{
	const char *peer = t->kept.peer;
	switch (t->breach) {
	case BREACH_HEADERS:
		fail(&t->why, ERR_LIMIT, "%s: more than %d bytes of headers", peer, HTTP_HEADERS_BYTES_MAX);
		break;
	case BREACH_BODY:
		fail(&t->why, ERR_LIMIT, "%s: an answer of more than %zu bytes", peer, t->limits.answer_bytes_max);
		break;
	case BREACH_TIMEOUT:
		fail(&t->why, ERR_TIMEOUT, "%s: no complete answer within %lld ms", peer,
		     (long long)t->limits.timeout_ms);
		break;
	case BREACH_SILENCE:
		fail(&t->why, ERR_TIMEOUT, "%s: the stream was silent for %lld ms", peer,
		     (long long)t->limits.silence_ms);
		break;
	case BREACH_REFUSAL:
	case BREACH_NONE:
		break;
	}
}

/* The end of a transfer: tells the owner. */
static void finish(struct transfer *t, CURLcode code)
{
	assert(t->http->depth == 0);
	struct http_answer answer = { 0 };
	why_breached(t);
	/* A refusal of a stream that is longer than we keep is still a refusal. */
	if (code != CURLE_OK && t->why.code == ERR_NONE && t->breach != BREACH_REFUSAL)
		http_easy_why(&t->kept, t->easy, code, t->detail, &t->limits, &t->why);
	if (t->why.code == ERR_NONE && t->limits.is_connect_only)
		t->head.status = 200; /* it stands, which is all that was asked */
	else if (t->why.code == ERR_NONE && !t->head.is_complete)
		fail(&t->why, ERR_NETWORK, "%s: an answer without a status", t->kept.peer);
	answer.why = t->why;
	answer.headers = answer.body = STR("");
	if (t->why.code == ERR_NONE) {
		answer.status = t->head.status;
		answer.headers = buf_str(&t->head.lines);
		answer.body = buf_str(&t->body);
	}
	struct http_sink sink = t->sink;
	uint64_t id = t->id;
	/* Out of sight first, so that a cancel() or a start() with the same id in done() meets no half-dead one; but
	 * alive, because the answer points into it. */
	bool was_running = t->phase == PHASE_RUNNING;
	if (!was_running)
		t->http->waiting_count--;
	t->phase = PHASE_DOOMED;
	event_drop(&t->timer);
	sink.done(sink.ctx, id, &answer);
	transfer_free(t);
}

static void on_transfer_timer(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *t = arg;
	(void)fd;
	(void)what;
	t->breach = t->is_streaming ? BREACH_SILENCE : BREACH_TIMEOUT;
	finish(t, CURLE_OPERATION_TIMEDOUT);
}

/* ---- what libcurl tells about a transfer; depth > 0 ---- */

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;
	if (t->phase == PHASE_DOOMED)
		return 0;
	if (!http_head_line(&t->head, (struct str){ p, n })) {
		t->breach = BREACH_HEADERS;
		return 0;
	}
	if (!is_stream(t) || t->is_streaming || !t->head.is_complete || t->head.status != 200)
		return n;
	t->is_streaming = true;
	t->head_ms = clock_now().mono.ms;
	timer_arm(t->timer, t->limits.silence_ms);
	struct http_answer answer = { .status = 200, .headers = buf_str(&t->head.lines), .body = STR("") };
	if (t->sink.head != NULL)
		t->sink.head(t->sink.ctx, t->id, &answer);
	return t->phase == PHASE_DOOMED ? 0 : n;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static size_t on_stream_bytes(struct transfer *t, struct str chunk)
{
	/* A rest is far shorter than the silence that would be the stream's death. */
	int64_t short_ms = t->limits.silence_ms / 8;
	bool is_calm = clock_now().mono.ms - t->head_ms >= smaller(CALM_MS, short_ms);
	t->http->rest_ms = is_calm ? smaller(REST_MS, short_ms) : 0;
	timer_arm(t->timer, t->limits.silence_ms);
	if (t->sink.bytes != NULL)
		t->sink.bytes(t->sink.ctx, t->id, chunk);
	return t->phase == PHASE_DOOMED ? 0 : chunk.n;
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;
	if (t->phase == PHASE_DOOMED)
		return n == 0 ? 1 : 0;
	if (t->is_streaming)
		return on_stream_bytes(t, (struct str){ p, n });
	size_t most = is_stream(t) ? STREAM_REFUSAL_BYTES_MAX : t->limits.answer_bytes_max;
	size_t room = most - t->body.n;
	if (n > room) {
		t->breach = is_stream(t) ? BREACH_REFUSAL : BREACH_BODY;
		(void)buf_add(&t->body, p, room);
		return 0;
	}
	(void)buf_add(&t->body, p, n);
	return n;
}

/* ---- between libcurl and the loop ---- */

static void collect(struct http *http)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct transfer *t = NULL;
		CURLcode code = message->data.result; /* the message dies with its handle */
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		if (t->phase == PHASE_DOOMED)
			transfer_free(t);
		else
			finish(t, code);
	}
}

static void reap(struct http *http)
{
	struct transfer *t = TAILQ_FIRST(&http->transfers);
	while (t != NULL) {
		struct transfer *next = TAILQ_NEXT(t, link);
		if (t->phase == PHASE_DOOMED)
			transfer_free(t);
		t = next;
	}
}

static void drive(struct http *http, curl_socket_t fd, int what)
{
	int running;
	assert(http->depth == 0);
	http->depth++;
	CURLMcode rc = curl_multi_socket_action(http->multi, fd, what, &running);
	http->depth--;
	assert(rc == CURLM_OK || rc == CURLM_BAD_SOCKET); /* the rest are wrong uses and lack of memory */
	collect(http);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct http *http = arg;
	(void)fd;
	(void)what;
	drive(http, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long ms, void *arg)
{
	struct http *http = arg;
	(void)multi;
	if (ms < 0)
		(void)event_del(http->timer);
	else
		timer_arm(http->timer, ms);
	return 0;
}

static bool is_drained(curl_socket_t fd)
{
	int queued = 0;
	return ioctl(fd, FIONREAD, &queued) == 0 && queued == 0;
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct socket_watch *s = arg;
	struct http *http = s->http;
	int events = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
	http->served = s;
	http->rest_ms = 0;
	drive(http, fd, events);
	s = http->served; /* NULL when libcurl has closed it */
	http->served = NULL;
	if (s != NULL && s->wanted == EV_READ && http->rest_ms > 0 && is_drained(fd)) {
		(void)event_del(s->ready);
		timer_arm(s->rest, http->rest_ms);
	}
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct socket_watch *s = arg;
	(void)fd;
	(void)what;
	int rc = event_add(s->ready, NULL);
	assert(rc == 0);
}

static void socket_forget(struct socket_watch *s)
{
	if (s->http->served == s)
		s->http->served = NULL;
	event_drop(&s->ready);
	event_drop(&s->rest);
	free(s);
}

/* One event a socket, replaced at each change of interest and forgotten before the descriptor is closed. */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http *http = arg;
	struct socket_watch *s = socket_arg;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL)
			socket_forget(s);
		(void)curl_multi_assign(http->multi, fd, NULL); /* fails when it is forgotten there, too */
		return 0;
	}
	if (s == NULL) {
		s = xcalloc(1, sizeof *s);
		*s = (struct socket_watch){ .http = http };
		s->rest = event_or_abort(http->base, -1, 0, on_rested, s);
		(void)curl_multi_assign(http->multi, fd, s); /* this socket is known: it is being told to us */
	}
	s->wanted = (short)(((what & CURL_POLL_IN) != 0 ? EV_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
	event_drop(&s->ready);
	(void)event_del(s->rest);
	s->ready = event_or_abort(http->base, fd, (short)(s->wanted | EV_PERSIST), on_socket, s);
	int rc = event_add(s->ready, NULL);
	assert(rc == 0);
	return 0;
}

static struct transfer *first_waiting(struct http *http)
{
	struct transfer *t = NULL;
	TAILQ_FOREACH(t, &http->transfers, link) {
		/* The analyser does not see that TAILQ_REMOVE took the freed ones off the list. */
		if (t->phase == PHASE_WAITING) /* NOLINT(clang-analyzer-unix.Malloc) */
			return t;
	}
	return NULL;
}

static void launch(struct transfer *t)
{
	struct http *http = t->http;
	if (t->why.code != ERR_NONE) {
		finish(t, CURLE_OK);
		return;
	}
	if (t->timer != NULL)
		timer_arm(t->timer, t->limits.timeout_ms);
	http->waiting_count--;
	t->phase = PHASE_RUNNING;
	http->depth++;
	CURLMcode rc = curl_multi_add_handle(http->multi, t->easy);
	http->depth--;
	assert(rc == CURLM_OK);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct http *http = arg;
	(void)fd;
	(void)what;
	reap(http);
	/* No more than wait now: a done() that starts one that fails at once must not keep us here. */
	struct transfer *t;
	for (size_t n = http->waiting_count; n > 0 && (t = first_waiting(http)) != NULL; n--)
		launch(t);
	if (http->waiting_count > 0)
		timer_arm(http->soon, 0);
}

/* ---- the port ---- */

static void set_callbacks(struct transfer *t)
{
	CURL *easy = t->easy;
	/* None of these can fail for a good handle. */
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->detail);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
}

static void port_start(void *ctx, uint64_t id, const struct http_request *request, const struct http_sink *sink)
{
	struct http *http = ctx;
	struct transfer *t = xcalloc(1, sizeof *t);
	*t = (struct transfer){ .http = http, .id = id, .sink = *sink, .phase = PHASE_WAITING };
	t->limits = (struct http_request){ .timeout_ms = request->timeout_ms,
					   .silence_ms = request->silence_ms,
					   .answer_bytes_max = request->answer_bytes_max,
					   .is_connect_only = request->is_connect_only };
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		abort(); /* out of memory */
	http_head_init(&t->head);
	size_t most = is_stream(t) ? STREAM_REFUSAL_BYTES_MAX : request->answer_bytes_max;
	buf_init(&t->body, most > 0 ? most : 1);
	set_callbacks(t);
	if (http_easy_set(t->easy, request, &t->kept, &t->why) && is_stream(t))
		t->timer = event_or_abort(http->base, -1, 0, on_transfer_timer, t);
	TAILQ_INSERT_TAIL(&http->transfers, t, link);
	http->waiting_count++;
	timer_arm(http->soon, 0);
}

static void port_cancel(void *ctx, uint64_t id)
{
	struct http *http = ctx;
	struct transfer *t = NULL;
	TAILQ_FOREACH(t, &http->transfers, link) {
		if (t->id == id && t->phase != PHASE_DOOMED)
			break;
	}
	if (t != NULL)
		doom(t);
}

struct http_port *http_port_new(struct loop *loop, struct err *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		fail(err, ERR_LIMIT, "libcurl cannot start");
		return NULL;
	}
	CURLM *multi = curl_multi_init();
	if (multi == NULL)
		abort(); /* out of memory */
	struct http *http = xcalloc(1, sizeof *http);
	http->port = (struct http_port){ .ctx = http, .start = port_start, .cancel = port_cancel };
	http->base = loop_base(loop);
	http->multi = multi;
	http->timer = event_or_abort(http->base, -1, 0, on_timer, http);
	http->soon = event_or_abort(http->base, -1, 0, on_soon, http);
	TAILQ_INIT(&http->transfers);
	/* None of these can fail for a good handle. */
	(void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	(void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
	(void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	(void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
	(void)curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	(void)curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
	(void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_IDLE_MAX);
	return &http->port;
}

void http_port_free(struct http_port *port)
{
	if (port == NULL)
		return;
	struct http *http = CONTAINER_OF(port, struct http, port);
	assert(http->depth == 0);
	struct transfer *next = NULL;
	for (struct transfer *t = TAILQ_FIRST(&http->transfers); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		transfer_free(t); /* nobody is told: the owners are going, too */
	}
	http->depth++; /* it closes what is kept */
	(void)curl_multi_cleanup(http->multi);
	http->depth--;
	event_drop(&http->timer);
	event_drop(&http->soon);
	free(http);
	curl_global_cleanup();
}
