/* What must survive a restart and a change of leader, as one small JSON document:
 *
 *   {"v":1, "leader":"host_uuid", "epoch":3, "written":"2026-…Z", "ops":[…], "cases":[…], "past":[…], …unknown keys are
 * kept}
 *
 * Times are written as wall time and rebased on the reader's clock; an age is never negative. */
#ifndef MAH_CORE_JOURNAL_H
#define MAH_CORE_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "core/history.h"
#include "core/op.h"

#define JOURNAL_VERSION 1
#define JOURNAL_BYTES_MAX                                                                                              \
	((size_t)768 * 1024) /* a ConfigMap may have 1 MiB, and JSON inside JSON grows by its quotes */

struct journal {
	char leader[128]; /* who wrote it */
	json_t *extra;    /* keys that we do not know, kept as they came; may be NULL */
};
void journal_done(struct journal *);

/* Appends the document. Cases that are only suspected are written too: their clocks count. Where that is more than the
 * buffer may hold, the texts for people are left out, and then the cases in which nothing was done; of more than 500
 * cases these are left out anyway. False: it is too large even so, or the buffer was over its limit before. */
bool journal_write(const struct journal *, const struct history *, const struct ops *, struct now, struct buf *out);

/* Reads a document into an empty history and an empty table; recipes are found by find(). What cannot be understood (an
 * op with a recipe or a step that this program does not have) is reported in *err's text and left out; the rest is
 * taken. False only when the document as a whole is no journal of a version that we know: then nothing is taken. */
bool journal_read(struct str text, const struct recipe *(*find)(const void *ctx, const char *name), const void *ctx,
		  struct now, struct journal *out, struct history *history, struct ops *ops, struct err *err);

#endif
