/* Questions and tables of names: whatever a container asks and whatever is in the file, nothing outside of both is read,
 * and what is answered is an answer to this question. */
#include <string.h>

#include "../../keeper/answer.c"
#include "fuzz.h"

static uint64_t sum;

static void read_table(const uint8_t *table, size_t size) {
  struct name_entry entry;
  for (size_t at = 0; names_next(table, size, &at, &entry);) {
    MUST(at <= size);
    for (size_t i = 0; i < entry.name_size; i++) sum += entry.name[i];
    const uint8_t *value = entry.data;
    for (unsigned i = 0; i < entry.count; i++) {
      uint16_t length;
      const uint8_t *bytes = names_value(&value, &length);
      for (size_t j = 0; j < length; j++) sum += bytes[j];
    }
  }
}

static void check_answer(const uint8_t *message, const struct question *question, const uint8_t *answer, size_t size) {
  MUST(size >= question->end && memcmp(message, answer, 2) == 0 && (answer[2] & IS_ANSWER) != 0);
  MUST(memcmp(message + DNS_HEADER, answer + DNS_HEADER, question->end - DNS_HEADER) == 0);
  size_t at = question->end;
  for (unsigned left = read_net16(answer + 6); left > 0; left--) {
    MUST(at + 12 <= size);
    at += 12U + read_net16(answer + at + 10);
  }
  MUST(at == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct script script = {bytes, bytes + size};
  struct question question;
  struct name_entry found;
  size_t message_size, turn = take_byte(&script), limit = 300 + 3U * take_byte(&script);
  const uint8_t *part = take_bytes(&script, take_byte(&script), &message_size);
  uint8_t *message = malloc(message_size + (message_size == 0)), out[300 + 3 * 255];
  MUST(message != NULL);
  memcpy(message, part, message_size);
  size_t table_size = (size_t)(script.end - script.at);
  uint8_t *table = malloc(table_size + (table_size == 0));
  MUST(table != NULL);
  memcpy(table, script.at, table_size);
  /* Most inputs get the right beginning: without it nothing behind is read. */
  if (table_size >= TABLE_HEADER && (turn & 7) != 7) {
    memcpy(table, NAMES_MAGIC, 8);
    memcpy(table + 8, (const uint32_t[]){NAMES_VERSION, (uint32_t)table_size}, 8);
  }
  bool fine = names_check(table, table_size);
  if (fine) read_table(table, table_size);
  int rcode = question_parse(message, message_size, &question);
  if (rcode == RCODE_FINE) {
    int known = fine ? names_find(table, table_size, &question, &found) : -1;
    if (known > 0) MUST(found.type == question.type && found.type < NAMES_OWN_TYPES);
    size_t written = answer_write(message, &question, known > 0 ? &found : NULL, (unsigned)turn, out, limit);
    MUST(written <= limit);
    check_answer(message, &question, out, written);
  } else if (rcode > 0) {
    size_t written = answer_refusal(message, message_size, rcode, out);
    MUST(written >= DNS_HEADER && written <= DNS_HEADER + DNS_NAME_LIMIT + 4 && (out[3] & 15) == rcode);
  }
  free(message);
  free(table);
  return 0;
}
