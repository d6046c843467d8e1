/**
 * What a program can do where it runs, as a program of Perl that Debian has everywhere: a line for each thing, `NAME: yes` or `NAME: no (WHY)`.
 * It changes nothing for good. Numbers of system calls are x86-64's.
 */

/** An ELF program of 32 bits that exits with 42: mov $1, %eax; mov $42, %ebx; int $0x80. */
const PROGRAM_32 =
  '7f454c46010101000000000000000000' + '02000300010000005480040834000000' + '00000000000000003400200001000000' +
  '00000000010000000000000000800408' + '00800408600000006000000005000000' + '00100000b801000000bb2a000000cd80'; // prettier-ignore

/** For a container: it runs in the node's root, with the container's rights. */
export const ABILITIES = String.raw`
use strict; $| = 1;
sub line { my ($name, $can, $why) = @_; print "$name: ", ($can ? 'yes' : "no ($why)"), "\n" }
sub call { my ($name, @call) = @_; my $got = syscall($call[0], @call[1 .. $#call]); line($name, $got >= 0, "$!"); $got >= 0 }
sub apart { my ($name, @call) = @_; my $pid = fork(); if (!$pid) { call($name, @call); exit 0 } waitpid($pid, 0) }
sub run { my ($program, $user) = @_; my $pid = open(my $out, '-|');
  if (!$pid) { if ($user) { $( = $) = $user; $< = $> = $user } exec $program; exit 127 } my $said = join '', <$out>; close $out; ($? >> 8, $said) }
open(my $status, '<', '/proc/self/status'); while (<$status>) { print "$1 $2\n" if /^(NoNewPrivs|Seccomp|Seccomp_filters|CapBnd|CapEff|Umask):\s*(.*)/ } close $status;
for my $path ('/home/vm-hardening', '/tmp/vm-hardening', '/dev/vda', '/var/lib/vm-shared') { line("see the node's $path", -e $path, "$!") }
my $work = '/var/tmp/vm-abilities'; system('rm', '-rf', $work); mkdir $work; chmod 0755, $work; mkdir "$work/mount";

if (call('mount a tmpfs', 165, 'none', "$work/mount", 'tmpfs', 0, '')) { syscall(166, "$work/mount", 2) }
if (call('mount proc', 165, 'proc', "$work/mount", 'proc', 0, '')) { syscall(166, "$work/mount", 2) }
my $now = "\0" x 16; syscall(228, 0, $now); call('set the clock', 227, 0, $now);
my $timex = "\0" x 208; call('read the clock\'s adjustment', 159, $timex);
my $host = qx(cat /proc/sys/kernel/hostname); chomp $host; call('set the hostname', 170, $host, length $host);
my $log = "\0" x 64; call('read the kernel\'s log', 103, 3, $log, 64);
my $priority = pack('i', 1); apart('real-time scheduling', 144, 0, 1, $priority);
apart('another personality', 135, 8);
apart('a session keyring', 250, 1, 0);
apart('a mount namespace', 272, 0x20000);
apart('a network namespace', 272, 0x40000000);
apart('a PID namespace', 272, 0x20000000);
apart('be traced', 101, 0, 0, 0, 0);
apart('a higher priority', 141, 0, 0, -5);
apart('memory to write and to execute', 9, 0, 4096, 7, 0x22, -1, 0);
apart('ports of the processor', 172, 3);
apart('a local descriptor table', 154, 0, $log, 0);
apart('count the file system types', 139, 3);
apart('load a module', 175, '', 0, '');
apart('swap', 167, "$work/none", 0);
apart('set Ctrl-Alt-Del', 169, 0xfee1dead, 672274793, 0);
my $event = "\0" x 128; substr($event, 0, 8) = pack('LL', 1, 128); substr($event, 8, 8) = pack('Q', 9); apart('a perf event', 298, $event, 0, -1, -1, 0);
for my $family (['local', 1], ['IPv4', 2], ['IPv6', 10], ['netlink', 16], ['packets', 17], ['crypto', 38], ['vsock', 40]) {
  apart("a socket: $family->[0]", 41, $family->[1], $family->[0] eq 'crypto' ? 5 : $family->[0] eq 'netlink' || $family->[0] eq 'packets' ? 3 : 1, 0);
}
if (call('make a device', 133, "$work/null", 0020600, 0x103)) { line('open it', open(my $file, '<', "$work/null"), "$!") }
for my $path ('/dev/kmsg', '/dev/vda') { line("open $path", open(my $file, '<', $path), "$!") }
line('write a setting of the kernel', open(my $file, '>>', '/proc/sys/net/ipv4/ip_forward'), "$!");
system('cp', '/usr/bin/id', "$work/id"); line('make a program set-user-ID', chmod(04755, "$work/id"), "$!");
my (undef, $said) = run("$work/id -u", 1000); chomp $said; line('gain rights by a set-user-ID program', $said eq '0', "it is user $said");
open(my $elf, '>', "$work/32"); print $elf pack('H*', '${PROGRAM_32}'); close $elf; chmod 0755, "$work/32";
my ($code) = run("$work/32"); line('run a 32-bit program', $code == 42, "code $code");
system('rm', '-rf', $work);
`;

/** For what the daemon starts: plugins, hooks, runtimes. It runs in the unit's place, and mounts what the node is to see. */
export const ABILITIES_OF_CHILDREN = String.raw`
use strict; use Socket; $| = 1;
sub line { my ($name, $can, $why) = @_; print "a child: $name: ", ($can ? 'yes' : "no ($why)"), "\n" }
for my $kind ('net', 'ipc', 'uts', 'user') {
  my ($own, $node) = (readlink "/proc/self/ns/$kind", readlink "/proc/1/ns/$kind"); line("is in the node's $kind namespace", $own eq $node, 'it has another');
}
my $file = '/var/lib/vm-hardening/new'; unlink $file; open(my $new, '>', $file); close $new; printf "a child: makes files of mode %o\n", (stat $file)[2] & 07777;
for my $path ('/dev/kmsg', '/dev/vda') { line("open $path", open(my $device, '<', $path), "$!") }
for my $path ('/proc/sys/net/ipv4/ip_forward', '/etc/vm-hardening', '/usr/vm-hardening', '/home/vm-hardening', '/tmp/vm-hardening') {
  line("write $path", open(my $to, '>>', $path), "$!");
}
line('make a cgroup', mkdir('/sys/fs/cgroup/vm-made'), "$!"); rmdir '/sys/fs/cgroup/vm-made';
for my $path ('/proc/1/status', '/proc/sys/kernel/hostname', '/proc/mounts', '/lib/modules') { my $fh; line("read $path", -d $path ? opendir($fh, $path) : open($fh, '<', $path), "$!") }
my $log = "\0" x 64; line("read the kernel's log", syscall(103, 3, $log, 64) >= 0, "$!");
socket(my $server, PF_INET, SOCK_STREAM, 0); line('serve a port', bind($server, sockaddr_in(8099, INADDR_LOOPBACK)) && listen($server, 1), "$!");
socket(my $client, PF_INET, SOCK_STREAM, 0);
my $pid = fork(); if (!$pid) { alarm 5; $SIG{ALRM} = sub { exit 1 }; exit(connect($client, sockaddr_in(8099, INADDR_LOOPBACK)) ? 0 : 1) }
waitpid($pid, 0); line('connect to a port', $? == 0, 'no answer');
my ($source, $target, $type, $options) = ('vm-child', '/var/lib/vm-shared/out', 'tmpfs', ''); my $mounted = syscall(165, $source, $target, $type, 0, $options); line('mount a tmpfs', $mounted >= 0, "$!");
`;
