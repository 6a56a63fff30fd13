/* Every function of feed_ring.h, with what it returns: api DIRECTORY */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "check.h"

struct tick {
    uint64_t time;
    int64_t price;
    char symbol[8];
};

static const fr_field FIELDS[] = {
    FR_FIELD(struct tick, time),
    FR_FIELD(struct tick, price),
    FR_ARRAY(struct tick, symbol),
};

static const char *directory;

static fr_schema *tick_schema(void)
{
    fr_schema *schema;
    CHECK_CODE(fr_schema_of("Tick", sizeof(struct tick), _Alignof(struct tick), FIELDS, 3, &schema), FR_OK);
    return schema;
}

static fr_publisher *publish(const char *name, uint64_t capacity)
{
    fr_create_options options = {0};
    options.root = directory;
    options.capacity = capacity;
    fr_schema *schema = tick_schema();
    fr_publisher *publisher;
    CHECK_CODE(fr_publisher_create(name, schema, &options, &publisher), FR_OK);
    fr_schema_free(schema);
    return publisher;
}

static fr_subscriber *subscribe(const char *name)
{
    fr_open_options options = {0};
    options.root = directory;
    options.join = FR_JOIN_OLDEST;
    fr_subscriber *subscriber;
    CHECK_CODE(fr_subscriber_open(name, NULL, &options, &subscriber), FR_OK);
    return subscriber;
}

static struct tick tick(uint64_t number)
{
    struct tick tick = {number, -(int64_t)number, "ESH4"};
    return tick;
}

static void versions_and_names(void)
{
    CHECK(fr_abi_version() == FR_ABI_VERSION);
    CHECK(strcmp(fr_version(), "0.1.0") == 0);
    CHECK(strcmp(fr_last_error(), "") == 0);
    CHECK(strcmp(fr_code_name(FR_LAGGED), "FR_LAGGED") == 0);
    CHECK(strcmp(fr_code_name(12345), "unknown") == 0);
    CHECK_CODE(fr_check_name("quotes-2"), FR_OK);
    CHECK_CODE(fr_check_name("../quotes"), FR_NAME);
    CHECK(strstr(fr_last_error(), "starts with '.'"));
    CHECK_CODE(fr_check_name("\xff"), FR_ARGUMENT);
    CHECK_CODE(fr_check_name(NULL), FR_NULL);
    CHECK(strstr(fr_last_error(), "name is NULL"));
    CHECK_CODE(fr_guard_install(), FR_OK);
    CHECK_CODE(fr_pin_to_cpu(100000), FR_PLACEMENT);
}

