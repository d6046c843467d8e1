/*
 * Static ELF files of a few hundred bytes, for programs that make a handful of system calls.
 * Facts: elf(5); System V ABI, x86-64 and AArch64 supplements.
 */
import { DaemonError } from '../base/errors.ts';

/** Bytes at the start of the file before the code: the ELF header and two program headers. */
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const CODE_OFFSET = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES;
/** Where the file is mapped; a multiple of 64 KiB, the largest page of both machines. */
const BASE_ADDRESS = 0x400000;
const SEGMENT_ALIGNMENT = 0x10000;
/** e_machine, elf(5). */
const MACHINES = { x64: 62, arm64: 183 } as const;

/** The code of a program for each machine; its length is a multiple of 8, so that the data behind it is aligned. */
export type MachineCode = Readonly<Record<keyof typeof MACHINES, () => Buffer>>;

/**
 * The bytes of a program: its code for this machine, and read-only data behind it. The file's mode must be 0555.
 * @throws DaemonError Unimplemented for a machine other than x64 and arm64.
 */
export function elfProgram(what: string, architecture: string, code: MachineCode, data: Buffer = Buffer.alloc(0)): Uint8Array {
  if (architecture !== 'x64' && architecture !== 'arm64')
    throw new DaemonError('Unimplemented', `make ${what}: this machine is ${architecture}, must be x64 or arm64`);
  const header = Buffer.alloc(ELF_HEADER_BYTES);
  header.set([0x7f, 0x45, 0x4c, 0x46]); // magic: DEL E L F
  header.set([2, 1, 1], 4); // 64 bit, little endian, ELF version 1
  header.writeUInt16LE(2, 16); // e_type: ET_EXEC
  header.writeUInt16LE(MACHINES[architecture], 18); // e_machine
  header.writeUInt32LE(1, 20); // e_version
  header.writeBigUInt64LE(BigInt(BASE_ADDRESS + CODE_OFFSET), 24); // e_entry: the first byte of the code
  header.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32); // e_phoff: the program headers follow this one
  header.writeUInt16LE(ELF_HEADER_BYTES, 52); // e_ehsize
  header.writeUInt16LE(PROGRAM_HEADER_BYTES, 54); // e_phentsize
  header.writeUInt16LE(2, 56); // e_phnum
  const body = Buffer.concat([code[architecture](), data]);
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

/** A 32-bit number in little endian, as an operand of x86-64. */
export function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
}

/** Instructions of arm64, 4 bytes each, filled with zeros to `length` bytes. */
export function arm64Code(instructions: readonly number[], length: number): Buffer {
  const code = Buffer.alloc(length);
  instructions.forEach((instruction, index) => code.writeUInt32LE(instruction >>> 0, index * 4));
  return code;
}

/** The system call of arm64: the number in x8, arguments in x0 to x3; it changes x0 alone. */
export const SVC = 0xd4000001;

/** MOVZ Xd, #value: the value has 16 bits, from bit 5 on. */
export function move(register: number, value: number): number {
  return 0xd2800000 | (value << 5) | register;
}
