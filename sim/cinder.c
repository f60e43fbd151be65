/* Cinder: what a volume is attached to. */
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

static void volume_json(struct buf *out, const struct volume *v)
{
	const char *status = v->is_detaching ? "detaching" : v->server != NULL ? "in-use" : "available";
	(void)buf_printf(out,
			 "{\"id\": \"%s\", \"name\": \"\", \"status\": \"%s\", \"size\": 10, \"bootable\": \"%s\", "
			 "\"multiattach\": false, \"metadata\": {}, ",
			 v->id, status, v->use == USE_ROOT ? "true" : "false");
	wall_json(out, "created_at", v->created);
	(void)buf_text(out, ", \"attachments\": [");
	if (v->server != NULL) {
		(void)buf_printf(
			out,
			"{\"id\": \"%s\", \"volume_id\": \"%s\", \"attachment_id\": \"%s\", \"server_id\": \"%s\", "
			"\"device\": \"%s\", ",
			v->id, v->id, v->attachment_id, v->server->id, v->device);
		wall_json(out, "attached_at", v->attached);
		(void)buf_char(out, '}');
	}
	(void)buf_text(out, "]}");
}

bool cinder_http(struct call *c)
{
	const struct world *w = c->w;
	struct buf *out = &c->out->body;
	if (c->count == 0 || strcmp(c->seg[0], "volumes") != 0 || strcmp(c->req->method, "GET") != 0)
		return false;
	if (c->count == 1 || (c->count == 2 && strcmp(c->seg[1], "detail") == 0)) {
		(void)buf_text(out, "{\"volumes\": [");
		for (size_t i = 0; i < w->volumes_count; i++) {
			if (i > 0)
				(void)buf_text(out, ", ");
			volume_json(out, w->volumes[i]);
		}
		(void)buf_text(out, "]}");
		answer_json(c->out, 200);
		return true;
	}
	const struct volume *v = c->count == 2 ? volume_find(w, c->seg[1]) : NULL;
	if (v == NULL) {
		char text[120];
		(void)snprintf(text, sizeof(text), "Volume %.60s could not be found.", c->seg[1]);
		call_error(c, 404, text);
		return true;
	}
	(void)buf_text(out, "{\"volume\": ");
	volume_json(out, v);
	(void)buf_char(out, '}');
	answer_json(c->out, 200);
	return true;
}
