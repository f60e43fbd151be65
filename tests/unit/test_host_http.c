/* src/host/http.c against a scripted server on loopback. */
#include "host_rig.h"

#include <unistd.h>

#include "host/http_head.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct rig_route routes[] = {
	{ "/ok", { OK "X-Thing:  a b \t\r\nContent-Length: 5\r\n\r\nhello" } },
	{ "/empty", { "HTTP/1.1 204 No Content\r\n\r\n" } },
	{ "/unwell", { "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy" } },
	{ "/redirect", { "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n" } },
	{ "/interim",
	  { "HTTP/1.1 100 Continue\r\nX-Old: 1\r\n\r\nHTTP/1.1 103 Early\r\nX-Old: 2\r\n\r\n" OK
	    "X-New: 3\r\nContent-Length: 2\r\n\r\nok" } },
	{ "/once", { OK "Content-Length: 2\r\n\r\nok" }, .once_per_connection = true },
	{ "/never", { NULL }, .then = HANG },
	{ "/drop", { NULL }, .then = CLOSE },
	{ "/garbage", { "SSH-2.0-OpenSSH_9.2\r\n" }, .then = CLOSE },
	{ "/half-head", { OK "X-Thing: a" }, .then = CLOSE },
	{ "/short", { OK "Content-Length: 100\r\n\r\nten bytes." }, .then = CLOSE },
	{ "/to-the-end", { OK "\r\nall", " there is" }, .then = CLOSE },
	{ "/slow", { OK "Content-Length: 9\r\n\r\nsl" }, .then = HANG },
	{ "/big", { OK "Content-Length: 200000\r\n\r\n" }, .filler_bytes = 200000 },
	{ "/endless", { CHUNKED "100000\r\n" }, .filler_bytes = 500000, .then = HANG },
	{ "/headers", { OK "X-Long: ", "\r\n\r\n" }, .filler_bytes = 20000 },
	{ "/trailers", { CHUNKED "2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n" } },
	{ "/stream", { CHUNKED "3\r\none\r\n", "3\r\ntwo\r\n", "5\r\nthree\r\n", "0\r\n\r\n" } },
	{ "/stream-long",
	  { CHUNKED "1\r\n1\r\n", "1\r\n2\r\n", "1\r\n3\r\n", "1\r\n4\r\n", "1\r\n5\r\n", "1\r\n6\r\n", "1\r\n7\r\n",
	    "0\r\n\r\n" } },
	{ "/stream-cut", { CHUNKED "3\r\none\r\n", "3\r\ntwo\r\n" }, .then = CLOSE },
	{ "/stream-silent", { CHUNKED "3\r\none\r\n" }, .then = HANG },
	{ "/stream-pours", { OK "\r\n" }, .filler_bytes = 3000000, .then = CLOSE },
	{ "/refused", { "HTTP/1.1 410 Gone\r\nContent-Length: 6\r\n\r\ntoo ol", NULL } },
	{ "/refused-long", { "HTTP/1.1 410 Gone\r\nContent-Length: 200000\r\n\r\n" }, .filler_bytes = 200000 },
	{ "/refused-slow", { "HTTP/1.1 410 Gone\r\nContent-Length: 6\r\n\r\nt" }, .then = HANG },
};

