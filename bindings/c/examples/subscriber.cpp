// Receives ticks until their ring is closed, or so many: subscriber [DIRECTORY [COUNT]]
//
// c++ -std=c++20 subscriber.cpp $(pkg-config --cflags --libs feed_ring) -o subscriber
#include <chrono>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>
#include <variant>

#include <feed_ring.hpp>

struct Tick {
    std::uint64_t time; // ns since 1970
    std::int64_t price; // 1e-9
    std::uint64_t size;
};
FEED_RING_FIELDS(Tick, time, price, size)

namespace {

// What to do after an event.
enum class Next { go_on, wait, open_again, end };

struct Handled {
    Next operator()(const feed_ring::Empty &) const { return Next::go_on; }
    Next operator()(const feed_ring::Lagged &event) const { return said(std::to_string(event.missed) + " ticks lost", Next::go_on); }
    Next operator()(const feed_ring::Restarted &event) const {
        // Rebuild what was derived from earlier ticks.
        const auto begins = " begins at sequence " + std::to_string(event.sequence);
        return said("epoch " + std::to_string(event.epoch) + begins, Next::go_on);
    }
    Next operator()(const feed_ring::RestartsUnknown &event) const {
        return said("epochs before sequence " + std::to_string(event.until) + " are unknown", Next::go_on);
    }
    Next operator()(const feed_ring::PublisherDead &) const { return said("the publisher is gone: waiting for the next", Next::wait); }
    Next operator()(const feed_ring::Superseded &) const { return said("another ring", Next::open_again); }
    Next operator()(const feed_ring::Closed &) const { return said("closed", Next::end); }
    Next operator()(const feed_ring::CutShort &event) const { return said(event.text, Next::end); }
    Next operator()(const feed_ring::Corrupt &event) const { return said(event.text, Next::end); }

  private:
    static Next said(const std::string &text, Next next) {
        std::cerr << text << '\n';
        return next;
    }
};

} // namespace

int main(int argc, char **argv) try {
    fr_open_options options{};
    options.root = argc > 1 ? argv[1] : nullptr;
    options.join = FR_JOIN_OLDEST;
    options.open_timeout_ns = 10'000'000'000;
    const std::uint64_t count = argc > 2 ? std::stoull(argv[2]) : std::numeric_limits<std::uint64_t>::max();

    std::uint64_t received = 0;
    auto next = Next::open_again;
    while (next == Next::open_again) {
        auto subscriber = feed_ring::Subscriber<Tick>::open("ticks", options).value();
        next = Next::go_on;
        while (next == Next::go_on && received < count) {
            auto messages = subscriber.messages();
            for (const Tick &tick : messages) {
                std::cout << messages.current().number() << " time " << tick.time << " price " << tick.price << " size " << tick.size
                          << '\n';
                if (++received == count) {
                    break;
                }
            }
            if (received < count) {
                next = std::visit(Handled{}, messages.ended().event());
            }
            if (next == Next::wait) {
                // A publisher that comes back takes the ring over. A minute is enough for that.
                next = subscriber.wait_for_publisher(std::chrono::minutes(1)) ? Next::go_on : Next::end;
            }
        }
        const auto account = subscriber.account();
        std::cerr << "received " << account.received << ", lost " << account.lost << " of this ring's ticks\n";
    }
    return 0;
} catch (const std::exception &error) {
    std::cerr << "subscriber: " << error.what() << '\n';
    return 1;
}
