// What feed_ring.hpp adds to feed_ring.h: typed DIRECTORY
#include <array>
#include <cstring>
#include <iterator>
#include <ranges>
#include <thread>
#include <variant>
#include <vector>

#include <feed_ring.hpp>

#include "check.h"

namespace market {

enum class Side : std::uint8_t { bid = 'B', ask = 'A' };

struct Level {
    std::int64_t price;
    std::uint32_t size;
    float weight;
};
FEED_RING_FIELDS(Level, price, size, weight)

struct Quote {
    Level bid;
    std::array<Level, 2> further;
    char symbol[6];
    Side side;
    std::uint8_t reserved;
    double value;
};
FEED_RING_FIELDS(Quote, bid, further, symbol, side, reserved, value)

struct Other {
    Level bid;
    std::array<Level, 2> further;
    char symbol[6];
    Side side;
    std::uint8_t reserved;
    std::uint64_t value;
};
FEED_RING_FIELDS_AS(Other, "Quote", bid, further, symbol, side, reserved, value)

struct Undescribed {
    std::array<std::uint64_t, 8> words;
};
struct Short {
    std::uint32_t word;
};

} // namespace market

static_assert(std::input_iterator<feed_ring::Subscriber<market::Quote>::Messages::Iterator>);
static_assert(std::ranges::input_range<feed_ring::Subscriber<market::Quote>::Messages>);
static_assert(!std::is_copy_constructible_v<feed_ring::Publisher<market::Quote>>);
static_assert(std::is_nothrow_move_constructible_v<feed_ring::Subscriber<market::Quote>>);
static_assert(sizeof(market::Quote) == 64);

