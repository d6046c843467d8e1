import { arm64Code, elfProgram, move, SVC, word } from './elf-file.ts';

/*
 * A program that makes namespaces and waits in them, as a static ELF file of under 300 bytes. unshare(2) refuses a user namespace
 * to a process of many threads, as ours is.
 *
 *     read 8 bytes from 0: the flags, CLONE_NEW*
 *     unshare(flags)                      with CLONE_NEWUSER among them, the others belong to the new user namespace
 *     write 8 bytes to 1: what it returned, 0 or an error number below it
 *     read from 0 until its end           whoever holds the other end has done what it wanted, or is dead
 *     exit with 0
 */

const LENGTH = 64;

/** The bytes of the program for a machine. @throws DaemonError Unimplemented for a machine other than x64 and arm64. */
export function unshareProgram(architecture: string): Uint8Array {
  return elfProgram('the program that makes user namespaces', architecture, { x64, arm64 });
}

/** System calls: the number in eax, arguments in rdi, rsi, rdx; `syscall` changes rax, rcx and r11 alone. */
function x64(): Buffer {
  const code = [
    ...[0x48, 0x83, 0xec, 0x10], //     sub rsp, 16
    ...[0x31, 0xc0], //                 xor eax, eax        read
    ...[0x31, 0xff], //                 xor edi, edi        from 0
    ...[0x48, 0x89, 0xe6], //           mov rsi, rsp
    ...[0xba, ...word(8)], //           mov edx, 8
    ...[0x0f, 0x05], //                 syscall
    ...[0x48, 0x8b, 0x3c, 0x24], //     mov rdi, [rsp]      the flags
    ...[0xb8, ...word(272)], //         mov eax, unshare
    ...[0x0f, 0x05], //                 syscall
    ...[0x48, 0x89, 0x04, 0x24], //     mov [rsp], rax
    ...[0xb8, ...word(1)], //           mov eax, write
    ...[0xbf, ...word(1)], //           mov edi, 1
    ...[0x0f, 0x05], //                 syscall             rsi and rdx are still those of the read
    ...[0x31, 0xc0], //                 xor eax, eax        read
    ...[0x31, 0xff], //                 xor edi, edi        from 0
    ...[0x0f, 0x05], //                 syscall
    ...[0xb8, ...word(231)], //         mov eax, exit_group
    ...[0x31, 0xff], //                 xor edi, edi        code 0
    ...[0x0f, 0x05], //                 syscall
  ];
  return Buffer.concat([Buffer.from(code)], LENGTH); // what follows the last call is never reached
}

function arm64(): Buffer {
  const instructions = [
    0xd10043ff, //   sub sp, sp, 16
    move(8, 63), //  mov x8, read
    move(0, 0), //   mov x0, 0
    0x910003e1, //   mov x1, sp
    move(2, 8), //   mov x2, 8
    SVC,
    0xf94003e0, //   ldr x0, [sp]      the flags
    move(8, 97), //  mov x8, unshare
    SVC,
    0xf90003e0, //   str x0, [sp]
    move(8, 64), //  mov x8, write
    move(0, 1), //   mov x0, 1
    SVC, //          x1 and x2 are still those of the read
    move(8, 63), //  mov x8, read
    move(0, 0), //   mov x0, 0
    SVC,
    move(8, 94), //  mov x8, exit_group
    move(0, 0), //   mov x0, 0
    SVC,
  ];
  return arm64Code(instructions, instructions.length * 4 + 4);
}
