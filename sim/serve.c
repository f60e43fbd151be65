/* libmicrohttpd under our own loop: its epoll descriptor and time-out, the world's next due time, the streams' sockets.
 *
 *   request ──▶ world_http() ──▶ delay_ms? suspended until due ──▶ answer, stream, or a closed connection
 *   stream:  world ──stream_bytes()──▶ pending ──▶ read_stream(); nothing pending: suspended until the next bytes
 *
 * A suspended connection is not looked at by libmicrohttpd, so that a client that left is noticed by our own poll(2).
 */
#include "sim/serve.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sim/control.h"
#include "sim/kube.h"

#define BODY_BYTES_MAX (4U << 20)     /* of a request; more is 413 */
#define PENDING_BYTES_MAX (64U << 20) /* of a stream whose client does not read; then it is cut */
#define CONNECTIONS_MAX 400
#define CUT_BYTES 4096 /* an answer that is cut promised so much more */
#define BLOCK_BYTES 32768

enum end { END_NOT, END_CLEAN, END_CUT };

/* A request and its answer. Lives as long as libmicrohttpd works on it. */
struct exchange {
	LIST_ENTRY(exchange) link;
	struct serve *serve;
	struct MHD_Connection *connection;
	char *target;
	bool is_begun;
	bool is_dispatched;
	bool is_suspended;
	bool is_queued; /* the answer is libmicrohttpd's now */
	int64_t due_ms; /* 0: not waiting for a time */
	struct buf body;
	struct sim_response out;
	struct buf pending; /* of a stream */
	size_t sent;
	enum end end;
};

struct serve {
	struct MHD_Daemon *daemon;
	int epoll_fd;
	char url[64];
	struct world *world;
	struct control *control;
	bool has_kube;
	bool has_resumed; /* libmicrohttpd has to run once more */
	struct now now;
	LIST_HEAD(exchange_list, exchange) exchanges;
};

