#include "kube/frame.h"

#include <string.h>

#include "base/pb.h"
#include "kube/split.h"

void frame_init(struct frame *frame, bool (*event)(void *ctx, struct str bytes, struct err *err), void *ctx)
{
	*frame = (struct frame){ .event = event, .ctx = ctx };
	buf_init(&frame->part, KUBE_OBJECT_BYTES_MAX);
}

void frame_done(struct frame *frame)
{
	buf_done(&frame->part);
}

bool frame_is_between(const struct frame *frame)
{
	return frame->head_bytes == 0;
}

static bool push_head(struct frame *frame, unsigned char byte, struct err *err)
{
	frame->head[frame->head_bytes++] = byte;
	if (frame->head_bytes < sizeof frame->head)
		return true;
	frame->length = (uint32_t)frame->head[0] << 24 | (uint32_t)frame->head[1] << 16 |
			(uint32_t)frame->head[2] << 8 | frame->head[3];
	buf_clear(&frame->part);
	if (frame->length == 0)
		return fail(err, ERR_REMOTE, "an empty frame in the watch");
	if (frame->length > KUBE_OBJECT_BYTES_MAX)
		return fail(err, ERR_LIMIT, "a frame of the watch has %u bytes", (unsigned)frame->length);
	return true;
}

/* As much of the frame under way as the chunk has; whole in the chunk, it is not copied. */
static bool push_body(struct frame *frame, struct str chunk, size_t *out_n, struct err *err)
{
	size_t missing = frame->length - frame->part.n;
	size_t n = chunk.n < missing ? chunk.n : missing;
	struct str bytes = { chunk.p, n };
	*out_n = n;
	if (n < missing || frame->part.n > 0) {
		if (!buf_add(&frame->part, chunk.p, n)) /* the length was checked: cannot happen */
			return fail(err, ERR_LIMIT, "a frame of the watch is too long");
		bytes = buf_str(&frame->part);
	}
	if (n < missing)
		return true;
	frame->head_bytes = 0;
	bool ok = frame->event(frame->ctx, bytes, err);
	buf_clear(&frame->part);
	return ok;
}

bool frame_push(struct frame *frame, struct str chunk, struct err *err)
{
	if (frame->is_failed)
		return fail(err, ERR_REMOTE, "the watch broke off before");
	while (chunk.n > 0) {
		size_t n = 1;
		bool ok = frame->head_bytes < sizeof frame->head ? push_head(frame, (unsigned char)chunk.p[0], err)
								 : push_body(frame, chunk, &n, err);
		if (!ok) {
			frame->is_failed = true;
			return false;
		}
		chunk = (struct str){ chunk.p + n, chunk.n - n };
	}
	return true;
}

static bool type_parse(struct str text, enum watch_type *out)
{
	static const struct {
		const char *name;
		enum watch_type type;
	} types[] = { { "ADDED", WATCH_ADDED },
		      { "MODIFIED", WATCH_MODIFIED },
		      { "DELETED", WATCH_DELETED },
		      { "BOOKMARK", WATCH_BOOKMARK },
		      { "ERROR", WATCH_ERROR } };
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (str_eq(text, types[i].name)) {
			*out = types[i].type;
			return true;
		}
	}
	return false;
}

/* RawExtension{1 raw}: the object in its own envelope. */
static bool raw_read(struct str message, struct str *out)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f))
			*out = f.bytes;
	}
	return !pb.is_bad;
}

bool watch_event_read(struct str bytes, struct watch_event *out, struct err *err)
{
	struct str type = STR("");
	struct str raw = STR("");
	struct watch_event event = { .type = WATCH_ERROR };
	struct envelope envelope;
	struct pb pb = pb_of(bytes);
	struct pb_field f;
	bool ok = true;
	while (ok && pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f))
			type = f.bytes;
		else if (f.number == 2 && pb_is_bytes(&f))
			ok = raw_read(f.bytes, &raw);
	}
	if (!ok || pb.is_bad)
		return fail(err, ERR_REMOTE, "broken protobuf in an event of the watch");
	if (!type_parse(type, &event.type))
		return fail(err, ERR_REMOTE, "an event of unknown type in the watch");
	if (!envelope_read(raw, &envelope, err))
		return false;
	event.kind = envelope.kind;
	event.object = envelope.raw;
	*out = event;
	return true;
}
