#include "conf/schema.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "conf/conf.h"
#include "core/history.h"

#define IN(field) .at = offsetof(struct config, field)
#define OS(field) .at = offsetof(struct config, openstack.field)
#define CHECK(field) .at = offsetof(struct conf_check, field)
#define LIST(field) CHECK(field), .count_at = offsetof(struct conf_check, field##_count)
#define RANGE(least, most) .min = (least), .max = (most)
#define OR_NONE .is_zero_none = true
#define DAY (24 * HOUR)
/* In the order of enum rung from RUNG_START on, which is that of their force. A time limit may be as long as
 * rebuild-delay-after-reboot, in whose place it is. */
#define RUNGS_OF_LADDERS RANGE(1000, DAY), .choices = "start reboot hard-reboot replace"

#define TOP SECTION_TOP
#define KUBE SECTION_KUBERNETES
#define COND SECTION_CONDITION
#define ENDP SECTION_ENDPOINT
#define KUBELET SECTION_KUBELET
#define HEARTBEAT SECTION_NODE_LEASE
#define SERVER SECTION_CLOUD_SERVER
#define ABSENT SECTION_NEVER_JOINED
#define CLOUD SECTION_OPENSTACK
#define POLICY SECTION_POLICY

/* clang-format off: one row a line or two reads as the table it is */
static const struct schema_key keys[] = {
	{ TOP, VALUE_TEXT, "cluster-name", "", "the cluster's name or UUID", IN(cluster_name) },
	{ TOP, VALUE_CHOICE, "cloud-provider", "openstack", "whose machines they are", IN(cloud_provider),
	  .choices = "openstack" },
	{ TOP, VALUE_BOOL, "dry-run", "false", "only say what would be done", IN(policy.is_dry_run) },
	{ TOP, VALUE_DURATION, "monitor-interval", "60s", "how often the cloud and the probes are asked",
	  IN(policy.monitor_interval_ms), RANGE(100, DAY) },
	{ TOP, VALUE_BOOL, "master-monitor-enabled", "true", "whether masters are repaired",
	  IN(policy.is_enabled[ROLE_MASTER]) },
	{ TOP, VALUE_BOOL, "worker-monitor-enabled", "true", "whether workers are repaired",
	  IN(policy.is_enabled[ROLE_WORKER]) },
	{ TOP, VALUE_BOOL, "leader-elect", "true", "several copies may run, one of them acts", IN(is_leader_elected) },
	{ TOP, VALUE_DURATION, "check-delay-after-add", "10m", "younger nodes are left alone",
	  IN(policy.check_delay_after_add_ms), RANGE(0, 30 * DAY) },
	{ TOP, VALUE_DURATION, "rebuild-delay-after-reboot", "5m", "how long a reboot may take to help",
	  IN(policy.rebuild_delay_after_reboot_ms), RANGE(1000, DAY) },
	{ TOP, VALUE_SECTION, "kubernetes", "", "how to reach the Kubernetes API", .inner = SECTION_KUBERNETES },
	{ TOP, VALUE_SECTION, "healthcheck", "", "what makes a node unhealthy", .inner = SECTION_HEALTHCHECK },
	{ TOP, VALUE_SECTION, "openstack", "", "how to reach the cloud", .inner = SECTION_OPENSTACK },
	{ TOP, VALUE_SECTION, "policy", "", "how careful to be", .inner = SECTION_POLICY },

	{ KUBE, VALUE_TEXT, "api-host", "", "URL of the Kubernetes API", IN(kubernetes_api_host) },
	{ KUBE, VALUE_TEXT, "kubeconfig", "", "path of a kubeconfig", IN(kubernetes_kubeconfig) },
	{ KUBE, VALUE_INT, "api-port", "6443", "port of the API on the masters' own addresses", IN(kubernetes_api_port),
	  RANGE(1, 65535) },

	{ SECTION_HEALTHCHECK, VALUE_CHECKS, "master", "", "checks of the masters", .at = ROLE_MASTER },
	{ SECTION_HEALTHCHECK, VALUE_CHECKS, "worker", "", "checks of the workers", .at = ROLE_WORKER },
	{ SECTION_HEALTHCHECK, VALUE_NEEDS, "master-needs", "any", "how many of a master's checks must agree",
	  IN(policy.needs[ROLE_MASTER]), RANGE(1, CONF_CHECKS_MAX), .choices = "any all" },
	{ SECTION_HEALTHCHECK, VALUE_NEEDS, "worker-needs", "any", "how many of a worker's checks must agree",
	  IN(policy.needs[ROLE_WORKER]), RANGE(1, CONF_CHECKS_MAX), .choices = "any all" },

	{ SECTION_CHECK, VALUE_TYPE, "type", "", "what is looked at",
	  .choices = "NodeCondition Endpoint Kubelet NodeLease CloudServer NeverJoined" },
	{ SECTION_CHECK, VALUE_PARAMS, "params", "", "parameters of the check" },

	{ COND, VALUE_DURATION, "unhealthy-duration", "300s", "bad for so long is unhealthy",
	  CHECK(unhealthy_duration_ms), RANGE(0, 30 * DAY) },
	{ COND, VALUE_LABELS, "types", "[Ready]", "conditions of the node", LIST(types) },
	{ COND, VALUE_STATUSES, "ok-values", "[\"True\"]", "good states of these conditions", LIST(ok_values) },
	{ COND, VALUE_STATUSES, "error-values", "[]", "bad states, in place of ok-values", LIST(error_values) },
	{ COND, VALUE_LADDER, "ladder", "", "what is done, in order, in place of the role's ladder", CHECK(ladder),
	  RUNGS_OF_LADDERS },

	{ ENDP, VALUE_DURATION, "unhealthy-duration", "300s", "bad for so long is unhealthy",
	  CHECK(unhealthy_duration_ms), RANGE(0, 30 * DAY) },
	{ ENDP, VALUE_CHOICE, "protocol", "HTTPS", "how it is asked", CHECK(protocol), .choices = "HTTPS HTTP" },
	{ ENDP, VALUE_INT, "port", "6443", "TCP port on the node", CHECK(port), RANGE(1, 65535) },
	{ ENDP, VALUE_PATHS, "endpoints", "[\"/healthz\"]", "paths, each of which must answer", LIST(endpoints) },
	{ ENDP, VALUE_CODES, "ok-codes", "[200]", "good HTTP statuses", LIST(ok_codes), RANGE(100, 599) },
	{ ENDP, VALUE_BOOL, "require-token", "false", "send a bearer token", CHECK(is_token_required) },
	{ ENDP, VALUE_SECRET, "token", "", "this token", CHECK(token) },
	{ ENDP, VALUE_TEXT, "unhealthy-annotation", ANNOTATION_PREFIX "unhealthy-timestamp",
	  "annotation that keeps since when", CHECK(unhealthy_annotation) },
	{ ENDP, VALUE_DURATION, "timeout", "5s", "how long an answer may take", CHECK(timeout_ms), RANGE(100, MINUTE) },
	{ ENDP, VALUE_TEXT, "ca-file", "", "CA certificates that the node's is verified with", CHECK(ca_file) },
	{ ENDP, VALUE_HOST, "server-name", "", "name in the node's certificate", CHECK(server_name) },
	{ ENDP, VALUE_LADDER, "ladder", "", "what is done, in order, in place of the role's ladder", CHECK(ladder),
	  RUNGS_OF_LADDERS },

	{ KUBELET, VALUE_DURATION, "unhealthy-duration", "300s", "bad for so long is unhealthy",
	  CHECK(unhealthy_duration_ms), RANGE(0, 30 * DAY) },
	{ KUBELET, VALUE_CHOICE, "protocol", "TCP", "how it is asked", CHECK(protocol), .choices = "TCP HTTP HTTPS" },
	{ KUBELET, VALUE_INT, "port", "10250", "TCP port on the node", CHECK(port), RANGE(1, 65535) },
	{ KUBELET, VALUE_PATHS, "endpoints", "[\"/healthz\"]", "paths, each of which must answer", LIST(endpoints) },
	{ KUBELET, VALUE_CODES, "ok-codes", "[200, 401, 403]", "good HTTP statuses", LIST(ok_codes), RANGE(100, 599) },
	{ KUBELET, VALUE_DURATION, "timeout", "5s", "how long an answer may take", CHECK(timeout_ms),
	  RANGE(100, MINUTE) },
	{ KUBELET, VALUE_TEXT, "ca-file", "", "CA certificates that the node's is verified with", CHECK(ca_file) },
	{ KUBELET, VALUE_HOST, "server-name", "", "name in the node's certificate", CHECK(server_name) },
	{ KUBELET, VALUE_LADDER, "ladder", "", "what is done, in order, in place of the role's ladder", CHECK(ladder),
	  RUNGS_OF_LADDERS },

	{ HEARTBEAT, VALUE_DURATION, "unhealthy-duration", "300s", "bad for so long is unhealthy",
	  CHECK(unhealthy_duration_ms), RANGE(0, 30 * DAY) },
	{ HEARTBEAT, VALUE_DURATION, "max-age", "40s", "how old the kubelet's Lease may be", CHECK(max_age_ms),
	  RANGE(10 * SEC, HOUR) },
	{ HEARTBEAT, VALUE_LADDER, "ladder", "", "what is done, in order, in place of the role's ladder", CHECK(ladder),
	  RUNGS_OF_LADDERS },

	{ SERVER, VALUE_DURATION, "unhealthy-duration", "300s", "bad for so long is unhealthy",
	  CHECK(unhealthy_duration_ms), RANGE(0, 30 * DAY) },
	{ SERVER, VALUE_STATES, "states", "[SHUTOFF, ERROR, GONE]", "bad states of the server", LIST(states),
	  .choices = "SHUTOFF ERROR GONE" },
	{ SERVER, VALUE_LADDER, "ladder", "", "what is done, in order, in place of the role's ladder", CHECK(ladder),
	  RUNGS_OF_LADDERS },

	{ ABSENT, VALUE_DURATION, "unhealthy-duration", "30m", "bad for so long is unhealthy",
	  CHECK(unhealthy_duration_ms), RANGE(MINUTE, 30 * DAY) },
	{ ABSENT, VALUE_LADDER, "ladder", "[replace]", "what is done, in order, in place of the role's ladder",
	  CHECK(ladder), RUNGS_OF_LADDERS },

	{ CLOUD, VALUE_URL, "auth-url", "", "Keystone's URL", OS(auth_url) },
	{ CLOUD, VALUE_TEXT, "user-id", "", "the user", OS(user_id) },
	{ CLOUD, VALUE_TEXT, "username", "", "the user by name", OS(username) },
	{ CLOUD, VALUE_SECRET, "password", "", "the user's password", OS(password) },
	{ CLOUD, VALUE_TEXT, "project-id", "", "the project", OS(project_id) },
	{ CLOUD, VALUE_TEXT, "project-name", "", "the project by name", OS(project_name) },
	{ CLOUD, VALUE_TEXT, "trust-id", "", "the trust, in place of a project", OS(trust_id) },
	{ CLOUD, VALUE_TEXT, "trustee-id", "", "the trustee, in place of a user", OS(trustee_id) },
	{ CLOUD, VALUE_SECRET, "trustee-password", "", "the trustee's password", OS(trustee_password) },
	{ CLOUD, VALUE_TEXT, "domain-id", "", "domain of user and project", OS(domain_id) },
	{ CLOUD, VALUE_TEXT, "domain-name", "", "the same by name", OS(domain_name) },
	{ CLOUD, VALUE_TEXT, "project-domain-id", "", "domain of the project", OS(project_domain_id) },
	{ CLOUD, VALUE_TEXT, "project-domain-name", "", "the same by name", OS(project_domain_name) },
	{ CLOUD, VALUE_TEXT, "user-domain-id", "", "domain of the user", OS(user_domain_id) },
	{ CLOUD, VALUE_TEXT, "user-domain-name", "", "the same by name", OS(user_domain_name) },
	{ CLOUD, VALUE_TEXT, "region", "", "region of the services", OS(region) },
	{ CLOUD, VALUE_CHOICE, "os-endpoint-type", "public", "which endpoints of the catalog", OS(os_endpoint_type),
	  .choices = "public internal admin publicURL internalURL adminURL" },
	{ CLOUD, VALUE_TEXT, "ca-file", "", "CA certificates of the cloud", OS(ca_file) },
	{ CLOUD, VALUE_TEXT, "cert-file", "", "our client certificate", OS(cert_file) },
	{ CLOUD, VALUE_TEXT, "key-file", "", "and its key", OS(key_file) },
	{ CLOUD, VALUE_BOOL, "tls-insecure", "false", "certificates are not verified", OS(is_tls_insecure) },
	{ CLOUD, VALUE_SECRET, "token", "", "a Keystone token, in place of a user", OS(token) },
	{ CLOUD, VALUE_BOOL, "use-clouds", "false", "what is not given here is in clouds.yaml", OS(uses_clouds) },
	{ CLOUD, VALUE_TEXT, "clouds-file", "", "path of clouds.yaml", OS(clouds_file) },
	{ CLOUD, VALUE_TEXT, "cloud", "", "which cloud of it", OS(cloud) },
	{ CLOUD, VALUE_TEXT, "application-credential-id", "", "application credential", OS(application_credential_id) },
	{ CLOUD, VALUE_TEXT, "application-credential-name", "", "the same by name, with its user",
	  OS(application_credential_name) },
	{ CLOUD, VALUE_SECRET, "application-credential-secret", "", "its secret", OS(application_credential_secret) },

	{ POLICY, VALUE_LIMIT, "max-concurrent-repairs", "10%", "workers under repair at once",
	  IN(policy.max_concurrent_repairs), RANGE(1, 100000) },
	{ POLICY, VALUE_LIMIT, "storm-threshold", "50%", "more unhealthy nodes than that: no new repair",
	  IN(policy.storm_threshold), RANGE(1, 100000) },
	{ POLICY, VALUE_DURATION, "storm-cooldown", "5m", "how long a storm must be over", IN(policy.storm_cooldown_ms),
	  RANGE(0, DAY) },
	{ POLICY, VALUE_DURATION, "probation", "10m", "healthy for so long closes the case", IN(policy.probation_ms),
	  RANGE(0, 30 * DAY) },
	{ POLICY, VALUE_DURATION, "retry-backoff", "5m", "pause after a failed repair, doubled each time",
	  IN(policy.retry_backoff_ms), RANGE(100, DAY) },
	{ POLICY, VALUE_INT, "max-attempts", "5", "repairs in vain before giving up", IN(policy.max_attempts),
	  RANGE(1, 100) },
	{ POLICY, VALUE_PLACE, "worker-replacement", "in-place", "how a worker is replaced",
	  IN(policy.worker_replacement), .choices = "in-place resize" }, /* the order of enum replacement */
	{ POLICY, VALUE_PLACE, "master-replacement", "auto", "whether a master is replaced",
	  IN(policy.master_replacement), .choices = "auto never always" }, /* the order of enum master_replacement */
	{ POLICY, VALUE_LADDER, "worker-ladder", "[reboot, replace]", "what is done for a worker, in order",
	  IN(policy.ladders[ROLE_WORKER]), RUNGS_OF_LADDERS },
	{ POLICY, VALUE_LADDER, "master-ladder", "[reboot, hard-reboot, replace]",
	  "what is done for a master, in order", IN(policy.ladders[ROLE_MASTER]), RUNGS_OF_LADDERS },
	{ POLICY, VALUE_LIMIT, "max-concurrent-repairs-per-group", "", "the same for the workers of one node group",
	  IN(policy.max_per_group), RANGE(1, 100000), OR_NONE },
	{ POLICY, VALUE_LIMIT, "max-concurrent-repairs-per-zone", "", "the same for the workers of one zone",
	  IN(policy.max_per_zone), RANGE(1, 100000), OR_NONE },
	{ POLICY, VALUE_LIMIT, "max-concurrent-repairs-per-host", "", "the same for the workers on one compute host",
	  IN(policy.max_per_host), RANGE(1, 100000), OR_NONE },
	{ POLICY, VALUE_INT, "max-repairs-per-hour", "0", "repairs begun within an hour",
	  IN(policy.max_repairs_per_hour), RANGE(1, 250), OR_NONE },
	{ POLICY, VALUE_LIMIT, "zone-storm-threshold", "50%",
	  "more unhealthy nodes of a zone than that: it is left alone", IN(policy.zone_storm_threshold),
	  RANGE(1, 100000) },
	{ POLICY, VALUE_INT, "flap-changes", "6", "so many changes of a node's health are bad in themselves",
	  IN(policy.flap_changes), RANGE(2, FLIPS_MAX), OR_NONE },
	{ POLICY, VALUE_DURATION, "flap-window", "30m", "within this time", IN(policy.flap_window_ms),
	  RANGE(MINUTE, DAY) },
	{ POLICY, VALUE_BOOL, "heal-cordoned-nodes", "false", "whether nodes that others cordoned are repaired",
	  IN(policy.is_cordoned_healed) },
	{ POLICY, VALUE_DURATION, "machine-health-check-timeout", "5m",
	  "of the MachineHealthCheck of Cluster API clusters", IN(policy.mhc_timeout_ms), RANGE(1000, DAY), OR_NONE },
};
/* clang-format on */

