/* What the tests in C and C++ share. */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <feed_ring.h>

#ifdef __cplusplus
#define CHECK_NULL nullptr
#else
#define CHECK_NULL NULL
#endif

/* Ends the test unless it holds. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition, fr_last_error()); \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Ends the test unless the call returns this code. */
#define CHECK_CODE(call, expected)                                                                 \
    do {                                                                                           \
        const fr_code check_found = (call);                                                        \
        if (check_found != (expected)) {                                                           \
            fprintf(stderr, "%s:%d: %s returned %s, %s expected; last error: %s\n", __FILE__, __LINE__, #call, \
                    fr_code_name((int32_t)check_found), fr_code_name((int32_t)(expected)), fr_last_error());   \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* FNV-1a, 64 bits, of bytes after others. */
static inline uint64_t fnv1a(uint64_t digest, const void *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t index = 0; index < size; ++index)
        digest = (digest ^ at[index]) * UINT64_C(0x100000001b3);
    return digest;
}
#define FNV1A UINT64_C(0xcbf29ce484222325)

#endif
