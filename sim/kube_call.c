/* One request to the simulated API server: its parts, who may ask, what form the answer has, and which handler it goes
 * to. Errors are Status objects, in protobuf for who asked for Nodes in protobuf. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube_impl.h"

#define PROTOBUF "application/vnd.kubernetes.protobuf"

/* ---- the request ------------------------------------------------------------------------------------------------- */

const char *kcall_param(const struct kcall *call, const char *key)
{
	return target_param(&call->target, key);
}

bool kcall_is(const struct kcall *call, const char *method)
{
	return text_eq(call->request->method, method);
}

bool kcall_is_dry(const struct kcall *call)
{
	return text_eq(kcall_param(call, "dryRun"), "All");
}

static const char *header(const struct kcall *call, const char *name)
{
	const char *value = call->request->header != NULL ? call->request->header(call->request, name) : NULL;
	return value != NULL ? value : "";
}

/* ---- answers ------------------------------------------------------------------------------------------------------
 */

void kcall_header(struct kcall *call, int status, const char *content_type)
{
	struct sim_kube *kube = call->kube;
	call->out->status = status;
	time_t seconds = (time_t)(kube->now.wall.ms / 1000);
	if (kube->date_s != seconds) {
		struct tm tm = { 0 };
		(void)gmtime_r(&seconds, &tm); /* fails only for years beyond int */
		(void)strftime(kube->date, sizeof kube->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		kube->date_s = seconds;
	}
	(void)buf_printf(&call->out->headers, "content-type: %s\ncache-control: no-cache, private\ndate: %s\n",
			 content_type, kube->date);
}

void kcall_status(struct kcall *call, const struct kstatus *status)
{
	kcall_header(call, status->code, call->is_pb ? PROTOBUF : "application/json");
	if (status->retry_after_s > 0)
		(void)buf_printf(&call->out->headers, "retry-after: %d\n", status->retry_after_s);
	if (!call->is_pb) {
		kstatus_json(&call->out->body, status);
		return;
	}
	size_t envelope = pb_envelope_open(&call->out->body, "v1", "Status");
	kstatus_pb(&call->out->body, status);
	pb_envelope_close(&call->out->body, envelope);
}

void kcall_fail(struct kcall *call, int code, const char *reason, const char *fmt, ...)
{
	char message[1024];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	kcall_status(call, &(struct kstatus){ .code = code, .reason = reason, .message = message });
}

void kcall_not_found(struct kcall *call, const char *group, const char *kind, const char *name)
{
	char message[512];
	(void)snprintf(message, sizeof message, "%s%s%s \"%s\" not found", kind, group[0] != '\0' ? "." : "", group,
		       name);
	kcall_status(call, &(struct kstatus){ .code = 404,
					      .reason = "NotFound",
					      .message = message,
					      .name = name,
					      .kind = kind,
					      .group = group[0] != '\0' ? group : NULL });
}

void kcall_conflict(struct kcall *call, const char *group, const char *kind, const char *name, const char *why)
{
	char message[1024];
	(void)snprintf(message, sizeof message, "Operation cannot be fulfilled on %s%s%s \"%s\": %s", kind,
		       group[0] != '\0' ? "." : "", group, name, why);
	kcall_status(call, &(struct kstatus){ .code = 409,
					      .reason = "Conflict",
					      .message = message,
					      .name = name,
					      .kind = kind,
					      .group = group[0] != '\0' ? group : NULL });
}

void kcall_invalid(struct kcall *call, const char *kind, const char *name, const char *field, const char *why)
{
	char message[1024];
	(void)snprintf(message, sizeof message, "%s \"%s\" is invalid: %s: %s", kind, name, field, why);
	kcall_status(call, &(struct kstatus){ .code = 422,
					      .reason = "Invalid",
					      .message = message,
					      .name = name[0] != '\0' ? name : NULL,
					      .kind = kind,
					      .cause_reason = "FieldValueInvalid",
					      .cause_message = why,
					      .cause_field = field });
}

void kcall_json(struct kcall *call, int status, const json_t *json)
{
	kcall_header(call, status, "application/json");
	(void)buf_json_doc(&call->out->body, json);
}

json_t *kcall_body(struct kcall *call, const char *content_type)
{
	const char *given = header(call, "content-type");
	size_t n = strcspn(given, "; ");
	bool is_patch = kcall_is(call, "PATCH");
	bool is_right = n == strlen(content_type) && strncasecmp(given, content_type, n) == 0;
	/* A POST or PUT that does not say what it is counts as JSON; a PATCH must say it. */
	if (!is_right && (is_patch || n > 0)) {
		kcall_fail(call, 415, "UnsupportedMediaType",
			   "the body of the request was in an unknown format - accepted media types include: %s",
			   content_type);
		return NULL;
	}
	if (call->request->body.n > KUBE_BODY_BYTES_MAX) {
		kcall_fail(call, 413, "RequestEntityTooLarge", "Request entity too large: limit is %u",
			   KUBE_BODY_BYTES_MAX);
		return NULL;
	}
	struct err why = { 0 };
	json_t *body = json_parse(call->request->body, &why);
	if (!json_is_object(body)) {
		json_decref(body);
		kcall_fail(call, 400, "BadRequest", "the object provided is unrecognized: %.200s",
			   why.code != ERR_NONE ? why.text : "not an object");
		return NULL;
	}
	return body;
}

/* ---- who asks, and for which form ---------------------------------------------------------------------------------
 */

static bool is_allowed(struct kcall *call)
{
	const char *token = call->kube->token;
	const char *given = header(call, "authorization");
	if (token == NULL || (text_starts(given, "Bearer ") && text_eq(given + strlen("Bearer "), token)))
		return true;
	if (given[0] != '\0')
		kcall_fail(call, 401, "Unauthorized", "Unauthorized");
	else
		kcall_fail(call, 403, "Forbidden", "forbidden: User \"system:anonymous\" cannot %s path \"%.200s\"",
			   kcall_is(call, "GET") ? "get" : "write", call->request->target);
	return false;
}

static bool accepts(struct str range, const char *type)
{
	size_t n = strcspn(range.p, "; ,");
	n = n < range.n ? n : range.n;
	return n == strlen(type) && strncasecmp(range.p, type, n) == 0;
}

/* The first range of Accept that we can answer with decides. Tables and partial objects (";as=") are not simulated. */
static bool choose_form(struct kcall *call, bool has_pb)
{
	const char *at = header(call, "accept");
	if (at[strspn(at, " ")] == '\0')
		return true;
	while (*at != '\0') {
		at += strspn(at, " ,");
		struct str range = { at, strcspn(at, ",") };
		bool is_other = memmem(range.p, range.n, ";as=", 4) != NULL;
		if (has_pb && !is_other && accepts(range, PROTOBUF)) {
			call->is_pb = true;
			return true;
		}
		if (!is_other &&
		    (accepts(range, "application/json") || accepts(range, "*/*") || accepts(range, "application/*")))
			return true;
		at += range.n;
	}
	kcall_fail(call, 406, "NotAcceptable", "only the following media types are accepted: application/json%s",
		   has_pb ? ", " PROTOBUF : "");
	return false;
}

/* ---- dispatch -----------------------------------------------------------------------------------------------------
 */

static bool is_path(const struct kcall *call, const char *a, const char *b, const char *c)
{
	const char *const wanted[] = { a, b, c };
	for (size_t i = 0; i < COUNT(wanted) && wanted[i] != NULL; i++) {
		if (i >= call->target.parts_count || strcmp(call->target.parts[i], wanted[i]) != 0)
			return false;
	}
	return true;
}

static bool plain_call(struct kcall *call)
{
	if (call->target.parts_count == 1 &&
	    (is_path(call, "healthz", NULL, NULL) || is_path(call, "livez", NULL, NULL) ||
	     is_path(call, "readyz", NULL, NULL))) {
		kcall_header(call, 200, "text/plain; charset=utf-8");
		(void)buf_text(&call->out->body, "ok");
		return true;
	}
	if (call->target.parts_count == 1 && is_path(call, "version", NULL, NULL)) {
		kcall_header(call, 200, "application/json");
		(void)buf_text(&call->out->body, "{\"major\":\"1\",\"minor\":\"35\",\"gitVersion\":\"" KNODE_VERSION
						 "\",\"platform\":\"linux/amd64\"}");
		return true;
	}
	return false;
}

static void node_call(struct kcall *call)
{
	const char *watch = kcall_param(call, "watch");
	if (!choose_form(call, true))
		return;
	if (call->target.parts_count > 3 || !kcall_is(call, "GET"))
		kube_nodes_call(call);
	else if (text_eq(watch, "1") || text_eq(watch, "true"))
		kube_watch_call(call, KWATCH_NODES, NULL);
	else
		kube_list_call(call);
}

/* No pods run here; who drains a node finds it empty. */
static void pods_call(struct kcall *call)
{
	char rv[24];
	if (!choose_form(call, true))
		return;
	(void)snprintf(rv, sizeof rv, "%llu", (unsigned long long)call->kube->rv);
	kcall_header(call, 200, call->is_pb ? PROTOBUF : "application/json");
	if (!call->is_pb) {
		(void)buf_printf(
			&call->out->body,
			"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%s\"},"
			"\"items\":[]}",
			rv);
		return;
	}
	size_t envelope = pb_envelope_open(&call->out->body, "v1", "PodList");
	list_meta_pb(&call->out->body, rv, "", -1);
	pb_envelope_close(&call->out->body, envelope);
}

/* .../namespaces/NS/COLLECTION[/NAME], with `skip` parts before "namespaces". */
static bool object_call(struct kcall *call, size_t skip, const char *collection, enum kobject_kind kind)
{
	size_t n = call->target.parts_count;
	if (n < skip + 3 || n > skip + 4 || strcmp(call->target.parts[skip], "namespaces") != 0 ||
	    strcmp(call->target.parts[skip + 2], collection) != 0)
		return false;
	bool is_of_kubelets = kind == KOBJECT_LEASE && strcmp(call->target.parts[skip + 1], "kube-node-lease") == 0;
	if (choose_form(call, kind == KOBJECT_CONFIGMAP || is_of_kubelets))
		kube_object_call(call, kind, call->target.parts[skip + 1],
				 n == skip + 4 ? call->target.parts[skip + 3] : NULL);
	return true;
}

static bool resource_call(struct kcall *call)
{
	if (is_path(call, "api", "v1", "nodes") && call->target.parts_count <= 4) {
		node_call(call);
		return true;
	}
	if (is_path(call, "api", "v1", "pods") && call->target.parts_count == 3 && kcall_is(call, "GET")) {
		pods_call(call);
		return true;
	}
	if (is_path(call, "api", "v1", NULL))
		return object_call(call, 2, "configmaps", KOBJECT_CONFIGMAP);
	if (is_path(call, "apis", "coordination.k8s.io", "v1"))
		return object_call(call, 3, "leases", KOBJECT_LEASE);
	if (is_path(call, "apis", "events.k8s.io", "v1"))
		return object_call(call, 3, "events", KOBJECT_EVENT);
	return false;
}

void sim_kube_http(struct sim_kube *kube, struct now now, const struct sim_request *request, struct sim_response *out)
{
	struct kcall call;
	call.kube = kube;
	call.request = request;
	call.out = out;
	call.is_pb = false;
	kube->now = now;
	if (!target_parse(&call.target, request->target)) {
		kcall_fail(&call, 400, "BadRequest", "the request's path or query cannot be understood");
		return;
	}
	if (plain_call(&call) || !is_allowed(&call))
		return;
	if (!resource_call(&call) && out->status == 0)
		kcall_fail(&call, 404, "NotFound", "the server could not find the requested resource");
	if (out->headers.is_over || out->body.is_over) {
		buf_clear(&out->headers);
		buf_clear(&out->body);
		call.is_pb = false;
		kcall_fail(&call, 500, "InternalError", "the answer is larger than the simulation allows");
	}
}
