/* Bytes as a page of Leases, as protobuf or (first byte '{') as JSON: what is taken is sound, and sorting keeps it so.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/lease_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RENEWED_MAX (INT64_C(253402300800) * 1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lease_times times = { 0 };
	struct err err = { 0 };
	struct arena arena;
	bool is_json = size > 0 && data[0] == '{';
	struct http_answer answer = {
		.status = 200,
		.headers = str_of(is_json ? "content-type: application/json\n"
					  : "content-type: application/vnd.kubernetes.protobuf\n"),
		.body = { (const char *)data, size },
	};
	arena_init(&arena);
	bool ok = lease_times_page(&times, &answer, &err);
	if (!ok && err.text[0] == '\0')
		abort();
	if (ok) {
		(void)lease_times_path(&arena, &times);
		(void)lease_times_page(&times, &answer, &err); /* a second page with the same names */
	}
	lease_times_sort(&times);
	for (size_t i = 0; i < times.count; i++) {
		if (times.list[i].node[0] == '\0' || times.list[i].renewed < 0 || times.list[i].renewed > RENEWED_MAX)
			abort();
		if (i > 0 && strcmp(times.list[i - 1].node, times.list[i].node) >= 0)
			abort();
	}
	lease_times_done(&times);
	arena_done(&arena);
	return 0;
}
