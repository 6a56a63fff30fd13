// feed_ring.hpp: feed-ring for C++20, over feed_ring.h. Header only; link with -lfeed_ring.
//
// ERRORS. Functions that make something return a Result: test it, and read *result or result.error(). Whoever prefers exceptions
// calls result.value(), which throws feed_ring::Failure. Nothing else throws it, but for a defect of the program: the use of a handle
// that was moved from or closed, a batch without room for a message, a row that no key has, a Text that is too long. Without
// exceptions (-fno-exceptions) these end the program.
//
// EVENTS. What a receive returns is true if there is a message. Otherwise event() is one of the structs below, for std::visit, and
// code() the same as a number, for switch.
//
// TYPES. A message is a trivially copyable struct without padding. FEED_RING_FIELDS describes it, in its own namespace:
//
//     struct Tick { std::uint64_t time; std::int64_t price; std::array<char, 8> symbol; };
//     FEED_RING_FIELDS(Tick, time, price, symbol)
//
// Then opening a ring compares names, types and offsets of all fields with the ring's schema. Without a description a Subscriber
// compares the size and the alignment only, and there is no Publisher.
//
// THREADS, TIMES and NUMBERS are as in feed_ring.h. Handles can be moved, not copied.
#ifndef FEED_RING_HPP
#define FEED_RING_HPP

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "feed_ring.h"

namespace feed_ring {

// Why something was not made: the code, and one line with what was found, what was expected and what helps.
struct Error {
    fr_code code;
    std::string text;
};

// What Result::value throws.
class Failure : public std::runtime_error {
  public:
    explicit Failure(const Error &error) : std::runtime_error(error.text), code_(error.code) {}
    fr_code code() const noexcept { return code_; }

  private:
    fr_code code_;
};

namespace detail {

inline Error last_error(fr_code code) { return Error{code, fr_last_error()}; }

// A text of C's. Empty for NULL, which is that of a handle that was moved from.
inline std::string_view view_of(const char *text) noexcept { return text ? std::string_view(text) : std::string_view(); }

[[noreturn]] inline void fail(const Error &error) {
#if defined(__cpp_exceptions)
    throw Failure(error);
#else
    std::fprintf(stderr, "feed_ring: %s\n", error.text.c_str());
    std::abort();
#endif
}

// For calls that cannot fail but by a defect of the program.
inline void must(fr_code code) {
    if (code != FR_OK) [[unlikely]] {
        fail(last_error(code));
    }
}

} // namespace detail

// A value, or why there is none.
template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const noexcept { return held_.index() == 0; }
    T &operator*() & { return std::get<0>(held_); }
    T &&operator*() && { return std::get<0>(std::move(held_)); }
    T *operator->() { return &std::get<0>(held_); }
    const Error &error() const { return std::get<1>(held_); }

    // The value. Throws Failure if there is none.
    T value() && {
        if (!*this) {
            detail::fail(error());
        }
        return std::get<0>(std::move(held_));
    }

  private:
    std::variant<T, Error> held_;
};

// ---- events ----------------------------------------------------------------------------------------------------------

struct Empty {};                                               // nothing yet, the timeout passed, or interrupted
struct Lagged { std::uint64_t missed; };                       // so many messages were lost
struct Restarted { std::uint64_t epoch, sequence; };           // a new publisher; its messages begin at sequence
struct RestartsUnknown { std::uint64_t until; };               // messages before `until` may be of several publishers
struct Closed {};                                              // the ring ended, and every message was read
struct PublisherDead {};                                       // the publisher is gone; another may take the ring over
struct Superseded {};                                          // another ring took the name: open it again
struct CutShort { std::string text; };                         // the file was cut short; pointless to call again
struct Corrupt { std::string text; };                          // the ring is damaged; pointless to call again

using Event = std::variant<Empty, Lagged, Restarted, RestartsUnknown, Closed, PublisherDead, Superseded, CutShort, Corrupt>;

// What a receive came to: true if there are messages.
class [[nodiscard]] Status {
  public:
    Status(fr_code code, const fr_event &numbers) : code_(code), numbers_(numbers) {
        if (code >= FR_NULL) [[unlikely]] {
            detail::fail(detail::last_error(code));
        }
    }

    explicit operator bool() const noexcept { return code_ == FR_OK; }
    fr_code code() const noexcept { return code_; }
    // The number of the message, or of the first of a batch.
    std::uint64_t number() const noexcept { return numbers_.sequence; }
    // The epoch of the message: 1 for a ring's first publisher, and one more for each that took it over.
    std::uint64_t epoch() const noexcept { return numbers_.epoch; }
    // The numbers as C has them.
    const fr_event &numbers() const noexcept { return numbers_; }

