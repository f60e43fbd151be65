/* A rig for tests of the HTTP port: the real loop, the real port, and a scripted server on loopback in the same loop.
 * Every wait has a deadline; nothing sleeps. */
#ifndef MAH_TESTS_HOST_RIG_H
#define MAH_TESTS_HOST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* ours, of base/err.h, is meant */

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "host/loop.h"

#define RIG_DEADLINE_MS 20000
#define RIG_ANSWERS_MAX 64
#define RIG_STEP_MS 30 /* between the parts of a scripted answer */

/* How the server answers a path: parts, RIG_STEP_MS apart. */
struct rig_route {
	const char *path;
	const char *parts[8];
	size_t filler_bytes; /* so many 'x' after the first part */
	enum { KEEP, CLOSE, HANG } then;
	bool once_per_connection; /* the second request of a connection is not answered but hung up on */
};

struct rig_connection {
	LIST_ENTRY(rig_connection) link;
	struct rig *rig;
	struct bufferevent *bev;
	struct event *timer;
	const struct rig_route *route;
	size_t part;
	unsigned served;
};

struct rig_answer {
	uint64_t id;
	int heads, dones, status;
	struct err why;
	struct buf headers, body, bytes;
};

struct rig {
	struct loop *loop;
	struct http_port *http;
	struct evconnlistener *listener;
	uint16_t port;
	const struct rig_route *routes;
	size_t routes_count;
	LIST_HEAD(, rig_connection) connections;
	unsigned accepted, arrived; /* connections and requests */
	unsigned hung_up;           /* connections that the other side ended */
	struct buf last;            /* the last request, as it came */
	struct rig_answer answers[RIG_ANSWERS_MAX];
	void (*on_event)(struct rig *, uint64_t id, const char *what); /* what a test does inside of a callback */
	struct event *alarm;
	bool is_late;
};

static inline void rig_hang_up(struct rig_connection *c)
{
	LIST_REMOVE(c, link);
	event_drop(&c->timer);
	bufferevent_free(c->bev);
	free(c);
}

static inline void rig_step(struct rig_connection *c)
{
	const struct rig_route *route = c->route;
	const char *part = c->part < COUNT(route->parts) ? route->parts[c->part] : NULL;
	if (part != NULL) {
		(void)bufferevent_write(c->bev, part, strlen(part));
		for (size_t i = 0; c->part == 0 && i < route->filler_bytes; i += 1000)
			(void)evbuffer_add_printf(bufferevent_get_output(c->bev), "%01000d", 7);
		c->part++;
		timer_arm(c->timer, RIG_STEP_MS);
		return;
	}
	if (route->then == CLOSE && evbuffer_get_length(bufferevent_get_output(c->bev)) > 0) {
		timer_arm(c->timer, RIG_STEP_MS);
		return;
	}
	c->route = NULL;
	if (route->then == CLOSE)
		rig_hang_up(c);
}

static inline void rig_on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	rig_step(arg);
}

static inline const struct rig_route *rig_route_of(const struct rig *rig, const char *request)
{
	const char *path = strchr(request, ' ');
	assert_non_null(path);
	size_t n = strcspn(path + 1, " ?");
	for (size_t i = 0; i < rig->routes_count; i++) {
		if (strlen(rig->routes[i].path) == n && memcmp(rig->routes[i].path, path + 1, n) == 0)
			return &rig->routes[i];
	}
	print_error("no route for %s\n", request);
	abort();
}

/* Takes one whole request off the connection; false when there is none yet. */
static inline bool rig_take(struct rig_connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (end.pos < 0)
		return false;
	size_t head_n = (size_t)end.pos + 4;
	char *text = xstrndup((const char *)evbuffer_pullup(in, (ssize_t)head_n), head_n);
	const char *length = strcasestr(text, "\r\ncontent-length:");
	size_t whole = head_n + (length != NULL ? strtoul(length + 17, NULL, 10) : 0);
	free(text);
	if (evbuffer_get_length(in) < whole)
		return false;
	buf_clear(&c->rig->last);
	assert_true(buf_add(&c->rig->last, evbuffer_pullup(in, (ssize_t)whole), whole));
	(void)evbuffer_drain(in, whole);
	return true;
}

static inline void rig_on_read(struct bufferevent *bev, void *arg)
{
	struct rig_connection *c = arg;
	(void)bev;
	if (!rig_take(c))
		return;
	c->rig->arrived++;
	c->served++;
	c->route = rig_route_of(c->rig, buf_cstr(&c->rig->last));
	c->part = 0;
	if (c->route->once_per_connection && c->served > 1) {
		rig_hang_up(c);
		return;
	}
	if (c->route->parts[0] == NULL && c->route->then == HANG)
		return;
	rig_step(c);
}

static inline void rig_on_end(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	((struct rig_connection *)arg)->rig->hung_up++;
	rig_hang_up(arg);
}

