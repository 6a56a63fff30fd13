// The same as digest.c with feed_ring.hpp, for the message of the feed (feed/src/message.rs): digest DIRECTORY NAME
#include <array>
#include <variant>

#include <feed_ring.hpp>

#include "check.h"

namespace market {
struct Message {
    std::uint64_t ts_event, ts_publish;
    std::uint32_t instrument;
    std::uint8_t kind, side, flags, reserved;
    std::int64_t price;
    std::uint64_t size, order_id, extra;
};
FEED_RING_FIELDS(Message, ts_event, ts_publish, instrument, kind, side, flags, reserved, price, size, order_id, extra)
} // namespace market

int main(int argc, char **argv) {
    CHECK(argc == 3);
    fr_open_options options{};
    options.root = argv[1];
    options.join = FR_JOIN_OLDEST;
    options.open_timeout_ns = 60'000'000'000;
    auto subscriber = feed_ring::Subscriber<market::Message>::open(argv[2], options).value();

    std::uint64_t digest = FNV1A, restarts = 0, missed = 0;
    std::array<market::Message, 32> room;
    for (bool closed = false; !closed;) {
        const auto batch = subscriber.receive_batch(room);
        digest = fnv1a(digest, batch.messages().data(), batch.messages().size_bytes());
        if (batch) {
            continue;
        }
        const auto event = batch.event();
        if (const auto *lagged = std::get_if<feed_ring::Lagged>(&event)) {
            missed += lagged->missed;
        } else if (std::holds_alternative<feed_ring::Restarted>(event)) {
            ++restarts;
        } else if (std::holds_alternative<feed_ring::PublisherDead>(event)) {
            CHECK(subscriber.wait_for_publisher(std::chrono::minutes(2)));
        } else if (std::holds_alternative<feed_ring::Empty>(event)) {
            // Sleeps until there is one.
            auto messages = subscriber.messages();
            for (const auto &message : messages) {
                digest = fnv1a(digest, &message, sizeof message);
                break;
            }
            if (!messages.ended()) {
                switch (messages.ended().code()) {
                case FR_LAGGED: missed += messages.ended().numbers().missed; break;
                case FR_RESTARTED: ++restarts; break;
                case FR_PUBLISHER_DEAD: CHECK(subscriber.wait_for_publisher(std::chrono::minutes(2))); break;
                default: closed = messages.ended().code() == FR_CLOSED; CHECK(closed);
                }
            }
        } else {
            closed = std::holds_alternative<feed_ring::Closed>(event);
            CHECK(closed);
        }
    }
    const auto account = subscriber.account();
    CHECK(account.first + account.received + account.lost + account.skipped == account.sequence);
    CHECK(account.lost == missed);
    std::printf("{\"digest\":\"%016" PRIx64 "\",\"messages\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"restarts\":%" PRIu64
                ",\"epoch\":%" PRIu64 "}\n",
                digest, account.received, account.lost, restarts, account.epoch);
    return 0;
}
