import { arm64Code, elfProgram, move, SVC, word } from '../linux/elf-file.ts';

/*
 * The program of an infra container: process 1 of a pod's shared PID namespace, as a static ELF file of under 300 bytes.
 *
 *     block SIGTERM and SIGINT            a blocked signal is kept even for process 1, which ignores what it has no handler for
 *     ignore SIGCHLD                      the kernel then reaps all children, orphans of the pod too: wait(2), NOTES
 *     wait for SIGTERM or SIGINT          again when something else woke it: EINTR
 *     exit with 0
 *
 * Facts: Linux system call tables; pid_namespaces(7).
 */

const SIGINT = 2;
const SIGTERM = 15;
const SIGCHLD = 17;
const SIG_IGN = 1;
const SIG_BLOCK = 0;
/** Bytes of the kernel's sigset_t, which the signal calls want to be told. */
const SIGSET_BYTES = 8;
/** Bytes of the kernel's struct sigaction: handler, flags, restorer, mask, 8 bytes each on both machines. */
const SIGACTION_BYTES = 32;

/** The data behind the code: the set of SIGINT and SIGTERM (signal n is bit n - 1), then the action for SIGCHLD. */
function data(): Buffer {
  const bytes = Buffer.alloc(SIGSET_BYTES + SIGACTION_BYTES);
  bytes.writeBigUInt64LE((1n << BigInt(SIGINT - 1)) | (1n << BigInt(SIGTERM - 1)), 0);
  bytes.writeBigUInt64LE(BigInt(SIG_IGN), SIGSET_BYTES); // handler; no flags, no restorer, empty mask
  return bytes;
}

/**
 * The bytes of the pause program for a machine; the file's mode must be 0555.
 * @throws DaemonError Unimplemented for a machine other than x64 and arm64.
 */
export function pauseProgram(architecture: string): Uint8Array {
  return elfProgram('pause program', architecture, { x64: x64Pause, arm64: arm64Pause }, data());
}

/** System calls: the number in eax, arguments in rdi, rsi, rdx, r10; `syscall` changes rax, rcx and r11 alone. */
function x64Pause(): Buffer {
  const length = 80;
  const set = length;
  const action = length + SIGSET_BYTES;
  // A displacement counts from the end of its instruction.
  const code = [
    ...[0x6a, SIGSET_BYTES], //                         0: push 8
    ...[0x41, 0x5a], //                                 2: pop r10             sigsetsize of all calls below
    ...[0xb8, ...word(14)], //                          4: mov eax, rt_sigprocmask
    ...[0xbf, ...word(SIG_BLOCK)], //                   9: mov edi, SIG_BLOCK
    ...[0x48, 0x8d, 0x35, ...word(set - 21)], //       14: lea rsi, [rip + set]
    ...[0x31, 0xd2], //                                21: xor edx, edx        no old set wanted
    ...[0x0f, 0x05], //                                23: syscall
    ...[0xb8, ...word(13)], //                         25: mov eax, rt_sigaction
    ...[0xbf, ...word(SIGCHLD)], //                    30: mov edi, SIGCHLD
    ...[0x48, 0x8d, 0x35, ...word(action - 42)], //    35: lea rsi, [rip + action]
    ...[0x0f, 0x05], //                                42: syscall             rdx is still 0: no old action wanted
    ...[0xb8, ...word(128)], //                        44: mov eax, rt_sigtimedwait
    ...[0x48, 0x8d, 0x3d, ...word(set - 56)], //       49: lea rdi, [rip + set]
    ...[0x31, 0xf6], //                                56: xor esi, esi        nothing but the number wanted
    ...[0x0f, 0x05], //                                58: syscall             rdx is still 0: no time limit
    ...[0x85, 0xc0], //                                60: test eax, eax
    ...[0x7e, 44 - 64 + 256], //                       62: jle 44              an error (EINTR): wait again
    ...[0xb8, ...word(231)], //                        64: mov eax, exit_group
    ...[0x31, 0xff], //                                69: xor edi, edi        code 0
    ...[0x0f, 0x05], //                                71: syscall
  ];
  return Buffer.concat([Buffer.from(code)], length); // what follows the last call is never reached
}

/** Every instruction is 4 bytes. */
function arm64Pause(): Buffer {
  const length = 80;
  const set = length;
  const action = length + SIGSET_BYTES;
  const wait = 44;
  const instructions = [
    move(3, SIGSET_BYTES), //       0: mov x3, 8                 sigsetsize of all calls below
    move(8, 135), //                4: mov x8, rt_sigprocmask
    move(0, SIG_BLOCK), //          8: mov x0, SIG_BLOCK
    address(1, set - 12), //       12: adr x1, set
    move(2, 0), //                 16: mov x2, 0                 no old set wanted
    SVC, //                        20: svc 0
    move(8, 134), //               24: mov x8, rt_sigaction
    move(0, SIGCHLD), //           28: mov x0, SIGCHLD
    address(1, action - 32), //    32: adr x1, action
    move(2, 0), //                 36: mov x2, 0                 no old action wanted
    SVC, //                        40: svc 0
    move(8, 137), //               44: mov x8, rt_sigtimedwait
    address(0, set - 48), //       48: adr x0, set
    move(1, 0), //                 52: mov x1, 0                 nothing but the number wanted
    move(2, 0), //                 56: mov x2, 0                 no time limit
    SVC, //                        60: svc 0
    branchIfNegative(wait - 64), // 64: tbnz x0, 63, wait        an error (EINTR): wait again
    move(8, 94), //                68: mov x8, exit_group
    move(0, 0), //                 72: mov x0, 0                 code 0
    SVC, //                        76: svc 0
  ];
  return arm64Code(instructions, length);
}

/** ADR Xd, here + offset: the two low bits of the offset are bits 29 and 30, the others begin at bit 5. */
function address(register: number, offset: number): number {
  return 0x10000000 | ((offset & 3) << 29) | ((offset >> 2) << 5) | register;
}

/** TBNZ X0, #63, here + offset: branches where the sign bit is set; 14 bits of offset in instructions, from bit 5 on. */
function branchIfNegative(offset: number): number {
  return 0xb7f80000 | (((offset >> 2) & 0x3fff) << 5);
}
