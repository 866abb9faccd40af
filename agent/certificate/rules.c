/* The rules a certificate or its path may break, as a set. */
#include "agent/certificate/rules.h"

#include "agent/certificate/record.h"

enum { BREAKS = RULE_BREAKS, STRICT = RULE_STRICT, LINT = RULE_LINT };

static const struct {
	const char *word;
	const char *source;
	const char *meaning;
	enum rule_level level;
	enum problem problem;
} table[] = {
#define RULE(name, word, level, problem, source, meaning) \
	{ word, source, meaning, (enum rule_level)(level), problem },
#include "agent/certificate/rules.def"
#undef RULE
};

_Static_assert(RULE_COUNT <= 64 * RULES_WORDS, "a set of rules has room for all");

struct rules rules_of_level(const struct rules *r, enum rule_level level)
{
	struct rules out = { { 0 } };

	for (int i = 0; i < RULE_COUNT; i++)
		if (table[i].level == level && rules_have(r, (enum rule)i))
			rules_add(&out, (enum rule)i);
	return out;
}

bool rules_are_empty(const struct rules *r)
{
	for (size_t i = 0; i < RULES_WORDS; i++)
		if (r->bits[i])
			return false;
	return true;
}

uint32_t rules_problems(const struct rules *r)
{
	uint32_t problems = 0;

	for (int i = 0; i < RULE_COUNT; i++)
		if (rules_have(r, (enum rule)i))
			problems |= PROBLEM_BIT(table[i].problem);
	return problems;
}

const char *rule_word(enum rule r)
{
	return table[r].word;
}

const char *rule_meaning(enum rule r)
{
	return table[r].meaning;
}

const char *rule_source(enum rule r)
{
	return table[r].source;
}
