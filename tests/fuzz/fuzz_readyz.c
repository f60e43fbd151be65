/* What a node may answer to a probe: any status, error and body, read by each check that probes. Whatever it says, the
 * finding is short, one line, printable, and of the right kind. The first byte chooses the check and whether a token is
 * wanted, the second the status. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check/check.h"
#include "check/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void expect_printable(const char *text)
{
	for (; *text != '\0'; text++)
		expect(*text >= ' ' && *text <= '~');
}

static void hear(const uint8_t choice[2], struct str body)
{
	static const int statuses[] = { 200, 204, 302, 401, 403, 404, 500, 503, 599, 999, -1, 100 };
	static char https[] = "HTTPS", path[] = "/readyz?verbose";
	static char *paths[] = { path };
	struct conf_check conf = { .protocol = https,
				   .port = 6443,
				   .timeout_ms = 5000,
				   .endpoints = paths,
				   .endpoints_count = 1,
				   .is_token_required = (choice[0] & 2) != 0 };
	struct http_answer answer = { .status = statuses[choice[1] % COUNT(statuses)], .body = body };
	const struct check_ops *ops = (choice[0] & 1) != 0 ? &check_kubelet : &check_endpoint;
	struct finding finding;
	ops->hear(&conf, 0, &answer, &finding);
	expect(strlen(finding.why) < FINDING_WHY_BYTES);
	expect_printable(finding.why);
	expect((finding.health == HEALTH_BAD) == (finding.symptom == SYMPTOM_GUEST_ANSWERS));
	expect(answer.status != 200 || finding.health == HEALTH_OK);
	expect(answer.status < 404 || finding.health == HEALTH_BAD);
}

static void items(struct str body)
{
	static const size_t sizes[] = { 1, 2, 5, 41, 96, 400 };
	char whole[400];
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *out = xmalloc(sizes[i]); /* so that the sanitizer sees the first byte beyond */
		reading_failing_items(body, out, sizes[i]);
		expect(strlen(out) < sizes[i]);
		expect_printable(out);
		if (sizes[i] == sizeof whole)
			memcpy(whole, out, sizeof whole);
		free(out);
	}
	expect(strlen(whole) < 190); /* four of 40 and what joins them */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	/* A copy of exactly that size, and none at all for an empty body. */
	char *copy = size > 2 ? xmalloc(size - 2) : NULL;
	if (copy != NULL)
		memcpy(copy, data + 2, size - 2);
	struct str body = { copy, size - 2 };
	hear(data, body);
	items(body);
	free(copy);
	return 0;
}
