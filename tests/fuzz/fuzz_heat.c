/* What Heat may say, and what the recipes make of it: every hear function on any status, JSON and Location. The first
 * two bytes choose recipe and step, the third the status. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "cloud/openstack/heat.h"
#include "cloud/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(const uint8_t choice[3], const json_t *json, const char *location)
{
	static const int statuses[] = { 200, 202, 204, 302, 400, 403, 404, 409, 422, 429, 500, 0 };
	static const struct op_facts facts = {
		.server = "535af63d-1", .server_name = "k8s-node-1", .stack = "59aaea0f", .is_worker = true
	};
	size_t count = 0;
	while (provider_openstack.recipes[count] != NULL)
		count++;
	const struct recipe *recipe = provider_openstack.recipes[choice[0] % count];
	struct op op = { .recipe = recipe, .at = choice[1] % recipe->steps_count, .facts = facts };
	op.is_touched = choice[2] >= 128; /* a failure may lead somewhere else when the server was stopped */
	struct answer answer = { .status = statuses[choice[2] % COUNT(statuses)], .json = json, .location = location };
	if (op_step(&op)->hear(&op, &answer) == V_GOTO && op.next == NULL)
		abort();
	struct arena arena;
	struct ask ask = { 0 };
	arena_init(&arena);
	op_step(&op)->ask(&op, &arena, &ask);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char tail[64];
	char resource[512];
	if (size < 3)
		return 0;
	json_t *json = json_parse((struct str){ (const char *)data + 3, size - 3 }, NULL);
	char *text = xstrndup((const char *)data + 3, size - 3);
	if (heat_tail(text, tail, sizeof tail) &&
	    (tail[0] == '\0' || tail[0] == '/' || strpbrk(tail, " \r\n?#") != NULL))
		abort();
	if (json != NULL)
		(void)heat_find_server(json, "535af63d-1", resource, sizeof resource);
	if (heat_sibling(text, "vol", resource, sizeof resource) && strstr(resource, "/resources/vol") == NULL)
		abort();
	hear(data, json, text);
	json_decref(json);
	free(text);
	return 0;
}
