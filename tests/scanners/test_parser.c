/* The parser role at the end of a socket, as main sees it. */
#include "tests/scanners/formats/collect.h"

#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/trust.h"
#include "agent/process/channel.h"
#include "scanners/parser.h"
#include "scanners/session.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORDS_STEP 1000

struct peer {
	struct channel channel;
	int fds[2];
	pthread_t thread;
	enum err result;
	struct record *records;
	size_t count;
	struct buffer pieces; /* of a record that is not whole yet */
	size_t pieces_count;
	uint64_t done;
	gnutls_datum_t ca;
	gnutls_datum_t leaf;
};

static void *serve(void *arg)
{
	struct peer *p = arg;

	p->result = parser_role.run(p->fds[1], NULL);
	(void)shutdown(p->fds[1], SHUT_RDWR);
	return NULL;
}

static void sign(const char *name, bool is_ca, gnutls_x509_crt_t issuer,
	gnutls_x509_privkey_t issuer_key, gnutls_x509_crt_t *out, gnutls_x509_privkey_t *key)
{
	assert_int_equal(gnutls_x509_privkey_init(key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA,
				 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	assert_int_equal(gnutls_x509_crt_init(out), 0);
	assert_int_equal(gnutls_x509_crt_set_version(*out, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(*out, is_ca ? "\x01" : "\x02", 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(*out, TEST_NOW - 86400), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(*out, TEST_NOW + 86400), 0);
	assert_int_equal(gnutls_x509_crt_set_dn_by_oid(*out, GNUTLS_OID_X520_COMMON_NAME, 0, name,
				 (unsigned)strlen(name)),
		0);
	assert_int_equal(gnutls_x509_crt_set_key(*out, *key), 0);
	assert_int_equal(gnutls_x509_crt_set_basic_constraints(*out, is_ca, -1), 0);
	if (!is_ca)
		assert_int_equal(gnutls_x509_crt_set_subject_alt_name(
					 *out, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), 0),
			0);
	assert_int_equal(gnutls_x509_crt_sign2(*out, issuer ? issuer : *out,
				 issuer_key ? issuer_key : *key, GNUTLS_DIG_SHA256, 0),
		0);
}

static void make_chain(struct peer *p)
{
	gnutls_x509_privkey_t ca_key, key;
	gnutls_x509_crt_t ca, leaf;

	sign("Test Root", true, NULL, NULL, &ca, &ca_key);
	sign("api.example.org", false, ca, ca_key, &leaf, &key);
	assert_int_equal(gnutls_x509_crt_export2(ca, GNUTLS_X509_FMT_DER, &p->ca), 0);
	assert_int_equal(gnutls_x509_crt_export2(leaf, GNUTLS_X509_FMT_DER, &p->leaf), 0);
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_crt_deinit(leaf);
	gnutls_x509_privkey_deinit(ca_key);
	gnutls_x509_privkey_deinit(key);
}

static enum err send_frame(void *arg, uint16_t type, struct slice payload)
{
	struct peer *p = arg;

	return channel_write(&p->channel, type, payload);
}

/* A parser that trusts the test root, after 700 KiB of text that is no certificate. */
static int setup(void **state)
{
	struct parser_options options = { 0 };
	struct parser_handover handover = {
		.options = &options, .pinned_now = TEST_NOW, .log_level = 0
	};
	struct peer *p = calloc(1, sizeof(*p));
	struct buffer bundle;

	buffer_init(&p->pieces, RECORD_BYTES_MAX);
	make_chain(p);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->fds), 0);
	assert_int_equal(channel_init(&p->channel, p->fds[0]), ERR_OK);
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
	buffer_init(&bundle, TEST_BYTES_MAX);
	while (bundle.size < 700 * 1024)
		buffer_text(&bundle, "# a comment\n");
	put_pem(&bundle, "CERTIFICATE", slice_datum(&p->ca));
	assert_int_equal(strings_add(&options.passwords, "secret"), ERR_OK);
	assert_int_equal(
		parser_options_add_store(&options, "empty", false, slice_of(NULL, 0)), ERR_OK);
	assert_int_equal(
		parser_options_add_store(&options, "internal", false, buffer_bytes(&bundle)),
		ERR_OK);
	assert_int_equal(parser_handover(&handover, send_frame, p), ERR_OK);
	parser_options_fini(&options);
	buffer_fini(&bundle);
	*state = p;
	return 0;
}

static void forget(struct peer *p)
{
	for (size_t i = 0; i < p->count; i++)
		record_fini(&p->records[i]);
	free(p->records);
	p->records = NULL;
	p->count = 0;
}

static int teardown(void **state)
{
	struct peer *p = *state;

	(void)shutdown(p->fds[0], SHUT_RDWR);
	(void)pthread_join(p->thread, NULL);
	(void)close(p->fds[0]);
	(void)close(p->fds[1]);
	channel_fini(&p->channel);
	buffer_fini(&p->pieces);
	forget(p);
	gnutls_free(p->ca.data);
	gnutls_free(p->leaf.data);
	free(p);
	return 0;
}

static void send_finding(struct peer *p, uint64_t id, enum finding_kind kind, struct slice bytes)
{
	const struct finding_piece head = { .id = id,
		.kind = (uint8_t)kind,
		.scanner = slice_text("files"),
		.place = slice_text("file:///x") };

	assert_int_equal(channel_finding(&p->channel, &head, bytes), ERR_OK);
}

/* A record is its last frame, or that and the pieces before it. */
static void take_record(struct peer *p, uint16_t type, struct slice payload)
{
	buffer_slice(&p->pieces, payload);
	if (type == MESSAGE_RECORD_PIECE) {
		assert_int_equal(payload.size, RECORD_PIECE_BYTES);
		p->pieces_count++;
		return;
	}
	assert_int_equal(type, MESSAGE_RECORD);
	if (p->count % RECORDS_STEP == 0)
		p->records = reallocarray(p->records, p->count + RECORDS_STEP, sizeof(*p->records));
	assert_int_equal(record_decode(buffer_bytes(&p->pieces), &p->records[p->count]), ERR_OK);
	buffer_clear(&p->pieces);
	p->count++;
}

static void receive(struct peer *p)
{
	struct slice payload;
	uint16_t type;

	for (;;) {
		assert_int_equal(channel_read(&p->channel, &type, &payload), ERR_OK);
		if (type == MESSAGE_FINDING_DONE) {
			struct wire w = wire_of(payload);

			p->done = wire_get_u64(&w);
			assert_int_equal(wire_end(&w), ERR_OK);
			return;
		}
		take_record(p, type, payload);
	}
}

static void look(struct peer *p, enum finding_kind kind, struct slice bytes)
{
	forget(p);
	send_finding(p, 7, kind, bytes);
	receive(p);
	assert_int_equal(p->done, 7);
}

static void a_file_with_its_issuer(void **state)
{
	struct peer *p = *state;
	struct buffer text;
	const struct record *r;

	buffer_init(&text, TEST_BYTES_MAX);
	put_pem(&text, "CERTIFICATE", slice_datum(&p->leaf));
	put_pem(&text, "CERTIFICATE", slice_datum(&p->ca));
	look(p, FINDING_FILE, buffer_bytes(&text));
	assert_int_equal(p->count, 2);
	r = &p->records[0];
	assert_int_equal(r->kind, RECORD_CERTIFICATE);
	assert_string_equal(r->certificate.facts.subject_cn, "api.example.org");
	assert_string_equal(r->location.scanner, "files");
	assert_string_equal(r->location.uri, "file:///x");
	assert_string_equal(r->location.format, "pem");
	assert_int_equal(r->location.index, 0);
	assert_false(r->certificate.is_served);
	assert_true(r->certificate.verdict.is_checked);
	assert_string_equal(r->certificate.verdict.trust, "internal");
	assert_int_equal(r->certificate.verdict.chain.count, 2);
	assert_int_equal(p->records[1].location.index, 1);
	assert_true(p->records[1].certificate.verdict.is_anchor);
	buffer_fini(&text);
}

static void nothing_found_is_answered(void **state)
{
	struct peer *p = *state;

	look(p, FINDING_FILE, slice_text("just text"));
	assert_int_equal(p->count, 0);
	look(p, FINDING_FILE, slice_of(NULL, 0));
	assert_int_equal(p->count, 0);
}

/* Positions count certificates and what is evidently one. */
static void malformed_has_a_position(void **state)
{
	struct peer *p = *state;
	uint8_t sha256[32];
	struct buffer text;
	struct slice cut = slice_of(p->leaf.data, p->leaf.size - 30);

	buffer_init(&text, TEST_BYTES_MAX);
	put_pem(&text, "CERTIFICATE", slice_datum(&p->leaf));
	put_pem(&text, "CERTIFICATE", cut);
	put_pem(&text, "CERTIFICATE", slice_datum(&p->ca));
	look(p, FINDING_FILE, buffer_bytes(&text));
	assert_int_equal(p->count, 3);
	assert_int_equal(p->records[1].kind, RECORD_PROBLEM);
	assert_int_equal(p->records[1].problem.reason, REASON_MALFORMED);
	assert_true(p->records[1].problem.has_fingerprint);
	assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, cut.data, cut.size, sha256), 0);
	assert_memory_equal(p->records[1].problem.fingerprint, sha256, 32);
	assert_int_equal(p->records[1].problem.not_after, TEST_NOW + 86400);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(p->records[i].location.index, i);
	buffer_fini(&text);
}