static int setup(void **state)
{
	*state = rig_new(routes, COUNT(routes));
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

static void test_get(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/ok?x=../y", (struct http_request){ 0 });
	struct rig_answer *a = rig_wait(rig, 1);
	assert_int_equal(a->status, 200);
	assert_int_equal(a->why.code, ERR_NONE);
	assert_string_equal(buf_cstr(&a->body), "hello");
	assert_string_equal(buf_cstr(&a->headers), "x-thing: a b\ncontent-length: 5\n");
	assert_int_equal(a->heads, 0);
	/* Nothing that nobody asked for. */
	char wanted[128];
	(void)snprintf(wanted, sizeof wanted, "GET /ok?x=../y HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", rig->port);
	assert_string_equal(buf_cstr(&rig->last), wanted);
}

static void test_methods_and_bodies(void **state)
{
	static const struct {
		const char *method, *body, *wanted_length;
	} cases[] = {
		{ "GET", "", NULL },  { "DELETE", "", NULL },   { "DELETE", "{\"a\":1}", "7" },
		{ "POST", "", "0" },  { "POST", "{}", "2" },    { "PUT", "", "0" },
		{ "PUT", "{}", "2" }, { "PATCH", "[{}]", "4" }, { "PATCH", "", "0" },
	};
	struct rig *rig = *state;
	const struct http_header headers[] = { { "X-Auth-Token", "s3cret" }, { "X-Empty", "" }, { "Accept", "a/b" } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		rig_start(rig, i, "/ok",
			  (struct http_request){ .method = cases[i].method,
						 .headers = headers,
						 .headers_count = COUNT(headers),
						 .body = str_of(cases[i].body) });
		assert_int_equal(rig_wait(rig, i)->status, 200);
		const char *seen = buf_cstr(&rig->last);
		const char *length = strstr(seen, "Content-Length: ");
		print_message("# %s with \"%s\"\n", cases[i].method, cases[i].body);
		assert_true(text_starts(seen, cases[i].method));
		assert_non_null(strstr(seen, "X-Auth-Token: s3cret\r\nX-Empty:\r\nAccept: a/b\r\n"));
		assert_null(strstr(seen, "Expect"));
		assert_null(strstr(seen, "Content-Type"));
		assert_null(strstr(seen, "Accept-Encoding"));
		assert_int_equal(length != NULL, cases[i].wanted_length != NULL);
		if (length != NULL)
			assert_true(text_starts(length + 16, cases[i].wanted_length));
		assert_string_equal(strstr(seen, "\r\n\r\n") + 4, cases[i].body);
	}
	assert_int_equal(rig->accepted, 1); /* all over one kept connection */
}

static void test_answers(void **state)
{
	static const struct {
		const char *path;
		int status;
		const char *header, *value, *body;
	} cases[] = {
		{ "/empty", 204, "x", "", "" },
		{ "/unwell", 503, "retry-after", "7", "busy" },
		{ "/redirect", 302, "location", "/ok", "" },
		{ "/interim", 200, "x-new", "3", "ok" },
		{ "/interim", 200, "x-old", "", "ok" },
		{ "/to-the-end", 200, "x", "", "all there is" },
		{ "/trailers", 200, "x-late", "", "ok" },
	};
	struct rig *rig = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		rig_start(rig, i, cases[i].path, (struct http_request){ .method = "PATCH", .body = STR("x") });
		struct rig_answer *a = rig_wait(rig, i);
		print_message("# %s: %s\n", cases[i].path, a->why.text);
		assert_int_equal(a->status, cases[i].status);
		assert_string_equal(buf_cstr(&a->body), cases[i].body);
		const struct http_answer answer = { .headers = buf_str(&a->headers) };
		assert_true(str_eq(http_header(&answer, cases[i].header), cases[i].value));
	}
	assert_int_equal(rig->arrived, COUNT(cases)); /* the 302 was not followed */
}

