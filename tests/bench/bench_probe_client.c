/* CPU, time and memory of TLS probes: a bare GnuTLS epoll client as the floor, and the probe role.
 * bench_probe_client bare|normal|role|brief COUNT IN_FLIGHT TIMEOUT_MS HOST:PORT [HOST:PORT...]
 * probes the places in turn until COUNT were probed and prints one line of figures of the process that
 * probed. bench_probe_client tarpit N listens on N ports, prints them, and never accepts. */
#include "agent/process/channel.h"
#include "scanners/network/item.h"
#include "scanners/network/probe.h"
#include "scanners/network/tls.h"
#include "scanners/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACES_MAX 64
#define EVENTS 256
#define BACKLOG 65535

struct place {
	char host[64];
	uint16_t port;
	struct sockaddr_in address;
};

struct bench {
	const char *
		mode; /* bare and normal: GnuTLS alone, with the probe's priority or its own; role: the full
			     probe, with its question; brief: certificates only */
	unsigned count;
	unsigned in_flight;
	int64_t timeout_ms;
	struct place places[PLACES_MAX];
	unsigned places_count;
	unsigned ok;
	unsigned failed;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- the floor -------------------------------------------------------------------------------- */

struct connection {
	int fd;
	bool is_connected;
	gnutls_session_t session;
	int64_t deadline_ms;
	struct connection *next; /* in the order of deadlines */
	struct connection *previous;
};

struct bare {
	struct bench *bench;
	int epoll;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	struct connection *oldest;
	struct connection *newest;
	unsigned started;
	unsigned open;
};

static void bare_start(struct bare *b)
{
	const struct place *place = &b->bench->places[b->started++ % b->bench->places_count];
	struct connection *c = calloc(1, sizeof(*c));
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = c };
	int on = 1;

	if (!c)
		die("calloc");
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)&place->address, sizeof(place->address)) != 0 &&
		errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		die("epoll_ctl");
	c->deadline_ms = clock_monotonic_ms() + b->bench->timeout_ms;
	c->previous = b->newest;
	if (b->newest)
		b->newest->next = c;
	else
		b->oldest = c;
	b->newest = c;
	b->open++;
}

static void bare_end(struct bare *b, struct connection *c, bool is_ok)
{
	if (is_ok) {
		(void)gnutls_bye(c->session, GNUTLS_SHUT_WR);
		b->bench->ok++;
	} else {
		b->bench->failed++;
	}
	if (c->session)
		gnutls_deinit(c->session);
	(void)close(c->fd);
	if (c->previous)
		c->previous->next = c->next;
	else
		b->oldest = c->next;
	if (c->next)
		c->next->previous = c->previous;
	else
		b->newest = c->previous;
	free(c);
	b->open--;
}

static void bare_step(struct bare *b, struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int ret;

	if (!c->is_connected) {
		int error = 0;
		socklen_t size = sizeof(error);

		(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error) {
			bare_end(b, c, false);
			return;
		}
		c->is_connected = true;
		if (gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
						     GNUTLS_NO_TICKETS_TLS12) < 0)
			die("gnutls_init");
		(void)gnutls_priority_set(c->session, b->priority);
		(void)gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, b->credentials);
		gnutls_transport_set_int(c->session, c->fd);
		(void)epoll_ctl(b->epoll, EPOLL_CTL_MOD, c->fd, &event);
	}
	do {
		ret = gnutls_handshake(c->session);
	} while (ret < 0 && ret != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(ret));
	if (ret != GNUTLS_E_AGAIN)
		bare_end(b, c, ret == 0);
}

