/* What the tests of the health checks share: cmocka, and two clocks that only a test moves. */
#ifndef MAH_TESTS_CHECK_FIXTURE_H
#define MAH_TESTS_CHECK_FIXTURE_H

/* cmocka wants these first, in this order */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* `fail` is a function of ours. */
#undef fail
#undef fail_msg
#define fail_msg(fmt, ...) (print_error(fmt "\n", ##__VA_ARGS__), _fail(__FILE__, __LINE__))
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/time.h"
#include "check/check.h"

#define UNUSED __attribute__((unused))

/* Fails with the name of the case. */
#define CHECK(ok, fmt, ...)                                                                                            \
	do {                                                                                                           \
		if (!(ok))                                                                                             \
			fail_msg("%s:%d: %s: " fmt, __FILE__, __LINE__, #ok, ##__VA_ARGS__);                           \
	} while (0)

#define LAB_WALL INT64_C(1795000000000)
#define LAB_MONO (1 * HOUR)

#endif
