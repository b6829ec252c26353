/* SPDX-License-Identifier: MIT */
#include "ctl/ask/cms.h"
#include "util/cleanup.h"
#include "util/text.h"

/* For each CMS, a file or folder that every installation has. */
static const struct {
        const char *file, *name;
} known[] = {
        { "wp-includes/version.php", "WordPress" },
        { "core/lib/Drupal.php", "Drupal" },
        { "administrator/manifests/files/joomla.xml", "Joomla" },
        { "lib/versioncheck.php", "Nextcloud" },
        { "includes/WebStart.php", "MediaWiki" },
        { "typo3/sysext", "TYPO3" },
        { "bin/magento", "Magento" },
        { "lib/moodlelib.php", "Moodle" },
        { "config/defines.inc.php", "PrestaShop" },
};

const char *cms_find(const Identity *who, const char *folder)
{
        static const char *const nothing[] = { NULL };

        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                _cleanup_free_ char *path = text_format("%s/%s", folder, known[i].file);
                Access access;

                if (path && access_ask(who, nothing, path, F_OK, &access) == 0 && access.error == 0)
                        return known[i].name;
        }
        return NULL;
}
