/* HTTP as data, and the port through which requests leave. Whoever implements the port (src/host/http.c with libcurl,
 * sim/net.c with virtual delays) knows nothing of Kubernetes or OpenStack; whoever uses it has no sockets. */
#ifndef MAH_BASE_HTTP_H
#define MAH_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* How a server is trusted and how we show ourselves to it. PEM texts win over files. Owned by the client that made it;
 * must outlive the requests that point to it. NULL everywhere: the system's CA bundle, no client certificate. */
struct tls_opts {
	char *ca_pem;
	char *ca_file;
	char *cert_pem;
	char *cert_file;
	char *key_pem;
	char *key_file;
	char *server_name; /* name to verify and to send in place of the URL's host */
	char *proxy_url;   /* NULL: as the environment says */
	bool is_insecure;  /* nothing is verified */
};

struct http_header {
	const char *name;
	const char *value;
};

/* Everything is copied by http_start(), except tls. */
struct http_request {
	const char *method; /* "GET", "POST", ... */
	const char *url;    /* https://host:port/path?query; credentials in it are refused */
	const struct http_header *headers;
	size_t headers_count;
	struct str body;            /* n == 0: no body */
	const struct tls_opts *tls; /* may be NULL */
	int64_t timeout_ms;         /* whole exchange; for a stream: until its status line came */
	int64_t silence_ms;         /* a stream that says nothing for so long is dead; 0: this is not a stream */
	size_t answer_bytes_max;    /* body larger than that: ERR_LIMIT. For a stream: unlimited, bytes are handed on */
	bool is_once; /* must not be repeated: on a fresh connection (libcurl resends on a reused one that died) */
	/* Connect there ("10.0.0.5:6443", "[fd00::5]:6443"), whatever the URL says; names are verified as if it were
	 * the URL's host. NULL: to the URL's host. */
	const char *connect_to;
	bool is_connect_only; /* only see whether the port can be connected to (TCP, also with https; directly): status
			       * 200, or 0 and why; the connection is closed again */
	bool is_fresh;        /* on a connection of its own, closed afterwards, never through a proxy: for probes */
};

#define HTTP_HEADERS_BYTES_MAX 16384 /* all header lines of one answer */

/* What came of a request. status 0: no (complete) answer came, and `why` says so: then the act may or may not have
 * happened. Redirects are never followed (Heat answers 302 to a PATCH: the method must be kept); read "Location".
 *
 * why.code then: ERR_TIMEOUT, no whole answer in time; ERR_REFUSED, nobody listens there (or the proxy does not);
 * ERR_AUTH, TLS: the other side's certificate or name is not trusted, or our own CA or certificate cannot be used, and
 * nothing was sent; ERR_INPUT, it cannot be sent at all; ERR_LIMIT, more came than is taken; ERR_NETWORK, all else. */
struct http_answer {
	int status;
	struct err why;
	struct str headers; /* "name: value\n" lines, names in lower case, values trimmed */
	struct str body;    /* empty for streams */
};

/* Where the parts of an answer go. `id` is the caller's own. Called from the event loop, never from inside
 * http_start(); everything pointed to dies when the callback returns. */
struct http_sink {
	void *ctx;
	/* Streams only: once, when status and headers are known. Then bytes() as they come. */
	void (*head)(void *ctx, uint64_t id, const struct http_answer *);
	void (*bytes)(void *ctx, uint64_t id, struct str chunk);
	/* Exactly once per request, the last call; never after cancel(). A stream that began with status 200 and then
	 * ended by the server's wish has status 200 and why.code ERR_NONE; cut: status 0. A stream that answers with
	 * another status than 200 is handed over here as an ordinary answer with its body (capped at 64 KiB). */
	void (*done)(void *ctx, uint64_t id, const struct http_answer *);
};

struct http_port {
	void *ctx;
	void (*start)(void *ctx, uint64_t id, const struct http_request *, const struct http_sink *);
	void (*cancel)(void *ctx, uint64_t id); /* unknown id: nothing happens */
};

/* A header's value; empty when it is not there. NAME in lower case. */
struct str http_header(const struct http_answer *, const char *name);

/* Retry-After in milliseconds (seconds form; the date form relative to the Date header), -1 when there is none.
 * Clamped to an hour. */
int64_t http_retry_after_ms(const struct http_answer *);

/* "Sun, 06 Nov 1994 08:49:37 GMT" to milliseconds since 1970; -1 when it is not such a date. */
int64_t http_date_ms(struct str text);

#endif
