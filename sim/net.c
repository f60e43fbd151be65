/* The network of the simulation: carries requests of the replicas to whom they are meant for and answers back, each
 * after a delay. What is dead says nothing: only the asker's own deadline notices. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/run.h"

enum message_kind { MSG_REQUEST, MSG_ANSWER, MSG_BYTES, MSG_END, MSG_TIMEOUT };

struct request {
	struct request *next, *prev; /* of run->requests; out of the list once torn */
	unsigned messages;           /* that point here */
	int replica;
	uint32_t generation;
	uint64_t id;     /* the replica's own */
	uint64_t stream; /* of the world; 0: none yet */
	bool is_stream;  /* asked as one */
	bool is_endless; /* answered as one: its end comes as a message of its own */
	bool is_last;    /* of its sender: it crashes when this has arrived */
	bool is_torn;    /* cancelled, timed out, answered: what still comes is dropped */
	bool is_deaf;    /* its connection is dead: nothing comes any more */
	bool is_connect_only;
	bool is_state; /* about the state ConfigMap */
	int64_t silence_ms;
	struct mono asked;
	struct mono heard;   /* of a stream */
	struct mono last_at; /* bytes of a stream keep their order */
	struct route route;
	char *method, *target;
	struct buf headers; /* "name: value\n", lower case */
	struct buf body;
	struct http_sink sink;
};