static void test_failures(void **state)
{
	static const struct {
		const char *path;
		enum err_code code;
		int64_t silence_ms;
	} cases[] = {
		{ "/drop", ERR_NETWORK, 0 },
		{ "/garbage", ERR_NETWORK, 0 },
		{ "/half-head", ERR_NETWORK, 0 },
		{ "/short", ERR_NETWORK, 0 },
		{ "/never", ERR_TIMEOUT, 0 },
		{ "/slow", ERR_TIMEOUT, 0 },
		{ "/big", ERR_LIMIT, 0 },
		{ "/endless", ERR_LIMIT, 0 },
		{ "/headers", ERR_LIMIT, 0 },
		{ "/never", ERR_TIMEOUT, 9000 },
		{ "/drop", ERR_NETWORK, 9000 },
		{ "/garbage", ERR_NETWORK, 9000 },
		{ "/refused-slow", ERR_TIMEOUT, 9000 },
		{ "/headers", ERR_LIMIT, 9000 },
	};
	struct rig *rig = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		rig_start(rig, i, cases[i].path,
			  (struct http_request){ .timeout_ms = cases[i].code == ERR_TIMEOUT ? 100 : 10000,
						 .silence_ms = cases[i].silence_ms });
		struct rig_answer *a = rig_wait(rig, i);
		print_message("# %s: %s\n", cases[i].path, a->why.text);
		assert_int_equal(a->status, 0);
		assert_int_equal(a->why.code, cases[i].code);
		assert_int_equal(a->body.n, 0);
		assert_int_equal(a->heads, 0);
		assert_true(text_starts(a->why.text, "127.0.0.1:"));
	}
}

static void test_exact_limit(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/ok", (struct http_request){ .answer_bytes_max = 5 });
	rig_start(rig, 2, "/ok", (struct http_request){ .answer_bytes_max = 4 });
	assert_int_equal(rig_wait(rig, 1)->status, 200);
	assert_int_equal(rig_wait(rig, 2)->why.code, ERR_LIMIT);
}

static void test_refused_requests(void **state)
{
	static const struct http_header split[] = { { "X-Token", "top-secret\r\nX-More: 1" } };
	static const struct http_header named[] = { { "X Token", "top-secret" } };
	static const struct {
		struct http_request request;
		enum err_code code;
	} cases[] = {
		{ { .url = "http://me:top-secret@127.0.0.1/" }, ERR_INPUT },
		{ { .url = "ftp://127.0.0.1/" }, ERR_INPUT },
		{ { .url = "file:///etc/passwd" }, ERR_INPUT },
		{ { .url = "127.0.0.1:1" }, ERR_INPUT },
		{ { .url = "" }, ERR_INPUT },
		{ { .url = "http://" }, ERR_INPUT },
		{ { .url = "http://127.0.0.1:99999/top-secret" }, ERR_INPUT },
		{ { .url = "http://127.0.0.1/a b?top-secret" }, ERR_INPUT },
		{ { .url = "http://127.0.0.1/", .method = "G ET" }, ERR_INPUT },
		{ { .url = "http://127.0.0.1/", .headers = split, .headers_count = 1 }, ERR_INPUT },
		{ { .url = "http://127.0.0.1/", .headers = named, .headers_count = 1 }, ERR_INPUT },
		{ { .url = "http://127.0.0.1/", .timeout_ms = -1 }, ERR_TIMEOUT },
		{ { .url = "http://127.0.0.1:1/" }, ERR_REFUSED }, /* nobody listens */
		{ { .url = "http://127.0.0.1:1/", .is_connect_only = true }, ERR_REFUSED },
		{ { .url = "http://127.0.0.1/", .connect_to = "127.0.0.1:1" }, ERR_REFUSED },
		{ { .url = "http://127.0.0.1/", .connect_to = "127.0.0.1" }, ERR_INPUT },
		{ { .url = "http://127.0.0.1/", .connect_to = ":80" }, ERR_INPUT },
		{ { .url = "http://127.0.0.1/", .connect_to = "127.0.0.1:x" }, ERR_INPUT },
		{ { .url = "http://127.0.0.1/", .connect_to = "" }, ERR_INPUT },
	};
	struct rig *rig = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request request = cases[i].request;
		request.method = request.method != NULL ? request.method : "GET";
		request.timeout_ms = request.timeout_ms != 0 ? request.timeout_ms : 5000;
		rig_send(rig, i, &request);
		assert_int_equal(rig_answer(rig, i)->dones, 0); /* never from inside start() */
		struct rig_answer *a = rig_wait(rig, i);
		print_message("# %s: %s\n", request.url, a->why.text);
		assert_int_equal(a->why.code, cases[i].code);
		assert_null(strstr(a->why.text, "top-secret"));
	}
}

