// The program of the image `hello`: what a container sees of itself, beside what the machine has, on one screen.
// The machine's side comes in the environment (PIER_HOST_..., from src/daemon/hello.ts); what is missing is left out.
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

// 80 columns: two spaces and a label, what the container sees, what the machine has.
enum { label_width = 14, here_width = 30, host_width = 33, text_size = 512 };

static int coloured;
static const char bold[] = "\033[1m", faint[] = "\033[2m", plain[] = "\033[0m";

static const char *style(const char *code) { return coloured ? code : ""; }

static const char *host(const char *name) {
  char variable[64];
  snprintf(variable, sizeof variable, "PIER_HOST_%s", name);
  const char *value = getenv(variable);
  return value ? value : "";
}

// --- The screen ---

static void title(const char *text) { printf("\n%s%s%s\n", style(bold), text, style(plain)); }

// A value too long for its column ends in "..."; and it may come from a stranger, so nothing in it moves the cursor.
static void print_cell(const char *text, int width) {
  int length = (int)strlen(text);
  int shown = length > width ? width - 3 : length;
  for (int i = 0; i < shown; i++) putchar(isprint((unsigned char)text[i]) ? text[i] : '?');
  if (length > width) fputs("...", stdout);
}

static void row(const char *label, const char *here, const char *there) {
  printf("  %s%-*s%s", style(faint), label_width, label, style(plain));
  print_cell(here, here_width - 2);
  if (*there) {
    int length = (int)strlen(here);
    int used = length > here_width - 2 ? here_width - 2 : length;
    printf("%*s", here_width - used, "");
    print_cell(there, host_width);
  }
  putchar('\n');
}

__attribute__((format(printf, 2, 3))) static void append(char text[text_size], const char *format, ...) {
  size_t length = strlen(text);
  va_list values;
  va_start(values, format);
  vsnprintf(text + length, text_size - length, format, values);
  va_end(values);
}

// --- What there is to see ---

static int count_names(const char *path, int (*wanted)(const char *)) {
  DIR *directory = opendir(path);
  if (!directory) return 0;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory));) count += wanted(entry->d_name);
  closedir(directory);
  return count;
}

static int is_pid(const char *name) { return isdigit((unsigned char)*name) != 0; }
static int is_shown(const char *name) { return *name != '.'; }

static void see_processes(char text[text_size]) {
  int count = count_names("/proc", is_pid);
  append(text, count == 1 ? "1, and it is pid %d" : "%2$d, and it is pid %1$d", getpid(), count);
}

// The first line of a kernel file; empty when there is none.
static void read_line(const char *path, char text[text_size]) {
  text[0] = 0;
  FILE *file = fopen(path, "re");
  if (!file) return;
  if (!fgets(text, text_size, file)) text[0] = 0;
  text[strcspn(text, "\n")] = 0;
  fclose(file);
}

// The number of mounts, and the type of the one at the root.
static int see_mounts(char root_type[text_size]) {
  FILE *file = fopen("/proc/self/mountinfo", "re");
  if (!file) return 0;
  char *line = NULL, point[4096];
  size_t size = 0;
  int count = 0;
  for (; getline(&line, &size, file) > 0; count++) {
    const char *after = strstr(line, " - ");
    if (sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 && !strcmp(point, "/") && after)
      snprintf(root_type, text_size, "%.*s", (int)strcspn(after + 3, " "), after + 3);
  }
  free(line);
  fclose(file);
  return count;
}

// "eth0 172.17.0.2, lo": the loopback last, for everyone has one.
static void see_network(char text[text_size]) {
  struct ifaddrs *all;
  if (getifaddrs(&all)) return;
  int has_loopback = 0;
  for (struct ifaddrs *entry = all; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || entry->ifa_addr->sa_family != AF_INET) continue;
    if (!strcmp(entry->ifa_name, "lo")) {
      has_loopback = 1;
      continue;
    }
    struct sockaddr_in address;
    char number[INET_ADDRSTRLEN];
    memcpy(&address, entry->ifa_addr, sizeof address);
    append(text, "%s%s %s", *text ? ", " : "", entry->ifa_name,
           inet_ntop(AF_INET, &address.sin_addr, number, sizeof number));
  }
  freeifaddrs(all);
  if (has_loopback) append(text, "%s", *text ? ", lo" : "lo only");
}

// As many items of a list as the width has room for: "eth0 192.0.2.2, 3 more".
static void shorten_list(const char *list, int width, char text[text_size]) {
  int rest = *list != 0;
  for (const char *at = list; (at = strstr(at, ", ")); at += 2) rest++;
  while (rest > 0) {
    int length = (int)strcspn(list, ",");
    char more[32] = "";
    if (rest > 1) snprintf(more, sizeof more, ", %d more", rest - 1);
    if (*text && (int)(strlen(text) + strlen(more)) + 2 + length > width) break;
    append(text, "%s%.*s", *text ? ", " : "", length, list);
    list += length + 2;
    rest--;
  }
  if (rest > 0) append(text, ", %d more", rest);
}

static void append_size(char text[text_size], uint64_t bytes) {
  double mebibytes = (double)bytes / (1 << 20);
  if (mebibytes < 1024)
    append(text, "%.0f MiB", mebibytes);
  else
    append(text, "%.1f GiB", mebibytes / 1024);
}

