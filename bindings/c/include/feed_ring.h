// feed_ring.h: rings, records, tables and cells of feed-ring for C. feed_ring.hpp has the same for C++.
//
// Made by cbindgen of bindings/c/src: do not edit. examples/ has complete programs.
//
// CODES. Every function that can fail returns an fr_code; FR_OK is 0. A code is an event of a feed (FR_EMPTY to FR_CORRUPT), which
// a program handles, or it says why nothing was done; then fr_last_error() has one line with what was found, what was expected, and
// what helps. No function ends the program, and no panic of the library crosses into C: FR_PANIC is its code.
//
// POINTERS. NULL is refused with FR_NULL for every pointer, except where its comment says that it may be NULL. Any other pointer
// must be what the function's comment says: a handle that was not freed yet, text that ends with a zero byte, or memory of the length
// that is passed beside it. What else happens is undefined, as in any C library.
//
// OWNERSHIP. A handle comes from one function (..._create, ..._open, ..._of) and goes to one (..._free, ..._close, ..._leave). Text
// and arrays that a function returns belong to the handle that it was asked of, and are valid as long as that is. Nothing else is
// allocated for the caller. Handles do not depend on each other: they may be freed in any order.
//
// THREADS. One thread at a time uses a handle, and it may be another each time. An fr_interrupter and an fr_schema may be used by
// any number of threads. fr_last_error() is of the calling thread. After fork() the child may only free what it has.
//
// TIMES are in ns. NUMBERS of messages are counted from 0 since the ring began, over all its publishers.

#ifndef FEED_RING_H
#define FEED_RING_H

#include <stddef.h>
#include <stdint.h>
#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L

// The fr_type of a value.
#define FR_TYPE_OF(value) \
    _Generic((value), char: FR_U8, unsigned char: FR_U8, signed char: FR_I8, unsigned short: FR_U16, short: FR_I16, \
             unsigned int: FR_U32, int: FR_I32, unsigned long: FR_U64, long: FR_I64, unsigned long long: FR_U64, \
             long long: FR_I64, float: FR_F32, double: FR_F64)

// An fr_field for a member of a struct that is a number:
//     static const fr_field FIELDS[] = {FR_FIELD(struct tick, time), FR_ARRAY(struct tick, symbol)};
//     fr_schema_of("Tick", sizeof(struct tick), _Alignof(struct tick), FIELDS, 2, &schema);
#define FR_FIELD(message, member) \
    {#member, NULL, FR_TYPE_OF(((const message *)0)->member), offsetof(message, member), \
     sizeof(((const message *)0)->member), 0}

// The same for a member that is an array of numbers.
#define FR_ARRAY(message, member) \
    {#member, NULL, FR_TYPE_OF(((const message *)0)->member[0]), offsetof(message, member), \
     sizeof(((const message *)0)->member), sizeof(((const message *)0)->member) / sizeof(((const message *)0)->member[0])}

#endif

// The version of this interface: fr_abi_version() tells that of the library that a program runs with. A library with
// the same version has everything that this header has. The shared library is called libfeed_ring.so. and this number.
#define FR_ABI_VERSION 1

// A timeout that never passes.
#define FR_FOREVER UINT64_MAX

// What a function returns. Below FR_NULL are what can happen to a subscriber: none is a mistake of the program. What is
// above is: fr_last_error has the text.
typedef enum {
  // Done.
  FR_OK = 0,
  // There is nothing to receive yet, the timeout passed, or the wait was interrupted.
  FR_EMPTY = 1,
  // The publisher overwrote messages before they were read: missed of the event. The next call goes on behind them.
  FR_LAGGED = 2,
  // Another publisher took the ring over. Its messages begin at sequence of the event, in epoch. Rebuild what was
  // derived from earlier messages.
  FR_RESTARTED = 3,
  // Publishers took the ring over more often than it can tell. The next messages, up to but not including sequence of the
  // event, may be of several publishers. Rebuild what is derived from them at that sequence.
  FR_RESTARTS_UNKNOWN = 4,
  // The publisher closed the ring, and every message was read.
  FR_CLOSED = 5,
  // The publisher ended without closing the ring, and every message was read: it died, or it left. Another may take the ring
  // over: fr_subscriber_wait_for_publisher.
  FR_PUBLISHER_DEAD = 6,
  // Another ring of the same name replaced this one, and every message of this one was read. Open the name again.
  FR_SUPERSEDED = 7,
  // The file was cut short under its reader, and fr_guard_install noticed it. Every further call returns the same.
  FR_CUT_SHORT = 8,
  // The ring holds something that no publisher can have stored. It is pointless to call again.
  FR_CORRUPT = 9,
  // A pointer is NULL that may not be.
  FR_NULL = 32,
  // A buffer is not as long as the message.
  FR_SIZE = 33,
  // A number is none of those allowed, a text is not UTF-8, or a reserved field is not zero.
  FR_ARGUMENT = 34,
  // No ring can have this name.
  FR_NAME = 35,
  // No ring can have this option, or not together with another.
  FR_OPTION = 36,
  // A schema is none, or no message can have it.
  FR_SCHEMA = 37,
  // The record is longer than its ring takes.
  FR_TOO_LONG = 38,
  // The table has no room for another key.
  FR_FULL = 39,
  // The table has no such row.
  FR_NO_ROW = 40,
  // The value was overwritten while it was read, again and again.
  FR_OVERTAKEN = 41,
  // There is no ring of this name.
  FR_NOT_FOUND = 64,
  // There is no such directory.
  FR_NO_ROOT = 65,
  // The ring is being made, or its publisher was killed while making it.
  FR_UNFINISHED = 66,
  // What is there is no ring.
  FR_NOT_A_RING = 67,
  // It belongs to another user.
  FR_OWNER = 68,
  // The kernel does not let this program read it.
  FR_PERMISSION = 69,
  // It has another version than this library reads.
  FR_ABI = 70,
  // It is of another kind: messages, records, a table, a cell.
  FR_KIND = 71,
  // Its messages are others than expected.
  FR_OTHER_MESSAGE = 72,
  // Its header is damaged.
  FR_DAMAGED = 73,
  // Nobody serves the socket any more.
  FR_NOT_SERVED = 74,
  // The publisher refused to hand out its ring.
  FR_REFUSED = 75,
  // What came through the socket can be changed by others.
  FR_UNSEALED = 76,
  // Another publisher has the name.
  FR_ALREADY_PUBLISHED = 77,
  // There is too little memory, or too little room on the file system.
  FR_NO_ROOM = 78,
  // The memory cannot be placed as asked for.
  FR_PLACEMENT = 79,
  // A system call failed.
  FR_IO = 80,
  // The ring is closed, but its files cannot be removed.
  FR_NOT_REMOVED = 81,
  // A cause that this version of the interface has no code for.
  FR_OTHER = 126,
  // A defect of the library. It printed a line on standard error. The handle can only be freed, closed or left.
  FR_PANIC = 127,
} fr_code;

