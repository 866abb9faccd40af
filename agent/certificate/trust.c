/* Trust stores: the bytes of all anchors, found by fingerprint and by subject. They are imported into
 * GnuTLS one by one when a path needs them: 144 handles would cost every parser 4 MiB. */
#include "agent/certificate/trust.h"

#include "agent/certificate/anchors.h"
#include "agent/certificate/blocked.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/der.h"
#include "agent/certificate/dn.h"

#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ANCHORS_MAX 100000
#define LABEL_BYTES_MAX 64

struct trust {
	struct anchor *anchors; /* owned, by fingerprint */
	size_t count;
	uint32_t *by_subject; /* owned: indices by subject_hash */
	struct strings names; /* of stores; anchors borrow them */
	uint8_t **blocks;     /* owned: the DER of each trust_add, anchors point into it */
	size_t blocks_count;
	struct blocked_list blocked; /* its items point into blocks */
	uint64_t generation;
};

enum err trust_new(struct trust **out)
{
	static _Atomic uint64_t stores;
	struct trust *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_MEMORY;
	/* High bits tell stores apart, low bits what was added to one. */
	t->generation = atomic_fetch_add(&stores, 1) << 32;
	*out = t;
	return ERR_OK;
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->blocks_count; i++)
		free(t->blocks[i]);
	free(t->blocks);
	blocked_fini(&t->blocked);
	strings_fini(&t->names);
	free(t->by_subject);
	free(t->anchors);
	free(t);
}

/* --- looking up --------------------------------------------------------------------------------- */

static int by_fingerprint(const void *a, const void *b)
{
	return memcmp(((const struct anchor *)a)->fingerprint,
		((const struct anchor *)b)->fingerprint, FINGERPRINT_BYTES);
}

static int by_hash(const void *a, const void *b, void *arg)
{
	const struct anchor *anchors = arg;
	const uint32_t i = *(const uint32_t *)a;
	const uint32_t j = *(const uint32_t *)b;

	if (anchors[i].subject_hash != anchors[j].subject_hash)
		return anchors[i].subject_hash < anchors[j].subject_hash ? -1 : 1;
	return i < j ? -1 : i > j;
}

const struct anchor *trust_find(const struct trust *t, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	struct anchor key;

	if (!t->count)
		return NULL;
	memcpy(key.fingerprint, fingerprint, FINGERPRINT_BYTES);
	return bsearch(&key, t->anchors, t->count, sizeof(*t->anchors), by_fingerprint);
}

const struct anchor *trust_named(
	const struct trust *t, struct slice name, uint64_t hash, size_t nth)
{
	size_t low = 0;
	size_t high = t->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->anchors[t->by_subject[middle]].subject_hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->count; low++) {
		const struct anchor *a = &t->anchors[t->by_subject[low]];

		if (a->subject_hash != hash)
			break;
		if (dn_equal(a->subject, name) && nth-- == 0)
			return a;
	}
	return NULL;
}

const char *trust_holds(const struct trust *t, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	const struct anchor *a = trust_find(t, fingerprint);

	return a ? anchor_store(t, a, TRUST_ALL_STORES) : NULL;
}

const char *anchor_store(const struct trust *t, const struct anchor *a, uint64_t stores)
{
	for (size_t i = 0; i < t->names.count; i++)
		if (a->stores & stores & UINT64_C(1) << i)
			return t->names.items[i];
	return NULL;
}

size_t trust_stores(const struct trust *t)
{
	return t->names.count;
}

const char *trust_store_name(const struct trust *t, size_t store)
{
	return store < t->names.count ? t->names.items[store] : NULL;
}

bool trust_is_empty(const struct trust *t, size_t store)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->anchors[i].stores >> store & 1)
			return false;
	return true;
}

struct slice trust_der(const struct trust *t, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	const struct anchor *a = trust_find(t, fingerprint);

	return a ? a->der : slice_of(NULL, 0);
}

