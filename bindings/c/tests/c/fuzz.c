/* Calls of every function in random order with random arguments that the header allows: NULL, wrong sizes, texts and numbers of any
 * kind, handles that ended: fuzz DIRECTORY CALLS SEED
 *
 * Nothing may crash, and no call may return what the header has no name for, FR_OTHER or FR_PANIC. */
#include "check.h"

static uint64_t state;

/* splitmix64 */
static uint64_t any(void)
{
    uint64_t word = state += UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

static uint64_t below(uint64_t most)
{
    return any() % most;
}

/* True once in so many times. */
static int once_in(uint64_t times)
{
    return below(times) == 0;
}

static uint64_t codes[128];
static const char *directory;
static char socket_path[4096];

static void returned(fr_code code)
{
    if (code < 0 || code > 127 || code == FR_OTHER || code == FR_PANIC || strcmp(fr_code_name((int32_t)code), "unknown") == 0) {
        fprintf(stderr, "fuzz: a call returned %d: %s\n", (int)code, fr_last_error());
        exit(1);
    }
    if (code > FR_EMPTY)
        CHECK(strlen(fr_last_error()) > 0);
    ++codes[code];
}

/* Handles, of which some are NULL. A handle that ended becomes NULL: to use it is undefined. */
#define HANDLES 3
static fr_schema *schemas[HANDLES];
static fr_publisher *publishers[HANDLES];
static fr_subscriber *subscribers[HANDLES];
static fr_notifier *notifiers[HANDLES];
static fr_interrupter *interrupters[HANDLES];
static fr_record_publisher *record_publishers[HANDLES];
static fr_record_subscriber *record_subscribers[HANDLES];
static fr_table_writer *table_writers[HANDLES];
static fr_table_reader *table_readers[HANDLES];
static fr_cell_writer *cell_writers[HANDLES];
static fr_cell_reader *cell_readers[HANDLES];

#define ONE_OF(handles) (handles)[one_of((void *const *)(handles))]
static size_t one_of(void *const *handles)
{
    const size_t first = below(HANDLES);
    for (size_t further = 0; further < HANDLES && !once_in(20); ++further)
        if (handles[(first + further) % HANDLES])
            return (first + further) % HANDLES;
    return first;
}

/* Where a new handle goes: a free place, or NULL. */
#define PLACE_IN(handles, place)                          \
    size_t place = below(HANDLES);                        \
    if ((handles)[place])                                 \
        break
/* Ends one of them, or NULL. */
#define END(handles, call)                                \
    do {                                                  \
        const size_t ended = below(HANDLES);              \
        if (!once_in(4))                                  \
            break;                                        \
        call((handles)[ended]);                           \
        (handles)[ended] = NULL;                          \
    } while (0)
#define END_CODE(handles, call)                           \
    do {                                                  \
        const size_t ended = below(HANDLES);              \
        if (!once_in(4))                                  \
            break;                                        \
        returned(call((handles)[ended]));                 \
        (handles)[ended] = NULL;                          \
    } while (0)

/* A length of at most what the buffer has, or none. */
static unsigned char buffer[4096];

static size_t length(void)
{
    static const size_t known[] = {0, 1, 8, 8, 8, 8, 16, 16, 16, 16, 24, 48, 56, 64, 240, 800, 800, 800, 4096};
    return once_in(10) ? below(sizeof buffer + 1) : known[below(sizeof known / sizeof *known)];
}

static unsigned char *memory(void)
{
    return once_in(20) ? NULL : buffer;
}

static uint64_t number(void)
{
    static const uint64_t known[] = {0, 1, 2, 3, 8, 16, 64, 100, 1024, UINT32_MAX, INT64_MAX, UINT64_MAX};
    return once_in(4) ? any() : known[below(sizeof known / sizeof *known)];
}

static uint64_t *number_out(void)
{
    static uint64_t out;
    return once_in(3) ? NULL : &out;
}

static size_t *size_out(void)
{
    static size_t out;
    return once_in(8) ? NULL : &out;
}

static fr_event *event_out(void)
{
    static fr_event out;
    return once_in(3) ? NULL : &out;
}

static uint64_t short_time(void)
{
    return below(3) * 1000;
}

static const char *text(void)
{
    static char garbage[40];
    static const char *const known[] = {"a", "b", "c", "", ".", "..", "a/b", "\xff\xfe", "u64", "[u8;8]", "text", "dbn",
                                        "a name with spaces", "Tick 16 8\ntime u64 0\nprice i64 8\n", "T 8 8\nx u64 0\n",
                                        "text 8 1\nvalue [u8;8] 0\n", "Book 800 8\nlevels [u64;100] 0\n", "[[[[[[[[", "T 0 0\n",
                                        "T 18446744073709551615 1\n", "T 8 8\nx [[u8;0];99999999999] 0\n"};
    switch (below(6)) {
    case 0: return NULL;
    case 1:
        for (size_t index = 0; index < sizeof garbage - 1; ++index)
            garbage[index] = (char)any();
        garbage[sizeof garbage - 1] = 0;
        return garbage;
    default: return known[below(sizeof known / sizeof *known)];
    }
}

/* Most of the time a name that a ring can have. */
static const char *name(void)
{
    static const char *const known[] = {"a", "b", "c"};
    return once_in(8) ? text() : known[below(3)];
}

static int32_t choice(void)
{
    return once_in(40) ? (int32_t)any() : (int32_t)below(2);
}

static const fr_open_options *open_options(void)
{
    static fr_open_options options;
    static const uint32_t uids[] = {0, 1, 4000000000};
    if (once_in(20))
        return NULL;
    memset(&options, 0, sizeof options);
    options.root = once_in(20) ? "/nowhere" : directory;
    if (once_in(10)) {
        options.connect = once_in(4) ? text() : socket_path;
        options.root = NULL;
    }
    options.open_timeout_ns = short_time();
    options.join = once_in(40) ? (int32_t)any() : (int32_t)below(3);
    options.join_sequence = number();
    options.wait = once_in(40) ? (int32_t)any() : (int32_t)below(3);
    options.map_writable = choice();
    options.no_hold_back = choice();
    if (once_in(4)) {
        options.trust_uids = uids;
        options.trust_uids_count = below(4);
    }
    if (once_in(100))
        options.trust_uids_count = SIZE_MAX;
    options.reserved[below(4)] = once_in(40) ? number() : 0;
    return &options;
}

static const fr_create_options *create_options(void)
{
    static fr_create_options options;
    static const uint32_t ids[] = {0, 1, 4000000000};
    static const uint64_t capacities[] = {0, 1, 2, 4, 16, 64, 100, 1024, UINT64_MAX};
    memset(&options, 0, sizeof options);
    options.root = directory;
    /* 1 is for cells, 16 for all others. */
    options.capacity = once_in(3) ? capacities[below(sizeof capacities / sizeof *capacities)] : once_in(2) ? 1 : 16;
    if (once_in(10)) {
        options.serve = once_in(4) ? text() : socket_path;
        /* Without a socket a ring of its own directory, or it would be in /dev/shm. */
        options.root = !options.serve || once_in(8) ? directory : NULL;
        options.max_clients = below(4);
    }
    options.slot_size = once_in(8) ? number() : 0;
    options.copies = once_in(8) ? below(6) : 0;
    if (once_in(10)) {
        options.allow_uids = ids;
        options.allow_uids_count = below(4);
        options.allow_gids = ids;
        options.allow_gids_count = below(4);
    }
    options.mode = once_in(10) ? (uint32_t)any() & 07777 : once_in(4) ? 0644 : 0;
    options.has_group = once_in(20);
    options.group = once_in(4) ? (uint32_t)number() : 0;
    options.has_numa_node = once_in(20);
    options.numa_node = once_in(4) ? 4000 : 0;
    options.keep = choice();
    options.fresh = choice();
    options.wake = once_in(40) ? (int32_t)any() : (int32_t)below(4);
    options.ahead = once_in(40) ? (int32_t)any() : (int32_t)below(3);
    options.reserved[below(4)] = once_in(40) ? number() : 0;
    return &options;
}

static const fr_records_format *records_format(void)
{
    static fr_record_kind kinds[3];
    static fr_records_format format;
    if (once_in(2))
        return NULL;
    for (size_t index = 0; index < 3; ++index) {
        kinds[index].schema = ONE_OF(schemas);
        kinds[index].kind = (int32_t)below(300);
    }
    format.encoding = once_in(2) ? text() : NULL;
    format.kinds = kinds;
    format.kinds_count = below(4);
    return &format;
}

/* The functions of the process, of schemas and of messages. */
static void call_messages(void)
{
    fr_publisher_state publisher_state;
    fr_account account;
    const fr_field *fields;
    switch (below(33)) {
    case 0: CHECK(fr_abi_version() == FR_ABI_VERSION && fr_version()); break;
    case 1: returned(fr_check_name(text())); break;
    case 2: CHECK(fr_code_name((int32_t)any())); break;
    case 3: returned(fr_pin_to_cpu(1000 + below(1000000))); break;
    case 4:
    case 5: {
        static const char *const good[] = {"Tick 16 8\ntime u64 0\nprice i64 8\n", "text 8 1\nvalue [u8;8] 0\n",
                                           "Book 800 8\nlevels [u64;100] 0\n"};
        PLACE_IN(schemas, place);
        returned(fr_schema_parse(once_in(2) ? text() : good[below(3)], once_in(10) ? NULL : &schemas[place]));
        break;
    }
    case 6: {
        PLACE_IN(schemas, place);
        fr_field made[3];
        size_t offset = 0;
        for (size_t index = 0; index < 3; ++index) {
            made[index] = (fr_field){index == 0 ? "x" : index == 1 ? "y" : text(), once_in(3) ? text() : NULL,
                                     (int32_t)below(14), once_in(8) ? (size_t)number() : offset, 8, once_in(3) ? (size_t)number() : 0};
            offset += 8;
        }
        returned(fr_schema_of(once_in(4) ? text() : "T", once_in(4) ? (size_t)number() : 16, once_in(4) ? (size_t)number() : 8,
                              once_in(10) ? NULL : made, once_in(20) ? SIZE_MAX : below(4), &schemas[place]));
        break;
    }
    case 7: returned(fr_schema_fields(ONE_OF(schemas), once_in(10) ? NULL : &fields, size_out())); break;
    case 8: {
        const fr_schema *schema = ONE_OF(schemas);
        CHECK(!schema == !fr_schema_text(schema) && !schema == !fr_schema_name(schema));
        (void)fr_schema_size(schema);
        (void)fr_schema_align(schema);
        break;
    }
    case 9: END(schemas, fr_schema_free); break;
    case 10:
    case 11: {
        PLACE_IN(publishers, place);
        returned(fr_publisher_create(name(), ONE_OF(schemas), create_options(), once_in(10) ? NULL : &publishers[place]));
        break;
    }
    case 12:
    case 13: returned(fr_publish(ONE_OF(publishers), memory(), length(), number_out())); break;
    case 14: returned(fr_publish_batch(ONE_OF(publishers), memory(), length(), number_out())); break;
    case 15: returned(fr_publisher_get_state(ONE_OF(publishers), once_in(10) ? NULL : &publisher_state)); break;
    case 16: returned(fr_publisher_subscribers(ONE_OF(publishers), size_out())); break;
    case 17:
        (void)fr_publisher_schema(ONE_OF(publishers));
        (void)fr_publisher_path(ONE_OF(publishers));
        break;
    case 18:
        if (once_in(2))
            END_CODE(publishers, fr_publisher_close);
        else
            END_CODE(publishers, fr_publisher_leave);
        break;
    case 19:
    case 20: {
        PLACE_IN(subscribers, place);
        returned(fr_subscriber_open(name(), once_in(3) ? ONE_OF(schemas) : NULL, open_options(),
                                    once_in(10) ? NULL : &subscribers[place]));
        break;
    }
    case 21: returned(fr_try_receive(ONE_OF(subscribers), memory(), length(), event_out())); break;
    case 22: returned(fr_receive(ONE_OF(subscribers), memory(), length(), short_time(), event_out())); break;
    case 23: returned(fr_receive_latest(ONE_OF(subscribers), memory(), length(), event_out())); break;
    case 24: returned(fr_receive_batch(ONE_OF(subscribers), memory(), length(), size_out(), event_out())); break;
    case 25: returned(fr_subscriber_account(ONE_OF(subscribers), once_in(10) ? NULL : &account)); break;
    case 26: {
        fr_subscriber *subscriber = ONE_OF(subscribers);
        (void)fr_subscriber_lag(subscriber);
        (void)fr_subscriber_capacity(subscriber);
        (void)fr_subscriber_schema(subscriber);
        (void)fr_subscriber_without_entry(subscriber);
        (void)fr_subscriber_publisher_is_alive(subscriber);
        break;
    }
    case 27: returned(fr_subscriber_wait_for_publisher(ONE_OF(subscribers), short_time())); break;
    case 28: END(subscribers, fr_subscriber_free); break;
    case 29: {
        PLACE_IN(interrupters, place);
        returned(fr_subscriber_interrupter(ONE_OF(subscribers), once_in(10) ? NULL : &interrupters[place]));
        break;
    }
    case 30: {
        PLACE_IN(notifiers, place);
        returned(fr_subscriber_notifier(ONE_OF(subscribers), once_in(10) ? NULL : &notifiers[place]));
        break;
    }
    case 31: returned(fr_notifier_arm(ONE_OF(notifiers), ONE_OF(subscribers))); break;
    default: returned(fr_notifier_arm_for_publisher(ONE_OF(notifiers), ONE_OF(subscribers)));
    }
}

/* The functions of records, and those of waiting. */
static void call_records(void)
{
    fr_publisher_state publisher_state;
    fr_account account;
    fr_record record;
    fr_records_format format;
    switch (below(23)) {
    case 0:
    case 1: {
        PLACE_IN(record_publishers, place);
        returned(fr_record_publisher_create(name(), records_format(), create_options(),
                                            once_in(10) ? NULL : &record_publishers[place]));
        break;
    }
    case 2:
    case 3:
        returned(fr_publish_record(ONE_OF(record_publishers), once_in(10) ? (int32_t)any() : (int32_t)below(256), memory(), length(),
                                   number_out()));
        break;
    case 4: returned(fr_record_publisher_get_state(ONE_OF(record_publishers), once_in(10) ? NULL : &publisher_state)); break;
    case 5: returned(fr_record_publisher_subscribers(ONE_OF(record_publishers), size_out())); break;
    case 6: (void)fr_record_publisher_path(ONE_OF(record_publishers)); break;
    case 7:
        if (once_in(2))
            END_CODE(record_publishers, fr_record_publisher_close);
        else
            END_CODE(record_publishers, fr_record_publisher_leave);
        break;
    case 8:
    case 9: {
        PLACE_IN(record_subscribers, place);
        returned(fr_record_subscriber_open(name(), records_format(), open_options(),
                                           once_in(10) ? NULL : &record_subscribers[place]));
        break;
    }
    case 10: returned(fr_try_receive_record(ONE_OF(record_subscribers), once_in(10) ? NULL : &record, event_out())); break;
    case 11: returned(fr_receive_record(ONE_OF(record_subscribers), short_time(), &record, event_out())); break;
    case 12: returned(fr_receive_latest_record(ONE_OF(record_subscribers), &record, event_out())); break;
    case 13: returned(fr_record_subscriber_account(ONE_OF(record_subscribers), once_in(10) ? NULL : &account)); break;
    case 14: returned(fr_record_subscriber_format(ONE_OF(record_subscribers), once_in(10) ? NULL : &format)); break;
    case 15: {
        fr_record_subscriber *subscriber = ONE_OF(record_subscribers);
        (void)fr_record_subscriber_lag(subscriber);
        (void)fr_record_subscriber_capacity(subscriber);
        (void)fr_record_subscriber_longest(subscriber);
        (void)fr_record_subscriber_publisher_is_alive(subscriber);
        break;
    }
    case 16: returned(fr_record_subscriber_wait_for_publisher(ONE_OF(record_subscribers), short_time())); break;
    case 17: END(record_subscribers, fr_record_subscriber_free); break;
    case 18: {
        PLACE_IN(interrupters, place);
        returned(fr_record_subscriber_interrupter(ONE_OF(record_subscribers), &interrupters[place]));
        break;
    }
    case 19: {
        PLACE_IN(notifiers, place);
        returned(fr_record_subscriber_notifier(ONE_OF(record_subscribers), &notifiers[place]));
        break;
    }
    case 20: returned(fr_notifier_arm_records(ONE_OF(notifiers), ONE_OF(record_subscribers))); break;
    case 21: returned(fr_notifier_arm_records_for_publisher(ONE_OF(notifiers), ONE_OF(record_subscribers))); break;
    default:
        (void)fr_notifier_fd(ONE_OF(notifiers));
        returned(fr_notifier_clear(ONE_OF(notifiers)));
        returned(fr_interrupt(ONE_OF(interrupters)));
        if (once_in(2))
            END(notifiers, fr_notifier_free);
        else
            END(interrupters, fr_interrupter_free);
    }
}

/* The functions of tables and cells. */
static void call_tables(void)
{
    fr_publisher_state writer_state;
    size_t rows[4];
    switch (below(28)) {
    case 0:
    case 1: {
        PLACE_IN(table_writers, place);
        returned(fr_table_writer_create(name(), ONE_OF(schemas), ONE_OF(schemas), create_options(),
                                        once_in(10) ? NULL : &table_writers[place]));
        break;
    }
    case 2:
        memset(buffer, (int)below(100), 8);
        returned(fr_table_writer_row(ONE_OF(table_writers), memory(), length(), size_out()));
        break;
    case 3: returned(fr_table_store(ONE_OF(table_writers), once_in(4) ? (size_t)number() : below(2), memory(), length(), number_out())); break;
    case 4: returned(fr_table_writer_get(ONE_OF(table_writers), once_in(4) ? (size_t)number() : below(2), memory(), length(), number_out())); break;
    case 5: returned(fr_table_writer_key(ONE_OF(table_writers), once_in(4) ? (size_t)number() : below(2), memory(), length())); break;
    case 6:
        (void)fr_table_writer_rows(ONE_OF(table_writers));
        (void)fr_table_writer_path(ONE_OF(table_writers));
        break;
    case 7: returned(fr_table_writer_get_state(ONE_OF(table_writers), once_in(10) ? NULL : &writer_state)); break;
    case 8: returned(fr_table_writer_readers(ONE_OF(table_writers), size_out())); break;
    case 9:
        if (once_in(2))
            END_CODE(table_writers, fr_table_writer_close);
        else
            END_CODE(table_writers, fr_table_writer_leave);
        break;
    case 10:
    case 11: {
        PLACE_IN(table_readers, place);
        returned(fr_table_reader_open(name(), once_in(4) ? ONE_OF(schemas) : NULL, NULL, open_options(),
                                      once_in(10) ? NULL : &table_readers[place]));
        break;
    }
    case 12: returned(fr_table_reader_row(ONE_OF(table_readers), memory(), length(), size_out())); break;
    case 13: returned(fr_table_get(ONE_OF(table_readers), once_in(4) ? (size_t)number() : below(2), memory(), length(), number_out())); break;
    case 14: returned(fr_table_reader_key(ONE_OF(table_readers), once_in(4) ? (size_t)number() : below(2), memory(), length())); break;
    case 15: returned(fr_table_changed(ONE_OF(table_readers), once_in(8) ? NULL : rows, below(5), size_out())); break;
    case 16: returned(fr_table_wait(ONE_OF(table_readers), number(), short_time())); break;
    case 17: {
        fr_table_reader *reader = ONE_OF(table_readers);
        (void)fr_table_reader_rows(reader);
        (void)fr_table_reader_capacity(reader);
        (void)fr_table_reader_stores(reader);
        (void)fr_table_reader_key_schema(reader);
        (void)fr_table_reader_value_schema(reader);
        (void)fr_table_reader_writer_is_alive(reader);
        break;
    }
    case 18: END(table_readers, fr_table_reader_free); break;
    case 19: {
        PLACE_IN(cell_writers, place);
        returned(fr_cell_writer_create(name(), ONE_OF(schemas), create_options(), once_in(10) ? NULL : &cell_writers[place]));
        break;
    }
    case 20: returned(fr_cell_store(ONE_OF(cell_writers), memory(), length(), number_out())); break;
    case 21: returned(fr_cell_writer_get(ONE_OF(cell_writers), memory(), length(), number_out())); break;
    case 22:
        returned(fr_cell_writer_get_state(ONE_OF(cell_writers), once_in(10) ? NULL : &writer_state));
        returned(fr_cell_writer_readers(ONE_OF(cell_writers), size_out()));
        (void)fr_cell_writer_path(ONE_OF(cell_writers));
        break;
    case 23:
        if (once_in(2))
            END_CODE(cell_writers, fr_cell_writer_close);
        else
            END_CODE(cell_writers, fr_cell_writer_leave);
        break;
    case 24: {
        PLACE_IN(cell_readers, place);
        returned(fr_cell_reader_open(name(), once_in(4) ? ONE_OF(schemas) : NULL, open_options(), &cell_readers[place]));
        break;
    }
    case 25: returned(fr_cell_get(ONE_OF(cell_readers), memory(), length(), number_out())); break;
    case 26: {
        fr_cell_reader *reader = ONE_OF(cell_readers);
        returned(fr_cell_wait(reader, number(), short_time()));
        (void)fr_cell_reader_stores(reader);
        (void)fr_cell_reader_schema(reader);
        (void)fr_cell_reader_writer_is_alive(reader);
        PLACE_IN(interrupters, place);
        if (once_in(2))
            returned(fr_cell_reader_interrupter(reader, &interrupters[place]));
        else
            returned(fr_table_reader_interrupter(ONE_OF(table_readers), &interrupters[place]));
        break;
    }
    default: END(cell_readers, fr_cell_reader_free);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    directory = argv[1];
    snprintf(socket_path, sizeof socket_path, "%s/fuzz.sock", directory);
    state = strtoull(argv[3], NULL, 0);
    const uint64_t calls = strtoull(argv[2], NULL, 0);
    printf("fuzz: %" PRIu64 " calls, seed %s\n", calls, argv[3]);
    fflush(stdout);
    for (uint64_t call = 0; call < calls; ++call) {
        switch (below(3)) {
        case 0: call_messages(); break;
        case 1: call_records(); break;
        default: call_tables();
        }
    }
    for (size_t place = 0; place < HANDLES; ++place) {
        fr_notifier_free(notifiers[place]);
        fr_interrupter_free(interrupters[place]);
        fr_subscriber_free(subscribers[place]);
        (void)fr_publisher_close(publishers[place]);
        fr_record_subscriber_free(record_subscribers[place]);
        (void)fr_record_publisher_close(record_publishers[place]);
        fr_table_reader_free(table_readers[place]);
        (void)fr_table_writer_close(table_writers[place]);
        fr_cell_reader_free(cell_readers[place]);
        (void)fr_cell_writer_close(cell_writers[place]);
        fr_schema_free(schemas[place]);
    }
    /* A run in which hardly anything succeeds has tested hardly anything. */
    for (int32_t code = 0; code < 128; ++code)
        if (codes[code])
            printf("fuzz: %" PRIu64 " of %s\n", codes[code], fr_code_name(code));
    CHECK(codes[FR_OK] > calls / 10);
    return 0;
}