/* A connection that was kept and dies under the second request: libcurl sends it again, unless it must not. */
static void test_resend(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/once", (struct http_request){ 0 });
	assert_int_equal(rig_wait(rig, 1)->status, 200);
	rig_start(rig, 2, "/once", (struct http_request){ .method = "POST", .body = STR("x") });
	assert_int_equal(rig_wait(rig, 2)->status, 200);
	assert_int_equal(rig->arrived, 3); /* this is what is_once is for */
	assert_int_equal(rig->accepted, 2);
	rig_start(rig, 3, "/once", (struct http_request){ .method = "POST", .body = STR("x"), .is_once = true });
	assert_int_equal(rig_wait(rig, 3)->status, 200);
	assert_int_equal(rig->arrived, 4);
	assert_int_equal(rig->accepted, 3); /* on a fresh connection */
	rig_start(rig, 4, "/drop", (struct http_request){ .method = "POST", .body = STR("x"), .is_once = true });
	struct rig_answer *a = rig_wait(rig, 4);
	assert_int_equal(a->status, 0);
	assert_int_equal(a->why.code, ERR_NETWORK);
	rig_settle(rig);
	assert_int_equal(rig->arrived, 5);
}

static void test_stream(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/stream", (struct http_request){ .silence_ms = 5000, .timeout_ms = 2000 });
	struct rig_answer *a = rig_wait(rig, 1);
	assert_int_equal(a->heads, 1);
	assert_int_equal(a->status, 200);
	assert_int_equal(a->why.code, ERR_NONE);
	assert_string_equal(buf_cstr(&a->bytes), "onetwothree");
	assert_int_equal(a->body.n, 0);
}

/* A stream that is calm is read in windows; all of it comes, and its end as well. */
static void test_stream_rests(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/stream-long", (struct http_request){ .silence_ms = 800, .timeout_ms = 5000 });
	struct rig_answer *a = rig_wait(rig, 1);
	assert_int_equal(a->status, 200);
	assert_string_equal(buf_cstr(&a->bytes), "1234567");
}

/* The whole takes longer than timeout_ms and has no pause of silence_ms: a stream is not cut by its first deadline. */
static void test_stream_outlives_its_timeout(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/stream", (struct http_request){ .silence_ms = 5000, .timeout_ms = RIG_STEP_MS });
	struct rig_answer *a = rig_answer(rig, 1);
	RIG_UNTIL(rig, a->heads == 1 || a->dones == 1);
	if (a->dones == 0) /* a very slow machine may miss the first deadline rightly */
		assert_int_equal(rig_wait(rig, 1)->status, 200);
}

static void test_stream_endings(void **state)
{
	static const struct {
		const char *path, *bytes;
		enum err_code code;
		int64_t silence_ms;
	} cases[] = {
		{ "/stream-cut", "onetwo", ERR_NETWORK, 8000 },
		{ "/stream-silent", "one", ERR_TIMEOUT, 300 },
	};
	struct rig *rig = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		rig_start(rig, i, cases[i].path, (struct http_request){ .silence_ms = cases[i].silence_ms });
		struct rig_answer *a = rig_wait(rig, i);
		print_message("# %s: %s\n", cases[i].path, a->why.text);
		assert_int_equal(a->heads, 1);
		assert_int_equal(a->status, 0);
		assert_int_equal(a->why.code, cases[i].code);
		assert_string_equal(buf_cstr(&a->bytes), cases[i].bytes);
	}
}

static void test_stream_pours(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/stream-pours", (struct http_request){ .silence_ms = 5000 });
	struct rig_answer *a = rig_wait(rig, 1);
	assert_int_equal(a->status, 200);
	assert_int_equal(a->bytes.n, 3000000);
}

