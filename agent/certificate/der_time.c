/* UTCTime and GeneralizedTime as Unix seconds. */
#include "agent/base/clock.h"
#include "agent/certificate/der.h"

/* Takes `count` digits; -1 when they are not all there. */
static int digits(struct slice *left, size_t count)
{
	int value = 0;

	if (left->size < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (left->data[i] < '0' || left->data[i] > '9')
			return -1;
		value = value * 10 + (left->data[i] - '0');
	}
	*left = slice_after(*left, count);
	return value;
}

static bool is_digit(struct slice s)
{
	return s.size && s.data[0] >= '0' && s.data[0] <= '9';
}

/* "Z", "+hhmm", "-hhmm", or nothing, which is taken as UTC: whose local time it is nobody knows. */
static bool read_offset(struct slice left, int64_t *offset)
{
	int hours;
	int minutes;
	bool is_west;

	*offset = 0;
	if (!left.size || (left.size == 1 && left.data[0] == 'Z'))
		return true;
	if (left.size != 5 || (left.data[0] != '+' && left.data[0] != '-'))
		return false;
	is_west = left.data[0] == '-';
	left = slice_after(left, 1);
	hours = digits(&left, 2);
	minutes = digits(&left, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return false;
	*offset = (is_west ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

/* Fractions of a second are dropped (X.680 46.2). */
static void skip_fraction(struct slice *left)
{
	if (!left->size || (left->data[0] != '.' && left->data[0] != ','))
		return;
	do
		*left = slice_after(*left, 1);
	while (is_digit(*left));
}

int64_t der_time(const struct der_item *item)
{
	struct slice left = item->content;
	int f[6] = { 0 };
	int64_t offset;
	int64_t t;

	if (item->is_cut)
		return TIME_UNKNOWN;
	if (item->tag == DER_UTC_TIME) {
		f[0] = digits(&left, 2);
		/* RFC 5280 4.1.2.5.1: 50 to 99 are the last century's. */
		if (f[0] >= 0)
			f[0] += f[0] >= 50 ? 1900 : 2000;
	} else if (item->tag == DER_GENERALIZED_TIME) {
		f[0] = digits(&left, 4);
	} else {
		return TIME_UNKNOWN;
	}
	for (int i = 1; i < 6; i++)
		if (i < 4 || is_digit(left))
			f[i] = digits(&left, 2);
	if (item->tag == DER_GENERALIZED_TIME)
		skip_fraction(&left);
	if (!read_offset(left, &offset) || !time_from_civil(f, &t))
		return TIME_UNKNOWN;
	return t - offset;
}
