/* Requests to the simulated API server, several a run: "METHOD TARGET\nCONTENT-TYPE\nBODY", separated by "\n--\n". */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "sim/kube.h"

#define REQUESTS_MAX 16

static void on_bytes(void *ctx, uint64_t stream, struct str bytes)
{
	size_t *total = ctx;
	(void)stream;
	*total += bytes.n;
}

static const char *header(const struct sim_request *request, const char *name)
{
	if (strcmp(name, "content-type") == 0)
		return request->headers;
	return strcmp(name, "accept") == 0 && strchr(request->target, 'p') != NULL
		       ? "application/vnd.kubernetes.protobuf,*/*"
		       : "";
}

static void ask(struct sim_kube *kube, struct now now, char *text)
{
	char *method = strsep(&text, " ");
	char *target = strsep(&text, "\n");
	char *type = strsep(&text, "\n");
	struct sim_response out = { 0 };
	if (target == NULL || type == NULL)
		return;
	buf_init(&out.headers, 16384);
	buf_init(&out.body, 1U << 24);
	sim_kube_http(kube, now,
		      &(struct sim_request){ .method = method,
					     .target = target,
					     .client = "fuzz",
					     .header = header,
					     .headers = type,
					     .body = str_of(text) },
		      &out);
	if (out.status < 200 || out.status > 599)
		__builtin_trap();
	buf_done(&out.headers);
	buf_done(&out.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t total = 0;
	struct now now = { { 1000 }, { INT64_C(1790000000000) } };
	struct sim_kubelet kubelet = { .server_id = "0a1b2c3d-0000-4000-8000-00000000000a",
				       .boot_id = "b",
				       .address = "10.0.0.1",
				       .is_boot = true,
				       .is_ready = true };
	struct sim_kube *kube = sim_kube_new(
		&(struct sim_kube_opts){
			.grace_ms = 5000, .has_watch_list = true, .ctx = &total, .stream_bytes = on_bytes },
		now);
	static const char *const names[] = { "n1", "n2", "n3" };
	for (size_t i = 0; i < COUNT(names); i++) {
		kubelet.name = names[i];
		sim_kube_kubelet(kube, now, &kubelet);
	}
	char *text = xstrndup((const char *)data, size);
	char *at = text;
	for (int i = 0; i < REQUESTS_MAX && at != NULL; i++) {
		char *end = strstr(at, "\n--\n");
		if (end != NULL)
			*end = '\0';
		ask(kube, now, at);
		at = end != NULL ? end + 4 : NULL;
		now.mono.ms += 20000;
		now.wall.ms += 20000;
		sim_kube_kubelet_alive(kube, "n1", i % 2 == 1, now);
		sim_kube_advance(kube, now);
	}
	free(text);
	sim_kube_free(kube);
	return 0;
}
