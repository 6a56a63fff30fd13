/* Publishes into one ring what it receives from another, whatever the messages are: relay DIRECTORY FROM TO CAPACITY SUBSCRIBERS
 *
 * It begins once so many subscribers are there. If an earlier relay was killed, it goes on behind the last message that it published. Ends with the ring that it reads. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "check.h"

#define ROOM 64

int main(int argc, char **argv)
{
    CHECK(argc == 6);
    /* What the messages are is in the ring's header. */
    fr_open_options from = {0};
    from.root = argv[1];
    from.open_timeout_ns = UINT64_C(60000000000);
    from.join = FR_JOIN_OLDEST;
    fr_subscriber *subscriber;
    CHECK_CODE(fr_subscriber_open(argv[2], NULL, &from, &subscriber), FR_OK);
    const size_t size = fr_schema_size(fr_subscriber_schema(subscriber));

    fr_create_options to = {0};
    to.root = argv[1];
    to.capacity = strtoull(argv[4], NULL, 10);
    fr_publisher *publisher;
    CHECK_CODE(fr_publisher_create(argv[3], fr_subscriber_schema(subscriber), &to, &publisher), FR_OK);
    fr_publisher_state state;
    CHECK_CODE(fr_publisher_get_state(publisher, &state), FR_OK);

    /* The numbers of both rings are the same. */
    fr_subscriber_free(subscriber);
    from.join = FR_JOIN_SEQUENCE;
    from.join_sequence = state.published;
    CHECK_CODE(fr_subscriber_open(argv[2], NULL, &from, &subscriber), FR_OK);
    printf("relay: epoch %" PRIu64 " from %" PRIu64 "\n", state.epoch, state.published);
    fflush(stdout);
    const size_t awaited = strtoull(argv[5], NULL, 10);
    for (size_t found = 0; found < awaited;) {
        CHECK_CODE(fr_publisher_subscribers(publisher, &found), FR_OK);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }

    unsigned char *messages = malloc(ROOM * size);
    CHECK(messages);
    fr_code code = FR_OK;
    while (code != FR_CLOSED) {
        size_t count;
        fr_event event;
        code = fr_receive_batch(subscriber, messages, ROOM * size, &count, &event);
        switch (code) {
        case FR_OK: {
            uint64_t number;
            CHECK_CODE(fr_publish_batch(publisher, messages, count * size, &number), FR_OK);
            CHECK(number == event.sequence);
            break;
        }
        case FR_EMPTY: {
            /* Sleeps until there is one, which a batch does not. */
            code = fr_receive(subscriber, messages, size, FR_FOREVER, &event);
            if (code == FR_OK) {
                uint64_t number;
                CHECK_CODE(fr_publish(publisher, messages, size, &number), FR_OK);
                CHECK(number == event.sequence);
            }
            CHECK(code == FR_OK || code == FR_CLOSED);
            break;
        }
        default:
            CHECK(code == FR_CLOSED);
        }
    }
    CHECK_CODE(fr_publisher_get_state(publisher, &state), FR_OK);
    printf("relay: published up to %" PRIu64 "\n", state.published);
    free(messages);
    fr_subscriber_free(subscriber);
    CHECK_CODE(fr_publisher_close(publisher), FR_OK);
    return 0;
}