namespace {

using feed_ring::Publisher, feed_ring::Subscriber;
const char *directory;

fr_open_options oldest() {
    fr_open_options options{};
    options.root = directory;
    options.join = FR_JOIN_OLDEST;
    return options;
}

fr_create_options small() {
    fr_create_options options{};
    options.root = directory;
    options.capacity = 16;
    return options;
}

void schemas() {
    CHECK(feed_ring::schema_text<market::Quote>() == "Quote 64 8\nbid.price i64 0\nbid.size u32 8\nbid.weight f32 12\n"
                                                     "further [{price:i64@0,size:u32@8,weight:f32@12};2] 16\n"
                                                     "symbol [u8;6] 48\nside u8 54\nreserved u8 55\nvalue f64 56\n");
    CHECK(feed_ring::schema_text<std::uint32_t>() == "u32 4 4\nvalue u32 0\n");
    CHECK((feed_ring::schema_text<std::array<std::uint64_t, 7>>() == "array 56 8\nvalue [u64;7] 0\n"));
    CHECK(feed_ring::schema_text<feed_ring::Text<16>>() == "text 16 1\nvalue [u8;16] 0\n");
    CHECK(feed_ring::Text<4>::cut("BTCUSDT").view() == "BTCU" && feed_ring::Text<4>("ESH4").view() == "ESH4");
    bool thrown = false;
    try {
        (void)feed_ring::Text<4>("BTCUSDT");
    } catch (const feed_ring::Failure &failure) {
        thrown = failure.code() == FR_SIZE && std::string_view(failure.what()).find("at most 4 expected") != std::string_view::npos;
    }
    CHECK(thrown);
}

void messages() {
    auto created = Publisher<market::Quote>::create("quotes", small());
    CHECK(created);
    auto publisher = std::move(*created);
    const auto second = Publisher<market::Quote>::create("quotes", small());
    CHECK(!second && second.error().code == FR_ALREADY_PUBLISHED && second.error().text.find("stop it first") != std::string::npos);

    auto subscriber = Subscriber<market::Quote>::open("quotes", oldest()).value();
    CHECK(subscriber.schema().fields().size() == 8 && subscriber.schema().name() == "Quote");
    // The name, the size and the alignment are the same; a field is not.
    const auto other = Subscriber<market::Other>::open("quotes", oldest());
    CHECK(!other && other.error().code == FR_OTHER_MESSAGE && other.error().text.find("value f64 56") != std::string::npos);
    // Without a description only the size and the alignment are compared.
    CHECK(Subscriber<market::Undescribed>::open("quotes", oldest()));
    const auto shorter = Subscriber<market::Short>::open("quotes", oldest());
    CHECK(!shorter && shorter.error().text.find("64 bytes") != std::string::npos);
    bool thrown = false;
    try {
        (void)Subscriber<market::Quote>::open("nothing", oldest()).value();
    } catch (const feed_ring::Failure &failure) {
        thrown = failure.code() == FR_NOT_FOUND;
    }
    CHECK(thrown);

    market::Quote quote{{1, 2, 3}, {}, {'E', 'S', 'H', '4'}, market::Side::ask, 0, 0.5};
    CHECK(publisher.publish(quote) == 0);
    const auto received = subscriber.try_receive();
    CHECK(received && received->bid.price == 1 && (*received).side == market::Side::ask && received.number() == 0);
    CHECK(received.epoch() == 1);
    CHECK(std::holds_alternative<feed_ring::Empty>(subscriber.try_receive().event()));
    CHECK(subscriber.receive(std::chrono::milliseconds(1)).code() == FR_EMPTY);

    std::vector<market::Quote> many(5, quote);
    for (std::size_t index = 0; index < many.size(); ++index) {
        many[index].value = static_cast<double>(index);
    }
    CHECK(publisher.publish(many) == 1);
    // As a range, until there is nothing more.
    std::uint64_t number = 1;
    auto range = subscriber.messages(std::chrono::nanoseconds(0));
    for (const auto &message : range) {
        CHECK(range.current().number() == number && message.value == static_cast<double>(number - 1));
        ++number;
    }
    CHECK(number == 6 && range.ended().code() == FR_EMPTY);
    publisher.publish(many);
    std::array<market::Quote, 3> room;
    const auto batch = subscriber.receive_batch(room);
    CHECK(batch && batch.size() == 3 && batch.number() == 6 && batch.messages()[2].value == 2);
    CHECK(subscriber.latest().number() == 10);
    market::Quote into;
    CHECK(!subscriber.try_receive_into(into));

    for (int laps = 0; laps < 4; ++laps) {
        publisher.publish(many);
    }
    const auto event = subscriber.try_receive().event();
    CHECK(std::holds_alternative<feed_ring::Lagged>(event) && std::get<feed_ring::Lagged>(event).missed >= 5);
    const auto account = subscriber.account();
    CHECK(account.received + account.lost + account.skipped == account.sequence && account.skipped == 1);
    CHECK(publisher.subscribers() == 1 && publisher.state().published == 31 && subscriber.capacity() == 16);

    // A handle that was moved from is refused, and nothing crosses the border.
    auto moved = std::move(publisher);
    CHECK(publisher.path().empty() && publisher.schema().text().empty() && publisher.schema().name().empty()); // NOLINT
    thrown = false;
    try {
        publisher.publish(quote); // NOLINT: on purpose
    } catch (const feed_ring::Failure &failure) {
        thrown = failure.code() == FR_NULL;
    }
    CHECK(thrown);

    const auto interrupter = subscriber.interrupter();
    while (subscriber.try_receive()) {
    }
    std::thread other_thread([&interrupter] { interrupter.interrupt(); });
    CHECK(subscriber.receive().code() == FR_EMPTY);
    other_thread.join();
    auto notifier = subscriber.notifier().value();
    CHECK(notifier.fd() >= 0);
    notifier.arm(subscriber.get());
    notifier.clear();

    moved.leave();
    CHECK(std::holds_alternative<feed_ring::PublisherDead>(subscriber.receive().event()));
    {
        auto next = Publisher<market::Quote>::create("quotes", small()).value();
        CHECK(subscriber.wait_for_publisher() && subscriber.publisher_is_alive());
        const auto restarted = std::get<feed_ring::Restarted>(subscriber.receive().event());
        CHECK(restarted.epoch == 2 && restarted.sequence == 31);
    } // its end closes the ring
    CHECK(std::holds_alternative<feed_ring::Closed>(subscriber.receive().event()));
}

void records() {
    fr_records_format format{};
    format.encoding = "text";
    auto publisher = feed_ring::RecordPublisher::create("lines", format, small()).value();
    auto subscriber = feed_ring::RecordSubscriber::open("lines", oldest()).value();
    CHECK(std::string_view(subscriber.format().encoding) == "text");
    const std::string_view line = "a line";
    CHECK(publisher.publish(7, std::as_bytes(std::span(line))).value() == 0);
    CHECK(publisher.publish(8, {}).value() == 1);
    const std::vector<std::byte> longer(publisher.state().longest + 1);
    CHECK(publisher.publish(7, longer).error().code == FR_TOO_LONG);
    auto record = subscriber.receive();
    CHECK(record && record.kind() == 7 && record.bytes().size() == 6 && std::memcmp(record.bytes().data(), line.data(), 6) == 0);
    CHECK(subscriber.try_receive().bytes().empty() && subscriber.latest().code() == FR_EMPTY);
    CHECK(subscriber.account().received == 2 && publisher.close() == FR_OK);
}

void tables() {
    using Key = feed_ring::Text<8>;
    auto writer = feed_ring::TableWriter<Key, market::Quote>::create("board", small()).value();
    auto reader = feed_ring::TableReader<Key, market::Quote>::open("board", oldest()).value();
    CHECK(!(feed_ring::TableReader<std::uint64_t, market::Quote>::open("board", oldest())));
    std::size_t row = 0;
    CHECK(!reader.row("ESH4", row));
    const auto at = writer.row("ESH4").value();
    CHECK(reader.row("ESH4", row) && row == at && !reader.get(row));
    const market::Quote quote{{1, 2, 3}, {}, {}, market::Side::bid, 0, 0.25};
    CHECK(writer.store(at, quote) == 0);
    const auto stored = reader.get(row);
    CHECK(stored && stored->value == 0.25 && stored.number() == 0 && reader.key(row).view() == "ESH4");
    std::array<std::size_t, 4> room;
    CHECK(reader.changed(room).size() == 1 && reader.changed(room).empty() && reader.stores() == 1);
    CHECK(reader.wait(1, std::chrono::milliseconds(1)) == FR_EMPTY && writer.close() == FR_OK);

    fr_create_options options{};
    options.root = directory;
    auto cell = feed_ring::CellWriter<market::Quote>::create("cell", options).value();
    auto reading = feed_ring::CellReader<market::Quote>::open("cell", oldest()).value();
    CHECK(!reading.get() && cell.store(quote) == 0 && reading.get()->value == 0.25 && reading.stores() == 1);
}

} // namespace

int main(int argc, char **argv) {
    CHECK(argc == 2);
    directory = argv[1];
    schemas();
    messages();
    records();
    tables();
    std::puts("typed: every type did what it should");
    return 0;
}
