/* The rungs of the repair ladder, written once. */
#ifndef MAH_CORE_RUNG_H
#define MAH_CORE_RUNG_H

#include <stdbool.h>

/* id, name (stored), CamelCase reason of the event, one line of help */
#define RUNGS(X)                                                                                                       \
	X(RUNG_NONE, "none", "None", "nothing was tried yet")                                                          \
	X(RUNG_START, "start", "StartServer", "start a server that is switched off")                                   \
	X(RUNG_REBOOT, "reboot", "Reboot", "soft reboot: the guest is asked to restart")                               \
	X(RUNG_HARD_REBOOT, "hard-reboot", "HardReboot", "hard reboot: power off and on again")                        \
	X(RUNG_REPLACE, "replace", "Replace", "replace the server by a new one")                                       \
	X(RUNG_UNCORDON, "uncordon", "Uncordon", "take away the cordon that a repair left")                            \
	X(RUNG_GIVE_UP, "give-up", "GiveUp", "nothing more is tried until somebody looks at it")

#define AS_RUNG(id, ...) id,
enum rung { RUNGS(AS_RUNG) };
const char *rung_name(enum rung);
const char *rung_event(enum rung);
const char *rung_help(enum rung);
bool rung_parse(const char *name, enum rung *out);
bool rung_is_destructive(enum rung); /* stops what runs on the node */

#endif