static void test_stream_refused(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/refused", (struct http_request){ .silence_ms = 5000 });
	struct rig_answer *a = rig_wait(rig, 1);
	assert_int_equal(a->heads, 0);
	assert_int_equal(a->status, 410);
	assert_string_equal(buf_cstr(&a->body), "too ol");
	rig_start(rig, 2, "/refused-long", (struct http_request){ .silence_ms = 5000 });
	a = rig_wait(rig, 2);
	assert_int_equal(a->status, 410);
	assert_int_equal(a->why.code, ERR_NONE);
	assert_int_equal(a->body.n, 65536);
	assert_int_equal(a->bytes.n, 0);
}

static void test_cancel_in_each_phase(void **state)
{
	static const char *const paths[] = { "/never", "/slow", "/stream-silent", "/ok" };
	struct rig *rig = *state;
	uint64_t id = 0;
	rig_cancel(rig, 63); /* unknown: nothing happens */
	for (size_t i = 0; i < COUNT(paths); i++) {
		/* Before it was sent; connecting or sent; when it has arrived; when it has been answered at least in
		 * part. */
		for (int phase = 0; phase < 4; phase++, id++) {
			unsigned before = rig->arrived;
			rig_start(rig, id, paths[i], (struct http_request){ .silence_ms = i == 2 ? 5000 : 0 });
			if (phase == 1)
				rig_pass(rig);
			if (phase >= 2)
				RIG_UNTIL(rig, rig->arrived > before);
			if (phase == 3 && i == 2)
				RIG_UNTIL(rig, rig_answer(rig, id)->heads > 0);
			rig_cancel(rig, id);
			rig_cancel(rig, id);
		}
	}
	rig_settle(rig);
	for (uint64_t i = 0; i < id; i++)
		assert_int_equal(rig_answer(rig, i)->dones, 0);
	rig_start(rig, 63, "/ok", (struct http_request){ 0 });
	assert_int_equal(rig_wait(rig, 63)->status, 200);
}

/* Cancels the request itself and a bystander, and starts others, from within whatever callback comes. */
static void upset(struct rig *rig, uint64_t id, const char *what)
{
	if (id != 1)
		return;
	rig_cancel(rig, 1);
	rig_cancel(rig, 2);
	rig->on_event = NULL;
	rig_start(rig, 3, "/ok", (struct http_request){ 0 });
	rig_start(rig, 4, "/ok", (struct http_request){ 0 });
	rig_cancel(rig, 4);
	print_message("# upset in %s()\n", what);
}

static void upset_on_bytes(struct rig *rig, uint64_t id, const char *what)
{
	if (strcmp(what, "bytes") == 0)
		upset(rig, id, what);
}

static void test_cancel_in_callbacks(void **state)
{
	static const struct {
		const char *path;
		int64_t silence_ms;
		void (*on_event)(struct rig *, uint64_t, const char *);
		int dones;
	} cases[] = {
		{ "/ok", 0, upset, 1 },
		{ "/stream", 5000, upset, 0 },
		{ "/stream", 5000, upset_on_bytes, 0 },
		{ "/stream-pours", 5000, upset_on_bytes, 0 },
		{ "/drop", 0, upset, 1 },
		{ "/refused", 5000, upset, 1 },
	};
	struct rig *rig = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (uint64_t id = 1; id <= 4; id++)
			rig_answer(rig, id)->dones = 0;
		rig_start(rig, 2, "/never", (struct http_request){ 0 });
		rig_start(rig, 1, cases[i].path, (struct http_request){ .silence_ms = cases[i].silence_ms });
		rig->on_event = cases[i].on_event;
		assert_int_equal(rig_wait(rig, 3)->status, 200);
		rig_settle(rig);
		assert_int_equal(rig_answer(rig, 1)->dones, cases[i].dones);
		assert_int_equal(rig_answer(rig, 2)->dones, 0);
		assert_int_equal(rig_answer(rig, 4)->dones, 0);
	}
}

