/* The probe role over a socket pair, against servers of every temper. */
#include "agent/base/wire.h"
#include "agent/process/channel.h"
#include "scanners/network/item.h"
#include "scanners/network/probe.h"
#include "scanners/network/tls.h"
#include "scanners/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#define TIMEOUT_MS 1000
/* What is over sooner was not ended by a timeout, however busy the machine. */
#define PATIENCE_MS 120000
#define TARGETS_MAX 512

extern char **environ;

/* ---- certificates ----------------------------------------------------------------------------- */

struct served {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;
};

struct wish {
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
	gnutls_digest_algorithm_t digest;
	unsigned names;
	bool is_expired;
};

static const struct wish ordinary = { GNUTLS_PK_ECDSA,
	GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), GNUTLS_DIG_SHA256, 1, false };

/* subjectAltName with so many dNSNames, written as DER: GnuTLS's own way takes minutes for thousands. */
static void set_names(gnutls_x509_crt_t crt, unsigned count)
{
	enum { NAME_BYTES = 23 };
	size_t size = (size_t)count * (NAME_BYTES + 2);
	struct buffer der;

	buffer_init(&der, size + 16);
	buffer_byte(&der, 0x30);
	buffer_byte(&der, 0x83);
	for (int shift = 16; shift >= 0; shift -= 8)
		buffer_byte(&der, (uint8_t)(size >> shift));
	for (unsigned i = 0; i < count; i++) {
		buffer_byte(&der, 0x82);
		buffer_byte(&der, NAME_BYTES);
		buffer_format(&der, "name-%06u.example.org", i);
	}
	assert_int_equal(buffer_status(&der), ERR_OK);
	assert_int_equal(gnutls_x509_crt_set_extension_by_oid(
				 crt, "2.5.29.17", der.data, (unsigned)der.size, 0),
		0);
	buffer_fini(&der);
}

