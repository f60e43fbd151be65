/* Requests to the simulated cloud: whatever comes, it answers. Input: lines "METHOD target", and after a line "=" a
 * body for the line before; each request is made with a good token, and time passes between them. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "sim/world.h"

#define REQUESTS_MAX 16

static const char *token;

static const char *header(const struct sim_request *req, const char *name)
{
	if (strcmp(name, "x-auth-token") == 0)
		return token;
	if (strcmp(name, "openstack-api-version") == 0)
		return strstr(req->target, "/container-infra/") != NULL ? "container-infra latest" : "compute 2.79";
	return "";
}

static int send_one(struct world *w, struct now *now, const char *method, const char *target, struct str body,
		    struct sim_response *out)
{
	struct sim_request req = {
		.method = method, .target = target, .client = "fuzz", .header = header, .body = body
	};
	world_http(w, *now, &req, out);
	now->mono.ms += 7000;
	now->wall.ms += 7000;
	return out->status;
}

static char *log_in(struct world *w, struct now *now)
{
	static const char body[] =
		"{\"auth\": {\"identity\": {\"methods\": [\"password\"], \"password\": {\"user\": {\"id\": "
		"\"" SIM_USER_ID "\", \"password\": \"" SIM_PASSWORD
		"\"}}}, \"scope\": {\"project\": {\"id\": \"" SIM_PROJECT_ID "\"}}}}";
	struct sim_response out;
	sim_response_init(&out);
	token = "";
	(void)send_one(w, now, "POST", "/identity/v3/auth/tokens", str_of(body), &out);
	const char *at = strstr(buf_cstr(&out.headers), "x-subject-token: ");
	char *got = at != NULL ? xstrndup(at + 17, strcspn(at + 17, "\n")) : xstrdup("");
	sim_response_done(&out);
	return got;
}

static void one_line(struct world *w, struct now *now, char *line, struct str body)
{
	char *target = strchr(line, ' ');
	struct sim_response out;
	if (target == NULL)
		return;
	*target++ = '\0';
	sim_response_init(&out);
	(void)send_one(w, now, line, target, body, &out);
	sim_response_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct now now = { { 1000 }, { INT64_C(1790000000000) } };
	struct world_opts opts = world_defaults();
	opts.node_prefix = "k8s-abc";
	struct world *w = world_new(&opts, now);
	char *mine = log_in(w, &now);
	char *text = xstrndup((const char *)data, strnlen((const char *)data, size));
	char *rest = text;
	token = mine;
	for (int i = 0; i < REQUESTS_MAX && *rest != '\0'; i++) {
		char *line = strsep(&rest, "\n");
		struct str body = { "", 0 };
		if (rest == NULL)
			rest = line + strlen(line);
		if (rest[0] == '=') {
			char *from = rest + 1;
			(void)strsep(&rest, "\n");
			body = str_of(from);
			if (rest == NULL)
				rest = from + strlen(from);
		}
		one_line(w, &now, line, body);
	}
	free(text);
	free(mine);
	world_free(w);
	return 0;
}
