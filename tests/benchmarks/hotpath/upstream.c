/* A mock OpenAI upstream, fast enough that it is never what a proxy benchmark measures.
 *
 *   upstream [-p PORT] [-n CHUNKS] [-i INTERVAL_US] [-f FIRST_US]
 *
 * One thread, epoll. Prints its port, then answers every request on loopback: a body with
 * "stream":true gets CHUNKS server-sent events INTERVAL_US apart, the first after FIRST_US, each
 * with a CLOCK_MONOTONIC stamp `ts#NANOSECONDS` inside its text; any other request gets one canned
 * chat completion after FIRST_US. Streams are timed by one timerfd per connection.
 * Understands Content-Length and chunked bodies and keep-alive; nothing else.
 */
#include "net.h"

#include <signal.h>
#include <strings.h>
#include <sys/timerfd.h>

#define MAX_FD 20000
#define ANSWER_TEXT 1200 /* characters; makes a response of 1.6 KB, as a short chat answer is */

enum activity { READING, WAITING, STREAMING };

struct connection {
    int fd, timer;
    enum activity activity;
    long sent_chunks;
    int writable_wanted;
    struct buffer in, out;
};

/* Both the socket and its timer lead to the connection; `is_timer` says which one woke us. */
static struct connection *by_fd[MAX_FD];
static int is_timer[MAX_FD];
static int epoll_fd;
static long chunks = 150, interval_us = 20000, first_us = 0;
static struct buffer answer;

static void watch(int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll_fd, operation, fd, &event))
        die("epoll_ctl");
}

static void close_connection(struct connection *c)
{
    by_fd[c->fd] = by_fd[c->timer] = NULL;
    close(c->fd);
    close(c->timer);
    free(c->in.data);
    free(c->out.data);
    free(c);
}