static void schemas(void)
{
    fr_schema *schema = tick_schema();
    CHECK(strcmp(fr_schema_text(schema), "Tick 24 8\ntime u64 0\nprice i64 8\nsymbol [u8;8] 16\n") == 0);
    CHECK(strcmp(fr_schema_name(schema), "Tick") == 0);
    CHECK(fr_schema_size(schema) == 24 && fr_schema_align(schema) == 8);
    const fr_field *fields;
    size_t count;
    CHECK_CODE(fr_schema_fields(schema, &fields, &count), FR_OK);
    CHECK(count == 3);
    CHECK(strcmp(fields[2].name, "symbol") == 0 && strcmp(fields[2].type_text, "[u8;8]") == 0);
    CHECK(fields[1].type == FR_I64 && fields[1].offset == 8 && fields[1].size == 8 && fields[1].count == 0);
    CHECK(fields[2].type == FR_U8 && fields[2].offset == 16 && fields[2].size == 8 && fields[2].count == 8);
    fr_schema_free(schema);

    CHECK_CODE(fr_schema_parse("Book 48 8\nlevels [{price:i64@0,size:u64@8};3] 0\n", &schema), FR_OK);
    CHECK_CODE(fr_schema_fields(schema, &fields, &count), FR_OK);
    CHECK(count == 1 && fields[0].type == FR_TYPE_OTHER && fields[0].count == 3 && fields[0].size == 48);
    CHECK(strcmp(fields[0].type_text, "[{price:i64@0,size:u64@8};3]") == 0);
    /* Fields that were read make the same schema. */
    fr_schema *again;
    CHECK_CODE(fr_schema_of("Book", 48, 8, fields, count, &again), FR_OK);
    CHECK(strcmp(fr_schema_text(again), fr_schema_text(schema)) == 0);
    fr_schema_free(again);
    fr_schema_free(schema);

    CHECK_CODE(fr_schema_parse("nonsense", &schema), FR_SCHEMA);
    CHECK(!schema);
    CHECK_CODE(fr_schema_parse(NULL, &schema), FR_NULL);
    CHECK_CODE(fr_schema_parse("Tick 8 8\ntime u64 0\n", NULL), FR_NULL);
    const fr_field padded[] = {{"a", NULL, FR_U8, 0, 1, 0}, {"b", NULL, FR_U64, 8, 8, 0}};
    CHECK_CODE(fr_schema_of("Padded", 16, 8, padded, 2, &schema), FR_SCHEMA);
    CHECK(strstr(fr_last_error(), "7 bytes before b are padding"));
    const fr_field within = {"legs", "[{a:u8@0,b:u64@8};2]", FR_TYPE_OTHER, 0, 32, 2};
    CHECK_CODE(fr_schema_of("Padded", 32, 8, &within, 1, &schema), FR_SCHEMA);
    CHECK(strstr(fr_last_error(), "Padded.legs: 7 bytes before b are padding"));
    CHECK_CODE(fr_schema_of("Padded", 24, 8, padded + 1, 1, &schema), FR_SCHEMA);
    const fr_field wrong = {"a b", NULL, FR_U8, 0, 1, 0}, unknown = {"a", NULL, 99, 0, 1, 0};
    CHECK_CODE(fr_schema_of("T", 1, 1, &wrong, 1, &schema), FR_ARGUMENT);
    CHECK_CODE(fr_schema_of("T", 1, 1, &unknown, 1, &schema), FR_ARGUMENT);
    CHECK_CODE(fr_schema_of("T", 1, 1, NULL, 1, &schema), FR_NULL);
    CHECK_CODE(fr_schema_of("T", 1, 1, &wrong, SIZE_MAX, &schema), FR_SIZE);
    CHECK(!fr_schema_text(NULL) && !fr_schema_name(NULL) && fr_schema_size(NULL) == 0);
    CHECK_CODE(fr_schema_fields(NULL, &fields, &count), FR_NULL);
    CHECK(!fields && count == 0);
    fr_schema_free(NULL);
}

