/*
 * Kills the process right before its N-th system call that changes a file below a folder, whichever thread makes it.
 * strace counts the calls of each thread by itself, and the broker writes from many threads.
 *
 * Preloaded into the program (LD_PRELOAD). KILL_AT is N, KILL_BELOW is the folder, and KILL_TRACE is a file that gets a
 * line with the name of each such call before it is made.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static const char *below;
static long kill_at = -1;
static int trace = -1;
static atomic_long calls;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("KILL_AT"), *file = getenv("KILL_TRACE");
    below = getenv("KILL_BELOW");
    if (at) kill_at = atol(at);
    if (file) trace = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void count(const char *call, const char *path) {
    if (!below || !path || strncmp(path, below, strlen(below)) != 0) return;
    char line[64];
    int length = snprintf(line, sizeof line, "%s\n", call);
    if (trace >= 0) syscall(SYS_write, trace, line, length);
    if (atomic_fetch_add(&calls, 1) + 1 == kill_at) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
}

static void count_fd(const char *call, int fd) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    count(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
    count_fd("write", fd);
    return REAL(write)(fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    count_fd("write", fd);
    return REAL(pwrite64)(fd, bytes, length, at);
}

int fsync(int fd) {
    count_fd("fsync", fd);
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    count_fd("fsync", fd);
    return REAL(fdatasync)(fd);
}

int ftruncate64(int fd, off64_t length) {
    count_fd("ftruncate", fd);
    return REAL(ftruncate64)(fd, length);
}

int rename(const char *from, const char *to) {
    count("rename", to);
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    count("unlink", path);
    return REAL(unlink)(path);
}

int rmdir(const char *path) {
    count("rmdir", path);
    return REAL(rmdir)(path);
}

int mkdir(const char *path, mode_t mode) {
    count("mkdir", path);
    return REAL(mkdir)(path, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (flags & O_CREAT) count("create", path);
    return REAL(open64)(path, flags, mode);
}
