/* Turn memory: alignment, zeroes, growth over blocks, reuse after a reset. And the two small helpers beside it. */
#include "core_fixture.h"

static void gives_zeroed_aligned_memory(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	struct rng rng = { 1 };
	for (int turn = 0; turn < 5; turn++) {
		for (int i = 0; i < 500; i++) {
			size_t bytes = rng_below(&rng, 2000);
			unsigned char *p = arena_alloc(&arena, bytes);
			assert_int_equal((uintptr_t)p % sizeof(max_align_t) % _Alignof(max_align_t), 0);
			for (size_t k = 0; k < bytes; k++)
				assert_int_equal(p[k], 0);
			memset(p, 0xaa, bytes); /* the next turn must not see this */
		}
		arena_reset(&arena);
	}
	arena_done(&arena);
}

static void grows_over_blocks_without_moving(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	char *texts[2000];
	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < COUNT(texts); i++)
			texts[i] = arena_printf(&arena, "%zu:%0*d", i, (int)(i % 300) + 1, (int)i);
		/* larger than any block, also when blocks of an earlier turn are too small for it */
		char *large = arena_alloc(&arena, 300000 + (size_t)turn * 100000);
		memset(large, 'x', 300000 + (size_t)turn * 100000);
		for (size_t i = 0; i < COUNT(texts); i++) {
			char expected[512];
			(void)snprintf(expected, sizeof expected, "%zu:%0*d", i, (int)(i % 300) + 1, (int)i);
			assert_string_equal(texts[i], expected);
		}
		arena_reset(&arena);
	}
	arena_done(&arena);
	arena_done(&arena); /* an empty one may be ended again */
}

static void a_steady_turn_allocates_nothing(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	void *first[50];
	for (int turn = 0; turn < 4; turn++) {
		for (size_t i = 0; i < COUNT(first); i++) {
			void *p = arena_alloc(&arena, 10000);
			if (turn == 0)
				first[i] = p;
			assert_ptr_equal(p, first[i]);
		}
		arena_reset(&arena);
	}
	arena_done(&arena);
}

static void copies_texts(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	char text[] = "abc";
	char *copy = arena_strdup(&arena, text);
	text[0] = 'x';
	assert_string_equal(copy, "abc");
	assert_string_equal(arena_strdup(&arena, ""), "");
	assert_string_equal(arena_printf(&arena, "%s-%d", "n", 7), "n-7");
	int *numbers = arena_array(&arena, int, 3);
	assert_int_equal(numbers[2], 0);
	arena_done(&arena);
}

static void owned_texts_and_stealing(void **state)
{
	(void)state;
	assert_null(xstrdup(NULL));
	char *a = xstrndup("abcdef", 3);
	assert_string_equal(a, "abc");
	char *b = steal(a);
	assert_null(a);
	b = xrealloc(b, 0); /* never NULL */
	assert_non_null(b);
	free(b);
	free(xcalloc(0, 0));
	free(xmalloc(0));
}

static void randomness_is_repeatable(void **state)
{
	(void)state;
	struct rng a = { 42 };
	struct rng b = { 42 };
	int heads = 0;
	for (int i = 0; i < 10000; i++) {
		assert_true(rng_next(&a) == rng_next(&b));
		assert_true(rng_below(&a, 7) < 7 && rng_below(&b, 7) < 7);
		double x = rng_unit(&a);
		assert_true(x >= 0 && x < 1);
		assert_true(rng_unit(&b) == x); /* NOLINT: the very same bits */
		heads += rng_chance(&a, 0.5);
		(void)rng_chance(&b, 0.5);
	}
	assert_in_range(heads, 4700, 5300);
	assert_false(rng_chance(&a, 0));
	assert_true(rng_chance(&a, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_aligned_memory),     cmocka_unit_test(grows_over_blocks_without_moving),
		cmocka_unit_test(a_steady_turn_allocates_nothing), cmocka_unit_test(copies_texts),
		cmocka_unit_test(owned_texts_and_stealing),        cmocka_unit_test(randomness_is_repeatable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
