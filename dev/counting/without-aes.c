/* Preloaded into a program for 64-bit ARM, this tells it that the processor has none of the optional instructions for ciphers, as the one of a
 * Raspberry Pi 4. QEMU has no such processor. dev/instructions builds it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>

/* HWCAP_AES, HWCAP_PMULL, HWCAP_SHA1, HWCAP_SHA2 and HWCAP_SHA512 of the kernel's asm/hwcap.h. */
#define CIPHERS (1UL << 3 | 1UL << 4 | 1UL << 5 | 1UL << 6 | 1UL << 21)

unsigned long getauxval(unsigned long type)
{
    unsigned long (*real)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(RTLD_NEXT, "getauxval");
    unsigned long value = real(type);

    return type == AT_HWCAP ? value & ~CIPHERS : value;
}
