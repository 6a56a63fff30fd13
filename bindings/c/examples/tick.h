/* The message that the examples in C share. It is that of ring/examples too: each can be run with any other. */
#ifndef TICK_H
#define TICK_H

#include <feed_ring.h>

struct tick {
    uint64_t time; /* ns since 1970 */
    int64_t price; /* 1e-9 */
    uint64_t size;
};

/* The schema of a tick, or NULL: fr_last_error has the text. */
static inline fr_schema *tick_schema(void)
{
    static const fr_field fields[] = {
        FR_FIELD(struct tick, time),
        FR_FIELD(struct tick, price),
        FR_FIELD(struct tick, size),
    };
    fr_schema *schema;
    (void)fr_schema_of("Tick", sizeof(struct tick), _Alignof(struct tick), fields, 3, &schema);
    return schema;
}

#endif