static void messages(void)
{
    fr_publisher *publisher = publish("messages", 8), *second;
    fr_subscriber *subscriber = subscribe("messages");
    fr_schema *schema = tick_schema();
    fr_create_options options = {0};
    options.root = directory;
    options.capacity = 8;
    CHECK_CODE(fr_publisher_create("messages", schema, &options, &second), FR_ALREADY_PUBLISHED);
    CHECK(!second);
    fr_schema_free(schema);

    uint64_t number = 99;
    struct tick sent = tick(0), found;
    fr_event event;
    CHECK_CODE(fr_try_receive(subscriber, &found, sizeof found, &event), FR_EMPTY);
    CHECK_CODE(fr_publish(publisher, &sent, sizeof sent, &number), FR_OK);
    CHECK(number == 0);
    CHECK_CODE(fr_publish(publisher, &sent, sizeof sent - 1, &number), FR_SIZE);
    CHECK(strstr(fr_last_error(), "message: 23 bytes, 24 expected"));
    CHECK_CODE(fr_publish(publisher, NULL, sizeof sent, &number), FR_NULL);
    CHECK_CODE(fr_publish(NULL, &sent, sizeof sent, &number), FR_NULL);
    CHECK_CODE(fr_try_receive(subscriber, &found, 1, &event), FR_SIZE);
    CHECK_CODE(fr_try_receive(subscriber, NULL, sizeof found, &event), FR_NULL);
    CHECK_CODE(fr_try_receive(NULL, &found, sizeof found, &event), FR_NULL);
    CHECK_CODE(fr_try_receive(subscriber, &found, sizeof found, NULL), FR_OK);
    CHECK(memcmp(&found, &sent, sizeof sent) == 0);
    CHECK_CODE(fr_try_receive(subscriber, &found, sizeof found, NULL), FR_EMPTY);

    struct tick many[6], room[4];
    for (size_t index = 0; index < 6; ++index)
        many[index] = tick(1 + index);
    CHECK_CODE(fr_publish_batch(publisher, many, sizeof many, &number), FR_OK);
    CHECK(number == 1);
    CHECK_CODE(fr_publish_batch(publisher, many, sizeof many - 1, &number), FR_SIZE);
    CHECK(fr_subscriber_lag(subscriber) == 6 && fr_subscriber_capacity(subscriber) == 8);
    size_t count = 77;
    CHECK_CODE(fr_receive_batch(subscriber, room, sizeof room, &count, &event), FR_OK);
    CHECK(count == 4 && event.sequence == 1 && event.epoch == 1 && memcmp(room, many, sizeof room) == 0);
    CHECK_CODE(fr_receive_batch(subscriber, room, sizeof room, &count, &event), FR_OK);
    CHECK(count == 2 && event.sequence == 5 && memcmp(room, many + 4, 2 * sizeof *room) == 0);
    CHECK_CODE(fr_receive_batch(subscriber, room, sizeof room, &count, &event), FR_EMPTY);
    CHECK(count == 0 && event.sequence == 7);
    CHECK_CODE(fr_receive_batch(subscriber, room, 0, &count, &event), FR_SIZE);
    CHECK_CODE(fr_receive_batch(subscriber, room, sizeof room, NULL, &event), FR_NULL);

    CHECK_CODE(fr_publish_batch(publisher, many, sizeof many, NULL), FR_OK);
    CHECK_CODE(fr_publish_batch(publisher, many, sizeof many, NULL), FR_OK); /* a lap of 8 */
    CHECK_CODE(fr_try_receive(subscriber, &found, sizeof found, &event), FR_LAGGED);
    CHECK(event.missed >= 5 && event.sequence == 7 + event.missed && strstr(fr_last_error(), "messages lost"));
    CHECK_CODE(fr_receive_latest(subscriber, &found, sizeof found, &event), FR_OK);
    CHECK(event.sequence == 18 && found.time == 6);
    fr_account account;
    CHECK_CODE(fr_subscriber_account(subscriber, &account), FR_OK);
    CHECK(account.first == 0 && account.received == 8 && account.sequence == 19 && account.epoch == 1);
    CHECK(account.received + account.lost + account.skipped == 19);
    CHECK_CODE(fr_subscriber_account(subscriber, NULL), FR_NULL);

    fr_publisher_state state;
    CHECK_CODE(fr_publisher_get_state(publisher, &state), FR_OK);
    CHECK(state.published == 19 && state.epoch == 1 && state.capacity == 8 && state.longest == 24 && !state.is_cut_off);
    CHECK_CODE(fr_publisher_subscribers(publisher, &count), FR_OK);
    CHECK(count == 1 && !fr_subscriber_without_entry(subscriber));
    CHECK(strstr(fr_publisher_path(publisher), "messages.ring"));
    CHECK(strcmp(fr_schema_name(fr_publisher_schema(publisher)), "Tick") == 0);
    CHECK(strcmp(fr_schema_text(fr_subscriber_schema(subscriber)), fr_schema_text(fr_publisher_schema(publisher))) == 0);

    CHECK(fr_subscriber_publisher_is_alive(subscriber) == 1);
    CHECK_CODE(fr_publisher_close(publisher), FR_OK);
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, FR_FOREVER, &event), FR_CLOSED);
    CHECK(fr_subscriber_publisher_is_alive(subscriber) == 0);
    CHECK_CODE(fr_subscriber_wait_for_publisher(subscriber, 1000), FR_EMPTY);
    fr_subscriber_free(subscriber);
    CHECK_CODE(fr_publisher_close(NULL), FR_NULL);
    CHECK_CODE(fr_publisher_leave(NULL), FR_NULL);
    fr_subscriber_free(NULL);
}

