/* Publishes a tick every 10 ms until Ctrl-C, or so many: publisher [DIRECTORY [COUNT]]
 *
 * cc publisher.c $(pkg-config --cflags --libs feed_ring) -o publisher */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tick.h"

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

static int failed(const char *doing)
{
    fprintf(stderr, "publisher: cannot %s: %s\n", doing, fr_last_error());
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    fr_create_options options = {0};
    options.root = argc > 1 ? argv[1] : NULL;
    options.capacity = 4096;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;

    fr_schema *schema = tick_schema();
    if (!schema)
        return failed("describe a tick");
    /* If an earlier publisher was killed, this takes its ring over and continues its numbers. */
    fr_publisher *publisher;
    const fr_code created = fr_publisher_create("ticks", schema, &options, &publisher);
    fr_schema_free(schema);
    if (created != FR_OK)
        return failed("publish");

    fr_publisher_state state;
    (void)fr_publisher_get_state(publisher, &state);
    fprintf(stderr, "publishing to %s from sequence %" PRIu64 ", epoch %" PRIu64 "\n", fr_publisher_path(publisher),
            state.published, state.epoch);

    struct tick tick = {0, INT64_C(58710200000000), 0};
    for (uint64_t published = 0; published < count && !stop; ++published) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        tick.time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        tick.price += (int64_t)(tick.time % 3) * 10000000 - 10000000;
        tick.size = 1 + tick.time % 50;
        if (fr_publish(publisher, &tick, sizeof tick, NULL) != FR_OK)
            return failed("publish a tick");
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    (void)fr_publisher_get_state(publisher, &state);
    fprintf(stderr, "published up to sequence %" PRIu64 "\n", state.published);
    /* Subscribers read what is there, then receive FR_CLOSED. */
    return fr_publisher_close(publisher) == FR_OK ? EXIT_SUCCESS : failed("remove the ring");
}
