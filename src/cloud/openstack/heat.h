/* Heat's part of OpenStack: questions and the reading of answers; nothing else. A stack is named "NAME/ID" here, or by
 * its id alone, to which Heat answers with a redirect; a resource "NAME/ID/resources/RESOURCE". */
#ifndef MAH_CLOUD_HEAT_H
#define MAH_CLOUD_HEAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "core/ask.h"

void heat_stack(struct arena *, const char *stack, struct ask *out);
void heat_servers(struct arena *, const char *stack, struct ask *out); /* all server resources below it */
void heat_resource(struct arena *, const char *resource, struct ask *out);
void heat_mark(struct arena *, const char *resource, bool is_unhealthy, struct ask *out);
void heat_update(struct arena *, const char *stack, struct ask *out); /* with its own template; not repeatable */

/* "https://host/heat/v1/PROJECT/stacks/NAME/ID?x=y" → "NAME/ID". False when there is no such tail in it, or when it is
 * not clean or does not fit. */
bool heat_tail(const char *url, char *out, size_t bytes);

/* The resource whose server this is; "" when the list has none. False: this is not such a list. */
bool heat_find_server(const json_t *list, const char *server, char *out_resource, size_t bytes);

/* The resource of that NAME beside RESOURCE, in the same stack. False: there is no such address, or it does not fit. */
bool heat_sibling(const char *resource, const char *name, char *out, size_t bytes);

/* The server of this resource; "" when the list has no such resource, or it has none now. */
const char *heat_server_at(const json_t *list, const char *resource);

#endif
