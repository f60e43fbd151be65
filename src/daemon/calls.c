/* Requests under way. Callbacks only store the answer and wake the loop; the turn hands it to whoever asked. */
#include <assert.h>
#include <string.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"

#define ANSWER_BYTES_MAX ((size_t)16 << 20) /* a listing page of 1,000 servers has about 2 MB */

struct call *call_find(struct daemon *daemon, uint64_t id)
{
	for (size_t i = 0; id != 0 && i < CALLS_MAX; i++) {
		if (daemon->calls[i].id == id)
			return &daemon->calls[i];
	}
	return NULL;
}

static void wake(struct daemon *daemon, bool is_urgent)
{
	if (daemon->opts.wake != NULL)
		daemon->opts.wake(daemon->opts.wake_ctx, is_urgent);
}

static void on_head(void *ctx, uint64_t id, const struct http_answer *answer)
{
	struct daemon *daemon = ctx;
	if (switch_head(daemon, id, answer) || id != daemon->watch_id)
		return;
	kube_watch_heard(&daemon->watch_way, answer);
	reflector_head(daemon->reflector, answer);
}

static void on_bytes(void *ctx, uint64_t id, struct str chunk)
{
	struct daemon *daemon = ctx;
	if (switch_bytes(daemon, id, chunk)) {
		wake(daemon, true); /* somebody paused something: at once */
		return;
	}
	if (id != daemon->watch_id)
		return;
	reflector_bytes(daemon->reflector, chunk);
	wake(daemon, false);
}

static void on_done(void *ctx, uint64_t id, const struct http_answer *answer)
{
	struct daemon *daemon = ctx;
	if (switch_done(daemon, id, answer)) {
		wake(daemon, true);
		return;
	}
	if (id == daemon->watch_id) {
		daemon->watch_id = 0;
		kube_watch_heard(&daemon->watch_way, answer);
		reflector_done(daemon->reflector, answer);
		wake(daemon, true);
		return;
	}
	struct call *call = call_find(daemon, id);
	if (call == NULL)
		return;
	call->is_done = true;
	(void)buf_add(&call->headers, answer->headers.p, answer->headers.n); /* the port keeps to the limits */
	(void)buf_add(&call->body, answer->body.p, answer->body.n);
	call->answer = *answer;
	call->answer.headers = buf_str(&call->headers);
	call->answer.body = buf_str(&call->body);
	wake(daemon, true);
}

const struct http_sink *daemon_sink(struct daemon *daemon)
{
	struct http_sink *sink = arena_new(&daemon->arena, struct http_sink);
	*sink = (struct http_sink){ .ctx = daemon, .head = on_head, .bytes = on_bytes, .done = on_done };
	return sink;
}

uint64_t call_start(struct daemon *daemon, enum owner owner, const struct http_request *request)
{
	for (size_t i = 0; i < CALLS_MAX; i++) {
		struct call *call = &daemon->calls[i];
		if (call->id != 0)
			continue;
		*call = (struct call){ .id = ++daemon->calls_made, .owner = owner, .started = daemon->now.mono };
		buf_init(&call->headers, HTTP_HEADERS_BYTES_MAX);
		buf_init(&call->body, ANSWER_BYTES_MAX);
		struct http_request copy = *request;
		if (copy.answer_bytes_max == 0)
			copy.answer_bytes_max = ANSWER_BYTES_MAX;
		daemon->opts.http->start(daemon->opts.http->ctx, call->id, &copy, daemon_sink(daemon));
		return call->id;
	}
	return 0;
}

void call_free(struct call *call)
{
	buf_done(&call->headers);
	buf_done(&call->body);
	call->id = 0;
}

void call_cancel(struct daemon *daemon, uint64_t id)
{
	struct call *call = call_find(daemon, id);
	if (call == NULL)
		return;
	if (!call->is_done)
		daemon->opts.http->cancel(daemon->opts.http->ctx, id);
	call_free(call);
}

struct call *call_next_done(struct daemon *daemon)
{
	struct call *first = NULL; /* in the order in which they were asked, so that runs are repeatable */
	for (size_t i = 0; i < CALLS_MAX; i++) {
		struct call *call = &daemon->calls[i];
		if (call->id != 0 && call->is_done && (first == NULL || call->id < first->id))
			first = call;
	}
	if (first != NULL)
		kube_call_heard(daemon, first);
	return first;
}

json_t *call_json(const struct call *call)
{
	struct str type = http_header(&call->answer, "content-type");
	if (call->body.n == 0 || type.n < 4 || memmem(type.p, type.n, "json", 4) == NULL)
		return NULL;
	return json_parse(buf_str(&call->body), NULL);
}
