/* floor: the least that a server can do on this kernel, as a measure for the
 * real ones. One thread, level-triggered epoll, one recv for each readiness,
 * unmasked in place, one send for each recv, one for each record of a stream, and
 * one to each reader for each message of the topic, which is framed once.
 * No timeouts, no limits, no checks, the one Sec-WebSocket-Accept for the load's
 * one key, and streams that all want their records as often: not a server to use.
 *
 * cc -O3 -march=native -o floor floor.c && ./floor -addr 127.0.0.1:9000
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NONE, WS, SSE, NDJSON, KINDS };

typedef struct {
	uint8_t open, want_out, sse, reads; /* the last: the topic, in this way */
	uint32_t stream, n; /* its number, or 0, and that of the next record */
	uint32_t len, cap; /* of in */
	uint8_t *in;       /* an incomplete frame, or NULL */
	uint8_t *out;      /* unsent, or NULL */
	uint32_t out_at, out_len;
} conn;

static conn *conns;
static int *readers[KINDS], reading[KINDS]; /* of the topic, and how many */
static int ep;
static uint8_t rbuf[512 << 10], wbuf[512 << 10];

static void die(const char *s) { perror(s); exit(1); }

static void want(int fd, int out) {
	struct epoll_event ev = {.events = out ? EPOLLOUT : EPOLLIN, .data.fd = fd};
	conns[fd].want_out = out;
	epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev);
}

static void hangup(int fd) {
	conn *c = &conns[fd];
	for (int i = 0; c->reads && i < reading[c->reads]; i++)
		if (readers[c->reads][i] == fd) {
			readers[c->reads][i] = readers[c->reads][--reading[c->reads]];
			break;
		}
	free(c->in);
	free(c->out);
	memset(c, 0, sizeof *c);
	close(fd);
}

static void put(int fd, const uint8_t *b, size_t n) {
	conn *c = &conns[fd];
	ssize_t k = 0;
	if (!c->out) {
		k = send(fd, b, n, MSG_NOSIGNAL);
		if (k == (ssize_t)n)
			return;
		if (k < 0) {
			if (errno != EAGAIN)
				return;
			k = 0;
		}
	}
	c->out = realloc(c->out, c->out_len + n - k);
	memcpy(c->out + c->out_len, b + k, n - k);
	c->out_len += n - k;
	if (!c->want_out)
		want(fd, 1);
}

static void flush(int fd) {
	conn *c = &conns[fd];
	ssize_t k = send(fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
	if (k > 0)
		c->out_at += k;
	if (c->out_at < c->out_len)
		return;
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_len = 0;
	want(fd, 0);
}

/* The frame at p, of n bytes: its header's length and its payload's, or 0. */
static size_t frame(const uint8_t *p, size_t n, size_t *body) {
	if (n < 2)
		return 0;
	size_t h = 6, m = p[1] & 127;
	if (m == 126) {
		if (n < 4)
			return 0;
		m = p[2] << 8 | p[3], h = 8;
	} else if (m == 127) {
		if (n < 10)
			return 0;
		h = 14, m = 0;
		for (int i = 2; i < 10; i++)
			m = m << 8 | p[i];
	}
	*body = m;
	return n < h ? 0 : h;
}

static void unmask(uint8_t *dst, const uint8_t *src, size_t n, const uint8_t key[4]) {
	uint32_t k;
	memcpy(&k, key, 4);
	uint64_t kk = (uint64_t)k << 32 | k;
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t v;
		memcpy(&v, src + i, 8);
		v ^= kk;
		memcpy(dst + i, &v, 8);
	}
	for (; i < n; i++)
		dst[i] = src[i] ^ key[i & 3];
}

/* Turns the client's frame at p into a server's at dst, which may overlap in
 * front of it. */
static size_t reply(uint8_t *dst, const uint8_t *p, size_t h, size_t body) {
	uint8_t key[4], head[10];
	memcpy(key, p + h - 4, 4);
	memcpy(head, p, h - 4);
	head[1] &= 127;
	memcpy(dst, head, h - 4);
	unmask(dst + h - 4, p + h, body, key);
	return h - 4 + body;
}

