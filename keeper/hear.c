/* What others do to the host's networking: told to the daemon as it happens, until the daemon goes. */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"
#include "loop.h"
#include "netlink.h"

#define ANSWER_SIZE 65536

/* src/kernel/changes.ts */
enum { ANY_LINK = 1, OWN_RULES = 2, OTHER_RULES = 4 };

/* What was heard and not yet told: what of the above, and the numbers of interfaces. */
struct heard {
  uint32_t kinds;
  uint32_t links[1024];
  size_t count;
};

/* One transaction of the packet filter: its changes come first, then who made it. */
struct transaction {
  const char *table;
  bool is_own;
};

static int open_group(int protocol, unsigned group) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0)
    return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static void add_link(struct heard *heard, uint32_t index) {
  for (size_t i = 0; i < heard->count; i++)
    if (heard->links[i] == index) return;
  if (heard->count == sizeof heard->links / sizeof *heard->links) heard->kinds |= ANY_LINK;
  else heard->links[heard->count++] = index;
}

/* Interfaces that are gone or were taken down, and ports that have left their bridge: those are told as gone of AF_BRIDGE. */
static void hear_link(struct heard *heard, const struct netlink_message *message) {
  struct ifinfomsg info;
  if (message->size < sizeof info) return;
  memcpy(&info, message->payload, sizeof info);
  int type = message->header.nlmsg_type;
  bool is_new = info.ifi_change == ~0U;
  bool is_down = type == RTM_NEWLINK && !is_new && (info.ifi_change & IFF_UP) != 0 && (info.ifi_flags & IFF_UP) == 0;
  if (type == RTM_DELLINK || is_down) add_link(heard, (uint32_t)info.ifi_index);
}

/* Whether the message has a text of this type, and it is this one. */
static bool has_text(const char *at, size_t size, int type, const char *text) {
  while (size >= sizeof(struct nlattr)) {
    struct nlattr attribute;
    memcpy(&attribute, at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || attribute.nla_len > size) return false;
    size_t length = attribute.nla_len - sizeof attribute;
    if ((attribute.nla_type & NLA_TYPE_MASK) == type)
      return length == strlen(text) + 1 && memcmp(at + sizeof attribute, text, length) == 0;
    size_t step = NLA_ALIGN(attribute.nla_len);
    if (step >= size) return false;
    at += step;
    size -= step;
  }
  return false;
}

/* The name of the table is the first attribute of what is about tables, chains, rules, sets and elements alike. */
static void hear_rules(struct heard *heard, struct transaction *transaction, const struct netlink_message *message) {
  int type = message->header.nlmsg_type;
  if (message->size < sizeof(struct nfgenmsg) || NFNL_SUBSYS_ID(type) != NFNL_SUBSYS_NFTABLES) return;
  const char *at = message->payload + sizeof(struct nfgenmsg);
  size_t size = message->size - sizeof(struct nfgenmsg);
  if (NFNL_MSG_TYPE(type) != NFT_MSG_NEWGEN) {
    transaction->is_own |= has_text(at, size, NFTA_RULE_TABLE, transaction->table);
    return;
  }
  /* What keepers do, the daemon has asked for. */
  if (!has_text(at, size, NFTA_GEN_PROC_NAME, "pier-keeper")) heard->kinds |= transaction->is_own ? OWN_RULES : OTHER_RULES;
  transaction->is_own = false;
}

static void hear(struct heard *heard, int fd, struct transaction *transaction) {
  static char messages[ANSWER_SIZE];
  for (;;) {
    ssize_t received = recv(fd, messages, sizeof messages, MSG_DONTWAIT);
    if (received < 0 && errno == EINTR) continue;
    /* More has happened than there was room for: anything may have. */
    if (received < 0 && errno == ENOBUFS) {
      heard->kinds |= transaction == NULL ? ANY_LINK : OWN_RULES | OTHER_RULES;
      continue;
    }
    if (received <= 0) return;
    struct netlink_rest rest = {messages, (size_t)received};
    struct netlink_message message;
    while (netlink_next(&rest, &message))
      if (transaction == NULL) hear_link(heard, &message);
      else hear_rules(heard, transaction, &message);
  }
}

static bool is_empty(const struct heard *heard) { return heard->kinds == 0 && heard->count == 0; }

static void tell(struct keeper *k, struct heard *heard) {
  uint32_t words[1 + sizeof heard->links / sizeof *heard->links] = {heard->kinds};
  memcpy(words + 1, heard->links, heard->count * sizeof *words);
  say_bytes(k, 0, words, (1 + heard->count) * sizeof *words);
  *heard = (struct heard){0};
}

/* What comes within the pause is told together. A kernel without nftables has no rules to hear of. */
int step_hear_changes(struct keeper *k, const struct argument *a) {
  static struct heard heard;
  int links = open_group(NETLINK_ROUTE, RTNLGRP_LINK);
  if (links < 0) return errno;
  int rules = open_group(NETLINK_NETFILTER, NFNLGRP_NFTABLES);
  struct transaction transaction = {.table = a[HEAR_CHANGES_TABLE].bytes};
  struct pollfd watched[] = {{.fd = k->daemon, .events = POLLIN}, {.fd = links, .events = POLLIN}, {.fd = rules, .events = POLLIN}};
  /* Nothing yet, but from here on nothing is missed. */
  tell(k, &heard);
  for (int64_t due = 0;;) {
    int64_t left = due - loop_now();
    if (!is_empty(&heard) && left <= 0) tell(k, &heard);
    if (poll(watched, 3, is_empty(&heard) ? -1 : (int)left) < 0 && errno != EINTR) break;
    if (watched[0].revents != 0) break;
    bool is_first = is_empty(&heard);
    hear(&heard, links, NULL);
    if (rules >= 0) hear(&heard, rules, &transaction);
    if (is_first) due = loop_now() + (int64_t)a[HEAR_CHANGES_PAUSE].number;
  }
  close(links);
  if (rules >= 0) close(rules);
  return ECANCELED;
}