// Where a subscriber begins to read.
typedef enum {
  // At the first message that is published after joining.
  FR_JOIN_LATEST = 0,
  // At the oldest message that the ring still holds.
  FR_JOIN_OLDEST = 1,
  // At the message with the number join_sequence. If it is not published yet, it is waited for. If it was overwritten, it and
  // every later message that was overwritten count as lost.
  FR_JOIN_SEQUENCE = 2,
} fr_join;

// How a subscriber waits.
typedef enum {
  // Polls some ten microseconds, then sleeps until the publisher wakes it.
  FR_WAIT_BLOCK = 0,
  // Polls and never gives up the processor: the lowest latency, for a thread with a core of its own.
  FR_WAIT_SPIN = 1,
  // Polls a little, then lets other threads run between polls.
  FR_WAIT_YIELD = 2,
} fr_wait;

// How a publisher finds out that a subscriber sleeps.
typedef enum {
  // FR_WAKE_MEMBARRIER if only this user can subscribe, otherwise FR_WAKE_THREAD.
  FR_WAKE_DEFAULT = 0,
  // It looks at a flag after each message. A subscriber that goes to sleep interrupts it for less than two microseconds.
  FR_WAKE_MEMBARRIER = 1,
  // It looks after each message, with a fence: some nanoseconds, and no interruption.
  FR_WAKE_FENCE = 2,
  // A thread of its own looks, every 70 us or so. Nothing that a subscriber does delays a publish; a sleeper wakes up that much
  // later.
  FR_WAKE_THREAD = 3,
} fr_wake;

// The type of a field, or of an array's elements.
typedef enum {
  // A struct, or an array: type_text says which.
  FR_TYPE_OTHER = 0,
  // uint8_t, or a byte of text
  FR_U8 = 1,
  // uint16_t
  FR_U16 = 2,
  // uint32_t
  FR_U32 = 3,
  // uint64_t
  FR_U64 = 4,
  // 16 bytes without sign
  FR_U128 = 5,
  // int8_t
  FR_I8 = 6,
  // int16_t
  FR_I16 = 7,
  // int32_t
  FR_I32 = 8,
  // int64_t
  FR_I64 = 9,
  // 16 bytes with sign
  FR_I128 = 10,
  // float
  FR_F32 = 11,
  // double
  FR_F64 = 12,
} fr_type;

// One reader of a cell. What is said of fr_subscriber about threads holds here.
typedef struct fr_cell_reader fr_cell_reader;

// The one writer of a cell. What is said of fr_publisher about threads holds here.
typedef struct fr_cell_writer fr_cell_writer;

// Ends the wait of a subscriber or a reader from another thread or from a signal handler.
//
// Any number of threads may use it at a time. It remains valid after the subscriber was freed, and then does nothing.
typedef struct fr_interrupter fr_interrupter;

// A file descriptor that becomes readable when a subscriber has something to receive, for poll and epoll.
//
// Receive until FR_EMPTY, then arm it; when it is readable, clear it and receive again. It becomes readable once after it was
// armed. A thread of the library's sleeps on the ring for it. One thread at a time may use it, the one that uses the subscriber.
// fr_notifier_free ends it, before or after the subscriber's end.
typedef struct fr_notifier fr_notifier;

// The one publisher of a ring of messages.
//
// One thread at a time may use it; it may be another each time. fr_publisher_close ends it, or fr_publisher_leave. A forked
// child must not publish.
typedef struct fr_publisher fr_publisher;

// The one publisher of a ring of records. What is said of fr_publisher holds here.
typedef struct fr_record_publisher fr_record_publisher;

// One subscriber of a ring of records. What is said of fr_subscriber holds here.
typedef struct fr_record_subscriber fr_record_subscriber;

// The schema of a message: its name, size, alignment and fields. It never changes: any thread may read it.
//
// One that was made (fr_schema_parse, fr_schema_of) is freed with fr_schema_free. One that a ring has belongs to the
// handle that it is asked of, and is valid as long as that is.
typedef struct fr_schema fr_schema;

// One subscriber of a ring of messages. It reads at its own pace and never makes the publisher wait.
//
// One thread at a time may use it; it may be another each time. fr_subscriber_free ends it. A forked child must not receive.
typedef struct fr_subscriber fr_subscriber;

// One reader of a table. What is said of fr_subscriber about threads holds here.
typedef struct fr_table_reader fr_table_reader;

// The one writer of a table: it keeps the last value of each key. What is said of fr_publisher about threads holds here.
typedef struct fr_table_writer fr_table_writer;

