# SPDX-License-Identifier: MIT
"""Where an instance answers otherwise than Debian's own server, and why; mod_bellhop(8) and bellhop-nginx(8) have the same
reasons."""

LISTING = "Options Indexes is off until an .htaccess file sets it"
PHP = "a file with a name or handler of PHP runs as PHP"
MISSING = "requests for missing files do not reach PHP"
SECRETS = ".user.ini is never sent"
PROGRAMS = ".cgi and .pl files are programs"
OWNER = "links are followed only to files of the same owner"
OPTIONS = OWNER + ", and Options -FollowSymLinks has no effect"
ROUTER = "the router refuses a request with an invalid target"

APACHE = {
    ("wordpress", "GET /wp-content/uploads/"): LISTING,
    ("wordpress", "GET /wp-content/plugins/"): LISTING,
    ("mediawiki", "GET /images/"): LISTING,
    ("typo3", "GET /fileadmin/"): LISTING,
    ("start-pages", "GET /none/"): LISTING,
    ("start-pages", "GET /off/"): LISTING,
    ("start-pages", "GET /noslash"): LISTING,
    ("includes", "GET /"): LISTING,
    ("files", "GET /dir/"): LISTING,
    ("nextcloud", "GET /.user.ini"): SECRETS,
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
    ("files", "GET /passwd"): OPTIONS,
    ("files", "GET /options/link"): OPTIONS,
    ("files", "GET /range.txt[?]x=y#z"): ROUTER,
}

NAMES = "files with any of PHP's extensions run as PHP; Debian's nginx runs only .php, and sends the source of the others"
PATH_INFO = "PHP gets the path after the name of its file (index.php/page)"
SOURCE = ".cgi, .pl and .phps files, which an instance with Apache runs or refuses, are not sent"
START = "the index files are the same as in an instance with Apache"
SVG = "SVG is compressed, too"
METHOD = "requests for files must be GET or HEAD, also for files that do not exist"

NGINX = {
    ("nextcloud", "GET /.user.ini"): SECRETS,
    ("mediawiki", "GET /extensions/x.php5"): NAMES,
    ("php-handlers", "GET /cpanel/x.phtml"): NAMES,
    ("php-handlers", "GET /plain/a.pht*"): NAMES,
    ("php-handlers", "GET /plain/a.php[578]"): NAMES,
    ("php-handlers", "GET /plain/a.phar"): NAMES,
    ("php-handlers", "GET /plain/a.PHP"): NAMES,
    ("wordpress", "GET /index.php/*"): PATH_INFO,
    ("drupal", "GET /autoload.php/x"): PATH_INFO,
    ("joomla", "GET /index.php/blog"): PATH_INFO,
    ("nextcloud", "* /index.php/*"): PATH_INFO,
    ("nextcloud", "* /remote.php/*"): PATH_INFO,
    ("php", "GET /say.php/info/more"): PATH_INFO,
    ("front", "GET /index.php/more"): PATH_INFO,
    ("php-handlers", "GET /plain/a.phps"): SOURCE,
    ("types", "GET /a.pl"): SOURCE,
    ("programs", "* /*.cgi"): SOURCE,
    ("programs", "GET /on/a.cgi[?]a+b"): SOURCE,
    ("programs", "* /on/*.cgi *"): SOURCE,
    ("programs", "* /*/*.pl"): SOURCE,
    ("cgi", "GET /*.cgi"): SOURCE,
    ("cgi", "GET /a.pl"): SOURCE,
    ("start-pages", "GET /xhtml/"): START,
    ("drupal", "GET /sites/default/files/logo.svgz"): SVG,
    ("wordpress", "P* /thing *"): METHOD,
    ("laravel", "[DP]* /users/7*"): METHOD,
    ("files", "GET /passwd"): OWNER,
    ("files", "GET /range.txt[?]x=y#z"): ROUTER,
}

DIFFERENCES = {"apache": APACHE, "nginx": NGINX}
