/* Seeded randomness (splitmix64): jitter in the product, everything in the simulator. Not for secrets. */
#ifndef MAH_BASE_RAND_H
#define MAH_BASE_RAND_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *);
uint64_t rng_below(struct rng *, uint64_t limit); /* 0 .. limit-1; limit > 0 */
double rng_unit(struct rng *);                    /* [0, 1) */
bool rng_chance(struct rng *, double probability);

#endif
