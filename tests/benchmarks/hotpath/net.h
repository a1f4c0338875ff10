/* What the mock upstream and the load generator share: a clock, sockets, a growing buffer. */
#ifndef NET_H
#define NET_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem, strcasestr, accept4, epoll_pwait2 */
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* CLOCK_MONOTONIC is one clock for both processes, so a stamp written by the upstream may be
 * subtracted by the load generator. */
static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return address;
}

static inline void no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

struct buffer {
    char *data;
    size_t length, capacity;
};

/* Room for `extra` more bytes, and a terminating zero so that string functions may be used. */
static inline void reserve(struct buffer *b, size_t extra)
{
    if (b->length + extra < b->capacity)
        return;
    b->capacity = (b->length + extra) * 2 + 4096;
    b->data = realloc(b->data, b->capacity);
    if (!b->data)
        die("realloc");
}

static inline void append(struct buffer *b, const char *data, size_t length)
{
    reserve(b, length);
    memcpy(b->data + b->length, data, length);
    b->length += length;
    b->data[b->length] = 0;
}

static inline void consume(struct buffer *b, size_t length)
{
    b->length -= length;
    memmove(b->data, b->data + length, b->length);
    b->data[b->length] = 0;
}

#endif
