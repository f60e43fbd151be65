/* ConfigMap{1 metadata, 2 data map<string,string>, 3 binaryData map<string,bytes>} in protobuf → one text. Deleted and
 * made again, listed or watched: whatever happens to the object, only a change of the text is a change. */
#include "kube/state_object.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pb.h"
#include "kube/wire.h"

#define PATH_BYTES_MAX ((size_t)1024)

struct state_object {
	char *name, *key, *beside;
	struct buf path, query;
	struct reflector_target target;
	bool is_listed; /* put since list_begin() */
	bool exists;
	bool has_beside;
	bool is_too_long;
	char version[KUBE_VERSION_BYTES];
	struct buf text;
	uint64_t changes;
};

/* What was read of one message; borrowed. */
struct reading {
	struct object_meta meta;
	bool has_text, has_beside;
	struct str text;
};

static void keep_text(struct state_object *state, struct str text)
{
	bool is_too_long = text.n > STATE_TEXT_BYTES_MAX;
	if (is_too_long)
		text = STR("");
	if (is_too_long == state->is_too_long && str_same(text, buf_str(&state->text)))
		return;
	state->is_too_long = is_too_long;
	buf_clear(&state->text);
	(void)buf_add(&state->text, text.p, text.n); /* it fits: looked at above */
	state->changes++;
}

static void gone(struct state_object *state)
{
	state->exists = state->has_beside = false;
	state->version[0] = '\0';
	keep_text(state, STR(""));
}

/* binaryData counts as well: kubectl puts a file there that is not UTF-8, and somebody meant to pause something. */
static bool entry_take(const struct state_object *state, const struct pb_field *field, struct reading *reading)
{
	struct str key;
	struct str value;
	if (!entry_read(field->bytes, &key, &value))
		return false;
	if (str_eq(key, state->key) && (!reading->has_text || field->number == 2)) {
		reading->has_text = true;
		reading->text = value;
	}
	reading->has_beside = reading->has_beside || str_eq(key, state->beside);
	return true;
}

static bool object_read(const struct state_object *state, struct str message, struct reading *out, struct err *err)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	*out = (struct reading){ .text = STR("") };
	if (!object_meta_read(message, &out->meta, err))
		return false;
	while (pb_next(&pb, &f)) {
		if ((f.number == 2 || f.number == 3) && pb_is_bytes(&f) && !entry_take(state, &f, out))
			return fail(err, ERR_REMOTE, "broken protobuf in the data of a ConfigMap");
	}
	if (pb.is_bad)
		return fail(err, ERR_REMOTE, "broken protobuf in a ConfigMap");
	if (out->meta.name.n == 0)
		return fail(err, ERR_REMOTE, "a ConfigMap without a name");
	return true;
}

bool state_object_put(struct state_object *state, struct str configmap_pb, struct err *err)
{
	struct reading reading;
	if (!object_read(state, configmap_pb, &reading, err))
		return false;
	if (!str_eq(reading.meta.name, state->name))
		return true;
	state->is_listed = true;
	state->exists = true;
	state->has_beside = reading.has_beside;
	(void)str_copy(state->version, sizeof state->version, reading.meta.resource_version); /* too long: unknown */
	keep_text(state, reading.text);
	return true;
}

/* ---- as the reflector's target ----------------------------------------------------------------------------------- */

static bool target_put(void *ctx, struct str object, struct err *err)
{
	return state_object_put(ctx, object, err);
}

static void target_remove(void *ctx, const char *name)
{
	struct state_object *state = ctx;
	if (strcmp(name, state->name) == 0)
		gone(state);
}

static void target_list_begin(void *ctx)
{
	((struct state_object *)ctx)->is_listed = false;
}

static void target_list_end(void *ctx)
{
	struct state_object *state = ctx;
	if (!state->is_listed)
		gone(state);
}

static void target_list_abandon(void *ctx)
{
	(void)ctx; /* what was put is newer than what was there before; what was not may be there still */
}

struct state_object *state_object_new(const char *ns, const char *name, const char *key, const char *beside)
{
	struct state_object *state = xcalloc(1, sizeof *state);
	state->name = xstrdup(name);
	state->key = xstrdup(key);
	state->beside = xstrdup(beside);
	buf_init(&state->text, STATE_TEXT_BYTES_MAX);
	buf_init(&state->path, PATH_BYTES_MAX);
	buf_init(&state->query, PATH_BYTES_MAX);
	bool fits = buf_text(&state->path, "/api/v1/namespaces/") && buf_urlencode(&state->path, ns) &&
		    buf_text(&state->path, "/configmaps") &&
		    buf_text(&state->query, "fieldSelector=metadata.name%3D") && buf_urlencode(&state->query, name) &&
		    buf_char(&state->query, '&');
	assert(fits); /* names of Kubernetes objects have at most 253 characters */
	state->target = (struct reflector_target){ .what = "the state ConfigMap",
						   .kind = "ConfigMap",
						   .path = buf_cstr(&state->path),
						   .query = buf_cstr(&state->query),
						   .is_small = true,
						   .ctx = state,
						   .put = target_put,
						   .remove = target_remove,
						   .list_begin = target_list_begin,
						   .list_end = target_list_end,
						   .list_abandon = target_list_abandon };
	return state;
}

void state_object_free(struct state_object *state)
{
	if (state == NULL)
		return;
	free(state->name);
	free(state->key);
	free(state->beside);
	buf_done(&state->path);
	buf_done(&state->query);
	buf_done(&state->text);
	free(state);
}

const struct reflector_target *state_object_target(const struct state_object *state)
{
	return &state->target;
}

/* ---- what it says ------------------------------------------------------------------------------------------------ */

bool state_object_exists(const struct state_object *state)
{
	return state->exists;
}

bool state_object_has_beside(const struct state_object *state)
{
	return state->has_beside;
}

const char *state_object_version(const struct state_object *state)
{
	return state->version;
}

struct str state_object_text(const struct state_object *state)
{
	return buf_str(&state->text);
}

bool state_object_is_too_long(const struct state_object *state)
{
	return state->is_too_long;
}

uint64_t state_object_changes(const struct state_object *state)
{
	return state->changes;
}