// The options of a publisher of messages or records, and of a writer of a table or a cell. {0} is the default of all.
typedef struct {
  // The directory that contains the ring. NULL: /dev/shm.
  const char *root;
  // The socket at which a sealed ring is served: only its publisher can ever write to it. NULL: a ring in files.
  const char *serve;
  // The number of slots, a power of two from 2 to 2^32. 0: 65,536. The ring holds the last capacity - 1 messages. Of a table,
  // the number of rows: any from 1 to 16,777,216; 0: 4,096.
  uint64_t capacity;
  // Of a ring of records: the bytes of a slot, a power of two from 64 to 4,096. 0: 64.
  uint64_t slot_size;
  // Of a table or a cell: the copies of each row, from 2 to 64. 0: 2.
  uint64_t copies;
  // Of a sealed ring: how many clients may be connected. 0: 256.
  uint64_t max_clients;
  // Of a sealed ring: the users, beside this one, that are served. NULL if there are none.
  const uint32_t *allow_uids;
  // How many they are.
  size_t allow_uids_count;
  // Of a sealed ring: the groups that are served. NULL if there are none.
  const uint32_t *allow_gids;
  // How many they are.
  size_t allow_gids_count;
  // The file mode of the ring: 0600 with any of the read bits 0044, which admit the group or others, and the write bits 0022. 0:
  // 0600.
  uint32_t mode;
  // 1: group is the group of the ring's files. 0: the kernel decides.
  int32_t has_group;
  // The group's number.
  uint32_t group;
  // 1: the ring's memory is on numa_node. 0: on the node of the caller's CPU.
  int32_t has_numa_node;
  // The node's number.
  uint32_t numa_node;
  // 1: the ring's files stay when it is closed.
  int32_t keep;
  // 1: make a new ring even if one could be taken over.
  int32_t fresh;
  // An fr_wake. 0: FR_WAKE_DEFAULT.
  int32_t wake;
  // How many messages ahead the publisher brings cache lines to its core: 1 or 2. 0: 1.
  int32_t ahead;
  // 1: put the ring on huge pages, if the machine has some.
  int32_t huge_pages;
  // 1: lock the ring's files into memory, so that they are never swapped out.
  int32_t lock_memory;
  // Zero.
  uint64_t reserved[4];
} fr_create_options;

// How far a publisher of messages or records is, or a writer of a table or a cell.
typedef struct {
  // The number of the next message: how many were published since the ring began.
  uint64_t published;
  // 1 for a new ring's first publisher, and one more for each that took it over.
  uint64_t epoch;
  // The number of slots. Of a table, of rows.
  uint64_t capacity;
  // Of a ring of records: the longest record in bytes. Otherwise the size of a message.
  uint64_t longest;
  // 1 if the ring's file was cut short under this publisher, and fr_guard_install kept it alive: what it publishes reaches
  // nobody. Close it and make a new ring.
  int32_t is_cut_off;
  // 0.
  int32_t reserved;
} fr_publisher_state;

// The options of a subscriber of messages or records, and of a reader of a table or a cell. {0} is the default of all.
typedef struct {
  // The directory that contains the ring. NULL: /dev/shm.
  const char *root;
  // The socket of a sealed ring, in place of a name and a root. NULL: a ring in files.
  const char *connect;
  // How long to wait for the ring to appear, in ns. 0: not at all. FR_FOREVER: for ever.
  uint64_t open_timeout_ns;
  // The number to begin at, with FR_JOIN_SEQUENCE.
  uint64_t join_sequence;
  // The users, beside root and this one, whose rings are opened. NULL if there are none.
  const uint32_t *trust_uids;
  // How many they are.
  size_t trust_uids_count;
  // An fr_join. 0: FR_JOIN_LATEST.
  int32_t join;
  // An fr_wait. 0: FR_WAIT_BLOCK.
  int32_t wait;
  // 1: read through writable pages, which on some processors makes the publisher faster; then nothing keeps a faulty program
  // from writing into the ring. 0: through read-only pages.
  int32_t map_writable;
  // 1: never pause to let the publisher get ahead in a stream at full speed. 0: pause for at most 1.5 us there.
  int32_t no_hold_back;
  // 1: use huge pages if the publisher has put the ring on some.
  int32_t huge_pages;
  // 1: lock the ring's files into memory, so that they are never swapped out.
  int32_t lock_memory;
  // Zero.
  uint64_t reserved[4];
} fr_open_options;

// The schema of the records of one kind.
typedef struct {
  // The schema.
  const fr_schema *schema;
  // The kind, from 0 to 255.
  int32_t kind;
} fr_record_kind;

// What the records of a ring are, for tools.
typedef struct {
  // The name of their encoding: dbn, itch, or one of your own, of 1 to 32 characters of a-z 0-9 - _. NULL if nothing is known
  // of them, or if they are structs.
  const char *encoding;
  // If they are structs, the schemas of their kinds, each kind once. NULL otherwise.
  const fr_record_kind *kinds;
  // How many they are.
  size_t kinds_count;
} fr_records_format;

// A record that was received.
typedef struct {
  // Its bytes, at an address that is a multiple of 8. They belong to the subscriber, and are valid until its next receive.
  const uint8_t *bytes;
  // How many they are.
  size_t size;
  // Its number.
  uint64_t number;
  // The kind that the publisher gave it, from 0 to 255.
  int32_t kind;
  // 0.
  int32_t reserved;
} fr_record;

// The numbers that belong to what a receive returned.
typedef struct {
  // FR_OK: the number of the message, or of the first of a batch. FR_RESTARTED: the first number of the epoch.
  // FR_RESTARTS_UNKNOWN: the first number whose epoch is known again. FR_CORRUPT: where the damage is. Otherwise the number
  // of the next message.
  uint64_t sequence;
  // FR_RESTARTED: the new epoch. Otherwise the epoch that was told last: 1 for a ring's first publisher, and one more for each
  // that took it over. 0 if it is not known. Messages of a batch are all of one epoch.
  uint64_t epoch;
  // FR_LAGGED: how many messages were lost. Otherwise 0.
  uint64_t missed;
} fr_event;

// A subscriber's position, and what became of every message: first + received + lost + skipped = sequence, always.
typedef struct {
  // The number at which it joined.
  uint64_t first;
  // How many messages were received.
  uint64_t received;
  // How many were overwritten before they were read.
  uint64_t lost;
  // How many were passed over for the newest one.
  uint64_t skipped;
  // The number of the next message.
  uint64_t sequence;
  // The epoch that was told last.
  uint64_t epoch;
} fr_account;