static void identity_new(struct served *id, const struct wish *wish)
{
	time_t now = time(NULL);
	const uint8_t serial[] = { 1 };

	assert_int_equal(gnutls_x509_privkey_init(&id->key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(id->key, wish->algorithm, wish->bits, 0), 0);
	assert_int_equal(gnutls_x509_crt_init(&id->crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(id->crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(id->crt, serial, sizeof(serial)), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(id->crt, "CN=probe test", NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_key(id->crt, id->key), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(id->crt, now - 7200), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(
				 id->crt, wish->is_expired ? now - 3600 : now + 3600),
		0);
	set_names(id->crt, wish->names);
	assert_int_equal(gnutls_x509_crt_sign2(id->crt, id->crt, id->key, wish->digest, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(id->crt, GNUTLS_X509_FMT_DER, &id->der), 0);
}

static void identity_free(struct served *id)
{
	gnutls_x509_privkey_deinit(id->key);
	gnutls_x509_crt_deinit(id->crt);
	gnutls_free(id->der.data);
}

/* ---- servers ---------------------------------------------------------------------------------- */

struct server;
typedef void serve_fn(struct server *s, int fd);

struct server {
	serve_fn *serve;
	int listener;
	uint16_t port;
	pthread_t thread;
	atomic_uint accepted;
	atomic_int connection; /* the one being served */
	/* for TLS */
	const char *priority;
	gnutls_certificate_credentials_t credentials;
	gnutls_certificate_request_t request;
	char name_asked[128];
	const char *greeting; /* after a ticket, in the same segment; or NULL */
	/* for raw ones */
	const void *bytes;
	size_t size;
};

static void *accepting(void *arg)
{
	struct server *s = arg;

	for (;;) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno == EMFILE) {
			usleep(10000);
			continue;
		}
		if (fd < 0)
			return NULL;
		atomic_store(&s->connection, fd);
		atomic_fetch_add(&s->accepted, 1);
		s->serve(s, fd);
		(void)close(fd);
	}
}

static int listen_on(int family, uint16_t *port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { 0 };
	socklen_t size = family == AF_INET ? sizeof(a.v4) : sizeof(a.v6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a.v6.sin6_addr = in6addr_loopback;
	if (fd < 0 || bind(fd, &a.any, size) != 0 || listen(fd, 512) != 0 ||
		getsockname(fd, &a.any, &size) != 0)
		return -1;
	*port = ntohs(a.v4.sin_port);
	return fd;
}

static void server_start(struct server *s)
{
	s->listener = listen_on(AF_INET, &s->port);
	assert_true(s->listener >= 0);
	assert_int_equal(pthread_create(&s->thread, NULL, accepting, s), 0);
}

/* Ends what it serves, and what waits to be served. */
static void server_release(struct server *s)
{
	(void)shutdown(s->listener, SHUT_RDWR);
	if (atomic_load(&s->accepted))
		(void)shutdown(atomic_load(&s->connection), SHUT_RDWR);
}

static void server_stop(struct server *s)
{
	(void)shutdown(s->listener, SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	(void)close(s->listener);
}

/* Reads until the client is gone, which is when it has lost its patience at the latest. */
static void drain(int fd)
{
	struct timeval patience = { .tv_sec = 2 * PATIENCE_MS / 1000 };
	char bytes[4096];

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		continue;
}

/* A ticket and the first word, together. */
static void greet(const struct server *s, gnutls_session_t session, int fd)
{
	int is_corked = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &is_corked, sizeof(is_corked));
	(void)gnutls_session_ticket_send(session, 1, 0);
	(void)gnutls_record_send(session, s->greeting, strlen(s->greeting));
	is_corked = 0;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &is_corked, sizeof(is_corked));
}

static void serve_tls(struct server *s, int fd)
{
	gnutls_session_t session;
	struct timeval patience = { .tv_sec = 2 * PATIENCE_MS / 1000 };
	size_t size = sizeof(s->name_asked) - 1;
	gnutls_datum_t ticket_key = { 0 };
	unsigned type;
	char byte;
	int ret;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL | GNUTLS_NO_AUTO_SEND_TICKET) <
		0)
		return;
	if (s->greeting && gnutls_session_ticket_key_generate(&ticket_key) >= 0)
		(void)gnutls_session_ticket_enable_server(session, &ticket_key);
	(void)gnutls_priority_set_direct(session, s->priority, NULL);
	(void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, s->credentials);
	gnutls_certificate_server_set_request(session, s->request);
	gnutls_handshake_set_max_packet_length(session, TLS_MESSAGE_BYTES_MAX);
	gnutls_transport_set_int(session, fd);
	do {
		ret = gnutls_handshake(session);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	if (ret < 0)
		(void)gnutls_alert_send_appropriate(session, ret);
	memset(s->name_asked, 0, sizeof(s->name_asked));
	if (gnutls_server_name_get(session, s->name_asked, &size, &type, 0) < 0)
		s->name_asked[0] = '\0';
	if (ret >= 0 && s->greeting)
		greet(s, session, fd);
	if (ret >= 0)
		(void)gnutls_record_recv(session, &byte, 1);
	gnutls_deinit(session);
	gnutls_free(ticket_key.data);
	(void)shutdown(fd, SHUT_WR);
	drain(fd);
}

static void tls_server_start(struct server *s, const struct served *id)
{
	s->serve = serve_tls;
	assert_int_equal(gnutls_certificate_allocate_credentials(&s->credentials), 0);
	assert_true(gnutls_certificate_set_x509_key(s->credentials,
			    (gnutls_x509_crt_t *)(uintptr_t)&id->crt, 1, id->key) >= 0);
	server_start(s);
}

static void tls_server_stop(struct server *s)
{
	server_stop(s);
	gnutls_certificate_free_credentials(s->credentials);
}

/* Answers the first bytes with fixed ones. */
static void serve_bytes(struct server *s, int fd)
{
	char hello[4096];

	if (recv(fd, hello, sizeof(hello), 0) > 0)
		(void)send(fd, s->bytes, s->size, MSG_NOSIGNAL);
	drain(fd);
}

static void serve_banner(struct server *s, int fd)
{
	(void)send(fd, s->bytes, s->size, MSG_NOSIGNAL);
	drain(fd);
}

static void serve_silence(struct server *s, int fd)
{
	(void)s;
	drain(fd);
}

static void serve_close(struct server *s, int fd)
{
	char hello[4096];

	(void)s;
	(void)recv(fd, hello, sizeof(hello), 0);
}

static void serve_reset(struct server *s, int fd)
{
	const struct linger now = { .l_onoff = 1 };
	char hello[4096];

	(void)s;
	(void)recv(fd, hello, sizeof(hello), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* The head of a record of 16 KiB, then a byte now and then: the record never ends. */
static void serve_drip(struct server *s, int fd)
{
	const uint8_t head[] = { 22, 3, 3, 0x40, 0, 2, 0, 0x3f };

	(void)s;
	if (send(fd, head, sizeof(head), MSG_NOSIGNAL) < 0)
		return;
	while (send(fd, "\0", 1, MSG_NOSIGNAL) == 1)
		usleep(50 * 1000);
}

/* Whole records without end, as fast as they go. */
static void serve_flood(struct server *s, int fd)
{
	while (send(fd, s->bytes, s->size, MSG_NOSIGNAL) > 0)
		continue;
}

/* A ServerHello of 16 MiB. */
static void serve_large(struct server *s, int fd)
{
	uint8_t record[5 + 16384] = { 22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff };

	(void)s;
	while (send(fd, record, sizeof(record), MSG_NOSIGNAL) > 0)
		continue;
}

/* ---- the role --------------------------------------------------------------------------------- */

struct seen {
	char *place;
	struct session session;
};

struct rig {
	int ours;
	int theirs;
	pthread_t thread;
	struct channel channel;
	enum err result;
	uint64_t sent;
	uint64_t done;
	bool is_finished;
	size_t count;
	struct seen items[TARGETS_MAX];
	char *problem; /* the last problem record's message */
	size_t problems;
	size_t progress;
	int64_t began_ms;
	int64_t took_ms;
	uint64_t wanted;
	uint64_t granted;
	uint64_t kept;
	struct server *silent; /* its connections are shut once so many others are done */
	uint64_t others;
};

static void *running(void *arg)
{
	struct rig *r = arg;
	struct why why = { 0 };

	r->result = probe_role.run(r->theirs, &why);
	(void)close(r->theirs);
	return NULL;
}

static void rig_send(struct rig *r, enum message type, struct slice payload)
{
	assert_int_equal(channel_write(&r->channel, (uint16_t)type, payload), ERR_OK);
}

static void rig_start_for(struct rig *r, int64_t timeout_ms, uint32_t concurrency, bool is_paced)
{
	struct probe_options options = { .scanner = (char[]){ "endpoints" },
		.timeout_ms = timeout_ms,
		.concurrency = concurrency,
		.is_paced = is_paced,
		.dns_timeout_ms = timeout_ms };
	struct setup setup = { .pinned_now = TIME_UNKNOWN };
	struct buffer inner, out;
	int pair[2];

	*r = (struct rig){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	r->ours = pair[0];
	r->theirs = pair[1];
	r->began_ms = clock_monotonic_ms();
	assert_int_equal(channel_init(&r->channel, r->ours), ERR_OK);
	assert_int_equal(pthread_create(&r->thread, NULL, running, r), 0);
	buffer_init(&inner, 4096);
	buffer_init(&out, 8192);
	probe_options_encode(&inner, &options);
	setup.options = buffer_bytes(&inner);
	setup_encode(&out, &setup);
	rig_send(r, MESSAGE_SETUP, buffer_bytes(&out));
	buffer_fini(&inner);
	buffer_fini(&out);
}

static void rig_start(struct rig *r, uint32_t concurrency, bool is_paced)
{
	rig_start_for(r, TIMEOUT_MS, concurrency, is_paced);
}

static void rig_target(struct rig *r, const struct target *t)
{
	struct scan_item item;
	struct work work = { .id = ++r->sent };
	struct buffer out;

	assert_int_equal(target_item(t, &item), ERR_OK);
	work.place = slice_text(item.place);
	work.item = buffer_bytes(&item.item);
	buffer_init(&out, 64 * 1024);
	work_encode(&out, &work);
	rig_send(r, MESSAGE_WORK, buffer_bytes(&out));
	buffer_fini(&out);
	free(item.place);
	buffer_fini(&item.item);
}

static void rig_host(struct rig *r, const char *host, uint16_t port)
{
	const struct target t = { .host = (char *)(uintptr_t)host, .port = port };

	rig_target(r, &t);
}

static void take_finding(struct rig *r, struct slice payload, struct buffer *whole)
{
	struct finding_piece piece;

	assert_int_equal(finding_piece_decode(payload, &piece), ERR_OK);
	if (piece.is_first) {
		assert_int_equal(piece.kind, FINDING_ENDPOINT);
		assert_true(r->count < TARGETS_MAX);
		r->items[r->count].place = string_of(piece.place);
	}
	buffer_slice(whole, piece.data);
	if (!piece.is_last)
		return;
	assert_int_equal(
		session_decode(buffer_bytes(whole), &r->items[r->count++].session), ERR_OK);
	buffer_clear(whole);
}

static void take_record(struct rig *r, struct slice payload)
{
	struct record record;

	assert_int_equal(record_decode(payload, &record), ERR_OK);
	assert_int_equal(record.kind, RECORD_PROBLEM);
	free(r->problem);
	r->problem = strdup(record.problem.message);
	r->problems++;
	record_fini(&record);
}

static void grant(struct rig *r)
{
	struct buffer number;

	buffer_init(&number, 8);
	wire_put_u64(&number, 1);
	rig_send(r, MESSAGE_GRANT, buffer_bytes(&number));
	buffer_fini(&number);
	r->granted++;
}

static void take_want(struct rig *r, struct slice payload)
{
	struct wire w = wire_of(payload);

	r->wanted += wire_get_u64(&w);
	assert_int_equal(wire_end(&w), ERR_OK);
	if (!r->granted)
		grant(r);
}

/* Tells the role to finish and collects what it says. */
static void rig_finish(struct rig *r)
{
	struct buffer whole;

	buffer_init(&whole, 8 * 1024 * 1024);
	rig_send(r, MESSAGE_FINISH, slice_of(NULL, 0));
	while (!r->is_finished) {
		struct slice payload;
		uint16_t type;

		assert_int_equal(channel_read(&r->channel, &type, &payload), ERR_OK);
		if (type == MESSAGE_FINDING)
			take_finding(r, payload, &whole);
		else if (type == MESSAGE_RECORD)
			take_record(r, payload);
		else if (type == MESSAGE_WORK_DONE) {
			r->done++;
			if (r->silent && r->done == r->others)
				server_release(r->silent);
			/* One at a time: more has not begun than was allowed. */
			if (r->granted) {
				assert_int_equal(r->done, r->granted);
				if (r->granted < r->wanted)
					grant(r);
			}
		} else if (type == MESSAGE_PROGRESS)
			r->progress++;
		else if (type == MESSAGE_WANT)
			take_want(r, payload);
		else if (type == MESSAGE_KEPT)
			r->kept++;
		else if (type == MESSAGE_FINISHED)
			r->is_finished = true;
		else
			fail_msg("message %u", type);
	}
	buffer_fini(&whole);
	(void)pthread_join(r->thread, NULL);
	r->took_ms = clock_monotonic_ms() - r->began_ms;
	assert_int_equal(r->result, ERR_OK);
	assert_int_equal(r->done, r->sent);
}

static void rig_end(struct rig *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->items[i].place);
		session_fini(&r->items[i].session);
	}
	free(r->problem);
	channel_fini(&r->channel);
	(void)close(r->ours);
}

/* One target, from start to finish. */
static const struct session *probe_one(struct rig *r, const char *host, uint16_t port)
{
	rig_start(r, 10, 0);
	rig_host(r, host, port);
	rig_finish(r);
	assert_int_equal(r->count, 1);
	return &r->items[0].session;
}

/* The same for a server that needs its time: nothing but the answer counts. */
static const struct session *probe_patiently(struct rig *r, const char *host, uint16_t port)
{
	rig_start_for(r, PATIENCE_MS, 10, 0);
	rig_host(r, host, port);
	rig_finish(r);
	assert_int_equal(r->count, 1);
	return &r->items[0].session;
}

static void assert_chain(const struct session *s, const struct served *id)
{
	if (s->certificates.count != 1)
		fail_msg("%zu certificates: %s", s->certificates.count, s->message);
	assert_int_equal(s->certificates.items[0].size, id->der.size);
	assert_memory_equal(s->certificates.items[0].data, id->der.data, id->der.size);
}

static void assert_says(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" lacks \"%s\"", text ? text : "(null)", part);
}

static void assert_problem(
	const struct session *s, enum reason reason, const char *word, const char *part)
{
	assert_true(s->has_problem);
	assert_string_equal(reason_word(s->reason), reason_word(reason));
	assert_string_equal(s->facts.handshake, word);
	assert_says(s->message, part);
}

/* ---- TLS servers ------------------------------------------------------------------------------ */

static void test_versions(void **state)
{
	static const char *const rows[][2] = {
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.0", "TLS1.0" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.1", "TLS1.1" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLS1.2" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3", "TLS1.3" },
		{ "NORMAL", "TLS1.3" },
	};
	struct served id;
	struct rig r;

	(void)state;
	identity_new(&id, &ordinary);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server s = { .priority = rows[i][0] };
		const struct session *seen;
		char place[64];

		tls_server_start(&s, &id);
		seen = probe_patiently(&r, "127.0.0.1", s.port);
		(void)snprintf(place, sizeof(place), "tls://127.0.0.1:%u", s.port);
		assert_string_equal(r.items[0].place, place);
		assert_false(seen->has_problem);
		assert_string_equal(seen->facts.handshake, "ok");
		assert_string_equal(seen->facts.protocol, rows[i][1]);
		assert_int_equal(strncmp(seen->facts.cipher_suite, "TLS_", 4), 0);
		assert_string_equal(seen->facts.address, "127.0.0.1");
		assert_int_equal(seen->facts.port, s.port);
		assert_true(seen->facts.is_reachable);
		assert_null(seen->facts.server_name);
		assert_string_equal(seen->verify_name, "127.0.0.1");
		assert_int_equal(seen->facts.client_certificate, CLIENT_CERTIFICATE_NONE);
		assert_int_equal(seen->facts.stapled_ocsp, STAPLED_OCSP_NONE);
		assert_chain(seen, &id);
		assert_string_equal(s.name_asked, "");
		tls_server_stop(&s);
		rig_end(&r);
	}
	identity_free(&id);
}

