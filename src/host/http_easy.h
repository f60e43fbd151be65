/* One request as libcurl options: address, method, headers, body, trust. */
#ifndef MAH_HOST_HTTP_EASY_H
#define MAH_HOST_HTTP_EASY_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/http.h"

/* What libcurl borrows until the transfer is over, and whom messages speak of. */
struct http_easy {
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	char peer[320]; /* "host:port" */
};

/* Sets everything that does not concern callbacks. A request that cannot be sent is ERR_INPUT, and the text never
 * quotes a header's value, a body, a path or a query. *kept is valid, and to be freed, in both cases. */
bool http_easy_set(CURL *, const struct http_request *, struct http_easy *kept, struct err *err);
void http_easy_done(struct http_easy *);

/* Why a transfer gave no answer; the codes as in base/http.h. DETAIL is libcurl's error buffer. Returns false. */
bool http_easy_why(const struct http_easy *, CURL *, CURLcode, const char *detail, const struct http_request *limits,
		   struct err *err);

#endif
