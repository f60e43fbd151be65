/* Bytes as a watch stream in pieces, into the whole reflector: bounded, no crash, and never fresh without a bookmark.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kube/reflector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store *store = store_new();
	struct reflector *reflector = reflector_new(store);
	struct now now = { { 1000 }, { 1000 } };
	struct rng rng = { size };
	struct arena arena;
	struct reflector_request request;
	size_t piece = size > 0 ? 1 + data[0] : 1; /* the first byte says how large the pieces are */
	arena_init(&arena);
	if (!reflector_poll(reflector, now, &rng, &arena, &request))
		abort();
	reflector_head(reflector, &(struct http_answer){ .status = 200, .headers = STR(""), .body = STR("") });
	bool is_broken = false;
	for (size_t at = 1; at < size && !is_broken; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		reflector_bytes(reflector, (struct str){ (const char *)data + at, n });
		now.mono.ms += 10;
		is_broken = reflector_turn(reflector, now, &rng);
	}
	if (is_broken && reflector_is_fresh(reflector, now))
		abort();
	if (!is_broken) {
		reflector_done(reflector, &(struct http_answer){ .status = 200, .headers = STR(""), .body = STR("") });
		(void)reflector_turn(reflector, now, &rng);
	}
	now.mono.ms = reflector_due(reflector).ms + 60000;
	if (!reflector_poll(reflector, now, &rng, &arena, &request))
		abort();
	arena_done(&arena);
	reflector_free(reflector);
	store_free(store);
	return 0;
}
