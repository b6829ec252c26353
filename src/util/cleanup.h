/* SPDX-License-Identifier: MIT */
/* A variable with a cleanup attribute owns its value: at the end of the variable's scope, the
 * function in the attribute frees or closes the value. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define DEFINE_CLEANUP(type, func)          \
        static inline void func##p(type *p) \
        {                                   \
                if (*p)                     \
                        *p = func(*p);      \
        }                                   \
        struct cleanup_needs_a_semicolon_##func

/* Closes fd, and keeps errno. Returns -EBADF, which stands for no descriptor: `fd = close_fd(fd)`
 * also resets fd. */
static inline int close_fd(int fd)
{
        if (fd >= 0) {
                int saved = errno;

                (void)close(fd);
                errno = saved;
        }
        return -EBADF;
}

static inline void close_fdp(int *fd)
{
        *fd = close_fd(*fd);
}

static inline void freep(void *p)
{
        free(*(void **)p);
}

static inline void fclosep(FILE **f)
{
        if (*f)
                (void)fclose(*f);
}

#define _cleanup_close_  _cleanup_(close_fdp)
#define _cleanup_free_   _cleanup_(freep)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Returns the value of a variable for a new owner, and sets the variable to -EBADF or NULL, so that
 * its cleanup does nothing. */
#define take_fd(fd)                  \
        ({                           \
                int *_fd_ = &(fd);   \
                int _taken_ = *_fd_; \
                *_fd_ = -EBADF;      \
                _taken_;             \
        })

#define take_ptr(ptr)                             \
        ({                                        \
                __typeof__(ptr) *_ptr_ = &(ptr);  \
                __typeof__(ptr) _taken_ = *_ptr_; \
                *_ptr_ = NULL;                    \
                _taken_;                          \
        })

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

/* Returns the structure that contains the member at ptr. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