uint64_t trust_blocked(
	const struct trust *t, struct slice issuer, uint64_t issuer_hash, struct slice serial)
{
	return blocked_by(&t->blocked, issuer, issuer_hash, serial);
}

uint64_t trust_generation(const struct trust *t)
{
	return t->generation;
}

/* --- adding ------------------------------------------------------------------------------------- */

/* One trust_add at work. DER is gathered in `block`; anchors are made when it no longer moves. */
struct adding {
	struct buffer block;
	struct trust_limits *limits; /* owned: of each certificate in `block` */
	size_t found;
	struct buffer
		extensions;  /* of p11-kit: SubjectPublicKeyInfo and Extension, one after another */
	struct buffer names; /* of p11-kit: issuer and serial number of what is distrusted */
	bool is_system;
	bool is_distrust; /* all that is found is distrusted */
	size_t skipped;
};

/* GnuTLS's word on the administrator's own bundles: what it refuses could never anchor a path. The
 * system store is vetted by the distribution, and checking it would cost each parser 4 ms. */
static bool is_accepted(struct slice der)
{
	const gnutls_datum_t datum = { .data = (unsigned char *)(uintptr_t)der.data,
		.size = (unsigned)der.size };
	gnutls_x509_crt_t handle = NULL;
	int rc = gnutls_x509_crt_init(&handle);

	if (rc == 0)
		rc = gnutls_x509_crt_import(handle, &datum, GNUTLS_X509_FMT_DER);
	gnutls_x509_crt_deinit(handle);
	return rc == 0;
}

static bool add_limits(struct adding *a, const struct trust_limits *limits)
{
	struct trust_limits *grown = reallocarray(a->limits, a->found + 1, sizeof(*grown));

	if (!grown) {
		a->block.status = ERR_MEMORY;
		return false;
	}
	a->limits = grown;
	grown[a->found] = *limits;
	grown[a->found].is_distrusted = limits->is_distrusted || a->is_distrust;
	return true;
}

/* Returns the bytes used, 0 when there is no whole certificate. */
static size_t add_der(struct adding *a, struct slice bytes, const struct trust_limits *limits)
{
	struct der_certificate c;

	if (!der_certificate(bytes, &c) || !c.is_complete)
		return 0;
	if (a->is_system || is_accepted(c.whole)) {
		if (add_limits(a, limits)) {
			buffer_slice(&a->block, c.whole);
			a->found++;
		}
	} else {
		a->skipped++;
	}
	return c.whole.size;
}

static bool is_certificate_label(struct slice label)
{
	static const char *const labels[] = { "CERTIFICATE", "X509 CERTIFICATE",
		"TRUSTED CERTIFICATE" };

	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
		if (label.size == strlen(labels[i]) &&
			memcmp(label.data, labels[i], label.size) == 0)
			return true;
	return false;
}

/* A TRUSTED CERTIFICATE is followed by OpenSSL's settings, other ones by nothing. */
static bool add_decoded(
	struct adding *a, struct slice der, const struct trust_limits *limits, bool has_settings)
{
	struct trust_limits own = *limits;
	struct slice rest = der;
	struct der_item item;

	if (has_settings && der_take(&rest, DER_SEQUENCE, &item))
		trust_limits_openssl(rest, &own);
	return add_der(a, der, &own) != 0;
}

static void add_base64(
	struct adding *a, struct slice text, const struct trust_limits *limits, bool has_settings)
{
	const gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)text.data,
		.size = (unsigned)text.size };
	gnutls_datum_t der = { 0 };
	int rc = gnutls_base64_decode2(&in, &der);

	if (rc != 0 || !add_decoded(a, slice_of(der.data, der.size), limits, has_settings))
		a->skipped++;
	if (rc == 0)
		gnutls_free(der.data);
}

static const uint8_t *find(struct slice in, const char *what)
{
	return in.size ? memmem(in.data, in.size, what, strlen(what)) : NULL;
}

