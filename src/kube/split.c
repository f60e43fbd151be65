#include "kube/split.h"

#include <string.h>

#define SMALL_BYTES_MAX ((size_t)64 << 10) /* typeMeta and ListMeta */

void split_init(struct split *split, bool (*item)(void *ctx, struct str item, struct err *err), void *ctx)
{
	*split = (struct split){ .item = item, .ctx = ctx, .kind = "NodeList", .state = SPLIT_MAGIC };
	buf_init(&split->part, KUBE_OBJECT_BYTES_MAX);
}

void split_done(struct split *split)
{
	buf_done(&split->part);
}

static bool list_meta_read(struct split *split, struct str message, struct err *err)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	bool fits = true;
	while (fits && pb_next(&pb, &f)) {
		if (f.number == 2 && pb_is_bytes(&f))
			fits = str_copy(split->resource_version, sizeof split->resource_version, f.bytes);
		else if (f.number == 3 && pb_is_bytes(&f))
			fits = str_copy(split->continue_token, sizeof split->continue_token, f.bytes);
	}
	if (!fits)
		return fail(err, ERR_REMOTE, "a resourceVersion or continue token of the list is too long");
	return !pb.is_bad || fail(err, ERR_REMOTE, "broken protobuf in the list's metadata");
}

/* Is the field under way one that is looked at, or is it stepped over? */
static bool is_wanted(const struct split *split)
{
	if (split->wire != PB_BYTES)
		return false;
	return split->is_in_list ? split->number == 1 || split->number == 2 : split->number == 1;
}

static bool field_whole(struct split *split, struct str bytes, struct err *err)
{
	if (!split->is_in_list) { /* typeMeta */
		struct str api_version;
		struct str kind;
		if (!entry_read(bytes, &api_version, &kind) || !str_eq(kind, split->kind))
			return fail(err, ERR_REMOTE, "the answer is not a %s but \"%.*s\"", split->kind,
				    (int)(kind.n < 40 ? kind.n : 40), kind.p);
		split->has_kind = true;
		return true;
	}
	if (split->number == 1)
		return list_meta_read(split, bytes, err);
	split->items_count++;
	return split->item(split->ctx, bytes, err);
}

/* One byte of a varint; true with *out_is_whole when the number is complete in split->varint. */
static bool varint_byte(struct split *split, unsigned char byte, bool *out_is_whole, struct err *err)
{
	if (split->varint_bytes == 0)
		split->varint = 0;
	if (split->varint_bytes == PB_VARINT_BYTES_MAX || (split->varint_bytes == PB_VARINT_BYTES_MAX - 1 && byte > 1))
		return fail(err, ERR_REMOTE, "broken protobuf in a list: a number is too long");
	split->varint |= (uint64_t)(byte & 0x7f) << (7 * split->varint_bytes++);
	*out_is_whole = byte < 0x80;
	if (*out_is_whole)
		split->varint_bytes = 0;
	return true;
}

static bool key_whole(struct split *split, struct err *err)
{
	if (!pb_key(split->varint, &split->number, &split->wire))
		return fail(err, ERR_REMOTE, "broken protobuf in a list: no such kind of field");
	split->state = SPLIT_SKIP;
	switch (split->wire) {
	case PB_FIXED64:
		split->field_left = 8;
		break;
	case PB_FIXED32:
		split->field_left = 4;
		break;
	case PB_VARINT: /* its value is read where lengths are, and forgotten */
	case PB_BYTES:
		split->state = SPLIT_LENGTH;
		return true;
	}
	if (split->is_in_list && split->field_left > split->list_left)
		return fail(err, ERR_REMOTE, "broken protobuf in a list: a field reaches over its end");
	return true;
}

static bool length_whole(struct split *split, struct err *err)
{
	split->state = SPLIT_KEY;
	if (split->wire == PB_VARINT)
		return true;
	split->field_left = split->varint;
	if (split->is_in_list && split->field_left > split->list_left)
		return fail(err, ERR_REMOTE, "broken protobuf in a list: a field reaches over its end");
	if (!split->is_in_list && split->number == 2) {
		if (split->has_list || !split->has_kind)
			return fail(err, ERR_REMOTE, "the answer has no kind, or more than one list");
		split->is_in_list = split->has_list = true;
		split->list_left = split->field_left;
		return true;
	}
	if (!is_wanted(split)) {
		split->state = SPLIT_SKIP;
		return true;
	}
	bool is_item = split->is_in_list && split->number == 2;
	size_t bytes_max = is_item ? KUBE_OBJECT_BYTES_MAX : SMALL_BYTES_MAX;
	if (split->field_left > bytes_max)
		return fail(err, ERR_LIMIT, "a part of the list has more than %zu bytes", bytes_max);
	split->state = SPLIT_COLLECT;
	buf_clear(&split->part);
	return true;
}

