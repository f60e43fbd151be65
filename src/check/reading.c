#include "check/reading.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ANSWER_BYTES_MAX 65536 /* /readyz?verbose has some 5 KiB */
#define ITEMS_MAX 4
#define ITEM_BYTES_MAX 40 /* three of them fit into a finding */

const char *reading_path(const struct conf_check *conf, size_t i, const char *otherwise, struct arena *arena)
{
	const char *path = i < conf->endpoints_count ? conf->endpoints[i] : otherwise;
	return path[0] == '/' || arena == NULL ? path : arena_printf(arena, "/%s", path);
}

void reading_request(const struct conf_check *conf, const char *protocol, const char *path, const struct probe_ask *ask,
		     struct arena *arena, struct http_request *out)
{
	const char *scheme = strcasecmp(protocol, "HTTP") == 0 ? "http" : "https";
	*out = (struct http_request){
		.method = "GET",
		.url = arena_printf(arena, "%s://%s:%d%s", scheme, ask->address, conf->port, path),
		.tls = ask->tls,
		.timeout_ms = conf->timeout_ms,
		.answer_bytes_max = ANSWER_BYTES_MAX,
		.is_fresh = true,
	};
}

/* ---- no answer ---- */

/* "... port 6443 after 3 ms: No route to host": how long it took is different each time, and the same reason should
 * read the same. */
static void without_time(const char *text, char *out, size_t out_bytes)
{
	const char *after = strstr(text, " after ");
	size_t digits = after != NULL ? strspn(after + 7, "0123456789") : 0;
	if (digits > 0 && text_starts(after + 7 + digits, " ms"))
		(void)snprintf(out, out_bytes, "%.*s%s", (int)(after - text), text, after + 7 + digits + 3);
	else
		(void)snprintf(out, out_bytes, "%s", text);
}

void reading_failure(const struct conf_check *conf, const struct err *why, struct finding *out)
{
	*out = (struct finding){ .health = HEALTH_UNKNOWN };
	switch (why->code) {
	case ERR_REFUSED:
		out->health = HEALTH_BAD;
		out->symptom = SYMPTOM_GUEST_ANSWERS;
		(void)snprintf(out->why, sizeof out->why, "port %d: connection refused", conf->port);
		return;
	case ERR_REMOTE:
		out->health = HEALTH_BAD;
		out->symptom = SYMPTOM_GUEST_ANSWERS;
		break;
	case ERR_TIMEOUT: {
		char text[DURATION_TEXT_BYTES];
		out->health = HEALTH_BAD;
		out->symptom = SYMPTOM_GUEST_SILENT;
		(void)snprintf(out->why, sizeof out->why, "port %d: no answer within %s", conf->port,
			       duration_format(conf->timeout_ms, text));
		return;
	}
	case ERR_NETWORK:
		out->health = HEALTH_BAD;
		out->symptom = SYMPTOM_GUEST_SILENT;
		break;
	case ERR_AUTH: /* a wrong ca-file in the configuration would make every node bad */
		(void)snprintf(out->why, sizeof out->why, "the certificate cannot be verified: %s", why->text);
		return;
	case ERR_NONE:
	case ERR_INPUT:
	case ERR_GONE:
	case ERR_CONFLICT:
	case ERR_BUSY:
	case ERR_LIMIT:
		break;
	}
	without_time(why->text, out->why, sizeof out->why);
}

/* ---- an answer ---- */

/* The name of the item before its colon, in printable characters. */
static size_t item_copy(struct str line, char out[ITEM_BYTES_MAX + 1])
{
	size_t n = 0;
	for (size_t i = 0; i < line.n && n < ITEM_BYTES_MAX && line.p[i] != ':'; i++) {
		char c = line.p[i];
		if (c == '\r')
			break;
		out[n++] = c;
		if (c < ' ' || c > '~')
			out[n - 1] = '?';
	}
	out[n] = '\0';
	return n;
}

static struct str line_take(struct str *rest)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	struct str line = { rest->p, end != NULL ? (size_t)(end - rest->p) : rest->n };
	size_t step = line.n + (end != NULL);
	rest->p += step;
	rest->n -= step;
	return line;
}

void reading_failing_items(struct str body, char *out, size_t out_bytes)
{
	size_t used = 0;
	size_t found = 0;
	out[0] = '\0';
	while (body.n > 0) {
		char item[ITEM_BYTES_MAX + 1];
		struct str line = line_take(&body);
		if (line.n < 3 || memcmp(line.p, "[-]", 3) != 0)
			continue;
		size_t n = item_copy((struct str){ line.p + 3, line.n - 3 }, item);
		if (n == 0)
			continue;
		const char *text = found == ITEMS_MAX ? "..." : item;
		int more = snprintf(out + used, out_bytes - used, "%s%s", found > 0 ? ", " : "", text);
		if (more < 0 || (size_t)more >= out_bytes - used) {
			out[used] = '\0'; /* a cut name is another name */
			return;
		}
		used += (size_t)more;
		if (++found > ITEMS_MAX)
			return;
	}
}

static bool has_code(const int *codes, size_t count, int code)
{
	for (size_t i = 0; i < count; i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

void reading_status(const struct conf_check *conf, const char *what, const struct http_answer *answer,
		    const int *otherwise_codes, size_t otherwise_count, struct finding *out)
{
	const int *codes = conf->ok_codes_count > 0 ? conf->ok_codes : otherwise_codes;
	size_t count = conf->ok_codes_count > 0 ? conf->ok_codes_count : otherwise_count;
	*out = (struct finding){ .health = HEALTH_OK };
	if (has_code(codes, count, answer->status))
		return;
	if (conf->is_token_required && (answer->status == 401 || answer->status == 403)) {
		out->health = HEALTH_UNKNOWN;
		(void)snprintf(out->why, sizeof out->why, "%.60s: the token is refused (HTTP %d)", what,
			       answer->status);
		return;
	}
	char items[96];
	reading_failing_items(answer->body, items, sizeof items);
	out->health = HEALTH_BAD;
	out->symptom = SYMPTOM_GUEST_ANSWERS;
	(void)snprintf(out->why, sizeof out->why, "%.60s: HTTP %d%s%s", what, answer->status,
		       items[0] != '\0' ? ": " : "", items);
}

enum health reading_judge(const struct conf_check *conf, size_t check, const struct check_facts *facts,
			  const struct node *node, struct finding *out)
{
	(void)conf;
	if (facts->probes != NULL && facts->snapshot != NULL)
		return probes_finding(facts->probes, check, node, facts->snapshot->now, out);
	if (out != NULL)
		*out = (struct finding){ .health = HEALTH_UNKNOWN, .why = "nothing is probed now" };
	return HEALTH_UNKNOWN;
}
