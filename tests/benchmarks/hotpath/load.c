/* Load generator for the hot-path benchmark and the isolation tests.
 *
 *   load -p PORT [-c CONNECTIONS] [-d SECONDS] [-w WARM_UP] [-g GRACE] [-r RATE] [-b BODY_BYTES]
 *        [-s CHUNKS] [-y SPREAD_US] [-x RUN] [-u PATH] [-t TRACE]
 *
 * One thread, epoll, keep-alive connections to loopback. Without -r a closed loop (saturation):
 * every connection sends as soon as it has its answer. With -r an open loop of RATE requests per
 * second in all; latency counts from the scheduled time, so that a stall is not omitted. With -s
 * the requests are streamed, every answer must hold CHUNKS events, and each event's stamp (see
 * upstream.c) gives its delay; the first requests are spread over SPREAD_US so that streams are
 * out of phase. With -t an open loop whose arrivals are the lines of a file, "MICROSECONDS
 * BODY_BYTES", in order, from the start of the run. Every request has its own x-request-id, RUN and a number. After the duration no
 * request is started and those in flight have GRACE seconds to end; SIGTERM ends it earlier.
 *
 * Prints one line of JSON. Latencies are of the time after the warm-up; `sent`, `ok`, `failed`
 * (connection broke), `refused` (status not 200), `short` (events missing), `unfinished` and
 * `chunks` count the whole run: sent = ok + failed + refused + short + unfinished.
 */
#include "net.h"

#include <signal.h>
#include <stdarg.h>
#include <strings.h>

#define MAX_CONNECTIONS 4096
#define ID_DIGITS 12

struct samples {
    int64_t *values;
    size_t count, capacity;
};

enum phase { IDLE, HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

struct connection {
    int fd;
    enum phase phase;
    int64_t scheduled;
    long left; /* bytes of the body or of the chunk still to come */
    int status;
    long events;
    struct buffer head, line;
};

static struct {
    int port, connections;
    double seconds, warm_up, grace, rate;
    long body_bytes, chunks, spread_us;
    const char *path, *run, *trace;
} options = {.connections = 32, .seconds = 3, .warm_up = 0.5, .body_bytes = 1000,
             .path = "/v1/chat/completions", .run = "run"};

struct arrival {
    int64_t at;
    long body_bytes;
};

static struct connection all[MAX_CONNECTIONS], *idle[MAX_CONNECTIONS];
static int idle_count, epoll_fd;
static struct buffer request;
static size_t id_offset;
static int64_t measured_from;
static long sent, ok, failed, refused, shortened, chunks_seen, in_window;
static struct samples latency, first_chunk, chunk_delay;

static void keep(struct samples *s, int64_t value)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity * 2 + 4096;
        s->values = realloc(s->values, s->capacity * sizeof *s->values);
        if (!s->values)
            die("realloc");
    }
    s->values[s->count++] = value;
}

/* ---- the request ---- */

static void appendf(struct buffer *b, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    append(b, text, (size_t)length);
}

static void prepare_request(long body_bytes)
{
    static const char filler[] = "lorem ipsum dolor sit amet ";
    static long prepared = -1;
    struct buffer body = {0};
    if (body_bytes == prepared)
        return;
    prepared = body_bytes;
    request.length = 0;
    appendf(&body, "{\"model\":\"prod-model\",\"stream\":%s,\"temperature\":0,\"max_tokens\":300,"
                   "\"messages\":[{\"role\":\"user\",\"content\":\"", options.chunks ? "true" : "false");
    for (long i = 0; (long)body.length < body_bytes - 4; i++)
        append(&body, filler + i % 27, 1);
    appendf(&body, "\"}]}");
    appendf(&request, "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nuser-agent: load/1\r\naccept: */*\r\n"
                      "authorization: Bearer sk-benchmark-0123456789\r\ncontent-type: application/json\r\n"
                      "content-length: %zu\r\nx-request-id: %s-", options.path, options.port, body.length,
            options.run);
    id_offset = request.length;
    appendf(&request, "%0*d\r\n\r\n", ID_DIGITS, 0);
    append(&request, body.data, body.length);
    free(body.data);
}

static void number_request(void)
{
    char id[ID_DIGITS + 1];
    snprintf(id, sizeof id, "%0*ld", ID_DIGITS, sent);
    memcpy(request.data + id_offset, id, ID_DIGITS);
}

/* ---- connections ---- */

static int connect_to_proxy(struct connection *c)
{
    struct sockaddr_in address = loopback(options.port);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (void *)&address, sizeof address)) {
        close(c->fd);
        c->fd = -1;
        return 0;
    }
    no_delay(c->fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
    return 1;
}

