/* SPDX-License-Identifier: MIT */
/* The ids (MESSAGE_ID=) of log lines that ask an administrator to act, and of lines about new
 * certificates. conf/bellhop.catalog explains the ids, and journalctl -x shows these explanations.
 * An id never changes its meaning. */
#pragma once

#define LOG_ID_CONFIG_PROBLEM     "460455030f64d1852a41b48895ed7b48"
#define LOG_ID_RELOAD_FAILED      "72c67d5d21780cbfacd712797aba0aba"
#define LOG_ID_ABSENT             "bad01060aece7d1fd41f87d91a912eac"
#define LOG_ID_QUEUE_FULL         "71c994c879b1544ff478e1fa71ef5dc6"
#define LOG_ID_INSTANCE_LIMIT     "773ec6d3afcbfba108df07d5bf1cd18d"
#define LOG_ID_PENDING_LIMIT      "dfe80d8bd75b693ff576afc32b416626"
#define LOG_ID_SOURCE_LIMIT       "e4febcd56087c00e7666cddcae25cb45"
#define LOG_ID_START_WAIT         "5566079624f043f1bd90f545a386d8e1"
#define LOG_ID_LATE_START         "d1814031534c447e9b0255e3a4518e5a"
#define LOG_ID_EXHAUSTED          "163350f82e3380fbd7fd40e8c33af172"
#define LOG_ID_NO_START           "5f21e9ca73614d1fa710a22694e11342"
#define LOG_ID_CRASH_LOOP         "00d7d591608242fa99b149ed6624f66a"
#define LOG_ID_UNSEALED           "e098cd50092047a48137862df6826d3d"
#define LOG_ID_FENCE_GAP          "3193e3dc76bc4311bb8dacb380a90073"
#define LOG_ID_CERTIFICATE        "043e056ea73e9b1eb7334546cc12bc6d"
#define LOG_ID_CERTIFICATE_FAILED "115bf0cdfd1fbf0d4736a9b3d4ecba95"
#define LOG_ID_RESPONDER          "9ad0969d90f44b7592c16c1a0a96608b"
