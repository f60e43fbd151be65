/* Takes a protobuf watch stream apart while it arrives: frames of a 4-byte big-endian length and a WatchEvent each. */
#ifndef MAH_KUBE_FRAME_H
#define MAH_KUBE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "kube/wire.h"

struct frame {
	/* Called with the bytes of each frame; false stops with the error that it left. */
	bool (*event)(void *ctx, struct str bytes, struct err *err);
	void *ctx;
	unsigned char head[4];
	size_t head_bytes;
	uint32_t length; /* once head_bytes is 4 */
	bool is_failed;
	struct buf part;
};
void frame_init(struct frame *, bool (*event)(void *ctx, struct str bytes, struct err *err), void *ctx);
void frame_done(struct frame *);
bool frame_push(struct frame *, struct str chunk, struct err *err);
/* Nothing of an unfinished frame is held: the stream may end here. */
bool frame_is_between(const struct frame *);

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };
struct watch_event {
	enum watch_type type;
	struct str kind;   /* of the object: "Node", or "Status" with WATCH_ERROR */
	struct str object; /* its message, without envelope; borrowed */
};
bool watch_event_read(struct str bytes, struct watch_event *out, struct err *err);

#endif
