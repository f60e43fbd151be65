#include "core/rung.h"

#include <string.h>

static const struct {
	const char *name, *event, *help;
} rungs[] = {
#define AS_ROW(id, name, event, help) [id] = { name, event, help },
	RUNGS(AS_ROW)
#undef AS_ROW
};
#define RUNGS_COUNT (sizeof rungs / sizeof rungs[0])

const char *rung_name(enum rung rung)
{
	return rungs[rung].name;
}

const char *rung_event(enum rung rung)
{
	return rungs[rung].event;
}

const char *rung_help(enum rung rung)
{
	return rungs[rung].help;
}

bool rung_parse(const char *name, enum rung *out)
{
	for (size_t i = 0; i < RUNGS_COUNT; i++) {
		if (name != NULL && strcmp(rungs[i].name, name) == 0) {
			*out = (enum rung)i;
			return true;
		}
	}
	return false;
}

bool rung_is_destructive(enum rung rung)
{
	return rung == RUNG_REBOOT || rung == RUNG_HARD_REBOOT || rung == RUNG_REPLACE;
}
