/* Endpoint: HTTP(S) requests to the node's own address; each configured path must answer with one of ok-codes. With a
 * ca-file the certificate is verified, for server-name or else for the address; without one nothing is verified, as in
 * the Go program: whoever can answer in the node's place can make it look well, or bad. */
#include <string.h>

#include "check/check.h"
#include "check/reading.h"

static const int ok_codes[] = { 200 };

static bool ask(const struct conf_check *conf, const struct probe_ask *ask, struct arena *arena,
		struct http_request *out, struct finding *finding)
{
	const char *token = conf->token != NULL && conf->token[0] != '\0' ? conf->token : ask->token;
	if (conf->is_token_required && (token == NULL || token[0] == '\0')) {
		(void)TEXT_COPY(finding->why, "the service account's token cannot be read"); /* it fits */
		return false;
	}
	reading_request(conf, conf->protocol != NULL ? conf->protocol : "HTTPS",
			reading_path(conf, ask->path, "/healthz", arena), ask, arena, out);
	if (conf->is_token_required) {
		struct http_header *header = arena_new(arena, struct http_header);
		*header = (struct http_header){ "Authorization", arena_printf(arena, "Bearer %s", token) };
		out->headers = header;
		out->headers_count = 1;
	}
	return true;
}

static void hear(const struct conf_check *conf, size_t path, const struct http_answer *answer, struct finding *out)
{
	if (answer->status == 0)
		reading_failure(conf, &answer->why, out);
	else
		reading_status(conf, reading_path(conf, path, "/healthz", NULL), answer, ok_codes, COUNT(ok_codes),
			       out);
}

const struct check_ops check_endpoint = {
	.type = "Endpoint", .judge = reading_judge, .ask = ask, .hear = hear, .has_paths = true
};
