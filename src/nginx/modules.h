/* SPDX-License-Identifier: MIT */
#pragma once

#include <ngx_config.h>

#include <ngx_core.h>

extern ngx_module_t ngx_bellhop_module;      /* inbox.c */
extern ngx_module_t ngx_http_bellhop_module; /* requests.c */