/* The same id may be used again from within its own done(). */
static void again(struct rig *rig, uint64_t id, const char *what)
{
	if (strcmp(what, "done") == 0 && rig_answer(rig, id)->dones < 5)
		rig_start(rig, id, "/ok", (struct http_request){ 0 });
}

static void test_start_again_in_done(void **state)
{
	struct rig *rig = *state;
	rig->on_event = again;
	rig_start(rig, 1, "/ok", (struct http_request){ 0 });
	RIG_UNTIL(rig, rig_answer(rig, 1)->dones == 5);
	assert_int_equal(rig->accepted, 1);
}

static void test_many_at_once(void **state)
{
	struct rig *rig = *state;
	for (uint64_t id = 0; id < 60; id++)
		rig_start(rig, id, "/ok", (struct http_request){ .method = "POST", .body = STR("{}") });
	for (uint64_t id = 0; id < 60; id++)
		assert_string_equal(buf_cstr(&rig_wait(rig, id)->body), "hello");
}

static void test_proxies(void **state)
{
	struct rig *rig = *state;
	char proxy[64];
	(void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", rig->port);
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0); /* nobody listens */
	rig_start(rig, 1, "/ok", (struct http_request){ 0 });
	assert_int_equal(rig_wait(rig, 1)->status, 200); /* loopback does not ask the environment */
	rig_send(rig, 2,
		 &(struct http_request){ .method = "GET", .url = "http://cloud.example/ok", .timeout_ms = 5000 });
	assert_int_equal(rig_wait(rig, 2)->why.code, ERR_REFUSED); /* others do */
	/* Neither do probes. */
	char target[64];
	(void)snprintf(target, sizeof target, "127.0.0.1:%u", rig->port);
	rig_send(rig, 4,
		 &(struct http_request){ .method = "GET",
					 .url = "http://node.example/ok",
					 .timeout_ms = 5000,
					 .answer_bytes_max = 100,
					 .connect_to = target,
					 .is_fresh = true });
	assert_int_equal(rig_wait(rig, 4)->status, 200);
	assert_int_equal(unsetenv("http_proxy"), 0);
	/* With the proxy asked for, the whole address is its path. */
	static const struct rig_route whole[] = { { "http://cloud.example/ok", { OK "Content-Length: 2\r\n\r\nok" } } };
	rig->routes = whole;
	rig->routes_count = 1;
	const struct tls_opts tls = { .proxy_url = proxy };
	rig_send(rig, 3,
		 &(struct http_request){ .method = "GET",
					 .url = "http://cloud.example/ok",
					 .timeout_ms = 5000,
					 .answer_bytes_max = 100,
					 .tls = &tls });
	assert_int_equal(rig_wait(rig, 3)->status, 200);
}

/* The URL says what is asked for, connect_to where. */
static void test_connect_to(void **state)
{
	struct rig *rig = *state;
	char target[64];
	char url[64];
	(void)snprintf(target, sizeof target, "127.0.0.1:%u", rig->port);
	for (uint64_t id = 1; id <= 2; id++) {
		rig_send(rig, id,
			 &(struct http_request){ .method = "GET",
						 .url = "http://api.example:6443/ok",
						 .timeout_ms = 5000,
						 .answer_bytes_max = 100,
						 .connect_to = target });
		assert_int_equal(rig_wait(rig, id)->status, 200);
		assert_non_null(strstr(buf_cstr(&rig->last), "\r\nHost: api.example:6443\r\n"));
	}
	assert_int_equal(rig->accepted, 1);
	/* ... and a connection that was made that way serves no request that goes another. */
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/ok", rig->port);
	rig_send(rig, 3,
		 &(struct http_request){ .method = "GET",
					 .url = url,
					 .timeout_ms = 5000,
					 .answer_bytes_max = 100,
					 .connect_to = "127.0.0.1:1" });
	assert_int_equal(rig_wait(rig, 3)->why.code, ERR_REFUSED);
	assert_true(text_starts(rig_answer(rig, 3)->why.text, "127.0.0.1:1:"));
}