/* A long frame goes straight into a buffer of its own, and leaves from it. */
static void echo_long(int fd) {
	conn *c = &conns[fd];
	size_t n, h, body = 0;
	ssize_t k = recv(fd, c->in + c->len, c->cap - c->len, 0);
	if (k <= 0) {
		if (k == 0 || errno != EAGAIN)
			hangup(fd);
		return;
	}
	c->len += k;
	h = frame(c->in, c->len, &body);
	if (h && c->cap < h + body)
		c->in = realloc(c->in, c->cap = h + body);
	if (!h || c->len < h + body)
		return;
	uint8_t *p = c->in;
	c->in = NULL;
	n = reply(p + 4, p, h, body);
	k = c->out ? 0 : send(fd, p + 4, n, MSG_NOSIGNAL);
	if (k < (ssize_t)n && !c->out) {
		c->out = p, c->out_at = 4 + (k > 0 ? k : 0), c->out_len = 4 + n;
		want(fd, 1);
		return;
	}
	if (k < (ssize_t)n)
		put(fd, p + 4, n);
	free(p);
}

static void echo(int fd) {
	conn *c = &conns[fd];
	size_t n, h, body = 0, w = 0;
	uint8_t *p = rbuf;
	ssize_t k = recv(fd, rbuf, sizeof rbuf, 0);
	if (k <= 0) {
		if (k == 0 || errno != EAGAIN)
			hangup(fd);
		return;
	}
	n = k;
	while ((h = frame(p, n, &body)) && n >= h + body) {
		w += reply(wbuf + w, p, h, body);
		p += h + body;
		n -= h + body;
	}
	if (w)
		put(fd, wbuf, w);
	if (n) {
		c->cap = h ? h + body : 14;
		c->in = malloc(c->cap);
		memcpy(c->in, p, c->len = n);
	}
}

/* The records that are due, soonest first: all streams wait equally long. */
typedef struct {
	int64_t at, every;
	int fd;
	uint32_t stream;
} due;

static due *queue;
static uint32_t queue_size, queue_at, queue_len, streams;

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void record(int fd) {
	conn *c = &conns[fd];
	char r[256], b[300];
	uint32_t n = c->n++;
	int k = snprintf(r, sizeof r,
		"%s{\"n\":%u,\"sensor\":\"boiler-%u\",\"celsius\":%u.5,\"note\":\"a record of a stream, as long as those of a sensor usually are\"}\n%s",
		c->sse ? "data: " : "", n, n % 7, 20 + n % 60, c->sse ? "\n" : "");
	put(fd, (uint8_t *)b, snprintf(b, sizeof b, "%x\r\n%s\r\n", k, r));
}

static void wait_for(due d) {
	d.at += d.every;
	queue[(queue_at + queue_len++) % queue_size] = d;
}

/* Sends what is due, one record a stream at most, and returns the milliseconds
 * until more is. */
static int records(void) {
	for (uint32_t left = queue_len; left; left--) {
		due d = queue[queue_at];
		int64_t wait = d.at - now();
		if (wait > 0)
			return (wait + 999999) / 1000000;
		queue_at = (queue_at + 1) % queue_size;
		queue_len--;
		if (conns[d.fd].stream != d.stream) /* it has gone */
			continue;
		record(d.fd);
		wait_for(d);
	}
	return queue_len ? 0 : -1;
}

/* A duration as Go writes it, in nanoseconds. */
static int64_t duration(const char *s) {
	double d = 0, v;
	char *end;
	while (v = strtod(s, &end), end != s) {
		d += v * (end[0] == 'm' && end[1] == 's' ? 1e6 : end[0] == 'm' ? 60e9 : 1e9);
		s = end + (end[1] == 's' ? 2 : 1);
	}
	return d;
}

static void head(int fd, int sse) {
	char b[200];
	put(fd, (uint8_t *)b, sprintf(b,
		"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
		sse ? "text/event-stream" : "application/x-ndjson"));
}

static void stream(int fd, int sse, const char *every) {
	conns[fd].sse = sse;
	conns[fd].stream = ++streams;
	head(fd, sse);
	record(fd);
	wait_for((due){now(), every ? duration(every + 6) : 1000000000, fd, streams});
}

static void to_all(int kind, const uint8_t *b, size_t n) {
	for (int i = 0; i < reading[kind]; i++)
		put(readers[kind][i], b, n);
}

