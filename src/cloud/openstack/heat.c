/* Heat: stacks and their server resources. */
#include "cloud/openstack/heat.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/str.h"
#include "core/match.h"

#define STACKS "/stacks/"
#define RESOURCE_BYTES_MAX 512

/* The names came out of heat_tail(), or from Magnum, and are checked again where the request is made. */
static void ask_stack(struct arena *arena, const char *method, const char *what, const char *tail, struct ask *out)
{
	*out = (struct ask){
		.kind = ASK_CLOUD,
		.service = SERVICE_STACK,
		.method = method,
		.path = arena_printf(arena, STACKS "%s%s", what, tail),
	};
}

void heat_stack(struct arena *arena, const char *stack, struct ask *out)
{
	/* With outputs it takes a hundred times as long. */
	ask_stack(arena, "GET", stack, "?resolve_outputs=false", out);
}

void heat_servers(struct arena *arena, const char *stack, struct ask *out)
{
	/* The servers are two levels below the cluster's stack. */
	ask_stack(arena, "GET", stack, "/resources?nested_depth=2&type=OS::Nova::Server", out);
}

void heat_resource(struct arena *arena, const char *resource, struct ask *out)
{
	ask_stack(arena, "GET", resource, "", out);
}

void heat_mark(struct arena *arena, const char *resource, bool is_unhealthy, struct ask *out)
{
	ask_stack(arena, "PATCH", resource, "", out);
	out->body = is_unhealthy ? "{\"mark_unhealthy\":true,\"resource_status_reason\":"
				   "\"Mark resource unhealthy by autohealing service\"}"
				 : "{\"mark_unhealthy\":false,\"resource_status_reason\":"
				   "\"Mark taken back by autohealing service\"}";
	out->is_act = true;
}

void heat_update(struct arena *arena, const char *stack, struct ask *out)
{
	ask_stack(arena, "PATCH", stack, "", out);
	out->body = "{\"existing\":true}";
	out->is_act = true;
}

bool heat_tail(const char *url, char *out, size_t bytes)
{
	const char *host = url != NULL ? strstr(url, "://") : NULL;
	const char *at = host != NULL ? strchr(host + 3, '/') : url;
	at = at != NULL ? strstr(at, STACKS) : NULL;
	if (at == NULL)
		return false;
	at += strlen(STACKS);
	size_t n = strcspn(at, "?#");
	for (size_t i = 0; i < n; i++) {
		if (at[i] <= ' ' || at[i] > '~')
			return false;
	}
	if (n == 0 || at[0] == '/' || at[n - 1] == '/' || memmem(at, n, "//", 2) != NULL ||
	    memmem(at, n, "..", 2) != NULL)
		return false;
	return str_copy(out, bytes, (struct str){ at, n });
}

static const char *self_link(const json_t *resource)
{
	size_t i;
	json_t *link;
	json_array_foreach(json_object_get(resource, "links"), i, link) {
		if (text_eq(json_text(link, "rel"), "self"))
			return json_text_or(link, "href", "");
	}
	return "";
}

bool heat_find_server(const json_t *list, const char *server, char *out_resource, size_t bytes)
{
	const json_t *resources = json_object_get(list, "resources");
	size_t i;
	json_t *resource;
	if (!json_is_array(resources))
		return false;
	json_array_foreach(resources, i, resource) {
		if (uuid_same(json_text_or(resource, "physical_resource_id", ""), server)) {
			return heat_tail(self_link(resource), out_resource, bytes) &&
			       strstr(out_resource, "/resources/") != NULL;
		}
	}
	return text_copy(out_resource, bytes, "");
}

bool heat_sibling(const char *resource, const char *name, char *out, size_t bytes)
{
	static const char dir[] = "/resources/";
	const char *at = strstr(resource, dir);
	char path[RESOURCE_BYTES_MAX];
	if (at == NULL || strchr(at + strlen(dir), '/') != NULL)
		return false;
	int n = snprintf(path, sizeof path, "%.*s%s", (int)(at + strlen(dir) - resource), resource, name);
	return n > 0 && (size_t)n < sizeof path && text_copy(out, bytes, path);
}

const char *heat_server_at(const json_t *list, const char *resource)
{
	char tail[RESOURCE_BYTES_MAX];
	size_t i;
	json_t *entry;
	json_array_foreach(json_object_get(list, "resources"), i, entry) {
		if (heat_tail(self_link(entry), tail, sizeof tail) && strcmp(tail, resource) == 0)
			return json_text_or(entry, "physical_resource_id", "");
	}
	return "";
}