static void test_fresh(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/ok", (struct http_request){ 0 });
	assert_int_equal(rig_wait(rig, 1)->status, 200);
	for (uint64_t id = 2; id <= 3; id++) {
		rig_start(rig, id, "/ok", (struct http_request){ .is_fresh = true });
		assert_int_equal(rig_wait(rig, id)->status, 200);
		assert_int_equal(rig->accepted, id); /* not on a kept one */
	}
	RIG_UNTIL(rig, rig->hung_up == 2); /* nor kept */
}

static void test_connect_only(void **state)
{
	struct rig *rig = *state;
	for (uint64_t id = 1; id <= 20; id++) {
		rig_start(rig, id, "/never", (struct http_request){ .is_connect_only = true });
		struct rig_answer *a = rig_wait(rig, id);
		assert_int_equal(a->status, 200);
		assert_int_equal(a->why.code, ERR_NONE);
		assert_int_equal(a->body.n, 0);
	}
	RIG_UNTIL(rig, rig->accepted == 20 && rig->hung_up == 20); /* each is closed again */
	assert_int_equal(rig->arrived, 0);                         /* and nothing was asked */
}

/* A listener whose backlog is full: the kernel lets no more in, and says nothing. */
static int mute_listener(uint16_t *out_port, int *out_filler)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*out_filler = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*out_filler, (struct sockaddr *)&at, sizeof at), 0);
	*out_port = ntohs(at.sin_port);
	return fd;
}

static void test_connect_only_in_vain(void **state)
{
	struct rig *rig = *state;
	uint16_t port = 0;
	int filler = -1;
	int fd = mute_listener(&port, &filler);
	char url[64];
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
	rig_send(rig, 1,
		 &(struct http_request){ .method = "GET", .url = url, .timeout_ms = 200, .is_connect_only = true });
	assert_int_equal(rig_wait(rig, 1)->status, 0);
	assert_int_equal(rig_answer(rig, 1)->why.code, ERR_TIMEOUT);
	rig_send(rig, 2,
		 &(struct http_request){ .method = "GET", .url = url, .timeout_ms = 9000, .is_connect_only = true });
	rig_settle(rig);
	rig_cancel(rig, 2);
	rig_settle(rig);
	assert_int_equal(rig_answer(rig, 2)->dones, 0);
	(void)close(filler);
	(void)close(fd);
}

static void test_ipv6(void **state)
{
	struct rig *rig = *state;
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t n = sizeof at;
	struct evconnlistener *six = evconnlistener_new_bind(
		loop_base(rig->loop), rig_on_accept, rig, LEV_OPT_CLOSE_ON_FREE, 64, (struct sockaddr *)&at, sizeof at);
	if (six == NULL)
		skip(); /* no ::1 here */
	assert_int_equal(getsockname(evconnlistener_get_fd(six), (struct sockaddr *)&at, &n), 0);
	unsigned port = ntohs(at.sin6_port);
	char url[64];
	char target[64];
	(void)snprintf(url, sizeof url, "http://[::1]:%u/ok", port);
	(void)snprintf(target, sizeof target, "[::1]:%u", port);
	const struct http_request cases[] = {
		{ .url = url },
		{ .url = url, .is_fresh = true },
		{ .url = url, .is_connect_only = true },
		{ .url = "http://api.example/ok", .connect_to = target },
		{ .url = "http://127.0.0.1:1/ok", .connect_to = target, .is_connect_only = true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request request = cases[i];
		request.method = "GET";
		request.timeout_ms = 5000;
		request.answer_bytes_max = 100;
		rig_send(rig, i, &request);
		print_message("# %s to %s\n", request.url, request.connect_to != NULL ? request.connect_to : "-");
		assert_int_equal(rig_wait(rig, i)->status, 200);
	}
	rig_send(rig, 9,
		 &(struct http_request){
			 .method = "GET", .url = "http://[::1]:1/", .timeout_ms = 5000, .is_connect_only = true });
	assert_int_equal(rig_wait(rig, 9)->why.code, ERR_REFUSED);
	evconnlistener_free(six);
}

/* What is still running when the program ends is dropped without a word. */
static void test_free_while_running(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1, "/never", (struct http_request){ 0 });
	rig_start(rig, 2, "/stream-silent", (struct http_request){ .silence_ms = 5000 });
	RIG_UNTIL(rig, rig_answer(rig, 2)->heads == 1);
	rig_start(rig, 3, "/ok", (struct http_request){ 0 });
	http_port_free(rig->http);
	rig->http = NULL;
	assert_int_equal(rig_answer(rig, 1)->dones + rig_answer(rig, 2)->dones + rig_answer(rig, 3)->dones, 0);
}

