/* For the tests of src/kube: recorded bytes of a real API server, and a writer of protobuf for cases it did not send.
 */
#ifndef MAH_TESTS_KUBE_FIXTURE_H
#define MAH_TESTS_KUBE_FIXTURE_H

/* cmocka wants these first, in this order */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* `fail` is a function of ours. */
#undef fail
#undef fail_msg
#define fail_msg(fmt, ...) (print_error(fmt "\n", ##__VA_ARGS__), _fail(__FILE__, __LINE__))
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

#define UNUSED __attribute__((unused))
#define DATA_BYTES_MAX ((size_t)1 << 20)

/* tests/data/kube/NAME, found beside this file. */
static UNUSED struct buf data_read(const char *name)
{
	static const char here[] = __FILE__;
	const char *slash = strrchr(here, '/');
	char path[1024];
	(void)snprintf(path, sizeof path, "%.*s/../data/kube/%s", slash != NULL ? (int)(slash - here) : 1,
		       slash != NULL ? here : ".", name);
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("cannot open %s", path);
	struct buf buf;
	char bytes[4096];
	size_t n = 0;
	buf_init(&buf, DATA_BYTES_MAX);
	while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
		assert_true(buf_add(&buf, bytes, n));
	(void)fclose(file);
	return buf;
}

/* --- protobuf --- */

static UNUSED void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		(void)buf_char(out, (char)(value | 0x80));
	(void)buf_char(out, (char)value);
}

static UNUSED void put_int(struct buf *out, uint32_t number, uint64_t value)
{
	put_varint(out, (uint64_t)number << 3);
	put_varint(out, value);
}

static UNUSED void put_bytes(struct buf *out, uint32_t number, const void *p, size_t n)
{
	put_varint(out, (uint64_t)number << 3 | 2);
	put_varint(out, n);
	(void)buf_add(out, p, n);
}

static UNUSED void put_text(struct buf *out, uint32_t number, const char *text)
{
	put_bytes(out, number, text, strlen(text));
}

/* Appends a message and lets it go. */
static UNUSED void put_message(struct buf *out, uint32_t number, struct buf *message)
{
	put_bytes(out, number, buf_cstr(message), message->n);
	buf_done(message);
}

static UNUSED struct buf new_buf(void)
{
	struct buf buf;
	buf_init(&buf, (size_t)32 << 20);
	return buf;
}

static UNUSED void put_entry(struct buf *out, uint32_t number, const char *key, const char *value)
{
	struct buf entry = new_buf();
	put_text(&entry, 1, key);
	put_text(&entry, 2, value);
	put_message(out, number, &entry);
}

static UNUSED void put_time(struct buf *out, uint32_t number, int64_t seconds)
{
	struct buf time = new_buf();
	put_int(&time, 1, (uint64_t)seconds);
	put_int(&time, 2, 0);
	put_message(out, number, &time);
}

static UNUSED void put_condition(struct buf *status, const char *type, const char *value, const char *reason,
				 int64_t transition, int64_t heartbeat)
{
	struct buf condition = new_buf();
	put_text(&condition, 1, type);
	put_text(&condition, 2, value);
	put_time(&condition, 3, heartbeat);
	put_time(&condition, 4, transition);
	put_text(&condition, 5, reason);
	put_text(&condition, 6, "a message");
	put_message(status, 4, &condition);
}

/* A small Node message. */
struct small_node {
	const char *name, *uid, *version;
	const char *label, *label_value; /* NULL: none */
	const char *ready;               /* NULL: no conditions */
	int64_t transition, heartbeat;
	bool is_cordoned;
};
static UNUSED struct buf small_node(const struct small_node *n)
{
	struct buf meta = new_buf();
	struct buf spec = new_buf();
	struct buf status = new_buf();
	struct buf node = new_buf();
	if (n->name != NULL)
		put_text(&meta, 1, n->name);
	put_text(&meta, 5, n->uid != NULL ? n->uid : "");
	put_text(&meta, 6, n->version != NULL ? n->version : "1");
	if (n->label != NULL)
		put_entry(&meta, 11, n->label, n->label_value);
	put_int(&spec, 4, n->is_cordoned);
	if (n->ready != NULL)
		put_condition(&status, "Ready", n->ready, "KubeletReady", n->transition, n->heartbeat);
	put_message(&node, 1, &meta);
	put_message(&node, 2, &spec);
	put_message(&node, 3, &status);
	return node;
}

/* k8s\0 and the envelope around MESSAGE, which is let go. */
static UNUSED struct buf enveloped(const char *kind, struct buf *message)
{
	struct buf out = new_buf();
	struct buf type = new_buf();
	(void)buf_add(&out, "k8s", 4);
	put_text(&type, 1, "v1");
	put_text(&type, 2, kind);
	put_message(&out, 1, &type);
	put_message(&out, 2, message);
	put_text(&out, 3, "");
	put_text(&out, 4, "");
	return out;
}

/* Appends a frame of the watch; OBJECT (enveloped) is let go. */
static UNUSED void put_frame(struct buf *out, const char *type, struct buf *object)
{
	struct buf raw = new_buf();
	struct buf event = new_buf();
	put_message(&raw, 1, object);
	put_text(&event, 1, type);
	put_message(&event, 2, &raw);
	const unsigned char head[4] = { (unsigned char)(event.n >> 24), (unsigned char)(event.n >> 16),
					(unsigned char)(event.n >> 8), (unsigned char)event.n };
	(void)buf_add(out, head, 4);
	(void)buf_add(out, event.p, event.n);
	buf_done(&event);
}

static UNUSED void put_node_event(struct buf *out, const char *type, const struct small_node *n)
{
	struct buf node = small_node(n);
	struct buf object = enveloped("Node", &node);
	put_frame(out, type, &object);
}

static UNUSED void put_bookmark(struct buf *out, const char *version, bool is_initial_end)
{
	struct buf meta = new_buf();
	struct buf node = new_buf();
	put_text(&meta, 1, "");
	put_text(&meta, 6, version);
	if (is_initial_end)
		put_entry(&meta, 12, "k8s.io/initial-events-end", "true");
	put_message(&node, 1, &meta);
	struct buf object = enveloped("Node", &node);
	put_frame(out, "BOOKMARK", &object);
}

static UNUSED struct buf status_object(int code, const char *reason, const char *message, int retry_after_s)
{
	struct buf details = new_buf();
	struct buf status = new_buf();
	put_int(&details, 5, (uint64_t)retry_after_s);
	put_text(&status, 2, "Failure");
	put_text(&status, 3, message);
	put_text(&status, 4, reason);
	put_message(&status, 5, &details);
	put_int(&status, 6, (uint64_t)code);
	return enveloped("Status", &status);
}

/* A NodeList answer of COUNT nodes PREFIX0000... */
static UNUSED struct buf node_list(const char *prefix, size_t count, const char *version, const char *token)
{
	struct buf list = new_buf();
	struct buf meta = new_buf();
	put_text(&meta, 1, "");
	put_text(&meta, 2, version);
	put_text(&meta, 3, token);
	put_message(&list, 1, &meta);
	for (size_t i = 0; i < count; i++) {
		char name[64];
		(void)snprintf(name, sizeof name, "%s%04zu", prefix, i);
		struct buf node = small_node(&(struct small_node){ .name = name, .ready = "True" });
		put_message(&list, 2, &node);
	}
	return enveloped("NodeList", &list);
}

#endif
