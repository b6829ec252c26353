/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/ask/customer.h"
#include "ctl/change/first-page.h"
#include "util/cleanup.h"

/* The name, four times: letters, digits, '-' and '_' only, so that nothing has to be escaped. It is
 * there for the first look, and not to be found by search engines. */
static const char page[] =
        "<!DOCTYPE html>\n"
        "<html lang=\"en\">\n"
        "<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<meta name=\"robots\" content=\"noindex\">\n"
        "<title>%s</title>\n"
        "<style>\n"
        "  :root { color-scheme: light dark; font: 1.1em/1.6 system-ui, sans-serif }\n"
        "  body { display: grid; place-content: center; min-height: 90vh; margin: 0 1.5em }\n"
        "  h1 { margin: 0; font-size: 3em; color: #0a7a5c }\n"
        "  p { max-width: 32em; margin: .6em 0 }\n"
        "</style>\n"
        "<main>\n"
        "<h1>%s</h1>\n"
        "<p>The site of %s is served.\n"
        "<p>It has no pages of its own yet. They go to <code>" WWW_DIR "/%s</code>, where this one "
        "is <code>" FIRST_PAGE "</code>.\n"
        "</main>\n"
        "</html>\n";

int first_page_put(int folder, const char *name, uid_t uid, gid_t gid)
{
        _cleanup_close_ int fd =
                openat(folder, FIRST_PAGE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                       0640);

        if (fd < 0)
                return -errno;
        if (dprintf(fd, page, name, name, name, name) < 0 || fchown(fd, uid, gid) < 0 ||
            fchmod(fd, 0640) < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}