static void base64_counts_on_at_the_same_place(void **state)
{
	struct peer *p = *state;
	struct buffer pem, text;

	buffer_init(&pem, TEST_BYTES_MAX);
	buffer_init(&text, TEST_BYTES_MAX);
	put_pem(&pem, "CERTIFICATE", slice_datum(&p->leaf));
	for (int i = 0; i < 2; i++) {
		buffer_text(&text, "ca: ");
		put_base64(&text, buffer_bytes(&pem), "", "");
		buffer_text(&text, "\n");
	}
	look(p, FINDING_FILE, buffer_bytes(&text));
	assert_int_equal(p->count, 2);
	assert_string_equal(p->records[1].location.uri, "file:///x");
	assert_string_equal(p->records[1].location.format, "base64-pem");
	assert_int_equal(p->records[1].location.index, 1);
	buffer_fini(&pem);
	buffer_fini(&text);
}

/* More than one batch: all are told, in order, and early leaves' issuers are not lost for later ones. */
static void a_bundle_of_thousands(void **state)
{
	struct peer *p = *state;
	struct buffer text;

	buffer_init(&text, TEST_BYTES_MAX);
	put_pem(&text, "CERTIFICATE", slice_datum(&p->ca));
	for (int i = 1; i < 700; i++)
		put_pem(&text, "CERTIFICATE", slice_datum(&p->leaf));
	look(p, FINDING_FILE, buffer_bytes(&text));
	assert_int_equal(p->count, 700);
	for (uint32_t i = 0; i < 700; i++) {
		assert_int_equal(p->records[i].location.index, i);
		assert_string_equal(p->records[i].certificate.verdict.trust, "internal");
	}
	buffer_fini(&text);
}