_Static_assert(COUNT(keys) <= SCHEMA_KEYS_MAX, "sets of seen keys are too small");
_Static_assert(REPLACE_IN_PLACE == 0 && REPLACE_RESIZE == 1, "choices are in another order");
_Static_assert(BEGUN_MAX >= 250, "more repairs an hour than are remembered");
_Static_assert(MASTERS_AUTO == 0 && MASTERS_NEVER == 1 && MASTERS_ALWAYS == 2, "choices are in another order");
_Static_assert(RUNG_REBOOT == RUNG_START + 1 && RUNG_HARD_REBOOT == RUNG_START + 2 && RUNG_REPLACE == RUNG_START + 3,
	       "rungs of ladders are in another order");
_Static_assert(sizeof(enum master_replacement) == sizeof(int), "VALUE_PLACE writes an int");
_Static_assert(sizeof(enum replacement) == sizeof(int), "VALUE_PLACE writes an int");

size_t schema_keys_count(void)
{
	return COUNT(keys);
}

const struct schema_key *schema_keys(void)
{
	return keys;
}

static const struct {
	const char *name, *check_type;
} sections[] = {
#define AS_ROW(id, name, check_type) [id] = { name, check_type },
	SECTIONS(AS_ROW)
#undef AS_ROW
};
_Static_assert(COUNT(sections) == SECTIONS_COUNT, "a section more or less");

