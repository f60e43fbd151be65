/* The catalog of a Keystone token: which service lives where. */
#ifndef MAH_CLOUD_CATALOG_H
#define MAH_CLOUD_CATALOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct endpoint {
	char *type;
	char *interface; /* "public", "internal", "admin" */
	char *region;
	char *url; /* http(s), without a trailing slash, nothing in it that does not belong into a URL */
};
struct catalog {
	struct endpoint *list;
	size_t count;
};

/* Reads token.catalog. Entries that make no sense are left out; more than ENDPOINTS_MAX are not read. Never NULL. */
#define ENDPOINTS_MAX 1024
struct catalog *catalog_read(const json_t *services);
void catalog_free(struct catalog *);

/* The URL of the first of TYPES (a comma list, best first) that has an endpoint for this interface and region ("" any).
 * NULL with a sentence that says what there is instead. Does not depend on the catalog's order, which is arbitrary. */
const char *catalog_find(const struct catalog *, const char *types, const char *interface, const char *region,
			 struct err *err);

/* http:// or https://, a host, printable ASCII, no user:password. */
bool url_is_sane(const char *url);

#endif