/* What is weak is to be reported, hence must be reached. */
static void test_weak(void **state)
{
	static const struct wish rsa_1024 = { GNUTLS_PK_RSA, 1024, GNUTLS_DIG_SHA1, 1, true };
	static const struct wish rsa_md5 = { GNUTLS_PK_RSA, 1024, GNUTLS_DIG_MD5, 1, false };
	static const struct {
		const struct wish *wish;
		const char *priority;
	} rows[] = {
		{ &rsa_1024, "NORMAL:-VERS-ALL:+VERS-TLS1.0:-KX-ALL:+RSA" },
		{ &rsa_1024, "NORMAL:-VERS-ALL:+VERS-TLS1.0:-CIPHER-ALL:+3DES-CBC" },
		{ &rsa_1024, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+ARCFOUR-128" },
		{ &rsa_1024,
			"NORMAL:-VERS-ALL:+VERS-TLS1.2:-SIGN-ALL:+SIGN-RSA-SHA1:-KX-ALL:+DHE-RSA" },
		{ &rsa_md5, "NORMAL:-VERS-ALL:+VERS-TLS1.2:%VERIFY_ALLOW_SIGN_RSA_MD5" },
		{ &rsa_md5, "NORMAL:-VERS-ALL:+VERS-TLS1.3:%VERIFY_ALLOW_SIGN_RSA_MD5" },
	};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server s = { .priority = rows[i].priority };
		struct served id;
		const struct session *seen;

		identity_new(&id, rows[i].wish);
		tls_server_start(&s, &id);
		seen = probe_patiently(&r, "127.0.0.1", s.port);
		if (seen->has_problem)
			fail_msg("%s: %s", rows[i].priority, seen->message);
		assert_chain(seen, &id);
		tls_server_stop(&s);
		rig_end(&r);
		identity_free(&id);
	}
}

