#include "sim/control.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube.h"
#include "sim/target.h"

struct noted {
	enum sim_act_kind kind;
	struct now at;
	char client[64];
	char server[40];
	char node[256];
	int status;
};

struct control {
	struct world *world;
	struct noted *acts; /* a ring */
	size_t acts_first, acts_count;
};

/* One request. */
struct order {
	struct control *control;
	struct now now;
	struct target target;
	struct sim_response *out;
};

struct control *control_new(void)
{
	struct control *control = xcalloc(1, sizeof *control);
	control->acts = xcalloc(CONTROL_ACTS_MAX, sizeof *control->acts);
	return control;
}

void control_free(struct control *control)
{
	if (control == NULL)
		return;
	free(control->acts);
	free(control);
}

void control_set_world(struct control *control, struct world *world)
{
	control->world = world;
}

void control_note(struct control *control, struct now now, const struct sim_act *act)
{
	size_t at = (control->acts_first + control->acts_count) % CONTROL_ACTS_MAX;
	if (control->acts_count == CONTROL_ACTS_MAX)
		control->acts_first = (control->acts_first + 1) % CONTROL_ACTS_MAX;
	else
		control->acts_count++;
	struct noted *noted = &control->acts[at];
	*noted = (struct noted){ .kind = act->kind, .at = now, .status = act->status };
	/* Too long ones come out empty: for people only. */
	(void)TEXT_COPY(noted->client, act->client);
	(void)TEXT_COPY(noted->server, act->server);
	(void)TEXT_COPY(noted->node, act->node);
}

/* ---- answers and parameters ---------------------------------------------------------------------------------------
 */

static struct buf *answer(struct order *order, int status)
{
	order->out->status = status;
	(void)buf_text(&order->out->headers, "content-type: application/json\n");
	return &order->out->body;
}

static void refuse(struct order *order, int status, const char *why, const char *what)
{
	struct buf *body = answer(order, status);
	(void)buf_text(body, "{\"error\":");
	(void)buf_json(body, why);
	(void)buf_text(body, ",\"what\":");
	(void)buf_json(body, what);
	(void)buf_text(body, "}");
}

static void done(struct order *order, bool is_done)
{
	if (is_done)
		(void)buf_text(answer(order, 200), "{\"done\":true}");
	else
		refuse(order, 404, "no such node, or not possible with it", target_param(&order->target, "node"));
}

static const char *param(const struct order *order, const char *key)
{
	const char *value = target_param(&order->target, key);
	return value != NULL ? value : "";
}

/* A number of a parameter; absent: otherwise. False: answered. */
static bool number(struct order *order, const char *key, double otherwise, double *out)
{
	const char *value = target_param(&order->target, key);
	char *end = NULL;
	*out = otherwise;
	if (value == NULL)
		return true;
	errno = 0;
	double parsed = strtod(value, &end);
	if (errno != 0 || end == value || *end != '\0' || !(parsed >= -1 && parsed <= 1e12)) {
		refuse(order, 400, "not a number", key);
		return false;
	}
	*out = parsed;
	return true;
}

static bool is_on(const struct order *order, const char *key)
{
	const char *value = param(order, key);
	return strcmp(value, "1") == 0 || strcmp(value, "true") == 0 || strcmp(value, "on") == 0;
}

/* The place of VALUE in the list; -1: answered. */
static int choice(struct order *order, const char *key, const char *const *names, size_t count)
{
	const char *value = param(order, key);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(value, names[i]) == 0)
			return (int)i;
	}
	refuse(order, 400, "not one of the values known for this parameter", key);
	return -1;
}

/* ---- looking ------------------------------------------------------------------------------------------------------
 */

static void text_member(struct buf *body, const char *key, const char *value)
{
	(void)buf_printf(body, ",\"%s\":", key);
	(void)buf_json(body, value);
}

static void bool_member(struct buf *body, const char *key, bool value)
{
	(void)buf_printf(body, ",\"%s\":%s", key, value ? "true" : "false");
}