static uint64_t all_memory(void) {
  struct sysinfo info;
  return sysinfo(&info) ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

static void see_memory(char text[text_size]) {
  char line[text_size];
  read_line("/sys/fs/cgroup/memory.max", line);
  if (!*line) read_line("/sys/fs/cgroup/memory/memory.limit_in_bytes", line);
  uint64_t limit = strtoull(line, NULL, 10), all = all_memory();
  // "max" in version 2, a number near 2^63 in version 1.
  if (limit > 0 && limit < all) {
    append_size(text, limit);
    append(text, " of ");
  }
  append_size(text, all);
  if (limit == 0 || limit >= all) append(text, ", no limit");
}

static void see_processors(char text[text_size]) {
  char line[text_size], period_line[text_size];
  double quota = 0, period = 100000;
  read_line("/sys/fs/cgroup/cpu.max", line);
  if (*line) {
    if (sscanf(line, "%lf %lf", &quota, &period) < 1) quota = 0;
  } else {
    read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line);
    read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period_line);
    quota = strtod(line, NULL);
    if (*period_line) period = strtod(period_line, NULL);
  }
  cpu_set_t set;
  int usable = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
  if (quota > 0 && period > 0)
    append(text, "%.3g of %d", quota / period, usable);
  else
    append(text, "%d, no limit", usable);
}

// --- Capabilities ---

static uint64_t see_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {0};
  syscall(SYS_capget, &header, data);
  return data[0].effective | (uint64_t)data[1].effective << 32;
}

// "14: chown, kill...": how many there are, and of those shown the ones that tell most.
static void name_capabilities(uint64_t set, uint64_t shown, int width, char text[text_size]) {
  static const struct {
    int number;
    const char *name;
  } telling[] = {{CAP_SYS_ADMIN, "sys_admin"}, {CAP_SYS_BOOT, "sys_boot"}, {CAP_SYS_MODULE, "sys_module"},
                 {CAP_NET_ADMIN, "net_admin"}, {CAP_SYS_TIME, "sys_time"}, {CAP_CHOWN, "chown"},
                 {CAP_KILL, "kill"},           {CAP_SETUID, "setuid"},     {CAP_NET_RAW, "net_raw"}};
  int count = __builtin_popcountll(set), named = 0;
  append(text, "%d", count);
  for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
    int room = width - (int)strlen(text) - (int)strlen(", ...");
    if (!(shown >> telling[i].number & 1) || (int)strlen(telling[i].name) > room) continue;
    append(text, "%s%s", named++ ? ", " : ": ", telling[i].name);
  }
  if (named > 0 && named < count) append(text, "...");
}

// --- The page ---

static void show_view(void) {
  char processes[text_size] = "", name[text_size] = "", seen[text_size] = "", network[text_size] = "";
  char host_network[text_size] = "", mounts[text_size] = "", root[text_size] = "";
  see_processes(processes);
  gethostname(name, sizeof name - 1);
  see_network(seen);
  shorten_list(seen, here_width - 2, network);
  shorten_list(host("INTERFACES"), host_width, host_network);
  append(mounts, "%d", see_mounts(root));
  append(root, ", %d names in /", count_names("/", is_shown));

  title("Namespaces give it a view of its own");
  row("processes", processes, host("PROCESSES"));
  row("host name", name, host("NAME"));
  row("network", network, host_network);
  row("mounts", mounts, host("MOUNTS"));
  title("A union file system lays its own files over an image that many can share");
  row("root", root, host("ROOT"));
}

static void show_share(void) {
  char memory[text_size] = "", processors[text_size] = "";
  see_memory(memory);
  see_processors(processors);
  title("Control groups limit what it can use");
  row("memory", memory, host("MEMORY"));
  row("processors", processors, host("PROCESSORS"));
}

static void show_privileges(void) {
  char user[text_size] = "", here[text_size] = "", there[text_size] = "";
  append(user, geteuid() == 0 ? "root (uid %u)" : "uid %u", geteuid());
  uint64_t own = see_capabilities(), hosts = strtoull(host("CAPABILITIES"), NULL, 16);
  name_capabilities(own, own, here_width - 2, here);
  // Of the machine's, what the container does not have.
  if (*host("CAPABILITIES")) name_capabilities(hosts, hosts & ~own, host_width, there);
  int filtered = prctl(PR_GET_SECCOMP) != 0;
  title("Its root can do less than the machine's root");
  row("user", user, host("USER"));
  row("capabilities", here, there);
  row("system calls", filtered ? "filtered by seccomp" : "all", host("SYSTEM_CALLS"));
}

static void show_kernel(void) {
  struct utsname system;
  uname(&system);
  char kernel[text_size] = "";
  append(kernel, "%s %s", system.sysname, system.release);
  int same = !strcmp(system.release, host("KERNEL"));
  putchar('\n');
  row("kernel", kernel, same ? "the same: no machine was started" : host("KERNEL"));
}

int main(void) {
  coloured = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
  int beside = *host("KERNEL") != 0;
  printf("%sHello from a container! This is what it sees%s.%s\n", style(bold),
         beside ? ", beside what the machine has" : " of itself", style(plain));
  if (beside) printf("  %*s%-*s%s\n", label_width, "", here_width, "in this container", "on the machine");
  show_view();
  show_share();
  show_privileges();
  show_kernel();
  printf("  made by       pier run --explain hello    shows every step\n");
  return 0;
}