/* Under AddressSanitizer realloc always copies, and GnuTLS grows its list of names by one at a time: large
 * blocks get room to grow. */
static void *roomy_realloc(void *old, size_t size)
{
	size_t room = 64 * 1024;

	if (size < room)
		return realloc(old, size);
	if (old && malloc_usable_size(old) >= size)
		return old;
	while (room < size)
		room *= 2;
	return realloc(old, room);
}

static void test_many_names(void **state)
{
	static const struct wish wish = { GNUTLS_PK_RSA, 2048, GNUTLS_DIG_SHA256, 10000, false };
	static const char *const priorities[] = { "NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2" };
	const gnutls_realloc_function plain = gnutls_realloc;
	struct served id;
	struct rig r;

	(void)state;
	gnutls_realloc = roomy_realloc;
	identity_new(&id, &wish);
	assert_true(id.der.size > 200000);
	for (size_t i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++) {
		struct server s = { .priority = priorities[i] };

		tls_server_start(&s, &id);
		assert_chain(probe_patiently(&r, "127.0.0.1", s.port), &id);
		if (r.items[0].session.has_problem)
			fail_msg("%s", r.items[0].session.message);
		assert_true(r.took_ms < PATIENCE_MS);
		tls_server_stop(&s);
		rig_end(&r);
	}
	identity_free(&id);
	gnutls_realloc = plain;
}

