/* The event loop: libevent's core, and on top of it the rhythm of turns.
 *
 *   I/O and timers ──▶ callbacks store and call loop_wake() ──▶ window_ms later, or at once when urgent ──▶ turn()
 *                                                               due comes ──────────────────────────────▶ turn()
 *
 * turn() is called from loop_run() itself, between two passes of libevent and never from inside a callback: whatever it
 * frees, no callback of the same pass still holds. */
#include "host/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TIMER_MS_MAX (24 * HOUR) /* longer waits are cut into such pieces, far from any overflow of struct timeval */

struct loop {
	struct event_base *base;
	struct event *alarm; /* ends a pass of libevent when the next turn is to be */
	struct event *signals[3];
	void (*stop)(void *ctx);
	void (*reload)(void *ctx);
	void *signals_ctx;
	int64_t woken_ms; /* mono; the first wake since the last turn; 0: none */
	bool is_urgent;
	bool is_stopped;
};

struct watch {
	struct event *event;
	void (*ready)(void *ctx);
	void *ctx;
};

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

struct event *event_or_abort(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn, void *arg)
{
	struct event *event = event_new(base, fd, what, fn, arg);
	if (event == NULL)
		abort();
	return event;
}

void timer_arm(struct event *event, int64_t ms)
{
	ms = ms < 0 ? 0 : ms > TIMER_MS_MAX ? TIMER_MS_MAX : ms;
	struct timeval tv = { .tv_sec = (time_t)(ms / SEC), .tv_usec = (suseconds_t)(ms % SEC * 1000) };
	int rc = event_add(event, &tv);
	assert(rc == 0);
}

void event_drop(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg; /* waking up is all it is for: loop_run() looks at the time itself */
}

struct loop *loop_new(struct err *err)
{
	/* A peer that goes away is an error of write(2), not the end of the program. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		fail(err, ERR_INPUT, "SIGPIPE cannot be ignored");
		return NULL;
	}
	struct event_base *base = event_base_new();
	if (base == NULL) {
		fail(err, ERR_LIMIT, "the event loop cannot start: out of file descriptors?");
		return NULL;
	}
	struct loop *loop = xcalloc(1, sizeof *loop);
	loop->base = base;
	loop->alarm = event_or_abort(base, -1, 0, on_alarm, NULL);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	for (size_t i = 0; i < COUNT(loop->signals); i++)
		event_drop(&loop->signals[i]);
	event_drop(&loop->alarm);
	event_base_free(loop->base);
	free(loop);
}

void loop_wake(struct loop *loop)
{
	if (loop->woken_ms == 0)
		loop->woken_ms = clock_now().mono.ms;
}

void loop_urgent(struct loop *loop)
{
	loop->is_urgent = true;
}

void loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
	(void)event_base_loopbreak(loop->base); /* outside of a pass there is nothing to break */
}

/* When the next turn is to be, mono ms. */
static int64_t turn_at(const struct loop *loop, int64_t due, int64_t window_ms)
{
	if (loop->is_urgent)
		return 0;
	if (loop->woken_ms > 0 && loop->woken_ms + window_ms < due)
		return loop->woken_ms + window_ms;
	return due;
}

/* One pass of libevent: blocks until something happens or AT comes; when AT is past it only looks. */
static void pass(struct loop *loop, int64_t at, int64_t now)
{
	int flags = at <= now ? EVLOOP_NONBLOCK : EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
	if (at > now && at != NEVER)
		timer_arm(loop->alarm, at - now);
	else
		(void)event_del(loop->alarm);
	int rc = event_base_loop(loop->base, flags);
	assert(rc >= 0); /* -1 would be a broken epoll descriptor */
}

void loop_run(struct loop *loop, int64_t (*turn)(void *ctx), void *ctx, int64_t window_ms)
{
	loop->is_stopped = false;
	int64_t due = 0; /* the first turn is now: somebody must start the work */
	while (!loop->is_stopped) {
		int64_t now = clock_now().mono.ms;
		int64_t at = turn_at(loop, due, window_ms);
		/* Even before a turn that is overdue, what has arrived is taken in: a turn that always asks for the
		 * next one at once does not starve the sockets. */
		pass(loop, at, now);
		if (loop->is_stopped)
			break;
		if (turn_at(loop, due, window_ms) > clock_now().mono.ms)
			continue;
		loop->is_urgent = false;
		loop->woken_ms = 0;
		due = turn(ctx);
	}
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct loop *loop = arg;
	(void)what;
	if (number == SIGHUP)
		loop->reload(loop->signals_ctx);
	else
		loop->stop(loop->signals_ctx);
}

void loop_signals(struct loop *loop, void (*stop)(void *ctx), void (*reload)(void *ctx), void *ctx)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	loop->stop = stop;
	loop->reload = reload;
	loop->signals_ctx = ctx;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		event_drop(&loop->signals[i]);
		if (numbers[i] == SIGHUP && reload == NULL)
			continue;
		loop->signals[i] = event_or_abort(loop->base, numbers[i], EV_SIGNAL | EV_PERSIST, on_signal, loop);
		int rc = event_add(loop->signals[i], NULL);
		assert(rc == 0);
	}
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	(void)fd;
	(void)what;
	watch->ready(watch->ctx);
}

struct watch *loop_watch(struct loop *loop, int fd, void (*ready)(void *ctx), void *ctx)
{
	struct watch *watch = xcalloc(1, sizeof *watch);
	watch->ready = ready;
	watch->ctx = ctx;
	watch->event = event_or_abort(loop->base, fd, EV_READ | EV_PERSIST, on_watch, watch);
	int rc = event_add(watch->event, NULL);
	assert(rc == 0); /* the descriptor is open and pollable: the caller's promise */
	return watch;
}

void watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	event_drop(&watch->event);
	free(watch);
}
