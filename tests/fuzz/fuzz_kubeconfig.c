/* Bytes as a kubeconfig, and the same bytes as a token file and as the answer of a credential plug-in. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/access.h"
#include "kube/exec_login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_input(void *ctx, const char *path, struct buf *out, struct err *err)
{
	const struct str *input = ctx;
	(void)path;
	return buf_add(out, input->p, input->n) || fail(err, ERR_LIMIT, "too long");
}

static const char *no_env(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return NULL;
}

static void check_headers(const struct http_request *request)
{
	for (size_t i = 0; i < request->headers_count; i++) {
		if (strpbrk(request->headers[i].value, "\r\n") != NULL)
			abort();
	}
	if (strpbrk(request->url, "\r\n \t") != NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	struct file_port files = { .ctx = &input, .read = read_input, .env = no_env };
	struct now now = { { 1000 }, { 1000 } };
	struct err err = { 0 };
	struct access *access = access_open(&files, "/etc/kubeconfig", NULL, "", &err);
	if (access == NULL) {
		if (err.code == ERR_NONE || err.text[0] == '\0')
			abort();
	} else {
		struct arena arena;
		struct http_request request;
		struct proc_request exec;
		bool must_exec = false;
		arena_init(&arena);
		if (!access_ready(access, now, &exec, &must_exec, &err) && must_exec)
			access_exec_heard(access, now, &(struct proc_answer){ .out = input, .errors = STR("") }, &err);
		access_request(access, &arena, "GET", "/", NULL, NULL, STR("x"), &request);
		check_headers(&request);
		arena_done(&arena);
		access_free(access);
	}
	static char version[] = "client.authentication.k8s.io/v1";
	struct credential credential;
	if (exec_answer_read(&(struct login_exec){ .api_version = version }, input, &credential, &err))
		credential_done(&credential);
	return 0;
}