static void get_servers(struct order *order)
{
	const struct world *world = order->control->world;
	struct buf *body = answer(order, 200);
	(void)buf_printf(body, "{\"stack_busy\":%s,\"servers\":[", world_stack_is_busy(world) ? "true" : "false");
	for (size_t i = 0; i < world_servers_count(world); i++) {
		struct sim_server s;
		world_server(world, i, &s);
		(void)buf_printf(body, "%s{\"role\":\"%s\"", i > 0 ? "," : "", s.is_master ? "master" : "worker");
		text_member(body, "id", s.id);
		text_member(body, "name", s.name);
		text_member(body, "status", s.status);
		text_member(body, "task_state", s.task_state);
		text_member(body, "address", s.address);
		text_member(body, "node", s.node);
		int64_t healthy_ms = s.healthy_since.ms != 0 ? order->now.mono.ms - s.healthy_since.ms : -1;
		bool_member(body, "is_running", s.is_running);
		bool_member(body, "is_kubelet_alive", s.is_kubelet_alive);
		(void)buf_printf(body, ",\"healthy_ms\":%" PRId64 ",\"zone\":%d,\"host\":%d", healthy_ms, s.zone,
				 s.host);
		bool_member(body, "is_host_up", s.is_host_up);
		bool_member(body, "is_api_cut", s.is_api_cut);
		bool_member(body, "is_stopped_by_person", s.is_stopped_by_person);
		bool_member(body, "is_others", s.is_others);
		if (s.is_master) {
			bool_member(body, "is_endpoint_well", s.is_endpoint_well);
			bool_member(body, "is_etcd_well", s.is_etcd_well);
		}
		(void)buf_char(body, '}');
	}
	(void)buf_text(body, "]}");
}

static void get_acts(struct order *order)
{
	const struct control *control = order->control;
	struct buf *body = answer(order, 200);
	(void)buf_text(body, "{\"acts\":[");
	for (size_t i = 0; i < control->acts_count; i++) {
		const struct noted *noted = &control->acts[(control->acts_first + i) % CONTROL_ACTS_MAX];
		char at[WALL_TEXT_BYTES];
		(void)buf_printf(body, "%s{\"kind\":\"%s\",\"status\":%d,\"mono_ms\":%" PRId64, i > 0 ? "," : "",
				 sim_act_name(noted->kind), noted->status, noted->at.mono.ms);
		text_member(body, "at", wall_format_micro(noted->at.wall, at));
		text_member(body, "client", noted->client);
		text_member(body, "server", noted->server);
		text_member(body, "node", noted->node);
		(void)buf_char(body, '}');
	}
	(void)buf_text(body, "]}");
}

static void get_etcd(struct order *order)
{
	struct sim_etcd etcd;
	world_etcd(order->control->world, &etcd);
	(void)buf_printf(answer(order, 200), "{\"members\":%d,\"healthy\":%d,\"has_quorum\":%s}", etcd.members,
			 etcd.healthy, etcd.has_quorum ? "true" : "false");
}

static void get_probe(struct order *order)
{
	double port = 0;
	if (!number(order, "port", 6443, &port))
		return;
	struct sim_response probed;
	sim_response_init(&probed);
	(void)world_probe(order->control->world, order->now, param(order, "address"), (int)port,
			  target_param(&order->target, "path"), &probed);
	struct buf *body = answer(order, 200);
	(void)buf_printf(body, "{\"status\":%d", probed.status);
	bool_member(body, "is_refused", probed.is_refused);
	bool_member(body, "is_lost", probed.is_lost);
	text_member(body, "body", buf_cstr(&probed.body));
	(void)buf_char(body, '}');
	sim_response_done(&probed);
}

static void get_object(struct order *order)
{
	const char *text = sim_kube_object(world_kube(order->control->world), param(order, "path"));
	if (text[0] == '\0')
		refuse(order, 404, "no such object", param(order, "path"));
	else
		(void)buf_text(answer(order, 200), text);
}

/* ---- breaking -----------------------------------------------------------------------------------------------------
 */

static void post_break(struct order *order)
{
	static const char *const hows[] = {
		"kubelet",   "notready", "endpoint",      "SHUTOFF",           "ERROR", "GONE", "PAUSED",
		"SUSPENDED", "RESCUE",   "VERIFY_RESIZE", "SHELVED_OFFLOADED", "ACTIVE"
	};
	static const char *const cures[] = { "self", "reboot", "hard", "replace" };
	static const enum sim_cure cure_of[] = { CURE_ITSELF, CURE_REBOOT, CURE_HARD_REBOOT, CURE_REPLACE };
	struct world *world = order->control->world;
	const char *node = param(order, "node");
	double self_ms = 0;
	int how = choice(order, "how", hows, COUNT(hows));
	if (how < 0 || !number(order, "self-ms", 60000, &self_ms))
		return;
	if (how > 2) {
		done(order, world_break_server(world, order->now, node, hows[how]));
		return;
	}
	int cure = target_param(&order->target, "cure") == NULL ? 1 : choice(order, "cure", cures, COUNT(cures));
	if (cure < 0)
		return;
	if (how == 0)
		done(order, world_break_kubelet(world, order->now, node, cure_of[cure], (int64_t)self_ms));
	else if (how == 2)
		done(order, world_break_endpoint(world, order->now, node, cure_of[cure], (int64_t)self_ms));
	else
		done(order, world_break_not_ready(world, order->now, node, cure_of[cure], is_on(order, "flips")));
}