static void drop(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void become_idle(struct connection *c)
{
    c->phase = IDLE;
    idle[idle_count++] = c;
}

static int send_request(struct connection *c)
{
    number_request();
    sent++;
    if (c->fd < 0 && !connect_to_proxy(c))
        return 0;
    for (size_t done = 0; done < request.length;) {
        ssize_t n = send(c->fd, request.data + done, request.length - done, MSG_NOSIGNAL);
        if (n <= 0)
            return 0;
        done += (size_t)n;
    }
    return 1;
}

static void start(struct connection *c, int64_t scheduled)
{
    c->scheduled = scheduled;
    c->events = 0;
    c->head.length = c->line.length = 0;
    c->phase = HEAD;
    if (send_request(c))
        return;
    failed++;
    drop(c);
    become_idle(c);
}

/* ---- reading the answer ---- */

/* One line of the event stream; only stamped events count. */
static void on_line(struct connection *c, int64_t now)
{
    char *stamp = c->line.length ? memmem(c->line.data, c->line.length, "ts#", 3) : NULL;
    c->line.length = 0;
    if (!stamp)
        return;
    chunks_seen++;
    if (c->events++ == 0 && now > measured_from)
        keep(&first_chunk, now - c->scheduled);
    if (now > measured_from)
        keep(&chunk_delay, now - strtoll(stamp + 3, NULL, 10));
}

static void on_body(struct connection *c, const char *data, size_t length, int64_t now)
{
    while (options.chunks && length) {
        const char *end = memchr(data, '\n', length);
        size_t part = end ? (size_t)(end - data) + 1 : length;
        append(&c->line, data, part);
        if (end)
            on_line(c, now);
        data += part;
        length -= part;
    }
}

static void begin_body(struct connection *c)
{
    char *length = strcasestr(c->head.data, "\r\ncontent-length:");
    c->status = c->head.length > 12 ? atoi(c->head.data + 9) : 0;
    c->left = length ? atol(length + 17) : 0;
    c->phase = strcasestr(c->head.data, "\r\ntransfer-encoding: chunked") ? CHUNK_SIZE : BODY;
    c->line.length = 0;
    if (c->phase == CHUNK_SIZE)
        c->left = 0;
}

/* Consumes some of `data`; returns how much. Sets IDLE when the answer is complete. */
static size_t step(struct connection *c, const char *data, size_t length, int64_t now)
{
    size_t part = 1;
    switch (c->phase) {
    case HEAD:
        append(&c->head, data, 1);
        if (*data == '\n' && c->head.length >= 4 && !memcmp(c->head.data + c->head.length - 4, "\r\n\r\n", 4)) {
            begin_body(c);
            if (c->phase == BODY && c->left == 0)
                c->phase = IDLE;
        }
        return 1;
    case BODY:
    case CHUNK_DATA:
        part = length < (size_t)c->left ? length : (size_t)c->left;
        on_body(c, data, part, now);
        c->left -= (long)part;
        if (c->left == 0)
            c->phase = c->phase == BODY ? IDLE : CHUNK_END;
        return part;
    case CHUNK_SIZE:
        if (*data == '\n')
            c->phase = c->left ? CHUNK_DATA : TRAILER;
        else if (*data != '\r')
            c->left = c->left * 16 + (*data <= '9' ? *data - '0' : (*data | 32) - 'a' + 10);
        if (c->phase == TRAILER)
            c->head.length = 0;
        return 1;
    case CHUNK_END:
        if (*data == '\n')
            c->phase = CHUNK_SIZE;
        return 1;
    case TRAILER: /* ends with an empty line */
        if (*data == '\n' && c->head.length == 0)
            c->phase = IDLE;
        else if (*data == '\n')
            c->head.length = 0;
        else if (*data != '\r')
            append(&c->head, data, 1);
        return 1;
    case IDLE:
        break;
    }
    return length; /* bytes nobody asked for */
}

static void finish(struct connection *c, int64_t now)
{
    if (c->status != 200)
        refused++;
    else if (c->events != options.chunks)
        shortened++;
    else
        ok++;
    if (now > measured_from) {
        in_window++;
        keep(&latency, now - c->scheduled);
    }
    become_idle(c);
}

static void on_readable(struct connection *c)
{
    static char data[1 << 18];
    ssize_t n = recv(c->fd, data, sizeof data, MSG_DONTWAIT);
    int64_t now = now_ns();
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(c);
        if (c->phase != IDLE) {
            failed++;
            become_idle(c);
        }
        return;
    }
    for (ssize_t done = 0; done < n && c->phase != IDLE;) {
        done += (ssize_t)step(c, data + done, (size_t)(n - done), now);
        if (c->phase == IDLE)
            finish(c, now);
    }
}

/* ---- the clockwork ---- */

static int64_t next_due; /* open loop: of the next request; closed loop: of the next first request */
static int64_t interval;
static int begun;
static struct arrival *trace;
static size_t trace_length, trace_next;

static void read_trace(void)
{
    FILE *file = fopen(options.trace, "r");
    struct arrival a;
    if (!file)
        die(options.trace);
    while (fscanf(file, "%ld %ld", &a.at, &a.body_bytes) == 2) {
        trace = realloc(trace, (trace_length + 1) * sizeof *trace);
        if (!trace)
            die("realloc");
        trace[trace_length++] = a;
    }
    fclose(file);
}