// A field of a message. Values are in the machine's byte order.
typedef struct {
  // The name. A field of a struct within the message has a dotted one: bid.price.
  const char *name;
  // The type as a schema writes it: u64, [u8;16], [{price:i64@0,size:u64@8};10]. To make a schema it may be NULL if
  // type is not 0.
  const char *type_text;
  // An fr_type: of the field, or of the elements of an array.
  int32_t type;
  // The offset of the first byte in the message.
  size_t offset;
  // The size in bytes, of all elements together. Not looked at to make a schema.
  size_t size;
  // The number of elements of an array. 0 if the field is none.
  size_t count;
} fr_field;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The text of what went wrong in the last call of this thread that returned a code other than FR_OK and FR_EMPTY, or
// NULL instead of a pointer: what was found, what was expected, and what helps. One line of UTF-8. Empty if nothing went
// wrong yet.
//
// The text belongs to the library. It is valid until another call of this thread goes wrong, or the thread ends.
const char *fr_last_error(void);

// Makes a cell of this name with a value of this schema, or takes over the one that an ended writer left. options may be NULL. On
// failure *writer is NULL.
//
// Returns what fr_publisher_create returns.
fr_code fr_cell_writer_create(const char *name,
                              const fr_schema *schema,
                              const fr_create_options *options,
                              fr_cell_writer **writer);

// Stores a value, and puts the number of the store into *number, which may be NULL. It never waits for a reader and does not
// allocate.
//
// Returns FR_OK, FR_NULL or FR_SIZE.
fr_code fr_cell_store(fr_cell_writer *writer,
                      const void *value,
                      size_t size,
                      uint64_t *number);

// Copies the value that was stored last, by this writer or by the one before it, and puts the number of that store into *number,
// which may be NULL.
//
// Returns FR_OK, FR_EMPTY if none was stored, FR_NULL or FR_SIZE.
fr_code fr_cell_writer_get(const fr_cell_writer *writer,
                           void *value,
                           size_t size,
                           uint64_t *number);

// Puts into *state how far the writer is: published counts the stores, and longest is the size of the value.
//
// Returns FR_OK or FR_NULL.
fr_code fr_cell_writer_get_state(const fr_cell_writer *writer, fr_publisher_state *state);

// Puts into *count how many readers are attached: see fr_publisher_subscribers.
//
// Returns FR_OK, FR_NULL or FR_IO.
fr_code fr_cell_writer_readers(const fr_cell_writer *writer, size_t *count);

// The directory of the cell, or the socket of a sealed one. NULL for NULL. It belongs to the writer.
const char *fr_cell_writer_path(const fr_cell_writer *writer);

// Ends the cell and frees the writer, whatever it returns: see fr_publisher_close.
//
// Returns FR_OK, FR_NULL or FR_NOT_REMOVED.
fr_code fr_cell_writer_close(fr_cell_writer *writer);

// Frees the writer and leaves the cell for the next one: see fr_publisher_leave.
//
// Returns FR_OK or FR_NULL.
fr_code fr_cell_writer_leave(fr_cell_writer *writer);

// Opens the cell of this name. name is NULL if the options say where to connect. If schema is not NULL, the value must have the
// same. options may be NULL. On failure *reader is NULL.
//
// Returns what fr_subscriber_open returns.
fr_code fr_cell_reader_open(const char *name,
                            const fr_schema *schema,
                            const fr_open_options *options,
                            fr_cell_reader **reader);

// Frees a reader. NULL is allowed.
void fr_cell_reader_free(fr_cell_reader *reader);

// The schema of the value, or NULL for NULL. It belongs to the reader.
const fr_schema *fr_cell_reader_schema(const fr_cell_reader *reader);

// Copies the newest value, and puts the number of its store into *number, which may be NULL: see fr_table_get.
//
// Returns FR_OK, FR_EMPTY if nothing was stored yet, FR_NULL, FR_SIZE, FR_OVERTAKEN or FR_CUT_SHORT.
fr_code fr_cell_get(fr_cell_reader *reader, void *value, size_t size, uint64_t *number);

// The number of the next store: it tells whether the value changed. 0 for NULL.
uint64_t fr_cell_reader_stores(const fr_cell_reader *reader);

// Waits until fr_cell_reader_stores is no longer since: see fr_table_wait.
//
// Returns what fr_table_wait returns.
fr_code fr_cell_wait(fr_cell_reader *reader, uint64_t since, uint64_t timeout_ns);

// Makes an interrupter for a reader, which ends its wait. On failure *interrupter is NULL.
//
// Returns FR_OK or FR_NULL. Free it with fr_interrupter_free.
fr_code fr_cell_reader_interrupter(const fr_cell_reader *reader, fr_interrupter **interrupter);

// 1 if the writer lives, 0 if it does not, and for NULL. Asks the kernel.
int32_t fr_cell_reader_writer_is_alive(const fr_cell_reader *reader);

// The name of a code, such as "FR_LAGGED". "unknown" for any other number. Never NULL; never freed.
const char *fr_code_name(int32_t code);

// The version of the interface that the library has, as FR_ABI_VERSION is that of the header. Compare them when a program
// starts.
uint32_t fr_abi_version(void);

// The version of the library, such as "0.1.0". Never NULL; never freed.
const char *fr_version(void);

// Whether a ring can have this name: 1 to 200 characters of A-Z a-z 0-9 . _ -, with no . at the start. Every function that
// takes a name checks it too.
//
// Returns FR_OK, FR_NAME, FR_NULL or FR_ARGUMENT.
fr_code fr_check_name(const char *name);

// Installs a handler for SIGBUS in the whole process, so that it survives when somebody cuts a ring's file short: a subscriber
// then receives FR_CUT_SHORT, and a publisher's state has is_cut_off. Install it where other users may subscribe, before the
// first ring is opened. Other SIGBUS go to the handler that was there before. Further calls do nothing.
//
// Returns FR_OK, or FR_IO if the kernel refuses.
fr_code fr_guard_install(void);

