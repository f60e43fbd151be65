/* Bytes as a NodeList, in two different cuts: both must see the same. And as an error answer. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/reflector.h"
#include "kube/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take_item(void *ctx, struct str item, struct err *err)
{
	size_t *sum = ctx;
	(void)err;
	*sum += item.n;
	for (size_t i = 0; i < item.n; i++)
		*sum = *sum * 31 + (unsigned char)item.p[i];
	return true;
}

static bool run(const uint8_t *data, size_t size, size_t piece, size_t *out_sum)
{
	struct split split;
	struct err err;
	bool ok = true;
	*out_sum = 0;
	split_init(&split, take_item, out_sum);
	for (size_t at = 0; ok && at < size; at += piece)
		ok = split_push(&split, (struct str){ (const char *)data + at, size - at < piece ? size - at : piece },
				&err);
	ok = split_end(&split, &err) && ok;
	split_done(&split);
	return ok;
}

static void refuse(const uint8_t *data, size_t size)
{
	struct store *store = store_new();
	struct reflector *reflector = reflector_new(store);
	struct now now = { { 1000 }, { 1000 } };
	struct rng rng = { 1 };
	struct arena arena;
	struct reflector_request request;
	arena_init(&arena);
	(void)reflector_poll(reflector, now, &rng, &arena, &request);
	static const char *const types[] = { "content-type: application/vnd.kubernetes.protobuf\n",
					     "content-type: application/json\n", "content-type: text/plain\n" };
	reflector_done(reflector, &(struct http_answer){ .status = 500,
							 .headers = str_of(types[size % 3]),
							 .body = { (const char *)data, size } });
	(void)reflector_turn(reflector, now, &rng);
	if (reflector_trouble(reflector)[0] == '\0')
		abort();
	arena_done(&arena);
	reflector_free(reflector);
	store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole = 0;
	size_t pieces = 0;
	bool is_whole_fine = run(data, size, size > 0 ? size : 1, &whole);
	bool is_pieces_fine = run(data, size, 3, &pieces);
	if (is_whole_fine != is_pieces_fine || whole != pieces)
		abort();
	refuse(data, size);
	return 0;
}