/* The block at the start of `bytes`, which is "-----BEGIN "; returns the bytes used, at least 1. */
static size_t add_pem(struct adding *a, struct slice bytes, const struct trust_limits *limits)
{
	static const char begin[] = "-----BEGIN ";
	struct slice rest = slice_after(bytes, sizeof(begin) - 1);
	const uint8_t *dashes =
		find(slice_of(rest.data, rest.size < LABEL_BYTES_MAX ? rest.size : LABEL_BYTES_MAX),
			"-----");
	const uint8_t *end;
	struct slice label;

	if (!dashes)
		return sizeof(begin) - 1;
	label = slice_of(rest.data, (size_t)(dashes - rest.data));
	rest = slice_after(rest, label.size + 5);
	end = find(rest, "-----");
	if (is_certificate_label(label)) {
		if (!end)
			a->skipped++;
		else
			add_base64(a, slice_of(rest.data, (size_t)(end - rest.data)), limits,
				slice_starts(label, "TRUSTED", 7));
	}
	/* A second BEGIN without an END between is met again as the next block. */
	return end ? (size_t)(end - bytes.data) : bytes.size;
}

/* An extension for the certificates of a key, kept until all are known. */
static void add_extension(struct adding *a, const struct p11kit_object *o)
{
	const uint8_t *text = find(o->pem, "-----\n");
	struct slice body =
		text ? slice_after(o->pem, (size_t)(text - o->pem.data) + 6) : slice_of(NULL, 0);
	const uint8_t *end = find(body, "-----");
	gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)body.data,
		.size = end ? (unsigned)(end - body.data) : 0 };
	gnutls_datum_t spki = { 0 };

	if (!end || gnutls_base64_decode2(&in, &spki) != 0)
		return;
	buffer_append(&a->extensions, spki.data, spki.size);
	buffer_slice(&a->extensions, buffer_bytes(&o->value));
	gnutls_free(spki.data);
}

/* A section of p11-kit's. What it calls neither trusted nor distrusted is no anchor; the rest is passed over. */
static size_t add_object(struct adding *a, struct slice left)
{
	size_t size = p11kit_section(left);
	struct p11kit_object o;

	p11kit_read(slice_of(left.data, size), &o);
	if (o.is_extension && o.value.size && o.pem.size)
		add_extension(a, &o);
	else if (o.is_certificate && (!o.limits.is_unsaid || a->is_distrust) && o.value.size)
		(void)add_der(a, buffer_bytes(&o.value), &o.limits);
	else if (o.is_certificate && (!o.limits.is_unsaid || a->is_distrust) && o.pem.size)
		(void)add_pem(a, o.pem, &o.limits);
	else if (o.is_certificate && (o.limits.is_distrusted || a->is_distrust))
		buffer_slice(&a->names, buffer_bytes(&o.name));
	p11kit_fini(&o);
	return size;
}

/* Files of a folder come one after another, so PEM and DER may alternate. */
static void add_all(struct adding *a, struct slice left)
{
	const struct trust_limits plain = { .server_until = TIME_UNKNOWN };

	while (left.size && a->block.status == ERR_OK) {
		size_t used = 0;

		if (left.data[0] == DER_SEQUENCE)
			used = add_der(a, left, &plain);
		else if (slice_starts(left, "-----BEGIN ", 11))
			used = add_pem(a, left, &plain);
		else if (slice_starts(left, P11KIT_MARKER, strlen(P11KIT_MARKER)))
			used = add_object(a, left);
		left = slice_after(left, used ? used : 1);
	}
}

static void describe(struct anchor *out, const struct der_certificate *c)
{
	struct slice value;
	struct der_item id;

	*out = (struct anchor){ .der = c->whole,
		.subject = c->subject,
		.subject_hash = dn_hash(c->subject),
		.issuer_hash = dn_hash(c->issuer),
		.not_before = der_time(&c->not_before),
		.not_after = der_time(&c->not_after) };
	fingerprint_of(c->whole, out->fingerprint);
	if (der_extension(c->extensions, slice_of("\x55\x1d\x0e", 3), &value) &&
		der_take(&value, DER_OCTET_STRING, &id))
		out->subject_key_id = id.content;
}