static void opening(void)
{
    fr_open_options options = {0};
    options.root = directory;
    fr_subscriber *subscriber;
    CHECK_CODE(fr_subscriber_open("nothing", NULL, &options, &subscriber), FR_NOT_FOUND);
    CHECK(!subscriber && strstr(fr_last_error(), "start its publisher"));
    CHECK_CODE(fr_subscriber_open(NULL, NULL, &options, &subscriber), FR_NULL);
    CHECK_CODE(fr_subscriber_open("a/b", NULL, &options, &subscriber), FR_NAME);
    options.join = 9;
    CHECK_CODE(fr_subscriber_open("nothing", NULL, &options, &subscriber), FR_ARGUMENT);
    options.join = FR_JOIN_SEQUENCE;
    options.join_sequence = UINT64_MAX;
    CHECK_CODE(fr_subscriber_open("nothing", NULL, &options, &subscriber), FR_OPTION);
    options.join = 0;
    options.reserved[3] = 1;
    CHECK_CODE(fr_subscriber_open("nothing", NULL, &options, &subscriber), FR_ARGUMENT);
    options.reserved[3] = 0;
    options.root = "/nowhere/at/all";
    CHECK_CODE(fr_subscriber_open("nothing", NULL, &options, &subscriber), FR_NO_ROOT);
    options.root = directory;

    fr_publisher *publisher = publish("opening", 8);
    fr_schema *other;
    CHECK_CODE(fr_schema_parse("Tick 24 8\ntime u64 0\nprice f64 8\nsymbol [u8;8] 16\n", &other), FR_OK);
    CHECK_CODE(fr_subscriber_open("opening", other, &options, &subscriber), FR_OTHER_MESSAGE);
    CHECK(!subscriber && strstr(fr_last_error(), "\"price i64 8\" in the ring and \"price f64 8\" in this program"));
    fr_schema_free(other);
    options.wait = FR_WAIT_SPIN;
    options.no_hold_back = options.huge_pages = options.map_writable = 1;
    options.trust_uids = (const uint32_t[]){1, 2};
    options.trust_uids_count = 2;
    CHECK_CODE(fr_subscriber_open("opening", fr_publisher_schema(publisher), &options, &subscriber), FR_OK);
    fr_subscriber_free(subscriber);

    fr_create_options making = {0};
    making.root = directory;
    fr_publisher *refused;
    const fr_schema *schema = fr_publisher_schema(publisher);
    making.capacity = 7;
    CHECK_CODE(fr_publisher_create("refused", schema, &making, &refused), FR_OPTION);
    CHECK(!refused && strstr(fr_last_error(), "the nearest is 8"));
    making.capacity = 0;
    making.mode = 0777;
    CHECK_CODE(fr_publisher_create("refused", schema, &making, &refused), FR_OPTION);
    making.mode = 0;
    making.ahead = 3;
    CHECK_CODE(fr_publisher_create("refused", schema, &making, &refused), FR_ARGUMENT);
    making.ahead = 2;
    making.keep = 5;
    CHECK_CODE(fr_publisher_create("refused", schema, &making, &refused), FR_ARGUMENT);
    making.keep = 0;
    making.max_clients = 1;
    CHECK_CODE(fr_publisher_create("refused", schema, &making, &refused), FR_OPTION);
    making.max_clients = 0;
    making.has_numa_node = 1;
    making.numa_node = 4000;
    CHECK_CODE(fr_publisher_create("refused", schema, &making, &refused), FR_PLACEMENT);
    CHECK_CODE(fr_publisher_create("refused", NULL, NULL, &refused), FR_NULL);
    CHECK_CODE(fr_publisher_close(publisher), FR_OK);
}

static void restarts(void)
{
    fr_publisher *publisher = publish("restarts", 8);
    fr_subscriber *subscriber = subscribe("restarts");
    struct tick sent = tick(1), found;
    fr_event event;
    CHECK_CODE(fr_publish(publisher, &sent, sizeof sent, NULL), FR_OK);
    CHECK_CODE(fr_publisher_leave(publisher), FR_OK);
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, FR_FOREVER, &event), FR_OK);
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, FR_FOREVER, &event), FR_PUBLISHER_DEAD);
    publisher = publish("restarts", 8);
    CHECK_CODE(fr_subscriber_wait_for_publisher(subscriber, FR_FOREVER), FR_OK);
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, FR_FOREVER, &event), FR_RESTARTED);
    CHECK(event.epoch == 2 && event.sequence == 1);
    CHECK_CODE(fr_publisher_leave(publisher), FR_OK);
    publisher = publish("restarts", 16); /* another capacity: another ring */
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, FR_FOREVER, &event), FR_SUPERSEDED);
    fr_subscriber_free(subscriber);
    CHECK_CODE(fr_publisher_close(publisher), FR_OK);
}

static void sealed(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/sealed.sock", directory);
    fr_create_options options = {0};
    options.serve = path;
    options.capacity = 8;
    options.max_clients = 2;
    fr_schema *schema = tick_schema();
    fr_publisher *publisher;
    CHECK_CODE(fr_publisher_create("sealed", schema, &options, &publisher), FR_OK);
    fr_open_options connect = {0};
    connect.connect = path;
    connect.join = FR_JOIN_OLDEST;
    fr_subscriber *subscriber;
    CHECK_CODE(fr_subscriber_open("sealed", schema, &connect, &subscriber), FR_ARGUMENT);
    CHECK_CODE(fr_subscriber_open(NULL, schema, &connect, &subscriber), FR_OK);
    struct tick sent = tick(1), found;
    CHECK_CODE(fr_publish(publisher, &sent, sizeof sent, NULL), FR_OK);
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, FR_FOREVER, NULL), FR_OK);
    CHECK(memcmp(&found, &sent, sizeof sent) == 0);
    CHECK_CODE(fr_publisher_close(publisher), FR_OK);
    fr_subscriber_free(subscriber);
    fr_schema_free(schema);
}

