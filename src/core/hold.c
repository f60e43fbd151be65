#include "core/hold.h"

static const struct {
	const char *name, *help;
} holds[] = {
#define AS_ROW(id, name, help) [id] = { name, help },
	HOLDS(AS_ROW)
#undef AS_ROW
};

const char *hold_name(enum hold hold)
{
	return holds[hold].name;
}

const char *hold_help(enum hold hold)
{
	return holds[hold].help;
}
