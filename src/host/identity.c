/* Who this process is, and where its randomness starts. */
#include "host/host.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define UUID_CHARS 36

static void fill_random(void *out, size_t bytes)
{
	ssize_t n;
	do
		n = getrandom(out, bytes, 0);
	while (n < 0 && errno == EINTR);
	assert(n ==
	       (ssize_t)bytes); /* up to 256 bytes it is never cut, and it blocks only before the machine has any */
}

void host_identity(char *out, size_t out_bytes)
{
	assert(out_bytes > UUID_CHARS + 2);
	char host[256] = "";
	if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
		(void)snprintf(host, sizeof host, "unknown");
	unsigned char r[16];
	fill_random(r, sizeof r);
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40); /* version 4 */
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80); /* variant of RFC 4122 */
	/* The host name may be cut, the part that makes it unique may not. */
	(void)snprintf(out, out_bytes, "%.*s_%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		       (int)(out_bytes - UUID_CHARS - 2), host, r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8],
		       r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
}

uint64_t host_seed(void)
{
	uint64_t seed;
	fill_random(&seed, sizeof seed);
	return seed;
}