static void test_client_certificate(void **state)
{
	static const struct {
		const char *priority;
		gnutls_certificate_request_t request;
		bool has_authorities;
		enum client_certificate verdict;
		const char *handshake;
		const char *evidence;
	} rows[] = {
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2", GNUTLS_CERT_REQUEST, true,
			CLIENT_CERTIFICATE_OPTIONAL, "ok", "the server's Finished" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3", GNUTLS_CERT_REQUEST, true,
			CLIENT_CERTIFICATE_UNKNOWN, "ok", "then silence" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2", GNUTLS_CERT_REQUIRE, true,
			CLIENT_CERTIFICATE_REQUIRED, NULL, "after an empty client certificate" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3", GNUTLS_CERT_REQUIRE, true,
			CLIENT_CERTIFICATE_REQUIRED, "certificate_required",
			"alert 116 (certificate_required) after Finished" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3", GNUTLS_CERT_REQUIRE, false,
			CLIENT_CERTIFICATE_REQUIRED, "certificate_required", "alert 116" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2", GNUTLS_CERT_REQUIRE, false,
			CLIENT_CERTIFICATE_REQUIRED, NULL, "alert" },
	};
	struct served id;
	struct rig r;
	gnutls_datum_t dn;

	(void)state;
	identity_new(&id, &ordinary);
	assert_int_equal(gnutls_x509_crt_get_raw_dn(id.crt, &dn), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server s = { .priority = rows[i].priority, .request = rows[i].request };
		const struct session *seen;

		s.serve = serve_tls;
		assert_int_equal(gnutls_certificate_allocate_credentials(&s.credentials), 0);
		assert_true(
			gnutls_certificate_set_x509_key(s.credentials, &id.crt, 1, id.key) >= 0);
		if (rows[i].has_authorities)
			assert_int_equal(
				gnutls_certificate_set_x509_trust(s.credentials, &id.crt, 1), 1);
		server_start(&s);
		seen = probe_patiently(&r, "127.0.0.1", s.port);
		assert_int_equal(seen->facts.client_certificate, rows[i].verdict);
		if (rows[i].handshake)
			assert_string_equal(seen->facts.handshake, rows[i].handshake);
		assert_says(seen->facts.client_certificate_evidence, rows[i].evidence);
		assert_false(seen->has_problem);
		assert_chain(seen, &id);
		assert_int_equal(seen->authorities.count, rows[i].has_authorities ? 1 : 0);
		if (rows[i].has_authorities) {
			assert_int_equal(seen->authorities.items[0].size, dn.size);
			assert_memory_equal(seen->authorities.items[0].data, dn.data, dn.size);
		}
		tls_server_stop(&s);
		rig_end(&r);
	}
	gnutls_free(dn.data);
	identity_free(&id);
}

/* GnuTLS returns after a ticket: what was read together with it is looked at all the same. */
static void test_ticket_and_word_at_once(void **state)
{
	struct server s = { .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3",
		.request = GNUTLS_CERT_REQUEST,
		.greeting = "hello\r\n" };
	const struct session *seen;
	struct served id;
	struct rig r;

	(void)state;
	identity_new(&id, &ordinary);
	tls_server_start(&s, &id);
	seen = probe_patiently(&r, "127.0.0.1", s.port);
	assert_int_equal(seen->facts.client_certificate, CLIENT_CERTIFICATE_OPTIONAL);
	assert_says(seen->facts.client_certificate_evidence, "application data");
	tls_server_stop(&s);
	rig_end(&r);
	identity_free(&id);
}

static int staple(gnutls_session_t session, void *arg, gnutls_datum_t *out)
{
	(void)session;
	(void)arg;
	out->data = gnutls_malloc(5);
	memcpy(out->data, "0\x03\x0a\x01\x06", 5);
	out->size = 5;
	return 0;
}

static void test_stapled(void **state)
{
	static const char *const priorities[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL" };
	struct served id;
	struct rig r;

	(void)state;
	identity_new(&id, &ordinary);
	for (size_t i = 0; i < 2; i++) {
		struct server s = { .priority = priorities[i] };
		const struct session *seen;

		tls_server_start(&s, &id);
		gnutls_certificate_set_ocsp_status_request_function(s.credentials, staple, NULL);
		seen = probe_patiently(&r, "127.0.0.1", s.port);
		assert_int_equal(seen->ocsp_response.size, 5);
		assert_memory_equal(seen->ocsp_response.data, "0\x03\x0a\x01\x06", 5);
		assert_int_equal(seen->facts.stapled_ocsp, STAPLED_OCSP_UNKNOWN);
		tls_server_stop(&s);
		rig_end(&r);
	}
	identity_free(&id);
}

static void test_names(void **state)
{
	const struct {
		struct target target;
		const char *sent;
		const char *verify;
	} rows[] = {
		{ { .host = (char[]){ "localhost" } }, "localhost", "localhost" },
		{ { .host = (char[]){ "127.0.0.1" }, .name = (char[]){ "a.example." } },
			"a.example", "a.example" },
		{ { .host = (char[]){ "127.0.0.1" }, .is_unnamed = true }, "", NULL },
	};
	struct server s = { .priority = "NORMAL" };
	struct served id;
	struct rig r;

	(void)state;
	identity_new(&id, &ordinary);
	tls_server_start(&s, &id);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct target t = rows[i].target;
		const struct session *seen;

		t.port = s.port;
		rig_start_for(&r, PATIENCE_MS, 1, 0);
		rig_target(&r, &t);
		rig_finish(&r);
		seen = &r.items[0].session;
		if (seen->has_problem)
			fail_msg("%s: %s", t.host, seen->message);
		assert_string_equal(seen->facts.address, "127.0.0.1");
		assert_string_equal(
			seen->facts.server_name ? seen->facts.server_name : "", rows[i].sent);
		if (rows[i].verify)
			assert_string_equal(seen->verify_name, rows[i].verify);
		else
			assert_null(seen->verify_name);
		rig_end(&r);
	}
	rig_start_for(&r, PATIENCE_MS, 1, 0);
	rig_target(&r, &(struct target){ .host = (char[]){ "127.0.0.1" },
			       .name = (char[]){ "b.example" },
			       .port = s.port });
	rig_finish(&r);
	tls_server_stop(&s);
	assert_string_equal(s.name_asked, "b.example");
	rig_end(&r);
	identity_free(&id);
}

