/* Generated from src/kernel/steps.ts and src/kernel/messages.ts by `npm run generate`; do not edit. */
#pragma once

#define PLAN_MAGIC "PIERPLAN"
#define PLAN_VERSION 1
#define PROTOCOL_VERSION 3
#define SLOT_LIMIT 2048
#define TREE_MAGIC "PIERTREE"
#define TREE_VERSION 1
#define NAMES_MAGIC "PIERNAME"
#define NAMES_VERSION 1
#define STEP_LIMIT 144

/* code, name, kinds of the arguments (number, slot, slot or none, text, bytes, list of Texts, list of Numbers), lanes as bits */
#define STEPS(X) \
  X(1, make_directory, "tn", 7) \
  X(2, create_file, "tnb", 5) \
  X(3, write, "tb", 7) \
  X(5, remove_directory, "t", 7) \
  X(6, remove_file, "t", 7) \
  X(7, open_tree, "stn", 1) \
  X(8, join_namespace, "tn", 3) \
  X(9, join_process, "sn", 3) \
  X(10, open_directory, "st", 1) \
  X(11, clone, "no", 1) \
  X(12, mount, "ttttnt", 3) \
  X(13, unmount, "tn", 5) \
  X(14, netlink, "nbN", 7) \
  X(15, bind_port, "snbn", 1) \
  X(16, relay, "snbn", 1) \
  X(51, close_port, "nbn", 1) \
  X(52, move_relay, "nbnbn", 1) \
  X(53, hear_changes, "tn", 1) \
  X(54, stay, "", 1) \
  X(50, answer_names, "ssnt", 1) \
  X(17, kill_cgroup, "t", 5) \
  X(18, release, "n", 3) \
  X(19, await, "n", 3) \
  X(20, log_to, "tnn", 1) \
  X(115, log_attributes, "t", 1) \
  X(121, compress_log, "", 1) \
  X(122, send_log, "ntbn", 1) \
  X(123, as_syslog, "nntt", 1) \
  X(124, as_journal, "b", 1) \
  X(21, stdio, "nn", 1) \
  X(22, listen, "t", 1) \
  X(23, exit_to, "t", 1) \
  X(24, attach_device_filter, "sb", 1) \
  X(25, open_process, "snn", 1) \
  X(26, report_file, "t", 5) \
  X(27, remove_tree, "t", 5) \
  X(28, watch_memory, "tt", 1) \
  X(29, kill_frozen, "tttt", 5) \
  X(34, open_loop_device, "st", 1) \
  X(35, mount_index, "sstn", 1) \
  X(38, write_tree, "tttT", 2) \
  X(39, sync_file_system, "t", 2) \
  X(110, move_tree, "tt", 1) \
  X(111, open_beneath, "sttn", 1) \
  X(30, measure_tree, "nttn", 1) \
  X(130, read_tree, "nt", 1) \
  X(140, adopt_orphans, "", 1) \
  X(141, run_program, "tTT", 7) \
  X(142, listen_terminal, "st", 2) \
  X(143, adopt, "to", 2) \
  X(36, kill_process, "s", 1) \
  X(40, die_with_parent, "", 2) \
  X(41, not_dumpable, "", 2) \
  X(42, new_keyring, "t", 2) \
  X(43, unshare, "n", 2) \
  X(44, set_propagation, "tn", 3) \
  X(45, open_root, "t", 2) \
  X(60, root_mount, "tttnt", 2) \
  X(61, root_attach, "stnnnn", 2) \
  X(62, root_make_directory, "tnnn", 2) \
  X(63, root_make_node, "tnnnnn", 2) \
  X(64, root_make_link, "tt", 2) \
  X(65, root_mask, "t", 2) \
  X(66, root_read_only, "t", 2) \
  X(67, root_remount, "tnn", 2) \
  X(68, pivot_root, "", 2) \
  X(69, terminal, "nnn", 2) \
  X(70, sysctl, "tt", 2) \
  X(112, tell_path, "tnnn", 2) \
  X(113, stat_path, "ntn", 2) \
  X(114, put_tree, "nnnn", 2) \
  X(71, read_file, "ntn", 2) \
  X(72, root_bind, "t", 2) \
  X(80, set_hostname, "t", 2) \
  X(81, set_domainname, "t", 2) \
  X(82, set_rlimit, "nnn", 2) \
  X(83, set_umask, "n", 2) \
  X(84, no_new_privileges, "", 2) \
  X(85, load_seccomp, "bn", 2) \
  X(86, change_directory, "t", 2) \
  X(87, drop_bounding, "n", 2) \
  X(88, set_user, "nnN", 2) \
  X(89, set_capabilities, "nnnn", 2) \
  X(90, find_program, "T", 2) \
  X(91, start, "", 2) \
  X(95, enter, "", 2) \
  X(94, confine, "t", 2) \
  X(92, close_descriptors, "", 2) \
  X(93, exec, "TTn", 2)

