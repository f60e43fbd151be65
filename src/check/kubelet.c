/* Kubelet: does the kubelet's port answer from here? By default it is only connected to; with protocol HTTP or HTTPS
 * its /healthz is asked. A kubelet that wants a credential (401, 403) lives all the same. */
#include <string.h>
#include <strings.h>

#include "check/check.h"
#include "check/reading.h"

static const int ok_codes[] = { 200, 401, 403 };

static bool is_tcp(const struct conf_check *conf)
{
	return conf->protocol == NULL || strcasecmp(conf->protocol, "TCP") == 0;
}

static bool ask(const struct conf_check *conf, const struct probe_ask *ask, struct arena *arena,
		struct http_request *out, struct finding *finding)
{
	(void)finding;
	bool is_connect_only = is_tcp(conf);
	const char *path = is_connect_only ? "/" : reading_path(conf, 0, "/healthz", arena);
	reading_request(conf, is_connect_only ? "HTTP" : conf->protocol, path, ask, arena, out);
	out->is_connect_only = is_connect_only;
	return true;
}

static void hear(const struct conf_check *conf, size_t path, const struct http_answer *answer, struct finding *out)
{
	(void)path; /* there is but one */
	if (answer->status == 0)
		reading_failure(conf, &answer->why, out);
	else if (is_tcp(conf))
		*out = (struct finding){ .health = HEALTH_OK };
	else
		reading_status(conf, reading_path(conf, 0, "/healthz", NULL), answer, ok_codes, COUNT(ok_codes), out);
}

const struct check_ops check_kubelet = { .type = "Kubelet", .judge = reading_judge, .ask = ask, .hear = hear };
