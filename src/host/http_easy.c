#include "host/http_easy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/time.h"

#define CONNECT_MS_MAX (10 * SEC) /* a SYN that is not answered by then is not late, it is lost */
#define KEEPALIVE_IDLE_S 30L
#define KEEPALIVE_EVERY_S 10L
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct address {
	CURLU *url;
	char *host; /* IPv6 in brackets */
	char *port;
};

static void address_done(struct address *address)
{
	curl_free(address->host);
	curl_free(address->port);
	curl_url_cleanup(address->url);
}

#define SET(easy, option, value)                                                                                       \
	do {                                                                                                           \
		if (curl_easy_setopt((easy), (option), (value)) != CURLE_OK)                                           \
			return fail(err, ERR_LIMIT, "libcurl refuses option %s", #option);                             \
	} while (0)

static void append(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);
	if (longer == NULL)
		abort(); /* out of memory */
	*list = longer;
}

static bool address_read(struct address *address, const char *url, struct err *err)
{
	address->url = curl_url();
	if (address->url == NULL)
		abort();
	CURLUcode rc = curl_url_set(address->url, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	if (rc == CURLUE_USER_NOT_ALLOWED)
		return fail(err, ERR_INPUT, "an address with a user name or password in it is refused");
	if (rc != CURLUE_OK)
		return fail(err, ERR_INPUT, "not an address: %s", curl_url_strerror(rc));
	char *scheme = NULL;
	rc = curl_url_get(address->url, CURLUPART_SCHEME, &scheme, 0);
	bool is_http =
		rc == CURLUE_OK && scheme != NULL && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_free(scheme);
	if (!is_http)
		return fail(err, ERR_INPUT, "an address must begin with https:// or http://");
	if (curl_url_get(address->url, CURLUPART_HOST, &address->host, 0) != CURLUE_OK ||
	    curl_url_get(address->url, CURLUPART_PORT, &address->port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return fail(err, ERR_INPUT, "an address without a host");
	return true;
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;
	size_t n = strlen(host);
	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	if (n > 10 && strcasecmp(host + n - 10, ".localhost") == 0)
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* The URL as it stands in ADDRESS now. */
static bool set_url(CURL *easy, const struct address *address, struct err *err)
{
	char *whole = NULL;
	if (curl_url_get(address->url, CURLUPART_URL, &whole, 0) != CURLUE_OK)
		return fail(err, ERR_INPUT, "not an address");
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, whole);
	curl_free(whole);
	return rc == CURLE_OK || fail(err, ERR_LIMIT, "libcurl refuses option CURLOPT_URL");
}

/* TARGET: "host:port"; the connection goes there, whatever the URL says. */
static bool set_target(CURL *easy, const char *target, struct http_easy *kept, struct err *err)
{
	char line[512];
	int n = snprintf(line, sizeof line, "::%s", target);
	if (n < 0 || (size_t)n >= sizeof line)
		return fail(err, ERR_INPUT, "an address to connect to is too long");
	append(&kept->connect_to, line);
	SET(easy, CURLOPT_CONNECT_TO, kept->connect_to);
	return true;
}

/* Nothing but digits behind the last colon, and something before it. */
static bool is_host_and_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	return colon != NULL && colon != text && colon[1] != '\0' &&
	       strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

/* Where the connection goes, when the URL's host is not it: the name that is verified and sent takes that host's place
 * in the URL. */
static bool set_detour(CURL *easy, const struct address *address, const struct http_request *request,
		       struct http_easy *kept, struct err *err)
{
	const char *name = request->tls != NULL ? request->tls->server_name : NULL;
	const char *target = request->connect_to;
	if (target != NULL && !is_host_and_port(target))
		return fail(err, ERR_INPUT, "\"%.100s\" is not host:port", target);
	if (target != NULL)
		(void)snprintf(kept->peer, sizeof kept->peer, "%.255s", target);
	if (name != NULL && curl_url_set(address->url, CURLUPART_HOST, name, 0) != CURLUE_OK)
		return fail(err, ERR_INPUT, "\"%.100s\" cannot be a server's name", name);
	if (target == NULL && name != NULL)
		target = kept->peer; /* where the URL pointed */
	return (target == NULL || set_target(easy, target, kept, err)) && set_url(easy, address, err);
}

static bool set_proxy(CURL *easy, const struct address *address, const struct http_request *request, struct err *err)
{
	const char *proxy_url = request->tls != NULL ? request->tls->proxy_url : NULL;
	if (request->is_fresh || request->is_connect_only) { /* a probe asks the node, not what a proxy thinks of it */
		SET(easy, CURLOPT_PROXY, "");
	} else if (proxy_url != NULL) {
		/* Somebody asked for this one: no_proxy of the environment is about the environment's proxies. */
		SET(easy, CURLOPT_PROXY, proxy_url);
		SET(easy, CURLOPT_NOPROXY, "");
	} else if (is_loopback(address->host)) {
		SET(easy, CURLOPT_PROXY, "");
	}
	SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(easy, CURLOPT_PROXY_CAPATH, (char *)NULL);
	return true;
}

static bool set_address(CURL *easy, const struct http_request *request, struct http_easy *kept, struct err *err)
{
	CLEANUP(address_done) struct address address = { 0 };
	if (!address_read(&address, request->url, err))
		return false;
	assert(address.host != NULL && address.port != NULL);
	(void)snprintf(kept->peer, sizeof kept->peer, "%.255s:%s", address.host, address.port);
	SET(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	SET(easy, CURLOPT_PATH_AS_IS, 1L);
	if (!set_proxy(easy, &address, request, err))
		return false;
	if (request->is_connect_only) {
		/* With https libcurl would shake hands as well. */
		(void)curl_url_set(address.url, CURLUPART_PORT, address.port, 0); /* it came from there */
		(void)curl_url_set(address.url, CURLUPART_SCHEME, "http", 0);
		SET(easy, CURLOPT_CONNECT_ONLY, 1L);
		return set_detour(easy, &address, request, kept, err);
	}
	if (request->connect_to != NULL || (request->tls != NULL && request->tls->server_name != NULL))
		return set_detour(easy, &address, request, kept, err);
	SET(easy, CURLOPT_URL, request->url);
	return true;
}

/* Blobs are copied: the owner may free its texts right after a cancel() that libcurl hears of a moment later. */
static bool set_blob(CURL *easy, CURLoption option, const char *pem, struct err *err)
{
	struct curl_blob blob = { .data = (void *)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY };
	if (blob.len == 0 || curl_easy_setopt(easy, option, &blob) != CURLE_OK)
		return fail(err, ERR_INPUT, "an empty PEM text where a certificate or key is wanted");
	return true;
}

static bool set_tls(CURL *easy, const struct tls_opts *tls, struct err *err)
{
	static const struct tls_opts nothing;
	if (tls == NULL)
		tls = &nothing;
	SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(easy, CURLOPT_CAPATH,
	    (char *)NULL); /* lets libcurl share one parsed CA store instead of 1 MB a connection */
	if (tls->is_insecure) {
		SET(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		SET(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (tls->ca_pem != NULL && !set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca_pem, err))
		return false;
	if (tls->ca_pem == NULL)
		SET(easy, CURLOPT_CAINFO, tls->ca_file != NULL ? tls->ca_file : SYSTEM_CA_FILE);
	if (tls->cert_pem != NULL && !set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->cert_pem, err))
		return false;
	if (tls->cert_pem == NULL && tls->cert_file != NULL)
		SET(easy, CURLOPT_SSLCERT, tls->cert_file);
	if (tls->key_pem != NULL && !set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key_pem, err))
		return false;
	if (tls->key_pem == NULL && tls->key_file != NULL)
		SET(easy, CURLOPT_SSLKEY, tls->key_file);
	return true;
}

static bool is_token(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (!isalnum((unsigned char)*text) && strchr("!#$%&'*+-.^_`|~", *text) == NULL)
			return false;
	}
	return true;
}

/* No control characters: a line end in a token would begin a header of the token's own. */
static bool is_field_value(const char *text)
{
	for (; *text != '\0'; text++) {
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			return false;
	}
	return true;
}

static bool add_header(struct http_easy *kept, const struct http_header *header, struct err *err)
{
	if (header->name == NULL || !is_token(header->name))
		return fail(err, ERR_INPUT, "a header with an impossible name");
	if (header->value == NULL || !is_field_value(header->value))
		return fail(err, ERR_INPUT, "header %.80s: the value has control characters", header->name);
	/* "Name;" is libcurl's way to write a header without a value: "Name:" would remove it. */
	const char *value = header->value + strspn(header->value, " \t");
	size_t bytes = strlen(header->name) + strlen(value) + 3;
	char *line = xmalloc(bytes);
	(void)snprintf(line, bytes, *value != '\0' ? "%s: %s" : "%s;", header->name, value);
	append(&kept->headers, line);
	free(line);
	return true;
}

static bool set_headers(CURL *easy, const struct http_request *request, struct http_easy *kept, struct err *err)
{
	bool has_type = false;
	bool has_accept = false;
	for (size_t i = 0; i < request->headers_count; i++) {
		if (!add_header(kept, &request->headers[i], err))
			return false;
		has_type = has_type || strcasecmp(request->headers[i].name, "content-type") == 0;
		has_accept = has_accept || strcasecmp(request->headers[i].name, "accept") == 0;
	}
	/* What libcurl would add by itself and nobody asked for. */
	append(&kept->headers, "Expect:");
	if (!has_type)
		append(&kept->headers, "Content-Type:");
	if (!has_accept)
		append(&kept->headers, "Accept:");
	SET(easy, CURLOPT_HTTPHEADER, kept->headers);
	SET(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* our tokens are not for proxies */
	return true;
}

static bool set_body(CURL *easy, const struct http_request *request, struct err *err)
{
	const char *method = request->method;
	if (method == NULL || !is_token(method))
		return fail(err, ERR_INPUT, "a request with an impossible method");
	bool wants_body = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
	if (strcmp(method, "HEAD") == 0) {
		SET(easy, CURLOPT_NOBODY, 1L);
		return true;
	}
	/* CUSTOMREQUEST only renames; whether a body and a Content-Length go out is decided by what is set first. */
	if (request->body.n > 0 || wants_body) {
		SET(easy, CURLOPT_POST, 1L);
		SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n);
		SET(easy, CURLOPT_COPYPOSTFIELDS, request->body.n > 0 ? request->body.p : "");
	} else {
		SET(easy, CURLOPT_HTTPGET, 1L);
	}
	SET(easy, CURLOPT_CUSTOMREQUEST, method);
	return true;
}

static bool set_times(CURL *easy, const struct http_request *request, struct err *err)
{
	bool is_stream = request->silence_ms > 0;
	int64_t connect_ms = request->timeout_ms < CONNECT_MS_MAX ? request->timeout_ms : CONNECT_MS_MAX;
	if (request->timeout_ms <= 0)
		return fail(err, ERR_TIMEOUT, "no time was left for the request");
	SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	if (!is_stream) /* a stream's end is not known before: the port has a timer for it */
		SET(easy, CURLOPT_TIMEOUT_MS, (long)(request->timeout_ms < HOUR ? request->timeout_ms : HOUR));
	SET(easy, CURLOPT_NOSIGNAL, 1L);
	/* Names are looked up in a thread of libcurl's; without this, giving up a request would wait for it. */
	SET(easy, CURLOPT_QUICK_EXIT, 1L);
	SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	SET(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_EVERY_S);
	return true;
}

bool http_easy_set(CURL *easy, const struct http_request *request, struct http_easy *kept, struct err *err)
{
	*kept = (struct http_easy){ 0 };
	if (!set_address(easy, request, kept, err) || !set_tls(easy, request->tls, err) ||
	    !set_headers(easy, request, kept, err) || !set_body(easy, request, err) || !set_times(easy, request, err))
		return false;
	/* One connection a stream, stalls are seen where they are: no HTTP/2. */
	SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* libcurl resends, POST too, when a kept connection dies before the answer begins: not these. */
	bool is_alone = request->is_once || request->is_fresh || request->is_connect_only;
	SET(easy, CURLOPT_FRESH_CONNECT, is_alone ? 1L : 0L);
	SET(easy, CURLOPT_FORBID_REUSE, is_alone ? 1L : 0L);
	return true;
}

void http_easy_done(struct http_easy *kept)
{
	curl_slist_free_all(kept->headers);
	curl_slist_free_all(kept->connect_to);
	kept->headers = NULL;
	kept->connect_to = NULL;
}

/* What libcurl says when one side did not like the other's certificate, its name or its proof. */
static bool is_distrust(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR ||
	       code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM ||
	       code == CURLE_SSL_PINNEDPUBKEYNOTMATCH || code == CURLE_SSL_INVALIDCERTSTATUS ||
	       code == CURLE_SSL_CRL_BADFILE;
}

bool http_easy_why(const struct http_easy *kept, CURL *easy, CURLcode code, const char *detail,
		   const struct http_request *limits, struct err *err)
{
	long os_errno = 0;
	if (detail[0] == '\0')
		detail = curl_easy_strerror(code);
	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno); /* stays 0 if not */
	/* Only a few of some hundred codes need words of their own. */
	if (code == CURLE_OPERATION_TIMEDOUT)
		return fail(err, ERR_TIMEOUT, "%s: no complete answer within %lld ms", kept->peer,
			    (long long)limits->timeout_ms);
	if (code == CURLE_SSL_CACERT_BADFILE)
		return fail(err, ERR_AUTH, "%s: the ca-file cannot be used: %s", kept->peer, detail);
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR)
		return fail(err, ERR_AUTH, "%s: its certificate is not trusted (check the ca-file and the name): %s",
			    kept->peer, detail);
	if (is_distrust(code))
		return fail(err, ERR_AUTH, "%s: %s", kept->peer, detail);
	if (code == CURLE_COULDNT_CONNECT && os_errno == ECONNREFUSED)
		return fail(err, ERR_REFUSED, "%s: %s", kept->peer, detail);
	return fail(err, ERR_NETWORK, "%s: %s", kept->peer, detail);
}