// Restricts the calling thread, and every thread that it starts later, to one CPU. Make a sealed ring before.
//
// Returns FR_OK, or FR_PLACEMENT if there is no such CPU or the thread may not run on it.
fr_code fr_pin_to_cpu(size_t cpu);

// Locks all memory that the process has mapped now. Call it once every ring is open.
//
// Returns FR_OK, or FR_PLACEMENT if more is mapped than the limit (ulimit -l) allows.
fr_code fr_lock_memory(void);

// Makes a ring of this name whose messages have this schema, or takes over the ring that an ended publisher left, if it has the
// same schema and capacity. A ring that is taken over goes on with the next number, in the next epoch. options may be NULL. On
// failure *publisher is NULL, and no file is left behind.
//
// Returns FR_OK, FR_NULL, FR_ARGUMENT, FR_NAME, FR_OPTION, FR_SCHEMA, FR_ALREADY_PUBLISHED, FR_OWNER,
// FR_NOT_A_RING, FR_NO_ROOM, FR_PLACEMENT or FR_IO.
fr_code fr_publisher_create(const char *name,
                            const fr_schema *schema,
                            const fr_create_options *options,
                            fr_publisher **publisher);

// Publishes a message of size bytes, which must be the schema's size, and puts its number into *sequence, which may be NULL.
// It never waits for a subscriber and does not allocate.
//
// Returns FR_OK, FR_NULL or FR_SIZE.
fr_code fr_publish(fr_publisher *publisher,
                   const void *message,
                   size_t size,
                   uint64_t *sequence);

// Publishes messages that lie one after the other in size bytes, a multiple of the schema's size, and puts the number of the
// first into *sequence, which may be NULL.
//
// Returns FR_OK, FR_NULL or FR_SIZE; nothing is published then.
fr_code fr_publish_batch(fr_publisher *publisher,
                         const void *messages,
                         size_t size,
                         uint64_t *sequence);

// Puts into *state how far the publisher is. Costs some loads.
//
// Returns FR_OK or FR_NULL.
fr_code fr_publisher_get_state(const fr_publisher *publisher, fr_publisher_state *state);

// Puts into *count how many subscribers are attached now, of whom at most 1,024 are counted. Costs a system call for each.
//
// Returns FR_OK, FR_NULL or FR_IO.
fr_code fr_publisher_subscribers(const fr_publisher *publisher,
                                 size_t *count);

// The schema of the messages, or NULL for NULL. It belongs to the publisher.
const fr_schema *fr_publisher_schema(const fr_publisher *publisher);

// The directory of the ring, or the socket of a sealed ring. NULL for NULL. It belongs to the publisher.
const char *fr_publisher_path(const fr_publisher *publisher);

// Ends the ring and frees the publisher, whatever it returns. Subscribers read the ring to its end and then receive FR_CLOSED.
// The ring's files are removed, unless the options say to keep them.
//
// Returns FR_OK, FR_NULL, or FR_NOT_REMOVED if the files cannot be removed.
fr_code fr_publisher_close(fr_publisher *publisher);

// Frees the publisher and leaves the ring open for the next one, for a planned restart. To subscribers it is as if this publisher
// had died: they stay attached, and go on with the next one.
//
// Returns FR_OK or FR_NULL.
fr_code fr_publisher_leave(fr_publisher *publisher);

// Makes a ring of records of this name, or takes over the one that an ended publisher left. format says what the records are; NULL
// if nothing is known of them. options may be NULL. On failure *publisher is NULL.
//
// Returns what fr_publisher_create returns.
fr_code fr_record_publisher_create(const char *name,
                                   const fr_records_format *format,
                                   const fr_create_options *options,
                                   fr_record_publisher **publisher);

// Publishes a record of size bytes and of this kind, from 0 to 255, and puts its number into *number, which may be NULL. bytes
// may be NULL if size is 0. It never waits for a subscriber and does not allocate.
//
// Returns FR_OK, FR_NULL, FR_ARGUMENT, FR_SIZE, or FR_TOO_LONG if it is longer than longest of the state; nothing is
// published then.
fr_code fr_publish_record(fr_record_publisher *publisher,
                          int32_t kind,
                          const void *bytes,
                          size_t size,
                          uint64_t *number);

// Puts into *state how far the publisher is.
//
// Returns FR_OK or FR_NULL.
fr_code fr_record_publisher_get_state(const fr_record_publisher *publisher, fr_publisher_state *state);

// Puts into *count how many subscribers are attached: see fr_publisher_subscribers.
//
// Returns FR_OK, FR_NULL or FR_IO.
fr_code fr_record_publisher_subscribers(const fr_record_publisher *publisher, size_t *count);

// The directory of the ring, or the socket of a sealed ring. NULL for NULL. It belongs to the publisher.
const char *fr_record_publisher_path(const fr_record_publisher *publisher);

// Ends the ring and frees the publisher, whatever it returns: see fr_publisher_close.
//
// Returns FR_OK, FR_NULL or FR_NOT_REMOVED.
fr_code fr_record_publisher_close(fr_record_publisher *publisher);

// Frees the publisher and leaves the ring open for the next one: see fr_publisher_leave.
//
// Returns FR_OK or FR_NULL.
fr_code fr_record_publisher_leave(fr_record_publisher *publisher);

// Opens the ring of records of this name, maps it and joins. name is NULL if the options say where to connect. If format is not
// NULL, the ring must have the same. options may be NULL. On failure *subscriber is NULL.
//
// Returns what fr_subscriber_open returns.
fr_code fr_record_subscriber_open(const char *name,
                                  const fr_records_format *format,
                                  const fr_open_options *options,
                                  fr_record_subscriber **subscriber);

// Frees a subscriber, which ends its subscription. NULL is allowed.
void fr_record_subscriber_free(fr_record_subscriber *subscriber);

// Receives the next record, if there is one, and puts it into *record. After any code but FR_OK it is empty. event may be NULL.
//
// Returns FR_OK; FR_EMPTY and the codes after it up to FR_CORRUPT; or FR_NULL.
fr_code fr_try_receive_record(fr_record_subscriber *subscriber,
                              fr_record *record,
                              fr_event *event);

