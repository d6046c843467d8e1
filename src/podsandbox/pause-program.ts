import { DaemonError } from '../base/errors.ts';

/*
 * The program of an infra container: process 1 of a pod's shared PID namespace, as a static ELF file of under 300 bytes.
 *
 *     block SIGTERM and SIGINT            a blocked signal is kept even for process 1, which ignores what it has no handler for
 *     ignore SIGCHLD                      the kernel then reaps all children, orphans of the pod too: wait(2), NOTES
 *     wait for SIGTERM or SIGINT          again when something else woke it: EINTR
 *     exit with 0
 *
 * Facts: elf(5); System V ABI, x86-64 and AArch64 supplements; Linux system call tables; pid_namespaces(7).
 */

/** Bytes at the start of the file before the code: the ELF header and two program headers. */
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const CODE_OFFSET = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES;
/** Where the file is mapped; a multiple of 64 KiB, the largest page of both machines. */
const BASE_ADDRESS = 0x400000;
const SEGMENT_ALIGNMENT = 0x10000;

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

interface Program {
  /** e_machine, elf(5). */
  readonly machine: number;
  /** Its length is a multiple of 8, so that the data behind it is aligned. */
  readonly code: Buffer;
}

/**
 * The bytes of the pause program for a machine; the file's mode must be 0555.
 * @throws DaemonError Unimplemented for a machine other than x64 and arm64.
 */
export function pauseProgram(architecture: string): Uint8Array {
  if (architecture === 'x64') return elfFile({ machine: 62, code: x64Code() });
  if (architecture === 'arm64') return elfFile({ machine: 183, code: arm64Code() });
  throw new DaemonError('Unimplemented', `make pause program: this machine is ${architecture}, must be x64 or arm64`);
}

function elfFile({ machine, code }: Program): Uint8Array {
  const header = Buffer.alloc(ELF_HEADER_BYTES);
  header.set([0x7f, 0x45, 0x4c, 0x46]); // magic: DEL E L F
  header.set([2, 1, 1], 4); // 64 bit, little endian, ELF version 1
  header.writeUInt16LE(2, 16); // e_type: ET_EXEC
  header.writeUInt16LE(machine, 18); // e_machine
  header.writeUInt32LE(1, 20); // e_version
  header.writeBigUInt64LE(BigInt(BASE_ADDRESS + CODE_OFFSET), 24); // e_entry: the first byte of the code
  header.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32); // e_phoff: the program headers follow this one
  header.writeUInt16LE(ELF_HEADER_BYTES, 52); // e_ehsize
  header.writeUInt16LE(PROGRAM_HEADER_BYTES, 54); // e_phentsize
  header.writeUInt16LE(2, 56); // e_phnum
  const body = Buffer.concat([code, data()]);
  const load = programHeader({
    type: 1,
    flags: 5,
    sizeBytes: CODE_OFFSET + body.length,
    address: BASE_ADDRESS,
    alignment: SEGMENT_ALIGNMENT,
  }); // PT_LOAD, read and execute
  const stack = programHeader({ type: 0x6474e551, flags: 6, sizeBytes: 0, address: 0, alignment: 16 }); // PT_GNU_STACK, not executable
  return Buffer.concat([header, load, stack, body]);
}

function programHeader(of: { type: number; flags: number; sizeBytes: number; address: number; alignment: number }): Buffer {
  const header = Buffer.alloc(PROGRAM_HEADER_BYTES);
  header.writeUInt32LE(of.type, 0); // p_type
  header.writeUInt32LE(of.flags, 4); // p_flags: 4 read, 2 write, 1 execute
  header.writeBigUInt64LE(BigInt(of.address), 16); // p_vaddr; p_offset before it is 0
  header.writeBigUInt64LE(BigInt(of.address), 24); // p_paddr
  header.writeBigUInt64LE(BigInt(of.sizeBytes), 32); // p_filesz
  header.writeBigUInt64LE(BigInt(of.sizeBytes), 40); // p_memsz
  header.writeBigUInt64LE(BigInt(of.alignment), 48); // p_align
  return header;
}

/** System calls: the number in eax, arguments in rdi, rsi, rdx, r10; `syscall` changes rax, rcx and r11 alone. */
function x64Code(): Buffer {
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

/** A 32-bit number in little endian. */
function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
}

/** System calls: the number in x8, arguments in x0 to x3; `svc` changes x0 alone. Every instruction is 4 bytes. */
function arm64Code(): Buffer {
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
  const code = Buffer.alloc(length);
  instructions.forEach((instruction, index) => code.writeUInt32LE(instruction >>> 0, index * 4));
  return code;
}

const SVC = 0xd4000001;

/** MOVZ Xd, #value: the value has 16 bits, from bit 5 on. */
function move(register: number, value: number): number {
  return 0xd2800000 | (value << 5) | register;
}

/** ADR Xd, here + offset: the two low bits of the offset are bits 29 and 30, the others begin at bit 5. */
function address(register: number, offset: number): number {
  return 0x10000000 | ((offset & 3) << 29) | ((offset >> 2) << 5) | register;
}

/** TBNZ X0, #63, here + offset: branches where the sign bit is set; 14 bits of offset in instructions, from bit 5 on. */
function branchIfNegative(offset: number): number {
  return 0xb7f80000 | (((offset >> 2) & 0x3fff) << 5);
}