static void publish(const char *body, int n) {
	static char b[1 << 16];
	int h = n < 126 ? 2 : 4;
	if (n > 1 << 15)
		return;
	if (reading[WS]) {
		b[0] = (char)0x81, b[1] = n < 126 ? n : 126;
		if (h == 4)
			b[2] = n >> 8, b[3] = n;
		memcpy(b + h, body, n);
		to_all(WS, (uint8_t *)b, h + n);
	}
	if (reading[SSE])
		to_all(SSE, (uint8_t *)b, sprintf(b, "%x\r\ndata: %.*s\n\n\r\n", n + 8, n, body));
	if (reading[NDJSON])
		to_all(NDJSON, (uint8_t *)b, sprintf(b, "%x\r\n%.*s\n\r\n", n + 1, n, body));
}

/* Posts to the topic, as many as have come whole. */
static void posts(int fd, char *s, char *end) {
	static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
	conn *c = &conns[fd];
	for (char *body; (body = strstr(s, "\r\n\r\n")); ) {
		char *length = strcasestr(s, "content-length:");
		int n = length ? atoi(length + 15) : 0;
		if ((body += 4) + n > end)
			break;
		publish(body, n);
		put(fd, (const uint8_t *)answer, sizeof answer - 1);
		s = body + n;
	}
	c->len = end - s;
	if (c->len)
		c->in = memcpy(malloc(c->len), s, c->len);
}

/* A reader of the topic, of the kind that it accepts. */
static void subscribe(int fd, int kind) {
	conns[fd].reads = kind;
	readers[kind][reading[kind]++] = fd;
}

static void handshake(int fd) {
	static const char answer[] =
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
	size_t had = conns[fd].len; /* of a post */
	if (had)
		memcpy(rbuf, conns[fd].in, had);
	free(conns[fd].in);
	conns[fd].in = NULL;
	ssize_t n = recv(fd, rbuf + had, sizeof rbuf - 1 - had, 0);
	if (n > 0 && !memcmp(rbuf, "POST", 4)) {
		rbuf[n += had] = 0;
		posts(fd, (char *)rbuf, (char *)rbuf + n);
		return;
	}
	if (n < 4 || memcmp(rbuf + n - 4, "\r\n\r\n", 4)) { /* the load sends it at once */
		hangup(fd);
		return;
	}
	conns[fd].open = 1;
	rbuf[n - 1] = 0;
	char *every = strstr((char *)rbuf, "every=");
	if (!strncmp((char *)rbuf, "GET /topic", 10)) {
		int kind = strstr((char *)rbuf, "Upgrade: ") ? WS : strstr((char *)rbuf, "event-stream") ? SSE : NDJSON;
		if (kind == WS)
			put(fd, (const uint8_t *)answer, sizeof answer - 1);
		else
			head(fd, kind == SSE);
		subscribe(fd, kind);
	} else if (!strncmp((char *)rbuf, "GET /sse", 8) || !strncmp((char *)rbuf, "GET /ndjson", 11))
		stream(fd, rbuf[5] == 's', every);
	else
		put(fd, (const uint8_t *)answer, sizeof answer - 1);
}

int main(int argc, char **argv) {
	struct rlimit rl = {1 << 20, 1 << 20};
	/* Long frames come from the heap: no mmap and page faults for each. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (setrlimit(RLIMIT_NOFILE, &rl))
		getrlimit(RLIMIT_NOFILE, &rl);
	conns = calloc(rl.rlim_cur, sizeof *conns); /* untouched pages cost nothing */
	for (int i = WS; i < KINDS; i++)
		readers[i] = calloc(rl.rlim_cur, sizeof(int));
	queue = calloc(queue_size = 4 * rl.rlim_cur, sizeof *queue);
	const char *port = argc > 2 ? strrchr(argv[2], ':') : NULL;
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(port ? atoi(port + 1) : 9000),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* inherited */
	if (bind(s, (void *)&a, sizeof a) || listen(s, 4096))
		die("listen");
	ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = s}, evs[1024];
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
	for (;;) {
		int n = epoll_wait(ep, evs, 1024, records());
		for (int i = 0; i < n; i++) {
			int fd = evs[i].data.fd, k;
			if (fd == s) {
				while ((k = accept4(s, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					ev.events = EPOLLIN, ev.data.fd = k;
					epoll_ctl(ep, EPOLL_CTL_ADD, k, &ev);
				}
			} else if (evs[i].events & EPOLLOUT)
				flush(fd);
			else if (!conns[fd].open)
				handshake(fd);
			else if (conns[fd].in)
				echo_long(fd);
			else
				echo(fd);
		}
	}
}