static struct anchor *known(const struct trust *t, size_t sorted, const struct anchor *a)
{
	return sorted ? bsearch(a, t->anchors, sorted, sizeof(*a), by_fingerprint) : NULL;
}

/* What several say of one: the strictest holds. */
static void limit(struct anchor *a, const struct trust_limits *l, uint64_t store)
{
	if (l->is_distrusted)
		a->distrusted |= store;
	if (l->server_until != TIME_UNKNOWN && (a->limits.server_until == TIME_UNKNOWN ||
						       l->server_until < a->limits.server_until))
		a->limits.server_until = l->server_until;
	if (l->purposes)
		a->limits.purposes =
			a->limits.purposes ? a->limits.purposes & l->purposes : l->purposes;
	a->limits.rejected |= l->rejected;
}

/* All of `block`, which holds certificates one after another, each with its limits. */
static void take_anchors(
	struct trust *t, struct slice block, const struct trust_limits *limits, uint64_t store)
{
	size_t sorted = t->count;
	size_t kept;
	struct der_certificate c;

	while (block.size && der_certificate(block, &c)) {
		struct anchor *held;
		struct anchor a;

		describe(&a, &c);
		held = known(t, sorted, &a);
		if (!held) {
			held = &t->anchors[t->count++];
			*held = a;
			held->limits.server_until = TIME_UNKNOWN;
		}
		held->stores |= store;
		limit(held, limits++, store);
		block = slice_after(block, c.whole.size);
	}
	qsort(t->anchors, t->count, sizeof(*t->anchors), by_fingerprint);
	kept = t->count ? 1 : 0;
	for (size_t i = 1; i < t->count; i++) {
		struct anchor *last = &t->anchors[kept - 1];

		if (by_fingerprint(&t->anchors[i], last) != 0) {
			t->anchors[kept++] = t->anchors[i];
			continue;
		}
		last->distrusted |= t->anchors[i].distrusted;
		limit(last, &t->anchors[i].limits, store);
	}
	t->count = kept;
	for (uint32_t i = 0; i < t->count; i++)
		t->by_subject[i] = i;
	qsort_r(t->by_subject, t->count, sizeof(*t->by_subject), by_hash, t->anchors);
}

static bool make_room(struct trust *t, size_t more)
{
	size_t capacity = t->count + more;
	struct anchor *anchors = reallocarray(t->anchors, capacity + 1, sizeof(*anchors));
	uint32_t *by_subject;
	uint8_t **blocks;

	if (!anchors)
		return false;
	t->anchors = anchors;
	by_subject = reallocarray(t->by_subject, capacity + 1, sizeof(*by_subject));
	if (!by_subject)
		return false;
	t->by_subject = by_subject;
	blocks = reallocarray(t->blocks, t->blocks_count + 1, sizeof(*blocks));
	if (!blocks)
		return false;
	t->blocks = blocks;
	return true;
}

/* Attaches an extension to the anchors of a key; it lies in a block of the store's. */
static void attach(struct trust *t, struct slice spki, struct slice extension, uint64_t store)
{
	struct der_certificate c;

	for (size_t i = 0; i < t->count; i++) {
		struct anchor *a = &t->anchors[i];

		if (a->stores & store && a->attached_count < ATTACHED_MAX &&
			der_certificate(a->der, &c) && c.spki.size == spki.size &&
			memcmp(c.spki.data, spki.data, spki.size) == 0)
			a->attached[a->attached_count++] = extension;
	}
}

static enum err keep_extensions(struct trust *t, struct adding *a, uint64_t store)
{
	struct slice left = buffer_bytes(&a->extensions);
	struct der_item spki;
	struct der_item extension;

