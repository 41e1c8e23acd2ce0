/* Ready answers are found and written out; what they are, the daemon has decided when it wrote the tables. */
#include "answer.h"

#include <string.h>

/* Flags of a message's third and fourth byte. */
#define IS_ANSWER 0x80
#define OPCODE 0x78
#define IS_AUTHORITY 0x04
#define IS_CUT 0x02
#define IS_RECURSIVE 0x01
#define CAN_RECURSE 0x80
#define CLASS_INTERNET 1
#define TIME_TO_LIVE 600U /* seconds, as in Docker */
#define LABEL_LIMIT 63U
#define TABLE_HEADER 16U
#define ENTRY_HEADER 6U

static uint16_t read_net16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint16_t read_own16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

static uint8_t *write_net16(uint8_t *at, uint16_t number) {
  at[0] = (uint8_t)(number >> 8);
  at[1] = (uint8_t)number;
  return at + 2;
}

static uint8_t lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte; }

/* Where the name ends, or 0; a question's name has no pointers. */
static size_t read_name(const uint8_t *message, size_t size, struct question *question) {
  size_t at = DNS_HEADER;
  question->name_size = 0;
  for (;;) {
    if (at >= size) return 0;
    size_t length = message[at];
    if (length > LABEL_LIMIT || at + 1 + length > size || question->name_size + 1 + length > DNS_NAME_LIMIT) return 0;
    question->name[question->name_size++] = (uint8_t)length;
    for (size_t i = 1; i <= length; i++) question->name[question->name_size++] = lower(message[at + i]);
    at += 1 + length;
    if (length == 0) return at;
  }
}

int question_parse(const uint8_t *message, size_t size, struct question *question) {
  question->end = 0;
  if (size < DNS_HEADER || (message[2] & IS_ANSWER) != 0) return -1;
  if ((message[2] & OPCODE) != 0) return RCODE_UNKNOWN;
  if (read_net16(message + 4) != 1) return RCODE_FORMAT;
  size_t at = read_name(message, size, question);
  if (at == 0 || at + 4 > size) return RCODE_FORMAT;
  question->type = read_net16(message + at);
  question->end = at + 4;
  return read_net16(message + at + 2) == CLASS_INTERNET ? RCODE_FINE : RCODE_UNKNOWN;
}

static bool check_values(const uint8_t *at, const uint8_t *end, unsigned count) {
  for (; count > 0; count--) {
    if (end - at < 2 || end - at - 2 < read_own16(at)) return false;
    at += 2 + read_own16(at);
  }
  return at == end;
}

bool names_check(const uint8_t *table, size_t size) {
  uint32_t numbers[2];
  if (size < TABLE_HEADER || memcmp(table, NAMES_MAGIC, 8) != 0) return false;
  memcpy(numbers, table + 8, sizeof numbers);
  if (numbers[0] != NAMES_VERSION || numbers[1] != size) return false;
  for (size_t at = TABLE_HEADER; at < size; at += read_own16(table + at)) {
    size_t left = size - at;
    if (left < ENTRY_HEADER || read_own16(table + at) > left) return false;
    size_t entry = read_own16(table + at), name = table[at + 4];
    if (entry < ENTRY_HEADER + name || name == 0) return false;
    if (!check_values(table + at + ENTRY_HEADER + name, table + at + entry, table[at + 5])) return false;
  }
  return true;
}

bool names_next(const uint8_t *table, size_t size, size_t *at, struct name_entry *entry) {
  if (*at == 0) *at = TABLE_HEADER;
  if (*at >= size) return false;
  const uint8_t *here = table + *at;
  *entry = (struct name_entry){
      .type = read_own16(here + 2),
      .name = here + ENTRY_HEADER,
      .name_size = here[4],
      .count = here[5],
      .data = here + ENTRY_HEADER + here[4],
  };
  *at += read_own16(here);
  return true;
}

const uint8_t *names_value(const uint8_t **at, uint16_t *size) {
  const uint8_t *value = *at + 2;
  *size = read_own16(*at);
  *at = value + *size;
  return value;
}

int names_find(const uint8_t *table, size_t size, const struct question *question, struct name_entry *found) {
  int result = -1;
  struct name_entry entry;
  /* What the keeper itself is told in the table is nobody else's to ask for. */
  if (question->type >= NAMES_OWN_TYPES) return -1;
  for (size_t at = 0; names_next(table, size, &at, &entry);) {
    if (entry.type >= NAMES_OWN_TYPES || entry.name_size != question->name_size) continue;
    if (memcmp(entry.name, question->name, entry.name_size) != 0) continue;
    if (entry.type == question->type) {
      *found = entry;
      return 1;
    }
    result = 0;
  }
  return result;
}

static void write_header(const uint8_t *message, uint8_t *out, unsigned answers, int rcode) {
  memcpy(out, message, 2);
  out[2] = (uint8_t)(IS_ANSWER | (message[2] & (OPCODE | IS_RECURSIVE)) | (rcode == RCODE_FINE ? IS_AUTHORITY : 0));
  out[3] = (uint8_t)(CAN_RECURSE | rcode);
  memset(out + 4, 0, 8);
  write_net16(out + 6, (uint16_t)answers);
}

size_t answer_write(const uint8_t *message, const struct question *question, const struct name_entry *found,
                    unsigned turn, uint8_t *out, size_t limit) {
  unsigned count = found == NULL ? 0 : found->count, written = 0;
  memcpy(out + DNS_HEADER, message + DNS_HEADER, question->end - DNS_HEADER);
  uint8_t *to = out + question->end;
  bool cut = false;
  for (unsigned i = 0; i < count && !cut; i++) {
    const uint8_t *at = found->data;
    uint16_t size;
    const uint8_t *value = names_value(&at, &size);
    for (unsigned skip = (turn + i) % count; skip > 0; skip--) value = names_value(&at, &size);
    cut = (size_t)(out + limit - to) < 12U + size;
    if (cut) break;
    to = write_net16(to, 0xc000 | DNS_HEADER); /* the name is that of the question */
    to = write_net16(to, found->type);
    to = write_net16(to, CLASS_INTERNET);
    to = write_net16(to, 0);
    to = write_net16(to, TIME_TO_LIVE);
    to = write_net16(to, size);
    memcpy(to, value, size);
    to += size;
    written++;
  }
  write_header(message, out, written, RCODE_FINE);
  write_net16(out + 4, 1);
  if (cut) out[2] |= IS_CUT;
  return (size_t)(to - out);
}

/* With the question, where there is one: without it, resolvers take no notice of an answer. */
size_t answer_refusal(const uint8_t *message, size_t size, int rcode, uint8_t *out) {
  struct question question;
  (void)question_parse(message, size, &question);
  write_header(message, out, 0, rcode);
  if (question.end == 0) return DNS_HEADER;
  memcpy(out + DNS_HEADER, message + DNS_HEADER, question.end - DNS_HEADER);
  write_net16(out + 4, 1);
  return question.end;
}