/* Returns 0 when the peer is gone. */
static int flush(struct connection *c)
{
    while (c->out.length) {
        ssize_t n = send(c->fd, c->out.data, c->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return 0;
        if (n < 0)
            break;
        consume(&c->out, (size_t)n);
    }
    int wanted = c->out.length > 0;
    if (wanted != c->writable_wanted)
        watch(EPOLL_CTL_MOD, c->fd, EPOLLIN | (wanted ? EPOLLOUT : 0));
    c->writable_wanted = wanted;
    return 1;
}

static void set_timer(struct connection *c, long first, long every)
{
    /* a zero value would disarm the timer instead of firing at once */
    long first_ns = first ? first * 1000 : 1;
    struct itimerspec spec = {
        .it_value = {first_ns / 1000000000, first_ns % 1000000000},
        .it_interval = {every * 1000 / 1000000000, every * 1000 % 1000000000}};
    timerfd_settime(c->timer, 0, &spec, NULL);
}

static void put_chunk(struct connection *c)
{
    static const char *words[] = {" the", " quick", " brown", " fox", " jumps", " over", " lazy", " dog"};
    char event[512], framed[600];
    int length = snprintf(event, sizeof event,
        "data: {\"id\":\"chatcmpl-0123456789abcdef0123456789abcdef\",\"object\":\"chat.completion.chunk\","
        "\"created\":1790000000,\"model\":\"prod-model\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
        "\"%s ts#%lld\"},\"logprobs\":null,\"finish_reason\":%s,\"token_ids\":null}]}\n\n",
        words[c->sent_chunks % 8], (long long)now_ns(), c->sent_chunks + 1 == chunks ? "\"stop\"" : "null");
    int total = snprintf(framed, sizeof framed, "%x\r\n%s\r\n", (unsigned)length, event);
    append(&c->out, framed, (size_t)total);
    c->sent_chunks++;
}

static void put_stream_head(struct connection *c)
{
    static const char head[] = "HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 18:00:00 GMT\r\nserver: uvicorn\r\n"
                               "content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
    append(&c->out, head, sizeof head - 1);
}

static void put_stream_end(struct connection *c)
{
    static const char end[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
    append(&c->out, end, sizeof end - 1);
}

/* Length of the first whole request in the buffer, or 0 while it is incomplete. */
static size_t whole_request(struct buffer *in)
{
    char *end = in->length ? memmem(in->data, in->length, "\r\n\r\n", 4) : NULL;
    if (!end)
        return 0;
    size_t head = (size_t)(end - in->data) + 4;
    *end = 0; /* confine header searches to the head */
    char *length = strcasestr(in->data, "\r\ncontent-length:");
    int chunked = strcasestr(in->data, "\r\ntransfer-encoding: chunked") != NULL;
    size_t total = head + (length ? strtoul(length + 17, NULL, 10) : 0);
    *end = '\r';
    if (chunked) {
        char *last = memmem(end + 2, in->length - head + 2, "\r\n0\r\n\r\n", 7);
        return last ? (size_t)(last - in->data) + 7 : 0;
    }
    return in->length >= total ? total : 0;
}

static void begin_answer(struct connection *c, size_t length)
{
    int stream = memmem(c->in.data, length, "\"stream\":true", 13) ||
                 memmem(c->in.data, length, "\"stream\": true", 14);
    consume(&c->in, length);
    if (stream) {
        put_stream_head(c);
        c->activity = STREAMING;
        c->sent_chunks = 0;
        set_timer(c, first_us, interval_us);
    } else if (first_us) {
        c->activity = WAITING;
        set_timer(c, first_us, 0);
    } else {
        append(&c->out, answer.data, answer.length);
    }
}

static void answer_waiting_requests(struct connection *c)
{
    size_t length;
    while (c->activity == READING && (length = whole_request(&c->in)))
        begin_answer(c, length);
}

static void on_timer(struct connection *c)
{
    uint64_t due = 0;
    if (read(c->timer, &due, sizeof due) != sizeof due)
        return;
    if (c->activity == WAITING)
        append(&c->out, answer.data, answer.length);
    for (; c->activity == STREAMING && due && c->sent_chunks < chunks; due--)
        put_chunk(c);
    if (c->activity == STREAMING && c->sent_chunks < chunks)
        return;
    if (c->activity == STREAMING)
        put_stream_end(c);
    struct itimerspec off = {0};
    timerfd_settime(c->timer, 0, &off, NULL);
    c->activity = READING;
}

/* Returns 0 when the connection is to be closed. */
static int on_readable(struct connection *c)
{
    reserve(&c->in, 65536);
    ssize_t n = recv(c->fd, c->in.data + c->in.length, c->in.capacity - c->in.length - 1, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN;
    if (n == 0)
        return 0;
    c->in.length += (size_t)n;
    c->in.data[c->in.length] = 0;
    return 1;
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        struct connection *c = calloc(1, sizeof *c);
        if (fd >= MAX_FD || timer < 0 || timer >= MAX_FD || !c)
            die("too many connections");
        no_delay(fd);
        c->fd = fd;
        c->timer = timer;
        by_fd[fd] = by_fd[timer] = c;
        is_timer[fd] = 0;
        is_timer[timer] = 1;
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
        watch(EPOLL_CTL_ADD, timer, EPOLLIN);
    }
}

static void on_event(int fd, uint32_t events)
{
    struct connection *c = by_fd[fd];
    if (!c)
        return; /* closed by an earlier event of the same batch */
    if (is_timer[fd])
        on_timer(c);
    else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !on_readable(c)) {
        close_connection(c);
        return;
    }
    answer_waiting_requests(c);
    if (!flush(c))
        close_connection(c);
}

static int listen_on(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = loopback(port);
    socklen_t size = sizeof address;
    if (bind(listener, (void *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (void *)&address, &size))
        die("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void prepare_answer(void)
{
    char text[ANSWER_TEXT + 1], body[ANSWER_TEXT + 600], head[200];
    for (int i = 0; i < ANSWER_TEXT; i++)
        text[i] = "the quick brown fox jumps over "[i % 31];
    text[ANSWER_TEXT] = 0;
    int length = snprintf(body, sizeof body,
        "{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion\",\"created\":1790000000,"
        "\"model\":\"prod-model\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\","
        "\"refusal\":null,\"tool_calls\":[]},\"logprobs\":null,\"finish_reason\":\"stop\",\"stop_reason\":null}],"
        "\"usage\":{\"prompt_tokens\":120,\"total_tokens\":420,\"completion_tokens\":300,"
        "\"prompt_tokens_details\":null}}", text);
    int total = snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 18:00:00 GMT\r\nserver: uvicorn\r\n"
        "content-length: %d\r\ncontent-type: application/json\r\n\r\n", length);
    append(&answer, head, (size_t)total);
    append(&answer, body, (size_t)length);
}

int main(int argc, char **argv)
{
    int option, port = 0;
    while ((option = getopt(argc, argv, "p:n:i:f:")) != -1) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'n': chunks = atol(optarg); break;
        case 'i': interval_us = atol(optarg); break;
        case 'f': first_us = atol(optarg); break;
        default: return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    prepare_answer();
    epoll_fd = epoll_create1(0);
    int listener = listen_on(port);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    struct epoll_event events[256];
    for (;;) {
        int count = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener);
            else
                on_event(events[i].data.fd, events[i].events);
        }
    }
}
