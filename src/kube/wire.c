/* Envelope, metadata and Status in protobuf. */
#include "kube/wire.h"

#include <string.h>

#include "base/pb.h"

#define SECONDS_MAX INT64_C(253402300799) /* the last second of the year 9999: RFC 3339 ends there */
#define RETRY_AFTER_SECONDS_MAX 3600

bool entry_read(struct str entry, struct str *out_key, struct str *out_value)
{
	struct pb pb = pb_of(entry);
	struct pb_field f;
	*out_key = *out_value = STR("");
	while (pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f))
			*out_key = f.bytes;
		else if (f.number == 2 && pb_is_bytes(&f))
			*out_value = f.bytes;
	}
	return !pb.is_bad;
}

bool time_read(struct str message, struct wall *out)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	int64_t seconds = 0;
	int64_t nanos = 0;
	while (pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_varint(&f))
			seconds = (int64_t)f.value;
		else if (f.number == 2 && pb_is_varint(&f))
			nanos = (int64_t)f.value;
	}
	if (pb.is_bad)
		return false;
	if (seconds < 0 || seconds > SECONDS_MAX || nanos < 0 || nanos > 999999999)
		seconds = nanos = 0;
	out->ms = seconds * SEC + nanos / 1000000;
	return true;
}

static bool type_meta_read(struct str message, struct envelope *out)
{
	struct str api_version;
	return entry_read(message, &api_version, &out->kind); /* TypeMeta has the shape of a map entry */
}

bool envelope_read(struct str bytes, struct envelope *out, struct err *err)
{
	struct envelope envelope = { .kind = STR(""), .raw = STR("") };
	if (bytes.n < KUBE_MAGIC_BYTES || memcmp(bytes.p, KUBE_MAGIC, KUBE_MAGIC_BYTES) != 0)
		return fail(err, ERR_REMOTE, "not a Kubernetes protobuf object (its first bytes are not k8s)");
	struct pb pb = pb_of((struct str){ bytes.p + KUBE_MAGIC_BYTES, bytes.n - KUBE_MAGIC_BYTES });
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f)) {
			if (!type_meta_read(f.bytes, &envelope))
				return fail(err, ERR_REMOTE, "broken protobuf in an object's type");
		} else if (f.number == 2 && pb_is_bytes(&f)) {
			envelope.raw = f.bytes;
		}
	}
	if (pb.is_bad)
		return fail(err, ERR_REMOTE, "broken protobuf around an object");
	*out = envelope;
	return true;
}

static bool metadata_read(struct str message, struct object_meta *out)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (!pb_is_bytes(&f))
			continue;
		if (f.number == 1) {
			out->name = f.bytes;
		} else if (f.number == 6) {
			out->resource_version = f.bytes;
		} else if (f.number == 12) {
			struct str key;
			struct str value;
			if (!entry_read(f.bytes, &key, &value))
				return false;
			if (str_eq(key, "k8s.io/initial-events-end"))
				out->is_initial_events_end = str_eq(value, "true");
		}
	}
	return !pb.is_bad;
}

bool object_meta_read(struct str object, struct object_meta *out, struct err *err)
{
	struct object_meta meta = { .name = STR(""), .resource_version = STR("") };
	struct pb pb = pb_of(object);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f) && !metadata_read(f.bytes, &meta))
			return fail(err, ERR_REMOTE, "broken protobuf in an object's metadata");
	}
	if (pb.is_bad)
		return fail(err, ERR_REMOTE, "broken protobuf in an object");
	*out = meta;
	return true;
}

static bool status_details_read(struct str message, struct kube_status *out)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 5 && pb_is_varint(&f) && f.value > 0)
			out->retry_after_ms =
				(f.value < RETRY_AFTER_SECONDS_MAX ? (int64_t)f.value : RETRY_AFTER_SECONDS_MAX) * SEC;
	}
	return !pb.is_bad;
}

bool kube_status_read(struct str object, struct kube_status *out, struct err *err)
{
	struct kube_status status = { .reason = STR(""), .message = STR(""), .retry_after_ms = -1 };
	struct pb pb = pb_of(object);
	struct pb_field f;
	bool ok = true;
	while (ok && pb_next(&pb, &f)) {
		if (f.number == 3 && pb_is_bytes(&f))
			status.message = f.bytes;
		else if (f.number == 4 && pb_is_bytes(&f))
			status.reason = f.bytes;
		else if (f.number == 5 && pb_is_bytes(&f))
			ok = status_details_read(f.bytes, &status);
		else if (f.number == 6 && pb_is_varint(&f))
			status.code = f.value <= 999 ? (int)f.value : 0;
	}
	if (!ok || pb.is_bad)
		return fail(err, ERR_REMOTE, "broken protobuf in a Status");
	*out = status;
	return true;
}
