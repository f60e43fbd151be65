/* Takes a list of objects in protobuf (NodeList) apart while it arrives: fed in chunks of any size, hands on one item
 * at a time. An item that lies whole in a chunk is not copied; one that is cut is collected in a buffer, which is all
 * that is ever kept.
 *
 *   k8s\0 ─▶ envelope: 1 typeMeta (kept, small) · 2 raw (length L) ─▶ list: 1 ListMeta · 2 item · 2 item … (L bytes)
 *                      3, 4 … may follow raw     ◀──────────────────────────────────────────────────────────┘ */
#ifndef MAH_KUBE_SPLIT_H
#define MAH_KUBE_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pb.h"
#include "base/str.h"
#include "kube/wire.h"

/* One node, or one event of it. etcd refuses objects over 1.5 MiB by default. */
#define KUBE_OBJECT_BYTES_MAX ((size_t)8 << 20)
#define SPLIT_CONTINUE_BYTES 4096 /* a token holds a version and a name */

enum split_state { SPLIT_MAGIC, SPLIT_KEY, SPLIT_LENGTH, SPLIT_SKIP, SPLIT_COLLECT };

struct split {
	/* Called for each item; false stops the splitter with the error that it left. */
	bool (*item)(void *ctx, struct str item, struct err *err);
	void *ctx;
	const char *kind; /* of the list; split_init() sets "NodeList" */

	/* Results, whole when split_end() said true. */
	char resource_version[KUBE_VERSION_BYTES];
	char continue_token[SPLIT_CONTINUE_BYTES]; /* "" on the last page */
	uint64_t items_count;

	/* the machine */
	enum split_state state;
	bool is_in_list, has_list, has_kind, is_failed;
	uint64_t list_left; /* bytes of raw that are to come */
	uint64_t varint;    /* key or length under way */
	unsigned varint_bytes;
	uint32_t number; /* of the field under way */
	enum pb_wire wire;
	uint64_t field_left; /* bytes of it that are to come */
	size_t magic_bytes;
	struct buf part;
};

void split_init(struct split *, bool (*item)(void *ctx, struct str item, struct err *err), void *ctx);
void split_done(struct split *);
/* False: the bytes are not a list of that kind, or item() refused; nothing more is taken then. */
bool split_push(struct split *, struct str chunk, struct err *err);
/* The answer is over: was it whole? */
bool split_end(struct split *, struct err *err);

#endif
