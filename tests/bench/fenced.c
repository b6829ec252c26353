/* SPDX-License-Identifier: MIT */
/* fenced PROGRAM [ARGUMENT...]: for a server that listens by itself, with the fence of an instance
 * but for what would not let it listen. */
#include <unistd.h>

#include "fence/fence.h"

int main(int argc, char **argv)
{
        if (argc < 2 || fence_raise(fence_wanted(FENCE_NOWHERE) & ~(unsigned)FENCE_TCP) < 0)
                return 1;
        execv(argv[1], argv + 1);
        return 1;
}