const char *section_name(enum section section)
{
	return sections[section].name;
}

const char *section_check_type(enum section section)
{
	return sections[section].check_type;
}

bool section_of_check(const char *type, enum section *out)
{
	for (size_t i = 0; i < COUNT(sections); i++) {
		if (type[0] != '\0' && strcmp(sections[i].check_type, type) == 0) {
			*out = (enum section)i;
			return true;
		}
	}
	return false;
}

void schema_normal(const char *key, char out[NORMAL_BYTES])
{
	size_t n = 0;
	for (; *key != '\0' && n + 1 < NORMAL_BYTES; key++) {
		if (*key != '-' && *key != '_')
			out[n++] = (char)tolower((unsigned char)*key);
	}
	out[n] = '\0';
}

bool schema_same(const char *a, const char *b)
{
	char normal_a[NORMAL_BYTES];
	char normal_b[NORMAL_BYTES];
	schema_normal(a, normal_a);
	schema_normal(b, normal_b);
	return strcmp(normal_a, normal_b) == 0;
}

const struct schema_key *schema_find(enum section section, const char *key)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (keys[i].section == section && schema_same(keys[i].name, key))
			return &keys[i];
	}
	return NULL;
}

const struct schema_key *schema_elsewhere(enum section section, const char *key)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (keys[i].section != section && schema_same(keys[i].name, key))
			return &keys[i];
	}
	return NULL;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: three rows of the usual table are enough to see a swap. */
