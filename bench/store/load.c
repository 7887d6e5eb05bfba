/* A closed-loop HTTP load on one thread: each connection asks, reads the whole answer, asks again.
 *
 *     load ADDRESSES HEADS BODIES CONNECTIONS SECONDS FIRST
 *
 * ADDRESSES    paths of Unix sockets, or host:port in numbers, with commas; connections take turns
 * HEADS        file: for each address a first line and headers, each ended by CR LF, without length
 * BODIES       file: bodies, sent in turn
 * SECONDS      ask for so long; 0: send each body once
 * FIRST        the first thirteen `@` of a body are replaced by FIRST, FIRST + 1, ...
 *
 * A file's records stand each after its length in 4 bytes, little endian. No pipelining. Prints one line of JSON; times in milliseconds. An answer that is not 2xx counts
 * as failed, and the first such is shown on standard error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_ROOM = 8192, READ_ROOM = 1 << 18, MARK = 13, MOST_TIMES = 1 << 22, PATIENCE = 300 };

/* Where in an answer a connection is. */
enum place { IN_HEAD, IN_BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, DONE };

struct text {
    const char *start;
    size_t length;
};

struct connection {
    int file;
    struct text head_sent;
    char *request;
    size_t room, length, sent;
    int wants_to_write, busy;
    double began;
    char head[HEAD_ROOM];
    size_t head_length;
    enum place place;
    int status;
    size_t left, line;
};

struct texts {
    struct text *each;
    size_t count;
};

static struct texts heads, bodies;
static size_t next_body;
static int once;
static long long stamp;
static double deadline;
static double *times;
static size_t answered, failed, received, outstanding;

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static struct text map(const char *path) {
    int file = open(path, O_RDONLY);
    struct stat info;
    if (file < 0 || fstat(file, &info)) fail(path);
    struct text found = {"", info.st_size};
    if (info.st_size) {
        found.start = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
        if (found.start == MAP_FAILED) fail(path);
    }
    close(file);
    return found;
}

static struct texts records(const char *path) {
    struct text all = map(path);
    struct texts found = {NULL, 0};
    size_t at = 0;
    while (at + 4 <= all.length) {
        uint32_t length;
        memcpy(&length, all.start + at, 4);
        found.each = realloc(found.each, (found.count + 1) * sizeof *found.each);
        found.each[found.count++] = (struct text){all.start + at + 4, length};
        at += 4 + (size_t)length;
    }
    return found;
}

static int dial(const char *address) {
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET};
    struct sockaddr *to = (struct sockaddr *)&local;
    socklen_t size = sizeof local;
    int one = 1;
    if (address[0] == '/') {
        strncpy(local.sun_path, address, sizeof local.sun_path - 1);
    } else {
        char host[64] = "";
        const char *colon = strrchr(address, ':');
        memcpy(host, address, colon - address);
        inet_pton(AF_INET, host, &inet.sin_addr);
        inet.sin_port = htons(atoi(colon + 1));
        to = (struct sockaddr *)&inet;
        size = sizeof inet;
    }
    int file = socket(to->sa_family, SOCK_STREAM, 0);
    if (connect(file, to, size)) fail(address);
    if (to->sa_family == AF_INET) setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(file, F_SETFL, O_NONBLOCK);
    return file;
}

static void compose(struct connection *it) {
    struct text head = it->head_sent, body = bodies.each[next_body % bodies.count];
    next_body++;
    if (it->room < head.length + body.length + 64) {
        it->room = head.length + body.length + 64;
        it->request = realloc(it->request, it->room);
    }
    memcpy(it->request, head.start, head.length);
    it->length = head.length;
    it->length += sprintf(it->request + it->length, "Content-Length: %zu\r\n\r\n", body.length);
    char *copy = memcpy(it->request + it->length, body.start, body.length);
    it->length += body.length;
    char *mark = body.length < 4096 ? memmem(copy, body.length, "@@@@@@@@@@@@@", MARK) : NULL;
    if (mark) {
        char digits[32];
        snprintf(digits, sizeof digits, "%013lld", stamp++);
        memcpy(mark, digits, MARK);
    }
}

static void watch(int poll, struct connection *it, int write) {
    if (it->wants_to_write == write) return;
    it->wants_to_write = write;
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = it};
    epoll_ctl(poll, EPOLL_CTL_MOD, it->file, &event);
}

static void push(int poll, struct connection *it) {
    while (it->sent < it->length) {
        ssize_t done = send(it->file, it->request + it->sent, it->length - it->sent, MSG_NOSIGNAL);
        if (done < 0 && errno == EAGAIN) break;
        if (done < 0) fail("send");
        it->sent += done;
    }
    watch(poll, it, it->sent < it->length);
}

static void ask(int poll, struct connection *it) {
    if (once ? next_body >= bodies.count : now() >= deadline) {
        it->busy = 0;
        outstanding--;
        return;
    }
    compose(it);
    it->sent = it->head_length = 0;
    it->place = IN_HEAD;
    it->began = now();
    push(poll, it);
}

