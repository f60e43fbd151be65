/* The header lines of one answer, collected as they come. Bytes of strangers in, well-formed lines out. */
#ifndef MAH_HOST_HTTP_HEAD_H
#define MAH_HOST_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* An answer may have several blocks: interim ones (100, 103) and then the one that counts. */
struct http_head {
	struct buf lines; /* "name: value\n", names in lower case; of the latest block */
	size_t bytes;     /* of everything that came, for the limit */
	int status;       /* of the latest block */
	bool is_in_block;
	bool is_complete; /* the block that counts has ended; what comes later are trailers, which are dropped */
};

void http_head_init(struct http_head *);
void http_head_done(struct http_head *);
/* One line with its line end, as it came; an empty one ends a block. False: more than HTTP_HEADERS_BYTES_MAX came. */
bool http_head_line(struct http_head *, struct str line);

#endif