static void test_v6(void **state)
{
	struct server s = { .priority = "NORMAL", .serve = serve_tls };
	struct served id;
	struct rig r;

	(void)state;
	s.listener = listen_on(AF_INET6, &s.port);
	if (s.listener < 0) {
		print_message("no IPv6 loopback: skipped\n");
		return;
	}
	identity_new(&id, &ordinary);
	assert_int_equal(gnutls_certificate_allocate_credentials(&s.credentials), 0);
	assert_true(gnutls_certificate_set_x509_key(s.credentials, &id.crt, 1, id.key) >= 0);
	assert_int_equal(pthread_create(&s.thread, NULL, accepting, &s), 0);
	assert_chain(probe_patiently(&r, "::1", s.port), &id);
	assert_string_equal(r.items[0].session.facts.address, "::1");
	assert_int_equal(strncmp(r.items[0].place, "tls://[::1]:", 12), 0);
	tls_server_stop(&s);
	rig_end(&r);
	identity_free(&id);
}

/* ---- servers that are none ---------------------------------------------------------------------- */

static void test_refused(void **state)
{
	uint16_t port;
	int fd = listen_on(AF_INET, &port);
	struct rig r;

	(void)state;
	(void)close(fd);
	assert_problem(
		probe_one(&r, "127.0.0.1", port), REASON_REFUSED, "refused", "Connection refused");
	assert_false(r.items[0].session.facts.is_reachable);
	rig_end(&r);
}

static void test_unresolved(void **state)
{
	struct rig r;

	(void)state;
	assert_problem(
		probe_one(&r, "no-such-name.invalid", 443), REASON_UNRESOLVED, "unresolved", "");
	assert_true(r.took_ms < PATIENCE_MS);
	assert_string_equal(r.items[0].session.facts.server_name, "no-such-name.invalid");
	rig_end(&r);
}

static void test_unreachable(void **state)
{
	struct rig r;
	const struct session *seen;

	(void)state;
	/* Multicast is no place to connect to, on any host. */
	seen = probe_one(&r, "224.0.0.1", 443);
	assert_problem(seen, REASON_UNREACHABLE, "unreachable", "224.0.0.1");
	rig_end(&r);
}

static const struct {
	serve_fn *serve;
	const char *bytes;
	size_t size;
	enum reason
		reason; /* REASON_COUNT = any: which of GnuTLS's bounds is met first is chance */
	const char *word;
	const char *message;
	bool takes_all_time;
} tempers[] = {
#define BYTES(text) text, sizeof(text) - 1
	{ serve_silence, NULL, 0, REASON_TIMEOUT, "timeout", "no answer", true },
	{ serve_drip, NULL, 0, REASON_TIMEOUT, "timeout", "not complete", true },
	{ serve_close, NULL, 0, REASON_HANDSHAKE_FAILED, "closed", "without an answer", false },
	{ serve_reset, NULL, 0, REASON_HANDSHAKE_FAILED, "reset", "reset", false },
	{ serve_bytes, BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), REASON_NOT_TLS, "not-tls", "HTTP",
		false },
	{ serve_banner, BYTES("SSH-2.0-OpenSSH_9.2\r\n"), REASON_NOT_TLS, "not-tls", "SSH", false },
	{ serve_banner, BYTES("220 mail.example ESMTP\r\n"), REASON_NOT_TLS, "not-tls", "SMTP",
		false },
	{ serve_banner, BYTES("+OK"), REASON_NOT_TLS, "not-tls", "POP3", false },
	{ serve_banner,
		BYTES("J\0\0\0\x0a"
		      "8.0.30\0"),
		REASON_NOT_TLS, "not-tls", "MySQL", false },
	{ serve_banner, BYTES("\x1b[31m\n"), REASON_NOT_TLS, "not-tls", "\\x1B[31m\\x0A", false },
	{ serve_bytes, BYTES("\x15\x03\x01\0\x02\x02\x28"), REASON_HANDSHAKE_FAILED,
		"handshake_failure", "alert 40", false },
	{ serve_bytes, BYTES("\x15\x03\x01\0\x02\x02\x46"), REASON_HANDSHAKE_FAILED,
		"protocol_version", "alert 70", false },
	{ serve_bytes, BYTES("\x15\x03\x01\0\x02\x02\xfe"), REASON_HANDSHAKE_FAILED, "alert_254",
		"alert 254", false },
	{ serve_large, NULL, 0, REASON_LIMIT_REACHED, "limit-reached", "MiB", false },
	/* floods: warnings, empty records, HelloRequests */
	{ serve_flood, BYTES("\x15\x03\x03\0\x02\x01\x5a"), REASON_COUNT, NULL, "", false },
	{ serve_flood, BYTES("\x16\x03\x03\0\0"), REASON_COUNT, NULL, "", false },
	{ serve_flood, BYTES("\x16\x03\x03\0\x04\0\0\0\0"), REASON_COUNT, NULL, "", false },
	{ serve_flood, BYTES("\x14\x03\x03\0\x01\x01"), REASON_COUNT, NULL, "", false },
};

static void test_tempers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tempers) / sizeof(tempers[0]); i++) {
		struct server s = { .serve = tempers[i].serve,
			.bytes = tempers[i].bytes,
			.size = tempers[i].size };
		const struct session *seen;
		struct rig r;

		server_start(&s);
		/* What ends the others is what they send, not the time. */
		seen = (tempers[i].takes_all_time ? probe_one : probe_patiently)(
			&r, "127.0.0.1", s.port);
		if (!seen->has_problem ||
			(tempers[i].reason != REASON_COUNT && seen->reason != tempers[i].reason) ||
			(tempers[i].word && strcmp(seen->facts.handshake, tempers[i].word) != 0) ||
			!strstr(seen->message, tempers[i].message))
			fail_msg("temper %zu: %s, %s: %s", i, reason_word(seen->reason),
				seen->facts.handshake, seen->message);
		assert_true(seen->facts.is_reachable);
		assert_true(r.took_ms < PATIENCE_MS);
		assert_true(!tempers[i].takes_all_time || r.took_ms >= TIMEOUT_MS);
		server_stop(&s);
		rig_end(&r);
	}
}