enum { MAKE_DIRECTORY_PATH, MAKE_DIRECTORY_MODE };
enum { CREATE_FILE_PATH, CREATE_FILE_MODE, CREATE_FILE_CONTENT };
enum { WRITE_PATH, WRITE_CONTENT };
enum { REMOVE_DIRECTORY_PATH };
enum { REMOVE_FILE_PATH };
enum { OPEN_TREE_SLOT, OPEN_TREE_PATH, OPEN_TREE_RECURSIVE };
enum { JOIN_NAMESPACE_PATH, JOIN_NAMESPACE_KIND };
enum { JOIN_PROCESS_SLOT, JOIN_PROCESS_KINDS };
enum { OPEN_DIRECTORY_SLOT, OPEN_DIRECTORY_PATH };
enum { CLONE_NAMESPACES, CLONE_CGROUP };
enum { MOUNT_AT, MOUNT_SOURCE, MOUNT_TARGET, MOUNT_TYPE, MOUNT_FLAGS, MOUNT_DATA };
enum { UNMOUNT_PATH, UNMOUNT_FLAGS };
enum { NETLINK_PROTOCOL, NETLINK_MESSAGES, NETLINK_PID_AT };
enum { BIND_PORT_SLOT, BIND_PORT_PROTOCOL, BIND_PORT_ADDRESS, BIND_PORT_PORT };
enum { RELAY_SLOT, RELAY_PROTOCOL, RELAY_ADDRESS, RELAY_PORT };
enum { CLOSE_PORT_PROTOCOL, CLOSE_PORT_ADDRESS, CLOSE_PORT_PORT };
enum { MOVE_RELAY_PROTOCOL, MOVE_RELAY_ADDRESS, MOVE_RELAY_PORT, MOVE_RELAY_TARGET, MOVE_RELAY_TARGET_PORT };
enum { HEAR_CHANGES_TABLE, HEAR_CHANGES_PAUSE };
enum { ANSWER_NAMES_DATAGRAMS, ANSWER_NAMES_STREAMS, ANSWER_NAMES_PORT, ANSWER_NAMES_TABLE };
enum { KILL_CGROUP_PATH };
enum { RELEASE_POINT };
enum { AWAIT_POINT };
enum { LOG_TO_PATH, LOG_TO_MAX_SIZE, LOG_TO_MAX_FILES };
enum { LOG_ATTRIBUTES_ATTRIBUTES };
enum { SEND_LOG_TYPE, SEND_LOG_PATH, SEND_LOG_ADDRESS, SEND_LOG_PORT };
enum { AS_SYSLOG_FORMAT, AS_SYSLOG_FACILITY, AS_SYSLOG_HOST, AS_SYSLOG_TAG };
enum { AS_JOURNAL_FIELDS };
enum { STDIO_KIND, STDIO_STDIN };
enum { LISTEN_PATH };
enum { EXIT_TO_PATH };
enum { ATTACH_DEVICE_FILTER_SLOT, ATTACH_DEVICE_FILTER_PROGRAM };
enum { OPEN_PROCESS_SLOT, OPEN_PROCESS_PID, OPEN_PROCESS_START_TIME };
enum { REPORT_FILE_PATH };
enum { REMOVE_TREE_PATH };
enum { WATCH_MEMORY_PATH, WATCH_MEMORY_CONTROL };
enum { KILL_FROZEN_PATH, KILL_FROZEN_FREEZER, KILL_FROZEN_FREEZE, KILL_FROZEN_THAW };
enum { OPEN_LOOP_DEVICE_SLOT, OPEN_LOOP_DEVICE_PATH };
enum { MOUNT_INDEX_INDEX, MOUNT_INDEX_TAR, MOUNT_INDEX_TARGET, MOUNT_INDEX_FLAGS };
enum { WRITE_TREE_PATH, WRITE_TREE_LINKS, WRITE_TREE_LIST, WRITE_TREE_SOURCES };
enum { SYNC_FILE_SYSTEM_PATH };
enum { MOVE_TREE_FROM, MOVE_TREE_TO };
enum { OPEN_BENEATH_SLOT, OPEN_BENEATH_DIRECTORY, OPEN_BENEATH_PATH, OPEN_BENEATH_RECURSIVE };
enum { MEASURE_TREE_INDEX, MEASURE_TREE_PATH, MEASURE_TREE_WITHOUT, MEASURE_TREE_OF_DISK };
enum { READ_TREE_INDEX, READ_TREE_PATH };
enum { RUN_PROGRAM_PROGRAM, RUN_PROGRAM_ARGS, RUN_PROGRAM_ENV };
enum { LISTEN_TERMINAL_SLOT, LISTEN_TERMINAL_PATH };
enum { ADOPT_PID_FILE, ADOPT_TERMINAL };
enum { KILL_PROCESS_SLOT };
enum { NEW_KEYRING_NAME };
enum { UNSHARE_NAMESPACES };
enum { SET_PROPAGATION_PATH, SET_PROPAGATION_FLAGS };
enum { OPEN_ROOT_PATH };
enum { ROOT_MOUNT_SOURCE, ROOT_MOUNT_TARGET, ROOT_MOUNT_TYPE, ROOT_MOUNT_FLAGS, ROOT_MOUNT_DATA };
enum { ROOT_ATTACH_SLOT, ROOT_ATTACH_TARGET, ROOT_ATTACH_ATTRIBUTES, ROOT_ATTACH_RECURSIVE, ROOT_ATTACH_PROPAGATION, ROOT_ATTACH_PROPAGATION_RECURSIVE };
enum { ROOT_MAKE_DIRECTORY_PATH, ROOT_MAKE_DIRECTORY_MODE, ROOT_MAKE_DIRECTORY_UID, ROOT_MAKE_DIRECTORY_GID };
enum { ROOT_MAKE_NODE_PATH, ROOT_MAKE_NODE_MODE, ROOT_MAKE_NODE_MAJOR, ROOT_MAKE_NODE_MINOR, ROOT_MAKE_NODE_UID, ROOT_MAKE_NODE_GID };
enum { ROOT_MAKE_LINK_PATH, ROOT_MAKE_LINK_TARGET };
enum { ROOT_MASK_PATH };
enum { ROOT_READ_ONLY_PATH };
enum { ROOT_REMOUNT_PATH, ROOT_REMOUNT_SET, ROOT_REMOUNT_CLEAR };
enum { TERMINAL_CONSOLE, TERMINAL_ROWS, TERMINAL_COLUMNS };
enum { SYSCTL_NAME, SYSCTL_VALUE };
enum { TELL_PATH_PATH, TELL_PATH_FOLLOWS, TELL_PATH_CROSSES, TELL_PATH_CONTENTS };
enum { STAT_PATH_INDEX, STAT_PATH_PATH, STAT_PATH_FOLLOWS };
enum { PUT_TREE_INDEX, PUT_TREE_REPLACES, PUT_TREE_UID, PUT_TREE_GID };
enum { READ_FILE_INDEX, READ_FILE_PATH, READ_FILE_LIMIT };
enum { ROOT_BIND_PATH };
enum { SET_HOSTNAME_NAME };
enum { SET_DOMAINNAME_NAME };
enum { SET_RLIMIT_RESOURCE, SET_RLIMIT_SOFT, SET_RLIMIT_HARD };
enum { SET_UMASK_MASK };
enum { LOAD_SECCOMP_FILTER, LOAD_SECCOMP_FLAGS };
enum { CHANGE_DIRECTORY_PATH };
enum { DROP_BOUNDING_KEEP };
enum { SET_USER_UID, SET_USER_GID, SET_USER_GROUPS };
enum { SET_CAPABILITIES_EFFECTIVE, SET_CAPABILITIES_PERMITTED, SET_CAPABILITIES_INHERITABLE, SET_CAPABILITIES_AMBIENT };
enum { FIND_PROGRAM_CANDIDATES };
enum { CONFINE_PROFILE };
enum { EXEC_ARGS, EXEC_ENV, EXEC_INIT };