static void interleaved_findings(void **state)
{
	struct peer *p = *state;
	struct finding_piece piece = { .is_first = true,
		.kind = FINDING_FILE,
		.scanner = slice_text("files"),
		.place = slice_text("file:///y") };
	struct buffer frame;

	buffer_init(&frame, FRAME_BYTES_MAX);
	for (int step = 0; step < 2; step++)
		for (uint64_t id = 1; id <= 2; id++) {
			const gnutls_datum_t *der = id == 1 ? &p->ca : &p->leaf;

			piece.id = id;
			piece.is_first = step == 0;
			piece.is_last = step == 1;
			piece.data = step ? slice_of(der->data + 100, der->size - 100)
					  : slice_of(der->data, 100);
			buffer_clear(&frame);
			finding_piece_encode(&frame, &piece);
			assert_int_equal(
				channel_write(&p->channel, MESSAGE_FINDING, buffer_bytes(&frame)),
				ERR_OK);
		}
	receive(p);
	assert_int_equal(p->done, 1);
	receive(p);
	assert_int_equal(p->done, 2);
	assert_int_equal(p->count, 2);
	assert_string_equal(p->records[0].certificate.facts.subject_cn, "Test Root");
	assert_string_equal(p->records[1].certificate.facts.subject_cn, "api.example.org");
	buffer_fini(&frame);
}