/* A TLS 1.2 flight whose certificates GnuTLS cannot parse: they are recorded all the same. */
static void test_unparsable_certificate(void **state)
{
	static const uint8_t hello[] = { 2, 0, 0, 38, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0x2f, 0 };
	static const uint8_t certificate[] = { 11, 0, 0, 16, 0, 0, 13, 0, 0, 4, 'b', 'a', 'd', '1',
		0, 0, 3, 'b', 'a', '2' };
	uint8_t flight[256] = { 22, 3, 3, 0, sizeof(hello) + sizeof(certificate) };
	struct server s = { .serve = serve_bytes, .bytes = flight };
	const struct session *seen;
	struct rig r;

	(void)state;
	memcpy(flight + 5, hello, sizeof(hello));
	memcpy(flight + 5 + sizeof(hello), certificate, sizeof(certificate));
	s.size = 5 + sizeof(hello) + sizeof(certificate);
	server_start(&s);
	seen = probe_one(&r, "127.0.0.1", s.port);
	assert_problem(seen, REASON_HANDSHAKE_FAILED, "failed", "");
	assert_int_equal(seen->certificates.count, 2);
	assert_memory_equal(seen->certificates.items[0].data, "bad1", 4);
	assert_int_equal(seen->certificates.items[1].size, 3);
	assert_string_equal(seen->facts.protocol, "TLS1.2");
	server_stop(&s);
	rig_end(&r);
}

/* ---- many, and main's end ----------------------------------------------------------------------- */

static void test_many(void **state)
{
	struct server s = { .priority = "NORMAL" };
	struct server silent = { .serve = serve_silence };
	struct served id;
	struct rig r;
	size_t problems = 0;

	(void)state;
	identity_new(&id, &ordinary);
	tls_server_start(&s, &id);
	server_start(&silent);
	rig_start_for(&r, PATIENCE_MS, 40, 0);
	/* The silent ones hold no other up: they stay until all others are done. */
	r.silent = &silent;
	r.others = 100;
	for (unsigned i = 0; i < 100; i++) {
		rig_host(&r, "127.0.0.1", s.port);
		if (i < 5)
			rig_host(&r, "127.0.0.1", silent.port);
	}
	rig_finish(&r);
	assert_int_equal(r.count, 105);
	assert_true(r.took_ms < PATIENCE_MS);
	for (size_t i = 0; i < r.count; i++)
		problems += r.items[i].session.has_problem;
	assert_int_equal(problems, 5);
	server_stop(&silent);
	tls_server_stop(&s);
	rig_end(&r);
	identity_free(&id);
}

/* With a rate each connection is asked for, and none begins before it is allowed. */
static void test_permits(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 100, true);
	for (unsigned i = 0; i < 25; i++)
		rig_host(&r, "127.0.0.1", 1);
	rig_finish(&r);
	assert_int_equal(r.count, 25);
	assert_int_equal(r.wanted, 25);
	assert_int_equal(r.granted, 25);
	rig_end(&r);
}

static void test_quiet(void **state)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct server plain = { .serve = serve_bytes, .bytes = http, .size = sizeof(http) - 1 };
	struct server silent = { .serve = serve_silence };
	struct server tls = { .priority = "NORMAL" };
	struct target t = { .host = (char[]){ "127.0.0.1" }, .is_quiet = true };
	struct served id;
	struct rig r;

	(void)state;
	identity_new(&id, &ordinary);
	server_start(&plain);
	server_start(&silent);
	tls_server_start(&tls, &id);
	rig_start(&r, 10, 0);
	for (size_t i = 0; i < 4; i++) {
		const uint16_t ports[] = { plain.port, silent.port, 1, tls.port };

		t.port = ports[i];
		rig_target(&r, &t);
	}
	rig_finish(&r);
	assert_int_equal(r.count, 4);
	assert_int_equal(r.problems, 0);
	for (size_t i = 0, chains = 0; i < r.count; i++) {
		const struct session *seen = &r.items[i].session;

		assert_false(seen->has_problem);
		if (seen->certificates.count) {
			assert_chain(seen, &id);
			chains++;
		} else if (seen->facts.is_reachable) {
			assert_string_equal(seen->facts.handshake, "not-tls");
		} else {
			assert_string_equal(seen->facts.handshake, "refused");
		}
		assert_true(i + 1 < r.count || chains == 1);
	}
	server_stop(&plain);
	server_stop(&silent);
	tls_server_stop(&tls);
	rig_end(&r);
	identity_free(&id);
}

static void test_complaint(void **state)
{
	const struct target t = { .host = (char[]){ "file:///list!/3" },
		.complaint = (char[]){ "bad\x1b line" } };
	struct rig r;

	(void)state;
	rig_start(&r, 10, 0);
	rig_target(&r, &t);
	rig_finish(&r);
	assert_int_equal(r.count, 0);
	assert_int_equal(r.problems, 1);
	assert_string_equal(r.problem, "bad\\x1B line");
	rig_end(&r);
}

/* main goes away while targets are under way and waiting: the role ends at once, and in order. */
static void test_main_gone(void **state)
{
	struct server silent = { .serve = serve_silence };
	struct rig r;

	(void)state;
	server_start(&silent);
	rig_start_for(&r, PATIENCE_MS, 5, 0);
	for (unsigned i = 0; i < 20; i++)
		rig_host(&r, "127.0.0.1", silent.port);
	rig_host(&r, "no-such-name.invalid", 443);
	while (!atomic_load(&silent.accepted))
		usleep(1000);
	(void)shutdown(r.ours, SHUT_RDWR);
	(void)pthread_join(r.thread, NULL);
	assert_int_equal(r.result, ERR_OK);
	assert_true(clock_monotonic_ms() - r.began_ms < PATIENCE_MS);
	rig_end(&r);
	server_stop(&silent);
}

