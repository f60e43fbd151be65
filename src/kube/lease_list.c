#include "kube/lease_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/pb.h"
#include "kube/wire.h"

#define LEASES_PATH "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
/* With resourceVersion=0 the server ignores the limit: without it the list is consistent, cheap since 1.31 (it comes
 * from the watch cache), and in pieces of some 100 KB. */
#define PAGE_ITEMS 500
#define SECONDS_MAX INT64_C(253402300799) /* the last second of the year 9999 */
#define MICRO INT64_C(1000000)

void lease_times_done(struct lease_times *times)
{
	free(times->list);
	*times = (struct lease_times){ .list = NULL };
}

const char *lease_times_path(struct arena *arena, const struct lease_times *times)
{
	struct buf path;
	buf_init(&path, 4 * sizeof times->continue_token);
	(void)buf_printf(&path, LEASES_PATH "?limit=%d", PAGE_ITEMS);
	if (times->continue_token[0] != '\0') {
		(void)buf_text(&path, "&continue=");
		(void)buf_urlencode(&path, times->continue_token);
	}
	const char *text = arena_strdup(arena, buf_cstr(&path));
	buf_done(&path);
	return text;
}

static bool take(struct lease_times *times, struct str name, int64_t renewed, struct err *err)
{
	if (name.n == 0 || name.n >= NODE_NAME_BYTES || memchr(name.p, '\0', name.n) != NULL)
		return true;
	if (times->count == LEASES_MAX)
		return fail(err, ERR_LIMIT, "there are more than %d Leases of nodes", LEASES_MAX);
	if (times->count == times->cap) {
		times->cap = times->cap > 0 ? 2 * times->cap : PAGE_ITEMS;
		times->list = xrealloc(times->list, times->cap * sizeof *times->list);
	}
	struct lease_time *entry = &times->list[times->count++];
	(void)str_copy(entry->node, sizeof entry->node, name); /* its length was checked */
	entry->renewed = renewed;
	return true;
}

/* ---- protobuf ---------------------------------------------------------------------------------------------------- */

/* MicroTime {1 seconds, 2 nanos}, finer than time_read(): two renewals may be less than a millisecond apart. */
static bool micro_read(struct str message, int64_t *out)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	uint64_t seconds = 0;
	uint64_t nanos = 0;
	while (pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_varint(&f))
			seconds = f.value;
		else if (f.number == 2 && pb_is_varint(&f))
			nanos = f.value;
	}
	bool is_time = seconds <= (uint64_t)SECONDS_MAX && nanos <= 999999999;
	*out = is_time ? (int64_t)seconds * MICRO + (int64_t)nanos / 1000 : 0;
	return !pb.is_bad;
}

static bool spec_read(struct str message, int64_t *out_renewed)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 4 && pb_is_bytes(&f) && !micro_read(f.bytes, out_renewed))
			return false;
	}
	return !pb.is_bad;
}

static bool lease_pb(struct lease_times *times, struct str message, struct err *err)
{
	struct object_meta meta;
	int64_t renewed = 0;
	if (!object_meta_read(message, &meta, err))
		return false;
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 2 && pb_is_bytes(&f) && !spec_read(f.bytes, &renewed))
			return fail(err, ERR_REMOTE, "broken protobuf in the spec of a Lease");
	}
	return take(times, meta.name, renewed, err); /* object_meta_read() has been over all of it */
}

static bool token_keep(struct lease_times *times, struct str token, struct err *err)
{
	if (!str_copy(times->continue_token, sizeof times->continue_token, token) ||
	    memchr(times->continue_token, '\0', token.n) != NULL)
		return fail(err, ERR_REMOTE, "the continue token of the Leases is too long, or no text");
	return true;
}

static bool list_meta_pb(struct lease_times *times, struct str message, struct err *err)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 3 && pb_is_bytes(&f) && !token_keep(times, f.bytes, err))
			return false;
	}
	return !pb.is_bad || fail(err, ERR_REMOTE, "broken protobuf in the metadata of the Leases");
}

static bool not_leases(struct str kind, struct err *err)
{
	return fail(err, ERR_REMOTE, "the answer is not a LeaseList but \"%.*s\"", (int)(kind.n < 40 ? kind.n : 40),
		    kind.p != NULL ? kind.p : "");
}

static bool page_pb(struct lease_times *times, struct str body, struct err *err)
{
	struct envelope envelope;
	struct pb_field f;
	if (!envelope_read(body, &envelope, err))
		return false;
	if (!str_eq(envelope.kind, "LeaseList"))
		return not_leases(envelope.kind, err);
	struct pb pb = pb_of(envelope.raw);
	bool ok = true;
	while (ok && pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f))
			ok = list_meta_pb(times, f.bytes, err);
		else if (f.number == 2 && pb_is_bytes(&f))
			ok = lease_pb(times, f.bytes, err);
	}
	return ok && (!pb.is_bad || fail(err, ERR_REMOTE, "broken protobuf in the list of Leases"));
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* wall_parse() has milliseconds; the digits after them are added as they stand. */
static int64_t micro_parse(const char *text)
{
	struct wall at;
	if (text == NULL || !wall_parse(str_of(text), &at) || at.ms < 0 || at.ms / SEC > SECONDS_MAX)
		return 0;
	const char *dot = strchr(text, '.');
	int64_t rest = 0;
	for (int i = 1; dot != NULL && i <= 6; i++) {
		if (dot[i] < '0' || dot[i] > '9')
			return at.ms * 1000; /* fewer digits: nothing is lost */
		if (i > 3)
			rest = rest * 10 + (dot[i] - '0');
	}
	return at.ms * 1000 + rest;
}

static bool page_json(struct lease_times *times, struct str body, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = json_parse(body, err);
	if (json == NULL)
		return false;
	const char *kind = json_text_or(json, "kind", "");
	const json_t *items = json_object_get(json, "items");
	if (!text_eq(kind, "LeaseList") || !json_is_array(items))
		return not_leases(str_of(kind), err);
	bool ok = token_keep(times, str_of(json_text(json, "metadata.continue")), err);
	for (size_t i = 0; ok && i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		ok = take(times, str_of(json_text(item, "metadata.name")),
			  micro_parse(json_text(item, "spec.renewTime")), err);
	}
	return ok;
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

bool lease_times_page(struct lease_times *times, const struct http_answer *answer, struct err *err)
{
	struct str type = http_header(answer, "content-type");
	bool is_json = type.n >= 16 && memcmp(type.p, "application/json", 16) == 0;
	times->continue_token[0] = '\0';
	return is_json ? page_json(times, answer->body, err) : page_pb(times, answer->body, err);
}

static int by_node(const void *a, const void *b)
{
	const struct lease_time *one = a;
	const struct lease_time *other = b;
	int order = strcmp(one->node, other->node);
	return order != 0 ? order : (one->renewed > other->renewed) - (one->renewed < other->renewed);
}

void lease_times_sort(struct lease_times *times)
{
	if (times->count > 1)
		qsort(times->list, times->count, sizeof *times->list, by_node);
	size_t kept = 0;
	for (size_t i = 0; i < times->count; i++) {
		if (i + 1 < times->count && strcmp(times->list[i].node, times->list[i + 1].node) == 0)
			continue;
		times->list[kept++] = times->list[i];
	}
	times->count = kept;
}
