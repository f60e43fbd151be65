/* The network of the simulation: carries requests of the replicas to the world and answers back, each after a delay. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/run.h"

enum message_kind { MSG_REQUEST, MSG_ANSWER, MSG_BYTES, MSG_END, MSG_TIMEOUT };

struct request {
	struct request *next, *prev;
	unsigned messages; /* that point here */
	int replica;
	uint32_t generation;
	uint64_t id;     /* the replica's own */
	uint64_t stream; /* of the world; 0: none yet */
	bool is_stream;  /* asked as one */
	bool is_endless; /* answered as one: its end comes as a message of its own */
	bool is_last;    /* of its sender: it crashes when this has arrived */
	bool is_torn;    /* cancelled, timed out, answered: what still comes is dropped */
	int64_t silence_ms;
	struct mono heard;   /* of a stream */
	struct mono last_at; /* bytes of a stream keep their order */
	char *method, *target;
	struct buf headers; /* "name: value\n", lower case */
	struct buf body;
	struct http_sink sink;
};

struct message {
	struct mono at;
	uint64_t order;
	enum message_kind kind;
	struct request *request;
	int status;
	bool is_clean;
	enum err_code why;
	struct buf headers;
	struct buf body;
};

/* ---- the heap ---------------------------------------------------------------------------------------------------- */

static bool before(const struct message *a, const struct message *b)
{
	return a->at.ms < b->at.ms || (a->at.ms == b->at.ms && a->order < b->order);
}

