import { SupplementalGroupsPolicy } from '../../api/cri/enums.ts';
import type { LinuxContainerSecurityContext } from '../../api/cri/runtime.ts';
import { DaemonError, hasErrno } from '../base/errors.ts';
import { readFileInRoot } from '../linux/files.ts';
import type { ImageProcessConfig } from './image-config.ts';
import { findGroup, findUser, groupsOf, parseGroups, parseUsers } from './user-files.ts';
import type { GroupEntry, UserEntry } from './user-files.ts';

/** Who the first process of a container is, as numbers. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** In ascending order and with `gid` among them: a process that may drop groups must not lose its own that way. */
  readonly additionalGids: readonly number[];
  /** The home directory of /etc/passwd, where the user is in it. */
  readonly home?: string;
}

/** Reads a file of a container's rootfs without leaving it; more than `limitBytes` is an error. */
export type ReadFileInRoot = (root: string, path: string, limitBytes: number) => Promise<Uint8Array>;

type UserRequest = Pick<
  LinuxContainerSecurityContext,
  'runAsUser' | 'runAsUsername' | 'runAsGroup' | 'supplementalGroups' | 'supplementalGroupsPolicy'
>;

/** Most bytes of a /etc/passwd or /etc/group that are read; a directory service's export of 100,000 users fits. */
const FILE_LIMIT_BYTES = 16 * 1024 * 1024;
/** uid_t and gid_t are 32 bit, and -1 means "unchanged" to chown(2) and setresuid(2). */
const HIGHEST_ID = 0xffff_fffe;

/**
 * Finds who runs the first process: the request's user by number or name, else the image's `User` (`uid`, `name`, each
 * with `:gid` or `:group`), else root; in the image's own /etc/passwd and /etc/group.
 * @throws DaemonError InvalidArgument for a request that contradicts itself, or a name that the image does not have.
 */
export async function resolveUser(
  rootfsPath: string,
  request: UserRequest | undefined,
  image: ImageProcessConfig,
  readFile: ReadFileInRoot = readFileInRoot,
): Promise<ResolvedUser> {
  checkUserRequest(request);
  const read = async (path: string): Promise<string> => readText(readFile, rootfsPath, path);
  const users = parseUsers(await read('/etc/passwd'));
  const groups = parseGroups(await read('/etc/group'));

  const { userText, groupText } = whoIsAsked(request, image.User ?? '');
  const user = resolveUserText(userText, users);
  const gid = groupText === undefined ? (user.entry?.gid ?? 0) : resolveGroupText(groupText, groups);

  const strict = request?.supplementalGroupsPolicy === SupplementalGroupsPolicy.Strict;
  const fromImage = strict || user.entry === undefined ? [] : groupsOf(user.entry.name, groups);
  const asked = (request?.supplementalGroups ?? []).map((id) => checkId(id, 'supplemental_groups'));
  const additionalGids = [...new Set([gid, ...fromImage, ...asked])].sort((a, b) => a - b);
  return { uid: user.uid, gid, additionalGids, ...(user.entry === undefined ? {} : { home: user.entry.home }) };
}

/** The CRI's rules: a group needs a user, and a user is given by number or by name, not both. */
export function checkUserRequest(
  request: (Pick<UserRequest, 'runAsUser' | 'runAsGroup'> & { readonly runAsUsername?: string }) | undefined,
): void {
  if (request === undefined) return;
  const hasName = (request.runAsUsername ?? '') !== '';
  if (request.runAsUser !== undefined && hasName) {
    throw new DaemonError('InvalidArgument', 'resolve user: run_as_user and run_as_username are both given, must be one of them');
  }
  if (request.runAsGroup !== undefined && request.runAsUser === undefined && !hasName) {
    throw new DaemonError(
      'InvalidArgument',
      'resolve user: run_as_group is given without run_as_user or run_as_username, must come with one of them',
    );
  }
}

/** The user, and the group where one is named, each a number or a name. */
function whoIsAsked(request: UserRequest | undefined, imageUser: string): { userText: string; groupText: string | undefined } {
  const requested = request?.runAsUser?.value.toString() ?? request?.runAsUsername ?? '';
  if (requested !== '') return { userText: requested, groupText: request?.runAsGroup?.value.toString() };
  const [userText = '', groupText] = imageUser.split(':', 2);
  return { userText, groupText: groupText === '' ? undefined : groupText };
}

function resolveUserText(text: string, users: readonly UserEntry[]): { uid: number; entry: UserEntry | undefined } {
  const wanted = text === '' ? '0' : text;
  if (isNumber(wanted)) {
    const uid = checkId(BigInt(wanted), 'user');
    return { uid, entry: users.find((entry) => entry.uid === uid) };
  }
  const entry = findUser(wanted, users);
  if (entry === undefined)
    throw new DaemonError('InvalidArgument', `resolve user: "${wanted}" is not in the image's /etc/passwd, must be there`);
  return { uid: entry.uid, entry };
}

function resolveGroupText(text: string, groups: readonly GroupEntry[]): number {
  if (isNumber(text)) return checkId(BigInt(text), 'group');
  const entry = findGroup(text, groups);
  if (entry === undefined)
    throw new DaemonError('InvalidArgument', `resolve user: group "${text}" is not in the image's /etc/group, must be there`);
  return entry.gid;
}

function isNumber(text: string): boolean {
  return /^-?\d+$/.test(text);
}

function checkId(id: bigint, what: string): number {
  if (id >= 0n && id <= BigInt(HIGHEST_ID)) return Number(id);
  throw new DaemonError('InvalidArgument', `resolve user: ${what} ${id.toString()} must be from 0 to ${HIGHEST_ID}`);
}

/** An image without the file (one static program) is fine; a file that is none, or leads out of the rootfs, is not. */
async function readText(readFile: ReadFileInRoot, root: string, path: string): Promise<string> {
  try {
    return Buffer.from(await readFile(root, path, FILE_LIMIT_BYTES)).toString('utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return '';
    throw new DaemonError('FailedPrecondition', `resolve user: the image's ${path} cannot be read`, { cause: error });
  }
}
