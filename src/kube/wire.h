/* What all Kubernetes objects share on the wire in protobuf: the envelope, the parts of the metadata that every reader
 * wants, and Status. Field numbers are frozen by Kubernetes' compatibility rules (facts: kubernetes-api.md section 4).
 */
#ifndef MAH_KUBE_WIRE_H
#define MAH_KUBE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/time.h"

#define KUBE_MAGIC "k8s" /* and a NUL byte: four bytes in front of each envelope */
#define KUBE_MAGIC_BYTES 4
#define KUBE_VERSION_BYTES 64 /* a resourceVersion; opaque */

/* k8s\0 + Unknown{1 typeMeta{1 apiVersion, 2 kind}, 2 raw}. Borrowed from BYTES. */
struct envelope {
	struct str kind;
	struct str raw;
};
bool envelope_read(struct str bytes, struct envelope *out, struct err *err);

/* Of any object (its message without envelope): field 1 is ObjectMeta. Borrowed. */
struct object_meta {
	struct str name;
	struct str resource_version;
	bool is_initial_events_end; /* annotation k8s.io/initial-events-end of the bookmark that ends a streamed list */
};
bool object_meta_read(struct str object, struct object_meta *out, struct err *err);

/* kind Status: why the server refused. */
struct kube_status {
	int code;
	struct str reason;
	struct str message;
	int64_t retry_after_ms; /* details.retryAfterSeconds; -1: not said */
};
bool kube_status_read(struct str object, struct kube_status *out, struct err *err);

/* A map entry {1 key, 2 value}. */
bool entry_read(struct str entry, struct str *out_key, struct str *out_value);

/* Time and MicroTime {1 seconds, 2 nanos}; unset (0) when empty or outside of the years 1970 to 9999. False: garbage.
 */
bool time_read(struct str message, struct wall *out);

#endif