static void heap_push(struct run *run, struct message *message)
{
	if (run->heap_count == run->heap_cap) {
		run->heap_cap = run->heap_cap > 0 ? run->heap_cap * 2 : 64;
		run->heap = xrealloc(run->heap, run->heap_cap * sizeof(struct message *));
	}
	size_t at = run->heap_count++;
	while (at > 0 && before(message, run->heap[(at - 1) / 2])) {
		run->heap[at] = run->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	run->heap[at] = message;
}

static struct message *heap_pop(struct run *run)
{
	struct message *first = run->heap[0];
	struct message *last = run->heap[--run->heap_count];
	size_t at = 0;
	for (;;) {
		size_t child = at * 2 + 1;
		if (child >= run->heap_count)
			break;
		if (child + 1 < run->heap_count && before(run->heap[child + 1], run->heap[child]))
			child++;
		if (!before(run->heap[child], last))
			break;
		run->heap[at] = run->heap[child];
		at = child;
	}
	if (run->heap_count > 0)
		run->heap[at] = last;
	return first;
}

static struct message *send(struct run *run, struct request *request, enum message_kind kind, int64_t delay_ms)
{
	struct message *message = xcalloc(1, sizeof *message);
	message->at.ms = run->now.mono.ms + delay_ms;
	message->order = ++run->messages;
	message->kind = kind;
	message->request = request;
	request->messages++;
	buf_init(&message->headers, (size_t)1 << 20);
	buf_init(&message->body, (size_t)64 << 20);
	heap_push(run, message);
	return message;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static void request_free(struct request *request)
{
	free(request->method);
	free(request->target);
	buf_done(&request->headers);
	buf_done(&request->body);
	free(request);
}

static int64_t hop_ms(struct run *run)
{
	return 1 + (int64_t)rng_below(&run->rng, 20);
}

/* A torn request stays until the last message that points to it is gone. */
static void message_free(struct run *run, struct message *message)
{
	struct request *request = message->request;
	if (request != NULL && --request->messages == 0 && request->is_torn) {
		if (request->next != NULL)
			request->next->prev = request->prev;
		if (request->prev != NULL)
			request->prev->next = request->next;
		else
			run->requests = request->next;
		request_free(request);
	}
	buf_done(&message->headers);
	buf_done(&message->body);
	free(message);
}

static const char *target_of(const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
	return path != NULL ? path : "/";
}

static void port_start(void *ctx, uint64_t id, const struct http_request *asked, const struct http_sink *sink)
{
	struct replica *replica = ctx;
	struct run *run = replica->run;
	laws_leaving(run, replica, asked);
	bool is_crash_point = scenario_is_crash_point(run, replica, asked);
	if (is_crash_point && run->opts.is_crash_before) {
		run->must_crash = true;
		run->crash_replica = replica->index;
		return;
	}
	run->stats.requests++;
	struct request *request = xcalloc(1, sizeof *request);
	*request = (struct request){ .next = run->requests,
				     .replica = replica->index,
				     .generation = replica->generation,
				     .id = id,
				     .is_stream = asked->silence_ms > 0,
				     .is_last = is_crash_point,
				     .silence_ms = asked->silence_ms,
				     .method = xstrdup(asked->method),
				     .target = xstrdup(target_of(asked->url)),
				     .sink = *sink };
	if (run->requests != NULL)
		run->requests->prev = request;
	run->requests = request;
	buf_init(&request->headers, HTTP_HEADERS_BYTES_MAX);
	buf_init(&request->body, (size_t)8 << 20);
	for (size_t i = 0; i < asked->headers_count; i++) {
		size_t from = request->headers.n;
		(void)buf_printf(&request->headers, "%s:", asked->headers[i].name);
		for (char *c = request->headers.p + from; *c != '\0'; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		(void)buf_printf(&request->headers, " %s\n", asked->headers[i].value);
	}
	(void)buf_add(&request->body, asked->body.p, asked->body.n);
	(void)send(run, request, MSG_REQUEST, hop_ms(run));
	(void)send(run, request, MSG_TIMEOUT, asked->timeout_ms);
}

static struct request *find(struct run *run, const struct replica *replica, uint64_t id)
{
	for (struct request *at = run->requests; at != NULL; at = at->next) {
		if (at->replica == replica->index && at->generation == replica->generation && at->id == id &&
		    !at->is_torn)
			return at;
	}
	return NULL;
}

static void tear(struct run *run, struct request *request)
{
	request->is_torn = true;
	if (request->stream != 0)
		world_stream_closed(run->world, request->stream);
	request->stream = 0;
}

static void port_cancel(void *ctx, uint64_t id)
{
	struct replica *replica = ctx;
	struct request *request = find(replica->run, replica, id);
	if (request != NULL)
		tear(replica->run, request);
}

void net_init(struct run *run)
{
	for (int i = 0; i < REPLICAS_MAX; i++)
		run->replicas[i].http = (struct http_port){ &run->replicas[i], port_start, port_cancel };
}

void net_replica_dies(struct run *run, struct replica *replica)
{
	for (struct request *at = run->requests; at != NULL; at = at->next) {
		if (at->replica == replica->index && at->generation == replica->generation && !at->is_torn)
			tear(run, at);
	}
}

void net_done(struct run *run)
{
	for (size_t i = 0; i < run->heap_count; i++)
		message_free(run, run->heap[i]);
	free(run->heap);
	while (run->requests != NULL) {
		struct request *next = run->requests->next;
		request_free(run->requests);
		run->requests = next;
	}
}

struct mono net_next(const struct run *run)
{
	return run->heap_count > 0 ? run->heap[0]->at : (struct mono){ NEVER };
}

/* ---- delivery -----------------------------------------------------------------------------------------------------
 */

static const char *header_of(const struct sim_request *asked, const char *name)
{
	static char value[4096]; /* read at once by the handler; the simulation has one thread */
	const struct request *request = asked->headers;
	struct http_answer fake = { .headers = buf_str(&request->headers) };
	return str_copy(value, sizeof value, http_header(&fake, name)) ? value : "";
}

static void arrive(struct run *run, struct request *request)
{
	/* Also when its sender is dead by now: it has left. */
	struct sim_request asked = { .method = request->method,
				     .target = request->target,
				     .client = run->replicas[request->replica].name,
				     .header = header_of,
				     .headers = request,
				     .body = buf_str(&request->body) };
	struct sim_response response;
	sim_response_init(&response);
	world_http(run->world, run->now, &asked, &response);
	if (request->is_last) {
		run->must_crash = true;
		run->crash_replica = request->replica;
	}
	if (request->is_torn) {
		if (response.stream != 0)
			world_stream_closed(run->world, response.stream);
	} else if (response.is_lost) {
		if (response.status == 0) /* refused, or never arrived: the connection breaks */
			send(run, request, MSG_ANSWER, hop_ms(run))->why = ERR_NETWORK;
	} else {
		struct message *answer = send(run, request, MSG_ANSWER, response.delay_ms + hop_ms(run));
		answer->status = response.status;
		answer->is_clean = !response.is_cut;
		request->stream = response.stream;
		request->is_endless = response.stream != 0;
		request->last_at = answer->at;
		(void)buf_add(&answer->headers, response.headers.p, response.headers.n);
		(void)buf_add(&answer->body, response.body.p, response.body.n);
	}
	sim_response_done(&response);
}

static struct request *by_stream(struct run *run, uint64_t stream)
{
	for (struct request *at = run->requests; at != NULL; at = at->next) {
		if (at->stream == stream && !at->is_torn)
			return at;
	}
	return NULL;
}

/* What a stream says arrives in order. */
static struct message *follow(struct run *run, struct request *request, enum message_kind kind)
{
	int64_t delay_ms = hop_ms(run);
	if (run->now.mono.ms + delay_ms < request->last_at.ms)
		delay_ms = request->last_at.ms - run->now.mono.ms;
	struct message *message = send(run, request, kind, delay_ms);
	request->last_at = message->at;
	return message;
}

void net_stream_bytes(void *ctx, uint64_t stream, struct str bytes)
{
	struct run *run = ctx;
	struct request *request = by_stream(run, stream);
	if (request != NULL)
		(void)buf_add(&follow(run, request, MSG_BYTES)->body, bytes.p, bytes.n);
}

void net_stream_end(void *ctx, uint64_t stream, bool is_clean)
{
	struct run *run = ctx;
	struct request *request = by_stream(run, stream);
	if (request == NULL)
		return;
	follow(run, request, MSG_END)->is_clean = is_clean;
	request->stream = 0;
}

static void done(struct request *request, const struct http_answer *answer)
{
	request->is_torn = true;
	request->sink.done(request->sink.ctx, request->id, answer);
}

static void fail_request(struct run *run, struct request *request, enum err_code why, const char *text)
{
	struct http_answer answer = { .status = 0 };
	fail(&answer.why, why, "%s", text);
	tear(run, request);
	done(request, &answer);
}

static void hand_answer(struct run *run, struct request *request, struct message *message)
{
	if (message->status == 0) {
		fail_request(run, request, message->why, "the connection broke");
		return;
	}
	struct http_answer answer = { .status = message->status, .headers = buf_str(&message->headers) };
	if (request->is_stream && message->status == 200) {
		request->heard = run->now.mono;
		request->sink.head(request->sink.ctx, request->id, &answer);
		if (request->is_endless || request->is_torn) {
			if (!request->is_torn)
				(void)send(run, request, MSG_TIMEOUT, request->silence_ms);
			return;
		}
		/* A list: its body comes in pieces, and then it ends. */
		for (size_t at = 0; at < message->body.n && !request->is_torn; at += 1500) {
			size_t n = message->body.n - at < 1500 ? message->body.n - at : 1500;
			request->sink.bytes(request->sink.ctx, request->id, (struct str){ message->body.p + at, n });
		}
		if (!request->is_torn && message->is_clean)
			done(request, &answer);
		else if (!request->is_torn)
			fail_request(run, request, ERR_NETWORK, "cut");
		return;
	}
	if (!message->is_clean) {
		fail_request(run, request, ERR_NETWORK, "the answer was cut");
		return;
	}
	answer.body = buf_str(&message->body);
	done(request, &answer);
}

static void time_out(struct run *run, struct request *request)
{
	if (request->is_stream && request->heard.ms != 0) {
		int64_t silent_ms = run->now.mono.ms - request->heard.ms;
		if (silent_ms < request->silence_ms) {
			(void)send(run, request, MSG_TIMEOUT, request->silence_ms - silent_ms);
			return;
		}
	}
	fail_request(run, request, ERR_TIMEOUT, "no answer in time");
}

static void deliver(struct run *run, struct message *message)
{
	struct request *request = message->request;
	struct replica *replica = &run->replicas[request->replica];
	if (message->kind == MSG_REQUEST) {
		arrive(run, request);
		return;
	}
	if (request->is_torn || replica->daemon == NULL || replica->generation != request->generation)
		return;
	if (run->now.mono.ms < replica->frozen_until.ms) { /* the kernel keeps it until the process runs again */
		message->at = replica->frozen_until;
		message->order = ++run->messages;
		struct message *again = xmalloc(sizeof *again);
		*again = *message;
		*message = (struct message){ 0 };
		heap_push(run, again);
		return;
	}
	switch (message->kind) {
	case MSG_REQUEST:
		break;
	case MSG_ANSWER:
		hand_answer(run, request, message);
		break;
	case MSG_BYTES:
		request->heard = run->now.mono;
		request->sink.bytes(request->sink.ctx, request->id, buf_str(&message->body));
		break;
	case MSG_END:
		if (message->is_clean)
			done(request, &(struct http_answer){ .status = 200 });
		else
			fail_request(run, request, ERR_NETWORK, "the stream was cut");
		break;
	case MSG_TIMEOUT:
		time_out(run, request);
		break;
	}
}

void net_deliver(struct run *run)
{
	while (run->heap_count > 0 && run->heap[0]->at.ms <= run->now.mono.ms && !run->is_broken) {
		struct message *message = heap_pop(run);
		deliver(run, message);
		message_free(run, message);
		run->stats.events++;
		replica_crash_if_due(run);
	}
}