// Waits for the next record, for at most timeout_ns, and receives it: see fr_receive.
//
// Returns what fr_try_receive_record returns.
fr_code fr_receive_record(fr_record_subscriber *subscriber,
                          uint64_t timeout_ns,
                          fr_record *record,
                          fr_event *event);

// Receives the newest record, if it was not received yet. The records before it count as skipped.
//
// Returns what fr_try_receive_record returns.
fr_code fr_receive_latest_record(fr_record_subscriber *subscriber, fr_record *record, fr_event *event);

// Puts the subscriber's position into *account, counted in records.
//
// Returns FR_OK or FR_NULL.
fr_code fr_record_subscriber_account(const fr_record_subscriber *subscriber, fr_account *account);

// The number of records that are published and not yet received. 0 for NULL. See fr_subscriber_lag.
uint64_t fr_record_subscriber_lag(const fr_record_subscriber *subscriber);

// The number of slots. 0 for NULL.
uint64_t fr_record_subscriber_capacity(const fr_record_subscriber *subscriber);

// The longest record that the ring can have, in bytes. 0 for NULL.
size_t fr_record_subscriber_longest(const fr_record_subscriber *subscriber);

// What the ring's records are, as its header says. It belongs to the subscriber. On failure it is empty.
//
// Returns FR_OK or FR_NULL.
fr_code fr_record_subscriber_format(const fr_record_subscriber *subscriber, fr_records_format *format);

// Waits until a publisher takes the ring over: see fr_subscriber_wait_for_publisher.
//
// Returns FR_OK, FR_EMPTY or FR_NULL.
fr_code fr_record_subscriber_wait_for_publisher(fr_record_subscriber *subscriber, uint64_t timeout_ns);

// 1 if a publisher lives, 0 if none does, and for NULL. Asks the kernel.
int32_t fr_record_subscriber_publisher_is_alive(const fr_record_subscriber *subscriber);

// Makes an interrupter for a subscriber: see fr_subscriber_interrupter.
//
// Returns FR_OK or FR_NULL.
fr_code fr_record_subscriber_interrupter(const fr_record_subscriber *subscriber, fr_interrupter **interrupter);

// Makes a notifier for a subscriber: see fr_subscriber_notifier. Arm it with the functions of records.
//
// Returns FR_OK, FR_NULL or FR_IO.
fr_code fr_record_subscriber_notifier(const fr_record_subscriber *subscriber, fr_notifier **notifier);

// fr_notifier_arm for a subscriber of records.
//
// Returns FR_OK or FR_NULL.
fr_code fr_notifier_arm_records(const fr_notifier *notifier, const fr_record_subscriber *subscriber);

// fr_notifier_arm_for_publisher for a subscriber of records.
//
// Returns FR_OK or FR_NULL.
fr_code fr_notifier_arm_records_for_publisher(const fr_notifier *notifier, const fr_record_subscriber *subscriber);

// Makes a schema of its text: a line of the message's name, size and alignment, and a line of name, type and offset for each
// field, as fr_schema_text returns it. On failure *schema is NULL.
//
// Returns FR_OK, FR_SCHEMA, FR_NULL or FR_ARGUMENT. Free the schema with fr_schema_free.
fr_code fr_schema_parse(const char *text,
                        fr_schema **schema);

// Makes the schema of a C struct: its name, sizeof, _Alignof, and its fields in the order of their offsets. FR_FIELD and
// FR_ARRAY describe a field. Every byte must belong to a field: the struct may have no padding. On failure *schema is NULL.
//
// Programs can share a ring only if the texts of their schemas are equal, the name included.
//
// Returns FR_OK, FR_SCHEMA, FR_NULL, FR_SIZE or FR_ARGUMENT. Free the schema with fr_schema_free.
fr_code fr_schema_of(const char *name,
                     size_t size,
                     size_t align,
                     const fr_field *fields,
                     size_t count,
                     fr_schema **schema);

// Frees a schema that fr_schema_parse or fr_schema_of made. Publishers and subscribers keep a copy of it. NULL is allowed.
void fr_schema_free(fr_schema *schema);

// The schema's text, or NULL for NULL. It belongs to the schema.
const char *fr_schema_text(const fr_schema *schema);

// The message's name, or NULL for NULL. It belongs to the schema.
const char *fr_schema_name(const fr_schema *schema);

// The size of a message in bytes. 0 for NULL.
size_t fr_schema_size(const fr_schema *schema);

// The alignment of a message in bytes. 0 for NULL.
size_t fr_schema_align(const fr_schema *schema);

// The fields, in the order of their offsets, and in *count how many they are. They belong to the schema.
//
// Returns FR_OK, FR_NULL, or FR_SCHEMA if the ring's header has a text that describes no fields. On failure *fields is
// NULL and *count is 0.
fr_code fr_schema_fields(const fr_schema *schema,
                         const fr_field **fields,
                         size_t *count);

// Opens the ring of this name, maps it and joins. name is NULL if the options say where to connect. If schema is not NULL,
// the ring's messages must have the same one. options may be NULL. On failure *subscriber is NULL.
//
// Returns FR_OK, FR_NULL, FR_ARGUMENT, FR_NAME, FR_OPTION, FR_NOT_FOUND, FR_NO_ROOT, FR_UNFINISHED,
// FR_NOT_A_RING, FR_OWNER, FR_PERMISSION, FR_ABI, FR_KIND, FR_OTHER_MESSAGE, FR_DAMAGED, FR_NOT_SERVED,
// FR_REFUSED, FR_UNSEALED, FR_PLACEMENT or FR_IO.
fr_code fr_subscriber_open(const char *name,
                           const fr_schema *schema,
                           const fr_open_options *options,
                           fr_subscriber **subscriber);

// Frees a subscriber, which ends its subscription. NULL is allowed.
void fr_subscriber_free(fr_subscriber *subscriber);

