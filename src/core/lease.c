/* See lease.h. Never compares a time of the record with the own clock: only changes of the record count. */
#include "core/lease.h"

#include <assert.h>
#include <string.h>

#include "base/str.h"

/* Between the end of the longest act and the moment somebody else may lead: different clock rates, a late packet. */
#define FENCE_MARGIN_MS (1 * SEC)

void lease_init(struct lease *lease, const struct lease_opts *opts, struct now now)
{
	assert(opts->identity[0] != '\0' && opts->duration_ms > opts->renew_ms && opts->renew_ms > opts->retry_ms);
	*lease = (struct lease){ .opts = *opts, .due = now.mono, .must_read = true };
}

static bool holds(const struct lease *lease)
{
	return lease->is_seen && strcmp(lease->seen.holder, lease->opts.identity) == 0;
}

static int64_t jittered(const struct lease *lease, struct rng *rng)
{
	return lease->opts.retry_ms + (int64_t)((double)lease->opts.retry_ms * 1.2 * rng_unit(rng));
}

static void want(struct lease *lease, struct now now)
{
	bool is_renewal = holds(lease); /* also after a pause: nobody took it meanwhile */
	lease->wanted = lease->seen;
	TEXT_COPY(lease->wanted.holder, lease->opts.identity);
	lease->wanted.duration_ms = lease->opts.duration_ms;
	lease->wanted.renewed = now.wall;
	if (!is_renewal) {
		lease->wanted.acquired = now.wall;
		lease->wanted.transitions = lease->is_seen ? lease->seen.transitions + 1 : 0;
	}
}

static enum lease_do send(struct lease *lease, struct now now, enum lease_do what)
{
	lease->doing = what;
	lease->sent = now.mono;
	return what;
}

static enum lease_do give_back(struct lease *lease, struct now now)
{
	if (!lease->is_leader || !holds(lease)) {
		lease->due = (struct mono){ NEVER };
		return LEASE_WAIT;
	}
	lease->wanted = lease->seen;
	lease->wanted.holder[0] = '\0';
	lease->wanted.duration_ms = 1 * SEC;
	lease->wanted.acquired = now.wall;
	lease->wanted.renewed = now.wall;
	lease->is_leader = false;
	return send(lease, now, LEASE_UPDATE);
}

void lease_expire(struct lease *lease, struct now now)
{
	if (lease->is_leader && now.mono.ms >= lease->renewed.ms + lease->opts.renew_ms) {
		lease->is_leader = false; /* the deadline has passed: stop acting at once */
		lease->must_read = true;
	}
}

enum lease_do lease_poll(struct lease *lease, struct now now, struct rng *rng)
{
	lease_expire(lease, now);
	if (lease->doing != LEASE_WAIT || now.mono.ms < lease->due.ms)
		return LEASE_WAIT;
	if (lease->is_releasing)
		return give_back(lease, now);
	if (lease->must_read)
		return send(lease, now, LEASE_GET);
	if (!lease->is_leader && lease->is_seen && lease->seen.holder[0] != '\0' && !holds(lease) &&
	    now.mono.ms < lease->changed.ms + lease->seen.duration_ms) {
		lease->due = (struct mono){ now.mono.ms + jittered(lease, rng) };
		lease->must_read = true;
		return LEASE_WAIT;
	}
	want(lease, now);
	return send(lease, now, lease->is_seen ? LEASE_UPDATE : LEASE_CREATE);
}

static void take_in(struct lease *lease, const struct lease_record *record, struct mono now)
{
	bool is_same = lease->is_seen && strcmp(lease->seen.resource_version, record->resource_version) == 0;
	lease->seen = *record;
	lease->is_seen = true;
	lease->must_read = false;
	if (!is_same)
		lease->changed = now;
	if (!holds(lease)) /* taken away, however early: what others hold is theirs */
		lease->is_leader = false;
}

static void heard_write(struct lease *lease, struct now now, struct rng *rng, const struct lease_record *record)
{
	take_in(lease, record, now.mono);
	if (lease->is_releasing && lease->wanted.holder[0] == '\0') {
		lease->due = (struct mono){ NEVER };
		return;
	}
	if (holds(lease)) {
		if (!lease->is_leader)
			lease->epoch++;
		lease->is_leader = true;
		lease->renewed = lease->sent; /* from when it left: the server's clock started after that */
		lease->due = (struct mono){ lease->sent.ms + lease->opts.retry_ms };
	} else {
		lease->due = (struct mono){ now.mono.ms + jittered(lease, rng) };
	}
	if (lease->is_releasing)
		lease->due = now.mono;
}

void lease_heard(struct lease *lease, struct now now, struct rng *rng, int status, const struct lease_record *record)
{
	assert(lease->doing != LEASE_WAIT);
	enum lease_do did = lease->doing;
	lease->doing = LEASE_WAIT;
	if (status >= 200 && status < 300 && record != NULL) {
		if (did == LEASE_GET) {
			take_in(lease, record, now.mono);
			lease->due = now.mono;
		} else {
			heard_write(lease, now, rng, record);
		}
		return;
	}
	if (status == 404 && did == LEASE_GET) {
		lease->is_seen = false;
		lease->must_read = false;
		lease->due = now.mono;
		return;
	}
	/* Conflict, error or silence: the copy in hand may be old. A leader tries again soon: its deadline is running.
	 */
	lease->must_read = true;
	int64_t pause_ms = lease->is_leader ? (status == 409 ? 0 : lease->opts.retry_ms / 4) : jittered(lease, rng);
	lease->due = (struct mono){ now.mono.ms + pause_ms };
}

void lease_release(struct lease *lease, struct now now)
{
	lease->is_releasing = true;
	lease->due = now.mono;
}

void lease_lead_alone(struct lease *lease, struct now now)
{
	if (!lease->is_leader)
		lease->epoch++;
	lease->is_leader = true;
	lease->renewed = now.mono;
	lease->due = now.mono;
}

void lease_step_down(struct lease *lease, struct now now)
{
	lease->is_leader = false;
	lease->must_read = true;
	lease->due = (struct mono){ now.mono.ms + lease->opts.retry_ms };
}

bool lease_leads(const struct lease *lease, struct mono now)
{
	return lease->is_leader && !lease->is_releasing && now.ms < lease->renewed.ms + lease->opts.renew_ms;
}

bool lease_has_authority(const struct lease *lease, struct mono now, int64_t timeout_ms)
{
	return lease_leads(lease, now) &&
	       now.ms + timeout_ms + FENCE_MARGIN_MS <= lease->renewed.ms + lease->opts.duration_ms;
}
