/* Bytes as one ConfigMap, and as a watch stream of ConfigMaps through the whole reflector: bounded text, no crash, and
 * what is refused changes nothing. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kube/state_object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct str bytes)
{
	struct state_object *state = state_object_new("kube-system", "st", "pauses.json", "state.json");
	struct err err;
	bool ok = state_object_put(state, bytes, &err);
	uint64_t changes = state_object_changes(state);
	if (state_object_text(state).n > STATE_TEXT_BYTES_MAX || changes > 1 ||
	    (!ok && (changes > 0 || state_object_exists(state))))
		abort();
	if (ok && (!state_object_put(state, bytes, &err) || state_object_changes(state) != changes))
		abort();
	state_object_free(state);
}

static void watch(struct str bytes)
{
	struct state_object *state = state_object_new("kube-system", "st", "pauses.json", "state.json");
	struct reflector *reflector = reflector_new_for(state_object_target(state));
	struct now now = { { 1000 }, { 1000 } };
	struct rng rng = { bytes.n };
	struct arena arena;
	struct reflector_request request;
	arena_init(&arena);
	if (!reflector_poll(reflector, now, &rng, &arena, &request))
		abort();
	reflector_head(reflector, &(struct http_answer){ .status = 200, .headers = STR(""), .body = STR("") });
	reflector_bytes(reflector, bytes);
	now.mono.ms += 10;
	bool is_broken = reflector_turn(reflector, now, &rng);
	if (is_broken && reflector_is_fresh(reflector, now))
		abort();
	if (!state_object_exists(state) && state_object_text(state).n > 0)
		abort();
	arena_done(&arena);
	reflector_free(reflector);
	state_object_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data, size };
	put(bytes);
	watch(bytes);
	return 0;
}