static inline void rig_on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int n,
				 void *arg)
{
	struct rig *rig = arg;
	struct rig_connection *c = xcalloc(1, sizeof *c);
	(void)listener;
	(void)peer;
	(void)n;
	rig->accepted++;
	c->rig = rig;
	c->bev = bufferevent_socket_new(loop_base(rig->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	c->timer = event_or_abort(loop_base(rig->loop), -1, 0, rig_on_timer, c);
	LIST_INSERT_HEAD(&rig->connections, c, link);
	bufferevent_setcb(c->bev, rig_on_read, NULL, rig_on_end, c);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static inline void rig_on_alarm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	((struct rig *)arg)->is_late = true;
}

static inline struct rig *rig_new(const struct rig_route *routes, size_t count)
{
	struct rig *rig = xcalloc(1, sizeof *rig);
	struct err err = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof at;
	rig->loop = loop_new(&err);
	assert_non_null(rig->loop);
	rig->http = http_port_new(rig->loop, &err);
	assert_non_null(rig->http);
	rig->routes = routes;
	rig->routes_count = count;
	LIST_INIT(&rig->connections);
	buf_init(&rig->last, 1 << 20);
	rig->listener = evconnlistener_new_bind(loop_base(rig->loop), rig_on_accept, rig,
						LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 64, (struct sockaddr *)&at,
						sizeof at);
	assert_non_null(rig->listener);
	assert_int_equal(getsockname(evconnlistener_get_fd(rig->listener), (struct sockaddr *)&at, &n), 0);
	rig->port = ntohs(at.sin_port);
	rig->alarm = event_or_abort(loop_base(rig->loop), -1, 0, rig_on_alarm, rig);
	return rig;
}

static inline void rig_free(struct rig *rig)
{
	http_port_free(rig->http);
	while (!LIST_EMPTY(&rig->connections))
		rig_hang_up(LIST_FIRST(&rig->connections));
	evconnlistener_free(rig->listener);
	event_drop(&rig->alarm);
	loop_free(rig->loop);
	for (size_t i = 0; i < RIG_ANSWERS_MAX; i++) {
		buf_done(&rig->answers[i].headers);
		buf_done(&rig->answers[i].body);
		buf_done(&rig->answers[i].bytes);
	}
	buf_done(&rig->last);
	free(rig);
}

static inline struct rig_answer *rig_answer(struct rig *rig, uint64_t id)
{
	assert_in_range(id, 0, RIG_ANSWERS_MAX - 1);
	struct rig_answer *a = &rig->answers[id];
	if (a->bytes.bytes_max == 0) {
		buf_init(&a->headers, 1 << 20);
		buf_init(&a->body, 1 << 20);
		buf_init(&a->bytes, 1 << 24);
	}
	return a;
}

static inline void rig_on_head(void *ctx, uint64_t id, const struct http_answer *answer)
{
	struct rig_answer *a = rig_answer(ctx, id);
	struct rig *rig = ctx;
	a->heads++;
	a->status = answer->status;
	if (rig->on_event != NULL)
		rig->on_event(rig, id, "head");
}

static inline void rig_on_bytes(void *ctx, uint64_t id, struct str chunk)
{
	struct rig *rig = ctx;
	assert_true(buf_add(&rig_answer(rig, id)->bytes, chunk.p, chunk.n));
	if (rig->on_event != NULL)
		rig->on_event(rig, id, "bytes");
}

static inline void rig_on_done(void *ctx, uint64_t id, const struct http_answer *answer)
{
	struct rig *rig = ctx;
	struct rig_answer *a = rig_answer(rig, id);
	a->dones++;
	a->status = answer->status;
	a->why = answer->why;
	buf_clear(&a->headers);
	buf_clear(&a->body);
	assert_true(buf_add(&a->headers, answer->headers.p, answer->headers.n));
	assert_true(buf_add(&a->body, answer->body.p, answer->body.n));
	if (rig->on_event != NULL)
		rig->on_event(rig, id, "done");
	/* What the answer points to lives until here, whatever was cancelled or started meanwhile. */
	assert_true(str_same(answer->body, buf_str(&a->body)));
}

static inline void rig_send(struct rig *rig, uint64_t id, const struct http_request *request)
{
	const struct http_sink sink = { .ctx = rig, .head = rig_on_head, .bytes = rig_on_bytes, .done = rig_on_done };
	(void)rig_answer(rig, id);
	rig->http->start(rig->http->ctx, id, request, &sink);
}

/* A request to the scripted server; unset fields get usual values. */
static inline void rig_start(struct rig *rig, uint64_t id, const char *path, struct http_request request)
{
	char url[256];
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", rig->port, path);
	request.url = url;
	request.method = request.method != NULL ? request.method : "GET";
	request.timeout_ms = request.timeout_ms != 0 ? request.timeout_ms : 10000;
	request.answer_bytes_max = request.answer_bytes_max != 0 ? request.answer_bytes_max : 100000;
	rig_send(rig, id, &request);
}

static inline void rig_cancel(struct rig *rig, uint64_t id)
{
	rig->http->cancel(rig->http->ctx, id);
}

static inline void rig_arm(struct rig *rig)
{
	rig->is_late = false;
	timer_arm(rig->alarm, RIG_DEADLINE_MS);
}

static inline void rig_pass(struct rig *rig)
{
	assert_false(rig->is_late);
	assert_true(event_base_loop(loop_base(rig->loop), EVLOOP_ONCE) >= 0);
}

#define RIG_UNTIL(rig, condition)                                                                                      \
	do {                                                                                                           \
		rig_arm(rig);                                                                                          \
		while (!(condition))                                                                                   \
			rig_pass(rig);                                                                                 \
	} while (0)

/* Waits for the end of one request and gives what came. */
static inline struct rig_answer *rig_wait(struct rig *rig, uint64_t id)
{
	struct rig_answer *a = rig_answer(rig, id);
	RIG_UNTIL(rig, a->dones > 0);
	assert_int_equal(a->dones, 1);
	return a;
}

/* Lets everything run on for a while, to see that nothing more comes: as long as a scripted server needs for several
 * steps, measured by the loop's own timers. */
static inline void rig_settle(struct rig *rig)
{
	rig->is_late = false;
	timer_arm(rig->alarm, RIG_STEP_MS * 5);
	while (!rig->is_late)
		assert_true(event_base_loop(loop_base(rig->loop), EVLOOP_ONCE) >= 0);
}

#endif
