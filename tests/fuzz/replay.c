/* Runs a fuzz target over its corpus, as an ordinary test: every file as it is, and cut off at many places, since most
 * mistakes of parsers are at the end of what they read. Speaks TAP. Arguments: files and folders. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_BYTES_MAX (16u << 20)
#define CUTS_MAX 64u /* cut-off copies of one file: a corpus of hundreds of files must stay a quick test */

static unsigned cases;

/* A copy of exactly that size on the heap, so that the address sanitizer sees the first byte read beyond the end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size); /* always 0; a failure is a crash */
	free(copy);
}

static void replay(const uint8_t *data, size_t size)
{
	run(data, size);
	size_t cuts = size < CUTS_MAX ? size : CUTS_MAX;
	for (size_t i = 0; i < cuts; i++)
		run(data, size * i / cuts);
}

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		printf("not ok %u - %s: %s\n", ++cases, path, strerror(errno));
		return 1;
	}
	uint8_t *data = malloc(FILE_BYTES_MAX);
	if (data == NULL)
		abort();
	size_t size = fread(data, 1, FILE_BYTES_MAX, f);
	(void)fclose(f); /* only read */
	replay(data, size);
	free(data);
	const char *name = strrchr(path, '/');
	printf("ok %u - %s\n", ++cases, name ? name + 1 : path);
	return 0;
}

static int is_entry(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int replay_folder(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, is_entry, alphasort), failures = 0;
	if (count <= 0) {
		printf("not ok %u - %s: no corpus\n", ++cases, path);
		return 1;
	}
	for (int i = 0; i < count; i++) {
		char file[4096];
		(void)snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		failures += replay_file(file);
		free(names[i]);
	}
	free(names);
	return failures;
}

int main(int argc, char **argv)
{
	int failures = 0;
	setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not swallow the name of the file before */
	replay((const uint8_t *)"", 0);
	printf("ok %u - nothing at all\n", ++cases);
	for (int i = 1; i < argc; i++) {
		struct stat s;
		bool is_folder = stat(argv[i], &s) == 0 && S_ISDIR(s.st_mode);
		failures += is_folder ? replay_folder(argv[i]) : replay_file(argv[i]);
	}
	printf("1..%u\n", cases);
	return failures != 0;
}