/* Takes what belongs to the head; gives how many bytes of `from` that was. */
static size_t take_head(struct connection *it, const char *from, size_t length) {
    size_t before = it->head_length;
    size_t most = HEAD_ROOM - 1 - before;
    size_t copied = length < most ? length : most;
    memcpy(it->head + before, from, copied);
    it->head_length += copied;
    it->head[it->head_length] = 0;
    char *end = strstr(it->head, "\r\n\r\n");
    if (!end) {
        if (copied < length) fail("an answer's head is too long");
        return length;
    }
    *end = 0;
    it->status = atoi(it->head + 9);
    char *length_line = strcasestr(it->head, "\r\ncontent-length:");
    if (length_line) {
        it->left = strtoull(length_line + 17, NULL, 10);
        it->place = it->left ? IN_BODY : DONE;
    } else if (strcasestr(it->head, "\r\ntransfer-encoding: chunked")) {
        it->place = CHUNK_SIZE;
        it->left = 0;
    } else {
        it->place = DONE;
    }
    return end + 4 - it->head - before;
}

/* Goes through a piece of an answer; true once the answer is whole. */
static int take(struct connection *it, const char *from, size_t length) {
    size_t at = 0;
    while (at < length && it->place != DONE) {
        if (it->place == IN_HEAD) {
            at += take_head(it, from + at, length - at);
        } else if (it->place == IN_BODY || it->place == CHUNK) {
            size_t part = length - at < it->left ? length - at : it->left;
            at += part;
            it->left -= part;
            if (!it->left) it->place = it->place == CHUNK ? CHUNK_END : DONE;
        } else {
            char each = from[at++];
            if (it->place == CHUNK_SIZE && each == '\n') {
                it->place = it->left ? CHUNK : TRAILER;
                it->line = 0;
            } else if (it->place == CHUNK_SIZE && each != '\r') {
                it->left = it->left * 16 + (each <= '9' ? each - '0' : (each | 32) - 'a' + 10);
            } else if (it->place == CHUNK_END && each == '\n') {
                it->place = CHUNK_SIZE;
            } else if (it->place == TRAILER && each == '\n') {
                if (!it->line) it->place = DONE;
                it->line = 0;
            } else if (it->place == TRAILER && each != '\r') {
                it->line++;
            }
        }
    }
    return it->place == DONE;
}

static void pull(int poll, struct connection *it) {
    static char room[READ_ROOM];
    ssize_t length = recv(it->file, room, sizeof room, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) {
        fprintf(stderr, "the server hung up after %zu answers\n", answered);
        exit(2);
    }
    received += length;
    if (!take(it, room, length)) return;
    times[answered++ % MOST_TIMES] = now() - it->began;
    if (it->status < 200 || it->status > 299) {
        if (!failed++) fprintf(stderr, "%s\n%.*s\n", it->head, (int)(length < 500 ? length : 500), room);
    }
    ask(poll, it);
}

static int ascending(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double share(double part) {
    size_t known = answered < MOST_TIMES ? answered : MOST_TIMES;
    return known ? 1000 * times[(size_t)(part * (known - 1))] : 0;
}

int main(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: load ADDRESSES HEADS BODIES CONNECTIONS SECONDS FIRST\n");
        return 2;
    }
    heads = records(words[2]);
    bodies = records(words[3]);
    char **addresses = calloc(heads.count, sizeof *addresses);
    for (size_t each = 0; each < heads.count; each++) {
        addresses[each] = strtok(each ? NULL : words[1], ",");
    }
    int connections = atoi(words[4]);
    double seconds = atof(words[5]);
    stamp = atoll(words[6]);
    once = seconds == 0;
    times = calloc(MOST_TIMES, sizeof *times);
    struct connection *all = calloc(connections, sizeof *all);
    int poll = epoll_create1(0);
    for (int each = 0; each < connections; each++) {
        all[each].file = dial(addresses[each % heads.count]);
        all[each].head_sent = heads.each[each % heads.count];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[each]};
        epoll_ctl(poll, EPOLL_CTL_ADD, all[each].file, &event);
    }
    double began = now();
    deadline = began + seconds;
    outstanding = connections;
    for (int each = 0; each < connections; each++) {
        all[each].busy = 1;
        ask(poll, &all[each]);
    }
    struct epoll_event events[256];
    while (outstanding) {
        int ready = epoll_wait(poll, events, 256, PATIENCE * 1000);
        if (!ready) {
            fprintf(stderr, "no answer for %d s\n", PATIENCE);
            return 2;
        }
        for (int each = 0; each < ready; each++) {
            struct connection *it = events[each].data.ptr;
            if (events[each].events & EPOLLOUT) push(poll, it);
            if (events[each].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                if (it->busy) pull(poll, it);
                else epoll_ctl(poll, EPOLL_CTL_DEL, it->file, NULL);
            }
        }
    }
    double took = now() - began;
    qsort(times, answered < MOST_TIMES ? answered : MOST_TIMES, sizeof *times, ascending);
    printf("{\"count\":%zu,\"failed\":%zu,\"seconds\":%.6f,\"received\":%zu,"
           "\"p50\":%.4f,\"p95\":%.4f,\"p99\":%.4f}\n",
           answered, failed, took, received, share(0.5), share(0.95), share(0.99));
    return 0;
}
