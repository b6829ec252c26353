/* SPDX-License-Identifier: MIT */
/*
 * A folder of configuration made for one test, and a user database of our own, so that the result
 * does not depend on the machine.
 */
#pragma once

#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/config.h"

DEFINE_CLEANUP(Config *, config_free);

#define _cleanup_config_ _cleanup_(config_freep)

#define DIR_MAX    64
#define NOBODY_UID 65534

static char dir[DIR_MAX];

/* A user in the database that is not listed is found only by name, as with LDAP. */
static struct FakeUser {
        char name[32];
        uid_t uid;
        bool is_listed;
} fake_users[] = {
        { "root", 0, true },      { "toor", 0, true },       { "alice", 2001, true },
        { "bob", 2002, true },    { "a", 2003, true },       { "a-b", 2004, true },
        { "carol", 2005, true },  { "bellhop", 2006, true }, { "ldap", 2007, false },
        { "ldaproot", 0, false },
};

static size_t fake_user_next;
static size_t n_getpwnam;
static bool alice_was_asked_for;
static int fake_errno;

static struct passwd *fake_passwd(struct FakeUser *user)
{
        static struct passwd pw;

        pw = (struct passwd){ .pw_name = user->name, .pw_uid = user->uid, .pw_gid = user->uid };
        return &pw;
}

/* These take the place of libc's, being part of the program. */
void setpwent(void)
{
        fake_user_next = 0;
}

void endpwent(void)
{
}

struct passwd *getpwent(void)
{
        while (fake_user_next < ELEMENTSOF(fake_users))
                if (fake_users[fake_user_next++].is_listed)
                        return fake_passwd(&fake_users[fake_user_next - 1]);
        return NULL;
}

struct passwd *getpwnam(const char *name)
{
        n_getpwnam++;
        alice_was_asked_for = alice_was_asked_for || strcmp(name, "alice") == 0;
        for (size_t i = 0; fake_errno == 0 && i < ELEMENTSOF(fake_users); i++)
                if (strcmp(fake_users[i].name, name) == 0)
                        return fake_passwd(&fake_users[i]);
        errno = fake_errno;
        return NULL;
}

static inline void in_dir(char ret[static DIR_MAX * 2], const char *name)
{
        assert_in_range(snprintf(ret, DIR_MAX * 2, "%s/%s", dir, name), 1, DIR_MAX * 2 - 1);
}

static inline void put_bytes(const char *name, const char *text, size_t size)
{
        char path[DIR_MAX * 2];
        FILE *f;

        in_dir(path, name);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, size, f), size);
        assert_int_equal(fclose(f), 0);
}

static inline void put(const char *name, const char *text)
{
        put_bytes(name, text, strlen(text));
}

static inline void make_folder(const char *name)
{
        char path[DIR_MAX * 2];

        in_dir(path, name);
        assert_int_equal(mkdir(path, 0755), 0);
}

static inline int dir_setup(void **state)
{
        const char *tmp = getenv("TMPDIR");

        (void)state;
        (void)umask(022);
        fake_errno = 0;
        n_getpwnam = 0;
        alice_was_asked_for = false;
        if (tmp == NULL || strlen(tmp) > 30)
                tmp = "/tmp";
        snprintf(dir, sizeof(dir), "%s/bellhop-unit-XXXXXX", tmp);
        if (mkdtemp(dir) == NULL || chmod(dir, 0755) < 0)
                return -1;
        make_folder("instances");
        make_folder("router.conf.d");
        return 0;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static inline int dir_teardown(void **state)
{
        (void)state;
        return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
