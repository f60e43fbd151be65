/* A request's target cut into what handlers ask for: the parts of its path and the parameters of its query, decoded. */
#ifndef MAH_SIM_TARGET_H
#define MAH_SIM_TARGET_H

#include <stdbool.h>
#include <stddef.h>

struct target {
	char path[2048];
	const char *parts[10]; /* "/api/v1/nodes" has three */
	size_t parts_count;
	char query[4096];
	struct {
		const char *key, *value;
	} params[24];
	size_t params_count;
};
/* False: too long, too many parts, or a broken escape; then counts are what was understood. */
bool target_parse(struct target *, const char *text);
const char *target_param(const struct target *, const char *key); /* NULL: not there */

#endif