/* Counts N bytes of the list as taken. */
static void take(struct split *split, size_t n)
{
	if (split->is_in_list)
		split->list_left -= n;
}

static bool push_number(struct split *split, unsigned char byte, struct err *err)
{
	bool is_whole = false;
	take(split, 1);
	if (!varint_byte(split, byte, &is_whole, err))
		return false;
	if (!is_whole)
		return (!split->is_in_list || split->list_left > 0) ||
		       fail(err, ERR_REMOTE, "broken protobuf in a list: a number reaches over its end");
	return split->state == SPLIT_KEY ? key_whole(split, err) : length_whole(split, err);
}

/* As much of the field under way as the chunk has. Returns the bytes used in *out_n. */
static bool push_field(struct split *split, struct str chunk, size_t *out_n, struct err *err)
{
	size_t n = chunk.n < split->field_left ? chunk.n : (size_t)split->field_left;
	bool is_whole = n == split->field_left;
	take(split, n);
	split->field_left -= n;
	*out_n = n;
	if (split->state == SPLIT_SKIP) {
		split->state = is_whole ? SPLIT_KEY : SPLIT_SKIP;
		return true;
	}
	struct str bytes = { chunk.p, n };
	if (!is_whole || split->part.n > 0) {
		if (!buf_add(&split->part, bytes.p, n)) /* the length was checked: cannot happen */
			return fail(err, ERR_LIMIT, "a part of the list is too long");
		bytes = buf_str(&split->part);
	}
	if (!is_whole)
		return true;
	split->state = SPLIT_KEY;
	return field_whole(split, bytes, err);
}

static bool push_magic(struct split *split, char byte, struct err *err)
{
	if (byte != KUBE_MAGIC[split->magic_bytes])
		return fail(err, ERR_REMOTE, "the answer is not a Kubernetes protobuf object");
	if (++split->magic_bytes == KUBE_MAGIC_BYTES)
		split->state = SPLIT_KEY;
	return true;
}

/* One step: at least one byte is used, or a field of length 0 ends. */
static bool push_some(struct split *split, struct str chunk, size_t *out_n, struct err *err)
{
	*out_n = 1;
	switch (split->state) {
	case SPLIT_MAGIC:
		return push_magic(split, chunk.p[0], err);
	case SPLIT_KEY:
	case SPLIT_LENGTH:
		return push_number(split, (unsigned char)chunk.p[0], err);
	case SPLIT_SKIP:
	case SPLIT_COLLECT:
		return push_field(split, chunk, out_n, err);
	}
	return false;
}

/* What ends without another byte: fields of length 0, and the list itself. */
static bool settle(struct split *split, struct err *err)
{
	size_t none = 0;
	bool is_field = split->state == SPLIT_SKIP || split->state == SPLIT_COLLECT;
	if (is_field && split->field_left == 0 && !push_field(split, STR(""), &none, err))
		return false;
	if (split->is_in_list && split->list_left == 0 && split->state == SPLIT_KEY && split->varint_bytes == 0)
		split->is_in_list = false;
	return true;
}

bool split_push(struct split *split, struct str chunk, struct err *err)
{
	if (split->is_failed)
		return fail(err, ERR_REMOTE, "the list broke off before");
	while (chunk.n > 0) {
		size_t n = 0;
		if (!push_some(split, chunk, &n, err) || !settle(split, err)) {
			split->is_failed = true;
			return false;
		}
		chunk = (struct str){ chunk.p + n, chunk.n - n };
	}
	return true;
}

bool split_end(struct split *split, struct err *err)
{
	if (split->is_failed)
		return fail(err, ERR_REMOTE, "the list broke off before");
	if (split->state != SPLIT_KEY || split->varint_bytes > 0 || split->is_in_list || !split->has_list)
		return fail(err, ERR_REMOTE, "the list is cut off");
	if (split->resource_version[0] == '\0')
		return fail(err, ERR_REMOTE, "the list has no resourceVersion");
	return true;
}
