// Publishes a tick every 10 ms until Ctrl-C, or so many: publisher [DIRECTORY [COUNT]]
//
// c++ -std=c++20 publisher.cpp $(pkg-config --cflags --libs feed_ring) -o publisher
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>
#include <thread>

#include <feed_ring.hpp>

struct Tick {
    std::uint64_t time; // ns since 1970
    std::int64_t price; // 1e-9
    std::uint64_t size;
};
FEED_RING_FIELDS(Tick, time, price, size)

namespace {
volatile std::sig_atomic_t stop = 0;
} // namespace

int main(int argc, char **argv) try {
    std::signal(SIGINT, [](int) { stop = 1; });
    std::signal(SIGTERM, [](int) { stop = 1; });

    fr_create_options options{};
    options.root = argc > 1 ? argv[1] : nullptr;
    options.capacity = 4096;
    const std::uint64_t count = argc > 2 ? std::stoull(argv[2]) : std::numeric_limits<std::uint64_t>::max();

    // If an earlier publisher was killed, this takes its ring over and continues its numbers.
    auto publisher = feed_ring::Publisher<Tick>::create("ticks", options).value();
    const auto begun = publisher.state();
    std::cerr << "publishing to " << publisher.path() << " from sequence " << begun.published << ", epoch " << begun.epoch << '\n';

    std::int64_t price = 58'710'200'000'000;
    for (std::uint64_t published = 0; published < count && stop == 0; ++published) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto time = static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
        price += static_cast<std::int64_t>(time % 3) * 10'000'000 - 10'000'000;
        publisher.publish({time, price, 1 + time % 50});
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    std::cerr << "published up to sequence " << publisher.state().published << '\n';
    // Subscribers read what is there, then receive Closed.
    if (publisher.close() != FR_OK) {
        std::cerr << "publisher: " << fr_last_error() << '\n';
        return 1;
    }
    return 0;
} catch (const std::exception &error) {
    std::cerr << "publisher: " << error.what() << '\n';
    return 1;
}