// Receives the next message into message, if there is one. size must be the schema's size. event may be NULL. After any code
// but FR_OK the bytes of the message have no meaning. It makes no system call and does not allocate, but asks the kernel now and
// then whether the publisher lives if there is nothing.
//
// Returns FR_OK; FR_EMPTY and the codes after it up to FR_CORRUPT; FR_NULL or FR_SIZE.
fr_code fr_try_receive(fr_subscriber *subscriber,
                       void *message,
                       size_t size,
                       fr_event *event);

// Waits for the next message, for at most timeout_ns, and receives it as fr_try_receive does. FR_FOREVER waits until a message
// or an event comes. FR_EMPTY means that the time passed, or that the wait was interrupted: fr_subscriber_interrupter. How it
// waits is an option.
//
// After FR_CLOSED, FR_PUBLISHER_DEAD and FR_SUPERSEDED the next call returns the same at once:
// fr_subscriber_wait_for_publisher.
//
// Returns what fr_try_receive returns.
fr_code fr_receive(fr_subscriber *subscriber,
                   void *message,
                   size_t size,
                   uint64_t timeout_ns,
                   fr_event *event);

// Receives the newest message, if it was not received yet. The messages before it count as skipped.
//
// Returns what fr_try_receive returns.
fr_code fr_receive_latest(fr_subscriber *subscriber, void *message, size_t size, fr_event *event);

// Receives as many messages as there are and have room in size bytes, a multiple of the schema's size, one after the other. Puts
// into *count how many they are: at least 1 after FR_OK, 0 after any other code. What ends a batch is returned by the next call.
// event may be NULL.
//
// Returns what fr_try_receive returns; FR_SIZE also for room for no message.
fr_code fr_receive_batch(fr_subscriber *subscriber,
                         void *messages,
                         size_t size,
                         size_t *count,
                         fr_event *event);

// Puts the subscriber's position into *account, and what became of every message. Costs some loads.
//
// Returns FR_OK or FR_NULL.
fr_code fr_subscriber_account(const fr_subscriber *subscriber, fr_account *account);

// The number of messages that are published and not yet received. 0 for NULL. It reads a cache line that the publisher writes with
// each message: frequent calls slow the publisher down.
uint64_t fr_subscriber_lag(const fr_subscriber *subscriber);

// The number of slots: the ring holds the last capacity - 1 messages. 0 for NULL.
uint64_t fr_subscriber_capacity(const fr_subscriber *subscriber);

// The schema of the ring's messages, or NULL for NULL. It belongs to the subscriber.
const fr_schema *fr_subscriber_schema(const fr_subscriber *subscriber);

// Why the publisher and tools do not count this subscriber, as text that belongs to it. NULL if they do, and for NULL. It receives
// all the same.
const char *fr_subscriber_without_entry(const fr_subscriber *subscriber);

// Makes a table of this name with keys and values of these schemas, or takes over the one that an ended writer left. Rings, tables
// and cells share one set of names. options may be NULL. On failure *writer is NULL.
//
// Returns what fr_publisher_create returns.
fr_code fr_table_writer_create(const char *name,
                               const fr_schema *key,
                               const fr_schema *value,
                               const fr_create_options *options,
                               fr_table_writer **writer);

// Puts the row of a key into *row, and adds the key if it is new. Keys are equal if their bytes are. Keep the row: it is the same
// as long as the table exists.
//
// Returns FR_OK, FR_NULL, FR_SIZE, or FR_FULL if the key is new and there is no row left.
fr_code fr_table_writer_row(fr_table_writer *writer,
                            const void *key,
                            size_t size,
                            size_t *row);

// Stores a value into a row, and puts the number of the store into *number, which may be NULL. It never waits for a reader and does
// not allocate.
//
// Returns FR_OK, FR_NULL, FR_SIZE, or FR_NO_ROW if no key has this row.
fr_code fr_table_store(fr_table_writer *writer,
                       size_t row,
                       const void *value,
                       size_t size,
                       uint64_t *number);

// Copies the value that was stored last into a row, by this writer or by the one before it, and puts the number of that store into
// *number, which may be NULL.
//
// Returns FR_OK, FR_EMPTY if none was stored, FR_NULL, FR_SIZE or FR_NO_ROW.
fr_code fr_table_writer_get(const fr_table_writer *writer,
                            size_t row,
                            void *value,
                            size_t size,
                            uint64_t *number);

// Copies the key of a row.
//
// Returns FR_OK, FR_NULL, FR_SIZE or FR_NO_ROW.
fr_code fr_table_writer_key(const fr_table_writer *writer, size_t row, void *key, size_t size);

// The number of keys: rows are counted from 0. 0 for NULL.
size_t fr_table_writer_rows(const fr_table_writer *writer);

// Puts into *state how far the writer is: published counts the stores, and longest is the size of a value.
//
// Returns FR_OK or FR_NULL.
fr_code fr_table_writer_get_state(const fr_table_writer *writer, fr_publisher_state *state);

// Puts into *count how many readers are attached: see fr_publisher_subscribers.
//
// Returns FR_OK, FR_NULL or FR_IO.
fr_code fr_table_writer_readers(const fr_table_writer *writer, size_t *count);

// The directory of the table, or the socket of a sealed one. NULL for NULL. It belongs to the writer.
const char *fr_table_writer_path(const fr_table_writer *writer);

// Ends the table and frees the writer, whatever it returns: see fr_publisher_close.
//
// Returns FR_OK, FR_NULL or FR_NOT_REMOVED.
fr_code fr_table_writer_close(fr_table_writer *writer);

// Frees the writer and leaves the table for the next one: see fr_publisher_leave.
//
// Returns FR_OK or FR_NULL.
fr_code fr_table_writer_leave(fr_table_writer *writer);

// Opens the table of this name. name is NULL if the options say where to connect. If key or value is not NULL, the table's
// must have the same schema. options may be NULL; what it says of joining does not matter. On failure *reader is NULL.
//
// Returns what fr_subscriber_open returns.
fr_code fr_table_reader_open(const char *name,
                             const fr_schema *key,
                             const fr_schema *value,
                             const fr_open_options *options,
                             fr_table_reader **reader);

// Frees a reader. NULL is allowed.
void fr_table_reader_free(fr_table_reader *reader);