static void run_bare(struct bench *bench)
{
	struct bare b = { .bench = bench, .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct epoll_event events[EVENTS];

	const char *priority = strcmp(bench->mode, "normal") == 0 ? "NORMAL" : TLS_PRIORITY;

	if (gnutls_priority_init(&b.priority, priority, NULL) < 0 ||
		gnutls_certificate_allocate_credentials(&b.credentials) < 0)
		die("gnutls");
	while (b.open || b.started < bench->count) {
		int64_t wait;
		int count;

		for (int i = 0; i < 32 && b.open < bench->in_flight && b.started < bench->count;
			i++)
			bare_start(&b);
		wait = b.oldest->deadline_ms - clock_monotonic_ms();
		if (b.open < bench->in_flight && b.started < bench->count)
			wait = 0;
		count = epoll_wait(b.epoll, events, EVENTS, wait > 0 ? (int)wait : 0);
		for (int i = 0; i < count; i++)
			bare_step(&b, events[i].data.ptr);
		while (b.oldest && b.oldest->deadline_ms <= clock_monotonic_ms())
			bare_end(&b, b.oldest, false);
	}
	gnutls_priority_deinit(b.priority);
	gnutls_certificate_free_credentials(b.credentials);
}

/* ---- the role --------------------------------------------------------------------------------- */

static void send_frame(struct channel *c, enum message type, const struct buffer *b)
{
	if (buffer_status(b) != ERR_OK ||
		channel_write(c, (uint16_t)type, buffer_bytes(b)) != ERR_OK)
		die("channel_write");
}

static void send_setup(const struct bench *bench, struct channel *c)
{
	char name[] = "endpoints";
	char path[] = "/";
	const struct probe_options options = { .scanner = name,
		.timeout_ms = bench->timeout_ms,
		.concurrency = bench->in_flight,
		.dns_timeout_ms = bench->timeout_ms,
		.http_path = path,
		.is_certificates_only = strcmp(bench->mode, "brief") == 0 };
	struct setup setup = { .pinned_now = TIME_UNKNOWN };
	struct buffer inner, out;

	buffer_init(&inner, 4096);
	buffer_init(&out, 8192);
	probe_options_encode(&inner, &options);
	setup.options = buffer_bytes(&inner);
	setup_encode(&out, &setup);
	send_frame(c, MESSAGE_SETUP, &out);
	buffer_fini(&inner);
	buffer_fini(&out);
}

static void send_target(const struct bench *bench, struct channel *c, unsigned i)
{
	const struct place *place = &bench->places[i % bench->places_count];
	struct target target = { .host = (char *)(uintptr_t)place->host, .port = place->port };
	struct work work = { .id = i + 1 };
	struct scan_item item;
	struct buffer out;

	if (target_item(&target, &item) != ERR_OK)
		die("target_item");
	work.place = slice_text(item.place);
	work.item = buffer_bytes(&item.item);
	buffer_init(&out, 8192);
	work_encode(&out, &work);
	send_frame(c, MESSAGE_WORK, &out);
	buffer_fini(&out);
	buffer_fini(&item.item);
	free(item.place);
}

static void take_finding(struct bench *bench, struct slice payload)
{
	struct finding_piece piece;
	struct session session;

	if (finding_piece_decode(payload, &piece) != ERR_OK || !piece.is_first || !piece.is_last ||
		session_decode(piece.data, &session) != ERR_OK)
		die("finding");
	if (session.has_problem || !session.certificates.count)
		bench->failed++;
	else
		bench->ok++;
	session_fini(&session);
}

/* main's part: keeps the window full. */
static void run_main(struct bench *bench, int fd)
{
	const struct buffer nothing = { 0 };
	struct channel c;
	unsigned sent = 0, done = 0;
	bool has_finished = false;
	uint16_t type = 0;

	if (channel_init(&c, fd) != ERR_OK)
		die("channel_init");
	send_setup(bench, &c);
	while (type != MESSAGE_FINISHED) {
		bool may_send = sent < bench->count && sent - done < bench->in_flight;
		struct pollfd p = { .fd = fd,
			.events = (short)(POLLIN | (may_send ? POLLOUT : 0)) };
		struct slice payload;

		if (sent == bench->count && !has_finished) {
			send_frame(&c, MESSAGE_FINISH, &nothing);
			has_finished = true;
		}
		/* Reads first: two that both wait for the other to read would wait for ever. */
		if (!channel_has_frame(&c) && poll(&p, 1, -1) < 0)
			die("poll");
		if (!channel_has_frame(&c) && !(p.revents & POLLIN)) {
			send_target(bench, &c, sent++);
			continue;
		}
		if (channel_read(&c, &type, &payload) != ERR_OK)
			die("channel_read");
		done += type == MESSAGE_WORK_DONE;
		if (type == MESSAGE_FINDING)
			take_finding(bench, payload);
	}
	channel_fini(&c);
}

static void run_role(struct bench *bench)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		die("socketpair");
	pid = fork();
	if (pid == 0) {
		struct why why = { 0 };

		(void)close(pair[0]);
		_exit(probe_role.run(pair[1], &why) == ERR_OK ? 0 : 1);
	}
	(void)close(pair[1]);
	run_main(bench, pair[0]);
	(void)waitpid(pid, NULL, 0);
}