struct message {
	struct mono at, sent;
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
	message->sent = run->now.mono;
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

static void unlist(struct run *run, struct request *request)
{
	if (request->next != NULL)
		request->next->prev = request->prev;
	if (request->prev != NULL)
		request->prev->next = request->next;
	else if (run->requests == request)
		run->requests = request->next;
	request->next = NULL;
	request->prev = NULL;
}

/* A torn request stays until the last message that points to it is gone. */
static void message_free(struct message *message)
{
	struct request *request = message->request;
	if (request != NULL && --request->messages == 0 && request->is_torn)
		request_free(request);
	buf_done(&message->headers);
	buf_done(&message->body);
	free(message);
}

/* Nobody waits for it any more. */
static void tear(struct run *run, struct request *request)
{
	if (request->is_torn)
		return;
	request->is_torn = true;
	if (request->stream != 0)
		world_stream_closed(run->world, request->stream);
	request->stream = 0;
	unlist(run, request);
}

static const char *target_of(const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
	return path != NULL ? path : "/";
}

static void copy_headers(struct request *request, const struct http_request *asked)
{
	for (size_t i = 0; i < asked->headers_count; i++) {
		size_t from = request->headers.n;
		(void)buf_text(&request->headers, asked->headers[i].name);
		for (char *c = request->headers.p + from; *c != '\0'; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		(void)buf_text(&request->headers, ": ");
		(void)buf_text(&request->headers, asked->headers[i].value);
		(void)buf_char(&request->headers, '\n');
	}
}

static struct request *request_new(struct run *run, const struct replica *replica, uint64_t id,
				   const struct http_request *asked, const struct http_sink *sink)
{
	struct request *request = xcalloc(1, sizeof *request);
	*request = (struct request){ .next = run->requests,
				     .replica = replica->index,
				     .generation = replica->generation,
				     .id = id,
				     .asked = run->now.mono,
				     .is_stream = asked->silence_ms > 0,
				     .is_connect_only = asked->is_connect_only,
				     .silence_ms = asked->silence_ms,
				     .method = xstrdup(asked->method != NULL ? asked->method : "GET"),
				     .target = xstrdup(target_of(asked->url)),
				     .sink = *sink };
	request->is_state = strstr(request->target, "/configmaps") != NULL;
	if (!route_of(asked, &request->route))
		run_violation(run, "net", "%s asks nobody that is known: %s", replica->name, asked->url);
	if (run->requests != NULL)
		run->requests->prev = request;
	run->requests = request;
	buf_init(&request->headers, HTTP_HEADERS_BYTES_MAX);
	buf_init(&request->body, (size_t)8 << 20);
	copy_headers(request, asked);
	(void)buf_add(&request->body, asked->body.p, asked->body.n);
	return request;
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
	struct request *request = request_new(run, replica, id, asked, sink);
	request->is_last = is_crash_point;
	(void)send(run, request, MSG_REQUEST, hop_ms(run));
	(void)send(run, request, MSG_TIMEOUT, asked->timeout_ms);
}

static struct request *find(struct run *run, const struct replica *replica, uint64_t id)
{
	for (struct request *at = run->requests; at != NULL; at = at->next) {
		if (at->replica == replica->index && at->generation == replica->generation && at->id == id)
			return at;
	}
	return NULL;
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
	for (struct request *at = run->requests, *next = NULL; at != NULL; at = next) {
		next = at->next;
		if (at->replica == replica->index && at->generation == replica->generation)
			tear(run, at);
	}
}

void net_done(struct run *run)
{
	while (run->requests != NULL)
		tear(run, run->requests);
	for (size_t i = 0; i < run->heap_count; i++)
		message_free(run->heap[i]);
	free(run->heap);
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

/* An end that its asker hears of soon. */
static void answer_broken(struct run *run, struct request *request, enum err_code why)
{
	send(run, request, MSG_ANSWER, hop_ms(run))->why = why;
}

static void arrive_at_node(struct run *run, struct request *request, struct sim_response *response)
{
	const struct route *route = &request->route;
	const char *path = request->is_connect_only ? NULL : request->target;
	if (!world_probe(run->world, run->now, route->address, route->port, path, response))
		response->is_lost = true;
	if (response->is_refused)
		answer_broken(run, request, ERR_REFUSED);
	if (!response->is_refused && !response->is_lost && request->is_connect_only)
		response->status = 200;
}

static void arrive_at_service(struct run *run, struct request *request, struct sim_response *response)
{
	struct sim_request asked = { .method = request->method,
				     .target = request->target,
				     .client = run->replicas[request->replica].name,
				     .header = header_of,
				     .headers = request,
				     .body = buf_str(&request->body) };
	world_http(run->world, run->now, &asked, response);
	if (response->is_lost && response->status == 0) /* refused, or never arrived: the connection breaks */
		answer_broken(run, request, ERR_NETWORK);
}

static void send_answer(struct run *run, struct request *request, const struct sim_response *response)
{
	struct message *answer = send(run, request, MSG_ANSWER, response->delay_ms + hop_ms(run));
	answer->status = response->status;
	answer->is_clean = !response->is_cut;
	request->stream = response->stream;
	request->is_endless = response->stream != 0;
	request->last_at = answer->at;
	(void)buf_add(&answer->headers, response->headers.p, response->headers.n);
	(void)buf_add(&answer->body, response->body.p, response->body.n);
}

/* Also when its sender is dead by now: it has left. */
static void arrive(struct run *run, struct request *request)
{
	enum passage passage = route_request(run, &run->replicas[request->replica], &request->route);
	if (request->is_last) {
		run->must_crash = true;
		run->crash_replica = request->replica;
	}
	if (passage == PASS_REFUSED && !request->is_torn)
		answer_broken(run, request, ERR_REFUSED);
	if (passage != PASS_WELL)
		return;
	struct sim_response response;
	sim_response_init(&response);
	if (request->route.kind == ROUTE_PROBE)
		arrive_at_node(run, request, &response);
	else
		arrive_at_service(run, request, &response);
	if (request->is_torn) {
		if (response.stream != 0)
			world_stream_closed(run->world, response.stream);
	} else if (!response.is_lost && !response.is_refused) {
		send_answer(run, request, &response);
	}
	sim_response_done(&response);
}

static struct request *by_stream(struct run *run, uint64_t stream)
{
	for (struct request *at = run->requests; at != NULL; at = at->next) {
		if (at->stream == stream)
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

#define API_SLOW_MS (6 * SEC)
#define API_LATELY_MS (50 * SEC)

/* What a replica hears of the API server, as law L7 wants to know it. */
static void note_answer(struct run *run, const struct request *request, int status)
{
	struct replica *replica = &run->replicas[request->replica];
	if (request->route.kind != ROUTE_API || request->is_stream)
		return;
	bool is_slow = run->now.mono.ms - request->asked.ms > API_SLOW_MS;
	replica->answers[replica->answers_count++ % COUNT(replica->answers)] =
		(struct api_answer){ .at = run->now.mono,
				     .is_bad = status == 0 || status == 429 || status >= 500 || is_slow };
}

bool net_api_is_bad(const struct run *run, const struct replica *replica)
{
	int all = 0;
	int bad = 0;
	struct mono last_bad = { 0 };
	for (size_t i = 0; i < COUNT(replica->answers) && i < replica->answers_count; i++) {
		const struct api_answer *answer = &replica->answers[i];
		if (run->now.mono.ms - answer->at.ms > API_LATELY_MS)
			continue;
		all++;
		bad += answer->is_bad;
		if (answer->is_bad && answer->at.ms > last_bad.ms)
			last_bad = answer->at;
	}
	return all >= 6 && bad * 3 >= all * 2 && run->now.mono.ms - last_bad.ms < 15 * SEC;
}

static void done(struct run *run, struct request *request, const struct http_answer *answer)
{
	request->stream = 0; /* it ended by itself */
	note_answer(run, request, answer->status);
	tear(run, request);
	request->sink.done(request->sink.ctx, request->id, answer);
}

static void fail_request(struct run *run, struct request *request, enum err_code why, const char *text)
{
	struct http_answer answer = { .status = 0 };
	fail(&answer.why, why, "%s", text);
	note_answer(run, request, 0);
	tear(run, request);
	request->sink.done(request->sink.ctx, request->id, &answer);
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
			done(run, request, &answer);
		else if (!request->is_torn)
			fail_request(run, request, ERR_NETWORK, "cut");
		return;
	}
	if (!message->is_clean) {
		fail_request(run, request, ERR_NETWORK, "the answer was cut");
		return;
	}
	answer.body = buf_str(&message->body);
	done(run, request, &answer);
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

/* The kernel keeps it until the process runs again. */
static void keep_until(struct run *run, struct message *message, struct mono at)
{
	struct message *again = xmalloc(sizeof *again);
	*again = *message;
	again->at = at;
	again->order = ++run->messages;
	*message = (struct message){ 0 };
	heap_push(run, again);
}

/* The connection is dead from the first byte on that did not come through. */
static bool is_lost_on_the_way(struct run *run, const struct replica *replica, struct request *request)
{
	if (!request->is_deaf && !route_answers(run, replica, &request->route))
		request->is_deaf = true;
	return request->is_deaf;
}

static void hand_bytes(struct run *run, const struct replica *replica, struct request *request, struct message *message)
{
	request->heard = run->now.mono;
	if (request->route.kind == ROUTE_API)
		laws_heard(run, replica, request->is_state ? WATCHED_STATE : WATCHED_NODES, message->sent);
	request->sink.bytes(request->sink.ctx, request->id, buf_str(&message->body));
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
	if (run->now.mono.ms < replica->frozen_until.ms) {
		keep_until(run, message, replica->frozen_until);
		return;
	}
	if (message->kind != MSG_TIMEOUT && is_lost_on_the_way(run, replica, request))
		return;
	switch (message->kind) {
	case MSG_REQUEST:
		break;
	case MSG_ANSWER:
		hand_answer(run, request, message);
		break;
	case MSG_BYTES:
		hand_bytes(run, replica, request, message);
		break;
	case MSG_END:
		if (message->is_clean)
			done(run, request, &(struct http_answer){ .status = 200 });
		else
			fail_request(run, request, ERR_NETWORK, "the stream was cut");
		break;
	case MSG_TIMEOUT:
		time_out(run, request);
		break;
	}
}

/* Half of the dead connections are reset, which is noticed; the others just say nothing any more. */
static void connection_dies(struct run *run, struct request *request, bool is_silent)
{
	if (request->route.kind != ROUTE_API || request->is_deaf)
		return;
	if (is_silent)
		request->is_deaf = true;
	else
		answer_broken(run, request, ERR_NETWORK);
}

void net_master_died(struct run *run, const struct master_state *master)
{
	bool is_silent = rng_chance(&run->rng, 0.5);
	for (struct request *at = run->requests; at != NULL; at = at->next) {
		if (strcmp(at->route.backend, master->server) == 0)
			connection_dies(run, at, is_silent);
	}
}

void net_address_died(struct run *run)
{
	bool is_silent = rng_chance(&run->rng, 0.5);
	for (struct request *at = run->requests; at != NULL; at = at->next) {
		if (at->route.address[0] == '\0')
			connection_dies(run, at, is_silent);
	}
}

void net_deliver(struct run *run)
{
	while (run->heap_count > 0 && run->heap[0]->at.ms <= run->now.mono.ms && !run->is_broken) {
		struct message *message = heap_pop(run);
		deliver(run, message);
		message_free(message);
		run->stats.events++;
		replica_crash_if_due(run);
	}
}