static void test_header_lines(void **state)
{
	static const struct {
		const char *line, *wanted;
	} cases[] = {
		{ "A:b\r\n", "a: b\n" },
		{ "Name : v \r\n", "name: v\n" },
		{ "no colon\r\n", "" },
		{ ": no name\r\n", "" },
		{ "two words: x\r\n", "" },
		{ "X:\r\n", "x: \n" },
		{ "X: a\x01"
		  "b\x7f"
		  "c\rd\r\n",
		  "x: a?b?c?d\n" },
		{ " folded\r\n", "" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_head head;
		http_head_init(&head);
		assert_true(http_head_line(&head, STR("HTTP/1.1 200 OK\r\n")));
		assert_true(http_head_line(&head, str_of(cases[i].line)));
		assert_string_equal(buf_cstr(&head.lines), cases[i].wanted);
		assert_false(head.is_complete);
		assert_true(http_head_line(&head, STR("\r\n")));
		assert_true(head.is_complete);
		http_head_done(&head);
	}
	struct http_head head;
	http_head_init(&head);
	assert_true(http_head_line(&head, STR("HTTP/1.1 200\r\n")));
	assert_true(http_head_line(&head, STR("A: b\r\n")));
	assert_true(http_head_line(&head, STR("\t c\r\n")));
	assert_string_equal(buf_cstr(&head.lines), "a: b c\n");
	char flood[HTTP_HEADERS_BYTES_MAX];
	memset(flood, 'x', sizeof flood);
	assert_false(http_head_line(&head, (struct str){ flood, sizeof flood }));
	http_head_done(&head);
}

int main(void)
{
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_RIG(test_get),
		WITH_RIG(test_methods_and_bodies),
		WITH_RIG(test_answers),
		WITH_RIG(test_failures),
		WITH_RIG(test_exact_limit),
		WITH_RIG(test_refused_requests),
		WITH_RIG(test_resend),
		WITH_RIG(test_stream),
		WITH_RIG(test_stream_rests),
		WITH_RIG(test_stream_outlives_its_timeout),
		WITH_RIG(test_stream_endings),
		WITH_RIG(test_stream_pours),
		WITH_RIG(test_stream_refused),
		WITH_RIG(test_cancel_in_each_phase),
		WITH_RIG(test_cancel_in_callbacks),
		WITH_RIG(test_start_again_in_done),
		WITH_RIG(test_many_at_once),
		WITH_RIG(test_proxies),
		WITH_RIG(test_connect_to),
		WITH_RIG(test_fresh),
		WITH_RIG(test_connect_only),
		WITH_RIG(test_connect_only_in_vain),
		WITH_RIG(test_ipv6),
		WITH_RIG(test_free_while_running),
		cmocka_unit_test(test_header_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
