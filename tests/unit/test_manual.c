/* The manual has every hold reason and every rung in its tables, and no reason that does not exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#undef fail

#include "base/mem.h"
#include "core/hold.h"
#include "core/rung.h"

static char *manual(void)
{
	char path[4096];
	const char *slash = strrchr(__FILE__, '/');
	(void)snprintf(path, sizeof path, "%.*s/../../docs/operations.md", (int)(slash - __FILE__), __FILE__);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = xcalloc(1, 131072);
	assert_in_range(fread(text, 1, 131071, file), 1000, 131070);
	(void)fclose(file);
	return text;
}

static void has_row(const char *text, const char *name)
{
	char row[64];
	(void)snprintf(row, sizeof row, "\n| `%s` |", name);
	if (strstr(text, row) == NULL) {
		print_error("docs/operations.md has no row for %s\n", name);
		_fail(__FILE__, __LINE__);
	}
}

static void each_has_its_row(void **state)
{
	(void)state;
	char *text = manual();
	for (int i = 0; i < HOLDS_COUNT; i++)
		has_row(text, hold_name((enum hold)i));
#define ROW(id, ...) has_row(text, rung_name(id));
	RUNGS(ROW)
#undef ROW
	free(text);
}

static void no_reason_is_invented(void **state)
{
	(void)state;
	char *text = manual();
	char *at = strstr(text, "\n| reason |");
	assert_non_null(at);
	int rows = 0;
	for (char *row = strstr(at, "\n| `"); row != NULL; row = strstr(row + 1, "\n| `")) {
		if (memchr(at, '#', (size_t)(row - at)) != NULL)
			break; /* the next section */
		bool is_known = false;
		for (int i = 0; i < HOLDS_COUNT; i++) {
			const char *name = hold_name((enum hold)i);
			is_known =
				is_known || (strncmp(row + 4, name, strlen(name)) == 0 && row[4 + strlen(name)] == '`');
		}
		assert_true(is_known);
		rows++;
	}
	assert_int_equal(rows, HOLDS_COUNT);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_has_its_row),
					    cmocka_unit_test(no_reason_is_invented) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