static void start_arrivals(int64_t now, int64_t began)
{
    for (; idle_count && trace_next < trace_length && began + trace[trace_next].at * 1000 <= now; trace_next++) {
        prepare_request(trace[trace_next].body_bytes);
        start(idle[--idle_count], began + trace[trace_next].at * 1000);
    }
    next_due = trace_next < trace_length ? began + trace[trace_next].at * 1000 : INT64_MAX;
}

static void start_what_is_due(int64_t now, int64_t began)
{
    if (trace) {
        start_arrivals(now, began);
        return;
    }
    if (options.rate > 0) {
        for (; idle_count && next_due <= now; next_due += interval)
            start(idle[--idle_count], next_due);
        return;
    }
    for (; begun < options.connections && next_due <= now; next_due += interval, begun++)
        start(&all[begun], now);
    /* the failed ones wait for the next round, so that a refusing proxy is not a busy loop */
    for (int i = idle_count; i > 0; i--)
        start(idle[--idle_count], now);
}

static int64_t wait_until(int64_t end)
{
    int open_loop = trace || options.rate > 0;
    int more = open_loop ? idle_count > 0 : begun < options.connections;
    int64_t until = more && next_due < end ? next_due : end;
    return idle_count && !open_loop ? now_ns() + 1000000 : until;
}

static void poll_until(int64_t until)
{
    struct epoll_event events[256];
    int64_t left = until - now_ns();
    struct timespec timeout = {left > 0 ? left / 1000000000 : 0, left > 0 ? left % 1000000000 : 0};
    int count = epoll_pwait2(epoll_fd, events, 256, &timeout, NULL);
    for (int i = 0; i < count; i++)
        on_readable(events[i].data.ptr);
}

static volatile sig_atomic_t asked_to_end;

static void on_sigterm(int number)
{
    asked_to_end = number;
}

static long in_flight(void)
{
    long count = 0;
    for (int i = 0; i < options.connections; i++)
        count += all[i].phase != IDLE;
    return count;
}

/* ---- the report ---- */

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double quantile(const struct samples *s, double p)
{
    return s->count ? (double)s->values[(size_t)(p * (double)(s->count - 1))] / 1000 : 0;
}

static void print_samples(const char *name, struct samples *s)
{
    qsort(s->values, s->count, sizeof *s->values, ascending);
    printf(", \"%s\": {\"count\": %zu, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f}", name,
           s->count, quantile(s, .5), quantile(s, .9), quantile(s, .99), quantile(s, 1));
}

static void report(double seconds)
{
    printf("{\"sent\": %ld, \"ok\": %ld, \"failed\": %ld, \"refused\": %ld, \"short\": %ld, \"unfinished\": %ld, "
           "\"chunks\": %ld, \"seconds\": %.3f, \"per_second\": %.1f",
           sent, ok, failed, refused, shortened, in_flight(), chunks_seen, seconds, (double)in_window / seconds);
    print_samples("latency_us", &latency);
    print_samples("first_chunk_us", &first_chunk);
    print_samples("chunk_delay_us", &chunk_delay);
    printf("}\n");
}

static void parse(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "p:c:d:w:g:r:b:s:y:x:u:t:")) != -1) {
        switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'c': options.connections = atoi(optarg); break;
        case 'd': options.seconds = atof(optarg); break;
        case 'w': options.warm_up = atof(optarg); break;
        case 'g': options.grace = atof(optarg); break;
        case 'r': options.rate = atof(optarg); break;
        case 'b': options.body_bytes = atol(optarg); break;
        case 's': options.chunks = atol(optarg); break;
        case 'y': options.spread_us = atol(optarg); break;
        case 'x': options.run = optarg; break;
        case 'u': options.path = optarg; break;
        case 't': options.trace = optarg; break;
        default: exit(2);
        }
    }
    if (options.connections < 1 || options.connections > MAX_CONNECTIONS || !options.port)
        exit(2);
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_sigterm);
    prepare_request(options.body_bytes);
    if (options.trace)
        read_trace();
    epoll_fd = epoll_create1(0);
    for (int i = options.connections - 1; i >= 0; i--) {
        all[i].fd = -1;
        if (options.rate > 0 || trace)
            become_idle(&all[i]);
    }
    int64_t began = next_due = now_ns();
    measured_from = began + (int64_t)(options.warm_up * 1e9);
    int64_t end = measured_from + (int64_t)(options.seconds * 1e9);
    interval = options.rate > 0 ? (int64_t)(1e9 / options.rate) : options.spread_us * 1000 / options.connections;
    for (int64_t now = now_ns(); now < end && !asked_to_end; now = now_ns()) {
        start_what_is_due(now, began);
        poll_until(wait_until(end));
    }
    double seconds = (double)(now_ns() - measured_from) / 1e9;
    int64_t last = now_ns() + (int64_t)(options.grace * 1e9);
    while (in_flight() && now_ns() < last)
        poll_until(last);
    report(seconds);
}