static void test_garbage_from_main(void **state)
{
	static const enum message types[] = { MESSAGE_SETUP, MESSAGE_WORK, MESSAGE_RECORD };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct rig r;

		rig_start(&r, 5, 0);
		rig_send(&r, types[i], slice_text("garbage"));
		(void)pthread_join(r.thread, NULL);
		assert_int_equal(r.result, ERR_MALFORMED);
		rig_end(&r);
	}
}

/* ---- OpenSSL's server --------------------------------------------------------------------------- */

static void write_pem(const char *path, const struct served *id)
{
	FILE *f = fopen(path, "we");
	gnutls_datum_t pem;

	assert_non_null(f);
	assert_int_equal(gnutls_x509_crt_export2(id->crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	(void)fwrite(pem.data, 1, pem.size, f);
	gnutls_free(pem.data);
	assert_int_equal(gnutls_x509_privkey_export2(id->key, GNUTLS_X509_FMT_PEM, &pem), 0);
	(void)fwrite(pem.data, 1, pem.size, f);
	gnutls_free(pem.data);
	(void)fclose(f);
}

static bool can_connect(uint16_t port)
{
	const struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_up = connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;

	(void)close(fd);
	return is_up;
}

static void test_openssl(void **state)
{
	static const struct {
		const char *version;
		const char *verify;
		enum client_certificate verdict;
		const char *evidence;
	} rows[] = {
		{ "-tls1_2", "-naccept", CLIENT_CERTIFICATE_NONE, "no CertificateRequest" },
		{ "-tls1_3", "-naccept", CLIENT_CERTIFICATE_NONE, "no CertificateRequest" },
		{ "-tls1_2", "-verify", CLIENT_CERTIFICATE_OPTIONAL, "the server's Finished" },
		{ "-tls1_3", "-verify", CLIENT_CERTIFICATE_OPTIONAL, "session ticket" },
		{ "-tls1_2", "-Verify", CLIENT_CERTIFICATE_REQUIRED,
			"alert 40 (handshake_failure)" },
		{ "-tls1_3", "-Verify", CLIENT_CERTIFICATE_REQUIRED,
			"alert 116 (certificate_required)" },
	};
	char path[] = "/tmp/leafwatch-server-XXXXXX";
	struct served id;
	int fd = mkstemp(path);

	(void)state;
	if (access("/usr/bin/openssl", X_OK) != 0) {
		print_message("no openssl: skipped\n");
		return;
	}
	assert_true(fd >= 0);
	(void)close(fd);
	identity_new(&id, &ordinary);
	write_pem(path, &id);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t port = 0;
		int listener = listen_on(AF_INET, &port);
		char accept_at[32];
		const char *argv[] = { "openssl", "s_server", "-www", "-accept", accept_at, "-cert",
			path, "-CAfile", path, rows[i].version, rows[i].verify, "99", NULL };
		posix_spawn_file_actions_t actions;
		const struct session *seen;
		struct rig r;
		pid_t pid;

		(void)close(listener);
		(void)snprintf(accept_at, sizeof(accept_at), "127.0.0.1:%u", port);
		(void)posix_spawn_file_actions_init(&actions);
		for (int out = 0; out < 3; out++)
			(void)posix_spawn_file_actions_addopen(
				&actions, out, "/dev/null", O_RDWR, 0);
		assert_int_equal(posix_spawn(&pid, "/usr/bin/openssl", &actions, NULL,
					 (char *const *)(uintptr_t)argv, environ),
			0);
		for (int tries = 0; tries < 250 && !can_connect(port); tries++)
			usleep(20 * 1000);
		seen = probe_patiently(&r, "127.0.0.1", port);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		(void)posix_spawn_file_actions_destroy(&actions);
		if (seen->has_problem || seen->facts.client_certificate != rows[i].verdict)
			fail_msg("%s %s: %s %s", rows[i].version, rows[i].verify,
				seen->facts.handshake, seen->facts.client_certificate_evidence);
		assert_says(seen->facts.client_certificate_evidence, rows[i].evidence);
		assert_chain(seen, &id);
		rig_end(&r);
	}
	(void)unlink(path);
	identity_free(&id);
}

/* ---- the last one: it spoils this process -------------------------------------------------------- */

/* Fewer descriptors than targets: they wait for each other, and all are probed. */
static void test_few_descriptors(void **state)
{
	const struct rlimit few = { .rlim_cur = 40, .rlim_max = 40 };
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	uint16_t port = 0;
	int listener = listen_on(AF_INET, &port);
	pid_t pid = fork();
	struct rig r;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			usleep(3000);
			(void)send(fd, http, sizeof(http) - 1, MSG_NOSIGNAL);
			(void)close(fd);
		}
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	rig_start(&r, 200, 0);
	for (unsigned i = 0; i < 100; i++)
		rig_host(&r, "127.0.0.1", port);
	rig_finish(&r);
	assert_int_equal(r.count, 100);
	for (size_t i = 0; i < r.count; i++)
		assert_int_equal(r.items[i].session.reason, REASON_NOT_TLS);
	rig_end(&r);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_weak),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_client_certificate),
		cmocka_unit_test(test_ticket_and_word_at_once),
		cmocka_unit_test(test_stapled),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unresolved),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_tempers),
		cmocka_unit_test(test_unparsable_certificate),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_permits),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_complaint),
		cmocka_unit_test(test_main_gone),
		cmocka_unit_test(test_garbage_from_main),
		cmocka_unit_test(test_openssl),
		cmocka_unit_test(test_few_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
