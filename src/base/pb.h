/* A cursor over one protobuf message: bounds-checked, borrowed, nothing allocated. The caller loops over the fields it
 * knows and ignores the others; skipping a field is one addition, however large the field is.
 *
 *   struct pb pb = pb_of(bytes);
 *   struct pb_field f;
 *   while (pb_next(&pb, &f))
 *           if (f.number == 1 && pb_is_bytes(&f)) name = f.bytes;
 *   return !pb.is_bad;
 */
#ifndef MAH_BASE_PB_H
#define MAH_BASE_PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Groups (3 and 4) are refused: nobody writes them any more, and they need recursion. */
enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

#define PB_VARINT_BYTES_MAX 10

struct pb {
	const unsigned char *at;
	const unsigned char *end;
	bool is_bad; /* the message broke the wire format; what was read before may still be looked at */
};

struct pb_field {
	uint32_t number;
	enum pb_wire wire;
	uint64_t value;   /* PB_VARINT, PB_FIXED64, PB_FIXED32 */
	struct str bytes; /* PB_BYTES: looks into the message */
};

static inline struct pb pb_of(struct str bytes)
{
	const unsigned char *p = (const unsigned char *)(bytes.p != NULL ? bytes.p : "");
	return (struct pb){ .at = p, .end = p + bytes.n };
}

static inline bool pb_fail(struct pb *pb)
{
	pb->is_bad = true;
	pb->at = pb->end;
	return false;
}

static inline bool pb_varint(struct pb *pb, uint64_t *out)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < PB_VARINT_BYTES_MAX && pb->at < pb->end; i++) {
		unsigned char byte = *pb->at++;
		if (i == PB_VARINT_BYTES_MAX - 1 && byte > 1)
			break; /* would not fit into 64 bits */
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*out = value;
			return true;
		}
	}
	return pb_fail(pb);
}

static inline bool pb_fixed(struct pb *pb, size_t n, uint64_t *out)
{
	uint64_t value = 0;
	if ((size_t)(pb->end - pb->at) < n)
		return pb_fail(pb);
	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)pb->at[i] << (8 * i);
	pb->at += n;
	*out = value;
	return true;
}

/* Splits a field's key. Field numbers have 29 bits and are never 0. */
static inline bool pb_key(uint64_t key, uint32_t *out_number, enum pb_wire *out_wire)
{
	unsigned wire = (unsigned)(key & 7);
	if (key > UINT32_MAX || key >> 3 == 0 || !(wire <= 2 || wire == 5))
		return false;
	*out_number = (uint32_t)(key >> 3);
	*out_wire = (enum pb_wire)wire;
	return true;
}

/* The next field; false at the end and when the bytes are not protobuf (then is_bad). */
static inline bool pb_next(struct pb *pb, struct pb_field *out)
{
	uint64_t key = 0;
	*out = (struct pb_field){ .number = 0 };
	if (pb->at == pb->end || !pb_varint(pb, &key))
		return false;
	if (!pb_key(key, &out->number, &out->wire))
		return pb_fail(pb);
	switch (out->wire) {
	case PB_VARINT:
		return pb_varint(pb, &out->value);
	case PB_FIXED64:
		return pb_fixed(pb, 8, &out->value);
	case PB_FIXED32:
		return pb_fixed(pb, 4, &out->value);
	case PB_BYTES:
		if (!pb_varint(pb, &out->value) || out->value > (uint64_t)(pb->end - pb->at))
			return pb_fail(pb);
		out->bytes = (struct str){ (const char *)pb->at, (size_t)out->value };
		pb->at += out->value;
		return true;
	}
	return pb_fail(pb);
}

static inline bool pb_is_bytes(const struct pb_field *field)
{
	return field->wire == PB_BYTES;
}

static inline bool pb_is_varint(const struct pb_field *field)
{
	return field->wire == PB_VARINT;
}

#endif