static struct now read_clock(void)
{
	struct timespec mono;
	struct timespec wall;
	int bad = clock_gettime(CLOCK_MONOTONIC, &mono) | clock_gettime(CLOCK_REALTIME, &wall);
	assert(bad == 0);
	return (struct now){ { (int64_t)mono.tv_sec * 1000 + mono.tv_nsec / 1000000 },
			     { (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000 } };
}

static void suspend(struct exchange *exchange)
{
	assert(!exchange->is_suspended);
	exchange->is_suspended = true;
	MHD_suspend_connection(exchange->connection);
}

static void resume(struct exchange *exchange)
{
	if (!exchange->is_suspended)
		return;
	exchange->is_suspended = false;
	exchange->serve->has_resumed = true;
	MHD_resume_connection(exchange->connection);
}

/* ---- what the world calls -----------------------------------------------------------------------------------------
 */

static struct exchange *find_stream(struct serve *serve, uint64_t stream)
{
	struct exchange *exchange = NULL;
	LIST_FOREACH(exchange, &serve->exchanges, link) {
		if (exchange->out.stream == stream)
			return exchange;
	}
	return NULL;
}

static void wake_stream(struct exchange *exchange)
{
	if (exchange->is_queued)
		resume(exchange); /* else it waits for its delay */
}

static void on_stream_bytes(void *ctx, uint64_t stream, struct str bytes)
{
	struct exchange *exchange = find_stream(ctx, stream);
	if (exchange == NULL || exchange->end != END_NOT)
		return;
	if (exchange->sent > 0 && exchange->sent == exchange->pending.n) {
		buf_clear(&exchange->pending);
		exchange->sent = 0;
	}
	if (!buf_add(&exchange->pending, bytes.p, bytes.n))
		exchange->end = END_CUT;
	wake_stream(exchange);
}

static void on_stream_end(void *ctx, uint64_t stream, bool is_clean)
{
	struct exchange *exchange = find_stream(ctx, stream);
	if (exchange == NULL)
		return;
	exchange->end = is_clean ? END_CLEAN : END_CUT;
	wake_stream(exchange);
}

static void on_act(void *ctx, const struct sim_act *act)
{
	struct serve *serve = ctx;
	control_note(serve->control, serve->now, act);
}

/* ---- answers ------------------------------------------------------------------------------------------------------
 */

static ssize_t read_stream(void *ctx, uint64_t pos, char *out, size_t max)
{
	struct exchange *exchange = ctx;
	(void)pos; /* the same as all that was sent so far */
	size_t n = exchange->pending.n - exchange->sent;
	if (n > 0 && exchange->end != END_CUT) {
		n = n < max ? n : max;
		memcpy(out, exchange->pending.p + exchange->sent, n);
		exchange->sent += n;
		return (ssize_t)n;
	}
	if (exchange->end == END_CLEAN)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (exchange->end == END_CUT)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	suspend(exchange);
	return 0;
}

static ssize_t read_cut(void *ctx, uint64_t pos, char *out, size_t max)
{
	const struct exchange *exchange = ctx;
	if (pos >= exchange->out.body.n)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t n = exchange->out.body.n - (size_t)pos;
	n = n < max ? n : max;
	memcpy(out, exchange->out.body.p + pos, n);
	return (ssize_t)n;
}

/* Our headers are lines; libmicrohttpd wants names and values, and writes the framing ones itself. */
static void add_headers(struct MHD_Response *response, struct buf *headers)
{
	char *rest = headers->p;
	while (rest != NULL && *rest != '\0') {
		char *line = strsep(&rest, "\n");
		char *value = strstr(line, ": ");
		if (value == NULL || text_starts(line, "content-length:") || text_starts(line, "transfer-encoding:"))
			continue;
		*value = '\0';
		(void)MHD_add_response_header(response, line, value + 2); /* a refused header is left out */
	}
}

static enum MHD_Result answer(struct exchange *exchange)
{
	struct sim_response *out = &exchange->out;
	struct MHD_Response *response = NULL;
	if (out->is_lost)
		return MHD_NO; /* closes the connection */
	if (out->stream != 0)
		response =
			MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, exchange, NULL);
	else if (out->is_cut)
		response = MHD_create_response_from_callback(out->body.n + CUT_BYTES, BLOCK_BYTES, read_cut, exchange,
							     NULL);
	else
		response = MHD_create_response_from_buffer(out->body.n, out->body.n > 0 ? out->body.p : (char[]){ "" },
							   MHD_RESPMEM_PERSISTENT);
	if (response == NULL)
		return MHD_NO;
	add_headers(response, &out->headers);
	exchange->is_queued = true;
	enum MHD_Result result = MHD_queue_response(exchange->connection, (unsigned)out->status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- requests -----------------------------------------------------------------------------------------------------
 */

static const char *header(const struct sim_request *request, const char *name)
{
	/* libmicrohttpd takes a connection that is not const to look into it. */
	struct MHD_Connection *connection = (struct MHD_Connection *)request->headers;
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
	return value != NULL ? value : "";
}

static bool is_kube_path(const char *target)
{
	static const char *const roots[] = { "/api/", "/apis/", "/healthz", "/livez", "/readyz", "/version" };
	for (size_t i = 0; i < COUNT(roots); i++) {
		if (text_starts(target, roots[i]))
			return true;
	}
	return false;
}

static void plain(struct sim_response *out, int status, const char *text)
{
	out->status = status;
	(void)buf_text(&out->headers, "content-type: text/plain\n");
	(void)buf_text(&out->body, text);
}

static void dispatch(struct exchange *exchange, const char *method)
{
	struct serve *serve = exchange->serve;
	struct sim_request request = { .method = method,
				       .target = exchange->target,
				       .header = header,
				       .headers = exchange->connection,
				       .body = buf_str(&exchange->body) };
	request.client = header(&request, "user-agent");
	serve->now = read_clock();
	exchange->is_dispatched = true;
	if (exchange->body.is_over)
		plain(&exchange->out, 413, "the request is too large\n");
	else if (text_starts(exchange->target, "/sim/"))
		control_http(serve->control, serve->now, &request, &exchange->out);
	else if (!serve->has_kube && is_kube_path(exchange->target))
		plain(&exchange->out, 404, "no Kubernetes here\n");
	else
		world_http(serve->world, serve->now, &request, &exchange->out);
	if (exchange->out.delay_ms > 0)
		exchange->due_ms = serve->now.mono.ms + exchange->out.delay_ms;
}

static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
	struct serve *serve = ctx;
	struct exchange *exchange = xcalloc(1, sizeof *exchange);
	exchange->serve = serve;
	exchange->connection = connection;
	exchange->target = xstrdup(uri);
	buf_init(&exchange->body, BODY_BYTES_MAX);
	buf_init(&exchange->pending, PENDING_BYTES_MAX);
	sim_response_init(&exchange->out);
	LIST_INSERT_HEAD(&serve->exchanges, exchange, link);
	return exchange;
}

/* Called at the request's head, for each piece of its body, at its end, and again after each resume. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *bytes, size_t *n, void **at)
{
	struct exchange *exchange = *at;
	(void)ctx;
	(void)connection;
	(void)url;
	(void)version;
	if (exchange == NULL)
		return MHD_NO;
	if (!exchange->is_begun) {
		exchange->is_begun = true;
		return MHD_YES;
	}
	if (*n > 0) {
		(void)buf_add(&exchange->body, bytes, *n); /* over: 413 at its end */
		*n = 0;
		return MHD_YES;
	}
	if (!exchange->is_dispatched) {
		dispatch(exchange, method);
		if (exchange->due_ms != 0) {
			suspend(exchange);
			return MHD_YES;
		}
	}
	return answer(exchange);
}