    // What happened instead of a message.
    Event event() const {
        switch (code_) {
        case FR_LAGGED: return Lagged{numbers_.missed};
        case FR_RESTARTED: return Restarted{numbers_.epoch, numbers_.sequence};
        case FR_RESTARTS_UNKNOWN: return RestartsUnknown{numbers_.sequence};
        case FR_CLOSED: return Closed{};
        case FR_PUBLISHER_DEAD: return PublisherDead{};
        case FR_SUPERSEDED: return Superseded{};
        case FR_CUT_SHORT: return CutShort{fr_last_error()};
        case FR_CORRUPT: return Corrupt{fr_last_error()};
        default: return Empty{};
        }
    }

  private:
    fr_code code_;
    fr_event numbers_;
};

// A message, or an event.
template <class T>
class [[nodiscard]] Received : public Status {
  public:
    Received(fr_code code, const fr_event &numbers, const T &message) : Status(code, numbers), message_(message) {}
    const T &operator*() const noexcept { return message_; }
    const T *operator->() const noexcept { return &message_; }

  private:
    T message_;
};

// The messages of a batch, in the caller's memory. Empty if there was an event.
template <class T>
class [[nodiscard]] Batch : public Status {
  public:
    Batch(fr_code code, const fr_event &numbers, std::span<T> messages) : Status(code, numbers), messages_(messages) {}
    std::span<T> messages() const noexcept { return messages_; }
    auto begin() const noexcept { return messages_.begin(); }
    auto end() const noexcept { return messages_.end(); }
    std::size_t size() const noexcept { return messages_.size(); }

  private:
    std::span<T> messages_;
};

// ---- schemas ---------------------------------------------------------------------------------------------------------

// A schema that belongs to a handle, and is valid as long as that is.
class SchemaView {
  public:
    explicit SchemaView(const fr_schema *schema) noexcept : schema_(schema) {}
    std::string_view text() const { return detail::view_of(fr_schema_text(schema_)); }
    std::string_view name() const { return detail::view_of(fr_schema_name(schema_)); }
    std::size_t size() const noexcept { return fr_schema_size(schema_); }
    std::size_t align() const noexcept { return fr_schema_align(schema_); }
    const fr_schema *get() const noexcept { return schema_; }

    // The fields. Empty if the ring's header describes none.
    std::span<const fr_field> fields() const noexcept {
        const fr_field *fields = nullptr;
        std::size_t count = 0;
        (void)fr_schema_fields(schema_, &fields, &count);
        return {fields, count};
    }

  private:
    const fr_schema *schema_;
};

