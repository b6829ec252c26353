/* SPDX-License-Identifier: MIT */
/* fenced PROGRAM [ARGUMENT...]: runs a server that listens itself. It has the fence of an instance
 * without the part that would forbid it to listen. */
#include <unistd.h>

#include "fence/fence.h"

int main(int argc, char **argv)
{
        if (argc < 2 || fence_raise(fence_wanted(FENCE_NOWHERE) & ~(unsigned)FENCE_TCP) < 0)
                return 1;
        execv(argv[1], argv + 1);
        return 1;
}
