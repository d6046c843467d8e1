import { SupplementalGroupsPolicy } from '../../api/cri/enums.ts';
import type { LinuxContainerSecurityContext } from '../../api/cri/runtime.ts';
import { DaemonError, hasErrno } from '../base/errors.ts';
import type { ImageProcessConfig } from '../base/image-process-config.ts';
import { readStartInRoot } from '../linux/files.ts';
import { checkGroupsPolicy, checkRequestId, HIGHEST_ID } from './id-range.ts';
import { findGroupId, findUserById, findUserByName, groupsOf } from './user-files.ts';
import type { UserEntry } from './user-files.ts';

/** Who is to run the first process of a container: each a number, or a name of the image's files. */
export interface AskedUser {
  readonly user: number | string;
  /** Undefined is the group of the user. */
  readonly group: number | string | undefined;
  readonly supplementalGroups: readonly number[];
  /** Whether the groups that the image gives the user are left out. */
  readonly isStrict: boolean;
}

/** Who the first process of a container is, as numbers. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** In ascending order and with `gid` among them: a process that may drop groups must not lose its own that way. */
  readonly additionalGids: readonly number[];
  /** The home directory of /etc/passwd, where the user is in it. */
  readonly home?: string;
}

/** Reads the first bytes of a file of a container's rootfs, `limitBytes` at most, without leaving it. */
export type ReadStartInRoot = (root: string, path: string, limitBytes: number) => Promise<Uint8Array>;

type UserRequest = Pick<
  LinuxContainerSecurityContext,
  'runAsUser' | 'runAsUsername' | 'runAsGroup' | 'supplementalGroups' | 'supplementalGroupsPolicy'
>;

/** Most bytes of a /etc/passwd or /etc/group that are looked at: 30,000 users. Whoever makes an image can make them any size. */
const FILE_LIMIT_BYTES = 2 * 1024 * 1024;
const NEWLINE = 0x0a;
/** Most groups of a process: NGROUPS_MAX, setgroups(2). */
const MOST_GROUPS = 65_536;

/**
 * Who is asked for: the request's user by number or name, else the image's `User` (`uid`, `name`, each with `:gid` or `:group`),
 * else root.
 * @throws DaemonError InvalidArgument for a request that contradicts itself, and for a number that is no id.
 */
export function askedUser(request: UserRequest | undefined, image: ImageProcessConfig): AskedUser {
  if (request !== undefined) checkUserRequest(request);
  const { userText, groupText } = whoIsAsked(request, image.User ?? '');
  return {
    user: idOrName(userText === '' ? '0' : userText, 'user'),
    group: groupText === undefined ? undefined : idOrName(groupText, 'group'),
    supplementalGroups: (request?.supplementalGroups ?? []).map(Number),
    isStrict: request?.supplementalGroupsPolicy === SupplementalGroupsPolicy.Strict,
  };
}

/**
 * Finds who runs the first process, in the image's own /etc/passwd and, where a group of it is wanted, /etc/group.
 * @throws DaemonError InvalidArgument for a name that the image does not have; FailedPrecondition where the image's files do not
 * say it in their first 2 MB.
 */
export async function resolveUser(
  rootfsPath: string,
  asked: AskedUser,
  readStart: ReadStartInRoot = readStartInRoot,
): Promise<ResolvedUser> {
  const user = await findUser(asked.user, new UserFile(rootfsPath, '/etc/passwd', readStart));
  const groupFile = new UserFile(rootfsPath, '/etc/group', readStart);
  const gid = asked.group === undefined ? (user.entry?.gid ?? 0) : await findGroup(asked.group, groupFile);

  const fromImage = asked.isStrict || user.entry === undefined ? [] : await resolveGroupsOf(user.entry.name, groupFile);
  const additionalGids = [...new Set([gid, ...fromImage, ...asked.supplementalGroups])].sort((a, b) => a - b);
  checkGroupCount(additionalGids.length);
  return { uid: user.uid, gid, additionalGids, ...(user.entry === undefined ? {} : { home: user.entry.home }) };
}

