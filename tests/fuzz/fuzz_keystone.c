/* The answer to a login: any status, headers and body. The first byte chooses the status, a NUL ends the headers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cloud/keystone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 201, 200, 300, 400, 401, 404, 503, 0 };
	if (size < 1)
		return 0;
	const char *headers = (const char *)data + 1;
	const char *end = memchr(headers, '\0', size - 1);
	size_t headers_n = end != NULL ? (size_t)(end - headers) : 0;
	size_t body_at = end != NULL ? headers_n + 2 : 1;
	struct http_answer answer = {
		.status = statuses[data[0] % COUNT(statuses)],
		.headers = { headers, headers_n },
		.body = { (const char *)data + body_at, size - body_at },
	};
	struct login login;
	struct err err;
	if (keystone_read(&answer, (struct wall){ 1795363200000 }, LOGIN_PASSWORD, &login, &err)) {
		if (login.lifetime_ms < MINUTE || login.token[0] == '\0' || login.catalog->count == 0)
			abort();
		(void)catalog_find(login.catalog, "compute", "public", "", &err);
		(void)catalog_find(login.catalog, "block-storage,volumev3", "internal", "R", NULL);
		keystone_login_done(&login);
	}
	char *copy = xstrndup(headers, headers_n);
	char *url = keystone_login_url(copy, &err);
	free(url);
	free(copy);
	return 0;
}
