/* Health checks. A check is either a judge of facts that are there already, or a probe whose findings are kept. To add
 * one: a file like node_condition.c and a line in registry.c. */
#ifndef MAH_CHECK_CHECK_H
#define MAH_CHECK_CHECK_H

#include "conf/conf.h"
#include "core/snapshot.h"

struct check_ops {
	const char *type; /* as in the configuration */
	/* Pure: facts in, finding out. *out may be NULL when only the health is wanted. */
	enum health (*judge)(const struct conf_check *, const struct node *, struct wall now, struct finding *out);
};
extern const struct check_ops check_node_condition;
extern const struct check_ops check_endpoint;
const struct check_ops *check_find(const char *type); /* NULL: unknown */

/* The configured checks as the core's judge wants them. */
struct checks;
struct checks *checks_new(const struct config *);
void checks_free(struct checks *);
void checks_checker(const struct checks *, struct checker *out);

#endif