// The schema of the keys, or NULL for NULL. It belongs to the reader.
const fr_schema *fr_table_reader_key_schema(const fr_table_reader *reader);

// The schema of the values, or NULL for NULL. It belongs to the reader.
const fr_schema *fr_table_reader_value_schema(const fr_table_reader *reader);

// Puts the row of a key into *row. Keep the row, and read by it.
//
// Returns FR_OK, FR_EMPTY if the writer has not added this key, FR_NULL or FR_SIZE.
fr_code fr_table_reader_row(fr_table_reader *reader, const void *key, size_t size, size_t *row);

// Copies the newest value of a row, and puts the number of its store into *number, which may be NULL. A value is never torn, and
// never older than the one read before. After any code but FR_OK the bytes of the value have no meaning.
//
// Returns FR_OK, FR_EMPTY if nothing was stored there yet, FR_NULL, FR_SIZE, FR_NO_ROW, FR_OVERTAKEN or FR_CUT_SHORT.
fr_code fr_table_get(fr_table_reader *reader,
                     size_t row,
                     void *value,
                     size_t size,
                     uint64_t *number);

// Copies the key of a row.
//
// Returns FR_OK, FR_NULL, FR_SIZE or FR_NO_ROW.
fr_code fr_table_reader_key(const fr_table_reader *reader, size_t row, void *key, size_t size);

// The number of keys by now: rows are counted from 0. 0 for NULL.
size_t fr_table_reader_rows(const fr_table_reader *reader);

// The most keys. 0 for NULL.
size_t fr_table_reader_capacity(const fr_table_reader *reader);

// The number of the next store: it tells whether anything changed. 0 for NULL.
uint64_t fr_table_reader_stores(const fr_table_reader *reader);

// Puts rows that were stored into since the last call, each once, into rows, which has room for room of them, and how many it
// put there into *count. Call it again while it fills the room. The first call tells every row that has a value.
//
// Returns FR_OK, FR_NULL or FR_SIZE.
fr_code fr_table_changed(fr_table_reader *reader,
                         size_t *rows,
                         size_t room,
                         size_t *count);

// Waits until fr_table_reader_stores is no longer since, for at most timeout_ns.
//
// Returns FR_OK; FR_EMPTY if the time passed or the wait was interrupted; FR_CLOSED, FR_PUBLISHER_DEAD, FR_SUPERSEDED or
// FR_CUT_SHORT if nothing more will be stored; or FR_NULL.
fr_code fr_table_wait(fr_table_reader *reader,
                      uint64_t since,
                      uint64_t timeout_ns);

// Makes an interrupter for a reader, which ends its wait. On failure *interrupter is NULL.
//
// Returns FR_OK or FR_NULL. Free it with fr_interrupter_free.
fr_code fr_table_reader_interrupter(const fr_table_reader *reader, fr_interrupter **interrupter);

// 1 if the writer lives, 0 if it does not, and for NULL. Asks the kernel.
int32_t fr_table_reader_writer_is_alive(const fr_table_reader *reader);

// Makes an interrupter for a subscriber. On failure *interrupter is NULL.
//
// Returns FR_OK or FR_NULL. Free it with fr_interrupter_free.
fr_code fr_subscriber_interrupter(const fr_subscriber *subscriber, fr_interrupter **interrupter);

// Ends the current wait of the subscriber (fr_receive, fr_subscriber_wait_for_publisher), or else the next one: it returns
// FR_EMPTY. Two interruptions before it returns count as one. A signal handler may call it.
//
// Returns FR_OK or FR_NULL.
fr_code fr_interrupt(const fr_interrupter *interrupter);

// Frees an interrupter. NULL is allowed.
void fr_interrupter_free(fr_interrupter *interrupter);

// Waits until a publisher takes the ring over, for at most timeout_ns. Call it after FR_PUBLISHER_DEAD, or after FR_CLOSED
// where closed rings are kept. It sleeps, whatever the options say. Some rings never come back: one that was closed and removed, and
// a sealed one. Set a timeout, then open the name again.
//
// Returns FR_OK if it is worth receiving again, FR_EMPTY if the time passed or the wait was interrupted, or FR_NULL.
fr_code fr_subscriber_wait_for_publisher(fr_subscriber *subscriber,
                                         uint64_t timeout_ns);

// 1 if a publisher lives, 0 if none does, and for NULL. Asks the kernel.
int32_t fr_subscriber_publisher_is_alive(const fr_subscriber *subscriber);

// Makes a notifier for a subscriber, and starts its thread. On failure *notifier is NULL.
//
// Returns FR_OK, FR_NULL, or FR_IO if the descriptor or the thread cannot be made. Free it with fr_notifier_free.
fr_code fr_subscriber_notifier(const fr_subscriber *subscriber,
                               fr_notifier **notifier);

// The notifier's descriptor, -1 for NULL. It belongs to the notifier: only wait for it.
int32_t fr_notifier_fd(const fr_notifier *notifier);

// Makes the descriptor readable once the subscriber, for which the notifier was made, has something to receive: a message or an
// event. Call it after FR_EMPTY. After FR_PUBLISHER_DEAD and FR_CLOSED use fr_notifier_arm_for_publisher, and after
// FR_SUPERSEDED free the notifier: there the event itself makes the descriptor readable at once, every time.
//
// Returns FR_OK or FR_NULL.
fr_code fr_notifier_arm(const fr_notifier *notifier,
                        const fr_subscriber *subscriber);

// Makes the descriptor readable once a publisher takes the ring over, or there is another event.
//
// Returns FR_OK or FR_NULL.
fr_code fr_notifier_arm_for_publisher(const fr_notifier *notifier, const fr_subscriber *subscriber);

// Makes the descriptor unreadable, until it is armed again.
//
// Returns FR_OK or FR_NULL.
fr_code fr_notifier_clear(const fr_notifier *notifier);

// Frees a notifier, and ends its thread. NULL is allowed.
void fr_notifier_free(fr_notifier *notifier);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FEED_RING_H */