	if (!left.size)
		return buffer_status(&a->extensions);
	if (!make_room(t, 0))
		return ERR_MEMORY;
	t->blocks[t->blocks_count++] = a->extensions.data;
	buffer_init(&a->extensions, TRUST_BYTES_MAX);
	while (der_take(&left, DER_SEQUENCE, &spki) && der_take(&left, DER_SEQUENCE, &extension))
		attach(t, spki.whole, extension.content, store);
	return ERR_OK;
}

static enum err keep_names(struct trust *t, struct adding *a, uint64_t store)
{
	struct slice names = buffer_bytes(&a->names);

	if (!names.size)
		return buffer_status(&a->names);
	if (!make_room(t, 0))
		return ERR_MEMORY;
	t->blocks[t->blocks_count++] = a->names.data;
	buffer_init(&a->names, TRUST_BYTES_MAX);
	return blocked_add(&t->blocked, names, store);
}

/* Gives the gathered DER to the store, cut to its size. */
static enum err keep(struct trust *t, struct adding *a, uint64_t store)
{
	uint8_t *block;

	if (t->count + a->found > ANCHORS_MAX)
		return ERR_LIMIT;
	if (!make_room(t, a->found))
		return ERR_MEMORY;
	if (!a->found)
		return keep_extensions(t, a, store);
	block = realloc(a->block.data, a->block.size);
	if (!block)
		block = a->block.data;
	t->blocks[t->blocks_count++] = block;
	take_anchors(t, slice_of(block, a->block.size), a->limits, store);
	buffer_init(&a->block, TRUST_BYTES_MAX);
	return keep_extensions(t, a, store);
}

static enum err add_bytes(
	struct trust *t, struct adding *a, uint64_t store, struct slice bytes, struct why *why)
{
	enum err e;

	buffer_init(&a->block, TRUST_BYTES_MAX);
	buffer_init(&a->extensions, TRUST_BYTES_MAX);
	buffer_init(&a->names, TRUST_BYTES_MAX);
	add_all(a, bytes);
	e = buffer_status(&a->block);
	if (e == ERR_OK)
		e = keep(t, a, store);
	if (e == ERR_OK)
		e = keep_names(t, a, store);
	buffer_fini(&a->block);
	buffer_fini(&a->extensions);
	buffer_fini(&a->names);
	free(a->limits);
	t->generation++;
	return e == ERR_LIMIT ? why_fail(why, e, "more than %d anchors", ANCHORS_MAX) : e;
}

enum err trust_distrust(struct trust *t, const char *name, struct slice bytes, struct why *why)
{
	struct adding a = { .is_system = true, .is_distrust = true };

	for (size_t i = 0; i < t->names.count; i++)
		if (strcmp(t->names.items[i], name) == 0)
			return add_bytes(t, &a, UINT64_C(1) << i, bytes, why);
	return ERR_OK;
}

/* NOLINTNEXTLINE(readability-function-size): both counts are wanted, and the sentence */
enum err trust_add(struct trust *t, const char *name, bool is_system, struct slice bytes,
	size_t *added, size_t *skipped, struct why *why)
{
	struct adding a = { .is_system = is_system };
	size_t before = t->count;
	enum err e;

	if (bytes.size > TRUST_BYTES_MAX)
		return why_fail(why, ERR_LIMIT, "a trust store may hold 16 MiB");
	if (t->names.count == TRUST_STORES_MAX)
		return why_fail(why, ERR_LIMIT, "more than %d stores", TRUST_STORES_MAX);
	e = add_bytes(t, &a, UINT64_C(1) << t->names.count, bytes, why);
	if (e == ERR_OK)
		e = strings_add(&t->names, name);
	if (e != ERR_OK)
		return e;
	if (added)
		*added = t->count - before;
	if (skipped)
		*skipped = a.skipped;
	return ERR_OK;
}
