/* Receives a ring to its end and prints what came, as one line of JSON: digest DIRECTORY NAME */
#include "check.h"

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    fr_open_options options = {0};
    options.root = argv[1];
    options.join = FR_JOIN_OLDEST;
    options.open_timeout_ns = UINT64_C(60000000000);
    fr_subscriber *subscriber;
    CHECK_CODE(fr_subscriber_open(argv[2], NULL, &options, &subscriber), FR_OK);
    const size_t size = fr_schema_size(fr_subscriber_schema(subscriber));
    unsigned char *message = malloc(size);
    CHECK(message);

    uint64_t digest = FNV1A, next = 0, restarts = 0, missed = 0, epoch = 0;
    fr_code code = FR_OK;
    while (code != FR_CLOSED) {
        fr_event event;
        code = fr_receive(subscriber, message, size, FR_FOREVER, &event);
        switch (code) {
        case FR_OK:
            CHECK(event.sequence == next + missed);
            CHECK(event.epoch >= epoch);
            epoch = event.epoch;
            digest = fnv1a(digest, message, size);
            ++next;
            break;
        case FR_LAGGED:
            missed += event.missed;
            break;
        case FR_RESTARTED:
            CHECK(event.sequence == next + missed);
            CHECK(event.epoch > epoch);
            ++restarts;
            break;
        case FR_PUBLISHER_DEAD:
            /* The test starts another. */
            CHECK_CODE(fr_subscriber_wait_for_publisher(subscriber, UINT64_C(120000000000)), FR_OK);
            break;
        default:
            CHECK(code == FR_CLOSED);
        }
    }
    fr_account account;
    CHECK_CODE(fr_subscriber_account(subscriber, &account), FR_OK);
    CHECK(account.first + account.received + account.lost + account.skipped == account.sequence);
    CHECK(account.received == next && account.lost == missed);
    printf("{\"digest\":\"%016" PRIx64 "\",\"messages\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"restarts\":%" PRIu64
           ",\"epoch\":%" PRIu64 "}\n",
           digest, account.received, account.lost, restarts, account.epoch);
    free(message);
    fr_subscriber_free(subscriber);
    return 0;
}
