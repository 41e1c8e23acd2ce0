/* gzip-check FROM TO: what the keeper's compressor makes of a file. */
#include <fcntl.h>

#include "../../keeper/gzip.h"

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int from = open(argv[1], O_RDONLY), to = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  return gzip_file(from, to, (struct gzip_note){.name = {'P', 'I'}, .bytes = "0123456789abcdef", .size = 16});
}