static void exchange_free(struct exchange *exchange)
{
	LIST_REMOVE(exchange, link);
	buf_done(&exchange->body);
	buf_done(&exchange->pending);
	sim_response_done(&exchange->out);
	free(exchange->target);
	free(exchange);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **at, enum MHD_RequestTerminationCode why)
{
	struct serve *serve = ctx;
	struct exchange *exchange = *at;
	(void)connection;
	(void)why;
	if (exchange == NULL)
		return;
	*at = NULL;
	uint64_t stream = exchange->out.stream;
	bool is_open = stream != 0 && exchange->end == END_NOT;
	exchange_free(exchange);
	if (is_open)
		world_stream_closed(serve->world, stream);
}

/* ---- the loop -----------------------------------------------------------------------------------------------------
 */

static int64_t until(int64_t due_ms, int64_t now_ms)
{
	return due_ms > now_ms ? due_ms - now_ms : 0;
}

static int wait_ms(struct serve *serve)
{
	unsigned MHD_LONG_LONG daemon_ms = 0;
	struct exchange *exchange = NULL;
	int64_t now_ms = read_clock().mono.ms;
	int64_t next_ms = world_next(serve->world).ms;
	int64_t wait = next_ms == NEVER ? MINUTE : until(next_ms, now_ms);
	if (serve->has_resumed)
		return 0;
	if (MHD_get_timeout(serve->daemon, &daemon_ms) == MHD_YES && (int64_t)daemon_ms < wait)
		wait = (int64_t)daemon_ms;
	LIST_FOREACH(exchange, &serve->exchanges, link) {
		if (exchange->due_ms != 0 && until(exchange->due_ms, now_ms) < wait)
			wait = until(exchange->due_ms, now_ms);
	}
	return wait < MINUTE ? (int)wait : (int)MINUTE;
}

/* Sleeps until something is to be done; streams whose client left are cut. *out_stopped: stop_fd spoke. */
static bool wait_for_something(struct serve *serve, int stop_fd, bool *out_stopped, struct err *err)
{
	struct pollfd fds[CONNECTIONS_MAX + 2] = { { .fd = stop_fd, .events = POLLIN },
						   { .fd = serve->epoll_fd, .events = POLLIN } };
	struct exchange *of[CONNECTIONS_MAX + 2] = { NULL };
	struct exchange *exchange = NULL;
	nfds_t count = 2;
	LIST_FOREACH(exchange, &serve->exchanges, link) {
		if (!exchange->is_queued || !exchange->is_suspended || count == COUNT(fds))
			continue;
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info == NULL)
			continue;
		of[count] = exchange;
		fds[count++] = (struct pollfd){ .fd = info->connect_fd, .events = POLLRDHUP };
	}
	if (poll(fds, count, wait_ms(serve)) < 0 && errno != EINTR)
		return fail(err, ERR_REMOTE, "poll: %s", strerror(errno));
	*out_stopped = (fds[0].revents & (POLLIN | POLLHUP)) != 0;
	for (nfds_t i = 2; i < count; i++) {
		if (fds[i].revents == 0)
			continue;
		uint64_t stream = of[i]->out.stream;
		bool was_open = of[i]->end == END_NOT;
		of[i]->end = END_CUT;
		resume(of[i]);
		if (was_open)
			world_stream_closed(serve->world, stream);
	}
	return true;
}

static void resume_due(struct serve *serve)
{
	struct exchange *exchange = NULL;
	LIST_FOREACH(exchange, &serve->exchanges, link) {
		if (exchange->due_ms != 0 && exchange->due_ms <= serve->now.mono.ms) {
			exchange->due_ms = 0;
			resume(exchange);
		}
	}
}

