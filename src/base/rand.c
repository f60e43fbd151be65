#include "base/rand.h"

#include <assert.h>

uint64_t rng_next(struct rng *rng)
{
	uint64_t z = (rng->state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t limit)
{
	assert(limit > 0);
	return rng_next(rng) % limit; /* the bias is far below what any user of it could notice */
}

double rng_unit(struct rng *rng)
{
	return (double)(rng_next(rng) >> 11) * 0x1.0p-53;
}

bool rng_chance(struct rng *rng, double probability)
{
	return rng_unit(rng) < probability;
}