unsigned schema_distance(const char *one, const char *other)
{
	char a[NORMAL_BYTES];
	char b[NORMAL_BYTES];
	schema_normal(one, a);
	schema_normal(other, b);
	size_t a_len = strlen(a);
	size_t b_len = strlen(b);
	unsigned rows[3][NORMAL_BYTES] = { 0 };
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3];
		const unsigned *before = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

/* Near enough to be meant: a third of the word, but always less than all of it. */
static unsigned near_limit(const char *word)
{
	unsigned length = (unsigned)strlen(word);
	return length <= 3 ? 1 : length / 3 < 4 ? length / 3 : 4;
}

struct nearest {
	const char *names[3];
	size_t count;
	unsigned distance;
};

static void nearest_try(struct nearest *nearest, const char *word, const char *name)
{
	unsigned distance = schema_distance(word, name);
	if (distance > near_limit(name) || distance > nearest->distance)
		return;
	if (distance < nearest->distance)
		nearest->count = 0;
	nearest->distance = distance;
	if (nearest->count < COUNT(nearest->names))
		nearest->names[nearest->count++] = name;
}

static bool nearest_print(const struct nearest *nearest, struct buf *out)
{
	for (size_t i = 0; i < nearest->count; i++)
		(void)buf_printf(out, "%s\"%s\"", i > 0 ? " or " : "", nearest->names[i]); /* cut when it is too long */
	return nearest->count > 0;
}

bool schema_near_key(enum section section, const char *key, struct buf *out)
{
	struct nearest nearest = { .distance = DISTANCE_FAR };
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (keys[i].section == section)
			nearest_try(&nearest, key, keys[i].name);
	}
	return nearest_print(&nearest, out);
}

/* The next word of choices; false at the end. */
static bool next_choice(const char **at, char out[NORMAL_BYTES])
{
	if (**at == '\0')
		return false;
	size_t n = strcspn(*at, " ");
	if (!str_copy(out, NORMAL_BYTES, (struct str){ *at, n }))
		return false;
	*at += n + ((*at)[n] == ' ');
	return true;
}

bool schema_near_choice(const char *choices, const char *word, struct buf *out)
{
	char words[8][NORMAL_BYTES];
	struct nearest nearest = { .distance = DISTANCE_FAR };
	for (size_t i = 0; i < COUNT(words) && next_choice(&choices, words[i]); i++)
		nearest_try(&nearest, word, words[i]);
	return nearest_print(&nearest, out);
}

int schema_choice(const char *choices, const char *word, char out[NORMAL_BYTES])
{
	for (int i = 0; next_choice(&choices, out); i++) {
		if (schema_same(out, word))
			return i;
	}
	return -1;
}
