/* The shell's ports, made of real sockets, files and processes. One thread, one loop. */
#ifndef MAH_HOST_HOST_H
#define MAH_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http.h"
#include "base/log.h"
#include "base/port.h"
#include "base/time.h"

/* The only clock: CLOCK_MONOTONIC (CLOCK_BOOTTIME, so that a suspended machine notices) and CLOCK_REALTIME. */
struct now clock_now(void);

struct loop;
struct loop *loop_new(struct err *err); /* ignores SIGPIPE */
void loop_free(struct loop *);
/* Runs until loop_stop(): waits for I/O or until due (mono ms, NEVER: no deadline), lets callbacks store what came,
 * then calls turn(), which returns the next due time. Events that come within window_ms of each other share a turn. */
void loop_run(struct loop *, int64_t (*turn)(void *ctx), void *ctx, int64_t window_ms);
void loop_wake(struct loop *);   /* a turn is wanted soon (within the window) */
void loop_urgent(struct loop *); /* a turn is wanted now */
void loop_stop(struct loop *);
/* SIGTERM and SIGINT call stop(ctx) in the loop; SIGHUP calls reload(ctx) when not NULL. */
void loop_signals(struct loop *, void (*stop)(void *ctx), void (*reload)(void *ctx), void *ctx);
/* A descriptor of somebody else's (libmicrohttpd's epoll): ready(ctx) when readable. */
struct watch;
struct watch *loop_watch(struct loop *, int fd, void (*ready)(void *ctx), void *ctx);
void watch_free(struct watch *);

/* libcurl multi on the loop, HTTP/1.1, one multi handle, CAPATH off. Environment proxies are honoured, but never for
 * loopback; tls_opts.proxy_url was asked for by somebody and is used for every host. The ports wake nobody: a sink that
 * stored something calls loop_wake() itself (a heartbeat that changes nothing needs no turn). Ids are unique in a port
 * among what runs. Freeing a port drops what runs without done(). A request whose timeout_ms is not positive ends with
 * ERR_TIMEOUT, unsent. */
struct http_port *http_port_new(struct loop *, struct err *err);
void http_port_free(struct http_port *);

struct proc_port *proc_port_new(struct loop *);
void proc_port_free(struct proc_port *);

const struct file_port *file_port_real(void);

/* Lines to a stream (stderr): logfmt or JSON, a time stamp, level filter; an identical line repeated within 10 s is
 * counted instead of written again. */
struct log_port *log_port_new(int fd, bool is_json, enum log_level most);
void log_port_free(struct log_port *);

/* hostname_uuid, as client-go makes it. */
void host_identity(char *out, size_t out_bytes);
uint64_t host_seed(void);

#endif
