/* Reading and searching the service catalog. */
#include "cloud/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "base/str.h"

#define URL_BYTES_MAX 1024
#define THERE_BYTES_MAX 120 /* of the sentence's list of what there is */

bool url_is_sane(const char *url)
{
	const char *host = text_starts(url, "https://") ? url + 8 : text_starts(url, "http://") ? url + 7 : NULL;
	if (host == NULL || strlen(url) > URL_BYTES_MAX || host[strcspn(host, "/?#")] == '?' ||
	    strcspn(host, "/?#@:") == 0)
		return false;
	const char *at = strchr(host, '@');
	if (at != NULL && (size_t)(at - host) < strcspn(host, "/"))
		return false;
	for (const char *c = url; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~')
			return false;
	}
	return true;
}

static void add(struct catalog *catalog, const char *type, const json_t *endpoint)
{
	const char *url = json_text_or(endpoint, "url", "");
	const char *interface = json_text_or(endpoint, "interface", "");
	const char *region = json_text(endpoint, "region_id");
	if (region == NULL)
		region = json_text_or(endpoint, "region", "");
	if (!url_is_sane(url) || strpbrk(url, "?#") != NULL || catalog->count == ENDPOINTS_MAX)
		return;
	size_t n = strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	catalog->list[catalog->count++] = (struct endpoint){
		.type = xstrdup(type),
		.interface = xstrdup(interface),
		.region = xstrdup(region),
		.url = xstrndup(url, n),
	};
}

struct catalog *catalog_read(const json_t *services)
{
	struct catalog *catalog = xcalloc(1, sizeof *catalog);
	catalog->list = xcalloc(ENDPOINTS_MAX, sizeof *catalog->list);
	size_t i;
	json_t *service;
	json_array_foreach(services, i, service) {
		const char *type = json_text_or(service, "type", "");
		size_t k;
		json_t *endpoint;
		json_array_foreach(json_object_get(service, "endpoints"), k, endpoint)
			add(catalog, type, endpoint);
	}
	if (catalog->count > 0)
		catalog->list = xrealloc(catalog->list, catalog->count * sizeof *catalog->list);
	return catalog;
}

void catalog_free(struct catalog *catalog)
{
	if (catalog == NULL)
		return;
	for (size_t i = 0; i < catalog->count; i++) {
		free(catalog->list[i].type);
		free(catalog->list[i].interface);
		free(catalog->list[i].region);
		free(catalog->list[i].url);
	}
	free(catalog->list);
	free(catalog);
}

struct wanted {
	struct str type;
	const char *interface;
	const char *region;
};

/* Two fitting endpoints of different regions: *out_other is the second's. Of one region's, the smallest URL wins, so
 * that the choice is the same after each login. */
static const struct endpoint *best(const struct catalog *catalog, struct wanted wanted, const char **out_other)
{
	const struct endpoint *found = NULL;
	for (size_t i = 0; i < catalog->count; i++) {
		const struct endpoint *e = &catalog->list[i];
		if (!str_eq(wanted.type, e->type) || !text_eq(e->interface, wanted.interface) ||
		    (wanted.region[0] != '\0' && !text_eq(e->region, wanted.region)))
			continue;
		if (found != NULL && !text_eq(found->region, e->region) && !text_eq(found->url, e->url))
			*out_other = e->region;
		if (found == NULL || strcmp(e->url, found->url) < 0)
			found = e;
	}
	return found;
}

/* "public in RegionTwo, internal in RegionOne", or which services there are at all. */
static void list_what_there_is(const struct catalog *catalog, const char *types, struct buf *out)
{
	for (int pass = 0; pass < 2 && out->n == 0; pass++) {
		for (size_t i = 0; i < catalog->count && !out->is_over; i++) {
			const struct endpoint *e = &catalog->list[i];
			bool is_of_type = strstr(types, e->type) != NULL && e->type[0] != '\0';
			bool is_told = pass == 1 && i > 0 && text_eq(e->type, catalog->list[i - 1].type);
			if ((pass == 0 && !is_of_type) || is_told)
				continue;
			(void)(out->n > 0 && buf_text(out, ", "));
			(void)(pass == 0 ? buf_printf(out, "%s in %s", e->interface, e->region)
					 : buf_text(out, e->type));
		}
	}
}

const char *catalog_find(const struct catalog *catalog, const char *types, const char *interface, const char *region,
			 struct err *err)
{
	const char *other = NULL;
	for (const char *at = types; *at != '\0';) {
		size_t n = strcspn(at, ",");
		const struct endpoint *e = best(catalog, (struct wanted){ { at, n }, interface, region }, &other);
		if (e != NULL && other == NULL)
			return e->url;
		if (e != NULL) {
			fail(err, ERR_INPUT, "the service \"%.*s\" is in several regions (%s, %s): set region", (int)n,
			     at, e->region, other == e->region ? "another" : other);
			return NULL;
		}
		at += n + (at[n] == ',');
	}
	struct buf there;
	buf_init(&there, THERE_BYTES_MAX);
	list_what_there_is(catalog, types, &there);
	fail(err, ERR_GONE, "the cloud's catalog has no service \"%.*s\" (interface %s, region %s); it has: %s%s",
	     (int)strcspn(types, ","), types, interface, region[0] != '\0' ? region : "any", buf_cstr(&there),
	     there.is_over  ? ", ..."
	     : there.n == 0 ? "nothing"
			    : "");
	buf_done(&there);
	return NULL;
}
