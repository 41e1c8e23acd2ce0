/* A fault behind four bytes, each found only by who knows the one before: who finds it is led by where the program goes. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size > 0 && bytes[0] == 'P')
    if (size > 1 && bytes[1] == 'I')
      if (size > 2 && bytes[2] == 'E')
        if (size > 3 && bytes[3] == 'R') abort();
  return 0;
}
