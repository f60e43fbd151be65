/* What others write on a Node to say that it is theirs (law L11). One table: the store keeps just these annotations,
 * the brake holds back, the manual lists them. */
#ifndef MAH_CORE_MARKS_H
#define MAH_CORE_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "core/facts.h"
#include "core/hold.h"

enum mark_where { MARK_TAINT, MARK_ANNOTATION };
struct mark {
	enum mark_where where;
	const char *key;   /* whole, or, ending in '*', a beginning */
	const char *value; /* NULL: any but "false" and "" of an annotation; any of a taint */
	const char *who;   /* "the cluster autoscaler" */
	enum hold hold;
	bool is_repair; /* somebody is at work on the node: it takes a slot of the budget */
};
size_t marks_count(void);
const struct mark *marks(void);

/* The first mark of somebody else on this node; NULL: none. */
const struct mark *mark_of_others(const struct node *);
/* Does an annotation of this key matter to anybody here? Ours and those of the table do. */
bool mark_is_wanted(struct str key);

#endif