/** The CRI's rules: ids are in range, a group needs a user, and a user is given by number or by name, not both. */
function checkUserRequest(request: UserRequest): void {
  checkGroupsPolicy('create container', request.supplementalGroupsPolicy);
  checkRequestId('create container', 'run_as_user', request.runAsUser?.value);
  checkRequestId('create container', 'run_as_group', request.runAsGroup?.value);
  for (const group of request.supplementalGroups) checkRequestId('create container', 'supplemental_groups', group);
  const hasName = request.runAsUsername !== '';
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

async function findUser(wanted: number | string, file: UserFile): Promise<{ uid: number; entry: UserEntry | undefined }> {
  if (typeof wanted === 'number')
    return { uid: wanted, entry: await file.find(`user ${wanted}`, async (bytes) => findUserById(bytes, wanted)) };
  const entry = await file.find(`user "${wanted}"`, async (bytes) => findUserByName(bytes, wanted));
  if (entry === undefined)
    throw new DaemonError('InvalidArgument', `resolve user: "${wanted}" is not in the image's /etc/passwd, must be there`);
  return { uid: entry.uid, entry };
}

async function findGroup(wanted: number | string, file: UserFile): Promise<number> {
  if (typeof wanted === 'number') return wanted;
  const gid = await file.find(`group "${wanted}"`, async (bytes) => findGroupId(bytes, wanted));
  if (gid === undefined)
    throw new DaemonError('InvalidArgument', `resolve user: group "${wanted}" is not in the image's /etc/group, must be there`);
  return gid;
}

async function resolveGroupsOf(name: string, file: UserFile): Promise<Set<number>> {
  let found = new Set<number>();
  await file.find(`all groups of user "${name}"`, async (bytes) => {
    found = await groupsOf(bytes, name, MOST_GROUPS);
    checkGroupCount(found.size);
    return undefined;
  });
  return found;
}

function checkGroupCount(count: number): void {
  if (count <= MOST_GROUPS) return;
  throw new DaemonError(
    'FailedPrecondition',
    `resolve user: it is in ${count} groups at least, must be in ${MOST_GROUPS} at most (setgroups(2))`,
  );
}

function idOrName(text: string, what: string): number | string {
  if (!/^-?\d+$/.test(text)) return text;
  const id = BigInt(text);
  if (id >= 0n && id <= BigInt(HIGHEST_ID)) return Number(id);
  throw new DaemonError('InvalidArgument', `resolve user: ${what} ${id.toString()} must be from 0 to ${HIGHEST_ID}`);
}

/** A file of an image, read once when it is first wanted. */
class UserFile {
  readonly #root: string;
  readonly #path: string;
  readonly #readStart: ReadStartInRoot;
  #bytes: Promise<Uint8Array> | undefined;

  constructor(root: string, path: string, readStart: ReadStartInRoot) {
    this.#root = root;
    this.#path = path;
    this.#readStart = readStart;
  }

  /** What `search` finds in the file. @throws FailedPrecondition where it finds nothing, and there is more than was looked at. */
  async find<T>(what: string, search: (bytes: Uint8Array) => Promise<T | undefined>): Promise<T | undefined> {
    const bytes = await (this.#bytes ??= this.#read());
    const isWhole = bytes.length <= FILE_LIMIT_BYTES;
    // A line that the limit cuts off would say something else than the whole line.
    const found = await search(isWhole ? bytes : bytes.subarray(0, bytes.lastIndexOf(NEWLINE, FILE_LIMIT_BYTES) + 1));
    if (found !== undefined || isWhole) return found;
    throw new DaemonError(
      'FailedPrecondition',
      `resolve user: looking for ${what}: the image's ${this.#path} is longer than ${FILE_LIMIT_BYTES} bytes, must be shorter`,
    );
  }

  /** An image without the file (one static program) is fine. Something that is no file, or leads out of the rootfs, is not. */
  async #read(): Promise<Uint8Array> {
    try {
      return await this.#readStart(this.#root, this.#path, FILE_LIMIT_BYTES + 1);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return new Uint8Array();
      if (error instanceof DaemonError) throw error;
      throw new DaemonError('FailedPrecondition', `resolve user: the image's ${this.#path} cannot be read`, { cause: error });
    }
  }
}
