/* SPDX-License-Identifier: ISC */
/* A zone file: an offset at each of some times, or none at all. */
#include "common/base/zone.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t wall, seconds;
	int first = zone_offset_in(data, size, 0, &seconds);

	for (wall = 0; wall < 9000000000000; wall += 300000000000)
		assert(zone_offset_in(data, size, wall, &seconds) == first ||
		    size > 0);
	return 0;
}
