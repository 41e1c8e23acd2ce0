/* A table is replaced as a whole, by a rename: what is mapped never changes under our eyes. */
#include "tables.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { most_tables = 64, most_servers = 8, path_limit = 512, size_limit = 64 << 20 };

struct table {
  char path[path_limit];
  struct stat status;
  const uint8_t *bytes; /* null: it is not there, or none */
  size_t size;
};

/* The first is the container's own, which names the others. */
static struct table tables[most_tables];
static size_t table_count;
static struct server servers[most_servers];
static size_t server_count;
static char resolver_path[path_limit];
static int home = -1;

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
         a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void unload(struct table *table) {
  void *mapped;
  memcpy(&mapped, &table->bytes, sizeof mapped);
  if (mapped != NULL) munmap(mapped, table->size);
  table->bytes = NULL;
  memset(&table->status, 0, sizeof table->status);
}

/* Whether it is another one now. One that is there but cannot be read leaves the last one in its place. */
static bool load(struct table *table) {
  struct stat status;
  if (stat(table->path, &status) != 0) {
    bool was = table->bytes != NULL;
    if (errno == ENOENT) unload(table);
    return was && table->bytes == NULL;
  }
  if (is_same(&status, &table->status)) return false;
  int fd = open(table->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > size_limit) {
    if (fd >= 0) close(fd);
    return false;
  }
  void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (bytes == MAP_FAILED) return false;
  unload(table);
  table->status = status;
  table->size = (size_t)status.st_size;
  if (names_check(bytes, table->size)) table->bytes = bytes;
  else munmap(bytes, table->size);
  return true;
}

/* Whether from inside, the port in the network's order, the address. */
static void add_server(const uint8_t *value, uint16_t size) {
  struct server *server = &servers[server_count];
  if (server_count == most_servers || size < 3) return;
  server->inside = value[0] != 0;
  if (endpoint_set(&server->address, value + 3, size - 3U, (uint16_t)(value[1] << 8 | value[2]))) server_count++;
}

static void copy_path(char *path, const uint8_t *value, uint16_t size) {
  if (size >= path_limit) return;
  memcpy(path, value, size);
  path[size] = 0;
}

/* Only the container's own table leads to others. */
static void read_own(const struct table *table, void (*read)(const struct name_entry *)) {
  struct name_entry entry;
  for (size_t at = 0; table->bytes != NULL && names_next(table->bytes, table->size, &at, &entry);)
    if (entry.type >= NAMES_OWN_TYPES) read(&entry);
}

static void read_tables(const struct name_entry *entry) {
  const uint8_t *at = entry->data;
  for (unsigned i = 0; entry->type == NAMES_TABLE && i < entry->count && table_count < most_tables; i++) {
    uint16_t size;
    const uint8_t *value = names_value(&at, &size);
    memset(&tables[table_count], 0, sizeof tables[table_count]);
    copy_path(tables[table_count++].path, value, size);
  }
}

static void read_rest(const struct name_entry *entry) {
  const uint8_t *at = entry->data;
  for (unsigned i = 0; i < entry->count; i++) {
    uint16_t size;
    const uint8_t *value = names_value(&at, &size);
    if (entry->type == NAMES_SERVER) add_server(value, size);
    if (entry->type == NAMES_RESOLVER) copy_path(resolver_path, value, size);
  }
}

void tables_refresh(void) {
  bool changed = load(&tables[0]);
  if (changed) {
    while (table_count > 1) unload(&tables[--table_count]);
    read_own(&tables[0], read_tables);
  }
  for (size_t i = 1; i < table_count; i++)
    if (load(&tables[i])) changed = true;
  if (!changed) return;
  server_count = 0;
  resolver_path[0] = 0;
  for (size_t i = 0; i < table_count; i++) read_own(&tables[i], read_rest);
}

int tables_open(const char *path) {
  size_t length = strlen(path);
  if (length >= path_limit) return ENAMETOOLONG;
  memcpy(tables[0].path, path, length + 1);
  table_count = 1;
  if (home < 0) home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) return errno;
  tables_refresh();
  return 0;
}

int tables_find(const struct question *question, struct name_entry *found) {
  int result = -1;
  for (size_t i = 0; i < table_count; i++) {
    if (tables[i].bytes == NULL) continue;
    int here = names_find(tables[i].bytes, tables[i].size, question, found);
    if (here > 0) return here;
    if (here == 0) result = 0;
  }
  return result;
}

const char *tables_resolver(void) { return resolver_path[0] == 0 ? NULL : resolver_path; }

size_t tables_servers(const struct server **list) {
  *list = servers;
  return server_count;
}

int tables_home(void) { return home; }
