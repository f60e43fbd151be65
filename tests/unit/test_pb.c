/* The wire cursor: each wire type, each way to break it, and a model test against the writer. */
#include "kube_fixture.h"

#include "base/pb.h"
#include "base/rand.h"

static void reads_each_wire_type(void **state)
{
	(void)state;
	static const char bytes[] = "\x08\x96\x01"                         /* 1: varint 150 */
				    "\x11\x01\x02\x03\x04\x05\x06\x07\x08" /* 2: fixed64 */
				    "\x1a\x03"
				    "abc"                  /* 3: bytes */
				    "\x25\x78\x56\x34\x12" /* 4: fixed32 */
				    "\x2a\x00";            /* 5: empty bytes */
	struct pb pb = pb_of(STR(bytes));
	struct pb_field f;
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.number, 1);
	assert_true(pb_is_varint(&f));
	assert_int_equal(f.value, 150);
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.wire, PB_FIXED64);
	assert_true(f.value == UINT64_C(0x0807060504030201));
	assert_true(pb_next(&pb, &f));
	assert_true(pb_is_bytes(&f) && str_eq(f.bytes, "abc"));
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.wire, PB_FIXED32);
	assert_int_equal(f.value, 0x12345678);
	assert_true(pb_next(&pb, &f));
	assert_int_equal(f.number, 5);
	assert_int_equal(f.bytes.n, 0);
	assert_false(pb_next(&pb, &f));
	assert_false(pb.is_bad);
}

static void refuses_broken_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct str bytes;
	} cases[] = {
		{ "key without value", STR("\x08") },
		{ "varint without end", STR("\x08\xff\xff") },
		{ "varint of eleven bytes", STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") },
		{ "varint over 64 bits", STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02") },
		{ "length over the end", STR("\x0a\x05"
					     "abc") },
		{ "length of 2^64-1", STR("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
					  "a") },
		{ "fixed32 cut", STR("\x0d\x01\x02\x03") },
		{ "fixed64 cut", STR("\x09\x01\x02\x03\x04\x05\x06\x07") },
		{ "field number 0", STR("\x00\x01") },
		{ "group start", STR("\x0b\x0c") },
		{ "wire type 7", STR("\x0f\x01") },
		{ "field number over 29 bits", STR("\x80\x80\x80\x80\x10\x01") },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pb pb = pb_of(cases[i].bytes);
		struct pb_field f;
		while (pb_next(&pb, &f))
			;
		if (!pb.is_bad)
			fail_msg("%s: accepted", cases[i].name);
		assert_false(pb_next(&pb, &f)); /* and stays refused */
	}
}

static void takes_the_largest_number(void **state)
{
	(void)state;
	struct pb pb = pb_of(STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	struct pb_field f;
	assert_true(pb_next(&pb, &f));
	assert_true(f.value == UINT64_MAX);
	pb = pb_of((struct str){ NULL, 0 });
	assert_false(pb_next(&pb, &f));
	assert_false(pb.is_bad);
}

static void reads_what_was_written(void **state)
{
	(void)state;
	struct rng rng = { 42 };
	for (int round = 0; round < 500; round++) {
		struct buf out = new_buf();
		uint64_t values[16];
		uint32_t numbers[16];
		size_t count = rng_below(&rng, 16);
		for (size_t i = 0; i < count; i++) {
			numbers[i] = (uint32_t)rng_below(&rng, (1u << 29) - 1) + 1;
			values[i] = rng_next(&rng) >> rng_below(&rng, 64);
			put_int(&out, numbers[i], values[i]);
		}
		struct pb pb = pb_of(buf_str(&out));
		struct pb_field f;
		for (size_t i = 0; i < count; i++) {
			assert_true(pb_next(&pb, &f));
			assert_int_equal(f.number, numbers[i]);
			assert_true(f.value == values[i]);
		}
		assert_false(pb_next(&pb, &f));
		assert_false(pb.is_bad);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_wire_type),
		cmocka_unit_test(refuses_broken_bytes),
		cmocka_unit_test(takes_the_largest_number),
		cmocka_unit_test(reads_what_was_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
