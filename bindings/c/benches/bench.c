/* Publishing and receiving 56 bytes from C beside Rust, in one process: bench DIRECTORY
 *
 * Each round publishes a ring full of messages, which each loop then receives from the oldest on. Prints medians of ns per message, and
 * the median of each round's ratio. It is a measurement, not a test. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "../tests/c/check.h"

#define CAPACITY 65536
#define COUNT (CAPACITY - 1)
#define ROUNDS 201
#define BATCH 64

uint64_t loops_publish(const char *root, const char *name, size_t capacity, uint64_t count);
uint64_t loops_receive(const char *root, const char *name, uint64_t count);

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t c_publish(const char *root, const char *name, const fr_schema *schema, int in_batches)
{
    fr_create_options options = {0};
    options.root = root;
    options.capacity = CAPACITY;
    fr_publisher *publisher;
    CHECK_CODE(fr_publisher_create(name, schema, &options, &publisher), FR_OK);
    uint64_t message[7] = {1, 1, 1, 1, 1, 1, 1};
    static uint64_t messages[BATCH][7];
    const uint64_t begun = now();
    for (uint64_t number = 0; in_batches && number < COUNT;) {
        size_t count = 0;
        for (; count < BATCH && number < COUNT; ++count)
            messages[count][0] = number++;
        if (fr_publish_batch(publisher, messages, count * sizeof *messages, NULL) != FR_OK)
            abort();
    }
    for (uint64_t number = 0; !in_batches && number < COUNT; ++number) {
        message[0] = number;
        if (fr_publish(publisher, message, sizeof message, NULL) != FR_OK)
            abort();
    }
    const uint64_t took = now() - begun;
    CHECK_CODE(fr_publisher_leave(publisher), FR_OK);
    return took;
}

static fr_subscriber *subscribe(const char *root, const char *name)
{
    fr_open_options options = {0};
    options.root = root;
    options.join = FR_JOIN_OLDEST;
    fr_subscriber *subscriber;
    CHECK_CODE(fr_subscriber_open(name, NULL, &options, &subscriber), FR_OK);
    return subscriber;
}

static uint64_t c_receive(const char *root, const char *name, int with_event)
{
    fr_subscriber *subscriber = subscribe(root, name);
    uint64_t message[7], sum = 0;
    fr_event event = {0, 0, 0};
    const uint64_t begun = now();
    for (uint64_t number = 0; number < COUNT; ++number) {
        if (fr_try_receive(subscriber, message, sizeof message, with_event ? &event : NULL) != FR_OK)
            abort();
        sum += message[0] + event.sequence;
    }
    const uint64_t took = now() - begun;
    CHECK(sum > 0);
    fr_subscriber_free(subscriber);
    return took;
}

static uint64_t c_receive_batch(const char *root, const char *name)
{
    fr_subscriber *subscriber = subscribe(root, name);
    uint64_t messages[BATCH][7], sum = 0;
    const uint64_t begun = now();
    for (uint64_t number = 0; number < COUNT;) {
        size_t count;
        if (fr_receive_batch(subscriber, messages, sizeof messages, &count, NULL) != FR_OK)
            abort();
        for (size_t index = 0; index < count; ++index)
            sum += messages[index][0];
        number += count;
    }
    const uint64_t took = now() - begun;
    CHECK(sum > 0);
    fr_subscriber_free(subscriber);
    return took;
}

static int ascending(const void *one, const void *other)
{
    const double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

enum { RUST_PUBLISH, C_PUBLISH, C_PUBLISH_BATCH, RUST_RECEIVE, C_RECEIVE, C_RECEIVE_EVENT, C_RECEIVE_BATCH, LOOPS };

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    static const char *const names[LOOPS] = {"Rust publish", "fr_publish", "fr_publish_batch of 64", "Rust try_recv",
                                             "fr_try_receive", "fr_try_receive, with event", "fr_receive_batch of 64"};
    static double ns[LOOPS][ROUNDS], ratio[LOOPS][ROUNDS];
    fr_schema *schema;
    CHECK_CODE(fr_schema_parse("array 56 8\nvalue [u64;7] 0\n", &schema), FR_OK);
    for (int round = -3; round < ROUNDS; ++round) { /* the first ones warm up */
        uint64_t took[LOOPS];
        for (int turn = 0; turn < 3; ++turn) /* whoever publishes last warms the cache for all: take turns */
            switch ((round + 3 + turn) % 3) {
            case 0: took[RUST_PUBLISH] = loops_publish(argv[1], "bench", CAPACITY, COUNT); break;
            case 1: took[C_PUBLISH] = c_publish(argv[1], "bench", schema, 0); break;
            default: took[C_PUBLISH_BATCH] = c_publish(argv[1], "bench", schema, 1);
            }
        for (int turn = 0; turn < 4; ++turn)
            switch ((round + turn) & 3) {
            case 0: took[RUST_RECEIVE] = loops_receive(argv[1], "bench", COUNT); break;
            case 1: took[C_RECEIVE] = c_receive(argv[1], "bench", 0); break;
            case 2: took[C_RECEIVE_EVENT] = c_receive(argv[1], "bench", 1); break;
            default: took[C_RECEIVE_BATCH] = c_receive_batch(argv[1], "bench");
            }
        for (int loop = 0; loop < LOOPS && round >= 0; ++loop) {
            ns[loop][round] = (double)took[loop] / COUNT;
            ratio[loop][round] = (double)took[loop] / (double)took[loop < RUST_RECEIVE ? RUST_PUBLISH : RUST_RECEIVE];
        }
    }
    printf("56 bytes, medians of %d rounds of %d messages in one process\n", ROUNDS, COUNT);
    for (int loop = 0; loop < LOOPS; ++loop)
        printf("%-28s %6.2f ns   %.2f of Rust's\n", names[loop], median(ns[loop]), median(ratio[loop]));
    fr_schema_free(schema);
    return 0;
}