static void post_trouble(struct order *order)
{
	static const char *const services[] = {
		[SIM_KEYSTONE] = "keystone", [SIM_NOVA] = "nova",     [SIM_HEAT] = "heat",
		[SIM_MAGNUM] = "magnum",     [SIM_CINDER] = "cinder", [SIM_KUBE] = "kube",
	};
	struct sim_trouble trouble = { .is_down = is_on(order, "is_down") };
	struct {
		const char *key;
		double *rate;
	} rates[] = {
		{ "error_500", &trouble.error_500 },       { "error_503", &trouble.error_503 },
		{ "error_429", &trouble.error_429 },       { "error_409", &trouble.error_409 },
		{ "lost_request", &trouble.lost_request }, { "lost_answer", &trouble.lost_answer },
		{ "cut_answer", &trouble.cut_answer },
	};
	double delay_min_ms = 0;
	double delay_max_ms = 0;
	int service = choice(order, "service", services, COUNT(services));
	if (service < 0 || !number(order, "delay_min_ms", 0, &delay_min_ms) ||
	    !number(order, "delay_max_ms", delay_min_ms, &delay_max_ms))
		return;
	trouble.delay_min_ms = (int64_t)delay_min_ms;
	trouble.delay_max_ms = (int64_t)(delay_max_ms > delay_min_ms ? delay_max_ms : delay_min_ms);
	for (size_t i = 0; i < COUNT(rates); i++) {
		if (!number(order, rates[i].key, 0, rates[i].rate))
			return;
		if (*rates[i].rate < 0 || *rates[i].rate > 1) {
			refuse(order, 400, "not between 0 and 1", rates[i].key);
			return;
		}
	}
	world_trouble(order->control->world, (enum sim_service)service, &trouble);
	done(order, true);
}

static void post_drop_watches(struct order *order)
{
	world_drop_watches(order->control->world, is_on(order, "clean"));
	done(order, true);
}

static void post_compact(struct order *order)
{
	world_compact(order->control->world);
	done(order, true);
}

static void post_revoke(struct order *order)
{
	world_revoke_tokens(order->control->world);
	done(order, true);
}

static void post_label(struct order *order)
{
	world_set_healing_label(order->control->world, is_on(order, "enabled"));
	done(order, true);
}

static void post_owner_update(struct order *order)
{
	double ms = 0;
	if (!number(order, "ms", 60000, &ms))
		return;
	world_owner_updates(order->control->world, order->now, (int64_t)ms);
	done(order, true);
}

static void post_fail_boot(struct order *order)
{
	double count = 0;
	if (!number(order, "count", -1, &count))
		return;
	world_fail_next_boot(order->control->world, (int)count);
	done(order, true);
}

static void post_cordon(struct order *order)
{
	done(order, world_cordon(order->control->world, order->now, param(order, "node"), is_on(order, "on")));
}

static void post_attach(struct order *order)
{
	char volume[40];
	if (!world_attach_volume(order->control->world, param(order, "node"), volume)) {
		done(order, false);
		return;
	}
	struct buf *body = answer(order, 200);
	(void)buf_text(body, "{\"done\":true");
	text_member(body, "volume", volume);
	(void)buf_char(body, '}');
}

static void post_person_stops(struct order *order)
{
	done(order, world_person_stops(order->control->world, order->now, param(order, "node")));
}

static void post_lock(struct order *order)
{
	done(order, world_lock(order->control->world, param(order, "node"), is_on(order, "on")));
}

static void post_person_starts(struct order *order)
{
	done(order, world_person_starts(order->control->world, order->now, param(order, "node")));
}

static void post_person_migrates(struct order *order)
{
	done(order, world_person_migrates(order->control->world, order->now, param(order, "node")));
}

/* ---- hosts, zones, others -----------------------------------------------------------------------------------------
 */

static void post_host(struct order *order)
{
	double host = 0;
	if (!number(order, "host", 0, &host))
		return;
	world_host_down(order->control->world, order->now, (int)host, is_on(order, "down"));
	done(order, true);
}

static void post_cut(struct order *order)
{
	done(order, world_cut_node(order->control->world, order->now, param(order, "node"), is_on(order, "on"),
				   is_on(order, "probes")));
}

static void post_cut_zone(struct order *order)
{
	double zone = 0;
	if (!number(order, "zone", 0, &zone))
		return;
	world_cut_zone(order->control->world, order->now, (int)zone, is_on(order, "on"));
	done(order, true);
}