bool serve_run(struct serve *serve, int stop_fd, struct err *err)
{
	bool is_stopped = false;
	while (!is_stopped) {
		serve->now = read_clock();
		world_advance(serve->world, serve->now);
		resume_due(serve);
		serve->has_resumed = false;
		if (MHD_run(serve->daemon) != MHD_YES)
			return fail(err, ERR_REMOTE, "libmicrohttpd does not run");
		if (!wait_for_something(serve, stop_fd, &is_stopped, err))
			return false;
	}
	return true;
}

/* ---- start and stop -----------------------------------------------------------------------------------------------
 */

static int listen_on(uint16_t port, struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
	    bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 128) == 0)
		return fd;
	fail(err, ERR_INPUT, "listening on 127.0.0.1:%u: %s", port, strerror(errno));
	if (fd >= 0)
		(void)close(fd); /* nothing was written to it */
	return -1;
}

static struct MHD_Daemon *start_daemon(struct serve *serve, const struct serve_opts *opts, int fd)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)opts->cert_pem },
					{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)opts->key_pem },
					{ MHD_OPTION_END, 0, NULL } };
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
	bool is_tls = opts->cert_pem != NULL;
	return MHD_start_daemon(is_tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request, serve,
				MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, serve,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, serve, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)CONNECTIONS_MAX, MHD_OPTION_ARRAY, is_tls ? tls : none, MHD_OPTION_END);
}

static void make_world(struct serve *serve, const struct serve_opts *opts)
{
	struct world_opts world = opts->world;
	world.base_url = serve->url;
	world.ctx = serve;
	world.on_act = on_act;
	world.stream_bytes = on_stream_bytes;
	world.stream_end = on_stream_end;
	serve->now = read_clock();
	serve->world = world_new(&world, serve->now);
	sim_kube_set_token(world_kube(serve->world), opts->token);
	sim_kube_set_watch_list(world_kube(serve->world), opts->has_watch_list);
	control_set_world(serve->control, serve->world);
}

struct serve *serve_new(const struct serve_opts *opts, struct err *err)
{
	struct sockaddr_in bound = { 0 };
	socklen_t bound_n = sizeof bound;
	int fd = listen_on(opts->port, err);
	if (fd < 0)
		return NULL;
	struct serve *serve = xcalloc(1, sizeof *serve);
	LIST_INIT(&serve->exchanges);
	serve->has_kube = opts->has_kube;
	serve->control = control_new();
	serve->daemon = start_daemon(serve, opts, fd);
	const union MHD_DaemonInfo *info =
		serve->daemon != NULL ? MHD_get_daemon_info(serve->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (info == NULL || getsockname(fd, (struct sockaddr *)&bound, &bound_n) != 0) {
		fail(err, ERR_INPUT, "the HTTP server does not start; are certificate and key right?");
		if (serve->daemon == NULL)
			(void)close(fd); /* else it is libmicrohttpd's */
		serve_free(serve);
		return NULL;
	}
	serve->epoll_fd = info->epoll_fd;
	(void)snprintf(serve->url, sizeof serve->url, "%s://127.0.0.1:%u", opts->cert_pem != NULL ? "https" : "http",
		       ntohs(bound.sin_port));
	make_world(serve, opts);
	return serve;
}

void serve_free(struct serve *serve)
{
	if (serve == NULL)
		return;
	struct exchange *exchange = NULL;
	LIST_FOREACH(exchange, &serve->exchanges, link) {
		exchange->end = END_CUT;
		exchange->out.is_lost = true;
		resume(exchange);
	}
	/* A resumed connection must be run once before the daemon may stop. */
	if (serve->daemon != NULL && !LIST_EMPTY(&serve->exchanges))
		(void)MHD_run(serve->daemon);
	if (serve->daemon != NULL)
		MHD_stop_daemon(serve->daemon);
	struct exchange *next = NULL;
	for (exchange = LIST_FIRST(&serve->exchanges); exchange != NULL; exchange = next) {
		next = LIST_NEXT(exchange, link);
		exchange_free(exchange);
	}
	world_free(serve->world);
	control_free(serve->control);
	free(serve);
}

const char *serve_url(const struct serve *serve)
{
	return serve->url;
}

struct world *serve_world(struct serve *serve)
{
	return serve->world;
}