namespace detail {

template <class T, class... Members>
struct Description {
    using Type = T;
    std::string_view name;
    std::tuple<Members...> members;
};

template <class M>
struct Member {
    using Type = M;
    std::string_view name;
    std::size_t offset;
};

template <class T, class... Members>
constexpr Description<T, Members...> describe(std::string_view name, Members... members) {
    return {name.substr(name.rfind(':') + 1), {members...}};
}

// FEED_RING_FIELDS declares feed_ring_describe in the namespace of T, where it is found by its argument.
template <class T>
concept Described = requires(const T *message) { feed_ring_describe(message); };

template <class T>
struct ArrayOf {
    static constexpr bool is = false;
};
template <class E, std::size_t N>
struct ArrayOf<E[N]> {
    static constexpr bool is = true;
    static constexpr std::size_t length = N;
    using Element = E;
};
template <class E, std::size_t N>
struct ArrayOf<std::array<E, N>> : ArrayOf<E[N]> {};

#if defined(__SIZEOF_INT128__)
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;
template <class T>
inline constexpr bool is_128 = std::is_same_v<T, Int128> || std::is_same_v<T, Uint128>;
template <class T>
inline constexpr bool is_signed_128 = std::is_same_v<T, Int128>;
#else
template <class T>
inline constexpr bool is_128 = false;
template <class T>
inline constexpr bool is_signed_128 = false;
#endif

template <class T>
concept Numeric = (std::is_arithmetic_v<T> || std::is_enum_v<T> || is_128<T>) && !std::is_same_v<T, bool> &&
                  !std::is_same_v<T, long double>;

// The name of a number in a schema. `char` is a byte of text.
template <Numeric T>
std::string number_name() {
    if constexpr (std::is_enum_v<T>) {
        return number_name<std::underlying_type_t<T>>();
    } else {
        const bool is_signed = (std::is_signed_v<T> && !std::is_same_v<T, char>) || is_signed_128<T>;
        return (std::is_floating_point_v<T> ? "f" : is_signed ? "i" : "u") + std::to_string(8 * sizeof(T));
    }
}

template <class T>
std::string type_name() {
    if constexpr (ArrayOf<T>::is) {
        return "[" + type_name<typename ArrayOf<T>::Element>() + ";" + std::to_string(ArrayOf<T>::length) + "]";
    } else if constexpr (Described<T>) {
        std::string text;
        const auto add = [&text](const auto &member) {
            using M = typename std::remove_cvref_t<decltype(member)>::Type;
            text += (text.empty() ? "{" : ",") + std::string(member.name) + ":" + type_name<M>() + "@" +
                    std::to_string(member.offset);
        };
        std::apply([&add](const auto &...member) { (add(member), ...); }, feed_ring_describe(static_cast<T *>(nullptr)).members);
        return text + "}";
    } else {
        static_assert(Numeric<T>, "feed_ring: a field is a number, an array of fields, or a struct with FEED_RING_FIELDS; "
                                  "write std::uint8_t for a bool, and no pointer");
        return number_name<T>();
    }
}

template <class T>
void add_fields(const std::string &prefix, std::size_t base, std::string &text) {
    const auto add = [&](const auto &member) {
        using M = typename std::remove_cvref_t<decltype(member)>::Type;
        if constexpr (Described<M>) {
            add_fields<M>(prefix + std::string(member.name) + ".", base + member.offset, text);
        } else {
            text += prefix + std::string(member.name) + " " + type_name<M>() + " " + std::to_string(base + member.offset) + "\n";
        }
    };
    std::apply([&add](const auto &...member) { (add(member), ...); }, feed_ring_describe(static_cast<T *>(nullptr)).members);
}

// Whether each byte belongs to a member, and the members are described in their order: of T, and of each struct within it.
template <class T>
constexpr bool is_whole() {
    if constexpr (ArrayOf<T>::is) {
        return is_whole<typename ArrayOf<T>::Element>();
    } else if constexpr (Described<T>) {
        constexpr auto description = feed_ring_describe(static_cast<T *>(nullptr));
        bool whole = true;
        std::size_t end = 0;
        const auto add = [&whole, &end](const auto &member) {
            using M = typename std::remove_cvref_t<decltype(member)>::Type;
            whole = whole && member.offset == end && is_whole<M>();
            end += sizeof(M);
        };
        std::apply([&add](const auto &...member) { (add(member), ...); }, description.members);
        return whole && end == sizeof(T);
    } else {
        return true;
    }
}

template <class T>
concept Plain = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T> && !std::is_pointer_v<T>;

template <class T>
concept HasSchema = Described<T> || Numeric<T> || ArrayOf<T>::is;

template <class T>
std::string described_text() {
    static_assert(Described<T>, "feed_ring: describe the message: FEED_RING_FIELDS(Type, member, ...)");
    static_assert(Plain<T>, "feed_ring: a message is a trivially copyable struct of standard layout");
    static_assert(is_whole<T>(), "feed_ring: the struct, or one within it, has padding, or FEED_RING_FIELDS has not every member once "
                                 "and in order: make the padding a member");
    const auto description = feed_ring_describe(static_cast<T *>(nullptr));
    std::string text = std::string(description.name) + " " + std::to_string(sizeof(T)) + " " + std::to_string(alignof(T)) + "\n";
    add_fields<T>("", 0, text);
    return text;
}

template <auto Free>
struct Freed {
    template <class H>
    void operator()(H *handle) const noexcept {
        (void)Free(handle);
    }
};
template <class H, auto Free>
using Handle = std::unique_ptr<H, Freed<Free>>;

using Schema = Handle<fr_schema, fr_schema_free>;

inline std::uint64_t ns(std::chrono::nanoseconds time) noexcept {
    return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count());
}

} // namespace detail

// Text of at most N bytes, and zeros behind it, as a key or a field: Text<N> of Rust. A longer one is refused with Failure: two keys
// could become one.
template <std::size_t N>
struct Text {
    std::array<char, N> value{};

    Text() = default;
    Text(const char *text) : Text(std::string_view(text)) {}
    Text(std::string_view text) {
        if (text.size() > N) {
            detail::fail(Error{FR_SIZE, std::string(text.substr(0, 64)) + ": " + std::to_string(text.size()) + " bytes, at most " +
                                            std::to_string(N) + " expected: shorten it (Text::cut), or make room for longer ones"});
        }
        text.copy(value.data(), N);
    }
    // The first N bytes of a text.
    static Text cut(std::string_view text) { return Text(text.substr(0, N)); }
    std::string_view view() const noexcept {
        const std::string_view all(value.data(), N);
        return all.substr(0, all.find('\0'));
    }
};
template <std::size_t N>
constexpr auto feed_ring_describe(const Text<N> *) {
    return detail::describe<Text<N>>("text", detail::Member<std::array<char, N>>{"value", 0});
}

