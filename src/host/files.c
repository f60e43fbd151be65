/* Files and the environment. Only regular files are read: a FIFO or a device would block the one thread there is. */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK_BYTES 16384

static bool fail_errno(struct err *err, const char *path)
{
	enum err_code code = errno == ENOENT || errno == ENOTDIR ? ERR_GONE : ERR_INPUT;
	return fail(err, code, "%s: %s", path, strerror(errno));
}

static bool read_fd(int fd, const char *path, struct buf *out, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return fail_errno(err, path);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERR_INPUT, "%s: is %s, not a regular file", path,
			    S_ISDIR(st.st_mode) ? "a directory" : "a device, pipe or socket");
	/* To the end, not to st_size: files of /proc say 0, and files grow. */
	for (;;) {
		char chunk[READ_CHUNK_BYTES];
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n == 0)
			return true;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, path);
		if (!buf_add(out, chunk, (size_t)n))
			return fail(err, ERR_LIMIT, "%s: is larger than %zu bytes", path, out->bytes_max);
	}
}

static bool file_read(void *ctx, const char *path, struct buf *out, struct err *err)
{
	(void)ctx;
	/* O_NONBLOCK: opening a FIFO without a writer must not hang before fstat() can refuse it. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_errno(err, path);
	bool ok = read_fd(fd, path, out, err);
	(void)close(fd); /* nothing was written */
	return ok;
}

static const char *env_get(void *ctx, const char *name)
{
	(void)ctx;
	return getenv(name);
}

const struct file_port *file_port_real(void)
{
	static const struct file_port port = { .read = file_read, .env = env_get };
	return &port;
}
