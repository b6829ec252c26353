/* SPDX-License-Identifier: MIT */
/* The symbols that nginx looks for in a dynamic module. All others are hidden. */
#include <ngx_config.h>

#include <ngx_core.h>

#include "nginx/modules.h"

#define EXPORTED __attribute__((visibility("default")))

extern EXPORTED char *ngx_module_order[];

EXPORTED ngx_module_t *ngx_modules[] = { &ngx_bellhop_module, &ngx_http_bellhop_module, NULL };
EXPORTED char *ngx_module_names[] = { (char *)"ngx_bellhop_module",
                                      (char *)"ngx_http_bellhop_module", NULL };
EXPORTED char *ngx_module_order[] = { NULL };
