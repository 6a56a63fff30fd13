/* Receives ticks until Ctrl-C, whatever happens to their publisher: subscriber [DIRECTORY [COUNT]]
 *
 * cc subscriber.c $(pkg-config --cflags --libs feed_ring) -o subscriber */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tick.h"

/* How long to wait for a ring before looking for Ctrl-C, in ns. */
#define PATIENCE UINT64_C(100000000)

static volatile sig_atomic_t stop;
/* Ends the wait for a message. It may be used in a signal handler. */
static fr_interrupter *volatile waiting;

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
    if (waiting)
        (void)fr_interrupt(waiting);
}

/* Opens the ring, if there is one within a moment: FR_OK, FR_NOT_FOUND, or a failure. */
static fr_code open_ring(const char *root, fr_join join, const fr_schema *schema, fr_subscriber **subscriber)
{
    fr_open_options options = {0};
    options.root = root;
    options.join = (int32_t)join;
    options.open_timeout_ns = PATIENCE;
    const fr_code code = fr_subscriber_open("ticks", schema, &options, subscriber);
    return code == FR_UNFINISHED ? FR_NOT_FOUND : code;
}

/* Takes another ring of the name in place of this one, whose publisher is gone. */
static void go_on_with(fr_subscriber **subscriber, fr_subscriber *other)
{
    fr_interrupter *const old = waiting;
    waiting = NULL;
    fr_interrupter_free(old);
    fr_subscriber_free(*subscriber);
    *subscriber = other;
    fr_interrupter *interrupter = NULL;
    if (other)
        (void)fr_subscriber_interrupter(other, &interrupter);
    waiting = interrupter;
}

int main(int argc, char **argv)
{
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    const char *root = argc > 1 ? argv[1] : NULL;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
    fr_schema *schema = tick_schema();
    fr_subscriber *subscriber = NULL;
    /* The first ring is joined at its newest tick, or at its oldest if a number of them is asked for. Of a ring that replaces it, all
     * ticks are new. */
    fr_join join = argc > 2 ? FR_JOIN_OLDEST : FR_JOIN_LATEST;
    fr_code told = FR_OK;
    uint64_t received = 0;
    int status = EXIT_SUCCESS;
    while (!stop && received < count) {
        if (!subscriber) {
            fr_subscriber *opened;
            const fr_code code = open_ring(root, join, schema, &opened);
            if (code == FR_OK) {
                go_on_with(&subscriber, opened);
                join = FR_JOIN_OLDEST;
                told = FR_OK;
                fprintf(stderr, "opened\n");
            } else if (code != FR_NOT_FOUND) {
                fprintf(stderr, "subscriber: %s\n", fr_last_error());
                status = EXIT_FAILURE;
                break;
            }
            continue;
        }
        struct tick tick;
        fr_event event;
        const fr_code code = fr_receive(subscriber, &tick, sizeof tick, FR_FOREVER, &event);
        switch (code) {
        case FR_OK:
            ++received;
            told = FR_OK;
            printf("%" PRIu64 " time %" PRIu64 " price %" PRId64 " size %" PRIu64 "\n", event.sequence, tick.time, tick.price,
                   tick.size);
            break;
        case FR_EMPTY: /* interrupted */
            break;
        case FR_LAGGED: /* this program was too slow */
            fprintf(stderr, "%" PRIu64 " ticks lost\n", event.missed);
            break;
        case FR_RESTARTED: /* rebuild what was derived from earlier ticks */
            fprintf(stderr, "epoch %" PRIu64 " begins at sequence %" PRIu64 "\n", event.epoch, event.sequence);
            break;
        case FR_RESTARTS_UNKNOWN: /* the same, at that sequence */
            fprintf(stderr, "epochs before sequence %" PRIu64 " are unknown\n", event.sequence);
            break;
        case FR_PUBLISHER_DEAD:
        case FR_CLOSED: {
            /* The ring stays, and a publisher may take it over: wait for that. Or it was removed, and the next publisher makes another
             * one of the same name: open that. */
            if (told != code)
                fprintf(stderr, "%s; waiting for a publisher\n", fr_last_error());
            told = code;
            if (fr_subscriber_wait_for_publisher(subscriber, PATIENCE) == FR_OK)
                break;
            fr_subscriber *other;
            if (open_ring(root, FR_JOIN_OLDEST, schema, &other) != FR_OK)
                break;
            if (fr_subscriber_publisher_is_alive(other) && fr_subscriber_wait_for_publisher(subscriber, 0) != FR_OK) {
                fprintf(stderr, "another ring\n");
                go_on_with(&subscriber, other);
            } else {
                fr_subscriber_free(other);
            }
            break;
        }
        case FR_SUPERSEDED: /* another ring took the name while this one was open */
            fprintf(stderr, "another ring\n");
            go_on_with(&subscriber, NULL);
            break;
        default: /* cut short, or damaged */
            fprintf(stderr, "subscriber: %s\n", fr_last_error());
            status = EXIT_FAILURE;
            stop = 1;
        }
    }
    fr_account account;
    if (subscriber && fr_subscriber_account(subscriber, &account) == FR_OK)
        fprintf(stderr, "received %" PRIu64 ", lost %" PRIu64 " of the last ring's ticks\n", account.received, account.lost);
    go_on_with(&subscriber, NULL);
    fr_schema_free(schema);
    return status;
}
