/* A plugin of QEMU's user emulation that counts the instructions which each thread of a program executes, in a file that others may read
 * meanwhile: an array of 64-bit numbers. dev/instructions builds it.
 *
 *     qemu-aarch64 -plugin count.so,counts=COUNTS PROGRAM
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is needed of qemu-plugin.h, which Debian 12 does not ship. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned int, void *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, qemu_plugin_vcpu_tb_trans_cb_t);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, qemu_plugin_vcpu_udata_cb_t, enum qemu_plugin_cb_flags, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

#define EXPORTED __attribute__((visibility("default")))
/* Of QEMU 4.2 to 8.2. */
EXPORTED int qemu_plugin_version = 1;

/* Each thread counts in a cache line of its own. */
#define THREADS 4096
#define APART (64 / sizeof(uint64_t))
static uint64_t *counts;

static void executed(unsigned int thread, void *instructions)
{
    counts[thread % THREADS * APART] += (uintptr_t)instructions;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    size_t length = THREADS * APART * sizeof(uint64_t);
    int file;

    (void)info;
    if (argc != 1 || strncmp(argv[0], "counts=", 7) != 0) {
        fputs("count.so,counts=COUNTS\n", stderr);
        return 1;
    }
    file = open(argv[0] + 7, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || ftruncate(file, (off_t)length) != 0) {
        perror(argv[0] + 7);
        return 1;
    }
    counts = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (counts == MAP_FAILED) {
        perror(argv[0] + 7);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