/* An archive that comes as a file is read where it lies; what is none is nothing. */
static void a_file_where_it_lies(void **state)
{
	static const char *const contents[] = { "not an archive at all", "" };
	struct peer *p = *state;
	const struct finding_piece head = { .id = 9,
		.kind = FINDING_FILE,
		.scanner = slice_text("files"),
		.place = slice_text("file:///x") };
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	int fd = memfd_create("archive", MFD_CLOEXEC);

	assert_int_equal(archive_write_set_format_zip(a), ARCHIVE_OK);
	assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
	archive_entry_set_pathname(entry, "leaf.der");
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_size(entry, p->leaf.size);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, p->leaf.data, p->leaf.size), p->leaf.size);
	archive_entry_free(entry);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
	forget(p);
	/* Wherever the descriptor stands. */
	assert_int_equal(lseek(fd, 17, SEEK_SET), 17);
	assert_int_equal(channel_finding_file(&p->channel, &head, fd), ERR_OK);
	receive(p);
	assert_int_equal(p->done, 9);
	assert_int_equal(p->count, 1);
	assert_string_equal(p->records[0].location.uri, "file:///x!/leaf.der");
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 17);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, contents[i], strlen(contents[i]), 0),
			(ssize_t)strlen(contents[i]));
		forget(p);
		assert_int_equal(channel_finding_file(&p->channel, &head, fd), ERR_OK);
		receive(p);
		assert_int_equal(p->count, 0);
	}
	/* Of what cannot be read it is said. */
	(void)close(fd);
	fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(channel_finding_file(&p->channel, &head, fd), ERR_OK);
	receive(p);
	assert_int_equal(p->count, 1);
	assert_int_equal(p->records[0].problem.reason, REASON_UNREADABLE);
	(void)close(fd);
}

static void too_large_is_told(void **state)
{
	size_t size = PARSER_FINDING_BYTES_MAX + 1;
	uint8_t *bytes = calloc(1, size);
	struct peer *p = *state;

	look(p, FINDING_FILE, slice_of(bytes, size));
	free(bytes);
	assert_int_equal(p->count, 1);
	assert_int_equal(p->records[0].kind, RECORD_PROBLEM);
	assert_int_equal(p->records[0].problem.reason, REASON_TOO_LARGE);
	/* And the next one is looked at. */
	look(p, FINDING_FILE, slice_datum(&p->leaf));
	assert_int_equal(p->count, 1);
	assert_string_equal(p->records[0].location.format, "der");
}

static void put_session(struct peer *p, struct buffer *out, const char *name)
{
	struct session s = { .facts = { .port = 443, .is_reachable = true },
		.has_problem = true,
		.reason = REASON_HANDSHAKE_FAILED };
	gnutls_x509_crt_t crt;
	gnutls_datum_t dn;

	s.facts.address = strdup("192.0.2.1");
	s.facts.handshake = strdup("handshake-failed");
	s.verify_name = strdup(name);
	s.message = strdup("alert 40");
	assert_int_equal(blobs_add(&s.certificates, slice_datum(&p->leaf)), ERR_OK);
	assert_int_equal(blobs_add(&s.certificates, slice_text("not a certificate")), ERR_OK);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &p->ca, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_x509_crt_get_raw_dn(crt, &dn), 0);
	assert_int_equal(blobs_add(&s.authorities, slice_datum(&dn)), ERR_OK);
	assert_int_equal(blobs_add(&s.authorities, slice_text("junk")), ERR_OK);
	session_encode(out, &s);
	gnutls_free(dn.data);
	gnutls_x509_crt_deinit(crt);
	session_fini(&s);
}

static void an_endpoint(void **state)
{
	struct peer *p = *state;
	const struct record *r;
	struct buffer bytes;

	buffer_init(&bytes, TEST_BYTES_MAX);
	put_session(p, &bytes, "api.example.org");
	look(p, FINDING_ENDPOINT, buffer_bytes(&bytes));
	assert_int_equal(p->count, 4);
	r = &p->records[0];
	assert_int_equal(r->kind, RECORD_ENDPOINT);
	assert_string_equal(r->endpoint.address, "192.0.2.1");
	assert_int_equal(r->endpoint.chain.count, 2);
	assert_int_equal(r->endpoint.acceptable_cas.count, 2);
	assert_string_equal(r->endpoint.acceptable_cas.items[0], "CN=Test Root");
	/* Only the probe knows whether one would have come by then. */
	assert_int_equal(r->endpoint.stapled_ocsp, STAPLED_OCSP_UNKNOWN);
	r = &p->records[1];
	assert_int_equal(r->kind, RECORD_CERTIFICATE);
	assert_true(r->certificate.is_served);
	assert_null(r->location.format);
	assert_string_equal(r->certificate.verdict.trust, "internal");
	assert_int_equal(r->certificate.verdict.problems & PROBLEM_BIT(PROBLEM_NAME_MISMATCH), 0);
	assert_memory_equal(
		r->certificate.facts.fingerprint, p->records[0].endpoint.chain.items[0], 32);
	assert_int_equal(p->records[2].problem.reason, REASON_MALFORMED);
	assert_int_equal(p->records[2].location.index, 1);
	assert_int_equal(p->records[3].problem.reason, REASON_HANDSHAKE_FAILED);
	assert_string_equal(p->records[3].problem.message, "alert 40");
	buffer_clear(&bytes);
	put_session(p, &bytes, "other.example.org");
	look(p, FINDING_ENDPOINT, buffer_bytes(&bytes));
	assert_true(
		p->records[1].certificate.verdict.problems & PROBLEM_BIT(PROBLEM_NAME_MISMATCH));
	look(p, FINDING_ENDPOINT, slice_text("junk"));
	assert_int_equal(p->count, 1);
	assert_int_equal(p->records[0].problem.reason, REASON_MALFORMED);
	buffer_fini(&bytes);
}