static void *interrupt(void *interrupter)
{
    CHECK_CODE(fr_interrupt(interrupter), FR_OK);
    return NULL;
}

static void waiting(void)
{
    fr_publisher *publisher = publish("waiting", 8);
    fr_subscriber *subscriber = subscribe("waiting");
    struct tick sent = tick(1), found;
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, 1000, NULL), FR_EMPTY);
    fr_interrupter *interrupter;
    CHECK_CODE(fr_subscriber_interrupter(subscriber, &interrupter), FR_OK);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, interrupt, interrupter) == 0);
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, FR_FOREVER, NULL), FR_EMPTY);
    CHECK(pthread_join(thread, NULL) == 0);

    fr_notifier *notifier;
    CHECK_CODE(fr_subscriber_notifier(subscriber, &notifier), FR_OK);
    struct pollfd source = {fr_notifier_fd(notifier), POLLIN, 0};
    CHECK(source.fd >= 0 && poll(&source, 1, 0) == 0);
    CHECK_CODE(fr_notifier_arm(notifier, subscriber), FR_OK);
    CHECK_CODE(fr_publish(publisher, &sent, sizeof sent, NULL), FR_OK);
    CHECK(poll(&source, 1, 60000) == 1);
    CHECK_CODE(fr_notifier_clear(notifier), FR_OK);
    CHECK(poll(&source, 1, 0) == 0);
    CHECK_CODE(fr_try_receive(subscriber, &found, sizeof found, NULL), FR_OK);
    CHECK_CODE(fr_publisher_leave(publisher), FR_OK);
    CHECK_CODE(fr_receive(subscriber, &found, sizeof found, FR_FOREVER, NULL), FR_PUBLISHER_DEAD);
    CHECK_CODE(fr_notifier_arm_for_publisher(notifier, subscriber), FR_OK);
    publisher = publish("waiting", 8);
    CHECK(poll(&source, 1, 60000) == 1);
    CHECK_CODE(fr_notifier_arm(NULL, subscriber), FR_NULL);
    CHECK_CODE(fr_notifier_arm(notifier, NULL), FR_NULL);
    CHECK(fr_notifier_fd(NULL) == -1);

    /* In any order. */
    fr_subscriber_free(subscriber);
    CHECK_CODE(fr_interrupt(interrupter), FR_OK);
    fr_notifier_free(notifier);
    fr_interrupter_free(interrupter);
    CHECK_CODE(fr_publisher_close(publisher), FR_OK);
    CHECK_CODE(fr_interrupt(NULL), FR_NULL);
    fr_interrupter_free(NULL);
    fr_notifier_free(NULL);
}

