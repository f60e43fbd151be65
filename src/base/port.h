/* The other things the program needs of the world beside HTTP: files and child processes. */
#ifndef MAH_BASE_PORT_H
#define MAH_BASE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct file_port {
	void *ctx;
	/* Appends the whole file; larger than out's limit: ERR_LIMIT. */
	bool (*read)(void *ctx, const char *path, struct buf *out, struct err *err);
	/* The environment; NULL when unset. */
	const char *(*env)(void *ctx, const char *name);
};

struct proc_request {
	const char *const *argv; /* NULL-terminated; argv[0] looked up in PATH when it has no slash */
	const char *const *env;  /* "NAME=value", NULL-terminated, added to the parent's environment */
	const char *dir;         /* working directory; NULL: ours */
	struct str input;        /* its standard input */
	int64_t timeout_ms;      /* then its whole process group is killed */
	size_t output_bytes_max;
};
struct proc_answer {
	int exit_code; /* -1: it did not end by itself; why says so */
	struct err why;
	struct str out;
	struct str errors; /* standard error, cut at 4 KiB */
};
struct proc_port {
	void *ctx;
	void (*start)(void *ctx, uint64_t id, const struct proc_request *,
		      void (*done)(void *sink, uint64_t id, const struct proc_answer *), void *sink);
	void (*cancel)(void *ctx, uint64_t id);
};

#endif
