# SPDX-License-Identifier: MIT
"""Where an instance answers otherwise than Debian's own Apache, and why; mod_bellhop(8) has the same reasons."""

LISTING = "Options Indexes is off until an .htaccess file sets it: a listing tells strangers what nobody linked"
PHP = "whatever is PHP's by its name or handler runs as PHP; Debian's Apache sends the source, or PHP-FPM refuses"
MISSING = "PHP is not asked for a file that is missing, as scanners ask every site for such files"
PROGRAMS = ".cgi and .pl files are programs"
OWNER = "a link is followed to files of the same owner only, which Options -FollowSymLinks does not change"
ROUTER = "the router refuses a target that is not valid"

DIFFERENCES = {
    ("wordpress", "GET /wp-content/uploads/"): LISTING,
    ("wordpress", "GET /wp-content/plugins/"): LISTING,
    ("mediawiki", "GET /images/"): LISTING,
    ("typo3", "GET /fileadmin/"): LISTING,
    ("start-pages", "GET /none/"): LISTING,
    ("start-pages", "GET /off/"): LISTING,
    ("start-pages", "GET /noslash"): LISTING,
    ("includes", "GET /"): LISTING,
    ("files", "GET /dir/"): LISTING,
    ("nextcloud", "GET /.user.ini"): "settings of PHP may hold passwords, so .user.ini is never sent",
    ("mediawiki", "GET /extensions/x.php5"): PHP,
    ("php-handlers", "GET /cpanel/x.phtml"): PHP,
    ("php-handlers", "GET /strato/x.html"): PHP,
    ("php-handlers", "GET /type/x.inc"): PHP,
    ("php-handlers", "GET /set/wp-config.php"): PHP,
    ("php-handlers", "GET /default/wp-config.php"): PHP,
    ("php-handlers", "GET /mapp/x.html"): PHP,
    ("php-handlers", "GET /custom/x.inc"): PHP,
    ("php-handlers", "* /fcgid/x.html*"): PHP,
    ("php-handlers", "GET /nowhere/wp-config.php"): PHP,
    ("php-handlers", "GET /listing/"): PHP,
    ("php-handlers", "GET /plain/a.pht*"): PHP,
    ("php-handlers", "GET /plain/a.php[578]"): PHP,
    ("php-handlers", "GET /plain/a.PHP"): PHP,
    ("php-handlers", "GET /plain/a.php/extra"): MISSING,
    ("php-handlers", "GET /plain/none.php*"): MISSING,
    ("start-pages", "GET /pl/"): PROGRAMS,
    ("types", "GET /a.cgi.txt"): PROGRAMS,
    ("types", "GET /a.pl"): PROGRAMS,
    ("programs", "GET /off/a.*"): PROGRAMS,
    ("programs", "GET /plain/a.pl"): PROGRAMS,
    ("files", "GET /passwd"): OWNER,
    ("files", "GET /options/link"): OWNER,
    ("files", "GET /range.txt[?]x=y#z"): ROUTER,
}