// The schema of a described type, as a ring's header has it. Numbers and arrays need no description: they are messages of one
// field, as in Rust.
template <class T>
std::string schema_text() {
    if constexpr (detail::Numeric<T> || detail::ArrayOf<T>::is) {
        const std::string type = detail::type_name<T>(), name = detail::Numeric<T> ? type : "array";
        return name + " " + std::to_string(sizeof(T)) + " " + std::to_string(alignof(T)) + "\nvalue " + type + " 0\n";
    } else {
        return detail::described_text<T>();
    }
}

namespace detail {

// The schema of a described type; nothing for any other.
template <class T>
Schema schema_of() {
    fr_schema *schema = nullptr;
    if constexpr (HasSchema<T>) {
        must(fr_schema_parse(schema_text<T>().c_str(), &schema));
    }
    return Schema(schema);
}

} // namespace detail

#define FEED_RING_PARENS ()
#define FEED_RING_EXPAND(...) FEED_RING_EXPAND3(FEED_RING_EXPAND3(FEED_RING_EXPAND3(FEED_RING_EXPAND3(__VA_ARGS__))))
#define FEED_RING_EXPAND3(...) FEED_RING_EXPAND2(FEED_RING_EXPAND2(FEED_RING_EXPAND2(FEED_RING_EXPAND2(__VA_ARGS__))))
#define FEED_RING_EXPAND2(...) FEED_RING_EXPAND1(FEED_RING_EXPAND1(FEED_RING_EXPAND1(FEED_RING_EXPAND1(__VA_ARGS__))))
#define FEED_RING_EXPAND1(...) __VA_ARGS__
#define FEED_RING_MEMBER(Type, member)                                                                                             \
    ::feed_ring::detail::Member<decltype(Type::member)> { #member, offsetof(Type, member) }
#define FEED_RING_MEMBERS(Type, member, ...)                                                                                       \
    FEED_RING_MEMBER(Type, member) __VA_OPT__(, FEED_RING_MEMBERS_AGAIN FEED_RING_PARENS(Type, __VA_ARGS__))
#define FEED_RING_MEMBERS_AGAIN() FEED_RING_MEMBERS

// Describes a message, in the namespace of its type: all of its members, in their order (at most 60).
#define FEED_RING_FIELDS(Type, ...) FEED_RING_FIELDS_AS(Type, #Type, __VA_ARGS__)
// The same, where the name in the schema is another: that of the publisher's type.
#define FEED_RING_FIELDS_AS(Type, name, ...)                                                                                       \
    [[maybe_unused]] constexpr auto feed_ring_describe(const Type *) {                                                             \
        return ::feed_ring::detail::describe<Type>(name, FEED_RING_EXPAND(FEED_RING_MEMBERS(Type, __VA_ARGS__)));                  \
    }

// ---- waiting ---------------------------------------------------------------------------------------------------------

// A timeout that never passes.
inline constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();

// Ends a wait from another thread or from a signal handler.
class Interrupter {
  public:
    explicit Interrupter(fr_interrupter *raw) : raw_(raw) {}
    void interrupt() const noexcept { (void)fr_interrupt(raw_.get()); }
    const fr_interrupter *get() const noexcept { return raw_.get(); }

  private:
    detail::Handle<fr_interrupter, fr_interrupter_free> raw_;
};

// A file descriptor that becomes readable when there is something to receive. arm() it after Empty, clear() it when it is readable.
class Notifier {
  public:
    explicit Notifier(fr_notifier *raw) : raw_(raw) {}
    int fd() const noexcept { return fr_notifier_fd(raw_.get()); }
    void arm(const fr_subscriber *subscriber) const { detail::must(fr_notifier_arm(raw_.get(), subscriber)); }
    void arm(const fr_record_subscriber *subscriber) const { detail::must(fr_notifier_arm_records(raw_.get(), subscriber)); }
    void arm_for_publisher(const fr_subscriber *subscriber) const {
        detail::must(fr_notifier_arm_for_publisher(raw_.get(), subscriber));
    }
    void arm_for_publisher(const fr_record_subscriber *subscriber) const {
        detail::must(fr_notifier_arm_records_for_publisher(raw_.get(), subscriber));
    }
    void clear() const { detail::must(fr_notifier_clear(raw_.get())); }

  private:
    detail::Handle<fr_notifier, fr_notifier_free> raw_;
};

// ---- messages --------------------------------------------------------------------------------------------------------

// The one publisher of a ring. Its end closes the ring; leave() leaves it to the next one.
template <class T>
class Publisher {
  public:
    // Makes a ring of this name, or takes over the one that an ended publisher left.
    static Result<Publisher> create(const char *name, const fr_create_options &options = {}) {
        static_assert(detail::HasSchema<T>, "feed_ring: describe the message: FEED_RING_FIELDS(Type, member, ...)");
        fr_publisher *raw = nullptr;
        const auto schema = detail::schema_of<T>();
        const fr_code code = fr_publisher_create(name, schema.get(), &options, &raw);
        return code == FR_OK ? Result<Publisher>(Publisher(raw)) : Result<Publisher>(detail::last_error(code));
    }

    // Publishes a message and returns its number.
    std::uint64_t publish(const T &message) {
        std::uint64_t number;
        detail::must(fr_publish(raw_.get(), &message, sizeof(T), &number));
        return number;
    }

    // Publishes messages in order, and returns the number of the first.
    std::uint64_t publish(std::span<const T> messages) {
        std::uint64_t number;
        detail::must(fr_publish_batch(raw_.get(), messages.data(), messages.size_bytes(), &number));
        return number;
    }

    fr_publisher_state state() const {
        fr_publisher_state state;
        detail::must(fr_publisher_get_state(raw_.get(), &state));
        return state;
    }

    std::size_t subscribers() const {
        std::size_t count;
        detail::must(fr_publisher_subscribers(raw_.get(), &count));
        return count;
    }

    std::string_view path() const { return detail::view_of(fr_publisher_path(raw_.get())); }
    SchemaView schema() const noexcept { return SchemaView(fr_publisher_schema(raw_.get())); }
    fr_publisher *get() const noexcept { return raw_.get(); }

    // Ends the ring. FR_NOT_REMOVED if its files cannot be removed: fr_last_error has the text.
    fr_code close() { return fr_publisher_close(raw_.release()); }
    // Leaves the ring open for the next publisher.
    void leave() { (void)fr_publisher_leave(raw_.release()); }

  private:
    explicit Publisher(fr_publisher *raw) : raw_(raw) {}
    detail::Handle<fr_publisher, fr_publisher_close> raw_;
};

// What every subscriber and reader of `T` checks of the ring that it opened.
namespace detail {

template <class T>
Result<std::monostate> check(SchemaView found) {
    if (HasSchema<T> || (found.size() == sizeof(T) && found.align() <= alignof(T))) {
        return std::monostate{};
    }
    return Error{FR_OTHER_MESSAGE, "carries " + std::string(found.name()) + " (" + std::to_string(found.size()) + " bytes, align " +
                                       std::to_string(found.align()) + "), this program expects " + std::to_string(sizeof(T)) +
                                       " bytes, align " + std::to_string(alignof(T)) + ": rebuild the older side, or choose another ring"};
}

} // namespace detail

// One subscriber of a ring.
template <class T>
class Subscriber {
    static_assert(detail::Plain<T>, "feed_ring: a message is a trivially copyable struct of standard layout");

  public:
    // Opens the ring of this name and joins. The name is nullptr if the options say where to connect.
    static Result<Subscriber> open(const char *name, const fr_open_options &options = {}) {
        fr_subscriber *raw = nullptr;
        const auto schema = detail::schema_of<T>();
        const fr_code code = fr_subscriber_open(name, schema.get(), &options, &raw);
        if (code != FR_OK) {
            return detail::last_error(code);
        }
        Subscriber subscriber(raw);
        const auto checked = detail::check<T>(subscriber.schema());
        return checked ? Result<Subscriber>(std::move(subscriber)) : Result<Subscriber>(checked.error());
    }

    // Receives the next message, if there is one.
    Received<T> try_receive() {
        T message;
        fr_event event;
        const fr_code code = fr_try_receive(raw_.get(), &message, sizeof(T), &event);
        return {code, event, message};
    }

    // The same into an existing message.
    Status try_receive_into(T &message) {
        fr_event event;
        const fr_code code = fr_try_receive(raw_.get(), &message, sizeof(T), &event);
        return {code, event};
    }

    // Waits for the next message, for at most so long. Empty if the time passed or the wait was interrupted.
    Received<T> receive(std::chrono::nanoseconds timeout = forever) {
        T message;
        fr_event event;
        const fr_code code = fr_receive(raw_.get(), &message, sizeof(T), wait_of(timeout), &event);
        return {code, event, message};
    }

    // Receives the newest message, if it was not received yet.
    Received<T> latest() {
        T message;
        fr_event event;
        const fr_code code = fr_receive_latest(raw_.get(), &message, sizeof(T), &event);
        return {code, event, message};
    }

    // Receives as many messages as there are and have room. What ends a batch is returned by the next call.
    Batch<T> receive_batch(std::span<T> room) {
        std::size_t count = 0;
        fr_event event;
        const fr_code code = fr_receive_batch(raw_.get(), room.data(), room.size_bytes(), &count, &event);
        return {code, event, room.first(count)};
    }

    // The messages that come, as a range: it ends at the first event, which ended() then tells. It waits for each message for at most
    // `timeout`; 0 takes what is there.
    class Messages {
      public:
        class Iterator {
          public:
            using value_type = T;
            using difference_type = std::ptrdiff_t;
            using iterator_concept = std::input_iterator_tag;
            const T &operator*() const noexcept { return *messages_->last_; }
            Iterator &operator++() {
                messages_->next();
                return *this;
            }
            void operator++(int) { messages_->next(); }
            bool operator==(std::default_sentinel_t) const noexcept { return !messages_->last_; }

          private:
            friend class Messages;
            explicit Iterator(Messages *messages) : messages_(messages) {}
            Messages *messages_;
        };

        Iterator begin() {
            next();
            return Iterator(this);
        }
        std::default_sentinel_t end() const noexcept { return {}; }
        const Status &ended() const noexcept { return last_; }
        // Number and epoch of the message that the iterator stands at.
        const Status &current() const noexcept { return last_; }

      private:
        friend class Subscriber;
        Messages(Subscriber *subscriber, std::chrono::nanoseconds timeout)
            : subscriber_(subscriber), timeout_(timeout), last_(FR_EMPTY, fr_event{}, T{}) {}
        void next() { last_ = timeout_.count() == 0 ? subscriber_->try_receive() : subscriber_->receive(timeout_); }
        Subscriber *subscriber_;
        std::chrono::nanoseconds timeout_;
        Received<T> last_;
    };
    Messages messages(std::chrono::nanoseconds timeout = forever) { return Messages(this, timeout); }

    // Waits until a publisher takes the ring over, after PublisherDead. False if the time passed or the wait was interrupted.
    bool wait_for_publisher(std::chrono::nanoseconds timeout = forever) {
        return fr_subscriber_wait_for_publisher(raw_.get(), wait_of(timeout)) == FR_OK;
    }
    bool publisher_is_alive() const noexcept { return fr_subscriber_publisher_is_alive(raw_.get()) != 0; }

    fr_account account() const {
        fr_account account;
        detail::must(fr_subscriber_account(raw_.get(), &account));
        return account;
    }
    std::uint64_t lag() const noexcept { return fr_subscriber_lag(raw_.get()); }
    std::uint64_t capacity() const noexcept { return fr_subscriber_capacity(raw_.get()); }
    SchemaView schema() const noexcept { return SchemaView(fr_subscriber_schema(raw_.get())); }
    fr_subscriber *get() const noexcept { return raw_.get(); }

    Interrupter interrupter() const {
        fr_interrupter *interrupter = nullptr;
        detail::must(fr_subscriber_interrupter(raw_.get(), &interrupter));
        return Interrupter(interrupter);
    }
    Result<Notifier> notifier() const {
        fr_notifier *notifier = nullptr;
        const fr_code code = fr_subscriber_notifier(raw_.get(), &notifier);
        return code == FR_OK ? Result<Notifier>(Notifier(notifier)) : Result<Notifier>(detail::last_error(code));
    }

  private:
    explicit Subscriber(fr_subscriber *raw) : raw_(raw) {}
    static std::uint64_t wait_of(std::chrono::nanoseconds timeout) noexcept {
        return timeout == forever ? FR_FOREVER : detail::ns(timeout);
    }
    detail::Handle<fr_subscriber, fr_subscriber_free> raw_;
};

// ---- records ---------------------------------------------------------------------------------------------------------

// The one publisher of a ring of records: messages of any length, each with a kind from 0 to 255.
class RecordPublisher {
  public:
    static Result<RecordPublisher> create(const char *name, const fr_records_format &format = {}, const fr_create_options &options = {}) {
        fr_record_publisher *raw = nullptr;
        const fr_code code = fr_record_publisher_create(name, &format, &options, &raw);
        return code == FR_OK ? Result<RecordPublisher>(RecordPublisher(raw)) : Result<RecordPublisher>(detail::last_error(code));
    }

    // Publishes a record and returns its number. FR_TOO_LONG if it is longer than the ring takes: state().longest.
    Result<std::uint64_t> publish(std::uint8_t kind, std::span<const std::byte> bytes) {
        std::uint64_t number;
        const fr_code code = fr_publish_record(raw_.get(), kind, bytes.data(), bytes.size(), &number);
        return code == FR_OK ? Result<std::uint64_t>(number) : Result<std::uint64_t>(detail::last_error(code));
    }

    fr_publisher_state state() const {
        fr_publisher_state state;
        detail::must(fr_record_publisher_get_state(raw_.get(), &state));
        return state;
    }
    fr_record_publisher *get() const noexcept { return raw_.get(); }
    fr_code close() { return fr_record_publisher_close(raw_.release()); }
    void leave() { (void)fr_record_publisher_leave(raw_.release()); }

  private:
    explicit RecordPublisher(fr_record_publisher *raw) : raw_(raw) {}
    detail::Handle<fr_record_publisher, fr_record_publisher_close> raw_;
};

// A record, whose bytes are valid until the subscriber's next receive; or an event.
class [[nodiscard]] ReceivedRecord : public Status {
  public:
    ReceivedRecord(fr_code code, const fr_event &numbers, const fr_record &record) : Status(code, numbers), record_(record) {}
    std::uint8_t kind() const noexcept { return static_cast<std::uint8_t>(record_.kind); }
    std::span<const std::byte> bytes() const noexcept {
        return {reinterpret_cast<const std::byte *>(record_.bytes), record_.size};
    }

  private:
    fr_record record_;
};

// One subscriber of a ring of records.
class RecordSubscriber {
  public:
    static Result<RecordSubscriber> open(const char *name, const fr_open_options &options = {}) {
        fr_record_subscriber *raw = nullptr;
        const fr_code code = fr_record_subscriber_open(name, nullptr, &options, &raw);
        return code == FR_OK ? Result<RecordSubscriber>(RecordSubscriber(raw)) : Result<RecordSubscriber>(detail::last_error(code));
    }

    ReceivedRecord try_receive() {
        fr_record record;
        fr_event event;
        const fr_code code = fr_try_receive_record(raw_.get(), &record, &event);
        return {code, event, record};
    }
    ReceivedRecord receive(std::chrono::nanoseconds timeout = forever) {
        fr_record record;
        fr_event event;
        const std::uint64_t wait = timeout == forever ? FR_FOREVER : detail::ns(timeout);
        const fr_code code = fr_receive_record(raw_.get(), wait, &record, &event);
        return {code, event, record};
    }
    ReceivedRecord latest() {
        fr_record record;
        fr_event event;
        const fr_code code = fr_receive_latest_record(raw_.get(), &record, &event);
        return {code, event, record};
    }

    fr_records_format format() const {
        fr_records_format format;
        detail::must(fr_record_subscriber_format(raw_.get(), &format));
        return format;
    }
    fr_account account() const {
        fr_account account;
        detail::must(fr_record_subscriber_account(raw_.get(), &account));
        return account;
    }
    fr_record_subscriber *get() const noexcept { return raw_.get(); }

  private:
    explicit RecordSubscriber(fr_record_subscriber *raw) : raw_(raw) {}
    detail::Handle<fr_record_subscriber, fr_record_subscriber_free> raw_;
};

// ---- tables and cells ------------------------------------------------------------------------------------------------

// A value, and the number of the store that it came with; false if nothing was stored yet (or, rarely, FR_OVERTAKEN, FR_CUT_SHORT).
template <class T>
class [[nodiscard]] Stored {
  public:
    Stored(fr_code code, std::uint64_t number, const T &value) : code_(code), number_(number), value_(value) {}
    explicit operator bool() const noexcept { return code_ == FR_OK; }
    const T &operator*() const noexcept { return value_; }
    const T *operator->() const noexcept { return &value_; }
    std::uint64_t number() const noexcept { return number_; }
    fr_code code() const noexcept { return code_; }

  private:
    fr_code code_;
    std::uint64_t number_;
    T value_;
};

// The one writer of a table: the last value of each key.
template <class K, class V>
class TableWriter {
  public:
    static Result<TableWriter> create(const char *name, const fr_create_options &options = {}) {
        fr_table_writer *raw = nullptr;
        const auto key = detail::schema_of<K>(), value = detail::schema_of<V>();
        const fr_code code = fr_table_writer_create(name, key.get(), value.get(), &options, &raw);
        return code == FR_OK ? Result<TableWriter>(TableWriter(raw)) : Result<TableWriter>(detail::last_error(code));
    }

    // The row of a key, which is added if it is new. FR_FULL if there is no row left.
    Result<std::size_t> row(const K &key) {
        std::size_t row;
        const fr_code code = fr_table_writer_row(raw_.get(), &key, sizeof(K), &row);
        return code == FR_OK ? Result<std::size_t>(row) : Result<std::size_t>(detail::last_error(code));
    }
    // Stores a value into a row and returns the number of the store.
    std::uint64_t store(std::size_t row, const V &value) {
        std::uint64_t number;
        detail::must(fr_table_store(raw_.get(), row, &value, sizeof(V), &number));
        return number;
    }
    std::size_t rows() const noexcept { return fr_table_writer_rows(raw_.get()); }
    fr_table_writer *get() const noexcept { return raw_.get(); }
    fr_code close() { return fr_table_writer_close(raw_.release()); }
    void leave() { (void)fr_table_writer_leave(raw_.release()); }

  private:
    explicit TableWriter(fr_table_writer *raw) : raw_(raw) {}
    detail::Handle<fr_table_writer, fr_table_writer_close> raw_;
};

// One reader of a table.
template <class K, class V>
class TableReader {
  public:
    static Result<TableReader> open(const char *name, const fr_open_options &options = {}) {
        fr_table_reader *raw = nullptr;
        const auto key = detail::schema_of<K>(), value = detail::schema_of<V>();
        const fr_code code = fr_table_reader_open(name, key.get(), value.get(), &options, &raw);
        if (code != FR_OK) {
            return detail::last_error(code);
        }
        TableReader reader(raw);
        for (const auto &checked : {detail::check<K>(SchemaView(fr_table_reader_key_schema(raw))),
                                    detail::check<V>(SchemaView(fr_table_reader_value_schema(raw)))}) {
            if (!checked) {
                return checked.error();
            }
        }
        return reader;
    }

    // Whether there is a row of this key; it goes into `row`.
    bool row(const K &key, std::size_t &row) {
        const fr_code code = fr_table_reader_row(raw_.get(), &key, sizeof(K), &row);
        return code == FR_EMPTY ? false : (detail::must(code), true);
    }
    // The newest value of a row.
    Stored<V> get(std::size_t row) {
        V value;
        std::uint64_t number = 0;
        const fr_code code = fr_table_get(raw_.get(), row, &value, sizeof(V), &number);
        return {code, number, value};
    }
    K key(std::size_t row) const {
        K key;
        detail::must(fr_table_reader_key(raw_.get(), row, &key, sizeof(K)));
        return key;
    }
    std::size_t rows() const noexcept { return fr_table_reader_rows(raw_.get()); }
    std::uint64_t stores() const noexcept { return fr_table_reader_stores(raw_.get()); }
    // Rows that were stored into since the last call, as many as there is room for: call it again while it fills the room.
    std::span<std::size_t> changed(std::span<std::size_t> room) {
        std::size_t count = 0;
        detail::must(fr_table_changed(raw_.get(), room.data(), room.size(), &count));
        return room.first(count);
    }
    // FR_OK once there is another store than `since`: see fr_table_wait.
    fr_code wait(std::uint64_t since, std::chrono::nanoseconds timeout = forever) {
        return fr_table_wait(raw_.get(), since, timeout == forever ? FR_FOREVER : detail::ns(timeout));
    }
    fr_table_reader *get() const noexcept { return raw_.get(); }

  private:
    explicit TableReader(fr_table_reader *raw) : raw_(raw) {}
    detail::Handle<fr_table_reader, fr_table_reader_free> raw_;
};

// The one writer of a cell: one value of any size.
template <class T>
class CellWriter {
  public:
    static Result<CellWriter> create(const char *name, const fr_create_options &options = {}) {
        fr_cell_writer *raw = nullptr;
        const auto schema = detail::schema_of<T>();
        const fr_code code = fr_cell_writer_create(name, schema.get(), &options, &raw);
        return code == FR_OK ? Result<CellWriter>(CellWriter(raw)) : Result<CellWriter>(detail::last_error(code));
    }
    std::uint64_t store(const T &value) {
        std::uint64_t number;
        detail::must(fr_cell_store(raw_.get(), &value, sizeof(T), &number));
        return number;
    }
    fr_cell_writer *get() const noexcept { return raw_.get(); }
    fr_code close() { return fr_cell_writer_close(raw_.release()); }
    void leave() { (void)fr_cell_writer_leave(raw_.release()); }

  private:
    explicit CellWriter(fr_cell_writer *raw) : raw_(raw) {}
    detail::Handle<fr_cell_writer, fr_cell_writer_close> raw_;
};

// One reader of a cell.
template <class T>
class CellReader {
  public:
    static Result<CellReader> open(const char *name, const fr_open_options &options = {}) {
        fr_cell_reader *raw = nullptr;
        const auto schema = detail::schema_of<T>();
        const fr_code code = fr_cell_reader_open(name, schema.get(), &options, &raw);
        if (code != FR_OK) {
            return detail::last_error(code);
        }
        CellReader reader(raw);
        const auto checked = detail::check<T>(SchemaView(fr_cell_reader_schema(raw)));
        return checked ? Result<CellReader>(std::move(reader)) : Result<CellReader>(checked.error());
    }
    Stored<T> get() {
        T value;
        std::uint64_t number = 0;
        const fr_code code = fr_cell_get(raw_.get(), &value, sizeof(T), &number);
        return {code, number, value};
    }
    std::uint64_t stores() const noexcept { return fr_cell_reader_stores(raw_.get()); }
    fr_code wait(std::uint64_t since, std::chrono::nanoseconds timeout = forever) {
        return fr_cell_wait(raw_.get(), since, timeout == forever ? FR_FOREVER : detail::ns(timeout));
    }
    fr_cell_reader *raw() const noexcept { return raw_.get(); }

  private:
    explicit CellReader(fr_cell_reader *raw) : raw_(raw) {}
    detail::Handle<fr_cell_reader, fr_cell_reader_free> raw_;
};

} // namespace feed_ring

#endif
