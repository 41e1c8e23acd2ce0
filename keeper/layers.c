/* Layers on kernels that mount a file system only from block devices: loop devices over its two files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "keeper.h"

/* An index points into its tar by tar's own blocks. */
#define TAR_BLOCK 512
/* Whoever loses a race for a device tries the next one; each lost race is somebody else's success. */
#define RACES_LIMIT 1000

#define DEVICE_PATH_SIZE 32

static void device_path(char *path, unsigned number) { snprintf(path, DEVICE_PATH_SIZE, "/dev/loop%u", number); }

/* Configured at one stroke (LOOP_CONFIGURE, Linux 5.8): there is no moment at which the device has the file and would not
 * go with its last user. */
static int configure(int device, int file, const char *path) {
  struct loop_config config = {.fd = (uint32_t)file, .block_size = TAR_BLOCK};
  config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
  strncpy((char *)config.info.lo_file_name, path, LO_NAME_SIZE - 1);
  return error_of(ioctl(device, LOOP_CONFIGURE, &config));
}

/* A device that nobody has, with the file; EBUSY or ENXIO when another process was faster. */
static int take_free(int control, int file, const char *path, int *slot) {
  int number = ioctl(control, LOOP_CTL_GET_FREE);
  if (number < 0) return errno;
  char name[DEVICE_PATH_SIZE];
  device_path(name, (unsigned)number);
  int device = open(name, O_RDONLY | O_CLOEXEC);
  if (device < 0) return errno;
  int error = configure(device, file, path);
  if (error != 0) close(device);
  else *slot = device;
  return error;
}

int step_open_loop_device(struct keeper *k, const struct argument *a) {
  const char *path = a[OPEN_LOOP_DEVICE_PATH].bytes;
  int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return errno;
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  int error = control < 0 ? errno : EBUSY;
  for (int races = 0; (error == EBUSY || error == ENXIO) && races < RACES_LIMIT; races++)
    error = take_free(control, file, path, &k->slots[a[OPEN_LOOP_DEVICE_SLOT].number]);
  close(file);
  if (control >= 0) close(control);
  return error;
}

/* The device's own name, so that the table of mounts says which one it is. */
static int path_of(int device, char *path) {
  struct loop_info64 info;
  if (ioctl(device, LOOP_GET_STATUS64, &info) != 0) return errno;
  device_path(path, info.lo_number);
  return 0;
}

int step_mount_index(struct keeper *k, const struct argument *a) {
  char index[DEVICE_PATH_SIZE], tar[DEVICE_PATH_SIZE], data[DEVICE_PATH_SIZE + sizeof "device="];
  int error = path_of(k->slots[a[MOUNT_INDEX_INDEX].number], index);
  if (error == 0) error = path_of(k->slots[a[MOUNT_INDEX_TAR].number], tar);
  if (error != 0) return error;
  snprintf(data, sizeof data, "device=%s", tar);
  return error_of(mount(index, a[MOUNT_INDEX_TARGET].bytes, "erofs", a[MOUNT_INDEX_FLAGS].number, data));
}
