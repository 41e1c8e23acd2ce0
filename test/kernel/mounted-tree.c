/*
 * Shows a stack of layers as the kernel sees it: mounts each INDEX over its TAR (topmost first), overlayfs above them
 * when there are several, and writes every file of the tree to standard output. Everything happens in a mount namespace
 * of its own, so nothing has to be taken away afterwards.
 *
 *   mounted-tree WORKDIR INDEX TAR [INDEX TAR]...
 *   mounted-tree --stack NAMESPACE DIRECTORY NAME...
 *
 * The second form finds the layers mounted already: in that mount namespace, under these names of the directory.
 *
 * One line a file: path, mode (octal, with the type), uid, gid, size, mtime, nanoseconds, device, links, inode, target,
 * then name=value of each extended attribute; text in hexadecimal. A regular file's bytes follow its line,
 * those of hard links only the first one's.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static void hex(const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		printf("%02x", ((const unsigned char *)bytes)[i]);
}

static void show_xattrs(const char *path)
{
	static char names[65536], value[65536];
	ssize_t length = llistxattr(path, names, sizeof names);
	if (length < 0)
		err(1, "listxattr %s", path);
	for (char *name = names; name < names + length; name += strlen(name) + 1) {
		ssize_t size = lgetxattr(path, name, value, sizeof value);
		if (size < 0)
			err(1, "getxattr %s %s", path, name);
		putchar(' ');
		hex(name, strlen(name));
		putchar('=');
		hex(value, size);
	}
}

static void show_content(const char *path, off_t size)
{
	static char buffer[1 << 18];
	int fd = open(path, O_RDONLY | O_NOFOLLOW);
	if (fd < 0)
		err(1, "open %s", path);
	while (size > 0) {
		ssize_t got = read(fd, buffer, sizeof buffer);
		if (got <= 0)
			err(1, "read %s", path);
		fwrite(buffer, 1, got, stdout);
		size -= got;
	}
	close(fd);
}

static int is_new(ino_t inode)
{
	static ino_t *seen;
	static size_t count;
	for (size_t i = 0; i < count; i++)
		if (seen[i] == inode)
			return 0;
	if (!(seen = realloc(seen, (count + 1) * sizeof *seen)))
		err(1, "realloc");
	seen[count++] = inode;
	return 1;
}

static int no_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static void show(const char *path, size_t root)
{
	struct stat st;
	static char target[8192];
	ssize_t length = 0;
	if (lstat(path, &st)) {
		/* A whiteout in a directory that only one layer has: overlayfs lists its name but finds nothing there. */
		if (errno == ENOENT)
			return;
		err(1, "stat %s", path);
	}
	if (S_ISLNK(st.st_mode) && (length = readlink(path, target, sizeof target)) < 0)
		err(1, "readlink %s", path);
	hex(path + root, strlen(path + root));
	printf(" %o %u %u %lld %lld %ld %u:%u %lu %lu ", st.st_mode, st.st_uid, st.st_gid, (long long)st.st_size,
	       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, major(st.st_rdev), minor(st.st_rdev),
	       (unsigned long)st.st_nlink, (unsigned long)st.st_ino);
	hex(target, length);
	show_xattrs(path);
	putchar('\n');
	if (S_ISREG(st.st_mode) && (st.st_nlink == 1 || is_new(st.st_ino)))
		show_content(path, st.st_size);
	if (!S_ISDIR(st.st_mode))
		return;
	struct dirent **entries;
	int count = scandir(path, &entries, no_dots, NULL);
	if (count < 0)
		err(1, "scandir %s", path);
	for (int i = 0; i < count; i++) {
		char *child;
		if (asprintf(&child, "%s/%s", path, entries[i]->d_name) < 0)
			err(1, "asprintf");
		show(child, root);
		free(child);
		free(entries[i]);
	}
	free(entries);
}

static const char options_before_lower[] = "xino=on,redirect_dir=nofollow,metacopy=off,index=off,lowerdir=";

static int show_stack(char **argv)
{
	char lower[4096];
	strcpy(lower, options_before_lower);
	int namespace = open(argv[0], O_RDONLY);
	if (namespace < 0 || setns(namespace, CLONE_NEWNS) || unshare(CLONE_NEWNS))
		err(1, "enter %s", argv[0]);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || chdir(argv[1]))
		err(1, "chdir %s", argv[1]);
	for (char **name = argv + 2; *name; name++)
		strcat(strcat(lower, name == argv + 2 ? "" : ":"), *name);
	if (mount("overlay", "/mnt", "overlay", MS_RDONLY, lower))
		err(1, "mount overlay");
	show("/mnt", strlen("/mnt"));
	return 0;
}

int main(int argc, char **argv)
{
	char lower[4096];
	strcpy(lower, options_before_lower);
	if (argc > 5 && !strcmp(argv[1], "--stack"))
		return show_stack(argv + 2);
	if (argc < 4 || argc % 2 != 0)
		errx(2, "usage: mounted-tree WORKDIR INDEX TAR [INDEX TAR]...");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		err(1, "unshare");
	if (chdir(argv[1]))
		err(1, "chdir %s", argv[1]);
	for (int i = 2; i < argc; i += 2) {
		char name[16], *options;
		snprintf(name, sizeof name, "m%d", i / 2);
		if (mkdir(name, 0700) || asprintf(&options, "device=%s", argv[i + 1]) < 0)
			err(1, "mkdir %s", name);
		if (mount(argv[i], name, "erofs", MS_RDONLY | MS_NODEV | MS_NOSUID, options))
			err(1, "mount %s", argv[i]);
		free(options);
		strcat(strcat(lower, i == 2 ? "" : ":"), name);
	}
	const char *root = "m1";
	if (argc > 4) {
		root = "merged";
		if (mkdir(root, 0700) || mount("overlay", root, "overlay", MS_RDONLY, lower))
			err(1, "mount overlay");
	}
	show(root, strlen(root));
	return 0;
}