/* A certificate with so many names. */
static void make_names(int count, gnutls_datum_t *der)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	struct buffer names;

	buffer_init(&names, TEST_BYTES_MAX);
	for (int i = 0; i < count; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "host-%d.with-a-long-name.example.org", i);
		put_tlv(&names, 0x82, slice_text(name));
	}
	wrap(&names, ASN1_SEQUENCE);
	sign("many", true, NULL, NULL, &crt, &key);
	assert_int_equal(
		gnutls_x509_crt_set_extension_by_oid(crt, "2.5.29.17", names.data, names.size, 0),
		0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, der), 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	buffer_fini(&names);
}

/* A record that is larger than a frame comes in pieces, and whole. */
static void more_names_than_a_frame(void **state)
{
	struct peer *p = *state;
	const struct certificate *facts;
	gnutls_datum_t der;

	make_names(50000, &der);
	look(p, FINDING_FILE, slice_datum(&der));
	assert_int_equal(p->count, 1);
	assert_true(p->pieces_count > FRAME_BYTES_MAX / RECORD_PIECE_BYTES);
	facts = &p->records[0].certificate.facts;
	assert_string_equal(facts->subject_cn, "many");
	assert_int_equal(facts->not_after, TEST_NOW + 86400);
	assert_int_equal(facts->names.count, 50000);
	assert_string_equal(
		facts->names.items[49999], "dns:host-49999.with-a-long-name.example.org");
	/* What comes after it is not mixed with it. */
	look(p, FINDING_FILE, slice_datum(&p->leaf));
	assert_int_equal(p->count, 1);
	assert_string_equal(p->records[0].certificate.facts.subject_cn, "api.example.org");
	gnutls_free(der.data);
}

/* Names beyond the ceiling are counted, and nothing else is lost. */
static void more_names_than_are_recorded(void **state)
{
	struct peer *p = *state;
	const struct certificate *facts;
	gnutls_datum_t der;

	make_names(RECORD_NAMES_MAX + 7, &der);
	look(p, FINDING_FILE, slice_datum(&der));
	assert_int_equal(p->count, 2);
	facts = &p->records[0].certificate.facts;
	assert_int_equal(facts->not_after, TEST_NOW + 86400);
	assert_int_equal(facts->names.count, RECORD_NAMES_MAX);
	assert_true(p->records[0].certificate.verdict.is_checked);
	assert_int_equal(p->records[1].problem.reason, REASON_LIMIT_REACHED);
	assert_string_equal(p->records[1].location.uri, "file:///x");
	assert_string_equal(p->records[1].problem.message,
		"it has 100007 names; the first 100000 are recorded");
	gnutls_free(der.data);
}

static void finish_is_answered(void **state)
{
	struct peer *p = *state;
	struct slice payload;
	uint16_t type;

	assert_int_equal(channel_write(&p->channel, MESSAGE_FINISH, slice_of(NULL, 0)), ERR_OK);
	assert_int_equal(channel_read(&p->channel, &type, &payload), ERR_OK);
	assert_int_equal(type, MESSAGE_FINISHED);
	assert_int_equal(channel_read(&p->channel, &type, &payload), ERR_CLOSED);
	assert_int_equal(p->result, ERR_OK);
}