static void post_slow_boots(struct order *order)
{
	double count = 0;
	double ms = 0;
	if (!number(order, "count", 1, &count) || !number(order, "ms", 60000, &ms))
		return;
	world_slow_boots(order->control->world, (int)count, (int64_t)ms);
	done(order, true);
}

static void post_autoscaler(struct order *order)
{
	done(order, world_autoscaler_removes(order->control->world, order->now, param(order, "node")));
}

static void post_other_healer(struct order *order)
{
	done(order, world_other_healer(order->control->world, order->now, param(order, "node")));
}

static void post_upgrade(struct order *order)
{
	world_upgrade(order->control->world, order->now);
	done(order, true);
}

static void post_pauses(struct order *order)
{
	world_write_pauses(order->control->world, order->now, param(order, "json"));
	done(order, true);
}

static void post_annotate(struct order *order)
{
	done(order, world_annotate(order->control->world, order->now, param(order, "node"), param(order, "key"),
				   target_param(&order->target, "value")));
}

/* ---- dispatch -----------------------------------------------------------------------------------------------------
 */

static const struct control_call {
	const char *method, *path; /* below /sim/ */
	void (*run)(struct order *);
	const char *params[12];
} calls[] = {
	{ "GET", "servers", get_servers, { NULL } },
	{ "GET", "acts", get_acts, { NULL } },
	{ "GET", "object", get_object, { "path" } },
	{ "GET", "etcd", get_etcd, { NULL } },
	{ "GET", "probe", get_probe, { "address", "port", "path" } },
	{ "POST", "break", post_break, { "node", "how", "cure", "self-ms", "flips" } },
	{ "POST",
	  "trouble",
	  post_trouble,
	  { "service", "delay_min_ms", "delay_max_ms", "error_500", "error_503", "error_429", "error_409",
	    "lost_request", "lost_answer", "cut_answer", "is_down" } },
	{ "POST", "watches/drop", post_drop_watches, { "clean" } },
	{ "POST", "compact", post_compact, { NULL } },
	{ "POST", "tokens/revoke", post_revoke, { NULL } },
	{ "POST", "label", post_label, { "enabled" } },
	{ "POST", "owner-update", post_owner_update, { "ms" } },
	{ "POST", "fail-boot", post_fail_boot, { "count" } },
	{ "POST", "cordon", post_cordon, { "node", "on" } },
	{ "POST", "attach-volume", post_attach, { "node" } },
	{ "POST", "person-stops", post_person_stops, { "node" } },
	{ "POST", "lock", post_lock, { "node", "on" } },
	{ "POST", "person-starts", post_person_starts, { "node" } },
	{ "POST", "person-migrates", post_person_migrates, { "node" } },
	{ "POST", "host", post_host, { "host", "down" } },
	{ "POST", "cut", post_cut, { "node", "on", "probes" } },
	{ "POST", "cut-zone", post_cut_zone, { "zone", "on" } },
	{ "POST", "slow-boots", post_slow_boots, { "count", "ms" } },
	{ "POST", "autoscaler", post_autoscaler, { "node" } },
	{ "POST", "other-healer", post_other_healer, { "node" } },
	{ "POST", "upgrade", post_upgrade, { NULL } },
	{ "POST", "pauses", post_pauses, { "json" } },
	{ "POST", "annotate", post_annotate, { "node", "key", "value" } },
};

static bool params_are_known(struct order *order, const struct control_call *call)
{
	for (size_t i = 0; i < order->target.params_count; i++) {
		const char *key = order->target.params[i].key;
		size_t n = 0;
		while (n < COUNT(call->params) && call->params[n] != NULL && strcmp(call->params[n], key) != 0)
			n++;
		if (n == COUNT(call->params) || call->params[n] == NULL) {
			refuse(order, 400, "unknown parameter", key);
			return false;
		}
	}
	return true;
}

void control_http(struct control *control, struct now now, const struct sim_request *request, struct sim_response *out)
{
	struct order order;
	order.control = control;
	order.now = now;
	order.out = out;
	if (!target_parse(&order.target, request->target) || order.target.parts_count < 2) {
		refuse(&order, 400, "cannot be understood", request->target);
		return;
	}
	char path[128];
	const char *second = order.target.parts_count > 2 ? order.target.parts[2] : "";
	(void)snprintf(path, sizeof path, "%.60s%s%.60s", order.target.parts[1], second[0] != '\0' ? "/" : "", second);
	for (size_t i = 0; i < COUNT(calls); i++) {
		if (strcmp(calls[i].path, path) != 0)
			continue;
		if (!text_eq(request->method, calls[i].method))
			refuse(&order, 405, "another method is needed", calls[i].method);
		else if (params_are_known(&order, &calls[i]))
			calls[i].run(&order);
		return;
	}
	refuse(&order, 404, "no such control", path);
}
