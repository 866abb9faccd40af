/* The rules a certificate or its path may break, as a set. */
#ifndef LEAFWATCH_CERTIFICATE_RULES_H
#define LEAFWATCH_CERTIFICATE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rule {
#define RULE(name, word, level, problem, source, meaning) name,
#include "agent/certificate/rules.def"
#undef RULE
	RULE_COUNT
};

enum rule_level { RULE_BREAKS, RULE_STRICT, RULE_LINT };

#define RULES_WORDS 2

struct rules {
	uint64_t bits[RULES_WORDS];
};

static inline void rules_add(struct rules *r, enum rule which)
{
	r->bits[which / 64] |= UINT64_C(1) << which % 64;
}
static inline bool rules_have(const struct rules *r, enum rule which)
{
	return r->bits[which / 64] >> which % 64 & 1;
}
static inline void rules_merge(struct rules *to, const struct rules *from)
{
	for (size_t i = 0; i < RULES_WORDS; i++)
		to->bits[i] |= from->bits[i];
}

/* Only those of this level. */
struct rules rules_of_level(const struct rules *r, enum rule_level level);
bool rules_are_empty(const struct rules *r);
/* The problems (PROBLEM_BIT) that these rules stand for, whatever their level. */
uint32_t rules_problems(const struct rules *r);

const char *rule_word(enum rule r);
const char *rule_meaning(enum rule r);
const char *rule_source(enum rule r);

#endif