/* ---- main ------------------------------------------------------------------------------------- */

static void report(const char *mode, const struct bench *bench, int64_t began_ms)
{
	struct rusage usage;
	double cpu;

	bool is_child = strcmp(mode, "role") == 0 || strcmp(mode, "brief") == 0;

	(void)getrusage(is_child ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
	cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("mode=%s ok=%u failed=%u wall_s=%.3f cpu_s=%.3f cpu_us_per_probe=%.1f rss_kib=%ld\n",
		mode, bench->ok, bench->failed, (double)(clock_monotonic_ms() - began_ms) / 1000.0,
		cpu, cpu * 1e6 / bench->count, usage.ru_maxrss);
}

static int tarpit(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		socklen_t size = sizeof(a);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (bind(fd, (struct sockaddr *)&a, size) != 0 || listen(fd, BACKLOG) != 0 ||
			getsockname(fd, (struct sockaddr *)&a, &size) != 0)
			die("tarpit");
		printf("127.0.0.1:%u\n", ntohs(a.sin_port));
	}
	(void)fflush(stdout);
	/* Until whoever measures has seen enough. */
	(void)pause();
	return 0;
}

static void add_place(struct bench *bench, const char *text)
{
	struct place *place = &bench->places[bench->places_count++];
	const char *colon = strrchr(text, ':');

	if (!colon || bench->places_count > PLACES_MAX)
		die("HOST:PORT");
	(void)snprintf(place->host, sizeof(place->host), "%.*s", (int)(colon - text), text);
	place->port = (uint16_t)strtoul(colon + 1, NULL, 10);
	place->address.sin_family = AF_INET;
	place->address.sin_port = htons(place->port);
	if (inet_pton(AF_INET, place->host, &place->address.sin_addr) != 1)
		die(place->host);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	struct bench bench = { 0 };
	int64_t began_ms;

	if (argc == 3 && strcmp(argv[1], "tarpit") == 0)
		return tarpit((unsigned)strtoul(argv[2], NULL, 10));
	if (argc < 6) {
		(void)fprintf(stderr,
			"usage: %s bare|normal|role|brief COUNT IN_FLIGHT TIMEOUT_MS HOST:PORT...\n"
			"       %s tarpit N\n",
			argv[0], argv[0]);
		return 2;
	}
	bench.mode = argv[1];
	bench.count = (unsigned)strtoul(argv[2], NULL, 10);
	bench.in_flight = (unsigned)strtoul(argv[3], NULL, 10);
	bench.timeout_ms = (int64_t)strtoul(argv[4], NULL, 10);
	for (int i = 5; i < argc; i++)
		add_place(&bench, argv[i]);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	began_ms = clock_monotonic_ms();
	if (strcmp(argv[1], "role") == 0 || strcmp(argv[1], "brief") == 0)
		run_role(&bench);
	else
		run_bare(&bench);
	report(argv[1], &bench, began_ms);
	return 0;
}