static void records(void)
{
    fr_schema *schema = tick_schema();
    const fr_record_kind kinds[] = {{schema, 7}, {schema, 1}}, twice[] = {{schema, 7}, {schema, 7}};
    fr_records_format format = {NULL, kinds, 2}, wrong = {"Upper", NULL, 0};
    fr_create_options options = {0};
    options.root = directory;
    options.capacity = 64;
    options.slot_size = 128;
    fr_record_publisher *publisher, *refused;
    CHECK_CODE(fr_record_publisher_create("records", &wrong, &options, &refused), FR_ARGUMENT);
    wrong = (fr_records_format){NULL, twice, 2};
    CHECK_CODE(fr_record_publisher_create("records", &wrong, &options, &refused), FR_ARGUMENT);
    CHECK_CODE(fr_record_publisher_create("records", &format, &options, &publisher), FR_OK);
    fr_open_options open = {0};
    open.root = directory;
    open.join = FR_JOIN_OLDEST;
    fr_record_subscriber *subscriber;
    CHECK_CODE(fr_record_subscriber_open("records", NULL, &open, &subscriber), FR_OK);
    fr_records_format found;
    CHECK_CODE(fr_record_subscriber_format(subscriber, &found), FR_OK);
    CHECK(found.kinds_count == 2 && found.kinds[0].kind == 1 && found.kinds[1].kind == 7 && !found.encoding);
    CHECK(strcmp(fr_schema_text(found.kinds[1].schema), fr_schema_text(schema)) == 0);
    /* What was found opens it again. */
    fr_record_subscriber *again;
    CHECK_CODE(fr_record_subscriber_open("records", &found, &open, &again), FR_OK);
    fr_record_subscriber_free(again);
    fr_records_format bytes = {0};
    CHECK_CODE(fr_record_subscriber_open("records", &bytes, &open, &again), FR_OTHER_MESSAGE);
    fr_subscriber *messages;
    CHECK_CODE(fr_subscriber_open("records", NULL, &open, &messages), FR_KIND);

    uint64_t number;
    CHECK_CODE(fr_publish_record(publisher, 7, "hello", 5, &number), FR_OK);
    CHECK_CODE(fr_publish_record(publisher, 1, NULL, 0, &number), FR_OK);
    CHECK(number == 1);
    CHECK_CODE(fr_publish_record(publisher, 256, "hello", 5, &number), FR_ARGUMENT);
    CHECK_CODE(fr_publish_record(publisher, 1, NULL, 5, &number), FR_NULL);
    fr_publisher_state state;
    CHECK_CODE(fr_record_publisher_get_state(publisher, &state), FR_OK);
    CHECK(state.longest == fr_record_subscriber_longest(subscriber) && state.published == 2);
    char *long_one = calloc(1, state.longest + 1);
    CHECK(long_one);
    CHECK_CODE(fr_publish_record(publisher, 1, long_one, state.longest + 1, &number), FR_TOO_LONG);
    CHECK_CODE(fr_publish_record(publisher, 1, long_one, state.longest, &number), FR_OK);
    free(long_one);

    fr_record record;
    fr_event event;
    CHECK(fr_record_subscriber_lag(subscriber) == 3 && fr_record_subscriber_capacity(subscriber) == 64);
    CHECK_CODE(fr_try_receive_record(subscriber, &record, &event), FR_OK);
    CHECK(record.kind == 7 && record.number == 0 && record.size == 5 && memcmp(record.bytes, "hello", 5) == 0);
    CHECK_CODE(fr_receive_record(subscriber, FR_FOREVER, &record, &event), FR_OK);
    CHECK(record.kind == 1 && record.number == 1 && record.size == 0 && event.sequence == 1 && event.epoch == 1);
    CHECK_CODE(fr_receive_latest_record(subscriber, &record, NULL), FR_OK);
    CHECK(record.size == state.longest);
    CHECK_CODE(fr_receive_record(subscriber, 1000, &record, &event), FR_EMPTY);
    CHECK(!record.bytes && record.size == 0);
    CHECK_CODE(fr_try_receive_record(subscriber, NULL, &event), FR_NULL);
    fr_account account;
    CHECK_CODE(fr_record_subscriber_account(subscriber, &account), FR_OK);
    CHECK(account.received == 3 && account.sequence == 3);

    fr_interrupter *interrupter;
    CHECK_CODE(fr_record_subscriber_interrupter(subscriber, &interrupter), FR_OK);
    CHECK_CODE(fr_interrupt(interrupter), FR_OK);
    CHECK_CODE(fr_receive_record(subscriber, FR_FOREVER, &record, &event), FR_EMPTY);
    fr_interrupter_free(interrupter);
    fr_notifier *notifier;
    CHECK_CODE(fr_record_subscriber_notifier(subscriber, &notifier), FR_OK);
    CHECK_CODE(fr_notifier_arm_records(notifier, subscriber), FR_OK);
    CHECK_CODE(fr_publish_record(publisher, 1, "x", 1, NULL), FR_OK);
    struct pollfd source = {fr_notifier_fd(notifier), POLLIN, 0};
    CHECK(poll(&source, 1, 60000) == 1);
    CHECK_CODE(fr_notifier_arm_records_for_publisher(notifier, subscriber), FR_OK);
    fr_notifier_free(notifier);
    size_t count;
    CHECK_CODE(fr_record_publisher_subscribers(publisher, &count), FR_OK);
    CHECK(count == 1 && strstr(fr_record_publisher_path(publisher), "records.ring"));
    CHECK(fr_record_subscriber_publisher_is_alive(subscriber) == 1);
    CHECK_CODE(fr_record_publisher_leave(publisher), FR_OK);
    CHECK_CODE(fr_record_subscriber_wait_for_publisher(subscriber, 0), FR_OK); /* a record is there */
    CHECK_CODE(fr_receive_record(subscriber, FR_FOREVER, &record, &event), FR_OK);
    CHECK_CODE(fr_receive_record(subscriber, FR_FOREVER, &record, &event), FR_PUBLISHER_DEAD);
    CHECK_CODE(fr_record_publisher_create("records", &format, &options, &publisher), FR_OK);
    CHECK_CODE(fr_receive_record(subscriber, FR_FOREVER, &record, &event), FR_RESTARTED);
    CHECK_CODE(fr_record_publisher_close(publisher), FR_OK);
    fr_record_subscriber_free(subscriber);
    fr_schema_free(schema);
}