enum {
  LANE_OUTSIDE = 0,
  LANE_INSIDE = 1,
  LANE_AFTER = 2,
};

enum {
  POINT_NETWORK = 2,
  POINT_NAMESPACE = 3,
};

enum {
  STDIO_NULL = 0,
  STDIO_PIPES = 1,
  STDIO_TERMINAL = 2,
};

enum {
  STDIN_NONE = 0,
  STDIN_OPEN = 1,
  STDIN_ONCE = 2,
};

enum {
  SYSLOG_UNIX = 0,
  SYSLOG_RFC3164 = 1,
  SYSLOG_RFC5424 = 2,
  SYSLOG_RFC5424MICRO = 3,
};

enum {
  SAY_HELLO = 1,
  SAY_CREATED = 2,
  SAY_STARTED = 3,
  SAY_FAILED = 4,
  SAY_EXITED = 5,
  SAY_BYTES = 6,
  SAY_ATTACHED = 7,
  SAY_ANSWER = 8,
  SAY_MEMORY = 9,
};

enum {
  ASK_START = 16,
  ASK_SIGNAL = 17,
  ASK_RESIZE = 18,
  ASK_ATTACH = 19,
  ASK_CHANGE = 20,
  ASK_PLAN = 21,
};

enum {
  ATTACH_STDIN = 1,
  ATTACH_STDOUT = 2,
  ATTACH_STDERR = 4,
};

enum {
  PHASE_PREPARING = 0,
  PHASE_CREATED = 1,
  PHASE_RUNNING = 2,
  PHASE_EXITED = 3,
};

enum {
  TREE_ENTER = 1,
  TREE_LEAVE = 2,
  TREE_FILE = 3,
  TREE_SYMLINK = 4,
  TREE_CHARACTER = 5,
  TREE_BLOCK = 6,
  TREE_FIFO = 7,
  TREE_LINK = 8,
};

enum {
  NAMES_OWN_TYPES = 65280,
  NAMES_TABLE = 65281,
  NAMES_SERVER = 65282,
  NAMES_RESOLVER = 65283,
};