static void nonsense_ends_it(void **state)
{
	struct peer *p = *state;
	struct slice payload;
	uint16_t type;

	assert_int_equal(
		channel_write(&p->channel, MESSAGE_FINDING, slice_text("nonsense")), ERR_OK);
	assert_int_equal(channel_read(&p->channel, &type, &payload), ERR_CLOSED);
	assert_int_equal(p->result, ERR_MALFORMED);
}

/* Those for a path come before those for all; members have those of their file. */
static void passwords_of_paths(void **state)
{
	static const char *const cases[][2] = { { "file:///srv/legacy/a%20b.p12", "old one" },
		{ "file:///srv/legacy/deep/x.jks", "older one" },
		{ "file:///srv/x.jks", "older one" }, { "file:///srv/legacy/x.pem", "one" },
		{ "tls://legacy/x.jks", "one" }, { "file:///%zz.jks", "one" },
		{ "file:///a%00.jks", "one" }, { "file://", "one" } };
	struct parser_options options = { 0 };

	(void)state;
	assert_int_equal(strings_add(&options.passwords, "one"), ERR_OK);
	for (int i = 0; i < 2; i++) {
		struct strings paths = { 0 }, passwords = { 0 };

		assert_int_equal(strings_add(&paths, i ? "*.jks" : "**/legacy/*.p12"), ERR_OK);
		assert_int_equal(strings_add(&passwords, i ? "older" : "old"), ERR_OK);
		assert_int_equal(parser_passwords_add(&options, &paths, &passwords), ERR_OK);
		assert_int_equal(paths.count + passwords.count, 0);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char all[64] = "";
		struct strings found;

		assert_int_equal(parser_passwords_for(&options, cases[i][0], &found), ERR_OK);
		for (size_t n = 0; n < found.count; n++)
			(void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
				n ? " " : "", found.items[n]);
		assert_string_equal(all, cases[i][1]);
		free(found.items);
	}
	parser_options_fini(&options);
}

static void options_survive_the_wire(void **state)
{
	struct parser_options options = { 0 }, back;
	struct strings paths = { 0 }, passwords = { 0 };
	struct buffer out;

	(void)state;
	assert_int_equal(strings_add(&options.passwords, "one"), ERR_OK);
	assert_int_equal(strings_add(&paths, "*.p12"), ERR_OK);
	assert_int_equal(strings_add(&passwords, "two"), ERR_OK);
	assert_int_equal(parser_passwords_add(&options, &paths, &passwords), ERR_OK);
	assert_int_equal(
		parser_options_add_store(&options, "a", true, slice_text("bytes")), ERR_OK);
	buffer_init(&out, TEST_BYTES_MAX);
	parser_options_encode(&out, &options);
	assert_int_equal(parser_options_decode(buffer_bytes(&out), &back), ERR_OK);
	assert_string_equal(back.passwords.items[0], "one");
	assert_int_equal(back.groups_count, 1);
	assert_string_equal(back.groups[0].paths.items[0], "*.p12");
	assert_string_equal(back.groups[0].passwords.items[0], "two");
	/* Without any: the standard ones. */
	assert_memory_equal(&back.limits, &format_limits_standard, sizeof(back.limits));
	assert_string_equal(back.stores[0].name, "a");
	assert_true(back.stores[0].is_system);
	assert_int_equal(back.stores[0].size, 5);
	assert_int_equal(back.stores[0].bytes.size, 0);
	parser_options_fini(&back);
	for (size_t i = 0; i < out.size; i++)
		assert_int_not_equal(parser_options_decode(slice_of(out.data, i), &back), ERR_OK);
	parser_options_fini(&options);
	buffer_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_survive_the_wire),
		cmocka_unit_test(passwords_of_paths),
		cmocka_unit_test_setup_teardown(a_file_with_its_issuer, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_found_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_has_a_position, setup, teardown),
		cmocka_unit_test_setup_teardown(
			base64_counts_on_at_the_same_place, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bundle_of_thousands, setup, teardown),
		cmocka_unit_test_setup_teardown(interleaved_findings, setup, teardown),
		cmocka_unit_test_setup_teardown(too_large_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_where_it_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(an_endpoint, setup, teardown),
		cmocka_unit_test_setup_teardown(more_names_than_a_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(more_names_than_are_recorded, setup, teardown),
		cmocka_unit_test_setup_teardown(finish_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_ends_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
