/* Collecting what is wrong with a configuration. */
#ifndef MAH_CONF_PROBLEM_H
#define MAH_CONF_PROBLEM_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"
#include "conf/yaml.h"

/* Both return false, so that `return problem(...)` reads well. */
bool problem(struct conf_problems *, const struct ynode *at, const char *fmt, ...) PRINTF(3, 4);
bool problem_at(struct conf_problems *, unsigned line, unsigned column, const char *text);
void problem_warn(struct conf_problems *, const struct ynode *at, const char *fmt, ...) PRINTF(3, 4);
void problems_sort(struct conf_problems *);

/* Somebody's text in a message: cut to what is worth reading, and never a control character of it. */
#define SHOWN_BYTES 56
const char *shown(const char *text, char out[SHOWN_BYTES]);

#endif