static void tables(void)
{
    fr_schema *key, *value = tick_schema();
    CHECK_CODE(fr_schema_parse("text 8 1\nvalue [u8;8] 0\n", &key), FR_OK);
    fr_create_options options = {0};
    options.root = directory;
    options.capacity = 2;
    options.copies = 4;
    fr_table_writer *writer;
    CHECK_CODE(fr_table_writer_create("table", key, value, &options, &writer), FR_OK);
    fr_open_options open = {0};
    open.root = directory;
    fr_table_reader *reader;
    CHECK_CODE(fr_table_reader_open("table", value, value, &open, &reader), FR_OTHER_MESSAGE);
    CHECK_CODE(fr_table_reader_open("table", key, value, &open, &reader), FR_OK);
    CHECK(fr_schema_size(fr_table_reader_key_schema(reader)) == 8 && fr_schema_size(fr_table_reader_value_schema(reader)) == 24);

    size_t row, found_row, rows[4], count;
    CHECK_CODE(fr_table_reader_row(reader, "ESH4\0\0\0", 8, &found_row), FR_EMPTY);
    CHECK_CODE(fr_table_writer_row(writer, "ESH4\0\0\0", 8, &row), FR_OK);
    CHECK_CODE(fr_table_writer_row(writer, "ESH4", 4, &row), FR_SIZE);
    CHECK_CODE(fr_table_reader_row(reader, "ESH4\0\0\0", 8, &found_row), FR_OK);
    CHECK(row == 0 && found_row == 0);
    struct tick sent = tick(5), found;
    uint64_t number;
    CHECK_CODE(fr_table_get(reader, row, &found, sizeof found, &number), FR_EMPTY);
    CHECK_CODE(fr_table_store(writer, row, &sent, sizeof sent, &number), FR_OK);
    CHECK_CODE(fr_table_store(writer, 1, &sent, sizeof sent, &number), FR_NO_ROW);
    CHECK_CODE(fr_table_get(reader, row, &found, sizeof found, &number), FR_OK);
    CHECK(number == 0 && memcmp(&found, &sent, sizeof sent) == 0);
    CHECK_CODE(fr_table_get(reader, 2, &found, sizeof found, &number), FR_NO_ROW);
    CHECK_CODE(fr_table_get(reader, SIZE_MAX, &found, sizeof found, &number), FR_NO_ROW);
    CHECK(strstr(fr_last_error(), "of a table with 1 keys"));
    CHECK_CODE(fr_table_writer_get(writer, row, &found, sizeof found, &number), FR_OK);
    CHECK_CODE(fr_table_writer_row(writer, "NQH4\0\0\0", 8, &row), FR_OK);
    CHECK_CODE(fr_table_writer_row(writer, "YMH4\0\0\0", 8, &found_row), FR_FULL);
    CHECK_CODE(fr_table_store(writer, row, &sent, sizeof sent, &number), FR_OK);
    char text[8];
    CHECK_CODE(fr_table_reader_key(reader, row, text, sizeof text), FR_OK);
    CHECK(memcmp(text, "NQH4\0\0\0", 8) == 0);
    CHECK_CODE(fr_table_writer_key(writer, 9, text, sizeof text), FR_NO_ROW);
    CHECK(fr_table_reader_rows(reader) == 2 && fr_table_writer_rows(writer) == 2 && fr_table_reader_capacity(reader) == 2);

    CHECK_CODE(fr_table_changed(reader, rows, 1, &count), FR_OK);
    CHECK(count == 1);
    CHECK_CODE(fr_table_changed(reader, rows + 1, 3, &count), FR_OK);
    CHECK(count == 1 && rows[0] != rows[1]);
    CHECK_CODE(fr_table_changed(reader, rows, 4, &count), FR_OK);
    CHECK(count == 0);
    CHECK(fr_table_reader_stores(reader) == 2);
    CHECK_CODE(fr_table_wait(reader, 2, 1000), FR_EMPTY);
    CHECK_CODE(fr_table_wait(reader, 1, FR_FOREVER), FR_OK);
    fr_interrupter *interrupter;
    CHECK_CODE(fr_table_reader_interrupter(reader, &interrupter), FR_OK);
    CHECK_CODE(fr_interrupt(interrupter), FR_OK);
    CHECK_CODE(fr_table_wait(reader, 2, FR_FOREVER), FR_EMPTY);
    fr_interrupter_free(interrupter);
    fr_publisher_state state;
    CHECK_CODE(fr_table_writer_get_state(writer, &state), FR_OK);
    CHECK(state.published == 2 && state.capacity == 2 && state.longest == 24);
    CHECK_CODE(fr_table_writer_readers(writer, &count), FR_OK);
    CHECK(count == 1 && strstr(fr_table_writer_path(writer), "table.ring"));
    CHECK(fr_table_reader_writer_is_alive(reader) == 1);
    CHECK_CODE(fr_table_writer_leave(writer), FR_OK);
    CHECK_CODE(fr_table_wait(reader, 2, FR_FOREVER), FR_PUBLISHER_DEAD);
    CHECK_CODE(fr_table_writer_create("table", key, value, &options, &writer), FR_OK);
    CHECK_CODE(fr_table_writer_close(writer), FR_OK);
    CHECK_CODE(fr_table_wait(reader, 2, FR_FOREVER), FR_CLOSED);
    fr_table_reader_free(reader);
    fr_schema_free(key);
    fr_schema_free(value);
}

