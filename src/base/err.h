/* An error as a value: a code for the program, a sentence for people. */
#ifndef MAH_BASE_ERR_H
#define MAH_BASE_ERR_H

#include <stdbool.h>

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* The code decides what is done about it; see err_code_name(). */
#define ERR_CODES(X)                                                                                                   \
	X(ERR_NONE, "none")         /* no error */                                                                     \
	X(ERR_INPUT, "input")       /* somebody gave us something wrong: never retry */                                \
	X(ERR_NETWORK, "network")   /* no answer came; the act may or may not have happened */                         \
	X(ERR_TIMEOUT, "timeout")   /* the same, after a deadline */                                                   \
	X(ERR_REFUSED, "refused")   /* the connection was refused: the other host lives, nothing was done */           \
	X(ERR_AUTH, "auth")         /* credentials refused */                                                          \
	X(ERR_GONE, "gone")         /* the thing does not exist (any more) */                                          \
	X(ERR_CONFLICT, "conflict") /* somebody was faster: read again, decide again */                                \
	X(ERR_BUSY, "busy")         /* throttled or temporarily refused: wait */                                       \
	X(ERR_REMOTE, "remote")     /* the other side answered with a failure or with nonsense */                      \
	X(ERR_LIMIT, "limit")       /* one of our own limits was hit */

#define AS_ENUM(id, ...) id,
enum err_code { ERR_CODES(AS_ENUM) };

struct err {
	enum err_code code;
	char text[240];
};

/* Fills *err (which may be NULL) and returns false, so that `return fail(...)` reads well. */
bool fail(struct err *err, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

/* Puts "while FMT: " in front of the text that is there; returns false. */
bool err_while(struct err *err, const char *fmt, ...) PRINTF(2, 3);

const char *err_code_name(enum err_code code);

#endif
