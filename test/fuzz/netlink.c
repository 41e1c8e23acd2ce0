/* Netlink messages, those of the plan and those of the kernel: walked to their end, nothing behind it is read. */
#include "../../keeper/netlink.c"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  unsigned answered = 0;
  const struct netlink_rest all = {(const char *)bytes, size};
  unsigned asked = count_asked(all);
  int error = first_error(all, &answered);
  MUST(asked <= size / sizeof(struct nlmsghdr) && answered <= size / sizeof(struct nlmsghdr));
  MUST(error == 0 || answered > 0);

  /* The child's pid in places that the plan names: in the message or nowhere. */
  struct keeper keeper = {.child = 0x01020304};
  struct script script = {bytes, bytes + size};
  size_t count = take_byte(&script) % 4, taken;
  const uint8_t *places = take_bytes(&script, count * 8, &taken);
  const struct argument list = {.number = taken / 8, .numbers = (const char *)places};
  const struct argument messages = {.bytes = (const char *)script.at, .length = (size_t)(script.end - script.at)};
  char *copy = with_pid(&keeper, &messages, &list);
  MUST(copy != NULL);
  free(copy);
  return 0;
}