static void cells(void)
{
    fr_schema *schema;
    CHECK_CODE(fr_schema_parse("Book 800 8\nlevels [u64;100] 0\n", &schema), FR_OK);
    fr_create_options options = {0};
    options.root = directory;
    fr_cell_writer *writer;
    CHECK_CODE(fr_cell_writer_create("cell", schema, &options, &writer), FR_OK);
    fr_open_options open = {0};
    open.root = directory;
    fr_cell_reader *reader;
    CHECK_CODE(fr_cell_reader_open("cell", schema, &open, &reader), FR_OK);
    uint64_t sent[100] = {1, 2, 3}, found[100], number;
    CHECK_CODE(fr_cell_get(reader, found, sizeof found, &number), FR_EMPTY);
    CHECK_CODE(fr_cell_writer_get(writer, found, sizeof found, &number), FR_EMPTY);
    CHECK_CODE(fr_cell_store(writer, sent, sizeof sent, &number), FR_OK);
    CHECK_CODE(fr_cell_store(writer, sent, 1, &number), FR_SIZE);
    CHECK_CODE(fr_cell_get(reader, found, sizeof found, &number), FR_OK);
    CHECK(number == 0 && memcmp(found, sent, sizeof sent) == 0 && fr_cell_reader_stores(reader) == 1);
    CHECK_CODE(fr_cell_writer_get(writer, found, sizeof found, NULL), FR_OK);
    CHECK(strcmp(fr_schema_name(fr_cell_reader_schema(reader)), "Book") == 0);
    CHECK_CODE(fr_cell_wait(reader, 1, 1000), FR_EMPTY);
    fr_interrupter *interrupter;
    CHECK_CODE(fr_cell_reader_interrupter(reader, &interrupter), FR_OK);
    fr_interrupter_free(interrupter);
    fr_publisher_state state;
    CHECK_CODE(fr_cell_writer_get_state(writer, &state), FR_OK);
    CHECK(state.published == 1 && state.longest == 800);
    size_t count;
    CHECK_CODE(fr_cell_writer_readers(writer, &count), FR_OK);
    CHECK(count == 1 && strstr(fr_cell_writer_path(writer), "cell.ring") && fr_cell_reader_writer_is_alive(reader) == 1);
    CHECK_CODE(fr_cell_writer_leave(writer), FR_OK);
    CHECK_CODE(fr_cell_wait(reader, 1, FR_FOREVER), FR_PUBLISHER_DEAD);
    CHECK_CODE(fr_cell_writer_create("cell", schema, &options, &writer), FR_OK);
    CHECK_CODE(fr_cell_writer_close(writer), FR_OK);
    fr_cell_reader_free(reader);
    fr_schema_free(schema);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    directory = argv[1];
    versions_and_names();
    schemas();
    messages();
    opening();
    restarts();
    sealed();
    waiting();
    records();
    tables();
    cells();
    puts("api: every function returned what it should");
    return 0;
}
